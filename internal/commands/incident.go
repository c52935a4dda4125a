package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"cdcbot/internal/incident"
)

func (r *Router) incidentList(ctx context.Context, a ask) Reply {
	all := len(a.args) > 0 && strings.EqualFold(a.args[0], "all")
	list, err := r.Flow.Incidents.List(ctx, incident.Filter{Open: !all, Limit: 50})
	if err != nil {
		return r.fail(err)
	}
	if len(list) == 0 {
		return Reply{Text: "No open incidents.", Suggest: []string{"/cdc incident list all", "/cdc status"}}
	}
	return Reply{Text: fmt.Sprintf("%d incident(s)", len(list)), Incidents: list}
}

// which reads the incident a command is about: by its ID, or, without one, the one whose thread or the only one that is open.
func (r *Router) which(ctx context.Context, a ask, usage string) (string, []string, *Reply) {
	if len(a.args) > 0 && isIncident(a.args[0]) {
		return incidentID(a.args[0]), a.args[1:], nil
	}
	open, err := r.openIncidents(ctx)
	if err != nil {
		reply := r.fail(err)
		return "", nil, &reply
	}
	for _, inc := range open {
		if (a.Thread != "" && inc.Thread.TS == a.Thread) || len(open) == 1 {
			return inc.ID, a.args, nil
		}
	}
	text := "Which incident? Say " + usage + "."
	if len(a.args) > 0 {
		text = fmt.Sprintf("%q is not an incident ID; expected something like INC-7. Say %s.", a.args[0], usage)
	}
	return "", nil, &Reply{Error: true, Text: text, Suggest: []string{"/cdc incident list"}}
}

func isIncident(text string) bool {
	digits := strings.TrimPrefix(incidentID(text), "INC-")
	return digits != "" && !slices.ContainsFunc([]rune(digits), func(c rune) bool { return c < '0' || c > '9' })
}

func (r *Router) incidentShow(ctx context.Context, a ask) Reply {
	id, _, missing := r.which(ctx, a, "/cdc incident show <ID>")
	if missing != nil {
		return *missing
	}
	view, err := r.Flow.View(ctx, id)
	if err != nil {
		return r.fail(err)
	}
	return Reply{Text: id, Incident: &view}
}

// formats are what a timeline can be exported as.
var formats = []string{"md", "html", "json", "csv"}

func (r *Router) incidentExport(ctx context.Context, a ask) Reply {
	id, rest, missing := r.which(ctx, a, "/cdc incident export <ID> [md|html|json|csv]")
	if missing != nil {
		return *missing
	}
	format := "md"
	if len(rest) > 0 {
		format = strings.ToLower(rest[0])
	}
	return r.export(ctx, id, format, a.Command)
}

func (r *Router) export(ctx context.Context, id, format string, c Command) Reply {
	if !slices.Contains(formats, format) {
		return Reply{Error: true, Text: fmt.Sprintf("%q is not a format; expected one of %s.", format, strings.Join(formats, ", "))}
	}
	file, err := r.Export(ctx, id, format)
	if err != nil {
		return r.fail(err)
	}
	if err := r.Flow.Exported(ctx, id, format, ask{Command: c}.by()); err != nil {
		return r.fail(err)
	}
	return Reply{Text: fmt.Sprintf("The timeline of %s as %s.", id, file.Name), File: &file}
}

func (r *Router) incidentAck(ctx context.Context, a ask) Reply {
	return r.onIncident(ctx, a, "/cdc incident ack <ID>", func(id string, _ []string) (string, error) {
		return "You take care of " + id + ".", r.Flow.Acknowledge(ctx, id, a.by())
	})
}

func (r *Router) incidentNote(ctx context.Context, a ask) Reply {
	return r.onIncident(ctx, a, "/cdc incident note <ID> <text>", func(id string, rest []string) (string, error) {
		if len(rest) == 0 {
			return "", wrong("A note needs words. Say /cdc incident note " + id + " <text>.")
		}
		return "Noted in the timeline of " + id + ".", r.Flow.Note(ctx, id, a.by(), "", strings.Join(rest, " "))
	})
}

func (r *Router) incidentClose(ctx context.Context, a ask) Reply {
	return r.onIncident(ctx, a, "/cdc incident close <ID>", func(id string, _ []string) (string, error) {
		return id + " is closed.", r.Flow.Close(ctx, id, a.by())
	})
}

func (r *Router) diagnose(ctx context.Context, a ask) Reply {
	return r.onIncident(ctx, a, "/cdc diagnose <ID>", func(id string, _ []string) (string, error) {
		return "Looking again; the thread of " + id + " will show it in a few seconds.", r.Flow.Diagnose(ctx, id, a.by())
	})
}

func (r *Router) onIncident(ctx context.Context, a ask, usage string, do func(id string, rest []string) (string, error)) Reply {
	id, rest, missing := r.which(ctx, a, usage)
	if missing != nil {
		return *missing
	}
	text, err := do(id, rest)
	if err != nil {
		return r.fail(err)
	}
	return Reply{Text: text}
}
