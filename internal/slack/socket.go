package slack

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	slackapi "github.com/slack-go/slack"
	"go.uber.org/zap"

	"cdcbot/internal/slack/link"
)

// newLinks holds the bot's Socket Mode connections. slack-go's own client closes a connection before the next one is
// open, and what Slack delivers meanwhile is lost; ours opens first.
func newLinks(b *Bot) *link.Pool {
	return link.New(link.Options{
		Links:  b.options.Connections,
		Open:   b.openLink,
		Take:   b.take,
		Acked:  b.acked,
		Odd:    b.unreadable,
		Count:  func(n int) { b.metrics.connections.Set(float64(n)) },
		Logger: b.log,
	})
}

// openLink asks Slack for a connection's address.
func (b *Bot) openLink(ctx context.Context) (string, error) {
	_, url, err := b.api.StartSocketModeContext(ctx)
	if refusal := refused(err, "slack.app_token"); refusal != nil {
		return "", backoff.Permanent(refusal)
	}
	var limited *slackapi.RateLimitedError
	if errors.As(err, &limited) {
		return "", errors.Join(err, &backoff.RetryAfterError{Duration: limited.RetryAfter})
	}
	return url, err
}

// take acknowledges an envelope and hands it to its lane; it never waits. What people write in threads is acknowledged
// once it is durable: Slack delivers it again when this process dies meanwhile.
func (b *Bot) take(e link.Envelope) {
	b.metrics.envelopes.WithLabelValues(e.Type).Inc()
	self, _, _ := b.Self()
	o := route(envelope{Type: e.Type, ID: e.ID, Payload: e.Payload, At: e.At}, self)
	switch {
	case o.said != nil:
		if !b.lanes.offer(o.lane, func() { b.hear(b.running, o, func() { b.ack(e, nil) }) }) {
			b.metrics.dropped.WithLabelValues("busy").Inc()
		}
	case o.command == nil && o.problem == "":
		b.ack(e, o.ack)
	default:
		b.accept(e, o)
	}
}

// accept acknowledges before anything else is done; a person whose lane is full is told so.
func (b *Bot) accept(e link.Envelope, o order) {
	if e.Type != "events_api" {
		b.ack(e, o.ack)
	}
	taken := b.lanes.offer(o.lane, func() { b.handle(b.running, o) })
	switch {
	case taken && e.Type == "events_api":
		b.ack(e, nil)
	case !taken:
		b.metrics.dropped.WithLabelValues("busy").Inc()
		b.lanes.offer("busy", func() { b.busy(b.running, o) })
	}
}

// ack sends an acknowledgement on its way; acked is told what became of it.
func (b *Bot) ack(e link.Envelope, payload any) {
	if err := e.Ack(payload); errors.Is(err, link.ErrTooLong) {
		b.log.Error("an answer was left out of an acknowledgement", zap.String("envelope", e.ID), zap.Error(err))
	}
}

// acked counts. An envelope whose acknowledgement was lost comes back as a retry and is known then.
func (b *Bot) acked(e link.Envelope, err error) {
	if err != nil {
		b.metrics.dropped.WithLabelValues("ack").Inc()
		b.log.Warn("an envelope was not acknowledged", zap.String("envelope", e.ID), zap.Error(err))
		return
	}
	b.metrics.ack.Observe(time.Since(e.At).Seconds())
}

// unreadable tells of a frame that is no envelope we know; the link has acknowledged it.
func (b *Bot) unreadable(o link.Oddity) {
	b.metrics.dropped.WithLabelValues("undecodable").Inc()
	b.log.Error("a frame from slack is not readable; left out", zap.String("envelope", o.ID), zap.String("type", o.Type), zap.Int("bytes", o.Bytes), zap.Error(o.Err))
}
