package remediation

import (
	"context"
	"errors"
	"strings"
	"testing"

	"cdcbot/internal/incident"
	"cdcbot/internal/timeline"
)

// An incident that is over is archived once, with its head in the thread; an archive that is away is tried again; one that
// is open again is left alone.
func TestArchive(t *testing.T) {
	s := newStage(t)
	calls, away := 0, errors.New("the archive is away")
	s.Archive = func(context.Context, string) (string, int64, error) {
		if calls++; calls == 1 {
			return "", 0, away
		}
		return strings.Repeat("ab", 32), 17, nil
	}
	s.fire()
	s.must(s.Close(t.Context(), "INC-1", oncall))
	jobs := s.queue.take(Archiving)
	if len(jobs) != 1 {
		t.Fatalf("%d jobs wait, want 1", len(jobs))
	}
	if err := s.Work(t.Context(), jobs[0]); !errors.Is(err, away) {
		t.Errorf("an archive that is away: %v", err)
	}
	for range 3 {
		s.must(s.Work(t.Context(), jobs[0]))
	}
	if calls != 2 || s.count(timeline.IncidentArchived) != 1 {
		t.Errorf("asked %d times, %d events", calls, s.count(timeline.IncidentArchived))
	}
	list := s.notices()
	if n := len(list); n == 0 || !strings.Contains(list[n-1].Text, "17 events, head abab") {
		t.Errorf("notices %+v", list)
	}
}

func TestWhatIsOpenIsNotArchived(t *testing.T) {
	s := newStage(t)
	s.Archive = func(context.Context, string) (string, int64, error) {
		t.Error("an open incident is archived")
		return "", 0, nil
	}
	s.fire()
	s.must(s.archive(t.Context(), "INC-1"))
	s.must(s.armArchive(t.Context(), "INC-1", incident.Mitigating))
	if jobs := s.queue.take(Archiving); len(jobs) != 0 {
		t.Errorf("%d jobs wait", len(jobs))
	}
}
