package vault

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestNew(t *testing.T) {
	text := write(t, "no.pem", "this is no certificate")
	for _, test := range []struct {
		name    string
		options Options
		want    string // part of the error; "" when the options are good
	}{
		{"only a URL", Options{URL: "http://vault:8200"}, ""},
		{"a slash at the end", Options{URL: "https://vault:8200/"}, ""},
		{"nothing", Options{}, "vault url: not understood"},
		{"no scheme", Options{URL: "vault:8200"}, "vault url: not understood"},
		{"another scheme", Options{URL: "ftp://vault"}, "expected http://host:8200"},
		{"a login in the URL", Options{URL: "http://user:hunter2@vault:8200"}, "without a login"},
		{"token and AppRole", Options{URL: "http://v", Token: "t", RoleID: "r", SecretID: "s"}, "not both"},
		{"AppRole without its secret", Options{URL: "http://v", RoleID: "r"}, "secret_id: missing"},
		{"a strange mount", Options{URL: "http://v", RoleID: "r", SecretID: "s", Mount: "../sys"}, `vault mount "../sys"`},
		{"no such CA file", Options{URL: "https://v", CAFile: "/nowhere.pem"}, "vault ca_file: open /nowhere.pem"},
		{"a CA file that is none", Options{URL: "https://v", CAFile: text}, "no certificate in it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(test.options)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("New(%+v): %v, want %q", test.options, err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}

// TestEnvironment plants what Vault's own programs read: the bot is configured by its file alone.
func TestEnvironment(t *testing.T) {
	t.Setenv("VAULT_ADDR", "http://127.0.0.1:1")
	t.Setenv("VAULT_TOKEN", "hvs.fromenvironment")
	t.Setenv("VAULT_NAMESPACE", "other")
	t.Setenv("VAULT_HEADERS", `{"X-Planted":"1"}`)
	var seen http.Header
	address := serveAt(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		fmt.Fprint(w, `{"data":{"keys":[]}}`)
	}))
	c, err := New(Options{URL: address, Token: "hvs.mine", Namespace: "cdc"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Leases(t.Context(), writer); err != nil {
		t.Fatal(err)
	}
	if seen.Get("X-Vault-Token") != "hvs.mine" || seen.Get("X-Vault-Namespace") != "cdc" || seen.Get("X-Planted") != "" || seen.Get("X-Vault-Request") != "true" {
		t.Errorf("the request carried %v", seen)
	}
	if _, err := c.Health(t.Context()); err == nil {
		t.Error("a list of keys passed for health")
	}
	if seen.Get("X-Vault-Token") != "" {
		t.Errorf("health carried a token")
	}
}

func TestTokens(t *testing.T) {
	w := recorded(t)
	file := write(t, "token", "hvs.old\n")
	c, err := New(Options{URL: w.url, Token: "ignored", TokenFile: file})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Leases(t.Context(), writer)
	expect(t, err, Denied, 403, "refused the token")
	if err := os.WriteFile(file, []byte(w.bot+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = c.Leases(t.Context(), writer); err != nil {
		t.Errorf("with the rotated file: %v", err)
	}
	for _, test := range []struct {
		name, want string
		options    Options
	}{
		{"none", "no Vault token is configured", Options{}},
		{"no file", "vault token file: open /nowhere", Options{TokenFile: "/nowhere"}},
		{"empty file", "empty", Options{TokenFile: write(t, "empty", "\n")}},
		{"two lines", "expected one line", Options{TokenFile: write(t, "two", "hvs.one\nhvs.two\n")}},
		{"no secret_id file", "vault secret_id file: open /nowhere", Options{RoleID: "r", SecretIDFile: "/nowhere"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.options.URL = w.url
			c, err := New(test.options)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = c.Lookup(t.Context(), writer+"/x")
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hvs.one") {
				t.Errorf("got %v, want %q and no token", err, test.want)
			}
		})
	}
}

// TestAppRole counts logins: one for many requests, another when two thirds of the token's hour are over, and one more
// when the token is refused.
func TestAppRole(t *testing.T) {
	var logins atomic.Int32
	s := &stand{leases: map[string]held{}, tokens: map[string]bool{}}
	address := serveAt(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/login") {
			logins.Add(1)
		}
		s.ServeHTTP(w, r)
	}))
	now := time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)
	c, err := New(Options{URL: address, RoleID: roleID, SecretIDFile: write(t, "secret", secretID), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name   string
		before func()
		want   int32
	}{
		{"the first request logs in", func() {}, 1},
		{"the second does not", func() {}, 1},
		{"nor one after 39 minutes", func() { now = now.Add(39 * time.Minute) }, 1},
		{"one after 40 minutes does", func() { now = now.Add(time.Minute) }, 2},
		{"one whose token was revoked does", func() { s.mutex.Lock(); clear(s.tokens); s.mutex.Unlock() }, 3},
	} {
		step.before()
		if _, err := c.Leases(t.Context(), writer); err != nil || logins.Load() != step.want {
			t.Errorf("%s: %d logins, %v; want %d", step.name, logins.Load(), err, step.want)
		}
	}
	_, err = c.Leases(t.Context(), "database")
	expect(t, err, Denied, 403, "policy")
	if got := logins.Load(); got != 4 {
		t.Errorf("a denial made %d logins, want one more", got-3)
	}
}

func TestStates(t *testing.T) {
	for _, test := range []struct{ name, health, want, reason string }{
		{"standby", `{"initialized":true,"sealed":false,"standby":true,"version":"1.21.1"}`, "answers, unsealed; it is a standby", ""},
		{"new", `{"initialized":false,"sealed":true,"standby":true,"version":"1.21.1"}`, "is not initialised", Sealed},
		{"sealed", `{"initialized":true,"sealed":true,"standby":true,"version":"1.21.1"}`, sealed, Sealed},
		{"another server", `{"status":"UP"}`, "not as Vault does (no field sealed)", Broken},
		{"a page", `<html>`, "not as Vault does", Broken},
		{"nothing", ``, "not as Vault does", Broken},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := at(t, answering(200, test.health))
			text, err := c.Probe(t.Context())
			if test.reason != "" {
				var e *Error
				if !errors.As(err, &e) || e.Reason() != test.reason || !strings.Contains(e.Error(), test.want) {
					t.Fatalf("probe: %v, want %s: %s", err, test.reason, test.want)
				}
				return
			}
			if err != nil || !strings.Contains(text, test.want) {
				t.Errorf("probe: %q, %v, want %q", text, err, test.want)
			}
		})
	}
}

