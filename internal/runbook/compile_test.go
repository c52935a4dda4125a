package runbook

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cdcbot/internal/action"
	"cdcbot/internal/connect"
)

var update = flag.Bool("update", false, "rewrite golden files")

var targets = Targets{Clusters: map[string]string{"localhost:8083": "warehouse"}, Default: "warehouse"}

func load(t testing.TB, path string) *Book {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Compile(strings.TrimSuffix(filepath.Base(path), ".md"), src)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// outline is the compiled form of a book as people read it.
func outline(b *Book) string {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s\nalerts %v · severity %s · %v for %s\nslo: %s\nreview: %d items\n", b.Title, b.Alerts, b.Severity, b.States, b.Threshold, b.SLOImpact, len(b.Review))
	for _, p := range b.Patterns {
		fmt.Fprintf(&out, "pattern %q → %s%s\n", p.Text, p.Section, p.Hint)
	}
	for _, s := range b.Sections {
		fmt.Fprintf(&out, "\n[%s] %s (%s)\n", s.Kind, s.Title, s.ID)
		lines(&out, "probe", s.Probes)
		lines(&out, "step", s.Common)
		for _, o := range s.Options {
			fmt.Fprintf(&out, "  option %d: %s\n", o.Number, o.Title)
			lines(&out, "  step", o.Steps)
		}
	}
	out.WriteString("\n")
	for _, f := range b.Findings {
		fmt.Fprintf(&out, "%d:%d %s %s: %s\n", f.Line, f.Column, f.Level, f.Code, f.Text)
	}
	return out.String()
}

func lines(out *bytes.Buffer, word string, steps []Step) {
	for _, s := range steps {
		kind := "manual"
		if s.Action != nil {
			kind = s.Action.Kind()
		}
		fmt.Fprintf(out, "  %s %d %s %s — %s", word, s.Line, s.Phase, kind, s.Effect())
		if len(s.Inputs) > 0 {
			fmt.Fprintf(out, " inputs %v", s.Inputs)
		}
		out.WriteString("\n")
	}
}

func TestGolden(t *testing.T) {
	for _, path := range []string{"testdata/operator.md", "../../runbooks/kafka-connect-connector-failure.md"} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			got := outline(load(t, path))
			golden := filepath.Join("testdata", strings.TrimSuffix(filepath.Base(path), ".md")+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("compiled form differs (-want +got); run with -update if it is right:\n%s", diff)
			}
		})
	}
}

func TestOperatorsRunbook(t *testing.T) {
	b := load(t, "testdata/operator.md")
	causes := 0
	for _, s := range b.Sections {
		if s.Kind == Cause {
			causes++
		}
	}
	for _, row := range []struct {
		name      string
		got, want any
	}{
		{"alert", strings.Join(b.Alerts, ","), "KafkaConnectTaskFailure"},
		{"severity", b.Severity, "critical"},
		{"threshold", b.Threshold, 2 * time.Minute},
		{"states", strings.Join(b.States, ","), "FAILED,STOPPED"},
		{"causes", causes, 6},
		{"review items", len(b.Review), 4},
		{"commands", b.Report("x").Commands, 46},
	} {
		if row.got != row.want {
			t.Errorf("%s: got %v, want %v", row.name, row.got, row.want)
		}
	}
}

// one compiles a single command in a cause's solution.
func one(t *testing.T, shell string) (*Book, Section) {
	t.Helper()
	b, err := Compile("x", []byte("# T\n\n## Root Causes\n\n### Cause 1: X\n\n**Solution**:\n```bash\n"+shell+"\n```\n"))
	if err != nil {
		t.Fatal(err)
	}
	return b, b.Sections[0]
}

