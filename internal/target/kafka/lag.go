package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// group is a consumer group: of the classic protocol, or of KIP-848's.
type group struct {
	name, state, kind string
	members           int
	holders           map[string]map[int32]holder // topic and partition to who reads it
	commits           kadm.OffsetResponses
	err               error // why it could not be looked at
}

// holder is the member of a group that reads a partition.
type holder struct{ member, host string }

// line is one partition of a group.
type line struct {
	topic           string
	partition       int32
	committed       int64 // -1 when nothing is
	start, end, lag int64
	by              holder
	err             error
}

// Lag is the committed and the end offset of a consumer group for each partition, with the member that reads it and a last
// row for all; or, when name is "", all groups in one line each. The lag of a partition without a commit is all that is in
// it. Errors are *Error.
func (c *Client) Lag(ctx context.Context, name string) (columns []string, rows [][]string, err error) {
	if name == "" {
		return c.groups(ctx)
	}
	columns = []string{"topic", "partition", "committed", "end", "lag", "member", "host"}
	err = c.look(ctx, "lag of the group "+cut(name, 100), func(ctx context.Context, admin *kadm.Client) error {
		all, err := listGroups(ctx, admin)
		if err != nil {
			return err
		}
		g, ok := all[name]
		if !ok {
			return ours{Missing, "has no such consumer group; it has " + some(slices.Sorted(maps.Keys(all)))}
		}
		lines, err := lags(ctx, admin, map[string]*group{name: g})
		if err == nil {
			err = g.err
		}
		if err != nil {
			return err
		}
		rows = c.rows(ctx, lines[name])
		return nil
	})
	return columns, rows, err
}

func (c *Client) rows(ctx context.Context, lines []line) [][]string {
	var rows [][]string
	var sum int64
	for _, l := range lines {
		row := []string{l.topic, number(l.partition), offset(l.committed), offset(l.end), number(l.lag), l.by.member, l.by.host}
		if l.err != nil {
			_, text := c.reason(ctx, l.err)
			row[4], l.lag = "Kafka "+text, 0
		}
		rows, sum = append(rows, row), sum+l.lag
	}
	return append(rows, []string{"total", "", "", "", number(sum), "", ""})
}

func offset(n int64) string {
	if n < 0 {
		return "none"
	}
	return number(n)
}

func (c *Client) groups(ctx context.Context) (columns []string, rows [][]string, err error) {
	columns = []string{"group", "type", "state", "members", "topics", "lag"}
	err = c.look(ctx, "consumer groups", func(ctx context.Context, admin *kadm.Client) error {
		all, err := listGroups(ctx, admin)
		if err != nil {
			return err
		}
		lines, err := lags(ctx, admin, all)
		if err != nil {
			return err
		}
		rows = nil
		for _, name := range slices.Sorted(maps.Keys(all)) {
			g := all[name]
			topics, lag := summary(lines[name])
			if g.err != nil {
				_, text := c.reason(ctx, g.err)
				lag = "Kafka " + text
			}
			rows = append(rows, []string{name, g.kind, g.state, fmt.Sprint(g.members), topics, lag})
		}
		return nil
	})
	return columns, rows, err
}

// summary names the topics of a group and adds up its lag. A group without offsets, such as the workers of a Connect
// cluster, has none.
func summary(lines []line) (topics, lag string) {
	if len(lines) == 0 {
		return "", ""
	}
	var names []string
	var sum int64
	for _, l := range lines {
		if !slices.Contains(names, l.topic) {
			names = append(names, l.topic)
		}
		if l.err == nil {
			sum += l.lag
		}
	}
	return some(names), number(sum)
}

