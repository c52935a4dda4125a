package remediation

import (
	"context"
	"encoding/json"
	"fmt"

	"cdcbot/internal/timeline"
)

// toldOf is what an event of the timeline says about requests, runs and steps.
type toldOf struct {
	Request string `json:"request"`
	Run     string `json:"run"`
	Step    int    `json:"step"`
}

// endings are the events after which a request gives no right to run.
var endings = map[timeline.Type]string{
	timeline.PlanRejected: "rejected", timeline.PlanWithdrawn: "withdrawn", timeline.PlanExpired: "expired", timeline.PlanVoided: "void",
}

// witness compares what Redis says of a run with the incident's timeline. Somebody who puts back an older state of a request
// or of a run, sealed as it once was, would make a plan run twice, or one that somebody has said no to: the timeline is a
// chain, and remembers.
func (x *execution) witness(ctx context.Context) error {
	events, err := x.Timeline.Events(ctx, x.inc.ID)
	if err != nil {
		return err
	}
	for _, e := range events {
		var d toldOf
		if len(e.Data) > 0 {
			_ = json.Unmarshal(e.Data, &d) // data of other shapes is not about runs
		}
		if why := x.contradicts(e, d); why != "" {
			return fmt.Errorf("%w: the timeline says that %s (event %d)", ErrForged, why, e.Seq)
		}
	}
	return nil
}

func (x *execution) contradicts(e timeline.Event, d toldOf) string {
	verdict, over := endings[e.Type]
	switch {
	case over && d.Request == x.run.Request:
		return fmt.Sprintf("%s is %s", d.Request, verdict)
	case e.Type == timeline.RunStarted && d.Request == x.run.Request && d.Run != x.run.ID:
		return fmt.Sprintf("%s ran for %s already", d.Run, d.Request)
	case e.Type == timeline.RunFinished && d.Run == x.run.ID:
		return d.Run + " has ended"
	case e.Type == timeline.StepSucceeded && d.Run == x.run.ID && x.forgot(d.Step):
		return fmt.Sprintf("step %d of %s is done", d.Step, d.Run)
	}
	return ""
}

// forgot says whether the journal knows nothing of a step. One that is running when its success was written is what a crash
// between the two leaves: the step is looked at again then.
func (x *execution) forgot(step int) bool {
	if step < 1 || step > len(x.run.Steps) {
		return step > 0
	}
	return x.run.Steps[step-1].State == StepPending
}
