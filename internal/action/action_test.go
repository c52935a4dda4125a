package action

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cdcbot/internal/connect"
)

const (
	run = connect.Running
	bad = connect.Failed
)

func nth(n int) *int { return &n }

// TestRun lets every action run on a cluster: what it says, what it complains about and how long it takes in the
// cluster's time.
func TestRun(t *testing.T) {
	restart := RestartConnector{Cluster: "warehouse", Connector: "sink", OnlyFailed: true}
	first := RestartConnector{Cluster: "warehouse", Connector: "sink", Task: nth(0)}
	set := Configure{Cluster: "warehouse", Connector: "sink", Set: map[string]string{"tasks.max": "2"}}
	pause := Transition{Cluster: "warehouse", Connector: "sink", To: connect.Paused}
	resume := Transition{Cluster: "warehouse", Connector: "sink", To: run}
	stop := Transition{Cluster: "warehouse", Connector: "sink", To: connect.Stopped}
	wait := WaitHealthy{Cluster: "warehouse", Connectors: []string{"sink"}, Limit: time.Minute}
	paused, stopped := sink(connect.Paused), sink()
	paused.status.State, stopped.status.State = connect.Paused, connect.Stopped
	broken := func(c *cluster, cause string) *cluster { c.cause = cause; return c }
	refusing := func(c *cluster, errs ...error) *cluster { c.refuse = errs; return c }
	for _, row := range []struct {
		name    string
		on      *cluster
		do      Action
		says    string // part of the output
		err     string // part of the error; "" for none
		atMost  time.Duration
		visible bool // what Observe says afterwards
	}{
		{"restart heals", sink(bad, run), restart, "tasks: 2 RUNNING", "", 3 * time.Second, true},
		{"restart of what runs", sink(run), restart, "1 RUNNING", "", 2 * time.Second, true},
		{"restart fails again with the same", broken(sink(bad), "java.lang.X: surface\n\tat a.b\nCaused by: java.net.ConnectException: old cause"), restart, "1 FAILED", "same error: java.net.ConnectException: old cause", 10 * time.Second, false},
		{"restart fails with another", broken(sink(bad), "x.Y: one\nCaused by: x.Z: another cause"), restart, "1 FAILED", "now with: x.Z: another cause", 10 * time.Second, false},
		{"restart fails without a trace", broken(sink(bad), " "), restart, "", "no trace", 10 * time.Second, false},
		{"restart waits for a rebalance", refusing(sink(bad), errRebalancing, errRebalancing, errRebalancing), restart, "1 RUNNING", "", 8 * time.Second, true},
		{"restart says at once that nobody is there", refusing(sink(bad), errRefused), restart, "", "connection refused", time.Second, false},
		{"restart of a paused one", paused, restart, "is PAUSED", "", 3 * time.Second, true},
		{"restart of a stopped one", stopped, restart, "is STOPPED", "resume it", time.Second, true},
		{"one task", sink(bad, bad), first, "1 FAILED, 1 RUNNING", "", 3 * time.Second, true},
		{"one task fails again", broken(sink(bad, run), "x.Y: still"), first, "", "task 0 of sink failed again, now with: x.Y: still", 10 * time.Second, false},
		{"a task that is not there", sink(bad), RestartConnector{Cluster: "warehouse", Connector: "sink", Task: nth(7)}, "", "no such connector", time.Second, false},
		{"a connector that is not there", sink(run), RestartConnector{Cluster: "warehouse", Connector: "nope"}, "", `"nope"`, time.Second, false},
		{"a cluster that is not there", sink(run), RestartConnector{Cluster: "x", Connector: "sink"}, "", `"x" is not configured`, time.Second, false},
		{"pause", sink(run, run), pause, "2 PAUSED", "", 2 * time.Second, true},
		{"pause with a failed task", sink(run, bad), pause, "1 FAILED, 1 PAUSED", "", 2 * time.Second, true},
		{"stop", sink(run), stop, "is STOPPED; no tasks", "", 2 * time.Second, true},
		{"resume", paused, resume, "1 RUNNING", "", 2 * time.Second, true},
		{"resume does not heal", sink(bad), resume, "1 FAILED", "restart them: java.net.ConnectException: old cause", 10 * time.Second, false},
		{"a state that nobody can ask for", sink(run), Transition{Cluster: "warehouse", Connector: "sink", To: bad}, "", "expected PAUSED", time.Second, false},
		{"configure", sink(run), set, "- tasks.max = 1\n+ tasks.max = 2", "", 10 * time.Second, true},
		{"configure heals: old FAILED is no verdict", sink(bad), set, "tasks.max", "", 10 * time.Second, true},
		{"configure fails the task", broken(sink(run), "x.Y: bad option"), set, "+ tasks.max = 2", "fails with the new configuration: x.Y: bad option", 10 * time.Second, true},
		{"configure to what is there", sink(run), Configure{Cluster: "warehouse", Connector: "sink", Set: map[string]string{"tasks.max": "1"}}, "nothing differs", "", time.Second, true},
		{"configure an option that nobody knows", sink(run), Configure{Cluster: "warehouse", Connector: "sink", Set: map[string]string{"auto.evolve": "true"}}, "", `no option "auto.evolve"`, time.Second, false},
		{"configure a transformation", sink(run), Configure{Cluster: "warehouse", Connector: "sink", Set: map[string]string{"transforms.a.type": "x"}}, "transforms", "", 10 * time.Second, true},
		{"configure away", sink(run), Configure{Cluster: "warehouse", Connector: "sink", Unset: []string{"tasks.max"}}, "- tasks.max = 1", "", 10 * time.Second, true},
		{"configure hides secrets", sink(run), Configure{Cluster: "warehouse", Connector: "sink", Set: map[string]string{"connection.password": "hunter2", "pin": "4711"}}, "- connection.password = ${file:/secrets/postgres:password}\n+ connection.password = (secret)\n+ pin = (secret)", "", 10 * time.Second, true},
		{"wait", sink(run), wait, "after", "", 3 * time.Second, true},
		{"wait ends early when a task stays failed", sink(bad), wait, "", "stays failed: java.net.ConnectException: old cause", 15 * time.Second, true},
		{"wait ends at its limit", sink(connect.Unassigned), wait, "", "in time", 61 * time.Second, true},
		{"wait for the cluster", refusing(sink(run), errRebalancing, errRebalancing), WaitHealthy{Cluster: "warehouse", Limit: time.Minute}, "after 2s", "", 3 * time.Second, true},
		{"wait for the cluster in vain", refusing(sink(run), errRefused), WaitHealthy{Cluster: "warehouse", Limit: time.Minute}, "", "refused", 3 * time.Second, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), row.do.Deadline())
				defer cancel()
				out, err := row.do.Run(ctx, row.on)
				if got := text(err); (row.err == "") != (err == nil) || !strings.Contains(got, row.err) {
					t.Errorf("error: got %q, want %q", got, row.err)
				}
				if !strings.Contains(out.Text, row.says) {
					t.Errorf("output: got %q, want %q", out.Text, row.says)
				}
				if took := time.Since(began); took > row.atMost {
					t.Errorf("took %s, want at most %s", took, row.atMost)
				}
				if row.do.Risk() == Read {
					return
				}
				if visible, err := row.do.Observe(t.Context(), row.on); err == nil && visible != row.visible {
					t.Errorf("observed: got %v, want %v", visible, row.visible)
				}
			})
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRefusedConfigurationIsNotWritten(t *testing.T) {
	c := sink(run)
	c.problem = "must be a number"
	_, err := Configure{Cluster: "warehouse", Connector: "sink", Set: map[string]string{"tasks.max": "x"}}.Run(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "tasks.max: must be a number") || c.puts != 0 {
		t.Errorf("got %v after %d writes; want the plugin's words and no write", err, c.puts)
	}
	delete(c.config, "connector.class")
	_, err = Configure{Cluster: "warehouse", Connector: "sink", Set: map[string]string{"tasks.max": "2"}}.Run(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "connector.class") || c.puts != 0 {
		t.Errorf("without a class: got %v after %d writes", err, c.puts)
	}
}

