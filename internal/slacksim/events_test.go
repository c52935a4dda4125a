package slacksim

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/slack-go/slack/socketmode"
)

// ear keeps the events that reach the app.
type ear struct {
	mu   sync.Mutex
	list []map[string]any
}

// listen notes an event before it is acknowledged.
func (e *ear) listen(event socketmode.Event) any {
	var outer struct {
		Event map[string]any `json:"event"`
	}
	if event.Type == socketmode.EventTypeEventsAPI && json.Unmarshal(event.Request.Payload, &outer) == nil {
		e.mu.Lock()
		e.list = append(e.list, outer.Event)
		e.mu.Unlock()
	}
	return nil
}

// heard are the events so far, sorted by name, since they are delivered side by side; it forgets them.
func (e *ear) heard(s *Server) []string {
	s.inFlight.Wait() // each is in flight until it is acknowledged
	e.mu.Lock()
	defer e.mu.Unlock()
	var names []string
	for _, event := range e.list {
		names = append(names, strings.TrimSuffix(word(event, "type")+"."+word(event, "subtype"), "."))
	}
	e.list = nil
	slices.Sort(names)
	return names
}

// happening is one thing that happens; ts is a message of oncall that stands in the room.
type happening func(s *Server, ts string) error

// by is what the app does with a method.
func by(t *testing.T, method string, pairs ...string) happening {
	return func(s *Server, ts string) error {
		args := slices.Clone(pairs)
		if i := slices.Index(args, "TS"); i >= 0 {
			args[i] = ts
		}
		if code := ask(t, s, method, args...).code(); code != "" {
			return errors.New(code)
		}
		return nil
	}
}

func TestEveryDeedIsTold(t *testing.T) {
	oncall := func(do func(a Actor, ts string) error) happening {
		return func(s *Server, ts string) error { return do(s.As("oncall"), ts) }
	}
	none := func(*Server, string) error { return nil }
	react, pin := oncall(func(a Actor, ts string) error { return a.React(room, ts, "eyes") }), oncall(func(a Actor, ts string) error { return a.Pin(room, ts) })
	leave, archive := oncall(func(a Actor, _ string) error { return a.Leave(room) }), by(t, "conversations.archive", "channel", room)
	post := func(channel, words string) happening {
		return oncall(func(a Actor, _ string) error { _, err := a.Post(channel, "", words); return err })
	}
	for _, row := range []struct {
		name       string
		before, do happening
		want       string
	}{
		{"a message", none, post(room, "x"), "message"},
		{"a message where the app is no member", none, post("C0OTHER", "x"), ""},
		{"a message in a private channel", none, post("G0OURS", "x"), "message"},
		{"a mention", none, post(room, "@cdcbot x"), "app_mention message"},
		{"a reply", none, oncall(func(a Actor, ts string) error { _, err := a.Post(room, ts, "x"); return err }), "message"},
		{"an edit", none, oncall(func(a Actor, ts string) error { return a.Edit(room, ts, "y") }), "message.message_changed"},
		{"a deletion", none, oncall(func(a Actor, ts string) error { return a.Delete(room, ts) }), "message.message_deleted"},
		{"a reaction", none, react, "reaction_added"},
		{"a reaction taken back", react, oncall(func(a Actor, ts string) error { return a.Unreact(room, ts, "eyes") }), "reaction_removed"},
		{"a pin", none, pin, "pin_added"},
		{"a pin taken away", pin, oncall(func(a Actor, ts string) error { return a.Unpin(room, ts) }), "pin_removed"},
		{"leaving", none, leave, "member_left_channel"},
		{"joining", leave, oncall(func(a Actor, _ string) error { return a.Join(room) }), "member_joined_channel"},
		{"Home", none, oncall(func(a Actor, _ string) error { return a.OpenHome() }), "app_home_opened"},
		{"a new person", none, func(s *Server, _ string) error { return s.SetUser(User{ID: "U0NEW", Name: "new"}) }, "team_join"},
		{"a person who is deactivated", none, func(s *Server, _ string) error { return s.SetUser(User{ID: "U0ONCALL", Name: "oncall", Deleted: true}) }, "user_change"},
		{"a changed group", none, func(s *Server, _ string) error {
			return s.SetUsergroup(Usergroup{ID: "S0APPROVERS", Handle: "cdc-approvers", Users: []string{"U0APPROVER"}})
		}, "subteam_members_changed subteam_updated"},
		{"a new group", none, func(s *Server, _ string) error { return s.SetUsergroup(Usergroup{ID: "S0NEW", Handle: "new"}) }, "subteam_created"},
		{"the app's own message", none, by(t, "chat.postMessage", "channel", room, "text", "mine"), "message"},
		{"the app's own reaction", none, by(t, "reactions.add", "channel", room, "timestamp", "TS", "name", "eyes"), "reaction_added"},
		{"the app's own pin", none, by(t, "pins.add", "channel", room, "timestamp", "TS"), "pin_added"},
		{"a channel", none, by(t, "conversations.create", "name", "new"), "channel_created"},
		{"an archived channel", none, archive, "channel_archive"},
		{"an archived channel that is opened again", archive, by(t, "conversations.unarchive", "channel", room), "channel_unarchive"},
		{"a renamed channel", none, by(t, "conversations.rename", "channel", room, "name", "incidents"), "channel_rename"},
		{"an invitation", none, by(t, "conversations.invite", "channel", "G0OURS", "users", "U0MANAGER"), "member_joined_channel"},
		{"the app comes", none, by(t, "conversations.join", "channel", "C0OTHER"), "member_joined_channel"},
		{"the app goes", none, by(t, "conversations.leave", "channel", room), "member_left_channel"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, api := start(t, strict())
			var e ear
			app(t, s, api, e.listen)
			ts, err := s.As("oncall").Post(room, "", "x")
			if err := errors.Join(err, row.before(s, ts)); err != nil {
				t.Fatal(err)
			}
			e.heard(s)
			if err := row.do(s, ts); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(e.heard(s), " "); got != row.want {
				t.Errorf("the app heard %q, want %q", got, row.want)
			}
		})
	}
}

