package kafka

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topics describes the partitions of one topic, with a last row for the topic's own configuration; or it lists all topics,
// Kafka's own among them, when topic is "". Errors are *Error.
func (c *Client) Topics(ctx context.Context, topic string) (columns []string, rows [][]string, err error) {
	if topic == "" {
		return c.list(ctx)
	}
	columns = []string{"topic", "partition", "leader", "replicas", "in sync", "notes"}
	err = c.look(ctx, "topic "+cut(topic, 100), func(ctx context.Context, admin *kadm.Client) error {
		details, err := admin.ListTopicsWithInternal(ctx, topic)
		if err != nil {
			return err
		}
		detail := details[topic]
		if detail.Err != nil {
			return detail.Err
		}
		rows = nil
		for _, p := range detail.Partitions.Sorted() {
			rows = append(rows, []string{topic, number(p.Partition), number(p.Leader), numbers(p.Replicas), numbers(p.ISR), ailment(p)})
		}
		rows = append(rows, []string{topic, "all", "", "", "", c.configured(ctx, admin, topic)})
		return nil
	})
	return columns, rows, err
}

func (c *Client) list(ctx context.Context) (columns []string, rows [][]string, err error) {
	columns = []string{"topic", "partitions", "replicas", "notes"}
	err = c.look(ctx, "topics", func(ctx context.Context, admin *kadm.Client) error {
		details, err := admin.ListTopicsWithInternal(ctx)
		if err != nil {
			return err
		}
		rows = nil
		for _, t := range details.Sorted() {
			rows = append(rows, []string{t.Topic, fmt.Sprint(len(t.Partitions)), fmt.Sprint(t.Partitions.NumReplicas()), c.ailments(ctx, t)})
		}
		return nil
	})
	return columns, rows, err
}

// ailment says what is wrong with a partition.
func ailment(p kadm.PartitionDetail) string {
	switch {
	case p.Leader < 0:
		return "no leader: nothing can be read or written"
	case len(p.ISR) < len(p.Replicas):
		return fmt.Sprintf("%d of %d replicas in sync", len(p.ISR), len(p.Replicas))
	case p.Err != nil:
		return p.Err.Error()
	}
	return ""
}

// ailments counts the partitions that have something.
func (c *Client) ailments(ctx context.Context, t kadm.TopicDetail) string {
	if t.Err != nil {
		_, text := c.reason(ctx, t.Err)
		return text
	}
	headless, behind := 0, 0
	for _, p := range t.Partitions {
		switch {
		case p.Leader < 0:
			headless++
		case len(p.ISR) < len(p.Replicas):
			behind++
		}
	}
	var notes []string
	if t.IsInternal {
		notes = append(notes, "internal")
	}
	if headless > 0 {
		notes = append(notes, fmt.Sprintf("%d without a leader", headless))
	}
	if behind > 0 {
		notes = append(notes, fmt.Sprintf("%d under-replicated", behind))
	}
	return strings.Join(notes, ", ")
}

// telling are the options of a topic that are shown even when they are the cluster's defaults: how long records stay, and
// when writes are refused.
var telling = []string{"cleanup.policy", "retention.ms", "retention.bytes", "min.insync.replicas", "max.message.bytes"}

// configured is the configuration of a topic in a line. That it may not be read is no reason to say nothing else.
func (c *Client) configured(ctx context.Context, admin *kadm.Client, topic string) string {
	all, err := admin.DescribeTopicConfigs(ctx, topic)
	if err == nil && len(all) == 1 {
		err = all[0].Err
	}
	if err != nil || len(all) != 1 {
		_, text := c.reason(ctx, err)
		return "configuration not shown: Kafka " + text
	}
	var list []string
	for _, o := range all[0].Configs {
		if o.Value != nil && !o.Sensitive && (o.Source == kmsg.ConfigSourceDynamicTopicConfig || slices.Contains(telling, o.Key)) {
			list = append(list, o.Key+"="+*o.Value)
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// Offsets are the end offsets of a topic for each partition: those that the next records get; or the earliest that are
// still there. Errors are *Error.
func (c *Client) Offsets(ctx context.Context, topic string, earliest bool) (columns []string, rows [][]string, err error) {
	columns = []string{"topic", "partition", "offset"}
	err = c.look(ctx, "offsets of the topic "+cut(topic, 100), func(ctx context.Context, admin *kadm.Client) error {
		list := admin.ListEndOffsets
		if earliest {
			list = admin.ListStartOffsets
		}
		offsets, err := listed(list(ctx, topic))
		if err != nil {
			return err
		}
		rows = nil
		for _, p := range partitions(offsets[topic]) {
			rows = append(rows, []string{topic, number(p), number(offsets[topic][p].Offset)})
		}
		return nil
	})
	return columns, rows, err
}

// listed finds the errors of single partitions too. A topic that is not there is one.
func listed(offsets kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	if err != nil {
		return nil, err
	}
	if err := offsets.Error(); err != nil {
		return nil, err
	}
	if len(offsets) == 0 {
		return nil, kerr.UnknownTopicOrPartition
	}
	return offsets, nil
}

func partitions[T any](of map[int32]T) []int32 {
	var list []int32
	for p := range of {
		list = append(list, p)
	}
	slices.Sort(list)
	return list
}

func numbers(list []int32) string {
	text := make([]string, len(list))
	for i, n := range list {
		text[i] = number(n)
	}
	return strings.Join(text, ",")
}
