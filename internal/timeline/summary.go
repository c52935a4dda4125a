package timeline

import (
	"encoding/json"
	"slices"
	"time"
)

// Summary is the incident in the words of an export. Times are UTC, durations are seconds. What the events tell is taken
// from them, so that it is proved with them; the rest is as the incident's record says.
type Summary struct {
	ID             string    `json:"id"`
	Alert          string    `json:"alert"`
	Pipeline       string    `json:"pipeline"`
	Severity       string    `json:"severity,omitempty"`
	SLOImpact      string    `json:"slo_impact,omitempty"`
	State          string    `json:"state"`
	Connectors     []string  `json:"connectors"`
	Cause          string    `json:"cause,omitempty"` // the diagnosis before the last run
	Fix            string    `json:"fix,omitempty"`   // the last run that started
	StartedAt      time.Time `json:"started_at"`
	OpenedAt       time.Time `json:"opened_at"`
	AcknowledgedAt time.Time `json:"acknowledged_at,omitzero"`
	MitigatedAt    time.Time `json:"mitigated_at,omitzero"`
	ResolvedAt     time.Time `json:"resolved_at,omitzero"`
	DetectSeconds  float64   `json:"detect_seconds"`                // MTTD: start of the fault → incident
	AckSeconds     float64   `json:"acknowledge_seconds,omitempty"` // MTTA: incident → a person took it or asked for a fix
	ApproveSeconds float64   `json:"approve_seconds,omitempty"`     // the last run's plan proposed → run started
	FixSeconds     float64   `json:"fix_seconds,omitempty"`         // the last run started → finished, verification included
	RepairSeconds  float64   `json:"repair_seconds,omitempty"`      // MTTR: start of the fault → mitigated
	People         []string  `json:"people,omitempty"`
}

// facts are what the summary needs of an event's data.
type facts struct {
	Request  string    `json:"request"`
	Run      string    `json:"run"`
	To       string    `json:"to"`
	StartsAt time.Time `json:"starts_at"`
}

// about reads an event's data; data of another shape tells nothing.
func about(e Event) facts {
	var f facts
	if json.Unmarshal(e.Data, &f) != nil {
		return facts{}
	}
	return f
}

// derive fills what the events tell.
func (s *Summary) derive(events []Event) {
	s.Cause, s.Fix, s.People = "", "", nil
	s.ApproveSeconds, s.FixSeconds = 0, 0
	s.times(events)
	s.story(events)
	s.run(events)
	s.DetectSeconds = seconds(s.StartedAt, s.OpenedAt)
	s.AckSeconds = seconds(s.OpenedAt, s.AcknowledgedAt)
	s.RepairSeconds = seconds(s.StartedAt, s.MitigatedAt)
}

// times takes the first of what happens once, and what has happened since the incident was last reopened of the rest.
func (s *Summary) times(events []Event) {
	first := func(to *time.Time, at time.Time) {
		if to.IsZero() {
			*to = at
		}
	}
	var told Summary
	for _, e := range events {
		f := about(e)
		switch {
		case e.Type == AlertReceived && !f.StartsAt.IsZero():
			first(&told.StartedAt, f.StartsAt)
		case e.Type == IncidentOpened:
			first(&told.OpenedAt, e.Time)
		case acknowledges(e, f):
			first(&told.AcknowledgedAt, e.Time)
		case e.Type == VerificationPassed, e.Type == IncidentMoved && f.To == "monitoring":
			first(&told.MitigatedAt, e.Time)
		case e.Type == IncidentMoved && f.To == "resolved":
			told.ResolvedAt = e.Time
		case e.Type == IncidentReopened:
			told.MitigatedAt, told.ResolvedAt = time.Time{}, time.Time{}
		}
	}
	for _, t := range []struct{ to, from *time.Time }{{&s.StartedAt, &told.StartedAt}, {&s.OpenedAt, &told.OpenedAt}, {&s.AcknowledgedAt, &told.AcknowledgedAt},
		{&s.MitigatedAt, &told.MitigatedAt}, {&s.ResolvedAt, &told.ResolvedAt}} {
		if !t.from.IsZero() {
			*t.to = *t.from
		}
		*t.to = t.to.UTC()
	}
}

// acknowledges: a person has taken the incident, or has done the first thing about it.
func acknowledges(e Event, f facts) bool {
	if e.Type == IncidentMoved {
		return f.To == "acknowledged" || f.To == "mitigating"
	}
	return e.Actor.Kind == "person" && slices.Contains([]Type{IncidentAssigned, PlanProposed, PlanApproved}, e.Type)
}

// story takes the cause, the fix and the people.
func (s *Summary) story(events []Event) {
	latest := ""
	for _, e := range events {
		switch e.Type {
		case DiagnosisMade:
			latest = e.Text
			if s.Fix == "" {
				s.Cause = latest
			}
		case RunStarted:
			s.Cause, s.Fix = latest, e.Text
		}
		if name := who(e.Actor); e.Actor.Kind == "person" && !slices.Contains(s.People, name) {
			s.People = append(s.People, name)
		}
	}
}

// run takes how long the last run waited for approval, and how long it took.
func (s *Summary) run(events []Event) {
	proposed, started := map[string]time.Time{}, time.Time{}
	run := ""
	for _, e := range events {
		f := about(e)
		switch {
		case e.Type == PlanProposed:
			proposed[f.Request] = e.Time
		case e.Type == RunStarted:
			run, started = f.Run, e.Time
			s.ApproveSeconds, s.FixSeconds = seconds(proposed[f.Request], started), 0
		case e.Type == RunFinished && f.Run == run:
			s.FixSeconds = seconds(started, e.Time)
		}
	}
}

func seconds(from, to time.Time) float64 {
	if from.IsZero() || to.IsZero() || to.Before(from) {
		return 0
	}
	return to.Sub(from).Round(time.Millisecond).Seconds()
}
