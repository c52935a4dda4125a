package incident

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func opened(t *testing.T, s *Store, c *clock, pipeline, connector string) Incident {
	t.Helper()
	return must[Incident](t)(first(s.Receive(t.Context(), told{source: "a", connector: connector}.alert(c), Key{Pipeline: pipeline, Cluster: pipeline + "-cluster"})))
}

// Every pair of states: what the table allows works, what it does not is refused with a sentence and changes nothing.
func TestMove(t *testing.T) {
	for _, from := range States {
		for _, to := range States {
			client, _ := mini(t)
			c := newClock()
			s := newStore(client, c)
			opened(t, s, c, "orders", "sink")
			for _, step := range path(from) {
				must[Incident](t)(firstMove(s.Move(t.Context(), "INC-1", step)))
			}
			c.at = c.minute(5)
			before := must[Incident](t)(s.Get(t.Context(), "INC-1"))
			got, was, err := s.Move(t.Context(), "INC-1", to)
			after := must[Incident](t)(s.Get(t.Context(), "INC-1"))
			if was != from || fmt.Sprint(got) != fmt.Sprint(after) {
				t.Errorf("%s to %s: came from %s; returned\n%+v, stored\n%+v", from, to, was, got, after)
			}
			switch {
			case from == to:
				if err != nil || after.Version != before.Version {
					t.Errorf("%s to itself: %v, version %d to %d; want no change", from, err, before.Version, after.Version)
				}
			case Allowed(from, to):
				if err != nil || after.State != to || after.Version != before.Version+1 {
					t.Errorf("%s to %s: %v, now %s version %d", from, to, err, after.State, after.Version)
				}
			default:
				if !errors.Is(err, ErrTransition) || !strings.Contains(err.Error(), string(to)) || after.Version != before.Version {
					t.Errorf("%s to %s: %v, want ErrTransition and no change", from, to, err)
				}
			}
		}
	}
}

// path is a way from open to a state.
func path(to State) []State {
	return map[State][]State{Acknowledged: {Acknowledged}, Mitigating: {Mitigating}, Monitoring: {Monitoring}, Resolved: {Monitoring, Resolved}, Closed: {Closed}}[to]
}

func TestMoveSetsTimes(t *testing.T) {
	client, _ := mini(t)
	c := newClock()
	s := newStore(client, c)
	opened(t, s, c, "orders", "sink")
	for i, to := range []State{Mitigating, Monitoring, Mitigating, Monitoring, Resolved, Closed} {
		c.at = c.minute(float64(i + 1))
		must[Incident](t)(firstMove(s.Move(t.Context(), "INC-1", to)))
	}
	got := must[Incident](t)(s.Get(t.Context(), "INC-1"))
	for _, row := range []struct {
		name string
		got  time.Time
		want float64
	}{
		{"acknowledged by who mitigates", got.AcknowledgedAt, 1}, {"mitigated the last time", got.MitigatedAt, 4},
		{"resolved", got.ResolvedAt, 5}, {"closed", got.ClosedAt, 6},
	} {
		if !row.got.Equal(c.minute(row.want)) {
			t.Errorf("%s at %s, want minute %v", row.name, row.got, row.want)
		}
	}
}

