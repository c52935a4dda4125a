package commands

import (
	"context"
	"time"

	"cdcbot/internal/approval"
	"cdcbot/internal/incident"
	"cdcbot/internal/remediation"
)

// Home is what one person sees in the bot's App Home: how the pipelines are, and what waits for this person.
type Home struct {
	At        time.Time
	Status    Status
	Incidents []incident.Incident // open, newest first
	Waiting
	Standing []approval.Standing // what people agreed to in advance
	Links    []incident.Link
	Problems []string // what could not be read, in words
}

// Waiting are the requests that wait for a decision, the first to expire first.
type Waiting struct {
	Yours  []remediation.Asked // this person may decide them now
	Asked  []remediation.Asked // this person's own
	Others []remediation.Asked // neither
}

// home reads everything afresh. What cannot be read is named, and the rest is shown all the same.
func (r *Router) home(ctx context.Context, c Command) Reply {
	h := Home{At: r.Now(), Links: r.Links}
	var err error
	note := func(err error) {
		if err != nil {
			h.Problems = append(h.Problems, r.Sentence(err))
		}
	}
	h.Incidents, err = r.openIncidents(ctx)
	note(err)
	h.Status = Status{At: h.At, Clusters: r.clusters(ctx, r.Pipelines, h.Incidents)}
	h.Standing, err = r.Flow.Approvals.Standings(ctx)
	note(err)
	h.Waiting, err = r.waiting(ctx, c)
	note(err)
	return Reply{Text: headline(h.Status), Home: &h}
}
