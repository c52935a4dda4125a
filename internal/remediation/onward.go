package remediation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"cdcbot/internal/action"
	"cdcbot/internal/approval"
	"cdcbot/internal/runbook"
)

// Onward is a way on from a run that ended before its work was done. Each is a plan of its own that people approve anew;
// nothing is taken back or tried again by itself.
type Onward string

// The ways on.
const (
	Retry    Onward = "retry"     // the same plan from the step at which the run ended
	Omit     Onward = "omit"      // the same plan from the step after that one
	TakeBack Onward = "take-back" // what the run's steps did, taken back, the last one first
)

// Errors of going on.
var (
	ErrOutdated = errors.New("another run came after this one")
	ErrNoWay    = errors.New("this run has no such way on")
)

// Onwards are the ways on from a run, none while it is under way and after it healed.
func (r Run) Onwards() []Onward {
	if r.State != Failed && r.State != Cancelled {
		return nil
	}
	var ways []Onward
	if at := r.at(); at < len(r.Steps) {
		ways = append(ways, Retry)
		if at+1 < len(r.Steps) {
			ways = append(ways, Omit)
		}
	}
	if slices.ContainsFunc(r.Steps, func(s RunStep) bool { return s.takesBack() }) {
		ways = append(ways, TakeBack)
	}
	return ways
}

// at is the index of the step at which a run stands or ended; the number of steps when all are behind it.
func (r Run) at() int {
	for i, s := range r.Steps {
		if s.State != StepSucceeded && s.State != StepSkipped {
			return i
		}
	}
	return len(r.Steps)
}

func (s RunStep) takesBack() bool { return s.State == StepSucceeded && s.Back != nil }

// GoOn asks people to approve a way on from a run.
func (f *Flow) GoOn(ctx context.Context, id, runID string, way Onward, by Person) (approval.Request, error) {
	runs, err := f.Journal.Runs(ctx, id)
	if err != nil {
		return approval.Request{}, err
	}
	i := slices.IndexFunc(runs, func(r Run) bool { return r.ID == runID })
	switch {
	case i < 0:
		return approval.Request{}, fmt.Errorf("%s of %s: %w", runID, id, ErrNoRun)
	case i < len(runs)-1:
		return approval.Request{}, fmt.Errorf("%s: %w: %s", runID, ErrOutdated, runs[len(runs)-1].ID)
	case !slices.Contains(runs[i].Onwards(), way):
		return approval.Request{}, fmt.Errorf("%s of %s: %w", way, runID, ErrNoWay)
	}
	recipe, err := f.onward(ctx, runs[i], way)
	if err != nil {
		return approval.Request{}, err
	}
	return f.Ask(ctx, Wish{Incident: id, Recipe: recipe, By: by, Reason: runs[i].whyOn()})
}

func (r Run) whyOn() string {
	if at := r.at(); at < len(r.Steps) {
		return fmt.Sprintf("%s ended at step %d, %s", r.ID, at+1, clip(r.Steps[at].Title, 100))
	}
	return r.ID + " did not heal the pipeline"
}

func (f *Flow) onward(ctx context.Context, r Run, way Onward) (approval.Recipe, error) {
	if way == TakeBack {
		return recipeToTakeBack(r)
	}
	req, err := f.Approvals.Get(ctx, r.Request)
	if err != nil {
		return approval.Recipe{}, err
	}
	recipe := req.Recipe
	recipe.SHA256 = "" // of the runbook as it is now
	recipe.From = max(recipe.From, 1) + r.at()
	if way == Omit {
		recipe.From++
	}
	return recipe, nil
}

// recipeToTakeBack holds the actions themselves: they follow from what the run found, not from a runbook.
func recipeToTakeBack(r Run) (approval.Recipe, error) {
	var list []action.Packed
	for _, s := range slices.Backward(r.Steps) {
		if s.takesBack() {
			list = append(list, *s.Back)
		}
	}
	body, err := json.Marshal(list)
	if err != nil {
		return approval.Recipe{}, fmt.Errorf("what takes %s back: %w", r.ID, err)
	}
	return approval.Recipe{Runbook: Builtin, Section: string(TakeBack), Inputs: map[string]string{"run": r.ID, "steps": string(body)}}, nil
}

func takeBackPlan(inputs map[string]string) (runbook.Plan, error) {
	var list []action.Packed
	if err := json.Unmarshal([]byte(inputs["steps"]), &list); err != nil || len(list) == 0 {
		return runbook.Plan{}, fmt.Errorf("taking %q back: expected a list of actions: %w", inputs["run"], ErrEmptyPlan)
	}
	acts := make([]action.Action, len(list))
	for i, p := range list {
		a, err := p.Unpack()
		if err != nil {
			return runbook.Plan{}, fmt.Errorf("taking %q back: %w", inputs["run"], err)
		}
		acts[i] = a
	}
	return runbook.TakeBackPlan(inputs["run"], acts...), nil
}

// back is what would take a step back, as the world is before it runs; nil when nothing would, or when it could not be
// kept without keeping a secret.
func (x *execution) back(ctx context.Context, a action.Action, w action.World) *action.Packed {
	inverse := action.Back(ctx, a, w)
	if inverse == nil {
		return nil
	}
	packed, err := action.Pack(inverse)
	if err != nil || x.Redact(string(packed.Action)) != string(packed.Action) {
		return nil
	}
	return &packed
}