func TestUpdate(t *testing.T) {
	client, _ := mini(t)
	c := newClock()
	s := newStore(client, c)
	opened(t, s, c, "orders", "sink")
	got := must[Incident](t)(s.Update(t.Context(), "INC-1", func(i *Incident) error { i.Thread = Thread{"C1", "1.2"}; return nil }))
	if got.Thread.TS != "1.2" || got.Version != 2 || len(got.Affected) != 1 {
		t.Errorf("got %+v", got)
	}
	stop := errors.New("stop")
	for _, row := range []struct {
		name   string
		id     string
		change func(*Incident) error
		want   error
	}{
		{"state", "INC-1", func(i *Incident) error { i.State = Closed; return nil }, ErrTransition},
		{"own error", "INC-1", func(i *Incident) error { i.Owner = "U9"; return stop }, stop},
		{"unknown", "INC-9", func(*Incident) error { return nil }, ErrNotFound},
		{"an index", "seq", func(*Incident) error { return nil }, ErrNotFound},
		{"no number", "INC-", func(*Incident) error { return nil }, ErrNotFound},
		{"no such ID", "}{", func(*Incident) error { return nil }, ErrNotFound},
		{"rows", "INC-1", func(i *Incident) error { i.Affected[0].Connector = "other"; return nil }, nil},
		{"ID", "INC-1", func(i *Incident) error { i.ID = "INC-2"; return nil }, nil},
		{"version", "INC-1", func(i *Incident) error { i.Version = 99; return nil }, nil},
	} {
		_, err := s.Update(t.Context(), row.id, row.change)
		if err == nil || row.want != nil && !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
	if after := must[Incident](t)(s.Get(t.Context(), "INC-1")); fmt.Sprint(after) != fmt.Sprint(got) {
		t.Errorf("refused updates changed\n%+v to\n%+v", got, after)
	}
}

// Updates of two replicas at once lose nothing.
func TestUpdatesAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		c := newClock()
		replicas := []*Store{newStore(client, c), newStore(client, c)}
		opened(t, replicas[0], c, "orders", "sink")
		var group sync.WaitGroup
		const writers = 40
		for n := range writers {
			group.Go(func() {
				_, err := replicas[n%2].Update(context.Background(), "INC-1", func(i *Incident) error {
					i.Links = append(i.Links, Link{Title: fmt.Sprint(n)})
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		got := must[Incident](t)(replicas[0].Get(t.Context(), "INC-1"))
		if len(got.Links) != writers || got.Version != writers+1 {
			t.Errorf("%d links, version %d; want %d and %d", len(got.Links), got.Version, writers, writers+1)
		}
	})
}

func TestOpenManual(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		c := newClock()
		s := newStore(client, c)
		inc := must[Incident](t)(s.OpenManual(t.Context(), "orders", "west", "sink", "U1"))
		if inc.Alert != Manual || inc.State != Acknowledged || inc.Owner != "U1" || inc.AcknowledgedAt.IsZero() || strings.Join(inc.Connectors(), " ") != "sink" || inc.Affected[0].Source != Manual {
			t.Errorf("opened %+v", inc)
		}
		joined := must[Incident](t)(s.OpenManual(t.Context(), "orders", "west", "source", "U2"))
		if joined.ID != inc.ID || joined.Owner != "U1" || strings.Join(joined.Connectors(), " ") != "sink source" {
			t.Errorf("joined %+v", joined)
		}
		if other := must[Incident](t)(s.OpenManual(t.Context(), "users", "west", "sink", "U2")); other.ID == inc.ID {
			t.Error("another pipeline joined")
		}
		must[Incident](t)(firstMove(s.Move(t.Context(), inc.ID, Closed)))
		if again := must[Incident](t)(s.OpenManual(t.Context(), "orders", "west", "sink", "U2")); again.ID == inc.ID || again.Owner != "U2" {
			t.Errorf("after closing: %+v", again)
		}
	})
}

func TestFind(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		c := newClock()
		s := newStore(client, c)
		opened(t, s, c, "orders", "sink")                                                       // INC-1
		opened(t, s, c, "users", "sink")                                                        // INC-2
		opened(t, s, c, "orders", "other")                                                      // joins INC-1
		must[Incident](t)(s.OpenManual(t.Context(), "orders", "orders-cluster", "extra", "U1")) // INC-3
		opened(t, s, c, "past", "gone")                                                         // INC-4
		must[Incident](t)(firstMove(s.Move(t.Context(), "INC-4", Closed)))
		ids := func(f Filter) string {
			var list []string
			for _, i := range must[[]Incident](t)(s.List(t.Context(), f)) {
				list = append(list, i.ID)
			}
			return strings.Join(list, " ")
		}
		for _, row := range []struct {
			name   string
			filter Filter
			want   string
		}{
			{"all", Filter{}, "INC-4 INC-3 INC-2 INC-1"}, {"open", Filter{Open: true}, "INC-3 INC-2 INC-1"}, {"limit", Filter{Limit: 2}, "INC-4 INC-3"},
			{"pipeline", Filter{Pipeline: "orders"}, "INC-3 INC-1"}, {"pipeline and limit", Filter{Pipeline: "orders", Limit: 1, Open: true}, "INC-3"}, {"none", Filter{Pipeline: "x"}, ""},
		} {
			if got := ids(row.filter); got != row.want {
				t.Errorf("%s: List(%+v) = %q, want %q", row.name, row.filter, got, row.want)
			}
		}
		for _, row := range []struct{ scope, connector, want string }{
			{"orders", "sink", "INC-1"}, {"orders", "other", "INC-1"}, {"orders", "extra", "INC-3"}, {"users", "sink", "INC-2"},
			{"users-cluster", "sink", "INC-2"}, {"orders", "none", ""}, {"past", "gone", ""}, {"", "sink", ""},
		} {
			inc, err := s.ByConnector(t.Context(), row.scope, row.connector)
			if inc.ID != row.want || (row.want == "") != errors.Is(err, ErrNotFound) {
				t.Errorf("ByConnector(%q, %q) = %q, %v, want %q", row.scope, row.connector, inc.ID, err, row.want)
			}
		}
		for _, row := range []struct{ pipeline, alert, want string }{
			{"orders", "ConnectorDown", "INC-1"}, {"orders", Manual, "INC-3"}, {"past", "ConnectorDown", ""}, {"orders", "x", ""},
		} {
			inc, err := s.FindOpen(t.Context(), row.pipeline, row.alert)
			if (row.want == "") != errors.Is(err, ErrNotFound) || err == nil && inc.ID != row.want {
				t.Errorf("FindOpen(%q, %q) = %q, %v, want %q", row.pipeline, row.alert, inc.ID, err, row.want)
			}
		}
	})
}

