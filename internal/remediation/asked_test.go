package remediation

import (
	"errors"
	"slices"
	"testing"
	"time"

	"cdcbot/internal/approval"
	"cdcbot/internal/timeline"
)

// A bot that dies right after a request is stored leaves one that nobody sees; whoever asks again brings it into the
// timeline and the thread, as the request of who asked first.
func TestAskFinishesWhatACrashLeft(t *testing.T) {
	s := newStage(t)
	s.fire()
	inc, err := s.Incidents.Get(t.Context(), "INC-1")
	s.must(err)
	plan, recipe, err := s.fresh(inc, s.derive(t.Context(), s.Pipelines[inc.Pipeline], restartSink()))
	s.must(err)
	stored, err := s.Approvals.Ask(t.Context(), approval.Request{Incident: inc.ID, Recipe: recipe, Digest: plan.Digest(), Title: plan.Title, Risk: string(plan.Risk), Requester: "UONCALL", Needed: 1})
	s.must(err)
	for range 2 {
		req, err := s.Ask(t.Context(), Wish{Incident: "INC-1", Recipe: restartSink(), By: Person{ID: "UOTHER", Name: "other"}})
		if !errors.Is(err, approval.ErrDuplicate) || req.ID != stored.ID {
			t.Fatalf("asking again: %s, %v; want %s and ErrDuplicate", req.ID, err, stored.ID)
		}
	}
	events, err := s.Timeline.Events(t.Context(), "INC-1")
	s.must(err)
	proposed := slices.DeleteFunc(events, func(e timeline.Event) bool { return e.Type != timeline.PlanProposed })
	if len(proposed) != 1 || proposed[0].Actor.ID != "UONCALL" {
		t.Errorf("the timeline holds %v; want one request, of UONCALL", proposed)
	}
}

// Nobody need ask again: whoever looks after what crashes leave tells it, once.
// Who presses a fix again after it was approved is told that it happens already; nobody is asked for it twice.
func TestAskingForWhatIsUnderWay(t *testing.T) {
	s := newStage(t)
	s.fire()
	wish := Wish{Incident: "INC-1", Recipe: restartSink(), By: Person{ID: "UONCALL", Name: "oncall"}}
	again := func(when string) {
		t.Helper()
		req, err := s.Ask(t.Context(), wish)
		if !errors.Is(err, ErrUnderway) || req.ID != "REQ-1" {
			t.Errorf("%s: %q, %v; want REQ-1 and ErrUnderway", when, req.ID, err)
		}
	}
	s.agree(restartSink())
	again("approved, before its run begins")
	s.must(s.Work(t.Context(), s.queue.take(Execute)[0])) // nothing flows, so it ends as failed after it has looked long enough
	if r := s.run(); !ended(r) {
		t.Fatalf("the run is %s", r.State)
	}
	if req, err := s.Ask(t.Context(), wish); err != nil || req.ID != "REQ-2" {
		t.Errorf("after the run: %q, %v; want REQ-2", req.ID, err)
	}
	if n := s.count(timeline.PlanProposed); n != 2 {
		t.Errorf("%d plans were proposed, want 2", n)
	}
}

func TestReconcileTellsARequest(t *testing.T) {
	s := newStage(t)
	s.fire()
	inc, err := s.Incidents.Get(t.Context(), "INC-1")
	s.must(err)
	plan, recipe, err := s.fresh(inc, s.derive(t.Context(), s.Pipelines[inc.Pipeline], restartSink()))
	s.must(err)
	_, err = s.Approvals.Ask(t.Context(), approval.Request{Incident: inc.ID, Recipe: recipe, Digest: plan.Digest(), Title: plan.Title, Risk: string(plan.Risk), Requester: "UONCALL", Needed: 1, Policy: s.Policy.Fingerprint()})
	s.must(err)
	s.must(s.reconcile(t.Context()))
	if n := s.count(timeline.PlanProposed); n != 0 {
		t.Errorf("%d events at once: who asks may still be telling it", n)
	}
	now := s.Now
	s.Now = func() time.Time { return now().Add(untold + time.Second) }
	for range 2 {
		s.must(s.reconcile(t.Context()))
	}
	if n := s.count(timeline.PlanProposed); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}
