package incident

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestLease(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		s := newStore(client, newClock())
		ctx := t.Context()
		take := func(owner string) (*Lease, error) { return s.Lease(ctx, "pipeline:orders", owner, time.Minute) }
		one := must[*Lease](t)(take("r1/RUN-1"))
		if err := errors.Join(one.Held(ctx), one.Renew(ctx)); err != nil || one.Token() != 1 {
			t.Errorf("token %d: %v", one.Token(), err)
		}
		_, err := take("r2/RUN-2")
		if !errors.Is(err, ErrLeaseHeld) || !strings.Contains(err.Error(), "r1/RUN-1") {
			t.Errorf("another owner: %v, want ErrLeaseHeld that names the holder", err)
		}
		if _, err := take("r1/RUN-1"); !errors.Is(err, ErrLeaseHeld) {
			t.Errorf("a second job of the same run: %v, want ErrLeaseHeld", err)
		}
		if err := one.Renew(ctx); err != nil {
			t.Errorf("the holder lost it to refused takers: %v", err)
		}
		if err := one.Release(ctx); err != nil {
			t.Error(err)
		}
		two := must[*Lease](t)(take("r2/RUN-2"))
		if two.Token() != 2 {
			t.Errorf("token %d, want 2", two.Token())
		}
		if !errors.Is(one.Held(ctx), ErrLeaseLost) || !errors.Is(one.Renew(ctx), ErrLeaseLost) {
			t.Error("the old holder still believes that it holds the lease")
		}
		if err := one.Release(ctx); err != nil || two.Held(ctx) != nil {
			t.Errorf("a late release: %v; the new holder: %v", err, two.Held(ctx))
		}
	})
}

func TestLeaseRunsOut(t *testing.T) {
	client, m := mini(t)
	s := newStore(client, newClock())
	ctx := t.Context()
	one := must[*Lease](t)(s.Lease(ctx, "x", "r1", 10*time.Second))
	m.FastForward(9 * time.Second)
	if err := one.Renew(ctx); err != nil {
		t.Fatal(err)
	}
	m.FastForward(9 * time.Second)
	if err := one.Held(ctx); err != nil {
		t.Fatalf("renewed a second before: %v", err)
	}
	m.FastForward(2 * time.Second)
	if !errors.Is(one.Held(ctx), ErrLeaseLost) || !errors.Is(one.Renew(ctx), ErrLeaseLost) {
		t.Error("held after its time")
	}
	if two := must[*Lease](t)(s.Lease(ctx, "x", "r1", time.Second)); two.Token() != 2 {
		t.Errorf("token %d, want 2: a holder of the same name is another holder", two.Token())
	}
}

func TestLeaseRunsOutOnRedis(t *testing.T) {
	s := newStore(startRedis(t).client, newClock())
	one := must[*Lease](t)(s.Lease(t.Context(), "x", "r1", 30*time.Millisecond))
	eventually(t, "the lease runs out", func() bool { return errors.Is(one.Held(t.Context()), ErrLeaseLost) })
}

func TestOneHolderAtATime(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		s := newStore(client, newClock())
		var group sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 50 {
			group.Go(func() {
				_, err := s.Lease(context.Background(), "pipeline:orders", "r1", time.Minute)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case !errors.Is(err, ErrLeaseHeld):
					t.Error(err)
				}
			})
		}
		group.Wait()
		if won != 1 {
			t.Errorf("%d holders at once", won)
		}
	})
}

func TestLeaseNames(t *testing.T) {
	client, _ := mini(t)
	s := newStore(client, newClock())
	for _, name := range []string{"pipeline:a", "pipeline:a b", "}", "{", "{}", "a}b{c", "größe", "\x00"} {
		if _, err := s.Lease(t.Context(), name, "r", time.Minute); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, bad := range []struct {
		name, owner string
		ttl         time.Duration
	}{{"", "r", time.Minute}, {"x", "", time.Minute}, {"x", "r", 0}, {"x", "r", -time.Second}, {"x", "r", time.Microsecond}} {
		if _, err := s.Lease(t.Context(), bad.name, bad.owner, bad.ttl); err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("%+v: %v, want an error that says what is expected", bad, err)
		}
	}
}
