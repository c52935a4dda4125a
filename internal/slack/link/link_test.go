package link

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick are times in which a test ends soon.
var quick = times{
	hello: 300 * time.Millisecond, ping: 50 * time.Millisecond, silence: 300 * time.Millisecond, drain: 500 * time.Millisecond, write: 200 * time.Millisecond,
	farewell: 300 * time.Millisecond, burst: 20, refill: time.Second, first: 50 * time.Millisecond, longest: 400 * time.Millisecond,
}

// far is Slack's side of all links.
type far struct {
	*httptest.Server
	t       testing.TB
	greet   func(*end) // what a new link is sent first
	refused atomic.Pointer[error]
	opens   atomic.Int64

	mu    sync.Mutex
	ends  []*end
	acked map[string][]*end
}

// end is Slack's side of one link.
type end struct {
	mu    sync.Mutex
	conn  *websocket.Conn
	pings atomic.Int64
	deaf  atomic.Bool // pings are not answered
}

const hello = `{"type":"hello","num_connections":1,"debug_info":{"host":"applink-1","approximate_connection_time":18060}}`

func (e *end) send(frame string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_ = e.conn.WriteMessage(websocket.TextMessage, []byte(frame)) // a dead link is what some tests want
}

func command(id string) string {
	return fmt.Sprintf(`{"envelope_id":%q,"type":"slash_commands","accepts_response_payload":true,"payload":{"text":"status"}}`, id)
}

func newFar(t testing.TB) *far {
	f := &far{t: t, acked: map[string][]*end{}, greet: func(e *end) { e.send(hello) }}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() {
		for _, e := range f.all() {
			_ = e.conn.Close()
		}
		f.Close()
	})
	return f
}

func (f *far) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	e := &end{conn: conn}
	conn.SetPingHandler(func(data string) error {
		e.pings.Add(1)
		if !e.deaf.Load() {
			_ = conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
		}
		return nil
	})
	f.mu.Lock()
	f.ends = append(f.ends, e)
	greet := f.greet
	f.mu.Unlock()
	greet(e)
	for {
		_, body, err := conn.ReadMessage()
		if err != nil {
			f.gone(e)
			return
		}
		var ack struct {
			EnvelopeID string `json:"envelope_id"`
		}
		if err := json.Unmarshal(body, &ack); err != nil {
			f.t.Errorf("an acknowledgement that is no JSON: %s", body)
		}
		f.mu.Lock()
		f.acked[ack.EnvelopeID] = append(f.acked[ack.EnvelopeID], e)
		f.mu.Unlock()
	}
}

func (f *far) gone(e *end) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, x := range f.ends {
		if x == e {
			f.ends = append(f.ends[:i], f.ends[i+1:]...)
			return
		}
	}
}

func (f *far) all() []*end {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*end{}, f.ends...)
}

func (f *far) acks(id string) []*end {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.acked[id]
}

func (f *far) open(context.Context) (string, error) {
	f.opens.Add(1)
	if err := f.refused.Load(); err != nil {
		return "", *err
	}
	return "ws" + strings.TrimPrefix(f.URL, "http"), nil
}

// start runs a pool that acknowledges what it takes, until the test ends.
func (f *far) start(change func(*Options)) (*Pool, context.CancelFunc, <-chan error) {
	o := Options{Links: 1, Open: f.open, Take: func(e Envelope) { _ = e.Ack(nil) }, times: quick}
	if change != nil {
		change(&o)
	}
	p := New(o)
	ctx, cancel := context.WithCancel(f.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx); close(ended) }()
	f.t.Cleanup(func() { cancel(); <-ended })
	return p, cancel, ended
}

func (f *far) wait(what string, ok func() bool) {
	f.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			f.t.Fatalf("waited 20 s for: %s", what)
		}
	}
}

func (f *far) standing(n int) []*end {
	f.t.Helper()
	f.wait(fmt.Sprint(n, " links"), func() bool { return len(f.all()) == n })
	return f.all()
}

func TestARefreshOpensTheNextLinkFirst(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{reasonWarning, reasonRefresh, "a reason of tomorrow"} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			f := newFar(t)
			p, _, _ := f.start(func(o *Options) { o.times.drain = time.Hour })
			old := f.standing(1)[0]
			old.send(fmt.Sprintf(`{"type":"disconnect","reason":%q}`, reason))
			both := f.standing(2)
			for i := range 10 {
				old.send(command(fmt.Sprint("drain", i)))
				both[1].send(command(fmt.Sprint("next", i)))
			}
			f.wait("every command of the drain window", func() bool { return len(f.acks("drain9")) == 1 && len(f.acks("next9")) == 1 })
			if f.acks("drain9")[0] != old {
				t.Error("the acknowledgement did not go out on the link that the envelope came on")
			}
			old.send(`{"type":"disconnect","reason":"refresh_requested"}`) // a warning is followed by a request
			_ = old.conn.Close()
			f.wait("the old link is forgotten", func() bool { return p.Standing() == 1 })
			if n := f.opens.Load(); n != 2 {
				t.Errorf("%d links were opened, want 2", n)
			}
		})
	}
}

