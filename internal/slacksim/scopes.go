package slacksim

import (
	"slices"
	"strings"
)

// allScopes are the scopes that an app is granted unless Options.Scopes says otherwise: all that a method or event here
// asks for, but chat:write.public, with which one may post where one is no member.
var allScopes = []string{"app_mentions:read", "bookmarks:read", "bookmarks:write", "channels:history", "channels:join", "channels:manage", "channels:read", "chat:write", "commands", "emoji:read",
	"files:read", "files:write", "groups:history", "groups:read", "groups:write", "im:history", "im:read", "im:write", "metadata.message:read", "pins:read", "pins:write", "reactions:read", "reactions:write",
	"team:read", "usergroups:read", "users:read", "users:read.email"}

// kinds are the scopes of a conversation's kind: "*:history" means channels:history in a public channel.
var kinds = map[string]string{"channel": "channels", "group": "groups", "im": "im"}

// kind says whether a conversation is a public channel, a private one (group), or a direct message (im).
func (c *channel) kind() string {
	switch {
	case strings.HasPrefix(c.ID, "D"):
		return "im"
	case c.Private:
		return "group"
	}
	return "channel"
}

func (s *Server) has(scope string) bool { return slices.Contains(s.options.Scopes, scope) }

// granted refuses a call whose scope the app was not given. A scope "*:read" or "*:write" is met by any kind of
// conversation; which kinds one may see is checked again at the conversation itself.
func (s *Server) granted(scope string) error {
	wanted := []string{scope}
	if rest, any := strings.CutPrefix(scope, "*:"); any {
		wanted = []string{"channels:" + rest, "groups:" + rest, "im:" + rest}
	}
	if scope == "*:write" {
		wanted = []string{"channels:manage", "groups:write", "im:write"}
	}
	if scope == "" || slices.ContainsFunc(wanted, s.has) {
		return nil
	}
	return fault{code: "missing_scope", needed: strings.Join(wanted, ","), provided: strings.Join(s.options.Scopes, ",")}
}

// of is the scope for one conversation of a method's scope "*:read".
func (c *channel) of(scope string) string {
	rest, any := strings.CutPrefix(scope, "*:")
	switch {
	case !any:
		return scope
	case rest == "write" && c.kind() == "channel":
		return "channels:manage"
	}
	return kinds[c.kind()] + ":" + rest
}
