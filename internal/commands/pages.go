package commands

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"cdcbot/internal/remediation"
)

// menu is what /cdc alone says: how things are in one line, and where to go from here.
func (r *Router) menu(ctx context.Context, a ask) Reply {
	h := r.home(ctx, a.Command).Home
	facts := []string{headline(h.Status)}
	for _, f := range []struct {
		n         int
		one, many string
	}{
		{len(h.Incidents), "open incident", "open incidents"},
		{len(h.Yours), "plan waits for you", "plans wait for you"},
		{len(h.Asked), "plan of yours waits for others", "plans of yours wait for others"},
	} {
		switch {
		case f.n == 1:
			facts = append(facts, "1 "+f.one)
		case f.n > 1:
			facts = append(facts, fmt.Sprintf("%d %s", f.n, f.many))
		}
	}
	facts = append(facts, h.Problems...)
	return Reply{Text: strings.Join(facts, " · "), Choices: []Choice{
		{"Status", Command{Verb: VerbStatus}}, {"Open incidents", Command{Verb: VerbIncidents}},
		{"Approvals", Command{Verb: VerbApprovals}}, {"All commands", Command{Verb: VerbHelp}},
	}}
}

// greet tells a channel what the bot is for and which pipelines it will tell about there.
func (r *Router) greet(_ context.Context, c Command) Reply {
	var here []string
	for _, p := range r.Pipelines {
		if cmp.Or(p.Channel, r.Channel) == c.Channel {
			here = append(here, p.Name)
		}
	}
	about := "Failures of the pipelines are told where they are configured to be (slack.channel)."
	if len(here) > 0 {
		about = "When " + strings.Join(here, ", ") + " breaks, I open a thread here: what broke, why, and buttons for what to do."
	}
	return Reply{Text: "Hello. I look after Kafka Connect pipelines. " + about + " Nothing runs unless two people agree, and everything is written down. /cdc shows how things are.",
		Choices: []Choice{{"Status", Command{Verb: VerbStatus}}, {"All commands", Command{Verb: VerbHelp}}}}
}

// approvals lists what waits for a decision: this person's first, with the buttons of the thread.
func (r *Router) approvals(ctx context.Context, c Command) Reply {
	w, err := r.waiting(ctx, c)
	switch {
	case err != nil:
		return r.fail(err)
	case len(w.Yours)+len(w.Asked)+len(w.Others) == 0:
		return Reply{Text: "Nothing waits for an approval.", Suggest: []string{"/cdc incident list"}}
	}
	return Reply{Text: fmt.Sprintf("%d of %d waiting plans can be decided by you", len(w.Yours), len(w.Yours)+len(w.Asked)+len(w.Others)), Waiting: &w}
}

// waiting sorts the requests that wait by what this person can do about them.
func (r *Router) waiting(ctx context.Context, c Command) (Waiting, error) {
	pending, err := r.Flow.Pending(ctx)
	if err != nil {
		return Waiting{}, err
	}
	var w Waiting
	slices.SortStableFunc(pending, func(a, b remediation.Asked) int { return a.Request.ExpiresAt.Compare(b.Request.ExpiresAt) })
	for _, a := range pending {
		switch {
		case a.Request.Requester == c.User.ID:
			w.Asked = append(w.Asked, a)
		case r.Flow.MayDecide(ctx, a.Request, by(c)):
			w.Yours = append(w.Yours, a)
		default:
			w.Others = append(w.Others, a)
		}
	}
	return w, nil
}
