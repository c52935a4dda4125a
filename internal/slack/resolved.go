package slack

import (
	"fmt"
	"slices"
	"time"

	slackapi "github.com/slack-go/slack"

	"cdcbot/internal/commands"
	"cdcbot/internal/incident"
	"cdcbot/internal/remediation"
)

// outcome says in a few words how it ended: "recovered after 12 min by: Restart failed tasks".
func outcome(v remediation.View) string {
	inc := v.Incident
	if inc.State == incident.Closed && inc.MitigatedAt.IsZero() && inc.ResolvedAt.IsZero() {
		return "closed by a person; I did not see it recover"
	}
	out := "recovered"
	if took := since(inc.StartedAt, recoveredAt(inc)); took != "" {
		out += " after " + took
	}
	if fix := fixedBy(v); fix != nil {
		out += " by: " + fix.Title
	}
	switch inc.State {
	case incident.Closed:
		return out + "; closed"
	case incident.Monitoring:
		return out + "; being watched"
	}
	return out
}

func recoveredAt(inc incident.Incident) time.Time {
	for _, t := range []time.Time{inc.MitigatedAt, inc.ResolvedAt} {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func fixedBy(v remediation.View) *remediation.Run {
	for i := len(v.Runs) - 1; i >= 0; i-- {
		if v.Runs[i].State == remediation.Fixed {
			return &v.Runs[i]
		}
	}
	return nil
}

// resolvedParts is what stays of an incident in the channel: what it was, how long it took, who did what.
func resolvedParts(v remediation.View) []part {
	inc := v.Incident
	parts := []part{must(header(rootText(v)), note(chips(v)))}
	if d := v.Diagnosis; d != nil && !d.Well() {
		parts = append(parts, must(paragraph(bold("Cause  "), words(cut(line(d.Top().Title), 200)))))
	}
	if rows := durations(inc); len(rows) > 0 {
		parts = append(parts, must(lines(rows...)))
	}
	if fix := fixedBy(v); fix != nil {
		parts = append(parts, must(fixedLines(*fix)))
	}
	if v.Unreviewed > 0 {
		parts = append(parts, must(paragraph(words("🚨 "), bold("One person acted alone. "), words("Somebody else has to review it before this can be closed."))))
	}
	if who := involved(v); len(who) > 0 {
		parts = append(parts, spare(paragraph(who...)))
	}
	if v.Head != "" {
		parts = append(parts, spare(note(fmt.Sprintf("Timeline: %d events, head `%s`", v.Events, cut(tame(v.Head), 16)))))
	}
	return append(parts, must(row(closingButtons(v))))
}

func durations(inc incident.Incident) [][]piece {
	var rows [][]piece
	for _, d := range []struct {
		name string
		to   time.Time
	}{{"Taken after  ", inc.AcknowledgedAt}, {"Recovered after  ", inc.MitigatedAt}, {"Resolved after  ", inc.ResolvedAt}} {
		if took := since(inc.StartedAt, d.to); took != "" {
			rows = append(rows, []piece{bold(d.name), words(took)})
		}
	}
	return rows
}

func fixedLines(r remediation.Run) block {
	rows := [][]piece{{bold("Fixed by  "), words(cut(line(r.Title), 150) + " (" + r.ID + ")")}}
	if r.Requester != "" {
		rows = append(rows, []piece{bold("Asked for by  "), user(r.Requester)})
	}
	if len(r.Approvers) > 0 {
		rows = append(rows, append([]piece{bold("Approved by  ")}, people(r.Approvers)...))
	}
	for _, p := range r.Proof[:min(len(r.Proof), 3)] {
		rows = append(rows, []piece{words("✓ " + cut(line(p), 200))})
	}
	return lines(rows...)
}

// involved lists everybody who did something, once.
func involved(v remediation.View) []piece {
	var ids []string
	add := func(id string) {
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	add(v.Incident.Owner)
	for _, a := range v.Requests {
		add(a.Request.Requester)
		for _, d := range a.Request.Decisions {
			add(d.User)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return append([]piece{bold("People  ")}, people(ids)...)
}

func people(ids []string) []piece {
	var pieces []piece
	for i, id := range ids[:min(len(ids), 20)] {
		if i > 0 {
			pieces = append(pieces, words(", "))
		}
		pieces = append(pieces, user(id))
	}
	return pieces
}

func closingButtons(v remediation.View) (visible, more []press) {
	inc := v.Incident
	if v.Unreviewed > 0 {
		visible = append(visible, press{label: "Review", style: slackapi.StylePrimary, command: commands.Command{Verb: commands.VerbReview, Incident: inc.ID}})
	}
	for _, f := range []struct{ label, format string }{{"Export review (html)", "html"}, {"Export review (md)", "md"}, {"Export JSON", "json"}, {"Export CSV", "csv"}} {
		p := press{label: f.label, command: commands.Command{Verb: commands.VerbExport, Incident: inc.ID, Format: f.format}}
		if len(visible) < 3 {
			visible = append(visible, p)
		} else {
			more = append(more, p)
		}
	}
	if inc.State != incident.Closed {
		more = append(more, press{label: "Close the incident", command: commands.Command{Verb: commands.VerbClose, Incident: inc.ID}})
	}
	return visible, append(more, press{label: "Add a note", command: commands.Command{Verb: commands.VerbNote, Incident: inc.ID}})
}