// A recovered connector's incident is still found while it is watched, but a failing one goes before it.
func TestByConnectorPrefersWhatFails(t *testing.T) {
	client, _ := mini(t)
	c := newClock()
	s := newStore(client, c)
	opened(t, s, c, "orders", "sink")
	must[Incident](t)(s.OpenManual(t.Context(), "orders", "", "other", "U1"))
	end := told{source: "a", connector: "sink", to: 1}.alert(c)
	must[Incident](t)(first(s.Receive(t.Context(), end, Key{Pipeline: "orders"})))
	if got := must[Incident](t)(s.ByConnector(t.Context(), "orders", "sink")); got.ID != "INC-1" {
		t.Errorf("watched: %s, want INC-1", got.ID)
	}
	must[Incident](t)(s.OpenManual(t.Context(), "orders", "", "sink", "U1"))
	if got := must[Incident](t)(s.ByConnector(t.Context(), "orders", "sink")); got.ID != "INC-2" {
		t.Errorf("failing: %s, want INC-2", got.ID)
	}
}

func TestManyPages(t *testing.T) {
	client, _ := mini(t)
	c := newClock()
	s := newStore(client, c)
	for i := range 2*page + 1 {
		opened(t, s, c, fmt.Sprint(i), "sink")
	}
	if got := must[[]Incident](t)(s.List(t.Context(), Filter{Open: true})); len(got) != 2*page+1 || got[0].ID != "INC-201" {
		t.Errorf("%d incidents, the first %s", len(got), got[0].ID)
	}
}

// Every call says that Redis is away, and says it as an error that callers can tell.
func TestRedisAway(t *testing.T) {
	client, m := mini(t)
	c := newClock()
	s := newStore(client, c)
	opened(t, s, c, "orders", "sink")
	lease, err := s.Lease(t.Context(), "pipeline:orders", "r1", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	for name, call := range map[string]func(context.Context) error{
		"receive": func(ctx context.Context) error {
			_, _, err := s.Receive(ctx, told{source: "a", connector: "sink"}.alert(c), Key{Pipeline: "orders"})
			return err
		},
		"get":  func(ctx context.Context) error { _, err := s.Get(ctx, "INC-1"); return err },
		"list": func(ctx context.Context) error { _, err := s.List(ctx, Filter{}); return err },
		"move": func(ctx context.Context) error { _, _, err := s.Move(ctx, "INC-1", Closed); return err },
		"update": func(ctx context.Context) error {
			_, err := s.Update(ctx, "INC-1", func(*Incident) error { return nil })
			return err
		},
		"open":   func(ctx context.Context) error { _, err := s.FindOpen(ctx, "orders", "ConnectorDown"); return err },
		"by":     func(ctx context.Context) error { _, err := s.ByConnector(ctx, "orders", "sink"); return err },
		"manual": func(ctx context.Context) error { _, err := s.OpenManual(ctx, "orders", "", "sink", "U1"); return err },
		"lease":  func(ctx context.Context) error { _, err := s.Lease(ctx, "x", "r1", time.Second); return err },
		"held":   lease.Held, "renew": lease.Renew, "release": lease.Release,
	} {
		if err := call(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
}

// What was acknowledged survives kill -9.
func TestRedisCrash(t *testing.T) {
	p := startRedis(t)
	c := newClock()
	s := newStore(p.client, c)
	opened(t, s, c, "orders", "sink")
	lease, err := s.Lease(t.Context(), "pipeline:orders", "r1", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	before := must[Incident](t)(firstMove(s.Move(t.Context(), "INC-1", Mitigating)))
	p.kill()
	if _, err := s.Get(t.Context(), "INC-1"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("while away: %v, want ErrUnavailable", err)
	}
	p.start()
	if after := must[Incident](t)(s.Get(t.Context(), "INC-1")); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("before\n%+v, after\n%+v", before, after)
	}
	if err := lease.Held(t.Context()); err != nil {
		t.Errorf("lease after the crash: %v", err)
	}
	opened(t, s, c, "users", "sink")
	if list := must[[]Incident](t)(s.List(t.Context(), Filter{})); len(list) != 2 || list[0].ID != "INC-2" {
		t.Errorf("%d incidents after the crash, want 2", len(list))
	}
}

// A record that somebody else wrote is an error with a name, not a panic.
func TestBrokenRecords(t *testing.T) {
	client, _ := mini(t)
	c := newClock()
	s := newStore(client, c)
	opened(t, s, c, "orders", "sink")
	for _, field := range []string{bodyField, rowField("sink", "")} {
		good := client.HGet(t.Context(), incidentKey("INC-1"), field).Val()
		client.HSet(t.Context(), incidentKey("INC-1"), field, `{"n":`)
		if _, err := s.Get(t.Context(), "INC-1"); err == nil || !strings.Contains(err.Error(), "INC-1") {
			t.Errorf("Get with a broken %s: %v", field, err)
		}
		if _, _, err := s.Receive(t.Context(), told{source: "a", connector: "sink"}.alert(c), Key{Pipeline: "orders"}); err == nil || !strings.Contains(err.Error(), "INC-1") {
			t.Errorf("Receive with a broken %s: %v", field, err)
		}
		client.HSet(t.Context(), incidentKey("INC-1"), field, good)
	}
}
