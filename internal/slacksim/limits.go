package slacksim

import (
	"sync"

	"golang.org/x/time/rate"
)

// limits are Slack's rate limits: each method has its tier's calls a minute, and posting has one message a second for
// each channel with a burst (docs.slack.dev/apis/web-api/rate-limits). Bursts are generous, as they really are.
type limits struct {
	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

func newLimits() *limits { return &limits{buckets: map[string]*rate.Limiter{}} }

// tiers are calls a minute; 5 is the special tier of posting.
var tiers = map[int]int{1: 1, 2: 20, 3: 50, 4: 100, 5: 300}

func (l *limits) allow(name string, tier int, channel string) bool {
	if tier == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.bucket(name, rate.Limit(float64(tiers[tier])/60), tiers[tier]).Allow() {
		return false
	}
	if name != "chat.postMessage" {
		return true
	}
	return l.bucket(name+" "+channel, 1, 20).Allow()
}

func (l *limits) bucket(key string, r rate.Limit, burst int) *rate.Limiter {
	b := l.buckets[key]
	if b == nil {
		b = rate.NewLimiter(r, burst)
		l.buckets[key] = b
	}
	return b
}
