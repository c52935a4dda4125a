package action

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// ReplayDLQ applies records of the CDC API's dead-letter queue again: those with the IDs, or those that fit a filter.
// The API wants IDs; the bot looks them up.
type ReplayDLQ struct {
	On       string            `json:"on,omitempty"`
	IDs      []string          `json:"ids,omitempty"`
	Filter   map[string]string `json:"filter,omitempty"` // error_type, table, …; only records that are PENDING count
	Limit    int               `json:"limit,omitempty"`  // 0 is all
	Notes    string            `json:"notes,omitempty"`
	Strategy string            `json:"strategy,omitempty"` // immediate, batch or scheduled
}

// Bounds of one replay.
const (
	maxReplay   = 10_000 // records
	replayBatch = 1000   // IDs that the API takes at once
)

// Kind implements Action.
func (a ReplayDLQ) Kind() string { return "dlq.replay" }

// Effect implements Action.
func (a ReplayDLQ) Effect() string {
	if len(a.IDs) > 0 {
		return fmt.Sprintf("Replays %d records of the dead-letter queue: %s.", len(a.IDs), cut(strings.Join(a.IDs, ", "), 200))
	}
	text := "Replays the pending records of the dead-letter queue"
	var by []string
	for _, k := range slices.Sorted(maps.Keys(a.Filter)) {
		by = append(by, k+" = "+a.Filter[k])
	}
	if len(by) > 0 {
		text += " with " + strings.Join(by, ", ")
	}
	return fmt.Sprintf("%s, at most %d.", text, a.limit())
}

func (a ReplayDLQ) limit() int {
	if a.Limit <= 0 || a.Limit > maxReplay {
		return maxReplay
	}
	return a.Limit
}

// Risk implements Action.
func (a ReplayDLQ) Risk() Risk { return Change }

// Target implements Action.
func (a ReplayDLQ) Target() string { return "dlq" }

// Deadline implements Action.
func (a ReplayDLQ) Deadline() time.Duration { return 5 * time.Minute }

// Idempotent implements Action: what is resolved already is refused by the API, not applied twice.
func (a ReplayDLQ) Idempotent() bool { return true }

// find is what would be replayed.
func (a ReplayDLQ) find(ctx context.Context, w World) (q DLQ, columns []string, rows [][]string, total int, err error) {
	if q, err = w.DLQ(); err != nil {
		return nil, nil, nil, 0, err
	}
	if len(a.IDs) > 0 {
		for _, id := range a.IDs {
			rows = append(rows, []string{id})
		}
		return q, []string{"dlq_id"}, rows, len(rows), nil
	}
	filter := maps.Clone(a.Filter)
	if filter == nil {
		filter = map[string]string{}
	}
	filter["resolution_status"] = "PENDING"
	columns, rows, total, err = q.Records(ctx, filter, a.limit())
	return q, columns, rows, total, err
}

// Run implements Action. Records that the API could not apply are an error that says how many.
func (a ReplayDLQ) Run(ctx context.Context, w World) (Output, error) {
	q, _, rows, _, err := a.find(ctx, w)
	if err != nil {
		return Output{}, err
	}
	if len(rows) == 0 {
		return Output{Text: "nothing to replay: no pending record fits"}, nil
	}
	var replayed, failed int
	var said []string
	for batch := range slices.Chunk(rows, replayBatch) {
		ids := make([]string, len(batch))
		for i, row := range batch {
			ids[i] = row[0]
		}
		ok, bad, message, err := q.Replay(ctx, ids, a.notes(), a.strategy())
		replayed, failed = replayed+ok, failed+bad
		if message != "" && !slices.Contains(said, message) {
			said = append(said, message)
		}
		if err != nil {
			return Output{Text: fmt.Sprintf("%d replayed, %d failed before that", replayed, failed)}, err
		}
	}
	out := Output{Text: strings.TrimSuffix(fmt.Sprintf("%d replayed, %d failed\n%s", replayed, failed, strings.Join(said, "\n")), "\n")}
	if failed > 0 {
		return out, fmt.Errorf("%d of %d records could not be replayed; look at their error_message: their cause is still there", failed, replayed+failed)
	}
	return out, nil
}

func (a ReplayDLQ) notes() string {
	if a.Notes == "" {
		return "replayed by cdcbot after approval"
	}
	return a.Notes
}

func (a ReplayDLQ) strategy() string {
	if a.Strategy == "" {
		return "batch"
	}
	return a.Strategy
}

// Observe implements Action: nothing that fits is pending any more.
func (a ReplayDLQ) Observe(ctx context.Context, w World) (bool, error) {
	if len(a.IDs) > 0 {
		return false, nil
	}
	_, _, rows, _, err := a.find(ctx, w)
	return err == nil && len(rows) == 0, err
}

// Preview implements Previewer: the records that would be replayed.
func (a ReplayDLQ) Preview(ctx context.Context, w World) (Preview, error) {
	_, columns, rows, total, err := a.find(ctx, w)
	if err != nil {
		return Preview{}, err
	}
	text := fmt.Sprintf("%d of %d pending records", len(rows), total)
	if len(rows) > 0 {
		text += "\n" + Table(columns, rows[:min(len(rows), 10)])
	}
	if len(rows) > 10 {
		text += fmt.Sprintf("\n… and %d more", len(rows)-10)
	}
	return Preview{Text: text}, nil
}
