package timeline

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"cdcbot/internal/seal"
)

func ringOf(t *testing.T, text string) *seal.Ring {
	t.Helper()
	r, err := seal.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Somebody writes straight into Redis, without the key: a chain that fits is not enough, and nothing of it is taken.
func TestForgedStream(t *testing.T) {
	keys, stranger := ringOf(t, "k1:"+strings.Repeat("5a", 32)), ringOf(t, "k1:"+strings.Repeat("66", 32))
	for _, row := range []struct {
		name  string
		forge func(client redis.UniversalClient, events []Event)
		fails bool
	}{
		{"nothing", func(redis.UniversalClient, []Event) {}, false},
		{"a whole chain of somebody else's", func(client redis.UniversalClient, _ []Event) {
			client.Del(t.Context(), streamKey("INC-1"))
			other := &Log{Redis: client, Now: time.Now, Seal: stranger}
			client.Del(t.Context(), seenKey("INC-1"))
			append3(t, other, "INC-1")
		}, true},
		{"a whole chain without seals", func(client redis.UniversalClient, _ []Event) {
			client.Del(t.Context(), streamKey("INC-1"), seenKey("INC-1"))
			append3(t, &Log{Redis: client, Now: time.Now}, "INC-1")
		}, true},
		{"one event behind the last", func(client redis.UniversalClient, _ []Event) {
			if _, err := (&Log{Redis: client, Now: time.Now}).Append(t.Context(), Event{Incident: "INC-1", Type: PlanApproved, Text: "everybody approves"}); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"an event of another incident", func(client redis.UniversalClient, _ []Event) {
			l := &Log{Redis: client, Now: time.Now, Seal: keys}
			append3(t, l, "INC-2")
			rows := client.XRange(t.Context(), streamKey("INC-2"), "-", "+").Val()
			client.Del(t.Context(), streamKey("INC-1"))
			for _, r := range rows {
				client.XAdd(t.Context(), &redis.XAddArgs{Stream: streamKey("INC-1"), ID: r.ID, Values: r.Values})
			}
		}, true},
		{"other words under the same seal", func(client redis.UniversalClient, events []Event) {
			client.Del(t.Context(), streamKey("INC-1"))
			events[1].Text = "nothing happened"
			for _, e := range events {
				body, _ := json.Marshal(e)
				client.XAdd(t.Context(), &redis.XAddArgs{Stream: streamKey("INC-1"), ID: stampOf(e.Seq), Values: []string{"hash", e.Hash, "event", string(body)}})
			}
		}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
			t.Cleanup(func() { _ = client.Close() })
			l := &Log{Redis: client, Now: time.Now, Seal: keys}
			append3(t, l, "INC-1")
			events, err := l.Events(t.Context(), "INC-1")
			if err != nil {
				t.Fatal(err)
			}
			row.forge(client, events)
			got, err := l.Events(t.Context(), "INC-1")
			if row.fails != errors.Is(err, ErrBroken) {
				t.Errorf("got %d events, %v; broken is %t", len(got), err, row.fails)
			}
		})
	}
}

func append3(t *testing.T, l *Log, incident string) {
	t.Helper()
	for _, text := range []string{"one", "two", "three"} {
		if _, err := l.Append(t.Context(), Event{Incident: incident, Type: NoteAdded, Text: text}); err != nil {
			t.Fatal(err)
		}
	}
}

func stampOf(seq int64) string { return string(rune('0'+seq)) + "-0" }

// An export proves by its chain that it is whole, and by its seals whose it is; either way a rotated key still proves.
func TestSealsOfAnExport(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	old, fresh := "k1:"+strings.Repeat("5a", 32), "k2:"+strings.Repeat("3c", 32)
	l := &Log{Redis: client, Now: time.Now, Seal: ringOf(t, old)}
	append3(t, l, "INC-1")
	l.Seal = ringOf(t, fresh+" "+old)
	append3(t, l, "INC-1")
	events, err := l.Events(t.Context(), "INC-1")
	if err != nil {
		t.Fatal(err)
	}
	doc := NewDocument(Summary{ID: "INC-1"}, events, nil, time.Now())
	for text, want := range map[string]error{fresh + " " + old: nil, old: seal.ErrUnknownKey, "k1:" + strings.Repeat("66", 32) + " " + fresh: seal.ErrForged} {
		if err := doc.VerifySeals(ringOf(t, text)); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%s: got %v, want %v", text[:6], err, want)
		}
	}
	if err := doc.Verify(); err != nil {
		t.Error(err)
	}
}
