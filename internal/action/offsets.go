package action

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cdcbot/internal/connect"
)

// AlterOffsets moves the positions of a STOPPED connector (KIP-875), or forgets them all: records are then skipped or
// read again.
type AlterOffsets struct {
	Cluster   string           `json:"cluster"`
	Connector string           `json:"connector"`
	Offsets   []connect.Offset `json:"offsets,omitempty"` // none: reset
}

// Kind implements Action.
func (a AlterOffsets) Kind() string {
	if len(a.Offsets) == 0 {
		return "connect.reset-offsets"
	}
	return "connect.alter-offsets"
}

// Effect implements Action.
func (a AlterOffsets) Effect() string {
	if len(a.Offsets) == 0 {
		return fmt.Sprintf("Forgets the offsets of %s, which must be STOPPED: it reads everything again.", a.Connector)
	}
	return fmt.Sprintf("Moves the offsets of %s, which must be STOPPED, to %s.", a.Connector, positions(a.Offsets))
}

// Risk implements Action.
func (a AlterOffsets) Risk() Risk { return High }

// Target implements Action.
func (a AlterOffsets) Target() string { return target(a.Cluster, a.Connector) }

// Deadline implements Action.
func (a AlterOffsets) Deadline() time.Duration { return 2 * time.Minute }

// Idempotent implements Action.
func (a AlterOffsets) Idempotent() bool { return true }

// Run implements Action. The output shows the positions before and after.
func (a AlterOffsets) Run(ctx context.Context, w World) (Output, error) {
	c, before, err := a.read(ctx, w)
	if err != nil {
		return Output{}, err
	}
	if err := persist(ctx, func() error { return a.request(ctx, c) }); err != nil {
		return Output{}, err
	}
	after, err := c.Offsets(ctx, a.Connector)
	return Output{Text: fmt.Sprintf("was %s\nnow %s", positions(before), positions(after))}, err
}

func (a AlterOffsets) request(ctx context.Context, c Connect) error {
	if len(a.Offsets) == 0 {
		return c.ResetOffsets(ctx, a.Connector)
	}
	return c.AlterOffsets(ctx, a.Connector, a.Offsets)
}

func (a AlterOffsets) read(ctx context.Context, w World) (Connect, []connect.Offset, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return nil, nil, err
	}
	before, err := c.Offsets(ctx, a.Connector)
	return c, before, err
}

// Observe implements Action.
func (a AlterOffsets) Observe(ctx context.Context, w World) (bool, error) {
	_, now, err := a.read(ctx, w)
	if err != nil || len(a.Offsets) == 0 {
		return err == nil && len(now) == 0, err
	}
	for _, want := range a.Offsets {
		if !slices.ContainsFunc(now, func(o connect.Offset) bool { return position(o) == position(want) }) {
			return false, nil
		}
	}
	return true, nil
}

// Preview implements Previewer: the positions now. Moving them back is the inverse.
func (a AlterOffsets) Preview(ctx context.Context, w World) (Preview, error) {
	_, before, err := a.read(ctx, w)
	if err != nil {
		return Preview{}, err
	}
	p := Preview{Text: "now " + positions(before)}
	if len(before) > 0 {
		p.Inverse = AlterOffsets{Cluster: a.Cluster, Connector: a.Connector, Offsets: before}
	}
	return p, nil
}

// positions is offsets as people read them.
func positions(list []connect.Offset) string {
	if len(list) == 0 {
		return "no offsets"
	}
	texts := make([]string, len(list))
	for i, o := range list {
		texts[i] = position(o)
	}
	slices.Sort(texts)
	return strings.Join(texts, ", ")
}

// position is "orders/0 at 15" for a sink, and the source's own words for a source.
func position(o connect.Offset) string {
	if topic, ok := o.Partition["kafka_topic"]; ok {
		return fmt.Sprintf("%v/%v at %v", topic, o.Partition["kafka_partition"], o.Offset["kafka_offset"])
	}
	var words []string
	for _, part := range []map[string]any{o.Partition, o.Offset} {
		for _, k := range slices.Sorted(maps.Keys(part)) {
			words = append(words, fmt.Sprintf("%s %v", k, part[k]))
		}
	}
	return strings.Join(words, " ")
}

// committed is a sink's next record in a partition; ok is false when it has none there.
func committed(list []connect.Offset, topic string, partition int) (next int64, ok bool) {
	for _, o := range list {
		if fmt.Sprint(o.Partition["kafka_topic"]) != topic || number(o.Partition["kafka_partition"]) != int64(partition) {
			continue
		}
		return number(o.Offset["kafka_offset"]), true
	}
	return 0, false
}

