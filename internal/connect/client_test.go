package connect_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cdcbot/internal/connect"
	"cdcbot/internal/connect/connecttest"
)

const (
	html404  = "<html>\n<head><title>Error 404 Not Found</title></head><body>HTTP ERROR 404</body></html>"
	notHere  = `{"error_code":404,"message":"No status found for connector orders sink"}`
	stale    = `{"error_code":409,"message":"Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)"}`
	leader   = `{"error_code":409,"message":"Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway."}`
	expected = `{"error_code":500,"message":"Request cannot be completed because a rebalance is expected"}`
	forward  = `{"error_code":500,"message":"IO Error trying to forward REST request: java.net.ConnectException: Connection refused"}`
	running  = `{"name":"orders sink","connector":{"state":"RUNNING","worker_id":"a:8083"},"tasks":[{"id":0,"state":"RUNNING","worker_id":"b:8083"}],"type":"sink"}`
)

func client(t *testing.T, url string, timeout time.Duration) *connect.Client {
	t.Helper()
	c, err := connect.New(connect.Options{Cluster: "warehouse", URL: url, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// saying is a server that gives the answers in turn, the last one again and again, and counts the calls.
func saying(t *testing.T, answers ...string) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var calls atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := min(int(calls.Add(1)), len(answers)) - 1
		code, body := 0, ""
		if _, err := fmt.Sscanf(answers[i], "%d", &code); err != nil {
			t.Errorf("answer %q has no code", answers[i])
		}
		_, body, _ = strings.Cut(answers[i], " ")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s, &calls
}

// TestRefusals: every answer that workers were seen to refuse with, what it means, whether it passes, and how often a
// read and a change try within the timeout (1: not again).
func TestRefusals(t *testing.T) {
	tests := []struct {
		name, answer string
		kind         error
		transient    bool
		readAgain    bool
		writeAgain   bool
	}{
		{"starting", "404 " + html404, connect.ErrStarting, true, true, true},
		{"not there", "404 " + notHere, connect.ErrNotFound, false, false, false},
		{"joining", "409 " + stale, connect.ErrRebalancing, true, true, true},
		{"no leader", "409 " + leader, connect.ErrRebalancing, true, true, true},
		{"rebalance expected", "500 " + expected, connect.ErrRebalancing, true, true, true},
		{"forward broke", "500 " + forward, connect.ErrRebalancing, true, true, false},
		{"timed out", `500 {"error_code":500,"message":"Request timed out. The worker is currently in a rebalance"}`, connect.ErrTimeout, true, false, false},
		{"exists", `409 {"error_code":409,"message":"Connector x already exists"}`, connect.ErrConflict, false, false, false},
		{"not stopped", `400 {"error_code":400,"message":"Connectors must be in the STOPPED state before their offsets can be modified."}`, connect.ErrNotStopped, false, false, false},
		{"bad config", `400 {"error_code":400,"message":"Connector configuration is invalid"}`, connect.ErrInvalidConfig, false, false, false},
		{"envelope", "500 {\"error_code\":500,\"message\":\"Cannot deserialize value of type `java.lang.String` from Object value\"}", connect.ErrInvalidConfig, false, false, false},
		{"unknown plugin", `500 {"error_code":500,"message":"org.apache.kafka.connect.runtime.rest.errors.BadRequestException: Failed to find any class"}`, connect.ErrInvalidConfig, false, false, false},
		{"name", "400 <html><title>Error 400 Ambiguous URI path separator</title></html>", connect.ErrName, false, false, false},
		{"name, Windows style", "400 <html><title>Error 400 Suspicious Path Character</title></html>", connect.ErrName, false, false, false},
		{"name, of a change", "400 ", connect.ErrName, false, false, false},
		{"credentials", "401 User cannot access the resource.", connect.ErrUnauthorized, false, false, false},
		{"forbidden", "403 ", connect.ErrUnauthorized, false, false, false},
		{"method", `405 {"error_code":405,"message":"HTTP 405 Method Not Allowed"}`, connect.ErrUnsupported, false, false, false},
		{"proxy has nobody", "503 <html>no upstream</html>", connect.ErrUnreachable, true, true, false},
		{"proxy was cut off", "502 bad gateway", connect.ErrUnreachable, true, true, false},
		{"proxy waited in vain", "504 ", connect.ErrTimeout, true, false, false},
		{"unheard of", "500 kaboom", nil, false, false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			const short = 200 * time.Millisecond
			server, reads := saying(t, test.answer)
			_, err := client(t, server.URL, short).Status(t.Context(), "orders sink")
			var e *connect.Error
			if !errors.As(err, &e) || !errors.Is(e.Kind, test.kind) || connect.IsTransient(err) != test.transient {
				t.Fatalf("status on %q: got %v (transient %t), want %v (%t)", test.answer, err, connect.IsTransient(err), test.kind, test.transient)
			}
			for _, part := range []string{`"orders sink"`, "warehouse", "status", fmt.Sprint(e.HTTPStatus)} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %s", err, part)
				}
			}
			if again := reads.Load() > 1; again != test.readAgain {
				t.Errorf("a read tried %d times", reads.Load())
			}
			server, writes := saying(t, test.answer)
			_, _ = client(t, server.URL, short).Restart(t.Context(), "orders sink", true)
			if again := writes.Load() > 1; again != test.writeAgain {
				t.Errorf("a change tried %d times", writes.Load())
			}
		})
	}
}

