package action_test

import (
	"strings"
	"sync"
	"testing"

	"cdcbot/internal/action"
	"cdcbot/internal/connect"
	"cdcbot/internal/connect/connecttest"
)

func TestDrift(t *testing.T) {
	for _, row := range []struct {
		name     string
		was, now []string
		shrinks  bool
		want     string
	}{
		{"the same", []string{"a", "b"}, []string{"a", "b"}, false, ""},
		{"both empty", nil, []string{}, false, ""},
		{"more", []string{"a"}, []string{"a", "b"}, false, "x: now “b”"},
		{"fewer", []string{"a", "b"}, []string{"b"}, false, "x: no longer “a”"},
		{"another", []string{"a = 1"}, []string{"a = 2"}, false, "x: no longer “a = 1”, now “a = 2”"},
		{"many", nil, strings.Split("a b c d e f", " "), false, "x: now “a”, “b”, “c”, “d”, 2 more"},
		{"fewer of what may shrink", []string{"task 0", "task 1"}, []string{"task 1"}, true, ""},
		{"none of what may shrink", []string{"task 0"}, nil, true, ""},
		{"more of what may shrink", []string{"task 0"}, []string{"task 0", "task 2"}, true, "x: now “task 2”"},
		{"another of what may shrink", []string{"task 0"}, []string{"task 1"}, true, "x: now “task 1”"},
	} {
		was, now := action.Condition{Name: "x", Values: row.was, Shrinks: row.shrinks}, action.Condition{Name: "x", Values: row.now, Shrinks: row.shrinks}
		if got := was.Drift(now); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// What an action names as mattering to it does change when somebody changes it, and by nothing else.
func TestConditions(t *testing.T) {
	var worker *connecttest.Worker
	var client *connect.Client
	fresh := func(t *testing.T) bench {
		t.Helper()
		worker = connecttest.New(connecttest.Options{})
		url, err := worker.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = worker.Close() })
		if client, err = connect.New(connect.Options{Cluster: "w", URL: url}); err != nil {
			t.Fatal(err)
		}
		config := sinkConfig()
		config["tasks.max"], config["connection.password"] = "2", "planted-secret"
		if err := worker.AddConnector("sink", config); err != nil {
			t.Fatal(err)
		}
		if err := worker.Fail("sink", 0, "java.lang.IllegalStateException: x"); err != nil {
			t.Fatal(err)
		}
		return bench{client: client, kept: &sync.Map{}}
	}
	option := func(t *testing.T) {
		config := sinkConfig()
		config["tasks.max"], config["connection.password"], config["errors.tolerance"] = "2", "planted-secret", "all"
		if err := client.PutConfig(t.Context(), "sink", config); err != nil {
			t.Fatal(err)
		}
	}
	another := func(t *testing.T) {
		if err := worker.Fail("sink", 1, "java.lang.IllegalStateException: y"); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name string
		a    action.Conditioned
		do   func(*testing.T)
		want string // part of the difference; "" when none
	}{
		{"restart, nothing", action.RestartConnector{Connector: "sink", OnlyFailed: true}, nil, ""},
		{"restart, another task failed", action.RestartConnector{Connector: "sink", OnlyFailed: true}, another, "failed parts of sink: now “task 1”"},
		{"restart, another option", action.RestartConnector{Connector: "sink", OnlyFailed: true}, option, "now “errors.tolerance = all”"},
		{"batch, another task failed", action.RestartBatch{Connectors: []string{"sink"}}, another, "now “sink task 1”"},
		{"batch, another option", action.RestartBatch{Connectors: []string{"sink", "not-there"}}, option, "configurations: no longer “sink "},
		{"configure, another option", action.Configure{Connector: "sink", Set: map[string]string{"file": "/x"}}, option, "now “errors.tolerance = all”"},
		{"configure, another task failed", action.Configure{Connector: "sink", Set: map[string]string{"file": "/x"}}, another, ""},
		{"recreate, another option", action.Recreate{Connector: "sink", Half: action.Delete}, option, "errors.tolerance"},
		{"create, it is not there", action.Recreate{Connector: "not-there", New: true}, another, ""},
		{"offsets of what runs", action.AlterOffsets{Connector: "sink"}, another, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := fresh(t)
			was, err := row.a.Conditions(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			if row.do != nil {
				row.do(t)
			}
			now, err := row.a.Conditions(t.Context(), w)
			if err != nil || len(now) != len(was) {
				t.Fatalf("got %d conditions, before %d: %v", len(now), len(was), err)
			}
			var moved []string
			for i := range was {
				if strings.Contains(strings.Join(was[i].Values, " "), "planted-secret") {
					t.Errorf("a secret is in %v", was[i].Values)
				}
				if d := was[i].Drift(now[i]); d != "" {
					moved = append(moved, d)
				}
			}
			got := strings.Join(moved, "; ")
			if (got == "") != (row.want == "") || !strings.Contains(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}
