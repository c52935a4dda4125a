package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"cdcbot/internal/commands"
	"cdcbot/internal/slacksim"
)

// The letters are faults that were seen in slack-go's Socket Mode client; each test shows that ours has none of them.
// A: storms of openings. B: a gap at each refresh. C, D: acknowledgements on the wrong link, or stuck. E: a reader that
// waits. H: refusals retried for ever without a word. K: envelopes that cannot be read come back.

func TestA_TooManyWebsockets(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.onSocket = func(s *socket) {
		_ = s.write(hello)
		_ = s.write(`{"type":"disconnect","reason":"too_many_websockets"}`)
	}
	b := f.bot(func(o *Options) { o.Connections = 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if err := b.Run(ctx, &asker{}, nil); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if n := f.count("apps.connections.open"); n > 5 {
		t.Errorf("opened %d connections in 1.5 s, want at most 5", n)
	}
	if err := b.Ready(); err == nil || !strings.Contains(err.Error(), "ten connections") {
		t.Errorf("readiness says %v", err)
	}
}

func TestB_RefreshLosesNoCommand(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	a := &asker{}
	b := f.bot(nil)
	f.start(b, a, nil)
	sockets := f.open()
	if len(sockets) != 2 {
		t.Fatalf("%d connections, want 2", len(sockets))
	}
	if err := sockets[0].write(`{"type":"disconnect","reason":"refresh_requested"}`); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if err := sockets[i%2].write(slash(fmt.Sprint("e", i), fmt.Sprint("t", i), "status")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "ten commands", func() bool { return a.count() == 10 && f.acks("e8") == 1 && f.acks("e9") == 1 })
	if err := sockets[0].conn.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both connections again", func() bool { return len(f.open()) == 2 })
	if err := b.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
}

func TestC_LostAckIsADuplicateNotASecondRun(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	a := &asker{}
	f.start(f.bot(nil), a, nil)
	sockets := f.open()
	for _, s := range sockets {
		if err := s.write(slash("e1", "t1", "restart x")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both deliveries acknowledged", func() bool { return f.acks("e1") == 2 })
	if err := sockets[0].write(slash("e2", "t2", "status")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the next command", func() bool { return f.acks("e2") == 1 && a.count() >= 2 })
	if n := a.count(); n != 2 {
		t.Errorf("handled %d commands, want 2", n)
	}
}

func TestE_BusyHandlersDoNotStopTheReader(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	release := make(chan struct{})
	a := &asker{reply: func(commands.Command) commands.Reply { <-release; return commands.Reply{Text: "late"} }}
	f.start(f.bot(func(o *Options) { o.Connections = 1 }), a, nil)
	defer close(release)
	s := f.open()[0]
	for i := range 200 {
		frame := strings.ReplaceAll(slash(fmt.Sprint("e", i), fmt.Sprint("t", i), "status"), "UONCALL", fmt.Sprint("U", i))
		if err := s.write(frame); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.conn.WriteControl(websocket.PingMessage, []byte("Ping from applink"), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all acknowledged and the ping answered", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return f.acks("e199") == 1 && f.acks("e0") == 1 && s.pongs == 1
	})
}

func TestE_FullLaneIsToldNotLost(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	release := make(chan struct{})
	a := &asker{reply: func(commands.Command) commands.Reply { <-release; return commands.Reply{Text: "late"} }}
	f.start(f.bot(func(o *Options) { o.Connections = 1 }), a, nil)
	defer close(release)
	s := f.open()[0]
	for i := range laneLength + 10 {
		if err := s.write(slash(fmt.Sprint("e", i), fmt.Sprint("t", i), "status")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "a word to the person", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, c := range f.calls {
			if c.method == "chat.postEphemeral" && strings.Contains(c.form.Get("text"), "did not take this one") {
				return true
			}
		}
		return false
	})
}

func TestH_RefusalsEndTheBotWithAdvice(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ code, want string }{
		{"missing_scope", "manifest"}, {"not_allowed_token_type", "xapp-"}, {"token_expired", "new one"}, {"no_permission", "connections:write"},
		{"invalid_auth", "not valid"}, {"account_inactive", "install it again"}, {"not_authed", "set it"}, {"token_revoked", "revoked"}, {"link_disabled", "Socket Mode is switched off"},
	} {
		t.Run(row.code, func(t *testing.T) {
			f := newFake(t)
			f.answer("apps.connections.open", func(url.Values) (int, any) { return http.StatusOK, no(row.code) })
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			err := f.bot(nil).Run(ctx, &asker{}, nil)
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), "slack.app_token") {
				t.Errorf("got %v, want a refusal that says %q and names the setting", err, row.want)
			}
		})
	}
}

func TestH_BotTokenRefused(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.answer("auth.test", func(url.Values) (int, any) { return http.StatusOK, no("invalid_auth") })
	err := f.bot(nil).Run(t.Context(), &asker{}, nil)
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "slack.bot_token") {
		t.Errorf("got %v", err)
	}
}

func TestH_SlackBeingAwayIsWaitedOut(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	left := 2
	f.answer("apps.connections.open", func(url.Values) (int, any) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if left--; left >= 0 {
			return http.StatusServiceUnavailable, map[string]any{}
		}
		return http.StatusOK, nil
	})
	f.start(f.bot(func(o *Options) { o.Connections = 1 }), &asker{}, nil)
}