func TestALinkThatSlackForgetsToCloseIsClosed(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	f.start(nil)
	f.standing(1)[0].send(`{"type":"disconnect","reason":"refresh_requested"}`)
	f.standing(2)
	f.standing(1)
}

func TestADroppedLinkIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	p, _, _ := f.start(func(o *Options) { o.times.first = time.Hour })
	for range 5 {
		_ = f.standing(1)[0].conn.NetConn().Close()
		before := f.opens.Load()
		f.wait("the next link", func() bool { return f.opens.Load() == before+1 || p.Standing() == 1 && len(f.all()) == 1 })
	}
	f.wait("ready", func() bool { return p.Ready() == nil })
}

func TestAHalfOpenLinkIsFoundBySilence(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	first := true
	f.greet = func(e *end) { e.deaf.Store(first); first = false; e.send(hello) }
	f.start(nil)
	f.wait("a second link", func() bool { return f.opens.Load() == 2 })
	f.wait("that stays", func() bool { // a second: longer than the silence
		ends := f.all()
		return len(ends) == 1 && !ends[0].deaf.Load() && ends[0].pings.Load() > 20
	})
	if n := f.opens.Load(); n != 2 {
		t.Errorf("%d links were opened, want 2: a link that answers pings lives", n)
	}
}

func TestRefusedLinksDoNotStorm(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, first, then, want string }{
		{"too many, before a greeting", "", `{"type":"disconnect","reason":"too_many_websockets"}`, "ten connections"},
		{"too many, after a greeting", hello, `{"type":"disconnect","reason":"too_many_websockets"}`, "ten connections"},
		{"switched off", hello, `{"type":"disconnect","reason":"link_disabled"}`, "Socket Mode is switched off"},
		{"no greeting", "", "", "did not greet"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFar(t)
			f.greet = func(e *end) {
				for _, frame := range []string{row.first, row.then} {
					if frame != "" {
						e.send(frame)
					}
				}
			}
			p, _, _ := f.start(nil)
			f.wait("the reason", func() bool { err := p.Ready(); return err != nil && strings.Contains(err.Error(), row.want) })
			before := f.opens.Load()
			time.Sleep(time.Second)
			if n := f.opens.Load() - before; n > 8 {
				t.Errorf("%d links in a second at a pause of up to 0.4 s, want at most 8", n)
			}
		})
	}
}

// TestLinksThatAreCutAtOnceArePaced shows that no behaviour of Slack makes us open more than its tier allows.
func TestLinksThatAreCutAtOnceArePaced(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	f.greet = func(e *end) { e.send(hello); _ = e.conn.NetConn().Close() }
	f.start(func(o *Options) { o.Links = 3; o.times.burst = 10; o.times.refill = 200 * time.Millisecond })
	time.Sleep(time.Second)
	if n := f.opens.Load(); n > 16 {
		t.Errorf("%d links in a second, want at most 10 and one each 200 ms", n)
	}
	minute := float64(usual.burst) + float64(time.Minute)/float64(usual.refill)
	if minute >= 50 {
		t.Errorf("up to %.0f links a minute in real times; Slack allows 50", minute)
	}
}

func TestWhatSlackRefusesForGood(t *testing.T) {
	t.Parallel()
	refusal := errors.New("missing_scope")
	permanent := backoff.Permanent(refusal)
	t.Run("ends a pool that never stood", func(t *testing.T) {
		f := newFar(t)
		f.refused.Store(&permanent)
		_, _, ended := f.start(nil)
		if err := <-ended; !errors.Is(err, refusal) {
			t.Errorf("ended with %v", err)
		}
	})
	t.Run("is waited out by one that stood", func(t *testing.T) {
		f := newFar(t)
		p, _, ended := f.start(nil)
		e := f.standing(1)[0]
		f.refused.Store(&permanent)
		_ = e.conn.Close()
		f.wait("not ready", func() bool { err := p.Ready(); return errors.Is(err, refusal) })
		f.refused.Store(nil)
		f.wait("ready", func() bool { return p.Ready() == nil })
		select {
		case err := <-ended:
			t.Errorf("ended with %v", err)
		default:
		}
	})
}

func TestRetryAfterIsWaitedOut(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	limited := errors.Join(errors.New("ratelimited"), &backoff.RetryAfterError{Duration: 700 * time.Millisecond})
	f.refused.Store(&limited)
	began := time.Now()
	p, _, _ := f.start(nil)
	f.wait("the refusal", func() bool { return f.opens.Load() == 1 })
	f.refused.Store(nil)
	f.wait("ready", func() bool { return p.Ready() == nil })
	if took := time.Since(began); took < 700*time.Millisecond {
		t.Errorf("tried again after %s, Slack said 700 ms", took)
	}
}

