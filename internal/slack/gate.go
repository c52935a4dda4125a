package slack

import (
	"context"
	"sync"
	"time"
)

// gate lets calls through at the rate that Slack allows, those that matter most first. Slack's own counters are per
// method and workspace; a call that it refuses all the same closes the gate for as long as Slack says.
type gate struct {
	every time.Duration // between calls once the burst is used up
	burst float64

	mu      sync.Mutex
	tokens  float64
	counted time.Time
	closed  time.Time // until when
	waiting []*waiter // in order of arrival
}

type waiter struct {
	rank int
	wake chan struct{}
}

func newGate(every time.Duration, burst int) *gate {
	return &gate{every: every, burst: float64(burst), tokens: float64(burst), counted: time.Now()}
}

// pass returns when it is this call's turn; a lower rank goes first.
func (g *gate) pass(ctx context.Context, rank int) error {
	w := &waiter{rank: rank, wake: make(chan struct{}, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, w)
	g.mu.Unlock()
	defer g.leave(w)
	for {
		turn, again := g.turn(w)
		if turn {
			return ctx.Err()
		}
		timer := time.NewTimer(again)
		select {
		case <-timer.C:
		case <-w.wake:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// turn takes a token when w is first; otherwise it says when to look again.
func (g *gate) turn(w *waiter) (bool, time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.tokens = min(g.burst, g.tokens+float64(now.Sub(g.counted))/float64(g.every))
	g.counted = now
	if now.Before(g.closed) {
		return false, g.closed.Sub(now)
	}
	if g.first() != w {
		return false, time.Minute // woken when the one before leaves
	}
	if g.tokens < 1 {
		return false, time.Duration((1-g.tokens)*float64(g.every)) + time.Millisecond
	}
	g.tokens--
	return true, 0
}

func (g *gate) first() *waiter {
	best := g.waiting[0]
	for _, w := range g.waiting[1:] {
		if w.rank < best.rank {
			best = w
		}
	}
	return best
}

func (g *gate) leave(w *waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.waiting {
		if other == w {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			break
		}
	}
	if len(g.waiting) > 0 {
		select {
		case g.first().wake <- struct{}{}:
		default:
		}
	}
}

// close keeps everybody out until t.
func (g *gate) close(t time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.After(g.closed) {
		g.closed = t
	}
}
