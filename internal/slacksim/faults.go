package slacksim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault is something that goes wrong on demand, as Slack and the network do it. Kind says what; the other fields are
// for the kinds that need them.
type Fault struct {
	Kind      string  `json:"kind"`
	Method    string  `json:"method,omitempty"`    // of the Web API; "" is any
	Code      string  `json:"code,omitempty"`      // the error, or the reason of a disconnect
	Status    int     `json:"status,omitempty"`    // of HTTP
	Seconds   float64 `json:"seconds,omitempty"`   // how long, or Retry-After
	Count     int     `json:"count,omitempty"`     // for how many calls or envelopes; 0 is one
	Envelopes string  `json:"envelopes,omitempty"` // slash_commands, interactive, events_api; "" is any
}

func (f Fault) lasts() time.Duration { return time.Duration(f.Seconds * float64(time.Second)) }

// faultKinds are what can go wrong. The first group meets calls of the Web API, the second connections, the third what
// is delivered over them.
var faultKinds = map[string]func(*Server, Fault) error{
	"error": func(s *Server, f Fault) error {
		return s.upset(f, upset{refusal: &fault{code: first(f.Code, "fatal_error")}})
	},
	"ratelimited": func(s *Server, f Fault) error { l := limited(int(f.Seconds)); return s.upset(f, upset{refusal: &l}) },
	"http": func(s *Server, f Fault) error {
		if f.Status < 400 || f.Status > 599 {
			return fmt.Errorf("status is %d, expected an error from 400 to 599", f.Status)
		}
		return s.upset(f, upset{status: f.Status})
	},
	"slow": func(s *Server, f Fault) error { return s.upset(f, upset{delay: f.lasts()}) },
	"lost": func(s *Server, f Fault) error { return s.upset(f, upset{lost: true}) },

	"down":       func(s *Server, f Fault) error { s.Down(f.lasts()); return nil },
	"disconnect": func(s *Server, f Fault) error { s.Disconnect(first(f.Code, "refresh_requested")); return nil },
	"drop":       func(s *Server, _ Fault) error { s.DropSockets(); return nil },
	"refuse":     func(s *Server, f Fault) error { s.RefuseConnections(f.Code); return nil },

	"delay":     (*Server).disturb,
	"duplicate": (*Server).disturb,
	"reorder":   (*Server).disturb,

	"unsupported": (*Server).unlearn,

	"none": func(s *Server, _ Fault) error { s.mend(); return nil },
}

// Inject lets something go wrong:
//
//	error        calls of Method fail with Code
//	ratelimited  they are refused with 429 and Retry-After Seconds
//	http         they are answered with Status and no JSON
//	slow         they are answered after Seconds
//	lost         they are done, and the answer is lost
//	down         everything is answered with 503 for Seconds
//	disconnect   every socket is told to go, with the reason Code (default refresh_requested)
//	drop         every socket is cut without a word
//	refuse       apps.connections.open fails with Code until Code is ""
//	delay        Envelopes come Seconds late
//	duplicate    Envelopes come twice
//	reorder      Count Envelopes come in the opposite order, after Seconds (default 5) those that there are
//	unsupported  blocks of the types in Code are refused, as in a workspace that does not have them yet, until Code is ""
//	none         what has not happened yet does not happen
func (s *Server) Inject(f Fault) error {
	do, known := faultKinds[f.Kind]
	if !known {
		return fmt.Errorf("fault %q is not known, expected one of %s", f.Kind, strings.Join(slices.Sorted(maps.Keys(faultKinds)), ", "))
	}
	if _, known := methods[f.Method]; f.Method != "" && !known {
		return fmt.Errorf("fault %s: method %q is not known", f.Kind, f.Method)
	}
	return do(s, f)
}

// Faults are those that have not happened yet.
func (s *Server) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Fault{}
	for _, u := range s.upsets {
		list = append(list, u.Fault)
	}
	return append(list, s.disturbances...)
}

func (s *Server) mend() {
	s.mu.Lock()
	s.upsets, s.disturbances, s.downUntil = nil, nil, time.Time{}
	s.mu.Unlock()
	s.missing.Store(nil)
	s.RefuseConnections("")
}

