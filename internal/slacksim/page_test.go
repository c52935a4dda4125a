package slacksim

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	slackapi "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

// browser opens headless Chromium on the page as a person sees it. Without it the test is left out by name, and fails
// where everything is meant to be there.
func browser(t *testing.T, url string) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" || os.Getenv("CDCBOT_LAB") != "" {
			t.Fatal("chromium is missing (apt install chromium)")
		}
		t.Skip("left out: chromium (apt install chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-features", "BackForwardCache,Translate")) // a page that is kept keeps its stream of events open
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// until evaluates a JavaScript condition until it is true; what it does on the way, such as a click, it may do.
func until(t *testing.T, ctx context.Context, what, condition string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+condition+")")); err == nil && yes {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waiting for %s: %v", what, ctx.Err())
		case <-tick.C:
		}
	}
}

// pageModal has what only a page can show to work: lists that the app fills while one types, and lists of channels.
const pageModal = `{"type":"modal","callback_id":"page","title":{"type":"plain_text","text":"Page"},"submit":{"type":"plain_text","text":"Send"},"blocks":[
 {"type":"input","block_id":"worker","label":{"type":"plain_text","text":"Worker"},"element":{"type":"external_select","action_id":"worker","min_query_length":1}},
 {"type":"input","block_id":"room","label":{"type":"plain_text","text":"Room"},"element":{"type":"channels_select","action_id":"room"}}]}`

// TestThePageFillsAModal plays a person in a browser: a search in a list of the app, a channel, the submit, and a fault.
func TestThePageFillsAModal(t *testing.T) {
	s, api := start(t, Options{Unlimited: true})
	submitted := make(chan slackapi.InteractionCallback, 1)
	seen := app(t, s, api, func(e socketmode.Event) any {
		in, _ := e.Data.(slackapi.InteractionCallback)
		switch in.Type {
		case slackapi.InteractionTypeBlockSuggestion:
			return json.RawMessage(`{"options":[{"text":{"type":"plain_text","text":"worker ` + in.Value + `"},"value":"` + in.Value + `"}]}`)
		case slackapi.InteractionTypeViewSubmission:
			submitted <- in
		}
		return nil
	})
	if err := s.As("oncall").Command(t.Context(), room, "/cdc page"); err != nil {
		t.Fatal(err)
	}
	trigger := next(t, seen, socketmode.EventTypeSlashCommand).Data.(slackapi.SlashCommand).TriggerID
	if got := ask(t, s, "views.open", "trigger_id", trigger, "view", pageModal).code(); got != "" {
		t.Fatal(got)
	}
	ctx := browser(t, s.URL()+"/?user=oncall")
	until(t, ctx, "the search field", `(f => f && (f.value = 'two', f.dispatchEvent(new Event('input')), true))(document.querySelector('dialog input[type=search]'))`)
	until(t, ctx, "the app's option", `(o => o && (o.closest('select').value = 'two', o.closest('select').dispatchEvent(new Event('change')), true))(document.querySelector('dialog option[value=two]'))`)
	until(t, ctx, "a channel", `(o => o && (o.closest('select').value = 'C0GENERAL', o.closest('select').dispatchEvent(new Event('change')), true))(document.querySelector('dialog option[value=C0GENERAL]'))`)
	until(t, ctx, "the submit", `(b => b && (b.click(), true))(document.querySelector('[data-testid=modal-submit]'))`)
	select {
	case in := <-submitted:
		values := in.View.State.Values
		if got := values["worker"]["worker"].SelectedOption.Value; got != "two" {
			t.Errorf("the worker is %q, want two", got)
		}
		if got := values["room"]["room"].SelectedChannel; got != "C0GENERAL" {
			t.Errorf("the room is %q, want C0GENERAL", got)
		}
	case <-ctx.Done():
		t.Fatal("the modal was not submitted")
	}
	until(t, ctx, "the panel", `(b => b && !b.hidden && (b.click(), true))(document.querySelector('[data-testid=controls]'))`)
	until(t, ctx, "a fault of the page", `(b => b && (b.click(), true))(document.querySelector('[data-testid=control-slack-duplicate]'))`)
	if err := s.Wait(ctx, "the fault", func() bool { return len(s.Faults()) == 1 && s.Faults()[0].Kind == "duplicate" }); err != nil {
		t.Fatal(err)
	}
}
