package history

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is a connector's history, kept in the plainest way.
type model struct {
	bad    bool
	trace  string
	at     time.Time
	fine   int // sightings of health since it was bad
	kept   []past
	config map[string]string
}

type past struct {
	config map[string]string
	at     time.Time
	well   bool
}

func (m *model) see(s Sighting, now time.Time) {
	m.seeConfig(s, now)
	switch {
	case s.State == "":
	case s.Healthy:
		if m.fine++; m.fine >= 2 {
			m.bad, m.trace, m.at = false, "", time.Time{}
		}
	case s.State == "RESTARTING":
		m.fine = 0
	default:
		m.fine = 0
		if !m.bad {
			m.bad, m.at = true, now
		}
		if m.trace == "" {
			m.trace = s.Trace
		}
	}
}

func (m *model) seeConfig(s Sighting, now time.Time) {
	if len(s.Config) == 0 {
		return
	}
	n := len(m.kept)
	if n == 0 || !maps.Equal(m.kept[n-1].config, s.Config) {
		m.kept = append(m.kept, past{config: s.Config, at: now})
		return
	}
	if s.Healthy {
		m.kept[n-1].well = true
	}
}

// names are the options that changed, the newest first.
func (m *model) names() []string {
	var list []string
	for i := 1; i < len(m.kept); i++ {
		var step []string
		for _, k := range []string{"one", "password", "two"} {
			was, had := m.kept[i-1].config[k]
			if now, is := m.kept[i].config[k]; had != is || was != now {
				step = append(step, k)
			}
		}
		list = append(step, list...)
	}
	return list
}

func (m *model) healthy() (past, bool) {
	for _, p := range slices.Backward(m.kept) {
		if p.well {
			return p, true
		}
	}
	return past{}, false
}

// Whatever is seen, by whichever replica, the history tells of it what a plain list of everything would.
func TestHistoryIsTrue(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, c *clock) {
		replicas := []*Store{s, s.replica()}
		n := 0
		rapid.Check(t, func(t *rapid.T) {
			n++
			var m model
			name := fmt.Sprintf("sink-%d", n)
			for range rapid.IntRange(1, 19).Draw(t, "sightings") { // 20 versions are kept
				c.add(10 * time.Second)
				seen := anySighting(t)
				seen.Connector = name
				m.see(seen, c.Now())
				if err := rapid.SampledFrom(replicas).Draw(t, "replica").SawAll(context.Background(), "p", []Sighting{seen}); err != nil {
					t.Fatal(err)
				}
				compare(t, s, name, &m)
			}
		})
	})
}

func anySighting(t *rapid.T) Sighting {
	s := Sighting{State: rapid.SampledFrom([]string{"RUNNING", "FAILED", "RESTARTING", ""}).Draw(t, "state")}
	s.Healthy = s.State == "RUNNING"
	if s.State == "FAILED" {
		s.Trace = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "trace")
	}
	if rapid.Bool().Draw(t, "configured") {
		s.Config = map[string]string{"always": "x"}
		for _, k := range []string{"one", "two", "password"} {
			if v := rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, k); v != "" {
				s.Config[k] = v
			}
		}
	}
	return s
}

func compare(t *rapid.T, s *Store, name string, m *model) {
	t.Helper()
	trace, at, err := s.First(context.Background(), "p", name)
	if err != nil || trace != m.trace || !at.Equal(m.at) {
		t.Fatalf("first trace: got %q at %s, %v; want %q at %s", trace, at, err, m.trace, m.at)
	}
	list, err := s.Changes(context.Background(), "p", name, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range list {
		got = append(got, c.Key)
	}
	if want := m.names(); !slices.Equal(got, want) {
		t.Fatalf("changes: got %v, want %v", got, want)
	}
	config, at, ok, err := s.LastHealthy(context.Background(), "p", name)
	if want, is := m.healthy(); err != nil || ok != is || !at.Equal(want.at) || is && !maps.Equal(config, mask(want.config)) {
		t.Fatalf("last healthy: got %v at %s, %t, %v; want %+v", config, at, ok, err, want)
	}
}
