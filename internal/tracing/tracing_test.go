package tracing

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// collector is an OTLP/HTTP receiver that takes only what the specification's JSON encoding allows.
type collector struct {
	*httptest.Server
	mu     sync.Mutex
	spans  []span
	about  []keyValue
	header http.Header
	path   string
}

func newCollector(t *testing.T, status int) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var data tracesData
		d := json.NewDecoder(strings.NewReader(string(body)))
		d.DisallowUnknownFields()
		if err := d.Decode(&data); err != nil {
			t.Errorf("%v: %s", err, body)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.path, c.header = r.URL.Path, r.Header
		for _, rs := range data.ResourceSpans {
			c.about = rs.Resource.Attributes
			for _, ss := range rs.ScopeSpans {
				c.spans = append(c.spans, ss.Spans...)
			}
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"partialSuccess":{}}`)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) named(t *testing.T, name string) span {
	t.Helper()
	for _, s := range c.spans {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no span is called %q", name)
	return span{}
}

func text(list []keyValue, key string) any {
	for _, kv := range list {
		if kv.Key == key {
			for _, v := range kv.Value {
				return v
			}
		}
	}
	return nil
}

func TestSpansArrive(t *testing.T) {
	c := newCollector(t, http.StatusOK)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "bad") {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(target.Close)
	stop, err := Start(Options{Endpoint: c.URL, Token: "t0ken", Ratio: 1, Version: "1.2.3", Replica: "a"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := Span(t.Context(), "command restart", "cdcbot.incident", "INC-1", "cdcbot.run", "", "cdcbot.reason", "password=hunter2hunter2")
	if x := Exemplar(ctx); !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(x["trace_id"]) {
		t.Errorf("exemplar %v", x)
	}
	client := &http.Client{Transport: Transport("warehouse/connect", nil)}
	for _, path := range []string{"/connectors/secret-name", "/bad"} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.URL+path+"?token=x", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close() // nothing was read
	}
	_, inner := Span(ctx, "step connect.restart")
	inner(errors.New("the worker said password=hunter2hunter2"))
	end(nil)
	if err := stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}

	root := c.named(t, "command restart")
	if c.path != "/v1/traces" || c.header.Get("Content-Type") != "application/json" || c.header.Get("Authorization") != "Bearer t0ken" {
		t.Errorf("sent to %s with %v", c.path, c.header)
	}
	if text(c.about, "service.name") != "cdcbot" || text(c.about, "service.version") != "1.2.3" {
		t.Errorf("sent about %v", c.about)
	}
	if d := cmp.Diff([]any{"INC-1", nil, 1, ""}, []any{text(root.Attributes, "cdcbot.incident"), text(root.Attributes, "cdcbot.run"), root.Kind, root.ParentID}); d != "" {
		t.Error(d)
	}
	step := c.named(t, "step connect.restart")
	if step.ParentID != root.SpanID || step.TraceID != root.TraceID || step.Status.Code != 2 {
		t.Errorf("the step %+v belongs to %+v", step, root)
	}
	var codes []any
	for _, s := range c.spans {
		if s.Name == "GET warehouse/connect" {
			codes = append(codes, text(s.Attributes, "http.response.status_code"), s.Status.Code, s.Kind)
		}
	}
	if d := cmp.Diff([]any{"200", 0, 3, "502", 2, 3}, codes); d != "" {
		t.Errorf("calls to the target: %s", d)
	}
	all, err := json.Marshal(c.spans)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hunter2", "secret-name", "token=x"} {
		if strings.Contains(string(all), secret) {
			t.Errorf("the traces tell %q: %s", secret, all)
		}
	}
}

func TestNothingIsRecordedWithoutAnEndpoint(t *testing.T) {
	stop, err := Start(Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := Span(t.Context(), "command status")
	end(errors.New("x"))
	if Exemplar(ctx) != nil {
		t.Error("a span is sampled although nobody asked for traces")
	}
	if err := stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnEndpointThatFailsIsTold(t *testing.T) {
	c := newCollector(t, http.StatusForbidden)
	var told []error
	stop, err := Start(Options{Endpoint: c.URL + "/custom/path", Ratio: 1, Failed: func(err error) { told = append(told, err) }})
	if err != nil {
		t.Fatal(err)
	}
	_, end := Span(t.Context(), "job execute")
	end(nil)
	if err := stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || !strings.Contains(told[0].Error(), "1 spans are lost") || !strings.Contains(told[0].Error(), "HTTP 403") || c.path != "/custom/path" {
		t.Errorf("told %v, sent to %s", told, c.path)
	}
	for _, endpoint := range []string{"collector:4318", "ftp://collector", "http://", "::"} {
		if _, err := Start(Options{Endpoint: endpoint}); err == nil || !strings.Contains(err.Error(), "tracing.endpoint") {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}
