package slacksim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"
)

// order asks for something of the workspace over HTTP, as a test in any language does.
func order(t *testing.T, s *Server, deed, body string) map[string]any {
	t.Helper()
	res, err := http.Post(s.URL()+"/sim/"+deed, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCallsGoWrongOnDemand(t *testing.T) {
	s, _ := start(t, Options{Unlimited: true})
	for _, row := range []struct {
		name, fault string
		status      int
		want, after string
	}{
		{"an error", `{"kind":"error","method":"chat.postMessage","code":"restricted_action"}`, 200, "restricted_action", ""},
		{"an error of any method", `{"kind":"error"}`, 200, "fatal_error", ""},
		{"too many requests", `{"kind":"ratelimited","seconds":7}`, 429, "ratelimited", "7"},
		{"slow", `{"kind":"slow","seconds":0.05}`, 200, "", ""},
		{"another method's", `{"kind":"error","method":"auth.test","code":"fatal_error"}`, 200, "", ""},
	} {
		if got := order(t, s, "fault", row.fault); got["ok"] != true {
			t.Fatalf("%s: %v", row.name, got)
		}
		before := time.Now()
		a := ask(t, s, "chat.postMessage", "channel", room, "text", row.name)
		if a.code() != row.want || a.status != row.status || a.header.Get("Retry-After") != row.after {
			t.Errorf("%s: got %d %q after %q, want %d %q after %q", row.name, a.status, a.code(), a.header.Get("Retry-After"), row.status, row.want, row.after)
		}
		if row.name == "slow" && time.Since(before) < 50*time.Millisecond {
			t.Error("slow: the answer came at once")
		}
	}
	if got := s.Faults(); len(got) != 1 || got[0].Method != "auth.test" {
		t.Errorf("not happened yet: %v", got)
	}
	order(t, s, "fault", `{"kind":"none"}`)
	if got := s.Faults(); len(got) != 0 {
		t.Errorf("after none: %v", got)
	}
}

func TestAnswersBreakAndGetLost(t *testing.T) {
	s, _ := start(t, Options{Unlimited: true})
	post := func() (int, error) {
		res, err := http.Post(s.APIURL()+"chat.postMessage", "application/json", bytes.NewReader([]byte(`{"token":"`+s.BotToken()+`","channel":"`+room+`","text":"once"}`)))
		if err != nil {
			return 0, err
		}
		return res.StatusCode, res.Body.Close()
	}
	order(t, s, "fault", `{"kind":"http","status":503,"count":2}`)
	for range 2 {
		if status, err := post(); status != 503 || err != nil {
			t.Errorf("got %d %v, want 503", status, err)
		}
	}
	order(t, s, "fault", `{"kind":"lost"}`)
	if status, err := post(); err == nil {
		t.Errorf("an answer that is lost came: %d", status)
	}
	if got := len(s.Messages(room)); got != 1 {
		t.Errorf("%d messages, want the one whose answer was lost", got)
	}
}

func TestFaultsAreChecked(t *testing.T) {
	s, _ := start(t, Options{})
	for _, row := range []struct{ name, fault, want string }{
		{"unknown", `{"kind":"earthquake"}`, "expected one of delay, disconnect"},
		{"unknown method", `{"kind":"error","method":"chat.shout"}`, "chat.shout"},
		{"no error", `{"kind":"http","status":200}`, "400 to 599"},
		{"wrong type", `{"kind":"slow","seconds":"long"}`, "no fault"},
	} {
		if got, _ := order(t, s, "fault", row.fault)["error"].(string); !strings.Contains(got, row.want) {
			t.Errorf("%s: got %q, want %q in it", row.name, got, row.want)
		}
	}
}

func TestEnvelopesComeTwiceLateAndInAnotherOrder(t *testing.T) {
	s, api := start(t, Options{Unlimited: true})
	seen := app(t, s, api, silent)
	texts := func(n int) (list, ids []string) {
		for range n {
			e := next(t, seen, socketmode.EventTypeEventsAPI)
			outer, _ := e.Data.(slackevents.EventsAPIEvent)
			m, _ := outer.InnerEvent.Data.(*slackevents.MessageEvent)
			callback, _ := outer.Data.(*slackevents.EventsAPICallbackEvent)
			list, ids = append(list, m.Text), append(ids, callback.EventID)
		}
		return list, ids
	}
	say := func(words string) {
		if _, err := s.As("oncall").Post(room, "", words); err != nil {
			t.Fatal(err)
		}
	}
	held := func(n int) func() bool {
		return func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.stack != nil && s.stack.missing == n
		}
	}

	order(t, s, "fault", `{"kind":"duplicate","envelopes":"events_api"}`)
	say("one")
	if list, ids := texts(2); list[0] != "one" || list[1] != "one" || ids[0] != ids[1] {
		t.Errorf("twice: got %v with the event IDs %v", list, ids)
	}
	order(t, s, "fault", `{"kind":"reorder","count":3}`)
	for i, words := range []string{"two", "three", "four"} {
		say(words)
		if err := s.Wait(t.Context(), words+" to be held", held(2-i)); err != nil {
			t.Fatal(err)
		}
	}
	if list, _ := texts(3); !slices.Equal(list, []string{"four", "three", "two"}) {
		t.Errorf("reordered: got %v", list)
	}
	order(t, s, "fault", `{"kind":"delay","seconds":0.1}`)
	before := time.Now()
	say("five")
	if list, _ := texts(1); list[0] != "five" || time.Since(before) < 100*time.Millisecond {
		t.Errorf("late: got %v after %s", list, time.Since(before))
	}
	order(t, s, "fault", `{"kind":"reorder","count":2,"seconds":0.05}`)
	say("six")
	if list, _ := texts(1); list[0] != "six" {
		t.Errorf("one alone of two: got %v", list)
	}
	say("seven")
	if list, _ := texts(1); list[0] != "seven" {
		t.Errorf("one that comes after the others were let go: got %v", list)
	}
}

func TestConnectionsGoWrongOnDemand(t *testing.T) {
	s, api := start(t, Options{})
	app(t, s, api, silent)
	for _, row := range []struct{ name, fault string }{{"refresh", `{"kind":"disconnect"}`}, {"cut", `{"kind":"drop"}`}} {
		opened := s.Calls("apps.connections.open")
		order(t, s, "fault", row.fault)
		if err := s.Wait(t.Context(), row.name, func() bool { return s.Calls("apps.connections.open") > opened && s.Connected() > 0 }); err != nil {
			t.Fatal(err)
		}
	}
	order(t, s, "fault", `{"kind":"refuse","code":"link_disabled"}`)
	if _, _, err := api.StartSocketModeContext(t.Context()); code(err) != "link_disabled" {
		t.Errorf("got %v, want link_disabled", err)
	}
	order(t, s, "fault", `{"kind":"none"}`)
	if _, _, err := api.StartSocketModeContext(t.Context()); err != nil {
		t.Errorf("after none: %v", err)
	}
	order(t, s, "fault", `{"kind":"down","seconds":60}`)
	if _, err := api.AuthTest(); err == nil {
		t.Error("a workspace that is down answers")
	}
}

// TestThePageOffersFaults presses each button of the group “Slack”.
func TestThePageOffersFaults(t *testing.T) {
	s, _ := start(t, Options{})
	for _, c := range s.weatherControls() {
		if got := order(t, s, "control", `{"id":"`+c.ID+`"}`); got["ok"] != true {
			t.Errorf("%s: %v", c.Label, got)
		}
	}
	if got := len(s.Faults()); got != 6 {
		t.Errorf("%d faults wait, want the six that meet calls and envelopes", got)
	}
}
