package incident

import (
	"slices"
	"strings"
	"time"

	"cdcbot/internal/alert"
)

// row is an Affected as it is stored: beside its incident, so that a storm of thousands costs each alert the same.
type row struct {
	N int `json:"n"` // order of appearance, from 1
	Affected
}

// keptReports bounds what one row remembers of alerts that are over.
const keptReports = 16

func newRow(n int, a alert.Alert, now time.Time) row {
	r := row{N: n, Affected: Affected{Fingerprint: a.Fingerprint, Connector: a.Connector, Task: a.Task, FirstSeen: a.StartsAt.UTC()}}
	r.fire(a, now)
	return r
}

// report finds what the same alert said before, -1 when it has not.
func (r row) report(a alert.Alert) int {
	return slices.IndexFunc(r.Reports, func(p Report) bool { return p.Source == a.Source && p.Fingerprint == a.Fingerprint })
}

func (r row) knows(source string) bool {
	return slices.ContainsFunc(r.Reports, func(p Report) bool { return p.Source == source })
}

func (r row) fires() bool {
	return slices.ContainsFunc(r.Reports, func(p Report) bool { return p.ResolvedAt.IsZero() })
}

func (r row) lastEnd() time.Time {
	var last time.Time
	for _, p := range r.Reports {
		if p.ResolvedAt.After(last) {
			last = p.ResolvedAt
		}
	}
	return last
}

// fire notes a firing alert. The slice is copied: the row as it was seen stays as it was.
func (r *row) fire(a alert.Alert, now time.Time) {
	r.LastSeen = now
	r.Reports = slices.Clone(r.Reports)
	p := Report{Source: a.Source, Fingerprint: a.Fingerprint, StartsAt: a.StartsAt.UTC()}
	if i := r.report(a); i >= 0 {
		r.Reports[i] = p
	} else {
		r.forget()
		r.Reports = append(r.Reports, p)
	}
	r.Source = r.sources()
}

// forget drops the oldest report that is over when there are too many.
func (r *row) forget() {
	if len(r.Reports) < keptReports {
		return
	}
	if i := slices.IndexFunc(r.Reports, func(p Report) bool { return !p.ResolvedAt.IsZero() }); i >= 0 {
		r.Reports = slices.Delete(r.Reports, i, i+1)
	}
}

// sources joins who reports: "alertmanager, watcher".
func (r row) sources() string {
	var names []string
	for _, p := range r.Reports {
		names = append(names, p.Source)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
