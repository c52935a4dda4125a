package slacksim

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The limits of message text, in characters (docs.slack.dev/reference/methods/chat.postMessage).
const (
	maxText   = 40000 // longer texts are cut when posted
	maxUpdate = 4000  // longer texts are refused in an update
)

// target finds the channel that a call posts to: by ID, by name, or a person's direct messages by the person's ID.
func (s *Server) target(p params) (*channel, error) {
	c := s.channel(p["channel"])
	if u, ok := s.user(p["channel"]); c == nil && ok && u.ID == p["channel"] {
		c = s.dm(u)
	}
	switch {
	case c == nil || c.Private && c.Closed:
		return nil, fault{code: "channel_not_found"}
	case c.Archived:
		return nil, fault{code: "is_archived"}
	case c.Closed && !s.has("chat:write.public"):
		return nil, fault{code: "not_in_channel"}
	}
	return c, nil
}

// at finds the message that a call is about, by the IDs alone.
func (s *Server) at(channelID, ts string) (*channel, *message, error) {
	c, err := s.conversation(channelID)
	if err != nil {
		return nil, nil, err
	}
	m := c.find(ts)
	if m == nil {
		return nil, nil, fault{code: "message_not_found"}
	}
	return c, m, nil
}

// content checks what a message is made of, as this workspace takes it.
func (s *Server) content(p params) (text string, blocks, attachments json.RawMessage, err error) {
	text, blocks, attachments, err = content(p, "message")
	if err == nil {
		err = s.refuses(blocks)
	}
	return text, blocks, attachments, err
}

// content checks text, blocks and attachments as Slack does.
func content(p params, surface string) (text string, blocks, attachments json.RawMessage, err error) {
	text = p["text"]
	if md := p["markdown_text"]; md != "" {
		if text != "" || p["blocks"] != "" {
			return "", nil, nil, fault{code: "markdown_text_conflict"}
		}
		if utf8.RuneCountInString(md) > maxMarkdown {
			return "", nil, nil, fault{code: "msg_too_long"}
		}
		text = md
	}
	if raw := p["blocks"]; raw != "" && raw != "null" && raw != "[]" {
		if err := checkBlocks(raw, surface); err != nil {
			return "", nil, nil, err
		}
		blocks = json.RawMessage(raw)
	}
	if raw := p["attachments"]; raw != "" && raw != "null" && raw != "[]" {
		var list []map[string]any
		if json.Unmarshal([]byte(raw), &list) != nil {
			return "", nil, nil, fault{code: "invalid_attachments"}
		}
		if len(list) > 100 {
			return "", nil, nil, fault{code: "too_many_attachments"}
		}
		for _, a := range list {
			if inner, ok := a["blocks"]; ok {
				b, _ := json.Marshal(inner) // it was decoded from JSON
				if err := checkBlocks(string(b), surface); err != nil {
					return "", nil, nil, err
				}
			}
		}
		attachments = json.RawMessage(raw)
	}
	if strings.TrimSpace(text) == "" && blocks == nil && attachments == nil {
		return "", nil, nil, fault{code: "no_text"}
	}
	return text, blocks, attachments, nil
}

func metadata(p params) (json.RawMessage, error) {
	raw := p["metadata"]
	if raw == "" || raw == "null" {
		return nil, nil
	}
	var m struct {
		EventType string         `json:"event_type"`
		Payload   map[string]any `json:"event_payload"`
	}
	if json.Unmarshal([]byte(raw), &m) != nil || m.EventType == "" || m.Payload == nil {
		return nil, fault{code: "invalid_metadata_format"}
	}
	for _, v := range m.Payload {
		if _, nested := v.(map[string]any); nested {
			return nil, fault{code: "invalid_metadata_schema"}
		}
	}
	return json.RawMessage(raw), nil
}

func (s *Server) postMessage(p params) (map[string]any, error) {
	c, err := s.target(p)
	if err != nil {
		return nil, err
	}
	text, blocks, attachments, err := s.content(p)
	if err != nil {
		return nil, err
	}
	meta, err := metadata(p)
	if err != nil {
		return nil, err
	}
	thread := p["thread_ts"]
	if thread != "" && c.find(thread) == nil {
		return nil, fault{code: "thread_not_found"}
	}
	if utf8.RuneCountInString(text) > maxText {
		text = string([]rune(text)[:maxText])
	}
	m := &message{TS: s.stamp(), User: s.bot.ID, BotID: "B0CDCBOT", Username: s.bot.Name, Text: text, Blocks: named(blocks), Attachments: attachments, Metadata: meta, ThreadTS: thread, ClientMsgID: p["client_msg_id"]}
	c.add(m)
	s.changed(c, m)
	s.note(c, s.ownMessage(c, m))
	return map[string]any{"channel": c.ID, "ts": m.TS, "message": m}, nil
}

// ownMessage is the event of the app's own message: Slack sends it like any other, and an app must know itself.
func (s *Server) ownMessage(c *channel, m *message) map[string]any {
	event := map[string]any{"type": "message", "user": m.User, "bot_id": m.BotID, "app_id": "A0CDCBOT", "text": m.Text, "ts": m.TS, "event_ts": m.TS, "channel": c.ID, "channel_type": c.kind(), "team": "T0SIM"}
	if len(m.Blocks) > 0 {
		event["blocks"] = m.Blocks
	}
	if m.ThreadTS != "" {
		event["thread_ts"] = m.ThreadTS
	}
	return event
}

