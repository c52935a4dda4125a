package slack

import (
	"fmt"

	slackapi "github.com/slack-go/slack"

	"cdcbot/internal/approval"
	"cdcbot/internal/commands"
	"cdcbot/internal/remediation"
	"cdcbot/internal/runbook"
)

type block = slackapi.Block

const mostEffects = 15

// endings says what became of a request.
var endings = map[approval.State]string{
	approval.Pending:   "🟡 NEEDS APPROVAL",
	approval.Approved:  "✅ APPROVED",
	approval.Used:      "✅ APPROVED",
	approval.Rejected:  "⛔ REJECTED",
	approval.Withdrawn: "↩️ WITHDRAWN",
	approval.Expired:   "⌛ EXPIRED",
	approval.Voided:    "🚫 VOID",
}

func ending(s approval.State) string {
	if e, known := endings[s]; known {
		return e
	}
	return "⚪ " + string(s)
}

func requestText(a remediation.Asked) string {
	return ending(a.Request.State) + " · " + a.Request.ID + " · " + a.Request.Title
}

// requestParts asks people to agree to exactly one plan; once decided it says what happened and has no buttons.
func requestParts(a remediation.Asked) []part {
	req := a.Request
	parts := []part{must(header(requestText(a)), paragraph(whoAsks(req)...))}
	if req.State != approval.Pending {
		return append(parts, decidedParts(a)...)
	}
	if a.Stale != "" {
		parts = append(parts, must(paragraph(words("⚠️ "+cut(line(a.Stale), 400)+". Approving will be refused; ask again for a fresh plan."))))
	}
	if steps := effects(a.Plan); len(steps) > 0 {
		parts = append(parts, must(titled("Exactly this will run", slackapi.RTEListOrdered, steps...)))
	}
	for _, l := range a.Looks {
		parts = append(parts, spare(ahead(l, 600)...))
	}
	parts = append(parts, must(paragraph(requestFacts(req)...)))
	if rows := decisions(req); len(rows) > 0 {
		parts = append(parts, must(lines(rows...)))
	}
	return append(parts, must(row(requestButtons(req))))
}

func whoAsks(req approval.Request) []piece {
	var pieces []piece
	if req.Requester == "" {
		pieces = append(pieces, words("I propose this"))
	} else {
		pieces = append(pieces, user(req.Requester), words(" asks for this"))
	}
	if req.Reason != "" {
		return append(pieces, words(": “"+cut(line(req.Reason), 500)+"”"))
	}
	return append(pieces, words("."))
}

// effects numbers what a plan does, in the words that the approver agrees to.
func effects(p runbook.Plan) [][]piece {
	var rows [][]piece
	for _, s := range p.Steps {
		if len(rows) == mostEffects {
			rows = append(rows, []piece{italic(fmt.Sprintf("%d more steps; press Show plan.", len(p.Steps)-mostEffects))})
			break
		}
		rows = append(rows, effect(s))
	}
	return rows
}

func effect(s runbook.Step) []piece {
	var pieces []piece
	if s.Guard.Target != "" {
		pieces = append(pieces, italic(cut(line(s.Guard.Text), 100)+": "))
	}
	if s.Action == nil {
		what := s.Manual
		if what == "" {
			what = s.Title
		}
		return append(pieces, words("✋ By a person: "+cut(line(what), 300)))
	}
	return append(pieces, words(cut(line(s.Action.Effect()), 300)))
}

// ahead is what a step would do, as it was seen when the plan was asked for: a diff, a dry run, the states then.
func ahead(l remediation.Look, longest int) []block {
	if l.Note {
		return []block{paragraph(italic(fmt.Sprintf("Step %d, looked ahead: ", l.Step)), words(cut(line(l.Text), longest)))}
	}
	return []block{paragraph(italic(fmt.Sprintf("Step %d, looked ahead:", l.Step))), verbatim(l.Text, longest)}
}