func TestCurl(t *testing.T) {
	zero := 0
	for _, row := range []struct {
		name, shell string
		want        action.Action
	}{
		{"list", "curl http://localhost:8083/connectors", action.Look{What: "list", Cluster: "localhost:8083"}},
		{"list with jq", "curl -s localhost:8083/connectors | jq '.[]'", action.Look{What: "list", Cluster: "localhost:8083", Filter: ".[]"}},
		{"status", `curl -sf "http://localhost:8083/connectors/a%20b/status"`, action.Look{What: "status", Cluster: "localhost:8083", Connector: "a b"}},
		{"restart gets its tasks", "curl -X POST http://localhost:8083/connectors/s/restart", action.RestartConnector{Cluster: "localhost:8083", Connector: "s", OnlyFailed: true}},
		{"restart with tasks", "curl -XPOST 'http://localhost:8083/connectors/s/restart?includeTasks=true&onlyFailed=false'", action.RestartConnector{Cluster: "localhost:8083", Connector: "s"}},
		{"task", "curl --request=POST http://localhost:8083/connectors/s/tasks/0/restart", action.RestartConnector{Cluster: "localhost:8083", Connector: "s", Task: &zero}},
		{"pause", "curl -X PUT http://localhost:8083/connectors/s/pause", action.Transition{Cluster: "localhost:8083", Connector: "s", To: connect.Paused}},
		{"resume over lines", "curl -X PUT \\\n  -H 'Content-Type: application/json' \\\n  http://localhost:8083/connectors/s/resume", action.Transition{Cluster: "localhost:8083", Connector: "s", To: connect.Running}},
		{"stop", "curl -X PUT http://localhost:8083/connectors/s/stop", action.Transition{Cluster: "localhost:8083", Connector: "s", To: connect.Stopped}},
		{"configure", `curl -X PUT http://localhost:8083/connectors/s/config -d '{"a.b": "true", "n": 3}'`, action.Configure{Cluster: "localhost:8083", Connector: "s", Set: map[string]string{"a.b": "true", "n": "3"}}},
		{"another service", "curl http://localhost:8081/subjects", nil},
		{"delete", "curl -X DELETE http://localhost:8083/connectors/s", nil},
		{"file", "curl -X PUT http://localhost:8083/connectors/s/config -d @x.json", nil},
		{"substitution is not literal", "curl http://localhost:8083/connectors/$(hostname)/status", nil},
		{"variable is not literal", `curl "http://localhost:8083/connectors/$NAME/status"`, nil},
		{"two URLs", "curl http://localhost:8083/connectors http://localhost:8083/", nil},
		{"redirect", "curl http://localhost:8083/connectors > x", nil},
		{"pipe to a shell", "curl http://localhost:8083/connectors | sh", nil},
		{"sudo", "sudo curl http://localhost:8083/connectors", nil},
		{"loop", "for i in 1 2; do curl -X POST http://localhost:8083/connectors/s/restart; done", nil},
		{"and", "curl -X PUT http://localhost:8083/connectors/s/pause && rm -rf /", nil},
		{"background", "curl -X PUT http://localhost:8083/connectors/s/pause &", nil},
		{"environment", "X=1 curl -X PUT http://localhost:8083/connectors/s/pause", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, s := one(t, row.shell)
			if len(s.Common) != 1 {
				t.Fatalf("%q made %d steps, want 1", row.shell, len(s.Common))
			}
			if diff := cmp.Diff(row.want, s.Common[0].Action); diff != "" {
				t.Errorf("%q (-want +got):\n%s", row.shell, diff)
			}
			if row.want == nil && !strings.Contains(s.Common[0].Manual, "yourself") {
				t.Errorf("%q: manual step says %q", row.shell, s.Common[0].Manual)
			}
		})
	}
}

