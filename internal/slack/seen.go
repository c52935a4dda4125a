package slack

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Seen remembers which envelopes were handled. Slack delivers again what it believes lost, up to five minutes later and
// through any connection. An envelope counts as handled only after Done: a retry of one that was not completed is
// handled again, a retry of one under way is not.
type Seen interface {
	// Begin says where key stands. At Fresh the caller handles it, and says Done or Forget afterwards.
	Begin(ctx context.Context, key string) (Standing, error)
	// Done says that key is handled.
	Done(ctx context.Context, key string) error
	// Forget says that handling key failed, so that a retry is handled.
	Forget(ctx context.Context, key string) error
}

// Standing is how far the handling of an envelope is.
type Standing string

// The standings.
const (
	Fresh    Standing = "fresh"     // nobody has handled it or is handling it
	UnderWay Standing = "under way" // somebody is handling it, and may yet fail
	Handled  Standing = "handled"
)

const (
	seenFor = time.Hour       // longer than Slack's last retry, which comes after six minutes
	heldFor = 3 * time.Minute // a handler that died holds its envelope no longer; longer than a command may take
)

// SeenHere is a Seen in this process's memory.
type SeenHere struct {
	now func() time.Time

	mu      sync.Mutex
	known   map[string]standing
	cleaned time.Time
}

type standing struct {
	is    Standing
	until time.Time
}

// NewSeenHere returns an empty memory.
func NewSeenHere(now func() time.Time) *SeenHere {
	return &SeenHere{now: now, known: map[string]standing{}, cleaned: now()}
}

// Begin implements Seen.
func (s *SeenHere) Begin(_ context.Context, key string) (Standing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.clean(now)
	if k, known := s.known[key]; known && now.Before(k.until) {
		return k.is, nil
	}
	s.known[key] = standing{UnderWay, now.Add(heldFor)}
	return Fresh, nil
}

// Done implements Seen.
func (s *SeenHere) Done(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[key] = standing{Handled, s.now().Add(seenFor)}
	return nil
}

// Forget implements Seen.
func (s *SeenHere) Forget(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, key)
	return nil
}

// clean drops what is too old, once a minute.
func (s *SeenHere) clean(now time.Time) {
	if now.Sub(s.cleaned) < time.Minute {
		return
	}
	s.cleaned = now
	for key, k := range s.known {
		if !now.Before(k.until) {
			delete(s.known, key)
		}
	}
}

// SeenRedis is a Seen that all replicas share: keys cdcbot:seen:<key>.
type SeenRedis struct {
	Redis redis.UniversalClient
}

func seenKey(key string) string { return "cdcbot:seen:" + key }

// Begin implements Seen. SET NX decides; GET only tells the losers how far the winner is.
func (s SeenRedis) Begin(ctx context.Context, key string) (Standing, error) {
	err := s.Redis.SetArgs(ctx, seenKey(key), string(UnderWay), redis.SetArgs{Mode: "NX", TTL: heldFor}).Err()
	if err == nil {
		return Fresh, nil
	}
	if !errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("marking envelope %s: %w", key, err)
	}
	before, err := s.Redis.Get(ctx, seenKey(key)).Result()
	if errors.Is(err, redis.Nil) {
		return UnderWay, nil // it was given back this moment; the next retry is handled
	}
	if err != nil {
		return "", fmt.Errorf("reading how far envelope %s is: %w", key, err)
	}
	return Standing(before), nil
}

// Done implements Seen.
func (s SeenRedis) Done(ctx context.Context, key string) error {
	if err := s.Redis.Set(ctx, seenKey(key), string(Handled), seenFor).Err(); err != nil {
		return fmt.Errorf("marking envelope %s as done: %w", key, err)
	}
	return nil
}

// Forget implements Seen.
func (s SeenRedis) Forget(ctx context.Context, key string) error {
	if err := s.Redis.Del(ctx, seenKey(key)).Err(); err != nil {
		return fmt.Errorf("forgetting envelope %s: %w", key, err)
	}
	return nil
}
