package remediation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cdcbot/internal/action"
	"cdcbot/internal/approval"
	"cdcbot/internal/incident"
	"cdcbot/internal/runbook"
	"cdcbot/internal/timeline"
)

// Wish is what a person asks for: a section of the incident's runbook, or a plan of the bot's own (Runbook "builtin").
type Wish struct {
	Incident string
	Recipe   approval.Recipe
	By       Person
	Reason   string
}

// Ask makes a plan and asks for approval: the end of stage 4 and the beginning of stage 5. When the same plan waits
// already, that request is returned with approval.ErrDuplicate; when it is approved and has not ended, with ErrUnderway.
func (f *Flow) Ask(ctx context.Context, w Wish) (approval.Request, error) {
	inc, err := f.Incidents.Get(ctx, w.Incident)
	if err != nil {
		return approval.Request{}, err
	}
	if inc.State == incident.Closed {
		return approval.Request{}, ErrClosed
	}
	if w.Recipe.Runbook == "" {
		w.Recipe.Runbook = inc.Runbook
	}
	w.Recipe = f.derive(ctx, f.Pipelines[inc.Pipeline], w.Recipe)
	plan, recipe, err := f.fresh(inc, w.Recipe)
	if err != nil {
		return approval.Request{}, err
	}
	looks, err := Preview(ctx, plan, f.Pipelines[inc.Pipeline].World, f.Redact)
	if err != nil {
		return approval.Request{}, err
	}
	if req, err := f.underway(ctx, inc.ID, plan.Digest()); err != nil {
		return req, err
	}
	req, err := f.Approvals.Ask(ctx, approval.Request{
		World: f.conditions(ctx, plan.Steps, 0, f.Pipelines[inc.Pipeline].World), Policy: f.policy().Fingerprint(), StepUp: f.policy().StepsUp(string(plan.Risk)),
		Incident: inc.ID, Recipe: recipe, Digest: plan.Digest(), Title: plan.Title, Risk: string(plan.Risk),
		Requester: w.By.ID, Reason: w.Reason, Needed: f.policy().Needed(string(plan.Risk), w.By.ID == ""),
	})
	if errors.Is(err, approval.ErrDuplicate) {
		if unseen := f.askedBefore(ctx, req, plan, looks); unseen != nil {
			return req, unseen
		}
	}
	if err != nil {
		return req, fmt.Errorf("asking for %q on %s: %w", plan.Title, inc.ID, err)
	}
	if err := f.Journal.SaveLooks(ctx, inc.ID, req.ID, looks); err != nil {
		return req, err
	}
	return req, f.asked(ctx, req, plan, looks, w.By)
}

// underway refuses a plan that people have agreed to in this incident and that has not ended: a second press, or one that
// came late, must not ask them again for what happens already.
func (f *Flow) underway(ctx context.Context, id, digest string) (approval.Request, error) {
	requests, err := f.Approvals.ForIncident(ctx, id)
	if err != nil {
		return approval.Request{}, err
	}
	for _, req := range requests {
		if req.Digest != digest || (req.State != approval.Approved && req.State != approval.Used) {
			continue
		}
		run, err := f.Journal.Run(ctx, id, req.Run)
		if req.State == approval.Approved || err == nil && !ended(run) {
			return req, fmt.Errorf("%w: %s", ErrUnderway, strings.TrimSpace(req.ID+" "+req.Run))
		}
	}
	return approval.Request{}, nil
}

// askedBefore finishes what asking does for a request that waits already: who stored it may have died before it was
// written down and drawn, and then nobody could see it. Doing it twice changes nothing.
func (f *Flow) askedBefore(ctx context.Context, req approval.Request, plan runbook.Plan, looks []Look) error {
	known, err := f.Journal.Looks(ctx, req.Incident, req.ID)
	if err != nil {
		return err
	}
	if known == nil && looks != nil {
		if err := f.Journal.SaveLooks(ctx, req.Incident, req.ID, looks); err != nil {
			return err
		}
		known = looks
	}
	by := Person{ID: req.Requester}
	if by.ID != "" {
		by.Name = f.name(ctx, by.ID, nil)
	}
	return f.asked(ctx, req, plan, known, by)
}

