package remediation

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cdcbot/internal/approval"
	"cdcbot/internal/timeline"
)

// Somebody puts an older state of Redis back, sealed as it once was: what the timeline has seen does not happen again.
func TestOldStateComesBack(t *testing.T) {
	for _, row := range []struct {
		name string
		play func(s *stage, req approval.Request) func() // returns what puts the older state back
		want string
	}{
		{"a run that has ended", func(s *stage, _ approval.Request) func() {
			s.approve()
			before := s.dump()
			s.flowing(func() { s.work(Execute) })
			return before
		}, "step 1 of RUN-1 is done"},
		{"a request that was withdrawn", func(s *stage, req approval.Request) func() {
			before := s.dump()
			_, err := s.Withdraw(s.t.Context(), req.ID, Person{ID: "UONCALL", Name: "oncall"})
			s.must(err)
			return before
		}, "REQ-1 is withdrawn"},
		{"a request that was rejected", func(s *stage, req approval.Request) func() {
			before := s.dump()
			_, err := s.Decide(s.t.Context(), Choice{Request: req.ID, Digest: req.Digest, Verdict: approval.Reject, Reason: "no", By: Person{ID: "UAPPROVER", Name: "approver"}})
			s.must(err)
			return before
		}, "REQ-1 is rejected"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStage(t)
			s.fire()
			req := s.askRestart()
			putBack := row.play(s, req)
			started := s.count(timeline.StepStarted)
			putBack()
			s.queue.take(Execute)
			if after, err := s.Approvals.Get(t.Context(), req.ID); err == nil && after.State == approval.Pending {
				s.approve() // somebody presses the old button
			} else {
				s.must(s.start(t.Context(), after))
			}
			s.flowing(func() { s.work(Execute) })
			if got := s.count(timeline.StepStarted); got != started {
				t.Errorf("%d steps started, %d before", got, started)
			}
			if r := s.run(); !strings.Contains(r.Verdict, row.want) {
				t.Errorf("the run says %q, want %q", r.Verdict, row.want)
			}
		})
	}
}

// approve is the second person's yes to REQ-1.
func (s *stage) approve() {
	s.t.Helper()
	req, err := s.Approvals.Get(s.t.Context(), "REQ-1")
	s.must(err)
	_, err = s.Decide(s.t.Context(), Choice{Request: req.ID, Digest: req.Digest, Verdict: approval.Approve, By: Person{ID: "UAPPROVER", Name: "approver"}})
	s.must(err)
}

// dump keeps everything but the timeline; calling what it returns puts it back.
func (s *stage) dump() func() {
	s.t.Helper()
	rdb, ctx := s.Approvals.Redis, s.t.Context()
	var restore []func(redis.Pipeliner)
	for _, k := range s.redis.Keys() {
		switch rdb.Type(ctx, k).Val() {
		case "hash":
			v := rdb.HGetAll(ctx, k).Val()
			restore = append(restore, func(p redis.Pipeliner) { p.HSet(ctx, k, v) })
		case "string":
			v := rdb.Get(ctx, k).Val()
			restore = append(restore, func(p redis.Pipeliner) { p.Set(ctx, k, v, 0) })
		case "zset":
			v := rdb.ZRangeWithScores(ctx, k, 0, -1).Val()
			restore = append(restore, func(p redis.Pipeliner) { p.ZAdd(ctx, k, v...) })
		}
	}
	return func() {
		s.t.Helper()
		_, err := rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
			for _, k := range s.redis.Keys() {
				if !strings.Contains(k, ":timeline") {
					p.Del(ctx, k)
				}
			}
			for _, put := range restore {
				put(p)
			}
			return nil
		})
		s.must(err)
	}
}

// A bot that dies after it told that a run has ended, and before it wrote that down, has not failed: whoever takes over ends
// the run as it was told, and does nothing again.
func TestAnEndThatWasToldHolds(t *testing.T) {
	s := newStage(t)
	s.worker.AddConnector("source", map[string]string{"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "topic": "orders"})
	s.fire()
	s.agree(restartSink())
	jobs := s.queue.take(Execute)
	s.flowing(func() { s.must(s.Work(t.Context(), jobs[0])) })
	whole := s.run()
	if whole.State != Fixed {
		t.Fatalf("the run is %s", whole.State)
	}
	lost := whole
	lost.State, lost.Verdict, lost.Proof, lost.EndedAt = Verifying, "", nil, time.Time{}
	s.must(s.Journal.SaveRun(t.Context(), lost, 99))
	s.redis.FastForward(leaseTTL + time.Second)
	for range 100 { // tokens go on from where the late holder was
		lease, err := s.Incidents.Lease(t.Context(), "pipeline:warehouse", "x", time.Minute)
		s.must(err)
		s.must(lease.Release(t.Context()))
	}
	s.must(s.Work(t.Context(), jobs[0]))
	got := s.run()
	if got.State != Fixed || got.Verdict != whole.Verdict || len(got.Proof) == 0 {
		t.Errorf("the run is %s, %q, with proof %q; want %s, %q", got.State, got.Verdict, got.Proof, whole.State, whole.Verdict)
	}
	for kind, want := range map[timeline.Type]int{timeline.StepStarted: 1, timeline.RunFinished: 1, timeline.VerificationPassed: 1} {
		if n := s.count(kind); n != want {
			t.Errorf("%d events %s, want %d", n, kind, want)
		}
	}
}
