package diagnosis

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/connect"
)

// minutes is a flow of one value a minute up to noon; -1 is a minute in which nobody looked.
func minutes(connector string, waiting int64, values ...float64) Flow {
	f := Flow{Connector: connector, Waiting: waiting, Source: "committed offsets"}
	for i, v := range values {
		f.Points = append(f.Points, Point{At: noon.Add(time.Duration(i-len(values)) * time.Minute), PerMinute: max(0, v), Known: v >= 0})
	}
	return f
}

// What looks up beside statuses and probes make of a diagnosis.
func TestFacts(t *testing.T) {
	const denied = "org.postgresql.util.PSQLException: FATAL: password authentication failed for user \"sink\""
	const column = "org.postgresql.util.PSQLException: ERROR: column \"age\" of relation \"users\" does not exist"
	fails := func(trace string) []Subject {
		return []Subject{with("a", connect.Running, task(0, connect.Failed, "w1", trace))}
	}
	runs := []Subject{healthy("a")}
	hangs := Probe{Name: "postgres", Source: "SELECT 1", Reason: Timeout, Text: "no answer within 2s", At: noon}
	noRegistry := Probe{Name: "registry", Reason: Refused, Text: "connection refused", At: noon}
	rows := []struct {
		name     string
		subjects []Subject
		probes   []Probe
		facts    Facts
		want     Slug
		said     string // in the headline or the evidence of the top cause
	}{
		{"it flows", runs, nil, Facts{Flows: []Flow{minutes("a", 100, 5, 5, 5, 5)}}, None, "healthy"},
		{"nothing to do", runs, nil, Facts{Flows: []Flow{minutes("a", 0, 5, 0, 0, 0, 0, 0)}}, None, "healthy"},
		{"nobody knows what waits", runs, nil, Facts{Flows: []Flow{minutes("a", -1, 5, 0, 0, 0, 0, 0)}}, None, "healthy"},
		{"a short pause", runs, nil, Facts{Flows: []Flow{minutes("a", 9, 5, 5, 0, 0)}}, None, "healthy"},
		{"nobody looked", runs, nil, Facts{Flows: []Flow{minutes("a", 9, -1, -1, -1, -1, -1)}}, None, "healthy"},
		{"a silent stall", runs, nil, Facts{Flows: []Flow{minutes("a", 900, 5, 0, 0, 0, 0)}}, Unknown, "nothing has flowed for 4 min while 900 records wait"},
		{"a stall since before it was watched", runs, nil, Facts{Flows: []Flow{minutes("a", 1, 0, 0, 0, 0)}}, Unknown, "nothing has flowed for 4 min while 1 record wait"},
		{"a stall whose cause a probe sees", runs, []Probe{hangs}, Facts{Flows: []Flow{minutes("a", 9, 5, 0, 0, 0, 0)}}, DatabaseConnection, "PostgreSQL does not answer"},
		{"a stall of another pipeline", runs, nil, Facts{Flows: []Flow{minutes("z", 9, 0, 0, 0, 0, 0)}}, None, "healthy"},
		{"records are lost", runs, nil, Facts{Losses: []Loss{{"a", 42, 10 * time.Minute, "skipped", "Prometheus"}}}, ToleranceExceeded, "42 records skipped in 10 min"},
		{"records are lost, and the registry is away", runs, []Probe{noRegistry}, Facts{Losses: []Loss{{"a", 1, 10 * time.Minute, "skipped", "Prometheus"}}}, SchemaRegistry, "the schema registry refuses connections"},
		{"no record is lost", runs, nil, Facts{Losses: []Loss{{"a", 0, 10 * time.Minute, "skipped", "Prometheus"}}}, None, "healthy"},
		{"a password changed", fails(denied), nil, Facts{Changes: []Change{{"a", noon.Add(-12 * time.Minute), "connection.password", "", ""}}}, Authentication, "connection.password changed, 12 min ago"},
		{"a change long ago", fails(denied), nil, Facts{Changes: []Change{{"a", noon.Add(-25 * time.Hour), "x", "1", "2"}}}, Authentication, "refused the password"},
		{"a change of another option", fails(column), nil, Facts{Changes: []Change{{"a", noon.Add(-time.Minute), "schema.evolution", "basic", "none"}}}, TableSchemaMismatch, "schema.evolution changed from basic to none, 1 min ago"},
		{"a lease that ended", fails(denied), nil, Facts{Leases: []Lease{{"database/creds/sink", noon.Add(-3 * time.Minute), "Vault"}}}, Authentication, "the credentials database/creds/sink ended 3 min ago"},
		{"a lease that ends soon", fails(denied), nil, Facts{Leases: []Lease{{"database/creds/sink", noon.Add(30 * time.Minute), "Vault"}}}, Authentication, "end in 30 min"},
		{"a lease that lasts", fails(denied), nil, Facts{Leases: []Lease{{"x", noon.Add(30 * time.Hour), "Vault"}}}, Authentication, "refused the password"},
		{"tables that differ", fails(column), nil, Facts{Drifts: []Drift{{"a", "shop.users", "users", []string{"+ age int"}, []string{`ALTER TABLE users ADD COLUMN age integer`}, "tables"}}}, TableSchemaMismatch, "users: + age int"},
		{"a worker is gone", runs, nil, Facts{Workers: []Worker{{"w1", true, "listens"}, {"w2:8083", false, "connection refused"}}}, WorkerFailure, "worker w2:8083 does not answer, and its tasks say RUNNING — wait for the rebalance"},
		{"no worker can be reached from here", runs, nil, Facts{Workers: []Worker{{"w1:8083", false, "no route"}, {"w2:8083", false, "no route"}}}, None, "healthy"},
		{"tables that differ while nothing fails", runs, nil, Facts{Drifts: []Drift{{"a", "shop.users", "users", []string{"+ age int"}, nil, "tables"}}}, None, "healthy"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			d := Diagnose(Evidence{At: noon, Subjects: row.subjects, Probes: row.probes, Facts: row.facts})
			text := d.Headline
			for _, r := range d.Top().For {
				text += "\n" + r.Text
			}
			if d.Top().Slug != row.want || !strings.Contains(text, row.said) {
				t.Errorf("got %s %.2f\n%s\nwant %s, %q", d.Top().Slug, d.Top().Confidence, text, row.want, row.said)
			}
		})
	}
}

