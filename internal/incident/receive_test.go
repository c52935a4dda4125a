package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"cdcbot/internal/alert"
)

// told is one alert in minutes: at when it arrives, from when it says the failure began, to when it says that it ended.
type told struct {
	at        float64
	source    string // "a" Alertmanager, "w" watcher
	connector string // "sink", or "sink/0" for a task
	from, to  float64
	outcome   Outcome
	state     State
	firing    string // connectors that still fail
}

func (s told) alert(c *clock) alert.Alert {
	connector, task, _ := strings.Cut(s.connector, "/")
	a := alert.Alert{Source: map[string]string{"a": alert.FromAlertmanager, "w": alert.FromWatcher, "a2": alert.FromAlertmanager}[s.source],
		Name: "ConnectorDown", Status: alert.Firing, Connector: connector, Task: task, Fingerprint: s.source + s.connector, StartsAt: c.minute(s.from)}
	if s.to != 0 {
		a.Status, a.EndsAt = alert.Resolved, c.minute(s.to)
	}
	return a
}

// stories are told one alert after the other. QuietPeriod is 30 minutes.
var stories = []struct {
	name      string
	alerts    []told
	incidents int
}{
	{"one failure and its end", []told{
		{1, "a", "sink", 0, 0, Opened, Open, "sink"},
		{2, "a", "sink", 0, 0, Repeated, Open, "sink"},
		{5, "a", "sink", 0, 4, ResolvedAll, Monitoring, ""},
		{6, "a", "sink", 0, 4, Ignored, Monitoring, ""},
	}, 1},
	{"both sources are one row, well when both say so", []told{
		{1, "w", "sink", 0, 0, Opened, Open, "sink"},
		{2, "a", "sink", 0.5, 0, Repeated, Open, "sink"},
		{5, "w", "sink", 0, 4, Repeated, Open, "sink"},
		{6, "a", "sink", 0.5, 4, ResolvedAll, Monitoring, ""},
	}, 1},
	{"two alerts of one source about one connector", []told{
		{1, "a", "sink", 0, 0, Opened, Open, "sink"},
		{1, "a2", "sink", 0, 0, Repeated, Open, "sink"},
		{2, "a", "sink", 0, 2, Repeated, Open, "sink"},
		{3, "a2", "sink", 0, 3, ResolvedAll, Monitoring, ""},
	}, 1},
	{"connectors and tasks join", []told{
		{1, "a", "sink/0", 0, 0, Opened, Open, "sink"},
		{1, "a", "sink/1", 0, 0, Joined, Open, "sink"},
		{1, "a", "source", 0, 0, Joined, Open, "sink source"},
		{2, "a", "sink/0", 0, 2, ResolvedOne, Open, "sink source"},
		{3, "a", "sink/1", 0, 3, ResolvedOne, Open, "source"},
		{4, "a", "source", 0, 4, ResolvedAll, Monitoring, ""},
	}, 1},
	{"a relapse within the quiet period", []told{
		{1, "a", "sink", 0, 0, Opened, Open, "sink"},
		{5, "a", "sink", 0, 4, ResolvedAll, Monitoring, ""},
		{20, "a", "sink", 19, 0, Reopened, Open, "sink"},
	}, 1},
	{"the end is delivered late and the relapse began meanwhile", []told{
		{1, "a", "sink", 0, 0, Opened, Open, "sink"},
		{10, "a", "sink", 0, 5, ResolvedAll, Monitoring, ""},
		{10, "a", "sink", 8, 0, Reopened, Open, "sink"},
	}, 1},
	{"another connector fails within the quiet period", []told{
		{1, "a", "sink", 0, 0, Opened, Open, "sink"},
		{5, "a", "sink", 0, 4, ResolvedAll, Monitoring, ""},
		{6, "a", "source", 6, 0, Reopened, Open, "source"},
	}, 1},
	{"an old firing after its own end", []told{
		{1, "a", "sink", 0, 0, Opened, Open, "sink"},
		{5, "a", "sink", 0, 4, ResolvedAll, Monitoring, ""},
		{6, "a", "sink", 0, 0, Ignored, Monitoring, ""},
	}, 1},
	{"the other source's first word comes after the end", []told{
		{1, "w", "sink", 0, 0, Opened, Open, "sink"},
		{5, "w", "sink", 0, 4, ResolvedAll, Monitoring, ""},
		{6, "a", "sink", 0.5, 0, Ignored, Monitoring, ""},
		{7, "a", "sink", 0.5, 4, Ignored, Monitoring, ""},
	}, 1},
	{"an old end after the relapse", []told{
		{1, "a", "sink", 0, 0, Opened, Open, "sink"},
		{5, "a", "sink", 0, 4, ResolvedAll, Monitoring, ""},
		{8, "a", "sink", 7, 0, Reopened, Open, "sink"},
		{9, "a", "sink", 0, 4, Ignored, Open, "sink"},
	}, 1},
	{"the end of what nobody knows", []told{
		{1, "a", "sink", 0, 1, Ignored, "", ""},
	}, 0},
	{"the end of a connector that the incident does not know", []told{
		{1, "a", "sink", 0, 0, Opened, Open, "sink"},
		{2, "a", "source", 0, 2, Ignored, Open, "sink"},
	}, 1},
	{"the end of one source that never said it began", []told{
		{1, "a", "sink", 0, 0, Opened, Open, "sink"},
		{2, "w", "sink", 0, 2, Ignored, Open, "sink"},
	}, 1},
	{"no start is now", []told{
		{1, "a", "sink", -1e9, 0, Opened, Open, "sink"},
	}, 1},
}

