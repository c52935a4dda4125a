package app

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"cdcbot/internal/connect"
	"cdcbot/internal/target/kafka"
)

// groups are consumer groups from memory.
type groups map[string]kafka.Progress

func (g groups) Progress(_ context.Context, names []string) (map[string]kafka.Progress, error) {
	if g == nil {
		return nil, errors.New("kafka is away")
	}
	found := map[string]kafka.Progress{}
	for _, n := range names {
		if p, ok := g[n]; ok {
			found[n] = p
		}
	}
	return found, nil
}

func sinks(names ...string) map[string]connect.Connector {
	all := map[string]connect.Connector{"source": {Status: connect.Status{Type: "source"}}}
	for _, n := range names {
		all[n] = connect.Connector{Status: connect.Status{Name: n, Type: "sink", State: connect.Running}, Config: map[string]string{}}
	}
	return all
}

func TestTrails(t *testing.T) {
	began := time.Date(2026, 11, 23, 2, 10, 0, 0, time.UTC)
	looks := []struct {
		after              time.Duration
		committed, waiting int64
		still              time.Duration
	}{
		{0, 100, 0, 0},
		{20 * time.Second, 130, 5, 0},
		{40 * time.Second, 130, 9, 20 * time.Second}, // it waits
		{70 * time.Second, 160, 0, 0},                // and catches up
		{5 * time.Minute, 160, 0, 0},                 // nothing to do is no stall
		{6 * time.Minute, 160, 4, time.Minute},
		{8 * time.Minute, 20, 4, 3 * time.Minute}, // offsets were moved back: that is no progress
		{9 * time.Minute, 24, 1, 0},
	}
	g := groups{}
	trails := trails{kafka: g, known: map[string]*trail{}}
	for _, l := range looks {
		g["connect-a"] = kafka.Progress{Committed: l.committed, Waiting: l.waiting}
		if err := trails.look(t.Context(), sinks("a", "never-read"), began.Add(l.after)); err != nil {
			t.Fatal(err)
		}
		if got := trails.still("a"); got != l.still {
			t.Errorf("after %s: still for %s, want %s", l.after, got, l.still)
		}
	}
	f, ok := trails.flow("a")
	want := "30 30 ? ? ? 0 0 ? 0 4"
	got := ""
	for i, p := range f.Points {
		if i > 0 {
			got += " "
		}
		if !p.Known {
			got += "?"
			continue
		}
		got += fmt.Sprint(p.PerMinute)
	}
	if !ok || got != want || f.Waiting != 1 || !f.Points[0].At.Equal(began) {
		t.Errorf("got %q, %+v; want %q", got, f, want)
	}
	if _, ok := trails.flow("never-read"); ok {
		t.Error("a sink that has never read anything has a flow")
	}
	trails.kafka = groups(nil)
	if err := trails.look(t.Context(), sinks("a"), began); err == nil {
		t.Error("Kafka is away: got no error")
	}
	trails.kafka = groups{}
	if err := trails.look(t.Context(), sinks(), began); err != nil || len(trails.known) > 0 {
		t.Errorf("a connector that is gone is still known: %v, %v", trails.known, err)
	}
}

func TestTrailsAreBounded(t *testing.T) {
	g := groups{"connect-a": {Committed: 1}}
	trails := trails{kafka: g, known: map[string]*trail{}}
	for i := range 2 * mostMinutes {
		if err := trails.look(t.Context(), sinks("a"), time.Unix(int64(i)*60, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(trails.known["a"].minutes); n != mostMinutes {
		t.Errorf("got %d minutes, want %d", n, mostMinutes)
	}
}