// FailNext lets the next call of a method fail with an error code.
func (s *Server) FailNext(method, code string) {
	_ = s.upset(Fault{Kind: "error", Method: method, Code: code}, upset{refusal: &fault{code: code}}) // it cannot fail
}

// RateLimitNext lets the next n calls of a method be refused with 429.
func (s *Server) RateLimitNext(method string, seconds, n int) {
	l := limited(seconds)
	_ = s.upset(Fault{Kind: "ratelimited", Method: method, Seconds: float64(seconds), Count: n}, upset{refusal: &l}) // it cannot fail
}

// unlearn makes the workspace one that does not have some types of blocks.
func (s *Server) unlearn(f Fault) error {
	types := strings.Fields(f.Code)
	for _, t := range types {
		if !slices.Contains(blockTypes, t) {
			return fmt.Errorf("fault %s: block type %q is not known, expected some of %s", f.Kind, t, strings.Join(blockTypes, ", "))
		}
	}
	s.missing.Store(&types)
	return nil
}

// refuses says which of a message's blocks the workspace does not have.
func (s *Server) refuses(blocks json.RawMessage) error {
	missing := s.missing.Load()
	if missing == nil || len(*missing) == 0 || blocks == nil {
		return nil
	}
	var list []struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(blocks, &list); err != nil {
		return fault{code: "invalid_blocks_format"}
	}
	var c checker
	for i, b := range list {
		if slices.Contains(*missing, b.Type) {
			c.bad(fmt.Sprintf("/blocks/%d/type", i), "unsupported type: %s", b.Type)
		}
	}
	if len(c.messages) > 0 {
		return fault{code: "invalid_blocks", messages: c.messages}
	}
	return nil
}

// upset is what happens to a call of the Web API.
type upset struct {
	Fault
	refusal *fault
	status  int
	delay   time.Duration
	lost    bool
}

func (s *Server) upset(f Fault, u upset) error {
	f.Count = max(f.Count, 1)
	u.Fault = f
	s.mu.Lock()
	defer s.mu.Unlock()
	s.upsets = append(s.upsets, u)
	return nil
}

// takeUpset takes what is to happen to a call; each fault takes part until its count is used up.
func (s *Server) takeUpset(method string) upset {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.upsets {
		u := &s.upsets[i]
		if u.Method != "" && u.Method != method {
			continue
		}
		taken := *u
		if u.Count--; u.Count == 0 {
			s.upsets = slices.Delete(s.upsets, i, i+1)
		}
		return taken
	}
	return upset{}
}

// suffer answers a call that goes wrong below the Web API, and says whether it has.
func (u upset) suffer(w http.ResponseWriter, r *http.Request) bool {
	if u.delay > 0 {
		select {
		case <-time.After(u.delay):
		case <-r.Context().Done():
		}
	}
	if u.status > 0 {
		http.Error(w, http.StatusText(u.status), u.status)
	}
	return u.status > 0
}

