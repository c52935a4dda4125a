package link

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/gorilla/websocket"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
)

// Pool keeps as many links as its options say.
type Pool struct {
	options Options
	times   times
	log     *zap.Logger
	dialer  *websocket.Dialer
	opens   *rate.Limiter

	mu       sync.Mutex
	standing []*wire // greeted and not ended, the newest last
	last     error   // why the newest attempt failed
	told     int     // what Count was told
	ever     bool    // whether a link has stood
	ends     sync.WaitGroup
}

var errConnecting = errors.New("not connected yet")

// New returns a pool that stands still until Run.
func New(o Options) *Pool {
	if o.Links == 0 {
		o.Links = 2
	}
	p := &Pool{options: o, times: o.times, log: o.Logger, dialer: o.Dialer, last: errConnecting}
	if p.times == (times{}) {
		p.times = usual
	}
	if p.log == nil {
		p.log = zap.NewNop()
	}
	if p.dialer == nil {
		p.dialer = &websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: p.times.hello}
	}
	// One frame for one acknowledgement: Slack drops those that come in pieces.
	d := *p.dialer
	d.WriteBufferSize = maxAck + 1<<10
	p.dialer = &d
	p.opens = rate.NewLimiter(rate.Every(p.times.refill), p.times.burst)
	return p
}

// Run keeps the links until ctx ends or Slack refuses for good before a link has stood; later a refusal fails Ready and
// is tried again, since somebody may mend it while the rest of the process works on. It returns once every link is closed.
func (p *Pool) Run(ctx context.Context) error {
	group, inner := errgroup.WithContext(ctx)
	for i := range p.options.Links {
		group.Go(func() error { return p.keep(inner, i) })
	}
	err := group.Wait()
	p.farewell()
	p.ends.Wait()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil
	}
	return err
}

// Ready returns nil while a link stands, otherwise why none does.
func (p *Pool) Ready() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.standing) > 0 {
		return nil
	}
	return p.last
}

// Standing is how many links stand; while one is being replaced both count.
func (p *Pool) Standing() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.standing)
}

// Failed notes why no link can stand, for Ready.
func (p *Pool) Failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = err
}

// keep holds one place: its link is replaced whenever it is about to end or has ended.
func (p *Pool) keep(ctx context.Context, place int) error {
	log := p.log.With(zap.Int("connection", place+1))
	pause := p.times.first
	for {
		w, err := p.connect(ctx, log)
		if err == nil {
			err = p.watch(ctx, w)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if permanent(err) && !p.stood() {
			return err
		}
		if err == nil {
			pause = p.times.first
			continue
		}
		p.Failed(err)
		d := pauseAfter(err, pause)
		log.Warn("no connection to slack; trying again", zap.Error(err), zap.Duration("in", d))
		if err := sleep(ctx, d); err != nil {
			return err
		}
		pause = min(2*pause, p.times.longest)
	}
}

func permanent(err error) bool {
	var p *backoff.PermanentError
	return errors.As(err, &p)
}

// pauseAfter is the pause that Slack asked for, or ours with some jitter, so that replicas do not come in step.
func pauseAfter(err error, pause time.Duration) time.Duration {
	var told *backoff.RetryAfterError
	if errors.As(err, &told) {
		return told.Duration
	}
	return pause - rand.N(pause/4)
}

// connect opens a link and returns it once Slack has greeted.
func (p *Pool) connect(ctx context.Context, log *zap.Logger) (*wire, error) {
	if err := p.opens.Wait(ctx); err != nil {
		return nil, err
	}
	url, err := p.options.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting to slack: %w", err)
	}
	conn, answer, err := p.dialer.DialContext(ctx, url, nil)
	if answer != nil && answer.Body != nil {
		_ = answer.Body.Close() // gorilla has read what there was
	}
	if err != nil {
		return nil, fmt.Errorf("connecting to slack: %w", err)
	}
	w := newWire(p, conn, log)
	if err := p.greet(ctx, w); err != nil {
		w.close()
		<-w.written
		return nil, err
	}
	p.stand(w)
	return w, nil
}

func (p *Pool) greet(ctx context.Context, w *wire) error {
	timer := time.NewTimer(p.times.hello)
	defer timer.Stop()
	select {
	case <-w.greeted:
		return nil
	case reason := <-w.leaving:
		return refusal(reason)
	case <-w.ended:
		return fmt.Errorf("slack closed the connection before it greeted: %w", w.why)
	case <-timer.C:
		return fmt.Errorf("slack did not greet within %s", p.times.hello)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watch returns when the link needs a successor: nil to open it at once, an error to wait first.
func (p *Pool) watch(ctx context.Context, w *wire) error {
	select {
	case reason := <-w.leaving:
		if err, no := refusals[reason]; no {
			w.farewell()
			return errors.New(err)
		}
		// Its successor is opened first; Slack closes it when it likes, and we do when it forgets.
		time.AfterFunc(p.times.drain, w.close)
		return nil
	case <-w.ended:
		w.log.Info("the connection to slack has ended", zap.Error(w.why))
		p.Failed(fmt.Errorf("the connection to slack has ended: %w", w.why))
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func refusal(reason string) error {
	if why, known := refusals[reason]; known {
		return errors.New(why)
	}
	return fmt.Errorf("slack closed the connection before it greeted: %q", reason)
}

// stand counts a link until it ends.
func (p *Pool) stand(w *wire) {
	p.mu.Lock()
	p.standing, p.ever = append(p.standing, w), true
	p.mu.Unlock()
	p.count()
	p.ends.Go(func() {
		<-w.ended
		p.mu.Lock()
		p.standing = slices.DeleteFunc(p.standing, func(x *wire) bool { return x == w })
		p.mu.Unlock()
		p.count()
	})
}

func (p *Pool) stood() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ever
}

func (p *Pool) count() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.standing); p.options.Count != nil && n != p.told {
		p.told = n
		p.options.Count(n)
	}
}

// farewell closes one link after the other, so that what comes on the first can still be acknowledged on the last.
func (p *Pool) farewell() {
	p.mu.Lock()
	links := slices.Clone(p.standing)
	p.mu.Unlock()
	for _, w := range links {
		w.farewell()
	}
}

// send queues an acknowledgement on the envelope's own link, or on another.
func (p *Pool) send(e Envelope, frame []byte) error {
	o := outgoing{envelope: e, frame: frame}
	if e.via.offer(o) || p.elsewhere(e.via, o) {
		return nil
	}
	p.acked(e, ErrGone)
	return ErrGone
}

// elsewhere queues on any other link that stands, the newest first.
func (p *Pool) elsewhere(not *wire, o outgoing) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	o.moved = true
	for _, w := range slices.Backward(p.standing) {
		if w != not && w.offer(o) {
			return true
		}
	}
	return false
}

// leftover moves what a dying link did not take to another one, once.
func (p *Pool) leftover(from *wire, o outgoing) {
	if o.moved || !p.elsewhere(from, o) {
		p.acked(o.envelope, ErrGone)
	}
}

func (p *Pool) acked(e Envelope, err error) {
	if p.options.Acked != nil {
		p.options.Acked(e, err)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