func TestK_PoisonIsAcknowledged(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	a := &asker{}
	f.start(f.bot(func(o *Options) { o.Connections = 1 }), a, nil)
	s := f.open()[0]
	for _, frame := range []string{
		`{"envelope_id":"unknown-type","type":"brand_new","payload":{}}`,
		`{"envelope_id":"bad-payload","type":"slash_commands","payload":"text"}`,
		`{"envelope_id":"bad-event","type":"events_api","payload":{"type":"event_callback","event":{"type":"message","ts":{}}}}`,
		`{"no":"envelope"}`, `[]`, `"x"`, `{`,
	} {
		if err := s.write(frame); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.write(slash("good", "t1", "status")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "poison acknowledged, the next command handled", func() bool {
		return f.acks("unknown-type") == 1 && f.acks("bad-payload") == 1 && f.acks("bad-event") == 1 && a.count() == 1
	})
	if n := len(f.open()); n != 1 {
		t.Errorf("%d connections, want the one that stood", n)
	}
}

// listener fails as often as told.
type listener struct {
	fail  int
	heard chan ThreadMessage
}

func (l *listener) Message(_ context.Context, m ThreadMessage) error {
	if l.fail--; l.fail >= 0 {
		return errors.New("timeline is away")
	}
	l.heard <- m
	return nil
}

type oneThread struct{ RedisRefs }

func (oneThread) Incident(context.Context, string, string) (string, error) { return "INC-1", nil }

func said(envelope, eventID string) string {
	return fmt.Sprintf(`{"envelope_id":%q,"type":"events_api","payload":{"type":"event_callback","event_id":%q,"event":{"type":"message","channel":"C1","user":"UONCALL","text":"db is &lt;back&gt; <@U2>","ts":"1795435300.000200","thread_ts":"1795435200.000100","event_ts":"1795435300.000200"}}}`, envelope, eventID)
}

func TestMessageIsAcknowledgedOnlyWhenKept(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	l := &listener{fail: 1, heard: make(chan ThreadMessage, 10)}
	f.start(f.bot(func(o *Options) { o.Connections = 1; o.Threads = oneThread{} }), &asker{}, l)
	s := f.open()[0]
	for i, envelope := range []string{"first", "retry", "late"} {
		if err := s.write(said(envelope, "Ev1")); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			eventually(t, "the failing attempt", func() bool { return f.count("users.info") == 1 })
			continue
		}
		eventually(t, envelope+" acknowledged", func() bool { return f.acks(envelope) == 1 })
	}
	if f.acks("first") != 0 {
		t.Error("a message that was not kept was acknowledged")
	}
	m := <-l.heard
	want := ThreadMessage{Incident: "INC-1", Change: Posted, Channel: "C1", Thread: "1795435200.000100", TS: "1795435300.000200", User: commands.User{ID: "UONCALL", Name: "uoncall"},
		Text: "db is <back> @U2", Key: "event:Ev1", At: time.Unix(1795435300, 200000).UTC()}
	if m != want {
		t.Errorf("got %+v\nwant %+v", m, want)
	}
	if len(l.heard) != 0 {
		t.Error("the message was kept twice")
	}
}

// load is people who type commands, and what became of these.
type load struct {
	sync.WaitGroup
	done, lost atomic.Int64
	why        sync.Map // sentences that people saw
}

