package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Bounds of one look at records.
const (
	mostRecords = 1000
	mostBytes   = 64 << 20 // keys and values that are read to show some
	widenings   = 3        // looks further back when a stretch held too few records
	idle        = time.Second
)

// stretch is a part of a partition: offsets from and later, before to.
type stretch struct{ from, to int64 }

// seen is a record as it is shown.
type seen struct {
	partition int32
	offset    int64
	at        time.Time
	key       string
	value     string
	headers   string
	letter    string
}

// Records reads at most most records of a topic, 1 to 1,000: the newest or (earliest) the oldest of all partitions
// together, shown in order of time. A dead letter of Connect has its error in a column of its own. It joins no group and
// commits nothing. Errors are *Error.
func (c *Client) Records(ctx context.Context, topic string, most int, earliest bool) (columns []string, rows [][]string, err error) {
	if most < 1 || most > mostRecords {
		return nil, nil, fmt.Errorf("records of the topic %s: %d; expected 1 to %d", cut(topic, 100), most, mostRecords)
	}
	var all []seen
	err = c.look(ctx, "records of the topic "+cut(topic, 100), func(ctx context.Context, admin *kadm.Client) error {
		starts, err := listed(admin.ListStartOffsets(ctx, topic))
		if err != nil {
			return err
		}
		ends, err := listed(admin.ListEndOffsets(ctx, topic))
		if err != nil {
			return err
		}
		if earliest {
			all, err = c.read(ctx, topic, entire(starts[topic], ends[topic]), most, true)
			return err
		}
		all, err = c.newest(ctx, topic, starts[topic], ends[topic], most)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	columns, rows = tabled(all)
	return columns, rows, nil
}

// newest reads the last offsets of every partition, and further back as long as they held too few records: markers of
// transactions and compaction leave gaps.
func (c *Client) newest(ctx context.Context, topic string, starts, ends map[int32]kadm.ListedOffset, most int) ([]seen, error) {
	back := int64(most)
	for try := 0; ; try++ {
		stretches, more := map[int32]stretch{}, false
		for p, end := range ends {
			from := max(starts[p].Offset, end.Offset-back)
			more = more || from > starts[p].Offset
			stretches[p] = stretch{from, end.Offset}
		}
		all, err := c.read(ctx, topic, stretches, most, false)
		if err != nil || len(all) >= most || !more || try == widenings {
			return all, err
		}
		back *= 16
	}
}

func entire(starts, ends map[int32]kadm.ListedOffset) map[int32]stretch {
	stretches := map[int32]stretch{}
	for p, end := range ends {
		stretches[p] = stretch{starts[p].Offset, end.Offset}
	}
	return stretches
}

// read consumes stretches and keeps most records of them: the first or the last.
func (c *Client) read(ctx context.Context, topic string, stretches map[int32]stretch, most int, first bool) ([]seen, error) {
	from := map[int32]kgo.Offset{}
	for p, s := range stretches {
		if s.from < s.to {
			from[p] = kgo.NewOffset().At(s.from)
		}
	}
	if len(from) == 0 {
		return nil, nil
	}
	client, err := c.connect(ctx,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.KeepControlRecords(), // so that the end is seen also when it is a transaction's marker
		kgo.FetchMaxWait(250*time.Millisecond), kgo.FetchMaxBytes(8<<20), kgo.FetchMaxPartitionBytes(1<<20),
	)
	if err != nil {
		return nil, err
	}
	defer client.CloseAllowingRebalance()
	r := &reader{client: client, topic: topic, left: map[int32]int64{}, kept: map[int32][]seen{}, most: most, first: first}
	for p := range from {
		r.left[p] = stretches[p].to
	}
	if err := r.drain(ctx); err != nil {
		return nil, err
	}
	return r.chosen(), nil
}

// reader consumes until every partition has come to its end.
type reader struct {
	client *kgo.Client
	topic  string
	left   map[int32]int64 // partitions that are not done, and the offset that ends them
	kept   map[int32][]seen
	bytes  int
	most   int
	first  bool
}

// drain polls until all is read, or until nothing has come for a while: the last offsets of a compacted partition may hold
// nothing any more.
func (r *reader) drain(ctx context.Context) error {
	for len(r.left) > 0 {
		polling, cancel := context.WithTimeout(ctx, idle)
		fetches := r.client.PollFetches(polling)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, e := range fetches.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) {
				return e.Err
			}
		}
		if fetches.NumRecords() == 0 {
			return nil
		}
		if err := r.take(fetches); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) take(fetches kgo.Fetches) error {
	for each := fetches.RecordIter(); !each.Done(); {
		record := each.Next()
		end, open := r.left[record.Partition]
		if !open {
			continue
		}
		if r.bytes += len(record.Key) + len(record.Value); r.bytes > mostBytes {
			return ours{Broken, fmt.Sprintf("holds records so large that more than %d MiB had to be read: ask for fewer", mostBytes>>20)}
		}
		if record.Offset < end && !record.Attrs.IsControl() {
			r.keep(record)
		}
		if record.Offset+1 >= end || r.first && len(r.kept[record.Partition]) >= r.most {
			delete(r.left, record.Partition)
			r.client.PauseFetchPartitions(map[string][]int32{r.topic: {record.Partition}})
		}
	}
	return nil
}

// keep shows a record at once, so that its bytes can go, and forgets the oldest beyond what is wanted.
func (r *reader) keep(record *kgo.Record) {
	kept := append(r.kept[record.Partition], seen{record.Partition, record.Offset, record.Timestamp, shown(record.Key), shown(record.Value), headers(record), letter(record)})
	if len(kept) > r.most {
		kept = kept[1:]
	}
	r.kept[record.Partition] = kept
}

// chosen puts the records of all partitions in order of time and keeps the first or last of them.
func (r *reader) chosen() []seen {
	var all []seen
	for _, p := range partitions(r.kept) {
		all = append(all, r.kept[p]...)
	}
	slices.SortStableFunc(all, func(a, b seen) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
	})
	switch {
	case len(all) <= r.most:
		return all
	case r.first:
		return all[:r.most]
	}
	return all[len(all)-r.most:]
}

// tabled leaves the error's column out when there are no dead letters.
func tabled(all []seen) (columns []string, rows [][]string) {
	columns = []string{"partition", "offset", "timestamp", "key", "value", "headers"}
	letters := slices.ContainsFunc(all, func(s seen) bool { return s.letter != "" })
	if letters {
		columns = append(columns, "error")
	}
	for _, s := range all {
		row := []string{number(s.partition), number(s.offset), s.at.UTC().Format("2006-01-02T15:04:05.000Z"), s.key, s.value, s.headers}
		if letters {
			row = append(row, s.letter)
		}
		rows = append(rows, row)
	}
	return columns, rows
}
