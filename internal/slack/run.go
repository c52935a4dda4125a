package slack

import (
	"fmt"
	"strings"
	"time"

	slackapi "github.com/slack-go/slack"

	"cdcbot/internal/commands"
	"cdcbot/internal/remediation"
)

const (
	mostSteps   = 20
	recentSteps = 3 // steps before the current one whose output is still shown
)

var runSigns = map[remediation.RunState]string{
	remediation.Running:   "🔧 RUNNING",
	remediation.Waiting:   "✋ WAITS FOR A PERSON",
	remediation.Verifying: "🔎 VERIFYING",
	remediation.Fixed:     "✅ FIXED",
	remediation.Failed:    "❌ FAILED",
	remediation.Cancelled: "⏹️ CANCELLED",
}

var stepSigns = map[remediation.StepState]string{
	remediation.StepPending:   "▫️",
	remediation.StepRunning:   "🔧",
	remediation.StepWaiting:   "✋",
	remediation.StepSucceeded: "✅",
	remediation.StepFailed:    "❌",
	remediation.StepSkipped:   "⏭️",
	remediation.StepUnknown:   "❓",
}

func runText(r remediation.Run) string {
	sign, known := runSigns[r.State]
	if !known {
		sign = "⚪ " + string(r.State)
	}
	out := sign + " · " + r.ID + " · " + r.Title
	if r.State == remediation.Running {
		out += fmt.Sprintf(" — step %d of %d", min(current(r)+1, len(r.Steps)), len(r.Steps))
	}
	if r.Verdict != "" && !strings.EqualFold(r.Verdict, string(r.State)) {
		out += " — " + r.Verdict
	}
	return out
}

// current is the index of the first step that has not ended.
func current(r remediation.Run) int {
	for i, s := range r.Steps {
		switch s.State {
		case remediation.StepSucceeded, remediation.StepSkipped:
		default:
			return i
		}
	}
	return len(r.Steps)
}

// runParts follows a run step by step; last says that no other came after it, so that it can be gone on from.
func runParts(r remediation.Run, last bool) []part {
	parts := []part{must(header(runText(r)))}
	if people := approvedLine(r); len(people) > 0 {
		parts = append(parts, must(paragraph(people...)))
	}
	from := max(0, min(current(r)-mostSteps/2, len(r.Steps)-mostSteps))
	if from > 0 {
		parts = append(parts, must(paragraph(italic(count(from, "step", "steps")+" done before."))))
	}
	for i, s := range r.Steps[from:min(from+mostSteps, len(r.Steps))] {
		recent := from+i >= current(r)-recentSteps
		parts = append(parts, stepParts(from+i+1, s, recent)...)
	}
	if more := len(r.Steps) - from - mostSteps; more > 0 {
		parts = append(parts, must(paragraph(italic(count(more, "more step", "more steps")+" to come."))))
	}
	if rows := verdict(r); len(rows) > 0 {
		parts = append(parts, must(lines(rows...)))
	}
	visible := runButtons(r)
	if last {
		visible = append(visible, waysOn(r)...)
	}
	if len(visible) > 0 {
		parts = append(parts, must(row(visible, nil)))
	}
	return parts
}

// waysOn are the ways on from a run that ended early; each asks two people anew.
func waysOn(r remediation.Run) []press {
	at := current(r) + 1
	words := map[remediation.Onward]press{
		remediation.Retry:    {label: fmt.Sprintf("Retry from step %d", at), style: slackapi.StylePrimary, command: commands.Command{Verb: commands.VerbRetry}},
		remediation.Omit:     {label: fmt.Sprintf("Go on without step %d", at), command: commands.Command{Verb: commands.VerbOmit}},
		remediation.TakeBack: {label: "Take back what it did", command: commands.Command{Verb: commands.VerbTakeBack}},
	}
	var list []press
	for _, way := range r.Onwards() {
		p := words[way]
		p.command.Incident, p.command.Run = r.Incident, r.ID
		list = append(list, p)
	}
	return list
}

