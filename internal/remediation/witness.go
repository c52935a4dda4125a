package remediation

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cdcbot/internal/timeline"
)

// toldOf is what an event of the timeline says about requests, runs and steps.
type toldOf struct {
	Request string `json:"request"`
	Run     string `json:"run"`
	Step    int    `json:"step"`

	State RunState `json:"state"`
	Proof []string `json:"proof"`
}

// endings are the events after which a request gives no right to run.
var endings = map[timeline.Type]string{
	timeline.PlanRejected: "rejected", timeline.PlanWithdrawn: "withdrawn", timeline.PlanExpired: "expired", timeline.PlanVoided: "void",
}

// witness compares what Redis says of a run with the incident's timeline. Somebody who puts back an older state of a request
// or of a run, sealed as it once was, would make a plan run twice, or one that somebody has said no to: the timeline is a
// chain, and remembers. A run whose end is told and not written down, which is what a crash between the two leaves, ends as
// the timeline says.
func (x *execution) witness(ctx context.Context) error {
	var over *finale
	for e, err := range x.Timeline.Read(ctx, x.inc.ID)() {
		if err != nil {
			return err
		}
		var d toldOf
		if len(e.Data) > 0 {
			_ = json.Unmarshal(e.Data, &d) // data of other shapes is not about runs
		}
		if why := x.contradicts(e, d); why != "" {
			return fmt.Errorf("%w: the timeline says that %s (event %d)", ErrForged, why, e.Seq)
		}
		if d.Run == x.run.ID {
			over = over.and(e, d)
		}
	}
	if over == nil || !over.ended {
		return nil
	}
	return x.adopt(ctx, *over)
}

// finale is how a run ended, in the words of the timeline.
type finale struct {
	state   RunState
	verdict string
	proof   []string
	at      time.Time
	ended   bool
}

// and takes one more event about the run in.
func (t *finale) and(e timeline.Event, d toldOf) *finale {
	if t == nil {
		t = &finale{}
	}
	switch e.Type {
	case timeline.VerificationPassed:
		t.proof = d.Proof
	case timeline.RunFinished:
		t.state, t.verdict, t.at, t.ended = d.State, strings.TrimPrefix(e.Text, d.Run+" ends: "), e.Time, true
	}
	return t
}

// adopt writes an end down that was told already, and does what comes after it. Nothing is run.
func (x *execution) adopt(ctx context.Context, t finale) error {
	x.run.State, x.run.Verdict, x.run.EndedAt = t.state, t.verdict, t.at
	if len(t.proof) > 0 {
		x.run.Proof = t.proof
	}
	if err := x.save(ctx); err != nil {
		return err
	}
	if t.state == Fixed {
		return x.mitigated(ctx, x.inc.ID)
	}
	return x.Queue.Enqueue(ctx, Job{Kind: Investigate, Incident: x.inc.ID, Attempt: x.run.ID}, x.Now())
}

func (x *execution) contradicts(e timeline.Event, d toldOf) string {
	verdict, over := endings[e.Type]
	switch {
	case over && d.Request == x.run.Request:
		return fmt.Sprintf("%s is %s", d.Request, verdict)
	case e.Type == timeline.RunStarted && d.Request == x.run.Request && d.Run != x.run.ID:
		return fmt.Sprintf("%s ran for %s already", d.Run, d.Request)
	case e.Type == timeline.RunFinished && d.Run == x.run.ID && !ends[d.State]:
		return d.Run + " has ended"
	case e.Type == timeline.StepSucceeded && d.Run == x.run.ID && x.forgot(d.Step):
		return fmt.Sprintf("step %d of %s is done", d.Step, d.Run)
	}
	return ""
}

// ends are the states in which a run can end.
var ends = map[RunState]bool{Fixed: true, Failed: true, Cancelled: true}

// forgot says whether the journal knows nothing of a step. One that is running when its success was written is what a crash
// between the two leaves: the step is looked at again then.
func (x *execution) forgot(step int) bool {
	if step < 1 || step > len(x.run.Steps) {
		return step > 0
	}
	return x.run.Steps[step-1].State == StepPending
}
