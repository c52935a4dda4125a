package secrets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/jackc/pgx/v5"

	"cdcbot/internal/lab"
)

// root is the lab's Vault as its tests' token sees it.
func root(t *testing.T) (*api.Client, lab.Services) {
	t.Helper()
	s := lab.Require(t, lab.Vault, lab.Postgres)
	client, err := api.NewClient(&api.Config{Address: s.Vault})
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(s.VaultToken)
	return client, s
}

// write puts something into Vault.
func write(t *testing.T, c *api.Client, path string, data map[string]any) *api.Secret {
	t.Helper()
	answer, err := c.Logical().WriteWithContext(context.WithoutCancel(t.Context()), path, data)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// reader is an AppRole that may read what a bot would, with a policy of the test's own; its login lasts ttl.
func reader(t *testing.T, c *api.Client, ttl string) (roleID, secretID string) {
	t.Helper()
	name := fmt.Sprintf("secrets-%d", time.Now().UnixNano())
	write(t, c, "sys/policies/acl/"+name, map[string]any{"policy": `path "secret/data/*" { capabilities = ["read"] }
path "` + name + `/*" { capabilities = ["read"] }
path "database/creds/*" { capabilities = ["read"] }`})
	write(t, c, "auth/approle/role/"+name, map[string]any{"token_policies": name, "token_ttl": ttl, "token_max_ttl": ttl})
	t.Cleanup(func() {
		for _, path := range []string{"auth/approle/role/" + name, "sys/policies/acl/" + name} {
			if _, err := c.Logical().DeleteWithContext(context.WithoutCancel(t.Context()), path); err != nil {
				t.Error(err)
			}
		}
	})
	id, err := c.Logical().ReadWithContext(t.Context(), "auth/approle/role/"+name+"/role-id")
	if err != nil {
		t.Fatal(err)
	}
	return id.Data["role_id"].(string), write(t, c, "auth/approle/role/"+name+"/secret-id", nil).Data["secret_id"].(string)
}

func open(t *testing.T, o Options) *Vault {
	t.Helper()
	v, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close(context.WithoutCancel(t.Context())) })
	return v
}

