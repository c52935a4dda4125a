package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cdcbot/internal/alert"
)

// Key is what an alert is about, beyond its labels.
type Key struct {
	Pipeline, Cluster, Runbook, Severity, SLOImpact string
}

// Outcome is what an alert did to an incident.
type Outcome string

// The outcomes of receiving an alert.
const (
	Opened      Outcome = "opened"       // there is a new incident
	Joined      Outcome = "joined"       // a connector or task was added to an open one, or failed again
	Repeated    Outcome = "repeated"     // nothing new
	Reopened    Outcome = "reopened"     // it came back within the quiet period
	ResolvedOne Outcome = "resolved one" // one of several is well again
	ResolvedAll Outcome = "resolved all" // the last one is well again
	Ignored     Outcome = "ignored"      // a resolved alert that no incident knows, or one older than what is known
)

// attempts bounds how often a write that another replica overtook is tried again.
const attempts = 1000

// Receive lets an alert open, join, reopen or resolve an incident, in one write. Alerts may come twice and in any order.
// The same fault told by Alertmanager and by the watcher is one row, which is well only when both say so. It returns
// after the change is stored. The incident comes back with the one row that the alert is about, so that each alert of a
// storm costs the same; Get has them all. With Ignored it is the one that was looked at, if any.
func (s *Store) Receive(ctx context.Context, a alert.Alert, k Key) (Incident, Outcome, error) {
	if a.Name == "" || (a.Status != alert.Firing && a.Status != alert.Resolved) {
		return Incident{}, Ignored, fmt.Errorf("alert %q with status %q: expected a name and the status firing or resolved", a.Name, a.Status)
	}
	for range attempts {
		inc, outcome, err := s.receive(ctx, a, k)
		if !errors.Is(err, ErrConflict) {
			return inc, outcome, err
		}
	}
	return Incident{}, Ignored, fmt.Errorf("receiving alert %s: %w", a.Name, ErrConflict)
}

func (s *Store) receive(ctx context.Context, a alert.Alert, k Key) (Incident, Outcome, error) {
	seen, err := s.look(ctx, k.Pipeline, a.Name, a.Connector, a.Task)
	if err != nil {
		return Incident{}, Ignored, err
	}
	n := weigh(seen, a, k, s.now(), s.quiet())
	if n.outcome == Ignored {
		return withRow(seen.body, seen.row), Ignored, nil
	}
	stored, err := s.store(ctx, seen, n)
	if err != nil {
		return Incident{}, Ignored, fmt.Errorf("receiving alert %s: %w", a.Name, err)
	}
	return withRow(stored, n.row), n.outcome, nil
}

func withRow(b body, r row) Incident {
	if r.N > 0 {
		b.Affected = []Affected{r.Affected}
	}
	return b.Incident
}

// sight is what an alert meets: the newest incident of its pipeline and name, and the row of its connector and task.
type sight struct {
	id       string // "" when there is none
	body     body
	row      row    // N is 0 when there is none
	rawBody  string // as stored, to notice that it changed meanwhile
	rawRow   string
	rowField string
	index    string // field of the index
}

// next is what an alert makes of it.
type next struct {
	outcome Outcome
	fresh   bool // body is a new incident
	body    body
	row     row
}

// weigh decides what an alert does. It is pure: all that races is in store.
func weigh(seen sight, a alert.Alert, k Key, now time.Time, quiet time.Duration) next {
	if a.StartsAt.IsZero() {
		a.StartsAt = now
	}
	if a.Status == alert.Resolved {
		return mend(seen, a, now)
	}
	if seen.id == "" || seen.body.over(now, quiet) {
		if seen.stale(a) {
			return next{outcome: Ignored}
		}
		return begin(a, k, now)
	}
	return join(seen, a, k, now)
}

// over reports whether a relapse is a new incident.
func (b body) over(now time.Time, quiet time.Duration) bool {
	return b.State == Closed || b.State == Resolved && now.Sub(b.ResolvedAt) >= quiet
}

