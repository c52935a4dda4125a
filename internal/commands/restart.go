package commands

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cdcbot/internal/approval"
	"cdcbot/internal/remediation"
)

// restart asks for the restart of one connector; approval is asked in the incident's thread.
func (r *Router) restart(ctx context.Context, a ask) Reply {
	if len(a.args) == 0 {
		return Reply{Error: true, Text: "Which connector? Say /cdc restart <connector>.", Suggest: []string{"/cdc status"}}
	}
	task, reason, err := taskAndReason(a.args[1:])
	if err != nil {
		return Reply{Error: true, Text: err.Error()}
	}
	p, row, missing := r.find(ctx, a, a.args[0], "restart")
	if missing != nil {
		return *missing
	}
	if task != nil && !hasTask(row, *task) {
		return Reply{Error: true, Text: fmt.Sprintf("%s has no task %d; it has %s.", row.Status.Name, *task, tasks(row))}
	}
	inc, err := r.Flow.IncidentFor(ctx, p.Name, row.Status.Name, a.by())
	if err != nil {
		return r.fail(err)
	}
	return r.request(ctx, remediation.Wish{Incident: inc.ID, By: a.by(), Reason: reason,
		Recipe: remediation.RecipeFor(remediation.Restart, []string{row.Status.Name}, task)})
}

// taskAndReason reads what follows the connector: "task 2", then a reason in free words.
func taskAndReason(args []string) (*int, string, error) {
	if len(args) == 0 || !strings.EqualFold(args[0], "task") {
		return nil, strings.Join(args, " "), nil
	}
	if len(args) < 2 {
		return nil, "", errors.New("which task? Say /cdc restart <connector> task 0")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil || n < 0 {
		return nil, "", fmt.Errorf("%q is not a task number; expected 0 or more", args[1])
	}
	return &n, strings.Join(args[2:], " "), nil
}

// find looks a connector up in the pipelines that the command is about.
func (r *Router) find(ctx context.Context, a ask, name, verb string) (Pipeline, ConnectorRow, *Reply) {
	pipelines, err := r.pipelines(a)
	if err != nil {
		reply := r.fail(err)
		return Pipeline{}, ConnectorRow{}, &reply
	}
	var all, silent []string
	for i, c := range r.clusters(ctx, pipelines, nil) {
		if c.Err != "" {
			silent = append(silent, c.Cluster)
		}
		for _, row := range c.Rows {
			if row.Status.Name == name || strings.EqualFold(row.Status.Name, name) {
				return pipelines[i], row, nil
			}
			all = append(all, row.Status.Name)
		}
	}
	reply := noConnector(name, all, verb, silent)
	return Pipeline{}, ConnectorRow{}, &reply
}

func hasTask(row ConnectorRow, n int) bool {
	for _, t := range row.Status.Tasks {
		if t.ID == n {
			return true
		}
	}
	return false
}

func tasks(row ConnectorRow) string {
	if len(row.Status.Tasks) == 0 {
		return "no tasks now"
	}
	ids := make([]string, len(row.Status.Tasks))
	for i, t := range row.Status.Tasks {
		ids[i] = strconv.Itoa(t.ID)
	}
	return "tasks " + strings.Join(ids, ", ")
}

// request asks for a plan and tells the asker where it waits.
func (r *Router) request(ctx context.Context, w remediation.Wish) Reply {
	req, err := r.Flow.Ask(ctx, w)
	return r.requested(req, err, w.Incident)
}

func (r *Router) requested(req approval.Request, err error, incident string) Reply {
	if errors.Is(err, approval.ErrDuplicate) {
		return Reply{Error: true, Text: fmt.Sprintf("The same plan waits for approval already as %s in %s; a second person can approve it there.", req.ID, incident)}
	}
	if errors.Is(err, remediation.ErrUnderway) {
		return Reply{Error: true, Text: fmt.Sprintf("The same plan is approved already as %s in %s and has not ended; its card shows how far it is.", req.ID, incident)}
	}
	if err != nil {
		return r.fail(err)
	}
	return Reply{Text: fmt.Sprintf("%s asks for “%s” in %s. Now %s must approve; you cannot approve it yourself.", req.ID, req.Title, incident, people(req.Needed))}
}

func people(n int) string {
	if n == 1 {
		return "a second person"
	}
	return fmt.Sprintf("%d other people", n)
}
