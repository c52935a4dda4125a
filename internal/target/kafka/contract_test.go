package kafka

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"cdcbot/internal/lab"
)

// TestContract runs the same rows on a fake of the protocol and on the lab's broker.
func TestContract(t *testing.T) {
	t.Run("fake", func(t *testing.T) {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DefaultNumPartitions(1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cluster.Close)
		contract(t, cluster.ListenAddrs())
	})
	t.Run("lab", func(t *testing.T) {
		s := contract(t, []string{lab.Require(t, lab.Kafka).Kafka})
		// Only here: the fake's ConsumerGroupDescribe names assigned topics by their ID alone, where brokers give names too.
		t.Run("lag with a member of KIP-848", func(t *testing.T) { s.member(t, "848") })
	})
}

// scene is a cluster with a topic of two partitions: ten texts in partition 0, three dead letters in partition 1.
type scene struct {
	*Client
	kgo   *kgo.Client
	admin *kadm.Client
	topic string
}

func contract(t *testing.T, brokers []string) *scene {
	s := newScene(t, brokers)
	t.Run("probe", func(t *testing.T) {
		text, err := s.Probe(t.Context())
		if want := "Kafka at " + s.Address() + " answers: 1 broker, controller "; err != nil || !strings.HasPrefix(text, want) {
			t.Errorf("Probe() = %q, %v; want %q", text, err, want)
		}
	})
	t.Run("brokers", s.brokers)
	t.Run("topics", s.topics)
	t.Run("offsets", s.offsets)
	t.Run("records", s.records)
	t.Run("gaps", s.gaps)
	t.Run("lag", s.lag)
	t.Run("lag with a member", func(t *testing.T) { s.member(t, "") })
	t.Run("missing", s.missing)
	return s
}

