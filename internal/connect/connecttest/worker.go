// Package connecttest is a Kafka Connect worker in a process: a real HTTP server with the real worker's rules, for tests
// and the demo. Status codes, bodies and traces are those that a Connect 4.3.1 worker was seen to give; the contract
// table of package connect runs on both. It imports nothing of ours, so that a wrong JSON tag in the client cannot hide.
package connecttest

import (
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The moments that the real worker takes.
const (
	restarting = 300 * time.Millisecond // from a restart to RUNNING or FAILED again
	forgetting = 400 * time.Millisecond // how long a deleted connector still has a status
)

// Options shape a worker. The zero value is a healthy 4.3.1 worker.
type Options struct {
	Version string // "4.3.1" when ""; below 3.0 restart has no parameters, below 3.5 there is no stop, below 3.9 no /health
	Now     func() time.Time
}

// Worker is one Connect worker with connectors and the flow of records through them. It is safe for concurrent use.
type Worker struct {
	version string
	now     func() time.Time

	mu          sync.Mutex
	connectors  map[string]*connector
	topics      map[string]int // topic → records in it
	rows        map[string]int // table → rows
	fault       *fault
	victim      string
	rebalancing time.Time // until then calls that change something are refused
	starting    time.Time // until then the REST resources are not there
	server      *http.Server
	address     string
}

type connector struct {
	name    string
	kind    string // "source" or "sink"
	config  map[string]string
	state   string
	tasks   []*task
	offset  int // records read (source) or committed (sink)
	deleted time.Time
	created time.Time
}

type task struct {
	id     int
	state  string
	trace  string
	due    time.Time // when a restart is over; zero when none is under way
	failed bool      // what the restart will end in
	after  string    // the trace it will have then
}

// New returns a worker without connectors.
func New(o Options) *Worker {
	if o.Version == "" {
		o.Version = "4.3.1"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Worker{version: o.Version, now: o.Now, connectors: map[string]*connector{}, topics: map[string]int{}, rows: map[string]int{}, address: "localhost:8083"}
}

// Start serves on a free loopback port and returns the worker's URL.
func (w *Worker) Start() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	w.mu.Lock()
	w.address = listener.Addr().String()
	w.server = &http.Server{Handler: w, ReadHeaderTimeout: 5 * time.Second}
	server := w.server
	w.mu.Unlock()
	go func() { _ = server.Serve(listener) }() // it ends with Close
	return "http://" + listener.Addr().String(), nil
}

// Close ends what Start began.
func (w *Worker) Close() error {
	w.mu.Lock()
	server := w.server
	w.mu.Unlock()
	if server == nil {
		return nil
	}
	return server.Close()
}

// AddConnector deploys a connector as if it had run for a while.
func (w *Worker) AddConnector(name string, config map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.add(name, config, "RUNNING")
}

func (w *Worker) add(name string, config map[string]string, state string) *connector {
	config = maps.Clone(config)
	config["name"] = name
	c := &connector{name: name, kind: kind(config), config: config, state: state, created: w.now()}
	if state != "STOPPED" {
		c.tasks = w.newTasks(c)
	}
	if old := w.connectors[name]; old != nil && c.kind == "sink" {
		c.offset = old.offset // the consumer group outlives the connector
	}
	w.connectors[name] = c
	return c
}

func kind(config map[string]string) string {
	if strings.Contains(config["connector.class"], "Sink") {
		return "sink"
	}
	return "source"
}

func (w *Worker) newTasks(c *connector) []*task {
	n, err := strconv.Atoi(config(c, "tasks.max", "1"))
	if err != nil || n < 1 {
		n = 1
	}
	if c.kind == "source" {
		n = 1
	}
	tasks := make([]*task, n)
	for i := range tasks {
		tasks[i] = &task{id: i, state: "RUNNING"}
		w.launch(c, tasks[i])
	}
	return tasks
}

func config(c *connector, key, other string) string {
	if v := c.config[key]; v != "" {
		return v
	}
	return other
}

// launch lets a task start: it runs, unless what broke it is still there, or its configuration is one that fails.
func (w *Worker) launch(c *connector, t *task) {
	t.trace, t.failed, t.after = "", false, ""
	switch {
	case w.fault != nil && w.victim == c.name && w.fault.fails:
		t.failed, t.after = true, w.fault.again
	case badConfig(c.config):
		t.failed, t.after = true, startupTrace
	}
	t.state, t.due = "RESTARTING", w.now().Add(restarting)
}

// badConfig: options that the real sink checks only when it starts.
func badConfig(config map[string]string) bool {
	if !strings.HasSuffix(config["connector.class"], "JdbcSinkConnector") {
		return false
	}
	evolution := config["schema.evolution"]
	return config["connection.url"] == "" || evolution != "" && evolution != "none" && evolution != "basic"
}

const startupTrace = "org.apache.kafka.connect.errors.ConnectException: Error configuring an instance of JdbcSinkConnectorConfig; check the logs for details\n\tat io.debezium.connector.jdbc.JdbcSinkConnectorConfig.validate(JdbcSinkConnectorConfig.java:515)\n"

// Rebalance refuses changes for a while, as when a worker joins.
func (w *Worker) Rebalance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rebalancing = w.now().Add(d)
}

// Starting answers every call with Jetty's 404 page for a while, as a worker does right after its port opens.
func (w *Worker) Starting(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.starting = w.now().Add(d)
}

// Produce lets n records happen at the origin; they flow as far as connectors run.
func (w *Worker) Produce(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settle()
	w.topics[origin] += n
	w.flow()
}

// origin is the pseudo topic that counts what happened in the source database.
const origin = "\x00origin"

// Rows is how many rows have arrived in the sink's tables.
func (w *Worker) Rows() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settle()
	w.flow()
	return w.rows["all"]
}

// Lag is how many records wait between the origin and the sink.
func (w *Worker) Lag() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settle()
	w.flow()
	return w.topics[origin] - w.rows["all"]
}

// settle ends restarts that are due and forgets deleted connectors.
func (w *Worker) settle() {
	now := w.now()
	for name, c := range w.connectors {
		if !c.deleted.IsZero() && now.Sub(c.deleted) > forgetting {
			delete(w.connectors, name)
			continue
		}
		for _, t := range c.tasks {
			if t.due.IsZero() || now.Before(t.due) {
				continue
			}
			t.due, t.state = time.Time{}, "RUNNING"
			if c.state == "PAUSED" {
				t.state = "PAUSED"
			}
			if t.failed {
				t.state, t.trace = "FAILED", t.after
			}
		}
	}
}

// flow moves records: source connectors read the origin into the topic, sinks write the topic into tables. A hanging
// database lets everything look RUNNING while nothing moves.
func (w *Worker) flow() {
	for _, name := range slices.Sorted(maps.Keys(w.connectors)) {
		c := w.connectors[name]
		if !w.flows(c) {
			continue
		}
		if c.kind == "source" {
			w.topics["topic"] = w.topics[origin]
			c.offset = w.topics[origin]
		}
	}
	for _, c := range w.connectors {
		if c.kind == "sink" && w.flows(c) {
			c.offset = w.topics["topic"]
			w.rows["all"] = max(w.rows["all"], c.offset)
		}
	}
}

func (w *Worker) flows(c *connector) bool {
	if c.state != "RUNNING" || len(c.tasks) == 0 || !c.deleted.IsZero() {
		return false
	}
	if w.fault != nil && w.victim == c.name && !w.fault.fails {
		return false
	}
	return !slices.ContainsFunc(c.tasks, func(t *task) bool { return t.state != "RUNNING" })
}