func TestReceive(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		for _, story := range stories {
			t.Run(story.name, func(t *testing.T) {
				if err := client.FlushAll(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
				tell(t, client, story.alerts)
				if got := must[[]Incident](t)(newStore(client, newClock()).List(t.Context(), Filter{})); len(got) != story.incidents {
					t.Errorf("%d incidents, want %d", len(got), story.incidents)
				}
			})
		}
	})
}

func tell(t *testing.T, client redis.UniversalClient, alerts []told) {
	t.Helper()
	c := newClock()
	s := newStore(client, c)
	for i, step := range alerts {
		c.at = c.minute(step.at)
		a := step.alert(c)
		if step.from == -1e9 {
			a.StartsAt = time.Time{}
		}
		inc, outcome, err := s.Receive(t.Context(), a, Key{Pipeline: "orders", Cluster: "west", Severity: "critical"})
		if err != nil {
			t.Fatalf("alert %d %+v: %v", i+1, step, err)
		}
		if inc.ID != "" {
			inc = must[Incident](t)(s.Get(t.Context(), inc.ID))
		}
		if firing := strings.Join(inc.Connectors(), " "); outcome != step.outcome || inc.State != step.state || firing != step.firing {
			t.Fatalf("alert %d %+v:\n got %s, %s, firing %q\nwant %s, %s, firing %q", i+1, step, outcome, inc.State, firing, step.outcome, step.state, step.firing)
		}
	}
}

func TestQuietPeriodEnds(t *testing.T) {
	fire := func(from float64) told { return told{source: "a", connector: "sink", from: from} }
	for _, row := range []struct {
		name  string
		state []State // moved to, one after the other, at minute 10
		at    float64
		from  float64
		want  Outcome
		id    string
	}{
		{"resolved, within", []State{Monitoring, Resolved}, 39.9, 39, Reopened, "INC-1"},
		{"resolved, at its end", []State{Monitoring, Resolved}, 40, 39, Opened, "INC-2"},
		{"monitoring never ends by itself", []State{Monitoring}, 500, 499, Reopened, "INC-1"},
		{"monitoring, the same failure is told again", []State{Monitoring}, 11, 0, Repeated, "INC-1"},
		{"monitoring, it began anew though nobody said that it ended", []State{Monitoring}, 12, 11, Reopened, "INC-1"},
		{"mitigating", []State{Mitigating}, 11, 0, Repeated, "INC-1"},
		{"closed, the same failure is told again", []State{Closed}, 11, 0, Ignored, "INC-1"},
		{"closed, it fails anew", []State{Closed}, 12, 11, Opened, "INC-2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			client, _ := mini(t)
			c := newClock()
			s := newStore(client, c)
			key := Key{Pipeline: "orders"}
			must[Incident](t)(first(s.Receive(t.Context(), fire(0).alert(c), key)))
			c.at = c.minute(10)
			for _, to := range row.state {
				must[Incident](t)(firstMove(s.Move(t.Context(), "INC-1", to)))
			}
			c.at = c.minute(row.at)
			inc, got, err := s.Receive(t.Context(), fire(row.from).alert(c), key)
			if err != nil || got != row.want || inc.ID != row.id {
				t.Fatalf("got %s %s %v, want %s %s", got, inc.ID, err, row.want, row.id)
			}
			if got == Reopened && (inc.State != Open || inc.Reopened != 1 || !inc.MitigatedAt.IsZero() || !inc.ResolvedAt.IsZero()) {
				t.Errorf("reopened as %+v", inc)
			}
		})
	}
}

