package slack

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"cdcbot/internal/commands"
)

// message is a message inside an event: of the event itself, of what it became, or of what it was.
type message struct {
	User     string `json:"user"`
	BotID    string `json:"bot_id"`
	Text     string `json:"text"`
	TS       string `json:"ts"`
	ThreadTS string `json:"thread_ts"`
	Subtype  string `json:"subtype"`
}

type event struct {
	message
	Type     string          `json:"type"`
	Channel  string          `json:"channel"`
	EventTS  string          `json:"event_ts"`
	Deleted  string          `json:"deleted_ts"`
	Message  *message        `json:"message"`
	Previous *message        `json:"previous_message"`
	Edited   json.RawMessage `json:"edited"`
	Tab      string          `json:"tab"`
	Reaction string          `json:"reaction"`
	Item     item            `json:"item"`
}

func routeEvent(e envelope, self string) order {
	var outer struct {
		EventID string          `json:"event_id"`
		Event   json.RawMessage `json:"event"`
	}
	var in event
	if json.Unmarshal(e.Payload, &outer) != nil || json.Unmarshal(outer.Event, &in) != nil {
		return order{}
	}
	o := order{seen: "event:" + outer.EventID}
	if outer.EventID == "" {
		o.seen = "envelope:" + e.ID
	}
	switch in.Type {
	case "app_mention":
		return in.mention(o, self, e.At)
	case "message":
		return in.said(o, self)
	case "pin_added":
		return in.pinned(o, self, Pinned)
	case "pin_removed":
		return in.pinned(o, self, Unpinned)
	case "reaction_added":
		return in.reacted(o, self)
	case "app_home_opened":
		return in.homeOpened(o, e.At)
	case "member_joined_channel":
		return in.joined(o, self, e.At)
	}
	return order{}
}

// mention takes the words after our name for words after /cdc.
func (in event) mention(o order, self string, at time.Time) order {
	if in.BotID != "" || in.User == "" || in.User == self || len(in.Edited) > 0 {
		return order{}
	}
	_, text, _ := strings.Cut(in.Text, "<@"+self+">")
	if self == "" || !strings.Contains(in.Text, "<@"+self+">") {
		_, text, _ = strings.Cut(in.Text, ">")
	}
	user := commands.User{ID: in.User}
	o.lane = "user:" + in.User
	o.command = &commands.Command{User: user, Channel: in.Channel, Thread: in.ThreadTS, Text: strings.TrimSpace(plain(text)), Mentions: mentions(text)}
	o.place = place{User: user, Channel: in.Channel, Thread: in.ThreadTS, At: at}
	return o
}

// homeOpened asks for the person's Home; the app's other tab, Messages, needs nothing.
func (in event) homeOpened(o order, at time.Time) order {
	if in.Tab != "home" || in.User == "" {
		return order{}
	}
	user := commands.User{ID: in.User}
	o.lane = "user:" + in.User
	o.command = &commands.Command{User: user, Verb: commands.VerbHome}
	o.place = place{User: user, At: at, Home: true}
	return o
}

// joined says hello in a channel that we were brought into.
func (in event) joined(o order, self string, at time.Time) order {
	if in.User != self || self == "" || in.Channel == "" {
		return order{}
	}
	o.lane = "channel:" + in.Channel
	o.command = &commands.Command{Verb: commands.VerbGreet, Channel: in.Channel}
	o.place = place{Channel: in.Channel, At: at, Aloud: true}
	return o
}

// said reads what people do to their messages in threads. Messages of bots, ours included, and those outside a thread
// are nobody's statement about an incident.
func (in event) said(o order, self string) order {
	m := ThreadMessage{Channel: in.Channel, Key: o.seen, At: moment(in.EventTS)}
	now := in.message
	switch in.Subtype {
	case "", "file_share", "thread_broadcast", "me_message":
		m.Change, m.Text = Posted, in.Text
	case "message_changed":
		if in.Message == nil || in.Previous == nil || in.Message.Text == in.Previous.Text || in.Message.Subtype == "tombstone" {
			return order{}
		}
		now = *in.Message
		m.Change, m.Text, m.Before = Edited, in.Message.Text, in.Previous.Text
	case "message_deleted":
		if in.Previous == nil {
			return order{}
		}
		now = *in.Previous
		m.Change, m.Before = Deleted, in.Previous.Text
	default:
		return order{}
	}
	if now.BotID != "" || now.User == "" || now.User == self || now.ThreadTS == "" || now.ThreadTS == now.TS {
		return order{}
	}
	m.User, m.Thread, m.TS = commands.User{ID: now.User}, now.ThreadTS, now.TS
	m.Text, m.Before = clean(plain(m.Text)), clean(plain(m.Before))
	o.said, o.lane = &m, "said:"+m.Channel+":"+m.Thread
	return o
}

// moment reads a Slack timestamp, "1355517523.000008"; zero when it is none.
func moment(ts string) time.Time {
	seconds, fraction, _ := strings.Cut(ts, ".")
	s, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}
	}
	micros, _ := strconv.ParseInt((fraction + "000000")[:6], 10, 64) // what is no number counts as none
	return time.Unix(s, micros*1000).UTC()
}