// TestAnswers are what Vault and what stands before it says in trouble.
func TestAnswers(t *testing.T) {
	for _, test := range []struct {
		name         string
		status       int
		body         string
		reason, want string
	}{
		{"sealed", 503, `{"errors":["Vault is sealed"]}`, Sealed, sealed},
		{"no active node", 500, `{"errors":["local node not active but active cluster node not found"]}`, Standby, "knows no active node"},
		{"not renewable", 400, `{"errors":["lease is not renewable"]}`, Broken, "fetch fresh credentials"},
		{"quota", 429, `{"errors":["request path \"sys/leases/lookup\": rate limit quota exceeded"]}`, Busy, "quota"},
		{"bad gateway", 502, `<html>Bad Gateway, token hvs.mine</html>`, Broken, "answered 502, and not as Vault does"},
		{"two errors", 500, `{"errors":["2 errors occurred:\n\t* disk full\n\t* and hvs.mine\n\n"]}`, Broken, "answered 500: disk full; and …"},
		{"a page instead of JSON", 200, `<html>`, Broken, "not as Vault does"},
		{"an answer without a lease", 200, `{"data":{}}`, Broken, "not as Vault does (no number ttl)"},
		{"nothing", 200, ``, Broken, "not as Vault does"},
		{"no content", 204, ``, Broken, "not as Vault does"},
		{"half an answer", 200, `{"data":{"ttl":`, Broken, "not as Vault does"},
		{"a long error", 500, `{"errors":["` + strings.Repeat("ä", 5000) + `"]}`, Broken, "ää…"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := at(t, answering(test.status, test.body)).Lookup(t.Context(), writer+"/x")
			var e *Error
			if !errors.As(err, &e) || e.Reason() != test.reason || !strings.Contains(e.Error(), test.want) {
				t.Fatalf("answer %d %.60s: got %v, want %s: %s", test.status, test.body, err, test.reason, test.want)
			}
			if strings.Contains(err.Error(), "hvs.mine") || len(err.Error()) > 600 {
				t.Errorf("%d bytes, with the token: %v", len(err.Error()), err)
			}
		})
	}
}