func TestEventsNeedScopesAndSubscriptions(t *testing.T) {
	for _, row := range []struct {
		name           string
		scopes, events []string
		want           string
	}{
		{"everything", nil, nil, "app_home_opened app_mention message message message reaction_added"},
		{"no scope", []string{"chat:write"}, nil, "app_home_opened"},
		{"public channels alone", []string{"channels:history"}, nil, "app_home_opened message message"},
		{"private channels alone", []string{"groups:history"}, nil, "app_home_opened message"},
		{"subscribed to public channels", nil, []string{"message.channels"}, "message message"},
		{"subscribed to mentions and reactions", nil, []string{"app_mention", "reaction_added"}, "app_mention reaction_added"},
		{"subscribed to nothing", nil, []string{}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := strict()
			o.Scopes, o.Events = row.scopes, row.events
			s, api := start(t, o)
			var e ear
			app(t, s, api, e.listen)
			a := s.As("oncall")
			ts, err := a.Post(room, "", "x")
			_, mention := a.Post(room, "", "@cdcbot x")
			_, private := a.Post("G0OURS", "", "x")
			if err := errors.Join(err, mention, private, a.React(room, ts, "eyes"), a.OpenHome()); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(e.heard(s), " "); got != row.want {
				t.Errorf("the app heard %q, want %q", got, row.want)
			}
		})
	}
}

func TestPeopleMeetTheWorkspacesRules(t *testing.T) {
	s, _ := start(t, strict())
	manager := s.As("manager")
	post := func(channel, words string) error { _, err := manager.Post(channel, "", words); return err }
	for _, row := range []struct {
		name string
		err  error
		want string
	}{
		{"no channel", post("C0NOPE", "x"), "there is no channel"},
		{"archived", post("C0OLD", "x"), "is archived"},
		{"a private channel of others", post("G0OURS", "x"), "not in #ours"},
		{"no words", post(room, " "), "needs words"},
		{"joining a private channel", manager.Join("G0OURS"), "has to be invited"},
		{"joining twice", manager.Join(room), "already"},
		{"leaving where one is not", manager.Leave("G0OURS"), "is not in"},
		{"the bot is no person", s.As("cdcbot").OpenHome(), "no person"},
		{"a user without a name", s.SetUser(User{ID: "U1"}), "needs an ID and a name"},
		{"a group without an ID", s.SetUsergroup(Usergroup{}), "needs an ID"},
		{"a Home that was not published", manager.PressHome(t.Context(), "x"), "no Home"},
		{"a modal that is not open", manager.CloseModal(t.Context()), "no modal"},
	} {
		if row.err == nil || !strings.Contains(row.err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q in it", row.name, row.err, row.want)
		}
	}
	o := strict()
	o.Scopes = []string{"chat:write"}
	s, _ = start(t, o)
	if err := s.As("oncall").Command(t.Context(), room, "/cdc status"); err == nil || !strings.Contains(err.Error(), "not a valid command") {
		t.Errorf("a command of an app without the scope commands: got %v", err)
	}
}
