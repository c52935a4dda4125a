package commands

import (
	"context"

	"cdcbot/internal/incident"
	"cdcbot/internal/remediation"
)

// more offers what a card has no room for: every fix, and what one does about an incident as such.
func (r *Router) more(ctx context.Context, c Command) Reply {
	v, err := r.Flow.View(ctx, c.Incident)
	if err != nil {
		return r.fail(err)
	}
	return Reply{Text: "What else can be done about " + c.Incident + "; a fix needs a second person.", Choices: append(fixChoices(v), r.incidentChoices(v)...)}
}

func fixChoices(v remediation.View) []Choice {
	var list []Choice
	for _, f := range v.Fixes {
		list = append(list, Choice{Label: f.Title, Command: Command{Verb: VerbFix, Incident: v.Incident.ID, Section: f.Section, Option: f.Option}})
	}
	return list
}

// incidentChoices are the deeds that the incident's state leaves. What is offered and not possible any more when it is
// pressed is answered with what happened since.
func (r *Router) incidentChoices(v remediation.View) []Choice {
	inc, id := v.Incident, v.Incident.ID
	var list []Choice
	add := func(when bool, label string, verb Verb) {
		if when {
			list = append(list, Choice{Label: label, Command: Command{Verb: verb, Incident: id}})
		}
	}
	open := inc.State != incident.Closed && inc.State != incident.Resolved
	silent := inc.Silence != nil && inc.Silence.Until.After(v.Now)
	add(open, "Assign…", VerbAssign)
	add(inc.State != incident.Closed, "Add a note…", VerbNote)
	add(open && r.Flow.Silencer != nil && inc.Alert != "", "Silence the alert…", VerbSilence)
	add(open && silent, "End the silence", VerbUnsilence)
	add(open && inc.State != incident.Monitoring, "Escalate now", VerbEscalate)
	add(inc.State != incident.Closed, "Close it", VerbClose)
	for _, format := range []string{"md", "html", "json", "csv"} {
		list = append(list, Choice{Label: "Export " + format, Command: Command{Verb: VerbExport, Incident: id, Format: format}})
	}
	return list
}
