package remediation

import (
	"strings"
	"testing"

	"cdcbot/internal/approval"
	"cdcbot/internal/runbook"
	"cdcbot/internal/timeline"
)

// The bot starts again with another policy, or another runbook: open incidents hear of it, and what waits is void.
func TestChangesAtStart(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(s *stage)
		want   string // "" when nothing has changed
	}{
		{"nothing", func(*stage) {}, ""},
		{"another policy", func(s *stage) { s.Policy.High = 3 }, "approval policy"},
		{"an edited runbook", func(s *stage) {
			book, err := runbook.Compile("book", []byte(runbookText+"\n\nMore words.\n"))
			s.must(err)
			s.books["book"] = book
		}, "runbook book"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStage(t)
			sums := func() map[string]string { return map[string]string{"book": s.books["book"].SHA256} }
			s.must(s.NoteChanges(t.Context(), sums()))
			s.fire()
			req, err := s.Ask(t.Context(), Wish{Incident: "INC-1", Recipe: approval.Recipe{Section: "cause-1-database-connection-failure"}, By: Person{ID: "UONCALL", Name: "oncall"}})
			s.must(err)
			row.change(s)
			s.must(s.NoteChanges(t.Context(), sums()))
			s.must(s.NoteChanges(t.Context(), sums())) // every replica does
			after, err := s.Approvals.Get(t.Context(), req.ID)
			s.must(err)
			if void := after.State == approval.Voided; void != (row.want != "") {
				t.Errorf("%s is %s: %s", after.ID, after.State, after.Why)
			}
			if got := s.count(timeline.PolicyChanged); got != len(row.want[:min(1, len(row.want))]) {
				t.Errorf("%d events, want one if something changed", got)
			}
			events, err := s.Timeline.Events(t.Context(), "INC-1")
			s.must(err)
			if i := indexOf(events, timeline.PolicyChanged); i >= 0 && !strings.Contains(events[i].Text, row.want) {
				t.Errorf("got %q, want %q", events[i].Text, row.want)
			}
		})
	}
}

// While it runs: what is asked from now on is asked under the new policy, what waits is void, and the event says what is
// different.
func TestChangesWhileItRuns(t *testing.T) {
	s := newStage(t)
	sums := map[string]string{"book": s.books["book"].SHA256}
	s.must(s.NoteChanges(t.Context(), sums))
	s.fire()
	wish := Wish{Incident: "INC-1", Recipe: approval.Recipe{Section: "cause-1-database-connection-failure"}, By: Person{ID: "UONCALL", Name: "oncall"}}
	req, err := s.Ask(t.Context(), wish)
	s.must(err)
	s.SetPolicy(approval.Policy{Approvers: []string{"UAPPROVER"}})
	s.must(s.Changed(t.Context(), sums, map[string]string{"approval policy": "+approval.approvers: UAPPROVER"}))
	after, err := s.Approvals.Get(t.Context(), req.ID)
	s.must(err)
	if after.State != approval.Voided {
		t.Errorf("%s is %s", after.ID, after.State)
	}
	again, err := s.Ask(t.Context(), wish)
	s.must(err)
	if again.ID == req.ID || again.State != approval.Pending {
		t.Errorf("asked again: %s is %s", again.ID, again.State)
	}
	events, err := s.Timeline.Events(t.Context(), "INC-1")
	s.must(err)
	if i := indexOf(events, timeline.PolicyChanged); i < 0 || !strings.Contains(string(events[i].Data), "+approval.approvers: UAPPROVER") {
		t.Errorf("got %v", events)
	}
}
