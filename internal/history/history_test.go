package history

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"cdcbot/internal/lab"
)

const planted = "planted-password"

var start = time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)

func mask(config map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range config {
		if strings.Contains(k, "password") {
			v = "(secret)"
		}
		out[k] = strings.ReplaceAll(v, planted, "(secret)")
	}
	return out
}

// clock stands still until it is told.
type clock struct{ now atomic.Pointer[time.Time] }

func newClock() *clock {
	c := &clock{}
	c.now.Store(&start)
	return c
}

func (c *clock) Now() time.Time { return *c.now.Load() }

func (c *clock) add(d time.Duration) {
	t := c.Now().Add(d)
	c.now.Store(&t)
}

func dial(tb testing.TB, addr string) *redis.Client {
	tb.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, DialTimeout: time.Second,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
	tb.Cleanup(func() { _ = client.Close() }) // the test ends
	return client
}

// onEach runs a test on miniredis and on the real thing.
func onEach(t *testing.T, test func(*testing.T, *Store, *clock)) {
	t.Helper()
	for name, addr := range map[string]func(*testing.T) string{
		"miniredis": func(t *testing.T) string { t.Helper(); return miniredis.RunT(t).Addr() },
		"redis":     func(t *testing.T) string { t.Helper(); return lab.Redis(t).Addr },
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			test(t, &Store{Redis: dial(t, addr(t)), Now: c.Now, Mask: mask, Key: []byte("key of the tests")}, c)
		})
	}
}

// anew is a store with a clock of its own, on the same server without its data.
func (s *Store) anew(t *testing.T) (*Store, *clock) {
	t.Helper()
	if err := s.Redis.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	c, r := newClock(), s.replica()
	r.Now = c.Now
	return r, c
}

// replica is another process on the same Redis.
func (s *Store) replica() *Store {
	return &Store{Redis: s.Redis, Now: s.Now, Mask: s.Mask, Key: s.Key, Keep: s.Keep, Versions: s.Versions}
}

func saw(t *testing.T, s *Store, list ...Sighting) {
	t.Helper()
	if err := s.SawAll(t.Context(), "warehouse", list); err != nil {
		t.Fatal(err)
	}
}

func changes(t *testing.T, s *Store, connector string, since time.Time) []Change {
	t.Helper()
	list, err := s.Changes(t.Context(), "warehouse", connector, since)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Both ways of telling the history what was seen make the same of it.
func TestChanges(t *testing.T) {
	ways := map[string]func(*testing.T, *Store, map[string]string){
		"alone": func(t *testing.T, s *Store, config map[string]string) {
			t.Helper()
			if err := s.Saw(t.Context(), "warehouse", "sink", config); err != nil {
				t.Fatal(err)
			}
		},
		"all": func(t *testing.T, s *Store, config map[string]string) {
			t.Helper()
			saw(t, s, Sighting{Connector: "sink", Config: config}, Sighting{Connector: "other", Config: map[string]string{"a": "b"}})
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *Store, c *clock) { testChanges(t, s, c, way) })
		})
	}
}

