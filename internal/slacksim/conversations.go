package slacksim

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// news is an event that a method brings about. It belongs to a channel, or to none.
type news struct {
	channel *channel
	event   map[string]any
}

// note keeps an event until the method that runs is done; the caller holds the lock.
func (s *Server) note(c *channel, event map[string]any) { s.outbox = append(s.outbox, news{c, event}) }

// conversation finds a channel by its ID alone. A private one that the bot is not in does not exist for it.
func (s *Server) conversation(id string) (*channel, error) {
	i := slices.IndexFunc(s.channels, func(c *channel) bool { return c.ID == id })
	if i < 0 || s.channels[i].Private && s.channels[i].Closed {
		return nil, fault{code: "channel_not_found"}
	}
	return s.channels[i], nil
}

// read finds a channel whose messages the bot may read.
func (s *Server) read(p params, scope string) (*channel, error) {
	c, err := s.conversation(p["channel"])
	if err != nil {
		return nil, err
	}
	if err := s.granted(c.of(scope)); err != nil {
		return nil, err
	}
	if c.Closed {
		return nil, fault{code: "not_in_channel"}
	}
	return c, nil
}

// manage finds a channel that the bot may change: it is a member, and the channel is not archived.
func (s *Server) manage(p params) (*channel, error) {
	c, err := s.read(p, "*:write")
	switch {
	case err != nil:
		return nil, err
	case c.kind() == "im":
		return nil, fault{code: "method_not_supported_for_channel_type"}
	case c.Archived:
		return nil, fault{code: "is_archived"}
	}
	return c, nil
}

func (s *Server) channelJSON(c *channel) map[string]any {
	kind := c.kind()
	if kind == "im" {
		return map[string]any{"id": c.ID, "is_im": true, "user": "U" + strings.TrimPrefix(c.ID, "D"), "is_archived": false, "is_user_deleted": false}
	}
	return map[string]any{"id": c.ID, "name": c.Name, "name_normalized": c.Name, "is_channel": kind == "channel", "is_group": kind == "group", "is_im": false, "is_mpim": false, "is_private": c.Private,
		"is_archived": c.Archived, "is_member": !c.Closed, "is_general": c.Name == "general", "num_members": len(s.memberIDs(c)), "topic": map[string]any{"value": c.Topic}, "purpose": map[string]any{"value": c.purpose}}
}

func (s *Server) channelInfo(p params) (map[string]any, error) {
	c, err := s.conversation(p["channel"])
	if err != nil {
		return nil, err
	}
	if err := s.granted(c.of("*:read")); err != nil {
		return nil, err
	}
	return map[string]any{"channel": s.channelJSON(c)}, nil
}

// types are the kinds that a list may name, by Slack's name for them.
var types = map[string]string{"public_channel": "channel", "private_channel": "group", "im": "im", "mpim": "mpim"}

func (s *Server) channelList(p params) (map[string]any, error) {
	return s.channelsWhere(p, func(*channel) bool { return true })
}

func (s *Server) userChannels(p params) (map[string]any, error) {
	id := p["user"]
	if id == "" {
		id = s.bot.ID
	}
	return s.channelsWhere(p, func(c *channel) bool { return s.member(c, id) })
}

func (s *Server) channelsWhere(p params, fits func(*channel) bool) (map[string]any, error) {
	wanted := map[string]bool{}
	for _, name := range strings.Split(first(p["types"], "public_channel"), ",") {
		kind, known := types[strings.TrimSpace(name)]
		if !known {
			return nil, fault{code: "invalid_types"}
		}
		wanted[kind] = true
	}
	for kind := range wanted {
		if kinds[kind] == "" {
			continue // group messages do not exist here
		}
		if err := s.granted(kinds[kind] + ":read"); err != nil {
			return nil, err
		}
	}
	list := []map[string]any{}
	for _, c := range s.channels {
		hidden := c.kind() != "channel" && c.Closed || c.Archived && p.flag("exclude_archived")
		if wanted[c.kind()] && !hidden && fits(c) {
			list = append(list, s.channelJSON(c))
		}
	}
	return paged("channels", list, p)
}

