package slacksim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"
)

// The limits of Socket Mode (docs.slack.dev/apis/events-api/using-socket-mode). An ack of 20 KB or more is dropped
// without a word, which was seen and is not documented.
const (
	maxSockets = 10
	maxAck     = 20 << 10
)

// sockets are the open Socket Mode connections. An envelope goes to any one of them.
type sockets struct {
	s        *Server
	upgrader websocket.Upgrader

	mu      sync.Mutex
	open    []*socket
	turn    int
	tickets map[string]bool
	waiting map[string]chan json.RawMessage // envelope → its ack
	refused string                          // apps.connections.open fails with this
}

type socket struct {
	conn *websocket.Conn
	mu   sync.Mutex // one writer at a time
	dead chan struct{}
	once sync.Once
}

func newSockets(s *Server) *sockets {
	return &sockets{s: s, upgrader: websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}, tickets: map[string]bool{}, waiting: map[string]chan json.RawMessage{}}
}

func (s *Server) openConnection(params) (map[string]any, error) {
	if code := s.sockets.refusal(); code != "" {
		return nil, fault{code: code}
	}
	ticket := s.next("ticket")
	s.sockets.mu.Lock()
	s.sockets.tickets[ticket] = true
	s.sockets.mu.Unlock()
	return map[string]any{"url": strings.Replace(s.base, "http", "ws", 1) + "/link?ticket=" + ticket + "&app_id=A0CDCBOT"}, nil
}

func (k *sockets) refusal() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.refused
}

// RefuseConnections lets apps.connections.open fail with an error code, as when Socket Mode is switched off; "" ends it.
func (s *Server) RefuseConnections(code string) {
	s.sockets.mu.Lock()
	defer s.sockets.mu.Unlock()
	s.sockets.refused = code
}

// serve is the WebSocket's endpoint; a ticket works once.
func (k *sockets) serve(w http.ResponseWriter, r *http.Request) {
	ticket := r.URL.Query().Get("ticket")
	k.mu.Lock()
	valid := k.tickets[ticket]
	delete(k.tickets, ticket)
	k.mu.Unlock()
	if !valid {
		http.Error(w, "ticket is used or unknown", http.StatusForbidden)
		return
	}
	conn, err := k.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	k.run(&socket{conn: conn, dead: make(chan struct{})})
}

func (k *sockets) run(c *socket) {
	k.mu.Lock()
	n := len(k.open) + 1
	if n <= maxSockets {
		k.open = append(k.open, c)
	}
	k.mu.Unlock()
	if n > maxSockets {
		c.send(map[string]any{"type": "disconnect", "reason": "too_many_websockets", "debug_info": map[string]any{"host": "applink-sim"}})
		c.close()
		return
	}
	c.send(map[string]any{"type": "hello", "num_connections": n, "connection_info": map[string]any{"app_id": "A0CDCBOT"}, "debug_info": map[string]any{"host": "applink-sim", "approximate_connection_time": 18060}})
	k.announce()
	go c.ping(k.s.options.PingEvery)
	k.read(c)
	k.forget(c)
	k.announce()
}

func (k *sockets) announce() {
	k.s.publish("", pageEvent{Name: "connected", Data: map[string]any{"connected": k.count() > 0}})
}

func (k *sockets) read(c *socket) {
	for {
		_, body, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		if len(body) >= maxAck {
			k.s.log.Warn("an ack of 20 KB or more was dropped", zap.Int("bytes", len(body)))
			continue
		}
		var ack struct {
			EnvelopeID string          `json:"envelope_id"`
			Payload    json.RawMessage `json:"payload"`
		}
		if json.Unmarshal(body, &ack) == nil && ack.EnvelopeID != "" {
			k.acked(ack.EnvelopeID, ack.Payload)
		}
	}
}

func (k *sockets) acked(id string, payload json.RawMessage) {
	k.mu.Lock()
	ch := k.waiting[id]
	delete(k.waiting, id)
	k.mu.Unlock()
	if ch != nil {
		ch <- payload
	}
}

func (k *sockets) forget(c *socket) {
	c.close()
	k.leave(c)
}

// leave lets nothing more be sent to a socket.
func (k *sockets) leave(c *socket) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, x := range k.open {
		if x == c {
			k.open = append(k.open[:i], k.open[i+1:]...)
			return
		}
	}
}

func (k *sockets) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.open)
}

func (c *socket) send(v any) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(2 * time.Second)) // a dead connection shows when it is written to
	return c.conn.WriteJSON(v) == nil
}

func (c *socket) close() {
	c.once.Do(func() { close(c.dead) })
	_ = c.conn.Close() // closing twice is fine
}

func (c *socket) ping(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-c.dead:
			return
		case <-ticker.C:
			if c.conn.WriteControl(websocket.PingMessage, []byte("Ping from applink-sim"), time.Now().Add(time.Second)) != nil {
				c.close()
				return
			}
		}
	}
}

