package alert

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Snapshot is one connector as the watcher sees it. States are Connect's words.
type Snapshot struct {
	State string
	Trace string
	Tasks []TaskSnapshot
}

// TaskSnapshot is one task of a connector.
type TaskSnapshot struct {
	ID    int
	State string
	Trace string
}

// Connect reads all connectors of one cluster at once.
type Connect interface {
	Snapshots(ctx context.Context) (map[string]Snapshot, error)
}

// What the watcher raises beside the alert that it is told to: failures that no rule on Connect's states can see.
const (
	Unreachable = "KafkaConnectUnreachable" // a cluster does not answer
	Stalled     = "KafkaConnectStalled"     // a connector is RUNNING, records wait, and none moves
	Losing      = "KafkaConnectRecordsLost" // a connector is RUNNING and gives records up
)

// Own are those alerts.
var Own = []string{Unreachable, Stalled, Losing}

// States of a Snapshot that Connect has no word for.
const (
	StalledState = "STALLED"
	LosingState  = "LOSING"
)

// silent are those states, with the alert that each raises and what it says.
var silent = map[string]struct{ alert, says string }{
	StalledState: {Stalled, "RUNNING, but nothing flows while records wait"},
	LosingState:  {Losing, "RUNNING, but it gives records up"},
}

// Watcher polls Connect clusters and raises the alert that Prometheus would. It needs no Prometheus, sees STOPPED where
// exporters see nothing, and keeps the first trace since a task was healthy: a restart while the database is down
// overwrites it with one that no longer names the cause.
type Watcher struct {
	Clusters  map[string]Connect // by cluster name, which is also the pipeline's name
	Sink      Sink
	Name      string                                   // alert to raise
	States    []string                                 // states that count, such as FAILED and STOPPED
	Threshold time.Duration                            // how long they must hold
	Calm      time.Duration                            // how long health must hold before it counts; default twice Every
	Every     time.Duration                            // between polls, give or take a tenth; default 10 s
	Timeout   time.Duration                            // of one poll; default 10 s
	Repeat    time.Duration                            // between repeats of a firing alert; default 1 min
	Expected  func(cluster, connector, st string) bool // true when the state is deliberate; nil means never
	Now       func() time.Time
	Log       *zap.Logger
}

// maxTrace bounds what is kept of a trace, in bytes.
const maxTrace = 64 << 10

// Run polls until ctx ends, and returns nil then. Each cluster has its own pace, so that a slow one delays no other.
func (w *Watcher) Run(ctx context.Context) error {
	var group sync.WaitGroup
	settings := w.defaults()
	for name, cluster := range settings.Clusters {
		group.Go(func() {
			settings.watch(ctx, &memory{watcher: &settings, cluster: name, known: map[string]*condition{}}, cluster)
		})
	}
	group.Wait()
	return nil
}

func (w Watcher) defaults() Watcher {
	if w.Every <= 0 {
		w.Every = 10 * time.Second
	}
	if w.Calm <= 0 {
		w.Calm = 2 * w.Every
	}
	if w.Timeout <= 0 {
		w.Timeout = 10 * time.Second
	}
	if w.Repeat <= 0 {
		w.Repeat = time.Minute
	}
	if w.Now == nil {
		w.Now = time.Now
	}
	if w.Log == nil {
		w.Log = zap.NewNop()
	}
	return w
}

func (w *Watcher) watch(ctx context.Context, m *memory, cluster Connect) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		w.poll(ctx, m, cluster)
		timer.Reset(w.Every - w.Every/10 + rand.N(w.Every/5+1)) // replicas and clusters should not poll in step
	}
}

// poll looks once and tells the sink what is due. What it does not take is due again at the next poll.
func (w *Watcher) poll(ctx context.Context, m *memory, cluster Connect) {
	look, cancel := context.WithTimeout(ctx, w.Timeout)
	snapshots, err := cluster.Snapshots(look)
	cancel()
	if ctx.Err() != nil {
		return
	}
	now := w.Now()
	m.see(snapshots, err, now)
	due := m.due(now)
	if len(due) == 0 {
		return
	}
	give, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	if err := w.Sink.Receive(give, due); err != nil {
		w.Log.Error("alerts of the watcher not stored; it will raise them again", zap.String("cluster", m.cluster), zap.Int("alerts", len(due)), zap.Error(err))
		return
	}
	m.taken(due, now)
}

// verdict is what a state means.
type verdict int

const (
	well    verdict = iota
	unclear         // between states, such as RESTARTING and UNASSIGNED: proves nothing
	bad
)

func (w *Watcher) judge(cluster, connector, state string) verdict {
	if _, own := silent[state]; own {
		return bad
	}
	switch {
	case slices.Contains(w.States, state):
		if w.Expected != nil && w.Expected(cluster, connector, state) {
			return well
		}
		return bad
	case slices.Contains([]string{"RESTARTING", "UNASSIGNED", "DESTROYED", ""}, state):
		return unclear
	}
	return well
}

// condition is something bad that was seen, and since when.
type condition struct {
	connector, task, state string
	trace                  string    // the first since healthy
	since                  time.Time // when it was first seen
	fine                   time.Time // since when it has been well again; zero: it is not
	raised                 time.Time // zero: not raised yet
}

