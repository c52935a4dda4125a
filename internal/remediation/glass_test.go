package remediation

import (
	"errors"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/approval"
	"cdcbot/internal/timeline"
)

// Acting alone: off by default, not before somebody was paged, by the requester, typed by hand and for a reason; marked,
// paged, and reviewed by somebody else before the incident can be closed.
func TestActingAlone(t *testing.T) {
	oncall, approver := Person{ID: "UONCALL", Name: "oncall"}, Person{ID: "UAPPROVER", Name: "approver"}
	s := newStage(t)
	w := s.withPager(nil)
	clock := time.Now()
	s.Approvals.Now, s.Now = func() time.Time { return clock }, func() time.Time { return clock }
	s.fire()
	off := s.askRestart()
	alone := func(req approval.Request, by Person, typed, reason string) error {
		_, err := s.BreakGlass(t.Context(), Alone{Request: req.ID, Digest: req.Digest, Typed: typed, Reason: reason, By: by})
		return err
	}
	expect := func(what string, got, want error) {
		t.Helper()
		if !errors.Is(got, want) || want == nil && got != nil {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	expect("switched off", alone(off, oncall, "INC-1", "it burns"), approval.ErrNever)
	_, err := s.Withdraw(t.Context(), off.ID, oncall)
	s.must(err)
	s.Approvals.Alone = 10 * time.Minute
	req := s.askRestart()
	expect("at once", alone(req, oncall, "INC-1", "it burns"), approval.ErrEarly)
	clock = clock.Add(10 * time.Minute)
	expect("by somebody else", alone(req, approver, "INC-1", "it burns"), approval.ErrNotRequester)
	expect("another incident typed", alone(req, oncall, "INC-2", "it burns"), ErrTyped)
	expect("without a reason", alone(req, oncall, "INC-1", " "), ErrNoReason)
	if s.count(timeline.GlassBroken) != 0 || len(w.pages) != 0 {
		t.Fatal("a refusal left traces")
	}
	expect("in time, with a reason", alone(req, oncall, " inc-1 ", "it burns"), nil)
	if len(s.queue.take(Execute)) != 1 || len(w.pages) != 1 || s.count(timeline.GlassBroken) != 1 {
		t.Errorf("pages %v, %d events", w.pages, s.count(timeline.GlassBroken))
	}
	events, err := s.Timeline.Events(t.Context(), "INC-1")
	s.must(err)
	if i := indexOf(events, timeline.GlassBroken); !strings.HasPrefix(events[i].Text, "oncall 🚨 ACTS ALONE") || !strings.HasSuffix(events[i].Text, "it burns") {
		t.Errorf("the timeline says %q", events[i].Text)
	}
	expect("closing before the review", s.Close(t.Context(), "INC-1", approver), ErrUnreviewed)
	expect("reviewing it oneself", s.Review(t.Context(), "INC-1", oncall, "fine"), approval.ErrSelf)
	expect("a review without words", s.Review(t.Context(), "INC-1", approver, ""), ErrNoReason)
	expect("a review", s.Review(t.Context(), "INC-1", approver, "it was right"), nil)
	expect("another review", s.Review(t.Context(), "INC-1", approver, "it was right"), ErrNoReview)
	v, err := s.View(t.Context(), "INC-1")
	s.must(err)
	if v.Unreviewed != 0 {
		t.Errorf("%d unreviewed", v.Unreviewed)
	}
	expect("closing after the review", s.Close(t.Context(), "INC-1", approver), nil)
}

func indexOf(events []timeline.Event, kind timeline.Type) int {
	for i, e := range events {
		if e.Type == kind {
			return i
		}
	}
	return -1
}

// What expired or was void can be asked for again with one press, by anybody, as things are then.
func TestAskAgain(t *testing.T) {
	s := newStage(t)
	s.fire()
	old := s.askRestart()
	if _, err := s.AskAgain(t.Context(), old.ID, Person{ID: "UAPPROVER", Name: "approver"}); !errors.Is(err, approval.ErrDuplicate) {
		t.Errorf("while it waits: %v, want ErrDuplicate", err)
	}
	_, err := s.Approvals.Void(t.Context(), old.ID, "things moved")
	s.must(err)
	req, err := s.AskAgain(t.Context(), old.ID, Person{ID: "UAPPROVER", Name: "approver"})
	s.must(err)
	if req.ID == old.ID || req.Digest != old.Digest || req.Requester != "UAPPROVER" || req.State != approval.Pending || len(req.World) == 0 {
		t.Errorf("got %+v", req)
	}
}
