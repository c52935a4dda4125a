package remediation

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"cdcbot/internal/action"
	"cdcbot/internal/approval"
	"cdcbot/internal/runbook"
)

// Book is the runbook that answers an incident.
func (f *Flow) Book(ctx context.Context, id string) (*runbook.Book, error) {
	inc, err := f.Incidents.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	book, ok := f.book(inc)
	if !ok {
		return nil, fmt.Errorf("no runbook answers %s of %s: %w", inc.Alert, id, ErrNoSection)
	}
	return book, nil
}

// RecipeToFailOver names the plan that moves a pipeline to its backup, and one of the connectors it moves.
func (f *Flow) RecipeToFailOver(pipeline string) (approval.Recipe, string, error) {
	p, ok := f.Pipelines[pipeline]
	if !ok {
		return approval.Recipe{}, "", fmt.Errorf("pipeline %q: %w", pipeline, ErrNoPipeline)
	}
	if p.Targets.Failover == nil || len(p.Targets.Failover.Pairs) == 0 {
		return approval.Recipe{}, "", fmt.Errorf("pipeline %q: %w", pipeline, ErrNoBackup)
	}
	return approval.Recipe{Runbook: Builtin, Section: FailOver}, p.Targets.Failover.Pairs[0].Here, nil
}

func failOverPlan(p Pipeline) (runbook.Plan, error) {
	if p.Targets.Failover == nil {
		return runbook.Plan{}, fmt.Errorf("pipeline %q: %w", p.Name, ErrNoBackup)
	}
	return runbook.FailOverPlan(*p.Targets.Failover), nil
}

// RecipeToReplay names the plan that applies dead letters again: those that fit the filter, at most limit of them, 0 for all.
func RecipeToReplay(filter map[string]string, limit int) approval.Recipe {
	inputs := maps.Clone(filter)
	if inputs == nil {
		inputs = map[string]string{}
	}
	if limit > 0 {
		inputs["limit"] = strconv.Itoa(limit)
	}
	return approval.Recipe{Runbook: Builtin, Section: Replay, Inputs: inputs}
}

func replayPlan(inputs map[string]string) (runbook.Plan, error) {
	a := action.ReplayDLQ{Filter: maps.Clone(inputs)}
	if text, given := inputs["limit"]; given {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return runbook.Plan{}, fmt.Errorf("limit %q of a replay: expected a number from 1", text)
		}
		a.Limit = n
		delete(a.Filter, "limit")
	}
	return runbook.ReplayPlan(a), nil
}

// DeadLetters are the records that wait in a pipeline's dead-letter queue, as a table, and how many fit in all.
func (f *Flow) DeadLetters(ctx context.Context, pipeline string, filter map[string]string, limit int) (table string, total int, err error) {
	p, ok := f.Pipelines[pipeline]
	if !ok {
		return "", 0, fmt.Errorf("pipeline %q: %w", pipeline, ErrNoPipeline)
	}
	q, err := p.World.DLQ()
	if err != nil {
		return "", 0, err
	}
	filter = maps.Clone(filter)
	filter["resolution_status"] = "PENDING"
	columns, rows, total, err := q.Records(ctx, filter, limit)
	if err != nil {
		return "", 0, err
	}
	return f.Redact(action.Table(columns, rows)), total, nil
}
