package slack

import (
	"context"
	"fmt"
	"slices"

	slackapi "github.com/slack-go/slack"

	"cdcbot/internal/commands"
)

// Marks are what people put on messages instead of words: pins, and the few reactions that mean something. Everything else
// that people react with is theirs.
var meanings = map[string]commands.Verb{
	"eyes": commands.VerbAcknowledge, // I look after it
	"mag":  commands.VerbDiagnose,    // look again
	"memo": commands.VerbNote,        // keep this message in the timeline
}

// Kinds of what people do in a thread, as slack.record names them.
var kinds = map[Change]string{Posted: "messages", Edited: "messages", Deleted: "messages", Pinned: "pins", Unpinned: "pins", Reacted: "reactions"}

func (b *Bot) records(c Change) bool {
	return b.options.Record == nil || slices.Contains(b.options.Record, kinds[c])
}

// item is what a mark is on.
type item struct {
	Type    string   `json:"type"`
	Channel string   `json:"channel"`
	TS      string   `json:"ts"`
	Message *message `json:"message"`
}

// pinned reads a pin that was set or taken away.
func (in event) pinned(o order, self string, change Change) order {
	if in.Item.Message == nil || in.Item.Type != "message" || in.User == "" || in.User == self {
		return order{}
	}
	on := in.Item.Message
	thread := on.ThreadTS
	if thread == "" {
		thread = on.TS
	}
	m := ThreadMessage{Change: change, Channel: in.Item.Channel, Thread: thread, TS: on.TS, User: commands.User{ID: in.User}, Text: clean(plain(on.Text)), Key: o.seen, At: moment(in.EventTS)}
	o.said, o.lane = &m, "said:"+m.Channel+":"+m.Thread
	return o
}

// reacted reads a reaction that means something. Slack tells the message's own timestamp only; the thread is looked up.
func (in event) reacted(o order, self string) order {
	if meanings[in.Reaction] == "" || in.Item.Type != "message" || in.User == "" || in.User == self {
		return order{}
	}
	m := ThreadMessage{Change: Reacted, Channel: in.Item.Channel, TS: in.Item.TS, User: commands.User{ID: in.User}, Emoji: in.Reaction, Key: o.seen, At: moment(in.EventTS)}
	o.said, o.lane = &m, "said:"+m.Channel+":"+m.TS
	return o
}

// locate finds the thread and the words of the message that a reaction is on.
func (b *Bot) locate(ctx context.Context, m *ThreadMessage) error {
	if id, err := b.incidentOf(ctx, m.Channel, m.TS); err != nil || id != "" {
		m.Thread = m.TS // the thread's first message
		return err
	}
	var list []slackapi.Message
	err := b.patiently(ctx, "conversations.replies", func() error {
		var err error
		list, _, _, err = b.api.GetConversationRepliesContext(ctx, &slackapi.GetConversationRepliesParameters{ChannelID: m.Channel, Timestamp: m.TS, Limit: 1, Inclusive: true})
		return err
	})
	if code := codeOf(err); code == "thread_not_found" || code == "message_not_found" || code == "channel_not_found" || code == "not_in_channel" {
		return nil // it is gone, or none of ours
	}
	if err != nil {
		return fmt.Errorf("looking for what %s reacted to: %w", m.User.ID, err)
	}
	for _, found := range list {
		if found.Timestamp == m.TS {
			m.Thread, m.Text = found.ThreadTimestamp, clean(plain(found.Text))
		}
	}
	return nil
}

// actOn does what a reaction means, and tells the person alone.
func (b *Bot) actOn(ctx context.Context, m ThreadMessage) {
	c := commands.Command{User: m.User, Channel: m.Channel, Thread: m.Thread, Verb: meanings[m.Emoji], Incident: m.Incident}
	if c.Verb == commands.VerbNote {
		if c.Reason = cut(line(m.Text), 2000); c.Reason == "" {
			return // a card has no words of its own to keep
		}
	}
	o := order{command: &c, place: place{User: m.User, Channel: m.Channel, Thread: m.Thread, At: m.At}}
	b.answer(ctx, o, b.safely(ctx, c), false)
}
