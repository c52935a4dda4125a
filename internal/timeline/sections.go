package timeline

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A review is the same tables in every format that people read. Each is filled event by event.
type section struct {
	title   string
	columns []string
	types   []Type                 // the events it is about; none is all
	rows    func(e Event) [][]cell // an event's rows; the first four cells are the same everywhere
	outputs bool                   // what the steps printed follows
}

// cell is one value. Exact ones are hashes and IDs, which nobody reads but compares.
type cell struct {
	text  string
	exact bool
}

var (
	lineHead = []string{"#", "Time (UTC)", "Who", "What"}
	asking   = []Type{PlanProposed, PlanApproved, PlanRejected, PlanWithdrawn, PlanExpired, PlanVoided, GlassBroken, GlassReviewed}
	running  = []Type{RunStarted, StepStarted, StepSucceeded, StepFailed, StepUnknown, StepSkipped, StepDone, RunFinished, RunCancelled}
)

var sections = []section{
	{title: "What happened", columns: lineHead, rows: oneLine},
	{title: "Causes", columns: []string{"#", "Time (UTC)", "Cause", "Why"}, types: []Type{DiagnosisMade}, rows: causes},
	{title: "Approvals", columns: append(lineHead[:4:4], "Request", "Digest"), types: asking, rows: decision},
	{title: "Execution", columns: lineHead, types: running, rows: oneLine, outputs: true},
	{title: "Verification", columns: lineHead, types: []Type{VerificationPassed, VerificationFailed}, rows: oneLine},
}

func oneLine(e Event) [][]cell { return [][]cell{line(e)} }

// line is what most tables begin with.
func line(e Event) []cell {
	return []cell{{text: fmt.Sprint(e.Seq)}, {text: stampUTC(e.Time)}, {text: who(e.Actor)}, {text: e.Text}}
}

// causes lists what a diagnosis found, the most likely first, with why.
func causes(e Event) [][]cell {
	var data struct {
		Causes []struct {
			Title, Why string
		}
	}
	first := line(e)[:2:2]
	if json.Unmarshal(e.Data, &data) != nil || len(data.Causes) == 0 {
		return [][]cell{append(first, cell{text: e.Text}, cell{})}
	}
	var rows [][]cell
	for _, c := range data.Causes {
		rows = append(rows, append(first, cell{text: c.Title}, cell{text: c.Why}))
	}
	return rows
}

// decision tells who agreed to what: with the digest that the person saw.
func decision(e Event) [][]cell {
	var data struct{ Request, Digest string }
	_ = json.Unmarshal(e.Data, &data) // data of another shape names no request
	return [][]cell{append(line(e), cell{text: data.Request}, cell{text: data.Digest, exact: true})}
}

// printed is what a step printed: the whole of it when that was kept, else the short form.
func printed(e Event) []struct{ what, text string } {
	var data struct{ Output, Full, Error string }
	_ = json.Unmarshal(e.Data, &data) // data of another shape has no output
	text := data.Output
	if data.Full != "" {
		text = data.Full
	}
	var list []struct{ what, text string }
	for _, part := range []struct{ what, text string }{{"Output", text}, {"Error", data.Error}} {
		if strings.TrimSpace(part.text) != "" {
			list = append(list, struct{ what, text string }{fmt.Sprintf("%s of event %d (%s):", part.what, e.Seq, e.Text), part.text})
		}
	}
	return list
}

// overview is the incident in pairs of name and value; what is not known is left out.
func overview(s Summary) [][2]string {
	var rows [][2]string
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
			rows = append(rows, row)
		}
	}
	return rows
}

// item is one line of the runbook's checklist with the fact that answers it, "" where none does. Ticking is left to people.
type item struct{ text, fact string }

func checklist(r *Report) []item {
	s := r.Incident
	repair := ""
	if s.Fix != "" {
		repair = s.Fix + lasted(s.RepairSeconds, "after the fault began")
	}
	detect := ""
	if s.DetectSeconds > 0 {
		detect = fmt.Sprintf("%s reported it %s after the fault began", s.Alert, words(s.DetectSeconds))
	}
	known := []struct{ word, fact string }{{"root cause", s.Cause}, {"trace", s.Cause}, {"timeline", fmt.Sprintf("%d events, see above", r.Count)},
		{"mitigat", repair}, {"fix", repair}, {"recover", repair}, {"detect", detect}, {"monitoring", detect}}
	items := make([]item, len(r.Checklist))
	for i, text := range r.Checklist {
		items[i].text = text
		for _, f := range known {
			if f.fact != "" && strings.Contains(strings.ToLower(text), f.word) {
				items[i].fact = f.fact
				break
			}
		}
	}
	return items
}
