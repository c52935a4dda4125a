package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/lab"
)

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

func client(t *testing.T, o Options) *Client {
	t.Helper()
	if o.Name == "" {
		o.Name = "the registry"
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGet(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.URL.Path == "/base/none" {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.URL.RequestURI(), user, password, r.Header.Get("Authorization"))
	})
	cases := []struct {
		name   string
		o      Options
		path   string
		status int
		want   string
	}{
		{"plain", Options{URL: s.URL}, "/subjects", 200, "GET /subjects"},
		{"a query", Options{URL: s.URL}, "/q?query=sum(a)%20by%20(b)", 200, "GET /q?query=sum(a)%20by%20(b)"},
		{"under a path", Options{URL: s.URL + "/base/"}, "/subjects", 200, "GET /base/subjects"},
		{"an answer of 404 is an answer", Options{URL: s.URL + "/base"}, "/none", 404, "GET /base/none"},
		{"basic", Options{URL: s.URL, Username: "oncall", Password: "secret-1"}, "/", 200, "oncall secret-1"},
		{"basic in the URL", Options{URL: strings.Replace(s.URL, "http://", "http://oncall:secret-2@", 1)}, "/", 200, "oncall secret-2"},
		{"bearer", Options{URL: s.URL, Token: "secret-3"}, "/", 200, "Bearer secret-3"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			status, body, err := client(t, c.o).Get(t.Context(), c.path)
			if err != nil || status != c.status || !strings.Contains(string(body), c.want) {
				t.Errorf("Get(%q): got %d %q, %v; want %d and %q", c.path, status, body, err, c.status, c.want)
			}
		})
	}
}

func TestGetStaysAtHome(t *testing.T) {
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") })
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+"/", http.StatusFound)
	})
	c := client(t, Options{URL: s.URL, Token: "secret"})
	for _, path := range []string{elsewhere.URL + "/", "//" + strings.TrimPrefix(elsewhere.URL, "http://") + "/", "relative", "http:/x", "/redirected"} {
		if _, _, err := c.Get(t.Context(), path); !errors.Is(err, ErrForeign) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Get(%q): got %v, want ErrForeign", path, err)
		}
	}
}

func TestErrors(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	big := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 9 {
			_, _ = w.Write(make([]byte, 1<<20))
		}
	})
	broken := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		_ = conn.Close()
	})
	private := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(private.Close)
	cases := []struct{ name, url, why string }{
		{"nobody listens", "http://127.0.0.1:1", "refused"},
		{"silence", "http://" + silent.Addr().String(), "timeout"},
		{"no such host", "http://registry.invalid:8081", "unknown host"},
		{"an unknown authority", private.URL, "certificate"},
		{"too much", big.URL, "too large"},
		{"hung up", broken.URL, "broken"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			_, _, err := client(t, Options{URL: c.url, Password: "secret", Username: "u", Timeout: time.Second}).Get(t.Context(), "/a?token=secret")
			var e *Error
			if !errors.As(err, &e) || e.Reason() != c.why && !(c.why == "unknown host" && e.Reason() == "timeout") || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v (%+v), want reason %s", err, e, c.why)
			}
			if time.Since(began) > 5*time.Second {
				t.Errorf("took %s", time.Since(began))
			}
		})
	}
	for _, bad := range []Options{{Name: "x", URL: "localhost:8081"}, {Name: "x", URL: "ftp://h"}, {Name: "x", URL: "http://h", CAFile: "/nowhere"}} {
		if _, err := New(bad); err == nil || !strings.Contains(err.Error(), "of x") {
			t.Errorf("New(%+v): got %v", bad, err)
		}
	}
}

func TestProbe(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	c := client(t, Options{URL: s.URL})
	if text, err := c.Probe("/")(t.Context()); err != nil || !strings.Contains(text, "answers") {
		t.Errorf("got %q, %v", text, err)
	}
	if _, err := c.Probe("/bad")(t.Context()); err == nil || !strings.Contains(err.Error(), "502 Bad Gateway") {
		t.Errorf("got %v", err)
	}
}

// The same questions on the real systems.
func TestReal(t *testing.T) {
	s := lab.Require(t, lab.Registry, lab.Prometheus, lab.Connect)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, row := range []struct{ name, url, path, want string }{
		{"subjects of the registry", s.Registry, "/subjects", "["},
		{"a query of Prometheus", s.Prometheus, "/api/v1/query?query=up", `"status":"success"`},
		{"the worker", s.Connect, "/", `"kafka_cluster_id"`},
	} {
		status, body, err := client(t, Options{URL: row.url}).Get(ctx, row.path)
		if err != nil || status != http.StatusOK || !strings.Contains(string(body), row.want) {
			t.Errorf("%s: got %d %.200s, %v", row.name, status, body, err)
		}
	}
}
