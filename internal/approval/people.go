package approval

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// normal makes the spellings of one user ID equal: Slack's IDs are ASCII letters and digits, written in upper case.
// Anything that could make one person look like two is refused: blanks inside, invisible and look-alike characters.
func normal(user string) (string, error) {
	id := strings.TrimSpace(user)
	strange := func(c rune) bool {
		return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("_-.", c)
	}
	if id == "" || len(id) > 64 || strings.ContainsFunc(id, strange) {
		return "", fmt.Errorf("user %q; expected a user ID of ASCII letters and digits such as U012AB3CD", user)
	}
	return strings.ToUpper(id), nil
}

// Approvers lists the distinct people who approved, in order.
func (r Request) Approvers() []string {
	var users []string
	for _, d := range r.Decisions {
		if d.Verdict == Approve && !slices.Contains(users, d.User) {
			users = append(users, d.User)
		}
	}
	return users
}

// lastDecision is when the decision was made that ended the asking; zero when there is none. Replicas' clocks may disagree:
// it is the last one in order, not the latest.
func (r Request) lastDecision() time.Time {
	if len(r.Decisions) == 0 {
		return time.Time{}
	}
	return r.Decisions[len(r.Decisions)-1].At
}

// Glass is the decision with which the requester acted alone; false when nobody did.
func (r Request) Glass() (Decision, bool) {
	i := slices.IndexFunc(r.Decisions, func(d Decision) bool { return d.Verdict == BreakGlass })
	if i < 0 {
		return Decision{}, false
	}
	return r.Decisions[i], true
}

// agreed counts again what the script counted, from the decisions themselves: enough distinct people, none of them the
// requester, each for this digest and before the request expired, and nobody against; or the requester alone, who may.
func (r Request) agreed() bool {
	requester, _ := normal(r.Requester) // "" when the bot proposed
	people := map[string]bool{}
	for _, d := range r.Decisions {
		who, err := normal(d.User)
		if err != nil || d.Digest != r.Digest || !d.At.Before(r.ExpiresAt) {
			return false
		}
		alone := d.Verdict == BreakGlass && who == requester && !r.AloneFrom.IsZero() && !d.At.Before(r.AloneFrom)
		switch {
		case alone:
			return true
		case who == requester || d.Verdict != Approve || r.StepUp && d.Proof == "":
			return false
		}
		people[who] = true
	}
	least := 1
	if r.Requester == "" {
		least = 2
	}
	return len(people) >= max(r.Needed, least)
}
