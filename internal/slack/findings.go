package slack

import (
	"fmt"
	"strings"

	slackapi "github.com/slack-go/slack"

	"cdcbot/internal/connect"
	"cdcbot/internal/diagnosis"
)

const (
	mostEvidence = 4
	mostOthers   = 2
	worthAWord   = 0.3 // of another cause
	mostSubjects = 8
)

// diagnosisParts says what the diagnosis found and why it believes so.
func diagnosisParts(d diagnosis.Diagnosis) []part {
	top := d.Top()
	if d.Well() {
		return healthyParts(d)
	}
	cause := [][]piece{{bold("Most likely: "), words(cut(line(top.Title), 200)), words(sureness(top.Confidence))}}
	if top.Why != "" {
		cause = append(cause, []piece{words(cut(line(top.Why), 400))})
	}
	cause = append(cause, urgency(d)...)
	if len(d.Kin) > 0 {
		cause = append(cause, kin(d.Kin))
	}
	if others := others(d); others != "" {
		cause = append(cause, []piece{italic("Also possible: "), words(others)})
	}
	parts := []part{must(lines(cause...))}
	if len(d.News) > 0 {
		parts = append(parts, must(paragraph(bold("Since I looked before: "), words(cut(line(strings.Join(d.News, "; ")), 600)))))
	}
	if evidence := remarks(top); len(evidence) > 0 {
		parts = append(parts, must(titled("What I saw", slackapi.RTEListBullet, evidence...)))
	}
	if len(top.Mend) > 0 {
		parts = append(parts, must(paragraph(bold("What would bring the table up to date"), words(" (run it, or let it be a step of the runbook):"))), must(verbatim(strings.Join(top.Mend, ";\n")+";", biggestExcerpt)))
	}
	if d.Excerpt != "" {
		parts = append(parts, spare(verbatim(d.Excerpt, biggestExcerpt)))
	}
	if table := subjectLines(d.Subjects); len(table) > 1 {
		parts = append(parts, spare(lines(table...)))
	}
	return parts
}

// kin names the other incidents that mending this cause would mend.
func kin(list []diagnosis.Kin) []piece {
	var names []string
	for _, k := range list[:min(len(list), mostOthers)] {
		names = append(names, fmt.Sprintf("%s (%s)", k.Incident, cut(line(k.Pipeline), 60)))
	}
	text := strings.Join(names, ", ")
	if rest := len(list) - len(names); rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return []piece{words("🔗 "), bold("Same cause as "), words(text + ": " + cut(line(list[0].Why), 200) + ". Mend it once.")}
}

// urgency says until when nothing is lost by waiting, and what may heal it without anybody.
func urgency(d diagnosis.Diagnosis) [][]piece {
	var rows [][]piece
	if len(d.Clocks) > 0 && d.Clocks[0].Known() {
		rows = append(rows, []piece{words("⏳ "), bold("Data: "), words(cut(line(d.Clock()), 400))})
	}
	for _, h := range d.Healers {
		if !h.Exhausted || h.Owner != "" { // what has given up is no news: somebody has been called
			rows = append(rows, []piece{words("🔁 " + cut(line(h.Say()), 400))})
		}
	}
	return rows[:min(len(rows), mostEvidence)]
}

// others are the next best causes, in a few words.
func others(d diagnosis.Diagnosis) string {
	if len(d.Causes) == 0 {
		return ""
	}
	var names []string
	for _, c := range d.Causes[1:min(len(d.Causes), mostOthers+1)] {
		if c.Confidence < worthAWord {
			continue
		}
		names = append(names, fmt.Sprintf("%s (%.0f %%)", cut(line(c.Title), 80), 100*c.Confidence))
	}
	return strings.Join(names, ", ")
}

// healthyParts: when nothing fails any more there is no cause to rank, only how things stand.
func healthyParts(d diagnosis.Diagnosis) []part {
	parts := []part{must(paragraph(words("🟢 Nothing fails now, as of "), at(d.At), words(".")))}
	if table := subjectLines(d.Subjects); len(table) > 0 {
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
