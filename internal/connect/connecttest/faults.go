package connecttest

import (
	"embed"
	"fmt"
	"strings"
	"time"
)

//go:embed testdata/*.trace
var traces embed.FS

// fault is one way to break a connector. Traces are those of the real worker; again is the one of a restart while the
// cause is still there, which may name another cause than the first.
type fault struct {
	FaultInfo
	fails        bool // false: everything looks RUNNING and nothing moves
	first, again string
	database     string // what SELECT 1 says meanwhile; "" when the database answers
}

// FaultInfo describes a fault for people. Cause is the class of the right diagnosis.
type FaultInfo struct {
	Slug  string
	Title string
	Hint  string
	Cause string
	Side  string // "sink" or "source"
}

func faults() []fault {
	return []fault{
		{FaultInfo{"a1-postgres-down", "Stop PostgreSQL", "The sink cannot connect any more", "database_connection", "sink"}, true, trace("a1-postgres-down"), trace("a2-postgres-down-at-task-start"), "connection refused"},
		{FaultInfo{"b1-password-changed", "Change the database password", "The sink's login is refused", "authentication", "sink"}, true, trace("b1-password-changed-sessions-killed"), trace("b2-password-changed-at-task-start"), ""},
		{FaultInfo{"c2-registry-down", "Stop the schema registry", "Records cannot be decoded", "schema_registry", "sink"}, true, trace("c2-registry-down-at-task-start"), trace("c2-registry-down-at-task-start"), ""},
		{FaultInfo{"d1-column-missing", "Drop a column", "A record has a field that the table lacks", "table_schema_mismatch", "sink"}, true, trace("d1-column-missing-schema-evolution-none"), trace("d1-column-missing-schema-evolution-none"), ""},
		{FaultInfo{"e1-bad-record", "Send a poison record", "The sink fails at the same record each time", "tolerance_exceeded", "sink"}, true, trace("e1-bad-record-tolerance-none"), trace("e1-bad-record-tolerance-none"), ""},
		{FaultInfo{"a3-postgres-hangs", "Hang PostgreSQL", "Everything says RUNNING, nothing moves", "database_connection", "sink"}, false, "", "", "no answer"},
		{FaultInfo{"f1-worker-gone", "Kill the Connect worker", "The REST API does not answer", "worker_failure", "sink"}, false, "", "", ""},
	}
}

// trace reads a captured trace; the files are embedded, so a missing one is a mistake of the build that every test shows.
func trace(name string) string {
	b, err := traces.ReadFile("testdata/" + name + ".trace")
	if err != nil {
		return "java.lang.IllegalStateException: no captured trace " + name
	}
	return string(b)
}

// Faults lists the ways to break a connector.
func Faults() []FaultInfo {
	var list []FaultInfo
	for _, f := range faults() {
		list = append(list, f.FaultInfo)
	}
	return list
}

// Break breaks a connector ("" takes the first of the fault's side). A fault that fails lets every task fail at once.
func (w *Worker) Break(slug, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settle()
	for _, f := range faults() {
		if f.Slug != slug {
			continue
		}
		c := w.pick(name, f.Side)
		if c == nil {
			return fmt.Errorf("breaking connector %q: there is no such %s connector", name, f.Side)
		}
		w.fault, w.victim = &f, c.name
		if f.fails {
			for _, t := range c.tasks {
				t.state, t.trace, t.due = "FAILED", f.first, time.Time{}
			}
		}
		return nil
	}
	return fmt.Errorf("fault %q: expected one of %s", slug, slugs())
}

func slugs() string {
	var list []string
	for _, f := range faults() {
		list = append(list, f.Slug)
	}
	return strings.Join(list, ", ")
}

func (w *Worker) pick(name, side string) *connector {
	if name != "" {
		return w.connectors[name]
	}
	var first *connector
	for _, c := range w.connectors {
		if c.kind == side && (first == nil || c.name < first.name) {
			first = c
		}
	}
	return first
}

// Mend removes the cause. As with the real worker, failed tasks stay failed until they are restarted.
func (w *Worker) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settle()
	w.fault, w.victim = nil, ""
	w.flow()
}

// Broken is the fault that is there now, "" when none.
func (w *Worker) Broken() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault == nil {
		return ""
	}
	return w.fault.Slug
}

// Database is what the sink's database would answer to SELECT 1 now: nil when it answers.
func (w *Worker) Database() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault == nil || w.fault.database == "" {
		return nil
	}
	return fmt.Errorf("127.0.0.1:5432: %s", w.fault.database)
}
