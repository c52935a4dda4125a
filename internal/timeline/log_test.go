package timeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"cdcbot/internal/redact"
)

func note(text string) Event {
	return Event{Incident: "INC-1", Type: NoteAdded, Actor: Person("U1", "oncall"), Text: text}
}

func TestAppend(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		c := newClock()
		c.at = c.at.Add(1234567 * time.Nanosecond)
		l := newLog(client, c)
		if _, err := l.Events(t.Context(), "INC-1"); !errors.Is(err, ErrNotFound) {
			t.Errorf("before the first event: %v, want ErrNotFound", err)
		}
		if seq, hash, err := l.Head(t.Context(), "INC-1"); seq != 0 || hash != "" || err != nil {
			t.Errorf("head of nothing: %d %q %v", seq, hash, err)
		}
		first := note("one")
		first.Data = json.RawMessage(` {"b": 12345678901234567890, "a": [1.50, "<x>"]} `)
		first.Seq, first.Hash, first.Prev, first.Time = 99, "forged", "forged", c.at.Add(time.Hour)
		one := must[Event](t)(l.Append(t.Context(), first))
		two := must[Event](t)(l.Append(t.Context(), note("two")))
		want := note("one")
		want.Seq, want.Time, want.Data, want.Hash = 1, time.Date(2026, 3, 1, 10, 0, 0, int(time.Millisecond), time.UTC), json.RawMessage(`{"a":[1.50,"<x>"],"b":12345678901234567890}`), one.Hash
		if diff := cmp.Diff(want, one); diff != "" {
			t.Error(diff)
		}
		if two.Seq != 2 || two.Prev != one.Hash {
			t.Errorf("the second: %+v", two)
		}
		events := must[[]Event](t)(l.Events(t.Context(), "INC-1"))
		if diff := cmp.Diff([]Event{one, two}, events); diff != "" {
			t.Error(diff)
		}
		seq, hash, err := l.Head(t.Context(), "INC-1")
		if seq != 2 || hash != two.Hash || err != nil || Verify(events) != nil {
			t.Errorf("head %d %q %v; chain: %v", seq, hash, err, Verify(events))
		}
	})
}

// The hash is written down here so that no change of code can silently change what is verified.
func TestHashStaysTheSame(t *testing.T) {
	e := Event{Seq: 7, Time: time.Date(2026, 3, 1, 10, 0, 0, 120_000_000, time.UTC), Incident: "INC-1", Type: PlanApproved, Actor: Person("U1", "<approver>"),
		Text: "grün & gut", Data: json.RawMessage(`{"z":1,"a":{"y":2.0,"x":null}}`), Key: "k", Prev: "abc"}
	got := must[string](t)(sum(e))
	if want := "f90d17f7619e56c2053f905147a052594a7d584848b9407789b002e2439121dc"; got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
}

func TestTheSameKeyIsTheSameEvent(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		l := newLog(client, newClock())
		keyed := note("first")
		keyed.Key = "webhook:1"
		one := must[Event](t)(l.Append(t.Context(), keyed))
		must[Event](t)(l.Append(t.Context(), note("between")))
		keyed.Text = "again"
		if again := must[Event](t)(l.Append(t.Context(), keyed)); again.Text != "first" || again.Seq != 1 || again.Hash != one.Hash {
			t.Errorf("again: %+v, want the first", again)
		}
		keyed.Incident = "INC-2"
		if other := must[Event](t)(l.Append(t.Context(), keyed)); other.Text != "again" {
			t.Errorf("another incident: %+v", other)
		}
		if got := len(must[[]Event](t)(l.Events(t.Context(), "INC-1"))); got != 2 {
			t.Errorf("%d events, want 2", got)
		}
	})
}

