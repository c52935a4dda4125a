// Package incident is the record of working on an alert: who is affected, in which state the work is, and since when.
// Repeats of an alert join the incident that is open for the same pipeline and alert name; a storm of failing
// connectors is one incident. Every change of state follows the transitions table.
package incident

import (
	"errors"
	"time"
)

// State is where the work on an incident stands.
type State string

// The states, in the order a quiet incident walks through them.
const (
	Open         State = "open"
	Acknowledged State = "acknowledged" // somebody has said "mine"
	Mitigating   State = "mitigating"   // an approved plan runs
	Monitoring   State = "monitoring"   // verified or alert resolved; the quiet period runs
	Resolved     State = "resolved"
	Closed       State = "closed"
)

// Errors a caller decides on.
var (
	ErrNotFound   = errors.New("no such incident")
	ErrTransition = errors.New("transition not allowed")
	ErrConflict   = errors.New("incident changed meanwhile")
	ErrLeaseHeld  = errors.New("lease is held by another")
	ErrLeaseLost  = errors.New("lease was lost")

	// ErrUnavailable means that Redis did not answer: whether the change was made is not known. Doing it again is safe.
	ErrUnavailable = errors.New("redis is away")
)

// Incident is one open or past incident. Times are UTC.
type Incident struct {
	ID             string     `json:"id"` // "INC-42"
	Pipeline       string     `json:"pipeline"`
	Alert          string     `json:"alert"` // alert name
	Cluster        string     `json:"cluster,omitempty"`
	Runbook        string     `json:"runbook,omitempty"` // name of the runbook that answers the alert
	Severity       string     `json:"severity,omitempty"`
	SLOImpact      string     `json:"slo_impact,omitempty"`
	Summary        string     `json:"summary,omitempty"` // the alert's own summary annotation
	State          State      `json:"state"`
	Owner          string     `json:"owner,omitempty"` // Slack user ID
	Affected       []Affected `json:"affected"`
	Thread         Thread     `json:"thread"`
	StartedAt      time.Time  `json:"started_at"` // when the alert says it began
	OpenedAt       time.Time  `json:"opened_at"`
	AcknowledgedAt time.Time  `json:"acknowledged_at,omitzero"`
	MitigatedAt    time.Time  `json:"mitigated_at,omitzero"` // first verification passed or alert resolved
	ResolvedAt     time.Time  `json:"resolved_at,omitzero"`
	ClosedAt       time.Time  `json:"closed_at,omitzero"`
	Reopened       int        `json:"reopened,omitempty"`
	Silence        *Silence   `json:"silence,omitempty"` // what keeps its alert quiet, nil when nothing does
	Links          []Link     `json:"links,omitempty"`
	Version        int64      `json:"version"` // counts writes; an update of an older version is refused
}

// Affected is one connector (and task) that alerts name. It is well when every alert about it is.
type Affected struct {
	Fingerprint string    `json:"fingerprint"` // of the first alert
	Source      string    `json:"source"`      // who says so: "alertmanager", "watcher", "alertmanager, watcher" or "manual"
	Connector   string    `json:"connector"`
	Task        string    `json:"task,omitempty"`
	FirstSeen   time.Time `json:"first_seen"` // when the first alert says that it began
	LastSeen    time.Time `json:"last_seen"`
	ResolvedAt  time.Time `json:"resolved_at,omitzero"`
	Reports     []Report  `json:"reports,omitempty"`
}

// Silence keeps an incident's alert quiet for a while.
type Silence struct {
	ID    string    `json:"id"` // Alertmanager's
	By    string    `json:"by"` // Slack user ID
	Until time.Time `json:"until"`
}

// Report is what one alert says of an affected connector. Times are the sender's own, so that they can be compared.
type Report struct {
	Source      string    `json:"source"`
	Fingerprint string    `json:"fingerprint"`
	StartsAt    time.Time `json:"starts_at"`
	ResolvedAt  time.Time `json:"resolved_at,omitzero"`
}

// Thread is where people read about the incident: a Slack channel ID and the root message's timestamp.
type Thread struct {
	Channel string `json:"channel,omitempty"`
	TS      string `json:"ts,omitempty"`
}

// Link is something to open beside the thread, such as the alert's graph.
type Link struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

// Connectors lists the distinct connectors named by alerts that still fire, in order of appearance.
func (i Incident) Connectors() []string {
	var names []string
	seen := map[string]bool{}
	for _, a := range i.Affected {
		if a.Connector == "" || seen[a.Connector] || !a.ResolvedAt.IsZero() {
			continue
		}
		seen[a.Connector] = true
		names = append(names, a.Connector)
	}
	return names
}
