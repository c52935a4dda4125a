package slacksim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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

// Unreact takes one's own reaction back.
func (a Actor) Unreact(channel, ts, name string) error {
	return a.s.reacted(a.user, channel, ts, name, true)
}

// Pin pins a message to its channel.
func (a Actor) Pin(channel, ts string) error { return a.s.pin(a.user, channel, ts, false) }

// Unpin takes a pin away, whoever has set it.
func (a Actor) Unpin(channel, ts string) error { return a.s.pin(a.user, channel, ts, true) }

// Join makes the person a member of a public channel.
func (a Actor) Join(channel string) error { return a.s.joined(a.user, channel) }

// Leave ends the membership.
func (a Actor) Leave(channel string) error { return a.s.left(a.user, channel) }

// Shortcut uses a shortcut of a message.
func (a Actor) Shortcut(ctx context.Context, channel, ts, callbackID string) error {
	return a.s.shortcut(ctx, map[string]any{"user": a.user, "channel": channel, "ts": ts, "callback_id": callbackID})
}

// GlobalShortcut uses a shortcut of the whole workspace.
func (a Actor) GlobalShortcut(ctx context.Context, callbackID string) error {
	return a.s.shortcut(ctx, map[string]any{"user": a.user, "callback_id": callbackID})
}

// OpenHome opens the app's Home; the app is told, and may publish one.
func (a Actor) OpenHome() error { return a.s.openHome(a.user) }

// Home is the app's Home as the person sees it, nil when none was published.
func (a Actor) Home() map[string]any {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	u, _ := a.s.user(a.user)
	return a.s.homes[u.ID]
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

// Press presses the button of a message that has this action ID or this text.
func (a Actor) Press(ctx context.Context, channel, ts, button string) error {
	blocks, err := a.blocks(channel, ts)
	if err != nil {
		return err
	}
	return a.press(ctx, "message "+ts, map[string]any{"channel": channel, "ts": ts}, blocks, button)
}

// PressHome presses a button of the app's Home.
func (a Actor) PressHome(ctx context.Context, button string) error {
	v := view(a.Home())
	if v == nil {
		return fmt.Errorf("the app has published no Home for %s", a.user)
	}
	return a.press(ctx, "the Home", map[string]any{"view_id": v.text("id")}, frozen(v["blocks"]), button)
}

// PressModal presses a button inside the open modal.
func (a Actor) PressModal(ctx context.Context, button string) error {
	v := view(a.Modal())
	if v == nil {
		return fmt.Errorf("no modal is open for %s", a.user)
	}
	return a.press(ctx, "the modal", map[string]any{"view_id": v.text("id")}, frozen(v["blocks"]), button)
}

func (a Actor) press(ctx context.Context, where string, at map[string]any, blocks json.RawMessage, button string) error {
	block, action := findButton(blocks, button)
	if action == "" {
		return fmt.Errorf("%s has no button %q; it has %s", where, button, strings.Join(Buttons(blocks), ", "))
	}
	return a.s.press(ctx, a.user, at, map[string]any{"block_id": block, "action_id": action})
}

func (a Actor) blocks(channel, ts string) (json.RawMessage, error) {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	u, _ := a.s.user(a.user)
	m, _ := a.s.visible(u, channel, ts)
	if m == nil {
		return nil, fmt.Errorf("there is no message %s in %s", ts, channel)
	}
	return m.Blocks, nil
}

// Choose picks an option of a select or overflow menu by its visible text.
func (a Actor) Choose(ctx context.Context, channel, ts, option string) error {
	blocks, err := a.blocks(channel, ts)
	if err != nil {
		return err
	}
	for b, e := range parts(blocks) {
		if o := optionOf(e, option); o != nil {
			return a.s.press(ctx, a.user, map[string]any{"channel": channel, "ts": ts}, map[string]any{"block_id": b["block_id"], "action_id": e["action_id"], "selected_option": o})
		}
	}
	return fmt.Errorf("message %s has no option %q", ts, option)
}

// Pick gives an element of a message a value that is no option: the ID of a user or channel, a date, a time.
func (a Actor) Pick(ctx context.Context, channel, ts, actionID, value string) error {
	blocks, err := a.blocks(channel, ts)
	if err != nil {
		return err
	}
	for b, e := range parts(blocks) {
		field, known := picked[word(e, "type")]
		if e["action_id"] == actionID && known {
			return a.s.press(ctx, a.user, map[string]any{"channel": channel, "ts": ts}, map[string]any{"block_id": b["block_id"], "action_id": actionID, field: value})
		}
	}
	return fmt.Errorf("message %s has no element %q that takes a value", ts, actionID)
}

// picked is the field of each element that holds one chosen value.
var picked = map[string]string{"users_select": "selected_user", "channels_select": "selected_channel", "conversations_select": "selected_conversation", "datepicker": "selected_date", "timepicker": "selected_time",
	"plain_text_input": "value", "number_input": "value", "email_text_input": "value", "url_text_input": "value"}

// optionOf is an element's option by its visible text.
func optionOf(e map[string]any, words string) map[string]any {
	options, _ := e["options"].([]any)
	groups, _ := e["option_groups"].([]any)
	for _, x := range groups {
		g, _ := x.(map[string]any)
		more, _ := g["options"].([]any)
		options = append(slices.Clip(options), more...)
	}
	for _, x := range options {
		if o, _ := x.(map[string]any); label(o) == words {
			return o
		}
	}
	return nil
}

// Forge presses a button that the message does not have: an attack that a client could try.
func (a Actor) Forge(ctx context.Context, channel, ts, actionID, value string) error {
	_, err := a.s.interact(ctx, a.user, false, func(u User) (map[string]any, error) {
		payload := a.s.interaction("block_actions", u)
		if _, err := a.s.place(payload, u, map[string]any{"channel": channel, "ts": ts}); err != nil {
			return nil, err
		}
		payload["actions"] = []any{map[string]any{"action_id": actionID, "block_id": "forged", "type": "button", "value": value, "action_ts": a.s.stamp()}}
		return payload, nil
	})
	return err
}

// Submit fills the inputs of the open modal in order of their blocks and submits it: a text field with the text, a list
// with the option of that visible text, an external list by asking the app for it. Errors at fields come back by block.
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
		state, err := a.fill(ctx, v.text("id"), b, e, texts[0])
		if err != nil {
			return nil, err
		}
		values[word(b, "block_id")] = map[string]any{word(e, "action_id"): state}
		texts = texts[1:]
	}
	return a.s.submit(ctx, a.user, v.text("id"), values)
}