// number reads what a JSON decoder made of a number; -1 when it is none.
func number(v any) int64 {
	switch x := v.(type) {
	case float64:
		return int64(x)
	case int:
		return int64(x)
	case int64:
		return x
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return n
		}
	}
	return -1
}

// SkipRecord moves a sink past the one record that it cannot write: stop, move the offset, resume. It refuses when other
// records stand before that one, because they would be skipped too.
type SkipRecord struct {
	Cluster   string `json:"cluster"`
	Connector string `json:"connector"`
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"` // of the record to skip
}

// Kind implements Action.
func (a SkipRecord) Kind() string { return "connect.skip-record" }

// Effect implements Action.
func (a SkipRecord) Effect() string {
	return fmt.Sprintf("Stops %s, moves it past the record at offset %d of %s/%d, and resumes it. That one record is not written.", a.Connector, a.Offset, a.Topic, a.Partition)
}

// Risk implements Action.
func (a SkipRecord) Risk() Risk { return High }

// Target implements Action.
func (a SkipRecord) Target() string { return target(a.Cluster, a.Connector) }

// Deadline implements Action.
func (a SkipRecord) Deadline() time.Duration { return 3 * time.Minute }

// Idempotent implements Action: a second run finds the record behind it.
func (a SkipRecord) Idempotent() bool { return true }

// Run implements Action. When the offset cannot be moved the connector is resumed where it stood, and the error says why.
func (a SkipRecord) Run(ctx context.Context, w World) (Output, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Output{}, err
	}
	if out, err := (Transition{Cluster: a.Cluster, Connector: a.Connector, To: connect.Stopped}).Run(ctx, w); err != nil {
		return out, err
	}
	moved := a.move(ctx, c)
	resumed := persist(ctx, func() error { return c.Resume(ctx, a.Connector) })
	if moved != nil || resumed != nil {
		return Output{}, first(moved, resumed)
	}
	return a.proved(ctx, c)
}

func first(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

// move checks again now that nothing moves any more: what was committed while stopping counts.
func (a SkipRecord) move(ctx context.Context, c Connect) error {
	list, err := c.Offsets(ctx, a.Connector)
	if err != nil {
		return err
	}
	if err := a.fits(list); err != nil {
		return err
	}
	if next, _ := committed(list, a.Topic, a.Partition); next > a.Offset {
		return nil
	}
	to := connect.Offset{Partition: map[string]any{"kafka_topic": a.Topic, "kafka_partition": a.Partition}, Offset: map[string]any{"kafka_offset": a.Offset + 1}}
	return persist(ctx, func() error { return c.AlterOffsets(ctx, a.Connector, []connect.Offset{to}) })
}

// fits refuses to skip more than the one record.
func (a SkipRecord) fits(list []connect.Offset) error {
	next, ok := committed(list, a.Topic, a.Partition)
	switch {
	case !ok && a.Offset > 0:
		return fmt.Errorf("%s has committed nothing in %s/%d, so that %d records stand before offset %d and would be skipped too", a.Connector, a.Topic, a.Partition, a.Offset, a.Offset)
	case ok && next < a.Offset:
		return fmt.Errorf("%s stands at %d of %s/%d: %d records before offset %d would be skipped too; set consumer.override.max.poll.records = 1 and restart it, so that it walks up to the record", a.Connector, next, a.Topic, a.Partition, a.Offset-next, a.Offset)
	}
	return nil
}

func (a SkipRecord) proved(ctx context.Context, c Connect) (Output, error) {
	s, err := settle(ctx, c, a.Connector, patience{good: 2 * time.Second, bad: 3 * time.Second}, func(s connect.Status) bool { return s.Running() }, failing)
	if err != nil {
		return Output{Text: states(s)}, err
	}
	list, err := c.Offsets(ctx, a.Connector)
	if err != nil {
		return Output{Text: states(s)}, err
	}
	out := Output{Text: states(s) + "; " + positions(list)}
	if failing(s) {
		return out, fmt.Errorf("%s fails after the record was skipped: %s", a.Connector, reason(s))
	}
	return out, nil
}

// Observe implements Action.
func (a SkipRecord) Observe(ctx context.Context, w World) (bool, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return false, err
	}
	list, err := c.Offsets(ctx, a.Connector)
	if err != nil {
		return false, err
	}
	s, err := c.Status(ctx, a.Connector)
	next, ok := committed(list, a.Topic, a.Partition)
	return err == nil && ok && next > a.Offset && s.Running(), err
}

// Preview implements Previewer.
func (a SkipRecord) Preview(ctx context.Context, w World) (Preview, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Preview{}, err
	}
	list, err := c.Offsets(ctx, a.Connector)
	if err != nil {
		return Preview{}, err
	}
	return Preview{Text: "now " + positions(list)}, a.fits(list)
}
