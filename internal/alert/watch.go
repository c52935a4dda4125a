package alert

import (
	"context"
	"fmt"
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

// Unreachable is the alert that the watcher raises when a cluster does not answer.
const Unreachable = "KafkaConnectUnreachable"

// Watcher polls Connect clusters and raises the alert that Prometheus would. It needs no Prometheus, sees STOPPED where
// exporters see nothing, and keeps the first trace since a task was healthy: a restart while the database is down
// overwrites it with one that no longer names the cause.
type Watcher struct {
	Clusters  map[string]Connect // by cluster name, which is also the pipeline's name
	Sink      Sink
	Name      string                                   // alert to raise
	States    []string                                 // states that count, such as FAILED and STOPPED
	Threshold time.Duration                            // how long they must hold
	Every     time.Duration                            // between polls
	Repeat    time.Duration                            // between repeats of a firing alert; default 1 min
	Expected  func(cluster, connector, st string) bool // true when the state is deliberate; nil means never
	Now       func() time.Time
	Log       *zap.Logger
}

// maxTrace bounds what an alert carries of a trace, in bytes.
const maxTrace = 64 << 10

// condition is something bad that was seen, and since when.
type condition struct {
	connector, task, state string
	trace                  string // the first since healthy
	since                  time.Time
	raised                 time.Time // zero: not raised yet
}

// Run polls until ctx ends. Each cluster has its own pace, so that a slow one delays no other.
func (w *Watcher) Run(ctx context.Context) error {
	var group sync.WaitGroup
	for name, cluster := range w.Clusters {
		group.Go(func() { w.watch(ctx, name, cluster) })
	}
	group.Wait()
	return nil
}

func (w *Watcher) watch(ctx context.Context, name string, cluster Connect) {
	seen := map[string]*condition{}
	ticker := time.NewTicker(w.Every)
	defer ticker.Stop()
	for {
		w.poll(ctx, name, cluster, seen)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// poll looks once, updates what is known, and tells the sink what is due.
func (w *Watcher) poll(ctx context.Context, name string, cluster Connect, seen map[string]*condition) {
	look, cancel := context.WithTimeout(ctx, max(w.Every, 5*time.Second))
	defer cancel()
	snapshots, err := cluster.Snapshots(look)
	if ctx.Err() != nil {
		return
	}
	now := w.Now()
	bad := map[string]condition{}
	if err != nil {
		bad[""] = condition{state: "unreachable", trace: err.Error()}
		for key, c := range seen { // what was bad before cannot be known to be well now
			if key != "" {
				bad[key] = *c
			}
		}
	}
	for connector, s := range snapshots {
		w.inspect(name, connector, s, bad)
	}
	due := w.remember(name, bad, seen, now)
	if len(due) == 0 {
		return
	}
	if err := w.Sink.Receive(ctx, due); err != nil {
		w.Log.Error("alerts of the watcher not stored; it will raise them again", zap.String("cluster", name), zap.Error(err))
		return
	}
	settle(due, seen, now)
}

func (w *Watcher) inspect(cluster, connector string, s Snapshot, bad map[string]condition) {
	if w.counts(cluster, connector, s.State) {
		bad[connector] = condition{connector: connector, state: s.State, trace: s.Trace}
	}
	for _, t := range s.Tasks {
		if w.counts(cluster, connector, t.State) {
			id := strconv.Itoa(t.ID)
			bad[connector+"\x00"+id] = condition{connector: connector, task: id, state: t.State, trace: t.Trace}
		}
	}
}

func (w *Watcher) counts(cluster, connector, state string) bool {
	if !slices.Contains(w.States, state) {
		return false
	}
	return w.Expected == nil || !w.Expected(cluster, connector, state)
}

// remember updates the known conditions and returns the alerts that are due: firing ones past the threshold, repeats, and
// resolved ones of what was raised and is gone.
func (w *Watcher) remember(cluster string, bad map[string]condition, seen map[string]*condition, now time.Time) []Alert {
	var due []Alert
	for key, c := range bad {
		known, ok := seen[key]
		if !ok {
			c.since = now
			known = &c
			seen[key] = known
		}
		known.state = c.state
		if known.trace == "" {
			known.trace = c.trace
		}
		repeat := w.Repeat
		if repeat == 0 {
			repeat = time.Minute
		}
		if now.Sub(known.since) >= w.Threshold && (known.raised.IsZero() || now.Sub(known.raised) >= repeat) {
			due = append(due, w.raise(cluster, *known, Firing, now))
		}
	}
	for key, c := range seen {
		if _, still := bad[key]; still {
			continue
		}
		if c.raised.IsZero() {
			delete(seen, key)
			continue
		}
		due = append(due, w.raise(cluster, *c, Resolved, now))
	}
	slices.SortFunc(due, func(a, b Alert) int { return strings.Compare(a.Fingerprint, b.Fingerprint) })
	return due
}

// settle marks what the sink has taken: raised, or forgotten when it was resolved.
func settle(taken []Alert, seen map[string]*condition, now time.Time) {
	for _, a := range taken {
		key := a.Connector
		if a.Task != "" {
			key += "\x00" + a.Task
		}
		if a.Status == Resolved {
			delete(seen, key)
		} else {
			seen[key].raised = now
		}
	}
}

func (w *Watcher) raise(cluster string, c condition, status Status, now time.Time) Alert {
	labels := map[string]string{"alertname": w.Name, "cluster": cluster, "severity": "critical"}
	summary := fmt.Sprintf("%s on %s is %s", c.connector, cluster, c.state)
	switch {
	case c.connector == "":
		labels["alertname"], summary = Unreachable, "Kafka Connect of "+cluster+" does not answer"
	case c.task != "":
		labels["connector"], labels["task"] = c.connector, c.task
		summary = fmt.Sprintf("Task %s of %s on %s is %s", c.task, c.connector, cluster, c.state)
	default:
		labels["connector"] = c.connector
	}
	a := Alert{Source: FromWatcher, Name: labels["alertname"], Status: status, Cluster: cluster, Pipeline: cluster, Connector: c.connector, Task: c.task,
		Labels: labels, Annotations: map[string]string{"summary": summary, "trace": cut(c.trace)}, StartsAt: c.since.UTC(), ReceivedAt: now.UTC(), Fingerprint: fingerprint(labels)}
	if status == Resolved {
		a.EndsAt = now.UTC()
	}
	return a
}

func cut(trace string) string {
	if len(trace) <= maxTrace {
		return trace
	}
	return strings.ToValidUTF8(trace[:maxTrace], "")
}
