package slacksim

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// pageEvent is told to the pages of a user, or of everybody.
type pageEvent struct {
	Name string
	Data map[string]any
}

func (s *Server) pageRoutes() {
	s.mux.HandleFunc("GET /sim/state", s.pageState)
	s.mux.HandleFunc("GET /sim/messages", s.pageMessages)
	s.mux.HandleFunc("GET /sim/events", s.pageEvents)
	s.mux.HandleFunc("GET /sim/faults", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"ok": true, "faults": s.Faults()})
	})
	s.mux.HandleFunc("GET /sim/calls", s.pageCalls)
	s.mux.HandleFunc("GET /sim/traffic", s.pageTraffic)
	for name, do := range deeds {
		s.mux.HandleFunc("POST /sim/"+name, func(w http.ResponseWriter, r *http.Request) { s.deed(w, r, do) })
	}
}

// publish tells pages; a page that does not listen fast enough fetches again when it reconnects.
func (s *Server) publish(user string, e pageEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publishLocked(user, e)
}

func (s *Server) publishLocked(user string, e pageEvent) {
	for ch, who := range s.pages {
		if user != "" && who != user {
			continue
		}
		select {
		case ch <- e:
		default:
			close(ch) // it reconnects and catches up
			delete(s.pages, ch)
		}
	}
}

// changed tells every page about a message; the caller holds the lock.
func (s *Server) changed(c *channel, m *message) {
	s.publishLocked("", pageEvent{Name: "message", Data: map[string]any{"channel": c.ID, "ts": m.TS, "thread_ts": m.ThreadTS}})
}

// asked is the user that a page asks as: by ID or name, else the first person.
func (s *Server) asked(r *http.Request) User {
	if u, ok := s.user(r.URL.Query().Get("user")); ok && !u.IsBot {
		return u
	}
	for _, u := range s.users {
		if !u.IsBot {
			return u
		}
	}
	return User{}
}

func (s *Server) pageState(w http.ResponseWriter, r *http.Request) {
	connected := s.Connected() > 0
	s.mu.Lock()
	me := s.asked(r)
	channels := []map[string]any{}
	for _, c := range s.channels {
		if strings.HasPrefix(c.ID, "D") && c.ID != "D"+strings.TrimPrefix(me.ID, "U") {
			continue
		}
		channels = append(channels, map[string]any{"id": c.ID, "name": c.Name, "topic": c.Topic, "unread": 0})
	}
	var top any
	if v := s.top(me.ID); v != nil {
		top = *v
	}
	var home any
	if v, ok := s.homes[me.ID]; ok {
		home = v
	}
	controls := slices.Concat(s.controls, s.weatherControls())
	body := map[string]any{"ok": true, "team": map[string]any{"name": s.options.Team, "domain": s.options.TeamDomain}, "me": me, "users": s.users, "channels": channels, "commands": s.options.Commands,
		"connected": connected, "controls": controls, "home": home, "view": top, "shortcuts": slices.DeleteFunc(slices.Clone(s.options.Shortcuts), func(x Shortcut) bool { return x.Global })}
	b, err := json.Marshal(body)
	s.mu.Unlock()
	writeJSON(w, b, err)
}

func writeJSON(w http.ResponseWriter, b []byte, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(b) // the page is gone when this fails
}

func (s *Server) pageMessages(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s.mu.Lock()
	me := s.asked(r)
	c := s.channel(q.Get("channel"))
	if c == nil {
		s.mu.Unlock()
		reply(w, http.StatusNotFound, map[string]any{"ok": false, "error": "There is no such channel."})
		return
	}
	thread := q.Get("thread")
	list := c.top()
	if thread != "" {
		list = c.thread(thread)
	}
	list = slices.Clone(list)
	for _, m := range s.ephemeral {
		if m.to == me.ID && m.Channel == c.ID && m.ThreadTS == thread {
			list = append(list, m)
		}
	}
	slices.SortStableFunc(list, func(a, b *message) int { return strings.Compare(a.TS, b.TS) })
	b, err := json.Marshal(map[string]any{"ok": true, "messages": pageForm(list)})
	s.mu.Unlock()
	writeJSON(w, b, err)
}

// pageForm is a message as the page wants it.
func pageForm(list []*message) []map[string]any {
	out := []map[string]any{}
	for _, m := range list {
		out = append(out, map[string]any{"ts": m.TS, "user": m.User, "username": m.Username, "bot": m.BotID != "", "text": m.Text, "blocks": m.Blocks, "attachments": m.Attachments, "thread_ts": m.ThreadTS,
			"edited": m.Edited != nil && m.BotID == "", "ephemeral": m.Ephemeral, "files": m.Files, "reactions": m.Reactions, "pinned": m.Pinned, "metadata": m.Metadata, "reply_count": m.ReplyCount, "reply_users": m.ReplyUsers, "latest_reply": m.LatestReply})
	}
	return out
}

// pageEvents streams what happens to one user's page.
func (s *Server) pageEvents(w http.ResponseWriter, r *http.Request) {
	flusher, ok := w.(http.Flusher)
	if !ok {
		http.Error(w, "streaming is not possible here", http.StatusInternalServerError)
		return
	}
	ch := make(chan pageEvent, 256)
	s.mu.Lock()
	s.pages[ch] = s.asked(r).ID
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.pages, ch)
		s.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, ": hello\n\n") // a page that is gone ends the request
	flusher.Flush()
	beat := time.NewTicker(15 * time.Second)
	defer beat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			_, _ = io.WriteString(w, ": still here\n\n")
		case e, open := <-ch:
			if !open {
				return
			}
			b, err := json.Marshal(e.Data)
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", e.Name, b)
		}
		flusher.Flush()
	}
}

