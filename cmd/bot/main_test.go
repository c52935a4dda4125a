package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"cdcbot/internal/alert"
	"cdcbot/internal/incident"
	"cdcbot/internal/lab"
	"cdcbot/internal/timeline"
)

// bot runs the command line and returns its exit code and what it printed.
func bot(t *testing.T, in string, args ...string) (int, string, string) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(in), &out, &errs)
	return code, out.String(), errs.String()
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const settings = "slack: {channel: C1}\npipelines: {warehouse: {connect: {url: 'http://localhost:8083'}}}\n"

func TestCommandLine(t *testing.T) {
	config := file(t, "c.yaml", settings)
	other := file(t, "o.yaml", strings.Replace(settings, "localhost:8083", "connect.example:8083", 1)+"")
	foreign := file(t, "foreign.md", "# T\n\n## Root Causes\n\n### Cause 1: X\n\n**Solution**:\n```bash\ncurl -X PUT http://elsewhere:9999/connectors/a/pause\n```\n")
	for _, row := range []struct {
		name string
		args []string
		code int
		out  string // in standard output
		errs string // in standard error
	}{
		{"no words", nil, 0, "serve", ""},
		{"version", []string{"version"}, 0, "cdcbot ", ""},
		{"unknown word", []string{"sreve"}, 1, "", "unknown command"},
		{"unknown flag", []string{"serve", "--nope"}, 2, "", "--nope"},
		{"too many words", []string{"version", "x"}, 2, "", "see bot version --help"},
		{"serve without a file", []string{"serve", "--config", "/nowhere.yaml"}, 1, "", "/nowhere.yaml"},
		{"serve without tokens", []string{"serve", "--config", config}, 1, "", "slack.bot_token: missing"},
		{"lint", []string{"lint", "--config", "../../config.example.yaml", "../../runbooks/kafka-connect-connector-failure.md"}, 0, "connect.restart", ""},
		{"lint with systems that are not configured", []string{"lint", "--config", config, "../../runbooks/kafka-connect-connector-failure.md"}, 1, "set pipelines.<name>.cassandra.hosts", ""},
		{"plan", []string{"plan", "kafka-connect-connector-failure", "cause 1", "--offline", "--config", "../../config.example.yaml"}, 0, "connect/warehouse/postgres-sink-connector", ""},
		{"plan of all options", []string{"plan", "../../runbooks/kafka-connect-connector-failure.md", "4", "--input", "table=cdc_users,column=a,column_type=int"}, 0, "ALTER TABLE cdc_users ADD COLUMN a int", ""},
		{"plan says that nothing is configured", []string{"plan", "kafka-connect-connector-failure", "cause 6"}, 0, "There is no configuration", ""},
		{"plan without an input", []string{"plan", "kafka-connect-connector-failure", "cause 2", "--option", "1"}, 1, "", "lease_id is empty"},
		{"plan of a section that is not there", []string{"plan", "kafka-connect-connector-failure", "nope"}, 1, "", "expected one of"},
		{"plan of words that fit several", []string{"plan", "kafka-connect-connector-failure", "failure"}, 1, "", "fit:"},
		{"plan of a runbook that is not there", []string{"plan", "nope.md", "x"}, 1, "", "nope.md"},
		{"plan of an option that is not there", []string{"plan", "kafka-connect-connector-failure", "cause 5", "--option", "9"}, 1, "", "no such option"},
		{"lint without targets", []string{"lint", "--no-targets", foreign}, 0, "connect.pause", ""},
		{"lint finds a foreign target", []string{"lint", "--config", other, foreign}, 1, "elsewhere:9999", ""},
		{"lint of nothing", []string{"lint"}, 2, "", "requires at least 1 arg"},
		{"lint of a file that is not there", []string{"lint", "--no-targets", "/nowhere.md"}, 1, "", "/nowhere.md"},
		{"verify of what is no export", []string{"verify", file(t, "x.json", "{}")}, 1, "", "format is"},
		{"verify of what is no JSON", []string{"verify", file(t, "y.json", "hello")}, 1, "", "not a timeline export"},
		{"export without a Redis", []string{"export", "INC-1", "--config", file(t, "r.yaml", settings+"redis: {url: 'redis://127.0.0.1:1/0'}\n")}, 1, "", "redis is away"},
	} {
		t.Run(row.name, func(t *testing.T) {
			code, out, errs := bot(t, "", row.args...)
			if code != row.code || !strings.Contains(out, row.out) || !strings.Contains(errs, row.errs) {
				t.Errorf("bot %q: exit %d, want %d\nout: %s\nerrors: %s", row.args, code, row.code, out, errs)
			}
		})
	}
}

