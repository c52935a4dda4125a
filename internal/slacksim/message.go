package slacksim

import (
	"encoding/json"
	"slices"
	"strings"
)

type channel struct {
	Channel
	messages  []*message // in order of their timestamps, replies included
	bookmarks []*bookmark
	purpose   string
}

// message is one message as the Web API and the page show it.
type message struct {
	TS          string          `json:"ts"`
	Type        string          `json:"type"`
	User        string          `json:"user"`
	BotID       string          `json:"bot_id,omitempty"`
	Username    string          `json:"username,omitempty"`
	Text        string          `json:"text"`
	Blocks      json.RawMessage `json:"blocks,omitempty"`
	Attachments json.RawMessage `json:"attachments,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty"`
	ThreadTS    string          `json:"thread_ts,omitempty"`
	Edited      *edited         `json:"edited,omitempty"`
	Files       []*file         `json:"files,omitempty"`
	Reactions   []*reaction     `json:"reactions,omitempty"`
	ClientMsgID string          `json:"client_msg_id,omitempty"`
	Pinned      bool            `json:"pinned,omitempty"`
	Ephemeral   bool            `json:"ephemeral,omitempty"`
	ReplyCount  int             `json:"reply_count,omitempty"`
	ReplyUsers  []string        `json:"reply_users,omitempty"`
	LatestReply string          `json:"latest_reply,omitempty"`
	Channel     string          `json:"channel,omitempty"`

	to string // the one who sees an ephemeral message
}

type edited struct {
	User string `json:"user"`
	TS   string `json:"ts"`
}

type reaction struct {
	Name  string   `json:"name"`
	Users []string `json:"users"`
	Count int      `json:"count"`
}

func (c *channel) find(ts string) *message {
	for _, m := range c.messages {
		if m.TS == ts {
			return m
		}
	}
	return nil
}

// add appends a message and counts it as a reply where it is one.
func (c *channel) add(m *message) {
	m.Type = "message"
	c.messages = append(c.messages, m)
	parent := c.find(m.ThreadTS)
	if parent == nil || m.ThreadTS == m.TS {
		return
	}
	parent.ReplyCount++
	parent.LatestReply = m.TS
	if parent.ThreadTS == "" {
		parent.ThreadTS = parent.TS
	}
	if !slices.Contains(parent.ReplyUsers, m.User) {
		parent.ReplyUsers = append(parent.ReplyUsers, m.User)
	}
}

// remove takes a message away.
func (c *channel) remove(ts string) {
	m := c.find(ts)
	if m == nil {
		return
	}
	c.messages = slices.DeleteFunc(c.messages, func(x *message) bool { return x == m })
	if parent := c.find(m.ThreadTS); parent != nil && parent.ReplyCount > 0 {
		parent.ReplyCount--
	}
}

// top are the messages that stand in the channel itself.
func (c *channel) top() []*message {
	var list []*message
	for _, m := range c.messages {
		if m.ThreadTS == "" || m.ThreadTS == m.TS {
			list = append(list, m)
		}
	}
	return list
}

// thread is a parent with its replies.
func (c *channel) thread(ts string) []*message {
	var list []*message
	for _, m := range c.messages {
		if m.TS == ts || m.ThreadTS == ts {
			list = append(list, m)
		}
	}
	return list
}

// view is a modal or Home view.
type view map[string]any

func (v view) text(key string) string {
	text, _ := v[key].(string)
	return text
}

// elementIn finds an element with an action ID in blocks; blockID "" takes any block.
func elementIn(blocks json.RawMessage, blockID, actionID string) (block, element map[string]any) {
	var list []map[string]any
	if json.Unmarshal(blocks, &list) != nil {
		return nil, nil
	}
	for _, b := range list {
		if id, _ := b["block_id"].(string); blockID != "" && id != blockID {
			continue
		}
		for _, e := range elements(b) {
			if e["action_id"] == actionID {
				return b, e
			}
		}
	}
	return nil, nil
}

// elements are the interactive parts of a block.
func elements(b map[string]any) []map[string]any {
	var list []map[string]any
	for _, key := range []string{"accessory", "element"} {
		if e, ok := b[key].(map[string]any); ok {
			list = append(list, e)
		}
	}
	many, _ := b["elements"].([]any)
	for _, x := range many {
		if e, ok := x.(map[string]any); ok {
			list = append(list, e)
		}
	}
	return list
}

// label is the visible text of a button.
func label(e map[string]any) string {
	text, _ := e["text"].(map[string]any)
	words, _ := text["text"].(string)
	return strings.TrimSpace(words)
}