func TestWhatIsNoEnvelopeIsToldAndAcknowledged(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	var mu sync.Mutex
	var odd, taken []string
	f.start(func(o *Options) {
		o.Odd = func(o Oddity) { mu.Lock(); defer mu.Unlock(); odd = append(odd, o.ID+"|"+o.Type) }
		o.Take = func(e Envelope) { mu.Lock(); defer mu.Unlock(); taken = append(taken, e.ID); _ = e.Ack(nil) }
	})
	e := f.standing(1)[0]
	for _, frame := range []string{
		`{"envelope_id":"new","type":"brand_new","payload":{}}`, `{"envelope_id":"odd","type":"events_api","retry_attempt":"one"}`,
		`{"type":"events_api","payload":{}}`, `{"no":"envelope"}`, `[]`, `"x"`, `{`, "", command("good"),
	} {
		e.send(frame)
	}
	f.wait("the good one", func() bool { return len(f.acks("good")) == 1 && len(f.acks("new")) == 1 && len(f.acks("odd")) == 1 })
	mu.Lock()
	defer mu.Unlock()
	if d := cmp.Diff([]string{"new|brand_new", "odd|events_api", "|events_api", "|", "|", "|", "|", "|"}, odd); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"good"}, taken); d != "" {
		t.Error(d)
	}
}

func TestAcknowledgementsNeverWait(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	stuck := make(chan struct{})
	t.Cleanup(func() { close(stuck) })
	f.greet = func(e *end) {
		e.send(hello)
		if f.opens.Load() > 1 {
			return
		}
		for i := range 2 * ahead {
			e.send(command(fmt.Sprint(i)))
		}
		<-stuck // nothing is read any more
	}
	answer := strings.Repeat("x", 19<<10) // so that the socket's buffers are full soon
	var lost, longest atomic.Int64
	f.start(func(o *Options) {
		o.times.silence = time.Hour
		o.Acked = func(_ Envelope, err error) {
			if err != nil {
				lost.Add(1)
			}
		}
		o.Take = func(e Envelope) {
			began := time.Now()
			_ = e.Ack(answer)
			longest.Store(max(longest.Load(), int64(time.Since(began))))
		}
	})
	f.wait("a link that takes nothing is given up", func() bool { return lost.Load() > 0 && f.opens.Load() > 1 })
	if d := time.Duration(longest.Load()); d > quick.write {
		t.Errorf("an acknowledgement kept the reader for %s", d)
	}
}

func TestAnAcknowledgementOutlivesItsLink(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	taken := make(chan Envelope, 1)
	p, _, _ := f.start(func(o *Options) { o.Links = 2; o.Take = func(e Envelope) { taken <- e } })
	ends := f.standing(2)
	ends[0].send(command("late"))
	e := <-taken
	_ = ends[0].conn.Close()
	<-e.via.ended
	f.wait("its successor", func() bool { return p.Standing() == 2 })
	if err := e.Ack(nil); err != nil {
		t.Fatal(err)
	}
	f.wait("the acknowledgement on another link", func() bool { return len(f.acks("late")) == 1 })
}

func TestAnAnswerThatIsTooLongIsLeftOut(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	got := make(chan error, 2)
	f.start(func(o *Options) {
		o.Take = func(e Envelope) {
			if e.ID == "long" {
				got <- e.Ack(strings.Repeat("x", 20<<10))
				return
			}
			got <- e.Ack(func() {})
		}
	})
	e := f.standing(1)[0]
	e.send(command("long"))
	if err := <-got; !errors.Is(err, ErrTooLong) {
		t.Errorf("got %v", err)
	}
	e.send(command("no JSON"))
	if err := <-got; err == nil {
		t.Error("an answer that is no JSON was not reported")
	}
	f.wait("both acknowledged all the same", func() bool { return len(f.acks("long")) == 1 && len(f.acks("no JSON")) == 1 })
}

func TestStopAcknowledgesWhatItTook(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	var n atomic.Int64
	_, stop, ended := f.start(func(o *Options) { o.Links = 2; o.Take = func(e Envelope) { n.Add(1); _ = e.Ack(nil) } })
	for i, e := range f.standing(2) {
		for j := range 100 {
			e.send(command(fmt.Sprint(i, ".", j)))
		}
	}
	f.wait("the last was taken", func() bool { return n.Load() == 200 })
	stop()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	f.standing(0)
	for i := range 2 {
		for j := range 100 {
			if len(f.acks(fmt.Sprint(i, ".", j))) != 1 {
				t.Fatalf("command %d.%d was acknowledged %d times", i, j, len(f.acks(fmt.Sprint(i, ".", j))))
			}
		}
	}
}
