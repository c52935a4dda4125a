package remediation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cdcbot/internal/action"
	"cdcbot/internal/approval"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/incident"
	"cdcbot/internal/runbook"
	"cdcbot/internal/timeline"
)

// Allow is the builtin section that agrees in advance to restarts.
const Allow = "allow-restart"

// RecipeToAllow names the plan that lets the bot restart connectors by itself.
func RecipeToAllow(connectors []string, within time.Duration, most int) approval.Recipe {
	recipe := RecipeFor(Allow, connectors, nil)
	recipe.Inputs["for"], recipe.Inputs["most"] = within.String(), strconv.Itoa(most)
	return recipe
}

func allowPlan(cluster string, connectors []string, inputs map[string]string) (runbook.Plan, error) {
	within, err := time.ParseDuration(inputs["for"])
	most, mostErr := strconv.Atoi(inputs["most"])
	if err != nil || mostErr != nil || within < time.Minute || within > 7*24*time.Hour || most < 1 || most > 100 {
		return runbook.Plan{}, fmt.Errorf("allowing restarts for %q, %q times: expected 1m to 168h and 1 to 100 times", inputs["for"], inputs["most"])
	}
	return runbook.AllowPlan(cluster, connectors, within, most), nil
}

// agreed is the world of a run that people agreed to: what is allowed in advance rests on their agreement.
type agreed struct {
	action.World
	x     *execution
	grant approval.Grant
}

// Allow implements action.Standings.
func (w agreed) Allow(ctx context.Context, a action.AllowRestart) (string, error) {
	recipe := RecipeFor(Restart, a.Connectors, nil)
	plan, err := builtin(w.x.Pipelines[w.x.inc.Pipeline], recipe)
	if err != nil {
		return "", err
	}
	st, err := w.x.Approvals.Stand(ctx, w.grant, approval.Standing{Pipeline: w.x.inc.Pipeline, Title: plan.Title, Recipe: recipe, Digest: plan.Digest(), Until: w.x.Now().Add(a.For), Most: a.Most})
	return st.ID, err
}

// firstPause is how long the bot waits before it restarts by itself a second time in one incident; it doubles each time.
const firstPause = time.Minute

// actAlone runs a restart that people agreed to in advance, when the diagnosis says that a restart can help and nobody is
// being asked for anything. It says so, and backs off.
func (f *Flow) actAlone(ctx context.Context, inc incident.Incident, d diagnosis.Diagnosis) error {
	names := failing(d, inc)
	if !d.Top().Retriable || d.Well() || len(names) == 0 || !unhealed(inc.State) {
		return nil
	}
	recipe := RecipeFor(Restart, names, nil)
	plan, err := builtin(f.Pipelines[inc.Pipeline], recipe)
	if err != nil {
		return nil //nolint:nilerr // there is no such plan, so that nobody agreed to it
	}
	st, ok, err := f.standingFor(ctx, inc, plan.Digest())
	if err != nil || !ok {
		return err
	}
	if free, err := f.turn(ctx, inc); err != nil || !free {
		return err
	}
	req, err := f.Approvals.Use(ctx, approval.Request{Incident: inc.ID, Recipe: recipe, Digest: plan.Digest(), Title: plan.Title, Risk: string(plan.Risk), Policy: f.policy().Fingerprint(),
		World: f.conditions(ctx, plan.Steps, 0, f.Pipelines[inc.Pipeline].World), Reason: "a restart can help: " + d.Top().Why}, st.ID)
	if errors.Is(err, approval.ErrUsedUp) || errors.Is(err, approval.ErrRevoked) || errors.Is(err, approval.ErrDuplicate) {
		return nil
	}
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s lets me restart by myself (agreed by %s; use %d of %d, until %s): %s", st.ID, f.names(ctx, append([]string{st.Requester}, st.Approvers...)), st.Used+1, st.Most, st.Until.UTC().Format("2006-01-02 15:04 UTC"), plan.Title)
	if err := f.record(ctx, inc.ID, timeline.PlanApproved, timeline.Bot, "standing:"+req.ID, text, map[string]any{"request": req.ID, "digest": req.Digest, "standing": st.ID, "agreed_by": append([]string{st.Requester}, st.Approvers...)}); err != nil {
		return err
	}
	if err := f.notify(ctx, inc.ID, "standing:"+req.ID, text, nil, false); err != nil {
		return err
	}
	return f.start(ctx, req)
}

func (f *Flow) names(ctx context.Context, ids []string) string {
	var list []string
	for _, id := range ids {
		if id != "" {
			list = append(list, f.name(ctx, id, nil))
		}
	}
	return strings.Join(list, " and ")
}

// standingFor finds a standing approval of exactly this plan for the incident's pipeline.
func (f *Flow) standingFor(ctx context.Context, inc incident.Incident, digest string) (approval.Standing, bool, error) {
	list, err := f.Approvals.Standings(ctx)
	if err != nil {
		return approval.Standing{}, false, err
	}
	i := slices.IndexFunc(list, func(st approval.Standing) bool { return st.Pipeline == inc.Pipeline && st.Digest == digest })
	if i < 0 {
		return approval.Standing{}, false, nil
	}
	return list[i], true, nil
}

// turn says whether the bot may act by itself now: nobody is asked, nothing runs, and its last own try is long enough ago.
func (f *Flow) turn(ctx context.Context, inc incident.Incident) (bool, error) {
	requests, err := f.Approvals.ForIncident(ctx, inc.ID)
	if err != nil {
		return false, err
	}
	pause, last := firstPause, time.Time{}
	for _, r := range requests {
		switch {
		case r.State == approval.Pending || r.State == approval.Approved:
			return false, nil
		case r.Standing != "":
			last, pause = r.CreatedAt, pause*2
		}
	}
	runs, err := f.Journal.Runs(ctx, inc.ID)
	if err != nil || slices.ContainsFunc(runs, func(r Run) bool { return !ended(r) }) {
		return false, err
	}
	return last.IsZero() || f.Now().Sub(last) >= pause/2, nil
}

// Revoke ends a standing approval.
func (f *Flow) Revoke(ctx context.Context, id string, by Person) (approval.Standing, error) {
	return f.Approvals.Revoke(ctx, id, by.ID)
}
