package runbook

import (
	"strings"

	"cdcbot/internal/action"
)

// Report is what `bot lint --json` prints for one file.
type Report struct {
	File     string          `json:"file"`
	Alert    string          `json:"alert"`
	Commands int             `json:"commands"` // shell commands in the file
	Compiled int             `json:"compiled"` // of them, those that are actions or waits
	Manual   int             `json:"manual"`
	Notes    int             `json:"notes"` // left out on purpose
	Errors   []Finding       `json:"errors"`
	Sections []ReportSection `json:"sections"`
}

// ReportSection is one section of a report.
type ReportSection struct {
	Title    string       `json:"title"`
	Kind     SectionKind  `json:"kind"`
	Symptoms []string     `json:"symptoms"`
	Steps    []ReportStep `json:"steps"`
}

// ReportStep is one step of a report. Alternative is the number of the option it belongs to, 0 when it is in all.
type ReportStep struct {
	Line        int      `json:"line"`
	Title       string   `json:"title"`
	Source      string   `json:"source"`
	Action      string   `json:"action"`
	Target      string   `json:"target"` // as the runbook writes it
	Risk        string   `json:"risk"`
	Guard       string   `json:"guard"`
	Alternative int      `json:"alternative"`
	Inputs      []string `json:"inputs"`
	Effect      string   `json:"effect"`
}

// Report describes a compiled book.
func (b *Book) Report(file string) Report {
	r := Report{File: file, Alert: strings.Join(b.Alerts, ", "), Errors: []Finding{}, Sections: []ReportSection{}}
	for _, f := range b.Findings {
		if f.Level == "error" {
			r.Errors = append(r.Errors, f)
		}
		if noted(f.Code) {
			r.Notes++
		}
	}
	for _, s := range b.Sections {
		rs := ReportSection{Title: s.Title, Kind: s.Kind, Symptoms: []string{}, Steps: []ReportStep{}}
		for _, p := range s.Symptoms {
			rs.Symptoms = append(rs.Symptoms, p.Text)
		}
		in := s.alternatives()
		for _, step := range s.steps() {
			rs.Steps = append(rs.Steps, reportStep(step, in[step.place()]))
			r.count(step)
		}
		r.Sections = append(r.Sections, rs)
	}
	r.Commands = r.Compiled + r.Manual + r.Notes
	return r
}

// count leaves out what is a comment only: it is no command.
func (r *Report) count(s Step) {
	switch {
	case strings.HasPrefix(s.Source, "#"):
	case s.Action != nil:
		r.Compiled++
	default:
		r.Manual++
	}
}

func reportStep(step Step, alternative int) ReportStep {
	out := ReportStep{Line: step.Line, Title: step.Title, Source: step.Source, Action: "manual", Risk: string(action.Change), Guard: step.Guard.Text, Alternative: alternative, Inputs: []string{}, Effect: step.Effect()}
	out.Inputs = append(out.Inputs, step.Inputs...)
	if step.Action != nil {
		out.Action, out.Target, out.Risk = step.Action.Kind(), show(step.Action.Target()), string(step.Action.Risk())
	}
	return out
}

// alternatives gives the steps that belong to one option only its number.
func (s Section) alternatives() map[place]int {
	in := map[place]int{}
	for _, o := range s.Options {
		for _, step := range o.Steps {
			if _, seen := in[step.place()]; seen {
				in[step.place()] = 0
				continue
			}
			in[step.place()] = o.Number
		}
	}
	return in
}
