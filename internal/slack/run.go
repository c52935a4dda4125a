package slack

import (
	"fmt"
	"slices"
	"strings"
	"time"

	slackapi "github.com/slack-go/slack"

	"cdcbot/internal/commands"
	"cdcbot/internal/redact"
	"cdcbot/internal/remediation"
)

const (
	mostSteps   = 20
	longestTask = 250 // title of a task card
	recentSteps = 3   // steps before the current one whose output is still shown
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
	parts = append(parts, stepsParts(r)...)
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

// stepsParts shows the steps around the current one: as a plan of task cards, and where Slack has none as text.
func stepsParts(r remediation.Run) []part {
	from := max(0, min(current(r)-mostSteps/2, len(r.Steps)-mostSteps))
	shown := r.Steps[from:min(from+mostSteps, len(r.Steps))]
	var before, listed, after []part
	if from > 0 {
		before = append(before, must(paragraph(italic(count(from, "step", "steps")+" done before."))))
	}
	for i, s := range shown {
		recent := from+i >= current(r)-recentSteps
		listed = append(listed, stepParts(from+i+1, s, recent)...)
	}
	if more := len(r.Steps) - from - len(shown); more > 0 {
		after = append(after, must(paragraph(italic(count(more, "more step", "more steps")+" to come."))))
	}
	if len(shown) > 0 {
		listed = append([]part{newer(planOf(r, from, shown), listed...)}, unfolded(from, shown)...)
	}
	return slices.Concat(before, listed, after)
}

// taskStates are the signs that Slack has for a step; what they do not tell is said in the step's title.
var taskStates = map[remediation.StepState]slackapi.TaskCardStatus{
	remediation.StepPending:   slackapi.TaskCardStatusPending,
	remediation.StepRunning:   slackapi.TaskCardStatusInProgress,
	remediation.StepWaiting:   slackapi.TaskCardStatusInProgress,
	remediation.StepSucceeded: slackapi.TaskCardStatusComplete,
	remediation.StepSkipped:   slackapi.TaskCardStatusComplete,
	remediation.StepFailed:    slackapi.TaskCardStatusError,
	remediation.StepUnknown:   slackapi.TaskCardStatusError,
}

// planOf draws steps as task cards; from is how many steps stand before them.
func planOf(r remediation.Run, from int, steps []remediation.RunStep) slackapi.Block {
	cards := make([]*slackapi.TaskCardBlock, len(steps))
	for i, s := range steps {
		cards[i] = taskCard(from+i+1, s, from+i >= current(r)-recentSteps)
	}
	title := fmt.Sprintf("%d of %s done", min(current(r), len(r.Steps)), count(len(r.Steps), "step", "steps"))
	return slackapi.NewPlanBlock(title).WithTasks(cards...)
}

func taskCard(n int, s remediation.RunStep, recent bool) *slackapi.TaskCardBlock {
	head := fmt.Sprintf("%d. %s%s", n, cut(line(titleOf(s)), 180), stepFacts(s))
	if forPeople(s) || s.State == remediation.StepSkipped {
		head = stepSigns[s.State] + " " + head
	}
	c := slackapi.NewTaskCardBlock(fmt.Sprintf("step-%d", n), cut(redact.Text(head), longestTask)).WithStatus(taskStates[s.State])
	if rows := stepDetails(s); len(rows) > 0 && !forPeople(s) {
		c.WithDetails(lines(rows...).(*slackapi.RichTextBlock))
	}
	if s.Output != "" && s.Error == "" && recent {
		c.WithOutput(verbatim(s.Output, 400).(*slackapi.RichTextBlock))
	}
	return c
}

// unfolded is what must be read without opening a card: what a person has to do, and errors; from is how many steps stand
// before these.
func unfolded(from int, steps []remediation.RunStep) []part {
	var parts []part
	for i, s := range steps {
		if rows := stepDetails(s); forPeople(s) && len(rows) > 0 {
			rows[0] = append([]piece{bold(fmt.Sprintf("Step %d: ", from+i+1))}, rows[0]...)
			parts = append(parts, newer(lines(rows...)))
		}
		if s.Error != "" {
			parts = append(parts, newer(verbatim(fmt.Sprintf("step %d: %s", from+i+1, s.Error), 700)))
		}
	}
	return parts
}

// forPeople says that a step waits for somebody.
func forPeople(s remediation.RunStep) bool {
	return s.State == remediation.StepWaiting || s.State == remediation.StepUnknown
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
	head := []piece{words(stepSigns[s.State] + " "), bold(fmt.Sprintf("%d. ", n)), words(cut(line(titleOf(s)), 200)), italic(stepFacts(s))}
	parts := []part{must(lines(append([][]piece{head}, stepDetails(s)...)...))}
	if s.Error != "" {
		parts = append(parts, must(verbatim(s.Error, 700)))
	} else if s.Output != "" && recent {
		parts = append(parts, spare(verbatim(s.Output, 400)))
	}
	return parts
}

func titleOf(s remediation.RunStep) string {
	if s.Title == "" {
		return s.Effect
	}
	return s.Title
}

// stepDetails is what there is to say of a step besides its title.
func stepDetails(s remediation.RunStep) [][]piece {
	var rows [][]piece
	if s.Effect != "" && s.Effect != titleOf(s) && (s.State == remediation.StepWaiting || s.State == remediation.StepRunning || s.State == remediation.StepUnknown) {
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
	return rows
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
