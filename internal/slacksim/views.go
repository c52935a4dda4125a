package slacksim

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// The rules of triggers and response URLs (docs.slack.dev/interactivity/handling-user-interaction).
const (
	triggerLife = 3 * time.Second
	hookLife    = 30 * time.Minute
	hookUses    = 5
	maxStack    = 3
)

type trigger struct {
	user string
	made time.Time
	used bool
	view string // of the modal that the press was in; "" outside
}

type hook struct {
	channel, user, thread, message string
	made                           time.Time
	uses                           int
}

// newTrigger gives a trigger ID for a user's action; the caller holds the lock.
func (s *Server) newTrigger(user, view string) string {
	s.counter++
	id := fmt.Sprintf("%d.%d.%032x", 100000+s.counter, 7890123, s.counter)
	s.triggers[id] = &trigger{user: user, made: s.options.Now(), view: view}
	return id
}

// newHook gives a response URL; the caller holds the lock.
func (s *Server) newHook(h hook) string {
	token := s.next("hook")
	h.made = s.options.Now()
	s.hooks[token] = &h
	return s.base + "/response/" + token
}

// spend takes a trigger: once, within three seconds.
func (s *Server) spend(id string) (*trigger, error) {
	t := s.triggers[id]
	switch {
	case t == nil:
		return nil, fault{code: "invalid_trigger_id"}
	case s.options.Now().Sub(t.made) > triggerLife:
		return nil, fault{code: "expired_trigger_id"}
	case t.used:
		return nil, fault{code: "exchanged_trigger_id"}
	}
	t.used = true
	return t, nil
}

func (s *Server) viewsOpen(p params) (map[string]any, error) {
	v, t, err := s.openable(p)
	if err != nil {
		return nil, err
	}
	if t.view != "" {
		return nil, fault{code: "push_limit_reached"} // from inside a modal one pushes
	}
	s.adopt(v, nil)
	s.views[t.user] = []*view{&v}
	s.showViews(t.user)
	return map[string]any{"view": v}, nil
}

func (s *Server) viewsPush(p params) (map[string]any, error) {
	v, t, err := s.openable(p)
	if err != nil {
		return nil, err
	}
	if t.view == "" || s.openView(t.user, t.view) == nil {
		return nil, fault{code: "not_found"} // one pushes onto a modal, from inside of it
	}
	if err := s.push(t.user, v); err != nil {
		return nil, err
	}
	return map[string]any{"view": v}, nil
}

// push lays a view on a user's stack; the caller holds the lock.
func (s *Server) push(user string, v view) error {
	stack := s.views[user]
	if len(stack) >= maxStack {
		return fault{code: "push_limit_reached"}
	}
	s.adopt(v, nil)
	if len(stack) > 0 {
		v["previous_view_id"], v["root_view_id"] = (*stack[len(stack)-1])["id"], (*stack[0])["id"]
	}
	s.views[user] = append(stack, &v)
	s.showViews(user)
	return nil
}

// openable checks the view before it spends the trigger, as Slack does.
func (s *Server) openable(p params) (view, *trigger, error) {
	v, err := checkView(p["view"])
	switch {
	case err != nil:
		return nil, nil, err
	case v.text("type") != "modal":
		return nil, nil, fault{code: "invalid_arguments", messages: []string{"[ERROR] only a modal can be opened [json-pointer:/view/type]"}}
	case s.taken(v, ""):
		return nil, nil, fault{code: "duplicate_external_id"}
	}
	t, err := s.spend(p["trigger_id"])
	return v, t, err
}

// adopt gives a view what Slack adds: its ID, hash and the IDs of its blocks.
func (s *Server) adopt(v view, old view) {
	v["id"] = s.next("V")
	v["previous_view_id"], v["root_view_id"] = nil, v["id"]
	if old != nil {
		v["id"], v["previous_view_id"], v["root_view_id"] = old["id"], old["previous_view_id"], old["root_view_id"]
	}
	v["hash"] = s.next("hash")
	v["app_id"], v["app_installed_team_id"], v["team_id"], v["bot_id"] = "A0CDCBOT", "T0SIM", "T0SIM", "B0CDCBOT"
	v["state"] = map[string]any{"values": map[string]any{}}
	for _, key := range []string{"clear_on_close", "notify_on_close"} {
		if v[key] == nil {
			v[key] = false
		}
	}
	for _, key := range []string{"private_metadata", "callback_id", "external_id"} {
		if v[key] == nil {
			v[key] = ""
		}
	}
	blocks, _ := json.Marshal(v["blocks"]) // it was decoded from JSON
	var list []any
	_ = json.Unmarshal(named(blocks), &list) // it was encoded just now
	v["blocks"] = list
}