func testChanges(t *testing.T, s *Store, c *clock, way func(*testing.T, *Store, map[string]string)) {
	t.Helper()
	url := "jdbc:postgresql://one/db?password=" + planted
	for _, config := range []map[string]string{
		{"topics": "orders", "connection.password": planted, "url": url},
		{"topics": "orders", "connection.password": planted, "url": url},
		{"topics": "orders", "connection.password": planted + "2", "url": url, "schema.evolution": "none"},
		{},
		{"topics": "orders,users", "connection.password": planted + "2", "url": strings.Replace(url, "one", "two", 1), "empty": ""},
		{"topics": "orders,users"},
		{"topics": "orders,users", "connection.password": planted},
	} {
		c.add(time.Minute)
		way(t, s, config)
	}
	at := func(n time.Duration) time.Time { return start.Add(n * time.Minute) }
	want := []Change{
		{at(7), "connection.password", "", "", Added},
		{at(6), "connection.password", "", "", Removed},
		{at(6), "empty", "", "", Removed},
		{at(6), "url", "", "", Removed},
		{at(5), "empty", "", "", Added},
		{at(5), "schema.evolution", "none", "", Removed},
		{at(5), "topics", "orders", "orders,users", Changed},
		{at(5), "url", "jdbc:postgresql://one/db?password=(secret)", "jdbc:postgresql://two/db?password=(secret)", Changed},
		{at(3), "connection.password", "", "", Changed},
		{at(3), "schema.evolution", "", "none", Added},
	}
	if got := changes(t, s, "sink", time.Time{}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if got := changes(t, s, "sink", at(6)); len(got) != 4 {
		t.Errorf("since the sixth minute: got %+v", got)
	}
	if got := changes(t, s, "nobody", time.Time{}); len(got) != 0 {
		t.Errorf("another connector: got %+v", got)
	}
	secretsStayOut(t, s, planted)
}

func TestChangeString(t *testing.T) {
	for _, row := range []struct {
		name   string
		change Change
		want   string
	}{
		{"secret", Change{Key: "database.password", Kind: Changed}, "database.password changed (value hidden)"},
		{"new secret", Change{Key: "database.password", Kind: Added}, "database.password added (value hidden)"},
		{"added", Change{Key: "a", Now: "1", Kind: Added}, `a added: "1"`},
		{"removed", Change{Key: "a", Was: "1", Kind: Removed}, `a removed, it was "1"`},
		{"changed", Change{Key: "a", Was: "1", Now: "2", Kind: Changed}, `a changed from "1" to "2"`},
	} {
		if got := row.change.String(); got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}

// texts is everything that Redis holds, by key.
func texts(tb testing.TB, s *Store) map[string]string {
	tb.Helper()
	ctx := context.Background()
	keys, err := s.Redis.Keys(ctx, "*").Result()
	if err != nil || len(keys) == 0 {
		tb.Fatalf("got %v, %v", keys, err)
	}
	all := map[string]string{}
	for _, k := range keys {
		kind := s.Redis.Type(ctx, k).Val()
		switch kind {
		case "string":
			all[k] = s.Redis.Get(ctx, k).Val()
		case "list":
			all[k] = strings.Join(s.Redis.LRange(ctx, k, 0, -1).Val(), "\n")
		case "stream":
			all[k] = fmt.Sprint(s.Redis.XRange(ctx, k, "-", "+").Val())
		default:
			tb.Fatalf("%s is a %s, which nobody looks through", k, kind)
		}
	}
	return all
}

func secretsStayOut(tb testing.TB, s *Store, secrets ...string) {
	tb.Helper()
	for k, text := range texts(tb, s) {
		for _, secret := range secrets {
			if strings.Contains(text, secret) || strings.Contains(k, secret) {
				tb.Errorf("%s holds a secret: %s", k, text)
			}
		}
	}
}

// One poll that several replicas make at once is kept once.
func TestReplicasAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, c *clock) {
		replicas := []*Store{s, s.replica(), s.replica(), s.replica()}
		for n := range int64(5) {
			seen := Sighting{Connector: "sink", State: "FAILED", Trace: "the first", Progress: &n, Config: map[string]string{"n": fmt.Sprint(n)}}
			if n > 0 {
				seen.Trace = "a later one"
			}
			var all sync.WaitGroup
			for _, r := range replicas {
				all.Go(func() {
					err := errors.Join(r.SawAll(t.Context(), "warehouse", []Sighting{seen}), r.Saw(t.Context(), "warehouse", "alone", seen.Config))
					if err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			c.add(time.Minute)
		}
		for _, connector := range []string{"sink", "alone"} {
			if n := s.Redis.LLen(t.Context(), configKey("warehouse", connector)).Val(); n != 5 {
				t.Errorf("%s: got %d versions, want 5", connector, n)
			}
		}
		if n := s.Redis.XLen(t.Context(), flowKey("warehouse", "sink")).Val(); n != 5 {
			t.Errorf("got %d points, want 5", n)
		}
		if trace, at, err := s.First(t.Context(), "warehouse", "sink"); trace != "the first" || !at.Equal(start) || err != nil {
			t.Errorf("got %q at %s, %v", trace, at, err)
		}
	})
}

// A replica that looked before a change and comes after it does not make two more changes of it.
func TestLateReplica(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, c *clock) {
		late := s.replica()
		old, changed := Sighting{Connector: "sink", Config: map[string]string{"n": "1"}}, Sighting{Connector: "sink", Config: map[string]string{"n": "2"}}
		saw(t, s, old)
		c.add(time.Minute)
		saw(t, s, changed)
		c.add(apart - time.Second)
		saw(t, late, old)
		saw(t, s, changed)
		if got := changes(t, s, "sink", time.Time{}); len(got) != 1 {
			t.Errorf("got %+v, want one change", got)
		}
		c.add(apart)
		saw(t, late, old)
		if got := changes(t, s, "sink", time.Time{}); len(got) != 2 || got[0].Now != "1" {
			t.Errorf("taken back: got %+v, want two changes", got)
		}
	})
}

