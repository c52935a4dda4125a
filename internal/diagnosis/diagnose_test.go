package diagnosis

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cdcbot/internal/connect"
)

// with is a connector in given states.
func with(name string, state connect.State, tasks ...connect.Task) Subject {
	return Subject{Cluster: "warehouse", Connector: name, Suspect: true, Status: connect.Status{Name: name, State: state, WorkerID: "w1:8083", Tasks: tasks}}
}

func task(id int, state connect.State, worker, trace string) connect.Task {
	return connect.Task{ID: id, State: state, WorkerID: worker, Trace: trace}
}

const (
	pgDown  = "org.postgresql.util.PSQLException: Connection to db:5432 refused. Check that\n\tat a.B.c(B.java:1)\n"
	badType = "org.postgresql.util.PSQLException: ERROR: column \"a\" is of type integer but expression is of type text\n\tat a.B.c(B.java:1)\n"
	odd     = "com.acme.OddException: the moon is full\n\tat com.acme.Odd.go(Odd.java:1)\n"
)

func TestDiagnose(t *testing.T) {
	silent := Subject{Cluster: "warehouse", Connector: "a", Suspect: true, StatusErr: "list on cluster warehouse: the worker cannot be reached"}
	noWorker := Probe{Name: "connect/warehouse", Source: "GET /connectors", Reason: Refused, Text: "the worker cannot be reached", At: noon}
	tests := []struct {
		name      string
		probes    []Probe
		subjects  []Subject
		slug      Slug
		retriable bool
		headline  string
	}{
		{"nothing failed", []Probe{up}, []Subject{healthy("a"), healthy("b")}, None, false, "a and b: healthy, nothing has failed"},
		{"nothing seen", nil, nil, Unknown, false, "pipeline: unknown"},
		{"f1, no worker answers", []Probe{noWorker}, []Subject{silent}, WorkerFailure, false, "a: no Kafka Connect worker answers — the worker has to come back first"},
		{"no worker answers, nobody named", []Probe{noWorker}, nil, WorkerFailure, false, "no Kafka Connect worker answers"},
		{"connector gone", nil, []Subject{healthy("b"), {Cluster: "warehouse", Connector: "a", Suspect: true, StatusErr: "connector a not found on cluster warehouse"}}, ConfigError, false, "a: there is no such connector"},
		{"one status unread", nil, []Subject{healthy("b"), silent}, Unknown, true, "a: "},
		{"a3, hung database, all RUNNING", []Probe{hangs}, []Subject{healthy("a")}, DatabaseConnection, false, "PostgreSQL does not answer — it still does not answer"},
		{"unassigned", nil, []Subject{with("a", connect.Running, task(0, connect.Unassigned, "", ""))}, WorkerFailure, false, "no worker runs its tasks"},
		{"stopped", nil, []Subject{with("a", connect.Stopped)}, None, false, "a: it is STOPPED on somebody's request — resume brings it back"},
		{"paused", nil, []Subject{with("a", connect.Paused, task(0, connect.Paused, "w1", ""))}, None, false, "resume brings it back"},
		{"running without tasks", nil, []Subject{with("a", connect.Running)}, Unknown, false, "RUNNING without a single task"},
		{"connector itself failed", nil, []Subject{{Cluster: "c", Connector: "a", Suspect: true, Status: connect.Status{State: connect.Failed, Trace: pgDown}}}, DatabaseConnection, true, "PostgreSQL refused"},
		{"failed without a trace", nil, []Subject{with("a", connect.Running, task(0, connect.Failed, "w1", ""))}, Unknown, true, "a: unknown — cause not known"},
		{"not recognised", []Probe{up}, []Subject{with("a", connect.Running, task(0, connect.Failed, "w1", odd))}, Unknown, true, "cause not known, read the trace"},
		{"an error without a trace", nil, []Subject{with("a", connect.Running, task(0, connect.Failed, "w1", "Failed to find any class that implements Connector"))}, WorkerFailure, false, "the plugin is not installed"},
		{"not recognised, database down", []Probe{refused}, []Subject{with("a", connect.Running, task(0, connect.Failed, "w1", odd))}, DatabaseConnection, false, "PostgreSQL refuses connections"},
		{"many connectors, one cause", []Probe{up}, []Subject{with("a", connect.Running, task(0, connect.Failed, "w1", pgDown)), with("b", connect.Running, task(0, connect.Failed, "w1", pgDown)), with("c", connect.Running, task(0, connect.Failed, "w1", pgDown))},
			DatabaseConnection, true, "3 connectors: PostgreSQL refused the connection — it is back now, a restart will help"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			d := Diagnose(evidence(tc.probes, tc.subjects...))
			top := d.Top()
			if top.Slug != tc.slug || top.Retriable != tc.retriable || !strings.Contains(d.Headline, tc.headline) || top.Why == "" || top.Title == "" {
				t.Errorf("got %s, retriable %t, why %q, headline %q; want %s, %t, %q", top.Slug, top.Retriable, top.Why, d.Headline, tc.slug, tc.retriable, tc.headline)
				report(t, d)
			}
		})
	}
}

