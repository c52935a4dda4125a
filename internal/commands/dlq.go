package commands

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cdcbot/internal/remediation"
)

// mostDead is how many records of the dead-letter queue one answer lists.
const mostDead = 15

// onePipeline is the pipeline that a command is about where only one can be meant.
func (r *Router) onePipeline(a ask) (Pipeline, error) {
	list, err := r.pipelines(a)
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("%w: say which with --pipeline; there are: %s", remediation.ErrNoPipeline, r.names())
	}
	if err != nil {
		return Pipeline{}, err
	}
	return list[0], nil
}

// dlqFilter reads error_type=…, table=… and other filters of the CDC API, and "limit 50".
func dlqFilter(args []string) (filter map[string]string, limit int, err error) {
	filter = map[string]string{}
	for i := 0; i < len(args); i++ {
		key, value, pair := strings.Cut(args[i], "=")
		if strings.EqualFold(args[i], "limit") && i+1 < len(args) {
			i++
			key, value, pair = "limit", args[i], true
		}
		switch {
		case !pair || value == "":
			return nil, 0, fmt.Errorf("%q is no filter; expected error_type=…, table=… or limit N", args[i])
		case key == "limit":
			if limit, err = strconv.Atoi(value); err != nil || limit < 1 {
				return nil, 0, fmt.Errorf("limit %q: expected a number of records from 1", value)
			}
		case key == "error_type" || key == "table" || key == "start_date" || key == "end_date":
			filter[key] = value
		default:
			return nil, 0, fmt.Errorf("%q is no filter; expected error_type, table, start_date, end_date or limit", key)
		}
	}
	return filter, limit, nil
}

// dlqList shows what waits in the dead-letter queue.
func (r *Router) dlqList(ctx context.Context, a ask) Reply {
	filter, limit, err := dlqFilter(a.args)
	if err != nil {
		return Reply{Error: true, Text: err.Error()}
	}
	p, err := r.onePipeline(a)
	if err != nil {
		return r.fail(err)
	}
	if limit == 0 || limit > mostDead {
		limit = mostDead
	}
	text, total, err := r.Flow.DeadLetters(ctx, p.Name, filter, limit)
	switch {
	case err != nil:
		return r.fail(err)
	case total == 0:
		return Reply{Text: "No record of " + p.Name + " that fits waits in the dead-letter queue."}
	}
	return Reply{Text: fmt.Sprintf("%d records of %s wait in the dead-letter queue", total, p.Name), Verbatim: text, Suggest: []string{"/cdc dlq replay"}}
}

// dlqReplay asks for a replay of what waits.
func (r *Router) dlqReplay(ctx context.Context, a ask) Reply {
	filter, limit, err := dlqFilter(a.args)
	if err != nil {
		return Reply{Error: true, Text: err.Error()}
	}
	p, err := r.onePipeline(a)
	if err != nil {
		return r.fail(err)
	}
	c := r.cluster(ctx, p, nil)
	if c.Err != "" {
		return r.fail(errors.New(c.Err))
	}
	if len(c.Rows) == 0 {
		return Reply{Error: true, Text: "Pipeline " + p.Name + " has no connectors."}
	}
	inc, err := r.Flow.IncidentFor(ctx, p.Name, c.Rows[0].Status.Name, a.by())
	if err != nil {
		return r.fail(err)
	}
	return r.request(ctx, remediation.Wish{Incident: inc.ID, By: a.by(), Recipe: remediation.RecipeToReplay(filter, limit)})
}
