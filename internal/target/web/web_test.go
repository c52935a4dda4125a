package web

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/lab"
)

const planted = "Zq7kPlantedSecret"

// echo answers with the request line and the login, and misbehaves below /odd.
func echo(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Method, r.RequestURI, r.Header.Get("Authorization"))
	})
	mux.HandleFunc("/odd/elsewhere", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://user:"+planted+"@elsewhere.invalid/x", http.StatusFound)
	})
	mux.HandleFunc("/odd/here", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/arrived", http.StatusFound) })
	mux.HandleFunc("/odd/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/odd/round", http.StatusFound) })
	mux.HandleFunc("/odd/endless", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/odd/bomb", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		for range 20 {
			_, _ = z.Write(make([]byte, 1<<20))
		}
		_ = z.Close()
	})
	mux.HandleFunc("/odd/silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/odd/hangup", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for path, body := range map[string]string{"/list": `["a","b"]`, "/one": `["a"]`, "/object": `{"data":{"version":"2.42.0"}}`} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
	}
	for code, body := range map[int]string{401: `{"detail":"who is ` + planted + `?"}`, 403: "", 404: "<html>no</html>", 418: `{"message":"short and stout"}`, 429: `{}`, 503: "Service \x1b[31mUnavailable\nsecond line", 500: `{"error":"boom"}`} {
		mux.HandleFunc(fmt.Sprintf("/code/%d", code), func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		})
	}
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func open(t *testing.T, o Options) *Client {
	t.Helper()
	o.Name = cmp.Or(o.Name, "registry")
	c, err := New(o)
	if err != nil {
		t.Fatalf("New(%q): %v", o.URL, err)
	}
	return c
}

func TestGet(t *testing.T) {
	server := echo(t)
	rows := []struct{ name, base, path, want string }{
		{"root", "", "", "GET / "},
		{"path", "", "/subjects", "GET /subjects "},
		{"appended", "/apis/ccompat/v7", "/subjects", "GET /apis/ccompat/v7/subjects "},
		{"appended to a slash", "/apis/", "/subjects", "GET /apis/subjects "},
		{"base alone", "/apis", "", "GET /apis "},
		{"base with a query", "/apis", "?a=1", "GET /apis?a=1 "},
		{"query", "", "/q?query=up%7Ba%3D%22b%22%7D&x=1", "GET /q?query=up%7Ba%3D%22b%22%7D&x=1 "},
		{"query as people write it", "", `/q?query=rate(x{a="b"}[5m]) > 1`, "GET /q?query=rate(x%7Ba=%22b%22%7D[5m])%20%3E%201 "},
		{"bare percent", "", "/q?x=100%&y=%zz%41", "GET /q?x=100%25&y=%25zz%41 "},
		{"escaped slash stays", "", "/subjects/a%2Fb/versions", "GET /subjects/a%2Fb/versions "},
		{"letters of another script", "", "/é", "GET /%C3%A9 "},
		{"line break", "", "/a\r\nHost: x", "GET /a%0D%0AHost:%20x "},
		{"fragment goes", "", "/a#b?c", "GET /a "},
		{"redirect to itself", "", "/odd/here", "GET /arrived "},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			status, body, err := open(t, Options{URL: server.URL + row.base}).Get(t.Context(), row.path)
			if err != nil || status != http.StatusOK || string(body) != row.want {
				t.Errorf("Get(%q) = %d %q, %v; want %q", row.path, status, body, err, row.want)
			}
		})
	}
}

func TestAnswersOfErrorsAreAnswers(t *testing.T) {
	c := open(t, Options{URL: echo(t).URL})
	for _, code := range []int{401, 403, 404, 418, 429, 500, 503} {
		if status, _, err := c.Get(t.Context(), fmt.Sprintf("/code/%d", code)); status != code || err != nil {
			t.Errorf("Get(/code/%d) = %d, %v", code, status, err)
		}
	}
}

