package dlq

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"cdcbot/internal/lab"
)

// dead is a letter that a world makes.
type dead struct {
	says   string // of the exception
	kind   string // the error_type that it should have
	poison bool   // it cannot be replayed
}

var fiveDead = []dead{
	{"Failed to deserialize data: schema 7 not found", "SCHEMA_MISMATCH", false},
	{"invalid input syntax for type integer: \"x\"", "TYPE_CONVERSION_ERROR", false},
	{"duplicate key value violates unique constraint \"users_pkey\"", "CONSTRAINT_VIOLATION", false},
	{"Connection refused: connect timed out", "NETWORK_TIMEOUT", false},
	{"something else", "UNKNOWN", true},
}

// world is where the contract runs: it puts letters of a new table into the queue, and says how many records have come
// back to where the letters came from.
type world struct {
	url  string
	bury func(t *testing.T, table string, letters []dead)
	back func(t *testing.T, table string, want []string)
}

// TestContract runs the same rows on the fake of this package and on the lab's CDC API with its real topics.
func TestContract(t *testing.T) {
	worlds := map[string]func(*testing.T) world{"fake": fakeWorld, "lab": labWorld}
	for _, name := range []string{"fake", "lab"} {
		for _, prefix := range []string{"", "/api/v1"} {
			t.Run(name+" at /"+strings.Trim(prefix, "/"), func(t *testing.T) { contract(t, worlds[name](t), prefix) })
		}
	}
}

func contract(t *testing.T, w world, prefix string) {
	c := open(t, Options{URL: w.url, Prefix: prefix})
	table := "dlq-source-" + strings.ToLower(rand.Text()[:10])
	w.bury(t, table, fiveDead)
	of := func(more ...string) map[string]string {
		filter := map[string]string{"table": table}
		for i := 0; i < len(more); i += 2 {
			filter[more[i]] = more[i+1]
		}
		return filter
	}
	list := func(filter map[string]string, limit int) ([]string, [][]string, int) {
		t.Helper()
		names, rows, total, err := c.Records(t.Context(), filter, limit)
		if err != nil {
			t.Fatal(err)
		}
		return names, rows, total
	}

	names, rows, total := list(of(), 10)
	if total != 5 || len(rows) != 5 || !slices.Equal(names, []string{"dlq_id", "source_table", "error_type", "error_message", "retry_count", "dlq_timestamp", "resolution_status"}) {
		t.Fatalf("Records() = %v, %d rows of %d", names, len(rows), total)
	}
	for i, row := range rows {
		want := []string{row[0], table, fiveDead[i].kind, fiveDead[i].says, "0", row[5], "PENDING"}
		if diff := cmp.Diff(want, row); diff != "" {
			t.Errorf("row %d: %s", i, diff)
		}
		if _, err := time.Parse(time.RFC3339Nano, row[5]); err != nil {
			t.Errorf("row %d: %v", i, err)
		}
	}
	all := ids(rows)
	if _, rows, total := list(of(), 2); total != 5 || !slices.Equal(ids(rows), all[:2]) {
		t.Errorf("two of them: %v of %d", rows, total)
	}
	if _, rows, total := list(of("error_type", "NETWORK_TIMEOUT", "resolution_status", "PENDING"), 10); total != 1 || rows[0][0] != all[3] {
		t.Errorf("by error: %v of %d", rows, total)
	}
	if _, rows, total := list(of("resolution_status", "IGNORED"), 10); total != 0 || len(rows) != 0 {
		t.Errorf("ignored: %v of %d", rows, total)
	}

	replayed, failed, _, err := c.Replay(t.Context(), all[1:2], "column mended", "immediate")
	if err != nil || replayed != 1 || failed != 0 {
		t.Errorf("Replay() = %d, %d, %v", replayed, failed, err)
	}
	w.back(t, table, []string{fiveDead[1].says})
	names, rows, _ = list(of("resolution_status", "MANUAL_RESOLVED"), 10)
	if len(rows) != 1 || rows[0][0] != all[1] || !slices.Contains(names, "resolved_at") || !slices.Contains(rows[0], "column mended") {
		t.Errorf("resolved: %v %v", names, rows)
	}

	refused := func(reason, word string, ids ...string) {
		t.Helper()
		_, _, _, err := c.Replay(t.Context(), ids, "", "immediate")
		var told *Error
		if !errors.As(err, &told) || told.Reason() != reason || !strings.Contains(err.Error(), word) {
			t.Errorf("Replay(%v) = %v; want %s: %q", ids, err, reason, word)
		}
	}
	refused(Settled, all[1], all[0], all[1])
	refused(map[string]string{"": Broken, "/api/v1": Missing}[prefix], "dlq-no-such-1", all[0], "dlq-no-such-1")

	replayed, failed, _, err = c.Replay(t.Context(), []string{all[0], all[4]}, "the rest", "batch")
	if err != nil || replayed != 1 || failed != 1 {
		t.Errorf("Replay() of one that cannot be = %d, %d, %v", replayed, failed, err)
	}
	w.back(t, table, []string{fiveDead[1].says, fiveDead[0].says})
	if _, rows, _ := list(of("resolution_status", "PENDING"), 10); !slices.Equal(ids(rows), all[2:]) {
		t.Errorf("still pending: %v", rows)
	}
	if text, err := c.Probe(t.Context()); err != nil || !strings.Contains(text, "records pending in the dead-letter queue") {
		t.Errorf("Probe() = %q, %v", text, err)
	}
}