func first(i Incident, _ Outcome, err error) (Incident, error)   { return i, err }
func firstMove(i Incident, _ State, err error) (Incident, error) { return i, err }

func TestAnIncidentKnowsItsAlert(t *testing.T) {
	client, _ := mini(t)
	c := newClock()
	s := newStore(client, c)
	a := told{source: "a", connector: "sink/0", from: -2}.alert(c)
	a.Annotations = map[string]string{"summary": "task 0 failed", "runbook_url": "https://wiki/sink"}
	a.GeneratorURL, a.ExternalURL = "http://prometheus/graph", "javascript:alert(1)"
	got := must[Incident](t)(first(s.Receive(t.Context(), a, Key{"orders", "west", "connector-failure", "critical", "orders late"})))
	want := Incident{ID: "INC-1", Pipeline: "orders", Alert: "ConnectorDown", Cluster: "west", Runbook: "connector-failure", Severity: "critical", SLOImpact: "orders late",
		Summary: "task 0 failed", State: Open, StartedAt: c.minute(-2), OpenedAt: c.at, Version: 1,
		Links: []Link{{"Alert", "http://prometheus/graph"}, {"Runbook", "https://wiki/sink"}},
		Affected: []Affected{{Fingerprint: "asink/0", Source: "alertmanager", Connector: "sink", Task: "0", FirstSeen: c.minute(-2), LastSeen: c.at,
			Reports: []Report{{Source: "alertmanager", Fingerprint: "asink/0", StartsAt: c.minute(-2)}}}}}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestReceiveRefusesWhatIsNoAlert(t *testing.T) {
	client, _ := mini(t)
	s := newStore(client, newClock())
	for _, a := range []alert.Alert{{}, {Name: "A"}, {Name: "A", Status: "maybe"}, {Status: alert.Firing}} {
		if _, _, err := s.Receive(t.Context(), a, Key{}); err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("Receive(%+v) = %v, want an error that says what is expected", a, err)
		}
	}
}

// Names come from a stranger's configuration: they may hold anything and must not meet.
func TestAnyName(t *testing.T) {
	names := []string{"", " ", "a b", "a/b", `a"b`, "a\\b", "a{b}c", "}", "{", "a\x00b", "a\nb", "größe-日本", "row:x", "body", "🔥", `","`, strings.Repeat("x", 5000)}
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		c := newClock()
		s := newStore(client, c)
		for _, name := range names {
			for _, task := range []string{"", "0", `"`} {
				a := alert.Alert{Source: "watcher", Name: name + "!", Status: alert.Firing, Connector: name, Task: task, StartsAt: c.at}
				inc := must[Incident](t)(first(s.Receive(t.Context(), a, Key{Pipeline: name})))
				last := inc.Affected[0]
				if inc.Pipeline != name || last.Connector != name || last.Task != task {
					t.Errorf("%q %q came back as %q %q %q", name, task, inc.Pipeline, last.Connector, last.Task)
				}
			}
			if name == "" {
				continue
			}
			if inc := must[Incident](t)(s.ByConnector(t.Context(), name, name)); len(inc.Affected) != 3 {
				t.Errorf("%q: %d rows, want 3", name, len(inc.Affected))
			}
		}
		if all := must[[]Incident](t)(s.List(t.Context(), Filter{})); len(all) != len(names) {
			t.Errorf("%d incidents, want %d", len(all), len(names))
		}
	})
}