func TestGetErrors(t *testing.T) {
	server := echo(t)
	at := strings.TrimPrefix(server.URL, "http://")
	rows := []struct{ name, url, path, reason, want string }{
		{"other host", server.URL, "/odd/elsewhere", Broken, "/odd/elsewhere: registry at " + at + " redirects to http://elsewhere.invalid, which is not followed"},
		{"round and round", server.URL, "/odd/round", Broken, "redirects to itself again and again"},
		{"too much", server.URL, "/odd/endless", Broken, "answered more than 8 MiB"},
		{"too much, packed", server.URL, "/odd/bomb", Broken, "answered more than 8 MiB"},
		{"silent", server.URL, "/odd/silent?token=" + planted, Timeout, "/odd/silent: registry at " + at + " did not answer in time"},
		{"hangs up", server.URL, "/odd/hangup", Refused, "hung up"},
		{"dead port", "http://" + deadPort(t), "/x", Refused, "refused the connection"},
		{"unknown host", "http://nothing.invalid:80", "/x", Missing, "has no address"},
		{"no TLS there", strings.Replace(server.URL, "http", "https", 1), "/x", Broken, "offers no TLS that this client accepts"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := open(t, Options{URL: row.url, Token: planted, Timeout: 5 * time.Second})
			if row.name == "silent" {
				c.timeout = 100 * time.Millisecond
			}
			_, _, err := c.Get(t.Context(), row.path)
			var told *Error
			if !errors.As(err, &told) || told.Reason() != row.reason || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), planted) {
				t.Errorf("Get(%q) = %v; want reason %s, %q and no secret", row.path, err, row.reason, row.want)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, err := open(t, Options{URL: server.URL}).Get(ctx, "/")
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "not waited for") {
			t.Errorf("Get() = %v", err)
		}
	})
	for _, path := range []string{"subjects", "/a/../b", "/a/%2e%2E/b", `/..\b`} {
		if _, _, err := open(t, Options{URL: server.URL}).Get(t.Context(), path); err == nil || !strings.Contains(err.Error(), "registry") {
			t.Errorf("Get(%q) = %v; want a refusal", path, err)
		}
	}
}

func TestLogin(t *testing.T) {
	server := echo(t)
	file := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	get := func(o Options) (string, error) {
		o.URL = cmp.Or(o.URL, server.URL)
		_, body, err := open(t, o).Get(t.Context(), "/x")
		return strings.TrimPrefix(string(body), "GET /x "), err
	}
	rows := []struct {
		name string
		o    Options
		file string
		want string
	}{
		{"nobody", Options{}, "", ""},
		{"token", Options{Token: "abc"}, "", "Bearer abc"},
		{"token file", Options{TokenFile: file, Token: "old"}, "abc\n", "Bearer abc"},
		{"password", Options{Username: "bot", Password: "pa ss"}, "", "Basic Ym90OnBhIHNz"},
		{"password file", Options{Username: "bot", PasswordFile: file}, "pa ss\r\n", "Basic Ym90OnBhIHNz"},
		{"in the URL", Options{URL: strings.Replace(server.URL, "//", "//bot:pa%20ss@", 1)}, "", "Basic Ym90OnBhIHNz"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			write(row.file)
			if got, err := get(row.o); err != nil || got != row.want {
				t.Errorf("got %q, %v; want %q", got, err, row.want)
			}
		})
	}
	for _, bad := range []string{"", "a\nb"} {
		write(bad)
		if _, err := get(Options{TokenFile: file}); err == nil || !strings.Contains(err.Error(), "registry token file") {
			t.Errorf("token file %q: %v; want an error that names it", bad, err)
		}
	}
	if _, err := get(Options{TokenFile: file + ".gone"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("token file that is not there: %v", err)
	}
}

func TestNew(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		name string
		o    Options
		want string
	}{
		{"no name", Options{URL: "http://h"}, "name of a system"},
		{"no url", Options{Name: "registry"}, "registry url: not understood"},
		{"other scheme", Options{Name: "registry", URL: "ftp://h"}, "registry url"},
		{"query", Options{Name: "registry", URL: "http://h?k=" + planted}, "without a query"},
		{"broken url", Options{Name: "registry", URL: "http://u:" + planted + "@h:port"}, "registry url"},
		{"both logins", Options{Name: "registry", URL: "http://h", Username: "u", Token: planted}, "one of them"},
		{"no CA", Options{Name: "registry", URL: "https://h", CAFile: "/nowhere.pem"}, "registry ca_file"},
		{"empty CA", Options{Name: "registry", URL: "https://h", CAFile: empty}, "no certificate in it"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if _, err := New(row.o); err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), planted) {
				t.Errorf("New() = %v; want %q and no secret", err, row.want)
			}
		})
	}
}

func TestAuthority(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, body, err := open(t, Options{URL: server.URL, CAFile: file}).Get(t.Context(), "/"); err != nil || string(body) != "ok" {
		t.Errorf("with the authority: %q, %v", body, err)
	}
	if _, _, err := open(t, Options{URL: server.URL}).Get(t.Context(), "/"); err == nil || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("without the authority: %v", err)
	}
}