// crowd is many people. Each types fewer commands than a lane holds: that one is full is told, which is another test.
func crowd(n int) []slacksim.User {
	var people []slacksim.User
	for i := range n {
		people = append(people, slacksim.User{ID: fmt.Sprintf("U%02d", i), Name: fmt.Sprint("oncall", i)})
	}
	return people
}

// load lets people type commands, each one after the other with a pause.
func (f *office) load(people, each int, pause time.Duration) *load {
	l := &load{}
	for i := range people {
		l.Go(func() {
			for range each {
				if err := f.sim.As(fmt.Sprint("oncall", i)).Command(f.t.Context(), room, "/cdc status"); err != nil {
					l.lost.Add(1)
					l.why.Store(err.Error(), true)
				}
				l.done.Add(1)
				time.Sleep(pause)
			}
		})
	}
	return l
}

// handled fails unless every command was handled once, and no more of them than may be were shown as failed.
func (f *office) handled(l *load, commands, mayFail int) {
	f.t.Helper()
	f.until("the commands are handled", func() bool { return f.asker.count() >= commands-int(l.lost.Load()) })
	l.why.Range(func(sentence, _ any) bool { f.t.Log(sentence); return true })
	lost, n := int(l.lost.Load()), f.asker.count()
	f.t.Logf("%d of %d commands were shown as failed, %d were handled", lost, commands, n)
	if lost > mayFail || n != commands {
		f.t.Errorf("at most %d may be shown as failed, and all be handled", mayFail)
	}
}

// TestNoCommandIsLost is the promise in figures: a thousand commands of fifty people while twenty connections are renewed.
func TestNoCommandIsLost(t *testing.T) {
	t.Parallel()
	f := openOffice(t, slacksim.Options{Unlimited: true, Drain: 500 * time.Millisecond, Users: crowd(50), Channels: []slacksim.Channel{{ID: "C0INCIDENTS", Name: room}}}, nil)
	const commands, rounds = 1000, 10
	load := f.load(50, commands/50, 250*time.Millisecond)
	for round := range rounds { // two connections each
		f.until("some commands", func() bool { return load.done.Load() >= int64(round*commands/rounds) && f.sim.Connected() == 2 })
		if round%2 == 0 {
			f.sim.Disconnect("warning")
		}
		f.sim.Disconnect("refresh_requested")
	}
	load.Wait()
	f.handled(load, commands, 0)
}

// TestARollingRestartLosesNoCommand replaces the process five times under load, the next one first, as a Deployment does.
// What arrives while the last connection is being closed is handled, though it cannot be acknowledged any more: Slack then
// shows an error besides the answer.
func TestARollingRestartLosesNoCommand(t *testing.T) {
	t.Parallel()
	f := openOffice(t, slacksim.Options{Unlimited: true, Users: crowd(50), Channels: []slacksim.Channel{{ID: "C0INCIDENTS", Name: room}}}, nil)
	begin := func() (stop func()) {
		o := f.bot.options
		o.Registerer = nil
		bot, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- bot.Run(ctx, f.asker, nil) }()
		f.until("the next process", func() bool { return bot.links.Standing() == 2 })
		return func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("run ended with %v", err)
			}
		}
	}
	load := f.load(50, 20, 50*time.Millisecond)
	stop := begin()
	for round := range 5 {
		f.until("some commands", func() bool { return load.done.Load() >= int64(round*200) })
		next := begin()
		stop()
		stop = next
	}
	load.Wait()
	stop()
	f.handled(load, 1000, 20)
}

// slowThreads know a thread only after it was asked for some times.
type slowThreads struct {
	RedisRefs
	asked atomic.Int64
}

func (s *slowThreads) Incident(context.Context, string, string) (string, error) {
	if s.asked.Add(1) < 3 {
		return "", nil
	}
	return "INC-1", nil
}

func TestWhatIsSaidAtOnceInANewThreadIsKept(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	l := &listener{heard: make(chan ThreadMessage, 10)}
	f.start(f.bot(func(o *Options) { o.Connections = 1; o.Threads = &slowThreads{} }), &asker{}, l)
	if err := f.open()[0].write(strings.Replace(said("young", "Ev1"), "1795435200.000100", "1795435299.000100", 1)); err != nil {
		t.Fatal(err)
	}
	if m := <-l.heard; m.Incident != "INC-1" {
		t.Errorf("heard %+v", m)
	}
	eventually(t, "acknowledged", func() bool { return f.acks("young") == 1 })
}
