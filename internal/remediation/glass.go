package remediation

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cdcbot/internal/approval"
	"cdcbot/internal/timeline"
)

// Errors of acting alone.
var (
	ErrTyped      = errors.New("what was typed is not the incident's ID")
	ErrNoReason   = errors.New("a reason is needed")
	ErrUnreviewed = errors.New("somebody acted alone, and nobody else has reviewed it yet")
	ErrNoReview   = errors.New("there is nothing to review")
)

// Alone is a requester's wish to act without a second person.
type Alone struct {
	Request string
	Digest  string
	Typed   string // the incident's ID, typed by hand: nobody breaks a glass by a slip of the finger
	Reason  string
	By      Person
}

// BreakGlass runs an approved-by-nobody plan, when the policy allows it and nobody has answered. It pages a second person
// first, marks the timeline, and needs a review after.
func (f *Flow) BreakGlass(ctx context.Context, a Alone) (approval.Request, error) {
	req, err := f.Approvals.Get(ctx, a.Request)
	if err != nil {
		return req, err
	}
	if err := f.mayAlone(ctx, a, req); err != nil {
		return req, err
	}
	if err := f.unchanged(ctx, req); err != nil {
		return req, err
	}
	req, err = f.Approvals.BreakGlass(ctx, req.ID, a.By.ID, a.Digest, a.Reason)
	if err != nil {
		return req, err
	}
	if err := f.page(ctx, req.Incident, "glass:"+req.ID, fmt.Sprintf("%s acts alone on %s: %s — %s", a.By.Name, req.Incident, req.Title, a.Reason)); err != nil {
		return req, err
	}
	return req, f.decided(ctx, req, Choice{Request: req.ID, Digest: a.Digest, Verdict: approval.BreakGlass, Reason: a.Reason, By: a.By})
}

// mayAlone asks what can be asked before the script decides: typed by hand, with a reason, by a full member of the workspace.
func (f *Flow) mayAlone(ctx context.Context, a Alone, req approval.Request) error {
	switch {
	case !strings.EqualFold(strings.TrimSpace(a.Typed), req.Incident):
		return fmt.Errorf("%w: %.40q, expected %s", ErrTyped, a.Typed, req.Incident)
	case strings.TrimSpace(a.Reason) == "":
		return ErrNoReason
	}
	who, err := f.People.Anew(ctx, a.By.ID)
	if err != nil {
		return fmt.Errorf("looking up who acts alone: %w", err)
	}
	return approval.Policy{}.MayDecide(ctx, who, req.Risk) // a full member; who approves need not be the one who is awake
}

// Review says that somebody else has looked at what one person did alone.
func (f *Flow) Review(ctx context.Context, id string, by Person, words string) error {
	open, err := f.unreviewed(ctx, id)
	if err != nil {
		return err
	}
	if len(open) == 0 {
		return ErrNoReview
	}
	if strings.TrimSpace(words) == "" {
		return ErrNoReason
	}
	who, err := f.People.Anew(ctx, by.ID)
	if err != nil {
		return fmt.Errorf("looking up who reviews: %w", err)
	}
	for _, req := range open {
		if err := f.policy().MayDecide(ctx, who, req.Risk); err != nil {
			return err
		}
		if strings.EqualFold(req.Requester, by.ID) {
			return approval.ErrSelf
		}
		text := fmt.Sprintf("%s reviewed what %s did alone (%s): %s", by.Name, f.name(ctx, req.Requester, nil), req.ID, words)
		if err := f.record(ctx, id, timeline.GlassReviewed, person(by), "review:"+req.ID, text, map[string]any{"request": req.ID}); err != nil {
			return err
		}
	}
	return f.touch(ctx, id)
}

// unreviewed are the requests of an incident that one person ran alone and nobody has reviewed.
func (f *Flow) unreviewed(ctx context.Context, id string) ([]approval.Request, error) {
	requests, err := f.Approvals.ForIncident(ctx, id)
	if err != nil {
		return nil, err
	}
	var open []approval.Request
	for _, req := range requests {
		if _, alone := req.Glass(); alone {
			open = append(open, req)
		}
	}
	if len(open) == 0 {
		return nil, nil
	}
	events, err := f.Timeline.Events(ctx, id)
	if err != nil {
		return nil, err
	}
	reviewed := map[string]bool{}
	for _, e := range events {
		if e.Type == timeline.GlassReviewed {
			reviewed[e.Key] = true
		}
	}
	var left []approval.Request
	for _, req := range open {
		if !reviewed["review:"+req.ID] {
			left = append(left, req)
		}
	}
	return left, nil
}

// AskAgain asks anew for what was asked before, as things are now: the way on after a request has expired, or the world has
// moved away from it.
func (f *Flow) AskAgain(ctx context.Context, id string, by Person) (approval.Request, error) {
	old, err := f.Approvals.Get(ctx, id)
	if err != nil {
		return old, err
	}
	if old.State == approval.Pending || old.State == approval.Approved {
		return old, approval.ErrDuplicate
	}
	recipe := old.Recipe
	recipe.SHA256 = "" // of the runbook as it is now
	return f.Ask(ctx, Wish{Incident: old.Incident, Recipe: recipe, By: by, Reason: old.Reason})
}
