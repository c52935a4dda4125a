package slack

import (
	"fmt"
	"strings"

	slackapi "github.com/slack-go/slack"

	"cdcbot/internal/approval"
	"cdcbot/internal/commands"
	"cdcbot/internal/incident"
	"cdcbot/internal/remediation"
)

const mostFixes = 4

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
	} else {
		visible = append(visible, press{label: "Export review (md)", command: commands.Command{Verb: commands.VerbExport, Incident: id, Format: "md"}})
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

// rest fills the menu: fixes first, but the export and the way to everything else always have their places.
func rest(fixes []press, v remediation.View, look press) []press {
	id := v.Incident.ID
	fixed := []press{
		{label: "Export the timeline", command: commands.Command{Verb: commands.VerbExport, Incident: id, Format: "md"}},
		{label: "More…", command: commands.Command{Verb: commands.VerbMore, Incident: id}},
	}
	if v.Incident.Owner == "" {
		fixed = append([]press{look}, fixed...)
	}
	return append(fixes[:min(len(fixes), mostOptions-len(fixed))], fixed...)
}
