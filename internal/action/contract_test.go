package action_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"cdcbot/internal/action"
	"cdcbot/internal/connect"
	"cdcbot/internal/connect/connecttest"
	"cdcbot/internal/lab"
)

// bench is a worker to run actions on, with a connector of the test's own.
type bench struct {
	action.Nothing
	client *connect.Client
	name   string
	kept   *sync.Map
}

// Keeper keeps in memory.
func (b bench) Keeper() (action.Keeper, error) { return b, nil }

// Keep implements action.Keeper.
func (b bench) Keep(_ context.Context, key string, value []byte) error {
	b.kept.Store(key, value)
	return nil
}

// Kept implements action.Keeper.
func (b bench) Kept(_ context.Context, key string) ([]byte, error) {
	if v, ok := b.kept.Load(key); ok {
		return v.([]byte), nil
	}
	return nil, nil
}

// Connect makes the bench a world.
func (b bench) Connect(string) (action.Connect, error) { return b.client, nil }

func sinkConfig() map[string]string {
	return map[string]string{
		"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "tasks.max": "1", "topics": "cdcbot-contract-action",
		"file": os.DevNull, "key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
	}
}

// contract runs from top to bottom on one connector, on the simulated worker and on a real one.
var contract = []struct {
	name string
	do   func(connector string) action.Action
	says string // part of the output
	err  string // part of the error, "" for none
}{
	{"restart of what runs", restart, "tasks: 1 RUNNING", ""},
	{"restart of a batch", func(c string) action.Action { return action.RestartBatch{Connectors: []string{c}} }, "is RUNNING; tasks: 1 RUNNING", ""},
	{"restart of a batch with one that is gone", func(c string) action.Action { return action.RestartBatch{Connectors: []string{c, c + "-gone"}} }, "-gone: not restarted", "no such connector"},
	{"restart of one task", func(c string) action.Action {
		zero := 0
		return action.RestartConnector{Connector: c, Task: &zero}
	}, "tasks: 1 RUNNING", ""},
	{"restart of a task that is not there", func(c string) action.Action {
		nine := 9
		return action.RestartConnector{Connector: c, Task: &nine}
	}, "", "no such"},
	{"restart of nothing", func(string) action.Action { return restart("nope") }, "", `"nope"`},
	{"pause", move(connect.Paused), "is PAUSED; tasks: 1 PAUSED", ""},
	{"pause again", move(connect.Paused), "is PAUSED", ""},
	{"restart of a paused one", restart, "is PAUSED", ""},
	{"resume", move(connect.Running), "tasks: 1 RUNNING", ""},
	{"stop", move(connect.Stopped), "is STOPPED; no tasks", ""},
	{"restart of a stopped one", restart, "is STOPPED", "resume it"},
	{"resume makes tasks anew", move(connect.Running), "tasks: 1 RUNNING", ""},
	{"configure", set("errors.tolerance", "all"), "+ errors.tolerance = all", ""},
	{"configure again", set("errors.tolerance", "all"), "nothing differs", ""},
	{"configure back", set("errors.tolerance", "none"), "- errors.tolerance = all\n+ errors.tolerance = none", ""},
	{"configure what the plugin refuses", set("tasks.max", "x"), "", "tasks.max"},
	{"configure what nobody knows", set("auto.evolve", "true"), "", `"auto.evolve"`},
	{"wait", func(c string) action.Action {
		return action.WaitHealthy{Connectors: []string{c}, Limit: time.Minute}
	}, "after", ""},
	{"status through jq", look("status", ".tasks[].state"), "RUNNING", ""},
	{"config through jq", look("config", `."errors.tolerance"`), "none", ""},
	{"info through jq", look("info", ".type"), "sink", ""},
	{"offsets", look("offsets", ".offsets | type"), "array", ""},
	{"list", look("list", `map(select(startswith("cdcbot-action"))) | length`), "1", ""},
}

func restart(c string) action.Action { return action.RestartConnector{Connector: c, OnlyFailed: true} }