// asked is a source that answers what it holds, or does not.
type asked struct {
	name  string
	facts Facts
	err   error
	hangs bool
}

func (a asked) Name() string { return a.name }

func (a asked) Look(ctx context.Context, _ string, subjects []Subject) (Facts, error) {
	if a.hangs {
		<-context.Background().Done() // it does not heed its context either
	}
	if len(subjects) == 0 {
		panic("asked before the connectors were known")
	}
	return a.facts, a.err
}

func TestSources(t *testing.T) {
	c := Collector{Connect: map[string]ConnectReader{"warehouse": cluster{rows: rows("a")}}, Deadline: 100 * time.Millisecond}
	c.Sources = []Source{
		asked{name: "z", facts: Facts{Flows: []Flow{{Connector: "b"}}}},
		asked{name: "y", facts: Facts{Flows: []Flow{{Connector: "a"}}}, err: errors.New("half of it is missing")},
		asked{name: "x", hangs: true},
	}
	e := c.Collect(t.Context(), "warehouse", nil)
	if len(e.Flows) != 2 || e.Flows[0].Connector != "a" {
		t.Errorf("got flows %+v", e.Flows)
	}
	if len(e.Unread) != 2 || e.Unread[0].Source != "x" || !strings.Contains(e.Unread[0].Text, "no answer within") || e.Unread[1].Text != "half of it is missing" {
		t.Errorf("got unread %+v", e.Unread)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{-time.Second: "0 s", 40 * time.Second: "40 s", 12*time.Minute + 59*time.Second: "12 min", 3*time.Hour + 40*time.Minute: "3 h 40 min", 2 * time.Hour: "2 h", 6 * 24 * time.Hour: "6 days"} {
		if got := span(d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}

// Two tasks that fail for two reasons give both causes; a trace that a restart has overwritten still counts most.
func TestTwoReasonsOrOneOverwritten(t *testing.T) {
	const heap, column = "java.lang.OutOfMemoryError: Java heap space", "org.postgresql.util.PSQLException: ERROR: column \"age\" of relation \"users\" does not exist"
	both := with("a", connect.Running, task(0, connect.Failed, "w1", heap), task(1, connect.Failed, "w1", column))
	both.First = heap
	d := Diagnose(Evidence{At: noon, Subjects: []Subject{both}})
	if len(d.Causes) < 2 || d.Causes[0].Confidence < 0.9 || d.Causes[1].Confidence < 0.9 {
		t.Errorf("two reasons: got %+v", d.Causes)
	}
	later := with("a", connect.Running, task(0, connect.Failed, "w1", "org.hibernate.HibernateException: Unable to determine Dialect without JDBC metadata"))
	later.First = column
	if d := Diagnose(Evidence{At: noon, Subjects: []Subject{later}}); d.Top().Slug != TableSchemaMismatch || d.Top().Confidence < 0.9 {
		t.Errorf("an overwritten trace: got %+v", d.Top())
	}
}
