package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"

	"cdcbot/internal/config"
	"cdcbot/internal/lab"
	"cdcbot/internal/redact"
)

// What is written vault:PATH#FIELD comes from Vault, also by `bot doctor`, and what it gave is used for the database.
func TestFillReal(t *testing.T) {
	s := lab.Require(t, lab.Vault, lab.Postgres)
	c := loaded(t, fmt.Sprintf(`
slack: {channel: C1}
vault: {url: '%s', token: '%s'}
pipelines:
  warehouse:
    connect: {url: 'http://127.0.0.1:1', username: vault:secret/cdc/postgres#username, password: vault:secret/cdc/postgres#password}
    postgres:
      url: '%s'
      username: vault:database/creds/postgresql-writer#username
      password: vault:database/creds/postgresql-writer#password
    http: {grafana: {url: 'http://127.0.0.1:1', token: vault:secret/cdc/cassandra#password}}
`, s.Vault, s.VaultToken, s.Postgres))
	v, err := Fill(t.Context(), c, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close(context.WithoutCancel(t.Context())) })
	p := c.Pipelines["warehouse"]
	if p.Connect.Username != "sink" || p.Connect.Password != "sink" || p.HTTP["grafana"].Token != "cassandra" || !strings.HasPrefix(p.Postgres.Username, "v-") {
		t.Errorf("got %+v", p)
	}
	w, err := openWorld(c, "warehouse", nil, nil, around{secrets: v})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	text, err := w.postgres.(prober).Probe(t.Context())
	if err != nil || !strings.Contains(text, "user "+p.Postgres.Username) {
		t.Errorf("got %q, %v", text, err)
	}
	mask := redact.New()
	learn(c, mask)("database/creds/postgresql-writer", func(field string) string { return field + "-of-tomorrow" })
	if got := mask.Text("password-of-tomorrow of username-of-tomorrow"); got != redact.Mask+" of username-of-tomorrow" {
		t.Errorf("got %q", got)
	}
}

func TestFillNamesWhatIsMissing(t *testing.T) {
	s := lab.Require(t, lab.Vault)
	const start = "slack: {channel: C1, bot_token: 'vault:secret/cdc/postgres#password', app_token: 'vault:secret/cdc/slack#app_token'}\npipelines: {warehouse: {connect: {url: 'http://127.0.0.1:1'}}}\n"
	_, err := Fill(t.Context(), loaded(t, start+fmt.Sprintf("vault: {url: '%s', token: '%s'}", s.Vault, s.VaultToken)), zap.NewNop())
	var e *config.Error
	if !errors.As(err, &e) || len(e.Problems) != 2 || !strings.Contains(err.Error(), "slack.app_token: \"vault:secret/cdc/slack#app_token\"") || !strings.Contains(err.Error(), "a token that starts with xoxb-") {
		t.Errorf("got %v", err)
	}
	_, err = Fill(t.Context(), loaded(t, start+"vault: {url: 'http://127.0.0.1:1', role_id: r, secret_id: hunter2hunter2}"), zap.NewNop())
	if err == nil || !strings.Contains(err.Error(), "logging in to Vault at auth/approle/login") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("away: got %v", err)
	}
	if v, err := Fill(t.Context(), loaded(t, "slack: {channel: C1}\npipelines: {warehouse: {connect: {url: 'http://127.0.0.1:1'}}}"), zap.NewNop()); v != nil || err != nil {
		t.Errorf("without references: got %v, %v", v, err)
	}
}