// A configuration that nobody touches outlives the time that history is kept, and the change after it is told.
func TestQuietConnector(t *testing.T) {
	m := miniredis.RunT(t)
	for name, way := range map[string]func(*Store, map[string]string) error{
		"all": func(s *Store, config map[string]string) error {
			return s.SawAll(t.Context(), "warehouse", []Sighting{{Connector: "all", Config: config}})
		},
		"alone": func(s *Store, config map[string]string) error {
			return s.Saw(t.Context(), "warehouse", "alone", config)
		},
	} {
		c := newClock()
		s := &Store{Redis: dial(t, m.Addr()), Now: c.Now, Mask: mask}
		for range 90 { // a multiple of the time that is kept: without a renewal nothing would be known at the change
			if err := way(s, map[string]string{"n": "1"}); err != nil {
				t.Fatal(err)
			}
			c.add(24 * time.Hour)
			m.FastForward(24 * time.Hour)
		}
		if err := way(s, map[string]string{"n": "2"}); err != nil {
			t.Fatal(err)
		}
		if got := changes(t, s, name, time.Time{}); len(got) != 1 {
			t.Errorf("%s: got %+v, want one change", name, got)
		}
		m.FastForward(31 * 24 * time.Hour)
		if keys := m.Keys(); len(keys) != 0 {
			t.Errorf("a connector that is gone is still known: %v", keys)
		}
	}
}

func TestFirst(t *testing.T) {
	well, bad := func() Sighting { return Sighting{State: "RUNNING", Healthy: true} }, func(trace string) Sighting { return Sighting{State: "FAILED", Trace: trace} }
	long := strings.Repeat("x", maxTrace) + "tail"
	onEach(t, func(t *testing.T, s *Store, _ *clock) {
		for _, row := range []struct {
			name  string
			seen  []Sighting
			trace string
			since int // the sighting with which it turned bad; -1: it is not bad
		}{
			{"healthy", []Sighting{well(), well()}, "", -1},
			{"failed", []Sighting{well(), bad("root")}, "root", 1},
			{"overwritten", []Sighting{bad("root"), bad("later")}, "root", 0},
			{"traced late", []Sighting{bad(""), bad("root"), bad("later")}, "root", 0},
			{"healthy once", []Sighting{bad("root"), well(), bad("later")}, "root", 0},
			{"healthy again", []Sighting{bad("root"), well(), well()}, "", -1},
			{"another outage", []Sighting{bad("root"), well(), well(), bad("other")}, "other", 3},
			{"restarted", []Sighting{bad("root"), {State: "RESTARTING"}, bad("later")}, "root", 0},
			{"restarting is no health", []Sighting{bad("root"), well(), {State: "UNASSIGNED"}, well()}, "root", 0},
			{"restarting is no failure", []Sighting{well(), {State: "RESTARTING"}}, "", -1},
			{"nothing said", []Sighting{bad("root"), {}, {}}, "root", 0},
			{"bounded", []Sighting{bad(long)}, long[:maxTrace], 0},
			{"cut rune", []Sighting{bad(long[:maxTrace-1] + "é")}, long[:maxTrace-1], 0},
		} {
			t.Run(row.name, func(t *testing.T) {
				s, c := s.anew(t)
				for _, seen := range row.seen {
					seen.Connector = "sink"
					saw(t, s, seen)
					c.add(10 * time.Second)
				}
				var want time.Time
				if row.since >= 0 {
					want = start.Add(time.Duration(row.since) * 10 * time.Second)
				}
				if trace, at, err := s.First(t.Context(), "warehouse", "sink"); trace != row.trace || !at.Equal(want) || err != nil {
					t.Errorf("got %.20q at %s, %v; want %.20q at %s", trace, at, err, row.trace, want)
				}
			})
		}
	})
}

// Two replicas that look at nearly the same moment are not two sightings of health.
func TestHealthIsSeenAtTwoMoments(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, c *clock) {
		other := s.replica()
		well := Sighting{Connector: "sink", State: "RUNNING", Healthy: true}
		saw(t, s, Sighting{Connector: "sink", State: "FAILED", Trace: "root"})
		c.add(10 * time.Second)
		saw(t, s, well)
		c.add(time.Second)
		saw(t, other, well)
		if trace, _, err := s.First(t.Context(), "warehouse", "sink"); trace != "root" || err != nil {
			t.Errorf("a second later: got %q, %v", trace, err)
		}
		c.add(apart)
		saw(t, other, well)
		if trace, at, err := s.First(t.Context(), "warehouse", "sink"); trace != "" || !at.IsZero() || err != nil {
			t.Errorf("later: got %q at %s, %v", trace, at, err)
		}
	})
}

