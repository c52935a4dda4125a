// Package slacksim is a Slack-compatible workspace in one process, for tests and the demo: the Web API methods that the
// bot uses, Socket Mode over a real WebSocket, Slack's limits and error codes, and a web page where one can be several
// people. It is a server with rules, not a recorder of calls, and imports nothing of ours: the official SDKs talk to it.
package slacksim

import (
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

//go:embed all:web
var page embed.FS

// Options shape a workspace. The zero value is one with a few people and channels, rate limits on.
type Options struct {
	Team       string
	TeamDomain string
	BotToken   string // default: random
	AppToken   string
	BotName    string // default "cdcbot"
	Users      []User
	Channels   []Channel
	Usergroups []Usergroup
	Commands   []Command
	Shortcuts  []Shortcut
	Scopes     []string // of the bot token; default: all but chat:write.public
	Events     []string // that the app has subscribed to, such as "message.channels"; default: all
	Now        func() time.Time
	Log        *zap.Logger
	Unlimited  bool          // no rate limits
	AckTimeout time.Duration // default 3 s
	PingEvery  time.Duration // default 10 s
	// Drain is how long a socket that was told to go still gets envelopes; default 100 ms. Slack warns about ten seconds
	// ahead, and what it sends meanwhile is lost by clients that hang up at once.
	Drain time.Duration
}

// User is a member of the workspace.
type User struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	RealName string `json:"real_name"`
	Title    string `json:"title"`
	Color    string `json:"color"`
	Email    string `json:"email,omitempty"`
	IsBot    bool   `json:"is_bot"`
	Guest    bool   `json:"guest,omitempty"`
	Deleted  bool   `json:"deleted,omitempty"`
}

// Channel is a channel, public unless it is Private.
type Channel struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Topic    string   `json:"topic"`
	Private  bool     `json:"private,omitempty"`
	Archived bool     `json:"archived,omitempty"`
	Closed   bool     `json:"closed,omitempty"`  // the bot is not a member
	Members  []string `json:"members,omitempty"` // IDs of people; nil means everybody
}

// Usergroup is a group such as @cdc-approvers.
type Usergroup struct {
	ID     string   `json:"id"`
	Handle string   `json:"handle"`
	Users  []string `json:"users"`
}

// Command is a slash command that the page suggests.
type Command struct {
	Command     string `json:"command"`
	Description string `json:"description"`
	UsageHint   string `json:"usage_hint"`
}

// Shortcut is one that the page offers: of a message, or of the whole workspace.
type Shortcut struct {
	Name       string `json:"name"`
	CallbackID string `json:"callback_id"`
	Global     bool   `json:"global,omitempty"`
}

// Control is something that the page's host lets visitors do, such as breaking the pipeline.
type Control struct {
	ID     string                                    `json:"id"`
	Label  string                                    `json:"label"`
	Hint   string                                    `json:"hint"`
	Group  string                                    `json:"group"`
	Active bool                                      `json:"active"`
	Run    func(ctx context.Context) (string, error) `json:"-"`
}

// Server is the workspace. It is safe for concurrent use.
type Server struct {
	options Options
	log     *zap.Logger
	mux     *http.ServeMux
	bot     User

	mu           sync.Mutex
	base         string // http://127.0.0.1:4000
	users        []User
	usergroups   []Usergroup
	channels     []*channel
	views        map[string][]*view // user → open modals, bottom first
	homes        map[string]map[string]any
	files        map[string]*file
	triggers     map[string]*trigger
	hooks        map[string]*hook
	controls     []Control
	counter      int64
	lastTS       int64
	calls        map[string]int
	recorded     []Call
	traffic      []Exchange
	exchanges    int64  // how many there have been
	outbox       []news // what the method that runs brings about
	ephemeral    []*message
	pages        map[chan pageEvent]string // subscriber → user
	upsets       []upset
	disturbances []Fault
	stack        *stack
	limits       *limits
	downUntil    time.Time
	closing      bool

	missing atomic.Pointer[[]string] // types of blocks that this workspace does not have

	sockets  *sockets
	server   *http.Server
	inFlight sync.WaitGroup
}

// New makes a workspace; Start serves it.
func New(o Options) *Server {
	o = defaults(o)
	s := &Server{options: o, log: o.Log, views: map[string][]*view{}, homes: map[string]map[string]any{}, files: map[string]*file{}, triggers: map[string]*trigger{},
		hooks: map[string]*hook{}, calls: map[string]int{}, pages: map[chan pageEvent]string{}, limits: newLimits()}
	s.bot = User{ID: "U0CDCBOT", Name: o.BotName, RealName: o.BotName, Title: "App", Color: "#3b6ea5", IsBot: true}
	s.users, s.usergroups = slices.Clone(o.Users), slices.Clone(o.Usergroups)
	s.users = append(s.users, s.bot)
	for _, c := range o.Channels {
		s.channels = append(s.channels, &channel{Channel: c})
	}
	s.sockets = newSockets(s)
	s.routes()
	return s
}