func TestLintJSON(t *testing.T) {
	code, out, errs := bot(t, "", "lint", "--no-targets", "--json", "../../runbooks/kafka-connect-connector-failure.md")
	var report struct {
		Alert    string
		Commands int
		Sections []struct {
			Kind  string
			Steps []struct{ Line int }
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 0 {
		t.Fatalf("exit %d, %v, %s", code, err, errs)
	}
	if report.Alert != "KafkaConnectTaskFailure" || report.Commands < 30 || len(report.Sections) < 10 {
		t.Errorf("report: %+v", report)
	}
}

// What `bot export` writes, `bot verify` proves, also from standard input; one changed letter breaks it.
func TestExportAndVerify(t *testing.T) {
	server := miniredis.RunT(t)
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	store := &incident.Store{Redis: rdb, Now: time.Now}
	inc, _, err := store.Receive(t.Context(), alert.Alert{Source: "alertmanager", Name: "KafkaConnectTaskFailure", Status: alert.Firing, Connector: "postgres-sink-connector", StartsAt: time.Now()}, incident.Key{Pipeline: "warehouse"})
	if err != nil {
		t.Fatal(err)
	}
	log := &timeline.Log{Redis: rdb, Now: time.Now}
	for _, text := range []string{"one", "two", "three"} {
		if _, err := log.Append(t.Context(), timeline.Event{Incident: inc.ID, Type: timeline.NoteAdded, Actor: timeline.Bot, Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	config := file(t, "c.yaml", settings+"redis: {url: 'redis://"+server.Addr()+"/0'}\n")
	path := filepath.Join(t.TempDir(), "export.json")
	if code, _, errs := bot(t, "", "export", inc.ID, "--config", config, "--format", "json", "--output", path); code != 0 {
		t.Fatal(errs)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if code, out, errs := bot(t, string(body), "verify", "-"); code != 0 || !strings.Contains(out, "3 events") {
		t.Errorf("verify: exit %d %s %s", code, out, errs)
	}
	if code, _, errs := bot(t, strings.Replace(string(body), `"two"`, `"2wo"`, 1), "verify", "-"); code != 1 || !strings.Contains(errs, "event 2") {
		t.Errorf("verify of an altered export: exit %d %s", code, errs)
	}
	for _, format := range []string{"html", "csv"} {
		_, page, errs := bot(t, "", "export", inc.ID, "--config", config, "--format", format)
		if code, out, _ := bot(t, page, "verify", "-"); code != 0 || !strings.Contains(out, "3 events") {
			t.Errorf("verify of %s: exit %d %s %s", format, code, out, errs)
		}
		if code, _, errs := bot(t, strings.Replace(page, "two", "2wo", 1), "verify", "-"); code != 1 {
			t.Errorf("verify of altered %s: exit %d %s", format, code, errs)
		}
	}
	if code, _, errs := bot(t, "# Post-incident review: INC-1", "verify", "-"); code != 1 || !strings.Contains(errs, "--record") {
		t.Errorf("verify of Markdown alone: exit %d %s", code, errs)
	}
	if code, out, _ := bot(t, "", "export", inc.ID, "--config", config); code != 0 || !strings.Contains(out, "Post-incident review") {
		t.Errorf("export as Markdown: exit %d %.80s", code, out)
	}
	if code, _, errs := bot(t, "", "export", "INC-99", "--config", config); code != 1 || !strings.Contains(errs, "INC-99") {
		t.Errorf("export of an unknown incident: exit %d %s", code, errs)
	}
	if code, _, errs := bot(t, "", "export", inc.ID, "--config", config, "--format", "pdf"); code != 1 || !strings.Contains(errs, "md, html, json or csv") {
		t.Errorf("export as pdf: exit %d %s", code, errs)
	}
}

// What `bot archive` keeps, `bot archive --read` gives back and `bot verify` proves.
func TestArchive(t *testing.T) {
	server := miniredis.RunT(t)
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	inc, _, err := (&incident.Store{Redis: rdb, Now: time.Now}).Receive(t.Context(), alert.Alert{Source: "alertmanager", Name: "KafkaConnectTaskFailure", Status: alert.Firing, Connector: "postgres-sink-connector", StartsAt: time.Now()}, incident.Key{Pipeline: "warehouse"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&timeline.Log{Redis: rdb, Now: time.Now}).Append(t.Context(), timeline.Event{Incident: inc.ID, Type: timeline.NoteAdded, Actor: timeline.Bot, Text: "one"}); err != nil {
		t.Fatal(err)
	}
	base := settings + "redis: {url: 'redis://" + server.Addr() + "/0'}\n"
	if code, _, errs := bot(t, "", "archive", inc.ID, "--config", file(t, "c.yaml", base)); code != 1 || !strings.Contains(errs, "archive.url: not set") {
		t.Errorf("without an archive: exit %d %s", code, errs)
	}
	url := lab.Require(t, lab.Postgres).PostgresRoot
	config := file(t, "c.yaml", base+"archive: {url: '"+url+"'}\n")
	code, said, errs := bot(t, "", "archive", inc.ID, "--config", config)
	if code != 0 || !strings.Contains(said, "archived: "+inc.ID+", 1 events, head ") {
		t.Fatalf("archive: exit %d %s %s", code, said, errs)
	}
	head := strings.TrimSpace(said[strings.LastIndex(said, " "):])
	code, export, errs := bot(t, "", "archive", "--read", inc.ID, "--config", config)
	if code != 0 {
		t.Fatalf("read: exit %d %s", code, errs)
	}
	if code, out, errs := bot(t, export, "verify", "-"); code != 0 || !strings.Contains(out, "1 events") {
		t.Errorf("verify with head %s: exit %d %s %s", head, code, out, errs)
	}
	if code, _, errs := bot(t, "", "archive", "--read", "INC-99999999", "--config", config); code != 1 || !strings.Contains(errs, "no timeline of this incident") {
		t.Errorf("an unknown incident: exit %d %s", code, errs)
	}
}
