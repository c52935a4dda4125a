package slack

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// pace slows the opening of connections down when Slack closes them again at once. The client opens without any delay
// after a disconnect, thousands of times a minute when Slack answers too_many_websockets; apps.connections.open allows 50.
type pace struct {
	via doer
	now func() time.Time

	mu      sync.Mutex
	opened  time.Time // last time a connection was asked for
	granted bool      // whether Slack gave one then; the client itself waits after a refusal
	strikes int       // connections in a row that did not live long
}

const (
	shortLife  = 30 * time.Second // a connection that lives shorter is a strike
	freeOpens  = 2                // strikes without delay: a single refresh or drop must not cost anything
	longestGap = 30 * time.Second
)

// Do implements the HTTP client of slack-go.
func (p *pace) Do(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/apps.connections.open") {
		return p.via.Do(r)
	}
	if err := wait(r.Context(), p.gap()); err != nil {
		return nil, err
	}
	answer, err := p.via.Do(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.granted = err == nil && answer.StatusCode == http.StatusOK
	return answer, err
}

// gap is how long the next opening has to wait.
func (p *pace) gap() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	switch {
	case !p.granted:
		p.opened = now
		return 0
	case now.Sub(p.opened) < shortLife:
		p.strikes++
	default:
		p.strikes = 0
	}
	d := p.delay()
	p.opened = now.Add(d)
	return d
}

func (p *pace) delay() time.Duration {
	if p.strikes <= freeOpens {
		return 0
	}
	d := min(time.Second<<min(p.strikes-freeOpens-1, 10), longestGap)
	return d - time.Duration(rand.Int64N(int64(d)/4))
}

// storm says what many short connections mean, nil when there were none. Slack's client does not pass the reason on.
func (p *pace) storm() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.strikes <= freeOpens || p.now().Sub(p.opened) > shortLife {
		return nil
	}
	return fmt.Errorf("slack closed the last %d connections right after opening; look whether Socket Mode is switched on for the app, and whether more than ten connections are open", p.strikes)
}

// wait returns after d, or earlier with the error of ctx.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
