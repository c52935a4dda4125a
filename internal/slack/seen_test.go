package slack

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// TestSeen runs the same table on both memories.
func TestSeen(t *testing.T) {
	now := noon
	server := miniredis.RunT(t)
	for name, s := range map[string]Seen{
		"here":  NewSeenHere(func() time.Time { return now }),
		"redis": SeenRedis{Redis: redis.NewClient(&redis.Options{Addr: server.Addr()})},
	} {
		pass := func(d time.Duration) { now = now.Add(d); server.FastForward(d) }
		begin := func(what, key string, want Standing) {
			t.Helper()
			if got, err := s.Begin(t.Context(), key); err != nil || got != want {
				t.Errorf("%s: %s: got %q %v, want %q", name, what, got, err, want)
			}
		}
		begin("first delivery", "a", Fresh)
		begin("retry of one under way", "a", UnderWay)
		if err := s.Forget(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		begin("retry of one that failed", "a", Fresh)
		if err := s.Done(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		begin("retry of a handled one", "a", Handled)
		pass(10 * time.Minute)
		begin("slack's last retry", "a", Handled)
		pass(2 * time.Hour)
		begin("much later", "a", Fresh)
		begin("handler dies", "b", Fresh)
		pass(heldFor + time.Second)
		begin("retry after its death", "b", Fresh)
	}
}
