package slacksim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// What people do, the same for the page and for tests. Errors are the sentences that Slack shows.

// errPerson says what a person cannot do, in a sentence.
func errPerson(format string, args ...any) error { return fmt.Errorf(format, args...) }

func (s *Server) person(id string) (User, error) {
	u, ok := s.user(id)
	if !ok || u.IsBot {
		return User{}, errPerson("there is no person %q in this workspace", id)
	}
	return u, nil
}

// command types a slash command. The answer of the ack, if any, becomes a message.
func (s *Server) command(ctx context.Context, user, channelID, text string) error {
	s.mu.Lock()
	u, err := s.person(user)
	c := s.channel(channelID)
	if err == nil && c == nil {
		err = errPerson("there is no channel %q", channelID)
	}
	word, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	known := slices.ContainsFunc(s.options.Commands, func(x Command) bool { return x.Command == word })
	if err == nil && !known {
		err = errPerson("%s is not a valid command", word)
	}
	if err != nil {
		s.mu.Unlock()
		return err
	}
	id, hookURL := s.next("env-"), s.newHook(hook{channel: c.ID, user: u.ID})
	payload := map[string]any{"token": "sim", "team_id": "T0SIM", "team_domain": s.options.TeamDomain, "channel_id": c.ID, "channel_name": c.Name, "user_id": u.ID, "user_name": u.Name,
		"command": word, "text": strings.TrimSpace(rest), "api_app_id": "A0CDCBOT", "is_enterprise_install": "false", "response_url": hookURL, "trigger_id": s.newTrigger(u.ID, "")}
	s.mu.Unlock()
	ack, err := s.sockets.deliver(ctx, id, "slash_commands", true, payload, 0, "")
	if err != nil {
		return errPerson("%s failed with the error “%w”", word, err)
	}
	s.answerCommand(c, u, ack)
	return nil
}

func (s *Server) answerCommand(c *channel, u User, ack json.RawMessage) {
	var a struct {
		Type   string          `json:"response_type"`
		Text   string          `json:"text"`
		Blocks json.RawMessage `json:"blocks"`
	}
	if len(ack) == 0 || json.Unmarshal(ack, &a) != nil || a.Text == "" && len(a.Blocks) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.Type == "in_channel" {
		m := &message{TS: s.stamp(), User: s.bot.ID, BotID: "B0CDCBOT", Username: s.bot.Name, Text: a.Text, Blocks: named(a.Blocks)}
		c.add(m)
		s.changed(c, m)
		return
	}
	s.whisper(c, u.ID, "", a.Text, named(a.Blocks))
}

// press is a person's use of an element. Fields are the action's own, such as value or selected_option.
func (s *Server) press(ctx context.Context, user string, at map[string]any, fields map[string]any) error {
	s.mu.Lock()
	u, err := s.person(user)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	built, err := s.pressed(u, at, fields)
	id, payload := s.next("env-"), frozen(built)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if _, err := s.sockets.deliver(ctx, id, "interactive", false, payload, 0, ""); err != nil {
		return errPerson("the app did not answer the press (%w)", err)
	}
	return nil
}

func word(m map[string]any, key string) string {
	text, _ := m[key].(string)
	return text
}