func TestTwoReasons(t *testing.T) {
	s := with("a", connect.Running, task(0, connect.Failed, "w1", pgDown), task(1, connect.Failed, "w1", badType), task(2, connect.Failed, "w1", badType))
	d := Diagnose(evidence(nil, s))
	if len(d.Causes) < 2 || d.Causes[0].Slug != TableSchemaMismatch || d.Causes[1].Slug != DatabaseConnection {
		report(t, d)
		t.Errorf("both reasons should show, the more frequent first")
	}
	want := []Line{{Connector: "a", State: "RUNNING", Tasks: 3, Failed: []int{0, 1, 2}, Worker: "w1:8083"}}
	if diff := cmp.Diff(want, d.Subjects); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if got := d.Causes[0].For[0].Source; got != "trace of a task 1 and 1 more" {
		t.Errorf("source %q", got)
	}
}

func TestOneWorker(t *testing.T) {
	d := Diagnose(evidence(nil,
		with("a", connect.Running, task(0, connect.Failed, "w1", odd), task(1, connect.Running, "w2", "")),
		with("b", connect.Running, task(0, connect.Failed, "w1", ""), task(1, connect.Running, "w2", ""))))
	i := slices.IndexFunc(d.Causes, func(c Cause) bool { return c.Slug == WorkerFailure })
	if i < 0 || !strings.Contains(d.Causes[i].For[0].Text, "all 2 failed tasks are on worker w1") {
		report(t, d)
		t.Error("the common worker is not told")
	}
}

// TestOwnCause: a section of a runbook that no class of ours covers is found by its symptom.
func TestOwnCause(t *testing.T) {
	e := evidence(nil, with("a", connect.Running, task(0, connect.Failed, "w1", odd)))
	e.Sections = append(slices.Clone(e.Sections), Section{"cause-7-phase-of-the-moon", "Cause 7: Phase of the Moon"})
	e.Patterns = append(slices.Clone(e.Patterns), Pattern{Text: "the moon is <phase>", Section: "cause-7-phase-of-the-moon"})
	d := Diagnose(e)
	if top := d.Top(); top.Section != "cause-7-phase-of-the-moon" || top.Title != "Cause 7: Phase of the Moon" || !strings.Contains(d.Headline, "Phase of the Moon") {
		report(t, d)
		t.Errorf("got %+v, %q", top, d.Headline)
	}
}

func TestSections(t *testing.T) {
	tests := []struct {
		title string
		want  Slug
	}{
		{"Cause 1: Database Connection Failure", DatabaseConnection},
		{"Cause 2: Authentication/Credential Failure", Authentication},
		{"Cause 3: Schema Registry Unavailable", SchemaRegistry},
		{"Cause 4: PostgreSQL Table Schema Mismatch", TableSchemaMismatch},
		{"Cause 5: DLQ Topic Full / Error Tolerance Exceeded", ToleranceExceeded},
		{"Cause 6: Kafka Connect Worker Failure", WorkerFailure},
		{"Kafka broker down", KafkaBroker},
		{"Replication slot lost", SourcePositionLost},
		{"Misconfiguration", ConfigError},
		{"Vault sealed", ""},
		{"", ""},
	}
	for _, tc := range tests {
		if got := slugOf(tc.title); got != tc.want {
			t.Errorf("slugOf(%q) = %q, want %q", tc.title, got, tc.want)
		}
	}
}

