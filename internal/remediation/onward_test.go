package remediation

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"cdcbot/internal/action"
	"cdcbot/internal/approval"
	"cdcbot/internal/connect"
)

// brittle is a cluster that refuses to stop one connector.
type brittle struct {
	*connect.Client
	refuses *string
}

func (b brittle) Stop(ctx context.Context, name string) error {
	if name == *b.refuses {
		return errors.New("the worker said no")
	}
	return b.Client.Stop(ctx, name)
}

type brittleWorld struct {
	world
	refuses *string
}

func (w brittleWorld) Connect(string) (action.Connect, error) {
	return brittle{w.client, w.refuses}, nil
}

// halfway is a run that stopped one connector and was refused the second of three.
func halfway(t *testing.T) (s *stage, refuses *string) {
	t.Helper()
	s, refuses = newStage(t), new(string)
	for _, name := range []string{"other", "third"} {
		s.must(s.worker.AddConnector(name, map[string]string{"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "topics": "users", "connection.url": "jdbc:x"}))
	}
	p := s.Pipelines["warehouse"]
	p.World = brittleWorld{world{client: s.client}, refuses}
	s.Pipelines["warehouse"] = p
	s.fire()
	s.agree(RecipeFor(Stop, []string{"sink", "other", "third"}, nil))
	*refuses = "other"
	s.walk()
	if r := s.run(); r.State != Failed || r.at() != 1 {
		t.Fatalf("the run is %s at step %d", r.State, r.at()+1)
	}
	return s, refuses
}

// walk does all runs that wait.
func (s *stage) walk() {
	s.t.Helper()
	s.flowing(func() {
		for _, j := range s.queue.take(Execute) {
			s.must(s.Work(s.t.Context(), j))
		}
	})
}

func (s *stage) state(name string) connect.State {
	s.t.Helper()
	status, err := s.client.Status(s.t.Context(), name)
	s.must(err)
	return status.State
}

var (
	oncall   = Person{ID: "UONCALL", Name: "oncall"}
	approver = Person{ID: "UAPPROVER", Name: "approver"}
)

// on asks for a way on, approves it and lets it run.
func (s *stage) on(way Onward) approval.Request {
	s.t.Helper()
	req, err := s.GoOn(s.t.Context(), "INC-1", "RUN-1", way, oncall)
	s.must(err)
	if _, err := s.Decide(s.t.Context(), Choice{Request: req.ID, Digest: req.Digest, Verdict: approval.Approve, By: oncall}); !errors.Is(err, approval.ErrSelf) {
		s.t.Errorf("who asked approves it: %v", err)
	}
	_, err = s.Decide(s.t.Context(), Choice{Request: req.ID, Digest: req.Digest, Verdict: approval.Approve, By: approver})
	s.must(err)
	s.walk()
	return req
}

func TestWaysOn(t *testing.T) {
	for _, row := range []struct {
		way    Onward
		title  string
		states [3]connect.State // of sink, other and third in the end
	}{
		{Retry, "Stop sink, other, third, from step 2 on", [3]connect.State{connect.Stopped, connect.Stopped, connect.Stopped}},
		{Omit, "Stop sink, other, third, from step 3 on", [3]connect.State{connect.Stopped, connect.Running, connect.Stopped}},
		{TakeBack, "Take back what RUN-1 did", [3]connect.State{connect.Running, connect.Running, connect.Running}},
	} {
		t.Run(string(row.way), func(t *testing.T) {
			s, refuses := halfway(t)
			*refuses = ""
			req := s.on(row.way)
			if req.Title != row.title || !strings.Contains(req.Reason, "RUN-1 ended at step 2") {
				t.Errorf("asked for %q because %q", req.Title, req.Reason)
			}
			if got := [3]connect.State{s.state("sink"), s.state("other"), s.state("third")}; got != row.states {
				t.Errorf("in the end %v, want %v", got, row.states)
			}
			if _, err := s.GoOn(t.Context(), "INC-1", "RUN-1", Retry, oncall); !errors.Is(err, ErrOutdated) {
				t.Errorf("going on from a run that another has followed: %v", err)
			}
		})
	}
}

func TestNoWayOn(t *testing.T) {
	s, _ := halfway(t)
	for _, row := range []struct {
		run  string
		way  Onward
		want error
	}{{"RUN-9", Retry, ErrNoRun}, {"RUN-1", "burn it", ErrNoWay}} {
		if _, err := s.GoOn(t.Context(), "INC-1", row.run, row.way, oncall); !errors.Is(err, row.want) {
			t.Errorf("%s of %s: %v, want %v", row.way, row.run, err, row.want)
		}
	}
}

func TestOnwards(t *testing.T) {
	ok, bad, open := RunStep{State: StepSucceeded}, RunStep{State: StepFailed}, RunStep{State: StepPending}
	undone := ok
	undone.Back = &action.Packed{Kind: "connect.pause"}
	for _, row := range []struct {
		name  string
		state RunState
		steps []RunStep
		want  []Onward
	}{
		{"under way", Running, []RunStep{undone, open}, nil},
		{"healed", Fixed, []RunStep{undone}, nil},
		{"failed at its only step", Failed, []RunStep{bad}, []Onward{Retry}},
		{"failed at its first step", Failed, []RunStep{bad, open}, []Onward{Retry, Omit}},
		{"failed half-way", Failed, []RunStep{undone, bad, open}, []Onward{Retry, Omit, TakeBack}},
		{"cancelled half-way", Cancelled, []RunStep{ok, open}, []Onward{Retry}},
		{"did not heal", Failed, []RunStep{ok, undone}, []Onward{TakeBack}},
		{"did not heal, nothing to take back", Failed, []RunStep{ok}, nil},
	} {
		if got := (Run{State: row.state, Steps: row.steps}).Onwards(); !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

// A plan that takes back is made of sealed records alone; what does not fit them is refused in words.
func TestTakeBackPlanRefuses(t *testing.T) {
	for _, steps := range []string{"", "[]", "{}", `[{"kind":"shell","action":{}}]`, `[{"kind":"connect.pause","action":{"to":"RUNNING"}}]`, `[{"kind":"connect.pause","action":{"rm":1}}]`} {
		if plan, err := takeBackPlan(map[string]string{"run": "RUN-1", "steps": steps}); err == nil {
			js, _ := json.Marshal(plan)
			t.Errorf("%q made %s", steps, js)
		}
	}
}