// pressed builds the block_actions payload; the caller holds the lock.
func (s *Server) pressed(u User, at, fields map[string]any) (map[string]any, error) {
	payload := map[string]any{"type": "block_actions", "team": map[string]any{"id": "T0SIM", "domain": s.options.TeamDomain}, "user": map[string]any{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": "T0SIM"},
		"api_app_id": "A0CDCBOT", "token": "sim", "is_enterprise_install": false, "state": at["state"]}
	var blocks json.RawMessage
	switch {
	case word(at, "view_id") != "":
		v := s.openView(u.ID, word(at, "view_id"))
		if home, ok := s.homes[u.ID]; v == nil && ok && home["id"] == word(at, "view_id") {
			h := view(home)
			v = &h
		}
		if v == nil {
			return nil, errPerson("this view is closed already")
		}
		blocks, _ = json.Marshal((*v)["blocks"]) // it was decoded from JSON
		payload["view"], payload["container"] = *v, map[string]any{"type": "view", "view_id": (*v)["id"]}
		payload["trigger_id"] = s.newTrigger(u.ID, word(at, "view_id"))
	default:
		m, c := s.visible(u, word(at, "channel"), word(at, "ts"))
		if m == nil {
			return nil, errPerson("this message is not there any more")
		}
		blocks = m.Blocks
		payload["channel"] = map[string]any{"id": c.ID, "name": c.Name}
		payload["message"] = m
		payload["container"] = map[string]any{"type": "message", "message_ts": m.TS, "channel_id": c.ID, "is_ephemeral": m.Ephemeral, "thread_ts": m.ThreadTS}
		payload["response_url"] = s.newHook(hook{channel: c.ID, user: u.ID, thread: m.ThreadTS, message: m.TS})
		payload["trigger_id"] = s.newTrigger(u.ID, "")
	}
	b, e := elementIn(blocks, word(fields, "block_id"), word(fields, "action_id"))
	if e == nil {
		return nil, errPerson("there is no button %q here any more", word(fields, "action_id"))
	}
	act := map[string]any{"action_id": e["action_id"], "block_id": b["block_id"], "type": e["type"], "action_ts": s.stamp()}
	if e["text"] != nil {
		act["text"] = e["text"]
	}
	if e["value"] != nil {
		act["value"] = e["value"]
	}
	for _, key := range []string{"value", "selected_option", "selected_options", "selected_user", "selected_users", "selected_date", "selected_time", "selected_date_time"} {
		if v, ok := fields[key]; ok && (key != "value" || e["type"] != "button") {
			act[key] = v
		}
	}
	payload["actions"] = []any{act}
	return payload, nil
}

// visible finds a message that a user can see, ephemeral ones included.
func (s *Server) visible(u User, channelID, ts string) (*message, *channel) {
	c := s.channel(channelID)
	if c == nil {
		return nil, nil
	}
	if m := c.find(ts); m != nil {
		return m, c
	}
	for _, m := range s.ephemeral {
		if m.TS == ts && m.to == u.ID {
			return m, c
		}
	}
	return nil, nil
}

// submit sends a modal. The errors are the app's, by block.
func (s *Server) submit(ctx context.Context, user, viewID string, values map[string]any) (map[string]string, error) {
	s.mu.Lock()
	u, err := s.person(user)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	v := s.openView(u.ID, viewID)
	if v == nil {
		s.mu.Unlock()
		return nil, errPerson("this view is closed already")
	}
	if missing := required(*v, values); len(missing) > 0 {
		s.mu.Unlock()
		return missing, nil
	}
	filled := view{}
	for k, x := range *v {
		filled[k] = x
	}
	filled["state"] = map[string]any{"values": values}
	payload := map[string]any{"type": "view_submission", "team": map[string]any{"id": "T0SIM", "domain": s.options.TeamDomain}, "user": map[string]any{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": "T0SIM"},
		"api_app_id": "A0CDCBOT", "token": "sim", "trigger_id": s.newTrigger(u.ID, viewID), "view": filled, "response_urls": []any{}, "is_enterprise_install": false}
	id, body := s.next("env-"), frozen(payload)
	s.mu.Unlock()
	ack, err := s.sockets.deliver(ctx, id, "interactive", true, body, 0, "")
	if err != nil {
		return nil, errPerson("we had some trouble connecting; try again? (%w)", err)
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
	for _, key := range []string{"value", "selected_option", "selected_options", "selected_user", "selected_date", "selected_time"} {
		switch v := state[key].(type) {
		case string:
			if strings.TrimSpace(v) != "" {
				return false
			}
		case nil:
		default:
			return false
		}
	}
	return true
}

// close ends a modal without submitting it.
func (s *Server) close(ctx context.Context, user, viewID string) error {
	s.mu.Lock()
	u, err := s.person(user)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	v := s.openView(u.ID, viewID)
	if v == nil {
		s.mu.Unlock()
		return nil
	}
	s.closeTop(u.ID, viewID)
	s.showViews(u.ID)
	notify := (*v)["notify_on_close"] == true
	payload := map[string]any{"type": "view_closed", "user": map[string]any{"id": u.ID, "name": u.Name}, "view": *v, "is_cleared": false, "team": map[string]any{"id": "T0SIM"}, "api_app_id": "A0CDCBOT"}
	id, body := s.next("env-"), frozen(payload)
	s.mu.Unlock()
	if notify {
		_, _ = s.sockets.deliver(ctx, id, "interactive", false, body, 0, "") // Slack does not tell people about this
	}
	return nil
}

// post writes as a person and tells the app.
func (s *Server) post(user, channelID, thread, text string) (string, error) {
	s.mu.Lock()
	u, err := s.person(user)
	c := s.channel(channelID)
	switch {
	case err != nil:
	case c == nil:
		err = errPerson("there is no channel %q", channelID)
	case strings.TrimSpace(text) == "":
		err = errPerson("a message needs words")
	case thread != "" && c.find(thread) == nil:
		err = errPerson("this thread is not there any more")
	}
	if err != nil {
		s.mu.Unlock()
		return "", err
	}
	text = s.mentions(escape(text))
	m := &message{TS: s.stamp(), User: u.ID, Username: u.Name, Text: text, ThreadTS: thread, ClientMsgID: s.next("msg")}
	c.add(m)
	s.changed(c, m)
	inner := map[string]any{"type": "message", "user": u.ID, "text": text, "ts": m.TS, "channel": c.ID, "channel_type": "channel", "event_ts": m.TS, "client_msg_id": m.ClientMsgID}
	if thread != "" {
		inner["thread_ts"] = thread
	}
	mention := strings.Contains(text, "<@"+s.bot.ID+">")
	s.mu.Unlock()
	s.event(inner)
	if mention {
		again := map[string]any{}
		for k, v := range inner {
			again[k] = v
		}
		again["type"] = "app_mention"
		s.event(again)
	}
	return m.TS, nil
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func escape(text string) string { return escaper.Replace(text) }

// mentions turns @name into Slack's form.
func (s *Server) mentions(text string) string {
	for _, u := range s.users {
		text = strings.ReplaceAll(text, "@"+u.Name, "<@"+u.ID+">")
	}
	return text
}

// edit changes a person's own message.
func (s *Server) edit(user, channelID, ts, text string) error {
	return s.own(user, channelID, ts, func(c *channel, m *message) map[string]any {
		before := *m
		m.Text, m.Edited = s.mentions(escape(text)), &edited{User: m.User, TS: s.stamp()}
		s.changed(c, m)
		return map[string]any{"type": "message", "subtype": "message_changed", "channel": c.ID, "ts": s.stamp(), "event_ts": m.Edited.TS, "message": m, "previous_message": before}
	})
}

// delete removes a person's own message.
func (s *Server) delete(user, channelID, ts string) error {
	return s.own(user, channelID, ts, func(c *channel, m *message) map[string]any {
		c.remove(m.TS)
		s.changed(c, m)
		return map[string]any{"type": "message", "subtype": "message_deleted", "channel": c.ID, "ts": s.stamp(), "event_ts": s.stamp(), "deleted_ts": m.TS, "previous_message": m}
	})
}

func (s *Server) own(user, channelID, ts string, do func(*channel, *message) map[string]any) error {
	s.mu.Lock()
	u, err := s.person(user)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	m, c := s.visible(u, channelID, ts)
	if m == nil || m.User != u.ID || m.Ephemeral {
		s.mu.Unlock()
		return errPerson("only its author can change a message")
	}
	inner := do(c, m)
	for _, key := range []string{"message", "previous_message"} {
		if v, ok := inner[key]; ok {
			inner[key] = frozen(v)
		}
	}
	s.mu.Unlock()
	s.event(inner)
	return nil
}

// react adds or takes back a reaction; the caller holds the lock.
func (s *Server) react(channelID, ts, name, user string, remove bool) (map[string]any, error) {
	c := s.channel(channelID)
	if c == nil {
		return nil, fault{code: "channel_not_found"}
	}
	m := c.find(ts)
	if m == nil {
		return nil, fault{code: "message_not_found"}
	}
	i := slices.IndexFunc(m.Reactions, func(r *reaction) bool { return r.Name == name })
	switch {
	case remove && (i < 0 || !slices.Contains(m.Reactions[i].Users, user)):
		return nil, fault{code: "no_reaction"}
	case remove:
		r := m.Reactions[i]
		r.Users = slices.DeleteFunc(r.Users, func(x string) bool { return x == user })
		r.Count = len(r.Users)
		if r.Count == 0 {
			m.Reactions = slices.Delete(m.Reactions, i, i+1)
		}
	case i >= 0 && slices.Contains(m.Reactions[i].Users, user):
		return nil, fault{code: "already_reacted"}
	case i >= 0:
		m.Reactions[i].Users = append(m.Reactions[i].Users, user)
		m.Reactions[i].Count++
	default:
		m.Reactions = append(m.Reactions, &reaction{Name: name, Users: []string{user}, Count: 1})
	}
	s.changed(c, m)
	return map[string]any{}, nil
}

// reacted is a person's reaction; the app is told.
func (s *Server) reacted(user, channelID, ts, name string, remove bool) error {
	s.mu.Lock()
	u, err := s.person(user)
	if err == nil {
		_, err = s.react(channelID, ts, name, u.ID, remove)
	}
	if err != nil {
		s.mu.Unlock()
		return err
	}
	kind := "reaction_added"
	if remove {
		kind = "reaction_removed"
	}
	c := s.channel(channelID)
	inner := map[string]any{"type": kind, "user": u.ID, "reaction": name, "item": map[string]any{"type": "message", "channel": c.ID, "ts": ts}, "item_user": c.find(ts).User, "event_ts": s.stamp()}
	s.mu.Unlock()
	s.event(inner)
	return nil
}

// response is a call of a response_url: five times within half an hour.
func (s *Server) response(w http.ResponseWriter, r *http.Request) {
	p, _, err := read(r)
	if err != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.respond(r.PathValue("token"), p); err != nil {
		status := http.StatusNotFound
		body := map[string]any{"ok": false, "error": err.Error()}
		var bad fault
		if errors.As(err, &bad) && bad.code != "used_url" && bad.code != "expired_url" {
			status = http.StatusBadRequest
			body["response_metadata"] = map[string]any{"messages": bad.messages}
		}
		reply(w, status, body)
		return
	}
	reply(w, http.StatusOK, map[string]any{"ok": true})
}

func (s *Server) respond(token string, p params) error {
	h := s.hooks[token]
	switch {
	case h == nil:
		return fault{code: "expired_url"}
	case h.uses >= hookUses:
		return fault{code: "used_url"}
	case s.options.Now().Sub(h.made) > hookLife:
		return fault{code: "expired_url"}
	}
	c := s.channel(h.channel)
	if p.flag("delete_original") {
		h.uses++
		c.remove(h.message)
		s.ephemeral = slices.DeleteFunc(s.ephemeral, func(m *message) bool { return m.TS == h.message && m.to == h.user })
		s.publishLocked("", pageEvent{Name: "message", Data: map[string]any{"channel": c.ID, "ts": h.message}})
		return nil
	}
	text, blocks, attachments, err := content(p, "message")
	if err != nil {
		return err
	}
	h.uses++
	if p.flag("replace_original") && h.message != "" {
		if m, _ := s.visible(User{ID: h.user}, h.channel, h.message); m != nil {
			m.Text, m.Blocks, m.Attachments = text, named(blocks), attachments
			s.changed(c, m)
			return nil
		}
	}
	thread := p["thread_ts"]
	if p["response_type"] == "in_channel" {
		m := &message{TS: s.stamp(), User: s.bot.ID, BotID: "B0CDCBOT", Username: s.bot.Name, Text: text, Blocks: named(blocks), Attachments: attachments, ThreadTS: thread}
		c.add(m)
		s.changed(c, m)
		return nil
	}
	if thread == "" {
		thread = h.thread
	}
	s.whisper(c, h.user, thread, text, named(blocks)).Attachments = attachments
	return nil
}