// A secret's reference must survive a merge, and what is not named must stay.
func TestConfigureKeepsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := sink(run)
		want := map[string]string{"name": "sink", "connector.class": "x.Sink", "tasks.max": "3", "connection.password": "${file:/secrets/postgres:password}"}
		if _, err := (Configure{Cluster: "warehouse", Connector: "sink", Set: map[string]string{"tasks.max": "3"}}).Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, c.config); diff != "" {
			t.Errorf("configuration (-want +got):\n%s", diff)
		}
	})
}

// A cancelled context ends every action soon, whatever the cluster does.
func TestCancel(t *testing.T) {
	for _, a := range []Action{
		RestartConnector{Cluster: "warehouse", Connector: "sink"},
		WaitHealthy{Cluster: "warehouse", Connectors: []string{"sink"}},
		WaitHealthy{Cluster: "warehouse"},
		Configure{Cluster: "warehouse", Connector: "sink", Set: map[string]string{"tasks.max": "2"}},
		Transition{Cluster: "warehouse", Connector: "sink", To: run},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := sink(connect.Unassigned)
			c.lag = time.Hour
			for range 1000 {
				c.refuse = append(c.refuse, errRebalancing)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			began := time.Now()
			if _, err := a.Run(ctx, c); err == nil {
				t.Errorf("%+v: no error", a)
			}
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("%+v took %s", a, took)
			}
		})
	}
}