func TestProbe(t *testing.T) {
	server := echo(t)
	at := strings.TrimPrefix(server.URL, "http://")
	rows := []struct {
		name, path string
		want       func([]byte) (string, error)
		text       string
		reason     string
	}{
		{"any answer", "/-/ready", nil, "registry at " + at + " answers", ""},
		{"list", "/list", Count("subjects"), "registry at " + at + " answers (2 subjects)", ""},
		{"list of one", "/one", Count("subjects"), "registry at " + at + " answers (1 subject)", ""},
		{"field", "/object", Field("data", "version"), "registry at " + at + " answers (2.42.0)", ""},
		{"no list", "/object", Count("subjects"), "answered, and not as expected: no JSON list of subjects", Broken},
		{"no field", "/object", Field("data", "age"), "no field age", Broken},
		{"no object", "/list", Field("data"), "no field data", Broken},
		{"no JSON", "/text", Field("data"), "no JSON", Broken},
		{"login", "/code/401", nil, "refused the login (401: who is …?)", Denied},
		{"right", "/code/403", nil, "denies the permission (403)", Denied},
		{"page", "/code/404", nil, "has nothing there (404)", Missing},
		{"too many", "/code/429", nil, "takes no more requests now (429)", Busy},
		{"not ready", "/code/503", nil, "is not ready (503: Service  [31mUnavailable)", Busy},
		{"boom", "/code/500", nil, "answered an error (500: boom)", Broken},
		{"teapot", "/code/418", nil, "answered an error (418: short and stout)", Broken},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			text, err := open(t, Options{URL: server.URL, Token: planted}).Probe(row.path, row.want)(t.Context())
			if row.reason == "" {
				if err != nil || text != row.text {
					t.Errorf("Probe(%s) = %q, %v; want %q", row.path, text, err, row.text)
				}
				return
			}
			var told *Error
			if !errors.As(err, &told) || told.Reason() != row.reason || !strings.Contains(err.Error(), row.text) {
				t.Errorf("Probe(%s) = %v; want %s: %q", row.path, err, row.reason, row.text)
			}
		})
	}
}

func TestLab(t *testing.T) {
	s := lab.Require(t, lab.Registry, lab.Prometheus)
	registry := open(t, Options{Name: "schema registry", URL: s.Registry})
	text, err := registry.Probe("/subjects", Count("subjects"))(t.Context())
	if err != nil || !strings.HasPrefix(text, "schema registry at "+registry.Address()+" answers (") {
		t.Errorf("Probe(/subjects) = %q, %v", text, err)
	}
	if status, body, err := registry.Get(t.Context(), "/subjects/no-such-subject/versions"); status != http.StatusNotFound || err != nil {
		t.Errorf("Get of a subject that is not there = %d %s, %v", status, body, err)
	}
	prometheus := open(t, Options{Name: "Prometheus", URL: s.Prometheus})
	text, err = prometheus.Probe("/api/v1/status/buildinfo", Field("data", "version"))(t.Context())
	if err != nil || !strings.HasPrefix(text, "Prometheus at ") {
		t.Errorf("Probe(buildinfo) = %q, %v", text, err)
	}
	status, body, err := prometheus.Get(t.Context(), `/api/v1/query?query=up{job="connect"} >= 0`)
	if err != nil || status != http.StatusOK || !bytes.Contains(body, []byte(`"success"`)) {
		t.Errorf("query = %d %s, %v", status, body, err)
	}
}

// deadPort is an address where nothing listens.
func deadPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func FuzzResolve(f *testing.F) {
	for _, path := range []string{"", "/", "/subjects", "?a=b", "/a?b{c}", "//evil/x", "/..", "/%2e%2e", "/%", "#", "/a\nb", "http://evil/", "/@evil", `\\evil`} {
		f.Add(path)
	}
	c, err := New(Options{Name: "x", URL: "http://h:1/base"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		where, err := c.resolve(path)
		if err != nil {
			return
		}
		u, err := url.Parse(where)
		if err != nil || u.Host != "h:1" || u.User != nil || !strings.HasPrefix(u.Path, "/base") {
			t.Errorf("resolve(%q) = %q, which is %v, %v", path, where, u, err)
		}
		if strings.ContainsFunc(where, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("resolve(%q) = %q holds what no URL may", path, where)
		}
	})
}