// planStep is one step in full, for the modal.
func planStep(n int, s runbook.Step) []block {
	rows := [][]piece{append([]piece{bold(fmt.Sprintf("%d. ", n))}, effect(s)...)}
	if s.Action != nil {
		rows = append(rows, []piece{words("Target "), code(line(s.Action.Target())), words(" · " + string(s.Action.Risk()) + " · at most " + span(s.Action.Deadline()))})
	}
	blocks := []block{lines(rows...)}
	if s.Source != "" {
		blocks = append(blocks, verbatim(fmt.Sprintf("line %d: %s", s.Line, s.Source), 600))
	}
	return blocks
}

func requestFacts(req approval.Request) []piece {
	left := req.Needed - approvals(req)
	return []piece{words(riskWords(req.Risk) + "\n"),
		words(count(max(left, 0), "approval", "approvals") + " needed, from somebody else · expires "), at(req.ExpiresAt),
		words(" · digest "), code(shortDigest(req.Digest))}
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

func decisions(req approval.Request) [][]piece {
	var rows [][]piece
	for _, d := range req.Decisions {
		verb := "✅ approved by "
		switch d.Verdict {
		case approval.Reject:
			verb = "⛔ rejected by "
		case approval.BreakGlass:
			verb = "🚨 done alone, without a second person, by "
		}
		r := []piece{words(verb), user(d.User), words(", "), at(d.At)}
		if d.Reason != "" {
			r = append(r, words(": “"+cut(line(d.Reason), 500)+"”"))
		}
		rows = append(rows, r)
	}
	return rows
}

func requestButtons(req approval.Request) (visible, more []press) {
	base := commands.Command{Incident: req.Incident, Request: req.ID}
	with := func(v commands.Verb, digest string) commands.Command {
		c := base
		c.Verb, c.Digest = v, digest
		return c
	}
	approve := press{label: "Approve", style: slackapi.StylePrimary, command: with(commands.VerbApprove, req.Digest)}
	if req.StepUp || req.Risk == "high" {
		approve.command.Option = asksFirst
	}
	more = []press{{label: "Withdraw", command: with(commands.VerbWithdraw, "")}}
	if !req.AloneFrom.IsZero() {
		more = append(more, press{label: "Act alone (nobody answers)", command: with(commands.VerbGlass, req.Digest)})
	}
	return []press{approve,
		{label: "Reject", style: slackapi.StyleDanger, command: with(commands.VerbReject, req.Digest)},
		{label: "Show plan", command: with(commands.VerbShowPlan, "")}}, more
}

// asksFirst marks the approval of a request that asks for a code or a name first: a modal must be open within three seconds.
const asksFirst = 1

// askable are the endings after which the same may be wanted still.
var askable = map[approval.State]bool{approval.Expired: true, approval.Voided: true, approval.Rejected: true, approval.Withdrawn: true}

// decidedParts says what happened to a request.
func decidedParts(a remediation.Asked) []part {
	req := a.Request
	rows := decisions(req)
	switch req.State {
	case approval.Used:
		rows = append(rows, []piece{words("It became " + req.Run + ".")})
	case approval.Approved:
		rows = append(rows, []piece{words("It starts now.")})
	case approval.Rejected:
		rows = append(rows, []piece{words("Nothing will run.")})
	case approval.Withdrawn:
		rows = append(rows, []piece{words("Taken back by who asked; nothing will run.")})
	case approval.Expired:
		rows = append(rows, []piece{words("Nobody answered in time; nothing ran. Ask again if it is still needed.")})
	case approval.Voided:
		why := "The plan or the pipeline changed, so what was asked for no longer exists."
		switch {
		case req.Why != "":
			why = capital(line(req.Why)) + "."
		case a.Stale != "":
			why = capital(line(a.Stale))
		}
		rows = append(rows, []piece{words(cut(why, 400) + " Nothing will run; ask again for a fresh plan.")})
	}
	if !req.EndedAt.IsZero() {
		rows = append(rows, []piece{italic("Ended "), at(req.EndedAt), words(" · digest "), code(shortDigest(req.Digest))})
	}
	parts := []part{must(lines(rows...))}
	if askable[req.State] && req.Recipe.Section != "" {
		parts = append(parts, must(row([]press{{label: "Propose again", command: commands.Command{Verb: commands.VerbAgain, Request: req.ID, Incident: req.Incident}}}, nil)))
	}
	return parts
}
