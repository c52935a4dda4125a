package diagnosis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cdcbot/internal/connect"
	"cdcbot/internal/redact"
)

// cluster is a Connect that answers from memory.
type cluster struct {
	rows map[string]connect.Connector
	err  error
	hang bool
	keys []string // PASSWORD options of every plugin
}

func (c cluster) Connectors(ctx context.Context) (map[string]connect.Connector, error) {
	if c.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return c.rows, c.err
}

func (c cluster) Validate(ctx context.Context, class string, config map[string]string) (connect.Validation, error) {
	if len(config) != 1 {
		return connect.Validation{}, fmt.Errorf("asked with %d options, want the class alone", len(config))
	}
	var v connect.Validation
	for _, k := range c.keys {
		v.Fields = append(v.Fields, connect.Field{Name: k, Type: "PASSWORD"})
	}
	return v, nil
}

// What the collector is given in the bot.
var (
	_ ConnectReader = (*connect.Client)(nil)
	_ Validator     = (*connect.Client)(nil)
	_ Masker        = (*redact.Redactor)(nil)
)

type denial struct{}

func (denial) Error() string  { return "refused the login" }
func (denial) Reason() string { return "authentication" }

func rows(names ...string) map[string]connect.Connector {
	list := map[string]connect.Connector{}
	for _, n := range names {
		row := connect.Connector{Status: healthy(n).Status, Config: map[string]string{"connector.class": "x.Sink"}}
		if strings.HasPrefix(n, "bad") {
			row.Status = failing(pgDown).Status
		}
		list[n] = row
	}
	return list
}

func names(subjects []Subject) string {
	var b strings.Builder
	for _, s := range subjects {
		b.WriteString(s.Connector)
		if s.Suspect {
			b.WriteString("!")
		}
		if s.StatusErr != "" {
			b.WriteString("?")
		}
		b.WriteString(" ")
	}
	return strings.TrimSpace(b.String())
}

func TestCollect(t *testing.T) {
	answers := Look("postgres", "SELECT 1", func(context.Context) (string, error) { return "answers", nil })
	tests := []struct {
		name     string
		c        *Collector
		suspects []string
		subjects string
		probes   string
	}{
		{"all of the cluster", &Collector{Connect: map[string]ConnectReader{"w": cluster{rows: rows("b", "a", "bad1")}}, Probes: []Prober{answers}}, nil,
			"a b bad1!", "connect/w+ postgres+"},
		{"members only", &Collector{Connect: map[string]ConnectReader{"w": cluster{rows: rows("b", "a", "bad1")}}, Members: []string{"a", "b"}}, nil,
			"a b", "connect/w+"},
		{"named", &Collector{Connect: map[string]ConnectReader{"w": cluster{rows: rows("b", "a")}}}, []string{"a", "gone", "a"},
			"a! b gone!?", "connect/w+"},
		{"connect is away", &Collector{Connect: map[string]ConnectReader{"w": cluster{err: connect.ErrUnreachable}}, Members: []string{"b", "a"}}, nil,
			"a!? b!?", "connect/w:refused"},
		{"connect is away, named", &Collector{Connect: map[string]ConnectReader{"w": cluster{err: connect.ErrTimeout}}, Members: []string{"b", "a"}}, []string{"a"},
			"a!?", "connect/w:timeout"},
		{"not configured", &Collector{}, []string{"a"}, "a!?", "connect/w:missing"},
		{"sorted probes and reasons", &Collector{Connect: map[string]ConnectReader{"w": cluster{rows: rows("a")}}, Probes: []Prober{
			Look("z", "", func(context.Context) (string, error) { return "", denial{} }),
			Look("m", "", func(context.Context) (string, error) { panic("at the disco") }),
			Look("k", "", func(context.Context) (string, error) { return "", errors.New("connection refused") })}}, nil,
			"a", "connect/w+ k:refused m:broken z:authentication"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			tc.c.Now = func() time.Time { return noon }
			e := tc.c.Collect(t.Context(), "w", tc.suspects)
			if got := names(e.Subjects); got != tc.subjects {
				t.Errorf("subjects %q, want %q", got, tc.subjects)
			}
			var probes []string
			for _, p := range e.Probes {
				mark := ":" + string(p.Reason)
				if p.OK {
					mark = "+"
				}
				probes = append(probes, p.Name+mark)
				if p.Text == "" || !p.At.Equal(noon) {
					t.Errorf("probe %+v", p)
				}
			}
			if got := strings.Join(probes, " "); got != tc.probes {
				t.Errorf("probes %q, want %q", got, tc.probes)
			}
		})
	}
}

