package slack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	slackapi "github.com/slack-go/slack"
	"go.uber.org/zap"
)

// errNoThread means that the first message of the thread is gone.
var errNoThread = fmt.Errorf("thread: %w", errGone)

const cardEvent = "cdc_card" // metadata event type of our cards

// post sends a card as a new message. The claim is durable before, so that a crash between posting and storing leaves a
// trace; the message carries metadata to be found by.
func (b *Board) post(ctx context.Context, t *thread, c card, saw, root Ref) error {
	id, pipeline := t.view().Incident.ID, t.view().Incident.Pipeline
	channel, err := b.place(ctx, c, root, pipeline)
	if err != nil {
		return err
	}
	if !saw.Claimed.IsZero() {
		found, err := b.recover(ctx, id, c, channel, saw, root)
		if err != nil || found {
			return err
		}
	}
	if err := b.gateOf(channel).pass(ctx, c.rank); err != nil {
		return err
	}
	c, some := again(t, c.key)
	if !some {
		return nil
	}
	claim := Ref{Channel: channel, Claimed: b.bot.options.Now().UTC(), Owner: b.options.Owner}
	mine, err := b.options.Refs.Claim(ctx, id, c.key, saw, claim)
	if err != nil || !mine {
		return err // not mine: somebody else posts it; the next look shows what became of it
	}
	return b.send(ctx, id, c, claim, root)
}

// place is where a card goes: the root's channel, or that of the pipeline for the root itself.
func (b *Board) place(ctx context.Context, c card, root Ref, pipeline string) (string, error) {
	if c.key != rootCard {
		return root.Channel, nil
	}
	name := b.options.Channel(pipeline)
	if name == "" {
		return "", fmt.Errorf("%w: no channel is configured for pipeline %q", ErrChannel, pipeline)
	}
	return b.channels.id(ctx, name)
}

func (b *Board) send(ctx context.Context, id string, c card, claim, root Ref) error {
	options := []slackapi.MsgOption{
		slackapi.MsgOptionMetadata(slackapi.SlackMetadata{EventType: cardEvent, EventPayload: map[string]any{"incident": id, "card": c.key, "rev": c.hash()}}),
		slackapi.MsgOptionDisableLinkUnfurl(), slackapi.MsgOptionDisableMediaUnfurl(),
	}
	if c.key != rootCard {
		options = append(options, slackapi.MsgOptionTS(root.TS))
	}
	channel, ts, err := b.write(ctx, "chat.postMessage", c, func(body ...slackapi.MsgOption) (string, string, error) {
		return b.bot.api.PostMessageContext(ctx, claim.Channel, append(body, options...)...)
	}, claim.Channel)
	if err != nil {
		return b.unsent(ctx, id, c, claim, err)
	}
	return b.options.Refs.Put(context.WithoutCancel(ctx), id, c.key, Ref{Channel: channel, TS: ts, Hash: c.hash(), Claimed: claim.Claimed, Owner: claim.Owner})
}

// unsent gives the claim back when Slack has certainly not taken the message; otherwise it stays, and the message is
// looked for before the next attempt.
func (b *Board) unsent(ctx context.Context, id string, c card, claim Ref, err error) error {
	if codeOf(err) != "" || isRateLimit(err) || neverSent(err) {
		err = errors.Join(err, b.options.Refs.Clear(context.WithoutCancel(ctx), id, c.key))
	}
	return b.judge(err, b.gateOf(claim.Channel))
}

func (b *Board) update(ctx context.Context, c card, ref Ref) error {
	_, _, err := b.write(ctx, "chat.update", c, func(body ...slackapi.MsgOption) (string, string, error) {
		channel, ts, _, err := b.bot.api.UpdateMessageContext(ctx, ref.Channel, ref.TS, body...)
		return channel, ts, err
	}, ref.Channel)
	if code := codeOf(err); code == "cant_update_message" || code == "edit_window_closed" {
		b.bot.log.Error("slack does not let me edit a card; it stays as it is", zap.String("card", c.key), zap.String("code", code))
		return nil
	}
	return b.judge(err, b.updates)
}

