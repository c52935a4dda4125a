package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cdcbot/internal/config"
)

func example(t *testing.T, environ ...string) *config.Config {
	t.Helper()
	cfg, err := config.Load("../../config.example.yaml", environ)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// The example configuration knows everything that the operator's runbook names, but the folder of connector files.
func TestExampleConfigurationResolvesTheRunbooks(t *testing.T) {
	files := t.TempDir()
	if err := os.WriteFile(filepath.Join(files, "postgres-sink.json"), []byte(`{"name":"x","config":{"connector.class":"c"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	targets := Targets(example(t, "CDCBOT_PIPELINES_WAREHOUSE_CONNECT_FILES="+files), "warehouse")
	for _, file := range []string{"../runbook/testdata/operator.md", "../../runbooks/kafka-connect-connector-failure.md", "../../runbooks/high-consumer-lag.md", "../../runbooks/schema-mismatch.md", "../../runbooks/vault-sealed.md"} {
		book, err := OpenBook(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range book.Resolve(targets) {
			if f.Level == "error" {
				t.Errorf("%s:%d: %s", file, f.Line, f.Text)
			}
		}
	}
	if _, ok := targets.Systems["grafana"]; ok {
		t.Error("a system that is not configured is known")
	}
}

// Another pipeline's own address is never one of the usual spellings.
func TestUsualSpellingsBelongToOnePipeline(t *testing.T) {
	cfg := example(t, "CDCBOT_PIPELINES_SECOND_CONNECT_URL=http://connect.example:8083", "CDCBOT_PIPELINES_SECOND_POSTGRES_URL=postgres://x@db.example/second")
	second := Targets(cfg, "second")
	if slices.Contains(second.Systems["postgres"], "localhost:5432") || !slices.Contains(second.Systems["postgres"], "db.example:5432") || second.Database != "second" {
		t.Errorf("got %v of %s", second.Systems["postgres"], second.Database)
	}
	if _, ok := second.Clusters["localhost:8083"]; ok {
		t.Errorf("the first pipeline's worker answers for the second: %v", second.Clusters)
	}
}

// Files come from the configured folder and from nowhere else.
func TestFilesStayInTheirFolder(t *testing.T) {
	root := t.TempDir()
	folder := filepath.Join(root, "connectors")
	for name, body := range map[string]string{"connectors/sink.json": "inside", "connectors/docker/connectors/deep.json": "deep", "secret.json": "outside"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(root, "secret.json"), filepath.Join(folder, "link.json")); err != nil {
		t.Fatal(err)
	}
	read := files(folder)
	cases := []struct{ path, want string }{
		{"sink.json", "inside"}, {"./sink.json", "inside"}, {"docker/connectors/sink.json", "inside"}, {"docker/connectors/deep.json", "deep"},
		{"../secret.json", ""}, {"/etc/passwd", ""}, {"../../../../etc/passwd", ""}, {"link.json", ""}, {"docker", ""}, {"nope.json", ""}, {"", ""}, {"a\x00b", ""},
	}
	for _, c := range cases {
		body, err := read(c.path)
		if string(body) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: got %q, %v; want %q", c.path, body, err, c.want)
		}
	}
}

func TestFindSection(t *testing.T) {
	book, err := OpenBook("kafka-connect-connector-failure")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct{ words, want string }{
		{"cause 2", "cause-2-authentication-or-credential-failure"}, {"2", "cause-2-authentication-or-credential-failure"}, {"Cause 1: Database Connection Failure", "cause-1-database-connection-failure"},
		{"cause-6-kafka-connect-worker-failure", "cause-6-kafka-connect-worker-failure"}, {"registry", "cause-3-schema-registry-unavailable"}, {"Resume", "resume-the-pipeline"},
		{"failure", ""}, {"99", ""}, {"", ""}, {"nothing like this", ""},
	}
	for _, c := range cases {
		got, err := FindSection(book, c.words)
		if got.ID != c.want || err != nil && !strings.Contains(err.Error(), "expected one") {
			t.Errorf("%q: got %q, %v; want %q", c.words, got.ID, err, c.want)
		}
	}
}

// Without a configuration a plan can be read, never bound to anything real.
func TestPlanWithoutConfiguration(t *testing.T) {
	book, err := OpenBook("../runbook/testdata/operator.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range book.Sections {
		options := []int{0}
		for _, o := range s.Options {
			options = append(options, o.Number)
		}
		for _, option := range options[min(1, len(s.Options)):] {
			seen, err := Planner{}.Plan(t.Context(), book, s.ID, option, map[string]string{"lease_id": "x"})
			if err != nil || len(seen.Plan.Steps) == 0 || seen.Refuse != nil {
				t.Errorf("%s %d: %d steps, %v", s.ID, option, len(seen.Plan.Steps), err)
			}
		}
	}
}
