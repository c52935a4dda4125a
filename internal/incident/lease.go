package incident

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Lease is the sole right to work on something for a while. Its token grows with every holder, so that what a late
// holder still writes can be told from what the present one writes.
type Lease struct {
	store *Store
	name  string
	value string // what the holder's key contains: token and owner
	ttl   time.Duration
	token int64
}

//go:embed lease.lua
var leaseSource string

//go:embed release.lua
var releaseSource string

//go:embed renew.lua
var renewSource string

var (
	leaseScript   = redis.NewScript(leaseSource)
	releaseScript = redis.NewScript(releaseSource)
	renewScript   = redis.NewScript(renewSource)
)

// tokenLife is how long tokens of an unused lease keep growing; far longer than any holder can be late.
const tokenLife = 90 * 24 * time.Hour

func holderKey(name string) string { return "cdcbot:{lease:" + name + "}:holder" }
func tokenKey(name string) string  { return "cdcbot:{lease:" + name + "}:token" }

// Lease takes the lease called name for ttl. While anybody holds it, also the same owner, it is ErrLeaseHeld: two jobs of
// one process must not both believe that they hold it. The error says who does and for how long.
func (s *Store) Lease(ctx context.Context, name, owner string, ttl time.Duration) (*Lease, error) {
	if name == "" || owner == "" || ttl < time.Millisecond {
		return nil, fmt.Errorf("lease %q of %q for %s: expected a name, an owner and at least 1ms", name, owner, ttl)
	}
	answer, err := leaseScript.Run(ctx, s.Redis, []string{holderKey(name), tokenKey(name)}, owner, ttl.Milliseconds(), tokenLife.Milliseconds()).Slice()
	if err != nil {
		return nil, away("leasing "+name, err)
	}
	token, _ := answer[0].(int64)
	if token == 0 {
		return nil, fmt.Errorf("%s%s: %w", name, holder(answer), ErrLeaseHeld)
	}
	return &Lease{store: s, name: name, value: strconv.FormatInt(token, 10) + " " + owner, ttl: ttl, token: token}, nil
}

func holder(answer []any) string {
	value, _ := answer[1].(string)
	left, _ := answer[2].(int64)
	_, owner, _ := strings.Cut(value, " ")
	return fmt.Sprintf(" (by %s for %s more)", owner, time.Duration(left)*time.Millisecond)
}

// Token is the fencing token; whatever the holder writes carries it.
func (l *Lease) Token() int64 { return l.token }

// Held asks Redis whether the lease is still this one; ErrLeaseLost when not. Ask at the moment of effect.
func (l *Lease) Held(ctx context.Context) error {
	value, err := l.store.Redis.Get(ctx, holderKey(l.name)).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return away("checking lease "+l.name, err)
	}
	if err != nil || value != l.value {
		return fmt.Errorf("lease %s: %w", l.name, ErrLeaseLost)
	}
	return nil
}

// Renew keeps the lease for another ttl; ErrLeaseLost when it is no longer this one.
func (l *Lease) Renew(ctx context.Context) error {
	return l.run(ctx, renewScript, "renewing", l.value, l.ttl.Milliseconds())
}

// Release gives the lease back. One that was lost already is not an error: it is gone, as wished.
func (l *Lease) Release(ctx context.Context) error {
	err := l.run(ctx, releaseScript, "releasing", l.value)
	if errors.Is(err, ErrLeaseLost) {
		return nil
	}
	return err
}

func (l *Lease) run(ctx context.Context, script *redis.Script, doing string, args ...any) error {
	ours, err := script.Run(ctx, l.store.Redis, []string{holderKey(l.name)}, args...).Int()
	if err != nil {
		return away(doing+" lease "+l.name, err)
	}
	if ours == 0 {
		return fmt.Errorf("%s lease %s: %w", doing, l.name, ErrLeaseLost)
	}
	return nil
}