func fakeWorld(t *testing.T) world {
	a := newAPI(t)
	return world{
		url: a.URL,
		bury: func(_ *testing.T, table string, letters []dead) {
			a.mutex.Lock()
			defer a.mutex.Unlock()
			for i, d := range letters {
				a.records = append(a.records, map[string]any{
					"dlq_id": fmt.Sprintf("dlq-%s-%d", table, i), "source_table": table, "error_type": d.kind, "error_message": d.says, "retry_count": 0,
					"dlq_timestamp": time.Now().UTC().Format(time.RFC3339), "resolution_status": "PENDING", "poison": d.poison,
				})
			}
		},
		back: func(*testing.T, string, []string) {}, // the fake has no topics
	}
}

// labWorld buries records as Connect does (KIP-298) and looks into the topic they came from.
func labWorld(t *testing.T) world {
	s := lab.Require(t, lab.CDCAPI, lab.Kafka)
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return world{
		url: s.CDCAPI,
		bury: func(t *testing.T, table string, letters []dead) {
			admin := kadm.NewClient(client)
			if _, err := admin.CreateTopic(t.Context(), 1, 1, nil, table); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _, _ = admin.DeleteTopic(context.WithoutCancel(t.Context()), table) })
			for i, d := range letters {
				from := table
				headers := []kgo.RecordHeader{{Key: "trace", Value: []byte("kept")}}
				if d.poison { // of a table of that name, but the topic is gone
					from = "cdc-events-" + table
				}
				for name, value := range map[string]string{
					"topic": from, "partition": "0", "offset": fmt.Sprint(i), "connector.name": "postgres-sink-connector", "task.id": "0", "stage": "TASK_PUT",
					"exception.class.name": "org.apache.kafka.connect.errors.ConnectException", "exception.message": d.says,
				} {
					headers = append(headers, kgo.RecordHeader{Key: "__connect.errors." + name, Value: []byte(value)})
				}
				if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "dlq-events", Key: []byte(fmt.Sprint(i)), Value: []byte(d.says), Headers: headers}).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
		},
		back: func(t *testing.T, table string, want []string) { seenAgain(t, s.Kafka, table, want) },
	}
}

// seenAgain reads a topic until the records have come: as they were, without the headers of an error.
func seenAgain(t *testing.T, brokers, topic string, want []string) {
	t.Helper()
	reader, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got []string
	for len(got) < len(want) {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("topic %s: %v; got %q, want %q", topic, err, got, want)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			got = append(got, string(r.Value))
			if len(r.Headers) != 1 || r.Headers[0].Key != "trace" || len(r.Key) == 0 {
				t.Errorf("record %d: key %q, headers %v", r.Offset, r.Key, r.Headers)
			}
		})
	}
	if !slices.Equal(got, want) {
		t.Errorf("topic %s holds %q, want %q", topic, got, want)
	}
}
