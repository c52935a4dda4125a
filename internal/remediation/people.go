package remediation

import (
	"context"
	"errors"
	"fmt"

	"cdcbot/internal/incident"
	"cdcbot/internal/timeline"
)

// Acknowledge says that by takes care: the incident is theirs.
func (f *Flow) Acknowledge(ctx context.Context, id string, by Person) error {
	inc, err := f.Incidents.Get(ctx, id)
	if err != nil {
		return err
	}
	if inc.State == incident.Closed {
		return ErrClosed
	}
	if inc.State == incident.Open {
		if err := f.move(ctx, id, incident.Acknowledged, person(by), "acknowledged by "+by.Name); err != nil {
			return err
		}
	}
	if _, err := f.Incidents.Update(ctx, id, func(i *incident.Incident) error { i.Owner = by.ID; return nil }); err != nil {
		return err
	}
	if inc.Owner == by.ID {
		return nil
	}
	if err := f.record(ctx, id, timeline.IncidentAssigned, person(by), "", by.Name+" takes care of "+id, nil); err != nil {
		return err
	}
	return f.touch(ctx, id)
}

// Assign gives an incident to somebody else, or to by.
func (f *Flow) Assign(ctx context.Context, id string, to, by Person) error {
	if to.ID == by.ID {
		return f.Acknowledge(ctx, id, by)
	}
	who, err := f.People.Person(ctx, to.ID)
	if err != nil {
		return fmt.Errorf("looking up who is to take it: %w", err)
	}
	if !who.Human || !who.Active {
		return fmt.Errorf("%w: %s is not an active member", ErrNobody, to.Name)
	}
	inc, err := f.Incidents.Update(ctx, id, func(i *incident.Incident) error {
		if i.State == incident.Closed {
			return ErrClosed
		}
		i.Owner = to.ID
		return nil
	})
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s gives %s to %s", by.Name, id, to.Name)
	if err := f.record(ctx, id, timeline.IncidentAssigned, person(by), "", text, map[string]any{"to": to.ID}); err != nil {
		return err
	}
	return f.notify(ctx, id, fmt.Sprintf("assign:%d", inc.Version), text, []string{to.ID}, false)
}

// EscalateNow begins the runbook's escalation because a person asks for it.
func (f *Flow) EscalateNow(ctx context.Context, id string, by Person) error {
	inc, err := f.Incidents.Get(ctx, id)
	if err != nil {
		return err
	}
	s, ok := f.escalation(inc)
	switch {
	case !unhealed(inc.State):
		return fmt.Errorf("%s is %s: %w", id, inc.State, ErrNotOpen)
	case !ok:
		return fmt.Errorf("escalation of %s: %w", id, ErrNoSection)
	}
	if done, err := f.Journal.Marked(ctx, id, escalated(inc)); err != nil || done {
		return errors.Join(err, fmt.Errorf("%s: %w", id, ErrEscalated))
	}
	text := fmt.Sprintf("%s begins the runbook's “%s” before its time", by.Name, s.Title)
	if err := f.record(ctx, id, timeline.NoteAdded, person(by), "", text, nil); err != nil {
		return err
	}
	return f.Queue.Enqueue(ctx, Job{Kind: Escalate, Incident: id, Attempt: "asked"}, f.Now())
}

// Note adds a person's words to the timeline. key makes one Slack message one event; "" always writes.
func (f *Flow) Note(ctx context.Context, id string, by Person, key, text string) error {
	if _, err := f.Incidents.Get(ctx, id); err != nil {
		return err
	}
	return f.record(ctx, id, timeline.NoteAdded, person(by), key, text, nil)
}

// Said records what happened to a person's message in an incident's thread.
func (f *Flow) Said(ctx context.Context, id string, t timeline.Type, by Person, key, text string, data map[string]any) error {
	return f.record(ctx, id, t, person(by), key, text, data)
}

// Close ends the work on an incident. Waiting requests of it are void.
func (f *Flow) Close(ctx context.Context, id string, by Person) error {
	requests, err := f.Approvals.ForIncident(ctx, id)
	if err != nil {
		return err
	}
	if open, err := f.unreviewed(ctx, id); err != nil || len(open) > 0 {
		return errors.Join(err, fmt.Errorf("%s: %w", id, ErrUnreviewed))
	}
	if err := f.move(ctx, id, incident.Closed, person(by), "closed by "+by.Name); err != nil {
		return err
	}
	for _, req := range requests {
		if req.State == "pending" {
			if err := f.void(ctx, req, id+" was closed"); err != nil {
				return err
			}
		}
	}
	return nil
}

// Cancel stops a run before its next step.
func (f *Flow) Cancel(ctx context.Context, id, run string, by Person) error {
	r, err := f.Journal.Run(ctx, id, run)
	if err != nil {
		return err
	}
	if ended(r) {
		return ErrRunEnded
	}
	if err := f.Journal.Signal(ctx, id, run, "cancel", by.ID); err != nil {
		return err
	}
	return f.nudge(ctx, r, "cancel")
}

// Done says that a person has done a manual step, or has settled what an unknown step did.
func (f *Flow) Done(ctx context.Context, id, run string, step int, by Person) error {
	r, err := f.Journal.Run(ctx, id, run)
	if err != nil {
		return err
	}
	if ended(r) {
		return ErrRunEnded
	}
	if step < 1 || step > len(r.Steps) {
		return fmt.Errorf("step %d of %s: %w", step, run, ErrNotWaiting)
	}
	if s := r.Steps[step-1].State; s != StepWaiting && s != StepUnknown {
		return ErrNotWaiting
	}
	if err := f.Journal.Signal(ctx, id, run, fmt.Sprintf("done:%d", step), by.ID); err != nil {
		return err
	}
	return f.nudge(ctx, r, fmt.Sprintf("done%d", step))
}

// nudge lets a waiting run go on. A run that is being walked sees the signal by itself.
func (f *Flow) nudge(ctx context.Context, r Run, why string) error {
	err := f.Queue.Enqueue(ctx, Job{Kind: Execute, Incident: r.Incident, Request: r.Request, Run: r.ID, Attempt: why + stamp(f.Now())}, f.Now())
	return errors.Join(err, f.touch(ctx, r.Incident))
}

// Exported notes that somebody took the timeline away as a file.
func (f *Flow) Exported(ctx context.Context, id, format string, by Person) error {
	return f.record(ctx, id, timeline.TimelineExported, person(by), "", fmt.Sprintf("%s exports the timeline as %s", by.Name, format), map[string]any{"format": format})
}

// IncidentFor is the open incident that names a connector; a person's own command opens one when there is none, so that
// everything that changes the pipeline has a thread and a timeline.
func (f *Flow) IncidentFor(ctx context.Context, pipeline, connector string, by Person) (incident.Incident, error) {
	p, ok := f.Pipelines[pipeline]
	if !ok {
		return incident.Incident{}, fmt.Errorf("pipeline %q: %w", pipeline, ErrNoPipeline)
	}
	inc, err := f.Incidents.ByConnector(ctx, pipeline, connector)
	if !errors.Is(err, incident.ErrNotFound) {
		return inc, err
	}
	inc, err = f.Incidents.OpenManual(ctx, pipeline, p.Cluster, connector, by.ID)
	if err != nil {
		return inc, err
	}
	text := fmt.Sprintf("%s opened by %s for %s", inc.ID, by.Name, connector)
	data := opening(inc)
	data["connector"] = connector
	if err := f.record(ctx, inc.ID, timeline.IncidentOpened, person(by), "opened", text, data); err != nil {
		return inc, err
	}
	return inc, f.follow(ctx, inc.ID, incident.Opened)
}