func TestRecovers(t *testing.T) {
	server, calls := saying(t, "404 "+html404, "500 "+expected, "200 "+running)
	s, err := client(t, server.URL, time.Minute).Status(t.Context(), "orders sink")
	if err != nil || !s.Running() || calls.Load() != 3 {
		t.Errorf("got %+v, %v after %d calls; want RUNNING after 3", s, err, calls.Load())
	}
}

func TestUnreachable(t *testing.T) {
	server, _ := saying(t, "200 {}")
	url := server.URL
	server.Close()
	_, err := client(t, strings.Replace(url, "http://", "http://bot:s3cret@", 1), time.Second).Connectors(t.Context())
	if !errors.Is(err, connect.ErrUnreachable) || !connect.IsTransient(err) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("closed port: got %v", err)
	}
	hang := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer slow.Close()
	defer close(hang)
	_, err = client(t, slow.URL, 50*time.Millisecond).Root(t.Context())
	if !errors.Is(err, connect.ErrTimeout) {
		t.Errorf("silence: got %v, want ErrTimeout", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client(t, slow.URL, time.Second).Root(ctx)
	if !errors.Is(err, context.Canceled) || connect.IsTransient(err) {
		t.Errorf("canceled: got %v, want context.Canceled and not transient", err)
	}
}

func TestDeadlineKeepsTheReason(t *testing.T) {
	server, _ := saying(t, "409 "+stale)
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	err := client(t, server.URL, time.Minute).Pause(ctx, "orders")
	if !errors.Is(err, connect.ErrRebalancing) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "stale configuration") {
		t.Errorf("got %v, want what the worker said, and that the time is over", err)
	}
}

func TestBrokenAnswers(t *testing.T) {
	tests := []struct{ name, answer string }{
		{"HTML", "200 <html>welcome to nginx</html>"},
		{"a list", "200 []"},
		{"cut off", `200 {"name":"a","connector":{"sta`},
		{"a number for a state", `200 {"connector":{"state":7}}`},
		{"binary", "200 \x00\xff\xfe"},
	}
	for _, test := range tests {
		server, _ := saying(t, test.answer)
		if _, err := client(t, server.URL, time.Second).Status(t.Context(), "a"); !errors.Is(err, connect.ErrBroken) {
			t.Errorf("%s: got %v, want ErrBroken", test.name, err)
		}
	}
}