// write sends a card. When Slack does not take its blocks, which is a fault of ours, the words go out without them; when
// the bot is not in the channel, it joins.
func (b *Board) write(ctx context.Context, method string, c card, call func(...slackapi.MsgOption) (string, string, error), channel string) (where, ts string, err error) {
	send := func(text string, blocks []slackapi.Block) error {
		var err error
		where, ts, err = call(slackapi.MsgOptionText(text, false), slackapi.MsgOptionBlocks(blocks...))
		b.bot.count(method, err)
		return err
	}
	show := func() error {
		return b.bot.present(ctx, c.drawing, func(blocks []slackapi.Block) error { return send(c.text, blocks) })
	}
	err = show()
	if codeOf(err) == "not_in_channel" {
		if joined := b.channels.join(ctx, channel); joined != nil {
			return "", "", errors.Join(err, joined)
		}
		err = show()
	}
	if refusesBlocks(err) {
		b.bot.log.Error("slack does not take the blocks of a card; it is shown as plain text", zap.String("card", c.key), zap.String("code", codeOf(err)), zap.Strings("why", complaints(err)))
		err = send(c.text+"\n(The card could not be drawn; /cdc incident show has more.)", []slackapi.Block{})
	}
	return where, ts, err
}

// judge turns an error of Slack's into one that the corridor can act on: away, gone, or something to mend.
func (b *Board) judge(err error, g *gate) error {
	if err == nil {
		return nil
	}
	var limited *slackapi.RateLimitedError
	if errors.As(err, &limited) {
		after := max(limited.RetryAfter, time.Second)
		g.close(time.Now().Add(after))
		return b.away(err, after)
	}
	switch code := codeOf(err); code {
	case "message_not_found":
		return fmt.Errorf("%w: %w", errGone, err)
	case "thread_not_found":
		return fmt.Errorf("%w: %w", errNoThread, err)
	case "internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited", "team_added_to_org", "accesslimited":
		return b.away(err, awayFor)
	case "":
		if isNetwork(err) {
			return b.away(err, awayFor)
		}
		return err
	default:
		if advice, known := channelTroubles[code]; known {
			return fmt.Errorf("%w: %s: %s", ErrChannel, code, advice)
		}
		return fmt.Errorf("slack says %w", err)
	}
}

// channelTroubles are error codes that somebody has to mend in the workspace.
var channelTroubles = map[string]string{
	"channel_not_found":                     "there is no such channel, or it is private and the bot was not invited; /invite it",
	"not_in_channel":                        "the bot is not in the channel; /invite it",
	"is_archived":                           "the channel is archived; configure another one",
	"restricted_action":                     "the channel lets only some people post; allow the bot",
	"restricted_action_read_only_channel":   "the channel is read only; allow the bot",
	"restricted_action_thread_only_channel": "the channel allows replies only; configure another one",
}

func isRateLimit(err error) bool {
	var limited *slackapi.RateLimitedError
	return errors.As(err, &limited)
}

// neverSent: no connection came about, so Slack has not seen the request.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// isNetwork: the request or its answer was lost, or a proxy or server on the way failed.
func isNetwork(err error) bool {
	var status slackapi.StatusCodeError
	if errors.As(err, &status) {
		return status.Code >= 500 || status.Code == 408 || status.Code == 429
	}
	var n net.Error
	var u *url.Error
	return errors.As(err, &n) || errors.As(err, &u)
}

// count keeps the books of calls that write.
func (b *Bot) count(method string, err error) {
	result := "ok"
	switch {
	case isRateLimit(err):
		b.metrics.retries.WithLabelValues(method).Inc()
		result = "ratelimited"
	case codeOf(err) != "":
		result = codeOf(err)
	case err != nil:
		result = "unreachable"
	}
	b.metrics.posts.WithLabelValues(method, result).Inc()
}
