package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	"cdcbot/internal/connect"
)

// Kin is another open incident that has the same cause, most likely: mended once, both are.
type Kin struct {
	Incident string `json:"incident"`
	Pipeline string `json:"pipeline"`
	Why      string `json:"why"` // what they share
}

// Alike says what two diagnoses share that makes one cause of both likely: the trace, a system that does not answer, or
// the worker of what failed. Nothing is alike that has no cause, or another one. Diagnoses of the same incident are not
// for this: Compare is.
func (d Diagnosis) Alike(o Diagnosis) (why string, ok bool) {
	slug := d.Top().Slug
	if slug != o.Top().Slug || slug == None || slug == Unknown {
		return "", false
	}
	for _, p := range d.Probes {
		same := func(q Probe) bool { return !q.OK && q.Name == p.Name && q.Text == p.Text }
		if !p.OK && p.Text != "" && slices.ContainsFunc(o.Probes, same) {
			return p.Name + " does not answer either: " + clip(p.Text, 120), true
		}
	}
	if root := d.root(); root != "" && root == o.root() {
		return "the same trace", true
	}
	if worker := sharedWorker(d.Subjects, o.Subjects); worker != "" {
		return fmt.Sprintf("the same worker %s", worker), true
	}
	return "", false
}

// root is the header of the deepest link of the trace that the top cause rests on, with its digits left out: ports, offsets and
// counts differ from task to task.
func (d Diagnosis) root() string {
	c := ParseTrace(d.Trace)
	if len(c.Links) == 0 || c.Root().Message == "" {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, c.Root().Header())
}

// sharedWorker is a worker on which all that failed runs, in both; "" when there is none.
func sharedWorker(a, b []Line) string {
	one, other := failedOn(a), failedOn(b)
	if len(one) == 1 && slices.Equal(one, other) {
		return one[0]
	}
	return ""
}

func failedOn(list []Line) []string {
	var workers []string
	for _, l := range list {
		if bad := l.State == string(connect.Failed) || len(l.Failed) > 0; bad && l.Worker != "" {
			workers = append(workers, l.Worker)
		}
	}
	slices.Sort(workers)
	return slices.Compact(workers)
}