func (s *Server) disturb(f Fault) error {
	f.Count = max(f.Count, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disturbances = append(s.disturbances, f)
	return nil
}

// hand is one envelope's way through the faults.
type hand struct {
	twice bool
	wait  func(context.Context)
	done  func()
}

// disturbed says what happens to the next envelope of a kind.
func (s *Server) disturbed(kind string) hand {
	h := hand{wait: func(context.Context) {}, done: func() {}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.disturbances {
		f := &s.disturbances[i]
		if f.Envelopes != "" && f.Envelopes != kind {
			continue
		}
		switch f.Kind {
		case "duplicate":
			h.twice = true
		case "delay":
			late := f.lasts()
			h.wait = func(ctx context.Context) { pause(ctx, late) }
		case "reorder":
			s.shuffle(f, &h)
		}
		if f.Count--; f.Count == 0 {
			s.disturbances = slices.Delete(s.disturbances, i, i+1)
		}
		return h
	}
	return h
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// stack holds envelopes until all have come, and lets the last go first, each after the one before is done.
type stack struct {
	missing int // the workspace's lock guards it

	mu   sync.Mutex
	open bool
	held []chan struct{}
}

// patience is how long a reorder waits for the envelopes that it was told to hold.
const patience = 5 * time.Second

// shuffle gives an envelope its place in the stack of a reorder; the caller holds the lock.
func (s *Server) shuffle(f *Fault, h *hand) {
	if s.stack == nil || s.stack.missing == 0 {
		s.stack = &stack{missing: f.Count}
		late := f.lasts()
		if late == 0 {
			late = patience
		}
		time.AfterFunc(late, s.stack.release)
	}
	k, turn := s.stack, make(chan struct{})
	k.missing--
	if !k.hold(turn) {
		return
	}
	if k.missing == 0 {
		k.release()
	}
	h.wait = func(ctx context.Context) {
		select {
		case <-turn:
		case <-ctx.Done():
		}
	}
	h.done = k.next
}

// hold keeps one more; when the stack is let go already, it goes at once.
func (k *stack) hold(turn chan struct{}) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open {
		return false
	}
	k.held = append(k.held, turn)
	return true
}

// release begins to let go.
func (k *stack) release() {
	k.mu.Lock()
	first := !k.open
	k.open = true
	k.mu.Unlock()
	if first {
		k.next()
	}
}

func (k *stack) next() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := len(k.held); k.open && n > 0 {
		close(k.held[n-1])
		k.held = k.held[:n-1]
	}
}

// deliver brings an envelope to the app, through the faults, and waits for its ack.
func (s *Server) deliver(ctx context.Context, id, kind string, accepts bool, payload any) (json.RawMessage, error) {
	h := s.disturbed(kind)
	h.wait(ctx)
	defer h.done()
	ack, err := s.sockets.deliver(ctx, id, kind, accepts, payload, 0, "")
	if h.twice {
		s.background(func() { _, _ = s.sockets.deliver(context.WithoutCancel(ctx), id, kind, accepts, payload, 0, "") }) // the first ack counts
	}
	return ack, err
}

// background does something that Close waits for; after Close it does nothing.
func (s *Server) background(do func()) {
	s.mu.Lock()
	closing := s.closing
	if !closing {
		s.inFlight.Add(1)
	}
	s.mu.Unlock()
	if closing {
		return
	}
	go func() {
		defer s.inFlight.Done()
		do()
	}()
}

// lost says whether an envelope was not answered.
func lost(err error) bool {
	return errors.Is(err, errNoSocket) || errors.Is(err, errNoAck) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func blank(text string) bool { return strings.TrimSpace(text) == "" }

// weather are the faults that the page offers.
var weather = []struct {
	label, hint string
	fault       Fault
}{
	{"Refresh the connection", "Slack does so every few hours", Fault{Kind: "disconnect"}},
	{"Cut the connection", "Without a word", Fault{Kind: "drop"}},
	{"Slack is down for 10 s", "Everything is answered with 503", Fault{Kind: "down", Seconds: 10}},
	{"Refuse the next 5 calls", "429, try again after 2 s", Fault{Kind: "ratelimited", Seconds: 2, Count: 5}},
	{"Break the next call", "500 instead of an answer", Fault{Kind: "http", Status: 500}},
	{"Lose the next answer", "The call is done, and nobody hears of it", Fault{Kind: "lost"}},
	{"Send the next event twice", "A retry whose ack was late", Fault{Kind: "duplicate"}},
	{"Deliver the next 3 late", "By 2 s, commands and presses too", Fault{Kind: "delay", Seconds: 2, Count: 3}},
	{"Turn the next 2 around", "The second is delivered first", Fault{Kind: "reorder", Count: 2}},
}

// weatherControls are the page's buttons for them.
func (s *Server) weatherControls() []Control {
	var list []Control
	for _, w := range weather {
		list = append(list, Control{ID: "slack-" + w.fault.Kind, Label: w.label, Hint: w.hint, Group: "Slack", Run: func(context.Context) (string, error) {
			return w.label + ".", s.Inject(w.fault)
		}})
	}
	return list
}
