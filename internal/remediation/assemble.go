package remediation

import (
	"context"

	"cdcbot/internal/approval"
	"cdcbot/internal/chart"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/incident"
)

// View assembles everything there is to show of an incident now.
func (f *Flow) View(ctx context.Context, id string) (View, error) {
	inc, err := f.Incidents.Get(ctx, id)
	if err != nil {
		return View{}, err
	}
	d, err := f.Journal.Diagnosis(ctx, id)
	if err != nil {
		return View{}, err
	}
	runs, err := f.Journal.Runs(ctx, id)
	if err != nil {
		return View{}, err
	}
	requests, err := f.Approvals.ForIncident(ctx, id)
	if err != nil {
		return View{}, err
	}
	notices, err := f.Journal.Notices(ctx, id)
	if err != nil {
		return View{}, err
	}
	open, err := f.unreviewed(ctx, id)
	if err != nil {
		return View{}, err
	}
	count, head, err := f.Timeline.Head(ctx, id)
	if err != nil {
		return View{}, err
	}
	v := View{Head: head, Events: count, Unreviewed: len(open), Notices: notices, Incident: inc, Diagnosis: d, Runs: runs, Reopened: inc.Reopened > 0, Now: f.Now()}
	if inc.State != incident.Closed {
		v.Fixes = f.fixes(inc, d)
	}
	if d != nil {
		v.Pace = pace(inc, *d)
	}
	for _, req := range requests {
		asked, err := f.show(ctx, inc, req)
		if err != nil {
			return View{}, err
		}
		v.Requests = append(v.Requests, asked)
	}
	return v, nil
}

// Asked is one request with its plan.
func (f *Flow) Asked(ctx context.Context, id string) (Asked, error) {
	req, err := f.Approvals.Get(ctx, id)
	if err != nil {
		return Asked{}, err
	}
	inc, err := f.Incidents.Get(ctx, req.Incident)
	if err != nil {
		return Asked{}, err
	}
	return f.show(ctx, inc, req)
}

// Pending are the requests that wait for people now, each with its plan.
func (f *Flow) Pending(ctx context.Context) ([]Asked, error) {
	requests, err := f.Approvals.Pending(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Asked, 0, len(requests))
	for _, req := range requests {
		inc, err := f.Incidents.Get(ctx, req.Incident)
		if err != nil {
			return nil, err
		}
		a, err := f.show(ctx, inc, req)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

func (f *Flow) show(ctx context.Context, inc incident.Incident, req approval.Request) (Asked, error) {
	looks, err := f.Journal.Looks(ctx, inc.ID, req.ID)
	if err != nil {
		return Asked{}, err
	}
	plan, err := f.again(inc, req)
	if err != nil {
		return Asked{Request: req, Looks: looks, Stale: err.Error()}, nil
	}
	return Asked{Request: req, Plan: plan, Looks: looks}, nil
}

// What a chart in a message takes: points, and letters of a name.
const (
	paceStretches = 20
	paceLetters   = 20
)

// pace is the flow for a chart in the thread's first message; nil when too little is known.
func pace(inc incident.Incident, d diagnosis.Diagnosis) *chart.Coarse {
	coarse, err := flowChart(inc, d).Coarse(paceStretches, paceLetters)
	if err != nil {
		return nil // nothing to draw; the first message does without
	}
	return &coarse
}
