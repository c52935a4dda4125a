package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	slackapi "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// link is one Socket Mode connection that reopens itself. Several stand at once, because what Slack delivers on one that
// it is about to close is lost: the client closes it before the next one is open.
type link struct {
	bot    *Bot
	index  int
	pace   *pace
	client *socketmode.Client
	acks   chan ack
	log    *zap.Logger

	mu   sync.Mutex
	up   bool
	last error // why it is down
}

// ack is one acknowledgement to send.
type ack struct {
	envelope string
	payload  any
	arrived  time.Time
}

const (
	// ackWithin leaves half a second of Slack's three for the way.
	ackWithin = 2500 * time.Millisecond
	// linksApart keeps connections that were opened together from being renewed together, hours later.
	linksApart = time.Second
	acksAhead  = 512 // acknowledgements that may wait while a connection is being replaced
)

var errConnecting = errors.New("slack: not connected yet")

func newLink(b *Bot, i int) *link {
	l := &link{bot: b, index: i, acks: make(chan ack, acksAhead), last: errConnecting}
	l.log = b.log.With(zap.Int("connection", i+1))
	l.pace = &pace{via: b.http, now: time.Now}
	l.client = socketmode.New(b.client(l.pace))
	return l
}

// run keeps the connection until ctx ends or Slack refuses the app for good.
func (l *link) run(ctx context.Context) error {
	if err := wait(ctx, time.Duration(l.index)*linksApart); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := l.client.RunContext(ctx)
		if refusal := refused(err, "slack.app_token"); refusal != nil {
			return refusal
		}
		return err
	})
	group.Go(func() error { return l.read(ctx) })
	group.Go(func() error { return l.acknowledge(ctx) })
	err := group.Wait()
	l.down(err)
	return err
}

// read takes events off the client. It never waits for anything: a reader that waits leaves Slack's pings unanswered.
func (l *link) read(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-l.client.Events:
			if err := l.take(ctx, e); err != nil {
				return err
			}
		}
	}
}

func (l *link) take(ctx context.Context, e socketmode.Event) error {
	switch e.Type {
	case socketmode.EventTypeHello:
		l.greeted(e.Request)
	case socketmode.EventTypeConnecting:
		l.down(nil)
	case socketmode.EventTypeConnectionError:
		return l.failed(ctx, e.Data)
	case socketmode.EventTypeErrorBadMessage:
		l.unreadable(e.Data)
	case socketmode.EventTypeErrorWriteFailed:
		l.log.Warn("an acknowledgement was not written; slack will deliver again", zap.Any("data", errOf(e.Data)))
	case socketmode.EventTypeEventsAPI, socketmode.EventTypeInteractive, socketmode.EventTypeSlashCommand:
		if e.Request != nil {
			l.deliver(ctx, envelope{Type: e.Request.Type, ID: e.Request.EnvelopeID, Payload: e.Request.Payload, At: time.Now()})
		}
	}
	return nil
}

// deliver acknowledges an envelope and hands it to its lane. What people write in threads is acknowledged once it is
// durable: Slack delivers it again when this process dies meanwhile.
func (l *link) deliver(ctx context.Context, e envelope) {
	l.bot.metrics.envelopes.WithLabelValues(e.Type).Inc()
	self, _, _ := l.bot.Self()
	o := route(e, self)
	switch {
	case o.said != nil:
		kept := func() { l.send(ack{envelope: e.ID, arrived: e.At}) }
		if !l.bot.lanes.offer(o.lane, func() { l.bot.hear(ctx, o, kept) }) {
			l.bot.metrics.dropped.WithLabelValues("busy").Inc()
		}
	case o.command == nil && o.problem == "":
		l.send(ack{envelope: e.ID, payload: o.ack, arrived: e.At})
	default:
		l.accept(ctx, e, o)
	}
}

