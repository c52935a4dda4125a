package slacksim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Actor does what a person does on the page; tests play people with it.
type Actor struct {
	s    *Server
	user string
}

// As is a person by name or ID.
func (s *Server) As(user string) Actor { return Actor{s: s, user: user} }

// Command types a slash command; the error is what Slack would show.
func (a Actor) Command(ctx context.Context, channel, text string) error {
	return a.s.command(ctx, a.user, channel, text)
}

// Post writes a message, into a thread when thread is not "". It returns the timestamp.
func (a Actor) Post(channel, thread, text string) (string, error) {
	return a.s.post(a.user, channel, thread, text)
}

// Edit changes one's own message.
func (a Actor) Edit(channel, ts, text string) error { return a.s.edit(a.user, channel, ts, text) }

// Delete removes one's own message.
func (a Actor) Delete(channel, ts string) error { return a.s.delete(a.user, channel, ts) }

// React adds a reaction.
func (a Actor) React(channel, ts, name string) error {
	return a.s.reacted(a.user, channel, ts, name, false)
}

// Press presses the button of a message that has this action ID or this text.
func (a Actor) Press(ctx context.Context, channel, ts, button string) error {
	a.s.mu.Lock()
	u, _ := a.s.user(a.user)
	m, _ := a.s.visible(u, channel, ts)
	if m == nil {
		a.s.mu.Unlock()
		return fmt.Errorf("there is no message %s in %s", ts, channel)
	}
	block, action := findButton(m.Blocks, button)
	there := Buttons(m.Blocks)
	a.s.mu.Unlock()
	if action == "" {
		return fmt.Errorf("message %s has no button %q; it has %s", ts, button, strings.Join(there, ", "))
	}
	at := map[string]any{"channel": channel, "ts": ts}
	return a.s.press(ctx, a.user, at, map[string]any{"block_id": block, "action_id": action})
}

// Choose picks an option of a select or overflow menu by its visible text.
func (a Actor) Choose(ctx context.Context, channel, ts, option string) error {
	a.s.mu.Lock()
	u, _ := a.s.user(a.user)
	m, _ := a.s.visible(u, channel, ts)
	var blocks json.RawMessage
	if m != nil {
		blocks = m.Blocks
	}
	a.s.mu.Unlock()
	var list []map[string]any
	_ = json.Unmarshal(blocks, &list) // no blocks, no options
	for _, b := range list {
		for _, e := range elements(b) {
			options, _ := e["options"].([]any)
			for _, x := range options {
				o, _ := x.(map[string]any)
				if label(o) == option {
					return a.s.press(ctx, a.user, map[string]any{"channel": channel, "ts": ts}, map[string]any{"block_id": b["block_id"], "action_id": e["action_id"], "selected_option": o})
				}
			}
		}
	}
	return fmt.Errorf("message %s has no option %q", ts, option)
}

// Forge presses a button that the message does not have: an attack that a client could try.
func (a Actor) Forge(ctx context.Context, channel, ts, actionID, value string) error {
	a.s.mu.Lock()
	u, _ := a.s.user(a.user)
	m, c := a.s.visible(u, channel, ts)
	if m == nil {
		a.s.mu.Unlock()
		return fmt.Errorf("there is no message %s in %s", ts, channel)
	}
	payload := map[string]any{"type": "block_actions", "team": map[string]any{"id": "T0SIM", "domain": "sim"}, "user": map[string]any{"id": u.ID, "username": u.Name, "name": u.Name}, "api_app_id": "A0CDCBOT", "token": "sim",
		"channel": map[string]any{"id": c.ID, "name": c.Name}, "message": m, "container": map[string]any{"type": "message", "message_ts": m.TS, "channel_id": c.ID},
		"response_url": a.s.newHook(hook{channel: c.ID, user: u.ID, thread: m.ThreadTS, message: m.TS}), "trigger_id": a.s.newTrigger(u.ID, ""),
		"actions": []any{map[string]any{"action_id": actionID, "block_id": "forged", "type": "button", "value": value, "action_ts": a.s.stamp()}}}
	id, body := a.s.next("env-"), frozen(payload)
	a.s.mu.Unlock()
	_, err := a.s.sockets.deliver(ctx, id, "interactive", false, body, 0, "")
	return err
}

// Modal is the modal that is open for the person, nil when none is.
func (a Actor) Modal() map[string]any {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	u, _ := a.s.user(a.user)
	if v := a.s.top(u.ID); v != nil {
		return *v
	}
	return nil
}