func first(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// maxPage is the longest page that one call returns.
const maxPage = 1000

// paged is one page of a list, with the cursor of the next one. Without a limit it holds a hundred.
func paged[T any](name string, list []T, p params) (map[string]any, error) {
	limit, err := strconv.Atoi(p["limit"])
	if err != nil || limit <= 0 || limit >= maxPage {
		limit = 100
	}
	from := 0
	if p["cursor"] != "" {
		text, err := base64.StdEncoding.DecodeString(p["cursor"])
		if n, scanned := fmt.Sscanf(string(text), "next:%d", &from); err != nil || scanned != nil || n != 1 || from < 0 || from > len(list) {
			return nil, fault{code: "invalid_cursor"}
		}
	}
	to, cursor := min(from+limit, len(list)), ""
	if to < len(list) {
		cursor = base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "next:%d", to))
	}
	return map[string]any{name: list[from:to], "has_more": cursor != "", "response_metadata": map[string]any{"next_cursor": cursor}}, nil
}

func (s *Server) members(p params) (map[string]any, error) {
	c, err := s.conversation(p["channel"])
	if err != nil {
		return nil, err
	}
	if err := s.granted(c.of("*:read")); err != nil {
		return nil, err
	}
	return paged("members", s.memberIDs(c), p)
}

func (s *Server) join(p params) (map[string]any, error) {
	c, err := s.conversation(p["channel"])
	switch {
	case err != nil:
		return nil, err
	case c.kind() != "channel":
		return nil, fault{code: "method_not_supported_for_channel_type"}
	case c.Archived:
		return nil, fault{code: "is_archived"}
	}
	if c.Closed {
		s.enter(c, s.bot.ID)
		s.note(c, s.membership("member_joined_channel", c, s.bot.ID))
	}
	return map[string]any{"channel": s.channelJSON(c)}, nil
}

func (s *Server) leave(p params) (map[string]any, error) {
	c, err := s.conversation(p["channel"])
	switch {
	case err != nil:
		return nil, err
	case c.Name == "general":
		return nil, fault{code: "cant_leave_general"}
	case c.Closed:
		return map[string]any{"not_in_channel": true}, nil
	}
	s.exit(c, s.bot.ID)
	s.note(c, s.membership("member_left_channel", c, s.bot.ID))
	return map[string]any{}, nil
}

// dm is the direct-message channel of a user, made when it is first asked for.
func (s *Server) dm(u User) *channel {
	id := "D" + strings.TrimPrefix(u.ID, "U")
	if s.channel(id) == nil {
		s.channels = append(s.channels, &channel{Channel: Channel{ID: id, Name: "dm-" + u.Name, Topic: "Direct messages with " + s.bot.Name, Members: []string{u.ID}}})
	}
	return s.channel(id)
}

func (s *Server) openDM(p params) (map[string]any, error) {
	if err := s.granted("im:write"); err != nil {
		return nil, err
	}
	if p["users"] == "" {
		return nil, fault{code: "users_list_not_supplied"}
	}
	u, ok := s.user(p["users"])
	switch {
	case !ok || u.ID != p["users"]:
		return nil, fault{code: "user_not_found"}
	case u.Deleted:
		return nil, fault{code: "user_disabled"}
	}
	return map[string]any{"channel": map[string]any{"id": s.dm(u).ID}}, nil
}

// channelName is what the name of a channel may be.
var channelName = regexp.MustCompile(`^[\p{Ll}\p{Lo}\p{N}_-]+$`)

// maxName is in characters.
const maxName = 80

func (s *Server) nameable(name string) error {
	switch {
	case name == "":
		return fault{code: "invalid_name_required"}
	case utf8.RuneCountInString(name) > maxName:
		return fault{code: "invalid_name_maxlength"}
	case !channelName.MatchString(name):
		return fault{code: "invalid_name_specials"}
	case s.channel(name) != nil:
		return fault{code: "name_taken"}
	}
	return nil
}

func (s *Server) createChannel(p params) (map[string]any, error) {
	if err := s.nameable(p["name"]); err != nil {
		return nil, err
	}
	c := &channel{Channel: Channel{ID: s.next("C0N"), Name: p["name"], Private: p.flag("is_private"), Members: []string{}}}
	if err := s.granted(c.of("*:write")); err != nil {
		return nil, err
	}
	s.channels = append(s.channels, c)
	if !c.Private {
		s.note(c, map[string]any{"type": "channel_created", "channel": map[string]any{"id": c.ID, "name": c.Name, "created": s.options.Now().Unix(), "creator": s.bot.ID}, "event_ts": s.stamp()})
	}
	return map[string]any{"channel": s.channelJSON(c)}, nil
}