// pageCalls are the newest calls of the Web API, of one method when it is named.
func (s *Server) pageCalls(w http.ResponseWriter, r *http.Request) {
	calls := s.Recorded()
	if name := r.URL.Query().Get("method"); name != "" {
		calls = slices.DeleteFunc(calls, func(c Call) bool { return c.Method != name })
	}
	reply(w, http.StatusOK, map[string]any{"ok": true, "calls": calls})
}

// deed is one thing that a page lets a person do.
type deed func(ctx context.Context, s *Server, in map[string]any) (map[string]any, error)

var deeds = map[string]deed{
	"command": func(ctx context.Context, s *Server, in map[string]any) (map[string]any, error) {
		return nil, s.command(ctx, word(in, "user"), word(in, "channel"), word(in, "text"))
	},
	"post": func(_ context.Context, s *Server, in map[string]any) (map[string]any, error) {
		ts, err := s.post(word(in, "user"), word(in, "channel"), word(in, "thread"), word(in, "text"))
		return map[string]any{"ts": ts}, err
	},
	"press": func(ctx context.Context, s *Server, in map[string]any) (map[string]any, error) {
		return nil, s.press(ctx, word(in, "user"), in, in)
	},
	"submit": func(ctx context.Context, s *Server, in map[string]any) (map[string]any, error) {
		values, _ := in["values"].(map[string]any)
		bad, err := s.submit(ctx, word(in, "user"), word(in, "view_id"), values)
		return map[string]any{"errors": bad}, err
	},
	"suggest": func(ctx context.Context, s *Server, in map[string]any) (map[string]any, error) {
		options, err := s.suggest(ctx, word(in, "user"), in, in)
		return map[string]any{"options": options}, err
	},
	"close": func(ctx context.Context, s *Server, in map[string]any) (map[string]any, error) {
		return nil, s.close(ctx, word(in, "user"), word(in, "view_id"), in["clear"] == true)
	},
	"react": func(_ context.Context, s *Server, in map[string]any) (map[string]any, error) {
		return nil, s.reacted(word(in, "user"), word(in, "channel"), word(in, "ts"), word(in, "name"), in["remove"] == true)
	},
	"edit": func(_ context.Context, s *Server, in map[string]any) (map[string]any, error) {
		return nil, s.edit(word(in, "user"), word(in, "channel"), word(in, "ts"), word(in, "text"))
	},
	"delete": func(_ context.Context, s *Server, in map[string]any) (map[string]any, error) {
		return nil, s.delete(word(in, "user"), word(in, "channel"), word(in, "ts"))
	},
	"pin": func(_ context.Context, s *Server, in map[string]any) (map[string]any, error) {
		return nil, s.pin(word(in, "user"), word(in, "channel"), word(in, "ts"), in["remove"] == true)
	},
	"home": func(_ context.Context, s *Server, in map[string]any) (map[string]any, error) {
		return nil, s.openHome(word(in, "user"))
	},
	"shortcut": func(ctx context.Context, s *Server, in map[string]any) (map[string]any, error) {
		return nil, s.shortcut(ctx, in)
	},
	"fault": func(_ context.Context, s *Server, in map[string]any) (map[string]any, error) {
		var f Fault
		if err := json.Unmarshal(frozen(in), &f); err != nil {
			return nil, errPerson("this is no fault (%w)", err)
		}
		return nil, s.Inject(f)
	},
	"user": func(_ context.Context, s *Server, in map[string]any) (map[string]any, error) {
		var u User
		if err := json.Unmarshal(frozen(in), &u); err != nil {
			return nil, errPerson("this is no user (%w)", err)
		}
		return nil, s.SetUser(u)
	},
	"usergroup": func(_ context.Context, s *Server, in map[string]any) (map[string]any, error) {
		var g Usergroup
		if err := json.Unmarshal(frozen(in), &g); err != nil {
			return nil, errPerson("this is no usergroup (%w)", err)
		}
		return nil, s.SetUsergroup(g)
	},
	"join": func(_ context.Context, s *Server, in map[string]any) (map[string]any, error) {
		return nil, s.joined(word(in, "user"), word(in, "channel"))
	},
	"leave": func(_ context.Context, s *Server, in map[string]any) (map[string]any, error) {
		return nil, s.left(word(in, "user"), word(in, "channel"))
	},
	"control": func(ctx context.Context, s *Server, in map[string]any) (map[string]any, error) {
		return s.control(ctx, word(in, "id"))
	},
}

// deed reads a page's JSON. Only pages of this origin may do something: another site in the same browser may not.
func (s *Server) deed(w http.ResponseWriter, r *http.Request, do deed) {
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
			reply(w, http.StatusForbidden, map[string]any{"ok": false, "error": "Requests of other sites are refused."})
			return
		}
	}
	var in map[string]any
	if err := json.NewDecoder(io.LimitReader(r.Body, 4<<20)).Decode(&in); err != nil {
		reply(w, http.StatusBadRequest, map[string]any{"ok": false, "error": "The body is not a JSON object."})
		return
	}
	out, err := do(r.Context(), s, in)
	if err != nil {
		reply(w, http.StatusOK, map[string]any{"ok": false, "error": sentence(err.Error())})
		return
	}
	if out == nil {
		out = map[string]any{}
	}
	out["ok"] = true
	reply(w, http.StatusOK, out)
}

func sentence(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func (s *Server) control(ctx context.Context, id string) (map[string]any, error) {
	s.mu.Lock()
	list := slices.Concat(s.controls, s.weatherControls())
	s.mu.Unlock()
	i := slices.IndexFunc(list, func(c Control) bool { return c.ID == id })
	if i < 0 {
		return nil, errPerson("there is no control %q", id)
	}
	text, err := list[i].Run(ctx)
	return map[string]any{"text": text}, err
}
