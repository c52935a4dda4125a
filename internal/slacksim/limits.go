package slacksim

import (
	"math"
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

// special is the tier of methods whose limits Slack does not number.
const special = 5

// tiers are calls a minute.
var tiers = map[int]int{1: 1, 2: 20, 3: 50, 4: 100, special: 300}

// wait is for how many seconds a call must not be made yet, 0 when it may.
func (l *limits) wait(name string, tier int, channel string) int {
	if tier == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if seconds := take(l.bucket(name, rate.Limit(float64(tiers[tier])/60), tiers[tier])); seconds > 0 {
		return seconds
	}
	if name != "chat.postMessage" {
		return 0
	}
	return take(l.bucket(name+" "+channel, 1, 20))
}

// take takes one call, or says in how many seconds there is one.
func take(b *rate.Limiter) int {
	r := b.Reserve()
	delay := r.Delay()
	if delay == 0 {
		return 0
	}
	r.Cancel()
	return int(math.Ceil(delay.Seconds()))
}

func (l *limits) bucket(key string, r rate.Limit, burst int) *rate.Limiter {
	b := l.buckets[key]
	if b == nil {
		b = rate.NewLimiter(r, burst)
		l.buckets[key] = b
	}
	return b
}
