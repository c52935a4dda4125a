package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"cdcbot/internal/remediation"
)

// move asks for a pause, resume or stop of one connector, or of all connectors of a pipeline.
func move(section string) handler {
	return func(r *Router, ctx context.Context, a ask) Reply {
		if len(a.args) == 0 {
			return Reply{Error: true, Text: fmt.Sprintf("Which connector or pipeline? Say /cdc %s <connector>.", section), Suggest: []string{"/cdc status"}}
		}
		p, names, missing := r.targets(ctx, a, a.args[0], section)
		if missing != nil {
			return *missing
		}
		inc, err := r.Flow.IncidentFor(ctx, p.Name, names[0], a.by())
		if err != nil {
			return r.fail(err)
		}
		return r.request(ctx, remediation.Wish{Incident: inc.ID, By: a.by(), Reason: strings.Join(a.args[1:], " "), Recipe: remediation.RecipeFor(section, names, nil)})
	}
}

// targets are the connectors that a name means: the connector itself, else all of the pipeline with that name.
func (r *Router) targets(ctx context.Context, a ask, name, verb string) (Pipeline, []string, *Reply) {
	i := slices.IndexFunc(r.Pipelines, func(p Pipeline) bool { return p.Name == name })
	if i < 0 {
		p, row, missing := r.find(ctx, a, name, verb)
		return p, []string{row.Status.Name}, missing
	}
	p := r.Pipelines[i]
	if _, row, missing := r.find(ctx, a, name, verb); missing == nil {
		return p, []string{row.Status.Name}, nil // a connector with the pipeline's name is meant first
	}
	c := r.cluster(ctx, p, nil)
	var names []string
	for _, row := range c.Rows {
		names = append(names, row.Status.Name)
	}
	slices.Sort(names)
	switch {
	case c.Err != "":
		return p, nil, &Reply{Error: true, Text: fmt.Sprintf("The connectors of pipeline %s cannot be listed: %s", name, c.Err)}
	case len(names) == 0:
		return p, nil, &Reply{Error: true, Text: fmt.Sprintf("Pipeline %s has no connectors.", name)}
	}
	return p, names, nil
}

// incidentAssign gives an incident to somebody, whom the person mentions.
func (r *Router) incidentAssign(ctx context.Context, a ask) Reply {
	return r.onIncident(ctx, a, "/cdc incident assign <ID> @person", func(id string, rest []string) (string, error) {
		if len(a.Mentions) != 1 {
			return "", wrong("Who is to take it? Say /cdc incident assign " + id + " @person.")
		}
		to := a.Mentions[0]
		return to.Name + " takes care of " + id + ".", r.Flow.Assign(ctx, id, remediation.Person{ID: to.ID, Name: to.Name}, a.by())
	})
}

// escalate does now what the runbook says for an incident that does not recover.
func (r *Router) escalate(ctx context.Context, a ask) Reply {
	return r.onIncident(ctx, a, "/cdc escalate <ID>", func(id string, rest []string) (string, error) {
		return "The runbook's escalation of " + id + " begins; the thread shows it.", r.Flow.EscalateNow(ctx, id, a.by())
	})
}