func approvedLine(r remediation.Run) []piece {
	var pieces []piece
	if r.Requester != "" {
		pieces = append(pieces, words("Asked for by "), user(r.Requester))
	}
	if len(r.Approvers) > 0 {
		if len(pieces) > 0 {
			pieces = append(pieces, words(", "))
		}
		pieces = append(append(pieces, words("approved by ")), people(r.Approvers)...)
	}
	if len(pieces) > 0 {
		pieces = append(pieces, words(" · "+r.Request+" · started "), at(r.StartedAt))
	}
	return pieces
}

func stepParts(n int, s remediation.RunStep, recent bool) []part {
	title := s.Title
	if title == "" {
		title = s.Effect
	}
	rows := [][]piece{{words(stepSigns[s.State] + " "), bold(fmt.Sprintf("%d. ", n)), words(cut(line(title), 200)), italic(stepFacts(s))}}
	if s.Effect != "" && s.Effect != title && (s.State == remediation.StepWaiting || s.State == remediation.StepRunning || s.State == remediation.StepUnknown) {
		rows = append(rows, []piece{words(cut(line(s.Effect), 400))})
	}
	switch s.State {
	case remediation.StepUnknown:
		rows = append(rows, []piece{words("I stopped in the middle of this step and cannot see whether it took effect. Look, and press Done when it is settled, or Cancel.")})
	case remediation.StepRunning:
		rows = append(rows, []piece{words("since "), at(s.StartedAt)})
	}
	if s.By != "" {
		rows = append(rows, []piece{words("done by "), user(s.By)})
	}
	parts := []part{must(lines(rows...))}
	if s.Error != "" {
		parts = append(parts, must(verbatim(s.Error, 700)))
	} else if s.Output != "" && recent {
		parts = append(parts, spare(verbatim(s.Output, 400)))
	}
	return parts
}

func stepFacts(s remediation.RunStep) string {
	var out string
	if !s.StartedAt.IsZero() && !s.EndedAt.IsZero() {
		out += " · " + seconds(s.EndedAt.Sub(s.StartedAt))
	}
	if s.Observed {
		out += " · seen to have happened already"
	}
	if s.Attempt > 1 {
		out += fmt.Sprintf(" · attempt %d", s.Attempt)
	}
	if s.State == remediation.StepSkipped {
		out += " · not needed"
	}
	return out
}

func seconds(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1f s", max(d, 0).Seconds())
	}
	return span(d)
}

func verdict(r remediation.Run) [][]piece {
	var rows [][]piece
	if r.State == remediation.Verifying {
		rows = append(rows, []piece{words("Watching whether records move again; RUNNING alone proves nothing.")})
	}
	if r.Verdict != "" {
		rows = append(rows, []piece{bold("Verification: "), words(cut(line(r.Verdict), 300))})
	}
	for _, p := range r.Proof[:min(len(r.Proof), 8)] {
		rows = append(rows, []piece{words("• " + cut(line(p), 300))})
	}
	if r.Cancel && r.EndedAt.IsZero() {
		rows = append(rows, []piece{words("Somebody pressed Cancel; it stops before the next step.")})
	}
	if !r.EndedAt.IsZero() {
		rows = append(rows, []piece{italic("Took " + seconds(r.EndedAt.Sub(r.StartedAt)) + ".")})
	}
	return rows
}

func runButtons(r remediation.Run) []press {
	if !r.EndedAt.IsZero() || r.State == remediation.Fixed || r.State == remediation.Failed || r.State == remediation.Cancelled {
		return nil
	}
	base := commands.Command{Incident: r.Incident, Run: r.ID}
	var list []press
	if i := current(r); i < len(r.Steps) {
		if s := r.Steps[i].State; s == remediation.StepWaiting || s == remediation.StepUnknown {
			done := base
			done.Verb, done.Step = commands.VerbDone, i+1
			list = append(list, press{label: fmt.Sprintf("Done: step %d", i+1), style: slackapi.StylePrimary, command: done})
		}
	}
	if !r.Cancel && r.State != remediation.Verifying {
		cancel := base
		cancel.Verb = commands.VerbCancel
		list = append(list, press{label: "Cancel", style: slackapi.StyleDanger, command: cancel})
	}
	return list
}