// some names the first of many.
func some(names []string) string {
	const most = 10
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

func listGroups(ctx context.Context, admin *kadm.Client) (map[string]*group, error) {
	list, err := admin.ListGroups(ctx)
	if err = whole(err); err != nil {
		return nil, err
	}
	all := map[string]*group{}
	for _, g := range list {
		all[g.Group] = &group{name: g.Group, state: g.State, kind: g.ProtocolType, holders: map[string]map[int32]holder{}}
	}
	return all, nil
}

// whole lets a part of an answer pass: when one of several brokers is away, the others are still worth showing.
func whole(err error) error {
	var parts *kadm.ShardErrors
	if errors.As(err, &parts) && !parts.AllFailed {
		return nil
	}
	return err
}

// lags looks at groups: who is in them, what they have committed, and how far that is from the end.
func lags(ctx context.Context, admin *kadm.Client, all map[string]*group) (map[string][]line, error) {
	names := slices.Sorted(maps.Keys(all))
	if len(names) == 0 {
		return nil, nil
	}
	if err := describe(ctx, admin, all, names); err != nil {
		return nil, err
	}
	for name, answer := range admin.FetchManyOffsets(ctx, names...) {
		if g := all[name]; g != nil && g.err == nil {
			g.commits, g.err = answer.Fetched, answer.Err
		}
	}
	starts, ends, err := bounds(ctx, admin, all)
	if err != nil {
		return nil, err
	}
	lines := map[string][]line{}
	for _, name := range names {
		if all[name].err == nil {
			lines[name] = all[name].lines(starts, ends)
		}
	}
	return lines, nil
}

// describe fills in members. A group that the classic question does not find is one of KIP-848's.
func describe(ctx context.Context, admin *kadm.Client, all map[string]*group, names []string) error {
	classic, err := admin.DescribeGroups(ctx, names...)
	if err = whole(err); err != nil {
		return err
	}
	var rest []string
	for _, name := range names {
		d, ok := classic[name]
		if !ok || errors.Is(d.Err, kerr.GroupIDNotFound) || d.Err == nil && len(d.Members) == 0 && d.State != "Empty" {
			rest = append(rest, name)
			continue
		}
		all[name].err, all[name].members = d.Err, len(d.Members)
		for _, m := range d.Members {
			assigned, _ := m.Assigned.AsConsumer()
			if assigned == nil {
				continue
			}
			for _, t := range assigned.Topics {
				all[name].hold(t.Topic, t.Partitions, holder{m.MemberID, host(m.ClientHost)})
			}
		}
	}
	if len(rest) == 0 {
		return nil
	}
	newer, err := admin.DescribeConsumerGroups(ctx, rest...)
	if err != nil {
		return nil // an older broker has no such groups: their offsets are shown without members
	}
	for name, d := range newer {
		if d.Err != nil || all[name] == nil {
			continue
		}
		all[name].members = len(d.Members)
		for _, m := range d.Members {
			for t, ps := range m.Assignment {
				all[name].hold(t, slices.Sorted(maps.Keys(ps)), holder{m.MemberID, host(m.ClientHost)})
			}
		}
	}
	return nil
}

// host drops the slash that brokers put before an address.
func host(h string) string { return strings.TrimPrefix(h, "/") }

func (g *group) hold(topic string, ps []int32, by holder) {
	if topic == "" { // told by its ID alone, which no other answer names
		return
	}
	if g.holders[topic] == nil {
		g.holders[topic] = map[int32]holder{}
	}
	for _, p := range ps {
		g.holders[topic][p] = by
	}
}

// bounds are the first and the next offsets of all topics that the groups have to do with.
func bounds(ctx context.Context, admin *kadm.Client, all map[string]*group) (starts, ends kadm.ListedOffsets, err error) {
	topics := map[string]bool{}
	for _, g := range all {
		for t := range g.holders {
			topics[t] = true
		}
		for t := range g.commits {
			topics[t] = true
		}
	}
	if len(topics) == 0 {
		return nil, nil, nil
	}
	names := slices.Sorted(maps.Keys(topics))
	starts, err = admin.ListStartOffsets(ctx, names...)
	if err = whole(err); err != nil {
		return nil, nil, err
	}
	ends, err = admin.ListEndOffsets(ctx, names...)
	return starts, ends, whole(err)
}

// lines are the partitions that a group reads or has read, in order.
func (g *group) lines(starts, ends kadm.ListedOffsets) []line {
	at := map[string]map[int32]bool{}
	mark := func(topic string, p int32) {
		if at[topic] == nil {
			at[topic] = map[int32]bool{}
		}
		at[topic][p] = true
	}
	for t, ps := range g.holders {
		for p := range ps {
			mark(t, p)
		}
	}
	for t, ps := range g.commits {
		for p := range ps {
			mark(t, p)
		}
	}
	var lines []line
	for _, t := range slices.Sorted(maps.Keys(at)) {
		for _, p := range partitions(at[t]) {
			lines = append(lines, g.line(t, p, starts, ends))
		}
	}
	return lines
}

func (g *group) line(topic string, p int32, starts, ends kadm.ListedOffsets) line {
	l := line{topic: topic, partition: p, committed: -1, start: -1, end: -1, by: g.holders[topic][p]}
	if commit, ok := g.commits.Lookup(topic, p); ok {
		l.committed, l.err = commit.At, commit.Err
	}
	end, ok := ends.Lookup(topic, p)
	if !ok {
		end.Err = kerr.UnknownTopicOrPartition
	}
	start, _ := starts.Lookup(topic, p)
	if l.err == nil {
		l.err = end.Err
	}
	if l.err != nil {
		return l
	}
	l.start, l.end = start.Offset, end.Offset
	l.lag = max(0, l.end-l.committed)
	if l.committed < l.start { // nothing committed, or what was committed has been deleted since
		l.lag = max(0, l.end-l.start)
	}
	return l
}
