package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// traces are the bodies that a collector has received.
type traces struct {
	mu     sync.Mutex
	bodies []string
}

// collect starts a receiver of traces and returns its address.
func (w *world) collect(env *testscript.Env) string {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.traces.mu.Lock()
		defer w.traces.mu.Unlock()
		w.traces.bodies = append(w.traces.bodies, string(body))
	}))
	env.Defer(server.Close)
	return server.URL
}

var oneSpan = regexp.MustCompile(`\{"traceId":.*?"status":\{[^}]*\}\}`)

// spans are all that have arrived, each as JSON.
func (t *traces) spans() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return oneSpan.FindAllString(strings.Join(t.bodies, "\n"), -1)
}

// traced waits for a span.
func traced(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	found := func() bool {
		for _, s := range w.traces.spans() {
			if strings.Contains(s, `"name":"`+args[0]+`"`) && containsAll(s, args[1:]) {
				return true
			}
		}
		return false
	}
	if err := w.slack.Wait(within(patient), "a span "+args[0], found); err != nil {
		ts.Fatalf("no span %q with %q among:\n%s", args[0], args[1:], strings.Join(w.traces.spans(), "\n"))
	}
}

func containsAll(s string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(s, w) {
			return false
		}
	}
	return true
}