func defaults(o Options) Options {
	set := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	set(&o.Team, "Warehouse")
	set(&o.TeamDomain, "warehouse")
	set(&o.BotName, "cdcbot")
	set(&o.BotToken, "xoxb-sim-"+rand.Text())
	set(&o.AppToken, "xapp-sim-"+rand.Text())
	if len(o.Users) == 0 {
		o.Users = []User{
			{ID: "U0ONCALL", Name: "oncall", RealName: "On-call engineer", Title: "asks for fixes", Color: "#2f7d4f"},
			{ID: "U0APPROVER", Name: "approver", RealName: "Approver", Title: "agrees to fixes", Color: "#8a4fa3"},
			{ID: "U0MANAGER", Name: "manager", RealName: "Incident manager", Title: "watches", Color: "#b0632a"},
		}
	}
	if len(o.Channels) == 0 {
		o.Channels = []Channel{{ID: "C0INCIDENTS", Name: "cdc-incidents", Topic: "One thread for each incident"}, {ID: "C0GENERAL", Name: "general", Topic: "Everything else"}}
	}
	if o.Commands == nil {
		o.Commands = []Command{{Command: "/cdc", Description: "CDC pipelines", UsageHint: "status | restart <connector> | incident list | help"}}
	}
	if o.Shortcuts == nil {
		o.Shortcuts = []Shortcut{{Name: "Add to incident timeline", CallbackID: "timeline_add"}}
	}
	if o.Scopes == nil {
		o.Scopes = allScopes
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.AckTimeout == 0 {
		o.AckTimeout = 3 * time.Second
	}
	if o.Drain == 0 {
		o.Drain = 100 * time.Millisecond
	}
	if o.PingEvery == 0 {
		o.PingEvery = 10 * time.Second
	}
	return o
}

func (s *Server) routes() {
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("/api/{method}", s.api)
	s.mux.HandleFunc("/link", s.sockets.serve)
	s.mux.HandleFunc("POST /upload/{id}", s.upload)
	s.mux.HandleFunc("GET /files/{id}/{name}", s.download)
	s.mux.HandleFunc("POST /response/{token}", s.response)
	s.pageRoutes()
	web, err := fs.Sub(page, "web")
	if err == nil { // the folder is embedded: this cannot fail
		s.mux.Handle("/", http.FileServerFS(web))
	}
}

// ServeHTTP serves the API, the socket, the page. While Down lasts everything answers 503.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	down := s.options.Now().Before(s.downUntil)
	s.mu.Unlock()
	if down && (strings.HasPrefix(r.URL.Path, "/api/") || r.URL.Path == "/link" || strings.HasPrefix(r.URL.Path, "/response/")) {
		http.Error(w, "slack is down", http.StatusServiceUnavailable)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// Start serves on addr ("127.0.0.1:0" takes a free port) and returns the base URL.
func (s *Server) Start(addr string) (string, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("starting the workspace: %w", err)
	}
	s.mu.Lock()
	s.base = "http://" + listener.Addr().String()
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
	server, base := s.server, s.base
	s.mu.Unlock()
	go func() { _ = server.Serve(listener) }() // it ends with Close
	return base, nil
}

// Close ends sockets, pages and the server.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closing = true
	server := s.server
	for ch := range s.pages {
		close(ch)
		delete(s.pages, ch)
	}
	s.mu.Unlock()
	s.sockets.drop()
	s.inFlight.Wait()
	if server == nil {
		return nil
	}
	return server.Close()
}

// URL is the base URL; APIURL is what SDKs want, with a slash at the end.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base
}

// Advertise makes the server name another address as its own, such as that of a proxy before it: sockets, uploads and
// response URLs go there too. Call it after Start and before anybody connects.
func (s *Server) Advertise(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.base = strings.TrimSuffix(url, "/")
}

// APIURL is the address of the Web API.
func (s *Server) APIURL() string { return s.URL() + "/api/" }

// BotToken is the token that the Web API takes.
func (s *Server) BotToken() string { return s.options.BotToken }

// AppToken is the token that opens Socket Mode.
func (s *Server) AppToken() string { return s.options.AppToken }

// Bot is the bot's own user.
func (s *Server) Bot() User { return s.bot }

// SetControls replaces what the page offers besides the workspace.
func (s *Server) SetControls(list []Control) {
	s.mu.Lock()
	s.controls = list
	s.mu.Unlock()
	s.publish("", pageEvent{Name: "controls", Data: map[string]any{}})
}

// Calls counts the calls of a Web API method.
func (s *Server) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// Down answers 503 to everything for a while.
func (s *Server) Down(d time.Duration) {
	s.mu.Lock()
	s.downUntil = s.options.Now().Add(d)
	s.mu.Unlock()
	if d > 0 {
		s.sockets.drop()
	}
}

// Disconnect sends every socket a disconnect frame with a reason, as Slack does, and closes it.
func (s *Server) Disconnect(reason string) { s.sockets.disconnect(reason) }

// DropSockets cuts every socket without a word.
func (s *Server) DropSockets() { s.sockets.drop() }

// Connected is how many sockets are open.
func (s *Server) Connected() int { return s.sockets.count() }

// next numbers things; the caller holds the lock.
func (s *Server) next(prefix string) string {
	s.counter++
	return fmt.Sprintf("%s%08d", prefix, s.counter)
}

// stamp makes a message timestamp, unique and growing; the caller holds the lock.
func (s *Server) stamp() string {
	micros := max(s.options.Now().UnixMicro(), s.lastTS+1)
	s.lastTS = micros
	return fmt.Sprintf("%d.%06d", micros/1e6, micros%1e6)
}

func (s *Server) user(idOrName string) (User, bool) {
	for _, u := range s.users {
		if u.ID == idOrName || u.Name == idOrName {
			return u, true
		}
	}
	return User{}, false
}

func (s *Server) channel(idOrName string) *channel {
	for _, c := range s.channels {
		if c.ID == idOrName || c.Name == strings.TrimPrefix(idOrName, "#") {
			return c
		}
	}
	return nil
}