func TestLastHealthy(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, c *clock) {
		see := func(state, n string) {
			saw(t, s, Sighting{Connector: "sink", State: state, Healthy: state == "RUNNING", Config: map[string]string{"n": n, "password": planted}})
			c.add(10 * time.Second)
		}
		if _, _, ok, err := s.LastHealthy(t.Context(), "warehouse", "sink"); ok || err != nil {
			t.Errorf("nothing seen: got %t, %v", ok, err)
		}
		see("RUNNING", "1")
		if _, _, ok, err := s.LastHealthy(t.Context(), "warehouse", "sink"); ok || err != nil {
			t.Errorf("seen together with the change: got %t, %v", ok, err)
		}
		see("RUNNING", "1")
		see("RUNNING", "2") // a state from before the change
		see("FAILED", "2")
		see("FAILED", "3")
		config, at, ok, err := s.LastHealthy(t.Context(), "warehouse", "sink")
		if want := mask(map[string]string{"n": "1", "password": planted}); !ok || err != nil || !at.Equal(start) || !maps.Equal(config, want) {
			t.Errorf("got %v at %s, %t, %v; want %v", config, at, ok, err, want)
		}
	})
}

func TestWithoutMask(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, c *clock) {
		s.Mask = nil
		config := map[string]string{"password": planted, "other": "value"}
		saw(t, s, Sighting{Connector: "sink", State: "FAILED", Trace: "root", Config: config})
		if err := s.Saw(t.Context(), "warehouse", "alone", config); err != nil {
			t.Fatal(err)
		}
		if n := s.Redis.Exists(t.Context(), configKey("warehouse", "sink"), configKey("warehouse", "alone")).Val(); n != 0 {
			t.Errorf("got %d configurations", n)
		}
		if trace, _, err := s.First(t.Context(), "warehouse", "sink"); trace != "root" || err != nil {
			t.Errorf("got %q, %v", trace, err)
		}
		c.add(10 * time.Second)
		saw(t, s, Sighting{Connector: "sink", State: "RUNNING", Healthy: true})
		c.add(10 * time.Second)
		saw(t, s, Sighting{Connector: "sink", State: "RUNNING", Healthy: true})
		if trace, _, err := s.First(t.Context(), "warehouse", "sink"); trace != "" || err != nil {
			t.Errorf("healthy again: got %q, %v", trace, err)
		}
	})
}

func TestBounds(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, c *clock) {
		for n := range int64(1500) {
			seen := Sighting{Connector: "sink", Progress: &n}
			if n < 50 {
				seen.Config = map[string]string{"n": fmt.Sprint(n)}
			}
			saw(t, s, seen)
			c.add(time.Minute)
		}
		if n := s.Redis.LLen(t.Context(), configKey("warehouse", "sink")).Val(); n != 20 {
			t.Errorf("got %d versions, want 20", n)
		}
		if n := s.Redis.XLen(t.Context(), flowKey("warehouse", "sink")).Val(); n != 1441 {
			t.Errorf("got %d minutes, want 1441", n)
		}
		for k := range texts(t, s) {
			if ttl := s.Redis.TTL(t.Context(), k).Val(); ttl <= 0 || ttl > s.keep() {
				t.Errorf("%s lives for %s", k, ttl)
			}
		}
	})
}