func TestLook(t *testing.T) {
	c := sink(bad, run)
	c.config["database.secret"] = "hunter2"
	c.offsets = []connect.Offset{{Partition: map[string]any{"kafka_topic": "orders"}, Offset: map[string]any{"kafka_offset": json.Number("9007199254740993")}}}
	for _, row := range []struct{ name, what, filter, want string }{
		{"list", "list", ".[]", "sink"},
		{"list without a filter", "list", "", "[\n  \"sink\"\n]"},
		{"expanded", "expand", ".sink.status.tasks | length", "2"},
		{"expanded configuration", "expand", `.sink.info.config["connector.class"]`, "x.Sink"},
		{"status", "status", ".connector.state", "RUNNING"},
		{"failed tasks", "status", `.tasks[] | select(.state == "FAILED") | .id`, "0"},
		{"traces", "status", ".tasks[0].trace | split(\"\\n\")[0]", "java.lang.X: surface"},
		{"task", "task", "{id, state}", "{\n  \"id\": 1,\n  \"state\": \"RUNNING\"\n}"},
		{"info", "info", `"\(.name) \(.tasks | length) \(.config["tasks.max"])"`, "sink 2 1"},
		{"secrets", "config", `."database.secret"`, "(secret)"},
		{"references", "config", `."connection.password"`, "${file:/secrets/postgres:password}"},
		{"long numbers stay exact", "offsets", ".offsets[0].offset.kafka_offset", "9007199254740993"},
		{"halt", "list", "1, halt, 2", "1"},
		{"environment", "list", "env | length, ($ENV | length)", "0\n0"},
	} {
		out, err := Look{What: row.what, Cluster: "warehouse", Connector: "sink", Task: 1, Pipe: jqPipe(row.filter)}.Run(t.Context(), c)
		if err != nil || out.Text != row.want {
			t.Errorf("%s: got %q, %v, want %q", row.name, out.Text, err, row.want)
		}
	}
}

func TestLookComplains(t *testing.T) {
	for _, row := range []struct {
		name string
		do   Look
		want string
	}{
		{"jq that is none", Look{What: "list", Pipe: jqPipe(".[")}, `".["`},
		{"jq with an unknown function", Look{What: "list", Pipe: jqPipe("nope(1)")}, "nope"},
		{"jq that fails", Look{What: "list", Pipe: jqPipe(".a.b")}, "object"},
		{"jq that never ends", Look{What: "list", Pipe: jqPipe("def f: f; f")}, "deadline"},
		{"jq that fills memory", Look{What: "list", Pipe: jqPipe("[range(1e12)]")}, "deadline"},
		{"jq that is too long", Look{What: "list", Pipe: jqPipe(strings.Repeat(" ", maxProgram) + ".")}, "at most"},
		{"jq that reads files", Look{What: "list", Pipe: jqPipe(`input`)}, "jq"},
		{"jq that halts with an error", Look{What: "list", Pipe: jqPipe(`"x" | halt_error`)}, "halt"},
		{"a task that is not there", Look{What: "task", Connector: "sink", Task: 9}, "no task 9"},
		{"a look that is none", Look{What: "sideways"}, "expected one of"},
	} {
		row.do.Cluster = "warehouse"
		if _, err := row.do.Run(t.Context(), sink(run)); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		}
	}
	out, err := Filter(t.Context(), nil, `range(1e9) | "0123456789"`)
	if err != nil || len(out) > maxShown+100 || !strings.HasSuffix(out, "cut at 1 MiB") {
		t.Errorf("endless output: %d bytes, %v", len(out), err)
	}
}

