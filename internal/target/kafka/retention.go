package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Retention is how long one partition keeps what a consumer group has not read of it yet.
type Retention struct {
	Topic     string
	Partition int32
	Committed int64         // what the group reads next; -1 when it has committed nothing
	Start     int64         // the first offset that is still there; above Committed, records were deleted unread
	End       int64         // the offset that the next record gets
	Oldest    int64         // the first record that the group has not read and that is there; -1 when there is none
	Written   time.Time     // when Oldest was written, by its timestamp; zero when nobody knows
	Policy    string        // cleanup.policy: only with "delete" in it do age and size count
	Keep      time.Duration // retention.ms; Forever when age alone deletes nothing
	KeepBytes int64         // retention.bytes; -1 when size alone deletes nothing
	Bytes     int64         // of the partition on a disk; -1 when nobody knows
	Unknown   string        // why the policy or the time is not known; "" when both are
}

// Forever is the age limit of a topic that has none.
const Forever time.Duration = -1

// Retention looks at every partition on which a consumer group lags, or from which records were deleted before the group
// had read them. What cannot be found out about one partition is said in its Unknown. Errors are *Error.
func (c *Client) Retention(ctx context.Context, name string) ([]Retention, error) {
	var all []Retention
	err := c.look(ctx, "what Kafka keeps for the group "+cut(name, 100), func(ctx context.Context, admin *kadm.Client) error {
		lines, err := c.behind(ctx, admin, name)
		if err != nil || len(lines) == 0 {
			all = nil
			return err
		}
		all = kept(lines)
		c.policies(ctx, admin, all)
		sizes(ctx, admin, all)
		asking, cancel := context.WithTimeout(ctx, c.options.Timeout*2/3) // times are worth less than all the rest
		defer cancel()
		if err := c.oldest(asking, all); err != nil {
			return err
		}
		return abandoned(ctx)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// abandoned is the error of a look that nobody waits for any more. One that took long still has something to tell.
func abandoned(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return nil
}

// behind are the partitions of a group that have something it has not read, or had.
func (c *Client) behind(ctx context.Context, admin *kadm.Client, name string) ([]line, error) {
	known, err := listGroups(ctx, admin)
	if err != nil {
		return nil, err
	}
	g, ok := known[name]
	if !ok {
		return nil, ours{Missing, "has no such consumer group; it has " + some(slices.Sorted(maps.Keys(known)))}
	}
	lines, err := lags(ctx, admin, map[string]*group{name: g})
	if err == nil {
		err = g.err
	}
	return slices.DeleteFunc(lines[name], func(l line) bool {
		return l.err != nil || l.lag == 0 && (l.committed < 0 || l.committed >= l.start)
	}), err
}

func kept(lines []line) []Retention {
	all := make([]Retention, len(lines))
	for i, l := range lines {
		all[i] = Retention{Topic: l.topic, Partition: l.partition, Committed: l.committed, Start: l.start, End: l.end, Oldest: -1, KeepBytes: -1, Bytes: -1}
	}
	return all
}

// policies fills in what the topics' configurations say.
func (c *Client) policies(ctx context.Context, admin *kadm.Client, all []Retention) {
	var topics []string
	for _, r := range all {
		topics = append(topics, r.Topic)
	}
	configs, err := admin.DescribeTopicConfigs(ctx, slices.Compact(topics)...)
	for i := range all {
		r := &all[i]
		found, missing := configs.On(r.Topic, nil)
		if failed := earliest(err, found.Err, missing); failed != nil {
			_, text := c.reason(ctx, failed)
			r.Unknown = "its configuration is not shown: Kafka " + text
			continue
		}
		r.limits(found.Configs)
	}
}

// earliest is the first error that is one.
func earliest(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Retention) limits(options []kadm.Config) {
	r.Keep = Forever
	for _, o := range options {
		switch n, err := strconv.ParseInt(o.MaybeValue(), 10, 64); {
		case o.Key == "cleanup.policy":
			r.Policy = o.MaybeValue()
		case err != nil || n < 0:
		case o.Key == "retention.ms" && n < math.MaxInt64/int64(time.Millisecond): // more would be 292 years
			r.Keep = time.Duration(n) * time.Millisecond
		case o.Key == "retention.bytes":
			r.KeepBytes = n
		}
	}
}

// sizes fills in what the partitions take of a disk: the largest of their replicas. The right to see it is another one,
// and only topics that are limited by size need it, so that its absence is no failure.
func sizes(ctx context.Context, admin *kadm.Client, all []Retention) {
	wanted := kadm.TopicsSet{}
	for _, r := range all {
		if r.KeepBytes >= 0 {
			wanted.Add(r.Topic, r.Partition)
		}
	}
	if len(wanted) == 0 {
		return
	}
	brokers, _ := admin.DescribeAllLogDirs(ctx, wanted)
	for i, r := range all {
		for _, dirs := range brokers {
			if p, ok := dirs.LookupPartition(r.Topic, r.Partition); ok && wanted.Lookup(r.Topic, r.Partition) {
				all[i].Bytes = max(all[i].Bytes, p.Size)
			}
		}
	}
}

// oldest reads the first unread record of each partition.
func (c *Client) oldest(ctx context.Context, all []Retention) error {
	from, wait := map[string]map[int32]kgo.Offset{}, map[string]map[int32]*Retention{}
	for i := range all {
		r := &all[i]
		if first := max(r.Committed, r.Start); first < r.End {
			set(from, r, kgo.NewOffset().At(first))
			set(wait, r, r)
		}
	}
	if len(from) == 0 {
		return nil
	}
	client, err := c.connect(ctx, kgo.ConsumePartitions(from),
		kgo.KeepControlRecords(), // so that the end is seen also when it is a transaction's marker
		kgo.FetchMaxWait(250*time.Millisecond), kgo.FetchMaxBytes(8<<20), kgo.FetchMaxPartitionBytes(64<<10))
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	for len(wait) > 0 {
		polling, cancel := context.WithTimeout(ctx, idle)
		fetches := client.PollFetches(polling)
		cancel()
		if !c.first(ctx, client, fetches, wait) {
			break
		}
	}
	for _, partitions := range wait {
		for p, r := range partitions {
			r.Unknown = unknown(r.Unknown, fmt.Sprintf("no record of partition %d came in time", p))
		}
	}
	return nil
}

// first takes the first record of each partition out of what came, and tells whether anything did.
func (c *Client) first(ctx context.Context, client *kgo.Client, fetches kgo.Fetches, wait map[string]map[int32]*Retention) bool {
	came := false
	done := func(r *Retention) {
		delete(wait[r.Topic], r.Partition)
		if len(wait[r.Topic]) == 0 {
			delete(wait, r.Topic)
		}
		client.PauseFetchPartitions(map[string][]int32{r.Topic: {r.Partition}})
	}
	fetches.EachError(func(topic string, p int32, err error) {
		if r := wait[topic][p]; r != nil {
			_, text := c.reason(ctx, err)
			r.Unknown, came = unknown(r.Unknown, "its records are not shown: Kafka "+text), true
			done(r)
		}
	})
	fetches.EachRecord(func(record *kgo.Record) {
		r := wait[record.Topic][record.Partition]
		came = true
		switch {
		case r == nil:
		case !record.Attrs.IsControl():
			r.take(record)
			done(r)
		case record.Offset+1 >= r.End: // nothing but markers
			done(r)
		}
	})
	return came
}

func (r *Retention) take(record *kgo.Record) {
	r.Oldest = record.Offset
	if record.Timestamp.UnixMilli() > 0 {
		r.Written = record.Timestamp
		return
	}
	r.Unknown = unknown(r.Unknown, "its records carry no time")
}

func unknown(was, why string) string {
	if was == "" {
		return why
	}
	return was + "; " + why
}

func set[T any](in map[string]map[int32]T, r *Retention, value T) {
	if in[r.Topic] == nil {
		in[r.Topic] = map[int32]T{}
	}
	in[r.Topic][r.Partition] = value
}
