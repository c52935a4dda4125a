package remediation

import (
	"testing"
	"time"

	"cdcbot/internal/alert"
	"cdcbot/internal/approval"
	"cdcbot/internal/timeline"
)

// Two people agree in advance; then the bot restarts by itself, says on whose agreement, so often and no more, backs off,
// and stops at once when it is revoked.
func TestStanding(t *testing.T) {
	oncall, approver := Person{ID: "UONCALL", Name: "oncall"}, Person{ID: "UAPPROVER", Name: "approver"}
	s := newStage(t)
	var later time.Duration
	s.Now = func() time.Time { return time.Now().Add(later) }
	s.Approvals.Now = s.Now
	s.fire()
	s.must(s.worker.Fail("sink", -1, "java.net.ConnectException: Connection refused"))
	allow := func(most int) approval.Standing {
		req, err := s.Ask(t.Context(), Wish{Incident: "INC-1", Recipe: RecipeToAllow([]string{"sink"}, time.Hour, most), By: oncall})
		s.must(err)
		_, err = s.Decide(t.Context(), Choice{Request: req.ID, Digest: req.Digest, Verdict: approval.Approve, By: approver})
		s.must(err)
		s.flowing(func() { s.work(Execute) })
		list, err := s.Approvals.Standings(t.Context())
		s.must(err)
		if len(list) != 1 || list[0].Requester != "UONCALL" || len(list[0].Approvers) != 1 || list[0].Approvers[0] != "UAPPROVER" {
			t.Fatalf("got %+v", list)
		}
		return list[0]
	}
	broken := func() int { // the sink fails again, and the bot looks
		s.must(s.worker.Fail("sink", -1, "java.net.ConnectException: Connection refused"))
		s.must(s.Receive(t.Context(), []alert.Alert{{Source: "alertmanager", Name: "KafkaConnectTaskFailure", Status: alert.Firing, Connector: "sink", Task: "0", StartsAt: s.Now(), Fingerprint: "f"}}))
		s.queue.take(Investigate)
		s.must(s.Work(t.Context(), Job{Kind: Investigate, Incident: "INC-1", Attempt: unasked}))
		n := len(s.queue.take(Execute))
		for _, r := range must(s.Journal.Runs(t.Context(), "INC-1")) {
			if !ended(r) {
				s.flowing(func() { s.must(s.Work(t.Context(), Job{Kind: Execute, Incident: "INC-1", Run: r.ID})) })
			}
		}
		return n
	}
	st := allow(2)
	if got := broken(); got != 1 {
		t.Fatalf("%d runs, want one by the bot itself", got)
	}
	if got := broken(); got != 0 {
		t.Errorf("%d runs at once after the first, want none before a pause", got)
	}
	later += firstPause
	if got := broken(); got != 1 {
		t.Errorf("%d runs after a pause, want one", got)
	}
	later += 10 * firstPause
	if got := broken(); got != 0 {
		t.Errorf("%d runs, but it is used up", got)
	}
	if st, err := s.Approvals.Standing(t.Context(), st.ID); err != nil || st.Used != 2 {
		t.Errorf("used %d times: %v", st.Used, err)
	}
	st = allow(9)
	_, err := s.Revoke(t.Context(), st.ID, approver)
	s.must(err)
	later += 10 * firstPause
	if got := broken(); got != 0 {
		t.Errorf("%d runs after it was revoked", got)
	}
	if got := s.count(timeline.GlassBroken); got != 0 {
		t.Errorf("%d glasses", got)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