// Two replicas take a storm of failing connectors, each alert twice, all at once.
func TestStorm(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		c := newClock()
		replicas := []*Store{newStore(client, c), newStore(client, c)}
		const connectors = 100
		var group sync.WaitGroup
		outcomes := make([]Outcome, 2*connectors)
		for i := range outcomes {
			group.Go(func() {
				a := told{source: "a", connector: fmt.Sprintf("sink-%d", i/2)}.alert(c)
				_, outcome, err := replicas[i%2].Receive(context.Background(), a, Key{Pipeline: "orders"})
				if err != nil {
					t.Error(err)
				}
				outcomes[i] = outcome
			})
		}
		group.Wait()
		list := must[[]Incident](t)(replicas[0].List(t.Context(), Filter{}))
		if len(list) != 1 || len(list[0].Affected) != connectors || len(list[0].Connectors()) != connectors {
			t.Fatalf("%d incidents; want one with %d connectors", len(list), connectors)
		}
		for outcome, want := range map[Outcome]int{Opened: 1, Joined: connectors - 1, Repeated: connectors} {
			if got := len(slices.DeleteFunc(slices.Clone(outcomes), func(o Outcome) bool { return o != outcome })); got != want {
				t.Errorf("%d alerts %s, want %d", got, outcome, want)
			}
		}
	})
}

// Different failures at once are different incidents, each with its own number.
func TestManyIncidentsAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		c := newClock()
		replicas := []*Store{newStore(client, c), newStore(client, c)}
		var group sync.WaitGroup
		const pipelines = 40
		for n := range pipelines {
			group.Go(func() {
				name := fmt.Sprint("pipeline ", n)
				inc, outcome, err := replicas[n%2].Receive(context.Background(), told{source: "a", connector: "sink"}.alert(c), Key{Pipeline: name})
				if err != nil || outcome != Opened {
					t.Errorf("%s: %s %v", name, outcome, err)
				} else if got, err := replicas[0].Get(context.Background(), inc.ID); err != nil || got.Pipeline != name {
					t.Errorf("%s is of %s, opened for %s (%v)", inc.ID, got.Pipeline, name, err)
				}
			})
		}
		group.Wait()
		list := must[[]Incident](t)(replicas[0].List(t.Context(), Filter{}))
		if len(list) != pipelines || list[0].ID != fmt.Sprint("INC-", pipelines) {
			t.Errorf("%d incidents, want %d", len(list), pipelines)
		}
	})
}

// What another replica changed between reading and writing is noticed, whatever it was.
func TestWhatWasSeenMustStillBeTrue(t *testing.T) {
	key := Key{Pipeline: "orders"}
	for _, row := range []struct {
		name      string
		prior     []State // moves before the look
		meanwhile func(*testing.T, *Store, *clock)
		connector string
		from      float64
	}{
		{"another replica opened it", nil, func(t *testing.T, s *Store, c *clock) { opened(t, s, c, "orders", "sink") }, "sink", 0},
		{"its body changed", []State{Acknowledged}, func(t *testing.T, s *Store, _ *clock) {
			must[Incident](t)(s.Update(t.Context(), "INC-1", func(i *Incident) error { i.Owner = "U1"; return nil }))
		}, "sink", 0},
		{"its row changed", []State{Acknowledged}, func(t *testing.T, s *Store, c *clock) {
			c.at = c.minute(61)
			opened(t, s, c, "orders", "sink")
		}, "sink", 0},
		{"it was reopened while a new one was about to open", []State{Monitoring, Resolved}, func(t *testing.T, s *Store, _ *clock) {
			must[Incident](t)(firstMove(s.Move(t.Context(), "INC-1", Open)))
		}, "sink", 59},
	} {
		client, _ := mini(t)
		c := newClock()
		s := newStore(client, c)
		for i, to := range row.prior {
			if i == 0 {
				opened(t, s, c, "orders", "sink")
			}
			must[Incident](t)(firstMove(s.Move(t.Context(), "INC-1", to)))
		}
		c.at = c.minute(60)
		a := told{source: "a", connector: row.connector, from: row.from}.alert(c)
		seen := must[sight](t)(s.look(t.Context(), "orders", a.Name, a.Connector, a.Task))
		n := weigh(seen, a, key, s.now(), s.quiet())
		row.meanwhile(t, s, c)
		before := client.HGetAll(t.Context(), incidentKey("INC-1")).Val()
		if _, err := s.store(t.Context(), seen, n); !errors.Is(err, ErrConflict) {
			t.Errorf("%s: %s: %v, want ErrConflict", row.name, n.outcome, err)
		}
		if after := client.HGetAll(t.Context(), incidentKey("INC-1")).Val(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("%s: the late write changed the incident", row.name)
		}
	}
}

