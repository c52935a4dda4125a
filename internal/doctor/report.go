package doctor

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Report is everything that was found.
type Report struct {
	Findings []Finding
	Took     time.Duration
}

// Count is how many findings ended so.
func (r Report) Count(s Status) int {
	n := 0
	for _, f := range r.Findings {
		if f.Status == s {
			n++
		}
	}
	return n
}

// Healthy says that nothing failed; there may be warnings.
func (r Report) Healthy() bool { return r.Count(Failed) == 0 }

// Summary is the report in one line.
func (r Report) Summary() string {
	return fmt.Sprintf("%d failed, %d warnings, %d ok, %d skipped, in %s", r.Count(Failed), r.Count(Warning), r.Count(OK), r.Count(Skipped), r.Took.Round(time.Millisecond))
}

// order is how people read a report: what must be mended first.
var order = []Status{Failed, Warning, OK, Skipped}

// Text is the report for people, one line for each finding and its mend below, the worst first.
func (r Report) Text() string {
	var b strings.Builder
	for _, s := range order {
		for _, f := range r.Findings {
			if f.Status == s {
				f.write(&b)
			}
		}
	}
	b.WriteString(r.Summary() + "\n")
	return b.String()
}

// Brief is Text without what is well, for places with little room.
func (r Report) Brief() string {
	var b strings.Builder
	for _, s := range []Status{Failed, Warning} {
		for _, f := range r.Findings {
			if f.Status == s {
				f.write(&b)
			}
		}
	}
	return b.String()
}

func (f Finding) write(b *strings.Builder) {
	subject := f.Check
	if f.Target != "" {
		subject += " " + f.Target
	}
	fmt.Fprintf(b, "%-8s %s: %s (%s)\n", f.Status, subject, f.What, f.Took.Round(time.Millisecond))
	if f.Mend != "" {
		fmt.Fprintf(b, "         → %s\n", f.Mend)
	}
}

// finding is a Finding as JSON.
type finding struct {
	Check  string `json:"check"`
	Target string `json:"target"`
	Status Status `json:"status"`
	What   string `json:"what"`
	Mend   string `json:"mend,omitempty"`
	TookMS int64  `json:"took_ms"`
}

// MarshalJSON implements json.Marshaler: healthy, a count of each status, how long it took in milliseconds, and findings.
func (r Report) MarshalJSON() ([]byte, error) {
	list := make([]finding, len(r.Findings))
	for i, f := range r.Findings {
		list[i] = finding{f.Check, f.Target, f.Status, f.What, f.Mend, f.Took.Milliseconds()}
	}
	count := map[Status]int{}
	for _, s := range order {
		count[s] = r.Count(s)
	}
	return json.Marshal(struct {
		Healthy  bool           `json:"healthy"`
		Count    map[Status]int `json:"count"`
		TookMS   int64          `json:"took_ms"`
		Findings []finding      `json:"findings"`
	}{r.Healthy(), count, r.Took.Milliseconds(), list})
}
