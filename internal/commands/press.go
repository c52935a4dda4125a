package commands

import (
	"context"
	"errors"
	"fmt"

	"cdcbot/internal/approval"
	"cdcbot/internal/remediation"
)

// wrong is what a person typed and could not be meant; the text says what to type.
type wrong string

func (w wrong) Error() string { return string(w) }

// presses says what each button does.
func presses() map[Verb]func(*Router, context.Context, Command) Reply {
	return map[Verb]func(*Router, context.Context, Command) Reply{
		VerbFix:         (*Router).fix,
		VerbApprove:     (*Router).approve,
		VerbReject:      (*Router).reject,
		VerbWithdraw:    (*Router).withdraw,
		VerbAgain:       (*Router).again,
		VerbGlass:       (*Router).glass,
		VerbReview:      (*Router).review,
		VerbShowPlan:    (*Router).showPlan,
		VerbCancel:      (*Router).cancel,
		VerbDone:        (*Router).done,
		VerbRetry:       goOn(remediation.Retry),
		VerbOmit:        goOn(remediation.Omit),
		VerbTakeBack:    goOn(remediation.TakeBack),
		VerbAcknowledge: (*Router).acknowledge,
		VerbDiagnose:    (*Router).lookAgain,
		VerbNote:        (*Router).note,
		VerbExport:      func(r *Router, ctx context.Context, c Command) Reply { return r.export(ctx, c.Incident, c.Format, c) },
		VerbClose:       (*Router).close,
		VerbMore:        (*Router).more,
		VerbAssign:      (*Router).assign,
		VerbSilence:     (*Router).silence,
		VerbUnsilence:   func(r *Router, ctx context.Context, c Command) Reply { return r.unsilence(ctx, c.Incident, c) },
		VerbEscalate:    (*Router).escalateNow,
		VerbStatus:      (*Router).statusPage,
		VerbIncidents:   func(r *Router, ctx context.Context, c Command) Reply { return r.incidentList(ctx, ask{Command: c}) },
		VerbApprovals:   (*Router).approvals,
		VerbHelp:        func(r *Router, ctx context.Context, c Command) Reply { return r.help(ctx, ask{Command: c}) },
		VerbGreet:       (*Router).greet,
		VerbHome:        (*Router).home,
		VerbRevoke:      (*Router).revoke,
	}
}

func (r *Router) press(ctx context.Context, c Command) Reply {
	do, ok := presses()[c.Verb]
	if !ok {
		return Reply{Error: true, Text: fmt.Sprintf("I do not know the button %q; it may come from an older version. Open the thread again, or say /cdc help.", c.Verb)}
	}
	return do(r, ctx, c)
}

// fix asks for a plan; when the plan has blanks, the person fills them first.
func (r *Router) fix(ctx context.Context, c Command) Reply {
	recipe, blanks, err := r.Flow.RecipeOf(ctx, c.Incident, c.Section, c.Option, c.Inputs)
	if err != nil {
		return r.fail(err)
	}
	if len(blanks) > 0 {
		return Reply{Ask: fill(c, blanks)}
	}
	return r.request(ctx, remediation.Wish{Incident: c.Incident, Recipe: recipe, By: by(c), Reason: c.Reason})
}

func fill(c Command, blanks []remediation.Input) *Question {
	q := &Question{Title: "Fill in the plan", Submit: "Ask for approval", Intro: "The runbook leaves these open.", Then: c}
	for _, b := range blanks {
		q.Fields = append(q.Fields, Field{Name: b.Name, Label: b.Label, Value: b.Value, MaxLength: 300})
	}
	q.Fields = append(q.Fields, Field{Name: "reason", Label: "Why", Optional: true, Multiline: true, MaxLength: 500})
	return q
}

func (r *Router) approve(ctx context.Context, c Command) Reply {
	req, err := r.Flow.Decide(ctx, remediation.Choice{Request: c.Request, Digest: c.Digest, Verdict: approval.Approve, Reason: c.Reason, Code: c.Inputs["code"], Typed: c.Inputs["name"], By: by(c)})
	var lacks *remediation.Unconfirmed
	if errors.As(err, &lacks) {
		return Reply{Ask: confirm(c, req, lacks)}
	}
	if err != nil {
		return r.stale(req, err)
	}
	if req.State == approval.Approved {
		return Reply{Text: fmt.Sprintf("You approved %s. It starts now; the thread shows each step.", req.ID)}
	}
	return Reply{Text: fmt.Sprintf("You approved %s. %d more approval(s) needed.", req.ID, req.Needed-approvals(req))}
}

// confirm asks for what an approval lacks.
func confirm(c Command, req approval.Request, lacks *remediation.Unconfirmed) *Question {
	q := &Question{Title: "Approve", Submit: "Approve", Then: c, Intro: req.ID + ": " + req.Title}
	if lacks.Name != "" {
		q.Intro += "\nThis plan has high risk: it can lose data, position or schema."
		q.Fields = append(q.Fields, Field{Name: "name", Label: "Type " + lacks.Name, Must: lacks.Name, MaxLength: 300})
	}
	if lacks.Code {
		q.Intro += "\nYou prove with a code who you are."
		q.Fields = append(q.Fields, Field{Name: "code", Label: "Code of your second factor", Hint: "Six digits; a code counts once.", MaxLength: 10})
	}
	return q
}

func approvals(req approval.Request) int {
	n := 0
	for _, d := range req.Decisions {
		if d.Verdict == approval.Approve {
			n++
		}
	}
	return n
}

