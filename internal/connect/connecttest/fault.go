package connecttest

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// FaultInfo describes one way to break the pipeline.
type FaultInfo struct {
	Slug  string // begins with the code of the lab's recording, such as a1
	Title string // what to do, for people
	Hint  string // what follows, for people
	Cause string // the right diagnosis, such as database_connection
	Side  string // what can be broken so: "sink", "source", "any" of both, or "worker" for all at once
}

// failure is a recorded trace and how long after its trigger the task was FAILED.
type failure struct {
	trace string // file in testdata/traces, without its ending
	after time.Duration
}

// fault is how a pipeline breaks. What is not set does not happen.
type fault struct {
	FaultInfo
	shown    bool              // one of the few that a person chooses from
	database string            // what the database says meanwhile; "" when it answers
	onRecord failure           // a record that arrives fails the task
	onStart  failure           // a task that starts fails, with another trace than one that ran
	cached   bool              // tasks that ran before go on; only new ones fail on a record
	kick     bool              // tasks are restarted when it breaks
	stall    bool              // RUNNING, but nothing moves; heals by itself
	skip     bool              // good records go to the dead letter queue
	poison   bool              // the record sent is the cause
	set      map[string]string // options that somebody had set wrongly
	unless   map[string]string // options that make it harmless
	changed  []string          // options whose change makes it harmless
}

const ms = time.Millisecond

var (
	noEvolution = map[string]string{"schema.evolution": "none", "auto.evolve": "false", "auto.create": "false"}
	evolution   = map[string]string{"schema.evolution": "basic", "auto.evolve": "true"}
	tolerant    = map[string]string{"errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dlq-events"}
	password    = []string{"connection.password"}
)

// faults are the recorded ones, in the recordings' order. The cause is that of the right diagnosis.
var faults = []fault{
	{FaultInfo: FaultInfo{"a1-postgres-down", "Stop PostgreSQL", "The sink cannot connect any more", "database_connection", "sink"}, shown: true, database: refusesConnections,
		onRecord: failure{"a1-postgres-down", 2600 * ms}, onStart: failure{"a2-postgres-down-at-task-start", 400 * ms}},
	{FaultInfo: FaultInfo{"a2-postgres-down-at-task-start", "Stop PostgreSQL and restart the task", "The trace no longer says that the sink cannot connect", "database_connection", "sink"}, database: refusesConnections,
		onStart: failure{"a2-postgres-down-at-task-start", 400 * ms}, kick: true},
	{FaultInfo: FaultInfo{"a3-postgres-hangs", "Hang PostgreSQL", "Everything says RUNNING, nothing moves", "database_connection", "sink"}, shown: true, database: "no answer",
		stall: true},
	{FaultInfo: FaultInfo{"b1-password-changed", "Change the database password", "The sink's login is refused", "authentication", "sink"}, shown: true,
		onRecord: failure{"b1-password-changed-sessions-killed", 1200 * ms}, onStart: failure{"b2-password-changed-at-task-start", 700 * ms}, changed: password},
	{FaultInfo: FaultInfo{"b2-password-changed-at-task-start", "Change the database password and restart the task", "The trace does not say that the login is refused", "authentication", "sink"},
		onStart: failure{"b2-password-changed-at-task-start", 700 * ms}, kick: true, changed: password},
	{FaultInfo: FaultInfo{"b3-role-may-not-login", "Take LOGIN from the database role", "The sink's role may not log in", "authentication", "sink"},
		onRecord: failure{"b3-role-may-not-login", 2400 * ms}, onStart: failure{"b2-password-changed-at-task-start", 700 * ms}},
	{FaultInfo: FaultInfo{"b4-permission-denied", "Take the privileges on the table", "The sink may not write to the table", "authentication", "sink"},
		onRecord: failure{"b4-permission-denied", 1400 * ms}},
	{FaultInfo: FaultInfo{"c1-registry-down-cached-schema", "Stop the schema registry while its schemas are cached", "Nothing shows until a task is restarted", "schema_registry", "sink"},
		onRecord: failure{"c2-registry-down-at-task-start", 1400 * ms}, cached: true},
	{FaultInfo: FaultInfo{"c2-registry-down", "Stop the schema registry", "Records cannot be decoded by a task that was restarted", "schema_registry", "sink"}, shown: true,
		onRecord: failure{"c2-registry-down-at-task-start", 1400 * ms}, cached: true, kick: true},
	{FaultInfo: FaultInfo{"c3-registry-down-source-restart", "Stop the schema registry and restart the source", "Records cannot be encoded", "schema_registry", "source"},
		onRecord: failure{"c3-registry-down-source-restart", 200 * ms}, cached: true, kick: true},
	{FaultInfo: FaultInfo{"d1-column-missing", "Drop a column", "A record has a field that the table lacks", "table_schema_mismatch", "sink"}, shown: true,
		onRecord: failure{"d1-column-missing-schema-evolution-none", 2300 * ms}, set: noEvolution, unless: evolution},
	{FaultInfo: FaultInfo{"d2-column-type-mismatch", "Change a column's type", "The table has integer where records have text", "table_schema_mismatch", "sink"},
		onRecord: failure{"d2-column-type-mismatch", 1200 * ms}},
	{FaultInfo: FaultInfo{"d3-table-missing", "Drop the table", "The table is gone, and the sink may not create it", "table_schema_mismatch", "sink"},
		onRecord: failure{"d3-table-missing-schema-evolution-none", 3000 * ms}, set: noEvolution, unless: map[string]string{"schema.evolution": "basic", "auto.create": "true"}},
	{FaultInfo: FaultInfo{"e1-bad-record", "Send a poison record", "The sink fails at the same record each time", "tolerance_exceeded", "sink"}, shown: true,
		poison: true, set: map[string]string{"errors.tolerance": "none"}},
	{FaultInfo: FaultInfo{"e2-bad-record-dlq", "Send a poison record to a tolerant sink", "The record goes to the dead letter queue", "tolerance_exceeded", "sink"},
		poison: true, set: tolerant},
	{FaultInfo: FaultInfo{"e3-registry-down-tolerance-all", "Stop the schema registry of a tolerant sink", "Everything says RUNNING, and good records go to the dead letter queue", "schema_registry", "sink"},
		skip: true, cached: true, kick: true, set: tolerant},
	{FaultInfo: FaultInfo{workerKilled, "Kill the Connect worker", "The REST API does not answer", "worker_failure", "worker"}, shown: true},
	{FaultInfo: FaultInfo{otherKilled, "Kill another Connect worker", "The status of a dead worker still says RUNNING", "worker_failure", "any"}},
	{FaultInfo: FaultInfo{brokerDown, "Stop the Kafka broker", "Old states are told from memory; everything else hangs", "worker_failure", "worker"}},
}