func (s *Server) viewsUpdate(p params) (map[string]any, error) {
	v, err := checkView(p["view"])
	if err != nil {
		return nil, err
	}
	if (p["view_id"] == "") == (p["external_id"] == "") {
		return nil, fault{code: "invalid_arguments", messages: []string{"[ERROR] exactly one of view_id and external_id is required"}}
	}
	user, old := s.locate(p["view_id"], p["external_id"])
	switch {
	case old == nil:
		return nil, fault{code: "not_found"}
	case old.text("type") != v.text("type"):
		return nil, fault{code: "invalid_arguments", messages: []string{"[ERROR] a view keeps its type [json-pointer:/view/type]"}}
	case p["hash"] != "" && old.text("hash") != p["hash"]:
		return nil, fault{code: "hash_conflict"}
	case s.taken(v, old.text("id")):
		return nil, fault{code: "duplicate_external_id"}
	}
	s.adopt(v, old)
	s.replace(user, v)
	return map[string]any{"view": v}, nil
}

// locate finds an open modal or a Home by its ID or the app's own name for it, and whose it is.
func (s *Server) locate(id, external string) (string, view) {
	is := func(v view) bool {
		return id != "" && v.text("id") == id || id == "" && external != "" && v.text("external_id") == external
	}
	for user, stack := range s.views {
		for _, v := range stack {
			if is(*v) {
				return user, *v
			}
		}
	}
	for user, home := range s.homes {
		if is(home) {
			return user, home
		}
	}
	return "", nil
}

// replace puts a view in the place of the one with its ID.
func (s *Server) replace(user string, v view) {
	if v.text("type") == "home" {
		s.homes[user] = v
		s.publishLocked(user, pageEvent{Name: "home", Data: map[string]any{}})
		return
	}
	if old := s.openView(user, v.text("id")); old != nil {
		*old = v
	}
	s.showViews(user)
}

// taken says whether another view has the external ID: it is unique in a workspace.
func (s *Server) taken(v view, id string) bool {
	if v.text("external_id") == "" {
		return false
	}
	_, other := s.locate("", v.text("external_id"))
	return other != nil && other.text("id") != id
}

func (s *Server) viewsPublish(p params) (map[string]any, error) {
	v, err := checkView(p["view"])
	if err != nil {
		return nil, err
	}
	if v.text("type") != "home" {
		return nil, fault{code: "invalid_arguments", messages: []string{"[ERROR] only a home view can be published [json-pointer:/view/type]"}}
	}
	u, ok := s.user(p["user_id"])
	if !ok {
		return nil, fault{code: "invalid_arguments", messages: []string{"[ERROR] user_not_found [json-pointer:/user_id]"}}
	}
	old := view(s.homes[u.ID])
	switch {
	case p["hash"] != "" && old.text("hash") != p["hash"]:
		return nil, fault{code: "hash_conflict"}
	case s.taken(v, old.text("id")):
		return nil, fault{code: "duplicate_external_id"}
	}
	s.adopt(v, old) // a Home that is published again keeps its ID
	s.replace(u.ID, v)
	return map[string]any{"view": v}, nil
}

// top is the modal a user sees; the caller holds the lock.
func (s *Server) top(user string) *view {
	stack := s.views[user]
	if len(stack) == 0 {
		return nil
	}
	return stack[len(stack)-1]
}

func (s *Server) showViews(user string) {
	var v any
	if top := s.top(user); top != nil {
		v = *top
	}
	s.publishLocked(user, pageEvent{Name: "view", Data: map[string]any{"view": v}})
}

func (s *Server) openView(user, id string) *view {
	for _, v := range s.views[user] {
		if (*v)["id"] == id {
			return v
		}
	}
	return nil
}

// answerView does what the ack of a view_submission asks: errors, update, push, clear, or close when it says nothing.
func (s *Server) answerView(user, id string, ack json.RawMessage) (map[string]string, error) {
	var a struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   json.RawMessage   `json:"view"`
	}
	if len(ack) > 0 && string(ack) != "null" {
		if err := json.Unmarshal(ack, &a); err != nil {
			return nil, fmt.Errorf("the app's answer is not JSON")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch a.Action {
	case "errors":
		return a.Errors, nil
	case "clear":
		delete(s.views, user)
	case "update", "push":
		v, err := checkView(string(a.View))
		if err != nil {
			return nil, fmt.Errorf("the app answered with a view that Slack refuses: %s", strings.Join(append([]string{err.Error()}, err.(fault).messages...), "; "))
		}
		if old := s.openView(user, id); a.Action == "update" && old != nil {
			s.adopt(v, *old)
			*old = v
		} else if err := s.push(user, v); err != nil {
			return nil, fmt.Errorf("the app answered with a view too many: %w", err)
		}
	default:
		s.closeTop(user, id)
	}
	s.showViews(user)
	return nil, nil
}

func (s *Server) closeTop(user, id string) {
	stack := s.views[user]
	for i, v := range stack {
		if (*v)["id"] == id {
			s.views[user] = append(stack[:i:i], stack[i+1:]...)
			return
		}
	}
}
