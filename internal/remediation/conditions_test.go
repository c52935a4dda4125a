package remediation

import (
	"errors"
	"strings"
	"testing"

	"cdcbot/internal/approval"
	"cdcbot/internal/timeline"
)

// between is what somebody else does to the sink between asking, approving and running.
var between = []struct {
	name string
	do   func(s *stage)
	want string // part of why nothing runs; "" when it runs
}{
	{"nothing", func(*stage) {}, ""},
	{"another option", func(s *stage) {
		s.must(s.client.PutConfig(s.t.Context(), "sink", map[string]string{"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "topics": "orders,users", "connection.url": "jdbc:x"}))
	}, "configuration of sink: no longer “topics = orders”, now “topics = orders,users”"},
	{"it healed", func(s *stage) {
		_, err := s.client.Restart(s.t.Context(), "sink", true)
		s.must(err)
	}, ""},
}

// What people agreed to is the plan in the world that they saw: a drift voids it, before the approval and before the run,
// and says what moved. Noise voids nothing.
func TestDrift(t *testing.T) {
	for _, when := range []string{"before the approval", "before the run"} {
		for _, row := range between {
			t.Run(when+"/"+row.name, func(t *testing.T) {
				s := newStage(t)
				s.fire()
				req, err := s.Ask(t.Context(), Wish{Incident: "INC-1", Recipe: restartSink(), By: Person{ID: "UONCALL", Name: "oncall"}})
				s.must(err)
				if len(req.World) == 0 {
					t.Fatal("the request holds no conditions")
				}
				if when == "before the approval" {
					row.do(s)
				}
				_, err = s.Decide(t.Context(), Choice{Request: req.ID, Digest: req.Digest, Verdict: approval.Approve, By: Person{ID: "UAPPROVER", Name: "approver"}})
				if when == "before the run" {
					s.must(err)
					row.do(s)
					s.flowing(func() {
						for _, j := range s.queue.take(Execute) {
							s.must(s.Work(t.Context(), j))
						}
					})
				}
				s.expectDrift(req.ID, when, err, row.want)
			})
		}
	}
}

func (s *stage) expectDrift(id, when string, err error, want string) {
	s.t.Helper()
	after, getErr := s.Approvals.Get(s.t.Context(), id)
	s.must(getErr)
	if want == "" {
		s.must(err)
		if s.count(timeline.PlanVoided) != 0 || when == "before the run" && after.State != approval.Used {
			s.t.Errorf("%s is %s: %s; want it to run", id, after.State, after.Why)
		}
		return
	}
	if after.State != approval.Voided || !strings.Contains(after.Why, want) || s.count(timeline.StepStarted) != 0 || s.count(timeline.PlanVoided) != 1 {
		s.t.Errorf("%s is %s (%s), %d steps started; want it void: %s", id, after.State, after.Why, s.count(timeline.StepStarted), want)
	}
	if when == "before the approval" && !errors.Is(err, ErrMoved) {
		s.t.Errorf("the approver hears %v, want ErrMoved", err)
	}
}

// A policy that was made stricter, or looser, while people were asked: they are asked anew.
func TestPolicyChangeVoids(t *testing.T) {
	s := newStage(t)
	s.fire()
	req, err := s.Ask(t.Context(), Wish{Incident: "INC-1", Recipe: restartSink(), By: Person{ID: "UONCALL", Name: "oncall"}})
	s.must(err)
	s.Policy.Approvers = []string{"UAPPROVER"}
	if _, err := s.Decide(t.Context(), Choice{Request: req.ID, Digest: req.Digest, Verdict: approval.Approve, By: Person{ID: "UAPPROVER", Name: "approver"}}); !errors.Is(err, ErrChanged) {
		t.Errorf("got %v, want ErrChanged", err)
	}
	if after, _ := s.Approvals.Get(t.Context(), req.ID); after.State != approval.Voided || !strings.Contains(after.Why, "policy") {
		t.Errorf("%s: %s", after.State, after.Why)
	}
}