func TestLargeAnswerIsRefused(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat("a", 1<<20))
		for range 40 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	if _, err := client(t, server.URL, 10*time.Second).Root(t.Context()); !errors.Is(err, connect.ErrBroken) || !strings.Contains(err.Error(), "32 MiB") {
		t.Errorf("40 MiB: got %v, want ErrBroken", err)
	}
}

func TestRedirects(t *testing.T) {
	var leaked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { leaked.Store(true) }))
	defer other.Close()
	worker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/base/" {
			http.Redirect(w, r, "/base/root", http.StatusFound)
			return
		}
		if r.URL.Path == "/base/root" {
			_, _ = io.WriteString(w, `{"version":"4.3.1"}`)
			return
		}
		http.Redirect(w, r, other.URL+"/x", http.StatusTemporaryRedirect)
	}))
	defer worker.Close()
	c := client(t, worker.URL+"/base", time.Second)
	if w, err := c.Root(t.Context()); err != nil || w.Version != "4.3.1" {
		t.Errorf("redirect to itself: %+v %v", w, err)
	}
	for _, err := range []error{c.Delete(t.Context(), "a"), func() error { _, err := c.Config(t.Context(), "a"); return err }()} {
		if !errors.Is(err, connect.ErrBroken) || leaked.Load() {
			t.Errorf("redirect to another address: %v, followed %t", err, leaked.Load())
		}
	}
}

func TestCredentials(t *testing.T) {
	var seen atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	tests := []struct {
		name string
		o    connect.Options
		want string
	}{
		{"none", connect.Options{URL: server.URL}, ""},
		{"basic", connect.Options{URL: server.URL, Username: "bot", Password: "s3cret"}, "Basic Ym90OnMzY3JldA=="},
		{"in the URL", connect.Options{URL: strings.Replace(server.URL, "//", "//bot:s3cret@", 1)}, "Basic Ym90OnMzY3JldA=="},
		{"bearer", connect.Options{URL: server.URL, Token: "s3cret"}, "Bearer s3cret"},
	}
	for _, test := range tests {
		c, err := connect.New(test.o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Root(t.Context())
		if seen.Load() != test.want || !errors.Is(err, connect.ErrUnauthorized) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: sent %q, error %v; want %q", test.name, seen.Load(), err, test.want)
		}
	}
}

func TestSecretsOfAConfigurationStayOut(t *testing.T) {
	_, url := simulated(t, connecttest.Options{})
	config := map[string]string{"connection.password": "hunter2 x", "sasl.jaas.config": "login required\n pw=1;", "tasks.max": "7"}
	err := client(t, url, time.Second).PutConfig(t.Context(), "postgres-sink-connector", config)
	if !errors.Is(err, connect.ErrInvalidConfig) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "login required") || !strings.Contains(err.Error(), "tasks.max=7") {
		t.Errorf("got %v; want the worker's words without secret values", err)
	}
}