// memory is what the watcher knows of one cluster. The key "" is the cluster itself.
type memory struct {
	watcher *Watcher
	cluster string
	known   map[string]*condition
}

// see takes in one look. While the cluster does not answer nothing is known of its connectors: they stay as they were.
func (m *memory) see(snapshots map[string]Snapshot, err error, now time.Time) {
	if err != nil {
		m.note(bad, condition{state: "unreachable", trace: err.Error()}, now)
		return
	}
	present := map[string]bool{"": true}
	m.note(well, condition{}, now)
	for name, s := range snapshots {
		present[name] = true
		m.note(m.watcher.judge(m.cluster, name, s.State), condition{connector: name, state: s.State, trace: s.Trace}, now)
		for _, t := range s.Tasks {
			c := condition{connector: name, task: strconv.Itoa(t.ID), state: t.State, trace: t.Trace}
			present[c.key()] = true
			m.note(m.watcher.judge(m.cluster, name, t.State), c, now)
		}
	}
	for key, c := range m.known {
		if !present[key] { // deleted, or a task of a stopped connector
			m.note(well, *c, now)
		}
	}
}

func (m *memory) note(v verdict, c condition, now time.Time) {
	known := m.known[c.key()]
	switch {
	case v == bad && known == nil:
		c.since, c.trace = now, cut(c.trace)
		m.known[c.key()] = &c
	case v == bad:
		known.fine = time.Time{}
		if silent[known.state].alert == silent[c.state].alert { // an alert keeps its name while it lasts
			known.state = c.state
		}
		if known.trace == "" {
			known.trace = cut(c.trace)
		}
	case known == nil:
	case v == unclear:
		known.fine = time.Time{}
	case known.fine.IsZero():
		known.fine = now
	}
}

// due are the firing alerts past the threshold, their repeats, and the resolved ones, by fingerprint. What was bad for too
// short to be raised is forgotten silently.
func (m *memory) due(now time.Time) []Alert {
	var list []Alert
	away := m.away()
	for key, c := range m.known {
		switch {
		case !c.fine.IsZero():
			if now.Sub(c.fine) < m.watcher.Calm {
				continue
			}
			if c.raised.IsZero() {
				delete(m.known, key)
				continue
			}
			list = append(list, m.alert(*c, Resolved, now))
		case away && key != "":
		case now.Sub(c.since) >= m.watcher.Threshold && (c.raised.IsZero() || now.Sub(c.raised) >= m.watcher.Repeat):
			list = append(list, m.alert(*c, Firing, now))
		}
	}
	slices.SortFunc(list, func(a, b Alert) int { return strings.Compare(a.Fingerprint, b.Fingerprint) })
	return list
}

// away reports whether the cluster does not answer now.
func (m *memory) away() bool {
	c := m.known[""]
	return c != nil && c.fine.IsZero()
}

// taken marks what the sink has stored: raised, or forgotten when it was resolved.
func (m *memory) taken(list []Alert, now time.Time) {
	for _, a := range list {
		key := condition{connector: a.Connector, task: a.Task}.key()
		if a.Status == Resolved {
			delete(m.known, key)
		} else {
			m.known[key].raised = now
		}
	}
}

func (c condition) key() string {
	if c.task == "" {
		return c.connector
	}
	return c.connector + "\x00" + c.task
}

func (m *memory) alert(c condition, status Status, now time.Time) Alert {
	labels := map[string]string{"alertname": m.watcher.Name, "cluster": m.cluster, "severity": "critical"}
	summary := fmt.Sprintf("%s on %s is %s", c.connector, m.cluster, c.state)
	switch {
	case c.connector == "":
		labels["alertname"], summary = Unreachable, "Kafka Connect of "+m.cluster+" does not answer"
	case silent[c.state].alert != "":
		labels["alertname"], labels["connector"] = silent[c.state].alert, c.connector
		summary = fmt.Sprintf("%s on %s is %s", c.connector, m.cluster, silent[c.state].says)
	case c.task != "":
		labels["connector"], labels["task"] = c.connector, c.task
		summary = fmt.Sprintf("Task %s of %s on %s is %s", c.task, c.connector, m.cluster, c.state)
	default:
		labels["connector"] = c.connector
	}
	annotations := map[string]string{"summary": summary}
	if c.trace != "" {
		annotations["trace"] = c.trace
	}
	a := Alert{Source: FromWatcher, Name: labels["alertname"], Status: status, Cluster: m.cluster, Pipeline: m.cluster, Connector: c.connector, Task: c.task,
		Labels: labels, Annotations: annotations, StartsAt: c.since.UTC(), ReceivedAt: now.UTC(), Fingerprint: fingerprint(labels)}
	if status == Resolved {
		a.EndsAt = c.fine.UTC()
	}
	return a
}

// cut keeps the beginning of a trace; it names the cause chain's surface, and the root lies far within the bound.
func cut(trace string) string {
	if len(trace) > maxTrace {
		trace = trace[:maxTrace]
	}
	return strings.ToValidUTF8(trace, "\uFFFD")
}
