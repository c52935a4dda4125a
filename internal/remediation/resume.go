package remediation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"cdcbot/internal/action"
	"cdcbot/internal/approval"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/incident"
	"cdcbot/internal/runbook"
	"cdcbot/internal/timeline"
)

// resume handles a step that was started by a process that is gone. It looks, it does not guess: the effect is visible,
// then the step succeeded; it is not and the action may run twice, then it runs again; otherwise a person decides.
func (x *execution) resume(ctx context.Context, i int, s runbook.Step, w action.World) (bool, error) {
	step := &x.run.Steps[i]
	look, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	visible, err := s.Action.Observe(look, w)
	switch {
	case err == nil && visible:
		step.State, step.Observed, step.EndedAt = StepSucceeded, true, x.Now()
		x.run.World = x.conditions(ctx, x.plan.Steps, i+1, w)
		if err := x.event(ctx, timeline.StepSucceeded, i, "observed as done after a restart of the bot: "+step.Title, map[string]any{"observed": true}); err != nil {
			return false, err
		}
		return true, x.save(ctx)
	case s.Action.Idempotent():
		return x.act(ctx, i, s, w)
	}
	step.State, x.run.State = StepUnknown, Waiting
	step.Error = "it was started, its effect is not visible, and running it twice could hurt"
	if err != nil {
		step.Error += " (" + clip(x.Redact(err.Error()), 200) + ")"
	}
	if err := x.event(ctx, timeline.StepUnknown, i, "outcome unknown: "+step.Title, map[string]any{"error": step.Error}); err != nil {
		return false, err
	}
	return false, x.save(ctx)
}

// Reconcile repairs what a crash left between two writes, until ctx ends: threads not drawn, incidents not diagnosed,
// approvals without a run, runs without a holder.
func (f *Flow) Reconcile(ctx context.Context, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if err := f.reconcile(ctx); err != nil && ctx.Err() == nil {
			f.Log.Warn("reconciling; trying again", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (f *Flow) reconcile(ctx context.Context) error {
	open, err := f.Incidents.List(ctx, incident.Filter{Open: true})
	if err != nil {
		return err
	}
	var problems []error
	for _, inc := range open {
		problems = append(problems, f.mend(ctx, inc))
	}
	return errors.Join(problems...)
}

func (f *Flow) mend(ctx context.Context, inc incident.Incident) error {
	changed, painted, err := f.Journal.Dirtiness(ctx, inc.ID)
	if err != nil {
		return err
	}
	if changed > painted || inc.Thread.TS == "" {
		f.Painter.Touch(inc.ID)
	}
	d, err := f.Journal.Diagnosis(ctx, inc.ID)
	if err != nil {
		return err
	}
	if d == nil && f.Now().Sub(inc.OpenedAt) > 10*time.Second {
		if err := f.Queue.Enqueue(ctx, Job{Kind: Investigate, Incident: inc.ID, Attempt: "mend" + stamp(f.Now().Truncate(time.Minute))}, f.Now()); err != nil {
			return err
		}
	}
	if err := f.lookAgain(ctx, inc, d); err != nil {
		return err
	}
	if err := f.mendEscalation(ctx, inc); err != nil {
		return err
	}
	return f.mendRuns(ctx, inc)
}

// lookAgain keeps the diagnosis of an incident that waits for people fresh: when the cause goes away by itself, the card
// says so and recommends the restart.
func (f *Flow) lookAgain(ctx context.Context, inc incident.Incident, d *diagnosis.Diagnosis) error {
	waits := inc.State == incident.Open || inc.State == incident.Acknowledged || inc.State == incident.Mitigating
	if f.Again == 0 || d == nil || !waits || f.Now().Sub(d.At) < f.Again {
		return nil
	}
	return f.Queue.Enqueue(ctx, Job{Kind: Investigate, Incident: inc.ID, Attempt: unasked + stamp(f.Now().Truncate(f.Again))}, f.Now())
}

func (f *Flow) mendRuns(ctx context.Context, inc incident.Incident) error {
	requests, err := f.Approvals.ForIncident(ctx, inc.ID)
	if err != nil {
		return err
	}
	for _, req := range requests {
		if err := f.mendRequest(ctx, inc, req); err != nil {
			return err
		}
		if req.State == approval.Approved {
			if err := f.start(ctx, req); err != nil {
				return err
			}
		}
	}
	runs, err := f.Journal.Runs(ctx, inc.ID)
	if err != nil {
		return err
	}
	for _, run := range runs {
		if err := f.takeOver(ctx, inc, run); err != nil {
			return err
		}
	}
	return nil
}

// takeOver enqueues a fresh attempt of a run that nobody holds. The queue's own recovery takes one to two minutes; the
// lease says within seconds that the holder is gone, and the fencing token makes a late holder harmless.
func (f *Flow) takeOver(ctx context.Context, inc incident.Incident, run Run) error {
	if ended(run) || run.State == Waiting {
		return nil
	}
	lease, err := f.Incidents.Lease(ctx, "pipeline:"+inc.Pipeline, f.Replica+"/look", time.Second)
	if errors.Is(err, incident.ErrLeaseHeld) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := lease.Release(ctx); err != nil {
		return err
	}
	return f.Queue.Enqueue(ctx, Job{Kind: Execute, Incident: inc.ID, Request: run.Request, Run: run.ID, Attempt: fmt.Sprintf("t%d", lease.Token())}, f.Now())
}
