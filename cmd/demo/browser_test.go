package main

import (
	"bytes"
	"context"
	"flag"
	"image/png"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var update = flag.Bool("update", false, "rewrite the pictures in docs/pictures")

// browser opens headless Chromium. Without it the test is left out by name, and fails where everything is meant to be there.
func browser(t *testing.T) context.Context {
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
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WindowSize(1280, 900))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// demo starts the demo as `make demo` does, without its own accident.
func demo(t *testing.T) *world {
	t.Helper()
	w, err := newWorld(t.Context(), "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.run(ctx, false) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the demo ended with %v", err)
		}
		w.close()
	})
	return w
}

// page is the browser on the demo's page.
type page struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	errors []string // exceptions that the page threw
}

func (p *page) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// ask evaluates a JavaScript expression.
func ask[T any](p *page, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("evaluating %s: %v", expression, err)
	}
	return v
}

// until waits for a JavaScript condition.
func (p *page) until(what, condition string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 40*time.Second)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		if yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+condition+")")); err == nil && yes {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("waiting for %s; the page says:\n%s", what, ask[string](p, "document.body.innerText"))
		case <-ticker.C:
		}
	}
}

func hook(id string) string { return "document.querySelector('[data-testid=\"" + id + "\"]')" }

// click clicks what a JavaScript expression finds, once it is there and can be seen.
func (p *page) click(what, find string) {
	p.t.Helper()
	p.until(what, find+" && "+find+".offsetParent !== null && !"+find+".disabled")
	ask[bool](p, "("+find+".click(), true)")
}

// press presses the newest button of the thread with this text.
func (p *page) press(text string) {
	p.t.Helper()
	p.click("the button "+text, "[...document.querySelectorAll('[data-testid=\"thread\"] button')].filter(b => b.textContent.trim() === '"+text+"' && b.offsetParent).at(-1)")
}

func (p *page) says(text string) {
	p.t.Helper()
	p.until("“"+text+"”", hook("thread")+"?.innerText.includes('"+text+"')")
}

func (p *page) become(name string) {
	p.t.Helper()
	p.click("the switch of persons", hook("person"))
	p.click("person "+name, hook("person-"+name))
	p.until("being "+name, hook("person")+".innerText.includes('"+name+"')")
}

// picture takes a screenshot; with -update it becomes one of the README's.
func (p *page) picture(name string) {
	p.t.Helper()
	p.do("letting the page come to rest", chromedp.Sleep(800*time.Millisecond))
	shot, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatalf("picture %s: %v", name, err)
	}
	if _, err := png.Decode(bytes.NewReader(shot)); err != nil {
		p.t.Fatalf("picture %s: %v", name, err)
	}
	folder := p.t.TempDir()
	if *update {
		folder = filepath.Join("..", "..", "docs", "pictures")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), shot, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// TestVisitorHealsThePipeline plays the demo in a browser: break it, ask as one person, approve as another, take the
// record away.
func TestVisitorHealsThePipeline(t *testing.T) {
	w := demo(t)
	p := &page{t: t, ctx: browser(t)}
	p.do("opening the page", chromedp.EmulateViewport(1280, 900), chromedp.Navigate(w.url+"/?user=oncall"))
	if err := chromedp.Listen(p.ctx, p.listen); err != nil {
		t.Fatal(err)
	}
	p.click("the panel", hook("controls"))
	p.click("stopping PostgreSQL", hook("control-a1-postgres-down"))
	p.until("the incident", "document.body.innerText.includes('INC-1')")
	p.click("removing the cause", hook("control-mend"))
	p.do("opening the thread", chromedp.Navigate(w.url+"/?user=oncall&channel=cdc-incidents&thread="+w.slack.Messages("cdc-incidents")[0].TS))
	p.says("it is back now, a restart will help")
	ask[bool](p, "(document.querySelectorAll('.scroller').forEach(s => s.scrollTo(0, 0)), true)")
	p.picture("thread")

	p.press("Restart failed tasks")
	p.says("REQ-1")
	p.become("approver")
	p.says("REQ-1")
	p.picture("approval")
	p.press("Approve")
	p.says("FIXED")
	p.picture("resolved")

	p.press("Export review (md)")
	if err := w.slack.Wait(p.ctx, "the export", func() bool { return w.slack.File("INC-1-timeline.md") != nil }); err != nil {
		t.Fatal(err)
	}
	p.says("INC-1-timeline.md")
	download(t, p, w)
	p.do("phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile), chromedp.Reload())
	p.says("FIXED")
	p.picture("phone")
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.errors) > 0 {
		t.Errorf("the page threw: %s", strings.Join(p.errors, "\n"))
	}
}

// listen keeps what the page throws.
func (p *page) listen(event any) {
	if e, ok := event.(*runtime.EventExceptionThrown); ok {
		p.mu.Lock()
		p.errors = append(p.errors, e.ExceptionDetails.Text)
		p.mu.Unlock()
	}
}

// download follows the file's link as the page shows it.
func download(t *testing.T, p *page, w *world) {
	t.Helper()
	link := ask[string](p, `[...document.querySelectorAll('a[href*="INC-1-timeline.md"]')].at(-1)?.getAttribute('href') || ''`)
	if link == "" {
		t.Fatal("the thread shows no link to the file")
	}
	answer, err := http.Get(w.url + link)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || !strings.Contains(string(body), "Post-incident review: INC-1") {
		t.Errorf("the file at %s: %v, %.200s", link, err, body)
	}
}

// TestDemoServesWithinAMinute measures what a newcomer waits for, once modules are cached.
func TestDemoServesWithinAMinute(t *testing.T) {
	began := time.Now()
	w := demo(t)
	answer, err := http.Get(w.url + "/")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close() // only its status matters
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("the page answers %s", answer.Status)
	}
	if err := w.slack.Wait(t.Context(), "socket mode", func() bool { return w.slack.Connected() > 0 }); err != nil {
		t.Fatal(err)
	}
	t.Logf("page served and bot connected after %s", time.Since(began).Round(time.Millisecond))
	if took := time.Since(began); took > time.Minute {
		t.Errorf("took %s, want less than a minute", took)
	}
}
