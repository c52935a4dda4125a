package slacksim

import (
	"fmt"
	"slices"
)

// profile is a user as the Web API tells it: the address only with its own scope.
func (s *Server) profile(u User) map[string]any {
	about := map[string]any{"display_name": u.Name, "real_name": u.RealName, "title": u.Title}
	if s.has("users:read.email") {
		about["email"] = u.Email
	}
	return map[string]any{"id": u.ID, "team_id": "T0SIM", "name": u.Name, "real_name": u.RealName, "deleted": u.Deleted, "is_bot": u.IsBot, "is_app_user": false, "is_restricted": u.Guest, "is_ultra_restricted": false,
		"tz": "UTC", "tz_offset": 0, "profile": about}
}

func (s *Server) userInfo(p params) (map[string]any, error) {
	u, ok := s.user(p["user"])
	if !ok || u.ID != p["user"] {
		return nil, fault{code: "user_not_found"}
	}
	return map[string]any{"user": s.profile(u)}, nil
}

func (s *Server) userByEmail(p params) (map[string]any, error) {
	for _, u := range s.users {
		if u.Email != "" && u.Email == p["email"] && !u.Deleted {
			return map[string]any{"user": s.profile(u)}, nil
		}
	}
	return nil, fault{code: "users_not_found"}
}

func (s *Server) userList(p params) (map[string]any, error) {
	list := []map[string]any{}
	for _, u := range s.users {
		list = append(list, s.profile(u))
	}
	return paged("members", list, p)
}

func (g Usergroup) json() map[string]any {
	return map[string]any{"id": g.ID, "team_id": "T0SIM", "is_usergroup": true, "handle": g.Handle, "name": g.Handle, "users": g.Users, "user_count": len(g.Users), "date_delete": 0}
}

func (s *Server) usergroupList(p params) (map[string]any, error) {
	list := []map[string]any{}
	for _, g := range s.usergroups {
		one := g.json()
		if !p.flag("include_users") {
			delete(one, "users")
		}
		list = append(list, one)
	}
	return map[string]any{"usergroups": list}, nil
}

func (s *Server) usergroupUsers(p params) (map[string]any, error) {
	i := slices.IndexFunc(s.usergroups, func(g Usergroup) bool { return g.ID == p["usergroup"] })
	if i < 0 {
		return nil, fault{code: "no_such_subteam"}
	}
	return map[string]any{"users": s.usergroups[i].Users}, nil
}

// SetUser adds a person (team_join) or changes one with the same ID (user_change), such as one who is deactivated.
func (s *Server) SetUser(u User) error {
	if u.ID == "" || u.Name == "" || u.ID == s.bot.ID {
		return fmt.Errorf("a user needs an ID and a name, and may not be the bot; got %q, %q", u.ID, u.Name)
	}
	s.mu.Lock()
	kind := "user_change"
	if i := slices.IndexFunc(s.users, func(x User) bool { return x.ID == u.ID }); i >= 0 {
		s.users[i] = u
	} else {
		s.users, kind = append(s.users, u), "team_join"
	}
	inner := map[string]any{"type": kind, "user": s.profile(u), "cache_ts": s.options.Now().Unix(), "event_ts": s.stamp()}
	s.mu.Unlock()
	s.tell(nil, inner)
	return nil
}

// SetUsergroup adds a group or changes who is in it; the app hears subteam_created, or subteam_members_changed and
// subteam_updated.
func (s *Server) SetUsergroup(g Usergroup) error {
	if g.ID == "" {
		return fmt.Errorf("a usergroup needs an ID")
	}
	s.mu.Lock()
	i := slices.IndexFunc(s.usergroups, func(x Usergroup) bool { return x.ID == g.ID })
	if i < 0 {
		s.usergroups = append(s.usergroups, g)
		inner := map[string]any{"type": "subteam_created", "subteam": g.json(), "event_ts": s.stamp()}
		s.mu.Unlock()
		s.tell(nil, inner)
		return nil
	}
	before := s.usergroups[i].Users
	s.usergroups[i] = g
	added, removed := without(g.Users, before), without(before, g.Users)
	now := s.options.Now().Unix()
	members := map[string]any{"type": "subteam_members_changed", "subteam_id": g.ID, "team_id": "T0SIM", "date_previous_update": now, "date_update": now,
		"added_users": added, "added_users_count": len(added), "removed_users": removed, "removed_users_count": len(removed), "event_ts": s.stamp()}
	updated := map[string]any{"type": "subteam_updated", "subteam": g.json(), "event_ts": s.stamp()}
	s.mu.Unlock()
	s.tell(nil, members)
	s.tell(nil, updated)
	return nil
}

// without are those of list that are not in other.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(append([]string{}, list...)), func(x string) bool { return slices.Contains(other, x) })
}