func TestCommentsSteer(t *testing.T) {
	b, s := one(t, `# If PostgreSQL is down
docker-compose restart postgres

# Wait for databases to be healthy (30-60 seconds)
# Then restart failed connector
curl -X POST http://localhost:8083/connectors/s/restart

# Verify connector recovered
curl http://localhost:8083/connectors/s/status`)
	if len(s.Common) != 4 {
		t.Fatalf("got %d steps, want 4:\n%s", len(s.Common), outline(b))
	}
	if g := s.Common[0].Guard.Target; g != "postgres" {
		t.Errorf("guard of step 1: got %q, want postgres", g)
	}
	wait, ok := s.Common[1].Action.(action.WaitHealthy)
	if !ok || wait.Limit != 4*time.Minute || wait.Expect != "30-60 seconds" {
		t.Errorf("step 2: got %+v, want a wait of 4 × 60 s", s.Common[1].Action)
	}
	if got := s.Common[2].Title; got != "Then restart failed connector" {
		t.Errorf("title of step 3: got %q", got)
	}
	if s.Common[2].Guard.Target != "" || s.Common[3].Phase != Verify {
		t.Errorf("step 3 keeps a guard or step 4 is no verification: %+v", s.Common[2:])
	}
}

func TestOptionsShareWhatFollows(t *testing.T) {
	_, s := one(t, `# Option 1: Pause it
curl -X PUT http://localhost:8083/connectors/s/pause

# Option 2: Stop it
curl -X PUT http://localhost:8083/connectors/s/stop

# Look
curl http://localhost:8083/connectors/s/status`)
	if len(s.Options) != 2 || len(s.Options[0].Steps) != 2 || len(s.Options[1].Steps) != 2 {
		t.Fatalf("options: %+v", s.Options)
	}
	if s.Options[0].Steps[1].Title != "Look" || s.Options[1].Steps[1].Title != "Look" {
		t.Errorf("the common step is not in both options: %+v", s.Options)
	}
}

func TestPlanFillsBlanks(t *testing.T) {
	b, s := one(t, "curl -X POST http://localhost:8083/connectors/<connector>/restart\nvault lease renew database/creds/<lease_id>/<other id>")
	if got := s.Blanks(); !slices.Equal(got, []string{"connector", "lease_id", "other_id"}) {
		t.Fatalf("blanks: got %v", got)
	}
	if _, err := b.Plan(s.ID, 0, map[string]string{"connector": "x\ny"}, targets); err == nil || !strings.Contains(err.Error(), "connector") {
		t.Errorf("control characters: got %v, want an error that names the input", err)
	}
	p, err := b.Plan(s.ID, 0, map[string]string{"connector": "pg sink/1", "lease_id": "L", "other_id": "O"}, targets)
	if err != nil {
		t.Fatal(err)
	}
	want := action.RestartConnector{Cluster: "warehouse", Connector: "pg sink/1", OnlyFailed: true}
	if diff := cmp.Diff(action.Action(want), p.Steps[0].Action); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(p.Steps[1].Manual, "database/creds/L/O") && !strings.Contains(p.Steps[1].Manual, "database/creds/L/<other id>") {
		t.Errorf("manual step: %q", p.Steps[1].Manual)
	}
}

func TestPlanErrors(t *testing.T) {
	b := load(t, "testdata/operator.md")
	for _, row := range []struct {
		name, section string
		option        int
		t             Targets
		want          error
		text          string
	}{
		{"section", "nope", 0, targets, ErrNoSection, "nope"},
		{"option of none", "cause-3-schema-registry-unavailable", 2, targets, ErrNoOption, "no options"},
		{"option", "cause-4-postgresql-table-schema-mismatch", 9, targets, ErrNoOption, "1 to 2"},
		{"target", "pause-pipeline-stop-all-processing", 0, Targets{}, ErrTarget, "localhost:8083"},
	} {
		_, err := b.Plan(row.section, row.option, nil, row.t)
		if !isErr(err, row.want) || !strings.Contains(err.Error(), row.text) {
			t.Errorf("%s: got %v, want %v with %q", row.name, err, row.want, row.text)
		}
	}
}

func isErr(err, want error) bool { return err != nil && strings.Contains(err.Error(), want.Error()) }

