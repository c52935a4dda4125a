package connect_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/connect"
	"cdcbot/internal/connect/connecttest"
)

const sinkName = "postgres-sink-connector"

// quick makes the simulated worker's delays short.
var quick = connecttest.Options{Speed: 20}

// failedSink is a worker whose sink has failed and whose cause is gone.
func failedSink(t *testing.T, o connecttest.Options) (*connecttest.Worker, *connect.Client) {
	t.Helper()
	w, url := simulated(t, o)
	c := client(t, url, 5*time.Second)
	if err := w.Break("b1-password-changed", sinkName); err != nil {
		t.Fatal(err)
	}
	s, err := c.Await(t.Context(), sinkName, func(s connect.Status) bool { return len(s.Failed()) == 3 })
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.Tasks[0].Trace, "password authentication failed") || !slices.Equal(s.Failed(), []int{0, 1, 2}) || !s.Unhealthy() {
		t.Fatalf("status %+v", s)
	}
	w.Mend()
	return w, c
}

func TestRestartHeals(t *testing.T) {
	for _, version := range []string{"4.3.1", "3.0.0", "2.8.0"} {
		for _, onlyFailed := range []bool{true, false} {
			o := quick
			o.Version = version
			w, c := failedSink(t, o)
			if _, err := c.Restart(t.Context(), sinkName, onlyFailed); err != nil {
				t.Fatalf("restart on %s: %v", version, err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			s, err := c.Await(ctx, sinkName, connect.Status.Running)
			cancel()
			if err != nil || w.Rows() == 0 {
				t.Errorf("onlyFailed %t on %s: %+v, %v, %d rows", onlyFailed, version, s, err, w.Rows())
			}
		}
	}
}

func TestRestartWaitsOutARebalance(t *testing.T) {
	w, c := failedSink(t, quick)
	w.Rebalance(300 * time.Millisecond)
	if _, err := c.Restart(t.Context(), sinkName, true); err != nil {
		t.Errorf("restart while a worker joins: %v", err)
	}
	w.Starting(300 * time.Millisecond)
	if _, err := c.Await(t.Context(), sinkName, connect.Status.Running); err != nil {
		t.Errorf("await while the worker starts: %v", err)
	}
}

func TestForwardErrorIsNotTriedAgain(t *testing.T) {
	w, url := simulated(t, connecttest.Options{})
	if err := w.Break("f2b-follower-killed", sinkName); err != nil {
		t.Fatal(err)
	}
	c := client(t, url, time.Second)
	_, err := c.Restart(t.Context(), sinkName, true)
	if !errors.Is(err, connect.ErrRebalancing) || !strings.Contains(err.Error(), "trying to forward") {
		t.Errorf("got %v", err)
	}
	s, err := c.Status(t.Context(), sinkName) // the status of the dead worker is stale, and only its name says so
	if err != nil || !s.Running() || !slices.Equal(s.Workers(), []string{"kafka-connect-2:8083"}) {
		t.Errorf("status %+v, %v", s, err)
	}
}

func TestAwaitSaysWhatItSaw(t *testing.T) {
	_, url := simulated(t, quick)
	c := client(t, url, time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
	defer cancel()
	_, err := c.Await(ctx, sinkName, func(s connect.Status) bool { return s.State == connect.Stopped })
	if !errors.Is(err, connect.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `connector RUNNING, tasks {"RUNNING":3}`) {
		t.Errorf("deadline: got %v", err)
	}
	if _, err := c.Await(t.Context(), "nope", connect.Status.Running); !errors.Is(err, connect.ErrNotFound) {
		t.Errorf("unknown connector: got %v", err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := c.Await(gone, sinkName, connect.Status.Running); !errors.Is(err, context.Canceled) || errors.Is(err, connect.ErrTimeout) {
		t.Errorf("canceled: got %v", err)
	}
}

func TestLifeOfAConnector(t *testing.T) {
	_, url := simulated(t, quick)
	c, ctx := client(t, url, time.Second), t.Context()
	config := map[string]string{"connector.class": "FileStreamSink", "topics": "orders", "tasks.max": "1"}
	if err := c.Create(ctx, "new", config, connect.Stopped); err != nil {
		t.Fatal(err)
	}
	if s, err := c.Await(ctx, "new", func(s connect.Status) bool { return s.State == connect.Stopped }); err != nil || len(s.Tasks) != 0 {
		t.Fatalf("born stopped: %+v %v", s, err)
	}
	moved := []connect.Offset{{Partition: map[string]any{"kafka_topic": "orders", "kafka_partition": 0}, Offset: map[string]any{"kafka_offset": 0}}}
	if err := c.AlterOffsets(ctx, "new", moved); err != nil {
		t.Errorf("altering offsets: %v", err)
	}
	if list, err := c.Offsets(ctx, "new"); err != nil || len(list) != 1 {
		t.Errorf("offsets: %v %v", list, err)
	}
	if err := c.ResetOffsets(ctx, "new"); err != nil {
		t.Errorf("resetting offsets: %v", err)
	}
	if err := c.Delete(ctx, "new"); err != nil {
		t.Fatal(err)
	}
	if err := c.AwaitGone(ctx, "new"); err != nil {
		t.Errorf("gone: %v", err)
	}
}

func TestHealth(t *testing.T) {
	w, url := simulated(t, connecttest.Options{Speed: 1000})
	c := client(t, url, 5*time.Second)
	tests := []struct {
		name, version, fault string
		known, healthy       bool
		message              string
	}{
		{"new worker", "4.3.1", "", true, true, "completed startup"},
		{"old worker", "3.8.0", "", false, true, "Connect 3.8.0 answers"},
		{"no broker", "4.3.1", "f3-broker-down", true, false, "ensuring membership"},
	}
	for _, test := range tests {
		w.Version(test.version)
		if test.fault != "" {
			if err := w.Break(test.fault, ""); err != nil {
				t.Fatal(err)
			}
		}
		h, err := c.Health(t.Context())
		if err != nil || h.Known != test.known || h.Healthy != test.healthy || !strings.Contains(h.Message, test.message) {
			t.Errorf("%s: got %+v, %v", test.name, h, err)
		}
	}
}

func TestValidation(t *testing.T) {
	_, url := simulated(t, quick)
	c := client(t, url, time.Second)
	const class = "io.debezium.connector.jdbc.JdbcSinkConnector"
	v, err := c.Validate(t.Context(), class, map[string]string{"connector.class": class, "name": "v", "topics": "t", "tasks.max": "x", "connection.password": "p"})
	if err != nil || v.ErrorCount != 2 || len(v.Problems()) != 2 || !slices.Equal(v.Passwords(), []string{"connection.password"}) {
		t.Errorf("got %d errors, %q, passwords %q, %v", v.ErrorCount, v.Problems(), v.Passwords(), err)
	}
	if _, err := c.Validate(t.Context(), "no.such.Class", nil); !errors.Is(err, connect.ErrInvalidConfig) {
		t.Errorf("unknown class: %v", err)
	}
	server, _ := saying(t, `200 {"name":"x","error_count":1,"configs":[{"definition":null,"value":{"name":"odd","value":null,"errors":["Configuration is not defined: odd"]}}]}`)
	v, err = client(t, server.URL, time.Second).Validate(t.Context(), class, nil)
	if err != nil || len(v.Fields) != 1 || v.Fields[0].Name != "odd" || v.Fields[0].Known {
		t.Errorf("an undefined option: %+v, %v", v, err)
	}
}

func TestStatusWords(t *testing.T) {
	task := func(s connect.State) connect.Task { return connect.Task{State: s} }
	tests := []struct {
		name               string
		s                  connect.Status
		running, unhealthy bool
	}{
		{"runs", connect.Status{State: connect.Running, Tasks: []connect.Task{task(connect.Running)}}, true, false},
		{"no tasks", connect.Status{State: connect.Running}, false, true},
		{"a failed task", connect.Status{State: connect.Running, Tasks: []connect.Task{task(connect.Running), task(connect.Failed)}}, false, true},
		{"failed connector", connect.Status{State: connect.Failed, Tasks: []connect.Task{task(connect.Running)}}, false, true},
		{"paused", connect.Status{State: connect.Paused, Tasks: []connect.Task{task(connect.Paused)}}, false, false},
		{"paused with a failed task", connect.Status{State: connect.Paused, Tasks: []connect.Task{task(connect.Failed)}}, false, true},
		{"stopped", connect.Status{State: connect.Stopped}, false, true},
		{"unassigned", connect.Status{State: connect.Unassigned}, false, true},
	}
	for _, test := range tests {
		if test.s.Running() != test.running || test.s.Unhealthy() != test.unhealthy {
			t.Errorf("%s: running %t, unhealthy %t; want %t, %t", test.name, test.s.Running(), test.s.Unhealthy(), test.running, test.unhealthy)
		}
	}
}
