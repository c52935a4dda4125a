package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/jackc/pgx/v4"
)

// Who may do what. The bot lists, looks up and renews the leases of one role and fetches credentials from it; the tests
// may do everything, so that they can seal the server and revoke leases.
const (
	botPolicy = `
path "database/creds/postgresql-writer" { capabilities = ["read"] }
path "sys/leases/lookup/database/creds/postgresql-writer/" { capabilities = ["list", "sudo"] }
path "sys/leases/lookup" { capabilities = ["update"] }
path "sys/leases/renew" { capabilities = ["update"] }
`
	testsPolicy = `path "*" { capabilities = ["create", "read", "update", "patch", "delete", "list", "sudo"] }`
)

// Every session of a dynamic user acts as sink: what it creates belongs to sink, so that the user can be dropped.
var createUser = []string{
	`CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE sink;`,
	`ALTER ROLE "{{name}}" SET role TO sink;`,
}

// roles are those of the database engine: the one of the runbooks, one whose leases end while a test waits, and one whose
// leases cannot be made longer.
var roles = []struct{ name, ttl, longest string }{
	{"postgresql-writer", "24h", "72h"},
	{"postgresql-short", "10s", "30s"},
	{"postgresql-fixed", "1m", "1m"},
}

// secrets is what the KV engine holds at secret/cdc/*.
var secrets = map[string]map[string]any{
	"cdc/postgres":  {"username": "sink", "password": "sink", "database": "warehouse"},
	"cdc/cassandra": {"username": "cassandra", "password": "cassandra", "keyspace": "warehouse"},
}

// provision initialises the server when it is new, unseals it, and brings mounts, roles, policies and tokens to what is
// said here. It may run again at any time.
func provision(ctx context.Context, args []string) error {
	flags, err := parse("provision", args, "vault", "postgres", "out")
	if err != nil {
		return err
	}
	client, keys, err := open(ctx, flags["vault"], flags["out"])
	if err != nil {
		return err
	}
	client.SetToken(keys.root)
	steps := []struct {
		what string
		do   func() error
	}{
		{"mounts", func() error { return mount(ctx, client) }},
		{"policies", func() error { return policies(ctx, client) }},
		{"secrets", func() error { return store(ctx, client) }},
		{"database", func() error { return databases(ctx, client, flags["postgres"]) }},
		{"bot's token", func() error { return token(ctx, client, "cdcbot", filepath.Join(flags["out"], "vault-bot-token")) }},
		{"tests' token", func() error { return token(ctx, client, "tests", filepath.Join(flags["out"], "vault-token")) }},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// unseal opens the server with the keys that provision left.
func unseal(ctx context.Context, args []string) error {
	flags, err := parse("unseal", args, "vault", "out")
	if err != nil {
		return err
	}
	_, _, err = open(ctx, flags["vault"], flags["out"])
	return err
}

// mount enables KV version 2, the database engine and AppRole.
func mount(ctx context.Context, c *api.Client) error {
	engines, err := c.Sys().ListMountsWithContext(ctx)
	if err != nil {
		return err
	}
	for path, input := range map[string]*api.MountInput{
		"secret/":   {Type: "kv", Options: map[string]string{"version": "2"}},
		"database/": {Type: "database"},
	} {
		if engines[path] == nil {
			if err := c.Sys().MountWithContext(ctx, path, input); err != nil {
				return err
			}
		}
	}
	methods, err := c.Sys().ListAuthWithContext(ctx)
	if err != nil || methods["approle/"] != nil {
		return err
	}
	return c.Sys().EnableAuthWithOptionsWithContext(ctx, "approle", &api.MountInput{Type: "approle"})
}

// policies writes both policies, and an AppRole with the bot's.
func policies(ctx context.Context, c *api.Client) error {
	for name, rules := range map[string]string{"cdcbot": botPolicy, "tests": testsPolicy} {
		if err := c.Sys().PutPolicyWithContext(ctx, name, rules); err != nil {
			return err
		}
	}
	_, err := c.Logical().WriteWithContext(ctx, "auth/approle/role/cdcbot", map[string]any{
		"token_policies": "cdcbot", "token_ttl": "1h", "token_max_ttl": "4h",
	})
	return err
}

// store writes the secrets. A new KV mount upgrades itself for a moment and refuses to be written meanwhile.
func store(ctx context.Context, c *api.Client) error {
	for path, data := range secrets {
		err := again(ctx, func() error {
			_, err := c.KVv2("secret").Put(ctx, path, data)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// databases gives the engine a login of its own that may create users, and writes the roles.
func databases(ctx context.Context, c *api.Client, postgres string) error {
	password := rand.Text()
	if err := login(ctx, postgres, password); err != nil {
		return err
	}
	_, err := c.Logical().WriteWithContext(ctx, "database/config/warehouse", map[string]any{
		"plugin_name":    "postgresql-database-plugin",
		"allowed_roles":  "postgresql-writer,postgresql-short,postgresql-fixed",
		"connection_url": "postgresql://{{username}}:{{password}}@" + postgres + "/warehouse?sslmode=disable",
		"username":       "vault", "password": password,
	})
	if err != nil {
		return err
	}
	for _, role := range roles {
		_, err := c.Logical().WriteWithContext(ctx, "database/roles/"+role.name, map[string]any{
			"db_name": "warehouse", "default_ttl": role.ttl, "max_ttl": role.longest,
			"creation_statements":   createUser,
			"revocation_statements": []string{`DROP ROLE IF EXISTS "{{name}}";`},
		})
		if err != nil {
			return fmt.Errorf("role %s: %w", role.name, err)
		}
	}
	return nil
}

// login gives the user vault a new password. It waits for PostgreSQL and its role sink: the lab starts all at once.
func login(ctx context.Context, postgres, password string) error {
	host, port, err := net.SplitHostPort(postgres)
	if err != nil {
		return fmt.Errorf("-postgres %q: expected host:port: %w", postgres, err)
	}
	return again(ctx, func() error {
		db, err := pgx.Connect(ctx, fmt.Sprintf("host=%s port=%s user=postgres dbname=warehouse sslmode=disable", host, port))
		if err != nil {
			return err
		}
		defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
		if _, err := db.Exec(ctx, createVault); err != nil {
			return err
		}
		_, err = db.Exec(ctx, "ALTER ROLE vault LOGIN CREATEROLE PASSWORD '"+password+"'") // rand.Text has no quotes
		return err
	})
}

const createVault = `
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'vault') THEN CREATE ROLE vault; END IF;
END $$;
GRANT sink TO vault WITH ADMIN OPTION`

// token leaves a token with one policy in a file, unless a good one is there.
func token(ctx context.Context, c *api.Client, policy, file string) error {
	if old, err := os.ReadFile(file); err == nil && len(old) > 0 {
		if _, err := c.Auth().Token().LookupWithContext(ctx, strings.TrimSpace(string(old))); err == nil {
			return nil
		}
	}
	secret, err := c.Auth().Token().CreateOrphanWithContext(ctx, &api.TokenCreateRequest{
		Policies: []string{policy}, DisplayName: policy, Period: "768h",
	})
	if err != nil {
		return err
	}
	return write(file, secret.Auth.ClientToken+"\n")
}

// again tries until it works, for 30 s.
func again(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}
