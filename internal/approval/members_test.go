package approval

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cdcbot/internal/seal"
)

func newMembers(t *testing.T, client redis.UniversalClient, c *clock) *Members {
	t.Helper()
	ring, err := seal.Parse("k1:" + strings.Repeat("5a", 32))
	if err != nil {
		t.Fatal(err)
	}
	return &Members{Redis: client, Now: c.now, Seal: ring}
}

func TestMembers(t *testing.T) {
	start := newClock().at
	for _, row := range []struct {
		name string
		then func(c *clock, m *Members, see func(ids ...string)) // between the first look, at U1 and U2, and the last, an hour later, at U1, U2 and U3
		want map[string]time.Duration                            // how long each is known to be in it
	}{
		{"who stays, and who is new", func(*clock, *Members, func(...string)) {}, map[string]time.Duration{"U1": time.Hour, "U2": time.Hour, "U3": 0}},
		{"who was away meanwhile is new", func(_ *clock, _ *Members, see func(...string)) { see("U1") }, map[string]time.Duration{"U1": time.Hour, "U2": 0, "U3": 0}},
		{"an empty group forgets everybody", func(_ *clock, _ *Members, see func(...string)) { see() }, map[string]time.Duration{"U1": 0, "U2": 0, "U3": 0}},
		{"another group is another matter", func(c *clock, m *Members, _ func(...string)) {
			c.at = start.Add(-time.Hour)
			_, _ = m.See(t.Context(), "S2", []string{"U3"})
		}, map[string]time.Duration{"U1": time.Hour, "U2": time.Hour, "U3": 0}},
		{"an entry written by hand", func(_ *clock, m *Members, _ func(...string)) {
			m.Redis.HSet(t.Context(), membersKey("S1"), "U3", "1000000000000", "U2", "k1:AAAA 1000000000000")
		}, map[string]time.Duration{"U1": time.Hour, "U2": 0, "U3": 0}},
		{"somebody else's entry under one's own name", func(_ *clock, m *Members, _ func(...string)) {
			m.Redis.HSet(t.Context(), membersKey("S1"), "U3", m.Redis.HGet(t.Context(), membersKey("S1"), "U1").Val())
		}, map[string]time.Duration{"U1": time.Hour, "U2": time.Hour, "U3": 0}},
		{"everything deleted", func(_ *clock, m *Members, _ func(...string)) { m.Redis.FlushAll(t.Context()) }, map[string]time.Duration{"U1": 0, "U2": 0, "U3": 0}},
	} {
		t.Run(row.name, func(t *testing.T) {
			client, _ := mini(t)
			c := newClock()
			m := newMembers(t, client, c)
			see := func(ids ...string) { must[map[string]time.Time](t)(m.See(t.Context(), "S1", ids)) }
			see("U1", "U2")
			row.then(c, m, see)
			c.at = start.Add(time.Hour)
			ids := []string{"U1", "U2", "U3"}
			got := map[string]time.Duration{}
			for id, at := range must[map[string]time.Time](t)(m.See(t.Context(), "S1", ids)) {
				got[id] = c.at.Sub(at)
			}
			if !maps.Equal(got, row.want) {
				t.Errorf("got %v, want %v", got, row.want)
			}
			c.at = c.at.Add(time.Hour)
			for id, at := range must[map[string]time.Time](t)(m.See(t.Context(), "S1", ids)) {
				if c.at.Sub(at) != row.want[id]+time.Hour {
					t.Errorf("an hour later %s is known for %s, want %s", id, c.at.Sub(at), row.want[id]+time.Hour)
				}
			}
		})
	}
}

func TestMembersWithoutRedis(t *testing.T) {
	client, server := mini(t)
	m := newMembers(t, client, newClock())
	server.Close()
	if since, err := m.See(t.Context(), "S1", []string{"U1"}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v, %v; want ErrUnavailable", since, err)
	}
}
