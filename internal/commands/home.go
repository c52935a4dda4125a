package commands

import (
	"context"
	"slices"
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
	Yours     []remediation.Asked // requests that this person may decide now, the first to expire first
	Asked     []remediation.Asked // this person's own requests that wait for others
	Standing  []approval.Standing // what people agreed to in advance
	Links     []incident.Link
	Problems  []string // what could not be read, in words
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
	pending, err := r.Flow.Pending(ctx)
	note(err)
	slices.SortStableFunc(pending, func(a, b remediation.Asked) int { return a.Request.ExpiresAt.Compare(b.Request.ExpiresAt) })
	for _, a := range pending {
		switch {
		case a.Request.Requester == c.User.ID:
			h.Asked = append(h.Asked, a)
		case r.Flow.MayDecide(ctx, a.Request, by(c)):
			h.Yours = append(h.Yours, a)
		}
	}
	return Reply{Text: headline(h.Status), Home: &h}
}
