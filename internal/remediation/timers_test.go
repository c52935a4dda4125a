package remediation

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/action"
	"cdcbot/internal/approval"
	"cdcbot/internal/incident"
	"cdcbot/internal/runbook"
	"cdcbot/internal/timeline"
)

// pager keeps the pages by key, as PagerDuty does.
type pager struct {
	action.World
	pages map[string]string
	err   error
}

func (p pager) Pager() (action.Pager, error) { return p, nil }

func (p pager) Page(_ context.Context, key, summary string, _ map[string]string) error {
	if p.err == nil {
		p.pages[key] = summary
	}
	return p.err
}

func (s *stage) withPager(err error) pager {
	p := s.Pipelines["warehouse"]
	w := pager{p.World, map[string]string{}, err}
	p.World = w
	s.Pipelines["warehouse"] = p
	return w
}

func (s *stage) work(kind JobKind) int {
	s.t.Helper()
	jobs := s.queue.take(kind)
	for _, j := range jobs {
		s.must(s.Work(s.t.Context(), j))
		s.must(s.Work(s.t.Context(), j)) // a job may come twice
	}
	return len(jobs)
}

func (s *stage) notices() []Notice {
	s.t.Helper()
	list, err := s.Journal.Notices(s.t.Context(), "INC-1")
	s.must(err)
	return list
}

func (s *stage) askRestart() approval.Request {
	s.t.Helper()
	req, err := s.Ask(s.t.Context(), Wish{Incident: "INC-1", Recipe: restartSink(), By: Person{ID: "UONCALL", Name: "oncall"}})
	s.must(err)
	return req
}

// Nobody answers: the thread calls the approvers once, then somebody is paged once. An answered request calls nobody.
func TestNobodyAnswers(t *testing.T) {
	for _, row := range []struct {
		name     string
		answered bool
		pagerErr error
		notices  []string
	}{
		{"nobody", false, nil, []string{"REQ-1 still waits for one approval", "Paged: REQ-1 of INC-1 needs one approval"}},
		{"nobody, and the pager is away", false, errors.New("503"), []string{"REQ-1 still waits", "The pager did not take it (503)"}},
		{"somebody", true, nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStage(t)
			s.Timers = Timers{Remind: 5 * time.Minute, Page: 10 * time.Minute}
			s.Policy.Group = "S0APPROVERS"
			w := s.withPager(row.pagerErr)
			s.fire()
			req := s.askRestart()
			if row.answered {
				s.Policy.Group = ""
				_, err := s.Approvals.Withdraw(t.Context(), req.ID, "UONCALL")
				s.must(err)
			}
			if s.work(Remind) != 1 || s.work(CallSecond) != 1 {
				t.Fatal("the timers are not set")
			}
			list := s.notices()
			if len(list) != len(row.notices) {
				t.Fatalf("got notices %+v, want %d", list, len(row.notices))
			}
			for i, want := range row.notices {
				if !strings.Contains(list[i].Text, want) || len(list[i].Call) != 1 || list[i].Call[0] != "S0APPROVERS" {
					t.Errorf("got %+v, want %q to the group", list[i], want)
				}
			}
			if paged := len(w.pages) == 1; paged != (!row.answered && row.pagerErr == nil) {
				t.Errorf("pages %v", w.pages)
			}
		})
	}
}

const escalating = "\n## Escalation\n\nIf connector does not recover after 15 minutes:\n\n1. **Check Connect**:\n   ```bash\n   curl http://localhost:8083/connectors\n   ```\n\n2. **Page on-call infrastructure engineer**\n\n3. **Failover to backup connector**\n"

// The runbook's fifteen minutes: the bot looks, pages once and offers the rest, unless the pipeline has recovered.
func TestEscalation(t *testing.T) {
	for _, row := range []struct {
		name  string
		state incident.State
		want  int
	}{{"still broken", incident.Open, 1}, {"recovered", incident.Monitoring, 0}} {
		t.Run(row.name, func(t *testing.T) {
			s := newStage(t)
			book, err := runbook.Compile("book", []byte(runbookText+escalating))
			s.must(err)
			s.books["book"] = book
			w := s.withPager(nil)
			s.fire()
			if row.state != incident.Open {
				_, _, err := s.Incidents.Move(t.Context(), "INC-1", row.state)
				s.must(err)
			}
			if s.work(Escalate) != 1 {
				t.Fatal("the timer is not set")
			}
			if got := s.count(timeline.Escalated); got != row.want || len(w.pages) != row.want || s.count(timeline.Paged) != row.want {
				t.Errorf("got %d escalations, pages %v", got, w.pages)
			}
			for _, n := range s.notices() {
				if n.Loud && (!strings.Contains(n.Text, "has not recovered within 15m") || !strings.Contains(n.Text, "Failover to backup connector")) {
					t.Errorf("got %q", n.Text)
				}
			}
			v, err := s.View(t.Context(), "INC-1")
			s.must(err)
			if len(v.Notices) != 2*row.want {
				t.Errorf("got %d notices", len(v.Notices))
			}
		})
	}
}
