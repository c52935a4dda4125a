package remediation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cdcbot/internal/action"
	"cdcbot/internal/runbook"
)

// ErrRefused means that a plan would not work now, so that nobody need approve it.
var ErrRefused = errors.New("the plan would not work now")

// previewWithin bounds how long looking ahead may take for a whole plan.
const previewWithin = 12 * time.Second

// Look is what a step would do now, found out without doing it.
type Look struct {
	Step int    `json:"step"` // from 1
	Text string `json:"text"`
	Note bool   `json:"note,omitempty"` // it could not be found out, and Text says why
}

// Preview looks ahead at every step that can be looked at. The first step that changes something decides whether the
// plan can work at all; those behind it meet a world that it has changed, and only tell what they see.
func Preview(ctx context.Context, plan runbook.Plan, w action.World, redact func(string) string) ([]Look, error) {
	ctx, cancel := context.WithTimeout(ctx, previewWithin)
	defer cancel()
	var looks []Look
	first := true
	for i, s := range plan.Steps {
		if s.Action == nil || s.Action.Risk() == action.Read {
			first = first && s.Action != nil
			continue
		}
		p, ok := s.Action.(action.Previewer)
		if !ok {
			first = false
			continue
		}
		seen, err := p.Preview(ctx, w)
		if err != nil && first && s.Guard.Target == "" && !action.Away(err) && ctx.Err() == nil {
			return looks, fmt.Errorf("%w: step %d: %s", ErrRefused, i+1, redact(err.Error()))
		}
		switch {
		case err != nil:
			looks = append(looks, Look{Step: i + 1, Text: "not known yet: " + clip(redact(err.Error()), 300), Note: true})
		case seen.Text != "":
			looks = append(looks, Look{Step: i + 1, Text: clip(redact(seen.Text), 2000)})
		}
		first = first && s.Guard.Target != ""
	}
	return looks, nil
}
