package slack

import (
	"fmt"
	"slices"
	"strings"
	"time"

	slackapi "github.com/slack-go/slack"

	"cdcbot/internal/chart"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/incident"
	"cdcbot/internal/redact"
	"cdcbot/internal/remediation"
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
	parts := append(rootParts(v), must(row(rootButtons(v))))
	if v.Pace != nil { // below the buttons: a thumb reaches those first
		parts = append(parts, newer(paceChart(*v.Pace)))
	}
	return parts
}

// paceChart shows how records flowed, with the moment of failure on its axis.
func paceChart(c chart.Coarse) slackapi.Block {
	axis := slackapi.NewDataVisualizationAxisConfig(c.Labels...).WithXLabel("UTC").WithYLabel(cut(line(c.Unit), 50))
	series := make([]slackapi.DataVisualizationDataSeries, len(c.Series))
	for i, s := range c.Series {
		series[i].Name = s.Name
		if redact.Text(s.Name) != s.Name {
			series[i].Name = fmt.Sprintf("connector %d", i+1)
		}
		for at, v := range s.Values {
			series[i].Data = append(series[i].Data, slackapi.NewDataVisualizationDataPoint(c.Labels[at], v))
		}
	}
	return slackapi.NewDataVisualizationBlock(cut(line(redact.Text(c.Title)), 50), slackapi.NewDataVisualizationLineChart(axis, series...))
}

// unexplained names the alert where nothing that was found explains it, and where no runbook answers it: then the alert
// itself is all there is to go by.
func unexplained(v remediation.View) []piece {
	d, inc := v.Diagnosis, v.Incident
	explained := d != nil && d.Top().Slug != diagnosis.None && d.Top().Slug != diagnosis.Unknown
	if explained && inc.Runbook != "" || inc.Alert == "" || d == nil || inc.State == incident.Monitoring {
		return nil
	}
	pieces := []piece{bold("Alert  "), words(cut(line(inc.Alert), 100))}
	if inc.Summary != "" {
		pieces = append(pieces, words(" — "+cut(line(inc.Summary), 400)))
	}
	if inc.Runbook == "" {
		pieces = append(pieces, italic(" (no runbook names it)"))
	}
	return pieces
}

// rootParts is what is known of an incident, the most important first.
func rootParts(v remediation.View) []part {
	title := line(rootText(v))
	parts := []part{must(header(title), note(chips(v)))}
	if cut(title, longestHead) != title {
		parts = append(parts, spare(paragraph(words(cut(title, 600))))) // the header shows its beginning only
	}
	if s := v.Incident.SLOImpact; s != "" {
		parts = append(parts, must(paragraph(bold("SLO impact  "), words(cut(line(s), 300)))))
	}
	if pieces := unexplained(v); pieces != nil {
		parts = append(parts, must(paragraph(pieces...)))
	}
	if s := v.Incident.Summary; s != "" && v.Diagnosis == nil {
		parts = append(parts, must(paragraph(words(cut(line(s), 500)))))
	}
	if v.Incident.State == incident.Monitoring {
		parts = append(parts, must(paragraph(words("Recovered. I keep watching; if it fails again soon, this thread goes on."))))
		if fix := fixedBy(v); fix != nil {
			parts = append(parts, must(fixedLines(*fix)))
		}
	}
	switch {
	case v.Diagnosis != nil && v.Incident.State == incident.Monitoring: // what failed then is not what is now
		parts = append(parts, must(paragraph(bold("It was  "), words(cut(line(v.Diagnosis.Headline), 300)))))
	case v.Diagnosis != nil:
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
	if s := inc.Silence; s != nil && s.Until.After(v.Now) && !ended(inc.State) {
		facts = append(facts, "🔕 silenced until "+token(s.Until))
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