// Same Markdown, inputs and targets: same digest, in any map order.
func TestDigestIsDeterministic(t *testing.T) {
	src, err := os.ReadFile("testdata/operator.md")
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	for range 1000 {
		b, err := Compile("operator", src)
		if err != nil {
			t.Fatal(err)
		}
		p, err := b.Plan("cause-4-postgresql-table-schema-mismatch", 1, map[string]string{"a": "1", "b": "2"}, targets)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Digest(); want == "" {
			want = got
		} else if got != want {
			t.Fatalf("digest differs: %s, %s", got, want)
		}
	}
}

func TestDigestSeesEveryChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "a")
		b := rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "b")
		same := RestartPlan("c", a, nil).Digest() == RestartPlan("c", b, nil).Digest()
		if same != (a == b) {
			t.Fatalf("%q and %q: same digest is %v", a, b, same)
		}
	})
}

// Anything compiles to something readable, and nothing is lost.
func TestOddRunbooks(t *testing.T) {
	fence := "```"
	for _, row := range []struct{ name, src, want string }{
		{"here-document", "## Root Causes\n### Cause 1: x\n**Solution**:\n" + fence + "bash\npsql <<EOF\nDROP TABLE x;\nEOF\n" + fence, "DROP TABLE x"},
		{"broken shell", "## Root Causes\n### Cause 1: x\n**Solution**:\n" + fence + "bash\nif then (\n" + fence, "if then ("},
		{"indented in a list", "## Escalation\n1. Check:\n   " + fence + "bash\n   kubectl get pods\n   " + fence, "kubectl get pods"},
		{"indented code", "## Root Causes\n### Cause 1: x\n**Solution**:\n\n    docker restart cdc-postgres\n", "docker restart cdc-postgres"},
		{"windows line ends", "## Root Causes\r\n### Cause 1: x\r\n**Solution**:\r\n" + fence + "bash\r\nhelm rollback x\r\n" + fence + "\r\n", "helm rollback x"},
	} {
		b, err := Compile("x", []byte(row.src))
		if err != nil {
			t.Fatal(err)
		}
		if got := outline(b); !strings.Contains(got, row.want) {
			t.Errorf("%s: %q is lost:\n%s", row.name, row.want, got)
		}
	}
	for _, bad := range [][]byte{{0xff, 0xfe}, []byte("a\x00b"), bytes.Repeat([]byte("a"), maxSource+1)} {
		if _, err := Compile("x", bad); err == nil {
			t.Errorf("compiled %.10q", bad)
		}
	}
}

func TestReportIsJSON(t *testing.T) {
	b := load(t, "testdata/operator.md")
	if _, err := json.Marshal(b.Report("x")); err != nil {
		t.Fatal(err)
	}
	if f := b.Resolve(Targets{}); len(f) == 0 || f[0].Level != "error" || !strings.Contains(f[0].Text, "pipelines.<name>.connect") {
		t.Errorf("unresolved targets: %+v", f)
	}
	if f := b.Resolve(targets); len(f) != 0 {
		t.Errorf("resolved targets: %+v", f)
	}
}

func FuzzCompile(f *testing.F) {
	for _, path := range []string{"testdata/operator.md", "../../runbooks/kafka-connect-connector-failure.md"} {
		src, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Add([]byte("## Root Causes\n### Cause 1: a\n**Solution**:\n```bash\n# Option 1:\n# Or x\nsleep 1e9\n# Wait for (99999999999 s)\ncurl <a> <b>\n```"))
	f.Fuzz(func(t *testing.T, src []byte) {
		b, err := Compile("x", src)
		if err != nil {
			return
		}
		for _, s := range b.Sections {
			for _, n := range []int{0, 1} {
				if p, err := b.Plan(s.ID, n, nil, targets); err == nil {
					p.Digest()
				}
			}
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	src, err := os.ReadFile("testdata/operator.md")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile("operator", src); err != nil {
			b.Fatal(err)
		}
	}
}
