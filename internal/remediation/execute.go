package remediation

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"cdcbot/internal/action"
	"cdcbot/internal/approval"
	"cdcbot/internal/incident"
	"cdcbot/internal/runbook"
	"cdcbot/internal/timeline"
	"cdcbot/internal/tracing"
)

// leaseTTL is how long a run's lease outlives its holder; leaseBeat is how often the holder renews it.
const (
	leaseTTL  = 12 * time.Second
	leaseBeat = 3 * time.Second
)

// start makes the run of an approved request and hands it to the queue.
func (f *Flow) start(ctx context.Context, req approval.Request) error {
	run, _, err := f.Journal.NewRun(ctx, f.newRun(ctx, req))
	if err != nil {
		return err
	}
	return f.Queue.Enqueue(ctx, Job{Kind: Execute, Incident: req.Incident, Request: req.ID, Run: run.ID}, f.Now())
}

func (f *Flow) newRun(ctx context.Context, req approval.Request) Run {
	run := Run{Incident: req.Incident, Request: req.ID, Title: req.Title, State: Running, StartedAt: f.Now(), Requester: req.Requester}
	for _, d := range req.Decisions {
		if d.Verdict == approval.Approve {
			run.Approvers = append(run.Approvers, d.User)
		}
	}
	asked, err := f.Asked(ctx, req.ID)
	if err != nil {
		return run // execute compiles again and says what is wrong
	}
	for _, s := range asked.Plan.Steps {
		run.Steps = append(run.Steps, pending(s))
	}
	return run
}

func pending(s runbook.Step) RunStep {
	step := RunStep{Title: s.Title, State: StepPending}
	if s.Action == nil {
		step.Manual, step.Effect = true, s.Manual
	} else {
		step.Effect = s.Action.Effect()
	}
	if step.Title == "" {
		step.Title = step.Effect
	}
	return step
}

// execute is stages 6 and 7. It may be called again for the same run after a crash, on another replica, or when a
// person has done what the run waited for; it goes on where the journal says it stands.
func (f *Flow) execute(ctx context.Context, id, runID string) error {
	run, err := f.Journal.Run(ctx, id, runID)
	if errors.Is(err, ErrForged) {
		return f.record(ctx, id, timeline.RunFinished, timeline.Bot, "forged:"+runID, runID+" does not run: "+ErrForged.Error(), map[string]any{"run": runID, "state": Failed})
	}
	if err != nil {
		return err
	}
	if ended(run) {
		return nil
	}
	inc, err := f.Incidents.Get(ctx, id)
	if err != nil {
		return err
	}
	lease, err := f.Incidents.Lease(ctx, "pipeline:"+inc.Pipeline, f.Replica+"/"+runID+"/"+rand.Text(), leaseTTL) // an owner of its own: two jobs for one run never walk together
	if err != nil {
		return fmt.Errorf("running %s on pipeline %s: %w", runID, inc.Pipeline, err)
	}
	ctx, stop := f.hold(ctx, lease)
	defer stop()
	x := &execution{Flow: f, inc: inc, run: run, token: lease.Token()}
	return x.walk(ctx)
}

// hold renews the lease until stop; when it is lost, the context ends, and with it whatever runs.
func (f *Flow) hold(ctx context.Context, lease *incident.Lease) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(leaseBeat)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if err := lease.Renew(ctx); errors.Is(err, incident.ErrLeaseLost) {
					cancel(err)
				}
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
		release, end := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer end()
		if err := lease.Release(release); err != nil {
			f.Log.Warn("lease not released; it runs out by itself", zap.Error(err))
		}
	}
}

func ended(r Run) bool { return r.State == Fixed || r.State == Failed || r.State == Cancelled }

// execution is one walk along the steps of a run, under a lease.
type execution struct {
	*Flow
	inc   incident.Incident
	run   Run
	plan  runbook.Plan
	token int64
}

func (x *execution) walk(ctx context.Context) error {
	plan, world, err := x.open(ctx)
	if err != nil || ended(x.run) {
		return err
	}
	x.plan = plan
	for i, step := range plan.Steps {
		going, err := x.step(ctx, i, step, world)
		if err != nil || !going {
			return err
		}
	}
	return x.verify(ctx, plan)
}

