package link

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"
)

// wire is one WebSocket. Its reader never waits for its writer.
type wire struct {
	pool    *Pool
	conn    *websocket.Conn
	log     *zap.Logger
	queue   chan outgoing
	greeted chan struct{} // closed by hello
	leaving chan string   // the reason of Slack's disconnect
	ended   chan struct{} // closed when nothing can be read any more
	written chan struct{} // closed when the writer has ended
	once    sync.Once
	hello   sync.Once
	why     error // why it ended; read after ended

	mu     sync.Mutex
	closed bool // nothing is queued any more
}

// outgoing is one acknowledgement on its way.
type outgoing struct {
	envelope Envelope
	frame    []byte
	moved    bool // it has changed links once already
}

// ahead is how many acknowledgements may wait on one link.
const ahead = 1024

func newWire(p *Pool, conn *websocket.Conn, log *zap.Logger) *wire {
	w := &wire{pool: p, conn: conn, log: log, queue: make(chan outgoing, ahead), greeted: make(chan struct{}),
		leaving: make(chan string, 1), ended: make(chan struct{}), written: make(chan struct{})}
	conn.SetPingHandler(func(data string) error {
		w.alive()
		_ = conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(p.times.write)) // a dead link shows by its silence
		return nil
	})
	conn.SetCloseHandler(func(int, string) error { return nil }) // the writer answers, after what is queued
	conn.SetPongHandler(func(string) error { w.alive(); return nil })
	go w.read()
	go w.write()
	return w
}

// alive lets the link be silent anew.
func (w *wire) alive() { _ = w.conn.SetReadDeadline(time.Now().Add(w.pool.times.silence)) } // fails only on a closed one

func (w *wire) read() {
	defer close(w.ended)
	w.alive()
	var frame bytes.Buffer
	for {
		if err := w.next(&frame); err != nil {
			w.why = w.explain(err)
			if !w.polite(err) {
				w.close()
			}
			return
		}
		w.alive()
		w.take(frame.Bytes())
	}
}

// mostKept is how large a buffer for frames may become before it is let go.
const mostKept = 256 << 10

// next reads a frame into a buffer that is used again and again: whoever takes the frame copies what it keeps.
func (w *wire) next(frame *bytes.Buffer) error {
	if frame.Cap() > mostKept {
		*frame = bytes.Buffer{}
	}
	frame.Reset()
	_, r, err := w.conn.NextReader()
	if err == nil {
		_, err = frame.ReadFrom(r)
	}
	return err
}

// polite reports whether Slack said that it closes the link: it still reads what we write until we say so, too. 1006 is
// the library's word for an end without a word (RFC 6455, 7.1.5).
func (w *wire) polite(err error) bool {
	var bye *websocket.CloseError
	return errors.As(err, &bye) && bye.Code != websocket.CloseAbnormalClosure
}

func (w *wire) explain(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("nothing came from slack for %s", w.pool.times.silence)
	}
	return err
}

func (w *wire) take(body []byte) {
	var f frame
	if err := json.Unmarshal(body, &f); err != nil {
		w.odd(body, err)
		return
	}
	switch {
	case f.Type == "hello":
		w.log.Info("connected to slack", zap.Int("connections", f.NumConnections), zap.String("host", f.Debug.Host), zap.Int("seconds", f.Debug.Lifetime))
		w.hello.Do(func() { close(w.greeted) })
	case f.Type == "disconnect":
		w.leave(f.Reason)
	case known[f.Type] && f.EnvelopeID != "":
		w.pool.options.Take(Envelope{Type: f.Type, ID: f.EnvelopeID, Payload: f.Payload, Accepts: f.Accepts, Retry: f.Retry, At: time.Now(), via: w})
	default:
		w.odd(body, errors.New("this kind of envelope is not known"))
	}
}

// leave tells once that Slack will close the link; a warning is followed by a request.
func (w *wire) leave(reason string) {
	w.log.Info("slack is going to close the connection", zap.String("reason", reason))
	select {
	case w.leaving <- reason:
	default:
	}
}

// odd acknowledges what cannot be read as far as it has an ID, and tells.
func (w *wire) odd(body []byte, err error) {
	var id struct {
		EnvelopeID string `json:"envelope_id"`
		Type       string `json:"type"`
	}
	_ = json.Unmarshal(body, &id) // as much of it as there is
	if id.EnvelopeID != "" {
		_ = Envelope{Type: id.Type, ID: id.EnvelopeID, At: time.Now(), via: w}.Ack(nil) // Slack sends it again otherwise
	}
	if w.pool.options.Odd != nil {
		w.pool.options.Odd(Oddity{ID: id.EnvelopeID, Type: id.Type, Bytes: len(body), Err: err})
	}
}

// write sends acknowledgements and pings until the link ends; what cannot go out then goes out on another link.
func (w *wire) write() {
	defer close(w.written)
	defer w.close()
	ping := time.NewTicker(w.pool.times.ping)
	defer ping.Stop()
	for {
		select {
		case o := <-w.queue:
			if !w.put(o) {
				w.pool.leftover(w, o)
			}
		case <-ping.C:
			_ = w.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(w.pool.times.write)) // as above
		case <-w.ended:
			w.last()
			return
		}
	}
}

// last empties the queue and answers Slack's goodbye; both fail on a link that is dead.
func (w *wire) last() {
	w.shut()
	for {
		select {
		case o := <-w.queue:
			if !w.put(o) {
				w.pool.leftover(w, o)
			}
		default:
			w.bye()
			return
		}
	}
}

func (w *wire) bye() {
	_ = w.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(w.pool.times.write)) // it ends anyway
}

// shut lets nothing be queued any more.
func (w *wire) shut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

func (w *wire) put(o outgoing) bool {
	_ = w.conn.SetWriteDeadline(time.Now().Add(w.pool.times.write)) // never fails
	if err := w.conn.WriteMessage(websocket.TextMessage, o.frame); err != nil {
		if !errors.Is(err, websocket.ErrCloseSent) { // after our goodbye there is still something to read
			w.close() // a frame that was begun cannot be taken back
		}
		return false
	}
	w.pool.acked(o.envelope, nil)
	return true
}

// offer queues an acknowledgement, false when the link has ended or its queue is full.
func (w *wire) offer(o outgoing) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	select {
	case w.queue <- o:
		return true
	default:
		return false
	}
}

// farewell closes the link politely: Slack reads what we wrote, and we read what it had sent.
func (w *wire) farewell() {
	w.flush()
	w.shut() // what comes until Slack reads our goodbye is acknowledged on another link
	w.bye()
	timer := time.NewTimer(w.pool.times.farewell)
	defer timer.Stop()
	select {
	case <-w.ended:
	case <-timer.C:
	}
	w.close()
	<-w.ended
	<-w.written
}

// flush waits a moment for acknowledgements that are queued.
func (w *wire) flush() {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range int(w.pool.times.farewell / time.Millisecond) {
		if len(w.queue) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-w.ended:
			return
		}
	}
}

func (w *wire) close() { w.once.Do(func() { _ = w.conn.Close() }) }
