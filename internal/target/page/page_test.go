package page

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

const (
	routingKey = "Zq7kPlantedRoutingKey00000000000"
	hookToken  = "Zq7kPlantedHookToken"
)

// desk is PagerDuty's Events API v2 or a webhook: it checks every request and gives the answers in turn, the last again
// and again.
type desk struct {
	*httptest.Server
	mutex  sync.Mutex
	bodies []map[string]any
	paths  []string
}

type reply struct {
	status int
	after  string
	body   string
}

func newDesk(t *testing.T, check func(*http.Request, map[string]any) error, replies ...reply) *desk {
	t.Helper()
	d := &desk{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		data, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(data, &body)
		}
		if err == nil {
			err = check(r, body)
		}
		if err != nil {
			t.Errorf("%s %s %s: %v", r.Method, r.URL, data, err)
		}
		d.mutex.Lock()
		d.bodies, d.paths = append(d.bodies, body), append(d.paths, r.URL.Path)
		answer := replies[min(len(d.bodies), len(replies))-1]
		d.mutex.Unlock()
		if answer.status == 0 {
			<-r.Context().Done()
			return
		}
		if answer.after != "" {
			w.Header().Set("Retry-After", answer.after)
		}
		if answer.status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(answer.status)
		_, _ = io.WriteString(w, answer.body)
	}))
	t.Cleanup(d.Close)
	return d
}

func (d *desk) calls() []map[string]any {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return slices.Clone(d.bodies)
}

// events checks what "Send an alert event" of the Events API v2 asks for.
func events(r *http.Request, body map[string]any) error {
	payload, _ := body["payload"].(map[string]any)
	summary, _ := payload["summary"].(string)
	dedup, _ := body["dedup_key"].(string)
	details, hasDetails := payload["custom_details"].(map[string]any)
	for name := range body {
		if !slices.Contains([]string{"routing_key", "event_action", "dedup_key", "payload", "client", "client_url", "links", "images"}, name) {
			return fmt.Errorf("field %s", name)
		}
	}
	for name := range payload {
		if !slices.Contains([]string{"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}, name) {
			return fmt.Errorf("field payload.%s", name)
		}
	}
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/v2/enqueue":
		return fmt.Errorf("not the way in")
	case r.Header.Get("Content-Type") != "application/json":
		return fmt.Errorf("content type %q", r.Header.Get("Content-Type"))
	case r.Header.Get("Authorization") != "":
		return fmt.Errorf("a login")
	case body["routing_key"] != routingKey:
		return fmt.Errorf("routing_key")
	case body["event_action"] != "trigger" || payload["severity"] != "critical":
		return fmt.Errorf("event_action or severity")
	case dedup == "" || utf8.RuneCountInString(dedup) > 255:
		return fmt.Errorf("dedup_key")
	case summary == "" || utf8.RuneCountInString(summary) > 1024:
		return fmt.Errorf("summary of %d characters", utf8.RuneCountInString(summary))
	case payload["source"] == "" || payload["source"] == nil:
		return fmt.Errorf("source")
	case payload["custom_details"] != nil && (!hasDetails || len(details) == 0):
		return fmt.Errorf("custom_details")
	}
	return nil
}

// hook checks what our webhook promises.
func hook(r *http.Request, body map[string]any) error {
	_, details := body["details"].(map[string]any)
	switch {
	case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json":
		return fmt.Errorf("method or content type")
	case r.Header.Get("Authorization") != "Bearer "+hookToken:
		return fmt.Errorf("authorization %q", r.Header.Get("Authorization"))
	case r.Header.Get("Idempotency-Key") == "":
		return fmt.Errorf("no Idempotency-Key")
	case len(body) != 4 || body["key"] == nil || body["summary"] == nil || body["source"] == nil || !details:
		return fmt.Errorf("fields")
	}
	return nil
}

var accepted = reply{202, "", `{"status":"success","message":"Event processed","dedup_key":"k"}`}

func TestPagerDuty(t *testing.T) {
	rows := []struct {
		name    string
		replies []reply
		calls   int // 0 is any
		err     string
	}{
		{"accepted", []reply{accepted}, 1, ""},
		{"accepted with a long answer", []reply{{202, "", strings.Repeat("x", 1<<20)}}, 1, ""},
		{"too many, then accepted", []reply{{429, "", ""}, accepted}, 2, ""},
		{"too many, with a wait", []reply{{429, "1", ""}, accepted}, 2, ""},
		{"too many, with a wait beyond our patience", []reply{{429, "3600", ""}}, 1, "PagerDuty answers 429 Too Many Requests; tries: 1"},
		{"broken, then accepted", []reply{{500, "", ""}, {503, "", ""}, accepted}, 3, ""},
		{"broken for good", []reply{{500, "", "boom"}}, 0, "PagerDuty answers 500 Internal Server Error: boom; tries: "},
		{"refused", []reply{{400, "", `{"status":"invalid event","message":"Event object is invalid","errors":["Length of 'routing_key' is incorrect (should be 32 characters)"]}`}}, 1,
			"PagerDuty answers 400 Bad Request: Event object is invalid; Length of 'routing_key' is incorrect (should be 32 characters)"},
		{"refused, and our key is shown", []reply{{403, "", "who is " + routingKey + "?"}}, 1, "PagerDuty answers 403 Forbidden: who is …?"},
		{"a proxy's page", []reply{{200, "", "<html>welcome</html>"}}, 1, "PagerDuty answers 200 OK"},
		{"sent elsewhere", []reply{{302, "", ""}}, 1, "PagerDuty answers 302 Found"},
		{"silent", []reply{{}}, 0, "PagerDuty did not answer in time; tries: "},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			desk := newDesk(t, events, row.replies...)
			p, err := New(Options{RoutingKey: routingKey, URL: desk.URL + "/v2/enqueue", Timeout: 500 * time.Millisecond, Patience: 2500 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			err = p.Page(t.Context(), "cdcbot-1", strings.Repeat("ä", 2000), map[string]string{"pipeline": "warehouse"})
			if row.err == "" && err != nil || row.err != "" && (err == nil || !strings.Contains(err.Error(), row.err) || strings.Contains(err.Error(), routingKey)) {
				t.Errorf("Page() = %v; want %q and no key", err, row.err)
			}
			calls := desk.calls()
			if row.calls > 0 && len(calls) != row.calls || row.calls == 0 && len(calls) < 2 {
				t.Errorf("%d calls, want %d", len(calls), row.calls)
			}
			for _, c := range calls {
				if diff := cmp.Diff(calls[0], c); diff != "" { // the same key each time: one alert
					t.Errorf("another try said something else: %s", diff)
				}
			}
		})
	}
}