func TestFlow(t *testing.T) {
	const none = -1
	onEach(t, func(t *testing.T, s *Store, _ *clock) {
		for _, row := range []struct {
			name   string
			totals []int64 // one each 30 s; none: nobody looked
			want   []float64
		}{
			{"nothing", []int64{none}, nil},
			{"one minute is not over", []int64{5, 6}, nil},
			{"flows", []int64{0, 5, 10, 60, 100, 0, 150}, []float64{10, 90, 50}},
			{"stands", []int64{7, 7, 7, 7, 7}, []float64{0, 0}},
			{"began anew", []int64{100, 100, 200, 3, 5, 9, 10}, []float64{100, none, 5}},
			{"nobody looked", []int64{0, 0, none, none, 30, 30, 40}, []float64{none, none, 10}},
			{"looked late", []int64{0, 0, none, 30, 50}, []float64{20, 40}},
		} {
			t.Run(row.name, func(t *testing.T) {
				s, c := s.anew(t)
				for _, total := range row.totals {
					if total != none {
						saw(t, s, Sighting{Connector: "sink", Progress: &total})
					}
					c.add(30 * time.Second)
				}
				var want []Point
				for i, rate := range row.want {
					p := Point{At: start.Add(time.Duration(i) * time.Minute), PerMinute: max(rate, 0), Known: rate != none}
					want = append(want, p)
				}
				got, err := s.Flow(t.Context(), "warehouse", "sink", time.Time{})
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, %v\nwant %+v", got, err, want)
				}
				since := start.Add(time.Minute)
				from := slices.IndexFunc(want, func(p Point) bool { return p.Known && !p.At.Before(since) })
				got, err = s.Flow(t.Context(), "warehouse", "sink", since)
				if known := slices.IndexFunc(got, func(p Point) bool { return p.Known }); err != nil || (from < 0) != (known < 0) || from >= 0 && !reflect.DeepEqual(got[known:], want[from:]) {
					t.Errorf("since the first minute: got %+v, %v", got, err)
				}
			})
		}
	})
}

// Another key, or none, is no change of a secret, and replicas with different keys do not fill the history.
func TestAnotherKey(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, c *clock) {
		other := s.replica()
		other.Key = nil
		seen := Sighting{Connector: "sink", Config: map[string]string{"password": planted}}
		for range 10 {
			saw(t, s, seen)
			c.add(10 * time.Second)
			saw(t, other, seen)
			c.add(10 * time.Second)
		}
		if n := s.Redis.LLen(t.Context(), configKey("warehouse", "sink")).Val(); n != 1 {
			t.Errorf("got %d versions, want 1", n)
		}
		saw(t, other, Sighting{Connector: "sink", Config: map[string]string{"password": planted + "2"}})
		want := Change{c.Now(), "password", "", "", Changed}
		if got := changes(t, s, "sink", time.Time{}); len(got) != 1 || got[0] != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// What an earlier release wrote is read, and its marks of another kind make no change.
func TestEarlierRelease(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, c *clock) {
		for _, text := range []string{
			"not JSON",
			`{"at":"2026-11-22T00:00:00Z","config":{"n":"1","password":"(secret)"},"secrets":{"password":"aaaa"}}`,
			`{"at":"2026-11-22T01:00:00Z","config":{"n":"2","password":"(secret)"},"secrets":{"password":"bbbb"}}`,
		} {
			if err := s.Redis.RPush(t.Context(), configKey("warehouse", "sink"), text).Err(); err != nil {
				t.Fatal(err)
			}
		}
		saw(t, s, Sighting{Connector: "sink", Config: map[string]string{"n": "3", "password": planted}})
		var got []string
		for _, c := range changes(t, s, "sink", time.Time{}) {
			got = append(got, c.String())
		}
		want := []string{`n changed from "2" to "3"`, `n changed from "1" to "2"`, "password changed (value hidden)"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestRedisAway(t *testing.T) {
	client := dial(t, miniredis.RunT(t).Addr())
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	s := &Store{Redis: client, Now: newClock().Now, Mask: mask}
	config := map[string]string{"a": "b"}
	for name, try := range map[string]func() error{
		"Saw":         func() error { return s.Saw(t.Context(), "p", "sink", config) },
		"SawAll":      func() error { return s.SawAll(t.Context(), "p", []Sighting{{Connector: "sink", Config: config}}) },
		"First":       func() error { _, _, err := s.First(t.Context(), "p", "sink"); return err },
		"Flow":        func() error { _, err := s.Flow(t.Context(), "p", "sink", start); return err },
		"Changes":     func() error { _, err := s.Changes(t.Context(), "p", "sink", start); return err },
		"LastHealthy": func() error { _, _, _, err := s.LastHealthy(t.Context(), "p", "sink"); return err },
	} {
		if err := try(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: got %v, want ErrUnavailable", name, err)
		}
	}
}

func TestClusterNames(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, _ *clock) {
		for _, name := range []string{"", "{}", "a}b"} {
			one := s.SawAll(t.Context(), name, []Sighting{{Connector: "sink"}})
			if two := s.Saw(t.Context(), name, "sink", map[string]string{"a": "b"}); one == nil || two == nil {
				t.Errorf("%q: got %v and %v", name, one, two)
			}
		}
		if err := s.SawAll(t.Context(), "warehouse", nil); err != nil {
			t.Errorf("nothing seen: got %v", err)
		}
	})
}