// open checks everything again before the first step: the plan, the digest, the grant; and writes down what people
// agreed to in case a crash kept it from being written.
func (x *execution) open(ctx context.Context) (runbook.Plan, action.World, error) {
	req, err := x.Approvals.Get(ctx, x.run.Request)
	if refused(err) {
		return runbook.Plan{}, nil, x.end(ctx, Failed, "the approval does not hold: "+err.Error(), err)
	}
	if err != nil {
		return runbook.Plan{}, nil, err
	}
	if req.State == approval.Voided { // what the timeline says of it is no contradiction
		return runbook.Plan{}, nil, x.end(ctx, Failed, req.ID+" is void: "+req.Why+"; ask again", approval.ErrNotApproved)
	}
	if err := x.witness(ctx); errors.Is(err, ErrForged) || errors.Is(err, timeline.ErrBroken) {
		return runbook.Plan{}, nil, x.end(ctx, Failed, "it does not run: "+err.Error(), err)
	} else if err != nil || ended(x.run) {
		return runbook.Plan{}, nil, err
	}
	if err := x.recordDecisions(ctx, req, nil); err != nil {
		return runbook.Plan{}, nil, err
	}
	plan, err := x.again(x.inc, req)
	if err != nil {
		return plan, nil, errors.Join(x.void(ctx, req, err.Error()), x.end(ctx, Failed, "the plan changed after it was approved; ask again", err))
	}
	world := x.Pipelines[x.inc.Pipeline].World
	if !x.begun() {
		if err := x.movedAnywhere(ctx, req.World, plan.Steps, world); err != nil {
			return plan, nil, errors.Join(x.void(ctx, req, err.Error()), x.end(ctx, Failed, err.Error()+"; ask again if it is still wanted", err))
		}
		x.run.World = req.World
	}
	grant, err := x.Approvals.Claim(ctx, req.ID, plan.Digest(), x.run.ID)
	if refused(err) {
		return plan, nil, x.end(ctx, Failed, "the approval does not hold: "+err.Error(), err)
	}
	if err != nil {
		return plan, nil, err
	}
	if !grant.Covers(plan.Digest()) {
		return plan, nil, x.end(ctx, Failed, "the approval is for another plan", approval.ErrDigest)
	}
	return plan, agreed{World: world, x: x, grant: grant}, x.begin(ctx, plan)
}

// begun reports whether a step has been started: from then on the world is as the run itself has made it.
func (x *execution) begun() bool {
	return slices.ContainsFunc(x.run.Steps, func(s RunStep) bool { return s.State != StepPending })
}

