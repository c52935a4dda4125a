package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"cdcbot/internal/commands"
)

// fake is as much of Slack as the tests of faults need: sockets whose frames a test writes itself, and messages.
type fake struct {
	*httptest.Server
	t testing.TB

	mu        sync.Mutex
	answers   map[string]func(url.Values) (int, any) // by method; overrides what is built in
	calls     []call
	sockets   []*socket
	onSocket  func(*socket)
	onAck     func(envelope string)
	acked     map[string]int // by envelope
	payloads  map[string]string
	messages  []*stored
	said      []map[string]any // bodies sent to response URLs
	responses []int            // what response URLs answer next; then 200
}

type call struct {
	method string
	form   url.Values
	at     time.Time
}

type socket struct {
	mu    sync.Mutex
	conn  *websocket.Conn
	pongs int
}

type stored struct {
	channel, ts, thread, text, blocks, metadata string
	edits                                       int
}

func (s *socket) write(frame string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn.WriteMessage(websocket.TextMessage, []byte(frame))
}

const hello = `{"type":"hello","num_connections":1,"debug_info":{"host":"applink-1"},"connection_info":{"app_id":"A1"}}`

func newFake(t testing.TB) *fake {
	f := &fake{t: t, answers: map[string]func(url.Values) (int, any){}, acked: map[string]int{}}
	f.onSocket = func(s *socket) { _ = s.write(hello) }
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() {
		f.mu.Lock()
		for _, s := range f.sockets {
			_ = s.conn.Close()
		}
		f.mu.Unlock()
		f.Close()
	})
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/link":
		f.link(w, r)
	case strings.HasPrefix(r.URL.Path, "/response/"):
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		w.WriteHeader(f.respond(body))
	default:
		f.api(w, r)
	}
}

func (f *fake) respond(body map[string]any) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.responses) > 0 {
		status := f.responses[0]
		f.responses = f.responses[1:]
		return status
	}
	f.said = append(f.said, body)
	return http.StatusOK
}

func (f *fake) api(w http.ResponseWriter, r *http.Request) {
	method := strings.TrimPrefix(r.URL.Path, "/api/")
	form := url.Values{}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		var body map[string]json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&body)
		for k, v := range body {
			form.Set(k, strings.Trim(string(v), `"`))
		}
	} else if r.ParseForm() == nil {
		form = r.Form
	}
	f.mu.Lock()
	f.calls = append(f.calls, call{method, form, time.Now()})
	answer := f.answers[method]
	f.mu.Unlock()
	status, body := http.StatusOK, any(nil)
	if answer != nil {
		status, body = answer(form)
	}
	if body == nil && status == http.StatusOK {
		body = f.builtin(method, form)
	}
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func no(code string) map[string]any { return map[string]any{"ok": false, "error": code} }

func (f *fake) builtin(method string, form url.Values) any {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch method {
	case "auth.test":
		return map[string]any{"ok": true, "url": "https://team.slack.com/", "team": "Team", "team_id": "T1", "user": "cdc", "user_id": "UBOT", "bot_id": "BBOT"}
	case "apps.connections.open":
		return map[string]any{"ok": true, "url": "ws" + strings.TrimPrefix(f.URL, "http") + "/link"}
	case "chat.postMessage":
		m := &stored{channel: form.Get("channel"), thread: form.Get("thread_ts"), ts: fmt.Sprintf("17954352%02d.000100", len(f.messages))}
		f.messages = append(f.messages, m.set(form))
		return map[string]any{"ok": true, "channel": m.channel, "ts": m.ts}
	case "chat.update":
		for _, m := range f.messages {
			if m.ts == form.Get("ts") {
				m.set(form).edits++
				return map[string]any{"ok": true, "channel": m.channel, "ts": m.ts}
			}
		}
		return no("message_not_found")
	case "conversations.history", "conversations.replies":
		list := []any{}
		for _, m := range f.messages {
			if m.thread != form.Get("ts") {
				continue
			}
			list = append(list, map[string]any{"type": "message", "user": "UBOT", "ts": m.ts, "thread_ts": m.thread, "metadata": json.RawMessage(m.metadata)})
		}
		return map[string]any{"ok": true, "messages": list}
	case "chat.postEphemeral":
		return map[string]any{"ok": true, "message_ts": "1.0"}
	case "users.info":
		return map[string]any{"ok": true, "user": map[string]any{"id": form.Get("user"), "team_id": "T1", "name": strings.ToLower(form.Get("user"))}}
	}
	return map[string]any{"ok": true, "channel": map[string]any{"id": "D1"}}
}

func (m *stored) set(form url.Values) *stored {
	m.text, m.blocks = form.Get("text"), form.Get("blocks")
	if form.Has("metadata") {
		m.metadata = form.Get("metadata")
	}
	return m
}

func (f *fake) link(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	s := &socket{conn: conn}
	conn.SetPongHandler(func(string) error { s.mu.Lock(); s.pongs++; s.mu.Unlock(); return nil })
	f.mu.Lock()
	f.sockets = append(f.sockets, s)
	greet := f.onSocket
	f.mu.Unlock()
	greet(s)
	for {
		_, frame, err := conn.ReadMessage()
		if err != nil {
			f.gone(s)
			return
		}
		var a struct {
			EnvelopeID string `json:"envelope_id"`
		}
		if json.Unmarshal(frame, &a) == nil {
			f.mu.Lock()
			f.acked[a.EnvelopeID]++
			f.mu.Unlock()
		}
	}
}

func (f *fake) gone(s *socket) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, other := range f.sockets {
		if other == s {
			f.sockets = append(f.sockets[:i], f.sockets[i+1:]...)
			return
		}
	}
}

func (f *fake) count(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.calls {
		if c.method == method {
			n++
		}
	}
	return n
}

func (f *fake) acks(envelope string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.acked[envelope]
}

func (f *fake) open() []*socket {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*socket{}, f.sockets...)
}

func (f *fake) answer(method string, with func(url.Values) (int, any)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[method] = with
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited 20 s for: %s", what)
		}
	}
}

func slash(envelope, trigger, text string) string {
	return fmt.Sprintf(`{"envelope_id":%q,"type":"slash_commands","accepts_response_payload":true,"payload":{"command":"/cdc","text":%q,"user_id":"UONCALL","user_name":"oncall","channel_id":"C1","trigger_id":%q,"is_enterprise_install":"false"}}`, envelope, text, trigger)
}

// asker answers with a function and remembers what it was asked.
type asker struct {
	mu    sync.Mutex
	asked []commands.Command
	reply func(commands.Command) commands.Reply
}

func (a *asker) Do(_ context.Context, c commands.Command) commands.Reply {
	a.mu.Lock()
	a.asked = append(a.asked, c)
	reply := a.reply
	a.mu.Unlock()
	if reply == nil {
		return commands.Reply{Text: "done"}
	}
	return reply(c)
}

func (a *asker) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.asked)
}

// bot returns a bot of this workspace.
func (f *fake) bot(change func(*Options)) *Bot {
	f.t.Helper()
	o := Options{AppToken: "xapp-1", BotToken: "xoxb-1", APIURL: f.URL + "/api/"}
	if change != nil {
		change(&o)
	}
	b, err := New(o)
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

// start runs a bot until the test ends, and returns once all connections stand.
func (f *fake) start(b *Bot, ask Asker, listen Listener) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx, ask, listen) }()
	f.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			f.t.Errorf("run ended with %v", err)
		}
	})
	eventually(f.t, "connections", func() bool { return b.links.Standing() == b.options.Connections })
}