func (k *sockets) all() []*socket {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]*socket(nil), k.open...)
}

func (k *sockets) disconnect(reason string) {
	for _, c := range k.all() {
		c.send(map[string]any{"type": "disconnect", "reason": reason, "debug_info": map[string]any{"host": "applink-sim"}})
		if reason != "warning" {
			time.AfterFunc(k.s.options.Drain, func() { k.retire(c) })
		}
	}
}

// retire gives a socket no more envelopes and closes it as WebSockets are closed: acks under way still count.
func (k *sockets) retire(c *socket) {
	k.leave(c)
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	if c.conn.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second)) != nil {
		c.close()
		return
	}
	time.AfterFunc(time.Second, c.close)
}

func (k *sockets) drop() {
	for _, c := range k.all() {
		c.close()
	}
}

// errNoSocket and errNoAck are what Slack's clients show people.
var (
	errNoSocket = fmt.Errorf("dispatch_failed")
	errNoAck    = fmt.Errorf("operation_timeout")
)

// deliver sends an envelope to one socket and waits for its ack. retry and reason mark a delivery that is tried again.
func (k *sockets) deliver(ctx context.Context, id, kind string, accepts bool, payload any, retry int, reason string) (json.RawMessage, error) {
	sent := frozen(payload)
	ack, err := k.exchange(ctx, id, kind, accepts, sent, retry, reason)
	problem, answer := "", any(map[string]any{"envelope_id": id})
	switch {
	case err != nil:
		problem, answer = err.Error(), nil
	case len(ack) > 0:
		answer = map[string]any{"envelope_id": id, "payload": ack}
	}
	k.s.overhear("slack", kind, sent, answer, problem)
	return ack, err
}

func (k *sockets) exchange(ctx context.Context, id, kind string, accepts bool, payload any, retry int, reason string) (json.RawMessage, error) {
	ch := make(chan json.RawMessage, 1)
	k.mu.Lock()
	k.waiting[id] = ch
	k.mu.Unlock()
	envelope := map[string]any{"envelope_id": id, "type": kind, "accepts_response_payload": accepts, "payload": payload}
	if kind == "events_api" {
		envelope["retry_attempt"], envelope["retry_reason"] = retry, reason
	}
	if !k.send(envelope) {
		k.mu.Lock()
		delete(k.waiting, id)
		k.mu.Unlock()
		return nil, errNoSocket
	}
	timer := time.NewTimer(k.s.options.AckTimeout)
	defer timer.Stop()
	select {
	case payload := <-ch:
		return payload, nil
	case <-timer.C:
		return nil, errNoAck
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// send writes an envelope to a socket that takes it; one that is seen to be dead is passed over.
func (k *sockets) send(envelope map[string]any) bool {
	for c := k.choose(); c != nil; c = k.choose() {
		if c.send(envelope) {
			return true
		}
		k.leave(c) // its reader sees that it is dead, or it is being closed and acks may still come
	}
	return false
}

// choose takes the sockets in turn: no client may count on a pattern.
func (k *sockets) choose() *socket {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.open) == 0 {
		return nil
	}
	k.turn++
	return k.open[k.turn%len(k.open)]
}

// event delivers an event and tries again as Slack does: at once, after a minute, after five minutes.
func (s *Server) event(inner map[string]any) {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return
	}
	id, eventID := s.next("env-"), s.next("Ev")
	now := s.options.Now().Unix()
	s.inFlight.Add(1)
	s.mu.Unlock()
	payload := map[string]any{"type": "event_callback", "team_id": "T0SIM", "api_app_id": "A0CDCBOT", "event": inner, "event_id": eventID, "event_time": now, "authorizations": []any{map[string]any{"team_id": "T0SIM", "user_id": s.bot.ID, "is_bot": true}}}
	go func() {
		defer s.inFlight.Done()
		if _, err := s.sockets.deliver(context.Background(), id, "events_api", false, payload, 0, ""); err == nil {
			return
		}
		if _, err := s.sockets.deliver(context.Background(), id, "events_api", false, payload, 1, "timeout"); err == nil {
			return
		}
		s.later(time.Minute, func() {
			_, _ = s.sockets.deliver(context.Background(), id, "events_api", false, payload, 2, "timeout") // the next retry follows anyway
		})
		s.later(5*time.Minute, func() {
			_, _ = s.sockets.deliver(context.Background(), id, "events_api", false, payload, 3, "timeout") // Slack gives up after this one
		})
	}()
}

func (s *Server) later(d time.Duration, do func()) {
	time.AfterFunc(d, func() {
		s.mu.Lock()
		closing := s.closing
		s.mu.Unlock()
		if !closing {
			do()
		}
	})
}