// fill is the state of one element after a person has answered it; no words leave it empty.
func (a Actor) fill(ctx context.Context, viewID string, b, e map[string]any, words string) (map[string]any, error) {
	kind := word(e, "type")
	if field, ok := picked[kind]; ok {
		return map[string]any{"type": kind, field: words}, nil
	}
	offered := e
	if kind == "external_select" && words != "" {
		options, err := a.s.suggest(ctx, a.user, map[string]any{"view_id": viewID}, map[string]any{"block_id": b["block_id"], "action_id": e["action_id"], "value": lastWord(words)})
		if err != nil {
			return nil, err
		}
		offered = map[string]any{"options": options}
	}
	o := optionOf(offered, words)
	if o == nil && words != "" {
		return nil, fmt.Errorf("the list %q offers no %q", word(e, "action_id"), words)
	}
	state := map[string]any{"type": kind, "selected_option": nil}
	if o != nil {
		state["selected_option"] = o
	}
	if kind == "checkboxes" || strings.HasPrefix(kind, "multi_") {
		state = map[string]any{"type": kind, "selected_options": []any{}}
		if o != nil {
			state["selected_options"] = []any{o}
		}
	}
	return state, nil
}

// lastWord is what a person types to find an entry in a list.
func lastWord(words string) string { return words[strings.LastIndex(words, " ")+1:] }

// CloseModal closes the open modal without submitting it.
func (a Actor) CloseModal(ctx context.Context) error {
	v := view(a.Modal())
	if v == nil {
		return fmt.Errorf("no modal is open for %s", a.user)
	}
	return a.s.close(ctx, a.user, v.text("id"), false)
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
