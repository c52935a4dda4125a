package connecttest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The states that answers use.
const (
	running    = "RUNNING"
	failed     = "FAILED"
	paused     = "PAUSED"
	stopped    = "STOPPED"
	restarting = "RESTARTING"
)

// How long things take, as measured on the real worker.
const (
	restartTakes = 300 * time.Millisecond // from the call to RUNNING
	targetTakes  = 50 * time.Millisecond  // from pause, resume or stop to the first state that shows it
	echoLasts    = 400 * time.Millisecond // how long a deleted connector still has a status
)

// maxTasks bounds what a wild tasks.max costs; the real worker has no bound.
const maxTasks = 1000

// connector is one connector. target is what it was told to be, state what it says it is.
type connector struct {
	name, kind string
	config     map[string]string
	target     string
	state      string
	trace      string
	worker     string
	tasks      []*task
	change     int // generation of target; older plans for it are void
}

// task is one task. life counts its starts: a plan made for an earlier life is void.
type task struct {
	id      int
	state   string
	trace   string
	worker  string
	life    int
	born    time.Time
	failing bool // it took the record that will fail it
}

func (t *task) fail(trace string) {
	t.state, t.trace, t.failing = failed, trace, false
	t.life++
}

// build makes a connector that is known but does not run yet.
func (w *Worker) build(name string, config map[string]string) *connector {
	config = maps.Clone(config)
	config["name"] = name
	c := &connector{name: name, kind: kind(config), config: config, worker: w.options.ID}
	w.connectors[name] = c
	delete(w.deleted, name)
	if w.committed[name] == nil {
		w.committed[name] = positions{}
	}
	w.pipeline.know(c)
	return c
}

// spawn makes the tasks of c anew.
func (w *Worker) spawn(c *connector, state string) {
	n := 1
	if c.kind == "sink" {
		n, _ = strconv.Atoi(c.config["tasks.max"])
	}
	c.tasks = nil
	for id := range min(max(n, 1), maxTasks) {
		t := &task{id: id, worker: c.worker, born: w.clock, state: state}
		c.tasks = append(c.tasks, t)
		if state == running {
			w.begin(c, t)
		}
	}
	w.drain()
}

// restart starts tasks again; they show RESTARTING, with their old trace, until they are up or fail.
func (w *Worker) restart(c *connector, tasks ...*task) {
	for _, t := range tasks {
		t.life++
		life := t.life
		t.state, t.failing = restarting, false
		w.after(restartTakes, func() {
			if t.life != life {
				return
			}
			t.born, t.trace, t.worker = w.clock, "", c.worker
			if t.state = c.target; c.target == running {
				w.begin(c, t)
				w.drain()
			}
		})
	}
}

// begin lets a task run, unless what it needs at its start is broken.
func (w *Worker) begin(c *connector, t *task) {
	t.state = running
	trace, delay := w.failsAtStart(c)
	if trace == "" {
		return
	}
	life := t.life
	t.failing = true
	w.after(delay-restartTakes, func() {
		if t.life != life {
			return
		}
		t.failing = false
		if again, _ := w.failsAtStart(c); again != "" && t.state == running {
			t.fail(again)
			return
		}
		w.drain()
	})
}

// aim changes what c is meant to be; states follow a moment later.
func (w *Worker) aim(c *connector, target string) {
	c.target = target
	c.change++
	change := c.change
	w.after(targetTakes, func() {
		if c.change == change {
			w.reach(c)
		}
	})
}

func (w *Worker) reach(c *connector) {
	c.state, c.trace = c.target, ""
	switch {
	case c.target == stopped:
		for _, t := range c.tasks {
			t.life++
		}
		c.tasks = nil
	case c.target == running && len(c.tasks) == 0:
		w.spawn(c, running)
	default:
		for _, t := range c.tasks {
			if t.state == running || t.state == paused { // a failed task stays failed
				t.state = c.target
			}
		}
		w.drain()
	}
}

// kind tells sinks by what only they have: topics to read.
func kind(config map[string]string) string {
	if config["topics"] != "" || config["topics.regex"] != "" {
		return "sink"
	}
	return "source"
}

func (c *connector) named(short string) bool {
	return strings.HasSuffix(c.config["connector.class"], short)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