// stale reports whether a firing alert is a late copy of what is over: older than the resolution of its row, or a
// repeat of what a person has closed.
func (s sight) stale(a alert.Alert) bool {
	if s.row.N == 0 {
		return false
	}
	i := s.row.report(a)
	if i >= 0 && s.body.State == Closed && !a.StartsAt.After(s.body.ClosedAt) {
		return true
	}
	if i >= 0 {
		return notAfter(a.StartsAt, s.row.Reports[i].ResolvedAt)
	}
	return !s.row.knows(a.Source) && notAfter(a.StartsAt, s.row.ResolvedAt)
}

// notAfter is false when there is nothing to compare with.
func notAfter(t, end time.Time) bool { return !end.IsZero() && !t.After(end) }

func begin(a alert.Alert, k Key, now time.Time) next {
	b := body{Firing: 1, Rows: 1, Incident: Incident{
		Pipeline: k.Pipeline, Alert: a.Name, Cluster: k.Cluster, Runbook: k.Runbook, Severity: k.Severity, SLOImpact: k.SLOImpact,
		Summary: summary(a), State: Open, StartedAt: a.StartsAt.UTC(), OpenedAt: now, Links: links(a),
	}}
	return next{outcome: Opened, fresh: true, body: b, row: newRow(1, a, now)}
}

func summary(a alert.Alert) string {
	if text := a.Annotations["summary"]; text != "" {
		return text
	}
	return a.Annotations["description"]
}

func links(a alert.Alert) []Link {
	var list []Link
	for _, l := range []Link{{"Alert", a.GeneratorURL}, {"Alertmanager", a.ExternalURL}, {"Runbook", a.Annotations["runbook_url"]}} {
		if strings.HasPrefix(l.URL, "http://") || strings.HasPrefix(l.URL, "https://") {
			list = append(list, l)
		}
	}
	return list
}

// join takes a firing alert into an incident that is not over.
func join(seen sight, a alert.Alert, k Key, now time.Time) next {
	if seen.stale(a) {
		return next{outcome: Ignored}
	}
	n := next{outcome: Repeated, body: seen.body, row: seen.row}
	switch {
	case n.row.N == 0:
		n.outcome = Joined
		n.body.Rows++
		n.body.Firing++
		n.row = newRow(n.body.Rows, a, now)
	case !n.row.ResolvedAt.IsZero():
		n.outcome = Joined
		n.body.Firing++
		n.row.ResolvedAt, n.row.FirstSeen = time.Time{}, a.StartsAt.UTC()
	}
	n.row.fire(a, now)
	n.body.fill(k)
	// A row that never resolved but began anew after the pipeline was well is a relapse, too.
	late := n.outcome == Joined || a.StartsAt.After(n.body.MitigatedAt)
	if late && (n.body.State == Monitoring || n.body.State == Resolved) {
		n.outcome = Reopened
		n.body.Reopened++
		n.body.enter(Open, now)
	}
	return n
}

// fill takes over what an earlier alert left open.
func (b *body) fill(k Key) {
	for _, f := range []struct {
		to   *string
		from string
	}{{&b.Cluster, k.Cluster}, {&b.Runbook, k.Runbook}, {&b.Severity, k.Severity}, {&b.SLOImpact, k.SLOImpact}} {
		if *f.to == "" {
			*f.to = f.from
		}
	}
}

// mend takes a resolved alert in.
func mend(seen sight, a alert.Alert, now time.Time) next {
	i := seen.row.report(a)
	if seen.id == "" || seen.body.State == Closed || i < 0 || !seen.row.Reports[i].ResolvedAt.IsZero() {
		return next{outcome: Ignored}
	}
	end := a.EndsAt.UTC()
	if end.IsZero() {
		end = now
	}
	if end.Before(seen.row.Reports[i].StartsAt) { // the end of an earlier failure
		return next{outcome: Ignored}
	}
	n := next{outcome: Repeated, body: seen.body, row: seen.row}
	n.row.Reports = slices.Clone(n.row.Reports)
	n.row.Reports[i].ResolvedAt, n.row.LastSeen = end, now
	if n.row.fires() {
		return n // another alert still says that it is ill
	}
	n.outcome = ResolvedOne
	n.row.ResolvedAt = n.row.lastEnd()
	n.body.Firing--
	if n.body.Firing > 0 {
		return n
	}
	n.outcome = ResolvedAll
	if Allowed(n.body.State, Monitoring) {
		n.body.enter(Monitoring, now)
	}
	return n
}
