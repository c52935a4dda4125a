// Package breaker keeps the bot from asking again and again what is not there: after some failures in a row a target is
// left alone for a moment, then one question is let through, and its end decides. A database that hangs then costs its
// deadline a few times and not in every look of every pipeline, and a target that comes back is not met by a crowd. Only
// the way there counts: an answer is an answer, also one of 4xx or 5xx. What is not asked says so, since when and until
// when, and keeps the error that was the reason, so that a diagnosis reads the same cause as before.
package breaker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// State is how a breaker stands; its number is what the metric tells.
type State int

// The states of a breaker.
const (
	Closed   State = iota // questions pass
	HalfOpen              // the pause is over: one question passes, and decides
	Open                  // none passes
)

// String is the state as people read it.
func (s State) String() string { return [...]string{"closed", "half-open", "open"}[s] }

// Options are the same for all breakers of a Set.
type Options struct {
	Failures int                            // in a row, until a breaker opens; 5 when zero
	Pause    time.Duration                  // for which it stays open; 5 s when zero
	Changed  func(target string, now State) // is told of each change; nil for nobody. It must not wait
}

// Set is the breakers of all targets, made when they are first asked for. A nil Set has none: everything passes.
type Set struct {
	options Options

	mu   sync.Mutex
	list map[string]*Breaker
}

// New makes an empty set.
func New(o Options) *Set {
	o.Failures, o.Pause = cmp.Or(max(o.Failures, 0), 5), cmp.Or(max(o.Pause, 0), 5*time.Second)
	return &Set{options: o, list: map[string]*Breaker{}}
}

// Of is the breaker of a target, such as "warehouse/postgres"; the same name is the same breaker.
func (s *Set) Of(target string) *Breaker {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.list[target] == nil {
		s.list[target] = newBreaker(target, s.options)
	}
	return s.list[target]
}

// All are the breakers, sorted by target.
func (s *Set) All() []*Breaker {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Breaker, 0, len(s.list))
	for _, b := range s.list {
		list = append(list, b)
	}
	slices.SortFunc(list, func(a, b *Breaker) int { return cmp.Compare(a.target, b.target) })
	return list
}

// Forgive closes the breakers of all targets that begin so: something was done about them, and they are worth a question.
func (s *Set) Forgive(prefix string) {
	for _, b := range s.All() {
		if strings.HasPrefix(b.target, prefix) {
			b.forgive()
		}
	}
}

// Breaker guards the way to one target. A nil Breaker lets everything pass.
type Breaker struct {
	target   string
	pause    time.Duration
	settings gobreaker.Settings
	circuit  atomic.Pointer[gobreaker.TwoStepCircuitBreaker[struct{}]]

	mu     sync.Mutex
	since  time.Time // when it opened first; zero while it is closed
	opened time.Time // when it opened last
	row    int       // failures in a row
	last   error     // of these failures
}

func newBreaker(target string, o Options) *Breaker {
	b := &Breaker{target: target, pause: o.Pause}
	b.settings = gobreaker.Settings{
		Name: target, MaxRequests: 1, Timeout: o.Pause,
		ReadyToTrip: func(c gobreaker.Counts) bool { return int(c.ConsecutiveFailures) >= o.Failures },
		IsExcluded:  func(err error) bool { return errors.Is(err, errNothing) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			b.became(states[to])
			if o.Changed != nil {
				o.Changed(target, states[to])
			}
		},
	}
	b.circuit.Store(gobreaker.NewTwoStepCircuitBreaker[struct{}](b.settings))
	return b
}

// forgive begins anew, as with the first question. The end of one that is under way counts for nothing.
func (b *Breaker) forgive() {
	if b.State() == Closed {
		return
	}
	b.circuit.Store(gobreaker.NewTwoStepCircuitBreaker[struct{}](b.settings))
	b.settings.OnStateChange(b.target, gobreaker.StateOpen, gobreaker.StateClosed)
}

var states = map[gobreaker.State]State{gobreaker.StateClosed: Closed, gobreaker.StateHalfOpen: HalfOpen, gobreaker.StateOpen: Open}

// errNothing is the end of a question that tells nothing about the target: its asker gave up.
var errNothing = errors.New("nothing was learned")

func (b *Breaker) became(s State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch s {
	case Open:
		b.opened = time.Now()
		if b.since.IsZero() {
			b.since = b.opened
		}
	case Closed:
		b.since = time.Time{}
	}
}

// Target is what the breaker guards the way to.
func (b *Breaker) Target() string { return b.target }

// State is how it stands now.
func (b *Breaker) State() State { return states[b.circuit.Load().State()] }

// Err is the error that a question would get now, nil when it would pass.
func (b *Breaker) Err() error {
	if b == nil || b.State() != Open {
		return nil
	}
	return b.resting()
}

// allow begins a question. done must be called once with its end.
func (b *Breaker) allow() (done func(error), err error) {
	circuit := b.circuit.Load()
	report, err := circuit.Allow()
	if err != nil {
		return nil, b.resting()
	}
	return func(err error) {
		if errors.Is(err, context.Canceled) {
			err = errNothing
		}
		if b.circuit.Load() != circuit {
			return // it was forgiven meanwhile
		}
		b.note(err)
		report(err)
	}, nil
}

// note keeps the end of a question before the circuit hears of it.
func (b *Breaker) note(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case errors.Is(err, errNothing):
	case err == nil:
		b.row, b.last = 0, nil
	default:
		b.row, b.last = b.row+1, err
	}
}

// Do asks f unless the breaker is open. What f returns is of the way there; what the target answered is f's to keep.
func (b *Breaker) Do(f func() error) error {
	if b == nil {
		return f()
	}
	done, err := b.allow()
	if err != nil {
		return err
	}
	err = f()
	done(err)
	return err
}

// Transport guards requests. Every answer counts as one, whatever its status.
func (b *Breaker) Transport(next http.RoundTripper) http.RoundTripper {
	if b == nil {
		return next
	}
	return transport{b, next}
}

type transport struct {
	*Breaker
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	err = t.Do(func() error {
		answer, err = t.next.RoundTrip(r)
		return err
	})
	if err != nil && answer == nil && r.Body != nil {
		_ = r.Body.Close() // RoundTrip must, also when it does not ask
	}
	return answer, err
}

// CloseIdleConnections lets http.Client close what the next one keeps.
func (t transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RestingError is what a question gets that is not asked. It wraps the last failure, so that errors.Is finds the reason.
type RestingError struct {
	Target string
	Since  time.Time // when the breaker opened
	Next   time.Time // when the next question passes
	Row    int       // failures in a row
	Last   error     // the last of them
}

func (b *Breaker) resting() *RestingError {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &RestingError{Target: b.target, Since: b.since, Next: b.opened.Add(b.pause), Row: b.row, Last: b.last}
}

// Error implements error. The last failure is not repeated: it may hold an address with a login.
func (e *RestingError) Error() string {
	next := "a try is under way"
	if left := time.Until(e.Next); left > 0 {
		next = fmt.Sprintf("next try in %s", left.Round(time.Second/10))
	}
	return fmt.Sprintf("the breaker of %s is open since %s, after %d failures in a row; %s", e.Target, e.Since.UTC().Format("15:04:05 UTC"), e.Row, next)
}

// Unwrap gives the last failure.
func (e *RestingError) Unwrap() error { return e.Last }

// Resting is when the next question passes. By this method clients know that they were not asked.
func (e *RestingError) Resting() time.Time { return e.Next }
