package commands

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cdcbot/internal/remediation"
)

// silences are the lengths that the form offers; typed ones may be any between the shortest and the longest.
var silences = []string{"30m", "1h", "2h", "4h", "8h", "24h"}

// silence asks for how long and why, then keeps the incident's alert quiet.
func (r *Router) silence(ctx context.Context, c Command) Reply {
	if c.Reason == "" {
		return Reply{Ask: &Question{Title: "Silence the alert", Submit: "Silence", Then: c,
			Intro:  "Alertmanager does not tell of this alert meanwhile, for the connectors of " + c.Incident + ". I go on watching them. The silence ends when the incident is resolved.",
			Fields: []Field{{Name: "for", Label: "For how long", Options: silences, Value: "1h"}, {Name: "reason", Label: "Why", Hint: "Alertmanager and the timeline keep it.", MaxLength: 300}}}}
	}
	within, err := time.ParseDuration(c.Inputs["for"])
	if err != nil {
		return Reply{Error: true, Text: fmt.Sprintf("%q is not a time such as 30m or 2h.", c.Inputs["for"])}
	}
	return r.silenced(ctx, c.Incident, within, c.Reason, by(c))
}

func (r *Router) silenced(ctx context.Context, id string, within time.Duration, why string, by remediation.Person) Reply {
	inc, err := r.Flow.Silence(ctx, id, within, why, by)
	if err != nil {
		return r.fail(err)
	}
	return Reply{Text: fmt.Sprintf("%s is silenced until %s.", inc.Alert, inc.Silence.Until.Format("15:04 UTC")), Suggest: []string{"/cdc unsilence " + id}}
}

// silenceTyped reads "INC-1 for 2h reason"; without a reason it asks for one.
func (r *Router) silenceTyped(ctx context.Context, a ask) Reply {
	var asked *Reply
	reply := r.onIncident(ctx, a, "/cdc silence <ID> for 1h <reason>", func(id string, rest []string) (string, error) {
		within := time.Hour
		if len(rest) >= 2 && strings.EqualFold(rest[0], "for") {
			var err error
			if within, err = time.ParseDuration(rest[1]); err != nil {
				return "", wrong(fmt.Sprintf("%q is not a time such as 30m or 2h. Say /cdc silence %s for 1h <reason>.", rest[1], id))
			}
			rest = rest[2:]
		}
		c := a.Command
		c.Text, c.Verb, c.Incident, c.Reason, c.Inputs = "", VerbSilence, id, strings.Join(rest, " "), map[string]string{"for": within.String()}
		answer := r.silence(ctx, c)
		asked = &answer
		return "", nil
	})
	if asked != nil {
		return *asked
	}
	return reply
}

func (r *Router) unsilence(ctx context.Context, id string, c Command) Reply {
	return r.say("Its alert is heard again.", r.Flow.Unsilence(ctx, id, by(c)))
}

func (r *Router) unsilenceTyped(ctx context.Context, a ask) Reply {
	return r.onIncident(ctx, a, "/cdc unsilence <ID>", func(id string, _ []string) (string, error) {
		return "The alert of " + id + " is heard again.", r.Flow.Unsilence(ctx, id, a.by())
	})
}

// assign asks whom to give the incident to.
func (r *Router) assign(ctx context.Context, c Command) Reply {
	to := c.Inputs["to"]
	if to == "" {
		return Reply{Ask: &Question{Title: "Assign", Submit: "Assign", Then: c, Fields: []Field{{Name: "to", Label: "Who takes care of " + c.Incident, Person: true}}}}
	}
	who, err := r.Flow.People.Person(ctx, to)
	if err != nil {
		return r.fail(err)
	}
	return r.say(who.Name+" takes care of "+c.Incident+".", r.Flow.Assign(ctx, c.Incident, remediation.Person{ID: to, Name: who.Name}, by(c)))
}

func (r *Router) escalateNow(ctx context.Context, c Command) Reply {
	return r.say("The runbook's escalation of "+c.Incident+" begins; the thread shows it.", r.Flow.EscalateNow(ctx, c.Incident, by(c)))
}
