package slacksim

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// violation is a rule of WCAG 2.1 A or AA that an element of the page breaks, as axe-core tells it.
type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// axe looks at the page as it stands.
func axe(t *testing.T, ctx context.Context) []violation {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(installed(t), "node", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("(async () => { if (!window.axe) { %s } const r = await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}); return JSON.stringify(r.violations) })()", source)
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	var found []violation
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestEverybodyCanUseThePage lets axe-core look at all of the page, dark and light, wide and on a phone.
func TestEverybodyCanUseThePage(t *testing.T) {
	installed(t)
	s, _ := start(t, Options{Unlimited: true})
	thread := furnish(t, s)
	views := []struct{ name, address, ready string }{
		{"channel", "/?user=oncall", `document.querySelector('[data-block=actions]')`},
		{"thread", "/?user=oncall&channel=" + room + "&thread=" + thread, `document.querySelector('#thread [data-ts]')`},
		{"Home", "/?user=oncall&view=home", `document.querySelector('[data-testid=home-view] .block')`},
		{"modal", "/?user=approver", `document.querySelector('dialog[open] .block')`},
		{"payloads", "/?user=oncall", unfolds("payloads", "traffic", "details")},
		{"keyboard", "/?user=oncall", unfolds("keys", "keys", "kbd")},
	}
	ctx := browser(t, "about:blank")
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 390} {
			for _, v := range views {
				t.Run(fmt.Sprintf("%s %s %d", v.name, scheme, width), func(t *testing.T) {
					dress(t, ctx, scheme, width)
					if err := chromedp.Do(ctx, chromedp.Navigate(s.URL()+v.address)); err != nil {
						t.Fatal(err)
					}
					if v.name == "modal" {
						openModal(t, s)
					}
					until(t, ctx, v.name, v.ready)
					for _, x := range axe(t, ctx) {
						for _, n := range x.Nodes {
							t.Errorf("%s: %s\n%s\n%s", x.ID, x.Help, n.HTML, n.Summary)
						}
					}
				})
			}
		}
	}
}

// unfolds opens a sheet by its button, and is true when it holds a node, which it unfolds.
func unfolds(button, sheet, node string) string {
	return fmt.Sprintf(`(() => {
		const sheet = document.querySelector('[data-testid=%s]');
		if (!sheet) return void document.getElementById('%s').click();
		const found = sheet.querySelector('%s');
		if (found) found.open = true;
		return found;
	})()`, sheet, button, node)
}

// dress gives the page a width and a colour scheme, and lets nothing move.
func dress(t *testing.T, ctx context.Context, scheme string, width int64) {
	t.Helper()
	look := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, look); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 844)); err != nil {
		t.Fatal(err)
	}
}

// furnish fills the workspace with what a page may have to show; it returns the thread's timestamp.
func furnish(t *testing.T, s *Server) string {
	t.Helper()
	blocks := `[{"type":"header","text":{"type":"plain_text","text":"INC-1 · sink FAILED"}},
	{"type":"section","text":{"type":"mrkdwn","text":"*Cause* _refused_ ` + "`code`" + ` <https://example.com|runbook> <@U0ONCALL> ~old~\n>quoted\n` + "```trace```" + `"},"accessory":{"type":"overflow","action_id":"more","options":[{"text":{"type":"plain_text","text":"One"},"value":"1"},{"text":{"type":"plain_text","text":"Two"},"value":"2"}]}},
	{"type":"table","rows":[[{"type":"raw_text","text":"State"},{"type":"raw_text","text":"Connector"}],[{"type":"raw_text","text":"FAILED"},{"type":"raw_text","text":"sink"}]]},
	{"type":"data_visualization","title":"Records per minute","chart":{"type":"line","series":[{"name":"sink","data":[{"label":"02:00","value":9},{"label":"02:03","value":0}]}],"axis_config":{"categories":["02:00","02:03"]}}},
	{"type":"plan","title":"1 of 2 done","tasks":[{"type":"task_card","task_id":"1","title":"Look","status":"complete"},{"type":"task_card","task_id":"2","title":"Restart","status":"in_progress"}]},
	{"type":"context","elements":[{"type":"mrkdwn","text":"since <!date^1767323045^{time}|now>"}]},{"type":"divider"},
	{"type":"actions","elements":[{"type":"button","action_id":"a","text":{"type":"plain_text","text":"Restart"},"style":"primary"},{"type":"button","action_id":"b","text":{"type":"plain_text","text":"Reject"},"style":"danger","confirm":{"title":{"type":"plain_text","text":"Sure?"},"text":{"type":"plain_text","text":"Yes?"},"confirm":{"type":"plain_text","text":"Yes"},"deny":{"type":"plain_text","text":"No"}}},{"type":"button","action_id":"c","text":{"type":"plain_text","text":"Plan"}}]}]`
	root := ask(t, s, "chat.postMessage", "channel", "C0INCIDENTS", "text", "card", "blocks", blocks)
	ts, _ := root.body["ts"].(string)
	if root.code() != "" || ts == "" {
		t.Fatalf("%v", root)
	}
	for _, reply := range []string{"first", "second"} {
		if _, err := s.As("approver").Post(room, ts, reply); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.As("oncall").React(room, ts, "eyes"); err != nil {
		t.Fatal(err)
	}
	home := `{"type":"home","blocks":` + regexp.MustCompile(`(?s)\{"type":"table".*\{"type":"context"`).ReplaceAllString(blocks, `{"type":"context"`) + `}`
	if got := ask(t, s, "views.publish", "user_id", "U0ONCALL", "view", home).code(); got != "" {
		t.Fatal(got)
	}
	return ts
}

const everyInput = `{"type":"modal","callback_id":"all","title":{"type":"plain_text","text":"Every input"},"submit":{"type":"plain_text","text":"Send"},"close":{"type":"plain_text","text":"Cancel"},"blocks":[
 {"type":"section","text":{"type":"mrkdwn","text":"Fill *all* of these."}},
 {"type":"input","block_id":"t","label":{"type":"plain_text","text":"Why"},"hint":{"type":"plain_text","text":"The timeline keeps it"},"element":{"type":"plain_text_input","action_id":"v","multiline":true}},
 {"type":"input","block_id":"s","label":{"type":"plain_text","text":"For"},"element":{"type":"static_select","action_id":"v","options":[{"text":{"type":"plain_text","text":"1h"},"value":"1h"}]}},
 {"type":"input","block_id":"u","label":{"type":"plain_text","text":"Who"},"element":{"type":"users_select","action_id":"v"}},
 {"type":"input","block_id":"r","optional":true,"label":{"type":"plain_text","text":"Which"},"element":{"type":"radio_buttons","action_id":"v","options":[{"text":{"type":"plain_text","text":"A"},"value":"a"},{"text":{"type":"plain_text","text":"B"},"value":"b"}]}},
 {"type":"input","block_id":"c","optional":true,"label":{"type":"plain_text","text":"Also"},"element":{"type":"checkboxes","action_id":"v","options":[{"text":{"type":"plain_text","text":"C"},"value":"c"}]}},
 {"type":"input","block_id":"d","optional":true,"label":{"type":"plain_text","text":"Day"},"element":{"type":"datepicker","action_id":"v"}}]}`

// openModal shows the modal to approver, as after a press.
func openModal(t *testing.T, s *Server) {
	t.Helper()
	s.mu.Lock()
	trigger := s.newTrigger("U0APPROVER", "")
	s.mu.Unlock()
	if got := ask(t, s, "views.open", "trigger_id", trigger, "view", everyInput).code(); got != "" {
		t.Fatal(got)
	}
}