func TestNewRefuses(t *testing.T) {
	noPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(noPEM, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		o    connect.Options
		want string
	}{
		{"empty", connect.Options{}, `URL ""`},
		{"no scheme", connect.Options{URL: "localhost:8083"}, "http://localhost:8083"},
		{"another scheme", connect.Options{URL: "ftp://x"}, `"ftp://x"`},
		{"no host", connect.Options{URL: "http://:8083"}, `"http://:8083"`},
		{"query", connect.Options{URL: "http://a/?b=c"}, "expected something like"},
		{"password in a wrong URL", connect.Options{URL: "ftp://u:s3cret@x"}, "xxxxx"},
		{"not a URL", connect.Options{URL: "http://a b:s3cret@[::1"}, "(not a URL)"},
		{"no CA file", connect.Options{URL: "https://a", CAFile: "/nowhere"}, "reading CA file"},
		{"no PEM", connect.Options{URL: "https://a", CAFile: noPEM}, "expected PEM certificates"},
	}
	for _, test := range tests {
		test.o.Cluster = "warehouse"
		_, err := connect.New(test.o)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "warehouse") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"version":"4.3.1"}`) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it would tell of the refused handshake
	server.StartTLS()
	defer server.Close()
	if _, err := client(t, server.URL, time.Second).Root(t.Context()); !errors.Is(err, connect.ErrUnreachable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("unknown authority: got %v", err)
	}
	c, err := connect.New(connect.Options{URL: server.URL, Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Root(t.Context()); err != nil {
		t.Errorf("insecure: %v", err)
	}
}

// TestNames: every name reaches the server as it is, one segment of the path.
func TestNames(t *testing.T) {
	var got atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.RequestURI)
		_, _ = io.WriteString(w, "{}")
	}))
	defer server.Close()
	tests := []struct{ name, want string }{
		{"plain", "plain"}, {"a b", "a%20b"}, {"a/b", "a%2Fb"}, {"a%2Fb", "a%252Fb"}, {`q"'`, "q%22%27"}, {"..", "%2E%2E"}, {".", "%2E"}, {"a.b", "a.b"},
		{"ü日", "%C3%BC%E6%97%A5"}, {"a?b#c", "a%3Fb%23c"}, {"{x}", "%7Bx%7D"}, {"a;b", "a%3Bb"}, {"a\\b", "a%5Cb"}, {"a\nb", "a%0Ab"}, {"../../admin", "..%2F..%2Fadmin"},
	}
	for _, test := range tests {
		_, err := client(t, server.URL, time.Second).Config(t.Context(), test.name)
		want := "/connectors/" + test.want + "/config"
		if err != nil || got.Load() != want {
			t.Errorf("name %q: asked %q, %v; want %q", test.name, got.Load(), err, want)
		}
	}
	if err := client(t, server.URL, time.Second).Delete(t.Context(), ""); !errors.Is(err, connect.ErrNotFound) {
		t.Errorf("delete without a name: %v", err)
	}
}

func FuzzStatus(f *testing.F) {
	f.Add([]byte(running))
	f.Add([]byte(notHere))
	f.Add([]byte(`{"tasks":[{"id":1e99}]}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, body []byte) {
		transport := roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(body))), Request: r}, nil
		})
		c, err := connect.New(connect.Options{Cluster: "w", URL: "http://a", Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Status(t.Context(), "a")
		if err != nil && !errors.Is(err, connect.ErrBroken) {
			t.Errorf("%q: %v", body, err)
		}
		_, _, _ = s.Failed(), s.Running(), s.Workers()
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// simulated is a worker with the reference connectors.
func simulated(t *testing.T, o connecttest.Options) (*connecttest.Worker, string) {
	t.Helper()
	w := connecttest.New(o)
	sources := map[string]map[string]string{
		"cassandra-source-connector": {"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "topic": "orders", "file": "orders.txt"},
		"postgres-sink-connector": {"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "tasks.max": "3", "topics": "orders",
			"connection.url": "jdbc:postgresql://localhost/warehouse", "connection.password": "x", "schema.evolution": "basic"},
	}
	for name, config := range sources {
		if err := w.AddConnector(name, config); err != nil {
			t.Fatal(err)
		}
	}
	url, err := w.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w, url
}

func TestOffsetsKeepNumbers(t *testing.T) {
	server, _ := saying(t, `200 {"offsets":[{"partition":{"kafka_topic":"a","kafka_partition":0},"offset":{"kafka_offset":9007199254740993}},{"partition":{"p":1},"offset":null}]}`)
	list, err := client(t, server.URL, time.Second).Offsets(t.Context(), "a")
	if err != nil || len(list) != 2 {
		t.Fatalf("got %v, %v", list, err)
	}
	b, err := json.Marshal(list)
	if want := `[{"partition":{"kafka_partition":0,"kafka_topic":"a"},"offset":{"kafka_offset":9007199254740993}},{"partition":{"p":1},"offset":null}]`; err != nil || string(b) != want {
		t.Errorf("written again: %s, %v; want %s", b, err, want)
	}
}
