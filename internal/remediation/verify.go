package remediation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"cdcbot/internal/action"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/incident"
	"cdcbot/internal/runbook"
	"cdcbot/internal/timeline"
	"cdcbot/internal/tracing"
)

// baseline remembers how far the pipeline had come. What cannot be read is left out: it cannot prove progress then.
func (x *execution) baseline(ctx context.Context, plan runbook.Plan) Baseline {
	p := x.Pipelines[x.inc.Pipeline]
	b := Baseline{At: x.Now(), Offsets: map[string]string{}, Rows: map[string]int64{}}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, name := range x.watched(plan) {
		if text, err := p.Offsets(ctx, name); err == nil {
			b.Offsets[name] = text
		}
	}
	for name, count := range p.Rows {
		if n, err := count(ctx); err == nil {
			b.Rows[name] = n
		}
	}
	return b
}

// watched are the connectors that must be well for the run to count as a success: those the alert names, and those the
// plan restarts or resumes.
func (x *execution) watched(plan runbook.Plan) []string {
	names := x.inc.Connectors()
	for _, s := range plan.Steps {
		var own []string
		switch a := s.Action.(type) {
		case action.RestartConnector:
			own = []string{a.Connector}
		case action.RestartBatch:
			own = a.Connectors
		case action.Transition:
			own = []string{a.Connector}
		case action.Configure:
			own = []string{a.Connector}
		case action.Recreate:
			own = []string{a.Connector}
		case action.SkipRecord:
			own = []string{a.Connector}
		case action.Credentials:
			own = []string{a.Connector}
		}
		for _, name := range own {
			if name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// look is one observation while verifying.
type look struct {
	sick  []string // connectors that are not well, with why
	moved []string // proofs of progress
	d     diagnosis.Diagnosis
}

// verify is stage 7: proof by progress, not by state. Connectors must be RUNNING for the settle time and a record must
// have moved since the run began.
func (x *execution) verify(ctx context.Context, plan runbook.Plan) error {
	x.run.State = Verifying
	if err := x.save(ctx); err != nil {
		return err
	}
	if !x.heals(plan) {
		return x.end(ctx, Fixed, "done; the plan does not claim to heal, so nothing is verified", nil)
	}
	watching, traced := tracing.Span(ctx, "verify", "cdcbot.pipeline", x.inc.Pipeline)
	last, ok := x.watch(watching, plan)
	traced(nil)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if ok {
		return x.passed(ctx, last)
	}
	return x.failed(ctx, last)
}

// heals says whether the plan is meant to bring the pipeline back; pausing or stopping it is not.
func (x *execution) heals(plan runbook.Plan) bool {
	return !(plan.Book == Builtin && (plan.Section == Pause || plan.Section == Stop)) && !strings.Contains(plan.Section, "pause")
}

// watch looks until the pipeline is proved well or time is up.
func (x *execution) watch(ctx context.Context, plan runbook.Plan) (look, bool) {
	deadline := x.Now().Add(x.Verify)
	poll := x.Poll
	if poll == 0 {
		poll = time.Second
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	var well time.Time
	for {
		l := x.glance(ctx, plan)
		switch {
		case len(l.sick) > 0:
			well = time.Time{}
		case well.IsZero():
			well = x.Now()
		}
		if !well.IsZero() && len(l.moved) > 0 && x.Now().Sub(well) >= x.Settle {
			return l, true
		}
		if x.Now().After(deadline) || broken(l, x.Now(), deadline, x.Verify) {
			return l, false
		}
		select {
		case <-ctx.Done():
			return l, false
		case <-ticker.C:
		}
	}
}

// broken cuts the wait short when a task has failed again for a quarter of the time: no use in waiting longer.
func broken(l look, now, deadline time.Time, limit time.Duration) bool {
	return len(l.sick) > 0 && slices.ContainsFunc(l.sick, func(s string) bool { return strings.Contains(s, "FAILED") }) && now.After(deadline.Add(-limit*3/4))
}

func (x *execution) glance(ctx context.Context, plan runbook.Plan) look {
	p := x.Pipelines[x.inc.Pipeline]
	names := x.watched(plan)
	e := p.Collect(ctx, names)
	l := look{d: diagnosis.Diagnose(e)}
	for _, s := range e.Subjects {
		if slices.Contains(names, s.Connector) || s.Suspect {
			if why := sick(s); why != "" {
				l.sick = append(l.sick, why)
			}
		}
	}
	if len(e.Subjects) == 0 {
		l.sick = append(l.sick, "Kafka Connect does not answer")
	}
	l.moved = x.progress(ctx, p)
	return l
}

func sick(s diagnosis.Subject) string {
	switch {
	case s.StatusErr != "":
		return s.Connector + ": " + s.StatusErr
	case len(s.Status.Failed()) > 0:
		return fmt.Sprintf("%s: %d task(s) FAILED", s.Connector, len(s.Status.Failed()))
	case !s.Status.Running():
		return fmt.Sprintf("%s: %s", s.Connector, s.Status.State)
	}
	return ""
}

// progress lists what moved since the baseline. What the baseline could not read (the database was down) counts from
// the first value that can be read.
func (x *execution) progress(ctx context.Context, p Pipeline) []string {
	var moved []string
	for name, before := range x.run.Baseline.Offsets {
		if now, err := p.Offsets(ctx, name); err == nil && now != before {
			moved = append(moved, fmt.Sprintf("offsets of %s moved: %s → %s", name, before, now))
		}
	}
	for name, count := range p.Rows {
		now, err := count(ctx)
		if err != nil {
			continue
		}
		before, known := x.run.Baseline.Rows[name]
		if !known {
			x.run.Baseline.Rows[name] = now
			continue
		}
		if now > before {
			moved = append(moved, fmt.Sprintf("rows of %s: %d → %d", name, before, now))
		}
	}
	slices.Sort(moved)
	return moved
}

func (x *execution) passed(ctx context.Context, l look) error {
	x.run.Proof = append([]string{fmt.Sprintf("all connectors RUNNING for %s", x.Settle)}, l.moved...)
	data := map[string]any{"run": x.run.ID, "proof": x.run.Proof, "connectors": l.d.Subjects}
	if err := x.record(ctx, x.inc.ID, timeline.VerificationPassed, timeline.Bot, "verified:"+x.run.ID, "fixed: "+strings.Join(x.run.Proof, "; "), data); err != nil {
		return err
	}
	if err := x.move(ctx, x.inc.ID, incident.Monitoring, timeline.Bot, "verified"); err != nil {
		return err
	}
	recovered := x.inc
	recovered.MitigatedAt = x.Now()
	if err := x.attachFlow(ctx, recovered, l.d, "fixed:"+x.run.ID); err != nil {
		return err
	}
	if err := x.end(ctx, Fixed, "fixed", nil); err != nil { // last: a run that has ended is not walked again
		return err
	}
	return x.mitigated(ctx, x.inc.ID)
}

func (x *execution) failed(ctx context.Context, l look) error {
	before, err := x.Journal.Diagnosis(ctx, x.inc.ID)
	if err != nil {
		return err
	}
	verdict := x.verdict(before, l)
	x.run.Proof = l.sick
	data := map[string]any{"run": x.run.ID, "verdict": verdict, "seen": l.sick, "moved": l.moved, "causes": summary(l.d)["causes"]}
	if err := x.record(ctx, x.inc.ID, timeline.VerificationFailed, timeline.Bot, "verified:"+x.run.ID, "not fixed: "+verdict, data); err != nil {
		return err
	}
	return x.end(ctx, Failed, verdict, nil)
}

func (x *execution) verdict(before *diagnosis.Diagnosis, l look) string {
	switch {
	case len(l.sick) == 0:
		return "nothing moved: everything is RUNNING, but no record arrived within " + x.Verify.String()
	case before != nil && before.Top().Slug == l.d.Top().Slug:
		return "same error: " + l.d.Headline
	}
	return "new error: " + l.d.Headline
}
