package runbook

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"cdcbot/internal/action"
)

var update = flag.Bool("update", false, "rewrite golden files")

var targets = Targets{
	Clusters: map[string]string{"localhost:8083": "warehouse"}, Default: "warehouse", Database: "warehouse",
	Systems: map[string][]string{
		"postgres": {"localhost:5432", "cdc-postgres"}, "cassandra": {"localhost:9042", "cdc-cassandra"}, "vault": {"localhost:8200", "cdc-vault"},
		"kafka": {"localhost:9092", "cdc-kafka"}, "registry": {"localhost:8081"}, "prometheus": {"localhost:9090"}, "cdc-api": {"localhost:8080"},
	},
	Services: map[string]string{"cassandra": "cassandra", "postgres": "postgres", "schema-registry": "schema-registry", "kafka-connect": "kafka-connect", "cdc-kafka-connect": "kafka-connect", "cdc-api": "cdc-api"},
	Pager:    true, Failover: &action.Failover{From: "warehouse", To: "dr", Pairs: []action.Pair{{Here: "postgres-sink-connector", There: "postgres-sink-backup"}}},
	File: func(path string) ([]byte, error) {
		if path != "docker/connectors/postgres-sink.json" {
			return nil, fs.ErrNotExist
		}
		return []byte(`{"name": "Postgres-Sink", "config": {"connector.class": "io.confluent.connect.jdbc.JdbcSinkConnector", "tasks.max": 3, "connection.password": "${file:/secrets/postgres:password}"}}`), nil
	},
}

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

// The runbook that ships has nothing that cannot work, and its own targets resolve.
func TestOurRunbookIsClean(t *testing.T) {
	b := load(t, "../../runbooks/kafka-connect-connector-failure.md")
	for _, f := range append(b.Findings, b.Resolve(targets)...) {
		if f.Level == "error" || f.Level == "warning" && f.Code != unknownCode || f.Level == "note" && f.Code != "alert-on-stopped" { // the watcher knows what was stopped on purpose
			t.Errorf("%d:%d %s %s: %s", f.Line, f.Column, f.Level, f.Code, f.Text)
		}
	}
	for _, s := range b.Sections {
		for option := range max(len(s.Options), 1) {
			if len(s.Options) > 0 {
				option = s.Options[option].Number
			}
			inputs := map[string]string{}
			for _, name := range s.Blanks() {
				inputs[name] = "x"
			}
			if p, err := b.Plan(s.ID, option, inputs, targets); err != nil || len(p.Steps) == 0 {
				t.Errorf("plan of %s, option %d: %d steps, %v", s.ID, option, len(p.Steps), err)
			}
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
	b, s := one(t, "curl -X POST http://localhost:8083/connectors/<connector>/restart\nvault lease revoke database/creds/<lease_id>/<other id>")
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
		{"option", "cause-4-postgresql-table-schema-mismatch", 9, targets, ErrNoOption, "1, 2"},
		{"target", "pause-pipeline-stop-all-processing", 0, Targets{}, ErrTarget, "localhost:8083"},
	} {
		_, err := b.Plan(row.section, row.option, nil, row.t)
		if !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.text) {
			t.Errorf("%s: got %v, want %v with %q", row.name, err, row.want, row.text)
		}
	}
}