func TestWebhook(t *testing.T) {
	desk := newDesk(t, hook, reply{503, "", ""}, reply{204, "", ""})
	p, err := New(Options{Webhook: desk.URL + "/hook/x", Token: hookToken, Source: "cdcbot-7"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Page(t.Context(), "k 1", "Sink is down", nil); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"key": "k 1", "summary": "Sink is down", "details": map[string]any{}, "source": "cdcbot-7"}
	calls := desk.calls()
	if len(calls) != 2 || !cmp.Equal(calls[1], want) {
		t.Errorf("got %v, want twice %v", calls, want)
	}
}

func TestBothWays(t *testing.T) {
	duty, other := newDesk(t, events, accepted), newDesk(t, hook, reply{401, "", "who is " + hookToken})
	p, err := New(Options{RoutingKey: routingKey, URL: duty.URL + "/v2/enqueue", Webhook: other.URL, Token: hookToken})
	if err != nil {
		t.Fatal(err)
	}
	err = p.Page(t.Context(), "k", "Sink is down", nil)
	if err == nil || !strings.Contains(err.Error(), "the paging webhook answers 401 Unauthorized") || strings.Contains(err.Error(), hookToken) {
		t.Errorf("Page() = %v; want the webhook's refusal without its token", err)
	}
	if len(duty.calls()) != 1 || len(other.calls()) != 1 {
		t.Errorf("%d and %d calls, want one each", len(duty.calls()), len(other.calls()))
	}
}

func TestSecretsFromFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	duty := newDesk(t, events, accepted)
	p, err := New(Options{RoutingKeyFile: file, URL: duty.URL + "/v2/enqueue"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Page(t.Context(), "k", "s", nil); err == nil || !strings.Contains(err.Error(), "PagerDuty routing key file") {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(file, []byte(routingKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Page(t.Context(), "k", "s", nil); err != nil {
		t.Errorf("a file with the key: %v", err)
	}
	if err := os.WriteFile(file, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Page(t.Context(), "k", "s", nil); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("an empty file: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "http://" + l.Addr().String() + "/" + hookToken
	_ = l.Close()
	silent := newDesk(t, func(*http.Request, map[string]any) error { return nil }, reply{})
	rows := []struct{ name, url, want string }{
		{"dead port", dead, "the paging webhook refused the connection; tries: "},
		{"unknown host", "http://nothing.invalid/" + hookToken, "has no address"},
		{"silent", silent.URL + "/" + hookToken, "did not answer in time"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p, err := New(Options{Webhook: row.url})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
			defer cancel()
			begun := time.Now()
			err = p.Page(ctx, "k", "s", nil)
			if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), hookToken) {
				t.Errorf("Page() = %v; want %q without the URL", err, row.want)
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("took %s with a deadline of 0.7 s", took)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		name string
		o    Options
		want string
	}{
		{"nobody", Options{}, "nobody to call"},
		{"webhook of no scheme", Options{Webhook: "host/" + hookToken}, "the URL of the paging webhook is not understood"},
		{"broken URL", Options{RoutingKey: routingKey, URL: "http://a b/" + hookToken}, "the URL of PagerDuty is not understood"},
	} {
		if _, err := New(row.o); err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), hookToken) {
			t.Errorf("%s: New() = %v; want %q", row.name, err, row.want)
		}
	}
	p, err := New(Options{Webhook: "http://nothing.invalid"})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ key, summary, want string }{
		{"", "s", "page key"}, {strings.Repeat("k", 256), "s", "page key"}, {"k", " \n", "page summary"},
	} {
		if err := p.Page(t.Context(), row.key, row.summary, nil); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("Page(%.10q, %q) = %v; want %q", row.key, row.summary, err, row.want)
		}
	}
	if p, err := New(Options{RoutingKey: routingKey}); err != nil || p.ways[0].to(p.options) != "https://events.pagerduty.com/v2/enqueue" {
		t.Errorf("New() without a URL = %v", err)
	}
}
