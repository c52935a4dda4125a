package remediation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cdcbot/internal/action"
	"cdcbot/internal/approval"
	"cdcbot/internal/runbook"
)

// ErrMoved means that the world is no longer as it was when people agreed: what they agreed to does not exist any more.
var ErrMoved = errors.New("things have changed since this was asked")

// conditionsWithin bounds how long the conditions of a plan may take to read.
const conditionsWithin = 10 * time.Second

// conditions reads what matters of the world to the steps from index first on. What cannot be read is left out: nothing is
// known of it, and nobody can agree to it.
func (f *Flow) conditions(ctx context.Context, steps []runbook.Step, first int, w action.World) []approval.Condition {
	ctx, cancel := context.WithTimeout(ctx, conditionsWithin)
	defer cancel()
	var list []approval.Condition
	for i := first; i < len(steps); i++ {
		found, err := f.conditionsOf(ctx, steps[i], w)
		if err != nil {
			continue
		}
		for _, c := range found {
			list = append(list, approval.Condition{Step: i + 1, Name: c.Name, Values: c.Values, Shrinks: c.Shrinks})
		}
	}
	return list
}

func (f *Flow) conditionsOf(ctx context.Context, s runbook.Step, w action.World) ([]action.Condition, error) {
	a, ok := s.Action.(action.Conditioned)
	if !ok || w == nil {
		return nil, nil
	}
	list, err := a.Conditions(ctx, w)
	for _, c := range list {
		for i, v := range c.Values {
			c.Values[i] = f.Redact(v)
		}
	}
	return list, err
}

// settled reads the conditions of a step; a worker that is busy with itself is waited for.
func (f *Flow) settled(ctx context.Context, s runbook.Step, w action.World) ([]action.Condition, error) {
	ctx, cancel := context.WithTimeout(ctx, conditionsWithin)
	defer cancel()
	for {
		list, err := f.conditionsOf(ctx, s, w)
		if err == nil || !action.Away(err) {
			return list, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// moved compares the world of one step as it was with what it is; nil when nothing that matters has changed. What was known
// and cannot be read any more is not taken on trust.
func (f *Flow) moved(ctx context.Context, was []approval.Condition, i int, s runbook.Step, w action.World) error {
	mine := slices.DeleteFunc(slices.Clone(was), func(c approval.Condition) bool { return c.Step != i+1 })
	if len(mine) == 0 {
		return nil
	}
	now, err := f.settled(ctx, s, w)
	if err != nil {
		return fmt.Errorf("whether things are as they were when step %d was agreed to: %w", i+1, err)
	}
	var differences []string
	for _, c := range mine {
		at := slices.IndexFunc(now, func(n action.Condition) bool { return n.Name == c.Name })
		if at < 0 {
			differences = append(differences, c.Name+": there is none any more")
			continue
		}
		if d := (action.Condition{Name: c.Name, Values: c.Values, Shrinks: c.Shrinks}).Drift(now[at]); d != "" {
			differences = append(differences, d)
		}
	}
	if len(differences) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrMoved, strings.Join(differences, "; "))
}

// movedAnywhere compares the world of every step of a plan that has not begun.
func (f *Flow) movedAnywhere(ctx context.Context, was []approval.Condition, steps []runbook.Step, w action.World) error {
	for i, s := range steps {
		if err := f.moved(ctx, was, i, s, w); err != nil {
			return err
		}
	}
	return nil
}
