package slacksim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fault is an error of the Web API: its code, and for blocks the messages that say where.
type fault struct {
	code     string
	messages []string
	needed   string // scopes, of missing_scope
	provided string
	status   int // of HTTP; 0 is 200
	after    int // seconds of Retry-After
}

// Error is the code that the Web API answers with.
func (f fault) Error() string { return f.code }

// params are the arguments of a call. What came as JSON is kept as JSON text.
type params map[string]string

func (p params) flag(name string) bool { return p[name] == "true" || p[name] == "1" }

// method is one row of the Web API. Token says which token it takes, tier how often it may be called.
type method struct {
	token string // "bot" or "app"
	tier  int
	do    func(*Server, params) (map[string]any, error)
}

var methods = map[string]method{
	"api.test":                     {"", 4, func(*Server, params) (map[string]any, error) { return map[string]any{}, nil }},
	"auth.test":                    {"bot", 4, (*Server).authTest},
	"apps.connections.open":        {"app", 3, (*Server).openConnection},
	"bots.info":                    {"bot", 3, (*Server).botInfo},
	"team.info":                    {"bot", 3, (*Server).teamInfo},
	"chat.postMessage":             {"bot", 5, (*Server).postMessage},
	"chat.postEphemeral":           {"bot", 4, (*Server).postEphemeral},
	"chat.update":                  {"bot", 3, (*Server).updateMessage},
	"chat.delete":                  {"bot", 3, (*Server).deleteMessage},
	"chat.getPermalink":            {"bot", 5, (*Server).permalink},
	"conversations.history":        {"bot", 3, (*Server).history},
	"conversations.replies":        {"bot", 3, (*Server).replies},
	"conversations.info":           {"bot", 3, (*Server).channelInfo},
	"conversations.list":           {"bot", 2, (*Server).channelList},
	"conversations.join":           {"bot", 3, (*Server).join},
	"conversations.members":        {"bot", 4, (*Server).members},
	"conversations.open":           {"bot", 3, (*Server).openDM},
	"users.info":                   {"bot", 4, (*Server).userInfo},
	"users.list":                   {"bot", 2, (*Server).userList},
	"usergroups.list":              {"bot", 2, (*Server).usergroupList},
	"usergroups.users.list":        {"bot", 2, (*Server).usergroupUsers},
	"views.open":                   {"bot", 4, (*Server).viewsOpen},
	"views.push":                   {"bot", 4, (*Server).viewsPush},
	"views.update":                 {"bot", 4, (*Server).viewsUpdate},
	"views.publish":                {"bot", 4, (*Server).viewsPublish},
	"reactions.add":                {"bot", 3, (*Server).reactionAdd},
	"reactions.remove":             {"bot", 2, (*Server).reactionRemove},
	"pins.add":                     {"bot", 2, (*Server).pinAdd},
	"files.getUploadURLExternal":   {"bot", 4, (*Server).uploadURL},
	"files.completeUploadExternal": {"bot", 4, (*Server).completeUpload},
	"files.info":                   {"bot", 4, (*Server).fileInfo},
}

// Call is one call of the Web API as the workspace has seen it.
type Call struct {
	Method string            `json:"method"`
	Args   map[string]string `json:"args"`            // without the token; what came as JSON is JSON
	Error  string            `json:"error,omitempty"` // what it was answered with, "" when it was done
	At     time.Time         `json:"at"`
}

// maxRecorded bounds the calls that are kept.
const maxRecorded = 1000

// Recorded are the newest calls of the Web API, oldest first.
func (s *Server) Recorded() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.recorded)
}

func (s *Server) record(name string, p params, problem string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	args := maps.Clone(p)
	delete(args, "token")
	s.recorded = append(s.recorded, Call{Method: name, Args: args, Error: problem, At: s.options.Now()})
	if len(s.recorded) > maxRecorded {
		s.recorded = slices.Delete(s.recorded, 0, len(s.recorded)-maxRecorded)
	}
}