func (f *Flow) asked(ctx context.Context, req approval.Request, plan runbook.Plan, looks []Look, by Person) error {
	if err := f.Queue.Enqueue(ctx, Job{Kind: Expire, Incident: req.Incident, Request: req.ID}, req.ExpiresAt); err != nil {
		return err
	}
	if err := f.calls(ctx, req); err != nil {
		return err
	}
	text := fmt.Sprintf("%s asks for: %s", by.Name, plan.Title)
	data := map[string]any{"request": req.ID, "digest": req.Digest, "risk": req.Risk, "needed": req.Needed,
		"reason": req.Reason, "effects": plan.Effects(), "previews": looks, "recipe": req.Recipe, "world": req.World, "expires_at": req.ExpiresAt}
	if err := f.record(ctx, req.Incident, timeline.PlanProposed, person(by), "ask:"+req.ID, text, data); err != nil {
		return err
	}
	if err := f.touch(ctx, req.Incident); err != nil {
		return err
	}
	_, err := f.Journal.Once(ctx, req.Incident, askedMark(req))
	return err
}

// askedMark says that a request was told to everybody who has to know.
func askedMark(req approval.Request) string { return "asked:" + req.ID }

// mendRequest finishes what whoever stored a request did not live to do: nobody can see one that was not told. What was
// stored a moment ago is still being told.
func (f *Flow) mendRequest(ctx context.Context, inc incident.Incident, req approval.Request) error {
	if req.State != approval.Pending || f.Now().Sub(req.CreatedAt) < untold {
		return nil
	}
	if told, err := f.Journal.Marked(ctx, inc.ID, askedMark(req)); err != nil || told {
		return err
	}
	plan, err := f.again(inc, req)
	if errors.Is(err, ErrChanged) {
		return f.void(ctx, req, err.Error())
	}
	if err != nil {
		return err
	}
	return f.askedBefore(ctx, req, plan, nil)
}

// untold is how long telling a request may take.
const untold = 10 * time.Second

// Choice is one person's answer to a request, bound to the digest that the person saw.
type Choice struct {
	Request string
	Digest  string
	Verdict approval.Verdict
	Reason  string
	Code    string // of the second factor, where the request needs one
	Typed   string // the name of what a plan of high risk is about, typed by hand
	By      Person
}

// Decide is stage 5 and, when the last approval is given, the start of stage 6.
func (f *Flow) Decide(ctx context.Context, c Choice) (approval.Request, error) {
	req, err := f.Approvals.Get(ctx, c.Request)
	if err != nil {
		return req, err
	}
	if err := f.may(ctx, c.By, req, f.People.Anew); err != nil {
		return req, err
	}
	proof := ""
	if c.Verdict == approval.Approve {
		if err := f.unchanged(ctx, req); err != nil {
			return req, err
		}
		if err := f.confirmed(ctx, req, c); err != nil {
			return req, err
		}
		if proof, err = f.prove(ctx, req, c.By, c.Code); err != nil {
			return req, err
		}
	}
	req, err = f.Approvals.Decide(ctx, req.ID, approval.Decision{User: c.By.ID, Verdict: c.Verdict, Digest: c.Digest, Reason: c.Reason, Proof: proof, At: f.Now()})
	if err != nil {
		return req, err
	}
	return req, f.decided(ctx, req, c)
}

// Unconfirmed says what an approval still lacks. errors.Is finds ErrUnconfirmed in it, and approval.ErrCodeNeeded when a
// code is missing.
type Unconfirmed struct {
	Name string // what has to be typed, "" when nothing has
	Code bool   // whether a code of the second factor is needed
}

// Error implements error.
func (u *Unconfirmed) Error() string {
	switch {
	case u.Name != "" && u.Code:
		return fmt.Sprintf("type %s and a code of your second factor to approve this", u.Name)
	case u.Name != "":
		return fmt.Sprintf("type %s to approve this: the plan has high risk", u.Name)
	}
	return approval.ErrCodeNeeded.Error()
}

// Is implements errors.Is.
func (u *Unconfirmed) Is(target error) bool {
	return target == ErrUnconfirmed || u.Code && target == approval.ErrCodeNeeded
}