// TestBudget: whatever hangs costs its deadline, even what heeds no context.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c := &Collector{
			Connect:  map[string]ConnectReader{"w": cluster{hang: true}},
			Deadline: 2 * time.Second,
			Probes: []Prober{
				Look("postgres", "", func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }),
				Look("cassandra", "", func(context.Context) (string, error) { <-release; return "", nil }),
				Look("vault", "", func(context.Context) (string, error) { <-release; return "", nil }),
				Look("registry", "", func(context.Context) (string, error) { return "12 subjects", nil }),
			},
		}
		start := time.Now()
		e := c.Collect(t.Context(), "w", []string{"a"})
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %s, want the deadline of 2s", took)
		}
		close(release)
		ok := 0
		for _, p := range e.Probes {
			if p.OK {
				ok++
			} else if p.Reason != Timeout {
				t.Errorf("%s: reason %q, want timeout: %s", p.Name, p.Reason, p.Text)
			}
		}
		if ok != 1 || len(e.Probes) != 5 {
			t.Errorf("%d of %d probes OK, want 1 of 5", ok, len(e.Probes))
		}
	})
}

// TestWorkerAway asks a real client for a worker that is not there: f1 of the lab.
func TestWorkerAway(t *testing.T) {
	client, err := connect.New(connect.Options{Cluster: "warehouse", URL: "http://127.0.0.1:1", Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	c := &Collector{Connect: map[string]ConnectReader{"warehouse": client}, Members: []string{"postgres-sink-connector"}, Deadline: 500 * time.Millisecond, Mask: redact.New()}
	e := c.Collect(t.Context(), "warehouse", nil)
	d := Diagnose(e)
	if e.Probes[0].Reason != Refused || d.Top().Slug != WorkerFailure || d.Top().Retriable || d.Subjects[0].State != "UNKNOWN" {
		report(t, d)
		t.Errorf("probe %+v, lines %+v", e.Probes[0], d.Subjects)
	}
}

// TestNoSecrets plants a secret wherever Connect shows one.
func TestNoSecrets(t *testing.T) {
	const secret = "Zq7kPlantedSecret"
	row := connect.Connector{Status: failing("x.YException: login with password=" + secret + "\n\tat a.B.c(B.java:1)").Status,
		Config: map[string]string{"connector.class": "x.Sink", "connection.password": secret, "odd.option": secret + "1", "connection.url": "jdbc:x://u:" + secret + "@h/d", "file": "${file:/s:password}"}}
	c := &Collector{Connect: map[string]ConnectReader{"w": cluster{rows: map[string]connect.Connector{"a": row}, keys: []string{"odd.option"}}}, Mask: &redact.Redactor{},
		First: func(string, string) string { return "first password=" + secret },
		Probes: []Prober{Look("postgres", "", func(context.Context) (string, error) {
			return "", errors.New("postgres://u:" + secret + "@h/d refused")
		})}}
	e := c.Collect(t.Context(), "w", nil)
	text := fmt.Sprintf("%+v %+v", e, Diagnose(e))
	if strings.Contains(text, secret) {
		t.Errorf("the secret shows in %s", text)
	}
	if got := e.Subjects[0].Config; got["file"] != "${file:/s:password}" || got["connector.class"] != "x.Sink" || len(got) != 5 {
		t.Errorf("config %v", got)
	}
	c.Mask = nil
	if got := c.Collect(t.Context(), "w", nil).Subjects[0].Config; got != nil {
		t.Errorf("without a mask the configuration is kept: %v", got)
	}
}

// logSource is a worker's log.
type logSource string

func (logSource) Name() string { return "log of kafka-connect" }

func (l logSource) Look(context.Context, string, []Subject) (Facts, error) {
	return Facts{Log: string(l)}, nil
}

// The worker's log tells of a task without a trace, and what it says of others is not told of this one.
func TestLogOfTheWorker(t *testing.T) {
	const secret = "Zq7kPlantedSecret"
	log := logSource("[t] ERROR [orders|task-0] Task threw an uncaught and unrecoverable exception (x)\norg.postgresql.util.PSQLException: FATAL: password authentication failed for user \"cdc\" password=" + secret + "\n" +
		"[t] ERROR [users|task-0] Task threw an uncaught and unrecoverable exception (x)\njava.lang.ClassNotFoundException: x.Y\n")
	mute := func(state connect.State) connect.Connector {
		return connect.Connector{Status: connect.Status{State: connect.Running, Tasks: []connect.Task{{State: state}}}}
	}
	c := &Collector{Connect: map[string]ConnectReader{"w": cluster{rows: map[string]connect.Connector{"orders": mute(connect.Failed), "users": mute(connect.Running), "quiet": mute(connect.Running)}}}, Mask: &redact.Redactor{}, Sources: []Source{log}}
	e := c.Collect(t.Context(), "w", []string{"orders", "quiet"})
	d := Diagnose(e)
	if d.Top().Slug != Authentication || len(d.Causes) != 1 {
		report(t, d)
		t.Errorf("got %s and %d causes, want authentication alone", d.Top().Slug, len(d.Causes))
	}
	if text := fmt.Sprintf("%+v", e); strings.Contains(text, secret) || e.Log != "" {
		t.Errorf("the log is kept with its secrets: %s", text)
	}
	for _, s := range e.Subjects {
		if (s.Log != "") != (s.Connector == "orders") {
			t.Errorf("%s has the log %q", s.Connector, s.Log)
		}
	}
}

func TestLongTrace(t *testing.T) {
	row := connect.Connector{Status: failing(pgDown + strings.Repeat("\tat a.B.c(B.java:1)\n", 200_000) + "Caused by: java.net.ConnectException: Connection refused\n").Status}
	c := &Collector{Connect: map[string]ConnectReader{"w": cluster{rows: map[string]connect.Connector{"a": row}}}, Mask: redact.New()}
	e := c.Collect(t.Context(), "w", nil)
	if n := len(e.Subjects[0].Status.Tasks[0].Trace); n > longestTrace+100 {
		t.Errorf("%d bytes of trace kept", n)
	}
	if d := Diagnose(e); d.Top().Slug != DatabaseConnection {
		report(t, d)
		t.Errorf("the cause is lost")
	}
}

func BenchmarkCollect(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 5000} {
		list := map[string]connect.Connector{}
		for i, s := range storm(n) {
			for j := range s.Status.Tasks { // no two traces alike
				if s.Status.Tasks[j].Trace != "" {
					s.Status.Tasks[j].Trace = fmt.Sprintf("%s\tat a.B.c(B.java:%d)\n%s", s.Status.Tasks[j].Trace, i, strings.Repeat("\tat org.apache.kafka.connect.runtime.WorkerSinkTask.poll(WorkerSinkTask.java:359)\n", 60))
				}
			}
			list[s.Connector] = connect.Connector{Status: s.Status, Config: map[string]string{"connector.class": "x.Sink", "connection.password": "x", "topics": "orders"}}
		}
		c := &Collector{Connect: map[string]ConnectReader{"w": cluster{rows: list}}, Mask: redact.New("Zq7kPlantedSecret")}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Diagnose(c.Collect(b.Context(), "w", nil))
			}
		})
	}
}
