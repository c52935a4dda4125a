package slack

import (
	"fmt"

	slackapi "github.com/slack-go/slack"

	"cdcbot/internal/connect"
	"cdcbot/internal/diagnosis"
)

const (
	mostEvidence = 3
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
