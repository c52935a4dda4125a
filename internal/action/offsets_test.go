package action_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"cdcbot/internal/action"
	"cdcbot/internal/connect"
	"cdcbot/internal/connect/connecttest"
	"cdcbot/internal/lab"
)

// Actions that move offsets or make a connector anew, on the simulated worker and on the real one.
func TestOffsetsSimulated(t *testing.T) {
	t.Parallel()
	w := connecttest.New(connecttest.Options{Speed: 10})
	b := bench{client: start(t, w), name: "cdcbot-offsets", kept: &sync.Map{}}
	if err := w.AddConnector(b.name, sinkConfig()); err != nil {
		t.Fatal(err)
	}
	moving(t, b, func(n int) { w.Produce(n) })
}

func TestOffsetsReal(t *testing.T) {
	s := lab.Require(t, lab.Connect, lab.Kafka)
	b := bench{client: client(t, s.Connect), name: fmt.Sprintf("cdcbot-offsets-%d", time.Now().UnixNano()), kept: &sync.Map{}}
	config := sinkConfig()
	config["topics"] = b.name
	producer, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	produce := func(n int) {
		for i := range n {
			if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: b.name, Partition: 0, Value: fmt.Appendf(nil, "record %d", i)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	produce(1) // makes the topic
	if err := b.client.Create(t.Context(), b.name, config, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // the test's own has ended
		defer cancel()
		if err := b.client.Delete(ctx, b.name); err != nil {
			t.Errorf("cleaning up: %v", err)
		}
	})
	moving(t, b, produce)
}

// moving walks one connector through everything; each row begins where the one before ended.
func moving(t *testing.T, b bench, produce func(int)) {
	up, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := b.client.Await(up, b.name, connect.Status.Running); err != nil {
		t.Fatal(err)
	}
	produce(5)
	config, err := b.client.Config(t.Context(), b.name)
	if err != nil {
		t.Fatal(err)
	}
	delete(config, "name")
	stop, resume := action.Transition{Connector: b.name, To: connect.Stopped}, action.Transition{Connector: b.name, To: connect.Running}
	first := func() connect.Offset { // where the connector stands, as the worker says it
		var list []connect.Offset
		lab.Await(t, "offsets of "+b.name, 70*time.Second, func(ctx context.Context) (bool, error) {
			list, err = b.client.Offsets(ctx, b.name)
			return err == nil && len(list) > 0, err
		})
		return list[0]
	}
	var at connect.Offset
	rows := []struct {
		name      string
		do        func() action.Action
		says, err string
	}{
		{"offsets of what runs cannot be moved", func() action.Action { return action.AlterOffsets{Connector: b.name} }, "", "only while the connector is STOPPED"},
		{"stop", func() action.Action { return stop }, "STOPPED", ""},
		{"move back", func() action.Action {
			at = first()
			at.Offset = map[string]any{"kafka_offset": 1}
			return action.AlterOffsets{Connector: b.name, Offsets: []connect.Offset{at}}
		}, " at 1", ""},
		{"skip a record that others stand before", func() action.Action { return skip(b.name, at, 3) }, "", "2 records before offset 3 would be skipped too"},
		{"stopped again", func() action.Action { return stop }, "STOPPED", ""},
		{"back again", func() action.Action {
			return action.AlterOffsets{Connector: b.name, Offsets: []connect.Offset{at}}
		}, " at 1", ""},
		{"skip one record", func() action.Action { return skip(b.name, at, 1) }, "RUNNING", ""},
		{"skip it again changes nothing", func() action.Action { return skip(b.name, at, 1) }, "RUNNING", ""},
		{"create what is there", func() action.Action {
			return action.Recreate{Connector: b.name, Half: action.Create, New: true, Config: config}
		}, "", "exists already"},
		{"create from nothing saved", func() action.Action {
			return action.Recreate{Connector: "nothing-saved", Half: action.Create, Config: config}
		}, "", "nothing was saved"},
		{"delete", func() action.Action {
			return action.Recreate{Connector: b.name, Half: action.Delete, Config: config}
		}, "deleted", ""},
		{"delete again finds it done", func() action.Action {
			return action.Recreate{Connector: b.name, Half: action.Delete, Config: config}
		}, "deleted already", ""},
		{"create again", func() action.Action {
			return action.Recreate{Connector: b.name, Half: action.Create, Config: config, File: "sink.json"}
		}, "offsets were", ""},
		{"create again finds it done", func() action.Action {
			return action.Recreate{Connector: b.name, Half: action.Create, Config: config, File: "sink.json"}
		}, "offsets are", ""},
		{"a whole configuration", func() action.Action {
			return action.Configure{Connector: b.name, Whole: true, File: "sink.json", Set: with(config, "errors.log.enable", "true")}
		}, "+ errors.log.enable = true", ""},
		{"a value that the task would refuse", func() action.Action {
			return action.Configure{Connector: b.name, Set: map[string]string{"errors.tolerance": "some"}}
		}, "", "expected none, all"},
		{"stop, to forget", func() action.Action { return stop }, "STOPPED", ""},
		{"forget", func() action.Action { return action.AlterOffsets{Connector: b.name} }, "now no offsets", ""},
		{"resume", func() action.Action { return resume }, "RUNNING", ""},
	}
	for _, row := range rows {
		if ok := t.Run(row.name, func(t *testing.T) { check(t, b, row.do(), row.says, row.err) }); !ok {
			return
		}
	}
	seen, err := resume.Observe(t.Context(), b)
	if err != nil || !seen {
		t.Errorf("observe: got %t, %v", seen, err)
	}
}

func with(config map[string]string, key, value string) map[string]string {
	out := map[string]string{key: value}
	for k, v := range config {
		out[k] = v
	}
	return out
}

func skip(name string, at connect.Offset, offset int64) action.SkipRecord {
	partition := 0
	_, _ = fmt.Sscan(fmt.Sprint(at.Partition["kafka_partition"]), &partition)
	return action.SkipRecord{Connector: name, Topic: fmt.Sprint(at.Partition["kafka_topic"]), Partition: partition, Offset: offset}
}

// A connector whose secrets stand in its configuration is not deleted: a crash would lose them.
func TestRecreateKeepsNoSecrets(t *testing.T) {
	t.Parallel()
	w := connecttest.New(connecttest.Options{Speed: 10})
	b := bench{client: start(t, w), name: "s", kept: &sync.Map{}}
	config := sinkConfig()
	config["connection.password"] = "planted-password"
	if err := w.AddConnector(b.name, config); err != nil {
		t.Fatal(err)
	}
	bare := action.Recreate{Connector: b.name, Half: action.Delete}
	if _, err := bare.Preview(t.Context(), b); err == nil || strings.Contains(err.Error(), "planted-password") {
		t.Errorf("preview: got %v", err)
	}
	if _, err := bare.Run(t.Context(), b); err == nil || !strings.Contains(err.Error(), "connection.password") || strings.Contains(err.Error(), "planted-password") {
		t.Errorf("got %v, want an error that names the option", err)
	}
	if s, err := b.client.Status(t.Context(), b.name); err != nil || s.State != connect.Running {
		t.Errorf("it was touched: %v, %v", s, err)
	}
	filed := action.Recreate{Connector: b.name, Half: action.Delete, Config: config, File: "s.json"}
	if _, err := filed.Run(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	b.kept.Range(func(key, value any) bool {
		if strings.Contains(string(value.([]byte)), "planted-password") {
			t.Errorf("%v holds the secret", key)
		}
		return true
	})
	if seen, err := filed.Observe(t.Context(), b); err != nil || !seen {
		t.Errorf("observe: got %t, %v", seen, err)
	}
}

// Failing over pauses here before it resumes there; a cluster that is gone cannot be paused, which is said.
func TestFailover(t *testing.T) {
	t.Parallel()
	here, there := connecttest.New(connecttest.Options{Speed: 10}), connecttest.New(connecttest.Options{Speed: 10})
	w := world{regions: regions{"warehouse": start(t, here), "dr": start(t, there), "gone": client(t, "http://127.0.0.1:1")}}
	for _, side := range []*connecttest.Worker{here, there} {
		if err := side.AddConnector("sink", sinkConfig()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.regions["dr"].Pause(t.Context(), "sink"); err != nil {
		t.Fatal(err)
	}
	over := action.Failover{From: "warehouse", To: "dr", Pairs: []action.Pair{{Here: "sink", There: "sink"}}}
	if _, err := over.Preview(t.Context(), w); err != nil {
		t.Errorf("preview: %v", err)
	}
	check(t, w, over, "sink is RUNNING", "")
	if seen, err := over.Observe(t.Context(), w); err != nil || !seen {
		t.Errorf("observe: got %t, %v", seen, err)
	}
	if s, err := w.regions["warehouse"].Status(t.Context(), "sink"); err != nil || s.State != connect.Paused {
		t.Errorf("here: %v, %v", s.State, err)
	}
	over.From = "gone"
	check(t, w, over, "could not be paused", "")
	check(t, w, action.Failover{From: "warehouse", To: "dr", Pairs: []action.Pair{{Here: "nope", There: "sink"}}}, "", "nothing was resumed")
	check(t, w, action.Failover{}, "", "not configured")
}

// regions are clusters by name.
type regions map[string]*connect.Client

// world is nothing but clusters.
type world struct {
	action.Nothing
	regions
}

// Connect implements action.World.
func (w world) Connect(name string) (action.Connect, error) {
	if c, ok := w.regions[name]; ok {
		return c, nil
	}
	return w.Nothing.Connect(name)
}