const refusesConnections = "connection refused"

//go:embed testdata/traces/*.txt
var traces embed.FS

// Faults lists the few faults that show what the bot is for, one per kind of cause.
func Faults() []FaultInfo {
	var list []FaultInfo
	for _, f := range faults {
		if f.shown {
			list = append(list, f.FaultInfo)
		}
	}
	return list
}

// AllFaults lists everything that Break knows.
func AllFaults() []FaultInfo {
	list := make([]FaultInfo, len(faults))
	for i, f := range faults {
		list[i] = f.FaultInfo
	}
	return list
}

// breakage is a fault that has happened to a connector.
type breakage struct {
	fault  fault
	at     time.Time
	before map[string]string // the options in changed, as they were
}

// Break lets a fault happen to a connector ("" takes the first of the fault's side) and sends one record per partition,
// as the lab did, so that it shows after the recorded time. A fault of the worker needs no connector. slug is a fault's
// or a recording's: its code decides. It takes the place of what was broken on the same connector before.
func (w *Worker) Break(slug, name string) error {
	w.lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(faults, func(f fault) bool { return code(f.Slug) == code(slug) })
	if i < 0 {
		return fmt.Errorf("breaking connector %q: fault %q: expected one of %s", name, slug, slugs())
	}
	f := faults[i]
	if f.Side == "worker" {
		w.breakWorker(f)
		return nil
	}
	c := w.pick(name, f.Side)
	if c == nil {
		return fmt.Errorf("breaking connector %q by %s: there is no such %s; the connectors are %q", name, f.Slug, f.Side, sortedKeys(w.connectors))
	}
	w.breakConnector(f, c)
	return nil
}

func code(slug string) string {
	before, _, _ := strings.Cut(slug, "-")
	return before
}

func slugs() string {
	list := make([]string, len(faults))
	for i, f := range faults {
		list[i] = f.Slug
	}
	return strings.Join(list, ", ")
}

