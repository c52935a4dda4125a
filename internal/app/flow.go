package app

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"cdcbot/internal/connect"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/target/kafka"
)

// progress looks at many consumer groups at once; *kafka.Client is one.
type progress interface {
	Progress(ctx context.Context, groups []string) (map[string]kafka.Progress, error)
}

// trails remember how far each sink of a cluster had come, minute by minute, so that a failure which Connect calls RUNNING
// shows: records wait, and nothing moves. Every replica looks for itself.
type trails struct {
	kafka progress
	mu    sync.Mutex
	known map[string]*trail
}

// trail is one sink's. Committed goes back when a connector is made anew or its offsets are moved.
type trail struct {
	committed int64
	waiting   int64
	looked    time.Time
	moved     time.Time // when it was last seen to move, or first looked at, or had nothing to do
	minutes   []diagnosis.Point
}

// mostMinutes is how long a trail is kept.
const mostMinutes = 3 * 60

// look takes in how far all sinks are now. Connectors that are gone are forgotten.
func (t *trails) look(ctx context.Context, found map[string]connect.Connector, now time.Time) error {
	names := map[string]string{}
	for name, c := range found {
		if group, ok := consumerGroup(diagnosis.Subject{Connector: name, Status: c.Status, Config: c.Config}); ok {
			names[name] = group
		}
	}
	groups, err := t.kafka.Progress(ctx, slices.Sorted(maps.Values(names)))
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.known, func(name string, _ *trail) bool { _, here := names[name]; return !here })
	for name, group := range names {
		p, ok := groups[group]
		if !ok {
			continue
		}
		if t.known[name] == nil {
			t.known[name] = &trail{committed: p.Committed, moved: now}
		}
		t.known[name].take(p, now)
	}
	return nil
}

func (t *trail) take(p kafka.Progress, now time.Time) {
	came := max(0, p.Committed-t.committed)
	minute := now.Truncate(time.Minute)
	if n := len(t.minutes); n == 0 || t.minutes[n-1].At.Before(minute) {
		t.minutes = append(t.minutes, diagnosis.Point{At: minute, Known: true})
		if len(t.minutes) > mostMinutes {
			t.minutes = t.minutes[1:]
		}
	}
	t.minutes[len(t.minutes)-1].PerMinute += float64(came)
	if came > 0 || p.Waiting == 0 {
		t.moved = now
	}
	t.committed, t.waiting, t.looked = p.Committed, p.Waiting, now
}

// knows says whether a sink has been looked at.
func (t *trails) knows(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known[name] != nil
}

// lag is how many records wait for a sink; known is false for a sink that nobody has looked at.
func (t *trails) lag(name string) (records int64, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.known[name]
	if k == nil {
		return 0, false
	}
	return k.waiting, true
}

// still is how long a sink has not moved while records waited.
func (t *trails) still(name string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.known[name]
	if k == nil || k.waiting == 0 {
		return 0
	}
	return k.looked.Sub(k.moved)
}

// flow is a sink's trail as a diagnosis reads it: every minute, those in which nobody looked included.
func (t *trails) flow(name string) (diagnosis.Flow, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.known[name]
	if k == nil {
		return diagnosis.Flow{}, false
	}
	f := diagnosis.Flow{Connector: name, Waiting: k.waiting, Source: "Kafka: offsets of its consumer group"}
	for _, p := range k.minutes {
		for n := len(f.Points); n > 0 && f.Points[n-1].At.Add(time.Minute).Before(p.At); n++ {
			f.Points = append(f.Points, diagnosis.Point{At: f.Points[n-1].At.Add(time.Minute)})
		}
		f.Points = append(f.Points, p)
	}
	return f, true
}

// flows tells a diagnosis how the pipeline's sinks have moved.
func flows(t *trails) source {
	return source{"flow", func(_ context.Context, subjects []diagnosis.Subject) (diagnosis.Facts, error) {
		var facts diagnosis.Facts
		for _, s := range subjects {
			if f, ok := t.flow(s.Connector); ok {
				facts.Flows = append(facts.Flows, f)
			}
		}
		return facts, nil
	}}
}
