package slacksim

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/slack-go/slack/socketmode"
)

var cardsDir = flag.String("cards", "", "folder for a picture of every card, with an index.html")

// TestEveryCardIsDrawn shows each golden card on the page, as a phone has it: nothing of it may be left as a grey box that
// says "unsupported block". `make cards` keeps the pictures.
func TestEveryCardIsDrawn(t *testing.T) {
	s, api := start(t, Options{Unlimited: true})
	app(t, s, api, func(socketmode.Event) any { return nil }) // or a banner says that the app is away
	ctx := browser(t, "about:blank")
	dress(t, ctx, "light", 390)
	var names []string
	for _, c := range append(goldenCards(t), chartCards(t)...) {
		node := c.show(t, ctx, s)
		if n := count(t, ctx, node+" .unsupported"); n > 0 {
			t.Errorf("%s: %d blocks are not drawn", c.Name, n)
		}
		if n := count(t, ctx, node+" .block"); n == 0 {
			t.Errorf("%s: nothing is drawn", c.Name)
		}
		if *cardsDir != "" {
			c.keep(t, ctx, node)
			names = append(names, c.Name)
		}
	}
	if *cardsDir != "" {
		index(t, names)
	}
}

// show puts a card on the page and returns the selector of what shows it.
func (c card) show(t *testing.T, ctx context.Context, s *Server) string {
	t.Helper()
	visit := func(address, node string) string {
		if err := chromedp.Do(ctx, chromedp.Navigate(s.URL()+address)); err != nil {
			t.Fatal(err)
		}
		until(t, ctx, c.Name, fmt.Sprintf("document.querySelector(%q)", node+" .block"))
		return node
	}
	switch c.Kind {
	case "home":
		if got := ask(t, s, "views.publish", "user_id", "U0ONCALL", "view", string(c.View)).code(); got != "" {
			t.Fatalf("%s: %s", c.Name, got)
		}
		return visit("/?user=oncall&view=home", "[data-testid=home-view]")
	case "modal":
		s.mu.Lock()
		trigger := s.newTrigger("U0APPROVER", "")
		s.mu.Unlock()
		if got := ask(t, s, "views.open", "trigger_id", trigger, "view", string(c.View)).code(); got != "" {
			t.Fatalf("%s: %s", c.Name, got)
		}
		return visit("/?user=approver", "dialog[open]")
	}
	var small bytes.Buffer // golden files are indented, what is sent is not
	if err := json.Compact(&small, c.Blocks); err != nil {
		t.Fatal(err)
	}
	posted := ask(t, s, "chat.postMessage", "channel", "C0INCIDENTS", "text", c.Name, "blocks", small.String())
	ts, _ := posted.body["ts"].(string)
	if posted.code() != "" {
		t.Fatalf("%s: %s", c.Name, posted.code())
	}
	return visit("/?user=oncall", fmt.Sprintf(`[data-ts="%s"]`, ts))
}

func count(t *testing.T, ctx context.Context, selector string) int {
	t.Helper()
	n, err := chromedp.Run(ctx, chromedp.Evaluate[int](fmt.Sprintf("document.querySelectorAll(%q).length", selector)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// keep writes the picture of a whole card, however long.
func (c card) keep(t *testing.T, ctx context.Context, node string) {
	t.Helper()
	box, err := chromedp.Run(ctx, chromedp.Evaluate[json.Number](fmt.Sprintf("String(Math.ceil(document.querySelector(%q).scrollHeight) + 260)", node)))
	if err != nil {
		t.Fatal(err)
	}
	height, err := box.Int64()
	if err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(390, max(height, 300))); err != nil {
		t.Fatal(err)
	}
	picture, err := chromedp.Run(ctx, chromedp.ScreenshotScale(node, 2))
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(390, 844)); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(*cardsDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*cardsDir, c.Name+".png"), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

var sheet = template.Must(template.New("sheet").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Every card</title>
<style>body{font:14px system-ui;margin:24px;columns:22rem;column-gap:24px;background:#f4f4f2}figure{break-inside:avoid;margin:0 0 24px}img{width:100%;border:1px solid #ccc}</style>
{{range .}}<figure><img src="{{.}}.png" alt="the card {{.}}" loading="lazy"><figcaption>{{.}}</figcaption></figure>
{{end}}</html>
`))

func index(t *testing.T, names []string) {
	t.Helper()
	f, err := os.Create(filepath.Join(*cardsDir, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := sheet.Execute(f, names); err != nil {
		t.Fatal(err)
	}
}
