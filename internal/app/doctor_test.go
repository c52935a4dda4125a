package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"cdcbot/internal/config"
	"cdcbot/internal/doctor"
	"cdcbot/internal/lab"
	"cdcbot/internal/slack"
	"cdcbot/internal/slacksim"
)

// byName is a report as a table: "check target" → finding.
func byName(r doctor.Report) map[string]doctor.Finding {
	table := map[string]doctor.Finding{}
	for _, f := range r.Findings {
		table[strings.TrimSpace(f.Check+" "+f.Target)] = f
	}
	return table
}

// saved is a file with a text.
func saved(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func loaded(t *testing.T, yaml string) *config.Config {
	t.Helper()
	c, err := config.Load(saved(t, yaml), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func workspace(t *testing.T) *slacksim.Server {
	t.Helper()
	sim := slacksim.New(slacksim.Options{Scopes: slack.Scopes})
	if _, err := sim.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	return sim
}

// expect holds findings to a table of statuses and words; a row without words wants no such finding.
func expect(t *testing.T, r doctor.Report, rows []struct {
	name   string
	status doctor.Status
	what   string
}) {
	t.Helper()
	found := byName(r)
	for _, row := range rows {
		f, ok := found[row.name]
		if !ok || f.Status != row.status || !strings.Contains(f.What+" → "+f.Mend, row.what) {
			t.Errorf("%s: got %s %q → %q, want %s with %q", row.name, f.Status, f.What, f.Mend, row.status, row.what)
		}
	}
	for _, f := range r.Findings {
		if f.Status != doctor.OK && f.Status != doctor.Skipped && f.Mend == "" {
			t.Errorf("%s %s: %s: nothing says how to mend it", f.Check, f.Target, f.What)
		}
	}
}

const tokens = "seal: {keys: 'k1:%064d'}\nslack: {bot_token: %s, app_token: %s, api_url: '%s', channel: '#cdc-incidents'}\n"

// Against the lab's real systems everything that is right is found so, and no secret is told.
func TestDoctorReal(t *testing.T) {
	s := lab.Require(t, lab.Connect, lab.Postgres, lab.Cassandra, lab.Vault, lab.Kafka, lab.Registry, lab.Prometheus, lab.Alertmanager, lab.CDCAPI, lab.Kubernetes)
	sim, rdb := workspace(t), lab.Redis(t)
	roleID, secretID := s.VaultAppRole(t)
	table := fmt.Sprintf("doctor_%d", time.Now().UnixNano())
	onDatabase(t, s.PostgresRoot, "CREATE TABLE "+table+" (id int)", "DROP TABLE "+table)
	c := loaded(t, fmt.Sprintf(tokens, 1, sim.BotToken(), sim.AppToken(), sim.APIURL())+fmt.Sprintf(`
redis: {url: 'redis://%s/0', accept: [appendfsync]}
archive: {url: '%s'}
alertmanager: {url: '%s'}
kubernetes: {kubeconfig: '%s', namespace: default}
pipelines:
  warehouse:
    connect: {url: '%s'}
    postgres: {url: '%s', progress_tables: [%s, no_such_table]}
    cassandra: {hosts: ['%s'], username: '%s', password: '%s'}
    vault: {url: '%s', role_id: '%s', secret_id: '%s', leases: database/creds/postgresql-writer/}
    kafka: {brokers: ['%s']}
    registry: {url: '%s'}
    prometheus: {url: '%s'}
    cdc_api: {url: '%s'}
    services: {cdc-api: {kind: kubernetes, name: deployment/no-such-deployment}}
  nowhere:
    connect: {url: 'http://127.0.0.1:1'}
    postgres: {url: 'postgres://admin:hunter2hunter2@127.0.0.1:1/warehouse'}
`, rdb.Addr, s.PostgresRoot, s.Alertmanager, s.Kubeconfig, s.Connect, s.Postgres, table, s.Cassandra, lab.BotOnCQL, lab.BotOnCQL, s.Vault, roleID, secretID, s.Kafka, s.Registry, s.Prometheus, s.CDCAPI))
	told := 0
	report := Doctor(t.Context(), c, func(int, int) { told++ })
	expect(t, report, []struct {
		name   string
		status doctor.Status
		what   string
	}{
		{"configuration", doctor.OK, "every key"},
		{"slack bot token slack.bot_token", doctor.OK, "Slack knows it as"},
		{"slack app token slack.app_token", doctor.OK, "offers it"},
		{"slack channel #cdc-incidents", doctor.OK, "the bot is in #cdc-incidents"},
		{"clock slack", doctor.OK, ""},
		{"clock redis", doctor.OK, ""},
		{"redis durability", doctor.Warning, "appendfsync"},
		{"connect warehouse", doctor.OK, "connectors belong to the pipeline"},
		{"postgres warehouse", doctor.OK, "PostgreSQL"},
		{"permissions warehouse/postgres/" + table, doctor.Failed, "GRANT SELECT ON " + table},
		{"permissions warehouse/postgres/no_such_table", doctor.Warning, "there is no table"},
		{"cassandra warehouse", doctor.OK, "Cassandra"},
		{"permissions warehouse/cassandra", doctor.Warning, "GRANT SELECT ON system_views.settings"},
		{"vault warehouse", doctor.OK, "unsealed"},
		{"permissions warehouse/vault", doctor.OK, "lease"},
		{"kafka warehouse", doctor.OK, "broker"},
		{"registry warehouse", doctor.OK, "200"},
		{"prometheus warehouse", doctor.OK, "200"},
		{"cdc-api warehouse", doctor.OK, "200"},
		{"kubernetes warehouse/cdc-api", doctor.Failed, "see whether names in pipelines.warehouse.services.cdc-api"},
		{"permissions warehouse/cdc-api", doctor.OK, "may restart"},
		{"archive archive.url", doctor.OK, "takes timelines"},
		{"alertmanager alertmanager.url", doctor.OK, "answers"},
		{"connect nowhere", doctor.Failed, "pipelines.nowhere.connect"},
		{"postgres nowhere", doctor.Failed, "refused the connection"},
		{"vault nowhere", doctor.Skipped, "pipelines.nowhere.vault is not configured"},
		{"runbooks those that ship", doctor.OK, "kafka-connect-connector-failure"},
		{"runbooks nowhere", doctor.Warning, "bot lint tells all"},
	})
	if report.Healthy() || told == 0 {
		t.Errorf("healthy %t, told %d times", report.Healthy(), told)
	}
	text := report.Text()
	for _, secret := range []string{sim.BotToken(), sim.AppToken(), secretID, "hunter2hunter2"} {
		if strings.Contains(text, secret) {
			t.Errorf("a secret is told in\n%s", text)
		}
	}
}

func TestDoctorSaysHowToMend(t *testing.T) {
	sim, rdb := workspace(t), lab.Redis(t)
	sim.RefuseConnections("not_allowed_token_type")
	key := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(key, fmt.Appendf(nil, "k1:%064d", 1), 0o604); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(key, 0o604); err != nil {
		t.Fatal(err)
	}
	c := loaded(t, fmt.Sprintf("seal: {keys_file: %s}\nslack: {bot_token: %s, app_token: %s, api_url: '%s', channel: '#nowhere'}\napproval: {group: S0NOBODY}\n", key, sim.BotToken(), sim.AppToken(), sim.APIURL())+
		"redis: {url: 'redis://"+rdb.Addr+"/0'}\nrunbooks: {dir: '"+t.TempDir()+"'}\npage: {url: 'http://127.0.0.1:1'}\nlisten: ':0'\n"+
		"pipelines: {warehouse: {connect: {url: 'http://127.0.0.1:1'}, vault: {url: 'http://127.0.0.1:1', token: 'not a token', role_id: r}}}\n")
	expect(t, Doctor(t.Context(), c, nil), []struct {
		name   string
		status doctor.Status
		what   string
	}{
		{"configuration alerts.token", doctor.Failed, "set it to a token, because listen is :0"},
		{"configuration pipelines.warehouse", doctor.Failed, "expected one of them, not both"},
		{"file mode " + key, doctor.Warning, "chmod 0600 " + key},
		{"file mode " + c.Files()[""], doctor.OK, "-rw-------"},
		{"slack app token slack.app_token", doctor.Failed, "xapp-"},
		{"slack channel #nowhere", doctor.Failed, "/invite"},
		{"approvers S0NOBODY", doctor.Failed, "approval.group"},
		{"runbooks " + c.Runbooks.Dir, doctor.Failed, "at least one .md file"},
		{"page", doctor.Skipped, "nobody is called"},
	})
}

func TestClockFindings(t *testing.T) {
	now := time.Now()
	for _, row := range []struct {
		off  time.Duration
		want doctor.Status
	}{{0, doctor.OK}, {30 * time.Second, doctor.OK}, {-31 * time.Second, doctor.Warning}, {31 * time.Second, doctor.Warning}, {-time.Hour, doctor.Failed}} {
		if f := clock("redis", now.Add(row.off), now); f.Status != row.want {
			t.Errorf("off by %s: got %+v, want %s", row.off, f, row.want)
		}
	}
}

// onDatabase runs one statement now and one when the test ends.
func onDatabase(t *testing.T, url, now, after string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, err := conn.Exec(ctx, after)
		if err := errors.Join(err, conn.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	if _, err := conn.Exec(t.Context(), now); err != nil {
		t.Fatal(err)
	}
}
