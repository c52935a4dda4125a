package slacksim

import (
	"encoding/json"
	"errors"
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

// method is one row of the Web API. Token says which token it takes, scope what the app must be granted ("*:read" means
// that of the conversation's kind), tier how often it may be called. docs.slack.dev/reference/methods has them all.
type method struct {
	token string // "bot" or "app"
	scope string
	tier  int
	do    func(*Server, params) (map[string]any, error)
}

var methods = map[string]method{
	"api.test":              {"", "", 4, func(*Server, params) (map[string]any, error) { return map[string]any{}, nil }},
	"auth.test":             {"bot", "", special, (*Server).authTest},
	"apps.connections.open": {"app", "", 3, (*Server).openConnection},
	"bots.info":             {"bot", "users:read", 3, (*Server).botInfo},
	"team.info":             {"bot", "team:read", 3, (*Server).teamInfo},
	"emoji.list":            {"bot", "emoji:read", 2, func(*Server, params) (map[string]any, error) { return map[string]any{"emoji": map[string]any{}}, nil }},

	"chat.postMessage":   {"bot", "chat:write", special, (*Server).postMessage},
	"chat.postEphemeral": {"bot", "chat:write", 4, (*Server).postEphemeral},
	"chat.update":        {"bot", "chat:write", 3, (*Server).updateMessage},
	"chat.delete":        {"bot", "chat:write", 3, (*Server).deleteMessage},
	"chat.getPermalink":  {"bot", "", special, (*Server).permalink},

	"conversations.history":    {"bot", "*:history", 3, (*Server).history},
	"conversations.replies":    {"bot", "*:history", 3, (*Server).replies},
	"conversations.info":       {"bot", "*:read", 3, (*Server).channelInfo},
	"conversations.list":       {"bot", "*:read", 2, (*Server).channelList},
	"conversations.members":    {"bot", "*:read", 4, (*Server).members},
	"conversations.join":       {"bot", "channels:join", 3, (*Server).join},
	"conversations.leave":      {"bot", "*:write", 3, (*Server).leave},
	"conversations.open":       {"bot", "*:write", 3, (*Server).openDM},
	"conversations.create":     {"bot", "*:write", 2, (*Server).createChannel},
	"conversations.archive":    {"bot", "*:write", 2, (*Server).archive},
	"conversations.unarchive":  {"bot", "*:write", 2, (*Server).unarchive},
	"conversations.rename":     {"bot", "*:write", 2, (*Server).rename},
	"conversations.invite":     {"bot", "*:write", 3, (*Server).invite},
	"conversations.kick":       {"bot", "*:write", 3, (*Server).kick},
	"conversations.setTopic":   {"bot", "*:write", 2, (*Server).setTopic},
	"conversations.setPurpose": {"bot", "*:write", 2, (*Server).setPurpose},

	"users.info":            {"bot", "users:read", 4, (*Server).userInfo},
	"users.list":            {"bot", "users:read", 2, (*Server).userList},
	"users.lookupByEmail":   {"bot", "users:read.email", 3, (*Server).userByEmail},
	"users.conversations":   {"bot", "*:read", 3, (*Server).userChannels},
	"usergroups.list":       {"bot", "usergroups:read", 2, (*Server).usergroupList},
	"usergroups.users.list": {"bot", "usergroups:read", 2, (*Server).usergroupUsers},

	"views.open":    {"bot", "", 4, (*Server).viewsOpen},
	"views.push":    {"bot", "", 4, (*Server).viewsPush},
	"views.update":  {"bot", "", 4, (*Server).viewsUpdate},
	"views.publish": {"bot", "", 4, (*Server).viewsPublish},

	"reactions.add":    {"bot", "reactions:write", 3, (*Server).reactionAdd},
	"reactions.remove": {"bot", "reactions:write", 2, (*Server).reactionRemove},
	"reactions.get":    {"bot", "reactions:read", 3, (*Server).reactionGet},
	"pins.add":         {"bot", "pins:write", 2, (*Server).pinAdd},
	"pins.remove":      {"bot", "pins:write", 2, (*Server).pinRemove},
	"pins.list":        {"bot", "pins:read", 2, (*Server).pinList},
	"bookmarks.add":    {"bot", "bookmarks:write", 2, (*Server).bookmarkAdd},
	"bookmarks.edit":   {"bot", "bookmarks:write", 2, (*Server).bookmarkEdit},
	"bookmarks.remove": {"bot", "bookmarks:write", 2, (*Server).bookmarkRemove},
	"bookmarks.list":   {"bot", "bookmarks:read", 3, (*Server).bookmarkList},

	"files.getUploadURLExternal":   {"bot", "files:write", 4, (*Server).uploadURL},
	"files.completeUploadExternal": {"bot", "files:write", 4, (*Server).completeUpload},
	"files.info":                   {"bot", "files:read", 4, (*Server).fileInfo},
	"files.delete":                 {"bot", "files:write", 3, (*Server).fileDelete},
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

func (s *Server) record(name string, p params, answer any, problem string) {
	s.overhear("app", name, p.args(), answer, problem)
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
	s.mu.Lock()
	s.calls[name]++
	s.mu.Unlock()
	u := s.takeUpset(name)
	if u.suffer(w, r) {
		s.record(name, p, nil, strconv.Itoa(u.status))
		return
	}
	w.Header().Set("X-OAuth-Scopes", strings.Join(s.options.Scopes, ","))
	body, err := s.answer(name, token, p, u.refusal)
	if u.lost {
		s.record(name, p, nil, "lost")
		panic(http.ErrAbortHandler) // this is how a handler cuts its connection
	}
	var bad fault
	if !errors.As(err, &bad) {
		s.record(name, p, body, "")
		reply(w, http.StatusOK, body)
		return
	}
	s.record(name, p, bad.body(), bad.code)
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
func (s *Server) answer(name, token string, p params, refusal *fault) (json.RawMessage, error) {
	if refusal != nil {
		return nil, *refusal
	}
	if wait := s.limits.wait(name, methods[name].tier, p["channel"]); wait > 0 && !s.options.Unlimited {
		return nil, limited(wait)
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

func (s *Server) call(name, token string, p params) (json.RawMessage, error) {
	m, ok := methods[name]
	if !ok {
		return nil, fault{code: "unknown_method"}
	}
	if err := s.authorise(m.token, token); err != nil {
		return nil, err
	}
	body, news, err := s.do(m, p)
	for _, n := range news {
		s.tell(n.channel, n.event)
	}
	return body, err
}

// do runs a method under the lock. What it brings about is told to the app afterwards.
func (s *Server) do(m method, p params) (json.RawMessage, []news, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.granted(m.scope); err != nil {
		return nil, nil, err
	}
	body, err := m.do(s, p)
	told := s.outbox
	s.outbox = nil
	if err != nil {
		return nil, nil, err
	}
	body["ok"] = true
	return frozen(body), told, nil
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
