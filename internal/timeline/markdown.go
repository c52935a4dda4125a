package timeline

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// markdown writes the post-incident review: what happened, who agreed to what, what ran, and how it was proved.
func markdown(w io.Writer, d Document) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Post-incident review: %s\n\n", plain(d.Incident.ID))
	if d.Incident.Cause != "" {
		fmt.Fprintf(&b, "> %s\n\n", plain(d.Incident.Cause))
	}
	overview(&b, d.Incident)
	happened(&b, d.Events)
	causes(&b, d.Events)
	approvals(&b, d.Events)
	steps(&b, d.Events)
	verifications(&b, d.Events)
	review(&b, d)
	proof(&b, d)
	_, err := io.WriteString(w, b.String())
	return err
}

func overview(b *strings.Builder, s Summary) {
	b.WriteString("| | |\n|---|---|\n")
	for _, row := range [][2]string{
		{"Alert", s.Alert}, {"Pipeline", s.Pipeline}, {"Connectors", strings.Join(s.Connectors, ", ")}, {"Severity", s.Severity},
		{"SLO impact", s.SLOImpact}, {"State", s.State},
		{"Fault began", moment(s.StartedAt)},
		{"Incident opened", moment(s.OpenedAt) + lasted(s.DetectSeconds, "after the fault began")},
		{"First person acted", moment(s.AcknowledgedAt) + lasted(s.AckSeconds, "after the incident opened")},
		{"Approval took", took(s.ApproveSeconds)}, {"Fix took", took(s.FixSeconds)},
		{"Mitigated", moment(s.MitigatedAt) + lasted(s.RepairSeconds, "after the fault began")},
		{"Resolved", moment(s.ResolvedAt)}, {"Fix", s.Fix}, {"People", strings.Join(s.People, ", ")},
	} {
		if row[1] != "" {
			fmt.Fprintf(b, "| %s | %s |\n", row[0], plain(row[1]))
		}
	}
	b.WriteString("\n")
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func took(s float64) string {
	if s == 0 {
		return ""
	}
	return words(s)
}

func lasted(s float64, what string) string {
	if s == 0 {
		return ""
	}
	return ", " + words(s) + " " + what
}

// table writes rows under a heading; nothing is said as nothing.
func table(b *strings.Builder, title, head string, rows []string) {
	fmt.Fprintf(b, "## %s\n\n", title)
	if len(rows) == 0 {
		b.WriteString("Nothing is recorded.\n\n")
		return
	}
	fmt.Fprintf(b, "| %s |\n|%s\n", head, strings.Repeat("---|", 1+strings.Count(head, "|")))
	for _, row := range rows {
		fmt.Fprintf(b, "| %s |\n", row)
	}
	b.WriteString("\n")
}

func of(e Event, types ...Type) bool { return slices.Contains(types, e.Type) }

// line is what every table begins with.
func line(e Event) string {
	return fmt.Sprintf("%d | %s | %s | %s", e.Seq, stampUTC(e.Time), plain(who(e.Actor)), plain(e.Text))
}

func stampUTC(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

const lineHead = "# | Time (UTC) | Who | What"

func happened(b *strings.Builder, events []Event) {
	var rows []string
	for _, e := range events {
		rows = append(rows, line(e))
	}
	table(b, "What happened", lineHead, rows)
}

func who(a Actor) string {
	switch {
	case a.Name != "" && a.ID != "" && a.Name != a.ID:
		return a.Name + " (" + a.ID + ")"
	case a.Name != "":
		return a.Name
	case a.ID != "":
		return a.ID
	}
	return a.Kind
}

// causes lists what each diagnosis found, the most likely first, with why.
func causes(b *strings.Builder, events []Event) {
	var rows []string
	for _, e := range events {
		if !of(e, DiagnosisMade) {
			continue
		}
		var data struct {
			Causes []struct {
				Title, Why string
			}
		}
		if json.Unmarshal(e.Data, &data) != nil || len(data.Causes) == 0 {
			rows = append(rows, fmt.Sprintf("%d | %s | %s | ", e.Seq, stampUTC(e.Time), plain(e.Text)))
			continue
		}
		for _, c := range data.Causes {
			rows = append(rows, fmt.Sprintf("%d | %s | %s | %s", e.Seq, stampUTC(e.Time), plain(c.Title), plain(c.Why)))
		}
	}
	table(b, "Causes", "# | Time (UTC) | Cause | Why", rows)
}

// approvals tells who agreed to what: each decision with the digest that the person saw.
func approvals(b *strings.Builder, events []Event) {
	var rows []string
	for _, e := range events {
		if !of(e, PlanProposed, PlanApproved, PlanRejected, PlanWithdrawn, PlanExpired, PlanVoided) {
			continue
		}
		var data struct{ Request, Digest string }
		_ = json.Unmarshal(e.Data, &data) // data of another shape names no request
		rows = append(rows, fmt.Sprintf("%s | %s | %s", line(e), plain(data.Request), exact(data.Digest)))
	}
	table(b, "Approvals", lineHead+" | Request | Digest", rows)
}

// steps tells what ran, with the output of each step.
func steps(b *strings.Builder, events []Event) {
	running := []Type{RunStarted, StepStarted, StepSucceeded, StepFailed, StepUnknown, StepSkipped, StepDone, RunFinished, RunCancelled}
	var rows []string
	for _, e := range events {
		if of(e, running...) {
			rows = append(rows, line(e))
		}
	}
	table(b, "Execution", lineHead, rows)
	for _, e := range events {
		if of(e, running...) {
			output(b, e)
		}
	}
}

// output writes what a step printed: the whole of it when that was kept, else the short form.
func output(b *strings.Builder, e Event) {
	var data struct{ Output, Full, Error string }
	_ = json.Unmarshal(e.Data, &data) // data of another shape has no output
	text := data.Output
	if data.Full != "" {
		text = data.Full
	}
	for _, part := range []struct{ what, text string }{{"Output", text}, {"Error", data.Error}} {
		if strings.TrimSpace(part.text) != "" {
			fmt.Fprintf(b, "%s of event %d (%s):\n\n%s\n", part.what, e.Seq, plain(e.Text), code(part.text))
		}
	}
}

func verifications(b *strings.Builder, events []Event) {
	var rows []string
	for _, e := range events {
		if of(e, VerificationPassed, VerificationFailed) {
			rows = append(rows, line(e))
		}
	}
	table(b, "Verification", lineHead, rows)
}

// known are the facts that answer an item of a checklist, by a word in it.
func known(d Document) []struct{ word, fact string } {
	s := d.Incident
	repair := ""
	if s.Fix != "" {
		repair = s.Fix + lasted(s.RepairSeconds, "after the fault began")
	}
	detect := ""
	if s.DetectSeconds > 0 {
		detect = fmt.Sprintf("%s reported it %s after the fault began", s.Alert, words(s.DetectSeconds))
	}
	return []struct{ word, fact string }{{"root cause", s.Cause}, {"trace", s.Cause}, {"timeline", fmt.Sprintf("%d events, see above", len(d.Events))},
		{"mitigat", repair}, {"fix", repair}, {"recover", repair}, {"detect", detect}, {"monitoring", detect}}
}

// review is the runbook's own checklist. Facts are filled in; ticking is left to people.
func review(b *strings.Builder, d Document) {
	if len(d.Checklist) == 0 {
		return
	}
	b.WriteString("## Review checklist of the runbook\n\n")
	facts := known(d)
	for _, item := range d.Checklist {
		fmt.Fprintf(b, "- [ ] %s", plain(item))
		for _, f := range facts {
			if f.fact != "" && strings.Contains(strings.ToLower(item), f.word) {
				fmt.Fprintf(b, " — %s", plain(f.fact))
				break
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

func proof(b *strings.Builder, d Document) {
	fmt.Fprintf(b, "## Proof\n\n%d events, each hashing the one before. Head of the chain: %s\n\n", len(d.Events), exact(d.Head))
	fmt.Fprintf(b, "Exported %s. To prove that nothing was altered, export as JSON, run `bot verify FILE`, and compare the head with the one posted in the thread.\n", moment(d.ExportedAt))
}
