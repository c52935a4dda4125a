package slack

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	slackapi "github.com/slack-go/slack"
)

// channels turns the names of channels into IDs, which is all that most of Slack's methods take.
type channels struct {
	bot *Bot

	mu    sync.Mutex
	ids   map[string]string
	asked time.Time
}

// Names have no capital letters.
var channelID = regexp.MustCompile(`^[CDG][A-Z0-9]+$`)

func newChannels(b *Bot) *channels { return &channels{bot: b, ids: map[string]string{}} }

// ChannelID is the ID of a channel given by ID or by name, with or without #.
func (b *Board) ChannelID(ctx context.Context, nameOrID string) (string, error) {
	return b.channels.id(ctx, nameOrID)
}

func (c *channels) id(ctx context.Context, name string) (string, error) {
	if channelID.MatchString(name) {
		return name, nil
	}
	name = strings.ToLower(strings.TrimPrefix(name, "#"))
	c.mu.Lock()
	defer c.mu.Unlock()
	if id, known := c.ids[name]; known {
		return id, nil
	}
	if c.asked.IsZero() || time.Since(c.asked) > 10*time.Second {
		if err := c.load(ctx); err != nil {
			return "", err
		}
	}
	if id, known := c.ids[name]; known {
		return id, nil
	}
	return "", fmt.Errorf("%w: there is no channel #%s that the bot can see; create it, or /invite the bot if it is private", ErrChannel, name)
}

func (c *channels) load(ctx context.Context) error {
	for cursor := ""; ; {
		list, more, err := c.bot.api.GetConversationsContext(ctx, &slackapi.GetConversationsParameters{
			Cursor: cursor, Limit: 999, ExcludeArchived: true, Types: []string{"public_channel", "private_channel"}})
		if isRateLimit(err) || isNetwork(err) {
			return &AwayError{RetryAt: c.bot.options.Now().Add(10 * time.Second), Cause: err}
		}
		if err != nil {
			return fmt.Errorf("listing channels: %w", err)
		}
		for _, ch := range list {
			c.ids[ch.NameNormalized], c.ids[ch.Name] = ch.ID, ch.ID
		}
		if cursor = more; cursor == "" {
			c.asked = time.Now()
			return nil
		}
	}
}

func (c *channels) join(ctx context.Context, id string) error {
	if _, _, _, err := c.bot.api.JoinConversationContext(ctx, id); err != nil {
		return fmt.Errorf("joining channel %s: %w", id, err)
	}
	return nil
}
