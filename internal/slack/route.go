package slack

import (
	"encoding/json"
	"time"

	"cdcbot/internal/commands"
)

// envelope is what Socket Mode delivers.
type envelope struct {
	Type    string
	ID      string
	Payload json.RawMessage
	At      time.Time // when it arrived
}

// order is what an envelope asks for. At most one of command, said and problem is set; an order without any is only
// acknowledged.
type order struct {
	lane    string // envelopes of one lane are handled in order
	seen    string // the same for every delivery of the same thing
	command *commands.Command
	said    *ThreadMessage
	problem string // what to tell the person instead
	ack     any    // payload of the acknowledgement
	place   place
}

// place is where an answer goes.
type place struct {
	User        commands.User
	Channel     string
	Thread      string // "" for the channel itself
	ResponseURL string
	TriggerID   string    // opens one modal within three seconds
	At          time.Time // when the trigger arrived
	Slash       bool      // typed after /cdc: an answer may replace "Working on it…"
	Home        bool      // in the App Home, where answers are shown too
	Aloud       bool      // everybody in the channel sees the answer
}

// Change is what happened to a person's message.
type Change string

// The changes of a message.
const (
	Posted   Change = "posted"
	Edited   Change = "edited"
	Deleted  Change = "deleted"
	Pinned   Change = "pinned"
	Unpinned Change = "unpinned"
	Reacted  Change = "reacted"
)

// ThreadMessage is what a person wrote, changed, took away or marked in an incident's thread; User is who did that. Text is plain.
type ThreadMessage struct {
	Incident string
	Change   Change
	Channel  string
	Thread   string
	TS       string // the message's own timestamp, its identity in the channel
	User     commands.User
	Text     string
	Before   string // the text before an edit or deletion
	Emoji    string // of a reaction, such as "eyes"
	Key      string // the same for every delivery of this change
	At       time.Time
}

// route reads an envelope. It does no I/O, never fails and never panics: what it cannot read becomes a problem to tell.
func route(e envelope, self string) order {
	switch e.Type {
	case "slash_commands":
		return routeSlash(e)
	case "interactive":
		return routeInteraction(e)
	case "events_api":
		return routeEvent(e, self)
	}
	return order{}
}

func routeSlash(e envelope) order {
	var p struct {
		Text        string `json:"text"`
		UserID      string `json:"user_id"`
		UserName    string `json:"user_name"`
		ChannelID   string `json:"channel_id"`
		ResponseURL string `json:"response_url"`
		TriggerID   string `json:"trigger_id"`
	}
	if json.Unmarshal(e.Payload, &p) != nil || p.UserID == "" {
		return order{}
	}
	user := commands.User{ID: p.UserID, Name: p.UserName}
	return order{
		lane: "user:" + p.UserID, seen: seenOf(p.TriggerID, e),
		command: &commands.Command{User: user, Channel: p.ChannelID, Text: plain(p.Text), Mentions: mentions(p.Text)},
		place:   place{User: user, Channel: p.ChannelID, ResponseURL: p.ResponseURL, TriggerID: p.TriggerID, At: e.At, Slash: true},
	}
}

func seenOf(trigger string, e envelope) string {
	if trigger != "" {
		return "trigger:" + trigger
	}
	return "envelope:" + e.ID
}
