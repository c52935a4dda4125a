package incident

import (
	"slices"
	"strings"
	"time"
)

// Transitions is every change of state that is allowed; docs/states.md shows the same table, and a test compares them.
var Transitions = map[State][]State{
	Open:         {Acknowledged, Mitigating, Monitoring, Closed},
	Acknowledged: {Mitigating, Monitoring, Closed},
	Mitigating:   {Monitoring, Closed},
	Monitoring:   {Open, Mitigating, Resolved, Closed},
	Resolved:     {Open, Mitigating, Closed},
	Closed:       {},
}

// States lists every state in the order of a quiet incident.
var States = []State{Open, Acknowledged, Mitigating, Monitoring, Resolved, Closed}

// Allowed reports whether an incident may go from one state to another.
func Allowed(from, to State) bool { return slices.Contains(Transitions[from], to) }

// Active reports whether people still have something to do or to watch: it is neither resolved nor closed.
func (i Incident) Active() bool { return i.State != Resolved && i.State != Closed }

// sources names the states from which to can be reached, for a sentence.
func sources(to State) string {
	var list []string
	for _, from := range States {
		if Allowed(from, to) {
			list = append(list, string(from))
		}
	}
	return strings.Join(list, " or ")
}

// enter changes the state and the times that belong to it. Who mitigates has acknowledged; going back to work ends the
// quiet period, and the next one begins anew.
func (i *Incident) enter(to State, now time.Time) {
	i.State = to
	switch to {
	case Open, Mitigating:
		i.MitigatedAt, i.ResolvedAt = time.Time{}, time.Time{}
	case Monitoring:
		i.MitigatedAt = now
	case Resolved:
		i.ResolvedAt = now
	case Closed:
		i.ClosedAt = now
	}
	if (to == Acknowledged || to == Mitigating) && i.AcknowledgedAt.IsZero() {
		i.AcknowledgedAt = now
	}
}