// stale says what happened to a request since the button was drawn.
func (r *Router) stale(req approval.Request, err error) Reply {
	text := r.Sentence(err)
	if errors.Is(err, approval.ErrNotPending) && req.ID != "" {
		text = fmt.Sprintf("%s is %s already; your press changed nothing.", req.ID, req.State)
	}
	return Reply{Error: true, Text: text}
}

// reject asks why first: the requester should know.
func (r *Router) reject(ctx context.Context, c Command) Reply {
	if c.Reason == "" {
		return Reply{Ask: &Question{Title: "Reject the plan", Submit: "Reject", Then: c, Fields: []Field{{Name: "reason", Label: "Why", Hint: "The requester reads this, and the timeline keeps it.", Multiline: true, MaxLength: 500}}}}
	}
	req, err := r.Flow.Decide(ctx, remediation.Choice{Request: c.Request, Digest: c.Digest, Verdict: approval.Reject, Reason: c.Reason, By: by(c)})
	if err != nil {
		return r.stale(req, err)
	}
	return Reply{Text: fmt.Sprintf("You rejected %s; nothing will run.", req.ID)}
}

func (r *Router) withdraw(ctx context.Context, c Command) Reply {
	req, err := r.Flow.Withdraw(ctx, c.Request, by(c))
	if err != nil {
		return r.stale(req, err)
	}
	return Reply{Text: req.ID + " is withdrawn; nothing will run."}
}

// again asks for the same plan as things are now.
func (r *Router) again(ctx context.Context, c Command) Reply {
	req, err := r.Flow.AskAgain(ctx, c.Request, by(c))
	if err != nil {
		return r.stale(req, err)
	}
	return Reply{Text: fmt.Sprintf("Asked again as %s; somebody else has to approve it in the thread.", req.ID)}
}

// goOn asks for a way on from a run that ended early.
func goOn(way remediation.Onward) func(*Router, context.Context, Command) Reply {
	return func(r *Router, ctx context.Context, c Command) Reply {
		req, err := r.Flow.GoOn(ctx, c.Incident, c.Run, way, by(c))
		return r.requested(req, err, c.Incident)
	}
}

// glass lets one person act alone: typed by hand, with a reason.
func (r *Router) glass(ctx context.Context, c Command) Reply {
	if c.Reason == "" {
		return Reply{Ask: &Question{Title: "Act alone", Submit: "Act alone", Then: c, Intro: "Nobody has answered, and this cannot wait. A second person is paged now, the timeline says in red that you acted alone, and somebody else has to review it before the incident can be closed.",
			Fields: []Field{{Name: "incident", Label: "Type " + c.Incident, MaxLength: 20}, {Name: "reason", Label: "Why it cannot wait", Multiline: true, MaxLength: 500}}}}
	}
	req, err := r.Flow.BreakGlass(ctx, remediation.Alone{Request: c.Request, Digest: c.Digest, Typed: c.Inputs["incident"], Reason: c.Reason, By: by(c)})
	if err != nil {
		return r.stale(req, err)
	}
	return Reply{Text: fmt.Sprintf("You act alone on %s. It starts now; somebody else has to review it.", req.ID)}
}

// review is somebody else's look at what one person did alone.
func (r *Router) review(ctx context.Context, c Command) Reply {
	if c.Reason == "" {
		return Reply{Ask: &Question{Title: "Review", Submit: "Reviewed", Then: c, Fields: []Field{{Name: "reason", Label: "What you found", Hint: "The timeline keeps it.", Multiline: true, MaxLength: 1000}}}}
	}
	return r.say("Reviewed; "+c.Incident+" can be closed.", r.Flow.Review(ctx, c.Incident, by(c), c.Reason))
}

func (r *Router) showPlan(ctx context.Context, c Command) Reply {
	asked, err := r.Flow.Asked(ctx, c.Request)
	if err != nil {
		return r.fail(err)
	}
	return Reply{Plan: &asked}
}

func (r *Router) cancel(ctx context.Context, c Command) Reply {
	return r.say("The run stops before its next step.", r.Flow.Cancel(ctx, c.Incident, c.Run, by(c)))
}

func (r *Router) done(ctx context.Context, c Command) Reply {
	return r.say(fmt.Sprintf("Step %d is done; the run goes on.", c.Step), r.Flow.Done(ctx, c.Incident, c.Run, c.Step, by(c)))
}

func (r *Router) acknowledge(ctx context.Context, c Command) Reply {
	return r.say("You take care of "+c.Incident+".", r.Flow.Acknowledge(ctx, c.Incident, by(c)))
}

func (r *Router) lookAgain(ctx context.Context, c Command) Reply {
	return r.say("Looking again; the thread shows it in a few seconds.", r.Flow.Diagnose(ctx, c.Incident, by(c)))
}

func (r *Router) note(ctx context.Context, c Command) Reply {
	if c.Reason == "" {
		return Reply{Ask: &Question{Title: "Add to the timeline", Submit: "Add", Then: c, Fields: []Field{{Name: "reason", Label: "Note", Multiline: true, MaxLength: 2000}}}}
	}
	return r.say("Noted in the timeline of "+c.Incident+".", r.Flow.Note(ctx, c.Incident, by(c), "", c.Reason))
}

func (r *Router) close(ctx context.Context, c Command) Reply {
	return r.say(c.Incident+" is closed.", r.Flow.Close(ctx, c.Incident, by(c)))
}

func (r *Router) say(text string, err error) Reply {
	if err != nil {
		return r.fail(err)
	}
	return Reply{Text: text}
}

func by(c Command) remediation.Person { return ask{Command: c}.by() }