// What an approver reads.
func TestEffects(t *testing.T) {
	for _, row := range []struct {
		do   Action
		kind string
		risk Risk
		want string
	}{
		{RestartConnector{Connector: "s", OnlyFailed: true}, "connect.restart", Change, "Restarts the failed tasks of s; tasks that run keep running."},
		{RestartConnector{Connector: "s"}, "connect.restart", Change, "Restarts s with all its tasks."},
		{RestartConnector{Connector: "s", Task: nth(2)}, "connect.restart", Change, "Restarts task 2 of s."},
		{RestartBatch{Connectors: []string{"s", "t"}}, "connect.restart-batch", Change, "Restarts the failed tasks of 2 connectors, 4 at a time: s, t; tasks that run keep running."},
		{Transition{Connector: "s", To: connect.Paused}, "connect.pause", Change, "Pauses s: its tasks stop reading and writing; nothing is lost."},
		{Transition{Connector: "s", To: run}, "connect.resume", Change, "Resumes s."},
		{Transition{Connector: "s", To: connect.Stopped}, "connect.stop", Change, "Stops s: its tasks end; configuration and offsets are kept."},
		{Configure{Connector: "s", Set: map[string]string{"b": "2", "a": "1"}, Unset: []string{"c"}}, "connect.configure", Change, "Sets a = 1, b = 2, c to its default of s; all other options stay. Tasks restart."},
		{Configure{Connector: "s", Set: map[string]string{"sasl.jaas.config": "x password=y"}}, "connect.configure", Change, "Sets sasl.jaas.config = (secret) of s; all other options stay. Tasks restart."},
		{Configure{Connector: "s", Set: map[string]string{"errors.tolerance": "all"}}, "connect.configure", High, "Sets errors.tolerance = all of s; all other options stay. Tasks restart. From then on records that fail are skipped, not retried: take it back when the cause is gone."},
		{WaitHealthy{Connectors: []string{"a", "b"}, Expect: "30-60 seconds"}, "wait.healthy", Read, "Waits until a and b run (usually 30-60 seconds)."},
		{WaitHealthy{}, "wait.healthy", Read, "Waits until Kafka Connect answers."},
		{Look{What: "list", Cluster: "c"}, "connect.list", Read, "Lists the connectors of c."},
		{Look{What: "task", Cluster: "c", Connector: "s", Task: 3}, "connect.status", Read, "Reads the status of task 3 of s."},
	} {
		if got := row.do.Effect(); got != row.want {
			t.Errorf("%+v\ngot  %q\nwant %q", row.do, got, row.want)
		}
		if row.do.Kind() != row.kind || row.do.Risk() != row.risk || !row.do.Idempotent() || row.do.Deadline() <= 0 || !strings.HasPrefix(row.do.Target(), "connect/") {
			t.Errorf("%+v: kind %s, risk %s, deadline %s, target %s", row.do, row.do.Kind(), row.do.Risk(), row.do.Deadline(), row.do.Target())
		}
	}
}

func TestRisks(t *testing.T) {
	if got := Max(Read, High, Change); got != High {
		t.Errorf("Max: got %s, want high", got)
	}
	if got := Max(); got != "" {
		t.Errorf("Max of none: got %s", got)
	}
	if r, err := ParseRisk("change"); r != Change || err != nil {
		t.Errorf("change: got %s, %v", r, err)
	}
	if _, err := ParseRisk("wild"); err == nil || !strings.Contains(err.Error(), `"wild"`) {
		t.Errorf("wild: got %v", err)
	}
	if errors.Is(errRefused, connect.ErrRebalancing) {
		t.Error("a refused connection is no rebalance")
	}
}
