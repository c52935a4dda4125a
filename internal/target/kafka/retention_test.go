package kafka

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"cdcbot/internal/lab"
)

// TestRetention runs the same rows on a fake of the protocol and on the lab's broker.
func TestRetention(t *testing.T) {
	t.Run("fake", func(t *testing.T) {
		retention(t, fake(t, kfake.NumBrokers(1), kfake.DefaultNumPartitions(1)).ListenAddrs())
	})
	t.Run("lab", func(t *testing.T) { retention(t, []string{lab.Require(t, lab.Kafka).Kafka}) })
}

func retention(t *testing.T, brokers []string) {
	s := newScene(t, brokers)
	for _, row := range []struct {
		name    string
		options map[string]string
		commits map[int32]int64
		deleted map[int32]int64 // everything before
		want    []Retention
	}{
		{"behind", nil, map[int32]int64{0: 4, 1: 3}, nil, []Retention{
			{Partition: 0, Committed: 4, Start: 0, End: 10, Oldest: 4, Written: minute(4), Policy: "delete", Keep: 1000 * time.Hour, KeepBytes: -1, Bytes: -1}}},
		{"all is read", nil, map[int32]int64{0: 10, 1: 3}, nil, nil},
		{"nothing of it was written", nil, map[int32]int64{0: 0, 1: 0}, nil, []Retention{
			{Partition: 0, Committed: 0, End: 10, Oldest: 0, Written: minute(0), Policy: "delete", Keep: 1000 * time.Hour, KeepBytes: -1, Bytes: -1},
			{Partition: 1, Committed: 0, End: 3, Oldest: 0, Written: minute(20), Policy: "delete", Keep: 1000 * time.Hour, KeepBytes: -1, Bytes: -1}}},
		{"deleted before it was read", nil, map[int32]int64{0: 2, 1: 3}, map[int32]int64{0: 7}, []Retention{
			{Partition: 0, Committed: 2, Start: 7, End: 10, Oldest: 7, Written: minute(7), Policy: "delete", Keep: 1000 * time.Hour, KeepBytes: -1, Bytes: -1}}},
		{"all of it deleted", nil, map[int32]int64{0: 10, 1: 1}, map[int32]int64{1: 3}, []Retention{
			{Partition: 1, Committed: 1, Start: 3, End: 3, Oldest: -1, Policy: "delete", Keep: 1000 * time.Hour, KeepBytes: -1, Bytes: -1}}},
		{"for ever", map[string]string{"retention.ms": "-1"}, map[int32]int64{0: 9}, nil, []Retention{
			{Partition: 0, Committed: 9, End: 10, Oldest: 9, Written: minute(9), Policy: "delete", Keep: Forever, KeepBytes: -1, Bytes: -1}}},
		{"longer than a clock can count", map[string]string{"retention.ms": "9223372036854775807"}, map[int32]int64{0: 9}, nil, []Retention{
			{Partition: 0, Committed: 9, End: 10, Oldest: 9, Written: minute(9), Policy: "delete", Keep: Forever, KeepBytes: -1, Bytes: -1}}},
		{"compacted", map[string]string{"cleanup.policy": "compact,delete"}, map[int32]int64{0: 9}, nil, []Retention{
			{Partition: 0, Committed: 9, End: 10, Oldest: 9, Written: minute(9), Policy: "compact,delete", Keep: 1000 * time.Hour, KeepBytes: -1, Bytes: -1}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			topic, group := s.filled(t, row.options), "retention-"+random()
			s.commit(t, group, topic, row.commits)
			for p, at := range row.deleted {
				if _, err := s.admin.DeleteRecords(t.Context(), kadm.Offsets{topic: {p: {Topic: topic, Partition: p, At: at}}}); err != nil {
					t.Fatal(err)
				}
			}
			for i := range row.want {
				row.want[i].Topic = topic
			}
			got, err := s.Retention(t.Context(), group)
			if diff := cmp.Diff(row.want, got, cmp.Comparer(time.Time.Equal)); err != nil || diff != "" {
				t.Errorf("Retention: %v: %s", err, diff)
			}
		})
	}
	t.Run("by size", func(t *testing.T) {
		topic, group := s.filled(t, map[string]string{"retention.bytes": "1000000"}), "retention-"+random()
		s.commit(t, group, topic, map[int32]int64{0: 9})
		got, err := s.Retention(t.Context(), group)
		if err != nil || len(got) != 1 || got[0].KeepBytes != 1000000 || got[0].Bytes < 100 || got[0].Bytes > 100_000 {
			t.Errorf("got %+v, %v; want a limit of 1 MB and the size of ten texts", got, err)
		}
	})
	t.Run("no such group", func(t *testing.T) {
		_, err := s.Retention(t.Context(), "nobody-"+random())
		var told *Error
		if !errors.As(err, &told) || told.Reason() != Missing || !strings.Contains(err.Error(), "has no such consumer group") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("only markers are left", func(t *testing.T) { s.markers(t) })
}

// filled makes a topic like the scene's: ten texts in partition 0, three in partition 1, a minute apart.
func (s *scene) filled(t *testing.T, options map[string]string) string {
	t.Helper()
	topic := "kept-" + random()
	s.create(t, topic, 2)
	var changes []kadm.AlterConfig
	for key, value := range options {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: key, Value: &value})
	}
	if answers, err := s.admin.AlterTopicConfigs(t.Context(), changes, topic); len(changes) > 0 && (err != nil || answers[0].Err != nil) {
		t.Fatal(err, answers)
	}
	for i := range 10 {
		s.produce(t, &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("text"), Timestamp: minute(i)})
	}
	for i := range 3 {
		s.produce(t, &kgo.Record{Topic: topic, Partition: 1, Key: []byte("k"), Value: []byte("text"), Timestamp: minute(20 + i)})
	}
	return topic
}