func TestSymptom(t *testing.T) {
	tests := []struct {
		name, text, header string
		want               bool
	}{
		{"folded", "Connection Refused", "java.net.ConnectException: connection refused", true},
		{"placeholder", "Failed to retrieve schema for id <schema_id>", "x: Failed to retrieve schema for id 42", true},
		{"quoted example", "Column 'new_column' does not exist", `x: ERROR: column "age" does not exist`, true},
		{"another class", "java.sql.SQLException: Connection refused", "java.net.ConnectException: Connection refused", true},
		{"with its label", "Error: `Invalid credentials`", "x: invalid credentials given", true},
		{"a state", "FAILED", "x: failed to open", false},
		{"a labelled state", "Connector state: `FAILED`", "x: failed to open", false},
		{"a state's placeholder", "<state>", "anything", false},
		{"too short", "no", "no", false},
		{"other", "Type mismatch for column 'age': expected INTEGER, got TEXT", "x: type mismatch for column 'b': expected BIGINT, got DATE", false},
		{"open quote", "don't panic", "x: don't panic", true},
	}
	for _, tc := range tests {
		if got := (Pattern{Text: tc.text}).seenIn(fold(tc.header)); got != tc.want {
			t.Errorf("%s: %q seen in %q: %t", tc.name, tc.text, tc.header, got)
		}
	}
}

// TestPure: the same evidence gives the same diagnosis, whatever is in it, and a headline fits a phone.
func TestPure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var subjects []Subject
		for i := range rapid.IntRange(0, 4).Draw(t, "connectors") {
			var tasks []connect.Task
			for id := range rapid.IntRange(0, 3).Draw(t, "tasks") {
				state := rapid.SampledFrom([]connect.State{connect.Running, connect.Failed, connect.Failed, connect.Unassigned, "ODD"}).Draw(t, "state")
				trace := rapid.OneOf(rapid.String(), rapid.Map(rapid.IntRange(0, len(samples)-1), func(i int) string { return samples[i].trace })).Draw(t, "trace")
				tasks = append(tasks, task(id, state, rapid.SampledFrom([]string{"", "w1", "w2"}).Draw(t, "worker"), trace))
			}
			s := with(rapid.SampledFrom([]string{"a", "b", strings.Repeat("ü", 200)}).Draw(t, "name")+fmt.Sprint(i), rapid.SampledFrom([]connect.State{connect.Running, connect.Stopped, connect.Failed}).Draw(t, "connector"), tasks...)
			s.StatusErr = rapid.SampledFrom([]string{"", "", "", "away"}).Draw(t, "error")
			subjects = append(subjects, s)
		}
		probes := rapid.SliceOfN(rapid.SampledFrom([]Probe{up, refused, hangs, denied, reg, noReg}), 0, 3).Draw(t, "probes")
		one, two := Diagnose(evidence(probes, subjects...)), Diagnose(evidence(probes, subjects...))
		if diff := cmp.Diff(one, two); diff != "" {
			t.Fatalf("two diagnoses of the same evidence differ:\n%s", diff)
		}
		if len(one.Causes) == 0 || len([]rune(one.Headline)) > longestHeadline || strings.Contains(one.Headline, "\n") {
			t.Fatalf("%d causes, headline %q", len(one.Causes), one.Headline)
		}
		for _, c := range one.Causes {
			if c.Confidence < 0 || c.Confidence > 1 || c.Why == "" {
				t.Fatalf("cause %+v", c)
			}
		}
		if _, err := json.Marshal(one); err != nil {
			t.Fatal(err)
		}
	})
}

// storm is a cluster of n connectors of which 3 in 10 fail, with a handful of different traces.
func storm(n int) []Subject {
	random := rand.New(rand.NewPCG(1, 2))
	var list []Subject
	for i := range n {
		name := fmt.Sprintf("connector-%04d", i)
		if i%10 >= 3 {
			list = append(list, healthy(name))
			continue
		}
		s := failing(samples[random.IntN(8)].trace)
		s.Connector = name
		list = append(list, s)
	}
	return list
}

func BenchmarkDiagnose(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 5000} {
		e := evidence([]Probe{up}, storm(n)...)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Diagnose(e)
			}
		})
	}
}
