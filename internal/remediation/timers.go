package remediation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cdcbot/internal/action"
	"cdcbot/internal/approval"
	"cdcbot/internal/incident"
	"cdcbot/internal/runbook"
	"cdcbot/internal/timeline"
)

// Timers say when people are called again. Zero never does.
type Timers struct {
	Remind time.Duration // after a request that nobody has answered: once more in the thread
	Page   time.Duration // after a request that nobody has answered: whoever is on call
}

// calls enqueues what happens when nobody answers a request.
func (f *Flow) calls(ctx context.Context, req approval.Request) error {
	for kind, after := range map[JobKind]time.Duration{Remind: f.Timers.Remind, CallSecond: f.Timers.Page} {
		if at := req.CreatedAt.Add(after); after > 0 && at.Before(req.ExpiresAt) {
			if err := f.Queue.Enqueue(ctx, Job{Kind: kind, Incident: req.Incident, Request: req.ID}, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// remind asks once more for the approvals that are missing.
func (f *Flow) remind(ctx context.Context, id string) error {
	req, waits, err := f.waiting(ctx, id)
	if err != nil || !waits {
		return err
	}
	text := fmt.Sprintf("%s still waits for %s: %s. It expires at %s.", req.ID, lacking(req), req.Title, req.ExpiresAt.UTC().Format("15:04 UTC"))
	return f.notify(ctx, req.Incident, "remind:"+id, text, f.policy().Called(), false)
}

// callSecond pages whoever is on call, because one person alone must not act and nobody answers.
func (f *Flow) callSecond(ctx context.Context, id string) error {
	req, waits, err := f.waiting(ctx, id)
	if err != nil || !waits {
		return err
	}
	return f.page(ctx, req.Incident, "approve:"+id, fmt.Sprintf("%s of %s needs %s: %s", req.ID, req.Incident, lacking(req), req.Title))
}

func lacking(req approval.Request) string {
	if left := req.Needed - len(req.Approvers()); left != 1 {
		return fmt.Sprintf("%d approvals", left)
	}
	return "one approval"
}

// waiting reads a request; it waits as long as it is pending and its time is not over.
func (f *Flow) waiting(ctx context.Context, id string) (approval.Request, bool, error) {
	req, err := f.Approvals.Get(ctx, id)
	if errors.Is(err, approval.ErrNotFound) || errors.Is(err, approval.ErrForged) {
		return req, false, nil
	}
	return req, err == nil && req.State == approval.Pending && f.Now().Before(req.ExpiresAt), err
}

// page calls somebody, once for each key, and says in the thread whether that went well. Without a pager it says so.
func (f *Flow) page(ctx context.Context, id, key, summary string) error {
	inc, err := f.Incidents.Get(ctx, id)
	if err != nil {
		return err
	}
	text := "Paged: " + summary
	if err := f.call(ctx, inc, key, summary); errors.Is(err, action.ErrNotConfigured) {
		text = "Nobody is paged, because no pager is configured (page.url or page.pagerduty_key): " + summary
	} else if err != nil {
		text = fmt.Sprintf("The pager did not take it (%s): %s", clip(f.Redact(err.Error()), 200), summary)
	}
	if err := f.record(ctx, id, timeline.Paged, timeline.Bot, "page:"+key, text, map[string]any{"key": key}); err != nil {
		return err
	}
	return f.notify(ctx, id, "page:"+key, text, f.policy().Called(), false)
}

func (f *Flow) call(ctx context.Context, inc incident.Incident, key, summary string) error {
	p, ok := f.Pipelines[inc.Pipeline]
	if !ok || p.World == nil {
		return action.ErrNotConfigured
	}
	pager, err := p.World.Pager()
	if err != nil {
		return err
	}
	return pager.Page(ctx, inc.ID+":"+key, summary, map[string]string{"incident": inc.ID, "pipeline": inc.Pipeline, "alert": inc.Alert})
}

// escalation is the chapter of the incident's runbook that says what happens when it does not recover; false when there is
// none with a time.
func (f *Flow) escalation(inc incident.Incident) (runbook.Section, bool) {
	book, ok := f.book(inc)
	if !ok {
		return runbook.Section{}, false
	}
	for _, s := range book.Sections {
		if s.Kind == runbook.Escalation && s.After > 0 {
			return s, true
		}
	}
	return runbook.Section{}, false
}

// armEscalation starts the runbook's escalation timer: it runs from when the failure began.
func (f *Flow) armEscalation(ctx context.Context, inc incident.Incident, outcome incident.Outcome) error {
	s, ok := f.escalation(inc)
	if !ok || outcome != incident.Opened && outcome != incident.Reopened {
		return nil
	}
	return f.Queue.Enqueue(ctx, Job{Kind: Escalate, Incident: inc.ID, Attempt: fmt.Sprint(inc.Reopened)}, f.Now().Add(s.After))
}

// mendEscalation sees to it that a timer that a crash kept from being set runs all the same.
func (f *Flow) mendEscalation(ctx context.Context, inc incident.Incident) error {
	s, ok := f.escalation(inc)
	if !ok || !unhealed(inc.State) || inc.Reopened > 0 || f.Now().Sub(inc.OpenedAt) < s.After+time.Minute {
		return nil
	}
	if done, err := f.Journal.Marked(ctx, inc.ID, escalated(inc)); err != nil || done {
		return err
	}
	return f.Queue.Enqueue(ctx, Job{Kind: Escalate, Incident: inc.ID, Attempt: "mend"}, f.Now())
}

// escalated is what marks an escalation as done, once for each time the incident was open.
func escalated(inc incident.Incident) string { return fmt.Sprintf("escalated:%d", inc.Reopened) }

// escalate does what the runbook says when a connector has not recovered in time: it looks, it pages, and what changes
// something it offers. An incident that is mitigated by then is left alone.
func (f *Flow) escalate(ctx context.Context, id string) error {
	inc, err := f.Incidents.Get(ctx, id)
	if err != nil {
		return err
	}
	s, ok := f.escalation(inc)
	if !ok || !unhealed(inc.State) {
		return nil
	}
	if done, err := f.Journal.Marked(ctx, id, escalated(inc)); err != nil || done {
		return err
	}
	text := fmt.Sprintf("%s has not recovered within %s: the runbook's “%s” begins", id, s.After, s.Title)
	if err := f.record(ctx, id, timeline.Escalated, timeline.Bot, escalated(inc), text, map[string]any{"after_seconds": s.After.Seconds(), "section": s.ID}); err != nil {
		return err
	}
	if err := f.escalationLooks(ctx, inc, s); err != nil {
		return err
	}
	d, err := f.Journal.Diagnosis(ctx, id)
	if err != nil {
		return err
	}
	summary := text
	if d != nil {
		summary = d.Headline + " — " + text
	}
	if err := f.page(ctx, id, escalated(inc), summary); err != nil {
		return err
	}
	if err := f.notify(ctx, id, escalated(inc), text+". "+strings.Join(offers(s), " "), nil, true); err != nil {
		return err
	}
	_, err = f.Journal.Once(ctx, id, escalated(inc))
	return err
}

func unhealed(s incident.State) bool {
	return s == incident.Open || s == incident.Acknowledged || s == incident.Mitigating
}

// offers are the steps of the chapter that are not the bot's to take: they change something, or a person must look.
func offers(s runbook.Section) []string {
	var list []string
	for _, step := range append(s.Common, s.Probes...) {
		_, pages := step.Action.(action.Page)
		switch {
		case pages || step.Action != nil && step.Action.Risk() == action.Read:
		case step.Action != nil:
			list = append(list, "Under More: "+step.Title+".")
		case step.Manual != "":
			list = append(list, "For you: "+step.Title+".")
		}
	}
	return list
}

// escalationLooks runs the chapter's read-only steps and keeps what they show.
func (f *Flow) escalationLooks(ctx context.Context, inc incident.Incident, s runbook.Section) error {
	p, ok := f.Pipelines[inc.Pipeline]
	if !ok {
		return nil
	}
	var steps []place
	for _, step := range append(s.Probes, s.Common...) {
		if step.Action != nil && step.Action.Risk() == action.Read && len(step.Inputs) == 0 {
			steps = append(steps, place{s.Title, step})
		}
	}
	if len(steps) == 0 {
		return nil
	}
	seen := f.runLooks(ctx, steps, p)
	text := fmt.Sprintf("the runbook's “%s” looked at %d things", s.Title, len(seen))
	if err := f.record(ctx, inc.ID, timeline.RunbookLooked, timeline.Bot, fmt.Sprintf("escalation-looks:%d", inc.Reopened), text, map[string]any{"section": s.ID, "steps": seen}); err != nil {
		return err
	}
	f.attach(ctx, inc.ID, File{Name: inc.ID + "-escalation.txt", Title: "What the escalation shows", Type: "text/plain", Body: []byte(transcript(seen))})
	return nil
}
