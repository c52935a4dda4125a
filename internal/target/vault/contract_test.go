package vault

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/lab"

	"github.com/jackc/pgx/v5"
)

// world is a Vault for the rows below: the recorded one or the lab's.
type world struct {
	url        string
	bot, tests string // tokens: of the bot's policy, and one that may do everything
	revoke     func(lease string)
	login      func(ctx context.Context, username, password string) error
	appRole    func(t *testing.T) (roleID, secretID string)
	seal       func()
}

func (w world) client(t *testing.T, token string) *Client {
	t.Helper()
	c, err := New(Options{URL: w.url, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	writer = "database/creds/postgresql-writer" // 24 h, at most 72 h
	brief  = "database/creds/postgresql-short"  // 10 s, at most 30 s
	fixed  = "database/creds/postgresql-fixed"  // one minute, never longer
)

// TestContract holds the recorded Vault to what the lab's does, and the client to both.
func TestContract(t *testing.T) {
	for _, row := range contract {
		t.Run("recorded/"+row.name, func(t *testing.T) { row.run(t, recorded(t)) })
	}
	t.Run("lab", func(t *testing.T) {
		w := ofLab(t, lab.Require(t, lab.Vault, lab.Postgres))
		for _, row := range contract {
			t.Run(row.name, func(t *testing.T) { row.run(t, w) })
		}
	})
}

// TestContractSealed is apart because nobody else can use a sealed Vault.
func TestContractSealed(t *testing.T) {
	t.Run("recorded", func(t *testing.T) { whileSealed(t, recorded(t)) })
	t.Run("lab", func(t *testing.T) {
		services := lab.Alone(t, lab.Vault, lab.Postgres)
		w := ofLab(t, services)
		w.seal = func() { services.SealVault(t) }
		whileSealed(t, w)
	})
}

func ofLab(t *testing.T, s lab.Services) world {
	return world{
		url: s.Vault, bot: s.VaultBotToken(t), tests: s.VaultToken,
		revoke: func(lease string) { s.RevokeLease(t, lease) },
		login: func(ctx context.Context, username, password string) error {
			config, err := pgx.ParseConfig(s.Postgres)
			if err != nil {
				return err
			}
			config.User, config.Password = username, password
			conn, err := pgx.ConnectConfig(ctx, config)
			if err != nil {
				return err
			}
			return conn.Close(ctx)
		},
		appRole: func(t *testing.T) (string, string) { return s.VaultAppRole(t) },
	}
}

var contract = []struct {
	name string
	run  func(t *testing.T, w world)
}{
	{"health", func(t *testing.T, w world) {
		health, err := w.client(t, "").Health(t.Context())
		if err != nil || health["sealed"] != false || health["initialized"] != true || health["version"] != "1.21.1" {
			t.Errorf("health without a token: %v, %v", health, err)
		}
	}},
	{"probe", func(t *testing.T, w world) {
		got, err := w.client(t, "").Probe(t.Context())
		if want := "Vault 1.21.1 at " + strings.TrimPrefix(w.url, "http://") + " answers, unsealed"; got != want || err != nil {
			t.Errorf("probe: %q, %v, want %q", got, err, want)
		}
	}},
	{"fresh credentials log in until their lease is revoked", func(t *testing.T, w world) {
		c := w.client(t, w.bot)
		username, password, lease, ttl, err := c.Credentials(t.Context(), writer)
		if err != nil || !strings.HasPrefix(lease, writer+"/") || ttl != 24*time.Hour {
			t.Fatalf("credentials of %s: lease %q for %s, %v", writer, lease, ttl, err)
		}
		if err := w.login(t.Context(), username, password); err != nil {
			t.Errorf("login as %s: %v", username, err)
		}
		w.revoke(lease)
		if err := w.login(t.Context(), username, password); err == nil || !strings.Contains(err.Error(), "28P01") {
			t.Errorf("login as %s after its lease was revoked: %v, want 28P01", username, err)
		}
	}},
	{"every call has a lease of its own", func(t *testing.T, w world) {
		c := w.client(t, w.bot)
		first, second := fetch(t, w, c, writer), fetch(t, w, c, writer)
		leases, err := c.Leases(t.Context(), writer)
		if err != nil || first == second || !slices.Contains(leases, first) || !slices.Contains(leases, second) {
			t.Errorf("leases of %s: %q, %v; want %s and %s among them", writer, leases, err, first, second)
		}
	}},
	{"leases below folders", func(t *testing.T, w world) {
		c := w.client(t, w.tests)
		long, short := fetch(t, w, c, writer), fetch(t, w, c, brief)
		for _, prefix := range []string{"database", "database/creds", "/database/creds/"} {
			leases, err := c.Leases(t.Context(), prefix)
			if err != nil || !slices.Contains(leases, long) || !slices.Contains(leases, short) {
				t.Errorf("leases of %s: %q, %v; want %s and %s among them", prefix, leases, err, long, short)
			}
		}
	}},
	{"no leases", func(t *testing.T, w world) {
		if leases, err := w.client(t, w.tests).Leases(t.Context(), "database/creds/nobody"); len(leases) != 0 || err != nil {
			t.Errorf("leases of a role that is not there: %q, %v", leases, err)
		}
	}},
	{"lookup", func(t *testing.T, w world) {
		c := w.client(t, w.bot)
		ttl, renewable, err := c.Lookup(t.Context(), fetch(t, w, c, writer))
		if err != nil || !renewable || ttl > 24*time.Hour || ttl < 23*time.Hour {
			t.Errorf("lookup: %s, renewable %t, %v", ttl, renewable, err)
		}
	}},
	{"renew", func(t *testing.T, w world) {
		c := w.client(t, w.bot)
		if ttl, err := c.Renew(t.Context(), fetch(t, w, c, writer)); err != nil || ttl != 24*time.Hour {
			t.Errorf("renew: %s, %v; want 24h", ttl, err)
		}
	}},
	{"renew at the longest life", func(t *testing.T, w world) {
		c := w.client(t, w.tests)
		lease := fetch(t, w, c, fixed)
		lab.Await(t, "a renewal to give less than the role's minute", 5*time.Second, func(ctx context.Context) (bool, error) {
			ttl, err := c.Renew(ctx, lease)
			if err == nil && (ttl > time.Minute || ttl < 50*time.Second) {
				t.Errorf("renewed for %s, want a little less than 1m", ttl)
			}
			return ttl < time.Minute, err
		})
	}},
	{"the first to end", func(t *testing.T, w world) {
		c := w.client(t, w.tests)
		fetch(t, w, c, writer)
		fetch(t, w, c, brief)
		got, err := c.Expiring(t.Context(), "database/creds")
		if err != nil || got.Leases < 2 || got.In > 10*time.Second || !strings.HasPrefix(got.Lease, "database/creds/") {
			t.Errorf("expiring: %+v, %v; want a lease within 10s", got, err)
		}
	}},
	{"a lease that was revoked", func(t *testing.T, w world) {
		c := w.client(t, w.bot)
		lease := fetch(t, w, c, writer)
		w.revoke(lease)
		_, _, err := c.Lookup(t.Context(), lease)
		expect(t, err, Missing, 400, "lease "+lease, "has ended or was revoked")
		_, err = c.Renew(t.Context(), lease)
		expect(t, err, Missing, 400, "renewing lease "+lease, "fetch fresh credentials")
	}},
	{"wrong role", func(t *testing.T, w world) {
		_, _, _, _, err := w.client(t, w.tests).Credentials(t.Context(), "database/creds/nobody")
		expect(t, err, Missing, 400, "credentials of database/creds/nobody", "has no such role")
	}},
	{"wrong path", func(t *testing.T, w world) {
		_, _, _, _, err := w.client(t, w.tests).Credentials(t.Context(), "nothing/here")
		expect(t, err, Missing, 404, "credentials of nothing/here", "has nothing there")
	}},
	{"a path without dynamic credentials", func(t *testing.T, w world) {
		_, _, _, _, err := w.client(t, w.tests).Credentials(t.Context(), "secret/data/cdc/postgres")
		expect(t, err, Missing, 200, "gives no login with a lease", "database/creds/postgresql-writer")
	}},
	{"a path that the policy denies", func(t *testing.T, w world) {
		_, _, _, _, err := w.client(t, w.bot).Credentials(t.Context(), brief)
		expect(t, err, Denied, 403, `path "database/creds/postgresql-short" { capabilities = ["read"] }`)
	}},
	{"a list that the policy denies", func(t *testing.T, w world) {
		_, err := w.client(t, w.bot).Leases(t.Context(), "database/creds")
		expect(t, err, Denied, 403, `path "sys/leases/lookup/database/creds/" { capabilities = ["list", "sudo"] }`)
	}},
	{"wrong token", func(t *testing.T, w world) {
		_, _, _, _, err := w.client(t, "hvs.CAESIJwrongwrong").Credentials(t.Context(), writer)
		expect(t, err, Denied, 403, "refused the token: it has expired or was revoked")
		if strings.Contains(err.Error(), "wrongwrong") {
			t.Errorf("the error holds the token: %v", err)
		}
	}},
	{"AppRole", func(t *testing.T, w world) {
		id, secret := w.appRole(t)
		c, err := New(Options{URL: w.url, RoleID: id, SecretID: secret})
		if err != nil {
			t.Fatal(err)
		}
		if ttl, err := c.Renew(t.Context(), fetch(t, w, c, writer)); err != nil || ttl != 24*time.Hour {
			t.Errorf("renew after logging in by AppRole: %s, %v", ttl, err)
		}
	}},
	{"AppRole with a wrong secret", func(t *testing.T, w world) {
		id, _ := w.appRole(t)
		c, err := New(Options{URL: w.url, RoleID: id, SecretID: "11111111-2222-3333-4444-555555555555"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Leases(t.Context(), writer)
		expect(t, err, Denied, 400, "logging in by AppRole", "role_id or secret_id is wrong")
		if strings.Contains(err.Error(), "55555555") {
			t.Errorf("the error holds the secret ID: %v", err)
		}
	}},
}

// whileSealed asks everything of a Vault that is sealed.
func whileSealed(t *testing.T, w world) {
	c := w.client(t, w.bot)
	lease := fetch(t, w, c, writer)
	w.seal()
	health, err := c.Health(t.Context())
	if err != nil || health["sealed"] != true || health["version"] != "1.21.1" {
		t.Errorf("health: %v, %v", health, err)
	}
	_, err = c.Probe(t.Context())
	expect(t, err, Sealed, 0, "two key holders must unseal it; the bot never handles unseal keys")
	calls := map[string]func() error{
		"leases":      func() error { _, err := c.Leases(t.Context(), writer); return err },
		"lookup":      func() error { _, _, err := c.Lookup(t.Context(), lease); return err },
		"renew":       func() error { _, err := c.Renew(t.Context(), lease); return err },
		"credentials": func() error { _, _, _, _, err := c.Credentials(t.Context(), writer); return err },
		"expiring":    func() error { _, err := c.Expiring(t.Context(), writer); return err },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) { expect(t, call(), Sealed, http.StatusServiceUnavailable, sealed) })
	}
}

// fetch takes credentials and revokes them when the test ends, after what was sealed is open again.
func fetch(t *testing.T, w world, c *Client, path string) string {
	t.Helper()
	_, _, lease, _, err := c.Credentials(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.revoke(lease) })
	return lease
}

// expect checks an *Error: its reason, status and parts of its text.
func expect(t *testing.T, err error, reason string, status int, parts ...string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error with reason %s", err, reason)
	}
	if e.Reason() != reason || e.Status != status {
		t.Errorf("%v: reason %s, status %d; want %s, %d", err, e.Reason(), e.Status, reason, status)
	}
	for _, part := range parts {
		if !strings.Contains(e.Error(), part) {
			t.Errorf("%q does not say %q", e.Error(), part)
		}
	}
}

// serveAt starts a server that ends with the test.
func serveAt(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}
