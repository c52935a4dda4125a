package alert

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// cluster is a Connect whose connectors tests change.
type cluster struct {
	mu    sync.Mutex
	rows  map[string]Snapshot
	err   error
	hangs bool
	polls int
}

func (c *cluster) Snapshots(ctx context.Context) (map[string]Snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.polls++
	if c.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return c.rows, c.err
}

// is sets connectors, given as "name CONNECTOR TASK TASK …".
func (c *cluster) is(lines ...string) {
	rows := map[string]Snapshot{}
	for _, line := range lines {
		words := strings.Fields(line)
		s := Snapshot{State: words[1]}
		for id, state := range words[2:] {
			state, trace, _ := strings.Cut(state, ":")
			s.Tasks = append(s.Tasks, TaskSnapshot{ID: id, State: state, Trace: trace})
		}
		rows[words[0]] = s
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows, c.err = rows, nil
}

func (c *cluster) breaks(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// watching runs a watcher over one cluster in a bubble of time: look lets time pass and returns what was raised in it.
func watching(t *testing.T, change func(*Watcher), story func(c *cluster, s *shelf, look func(time.Duration) []string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, s := &cluster{}, &shelf{}
		w := &Watcher{Clusters: map[string]Connect{"warehouse": c}, Sink: s, Name: "Failed", States: []string{"FAILED", "STOPPED"}, Threshold: 2 * time.Minute, Every: 10 * time.Second}
		if change != nil {
			change(w)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		story(c, s, func(d time.Duration) []string {
			time.Sleep(d) // the bubble's clock
			synctest.Wait()
			return s.take()
		})
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func wants(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestWatcherRaises(t *testing.T) {
	tests := []struct {
		name  string
		state string // two minutes long
		want  []string
	}{
		{"all well", "sink RUNNING RUNNING RUNNING", nil},
		{"a failed task", "sink RUNNING RUNNING FAILED", []string{"firing Failed sink 1"}},
		{"a failed connector", "sink FAILED", []string{"firing Failed sink"}},
		{"a stopped connector", "sink STOPPED", []string{"firing Failed sink"}},
		{"a paused connector", "sink PAUSED PAUSED", nil},
		{"unassigned", "sink UNASSIGNED UNASSIGNED", nil},
		{"a stalled connector", "sink STALLED RUNNING", []string{"firing KafkaConnectStalled sink"}},
		{"a connector that loses records", "sink LOSING RUNNING", []string{"firing KafkaConnectRecordsLost sink"}},
		{"a failed task of a paused connector", "sink PAUSED FAILED", []string{"firing Failed sink 0"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			watching(t, nil, func(c *cluster, _ *shelf, look func(time.Duration) []string) {
				c.is("other RUNNING RUNNING", test.state)
				wants(t, "before the threshold", look(119*time.Second))
				wants(t, "after it", look(26*time.Second), test.want...)
			})
		})
	}
}

func TestWatcherRepeatsAndResolves(t *testing.T) {
	watching(t, nil, func(c *cluster, s *shelf, look func(time.Duration) []string) {
		c.is("sink RUNNING FAILED:first")
		look(145 * time.Second)
		if got := look(5 * time.Minute); len(got) < 4 || len(got) > 5 || got[0] != "firing Failed sink 0" {
			t.Errorf("five minutes: %q, want a repeat each minute", got)
		}
		c.is("sink RUNNING RUNNING")
		wants(t, "well, but not for long", look(9*time.Second))
		c.is("sink RUNNING FAILED:second")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		s.mu.Lock()
		last := s.alerts[len(s.alerts)-1]
		s.mu.Unlock()
		if last.Status != Firing || last.Annotations["trace"] != "first" {
			t.Errorf("after a restart that did not heal: %s with trace %q; want firing with the first trace", last.Status, last.Annotations["trace"])
		}
		s.take()
		c.is("sink RUNNING RUNNING")
		wants(t, "well", look(45*time.Second), "resolved Failed sink 0")
		wants(t, "later", look(10*time.Minute))
		c.is("sink RUNNING FAILED:third")
		time.Sleep(145 * time.Second)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.alerts) == 0 || s.alerts[0].Annotations["trace"] != "third" {
			t.Errorf("a new failure: %+v, want its own trace", s.alerts)
		}
	})
}

func TestWatcherForgetsTheShort(t *testing.T) {
	watching(t, nil, func(c *cluster, _ *shelf, look func(time.Duration) []string) {
		c.is("sink RUNNING FAILED")
		look(time.Minute)
		c.is("sink RUNNING RUNNING")
		wants(t, "one minute of failure", look(10*time.Minute))
		c.is("sink RUNNING FAILED")
		wants(t, "the clock starts anew", look(119*time.Second))
	})
}

func TestWatcherSeesThroughRestarts(t *testing.T) {
	for _, between := range []string{"sink RUNNING RESTARTING", "sink RUNNING UNASSIGNED", "sink RUNNING RUNNING"} {
		watching(t, nil, func(c *cluster, _ *shelf, look func(time.Duration) []string) {
			var raised []string
			for range 6 {
				c.is("sink RUNNING FAILED")
				raised = append(raised, look(20*time.Second)...)
				c.is(between)
				raised = append(raised, look(10*time.Second)...)
			}
			wants(t, "failing, then "+between+", failing again", raised, "firing Failed sink 0")
		})
	}
}

func TestWatcherResolvesTheDeletedAndTheDeliberate(t *testing.T) {
	deliberate := false
	var mu sync.Mutex
	expect := func(w *Watcher) {
		w.Expected = func(_, connector, state string) bool {
			mu.Lock()
			defer mu.Unlock()
			return deliberate && connector == "sink" && state == "STOPPED"
		}
	}
	watching(t, expect, func(c *cluster, _ *shelf, look func(time.Duration) []string) {
		c.is("sink STOPPED", "gone RUNNING FAILED")
		wants(t, "raised", sorted(look(145*time.Second)), "firing Failed gone 0", "firing Failed sink")
		mu.Lock()
		deliberate = true
		mu.Unlock()
		c.is("sink STOPPED")
		wants(t, "deleted, and stopped by a plan", sorted(look(45*time.Second)), "resolved Failed gone 0", "resolved Failed sink")
		wants(t, "later", look(10*time.Minute))
	})
}

func sorted(list []string) []string { slices.Sort(list); return list }

func TestWatcherAwayCluster(t *testing.T) {
	watching(t, nil, func(c *cluster, s *shelf, look func(time.Duration) []string) {
		c.is("a RUNNING FAILED", "b RUNNING FAILED", "c FAILED")
		look(time.Minute)
		c.breaks(errors.New("connection refused"))
		wants(t, "away for a minute: the connectors are not known to be bad", look(90*time.Second))
		time.Sleep(55 * time.Second)
		synctest.Wait()
		s.mu.Lock()
		if len(s.alerts) != 1 || s.alerts[0].Name != Unreachable || s.alerts[0].Cluster != "warehouse" || s.alerts[0].Annotations["trace"] != "connection refused" {
			t.Errorf("away for two minutes: %+v, want one alert about the cluster", s.alerts)
		}
		s.mu.Unlock()
		s.take()
		c.is("a RUNNING FAILED", "b RUNNING RUNNING", "c RUNNING")
		wants(t, "back", sorted(look(45*time.Second)), "firing Failed a 0", "resolved KafkaConnectUnreachable")
	})
}

func TestWatcherTriesAgainWhenTheSinkRefuses(t *testing.T) {
	watching(t, nil, func(c *cluster, s *shelf, look func(time.Duration) []string) {
		c.is("sink FAILED")
		s.refuse(errors.New("redis is away"))
		wants(t, "refused", look(5*time.Minute))
		s.refuse(nil)
		wants(t, "taken at the next poll", look(12*time.Second), "firing Failed sink")
		s.refuse(errors.New("redis is away"))
		c.is("sink RUNNING")
		look(2 * time.Minute)
		s.refuse(nil)
		wants(t, "resolved at the next poll", look(12*time.Second), "resolved Failed sink")
	})
}

func TestWatcherSlowClusterDelaysNoOther(t *testing.T) {
	slow := &cluster{hangs: true}
	with := func(w *Watcher) { w.Clusters["slow"] = slow }
	watching(t, with, func(c *cluster, _ *shelf, look func(time.Duration) []string) {
		c.is("sink FAILED")
		if got := look(145 * time.Second); !slices.Contains(got, "firing Failed sink") {
			t.Errorf("got %q, want the other cluster's alert in time", got)
		}
		if got := look(time.Minute); !slices.Contains(got, "firing KafkaConnectUnreachable") && slow.polls < 3 {
			t.Errorf("got %q after %d polls; a silent cluster is away", got, slow.polls)
		}
	})
}

func TestWatcherStorm(t *testing.T) {
	watching(t, nil, func(c *cluster, s *shelf, look func(time.Duration) []string) {
		var lines []string
		for i := range 500 {
			lines = append(lines, "c"+strings.Repeat("x", i)+" FAILED FAILED FAILED")
		}
		c.is(lines...)
		time.Sleep(145 * time.Second)
		synctest.Wait()
		seen := map[string]bool{}
		for _, a := range s.alerts {
			seen[a.Fingerprint] = true
		}
		if len(s.alerts) != 1500 || len(seen) != 1500 {
			t.Errorf("%d alerts with %d fingerprints, want 1500 of each", len(s.alerts), len(seen))
		}
	})
}

func TestTracesAreBounded(t *testing.T) {
	for _, trace := range []string{strings.Repeat("é", maxTrace), "\xff\x00", strings.Repeat("\xff", 3*maxTrace), ""} {
		got := cut(trace)
		if len(got) > 3*maxTrace || strings.ContainsRune(got, 0xFFFD) != strings.Contains(trace, "\xff") && len(trace) < maxTrace {
			t.Errorf("trace of %d bytes: kept %d", len(trace), len(got))
		}
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
