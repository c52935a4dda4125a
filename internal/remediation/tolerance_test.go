package remediation

import (
	"errors"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/approval"
	"cdcbot/internal/runbook"
)

const tolerantBook = "# T\n\n## Root Causes\n\n### Cause 1: Bad Records\n\n**Solution**:\n```bash\n# Let bad records pass for a while\ncurl -X PATCH http://localhost:8083/connectors/sink/config -d '{\"errors.tolerance\": \"all\"}'\n\n# Fix the records at their source\n\n# Look once more\ncurl http://localhost:8083/connectors\n```\n"

// Nobody comes back to press Done: after an hour the tolerance ends by itself. Steps that would go on as if somebody had
// mended the cause do not run; the way back does.
func TestToleranceEnds(t *testing.T) {
	s := newStage(t)
	book, err := runbook.Compile("tolerant", []byte(tolerantBook))
	if err != nil {
		t.Fatal(err)
	}
	s.books["tolerant"] = book
	s.fire()
	req := s.agree(approval.Recipe{Runbook: "tolerant", Section: "cause-1-bad-records"})
	if req.Risk != "high" {
		t.Errorf("risk: got %s, want high", req.Risk)
	}
	if req.State == approval.Pending { // a high risk needs a second approval
		req, err = s.Decide(t.Context(), Choice{Request: req.ID, Digest: req.Digest, Verdict: approval.Approve, By: Person{ID: "UMANAGER", Name: "manager"}})
		var lacks *Unconfirmed
		if !errors.As(err, &lacks) || lacks.Name != "sink" || lacks.Code {
			t.Fatalf("without the connector's name: %v", err)
		}
		req, err = s.Decide(t.Context(), Choice{Request: req.ID, Digest: req.Digest, Verdict: approval.Approve, Typed: " Sink ", By: Person{ID: "UMANAGER", Name: "manager"}})
		s.must(err)
	}
	asked, err := s.Asked(t.Context(), req.ID)
	s.must(err)
	if last := asked.Plan.Steps[len(asked.Plan.Steps)-1]; !strings.Contains(last.Effect(), "errors.tolerance = none") || !strings.Contains(asked.Plan.Steps[0].Effect(), "after 1h0m0s at the latest") {
		t.Errorf("the plan does not say how it ends: %v", asked.Plan.Effects())
	}
	s.must(s.Work(t.Context(), s.queue.take(Execute)[0]))
	r := s.run()
	if r.State != Waiting || r.Steps[0].State != StepSucceeded || r.Steps[1].State != StepWaiting {
		t.Fatalf("run %s: %+v", r.State, r.Steps)
	}
	timer := s.queue.take(Execute)
	if len(timer) != 1 || timer[0].Attempt != "tolerance" {
		t.Fatalf("timers: got %+v, want one for the tolerance", timer)
	}
	s.must(s.Work(t.Context(), timer[0])) // too early: it goes on waiting
	if r := s.run(); r.State != Waiting {
		t.Fatalf("before its time: run %s", r.State)
	}
	s.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	s.flowing(func() { s.must(s.Work(t.Context(), timer[0])) })
	r = s.run()
	want := []StepState{StepSucceeded, StepSkipped, StepSkipped, StepSucceeded}
	for i, state := range want {
		if r.Steps[i].State != state {
			t.Errorf("step %d (%s): %s, want %s", i+1, r.Steps[i].Title, r.Steps[i].State, state)
		}
	}
	client, err := s.Pipelines["warehouse"].World.Connect("")
	s.must(err)
	config, err := client.Config(t.Context(), "sink")
	s.must(err)
	if config["errors.tolerance"] != "none" {
		t.Errorf("errors.tolerance is %q afterwards", config["errors.tolerance"])
	}
}
