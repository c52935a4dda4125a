package slack

import (
	"context"
	"fmt"
	"time"

	slackapi "github.com/slack-go/slack"
	"go.uber.org/zap"
)

const (
	claimedBy = 20 * time.Second // another replica's claim is respected this long: longer than a request may take
	settled   = 5 * time.Second  // after this, a request whose answer was lost has either worked or not
)

// recover looks for a card that was being posted when somebody died. Found is also true when another replica may still
// be posting it, which the error says.
func (b *Board) recover(ctx context.Context, id string, c card, channel string, claim, root Ref) (found bool, err error) {
	age := b.bot.options.Now().Sub(claim.Claimed)
	if claim.Owner != b.options.Owner && age < claimedBy {
		return true, b.away(fmt.Errorf("another replica is posting card %s of %s", c.key, id), claimedBy-age)
	}
	if claim.Channel != "" {
		channel = claim.Channel
	}
	ts, err := b.search(ctx, id, c.key, channel, root.TS, claim.Claimed.Add(-time.Minute))
	if err != nil {
		return false, b.judge(err, b.updates)
	}
	if ts == "" && age < settled {
		return true, b.away(fmt.Errorf("card %s of %s may still arrive", c.key, id), settled-age)
	}
	if ts == "" {
		return false, nil
	}
	b.bot.log.Info("found a card that was posted but not stored", zap.String("incident", id), zap.String("card", c.key))
	return true, b.options.Refs.Put(ctx, id, c.key, Ref{Channel: channel, TS: ts, Claimed: claim.Claimed, Owner: claim.Owner})
}

// search reads the channel, or the thread, for our own message with the card's metadata.
func (b *Board) search(ctx context.Context, id, key, channel, thread string, since time.Time) (string, error) {
	oldest := fmt.Sprintf("%d.000000", since.Unix())
	for cursor := ""; ; {
		messages, more, err := b.page(ctx, channel, thread, oldest, cursor)
		if err != nil {
			return "", fmt.Errorf("looking for card %s of %s: %w", key, id, err)
		}
		for _, m := range messages {
			p := m.Metadata.EventPayload
			if b.own(m) && m.Metadata.EventType == cardEvent && p["incident"] == id && p["card"] == key {
				return m.Timestamp, nil
			}
		}
		if cursor = more; cursor == "" {
			return "", nil
		}
	}
}

func (b *Board) page(ctx context.Context, channel, thread, oldest, cursor string) ([]slackapi.Message, string, error) {
	if thread != "" {
		messages, _, more, err := b.bot.api.GetConversationRepliesContext(ctx, &slackapi.GetConversationRepliesParameters{
			ChannelID: channel, Timestamp: thread, Oldest: oldest, Cursor: cursor, Limit: 200, IncludeAllMetadata: true})
		return messages, more, err
	}
	answer, err := b.bot.api.GetConversationHistoryContext(ctx, &slackapi.GetConversationHistoryParameters{
		ChannelID: channel, Oldest: oldest, Cursor: cursor, Limit: 200, IncludeAllMetadata: true})
	if err != nil {
		return nil, "", err
	}
	return answer.Messages, answer.ResponseMetaData.NextCursor, nil
}

// own: metadata can be written by any app; only our own message is our card.
func (b *Board) own(m slackapi.Message) bool {
	user, bot, _ := b.bot.Self()
	return (user != "" && m.User == user) || (bot != "" && m.BotID == bot)
}
