package slacksim

import "slices"

// member says whether a user is in a conversation.
func (s *Server) member(c *channel, id string) bool {
	if id == s.bot.ID {
		return !c.Closed
	}
	return c.Members == nil || slices.Contains(c.Members, id)
}

// memberIDs are the users in a conversation, in the order of the workspace.
func (s *Server) memberIDs(c *channel) []string {
	ids := []string{}
	for _, u := range s.users {
		if !u.Deleted && s.member(c, u.ID) {
			ids = append(ids, u.ID)
		}
	}
	return ids
}

// enter and exit change who is in a conversation; the caller holds the lock and has checked that it is a change.
func (s *Server) enter(c *channel, id string) {
	if id == s.bot.ID {
		c.Closed = false
	} else {
		c.Members = append(slices.Clone(c.Members), id)
	}
}

func (s *Server) exit(c *channel, id string) {
	if id == s.bot.ID {
		c.Closed = true
		return
	}
	people := slices.DeleteFunc(s.memberIDs(c), func(x string) bool { return x == id || x == s.bot.ID })
	c.Members = people
}

// joined makes a person a member of a public channel; the app is told.
func (s *Server) joined(user, channelID string) error {
	return s.move(user, channelID, "member_joined_channel", func(c *channel, u User) error {
		switch {
		case c.kind() != "channel":
			return errPerson("one has to be invited to #%s", c.Name)
		case s.member(c, u.ID):
			return errPerson("%s is in #%s already", u.Name, c.Name)
		}
		s.enter(c, u.ID)
		return nil
	})
}

// left ends a person's membership; the app is told.
func (s *Server) left(user, channelID string) error {
	return s.move(user, channelID, "member_left_channel", func(c *channel, u User) error {
		if !s.member(c, u.ID) {
			return errPerson("%s is not in #%s", u.Name, c.Name)
		}
		s.exit(c, u.ID)
		return nil
	})
}

func (s *Server) move(user, channelID, event string, do func(*channel, User) error) error {
	s.mu.Lock()
	u, err := s.person(user)
	c := s.channel(channelID)
	if err == nil && c == nil {
		err = errPerson("there is no channel %q", channelID)
	}
	if err == nil {
		err = do(c, u)
	}
	if err != nil {
		s.mu.Unlock()
		return err
	}
	inner := s.membership(event, c, u.ID)
	s.mu.Unlock()
	s.tell(c, inner)
	return nil
}

// membership is the event of somebody who comes or goes; the caller holds the lock.
func (s *Server) membership(event string, c *channel, user string) map[string]any {
	return map[string]any{"type": event, "user": user, "channel": c.ID, "channel_type": map[string]string{"channel": "C", "group": "G", "im": "D"}[c.kind()], "team": "T0SIM", "event_ts": s.stamp()}
}
