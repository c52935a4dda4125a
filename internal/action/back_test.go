package action_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/action"
	"cdcbot/internal/connect"
	"cdcbot/internal/connect/connecttest"
)

// What takes an action back brings the world to where it was, also after it has been kept.
func TestBack(t *testing.T) {
	sink := func(do func(*action.Configure)) action.Configure {
		a := action.Configure{Cluster: "w", Connector: "sink", Set: map[string]string{"tasks.max": "3"}}
		do(&a)
		return a
	}
	for _, row := range []struct {
		name   string
		before func(t *testing.T, c *connect.Client)
		do     action.Action
		want   action.Action
	}{
		{"pause", nil, action.Transition{Cluster: "w", Connector: "sink", To: connect.Paused}, action.Transition{Cluster: "w", Connector: "sink", To: connect.Running}},
		{"resume what was stopped", stop, action.Transition{Cluster: "w", Connector: "sink", To: connect.Running}, action.Transition{Cluster: "w", Connector: "sink", To: connect.Stopped}},
		{"pause what is paused", pause, action.Transition{Cluster: "w", Connector: "sink", To: connect.Paused}, nil},
		{"an option", nil, sink(func(*action.Configure) {}), action.Configure{Cluster: "w", Connector: "sink", Set: map[string]string{"tasks.max": "1"}}},
		{"a secret", nil, sink(func(a *action.Configure) { a.Set = map[string]string{"connection.password": "new"} }), nil},
		{"what takes back already", nil, sink(func(a *action.Configure) { a.Back = true }), nil},
		{"a restart", nil, action.RestartConnector{Cluster: "w", Connector: "sink"}, nil},
		{"a connector that is not there", nil, action.Transition{Cluster: "w", Connector: "nowhere", To: connect.Paused}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			worker := connecttest.New(connecttest.Options{})
			url, err := worker.Start()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = worker.Close() })
			config := sinkConfig()
			config["tasks.max"], config["connection.password"] = "1", "planted-secret"
			if err := worker.AddConnector("sink", config); err != nil {
				t.Fatal(err)
			}
			client, err := connect.New(connect.Options{Cluster: "w", URL: url})
			if err != nil {
				t.Fatal(err)
			}
			if row.before != nil {
				row.before(t, client)
			}
			back := action.Back(t.Context(), row.do, bench{client: client})
			if !reflect.DeepEqual(back, row.want) {
				t.Fatalf("taken back by %+v, want %+v", back, row.want)
			}
			if back == nil {
				return
			}
			packed, err := action.Pack(back)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := packed.Unpack(); err != nil || !reflect.DeepEqual(again, back) {
				t.Errorf("kept and read again it is %+v (%v)", again, err)
			}
		})
	}
}

func stop(t *testing.T, c *connect.Client) {
	t.Helper()
	if err := c.Stop(t.Context(), "sink"); err != nil {
		t.Fatal(err)
	}
	await(t, c, connect.Stopped)
}

func await(t *testing.T, c *connect.Client, want connect.State) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		s, err := c.Status(t.Context(), "sink")
		if err == nil && s.State == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the sink is %s (%v), not %s", s.State, err, want)
		}
	}
}

func pause(t *testing.T, c *connect.Client) {
	t.Helper()
	if err := c.Pause(t.Context(), "sink"); err != nil {
		t.Fatal(err)
	}
	await(t, c, connect.Paused)
}

func TestPackRefuses(t *testing.T) {
	if _, err := action.Pack(action.RestartConnector{}); err == nil || !strings.Contains(err.Error(), "connect.restart") {
		t.Errorf("a restart is kept: %v", err)
	}
}