func refused(err error) bool {
	for _, final := range []error{approval.ErrUsed, approval.ErrDigest, approval.ErrExpired, approval.ErrNotApproved, approval.ErrNotFound, approval.ErrForged} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

// begin runs once per run: it remembers how far the pipeline had come and moves the incident.
func (x *execution) begin(ctx context.Context, plan runbook.Plan) error {
	if len(x.run.Steps) == 0 {
		for _, s := range plan.Steps {
			x.run.Steps = append(x.run.Steps, pending(s))
		}
	}
	if x.run.Baseline == nil {
		b := x.baseline(ctx, plan)
		x.run.Baseline = &b
	}
	if err := x.save(ctx); err != nil {
		return err
	}
	data := map[string]any{"run": x.run.ID, "request": x.run.Request, "digest": plan.Digest(), "baseline": x.run.Baseline}
	if err := x.record(ctx, x.inc.ID, timeline.RunStarted, timeline.Bot, "run:"+x.run.ID, x.run.ID+" starts: "+plan.Title, data); err != nil {
		return err
	}
	if err := x.move(ctx, x.inc.ID, incident.Mitigating, timeline.Bot, x.run.ID+" runs"); err != nil && !errors.Is(err, incident.ErrTransition) {
		return err
	}
	return nil
}

func (x *execution) save(ctx context.Context) error {
	if err := x.Journal.SaveRun(ctx, x.run, x.token); err != nil {
		return err
	}
	return x.touch(ctx, x.inc.ID)
}

// step walks one step; going is false when the run ended or waits for a person.
func (x *execution) step(ctx context.Context, i int, s runbook.Step, w action.World) (going bool, err error) {
	switch x.run.Steps[i].State {
	case StepSucceeded, StepSkipped:
		return true, nil
	case StepRunning:
		if s.Action != nil {
			return x.resume(ctx, i, s, w)
		}
	case StepWaiting, StepUnknown:
		return x.waited(ctx, i)
	}
	if by, err := x.Journal.Signalled(ctx, x.inc.ID, x.run.ID, "cancel"); err != nil || by != "" {
		return false, errors.Join(err, x.cancelled(ctx, by))
	}
	if end, ok := x.toleratedUntil(i); ok && !x.Now().Before(end) && !tookBack(s) {
		return true, x.skip(ctx, i, "the time for which errors were tolerated is over; only the way back runs")
	}
	if skip, why := x.guarded(ctx, s); skip {
		return true, x.skip(ctx, i, why)
	}
	if s.Action == nil {
		return false, x.ask(ctx, i)
	}
	if err := x.moved(ctx, x.run.World, i, s, w); err != nil {
		return false, x.stopped(ctx, i, err)
	}
	return x.act(ctx, i, s, w)
}

// stopped ends the run before a step whose world is no longer the one that people agreed to.
func (x *execution) stopped(ctx context.Context, i int, why error) error {
	step := &x.run.Steps[i]
	step.State, step.EndedAt, step.Error = StepFailed, x.Now(), clip(x.Redact(why.Error()), 600)
	if err := x.event(ctx, timeline.StepFailed, i, "does not run: "+step.Title+" — "+step.Error, map[string]any{"error": step.Error}); err != nil {
		return err
	}
	return x.end(ctx, Failed, fmt.Sprintf("stopped before step %d: %s", i+1, step.Error), why)
}

// toleratedUntil is when the tolerance for errors ends that a step before i has begun and no step between took back.
func (x *execution) toleratedUntil(i int) (time.Time, bool) {
	var end time.Time
	for k, s := range x.plan.Steps[:min(i, len(x.plan.Steps))] {
		a, ok := s.Action.(action.Configure)
		if !ok || x.run.Steps[k].State != StepSucceeded {
			continue
		}
		switch {
		case a.Tolerant() && a.Expires > 0:
			end = x.run.Steps[k].EndedAt.Add(a.Expires)
		case a.Back:
			end = time.Time{}
		}
	}
	return end, !end.IsZero()
}

func tookBack(s runbook.Step) bool {
	a, ok := s.Action.(action.Configure)
	return ok && a.Back
}

// guarded checks a step's guard when its turn comes. A target that cannot be probed leaves the step to a person.
func (x *execution) guarded(ctx context.Context, s runbook.Step) (skip bool, why string) {
	if s.Guard.Target == "" {
		return false, ""
	}
	e := x.Pipelines[x.inc.Pipeline].Collect(ctx, nil)
	for _, p := range e.Probes {
		if probes(p.Name, s.Guard.Target) {
			return p.OK, fmt.Sprintf("%s: %s answers (%s)", s.Guard.Text, p.Name, p.Text)
		}
	}
	return x.running(ctx, s.Guard)
}

// probes reports whether a probe looks at what a runbook calls target.
func probes(name, target string) bool {
	kind, _, _ := strings.Cut(name, "/")
	return kind == target || kind == "registry" && target == "schema-registry" || kind == "connect" && target == "kafka-connect"
}

// running asks the engine about a guard's target that no probe knows. What nobody can tell runs: people approved it
// with its condition.
func (x *execution) running(ctx context.Context, g runbook.Guard) (bool, string) {
	p := x.Pipelines[x.inc.Pipeline]
	name, ok := p.Targets.Services[g.Target]
	if !ok {
		return false, ""
	}
	one, err := p.World.Workload(name)
	if err != nil {
		return false, ""
	}
	state, up, err := one.State(ctx)
	return err == nil && up, fmt.Sprintf("%s: %s is %s", g.Text, name, state)
}

func (x *execution) skip(ctx context.Context, i int, why string) error {
	step := &x.run.Steps[i]
	step.State, step.Output, step.EndedAt = StepSkipped, why, x.Now()
	if err := x.event(ctx, timeline.StepSkipped, i, "skipped: "+step.Title+" — "+why, nil); err != nil {
		return err
	}
	return x.save(ctx)
}

// act runs an action: its start is durable before anything happens, and it ends when its effect is visible.
func (x *execution) act(ctx context.Context, i int, s runbook.Step, w action.World) (bool, error) {
	step := &x.run.Steps[i]
	if step.Back == nil {
		step.Back = x.back(ctx, s.Action, w)
	}
	step.State, step.StartedAt, step.Attempt = StepRunning, x.Now(), step.Attempt+1
	data := map[string]any{"action": s.Action.Kind(), "target": s.Action.Target(), "attempt": step.Attempt}
	if err := x.event(ctx, timeline.StepStarted, i, "starts: "+step.Effect, data); err != nil {
		return false, err
	}
	if err := x.save(ctx); err != nil {
		return false, err
	}
	deadline, cancel := context.WithTimeout(ctx, s.Action.Deadline())
	defer cancel()
	deadline, traced := tracing.Span(deadline, "step "+s.Action.Kind(), "cdcbot.step", fmt.Sprint(i+1), "cdcbot.target", s.Action.Target())
	out, err := s.Action.Run(deadline, w)
	traced(err)
	if ctx.Err() != nil { // this process is stopping or has lost the lease: whoever takes over looks first
		return false, context.Cause(ctx)
	}
	return x.finish(ctx, i, s, out, err)
}

func (x *execution) finish(ctx context.Context, i int, s runbook.Step, out action.Output, cause error) (bool, error) {
	step := &x.run.Steps[i]
	step.EndedAt, step.Output = x.Now(), clip(x.Redact(out.Text), 600)
	data := map[string]any{"action": s.Action.Kind(), "output": x.Redact(out.Text), "full": x.Redact(out.Full), "seconds": step.EndedAt.Sub(step.StartedAt).Seconds()}
	if cause == nil {
		if t, ok := s.Action.(action.Transition); ok {
			if err := x.Journal.NoteStopped(ctx, x.inc.Pipeline, t.Connector, t.Kind() == "connect.stop"); err != nil {
				return false, err
			}
		}
		step.State = StepSucceeded
		x.run.World = x.conditions(ctx, x.plan.Steps, i+1, x.Pipelines[x.inc.Pipeline].World)
		if err := x.event(ctx, timeline.StepSucceeded, i, "done: "+step.Title, data); err != nil {
			return false, err
		}
		x.hand(ctx, i, out)
		return true, x.save(ctx)
	}
	step.State, step.Error = StepFailed, clip(x.Redact(cause.Error()), 600)
	data["error"] = step.Error
	if err := x.event(ctx, timeline.StepFailed, i, "failed: "+step.Title+" — "+step.Error, data); err != nil {
		return false, err
	}
	x.hand(ctx, i, out)
	return false, x.end(ctx, Failed, "step "+fmt.Sprint(i+1)+" failed: "+step.Error, cause)
}

// shownOutput is how much of a step's output its card has room for; the rest is handed over as a file.
const shownOutput = 400

// hand puts the whole output of a step into the thread when its card cannot show it. The run does not wait long for
// Slack: the timeline has the output all the same.
func (x *execution) hand(ctx context.Context, i int, out action.Output) {
	whole := x.Redact(cmp.Or(out.Full, out.Text))
	if utf8.RuneCountInString(whole) <= shownOutput {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	x.attach(ctx, x.inc.ID, File{Name: fmt.Sprintf("%s-step-%d.txt", x.run.ID, i+1), Title: fmt.Sprintf("Output of step %d of %s", i+1, x.run.ID), Type: "text/plain", Body: []byte(whole)})
}

// ask stops at a manual step until a person says it is done.
func (x *execution) ask(ctx context.Context, i int) error {
	step := &x.run.Steps[i]
	step.State, step.StartedAt, x.run.State = StepWaiting, x.Now(), Waiting
	if end, ok := x.toleratedUntil(i); ok {
		if err := x.Queue.Enqueue(ctx, Job{Kind: Execute, Incident: x.inc.ID, Request: x.run.Request, Run: x.run.ID, Attempt: "tolerance"}, end); err != nil {
			return err
		}
	}
	if err := x.event(ctx, timeline.StepStarted, i, "waits for a person: "+step.Effect, nil); err != nil {
		return err
	}
	return x.save(ctx)
}

// waited looks whether a person has said that the step is done.
func (x *execution) waited(ctx context.Context, i int) (bool, error) {
	if by, err := x.Journal.Signalled(ctx, x.inc.ID, x.run.ID, "cancel"); err != nil || by != "" {
		return false, errors.Join(err, x.cancelled(ctx, by))
	}
	by, err := x.Journal.Signalled(ctx, x.inc.ID, x.run.ID, fmt.Sprintf("done:%d", i+1))
	if err != nil {
		return false, err
	}
	if end, ok := x.toleratedUntil(i); by == "" && ok && !x.Now().Before(end) {
		x.run.State = Running
		return true, x.skip(ctx, i, "nobody pressed Done in time; the tolerance for errors ends now")
	}
	if by == "" {
		return false, nil
	}
	step := &x.run.Steps[i]
	step.State, step.EndedAt, step.By, x.run.State = StepSucceeded, x.Now(), by, Running
	x.run.World = x.conditions(ctx, x.plan.Steps, i+1, x.Pipelines[x.inc.Pipeline].World)
	name := x.name(ctx, by, nil)
	e := timeline.Event{Type: timeline.StepDone, Actor: timeline.Person(by, name), Text: name + " says it is done: " + step.Title}
	if err := x.record(ctx, x.inc.ID, e.Type, e.Actor, fmt.Sprintf("done:%s:%d", x.run.ID, i+1), e.Text, map[string]any{"run": x.run.ID, "step": i + 1}); err != nil {
		return false, err
	}
	return true, x.save(ctx)
}

func (x *execution) cancelled(ctx context.Context, by string) error {
	if by == "" {
		return nil
	}
	name := x.name(ctx, by, nil)
	text := fmt.Sprintf("%s cancels %s before step %d", name, x.run.ID, x.run.at()+1)
	if err := x.record(ctx, x.inc.ID, timeline.RunCancelled, timeline.Person(by, name), "cancel:"+x.run.ID, text, map[string]any{"run": x.run.ID}); err != nil {
		return err
	}
	return x.end(ctx, Cancelled, "cancelled by "+name, nil)
}

// end closes the run and, when it did not heal, looks at the pipeline again: a new diagnosis is the way back.
func (x *execution) end(ctx context.Context, to RunState, verdict string, cause error) error {
	x.run.State, x.run.Verdict, x.run.EndedAt = to, clip(x.Redact(verdict), 600), x.Now()
	text := fmt.Sprintf("%s ends: %s", x.run.ID, x.run.Verdict)
	data := map[string]any{"run": x.run.ID, "state": to, "seconds": x.run.EndedAt.Sub(x.run.StartedAt).Seconds()}
	if err := x.record(ctx, x.inc.ID, timeline.RunFinished, timeline.Bot, "end:"+x.run.ID, text, data); err != nil {
		return err
	}
	if err := x.save(ctx); err != nil {
		return err
	}
	if cause != nil {
		x.Log.Warn("run ended without healing", zap.String("run", x.run.ID), zap.Error(cause))
	}
	if to == Fixed {
		return nil
	}
	return x.Queue.Enqueue(ctx, Job{Kind: Investigate, Incident: x.inc.ID, Attempt: x.run.ID}, x.Now())
}

// event writes a step's event; the attempt is part of the key, so that a step that runs again after a crash is seen twice.
func (x *execution) event(ctx context.Context, t timeline.Type, i int, text string, data map[string]any) error {
	if data == nil {
		data = map[string]any{}
	}
	data["run"], data["step"] = x.run.ID, i+1
	mark := fmt.Sprintf("%s:%s:%d:%d", t, x.run.ID, i+1, x.run.Steps[i].Attempt)
	return x.record(ctx, x.inc.ID, t, timeline.Bot, mark, fmt.Sprintf("step %d %s", i+1, strings.TrimSpace(text)), data)
}