func (s *Server) archive(p params) (map[string]any, error) {
	c, err := s.manage(p)
	switch {
	case err != nil && err.Error() == "is_archived":
		return nil, fault{code: "already_archived"}
	case err != nil:
		return nil, err
	case c.Name == "general":
		return nil, fault{code: "cant_archive_general"}
	}
	c.Archived = true
	s.note(c, map[string]any{"type": "channel_archive", "channel": c.ID, "user": s.bot.ID, "event_ts": s.stamp()})
	return map[string]any{}, nil
}

func (s *Server) unarchive(p params) (map[string]any, error) {
	c, err := s.read(p, "*:write")
	switch {
	case err != nil:
		return nil, err
	case !c.Archived:
		return nil, fault{code: "not_archived"}
	}
	c.Archived = false
	s.note(c, map[string]any{"type": "channel_unarchive", "channel": c.ID, "user": s.bot.ID, "event_ts": s.stamp()})
	return map[string]any{}, nil
}

func (s *Server) rename(p params) (map[string]any, error) {
	c, err := s.manage(p)
	if err != nil {
		return nil, err
	}
	if err := s.nameable(p["name"]); err != nil {
		return nil, err
	}
	c.Name = p["name"]
	s.note(c, map[string]any{"type": "channel_rename", "channel": map[string]any{"id": c.ID, "name": c.Name, "created": s.options.Now().Unix()}, "event_ts": s.stamp()})
	return map[string]any{"channel": s.channelJSON(c)}, nil
}

func (s *Server) invite(p params) (map[string]any, error) {
	c, err := s.manage(p)
	if err != nil {
		return nil, err
	}
	ids := strings.Split(p["users"], ",")
	for _, id := range ids {
		switch u, ok := s.user(id); {
		case !ok || u.ID != id:
			return nil, fault{code: "user_not_found"}
		case id == s.bot.ID:
			return nil, fault{code: "cant_invite_self"}
		case s.member(c, id):
			return nil, fault{code: "already_in_channel"}
		}
	}
	for _, id := range ids {
		s.enter(c, id)
		s.note(c, s.membership("member_joined_channel", c, id))
	}
	return map[string]any{"channel": s.channelJSON(c)}, nil
}

func (s *Server) kick(p params) (map[string]any, error) {
	c, err := s.manage(p)
	u, ok := s.user(p["user"])
	switch {
	case err != nil:
		return nil, err
	case !ok || u.ID != p["user"]:
		return nil, fault{code: "user_not_found"}
	case u.ID == s.bot.ID:
		return nil, fault{code: "cant_kick_self"}
	case c.Name == "general":
		return nil, fault{code: "cant_kick_from_general"}
	case !s.member(c, u.ID):
		return nil, fault{code: "not_in_channel"}
	}
	s.exit(c, u.ID)
	s.note(c, s.membership("member_left_channel", c, u.ID))
	return map[string]any{}, nil
}

// maxTopic is in characters, of a topic and of a purpose.
const maxTopic = 250

func (s *Server) setTopic(p params) (map[string]any, error) {
	return s.describe(p, p["topic"], func(c *channel) { c.Topic = p["topic"] })
}

func (s *Server) setPurpose(p params) (map[string]any, error) {
	return s.describe(p, p["purpose"], func(c *channel) { c.purpose = p["purpose"] })
}

func (s *Server) describe(p params, words string, set func(*channel)) (map[string]any, error) {
	c, err := s.manage(p)
	if err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(words) > maxTopic {
		return nil, fault{code: "too_long"}
	}
	set(c)
	return map[string]any{"channel": s.channelJSON(c)}, nil
}

func (s *Server) permalink(p params) (map[string]any, error) {
	c, m, err := s.at(p["channel"], p["message_ts"])
	if err != nil {
		return nil, err
	}
	return map[string]any{"channel": c.ID, "permalink": fmt.Sprintf("%s/?channel=%s&thread=%s", s.base, c.Name, m.TS)}, nil
}