// confirmed looks whether who approves has given what the plan's risk asks for: a name typed by hand shows that somebody
// has read which connector it is about, at 3 a.m., too.
// Nobody is asked for anything when the answer is no already; the store decides on both again.
func (f *Flow) confirmed(ctx context.Context, req approval.Request, c Choice) error {
	switch {
	case c.Digest != req.Digest:
		return fmt.Errorf("approving %s: %w", req.ID, approval.ErrDigest)
	case slices.ContainsFunc(req.Decisions, func(d approval.Decision) bool { return d.User == c.By.ID }):
		return fmt.Errorf("approving %s: %w", req.ID, approval.ErrTwice)
	}
	lacks := &Unconfirmed{Code: req.StepUp}
	if req.Risk == string(action.High) {
		inc, err := f.Incidents.Get(ctx, req.Incident)
		if err != nil {
			return err
		}
		if name := aim(inc); !strings.EqualFold(strings.TrimSpace(c.Typed), name) {
			lacks.Name = name
		}
	}
	if lacks.Name == "" && (!lacks.Code || c.Code != "") {
		return nil
	}
	return lacks
}

// aim is what an incident's plans are about: its connector, or the pipeline when there are several or none. Connectors that
// are well again count, or the name would change while somebody types it.
func aim(inc incident.Incident) string {
	name := ""
	for _, a := range inc.Affected {
		if name != "" && a.Connector != name {
			return inc.Pipeline
		}
		name = a.Connector
	}
	return cmp.Or(name, inc.Pipeline)
}

// prove checks the second factor where the request needs one; it is the last thing looked at, because a code counts once.
func (f *Flow) prove(ctx context.Context, req approval.Request, by Person, code string) (string, error) {
	if !req.StepUp {
		return "", nil
	}
	if f.Codes == nil {
		return "", approval.ErrNoFactor
	}
	if err := f.Codes.Verify(ctx, by.ID, code); err != nil {
		return "", err
	}
	return "totp", nil
}

// may asks the policy. A requester is told so before anything else is looked at.
func (f *Flow) may(ctx context.Context, by Person, req approval.Request, look func(context.Context, string) (approval.Person, error)) error {
	if by.ID == req.Requester {
		return approval.ErrSelf
	}
	if req.State != approval.Pending {
		return approval.ErrNotPending
	}
	who, err := look(ctx, by.ID)
	if err != nil {
		return fmt.Errorf("looking up who decides: %w", err)
	}
	return f.policy().MayDecide(ctx, who, req.Risk)
}

// MayDecide reports whether somebody could approve or reject a request, as far as who they were a minute ago goes; Decide
// looks anew.
func (f *Flow) MayDecide(ctx context.Context, req approval.Request, who Person) bool {
	decided := slices.ContainsFunc(req.Decisions, func(d approval.Decision) bool { return d.User == who.ID })
	return !decided && f.may(ctx, who, req, f.People.Person) == nil
}

// unchanged compiles the recipe again: people must not agree to what would no longer run. What differs voids the request.
func (f *Flow) unchanged(ctx context.Context, req approval.Request) error {
	inc, err := f.Incidents.Get(ctx, req.Incident)
	if err != nil {
		return err
	}
	plan, err := f.again(inc, req)
	if err == nil {
		err = f.movedAnywhere(ctx, req.World, plan.Steps, f.Pipelines[inc.Pipeline].World)
	}
	if err == nil || !errors.Is(err, ErrChanged) && !errors.Is(err, ErrMoved) {
		return nil // what cannot be read now is looked at again before it runs
	}
	return errors.Join(err, f.void(ctx, req, err.Error()))
}

func (f *Flow) void(ctx context.Context, req approval.Request, why string) error {
	if _, err := f.Approvals.Void(ctx, req.ID, why); err != nil && !errors.Is(err, approval.ErrNotPending) {
		return err
	}
	text := fmt.Sprintf("%s is void: %s", req.ID, why)
	if err := f.record(ctx, req.Incident, timeline.PlanVoided, timeline.Bot, "void:"+req.ID, text, map[string]any{"request": req.ID}); err != nil {
		return err
	}
	return f.touch(ctx, req.Incident)
}

func (f *Flow) decided(ctx context.Context, req approval.Request, c Choice) error {
	if err := f.recordDecisions(ctx, req, map[string]string{c.By.ID: c.By.Name}); err != nil {
		return err
	}
	if req.State == approval.Approved {
		if err := f.start(ctx, req); err != nil {
			return err
		}
	}
	return f.touch(ctx, req.Incident)
}

