package remediation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cdcbot/internal/approval"
	"cdcbot/internal/incident"
	"cdcbot/internal/timeline"
)

// knownKey holds what people are asked under: the fingerprint of the policy, and the digest of each runbook.
const knownKey = "cdcbot:known"

// NoteChanges compares the policy and the runbooks (name → SHA-256) with those that were in force when the bot last
// started. What differs is written into every open incident, and requests that were asked under it are void: people agreed,
// or not yet, to something else.
func (f *Flow) NoteChanges(ctx context.Context, runbooks map[string]string) error {
	return f.Changed(ctx, runbooks, nil)
}

// SetPolicy puts another policy in force for what is asked from now on. Changed must follow: what waits was asked under the
// old one.
func (f *Flow) SetPolicy(p approval.Policy) { f.changed.Store(&p) }

// policy is the one in force.
func (f *Flow) policy() approval.Policy {
	if p := f.changed.Load(); p != nil {
		return *p
	}
	return f.Policy
}

// Changed is NoteChanges while the bot runs. Diffs say what is different, by the names that are told ("approval policy",
// "runbook x").
func (f *Flow) Changed(ctx context.Context, runbooks, diffs map[string]string) error {
	now := map[string]string{"approval policy": f.policy().Fingerprint()}
	for name, sum := range runbooks {
		now["runbook "+name] = sum
	}
	before, err := f.Journal.known(ctx)
	if err != nil {
		return err
	}
	var changed []string
	for _, what := range slices.Sorted(maps.Keys(now)) {
		if was, had := before[what]; had && was != now[what] {
			changed = append(changed, what)
		}
	}
	if len(changed) > 0 {
		if err := f.tellChanged(ctx, changed, now, diffs); err != nil {
			return err
		}
	}
	return f.Journal.know(ctx, now)
}

func (f *Flow) tellChanged(ctx context.Context, changed []string, now, diffs map[string]string) error {
	open, err := f.Incidents.List(ctx, incident.Filter{Open: true})
	if err != nil {
		return err
	}
	text := "changed by configuration: " + strings.Join(changed, ", ")
	for _, inc := range open {
		data := map[string]any{"changed": changed}
		if len(diffs) > 0 {
			data["diff"] = diffs
		}
		if err := f.record(ctx, inc.ID, timeline.PolicyChanged, timeline.Bot, "changed:"+fmt.Sprint(now), text, data); err != nil {
			return err
		}
		requests, err := f.Approvals.ForIncident(ctx, inc.ID)
		if err != nil {
			return err
		}
		for _, req := range requests {
			if req.State != approval.Pending && req.State != approval.Approved {
				continue
			}
			if _, err := f.again(inc, req); err != nil {
				if err := f.void(ctx, req, err.Error()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// known is what was in force when the bot last started.
func (j *Journal) known(ctx context.Context) (map[string]string, error) {
	all, err := j.Redis.HGetAll(ctx, knownKey).Result()
	return all, j.away("reading what was in force", err)
}

func (j *Journal) know(ctx context.Context, now map[string]string) error {
	return j.away("keeping what is in force", j.Redis.HSet(ctx, knownKey, now).Err())
}
