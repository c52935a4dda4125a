package approval

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Person is somebody as the workspace knows them.
type Person struct {
	ID     string
	Name   string
	Human  bool     // not a bot or an app
	Active bool     // not deactivated
	Guest  bool     // restricted or from another organisation
	Groups []string // user group IDs

	// Since says since when the person has been seen in each of Groups; who is not in it is as good as new.
	Since map[string]time.Time
	At    time.Time // when this was so
}

// People tells who somebody is now. An error means that nobody knows, and then nobody decides.
type People interface {
	Person(ctx context.Context, id string) (Person, error)
}

// Policy says who may decide and how many must. The zero Policy lets every full member decide. It can only ask for more
// than two distinct people, never for fewer: the scripts see to that.
type Policy struct {
	Approvers []string // Slack user IDs; with Group both empty: every full member
	Group     string   // Slack user group ID
	// MemberFor is how long somebody must have been in Group; 0 does not ask. Who is listed among Approvers is exempt.
	MemberFor time.Duration
	High      int      // approvals that a high-risk plan needs besides the requester; default 2
	StepUp    []string // risks for which who approves proves with a code who they are
}

// MayDecide is nil when a person may approve or reject a plan of a risk; otherwise it wraps ErrPolicy and says why.
func (p Policy) MayDecide(_ context.Context, who Person, _ string) error {
	id, err := normal(who.ID)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	for _, rule := range []struct {
		broken bool
		why    string
	}{
		{!who.Human, "bots and apps cannot decide"},
		{!who.Active, "the account is deactivated"},
		{who.Guest, "guests cannot decide"},
		{!p.lists(id, who.Groups), "not among the approvers"},
		{!p.settled(id, who), fmt.Sprintf("not long enough in the group of approvers, where one must have been for %s (approval.member_for)", p.MemberFor)},
	} {
		if rule.broken {
			return fmt.Errorf("%w: %s: %s", ErrPolicy, who.called(), rule.why)
		}
	}
	return nil
}

// lists reports whether somebody is an approver. An entry that is blank lists nobody.
func (p Policy) lists(id string, groups []string) bool {
	if len(p.Approvers) == 0 && p.Group == "" {
		return true
	}
	return p.names(id) || p.Group != "" && slices.Contains(groups, p.Group)
}

// names reports whether the configuration lists somebody by ID.
func (p Policy) names(id string) bool {
	return slices.ContainsFunc(p.Approvers, func(a string) bool { return strings.ToUpper(strings.TrimSpace(a)) == id })
}

// settled reports whether somebody has been in the group for long enough. Who is not known to be has not.
func (p Policy) settled(id string, who Person) bool {
	if p.MemberFor <= 0 || p.Group == "" || p.names(id) {
		return true
	}
	since, known := who.Since[p.Group]
	return known && !since.IsZero() && who.At.Sub(since) >= p.MemberFor
}

func (p Person) called() string {
	if p.Name != "" {
		return p.Name
	}
	return p.ID
}

// Needed is how many approvals a plan needs besides its requester; byBot says that nobody requests it.
func (p Policy) Needed(risk string, byBot bool) int {
	needed := 1
	if risk == "high" {
		needed = max(p.High, 1)
		if p.High == 0 {
			needed = 2
		}
	}
	if byBot {
		needed = max(needed, 2)
	}
	return needed
}

// StepsUp reports whether approving a plan of this risk needs a code.
func (p Policy) StepsUp(risk string) bool { return slices.Contains(p.StepUp, risk) }

// Called are the IDs of whom to call when an approval is missing: the group, or the people, or nobody in particular.
func (p Policy) Called() []string {
	if p.Group != "" {
		return []string{p.Group}
	}
	return p.Approvers
}

// Fingerprint is the same for the same policy: a request that was asked under another one is void.
func (p Policy) Fingerprint() string {
	var people []string
	for _, a := range p.Approvers {
		people = append(people, strings.ToUpper(strings.TrimSpace(a)))
	}
	slices.Sort(people)
	text := fmt.Appendf(nil, "%q %q %d %q", slices.Compact(people), p.Group, p.Needed("high", false), p.StepUp)
	if p.MemberFor > 0 {
		text = fmt.Appendf(text, " %s", p.MemberFor)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
