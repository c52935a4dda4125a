package remediation

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/incident"
	"cdcbot/internal/timeline"
)

// muffler is an Alertmanager that may be away.
type muffler struct {
	err   error
	held  map[string]string // silence → what it holds
	asked int
}

func (q *muffler) Silence(_ context.Context, alert string, connectors []string, from, until time.Time, by, comment string) (string, error) {
	if q.err != nil {
		return "", q.err
	}
	q.asked++
	id := "silence-" + string(rune('0'+q.asked))
	q.held[id] = strings.Join([]string{alert, strings.Join(connectors, ","), until.Sub(from).Round(time.Minute).String(), by, comment}, "|")
	return id, nil
}

func (q *muffler) Expire(_ context.Context, id string) error {
	delete(q.held, id)
	return q.err
}

func TestSilence(t *testing.T) {
	oncall := Person{ID: "UONCALL", Name: "oncall"}
	for _, row := range []struct {
		name   string
		within time.Duration
		why    string
		with   func(*stage, *muffler)
		want   error
	}{
		{"for an hour", time.Hour, "database upgrade", nil, nil},
		{"too short", time.Minute, "w", nil, ErrSilence},
		{"too long", 25 * time.Hour, "w", nil, ErrSilence},
		{"without a reason", time.Hour, "  ", nil, ErrNoReason},
		{"without an Alertmanager", time.Hour, "w", func(s *stage, _ *muffler) { s.Silencer = nil }, ErrNoSilencer},
		{"while it is away", time.Hour, "w", func(_ *stage, q *muffler) { q.err = ErrUnavailable }, ErrUnavailable},
		{"of what is over", time.Hour, "w", func(s *stage, _ *muffler) { s.must(s.Close(s.t.Context(), "INC-1", oncall)) }, ErrNotOpen},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, q := newStage(t), &muffler{held: map[string]string{}}
			s.Silencer = q
			s.fire()
			if row.with != nil {
				row.with(s, q)
			}
			inc, err := s.Silence(t.Context(), "INC-1", row.within, row.why, oncall)
			if !errors.Is(err, row.want) {
				t.Fatalf("got %v, want %v", err, row.want)
			}
			if row.want != nil {
				if s.count(timeline.AlertSilenced) != 0 || len(q.held) != 0 {
					t.Error("something is silent all the same")
				}
				return
			}
			if got := q.held[inc.Silence.ID]; got != "KafkaConnectTaskFailure|sink|1h0m0s|oncall|INC-1: database upgrade" {
				t.Errorf("silence %q", got)
			}
			if s.count(timeline.AlertSilenced) != 1 {
				t.Error("the timeline does not say so")
			}
		})
	}
}

// A second silence takes the first one's place; what is over must be heard when it comes back.
func TestSilenceEnds(t *testing.T) {
	oncall := Person{ID: "UONCALL", Name: "oncall"}
	for _, row := range []struct {
		name string
		end  func(*stage)
		held int
	}{
		{"by hand", func(s *stage) { s.must(s.Unsilence(s.t.Context(), "INC-1", oncall)) }, 0},
		{"when it is resolved", func(s *stage) {
			s.must(s.move(s.t.Context(), "INC-1", incident.Monitoring, timeline.Bot, "test"))
			s.must(s.move(s.t.Context(), "INC-1", incident.Resolved, timeline.Bot, "test"))
		}, 0},
		{"not when it is closed: it may fire on, and is known", func(s *stage) { s.must(s.Close(s.t.Context(), "INC-1", oncall)) }, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, q := newStage(t), &muffler{held: map[string]string{}}
			s.Silencer = q
			s.fire()
			for range 2 {
				_, err := s.Silence(t.Context(), "INC-1", time.Hour, "why", oncall)
				s.must(err)
			}
			if len(q.held) != 1 {
				t.Fatalf("%d silences hold, want the newest alone", len(q.held))
			}
			row.end(s)
			if len(q.held) != row.held {
				t.Errorf("%d silences hold, want %d", len(q.held), row.held)
			}
			if n := s.count(timeline.AlertUnsilenced); n != 1-row.held {
				t.Errorf("%d events say that it ended", n)
			}
			if row.held == 0 {
				if err := s.Unsilence(t.Context(), "INC-1", oncall); !errors.Is(err, ErrNotSilent) {
					t.Errorf("once more: %v", err)
				}
			}
		})
	}
}