func TestTransport(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	encrypted := httptest.NewTLSServer(answering(200, `{"initialized":true,"sealed":false,"version":"1.21.1"}`))
	t.Cleanup(encrypted.Close)
	ca := write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: encrypted.Certificate().Raw})))
	hanging := serveAt(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	for _, test := range []struct {
		name, reason, want string
		options            Options
	}{
		{"nothing listens", Refused, "refused the connection", Options{URL: closed.URL}},
		{"unknown authority", Broken, "offers no TLS that this client accepts", Options{URL: encrypted.URL}},
		{"known authority", "", "Vault 1.21.1", Options{URL: encrypted.URL, CAFile: ca}},
		{"HTTPS to HTTP", Broken, "offers no TLS", Options{URL: strings.Replace(hanging, "http:", "https:", 1)}},
		{"no answer", Timeout, "did not answer in time", Options{URL: hanging, Timeout: 50 * time.Millisecond}},
		{"hangs up", Refused, "hung up", Options{URL: "http://" + hangUp(t)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := New(test.options)
			if err != nil {
				t.Fatal(err)
			}
			text, err := c.Probe(t.Context())
			if test.reason != "" {
				expect(t, err, test.reason, 0, test.want)
			} else if err != nil || !strings.Contains(text, test.want) {
				t.Errorf("probe: %q, %v", text, err)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := at(t, answering(200, `{}`)).Health(ctx)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want it to be context.Canceled", err)
		}
	})
}

// TestBounds feeds the client more than it wants.
func TestBounds(t *testing.T) {
	t.Run("an endless answer", func(t *testing.T) {
		c := at(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for chunk := []byte(strings.Repeat(" ", 1<<16)); r.Context().Err() == nil; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}))
		_, _, err := c.Lookup(t.Context(), writer+"/x")
		var e *Error
		if !errors.As(err, &e) || e.Reason() != Broken {
			t.Errorf("got %v", err)
		}
	})
	t.Run("too many leases", func(t *testing.T) {
		body := `{"data":{"keys":["` + strings.Repeat(`a","`, mostLeases+1) + `a"]}}`
		_, err := at(t, answering(200, body)).Leases(t.Context(), writer)
		if err == nil || !strings.Contains(err.Error(), "more than 10000") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("folders without an end", func(t *testing.T) {
		if leases, err := at(t, answering(200, `{"data":{"keys":["deeper/"]}}`)).Leases(t.Context(), "a"); len(leases) != 0 || err != nil {
			t.Errorf("got %q, %v", leases, err)
		}
	})
}

func TestExpiryText(t *testing.T) {
	for _, test := range []struct {
		expiry Expiry
		want   string
	}{
		{Expiry{}, "no leases"},
		{Expiry{Leases: 2, Looked: 2}, "2 leases, which have just ended"},
		{Expiry{Lease: "a/b", In: time.Hour, Leases: 1, Looked: 1}, "one lease, a/b, which ends in 1h0m0s"},
		{Expiry{Lease: "a/b", In: time.Minute, Leases: 900, Looked: 200}, "900 leases (200 looked up), of which a/b ends first, in 1m0s"},
	} {
		if got := test.expiry.String(); got != test.want {
			t.Errorf("%+v: %q, want %q", test.expiry, got, test.want)
		}
	}
}

func TestClean(t *testing.T) {
	for _, test := range []struct{ given, want string }{
		{"database/creds/postgresql-writer", "database/creds/postgresql-writer"},
		{"/database/creds/postgresql-writer/", "database/creds/postgresql-writer"},
		{"", ""},
		{"/", ""},
		{"..", ""},
		{"../sys/seal", ""},
		{"database/../sys/seal", ""},
		{"database//creds", ""},
		{"database/creds/a?list=true", ""},
		{"database/creds/a%2f..", ""},
		{"database/creds/a b", ""},
		{"database/creds/<role>\n", ""},
		{"database/creds/*", ""},
	} {
		got, err := clean("path", test.given)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("clean(%q): %q, %v, want %q", test.given, got, err, test.want)
		}
	}
}

// FuzzAnswer feeds the client any answer: it never panics, and its errors stay short and keep the token.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{`{"errors":["Vault is sealed"]}`, `{"data":{"keys":["a","b/"]}}`, `{"data":{"ttl":9,"renewable":true}}`,
		`{"lease_id":"x","lease_duration":9}`, `{"data":{"username":"u","password":"p"},"lease_id":"x"}`, `<html>`, `{"errors":["hvs.mine"]}`} {
		for _, status := range []int{200, 204, 400, 403, 404, 500, 503} {
			f.Add(status, seed)
		}
	}
	var status atomic.Int64
	var body atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(status.Load()))
		fmt.Fprint(w, body.Load())
	}))
	f.Cleanup(server.Close)
	c, err := New(Options{URL: server.URL, Token: "hvs.mine"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, code int, text string) {
		status.Store(int64(200 + (code%400+400)%400))
		body.Store(text)
		_, probe := c.Probe(t.Context())
		_, leases := c.Leases(t.Context(), writer)
		_, _, lookup := c.Lookup(t.Context(), writer+"/x")
		_, renew := c.Renew(t.Context(), writer+"/x")
		_, _, _, _, fetched := c.Credentials(t.Context(), writer)
		for _, err := range []error{probe, leases, lookup, renew, fetched} {
			if err != nil && (len(err.Error()) > 1000 || strings.Contains(err.Error(), "hvs.mine")) {
				t.Errorf("%d %q: %v", code, text, err)
			}
		}
	})
}

// at is a client of a server with one answer.
func at(t *testing.T, handler http.Handler) *Client {
	t.Helper()
	c, err := New(Options{URL: serveAt(t, handler), Token: "hvs.mine"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answering(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

// hangUp takes connections and ends them.
func hangUp(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return listener.Addr().String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