// named gives every block an ID, as Slack does for those without.
func named(blocks json.RawMessage) json.RawMessage {
	var list []map[string]any
	if len(blocks) == 0 || json.Unmarshal(blocks, &list) != nil {
		return blocks
	}
	for i, b := range list {
		if id, _ := b["block_id"].(string); id == "" {
			b["block_id"] = "b" + strconv.Itoa(i)
		}
	}
	b, err := json.Marshal(list)
	if err != nil {
		return blocks
	}
	return b
}

func (s *Server) updateMessage(p params) (map[string]any, error) {
	c, m, err := s.at(p["channel"], p["ts"])
	switch {
	case err != nil:
		return nil, err
	case m.User != s.bot.ID:
		return nil, fault{code: "cant_update_message"}
	case utf8.RuneCountInString(p["text"]) > maxUpdate:
		return nil, fault{code: "msg_too_long"}
	}
	text, blocks, attachments, err := s.content(p)
	if err != nil {
		return nil, err
	}
	meta, err := metadata(p)
	if err != nil {
		return nil, err
	}
	before := frozen(m)
	if meta != nil {
		m.Metadata = meta
	}
	m.Text, m.Attachments = text, attachments
	if blocks != nil || p["blocks"] == "[]" {
		m.Blocks = named(blocks)
	}
	m.Edited = &edited{User: s.bot.ID, TS: s.stamp()}
	s.changed(c, m)
	s.note(c, map[string]any{"type": "message", "subtype": "message_changed", "channel": c.ID, "channel_type": c.kind(), "ts": m.Edited.TS, "event_ts": m.Edited.TS, "message": frozen(m), "previous_message": before})
	return map[string]any{"channel": c.ID, "ts": m.TS, "text": m.Text, "message": m}, nil
}

func (s *Server) deleteMessage(p params) (map[string]any, error) {
	c, m, err := s.at(p["channel"], p["ts"])
	if err != nil {
		return nil, err
	}
	if m.User != s.bot.ID {
		return nil, fault{code: "cant_delete_message"}
	}
	c.remove(m.TS)
	s.changed(c, m)
	at := s.stamp()
	s.note(c, map[string]any{"type": "message", "subtype": "message_deleted", "channel": c.ID, "channel_type": c.kind(), "ts": at, "event_ts": at, "deleted_ts": m.TS, "previous_message": frozen(m)})
	return map[string]any{"channel": c.ID, "ts": m.TS}, nil
}

func (s *Server) postEphemeral(p params) (map[string]any, error) {
	c, err := s.target(p)
	if err != nil {
		return nil, err
	}
	u, ok := s.user(p["user"])
	if !ok || u.ID != p["user"] || !s.member(c, u.ID) {
		return nil, fault{code: "user_not_in_channel"}
	}
	text, blocks, attachments, err := s.content(p)
	if err != nil {
		return nil, err
	}
	m := s.whisper(c, u.ID, p["thread_ts"], text, named(blocks))
	m.Attachments = attachments
	return map[string]any{"message_ts": m.TS}, nil
}

// whisper shows one user a message; the caller holds the lock.
func (s *Server) whisper(c *channel, user, thread, text string, blocks json.RawMessage) *message {
	m := &message{TS: s.stamp(), Type: "message", User: s.bot.ID, BotID: "B0CDCBOT", Username: s.bot.Name, Text: text, Blocks: blocks, ThreadTS: thread, Ephemeral: true, Channel: c.ID, to: user}
	s.ephemeral = append(s.ephemeral, m)
	s.publishLocked(user, pageEvent{Name: "ephemeral", Data: map[string]any{"channel": c.ID, "ts": m.TS, "thread_ts": thread}})
	return m
}

func (s *Server) history(p params) (map[string]any, error) {
	c, err := s.read(p, "*:history")
	if err != nil {
		return nil, err
	}
	list := []*message{}
	for _, m := range slices.Backward(c.top()) {
		if within(m.TS, p) {
			list = append(list, shown(m, p))
		}
	}
	return paged("messages", list, p)
}

func (s *Server) replies(p params) (map[string]any, error) {
	c, err := s.read(p, "*:history")
	if err != nil {
		return nil, err
	}
	if c.find(p["ts"]) == nil {
		return nil, fault{code: "thread_not_found"}
	}
	list := []*message{}
	for _, m := range c.thread(p["ts"]) {
		if m.TS == p["ts"] || within(m.TS, p) { // the parent always comes first
			list = append(list, shown(m, p))
		}
	}
	return paged("messages", list, p)
}

// within says whether a timestamp lies between oldest and latest, which themselves only count when inclusive is set.
func within(ts string, p params) bool {
	oldest, latest := p["oldest"], p["latest"]
	if p.flag("inclusive") && (ts == oldest || ts == latest) {
		return true
	}
	return (oldest == "" || ts > oldest) && (latest == "" || ts < latest)
}

// shown hides metadata from those who did not ask for it.
func shown(m *message, p params) *message {
	copied := *m
	if !p.flag("include_all_metadata") {
		copied.Metadata = nil
	}
	return &copied
}