// Submit fills the inputs of the open modal in order of their blocks and submits it. Errors at fields come back by block.
func (a Actor) Submit(ctx context.Context, texts ...string) (map[string]string, error) {
	v := view(a.Modal())
	if v == nil {
		return nil, fmt.Errorf("no modal is open for %s", a.user)
	}
	values := map[string]any{}
	list, _ := v["blocks"].([]any)
	for _, x := range list {
		b, _ := x.(map[string]any)
		e, _ := b["element"].(map[string]any)
		if b["type"] != "input" || len(texts) == 0 {
			continue
		}
		values[word(b, "block_id")] = map[string]any{word(e, "action_id"): map[string]any{"type": e["type"], "value": texts[0]}}
		texts = texts[1:]
	}
	return a.s.submit(ctx, a.user, v.text("id"), values)
}

// Ephemerals are the texts that only this person sees, oldest first; blocks count with their texts.
func (a Actor) Ephemerals() []string {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	u, _ := a.s.user(a.user)
	var list []string
	for _, m := range a.s.ephemeral {
		if m.to == u.ID {
			list = append(list, Words(m.Text, m.Blocks))
		}
	}
	return list
}

// Said is a message as tests look at it.
type Said struct {
	TS, ThreadTS, User, Text string
	Blocks                   json.RawMessage
	Metadata                 json.RawMessage
	Files                    []string // names
	Words                    string   // text and all texts of the blocks
}

func said(m *message) Said {
	out := Said{TS: m.TS, ThreadTS: m.ThreadTS, User: m.User, Text: m.Text, Blocks: m.Blocks, Metadata: m.Metadata, Words: Words(m.Text, m.Blocks)}
	for _, f := range m.Files {
		out.Files = append(out.Files, f.Name)
	}
	return out
}

// Messages are the messages that stand in a channel itself, oldest first.
func (s *Server) Messages(name string) []Said {
	return s.list(name, func(c *channel) []*message { return c.top() })
}

// Thread is a message with its replies.
func (s *Server) Thread(name, ts string) []Said {
	return s.list(name, func(c *channel) []*message { return c.thread(ts) })
}

func (s *Server) list(name string, choose func(*channel) []*message) []Said {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channel(name)
	if c == nil {
		return nil
	}
	var list []Said
	for _, m := range choose(c) {
		list = append(list, said(m))
	}
	return list
}

// File is the body of an uploaded file by name, the newest when there are several; nil when there is none.
func (s *Server) File(name string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found *file
	for _, f := range s.files {
		if f.Name == name && f.received && (found == nil || f.ID > found.ID) {
			found = f
		}
	}
	if found == nil {
		return nil
	}
	return slices.Clone(found.Body)
}

// Wait waits until cond is true; the error says what was waited for.
func (s *Server) Wait(ctx context.Context, what string, cond func() bool) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !cond() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case <-ticker.C:
		}
	}
	return nil
}

// findButton finds a button by action ID or visible text.
func findButton(blocks json.RawMessage, button string) (block, action string) {
	var list []map[string]any
	_ = json.Unmarshal(blocks, &list) // no blocks, no buttons
	for _, b := range list {
		for _, e := range elements(b) {
			if e["action_id"] == button || label(e) == button {
				return word(b, "block_id"), word(e, "action_id")
			}
		}
	}
	return "", ""
}

// Buttons are the visible texts of the buttons in blocks.
func Buttons(blocks json.RawMessage) []string {
	var list []map[string]any
	_ = json.Unmarshal(blocks, &list) // no blocks, no buttons
	var texts []string
	for _, b := range list {
		for _, e := range elements(b) {
			if e["type"] == "button" {
				texts = append(texts, label(e))
			}
		}
	}
	return texts
}

// Words are all texts of a message in reading order, a line each.
func Words(text string, blocks json.RawMessage) string {
	var v any
	_ = json.Unmarshal(blocks, &v) // no blocks, no words
	lines := []string{text}
	collect(v, &lines)
	return strings.Join(lines, "\n")
}

func collect(v any, lines *[]string) {
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			collect(e, lines)
		}
	case map[string]any:
		if t, ok := x["text"].(string); ok {
			*lines = append(*lines, t)
		}
		for _, key := range []string{"text", "fields", "elements", "accessory", "label", "element", "placeholder", "options", "rows", "title"} {
			if _, isText := x[key].(string); !isText {
				collect(x[key], lines)
			}
		}
	}
}
