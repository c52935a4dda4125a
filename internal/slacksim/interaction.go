package slacksim

import (
	"context"
	"encoding/json"
	"maps"
)

// What a person's clicks become: block_actions, block_suggestion, view_submission, view_closed, shortcut, message_action
// (docs.slack.dev/reference/interaction-payloads).

// interaction is the part that all payloads share; the caller holds the lock.
func (s *Server) interaction(kind string, u User) map[string]any {
	return map[string]any{"type": kind, "team": map[string]any{"id": "T0SIM", "domain": s.options.TeamDomain}, "user": map[string]any{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": "T0SIM"},
		"api_app_id": "A0CDCBOT", "token": "sim", "enterprise": nil, "is_enterprise_install": false}
}

// interact builds a payload under the lock and brings it to the app; the answer is what the ack carries.
func (s *Server) interact(ctx context.Context, user string, accepts bool, build func(User) (map[string]any, error)) (json.RawMessage, error) {
	s.mu.Lock()
	u, err := s.person(user)
	var built map[string]any
	if err == nil {
		built, err = build(u)
	}
	id, payload := s.next("env-"), frozen(built)
	s.mu.Unlock()
	if err != nil || built == nil {
		return nil, err
	}
	return s.deliver(ctx, id, "interactive", accepts, payload)
}

// press is a person's use of an element. Fields are the action's own, such as value or selected_option.
func (s *Server) press(ctx context.Context, user string, at, fields map[string]any) error {
	_, err := s.interact(ctx, user, false, func(u User) (map[string]any, error) { return s.pressed(u, at, fields) })
	return unanswered(err, "the app did not answer the press")
}

// unanswered puts the client's words before an error of delivery; errors about the page itself stay as they are.
func unanswered(err error, words string) error {
	if lost(err) {
		return errPerson(words+" (%w)", err)
	}
	return err
}

// actionFields are what an action may say besides its IDs, by what was chosen.
var actionFields = []string{"value", "selected_option", "selected_options", "selected_user", "selected_users", "selected_channel", "selected_channels", "selected_conversation", "selected_conversations",
	"selected_date", "selected_time", "selected_date_time", "rich_text_value", "files"}

// ownFields are what an action repeats of its element.
var ownFields = map[string][]string{"button": {"text", "value", "style", "confirm"}, "workflow_button": {"text"}, "external_select": {"placeholder"}}

// pressed builds the block_actions payload; the caller holds the lock.
func (s *Server) pressed(u User, at, fields map[string]any) (map[string]any, error) {
	payload := s.interaction("block_actions", u)
	blocks, err := s.place(payload, u, at)
	if err != nil {
		return nil, err
	}
	b, e := elementIn(blocks, word(fields, "block_id"), word(fields, "action_id"))
	if e == nil {
		return nil, errPerson("there is no button %q here any more", word(fields, "action_id"))
	}
	act := map[string]any{"action_id": e["action_id"], "block_id": b["block_id"], "type": e["type"], "action_ts": s.stamp()}
	for _, key := range ownFields[word(e, "type")] {
		if e[key] != nil {
			act[key] = e[key]
		}
	}
	for _, key := range actionFields {
		if v, ok := fields[key]; ok && (key != "value" || e["type"] != "button") {
			act[key] = v
		}
	}
	payload["actions"] = []any{act}
	return payload, nil
}

// place says in the payload where something was used, a view or a message, and returns its blocks.
func (s *Server) place(payload map[string]any, u User, at map[string]any) (json.RawMessage, error) {
	if id := word(at, "view_id"); id != "" {
		return s.placeView(payload, u, id, at["state"])
	}
	m, c := s.visible(u, word(at, "channel"), word(at, "ts"))
	if m == nil {
		return nil, errPerson("this message is not there any more")
	}
	state := at["state"]
	if state == nil {
		state = map[string]any{"values": map[string]any{}}
	}
	payload["channel"] = map[string]any{"id": c.ID, "name": c.Name}
	payload["message"] = m
	payload["state"] = state
	container := map[string]any{"type": "message", "message_ts": m.TS, "channel_id": c.ID, "is_ephemeral": m.Ephemeral}
	if m.ThreadTS != "" {
		container["thread_ts"] = m.ThreadTS
	}
	payload["container"] = container
	payload["response_url"] = s.newHook(hook{channel: c.ID, user: u.ID, thread: m.ThreadTS, message: m.TS})
	payload["trigger_id"] = s.newTrigger(u.ID, "")
	return m.Blocks, nil
}

func (s *Server) placeView(payload map[string]any, u User, id string, state any) (json.RawMessage, error) {
	v, inModal := s.openView(u.ID, id), id
	if home, ok := s.homes[u.ID]; v == nil && ok && home["id"] == id {
		h := view(home)
		v, inModal = &h, "" // from Home one opens, and does not push
	}
	if v == nil {
		return nil, errPerson("this view is closed already")
	}
	shown := maps.Clone(*v)
	if state != nil {
		shown["state"] = state
	}
	payload["view"], payload["container"] = shown, map[string]any{"type": "view", "view_id": id}
	payload["trigger_id"] = s.newTrigger(u.ID, inModal)
	return frozen((*v)["blocks"]), nil
}

// suggest asks the app for the options of an external select that fit what was typed.
func (s *Server) suggest(ctx context.Context, user string, at, fields map[string]any) ([]any, error) {
	ack, err := s.interact(ctx, user, true, func(u User) (map[string]any, error) {
		payload := s.interaction("block_suggestion", u)
		blocks, err := s.place(payload, u, at)
		if err != nil {
			return nil, err
		}
		delete(payload, "trigger_id")
		delete(payload, "response_url")
		b, e := elementIn(blocks, word(fields, "block_id"), word(fields, "action_id"))
		if e == nil {
			return nil, errPerson("there is no list %q here any more", word(fields, "action_id"))
		}
		payload["action_id"], payload["block_id"], payload["value"] = e["action_id"], b["block_id"], word(fields, "value")
		return payload, nil
	})
	if err != nil {
		return nil, unanswered(err, "the app did not say what can be chosen")
	}
	return suggested(ack)
}

// suggested checks what the app offers, as it would be checked inside a block.
func suggested(ack json.RawMessage) ([]any, error) {
	var a struct {
		Options []any `json:"options"`
		Groups  []struct {
			Options []any `json:"options"`
		} `json:"option_groups"`
	}
	if len(ack) > 0 {
		if err := json.Unmarshal(ack, &a); err != nil {
			return nil, errPerson("the app's options are not JSON (%w)", err)
		}
	}
	list := a.Options
	for _, g := range a.Groups {
		list = append(list, g.Options...)
	}
	c := &checker{ids: map[string]bool{}}
	if len(list) > 0 {
		c.options("", "external_select", map[string]any{"options": list})
	}
	if len(c.messages) > 0 {
		return nil, errPerson("the app offers options that Slack refuses: %s", c.messages[0])
	}
	return list, nil
}

// submit sends a modal. The errors are the app's, by block.
func (s *Server) submit(ctx context.Context, user, viewID string, values map[string]any) (map[string]string, error) {
	var missing map[string]string
	ack, err := s.interact(ctx, user, true, func(u User) (map[string]any, error) {
		v := s.openView(u.ID, viewID)
		if v == nil {
			return nil, errPerson("this view is closed already")
		}
		if missing = required(*v, values); len(missing) > 0 {
			return nil, nil
		}
		filled := maps.Clone(*v)
		filled["state"] = map[string]any{"values": values}
		payload := s.interaction("view_submission", u)
		payload["trigger_id"], payload["view"], payload["response_urls"] = s.newTrigger(u.ID, viewID), filled, []any{}
		return payload, nil
	})
	if err != nil || len(missing) > 0 {
		return missing, unanswered(err, "we had some trouble connecting; try again?")
	}
	s.mu.Lock()
	u, err := s.person(user)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return s.answerView(u.ID, viewID, ack)
}

// required finds the input blocks that must be filled and are not; Slack's client does not send such a modal.
func required(v view, values map[string]any) map[string]string {
	missing := map[string]string{}
	list, _ := v["blocks"].([]any)
	for _, x := range list {
		b, _ := x.(map[string]any)
		if b["type"] != "input" || b["optional"] == true {
			continue
		}
		e, _ := b["element"].(map[string]any)
		block, _ := values[word(b, "block_id")].(map[string]any)
		state, _ := block[word(e, "action_id")].(map[string]any)
		if empty(state) {
			missing[word(b, "block_id")] = "Please complete this required field."
		}
	}
	return missing
}

func empty(state map[string]any) bool {
	for _, key := range actionFields {
		switch v := state[key].(type) {
		case string:
			if v != "" && !blank(v) {
				return false
			}
		case []any:
			if len(v) > 0 {
				return false
			}
		case nil:
		default:
			return false
		}
	}
	return true
}

// close ends a modal without submitting it. With clear, it ends the whole stack, as the cross of a modal does.
func (s *Server) close(ctx context.Context, user, viewID string, clear bool) error {
	_, err := s.interact(ctx, user, false, func(u User) (map[string]any, error) {
		v := s.openView(u.ID, viewID)
		if v == nil {
			return nil, nil
		}
		if clear {
			delete(s.views, u.ID)
		} else {
			s.closeTop(u.ID, viewID)
		}
		s.showViews(u.ID)
		if (*v)["notify_on_close"] != true {
			return nil, nil
		}
		payload := s.interaction("view_closed", u)
		payload["view"], payload["is_cleared"] = *v, clear
		return payload, nil
	})
	if lost(err) {
		return nil // Slack does not tell people about this
	}
	return err
}

// shortcut is a shortcut of a message, or a global one when no message is named.
func (s *Server) shortcut(ctx context.Context, in map[string]any) error {
	_, err := s.interact(ctx, word(in, "user"), false, func(u User) (map[string]any, error) {
		if err := s.granted("commands"); err != nil {
			return nil, errPerson("the app has no shortcuts: it lacks the scope commands")
		}
		if word(in, "ts") == "" {
			payload := s.interaction("shortcut", u)
			payload["callback_id"], payload["trigger_id"], payload["action_ts"] = word(in, "callback_id"), s.newTrigger(u.ID, ""), s.stamp()
			return payload, nil
		}
		m, c := s.visible(u, word(in, "channel"), word(in, "ts"))
		if m == nil {
			return nil, errPerson("this message is not there any more")
		}
		payload := s.interaction("message_action", u)
		payload["callback_id"], payload["trigger_id"], payload["action_ts"] = word(in, "callback_id"), s.newTrigger(u.ID, ""), s.stamp()
		payload["response_url"] = s.newHook(hook{channel: c.ID, user: u.ID, thread: m.ThreadTS})
		payload["channel"], payload["message"], payload["message_ts"] = map[string]any{"id": c.ID, "name": c.Name}, m, m.TS
		return payload, nil
	})
	return unanswered(err, "the app did not answer")
}
