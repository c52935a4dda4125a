package slacksim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	slackapi "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

const room = "C0INCIDENTS"

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) forward(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

func start(t *testing.T, o Options) (*Server, *slackapi.Client) {
	t.Helper()
	s := New(o)
	if _, err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, slackapi.New(s.BotToken(), slackapi.OptionAPIURL(s.APIURL()), slackapi.OptionAppLevelToken(s.AppToken()))
}

// app is the official SDK's Socket Mode client, which answers every envelope with ack.
func app(t *testing.T, s *Server, api *slackapi.Client, ack func(socketmode.Event) any) chan socketmode.Event {
	t.Helper()
	client := socketmode.New(api)
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan socketmode.Event, 100)
	done := make(chan struct{})
	go func() { defer close(done); _ = client.RunContext(ctx) }()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-client.Events:
				if e.Request != nil && e.Request.EnvelopeID != "" {
					if payload := ack(e); payload != nil {
						_ = client.AckCtx(ctx, e.Request.EnvelopeID, payload)
					} else {
						_ = client.AckCtx(ctx, e.Request.EnvelopeID, nil)
					}
				}
				seen <- e
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	if err := s.Wait(ctx, "socket mode", func() bool { return s.Connected() > 0 }); err != nil {
		t.Fatal(err)
	}
	return seen
}

func silent(socketmode.Event) any { return nil }

func next(t *testing.T, seen chan socketmode.Event, kind socketmode.EventType) socketmode.Event {
	t.Helper()
	for timeout := time.After(5 * time.Second); ; {
		select {
		case e := <-seen:
			if e.Type == kind {
				return e
			}
		case <-timeout:
			t.Fatalf("no %s came", kind)
		}
	}
}

func code(err error) string {
	if err == nil {
		return ""
	}
	var e slackapi.SlackErrorResponse
	if errors.As(err, &e) {
		return e.Err
	}
	return err.Error()
}