// accept acknowledges before anything else is done; a person whose lane is full is told so.
func (l *link) accept(ctx context.Context, e envelope, o order) {
	if e.Type != "events_api" {
		l.send(ack{envelope: e.ID, payload: o.ack, arrived: e.At})
	}
	taken := l.bot.lanes.offer(o.lane, func() { l.bot.handle(ctx, o) })
	switch {
	case taken && e.Type == "events_api":
		l.send(ack{envelope: e.ID, arrived: e.At})
	case !taken:
		l.bot.metrics.dropped.WithLabelValues("busy").Inc()
		l.bot.lanes.offer("busy", func() { l.bot.busy(ctx, o) })
	}
}

// send queues an acknowledgement. When too many wait already, Slack delivers again or tells the person.
func (l *link) send(a ack) {
	select {
	case l.acks <- a:
	default:
		l.bot.metrics.dropped.WithLabelValues("ack").Inc()
	}
}

// acknowledge sends what was queued. The client's own queue blocks while it reconnects, so each has a deadline; one that
// went out on the next connection, or not at all, comes back as a retry and is known then.
func (l *link) acknowledge(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-l.acks:
			l.ack(ctx, a)
		}
	}
}

func (l *link) ack(ctx context.Context, a ack) {
	ctx, cancel := context.WithDeadline(ctx, a.arrived.Add(ackWithin))
	defer cancel()
	if err := l.client.AckCtx(ctx, a.envelope, a.payload); err != nil {
		l.bot.metrics.dropped.WithLabelValues("ack").Inc()
		l.log.Warn("an envelope was not acknowledged in time", zap.String("envelope", a.envelope), zap.Error(err))
		return
	}
	l.bot.metrics.ack.Observe(time.Since(a.arrived).Seconds())
}

// unreadable acknowledges what the client could not decode, or Slack would deliver the poison three times more.
func (l *link) unreadable(data any) {
	bad, ok := data.(*socketmode.ErrorBadMessage)
	if !ok {
		return
	}
	var raw struct {
		EnvelopeID string `json:"envelope_id"`
		Type       string `json:"type"`
	}
	l.bot.metrics.dropped.WithLabelValues("undecodable").Inc()
	if err := json.Unmarshal(bad.Message, &raw); err != nil || raw.EnvelopeID == "" {
		l.log.Error("a frame from slack is not readable", zap.Error(bad.Cause), zap.Int("bytes", len(bad.Message)))
		return
	}
	l.log.Error("an envelope from slack is not readable; acknowledged and left out", zap.String("envelope", raw.EnvelopeID), zap.String("type", raw.Type), zap.Error(bad.Cause))
	l.send(ack{envelope: raw.EnvelopeID, arrived: time.Now()})
}

// failed ends the bot when no retry can help; the client would go on for ever without a word.
func (l *link) failed(ctx context.Context, data any) error {
	err := errOf(data)
	if refusal := refused(err, "slack.app_token"); refusal != nil {
		return refusal
	}
	if ctx.Err() == nil {
		l.log.Warn("slack is not reachable; trying again", zap.Error(err))
	}
	l.down(fmt.Errorf("connecting to slack: %w", err))
	return nil
}

func errOf(data any) error {
	switch d := data.(type) {
	case *slackapi.ConnectionErrorEvent:
		return d.ErrorObj
	case *socketmode.ErrorWriteFailed:
		return d.Cause
	}
	return errors.New("no details")
}

func (l *link) greeted(hello *socketmode.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.up {
		l.bot.metrics.connections.Inc()
	}
	l.up, l.last = true, nil
	if hello != nil {
		l.log.Info("connected to slack", zap.Int("connections", hello.NumConnections), zap.String("host", hello.DebugInfo.Host))
	}
}

func (l *link) down(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.up {
		l.bot.metrics.connections.Dec()
	}
	l.up = false
	if why != nil {
		l.last = why
	}
}

// ready returns nil while the connection stands, otherwise why it does not.
func (l *link) ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if storm := l.pace.storm(); storm != nil {
		return storm
	}
	if l.up {
		return nil
	}
	if l.last == nil {
		return errConnecting
	}
	return l.last
}