func move(to connect.State) func(string) action.Action {
	return func(c string) action.Action { return action.Transition{Connector: c, To: to} }
}

func set(name, value string) func(string) action.Action {
	return func(c string) action.Action {
		return action.Configure{Connector: c, Set: map[string]string{name: value}}
	}
}

func look(what, filter string) func(string) action.Action {
	return func(c string) action.Action {
		return action.Look{What: what, Connector: c, Pipe: action.Pipe{{JQ: filter}}}
	}
}

func TestContractSimulated(t *testing.T) {
	t.Parallel()
	run(t, start(t, connecttest.New(connecttest.Options{Speed: 10})))
}

// TestContractReal runs the same rows on a real worker.
func TestContractReal(t *testing.T) {
	run(t, client(t, lab.Require(t, lab.Connect).Connect))
}

func start(t *testing.T, w *connecttest.Worker) *connect.Client {
	t.Helper()
	url, err := w.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return client(t, url)
}

func client(t *testing.T, url string) *connect.Client {
	t.Helper()
	c, err := connect.New(connect.Options{Cluster: "warehouse", URL: url})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func run(t *testing.T, c *connect.Client) {
	b := bench{client: c, name: fmt.Sprintf("cdcbot-action-%d", time.Now().UnixNano())}
	if err := c.Create(t.Context(), b.name, sinkConfig(), ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // the test's own has ended
		defer cancel()
		if err := c.Delete(ctx, b.name); err != nil {
			t.Errorf("cleaning up: %v", err)
		}
	})
	up, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := c.Await(up, b.name, connect.Status.Running); err != nil {
		t.Fatal(err)
	}
	for _, row := range contract {
		t.Run(row.name, func(t *testing.T) { check(t, b, row.do(b.name), row.says, row.err) })
	}
}

func check(t *testing.T, w action.World, a action.Action, says, wrong string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), a.Deadline())
	defer cancel()
	out, err := a.Run(ctx, w)
	if got := fmt.Sprint(err); (wrong == "") != (err == nil) || wrong != "" && !strings.Contains(got, wrong) {
		t.Errorf("%+v: error %v, want %q", a, err, wrong)
	}
	if !strings.Contains(out.Text, says) {
		t.Errorf("%+v: output %q, want %q", a, out.Text, says)
	}
}

// A failed sink with a captured trace: restarting helps only when the cause is gone, and the error names the cause.
func TestFaults(t *testing.T) {
	t.Parallel()
	w := connecttest.New(connecttest.Options{Speed: 10})
	b := bench{client: start(t, w), name: "postgres-sink-connector"}
	config := map[string]string{"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "tasks.max": "1", "topics": "orders", "connection.url": "jdbc:postgresql://postgres/shop", "connection.username": "sink", "connection.password": "sink", "primary.key.mode": "record_value", "primary.key.fields": "id"}
	if err := w.AddConnector(b.name, config); err != nil {
		t.Fatal(err)
	}
	for _, fault := range []struct{ slug, cause string }{
		{"a1-postgres-down", "Connection"},
		{"b1-password-changed", "password authentication failed"},
	} {
		if err := w.Break(fault.slug, b.name); err != nil {
			t.Fatal(err)
		}
		w.Produce(1)
		wait, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if _, err := b.client.Await(wait, b.name, func(s connect.Status) bool { return len(s.Failed()) > 0 }); err != nil {
			t.Fatal(err)
		}
		cancel()
		check(t, b, restart(b.name), "FAILED", "failed again")
		w.Mend()
		check(t, b, restart(b.name), "tasks: 1 RUNNING", "")
	}
}

// A rebalance refuses for a while; the action outlasts it.
func TestRebalance(t *testing.T) {
	t.Parallel()
	w := connecttest.New(connecttest.Options{})
	b := bench{client: start(t, w), name: "s"}
	if err := w.AddConnector(b.name, sinkConfig()); err != nil {
		t.Fatal(err)
	}
	w.Rebalance(2 * time.Second)
	check(t, b, restart(b.name), "tasks: 1 RUNNING", "")
}