// api answers one call of the Web API, always with JSON.
func (s *Server) api(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("method")
	p, token, err := read(r)
	if err != nil {
		reply(w, http.StatusOK, map[string]any{"ok": false, "error": "invalid_arguments"})
		return
	}
	body, err := s.answer(name, token, p)
	var bad fault
	if !errors.As(err, &bad) {
		s.record(name, p, "")
		reply(w, http.StatusOK, body)
		return
	}
	s.record(name, p, bad.code)
	if bad.after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(bad.after))
	}
	reply(w, max(bad.status, http.StatusOK), bad.body())
}

// body is a refusal as Slack words it.
func (f fault) body() map[string]any {
	body := map[string]any{"ok": false, "error": f.code}
	if len(f.messages) > 0 {
		body["response_metadata"] = map[string]any{"messages": f.messages}
		var plain []string // chat.* say it twice
		for _, m := range f.messages {
			plain = append(plain, strings.TrimPrefix(m, "[ERROR] "))
		}
		body["errors"] = plain
	}
	if f.code == "missing_scope" {
		body["needed"], body["provided"] = f.needed, f.provided
	}
	return body
}

// answer is what a call comes to: a fault that was asked for, a rate limit, or the method itself. Errors are faults.
func (s *Server) answer(name, token string, p params) (json.RawMessage, error) {
	s.mu.Lock()
	s.calls[name]++
	f, injected := s.takeFault(name)
	s.mu.Unlock()
	if injected {
		return nil, f
	}
	if !s.options.Unlimited && !s.limits.allow(name, methods[name].tier, p["channel"]) {
		return nil, limited(1)
	}
	return s.call(name, token, p)
}

// limited is the refusal of a call that came too soon.
func limited(seconds int) fault {
	return fault{code: "ratelimited", status: http.StatusTooManyRequests, after: max(seconds, 1)}
}

// frozen encodes v while the caller holds the lock: what is encoded later may be changing by then.
func frozen(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage(`{"ok":false,"error":"internal_error"}`)
	}
	return b
}

func (s *Server) takeFault(name string) (fault, bool) {
	list := s.faults[name]
	if len(list) == 0 {
		return fault{}, false
	}
	s.faults[name] = list[1:]
	return list[0], true
}

func (s *Server) call(name, token string, p params) (json.RawMessage, error) {
	m, ok := methods[name]
	if !ok {
		return nil, fault{code: "unknown_method"}
	}
	if err := s.authorise(m.token, token); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := m.do(s, p)
	if err != nil {
		return nil, err
	}
	body["ok"] = true
	return frozen(body), nil
}

func (s *Server) authorise(kind, token string) error {
	want := map[string]string{"bot": s.options.BotToken, "app": s.options.AppToken}[kind]
	switch {
	case kind == "" || token == want:
		return nil
	case token == "":
		return fault{code: "not_authed"}
	case token == s.options.BotToken || token == s.options.AppToken:
		return fault{code: "not_allowed_token_type"}
	}
	return fault{code: "invalid_auth"}
}

// read takes arguments from the query, a form or a JSON body, and the token from wherever SDKs put it.
func read(r *http.Request) (params, string, error) {
	p := params{}
	for k, v := range r.URL.Query() {
		p[k] = v[0]
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
		if err != nil {
			return nil, "", err
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(body, &fields); err != nil && len(body) > 0 {
			return nil, "", err
		}
		for k, raw := range fields {
			var text string
			if json.Unmarshal(raw, &text) != nil {
				text = string(raw)
			}
			p[k] = text
		}
	} else if r.Method == http.MethodPost {
		if err := r.ParseMultipartForm(4 << 20); err != nil && err != http.ErrNotMultipart {
			return nil, "", err
		}
		for k, v := range r.PostForm {
			p[k] = v[0]
		}
	}
	token := p["token"]
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		token = bearer
	}
	return p, token, nil
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone when this fails
}

func (s *Server) authTest(params) (map[string]any, error) {
	return map[string]any{"url": s.base + "/", "team": s.options.Team, "user": s.bot.Name, "team_id": "T0SIM", "user_id": s.bot.ID, "bot_id": "B0CDCBOT", "is_enterprise_install": false}, nil
}

func (s *Server) botInfo(params) (map[string]any, error) {
	return map[string]any{"bot": map[string]any{"id": "B0CDCBOT", "name": s.bot.Name, "user_id": s.bot.ID, "app_id": "A0CDCBOT"}}, nil
}