func (s *scene) commit(t *testing.T, group, topic string, at map[int32]int64) {
	t.Helper()
	offsets := kadm.Offsets{}
	for p, offset := range at {
		offsets.AddOffset(topic, p, offset, -1)
	}
	if err := s.admin.CommitAllOffsets(t.Context(), group, offsets); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = s.admin.DeleteGroup(context.WithoutCancel(t.Context()), group) })
}

// markers: what is left to read is only the end of a transaction, which nobody misses.
func (s *scene) markers(t *testing.T) {
	topic, group := "markers-"+random(), "retention-"+random()
	s.create(t, topic, 1)
	writer, err := kgo.NewClient(kgo.SeedBrokers(s.options.Brokers...), kgo.TransactionalID(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if err := writer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := writer.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("x"), Timestamp: minute(1)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := writer.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	s.commit(t, group, topic, map[int32]int64{0: 1})
	got, err := s.Retention(t.Context(), group)
	if err != nil || len(got) != 1 || got[0].Oldest != -1 || !got[0].Written.IsZero() || got[0].Unknown != "" {
		t.Errorf("got %+v, %v; want no record", got, err)
	}
}

// TestRetentionRefused: what a broker does not show of a topic is said, and the rest is told.
func TestRetentionRefused(t *testing.T) {
	cluster := fake(t, kfake.NumBrokers(1), kfake.DefaultNumPartitions(1))
	s := newScene(t, cluster.ListenAddrs())
	topic, group := s.filled(t, map[string]string{"retention.bytes": "100"}), "retention-"+random()
	s.commit(t, group, topic, map[int32]int64{0: 4})
	cluster.ControlKey(int16(kmsg.DescribeConfigs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		answer := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, asked := range req.(*kmsg.DescribeConfigsRequest).Resources {
			one := kmsg.NewDescribeConfigsResponseResource()
			one.ResourceName, one.ResourceType, one.ErrorCode = asked.ResourceName, asked.ResourceType, kerr.TopicAuthorizationFailed.Code
			answer.Resources = append(answer.Resources, one)
		}
		return answer, nil, true
	})
	got, err := s.Retention(t.Context(), group)
	if err != nil || len(got) != 1 || !strings.HasPrefix(got[0].Unknown, "its configuration is not shown: Kafka denies") || got[0].Policy != "" || !got[0].Written.Equal(minute(4)) {
		t.Errorf("got %+v, %v", got, err)
	}
	cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		answer := req.ResponseKind().(*kmsg.FetchResponse)
		answer.ErrorCode = kerr.UnknownServerError.Code
		return answer, nil, true
	})
	s.options.Timeout = 3 * time.Second
	got, err = s.Retention(t.Context(), group)
	if err != nil || len(got) != 1 || !strings.Contains(got[0].Unknown, "; ") || !got[0].Written.IsZero() || got[0].Committed != 4 {
		t.Errorf("without records: got %+v, %v", got, err)
	}
}

func TestRetentionUnreachable(t *testing.T) {
	_, err := open(t, Options{Brokers: []string{deadPort(t)}, Timeout: time.Second}).Retention(t.Context(), "x")
	var told *Error
	if !errors.As(err, &told) || told.Reason() != Refused {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(t, Options{Brokers: []string{silent(t)}}).Retention(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}