func (w *Worker) pick(name, side string) *connector {
	for _, candidate := range sortedKeys(w.connectors) {
		c := w.connectors[candidate]
		if (name == "" || name == candidate) && (side == "any" || side == c.kind) {
			return c
		}
	}
	return nil
}

func (w *Worker) breakConnector(f fault, c *connector) {
	b := &breakage{fault: f, at: w.clock, before: map[string]string{}}
	w.broken[c.name] = b
	for option, value := range f.set {
		if _, has := c.config[option]; has || option != "auto.evolve" && option != "auto.create" {
			c.config[option] = value
		}
	}
	for _, option := range f.changed {
		b.before[option] = c.config[option]
	}
	if f.kick {
		w.restart(c, c.tasks...)
	}
	if f.Slug == otherKilled {
		w.orphan(c)
	}
	if c.kind == "source" {
		w.produce(1)
		return
	}
	for i, at := range w.pipeline.reads(c) {
		w.pipeline.logs[at].add(f.poison && i == 0) // one poison record is enough
	}
	w.drain()
}

// Mend removes every cause. What failed stays FAILED until something heals it; what only stalled moves again.
func (w *Worker) Mend() {
	w.lock()
	defer w.mu.Unlock()
	for _, b := range w.broken {
		if b.fault.poison {
			w.pipeline.clean()
		}
	}
	w.broken = map[string]*breakage{}
	w.mendWorker()
	w.drain()
}

// Broken is the slug of what is broken now, "" when nothing is. Of several it is the one of the first connector.
func (w *Worker) Broken() string {
	w.lock()
	defer w.mu.Unlock()
	for _, name := range sortedKeys(w.broken) {
		return w.broken[name].fault.Slug
	}
	return ""
}

// Database is what the sinks' database answers to SELECT 1 now: nil when it answers.
func (w *Worker) Database() error {
	w.lock()
	defer w.mu.Unlock()
	for _, name := range sortedKeys(w.broken) {
		if says := w.broken[name].fault.database; says != "" {
			return errors.New("127.0.0.1:5432: " + says)
		}
	}
	return nil
}

// clean makes every record readable, as if its schema had been registered again.
func (p *pipeline) clean() {
	for _, log := range p.logs {
		clear(log.poison)
	}
}

// active is the fault that harms c now, or nil: its configuration may have made it harmless.
func (w *Worker) active(c *connector) *breakage {
	b := w.broken[c.name]
	if b == nil {
		return nil
	}
	for option, value := range b.fault.unless {
		if c.config[option] == value {
			return nil
		}
	}
	for option, value := range b.before {
		if c.config[option] != value {
			return nil
		}
	}
	return b
}

// failsAtStart is the trace of a task that starts now, and how long after its start; "" when it will run.
func (w *Worker) failsAtStart(c *connector) (string, time.Duration) {
	if trace := misconfigured(c.config); trace != "" {
		return trace, restartTakes
	}
	if b := w.active(c); b != nil && b.fault.onStart.trace != "" {
		return trace(b.fault.onStart.trace), b.fault.onStart.after
	}
	return "", 0
}

// failsOnRecord reports whether the record before t will fail it, and lets that happen: a task that has taken the record
// fails even if the cause is gone by then.
func (w *Worker) failsOnRecord(c *connector, t *task) bool {
	b := w.active(c)
	if b == nil || b.fault.onRecord.trace == "" || b.fault.cached && !t.born.After(b.at) {
		return false
	}
	w.failLater(t, b.fault.onRecord, func() bool { return true })
	return true
}

func (w *Worker) failLater(t *task, f failure, still func() bool) {
	t.failing = true
	life := t.life
	w.after(f.after, func() {
		if t.life != life {
			return
		}
		t.failing = false
		if t.state == running && still() {
			t.fail(trace(f.trace))
		}
		w.drain()
	})
}

func (w *Worker) skips(c *connector, t *task) bool {
	b := w.active(c)
	return b != nil && b.fault.skip && t.born.After(b.at)
}

func (w *Worker) stalls(c *connector) bool {
	b := w.active(c)
	return b != nil && (b.fault.stall || b.fault.Slug == otherKilled)
}

// trace reads a recorded trace; that every fault has its own is tested.
func trace(name string) string {
	text, err := traces.ReadFile("testdata/traces/" + name + ".txt")
	if err != nil {
		return "no recording " + name
	}
	return string(text)
}