func newScene(t *testing.T, brokers []string) *scene {
	t.Helper()
	c, err := New(Options{Brokers: brokers, Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s := &scene{Client: c, kgo: client, admin: kadm.NewClient(client), topic: "look-" + random()}
	s.create(t, s.topic, 2)
	for i := range 10 {
		s.produce(t, &kgo.Record{Topic: s.topic, Key: []byte(strconv.Itoa(i)), Value: []byte(fmt.Sprintf("line %d\nof text", i)), Timestamp: minute(i), Headers: []kgo.RecordHeader{{Key: "n", Value: []byte{0, 1}}}})
	}
	for i := range 3 {
		s.produce(t, &kgo.Record{Topic: s.topic, Partition: 1, Value: append([]byte{0, 0, 0, 0, 7}, make([]byte, 40)...), Timestamp: minute(20 + i), Headers: []kgo.RecordHeader{
			{Key: "__connect.errors.topic", Value: []byte("orders")}, {Key: "__connect.errors.partition", Value: []byte("0")}, {Key: "__connect.errors.offset", Value: []byte("42")},
			{Key: "__connect.errors.connector.name", Value: []byte("postgres-sink-connector")}, {Key: "__connect.errors.task.id", Value: []byte("1")},
			{Key: "__connect.errors.stage", Value: []byte("VALUE_CONVERTER")}, {Key: "__connect.errors.exception.class.name", Value: []byte("org.apache.kafka.connect.errors.DataException")},
			{Key: "__connect.errors.exception.message", Value: []byte("bad value")}, {Key: "__connect.errors.exception.stacktrace", Value: []byte("at a\nat b")},
		}})
	}
	return s
}

func minute(n int) time.Time { return time.Date(2026, 11, 23, 7, n, 0, 0, time.UTC) }

func random() string {
	b := make([]byte, 6)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

func (s *scene) create(t *testing.T, topic string, partitions int32) {
	t.Helper()
	retention := "3600000000" // the records are dated
	if _, err := s.admin.CreateTopic(t.Context(), partitions, 1, map[string]*string{"retention.ms": &retention}, topic); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = s.admin.DeleteTopic(context.WithoutCancel(t.Context()), topic) })
	lab.Await(t, "leaders of "+topic, 20*time.Second, func(ctx context.Context) (bool, error) {
		details, err := s.admin.ListTopics(ctx, topic)
		if err != nil || details.Error() != nil {
			return false, errors.Join(err, details.Error())
		}
		ready := len(details[topic].Partitions) == int(partitions)
		for _, p := range details[topic].Partitions {
			ready = ready && p.Leader >= 0 && p.Err == nil
		}
		return ready, nil
	})
}

func (s *scene) produce(t *testing.T, records ...*kgo.Record) {
	t.Helper()
	if err := s.kgo.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func (s *scene) brokers(t *testing.T) {
	columns, rows, err := s.Brokers(t.Context())
	if err != nil || len(rows) != 1 {
		t.Fatalf("Brokers() = %v, %v", rows, err)
	}
	want := []string{"id", "address", "rack", "controller", "version"}
	if diff := cmp.Diff(want, columns); diff != "" {
		t.Error(diff)
	}
	if row := rows[0]; row[1] != s.Address() || row[3] != "yes" || !strings.Contains(row[4], "v") {
		t.Errorf("Brokers() = %v; want our address, the controller, and a version", row)
	}
}

func (s *scene) topics(t *testing.T) {
	columns, rows, err := s.Topics(t.Context(), "")
	if i := slices.IndexFunc(rows, func(r []string) bool { return r[0] == s.topic }); err != nil || i < 0 || !slices.Equal(rows[i], []string{s.topic, "2", "1", ""}) {
		t.Errorf("Topics() = %v %v, %v; want %s among them", columns, rows, err, s.topic)
	}
	columns, rows, err = s.Topics(t.Context(), s.topic)
	if err != nil || len(rows) != 3 || len(columns) != 6 {
		t.Fatalf("Topics(%s) = %v %v, %v", s.topic, columns, rows, err)
	}
	leader := rows[0][2]
	want := [][]string{{s.topic, "0", leader, leader, leader, ""}, {s.topic, "1", leader, leader, leader, ""}}
	if diff := cmp.Diff(want, rows[:2]); diff != "" {
		t.Error(diff)
	}
	if last := rows[2]; last[1] != "all" || !strings.Contains(last[5], "retention.ms=3600000000") {
		t.Errorf("the last row is %v; want the configuration", last)
	}
}

func (s *scene) offsets(t *testing.T) {
	for _, row := range []struct {
		earliest bool
		want     [][]string
	}{
		{false, [][]string{{s.topic, "0", "10"}, {s.topic, "1", "3"}}},
		{true, [][]string{{s.topic, "0", "0"}, {s.topic, "1", "0"}}},
	} {
		columns, rows, err := s.Offsets(t.Context(), s.topic, row.earliest)
		if diff := cmp.Diff(row.want, rows); err != nil || diff != "" || !slices.Equal(columns, []string{"topic", "partition", "offset"}) {
			t.Errorf("Offsets(earliest %v) = %v, %v: %s", row.earliest, columns, err, diff)
		}
	}
}

func (s *scene) records(t *testing.T) {
	for _, row := range []struct {
		name     string
		most     int
		earliest bool
		want     []string // partition/offset
	}{
		{"all", 1000, false, []string{"0/0", "0/1", "0/2", "0/3", "0/4", "0/5", "0/6", "0/7", "0/8", "0/9", "1/0", "1/1", "1/2"}},
		{"newest", 4, false, []string{"0/9", "1/0", "1/1", "1/2"}},
		{"newest of one", 1, false, []string{"1/2"}},
		{"oldest", 3, true, []string{"0/0", "0/1", "0/2"}},
		{"oldest of all", 12, true, []string{"0/0", "0/1", "0/2", "0/3", "0/4", "0/5", "0/6", "0/7", "0/8", "0/9", "1/0", "1/1"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, rows, err := s.Records(t.Context(), s.topic, row.most, row.earliest)
			var got []string
			for _, r := range rows {
				got = append(got, r[0]+"/"+r[1])
			}
			if diff := cmp.Diff(row.want, got); err != nil || diff != "" {
				t.Errorf("Records(%d, %v): %v %s", row.most, row.earliest, err, diff)
			}
		})
	}
	columns, rows, err := s.Records(t.Context(), s.topic, 4, false)
	if err != nil || len(rows) != 4 {
		t.Fatalf("Records(4) = %v, %v", rows, err)
	}
	if want := []string{"partition", "offset", "timestamp", "key", "value", "headers", "error"}; !slices.Equal(columns, want) {
		t.Errorf("columns %v, want %v", columns, want)
	}
	want := [][]string{
		{"0", "9", "2026-11-23T07:09:00.000Z", "9", `line 9\nof text`, "n=0x0001 (2 bytes)", ""},
		{"1", "0", "2026-11-23T07:20:00.000Z", "NULL", "0x0000000007" + strings.Repeat("00", 19) + "… (45 bytes, schema 7)", "",
			"orders-0@42, postgres-sink-connector task 1, VALUE_CONVERTER, org.apache.kafka.connect.errors.DataException: bad value"},
	}
	if diff := cmp.Diff(want, rows[:2]); diff != "" {
		t.Error(diff)
	}
	if columns, _, err := s.Records(t.Context(), s.topic, 3, true); err != nil || slices.Contains(columns, "error") {
		t.Errorf("without dead letters: columns %v, %v", columns, err)
	}
}

// gaps are what transactions and deleted records leave: the newest record is not at the last offset.
func (s *scene) gaps(t *testing.T) {
	topic := "gaps-" + random()
	s.create(t, topic, 1)
	if columns, rows, err := s.Records(t.Context(), topic, 5, false); err != nil || len(rows) != 0 || len(columns) != 6 {
		t.Errorf("of an empty topic: %v %v, %v", columns, rows, err)
	}
	writer, err := kgo.NewClient(kgo.SeedBrokers(s.options.Brokers...), kgo.TransactionalID("gaps-"+random()))
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	for i := range 4 {
		if err := writer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := writer.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(strconv.Itoa(i))}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := writer.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.admin.DeleteRecords(t.Context(), kadm.Offsets{topic: {0: {Topic: topic, At: 2}}}); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		most     int
		earliest bool
		want     []string
	}{{1, false, []string{"3"}}, {2, false, []string{"2", "3"}}, {9, false, []string{"1", "2", "3"}}, {1, true, []string{"1"}}} {
		_, rows, err := s.Records(t.Context(), topic, row.most, row.earliest)
		var got []string
		for _, r := range rows {
			got = append(got, r[4])
		}
		if err != nil || !slices.Equal(got, row.want) {
			t.Errorf("Records(%d, %v) = %v, %v; want %v", row.most, row.earliest, got, err, row.want)
		}
	}
}

func (s *scene) lag(t *testing.T) {
	group := "lag-" + random()
	commits := kadm.Offsets{s.topic: {0: {Topic: s.topic, Partition: 0, At: 4, LeaderEpoch: -1}}}
	if err := s.admin.CommitAllOffsets(t.Context(), group, commits); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = s.admin.DeleteGroup(context.WithoutCancel(t.Context()), group) })
	columns, rows, err := s.Lag(t.Context(), group)
	want := [][]string{{s.topic, "0", "4", "10", "6", "", ""}, {"total", "", "", "", "6", "", ""}}
	if diff := cmp.Diff(want, rows); err != nil || diff != "" || len(columns) != 7 {
		t.Errorf("Lag(%s) = %v, %v: %s", group, columns, err, diff)
	}
	columns, rows, err = s.Lag(t.Context(), "")
	i := slices.IndexFunc(rows, func(r []string) bool { return r[0] == group })
	if err != nil || i < 0 || len(columns) != 6 || rows[i][2] != "Empty" || rows[i][4] != s.topic || rows[i][5] != "6" {
		t.Errorf("Lag() = %v %v, %v; want %s with a lag of 6", columns, rows, err, group)
	}
	progress, err := s.Progress(t.Context(), []string{group, "nobody-" + random()})
	if diff := cmp.Diff(map[string]Progress{group: {Committed: 4, Waiting: 6}}, progress); err != nil || diff != "" {
		t.Errorf("Progress: %v: %s", err, diff)
	}
	if none, err := s.Progress(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("Progress of nobody: got %v, %v", none, err)
	}
}

