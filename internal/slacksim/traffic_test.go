package slacksim

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/slack-go/slack/socketmode"
)

// Everything that went over the wire is there to be looked at, without the token.
func TestTraffic(t *testing.T) {
	s, api := start(t, Options{Unlimited: true})
	app(t, s, api, func(socketmode.Event) any { return map[string]any{"text": "done"} })
	if err := s.As("oncall").Command(t.Context(), room, "/cdc status"); err != nil {
		t.Fatal(err)
	}
	ask(t, s, "chat.postMessage", "channel", "C0INCIDENTS", "text", "hello", "blocks", `[{"type":"divider"}]`)
	ask(t, s, "chat.postMessage", "channel", "C0NOPE", "text", "hello")
	kinds := map[string]Exchange{}
	var last int64
	for _, e := range s.Traffic(0) {
		if e.Number != last+1 {
			t.Errorf("exchange %d follows %d", e.Number, last)
		}
		last = e.Number
		kinds[e.From+" "+e.Name+" "+e.Error] = e
		if strings.Contains(string(e.Sent), s.BotToken()) || strings.Contains(string(e.Sent), s.AppToken()) {
			t.Errorf("%s tells a token: %s", e.Name, e.Sent)
		}
	}
	for key, want := range map[string][2]string{
		"slack slash_commands ":                  {`"command":"/cdc"`, `"text":"done"`},
		"app chat.postMessage ":                  {`"blocks":[{"type":"divider"}]`, `"ok":true`},
		"app chat.postMessage channel_not_found": {`"channel":"C0NOPE"`, `"error":"channel_not_found"`},
	} {
		e, found := kinds[key]
		if !found || !strings.Contains(string(e.Sent), want[0]) || !strings.Contains(string(e.Answer), want[1]) {
			t.Errorf("%q: sent %s, answered %s; expected %s and %s", key, e.Sent, e.Answer, want[0], want[1])
		}
	}
	if rest := s.Traffic(last); len(rest) != 0 {
		t.Errorf("%d exchanges after the last one", len(rest))
	}
	for range mostExchanges + 10 {
		ask(t, s, "auth.test")
	}
	if n := len(s.Traffic(0)); n != mostExchanges {
		t.Errorf("%d exchanges are kept; expected %d", n, mostExchanges)
	}
}

// TestThePageShowsPayloads looks at the wire and at a message on the page, with the keyboard alone.
func TestThePageShowsPayloads(t *testing.T) {
	s, _ := start(t, Options{Unlimited: true})
	ask(t, s, "chat.postMessage", "channel", "C0INCIDENTS", "text", "hello", "blocks", `[{"type":"section","text":{"type":"mrkdwn","text":"a card"}}]`)
	ctx := browser(t, s.URL()+"/?user=oncall")
	until(t, ctx, "the message", `document.querySelector('#main .message')`)
	press := func(key string) {
		t.Helper()
		if err := chromedp.Do(ctx, chromedp.KeyEvent(key)); err != nil {
			t.Fatal(err)
		}
	}
	press("r")
	until(t, ctx, "the call", `[...document.querySelectorAll('.traffic code')].some((c) => c.textContent === 'chat.postMessage')`)
	ask(t, s, "auth.test")
	until(t, ctx, "a call that comes while one looks", `[...document.querySelectorAll('.traffic code')].some((c) => c.textContent === 'auth.test')`)
	until(t, ctx, "the filter", `(() => { const f = document.querySelector('[data-testid=traffic-filter]'); f.value = 'auth.test'; f.dispatchEvent(new Event('input')); return document.querySelectorAll('.traffic li:not([hidden])').length === 1 })()`)
	press("\x1b")
	until(t, ctx, "the dialog to close", `!document.querySelector('.sheet')`)
	press("?")
	until(t, ctx, "the help", `document.querySelectorAll('[data-testid=keys] kbd').length > 8`)
	press("\x1b")
	until(t, ctx, "the help to close", `!document.querySelector('.sheet')`)
	press("j")
	until(t, ctx, "the focus on the message", `document.activeElement?.classList.contains('message')`)
	until(t, ctx, "the menu", `(document.querySelector('#main .message [aria-label=More]').click(), document.querySelector('[data-testid=as-json]'))`)
	until(t, ctx, "the JSON", `document.querySelector('[data-testid=as-json]')?.click() ?? document.querySelector('[data-testid=source] pre')`)
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector('[data-testid=source] pre').textContent`))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Text   string           `json:"text"`
		Blocks []map[string]any `json:"blocks"`
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil || m.Text != "hello" || len(m.Blocks) != 1 {
		t.Errorf("%v: %s", err, text)
	}
}