// Whatever comes in whatever order: what is stored agrees with itself, one incident is open per pipeline and alert, and
// an alert that is delivered twice changes nothing the second time.
func TestAnyOrder(t *testing.T) {
	client, m := mini(t)
	rapid.Check(t, func(rt *rapid.T) {
		m.FlushAll()
		c := newClock()
		s := newStore(client, c)
		for range rapid.IntRange(1, 25).Draw(rt, "alerts") {
			c.at = c.at.Add(time.Duration(rapid.IntRange(0, 20).Draw(rt, "minutes")) * time.Minute)
			if to := rapid.SampledFrom(append(slices.Clone(States), "", "", "", "")).Draw(rt, "move"); to != "" {
				moveNewest(rt, s, to)
			}
			a := drawAlert(rt, c)
			before, outcome, err := s.Receive(t.Context(), a, Key{Pipeline: "orders"})
			if err != nil {
				rt.Fatal(err)
			}
			after, again, err := s.Receive(t.Context(), a, Key{Pipeline: "orders"})
			if err != nil || fmt.Sprint(before) != fmt.Sprint(after) || again != Repeated && again != Ignored {
				rt.Fatalf("%+v: first %s, then %s, %v\n%+v\n%+v", a, outcome, again, err, before, after)
			}
			agree(rt, s)
		}
	})
}

func drawAlert(rt *rapid.T, c *clock) alert.Alert {
	ago := func(what string) time.Time {
		return c.at.Add(-time.Duration(rapid.IntRange(0, 60).Draw(rt, what)) * time.Minute)
	}
	a := told{source: rapid.SampledFrom([]string{"a", "a2", "w"}).Draw(rt, "source"), connector: rapid.SampledFrom([]string{"sink", "sink/0", "source"}).Draw(rt, "connector")}.alert(c)
	a.StartsAt = ago("began")
	if rapid.Bool().Draw(rt, "resolved") {
		a.Status, a.EndsAt = alert.Resolved, ago("ended")
	}
	return a
}

func moveNewest(rt *rapid.T, s *Store, to State) {
	list, err := s.List(context.Background(), Filter{Limit: 1})
	if err != nil {
		rt.Fatal(err)
	}
	if len(list) == 0 {
		return
	}
	if _, _, err := s.Move(context.Background(), list[0].ID, to); err != nil && !errors.Is(err, ErrTransition) {
		rt.Fatal(err)
	}
}

func agree(rt *rapid.T, s *Store) {
	ctx := context.Background()
	all, err := s.List(ctx, Filter{})
	if err != nil {
		rt.Fatal(err)
	}
	active := 0
	for _, inc := range all {
		if inc.Active() {
			active++
		}
		seen, _, err := s.open(ctx, inc.ID)
		if err != nil {
			rt.Fatal(err)
		}
		firing := slices.DeleteFunc(slices.Clone(inc.Affected), func(a Affected) bool { return !a.ResolvedAt.IsZero() })
		if seen.body.Firing != len(firing) || seen.body.Rows != len(inc.Affected) {
			rt.Fatalf("%s counts %d of %d firing, has %d of %d", inc.ID, seen.body.Firing, seen.body.Rows, len(firing), len(inc.Affected))
		}
		if inc.State == Monitoring && inc.MitigatedAt.IsZero() || inc.State == Resolved && inc.ResolvedAt.IsZero() {
			rt.Fatalf("%s is %s without its time", inc.ID, inc.State)
		}
	}
	listed, err := s.Redis.ZCard(ctx, openKey).Result() // not List, which looks again
	if err != nil || int(listed) != active || active > 1 {
		rt.Fatalf("%d listed as open, %d active, want the same and at most 1 (%v)", listed, active, err)
	}
}

func BenchmarkReceiveIntoAStorm(b *testing.B) {
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(b).Addr()})
	defer func() { _ = client.Close() }()
	c := newClock()
	s := newStore(client, c)
	for i := 0; b.Loop(); i++ {
		a := told{source: "a", connector: fmt.Sprintf("sink-%d", i%5000)}.alert(c)
		if _, _, err := s.Receive(b.Context(), a, Key{Pipeline: "orders"}); err != nil {
			b.Fatal(err)
		}
	}
}