// member is a group with somebody in it who has committed for one of two partitions.
func (s *scene) member(t *testing.T, protocol string) {
	group := "member-" + random()
	ctx := t.Context()
	if protocol == "848" {
		ctx = context.WithValue(ctx, "opt_in_kafka_next_gen_balancer_beta", true) //nolint:staticcheck // the client's own switch
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(s.options.Brokers...), kgo.ConsumerGroup(group), kgo.ConsumeTopics(s.topic), kgo.ClientID("reader"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		reader.CloseAllowingRebalance()
		_, _ = s.admin.DeleteGroup(context.WithoutCancel(t.Context()), group)
	})
	got := 0
	for got < 13 {
		fetches := reader.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		got += fetches.NumRecords()
	}
	if err := reader.CommitRecords(t.Context(), &kgo.Record{Topic: s.topic, Partition: 0, Offset: 7, LeaderEpoch: -1}); err != nil {
		t.Fatal(err)
	}
	_, rows, err := s.Lag(t.Context(), group)
	if err != nil || len(rows) != 3 {
		t.Fatalf("Lag(%s) = %v, %v", group, rows, err)
	}
	by, at := rows[0][5], rows[0][6]
	if by == "" || !strings.Contains(at, "127.0.0.1") && !strings.Contains(at, "::1") {
		t.Errorf("read by %q at %q", by, at)
	}
	want := [][]string{{s.topic, "0", "8", "10", "2", by, at}, {s.topic, "1", "none", "3", "3", by, at}, {"total", "", "", "", "5", "", ""}}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("Lag(%s): %s", group, diff)
	}
	_, rows, err = s.Lag(t.Context(), "")
	i := slices.IndexFunc(rows, func(r []string) bool { return r[0] == group })
	if err != nil || i < 0 || rows[i][2] != "Stable" || rows[i][3] != "1" || rows[i][5] != "5" {
		t.Errorf("Lag() = %v, %v; want %s Stable with one member", rows, err, group)
	}
}

func (s *scene) missing(t *testing.T) {
	for _, row := range []struct {
		name, want string
		ask        func() error
	}{
		{"topic", "has no such topic", func() error { _, _, err := s.Topics(t.Context(), "nothing"); return err }},
		{"offsets", "has no such topic", func() error { _, _, err := s.Offsets(t.Context(), "nothing", false); return err }},
		{"records", "has no such topic", func() error { _, _, err := s.Records(t.Context(), "nothing", 1, false); return err }},
		{"group", "has no such consumer group; it has ", func() error { _, _, err := s.Lag(t.Context(), "nothing"); return err }},
	} {
		var told *Error
		if err := row.ask(); !errors.As(err, &told) || told.Reason() != Missing || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v; want %q", row.name, err, row.want)
		}
	}
	for _, most := range []int{0, -1, 1001} {
		if _, _, err := s.Records(t.Context(), s.topic, most, false); err == nil || !strings.Contains(err.Error(), "expected 1 to 1000") {
			t.Errorf("Records(%d) = %v", most, err)
		}
	}
	if details, err := s.admin.ListTopics(t.Context()); err != nil || details.Has("nothing") {
		t.Errorf("a look has made a topic: %v", err)
	}
}
