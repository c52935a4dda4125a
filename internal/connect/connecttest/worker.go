// Package connecttest is a Kafka Connect worker in a process: the REST API as Connect 4.3.1 was recorded to answer it, and
// behind it a pipeline that moves records from sources through topics into tables, and that breaks the way real ones do.
// Tests and the demo need a worker that refuses, lies and fails as the real one does, in seconds and without Java. It
// shares no code with the client, so that a wrong JSON tag in one is not repeated in the other.
package connecttest

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Options shape a worker; the zero value is a Connect 4.3.1 worker at measured speed.
type Options struct {
	ID         string  // worker_id in answers; default "kafka-connect:8083"
	Version    string  // default "4.3.1"; older ones lack what they lacked (KIP-745, 875, 980, 1017)
	Speed      float64 // how many times faster than measured delays pass; default 1
	Partitions int     // of every topic; default 3
	Now        func() time.Time
}

// Worker is an http.Handler that answers as a Connect worker. It is safe for concurrent use. Nothing runs in the
// background: what is due by its clock happens when somebody looks.
type Worker struct {
	options Options

	mu         sync.Mutex
	clock      time.Time // of what happens now; behind Now while the worker catches up
	version    string
	connectors map[string]*connector
	deleted    map[string]*connector // their status is still told for a moment
	committed  map[string]positions  // by connector; they survive its deletion
	pipeline   pipeline
	broken     map[string]*breakage
	queue      []event
	sequence   int
	phase      phase
	flow       int // generation of the trickle; older ones stop

	server *http.Server
	served chan struct{}
}

// New returns a worker without connectors.
func New(o Options) *Worker {
	o.ID = cmp.Or(o.ID, "kafka-connect:8083")
	o.Version = cmp.Or(o.Version, "4.3.1")
	if o.Speed <= 0 {
		o.Speed = 1
	}
	if o.Partitions <= 0 {
		o.Partitions = 3
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Worker{
		options: o, version: o.Version, clock: o.Now(),
		connectors: map[string]*connector{}, deleted: map[string]*connector{}, committed: map[string]positions{},
		pipeline: newPipeline(o.Partitions), broken: map[string]*breakage{},
	}
}

// Start serves the worker on a free loopback port and returns its URL. Close ends it.
func (w *Worker) Start() (string, error) {
	if w.server != nil {
		return "", errors.New("starting the worker: it is started already")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("starting the worker: %w", err)
	}
	w.server = &http.Server{Handler: w, ReadHeaderTimeout: 10 * time.Second}
	w.served = make(chan struct{})
	go func() {
		defer close(w.served)
		_ = w.server.Serve(listener) // always ErrServerClosed: nothing else ends a loopback listener
	}()
	return "http://" + listener.Addr().String(), nil
}

// Close ends what Start began and drops open calls. It does nothing on a worker that was not started.
func (w *Worker) Close() error {
	if w.server == nil {
		return nil
	}
	err := w.server.Close()
	<-w.served
	return err
}

// AddConnector creates a connector that runs at once, as if it had been there for long. Its plugin need not be one of the
// recorded ones. The configuration must be one that the worker would take.
func (w *Worker) AddConnector(name string, config map[string]string) error {
	w.lock()
	defer w.mu.Unlock()
	if _, exists := w.connectors[name]; exists {
		return fmt.Errorf("adding connector %q: it exists already", name)
	}
	if problems := check(name, config); len(problems) > 0 {
		return fmt.Errorf("adding connector %q: %s", name, problems[0].text)
	}
	c := w.build(name, config)
	c.state, c.target = running, running
	w.spawn(c, running)
	return nil
}

// Version makes the worker behave as an older or newer one, such as "2.8.0".
func (w *Worker) Version(v string) {
	w.lock()
	defer w.mu.Unlock()
	w.version = v
}

// Connectors lists the names of the connectors, sorted.
func (w *Worker) Connectors() []string {
	w.lock()
	defer w.mu.Unlock()
	return sortedKeys(w.connectors)
}

// Fail makes one task FAILED with a trace of one's own, whatever its size or bytes; a restart heals it. Task -1 fails the
// connector itself.
func (w *Worker) Fail(name string, task int, trace string) error {
	w.lock()
	defer w.mu.Unlock()
	c, ok := w.connectors[name]
	if !ok {
		return fmt.Errorf("failing connector %q: there is no such connector; expected one of %q", name, sortedKeys(w.connectors))
	}
	if task == -1 {
		c.state, c.trace = failed, trace
		return nil
	}
	if task < 0 || task >= len(c.tasks) {
		return fmt.Errorf("failing task %d of connector %q: it has %d tasks", task, name, len(c.tasks))
	}
	c.tasks[task].fail(trace)
	return nil
}

// event is something that happens when the worker's clock reaches its time.
type event struct {
	at   time.Time
	turn int // keeps the order of events at the same time
	do   func()
}

// lock takes the worker's lock and lets happen what is due.
func (w *Worker) lock() {
	w.mu.Lock()
	w.settle()
}

func (w *Worker) settle() {
	now := w.options.Now()
	for len(w.queue) > 0 && !w.queue[0].at.After(now) {
		next := w.queue[0]
		w.queue = w.queue[1:]
		w.clock = next.at
		next.do()
	}
	w.clock = now
}

// after lets do happen when d has passed at the worker's speed; the lock is held then.
func (w *Worker) after(d time.Duration, do func()) {
	w.at(w.clock.Add(w.scaled(d)), do)
}

func (w *Worker) at(when time.Time, do func()) {
	w.sequence++
	e := event{at: when, turn: w.sequence, do: do}
	i, _ := slices.BinarySearchFunc(w.queue, e, func(a, b event) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.turn, b.turn))
	})
	w.queue = slices.Insert(w.queue, i, e)
}

func (w *Worker) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / w.options.Speed)
}

// Failing reports whether any connector or task is FAILED now.
func (w *Worker) Failing() bool {
	w.lock()
	defer w.mu.Unlock()
	for _, c := range w.connectors {
		s := w.statusOf(c)
		if s.Connector.State == failed || slices.ContainsFunc(s.Tasks, func(t stateJSON) bool { return t.State == failed }) {
			return true
		}
	}
	return false
}
