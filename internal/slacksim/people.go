package slacksim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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
	known := slices.ContainsFunc(s.options.Commands, func(x Command) bool { return x.Command == word }) && s.has("commands")
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
	ack, err := s.deliver(ctx, id, "slash_commands", true, payload)
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

func word(m map[string]any, key string) string {
	text, _ := m[key].(string)
	return text
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

// post writes as a person and tells the app.
func (s *Server) post(user, channelID, thread, text string) (string, error) {
	s.mu.Lock()
	u, err := s.person(user)
	c := s.channel(channelID)
	switch {
	case err != nil:
	case c == nil:
		err = errPerson("there is no channel %q", channelID)
	case !s.member(c, u.ID):
		err = errPerson("%s is not in #%s; join it first", u.Name, c.Name)
	case c.Archived:
		err = errPerson("#%s is archived", c.Name)
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
	inner := map[string]any{"type": "message", "user": u.ID, "text": text, "ts": m.TS, "channel": c.ID, "channel_type": c.kind(), "event_ts": m.TS, "client_msg_id": m.ClientMsgID}
	if thread != "" {
		inner["thread_ts"] = thread
	}
	mention := strings.Contains(text, "<@"+s.bot.ID+">") && c.kind() != "im" // in a direct message one need not call
	s.mu.Unlock()
	s.tell(c, inner)
	if mention {
		again := maps.Clone(inner)
		again["type"] = "app_mention"
		s.tell(c, again)
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
	inner["channel_type"] = c.kind()
	for _, key := range []string{"message", "previous_message"} {
		if v, ok := inner[key]; ok {
			inner[key] = frozen(v)
		}
	}
	s.mu.Unlock()
	s.tell(c, inner)
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
	c := s.channel(channelID)
	inner := s.reactionEvent(c, c.find(ts), name, u.ID, remove)
	s.mu.Unlock()
	s.tell(c, inner)
	return nil
}

// pin pins a message or takes the pin away, as a person; the app is told.
func (s *Server) pin(user, channelID, ts string, remove bool) error {
	s.mu.Lock()
	u, err := s.person(user)
	c := s.channel(channelID)
	if err == nil && (c == nil || c.find(ts) == nil) {
		err = errPerson("this message is not there any more")
	}
	if err != nil {
		s.mu.Unlock()
		return err
	}
	m := c.find(ts)
	m.Pinned = !remove
	s.changed(c, m)
	inner := s.pinEvent(c, m, u.ID)
	s.mu.Unlock()
	s.tell(c, inner)
	return nil
}

// openHome opens the app's Home; the app is told, with the view that it has published before.
func (s *Server) openHome(user string) error {
	s.mu.Lock()
	u, err := s.person(user)
	inner := map[string]any{"type": "app_home_opened", "user": u.ID, "channel": "D" + strings.TrimPrefix(u.ID, "U"), "tab": "home", "event_ts": s.stamp()}
	if v, ok := s.homes[u.ID]; ok {
		inner["view"] = frozen(v)
	}
	s.mu.Unlock()
	if err == nil {
		s.tell(nil, inner)
	}
	return err
}

// response is a call of a response_url: five times within half an hour.
func (s *Server) response(w http.ResponseWriter, r *http.Request) {
	p, _, err := read(r)
	if err != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	err = s.respond(r.PathValue("token"), p)
	s.mu.Unlock()
	if err == nil {
		s.overhear("app", "response_url", p.args(), map[string]any{"ok": true}, "")
		reply(w, http.StatusOK, map[string]any{"ok": true})
		return
	}
	status := http.StatusNotFound
	body := map[string]any{"ok": false, "error": err.Error()}
	var bad fault
	if errors.As(err, &bad) && bad.code != "used_url" && bad.code != "expired_url" {
		status = http.StatusBadRequest
		body["response_metadata"] = map[string]any{"messages": bad.messages}
	}
	s.overhear("app", "response_url", p.args(), body, err.Error())
	reply(w, status, body)
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
	text, blocks, attachments, err := s.content(p)
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