// Same Markdown, inputs and targets: same digest, in any map order.
func TestDigestIsDeterministic(t *testing.T) {
	src, err := os.ReadFile("testdata/operator.md")
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	for range 100 {
		b, err := Compile("operator", src)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			p, err := b.Plan("cause-5-dlq-topic-full-error-tolerance-exceeded", 0, map[string]string{"a": "1", "b": "2"}, targets)
			if err != nil {
				t.Fatal(err)
			}
			if want == "" {
				want = p.Digest()
			}
			if got := p.Digest(); got != want {
				t.Fatalf("digest differs: %s, %s", got, want)
			}
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

// Every part of a plan that decides what runs or what people read is in its digest.
func TestDigestCoversThePlan(t *testing.T) {
	p := RestartPlan("c", "s", nil)
	p.Inputs["a"] = "b"
	want := p.Digest()
	for name, change := range map[string]func(*Plan){
		"book": func(p *Plan) { p.Book = "x" }, "sha": func(p *Plan) { p.SHA256 = "x" }, "section": func(p *Plan) { p.Section = "x" }, "option": func(p *Plan) { p.Option = 1 },
		"inputs": func(p *Plan) { p.Inputs = map[string]string{"a": "c"} }, "title": func(p *Plan) { p.Steps[0].Title = "x" }, "phase": func(p *Plan) { p.Steps[0].Phase = Verify },
		"guard": func(p *Plan) { p.Steps[0].Guard.Target = "x" }, "manual": func(p *Plan) { p.Steps[0].Manual = "x" }, "fewer steps": func(p *Plan) { p.Steps = nil },
		"action": func(p *Plan) { p.Steps[0].Action = action.RestartConnector{Cluster: "c", Connector: "s"} },
		"kind":   func(p *Plan) { p.Steps[0].Action = action.Look{What: "status", Cluster: "c", Connector: "s"} },
	} {
		q := RestartPlan("c", "s", nil)
		q.Inputs["a"] = "b"
		if q.Digest() != want {
			t.Fatal("equal plans, two digests")
		}
		if change(&q); q.Digest() == want {
			t.Errorf("%s: the digest does not see it", name)
		}
	}
}

func TestOwnPlans(t *testing.T) {
	for _, row := range []struct {
		plan Plan
		want string
	}{
		{RestartPlan("c", "s", nil), "Restarts the failed tasks of s; tasks that run keep running."},
		{RestartPlan("c", "s", nth(1)), "Restarts task 1 of s."},
		{PausePlan("c", "a", "b"), "Pauses a: its tasks stop reading and writing; nothing is lost.|Pauses b: its tasks stop reading and writing; nothing is lost."},
		{ResumePlan("c", "a"), "Resumes a."},
		{StopPlan("c", "a"), "Stops a: its tasks end; configuration and offsets are kept."},
	} {
		if got := strings.Join(row.plan.Effects(), "|"); got != row.want || row.plan.Risk != action.Change || row.plan.Book != "builtin" {
			t.Errorf("got %q, risk %s, book %s; want %q", got, row.plan.Risk, row.plan.Book, row.want)
		}
	}
}

func TestTargets(t *testing.T) {
	for _, row := range []struct{ key, host, want string }{
		{"localhost:8083", "localhost:8083", "w"},
		{"LocalHost:8083", "LOCALHOST:8083", "w"},
		{"http://connect:8083/", "connect:8083", "w"},
		{"https://connect.example", "connect.example:443", "w"},
		{"connect", "connect:80", "w"},
		{"http://a:b@connect:8083", "connect:8083", "w"},
		{"[::1]:8083", "[::1]:8083", "w"},
		{"http://[::1]", "[::1]:80", "w"},
		{"localhost:8083", "localhost:8084", ""},
		{"localhost:8083", "", "d"},
	} {
		got, err := Targets{Clusters: map[string]string{row.key: "w"}, Default: "d"}.cluster(row.host)
		if got != row.want || (err == nil) == (row.want == "") {
			t.Errorf("%s configured as %s: got %q, %v, want %q", row.host, row.key, got, err, row.want)
		}
	}
}

// A wait knows what to wait for only when the plan is whole.
func TestWaitsAreAimed(t *testing.T) {
	b, s := one(t, restartS+"\n"+statusS+"\nsleep 5\n"+pauseS+"\nsleep 5\n"+resumeS+"\n"+restartS+"\nsleep 5")
	p, err := b.Plan(s.ID, 0, nil, targets)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, step := range p.Steps {
		if w, ok := step.Action.(action.WaitHealthy); ok {
			got = append(got, w.Cluster+strings.Join(w.Connectors, ","))
		}
	}
	if want := []string{"warehouses", "warehouse", "warehouses"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What somebody types stays text: it opens no other blank, adds no option and changes no other field.
func TestInputsStayText(t *testing.T) {
	b, s := one(t, `curl -X PATCH http://<host>/connectors/<name>/config -d '{"a": "<value>"}'`+"\nmytool <value> <name>")
	inputs := map[string]string{"host": "localhost:8083", "name": "../x?y#z", "value": `", "b": "<name>`}
	p, err := b.Plan(s.ID, 0, inputs, targets)
	if err != nil {
		t.Fatal(err)
	}
	want := action.Configure{Cluster: "warehouse", Connector: "../x?y#z", Set: map[string]string{"a": `", "b": "<name>`}}
	if diff := cmp.Diff(action.Action(want), p.Steps[0].Action, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := `mytool ", "b": "<name> ../x?y#z`; p.Steps[1].Source != want {
		t.Errorf("got %q, want %q", p.Steps[1].Source, want)
	}
	for _, bad := range []string{"", "  ", "a\x00b", strings.Repeat("a", 301)} {
		inputs["value"] = bad
		if _, err := b.Plan(s.ID, 0, inputs, targets); !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "value") {
			t.Errorf("input %.10q: got %v", bad, err)
		}
	}
	inputs["value"], inputs["host"] = "x", "elsewhere:1"
	if _, err := b.Plan(s.ID, 0, inputs, targets); !errors.Is(err, ErrTarget) || !strings.Contains(err.Error(), "elsewhere:1") {
		t.Errorf("a host that is not configured: got %v", err)
	}
}

// Anything compiles to something readable, and nothing is lost.
func TestOddRunbooks(t *testing.T) {
	fence := "```"
	for _, row := range []struct{ name, src, want string }{
		{"here-document", "## Root Causes\n### Cause 1: x\n**Solution**:\n" + fence + "bash\npsql <<EOF\nDROP TABLE x;\nEOF\n" + fence, "DROP TABLE x"},
		{"broken shell", "## Root Causes\n### Cause 1: x\n**Solution**:\n" + fence + "bash\nif then (\n" + fence, "if then ("},
		{"indented in a list", "## Escalation\n1. Check:\n   " + fence + "bash\n   nodetool status\n   " + fence, "nodetool status"},
		{"indented code", "## Root Causes\n### Cause 1: x\n**Solution**:\n\n    docker rm cdc-postgres\n", "docker rm cdc-postgres"},
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
	for _, shell := range []string{
		"# Option 1:\n# Or x\nsleep 1e9\n# Wait for (99999 s)\ncurl <a> <b>", "# If X is down\n" + pauseS + "\n# Or y\n" + stopS, "$ " + restartS + "\nout",
		"cat <<EOF\n<a>\nEOF", `curl -X PUT localhost:8083/connectors/<c>/config -d '{"a": "<b>", "c": null}'`, "curl -sX POST -d @x <h>:8083/connectors | jq '.[<n>]'", "vault login root",
	} {
		f.Add([]byte("## Root Causes\n### Cause 1: a\n**Diagnosis**:\n```bash\n" + shell + "\n```\n**Solution**:\n```bash\n" + shell + "\n```\n"))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		b, err := Compile("x", src)
		if err != nil {
			return
		}
		again, err := Compile("x", src)
		if err != nil || outline(b) != outline(again) {
			t.Fatalf("compiled twice, two results: %v", err)
		}
		for _, s := range b.Sections {
			sound(t, b, s)
		}
	})
}

// sound holds what must be true of any section of any book.
func sound(t *testing.T, b *Book, s Section) {
	for _, p := range s.Probes {
		if p.Action != nil && p.Action.Risk() != action.Read {
			t.Errorf("line %d: a probe changes something: %s", p.Line, p.Effect())
		}
	}
	inputs := map[string]string{}
	for _, name := range s.Blanks() {
		inputs[name] = "value"
	}
	for _, step := range s.steps() {
		if step.Action == nil && step.Manual == "" || step.Title == "" || step.Line < 1 || strings.ContainsAny(step.Effect()+step.Source+step.Title, openMark+closeMark) {
			t.Errorf("step %+v", step)
		}
	}
	for n := range 3 {
		if p, err := b.Plan(s.ID, n, inputs, targets); err == nil && (len(p.Digest()) != 64 || len(p.Effects()) != len(p.Steps)) {
			t.Errorf("plan of %s, option %d: %+v", s.ID, n, p)
		}
	}
}
