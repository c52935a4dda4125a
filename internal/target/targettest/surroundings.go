// Package targettest simulates the systems around a Connect worker, in the process: containers that go down and come
// back, the sink's tables, the source's, Vault with its leases, a schema registry, Prometheus, the CDC API's dead-letter
// queue, the brokers and a pager. The demo and drills run on it, where nothing is installed. It answers as the real ones
// were seen to answer in the lab, and holds to the same rules as the bot's clients: what they refuse, it refuses.
package targettest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Surroundings is one pipeline's world. The zero value is not ready; New makes one as the reference environment has it.
type Surroundings struct {
	// Restarted is called, without any lock, when a service has come up again.
	Restarted func(service string)
	// Altered is called when a statement has changed a table.
	Altered func(statement string)
	// Renewed is called when a lease was renewed or credentials were fetched.
	Renewed func(lease string)
	Now     func() time.Time

	mu       sync.Mutex
	services map[string]*service
	tables   map[string][][]string // PostgreSQL: table → column, type, nullable, default
	dead     []letter
	leases   map[string]time.Time // lease → when it ends
	fetched  int                  // credentials that were made
	sealed   bool
	pages    []string
}

type service struct {
	up    bool
	since time.Time
	log   []string
	count int
}

type letter struct {
	id, table, kind, message, status string
}

// New is the reference environment: every service runs, two tables, three leases' worth of credentials, and an empty DLQ.
func New(now func() time.Time) *Surroundings {
	s := &Surroundings{Now: now, services: map[string]*service{}, leases: map[string]time.Time{}}
	for _, name := range []string{"kafka", "schema-registry", "kafka-connect", "cassandra", "postgres", "vault", "cdc-api", "prometheus", "grafana"} {
		s.services[name] = &service{up: true, since: now().Add(-3 * time.Hour), count: 1, log: []string{"INFO " + name + " started", "ERROR " + name + ": a line for those who look for errors", "\tat line 1", "\tat line 2"}}
	}
	s.tables = map[string][][]string{
		"cdc_users":  {{"user_id", "uuid", "not null", ""}, {"name", "text", "", ""}, {"age", "integer", "", ""}},
		"cdc_orders": {{"id", "text", "not null", ""}, {"amount", "numeric", "", ""}},
	}
	s.leases["database/creds/postgresql-writer/7Qm2dVb1"] = now().Add(40 * time.Minute)
	return s
}

// ErrDown is wrapped by every answer of a system whose service is down.
var ErrDown = errors.New("connection refused")

// Stop takes a service down, as an accident does, and leaves a line in its log.
func (s *Surroundings) Stop(name, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.services[name]; one != nil {
		one.up, one.since = false, s.Now()
		one.log = append(one.log, "ERROR "+why)
	}
}

// Log adds a line to a service's log.
func (s *Surroundings) Log(name, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.services[name]; one != nil {
		one.log = append(one.log, line)
	}
}

// Seal seals Vault.
func (s *Surroundings) Seal(sealed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = sealed
}

// Drop removes a column of a table.
func (s *Surroundings) Drop(table, column string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables[table] = slices.DeleteFunc(s.tables[table], func(c []string) bool { return c[0] == column })
}

// Bury puts records into the dead-letter queue.
func (s *Surroundings) Bury(n int, table, kind, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.dead = append(s.dead, letter{fmt.Sprintf("dlq-%04d", len(s.dead)+1), table, kind, message, "PENDING"})
	}
}

// Pages are the summaries that somebody was paged with.
func (s *Surroundings) Pages() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.pages)
}

// Up reports whether a service runs.
func (s *Surroundings) Up(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.services[name]
	return one != nil && one.up
}

// Names are the services, sorted.
func (s *Surroundings) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.services))
}

// Probe says whether a service answers, in the words of a diagnosis.
func (s *Surroundings) Probe(name string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		if !s.Up(name) {
			return "", refused{name}
		}
		return name + " answers", nil
	}
}

type refused struct{ name string }

// Error is the sentence people read.
func (r refused) Error() string { return r.name + " refuses connections" }

// Unwrap makes it an ErrDown.
func (r refused) Unwrap() error { return ErrDown }

// Reason is one of the words of diagnosis.Reason.
func (r refused) Reason() string { return "refused" }

func (s *Surroundings) need(name string) error {
	if !s.Up(name) {
		return refused{name}
	}
	return nil
}

// Workload is one service as an engine runs it.
type Workload struct {
	all  *Surroundings
	name string
}

// Workload returns a service.
func (s *Surroundings) Workload(name string) Workload { return Workload{s, name} }

func (w Workload) with(do func(*service)) error {
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	one := w.all.services[w.name]
	if one == nil {
		return fmt.Errorf("service %s: no such container", w.name)
	}
	do(one)
	return nil
}

// Restart implements action.WorkloadClient.
func (w Workload) Restart(ctx context.Context) error {
	if err := w.Stop(ctx); err != nil {
		return err
	}
	return w.Start(ctx)
}

// Start implements action.WorkloadClient.
func (w Workload) Start(ctx context.Context) error {
	came := false
	err := w.with(func(one *service) {
		if came = !one.up; came {
			one.up, one.since = true, w.all.Now()
			one.log = append(one.log, w.name+" started")
		}
	})
	if err == nil && came && w.all.Restarted != nil {
		w.all.Restarted(w.name)
	}
	return errors.Join(err, ctx.Err())
}

// Stop implements action.WorkloadClient.
func (w Workload) Stop(context.Context) error {
	return w.with(func(one *service) {
		if one.up {
			one.up, one.since = false, w.all.Now()
			one.log = append(one.log, w.name+" stopped")
		}
	})
}

// Scale implements action.WorkloadClient.
func (w Workload) Scale(_ context.Context, replicas int) error {
	return w.with(func(one *service) { one.count, one.up = replicas, replicas > 0 })
}

// Logs implements action.WorkloadClient.
func (w Workload) Logs(_ context.Context, tail int, _ time.Duration) (string, error) {
	var text string
	err := w.with(func(one *service) {
		text = strings.Join(one.log[max(0, len(one.log)-tail):], "\n")
	})
	return text, err
}

// State implements action.WorkloadClient.
func (w Workload) State(context.Context) (state string, up bool, err error) {
	err = w.with(func(one *service) {
		up = one.up
		state = fmt.Sprintf("running (healthy), up %s", w.all.Now().Sub(one.since).Round(time.Second))
		if one.count > 1 {
			state = fmt.Sprintf("%d containers: %s", one.count, state)
		}
		if !up {
			state = fmt.Sprintf("exited, exit code 137, %s ago", w.all.Now().Sub(one.since).Round(time.Second))
		}
	})
	return state, up, err
}

// Page implements action.Pager.
func (s *Surroundings) Page(_ context.Context, _, summary string, _ map[string]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages = append(s.pages, summary)
	return nil
}