// Writers on several replicas at once, some of them retrying the same event: no gap, no double, the chain holds.
func TestManyWriters(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		c := newClock()
		replicas := []*Log{newLog(client, c), newLog(client, c), newLog(client, c)}
		var group sync.WaitGroup
		for n := range 60 {
			group.Go(func() {
				for i := range 5 {
					e := note(fmt.Sprint(n, " ", i))
					if i == 0 {
						e.Key = fmt.Sprint("key ", n/3) // three writers each
					}
					if _, err := replicas[n%3].Append(context.Background(), e); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		events := must[[]Event](t)(replicas[0].Events(t.Context(), "INC-1"))
		if want := 60*4 + 20; len(events) != want || Verify(events) != nil {
			t.Errorf("%d events, want %d; chain: %v", len(events), want, Verify(events))
		}
	})
}

func TestManyPages(t *testing.T) {
	client, _ := mini(t)
	l := newLog(client, newClock())
	for i := range 2*page + 1 {
		must[Event](t)(l.Append(t.Context(), note(fmt.Sprint(i))))
	}
	events := must[[]Event](t)(l.Events(t.Context(), "INC-1"))
	if len(events) != 2*page+1 || Verify(events) != nil {
		t.Errorf("%d events: %v", len(events), Verify(events))
	}
}

func TestCleaning(t *testing.T) {
	client, _ := mini(t)
	l := newLog(client, newClock())
	for i, row := range []struct {
		name string
		in   Event
	}{
		{"invalid UTF-8 everywhere", Event{Type: "a\xff", Actor: Actor{"k\xff", "i\xff", "n\xff"}, Text: "t\xff", Data: json.RawMessage("{\"d\xff\":\"\xff\"}"), Key: "k\xff"}},
		{"control characters", Event{Type: NoteAdded, Text: "a\x00b\x1b[31m\u2028\u2029", Data: json.RawMessage(`{"a":"\u0000\ud800"}`)}},
		{"markup", Event{Type: NoteAdded, Text: "<!channel> & <b>", Data: json.RawMessage(`["<&>\u2028"]`)}},
		{"no data", Event{Type: NoteAdded, Data: json.RawMessage("null")}},
		{"blank data", Event{Type: NoteAdded, Data: json.RawMessage(" \n")}},
		{"duplicate keys", Event{Type: NoteAdded, Data: json.RawMessage(`{"a":1,"a":2}`)}},
		{"odd numbers", Event{Type: NoteAdded, Data: json.RawMessage(`[-0, 1e400, 0.1e-9, 100000000000000000000000]`)}},
		{"megabytes", Event{Type: NoteAdded, Text: strings.Repeat("größe", 200_000)}},
	} {
		row.in.Incident = fmt.Sprint("INC-", i+1)
		if _, err := l.Append(t.Context(), row.in); err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		events := must[[]Event](t)(l.Events(t.Context(), row.in.Incident))
		d := NewDocument(Summary{ID: row.in.Incident}, events, nil, l.Now())
		if err := throughJSON(t, d).Verify(); err != nil {
			t.Errorf("%s: after an export: %v", row.name, err)
		}
		if len(events[0].Text) > longestText+100 {
			t.Errorf("%s: text of %d bytes was kept", row.name, len(events[0].Text))
		}
	}
}

func throughJSON(t *testing.T, d Document) Document {
	t.Helper()
	return must[Document](t)(ParseJSON(strings.NewReader(export(t, "json", d))))
}

func export(t *testing.T, format string, d Document) string {
	t.Helper()
	var b strings.Builder
	if err := Export(&b, format, d.Report()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRefusals(t *testing.T) {
	client, _ := mini(t)
	l := newLog(client, newClock())
	with := func(change func(*Event)) Event { e := note("x"); change(&e); return e }
	for _, row := range []struct {
		name string
		in   Event
		want string
	}{
		{"no incident", with(func(e *Event) { e.Incident = "" }), "INC-7"},
		{"braces would leave the hash slot", with(func(e *Event) { e.Incident = "a}{b" }), "INC-7"},
		{"blank in the incident", with(func(e *Event) { e.Incident = "INC 1" }), "INC-7"},
		{"long incident", with(func(e *Event) { e.Incident = strings.Repeat("A", 65) }), "INC-7"},
		{"no type", with(func(e *Event) { e.Type = "" }), "note.added"},
		{"long key", with(func(e *Event) { e.Key = strings.Repeat("k", longestKey+1) }), "at most 1024"},
		{"broken data", with(func(e *Event) { e.Data = json.RawMessage(`{"a":`) }), "data"},
		{"two values", with(func(e *Event) { e.Data = json.RawMessage(`{} {}`) }), "data"},
		{"not JSON", with(func(e *Event) { e.Data = json.RawMessage(`hello`) }), "data"},
	} {
		if _, err := l.Append(t.Context(), row.in); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want an error with %q", row.name, err, row.want)
		}
	}
	if keys := client.Keys(t.Context(), "*").Val(); len(keys) != 0 {
		t.Errorf("refused events left %v", keys)
	}
}

// Secrets never reach an event, wherever they hide.
func TestSecretsStayOut(t *testing.T) {
	client, _ := mini(t)
	l := newLog(client, newClock())
	l.Redact = redact.New("s3cr3t-v4lue").Text
	must[Event](t)(l.Append(t.Context(), Event{Incident: "INC-1", Type: StepFailed, Actor: Actor{Kind: "person", Name: "s3cr3t-v4lue"},
		Text: "postgres://bot:hunter2@db/warehouse refused, password=hunter2",
		Data: json.RawMessage(`{"output":"token=hunter2","config":{"connection.password":"hunter2","connection.user":"bot","nested":[{"secret":"hunter2"},"s3cr3t-v4lue"]},"passwords":["hunter2","hunter2"],"run":"RUN-1","step":2,"digest":"d1ce5"}`)}))
	for _, entry := range client.XRange(t.Context(), streamKey("INC-1"), "-", "+").Val() {
		text := fmt.Sprint(entry.Values)
		if strings.Contains(text, "hunter2") || strings.Contains(text, "s3cr3t") {
			t.Errorf("a secret is in Redis: %s", text)
		}
		for _, kept := range []string{"warehouse", `"connection.user":"bot"`, `"run":"RUN-1"`, `"step":2`, `"digest":"d1ce5"`} {
			if !strings.Contains(text, kept) {
				t.Errorf("%s was taken out: %s", kept, text)
			}
		}
	}
	if err := Verify(must[[]Event](t)(l.Events(t.Context(), "INC-1"))); err != nil {
		t.Error(err)
	}
}

// Any events by any writers in any order: the chain holds, and every alteration of it is found.
func TestAnyChain(t *testing.T) {
	client, m := mini(t)
	rapid.Check(t, func(rt *rapid.T) {
		m.FlushAll()
		c := newClock()
		logs := []*Log{newLog(client, c), newLog(client, c)}
		for i := range rapid.IntRange(2, 12).Draw(rt, "events") {
			c.at = c.at.Add(time.Duration(rapid.IntRange(-300_000, 300_000).Draw(rt, "ms")) * time.Millisecond) // clocks disagree
			e := Event{Incident: "INC-1", Type: Type("t" + rapid.String().Draw(rt, "type")), Text: rapid.String().Draw(rt, "text"), Actor: Actor{Kind: "bot", Name: rapid.String().Draw(rt, "name")}}
			e.Data, _ = json.Marshal(rapid.MapOf(rapid.String(), rapid.String()).Draw(rt, "data"))
			if _, err := logs[i%2].Append(rt.Context(), e); err != nil {
				rt.Fatal(err)
			}
		}
		events, err := logs[0].Events(rt.Context(), "INC-1")
		if err != nil || Verify(events) != nil {
			rt.Fatalf("%v; chain: %v", err, Verify(events))
		}
		forged := forge(rt, events)
		if err := Verify(forged); !errors.Is(err, ErrBroken) {
			rt.Fatalf("forged\n%+v\nverified: %v", forged, err)
		}
	})
}

// forge alters events in one way; cutting off the end is not among them, it takes the head to see that.
func forge(rt *rapid.T, events []Event) []Event {
	i := rapid.IntRange(0, len(events)-1).Draw(rt, "which")
	e := events[i]
	switch rapid.SampledFrom([]string{"text", "type", "actor", "time", "data", "key", "incident", "drop", "swap", "double"}).Draw(rt, "how") {
	case "text":
		e.Text += "."
	case "type":
		e.Type += "."
	case "actor":
		e.Actor.ID += "x"
	case "time":
		e.Time = e.Time.Add(time.Millisecond)
	case "data":
		e.Data = json.RawMessage(`{"forged":1}`)
	case "key":
		e.Key += "x"
	case "incident":
		e.Incident += "0"
	case "drop":
		i = rapid.IntRange(0, len(events)-2).Draw(rt, "dropped")
		return append(append([]Event{}, events[:i]...), events[i+1:]...)
	case "swap":
		i = rapid.IntRange(0, len(events)-2).Draw(rt, "swapped")
		swapped := append([]Event{}, events...)
		swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
		return swapped
	case "double":
		return append(append([]Event{}, events[:i+1]...), events[i:]...)
	}
	forged := append([]Event{}, events...)
	forged[i] = e
	return forged
}

func TestRedisAway(t *testing.T) {
	client, m := mini(t)
	l := newLog(client, newClock())
	must[Event](t)(l.Append(t.Context(), note("one")))
	m.Close()
	for name, call := range map[string]func(context.Context) error{
		"append": func(ctx context.Context) error { _, err := l.Append(ctx, note("two")); return err },
		"events": func(ctx context.Context) error { _, err := l.Events(ctx, "INC-1"); return err },
		"head":   func(ctx context.Context) error { _, _, err := l.Head(ctx, "INC-1"); return err },
	} {
		if err := call(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
}

// What Append has returned survives kill -9, in the middle of a burst.
func TestRedisCrash(t *testing.T) {
	p := startRedis(t)
	l := newLog(p.client, newClock())
	for round := range 3 {
		for i := range 50 {
			must[Event](t)(l.Append(t.Context(), note(fmt.Sprint(round, " ", i))))
		}
		p.kill()
		if _, err := l.Append(t.Context(), note("lost")); !errors.Is(err, ErrUnavailable) {
			t.Errorf("while away: %v, want ErrUnavailable", err)
		}
		p.start()
		events := must[[]Event](t)(l.Events(t.Context(), "INC-1"))
		if want := 50 * (round + 1); len(events) != want || Verify(events) != nil {
			t.Fatalf("after crash %d: %d events, want %d; chain: %v", round+1, len(events), want, Verify(events))
		}
	}
}

// What somebody wrote into the stream by hand is an error, not a panic.
func TestForeignEntries(t *testing.T) {
	client, _ := mini(t)
	l := newLog(client, newClock())
	must[Event](t)(l.Append(t.Context(), note("one")))
	client.XAdd(t.Context(), &redis.XAddArgs{Stream: streamKey("INC-1"), ID: "2-0", Values: []string{"x", "y"}})
	if _, err := l.Events(t.Context(), "INC-1"); !errors.Is(err, ErrBroken) {
		t.Errorf("events: %v, want ErrBroken", err)
	}
	if _, _, err := l.Head(t.Context(), "INC-1"); !errors.Is(err, ErrBroken) {
		t.Errorf("head: %v, want ErrBroken", err)
	}
	if _, err := l.Append(t.Context(), note("three")); !errors.Is(err, ErrBroken) {
		t.Errorf("append: %v, want ErrBroken", err)
	}
}
