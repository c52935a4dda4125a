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
	Request   string    `json:"request"`
	Run       string    `json:"run"`
	To        string    `json:"to"`
	StartsAt  time.Time `json:"starts_at"`
	Alert     string    `json:"alert"`
	Pipeline  string    `json:"pipeline"`
	Severity  string    `json:"severity"`
	SLOImpact string    `json:"slo_impact"`
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
	var d deriver
	for _, e := range events {
		d.see(e)
	}
	d.into(s)
}

// deriver gathers what the events tell of an incident, one after the other.
type deriver struct {
	told      Summary
	opened    bool // the event that opened it says what it is
	diagnosed string
	proposed  map[string]time.Time
	run       string
	started   time.Time
}

// see takes one event in.
func (d *deriver) see(e Event) {
	f := about(e)
	d.identity(e, f)
	d.times(e, f)
	d.story(e)
	d.lastRun(e, f)
}

// into fills a summary; what the events do not tell stays as the record says.
func (d *deriver) into(s *Summary) {
	t := &d.told
	if d.opened {
		s.Alert, s.Pipeline, s.Severity, s.SLOImpact = t.Alert, t.Pipeline, t.Severity, t.SLOImpact
	}
	s.Cause, s.Fix, s.People, s.ApproveSeconds, s.FixSeconds = t.Cause, t.Fix, t.People, t.ApproveSeconds, t.FixSeconds
	for _, at := range []struct{ to, from *time.Time }{{&s.StartedAt, &t.StartedAt}, {&s.OpenedAt, &t.OpenedAt}, {&s.AcknowledgedAt, &t.AcknowledgedAt},
		{&s.MitigatedAt, &t.MitigatedAt}, {&s.ResolvedAt, &t.ResolvedAt}} {
		if !at.from.IsZero() {
			*at.to = *at.from
		}
		*at.to = at.to.UTC()
	}
	s.DetectSeconds = seconds(s.StartedAt, s.OpenedAt)
	s.AckSeconds = seconds(s.OpenedAt, s.AcknowledgedAt)
	s.RepairSeconds = seconds(s.StartedAt, s.MitigatedAt)
}

// identity takes what the incident is from the event that opened it. Timelines of older versions say it only in the record.
func (d *deriver) identity(e Event, f facts) {
	if e.Type != IncidentOpened || d.opened || f.Pipeline == "" {
		return
	}
	d.opened = true
	d.told.Alert, d.told.Pipeline, d.told.Severity, d.told.SLOImpact = f.Alert, f.Pipeline, f.Severity, f.SLOImpact
}

// times takes the first of what happens once, and what has happened since the incident was last reopened of the rest.
func (d *deriver) times(e Event, f facts) {
	first := func(to *time.Time, at time.Time) {
		if to.IsZero() {
			*to = at
		}
	}
	switch {
	case e.Type == AlertReceived && !f.StartsAt.IsZero():
		first(&d.told.StartedAt, f.StartsAt)
	case e.Type == IncidentOpened:
		first(&d.told.OpenedAt, e.Time)
	case acknowledges(e, f):
		first(&d.told.AcknowledgedAt, e.Time)
	case e.Type == VerificationPassed, e.Type == IncidentMoved && f.To == "monitoring":
		first(&d.told.MitigatedAt, e.Time)
	case e.Type == IncidentMoved && f.To == "resolved":
		d.told.ResolvedAt = e.Time
	case e.Type == IncidentReopened:
		d.told.MitigatedAt, d.told.ResolvedAt = time.Time{}, time.Time{}
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
func (d *deriver) story(e Event) {
	switch e.Type {
	case DiagnosisMade:
		d.diagnosed = e.Text
		if d.told.Fix == "" {
			d.told.Cause = d.diagnosed
		}
	case RunStarted:
		d.told.Cause, d.told.Fix = d.diagnosed, e.Text
	}
	if name := who(e.Actor); e.Actor.Kind == "person" && !slices.Contains(d.told.People, name) {
		d.told.People = append(d.told.People, name)
	}
}

// lastRun takes how long the last run waited for approval, and how long it took.
func (d *deriver) lastRun(e Event, f facts) {
	switch {
	case e.Type == PlanProposed:
		if d.proposed == nil {
			d.proposed = map[string]time.Time{}
		}
		d.proposed[f.Request] = e.Time
	case e.Type == RunStarted:
		d.run, d.started = f.Run, e.Time
		d.told.ApproveSeconds, d.told.FixSeconds = seconds(d.proposed[f.Request], d.started), 0
	case e.Type == RunFinished && f.Run == d.run:
		d.told.FixSeconds = seconds(d.started, e.Time)
	}
}

func seconds(from, to time.Time) float64 {
	if from.IsZero() || to.IsZero() || to.Before(from) {
		return 0
	}
	return to.Sub(from).Round(time.Millisecond).Seconds()
}