func (s *Server) teamInfo(params) (map[string]any, error) {
	return map[string]any{"team": map[string]any{"id": "T0SIM", "name": s.options.Team, "domain": s.options.TeamDomain}}, nil
}

func (s *Server) profile(u User) map[string]any {
	return map[string]any{"id": u.ID, "team_id": "T0SIM", "name": u.Name, "real_name": u.RealName, "deleted": u.Deleted, "is_bot": u.IsBot, "is_app_user": false, "is_restricted": u.Guest, "is_ultra_restricted": false,
		"profile": map[string]any{"display_name": u.Name, "real_name": u.RealName, "email": u.Email, "title": u.Title}}
}

func (s *Server) userInfo(p params) (map[string]any, error) {
	for _, u := range s.users {
		if u.ID == p["user"] {
			return map[string]any{"user": s.profile(u)}, nil
		}
	}
	return nil, fault{code: "user_not_found"}
}

func (s *Server) userList(params) (map[string]any, error) {
	var list []map[string]any
	for _, u := range s.users {
		list = append(list, s.profile(u))
	}
	return map[string]any{"members": list, "response_metadata": map[string]any{"next_cursor": ""}}, nil
}

func (s *Server) usergroupList(params) (map[string]any, error) {
	list := []map[string]any{}
	for _, g := range s.options.Usergroups {
		list = append(list, map[string]any{"id": g.ID, "handle": g.Handle, "name": g.Handle, "users": g.Users, "user_count": len(g.Users)})
	}
	return map[string]any{"usergroups": list}, nil
}

func (s *Server) usergroupUsers(p params) (map[string]any, error) {
	for _, g := range s.options.Usergroups {
		if g.ID == p["usergroup"] {
			return map[string]any{"users": g.Users}, nil
		}
	}
	return nil, fault{code: "no_such_subteam"}
}

func (s *Server) channelJSON(c *channel) map[string]any {
	return map[string]any{"id": c.ID, "name": c.Name, "is_channel": true, "is_archived": c.Archived, "is_member": !c.Closed, "topic": map[string]any{"value": c.Topic}}
}

func (s *Server) channelInfo(p params) (map[string]any, error) {
	for _, c := range s.channels {
		if c.ID == p["channel"] {
			return map[string]any{"channel": s.channelJSON(c)}, nil
		}
	}
	return nil, fault{code: "channel_not_found"}
}

func (s *Server) channelList(params) (map[string]any, error) {
	var list []map[string]any
	for _, c := range s.channels {
		list = append(list, s.channelJSON(c))
	}
	return map[string]any{"channels": list, "response_metadata": map[string]any{"next_cursor": ""}}, nil
}

func (s *Server) join(p params) (map[string]any, error) {
	for _, c := range s.channels {
		if c.ID == p["channel"] {
			c.Closed = false
			return map[string]any{"channel": s.channelJSON(c)}, nil
		}
	}
	return nil, fault{code: "channel_not_found"}
}

func (s *Server) members(params) (map[string]any, error) {
	var ids []string
	for _, u := range s.users {
		ids = append(ids, u.ID)
	}
	return map[string]any{"members": ids, "response_metadata": map[string]any{"next_cursor": ""}}, nil
}

// openDM gives the direct-message channel of a user, made when it is first asked for.
func (s *Server) openDM(p params) (map[string]any, error) {
	u, ok := s.user(p["users"])
	if !ok {
		return nil, fault{code: "user_not_found"}
	}
	id := "D" + strings.TrimPrefix(u.ID, "U")
	if s.channel(id) == nil {
		s.channels = append(s.channels, &channel{Channel: Channel{ID: id, Name: "dm-" + u.Name, Topic: "Direct messages with " + s.bot.Name}})
	}
	return map[string]any{"channel": map[string]any{"id": id}}, nil
}

func (s *Server) permalink(p params) (map[string]any, error) {
	c := s.channel(p["channel"])
	if c == nil {
		return nil, fault{code: "channel_not_found"}
	}
	if c.find(p["message_ts"]) == nil {
		return nil, fault{code: "message_not_found"}
	}
	link := fmt.Sprintf("%s/?channel=%s&thread=%s", s.base, c.Name, p["message_ts"])
	return map[string]any{"channel": c.ID, "permalink": link}, nil
}
