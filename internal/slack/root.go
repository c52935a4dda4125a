package slack

import (
	"fmt"
	"slices"
	"strings"
	"time"

	slackapi "github.com/slack-go/slack"

	"cdcbot/internal/approval"
	"cdcbot/internal/commands"
	"cdcbot/internal/connect"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/incident"
	"cdcbot/internal/remediation"
)

const (
	mostEvidence = 3
	mostFixes    = 4
	mostSubjects = 8
)

// subject is what an incident is about, in a few words: "postgres-sink-connector FAILED", "500 connectors FAILED".
func subject(inc incident.Incident, d *diagnosis.Diagnosis) string {
	names := inc.Connectors()
	if len(names) == 0 {
		names = everAffected(inc)
	}
	word := alarm(names, d)
	switch len(names) {
	case 0:
		return inc.Alert
	case 1:
		return strings.TrimSpace(cut(names[0], 80) + " " + word)
	}
	return strings.TrimSpace(fmt.Sprintf("%d connectors %s", len(names), word))
}

func everAffected(inc incident.Incident) []string {
	var names []string
	for _, a := range inc.Affected {
		if a.Connector != "" {
			names = append(names, a.Connector)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// alarm is the state word of the connectors, as the diagnosis saw them.
func alarm(names []string, d *diagnosis.Diagnosis) string {
	if d == nil {
		return ""
	}
	for _, s := range d.Subjects {
		for _, n := range names {
			if s.Connector == n && (len(s.Failed) > 0 || s.State == "FAILED") {
				return "FAILED"
			}
			if s.Connector == n && s.State != "RUNNING" {
				return s.State
			}
		}
	}
	return ""
}

// rootText says it all in one line: it is what a phone shows on its lock screen.
func rootText(v remediation.View) string {
	inc := v.Incident
	out := stateEmoji(inc.State) + " " + inc.ID + " · "
	if ended(inc.State) || inc.State == incident.Monitoring {
		return out + subject(inc, nil) + " — " + outcome(v)
	}
	return out + subject(inc, v.Diagnosis) + headline(v)
}

func ended(s incident.State) bool { return s == incident.Resolved || s == incident.Closed }

func headline(v remediation.View) string {
	d := v.Diagnosis
	if d == nil {
		return " — looking for the cause"
	}
	text := d.Headline
	for _, n := range v.Incident.Connectors() {
		text = strings.TrimPrefix(text, n+": ")
	}
	if text == "" {
		text = d.Top().Title
	}
	return " — " + text
}

// rootCardParts is the thread's first message, with what can be pressed.
func rootCardParts(v remediation.View) []part {
	if ended(v.Incident.State) {
		return resolvedParts(v)
	}
	return append(rootParts(v), must(row(rootButtons(v))))
}

// rootParts is what is known of an incident, the most important first.
func rootParts(v remediation.View) []part {
	parts := []part{must(header(rootText(v)), note(chips(v)))}
	if s := v.Incident.SLOImpact; s != "" {
		parts = append(parts, must(paragraph(bold("SLO impact  "), words(cut(line(s), 300)))))
	}
	if s := v.Incident.Summary; s != "" && v.Diagnosis == nil {
		parts = append(parts, must(paragraph(words(cut(line(s), 500)))))
	}
	if v.Incident.State == incident.Monitoring {
		parts = append(parts, must(paragraph(words("Recovered. I keep watching; if it fails again soon, this thread goes on."))))
	}
	if v.Diagnosis != nil {
		parts = append(parts, diagnosisParts(*v.Diagnosis)...)
	}
	if v.Incident.State != incident.Monitoring {
		parts = append(parts, fixParts(v)...)
	}
	if links := v.Incident.Links; len(links) > 0 {
		parts = append(parts, spare(linkLine(links)))
	}
	return parts
}

// chips is the small line below the title.
func chips(v remediation.View) string {
	inc := v.Incident
	facts := []string{"*" + strings.ToUpper(string(inc.State)) + "*", "since " + token(inc.StartedAt)}
	for _, s := range []string{inc.Severity, inc.Pipeline} {
		if s != "" {
			facts = append(facts, tame(s))
		}
	}
	switch {
	case userID.MatchString(inc.Owner):
		facts = append(facts, "<@"+inc.Owner+"> takes care")
	case inc.Owner != "":
		facts = append(facts, tame(inc.Owner)+" takes care")
	case !ended(inc.State):
		facts = append(facts, "nobody has taken it yet")
	}
	if inc.Reopened > 0 {
		facts = append(facts, "came back "+count(inc.Reopened, "time", "times"))
	}
	return strings.Join(facts, " · ")
}

// tame makes a short word from elsewhere harmless inside our own markup.
func tame(s string) string {
	return escape(strings.Map(func(r rune) rune {
		if strings.ContainsRune("*_~`|<>&", r) {
			return '·'
		}
		return r
	}, cut(line(s), 80)))
}

func diagnosisParts(d diagnosis.Diagnosis) []part {
	top := d.Top()
	cause := [][]piece{{bold("Most likely: "), words(cut(line(top.Title), 200)), words(sureness(top.Confidence))}}
	if top.Why != "" {
		cause = append(cause, []piece{words(cut(line(top.Why), 400))})
	}
	parts := []part{must(lines(cause...))}
	if evidence := remarks(top); len(evidence) > 0 {
		parts = append(parts, must(titled("What I saw", slackapi.RTEListBullet, evidence...)))
	}
	if d.Excerpt != "" {
		parts = append(parts, spare(verbatim(d.Excerpt, biggestExcerpt)))
	}
	if table := subjectLines(d.Subjects); len(table) > 1 {
		parts = append(parts, spare(lines(table...)))
	}
	return parts
}

func sureness(confidence float64) string {
	switch {
	case confidence <= 0:
		return ""
	case confidence >= 0.8:
		return " (sure)"
	case confidence >= 0.5:
		return " (likely)"
	}
	return " (a guess)"
}

func remarks(c diagnosis.Cause) [][]piece {
	var rows [][]piece
	for _, r := range c.For[:min(len(c.For), mostEvidence)] {
		rows = append(rows, remark("", r))
	}
	for _, r := range c.Against[:min(len(c.Against), mostEvidence-len(rows))] {
		rows = append(rows, remark("Against it: ", r))
	}
	return rows
}

func remark(prefix string, r diagnosis.Remark) []piece {
	row := []piece{words(prefix + cut(line(r.Text), 300))}
	if r.Source != "" {
		row = append(row, italic(" — "+cut(line(r.Source), 100)))
	}
	if !r.At.IsZero() {
		row = append(row, words(", "), at(r.At))
	}
	return row
}

// subjectLines is the table of connectors, the failing ones first; one healthy connector alone needs no table.
func subjectLines(list []diagnosis.Line) [][]piece {
	var sick, well [][]piece
	for _, s := range list {
		state := connect.State(s.State)
		if len(s.Failed) > 0 {
			state = "FAILED"
		}
		r := []piece{words(sign(state) + " "), bold(string(state)), words("  "), code(cut(line(s.Connector), 120)), words(failedTasks(s))}
		if state == "RUNNING" {
			well = append(well, r)
		} else {
			sick = append(sick, r)
		}
	}
	rows := append(sick, well...)
	if len(rows) > mostSubjects {
		rest := len(rows) - mostSubjects
		rows = append(rows[:mostSubjects], []piece{italic(count(rest, "more connector", "more connectors")), words(": "), code("/cdc status")})
	}
	return rows
}

func failedTasks(s diagnosis.Line) string {
	if len(s.Failed) == 0 {
		return "  " + count(s.Tasks, "task", "tasks")
	}
	out := fmt.Sprintf("  %d of %d tasks: %s", len(s.Failed), s.Tasks, numbers(append([]int{}, s.Failed...), 8))
	if s.Worker != "" {
		out += " on " + cut(line(s.Worker), 60)
	}
	return out
}

// fixParts says what each fix would do, before anybody presses it.
func fixParts(v remediation.View) []part {
	if r := underWay(v); r != nil {
		return []part{must(paragraph(words("🔧 "), bold(r.ID), words(" is under way below: "+cut(line(r.Title), 150))))}
	}
	shown := v.Fixes[:min(len(v.Fixes), mostFixes)]
	if len(shown) == 0 {
		if v.Diagnosis == nil {
			return nil
		}
		return []part{must(paragraph(words("I know no fix for this. A person has to look; say what you find in this thread, it is kept.")))}
	}
	rows := make([][]piece, len(shown))
	for i, f := range shown {
		rows[i] = fixLine(f)
	}
	parts := []part{must(titled("What you can ask for (a second person approves)", slackapi.RTEListOrdered, rows...))}
	if waiting := pending(v); waiting != "" {
		parts = append(parts, must(paragraph(words("🟡 "+waiting+" below."))))
	}
	return parts
}

// underWay is the run that has not ended, nil when there is none.
func underWay(v remediation.View) *remediation.Run {
	for i := range v.Runs {
		if s := v.Runs[i].State; s == remediation.Running || s == remediation.Waiting || s == remediation.Verifying {
			return &v.Runs[i]
		}
	}
	return nil
}

func fixLine(f remediation.Fix) []piece {
	row := []piece{bold(cut(line(f.Title), 100))}
	if f.Recommended {
		row = append(row, words(" · recommended"))
	}
	row = append(row, words(" — "+cut(line(f.Effect), 300)))
	if f.Manual > 0 {
		row = append(row, words(fmt.Sprintf(" %d of %d steps are done by a person.", f.Manual, f.Steps)))
	}
	return row
}

func pending(v remediation.View) string {
	var ids []string
	for _, a := range v.Requests {
		if a.Request.State == approval.Pending {
			ids = append(ids, a.Request.ID)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	verb := "waits"
	if len(ids) > 1 {
		verb = "wait"
	}
	return strings.Join(ids, ", ") + " " + verb + " for approval"
}

// rootButtons are at most three visible buttons, the recommended fix first; the rest stands behind "…".
func rootButtons(v remediation.View) (visible, more []press) {
	id := v.Incident.ID
	if v.Incident.State != incident.Monitoring {
		visible, more = fixButtons(v)
	}
	look := press{label: "Look again", command: commands.Command{Verb: commands.VerbDiagnose, Incident: id}}
	if v.Incident.Owner == "" {
		visible = append(visible, press{label: "I take it", command: commands.Command{Verb: commands.VerbAcknowledge, Incident: id}})
	} else {
		visible = append(visible, look)
	}
	return visible, rest(more, v, look)
}

// fixButtons: while a run is under way, another fix is a second thought and stands in the menu.
func fixButtons(v remediation.View) (visible, more []press) {
	calm := underWay(v) == nil
	for i, f := range v.Fixes {
		p := press{label: f.Title, command: commands.Command{Verb: commands.VerbFix, Incident: v.Incident.ID, Section: f.Section, Option: f.Option}}
		if !calm || f.Emergency || len(visible) == 2 {
			more = append(more, p)
			continue
		}
		if f.Recommended && i == 0 {
			p.style = slackapi.StylePrimary
		}
		visible = append(visible, p)
	}
	return visible, more
}

// rest fills the menu: fixes first, but the export always has its place.
func rest(fixes []press, v remediation.View, look press) []press {
	export := press{label: "Export the timeline", command: commands.Command{Verb: commands.VerbExport, Incident: v.Incident.ID, Format: "md"}}
	fixed := []press{export}
	if v.Incident.Owner == "" {
		fixed = []press{look, export}
	}
	return append(fixes[:min(len(fixes), mostOptions-len(fixed))], fixed...)
}

func linkLine(links []incident.Link) slackapi.Block {
	var pieces []piece
	for _, l := range links[:min(len(links), 5)] {
		if len(pieces) > 0 {
			pieces = append(pieces, words(" · "))
		}
		pieces = append(pieces, anchor(l.URL, cut(line(l.Title), 80)))
	}
	return paragraph(pieces...)
}

func since(from, to time.Time) string {
	if from.IsZero() || to.IsZero() {
		return ""
	}
	return span(to.Sub(from))
}
