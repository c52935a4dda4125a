package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	slackapi "github.com/slack-go/slack"
)

// Scopes are what the bot token must be granted; a test holds them against deploy/slack/manifest.yaml.
var Scopes = []string{"app_mentions:read", "channels:history", "channels:join", "channels:read", "chat:write", "commands", "files:write", "groups:history", "groups:read",
	"im:write", "metadata.message:read", "pins:read", "reactions:read", "usergroups:read", "users:read"}

// Identity is who Slack says the bot is.
type Identity struct {
	Team    string
	User    string
	Missing []string  // scopes that the token was not granted
	Spare   []string  // scopes that the token was granted and the bot does not need
	At      time.Time // Slack's clock, to the second; zero when it did not tell
}

// Identify asks Slack once who the bot token is, what it may, and what the time is.
func (b *Bot) Identify(ctx context.Context) (Identity, error) {
	who, err := b.api.AuthTestContext(ctx)
	if err != nil {
		return Identity{}, asked("who we are", "slack.bot_token", err)
	}
	id := Identity{Team: who.Team, User: who.User}
	granted := strings.FieldsFunc(who.Header.Get("X-OAuth-Scopes"), func(r rune) bool { return r == ',' || r == ' ' })
	for _, s := range Scopes {
		if !slices.Contains(granted, s) {
			id.Missing = append(id.Missing, s)
		}
	}
	for _, s := range granted {
		if !slices.Contains(Scopes, s) {
			id.Spare = append(id.Spare, s)
		}
	}
	if at, err := http.ParseTime(who.Header.Get("Date")); err == nil {
		id.At = at
	}
	return id, nil
}

// Opens asks Slack once for the address of a Socket Mode connection and does not open it, which proves the app token.
func (b *Bot) Opens(ctx context.Context) error {
	if _, _, err := b.api.StartSocketModeContext(ctx); err != nil {
		return asked("for a connection", "slack.app_token", err)
	}
	return nil
}

// asked explains why a question was not answered: what no retry mends has its mend in the text and is ErrRefused.
func asked(what, key string, err error) error {
	if refusal := refused(err, key); refusal != nil {
		return refusal
	}
	if isNetwork(err) {
		return fmt.Errorf("asking slack %s: there is no way to Slack: %w", what, err)
	}
	return fmt.Errorf("asking slack %s: %w", what, err)
}

// Membership is how the bot stands to a channel.
type Membership struct {
	ID     string
	Name   string
	Member bool
	Public bool // the bot joins by itself when it first posts
}

// Membership looks a channel up, by ID or by name. An error that is ErrChannel says what to do about the channel.
func (b *Bot) Membership(ctx context.Context, nameOrID string) (Membership, error) {
	id, err := newChannels(b).id(ctx, nameOrID)
	if err != nil {
		return Membership{}, err
	}
	c, err := b.api.GetConversationInfoContext(ctx, &slackapi.GetConversationInfoInput{ChannelID: id})
	if codeOf(err) == "channel_not_found" {
		return Membership{}, fmt.Errorf("%w: there is no channel %s that the bot can see; create it, or /invite the bot if it is private", ErrChannel, nameOrID)
	}
	if err != nil {
		return Membership{}, asked("about channel "+nameOrID, "slack.bot_token", err)
	}
	if c.IsArchived {
		return Membership{}, fmt.Errorf("%w: channel %s is archived; unarchive it, or name another", ErrChannel, nameOrID)
	}
	return Membership{ID: c.ID, Name: c.Name, Member: c.IsMember, Public: !c.IsPrivate}, nil
}

// Approvers counts who is in a user group, by ID or handle, and may decide as a person.
func (b *Bot) Approvers(ctx context.Context, group string) (int, error) {
	members, err := b.People(group).membersOf(ctx, group)
	var answer slackapi.SlackErrorResponse
	if errors.As(err, &answer) {
		return 0, asked("who is in "+group, "approval.group", err)
	}
	return len(members), err
}