// KV of both versions, by the paths that people write, and dynamic credentials that log in to the database.
func TestGetReal(t *testing.T) {
	c, s := root(t)
	mount := fmt.Sprintf("secrets-kv1-%d", time.Now().UnixNano())
	if err := c.Sys().MountWithContext(t.Context(), mount, &api.MountInput{Type: "kv", Options: map[string]string{"version": "1"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Sys().UnmountWithContext(context.WithoutCancel(t.Context()), mount); err != nil {
			t.Error(err)
		}
	})
	write(t, c, mount+"/slack", map[string]any{"bot_token": "xoxb-one"})
	v := open(t, Options{URL: s.Vault, Token: s.VaultToken})
	for _, row := range []struct{ path, field, want string }{
		{"secret/cdc/postgres", "password", "sink"},
		{"secret/data/cdc/postgres", "username", "sink"},
		{mount + "/slack", "bot_token", "xoxb-one"},
	} {
		if got, err := v.Get(t.Context(), row.path, row.field); err != nil || got != row.want {
			t.Errorf("%s#%s: got %q, %v", row.path, row.field, got, err)
		}
	}
	for _, row := range [][2]string{{"secret/cdc/postgres", "nothing"}, {"secret/cdc/nothing", "x"}, {mount + "/nothing", "x"}} {
		if _, err := v.Get(t.Context(), row[0], row[1]); !errors.Is(err, ErrNoValue) {
			t.Errorf("%s: got %v", row, err)
		}
	}
}

func canLogIn(ctx context.Context, s lab.Services, user, password string) error {
	config, err := pgx.ParseConfig(s.Postgres)
	if err != nil {
		return err
	}
	config.User, config.Password = user, password
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// A lease that cannot be renewed any longer is followed by another login, before the old one ends; so is the bot's own
// login. At every moment the login that is known works.
func TestRotationReal(t *testing.T) {
	c, s := root(t)
	roleID, secretID := reader(t, c, "20s")
	const path = "database/creds/postgresql-short" // 10 s, renewable up to 30 s
	var mu sync.Mutex
	told := map[string]bool{}
	v := open(t, Options{URL: s.Vault, RoleID: roleID, SecretID: secretID})
	v.Tell(func(_ string, value func(string) string) {
		mu.Lock()
		defer mu.Unlock()
		told[value("password")] = true
	})
	first, err := v.Get(t.Context(), path, "username")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 70*time.Second)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() {
		if err := v.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	users := map[string]bool{}
	for len(users) < 3 && ctx.Err() == nil {
		user, password := v.Now(path, "username"), v.Now(path, "password")
		if err := canLogIn(ctx, s, user, password); err != nil && user == v.Now(path, "username") {
			t.Fatalf("%s does not get in: %v", user, err)
		}
		mu.Lock()
		if !told[password] {
			t.Error("a password is in use that nobody was told of")
		}
		mu.Unlock()
		users[user] = true
		<-tick.C
	}
	cancel()
	all.Wait()
	if !users[first] || len(users) < 3 {
		t.Errorf("got %d logins", len(users))
	}
	last := v.Now(path, "username")
	v.Close(t.Context())
	if err := canLogIn(t.Context(), s, last, v.Now(path, "password")); err == nil {
		t.Error("what was lent is not given back")
	}
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The ways to log in, as they go over the wire.
func TestLogin(t *testing.T) {
	var path string
	var body map[string]string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, body = r.URL.Path, nil
		_ = json.NewDecoder(r.Body).Decode(&body)
		if body["secret_id"] == "wrong" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"errors":["invalid secret id wrong"]}`))
			return
		}
		_, _ = w.Write([]byte(`{"auth":{"client_token":"t","lease_duration":60,"renewable":true}}`))
	}))
	t.Cleanup(server.Close)
	jwt := file(t, "service.account.token\n")
	for _, row := range []struct {
		name    string
		options Options
		path    string
		body    map[string]string
		err     string
	}{
		{"AppRole", Options{RoleID: "r", SecretID: "s"}, "/v1/auth/approle/login", map[string]string{"role_id": "r", "secret_id": "s"}, ""},
		{"AppRole elsewhere", Options{RoleID: "r", SecretID: "s", Mount: "bots"}, "/v1/auth/bots/login", map[string]string{"role_id": "r", "secret_id": "s"}, ""},
		{"Kubernetes", Options{Role: "cdcbot", JWTFile: jwt}, "/v1/auth/kubernetes/login", map[string]string{"role": "cdcbot", "jwt": "service.account.token"}, ""},
		{"a token in a file", Options{TokenFile: file(t, "hvs.1\n")}, "", nil, ""},
		{"nothing", Options{}, "", nil, "vault.token: missing"},
		{"no service account", Options{Role: "cdcbot", JWTFile: "/nowhere"}, "", nil, "vault.kubernetes_token_file"},
		{"no token file", Options{TokenFile: "/nowhere"}, "", nil, "vault.token_file"},
		{"refused", Options{RoleID: "r", SecretID: "wrong"}, "/v1/auth/approle/login", map[string]string{"role_id": "r", "secret_id": "wrong"}, "answered 400: invalid secret id …"},
	} {
		t.Run(row.name, func(t *testing.T) {
			path, body = "", nil
			row.options.URL = server.URL
			v, err := New(row.options)
			if err != nil {
				t.Fatal(err)
			}
			err = v.Login(t.Context())
			if (err == nil) != (row.err == "") || err != nil && !strings.Contains(err.Error(), row.err) {
				t.Fatalf("got %v, want %q", err, row.err)
			}
			if path != row.path || fmt.Sprint(body) != fmt.Sprint(row.body) {
				t.Errorf("got %s %v, want %s %v", path, body, row.path, row.body)
			}
		})
	}
}

// A token in a file that somebody else renews is taken over when the file changes.
func TestTokenFileIsReadAnew(t *testing.T) {
	v, err := New(Options{URL: "http://127.0.0.1:1", TokenFile: file(t, "one"), Refresh: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(v.options.TokenFile, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	v.hold(t.Context())
	if got := v.api.Token(); got != "two" {
		t.Errorf("got %s", got)
	}
}

func TestNewChecks(t *testing.T) {
	for _, o := range []Options{{URL: "http://x", CAFile: "/nowhere"}, {URL: "http://x", CAFile: file(t, "no certificate")}, {URL: "::"}} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), "vault.") {
			t.Errorf("%+v: got %v", o, err)
		}
	}
}
