package slacksim

import (
	"context"
	"strings"
	"time"
)

// eventScopes are the scopes without which an event does not reach an app (docs.slack.dev/reference/events). "*" is the
// kind of conversation that the event happened in. An event without a row is not sent: it is a mistake of ours.
var eventScopes = map[string]string{
	"app_home_opened": "", "app_mention": "app_mentions:read", "message": "*:history",
	"reaction_added": "reactions:read", "reaction_removed": "reactions:read", "pin_added": "pins:read", "pin_removed": "pins:read",
	"member_joined_channel": "*:read", "member_left_channel": "*:read",
	"channel_archive": "channels:read", "channel_unarchive": "channels:read", "channel_rename": "channels:read", "channel_created": "channels:read",
	"team_join": "users:read", "user_change": "users:read",
	"subteam_created": "usergroups:read", "subteam_updated": "usergroups:read", "subteam_members_changed": "usergroups:read",
	"file_shared": "files:read",
}

// tell brings an event to the app when it may have it: it has subscribed, it was granted the scope, and it is a member
// of the conversation (nil when the event belongs to none).
func (s *Server) tell(c *channel, inner map[string]any) {
	if s.hears(c, inner) {
		s.raise(inner)
	}
}

// raise delivers an event and tries again as Slack does: at once, after a minute, after five minutes.
func (s *Server) raise(inner map[string]any) {
	s.mu.Lock()
	id, eventID := s.next("env-"), s.next("Ev")
	payload := map[string]any{"type": "event_callback", "token": "sim", "team_id": "T0SIM", "context_team_id": "T0SIM", "api_app_id": "A0CDCBOT", "event": inner, "event_id": eventID, "event_time": s.options.Now().Unix(),
		"event_context": "EC-" + eventID, "is_ext_shared_channel": false, "authorizations": []any{map[string]any{"enterprise_id": nil, "team_id": "T0SIM", "user_id": s.bot.ID, "is_bot": true, "is_enterprise_install": false}}}
	s.mu.Unlock()
	again := func(attempt int) error {
		_, err := s.sockets.deliver(context.Background(), id, "events_api", false, payload, attempt, "timeout")
		return err
	}
	s.background(func() {
		if _, err := s.deliver(context.Background(), id, "events_api", false, payload); err == nil {
			return
		}
		if again(1) == nil {
			return
		}
		s.later(time.Minute, func() { _ = again(2) })   // the next retry follows anyway
		s.later(5*time.Minute, func() { _ = again(3) }) // Slack gives up after this one
	})
}

func (s *Server) hears(c *channel, inner map[string]any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := word(inner, "type")
	scope, known := eventScopes[kind]
	if !known {
		return false
	}
	name := kind
	if c != nil {
		if c.Closed && inner["user"] != s.bot.ID {
			return false
		}
		scope = c.of(scope)
		if kind == "message" {
			name = "message." + map[string]string{"channel": "channels", "group": "groups", "im": "im"}[c.kind()]
		}
	}
	return s.granted(strings.TrimPrefix(scope, "*:")) == nil && s.subscribed(name)
}

// subscribed says whether the app has asked for events of a name; without Options.Events it has asked for all.
func (s *Server) subscribed(name string) bool {
	if s.options.Events == nil {
		return true
	}
	for _, e := range s.options.Events {
		if e == name {
			return true
		}
	}
	return false
}
