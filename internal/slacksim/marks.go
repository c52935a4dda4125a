package slacksim

import (
	"net/url"
	"slices"
)

// Reactions, pins and bookmarks: what one hangs on messages and channels.

// mark finds the message that a call marks: the bot must be in its channel.
func (s *Server) mark(p params) (*channel, *message, error) {
	if p["timestamp"] == "" {
		return nil, nil, fault{code: "no_item_specified"}
	}
	c, m, err := s.at(p["channel"], p["timestamp"])
	switch {
	case err != nil:
		return nil, nil, err
	case c.Closed:
		return nil, nil, fault{code: "not_in_channel"}
	case c.Archived:
		return nil, nil, fault{code: "is_archived"}
	}
	return c, m, nil
}

func (s *Server) reactionAdd(p params) (map[string]any, error) {
	return s.ownReaction(p, false)
}

func (s *Server) reactionRemove(p params) (map[string]any, error) {
	return s.ownReaction(p, true)
}

func (s *Server) ownReaction(p params, remove bool) (map[string]any, error) {
	c, m, err := s.mark(p)
	if err != nil {
		return nil, err
	}
	if p["name"] == "" {
		return nil, fault{code: "invalid_name"}
	}
	out, err := s.react(c.ID, m.TS, p["name"], s.bot.ID, remove)
	if err == nil {
		s.note(c, s.reactionEvent(c, m, p["name"], s.bot.ID, remove))
	}
	return out, err
}

func (s *Server) reactionGet(p params) (map[string]any, error) {
	c, m, err := s.mark(p)
	if err != nil {
		return nil, err
	}
	return map[string]any{"type": "message", "channel": c.ID, "message": m}, nil
}

// reactionEvent is what the app hears of a reaction; the caller holds the lock.
func (s *Server) reactionEvent(c *channel, m *message, name, user string, remove bool) map[string]any {
	kind := "reaction_added"
	if remove {
		kind = "reaction_removed"
	}
	return map[string]any{"type": kind, "user": user, "reaction": name, "item": map[string]any{"type": "message", "channel": c.ID, "ts": m.TS}, "item_user": m.User, "event_ts": s.stamp()}
}

// pinEvent is what the app hears of a message that was pinned or is not pinned any more; the caller holds the lock.
func (s *Server) pinEvent(c *channel, m *message, user string) map[string]any {
	kind := "pin_added"
	if !m.Pinned {
		kind = "pin_removed"
	}
	return map[string]any{"type": kind, "user": user, "channel_id": c.ID, "item": map[string]any{"type": "message", "channel": c.ID, "created": s.options.Now().Unix(), "created_by": user, "message": frozen(m)}, "event_ts": s.stamp()}
}

// maxPins is how many pins a channel holds.
const maxPins = 100

func (s *Server) pinAdd(p params) (map[string]any, error) {
	c, m, err := s.mark(p)
	switch {
	case err != nil:
		return nil, err
	case m.Pinned:
		return nil, fault{code: "already_pinned"}
	case len(c.pinned()) >= maxPins:
		return nil, fault{code: "too_many_pins"}
	}
	m.Pinned = true
	s.changed(c, m)
	s.note(c, s.pinEvent(c, m, s.bot.ID))
	return map[string]any{}, nil
}

func (s *Server) pinRemove(p params) (map[string]any, error) {
	c, m, err := s.mark(p)
	if err != nil {
		return nil, err
	}
	if !m.Pinned {
		return nil, fault{code: "no_pin"}
	}
	m.Pinned = false
	s.changed(c, m)
	s.note(c, s.pinEvent(c, m, s.bot.ID))
	return map[string]any{}, nil
}

func (s *Server) pinList(p params) (map[string]any, error) {
	c, err := s.read(p, "pins:read")
	if err != nil {
		return nil, err
	}
	items := []map[string]any{}
	for _, m := range c.pinned() {
		items = append(items, map[string]any{"type": "message", "channel": c.ID, "message": m})
	}
	return map[string]any{"items": items}, nil
}

func (c *channel) pinned() []*message {
	var list []*message
	for _, m := range c.messages {
		if m.Pinned {
			list = append(list, m)
		}
	}
	return list
}

// bookmark is a link in the head of a channel.
type bookmark struct {
	ID      string `json:"id"`
	Channel string `json:"channel_id"`
	Title   string `json:"title"`
	Link    string `json:"link"`
	Emoji   string `json:"emoji"`
	Type    string `json:"type"`
}

// maxBookmarks is how many bookmarks a channel holds.
const maxBookmarks = 100

// shelf is the channel whose bookmarks a call is about; its argument is channel_id, unlike elsewhere.
func (s *Server) shelf(p params) (*channel, error) {
	return s.read(params{"channel": p["channel_id"]}, "")
}

func (s *Server) bookmarkAdd(p params) (map[string]any, error) {
	c, err := s.shelf(p)
	switch {
	case err != nil:
		return nil, err
	case p["type"] != "link":
		return nil, fault{code: "invalid_bookmark_type"}
	case p["title"] == "" || !linked(p["link"]):
		return nil, fault{code: "invalid_link"}
	case len(c.bookmarks) >= maxBookmarks:
		return nil, fault{code: "too_many_bookmarks"}
	}
	b := &bookmark{ID: s.next("Bk"), Channel: c.ID, Title: p["title"], Link: p["link"], Emoji: p["emoji"], Type: "link"}
	c.bookmarks = append(c.bookmarks, b)
	return map[string]any{"bookmark": b}, nil
}

func linked(link string) bool {
	u, err := url.Parse(link)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

func (s *Server) bookmarkEdit(p params) (map[string]any, error) {
	c, b, err := s.bookmarked(p)
	if err != nil {
		return nil, err
	}
	if p["link"] != "" && !linked(p["link"]) {
		return nil, fault{code: "invalid_link"}
	}
	changed := *b
	changed.Title, changed.Link, changed.Emoji = first(p["title"], b.Title), first(p["link"], b.Link), first(p["emoji"], b.Emoji)
	c.bookmarks[slices.Index(c.bookmarks, b)] = &changed
	return map[string]any{"bookmark": &changed}, nil
}

func (s *Server) bookmarkRemove(p params) (map[string]any, error) {
	c, b, err := s.bookmarked(p)
	if err != nil {
		return nil, err
	}
	c.bookmarks = slices.DeleteFunc(c.bookmarks, func(x *bookmark) bool { return x == b })
	return map[string]any{}, nil
}

func (s *Server) bookmarkList(p params) (map[string]any, error) {
	c, err := s.shelf(p)
	if err != nil {
		return nil, err
	}
	return map[string]any{"bookmarks": append([]*bookmark{}, c.bookmarks...)}, nil
}

func (s *Server) bookmarked(p params) (*channel, *bookmark, error) {
	c, err := s.shelf(p)
	if err != nil {
		return nil, nil, err
	}
	for _, b := range c.bookmarks {
		if b.ID == p["bookmark_id"] {
			return c, b, nil
		}
	}
	return nil, nil, fault{code: "not_found"}
}