func TestMessagesFollowSlacksRules(t *testing.T) {
	s, api := start(t, Options{Channels: []Channel{{ID: room, Name: "cdc-incidents"}, {ID: "C0OLD", Name: "old", Archived: true}, {ID: "C0OTHER", Name: "other", Closed: true}}})
	_, ts, err := api.PostMessage(room, slackapi.MsgOptionText("hello", false))
	if err != nil {
		t.Fatal(err)
	}
	post := func(channel string, o ...slackapi.MsgOption) error {
		_, _, err := api.PostMessage(channel, o...)
		return err
	}
	_, _, _, tooLong := api.UpdateMessage(room, ts, slackapi.MsgOptionText(strings.Repeat("x", 4001), false))
	_, _, _, gone := api.UpdateMessage(room, "1.000001", slackapi.MsgOptionText("x", false))
	theirs, err := s.As("oncall").Post(room, "", "mine")
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, notMine := api.UpdateMessage(room, theirs, slackapi.MsgOptionText("x", false))
	for _, row := range []struct {
		name string
		err  error
		want string
	}{
		{"no channel", post("C0NOPE", slackapi.MsgOptionText("x", false)), "channel_not_found"},
		{"archived", post("C0OLD", slackapi.MsgOptionText("x", false)), "is_archived"},
		{"not a member", post("C0OTHER", slackapi.MsgOptionText("x", false)), "not_in_channel"},
		{"no text", post(room), "no_text"},
		{"no thread", post(room, slackapi.MsgOptionText("x", false), slackapi.MsgOptionTS("1.000001")), "thread_not_found"},
		{"a reply", post(room, slackapi.MsgOptionText("x", false), slackapi.MsgOptionTS(ts)), ""},
		{"update too long", tooLong, "msg_too_long"},
		{"update of nothing", gone, "message_not_found"},
		{"update of another's", notMine, "cant_update_message"},
	} {
		if got := code(row.err); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
	if got := len(s.Thread(room, ts)); got != 2 {
		t.Errorf("thread holds %d messages, want 2", got)
	}
}

func TestTokens(t *testing.T) {
	s, _ := start(t, Options{})
	for _, row := range []struct{ name, token, method, want string }{
		{"none", "", "auth.test", "not_authed"},
		{"wrong", "xoxb-wrong", "auth.test", "invalid_auth"},
		{"app token for a bot method", s.AppToken(), "auth.test", "not_allowed_token_type"},
		{"bot token for Socket Mode", s.BotToken(), "apps.connections.open", "not_allowed_token_type"},
		{"right", s.BotToken(), "auth.test", ""},
		{"unknown method", s.BotToken(), "chat.shout", "unknown_method"},
	} {
		req, err := http.NewRequest(http.MethodPost, s.APIURL()+row.method, nil)
		if err != nil {
			t.Fatal(err)
		}
		if row.token != "" {
			req.Header.Set("Authorization", "Bearer "+row.token)
		}
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var body struct{ Error string }
		if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close() // it was read
		if body.Error != row.want {
			t.Errorf("%s: got %q, want %q", row.name, body.Error, row.want)
		}
	}
}

func TestRateLimits(t *testing.T) {
	s, api := start(t, Options{})
	s.RateLimitNext("chat.postMessage", 7, 1)
	_, _, err := api.PostMessage(room, slackapi.MsgOptionText("x", false))
	var limited *slackapi.RateLimitedError
	if !errors.As(err, &limited) || limited.RetryAfter != 7*time.Second {
		t.Errorf("got %v, want a rate limit of 7 s", err)
	}
	refused := 0
	for range 40 {
		if _, _, err := api.PostMessage(room, slackapi.MsgOptionText("x", false)); errors.As(err, &limited) {
			refused++
		}
	}
	if refused == 0 {
		t.Error("forty messages at once into one channel are taken, want some refused")
	}
	s.FailNext("auth.test", "fatal_error")
	if _, err := api.AuthTest(); code(err) != "fatal_error" {
		t.Errorf("injected fault: got %v", err)
	}
}

func text(n int) string { return strings.Repeat("ä", n) }

// many is n times the same in a JSON list.
func many(n int, one string) string { return strings.TrimSuffix(strings.Repeat(one+",", n), ",") }

func TestBlockKitLimits(t *testing.T) {
	section := func(n int) string {
		return `{"type":"section","text":{"type":"mrkdwn","text":"` + text(n) + `"}}`
	}
	button := func(extra string) string {
		return `{"type":"actions","elements":[{"type":"button","action_id":"a","text":{"type":"plain_text","text":"x"}` + extra + `}]}`
	}
	for _, row := range []struct{ name, surface, blocks, want string }{
		{"section full", "message", section(3000), ""},
		{"section too long", "message", section(3001), "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"},
		{"section empty", "message", `{"type":"section","text":{"type":"mrkdwn","text":""}}`, "must be more than 0 characters"},
		{"section without text", "message", `{"type":"section"}`, "must define either `text` or `fields`"},
		{"header too long", "message", `{"type":"header","text":{"type":"plain_text","text":"` + text(151) + `"}}`, "less than 151"},
		{"header in mrkdwn", "message", `{"type":"header","text":{"type":"mrkdwn","text":"x"}}`, "must be plain_text"},
		{"fifty blocks", "message", many(50, `{"type":"divider"}`), ""},
		{"fifty-one blocks", "message", many(51, `{"type":"divider"}`), "no more than 50 items"},
		{"a modal takes a hundred", "modal", many(100, `{"type":"divider"}`), ""},
		{"eleven in a context", "message", `{"type":"context","elements":[` + many(11, `{"type":"mrkdwn","text":"x"}`) + `]}`, "no more than 10"},
		{"button", "message", button(`,"value":"v","style":"primary"`), ""},
		{"button value too long", "message", button(`,"value":"` + text(2001) + `"`), "/blocks/0/elements/0/value"},
		{"button of a wild style", "message", button(`,"style":"wild"`), "primary or danger"},
		{"same action twice", "message", `{"type":"actions","elements":[` + many(2, `{"type":"button","action_id":"a","text":{"type":"plain_text","text":"x"}}`) + `]}`, "not unique"},
		{"overflow of six", "message", `{"type":"section","text":{"type":"mrkdwn","text":"x"},"accessory":{"type":"overflow","action_id":"o","options":[` + many(6, `{"text":{"type":"plain_text","text":"x"},"value":"1"}`) + `]}}`, "no more than 5"},
		{"same block ID twice", "message", many(2, `{"type":"divider","block_id":"b"}`), "not unique"},
		{"alert in a message", "message", `{"type":"alert"}`, "not allowed in a message"},
		{"markdown in a modal", "modal", `{"type":"markdown","text":"x"}`, "not allowed in a modal"},
		{"unknown", "message", `{"type":"hologram"}`, "unsupported type"},
		{"not an object", "message", `7`, "must be an object"},
		{"not JSON", "message", `{`, "invalid_blocks_format"},
		{"legal but too much", "message", many(6, section(2900)), "msg_blocks_too_long"},
		{"two tables", "message", many(2, `{"type":"table","rows":[[{"type":"raw_text","text":"x"}]]}`), "only_one_table_allowed"},
	} {
		err := checkBlocks("["+row.blocks+"]", row.surface)
		got := ""
		var bad fault
		if errors.As(err, &bad) {
			got = bad.code + " " + strings.Join(bad.messages, "; ")
		}
		if !strings.Contains(got, row.want) || (row.want == "") != (got == "") {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

func TestNewerBlocks(t *testing.T) {
	chart := func(points, categories string) string {
		return `{"type":"data_visualization","title":"Flow","chart":{"type":"line","series":[{"name":"a","data":[` + points + `]}],"axis_config":{"categories":[` + categories + `]}}}`
	}
	task := func(extra string) string {
		return `{"type":"task_card","task_id":"1","title":"Restart"` + extra + `}`
	}
	rich := `{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"x"}]}]}`
	for _, row := range []struct{ name, surface, blocks, want string }{
		{"chart", "message", chart(`{"label":"02:00","value":1},{"label":"02:03","value":0}`, `"02:00","02:03"`), ""},
		{"chart with a point missing", "message", chart(`{"label":"02:00","value":1}`, `"02:00","02:03"`), "a point for each category"},
		{"chart with a point too many", "message", chart(`{"label":"02:00","value":1},{"label":"02:09","value":1}`, `"02:00"`), "must be one of the categories"},
		{"chart with a long category", "message", chart(``, `"`+text(21)+`"`), "/chart/axis_config/categories/0"},
		{"chart in a modal", "modal", chart(`{"label":"a","value":1}`, `"a"`), "not allowed in a modal"},
		{"three charts", "message", many(3, chart(`{"label":"a","value":1}`, `"a"`)), "no more than 2 data_visualization"},
		{"pie of nothing", "message", `{"type":"data_visualization","title":"x","chart":{"type":"pie","segments":[{"label":"a","value":0}]}}`, "greater than 0"},
		{"plan", "message", `{"type":"plan","title":"1 of 2 done","tasks":[` + task(`,"status":"complete","details":`+rich) + `]}`, ""},
		{"plan of other blocks", "message", `{"type":"plan","title":"x","tasks":[{"type":"divider"}]}`, "must be task_card"},
		{"plan with a task twice", "message", `{"type":"plan","title":"x","tasks":[` + many(2, task("")) + `]}`, "/tasks/1/task_id"},
		{"task in no state", "message", task(`,"status":"skipped"`), "must be pending"},
		{"task with two details", "message", task(`,"details":{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[]},{"type":"rich_text_section","elements":[]}]}`), "exactly 1 item"},
		{"table with an empty cell", "message", `{"type":"table","rows":[[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":""}]}]}]]}`, "must be more than 0 characters"},
		{"table with another cell", "message", `{"type":"table","rows":[[{"type":"hologram"}]]}`, "unsupported type"},
		{"table too full", "message", `{"type":"table","rows":[` + many(2, `[{"type":"raw_text","text":"`+text(5001)+`"}]`) + `]}`, "less than 10001 characters"},
		{"data table without rows", "message", `{"type":"data_table","caption":"x","rows":[[{"type":"raw_text","text":"x"}]]}`, "between 2 and 201"},
		{"data table of two lengths", "message", `{"type":"data_table","caption":"x","rows":[[{"type":"raw_text","text":"x"}],[]]}`, "as many cells"},
	} {
		err := checkBlocks("["+row.blocks+"]", row.surface)
		got := ""
		var bad fault
		if errors.As(err, &bad) {
			got = bad.code + " " + strings.Join(bad.messages, "; ")
		}
		if !strings.Contains(got, row.want) || (row.want == "") != (got == "") {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

func FuzzCheckBlocks(f *testing.F) {
	f.Add(`[{"type":"table","rows":[[{"type":"rich_text"}]]},{"type":"data_table","rows":[null,[1]]},{"type":"plan","tasks":[{"type":"task_card","details":[]}]}]`)
	f.Add(`[{"type":"data_visualization","chart":{"type":"line","series":[{"data":[null]}],"axis_config":{"categories":[1]}}}]`)
	f.Add(`[{"type":"section","text":{"type":"mrkdwn","text":"x"}}]`)
	f.Add(`[{"type":"actions","elements":[null]}]`)
	f.Add(`[{"type":"context","elements":{"a":1}}]`)
	f.Fuzz(func(_ *testing.T, raw string) {
		_ = checkBlocks(raw, "message")
		_, _ = checkView(raw)
	})
}

func TestCommandReachesTheApp(t *testing.T) {
	s, api := start(t, Options{AckTimeout: 300 * time.Millisecond})
	if err := s.As("oncall").Command(t.Context(), room, "/cdc status"); err == nil || !strings.Contains(err.Error(), "dispatch_failed") {
		t.Errorf("without an app: got %v, want dispatch_failed", err)
	}
	seen := app(t, s, api, silent)
	if err := s.As("oncall").Command(t.Context(), room, "/cdc  status “x”"); err != nil {
		t.Fatal(err)
	}
	cmd := next(t, seen, socketmode.EventTypeSlashCommand).Data.(slackapi.SlashCommand)
	if cmd.Text != "status “x”" || cmd.UserID != "U0ONCALL" || cmd.ResponseURL == "" || cmd.TriggerID == "" {
		t.Errorf("command: %+v", cmd)
	}
	if err := s.As("oncall").Command(t.Context(), room, "/nope"); err == nil || !strings.Contains(err.Error(), "not a valid command") {
		t.Errorf("unknown command: got %v", err)
	}
}

func TestUnansweredCommandTimesOut(t *testing.T) {
	s, api := start(t, Options{AckTimeout: 200 * time.Millisecond})
	client := socketmode.New(api) // it never acks
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = client.RunContext(ctx) }()
	defer func() { cancel(); <-done }()
	if err := s.Wait(ctx, "socket mode", func() bool { return s.Connected() > 0 }); err != nil {
		t.Fatal(err)
	}
	if err := s.As("oncall").Command(ctx, room, "/cdc status"); err == nil || !strings.Contains(err.Error(), "operation_timeout") {
		t.Errorf("got %v, want operation_timeout", err)
	}
}

func TestResponseURLsAreForFiveUsesInHalfAnHour(t *testing.T) {
	now := &clock{now: time.Now()}
	s, api := start(t, Options{Now: now.Now})
	seen := app(t, s, api, silent)
	hook := func() string {
		if err := s.As("oncall").Command(t.Context(), room, "/cdc status"); err != nil {
			t.Fatal(err)
		}
		return next(t, seen, socketmode.EventTypeSlashCommand).Data.(slackapi.SlashCommand).ResponseURL
	}
	post := func(url string) string {
		answer, err := http.Post(url, "application/json", strings.NewReader(`{"text":"psst"}`))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	url := hook()
	for i := range 5 {
		if got := post(url); !strings.Contains(got, `"ok":true`) {
			t.Fatalf("use %d: %s", i+1, got)
		}
	}
	if got := post(url); !strings.Contains(got, "used_url") {
		t.Errorf("sixth use: %s", got)
	}
	late := hook()
	now.forward(31 * time.Minute)
	if got := post(late); !strings.Contains(got, "expired_url") {
		t.Errorf("after 31 minutes: %s", got)
	}
	if got := len(s.As("oncall").Ephemerals()); got != 5 {
		t.Errorf("oncall sees %d whispers, want 5", got)
	}
	if got := len(s.As("approver").Ephemerals()); got != 0 {
		t.Errorf("approver sees %d whispers, want none", got)
	}
}

func modal() slackapi.ModalViewRequest {
	input := slackapi.NewInputBlock("why", slackapi.NewTextBlockObject("plain_text", "Why", false, false), nil, slackapi.NewPlainTextInputBlockElement(nil, "reason"))
	return slackapi.ModalViewRequest{Type: "modal", Title: slackapi.NewTextBlockObject("plain_text", "Reason", false, false), Submit: slackapi.NewTextBlockObject("plain_text", "Send", false, false), Blocks: slackapi.Blocks{BlockSet: []slackapi.Block{input}}}
}

func TestTriggersAreForOneUseInThreeSeconds(t *testing.T) {
	now := &clock{now: time.Now()}
	s, api := start(t, Options{Now: now.Now})
	seen := app(t, s, api, silent)
	trigger := func() string {
		if err := s.As("oncall").Command(t.Context(), room, "/cdc status"); err != nil {
			t.Fatal(err)
		}
		return next(t, seen, socketmode.EventTypeSlashCommand).Data.(slackapi.SlashCommand).TriggerID
	}
	id := trigger()
	if _, err := api.OpenView(id, modal()); err != nil {
		t.Fatal(err)
	}
	late := trigger()
	_, again := api.OpenView(id, modal())
	_, forged := api.OpenView("1.2.x", modal())
	now.forward(4 * time.Second)
	_, tooLate := api.OpenView(late, modal())
	for _, row := range []struct {
		name string
		err  error
		want string
	}{{"again", again, "exchanged_trigger_id"}, {"forged", forged, "invalid_trigger_id"}, {"late", tooLate, "expired_trigger_id"}} {
		if got := code(row.err); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

func TestModalsAreFilledAndRefused(t *testing.T) {
	s, api := start(t, Options{})
	refuse := true
	seen := app(t, s, api, func(e socketmode.Event) any {
		if in, ok := e.Data.(slackapi.InteractionCallback); ok && in.Type == slackapi.InteractionTypeViewSubmission && refuse {
			return map[string]any{"response_action": "errors", "errors": map[string]string{"why": "too short"}}
		}
		return nil
	})
	if err := s.As("oncall").Command(t.Context(), room, "/cdc status"); err != nil {
		t.Fatal(err)
	}
	if _, err := api.OpenView(next(t, seen, socketmode.EventTypeSlashCommand).Data.(slackapi.SlashCommand).TriggerID, modal()); err != nil {
		t.Fatal(err)
	}
	if bad, err := s.As("oncall").Submit(t.Context(), "  "); err != nil || bad["why"] == "" {
		t.Errorf("an empty input: got %v %v, want an error at its field", bad, err)
	}
	if bad, err := s.As("oncall").Submit(t.Context(), "no"); err != nil || bad["why"] != "too short" {
		t.Errorf("refused by the app: got %v %v", bad, err)
	}
	if s.As("oncall").Modal() == nil {
		t.Error("a refused modal is closed")
	}
	refuse = false
	if bad, err := s.As("oncall").Submit(t.Context(), "because"); err != nil || len(bad) > 0 {
		t.Errorf("got %v %v", bad, err)
	}
	if s.As("oncall").Modal() != nil {
		t.Error("a taken modal stays open")
	}
}

func TestSocketsAreTenAtMostAndTellWhyTheyEnd(t *testing.T) {
	s, api := start(t, Options{AckTimeout: 300 * time.Millisecond})
	seen := app(t, s, api, silent)
	s.Disconnect("refresh_requested")
	again := func() bool { // one client has a gap while it reconnects; that is why the bot holds two
		return s.Calls("apps.connections.open") >= 2 && s.As("oncall").Command(t.Context(), room, "/cdc after") == nil
	}
	if err := s.Wait(t.Context(), "a command over the new connection", again); err != nil {
		t.Fatal(err)
	}
	next(t, seen, socketmode.EventTypeSlashCommand)
	s.RefuseConnections("link_disabled")
	if _, _, err := api.StartSocketModeContext(t.Context()); code(err) != "link_disabled" {
		t.Errorf("got %v, want link_disabled", err)
	}
}

func TestFilesAreUploadedAndShared(t *testing.T) {
	s, api := start(t, Options{})
	_, ts, err := api.PostMessage(room, slackapi.MsgOptionText("root", false))
	if err != nil {
		t.Fatal(err)
	}
	body := "a,b\n1,2\n"
	if _, err := api.UploadFile(slackapi.UploadFileParameters{Channel: room, ThreadTimestamp: ts, Filename: "x.csv", Title: "X", FileSize: len(body), Content: body}); err != nil {
		t.Fatal(err)
	}
	if got := string(s.File("x.csv")); got != body {
		t.Errorf("file: got %q", got)
	}
	if thread := s.Thread(room, ts); len(thread) != 2 || fmt.Sprint(thread[1].Files) != "[x.csv]" {
		t.Errorf("thread: %+v", thread)
	}
}

func TestPageRefusesOtherSites(t *testing.T) {
	s, _ := start(t, Options{})
	req, err := http.NewRequest(http.MethodPost, s.URL()+"/sim/post", strings.NewReader(`{"user":"U0ONCALL","channel":"`+room+`","text":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "https://evil.example")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close() // only its status matters
	if answer.StatusCode != http.StatusForbidden || len(s.Messages(room)) != 0 {
		t.Errorf("another site's request: %s, %d messages", answer.Status, len(s.Messages(room)))
	}
}