// recordDecisions writes every decision of a request that is not in the timeline yet; keys make it repeatable, so that
// a crash between deciding and writing loses nothing.
func (f *Flow) recordDecisions(ctx context.Context, req approval.Request, names map[string]string) error {
	for _, d := range req.Decisions {
		t, verb := timeline.PlanApproved, "approves"
		switch d.Verdict {
		case approval.Reject:
			t, verb = timeline.PlanRejected, "rejects"
		case approval.BreakGlass:
			t, verb = timeline.GlassBroken, "🚨 ACTS ALONE, without a second person, on"
		}
		text := fmt.Sprintf("%s %s: %s", f.name(ctx, d.User, names), verb, req.Title)
		if d.Reason != "" {
			text += " — " + d.Reason
		}
		data := map[string]any{"request": req.ID, "digest": d.Digest, "reason": d.Reason, "at": d.At, "proof": d.Proof}
		who := timeline.Person(d.User, f.name(ctx, d.User, names))
		if err := f.record(ctx, req.Incident, t, who, "decide:"+req.ID+":"+d.User, text, data); err != nil {
			return err
		}
	}
	return nil
}

func (f *Flow) name(ctx context.Context, id string, known map[string]string) string {
	if n := known[id]; n != "" {
		return n
	}
	if who, err := f.People.Person(ctx, id); err == nil && who.Name != "" {
		return who.Name
	}
	return id
}

// Withdraw takes a request back; only its requester may.
func (f *Flow) Withdraw(ctx context.Context, id string, by Person) (approval.Request, error) {
	req, err := f.Approvals.Withdraw(ctx, id, by.ID)
	if err != nil {
		return req, err
	}
	text := fmt.Sprintf("%s withdraws: %s", by.Name, req.Title)
	if err := f.record(ctx, req.Incident, timeline.PlanWithdrawn, person(by), "withdraw:"+req.ID, text, map[string]any{"request": req.ID}); err != nil {
		return req, err
	}
	return req, f.touch(ctx, req.Incident)
}

// expire ends a request that nobody answered in time.
func (f *Flow) expire(ctx context.Context, id string) error {
	req, err := f.Approvals.Expire(ctx, id)
	if errors.Is(err, approval.ErrNotPending) || errors.Is(err, approval.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if req.State != approval.Expired {
		return f.Queue.Enqueue(ctx, Job{Kind: Expire, Incident: req.Incident, Request: id, Attempt: stamp(f.Now())}, req.ExpiresAt)
	}
	text := fmt.Sprintf("nobody answered in time: %s", req.Title)
	if err := f.record(ctx, req.Incident, timeline.PlanExpired, timeline.Bot, "expire:"+id, text, map[string]any{"request": id}); err != nil {
		return err
	}
	return f.touch(ctx, req.Incident)
}

// fresh makes the plan for a recipe as things are now, and the recipe that names exactly this plan.
func (f *Flow) fresh(inc incident.Incident, r approval.Recipe) (runbook.Plan, approval.Recipe, error) {
	if r.Runbook == "" {
		r.Runbook = inc.Runbook
	}
	p, ok := f.Pipelines[inc.Pipeline]
	if !ok {
		return runbook.Plan{}, r, fmt.Errorf("pipeline %q: %w", inc.Pipeline, ErrNoPipeline)
	}
	if r.Runbook == Builtin {
		plan, err := builtin(p, r)
		return plan.From(r.From), r, err
	}
	book, ok := f.Library.Book(r.Runbook)
	if !ok {
		return runbook.Plan{}, r, fmt.Errorf("runbook %q: %w", r.Runbook, ErrNoSection)
	}
	r.SHA256 = book.SHA256
	plan, err := book.Plan(r.Section, r.Option, r.Inputs, p.Targets)
	plan = plan.From(r.From)
	if err == nil && len(plan.Steps) == 0 {
		err = ErrEmptyPlan
	}
	return plan, r, err
}

// again compiles a request's recipe and insists on the digest that people saw, and on the policy they were asked under.
func (f *Flow) again(inc incident.Incident, req approval.Request) (runbook.Plan, error) {
	if req.Policy != f.policy().Fingerprint() {
		return runbook.Plan{}, fmt.Errorf("%w: the approval policy was changed", ErrChanged)
	}
	plan, recipe, err := f.fresh(inc, req.Recipe)
	if err != nil {
		return plan, fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if recipe.SHA256 != req.Recipe.SHA256 {
		return plan, fmt.Errorf("%w: runbook %s was edited", ErrChanged, recipe.Runbook)
	}
	if got := plan.Digest(); got != req.Digest {
		return plan, fmt.Errorf("%w: digest %s, requested %s", ErrChanged, short(got), short(req.Digest))
	}
	return plan, nil
}

func short(digest string) string {
	if len(digest) <= 12 {
		return digest
	}
	return strings.ToLower(digest[:12])
}
