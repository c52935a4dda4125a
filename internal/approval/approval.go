// Package approval says who agreed to what. A request binds people to one digest; a grant is the right to run the plan
// with that digest once, and only this package can make one. It knows digests and user IDs, not what a plan does.
package approval

import (
	"errors"
	"time"
)

// State is where a request stands.
type State string

// Transitions is every change of state that is allowed; docs/states.md shows the same table. The scripts hold it, and a
// test compares both.
var Transitions = map[State][]State{
	Pending:   {Approved, Rejected, Withdrawn, Expired, Voided},
	Approved:  {Used, Expired, Voided},
	Rejected:  {},
	Withdrawn: {},
	Expired:   {},
	Voided:    {},
	Used:      {},
}

// The states of a request. Pending is the only one that people can decide on; the others are final except Approved, which is Used once.
const (
	Pending   State = "pending"
	Approved  State = "approved"
	Rejected  State = "rejected"
	Withdrawn State = "withdrawn"
	Expired   State = "expired"
	Voided    State = "voided" // plan or world changed: what people agreed to no longer exists
	Used      State = "used"   // a run holds or held the grant
)

// Errors a caller decides on; each is said to the person who pressed.
var (
	ErrNotFound     = errors.New("no such request")
	ErrSelf         = errors.New("requester may not approve")
	ErrTwice        = errors.New("already decided by this person")
	ErrExpired      = errors.New("request has expired")
	ErrNotPending   = errors.New("request is no longer pending")
	ErrDigest       = errors.New("digest differs from the one requested")
	ErrNotRequester = errors.New("only the requester may withdraw")
	ErrNotApproved  = errors.New("request is not approved")
	ErrUsed         = errors.New("approval was used already")
	ErrDuplicate    = errors.New("the same plan is already waiting for approval")
	ErrPolicy       = errors.New("policy does not allow this person to decide")
	ErrNever        = errors.New("nobody may act alone on this")
	ErrEarly        = errors.New("it is too early to act alone")
	ErrForged       = errors.New("the record in Redis is not as this bot wrote it")

	// ErrUnavailable means that Redis did not answer: whether the change was made is not known. Asking again shows it.
	ErrUnavailable = errors.New("redis is away")
)

// Recipe is how to compile the plan again: the plan itself is never read back from storage.
type Recipe struct {
	Runbook string            `json:"runbook"` // runbook name
	SHA256  string            `json:"sha256"`  // of its Markdown
	Section string            `json:"section"` // section ID
	Option  int               `json:"option"`  // 0 when the section has no alternatives, else from 1
	Inputs  map[string]string `json:"inputs,omitempty"`
	From    int               `json:"from,omitempty"` // the first step that runs, from 1; 0 is the first
}

// Request asks people to agree to a digest.
type Request struct {
	ID        string      `json:"id"`              // "REQ-17"
	Nonce     string      `json:"nonce,omitempty"` // makes this request's seal its own
	Incident  string      `json:"incident"`
	Recipe    Recipe      `json:"recipe"`
	Digest    string      `json:"digest"`
	Title     string      `json:"title"`
	Risk      string      `json:"risk"`
	World     []Condition `json:"world,omitempty"`  // what of the world has to be as it was when people were asked
	Policy    string      `json:"policy,omitempty"` // fingerprint of the policy under which they were asked
	Requester string      `json:"requester"`        // Slack user ID; "" when the bot proposes
	Reason    string      `json:"reason,omitempty"`
	Needed    int         `json:"needed"` // approvals needed besides the requester; at least 1, at least 2 when the bot proposes
	State     State       `json:"state"`
	Decisions []Decision  `json:"decisions,omitempty"`
	CreatedAt time.Time   `json:"created_at"`
	ExpiresAt time.Time   `json:"expires_at"`
	AloneFrom time.Time   `json:"alone_from,omitzero"` // from when its requester may break the glass; zero: never
	StepUp    bool        `json:"step_up,omitempty"`   // who approves proves with a code who they are
	Standing  string      `json:"standing,omitempty"`  // the standing approval that agrees to it; "" when people do
	EndedAt   time.Time   `json:"ended_at,omitzero"`
	Run       string      `json:"run,omitempty"`   // the run that used the grant
	Why       string      `json:"why,omitempty"`   // why it was voided or what made it expire, in words
	Taken     *Taken      `json:"taken,omitempty"` // the run's own word that it has the grant
}

// Taken is a run's claim on a request.
type Taken struct {
	Run string    `json:"run"` // run ID
	At  time.Time `json:"at"`
}

// Condition is a part of the world as it was when people were asked, as far as it matters to one step. This package keeps
// it with the request; what it means, actions know.
type Condition struct {
	Step    int      `json:"step"` // from 1
	Name    string   `json:"name"`
	Values  []string `json:"values"`
	Shrinks bool     `json:"shrinks,omitempty"`
}

// Verdict is a person's answer.
type Verdict string

// The answers. BreakGlass is the requester's own, when nobody else answers.
const (
	Approve    Verdict = "approve"
	Reject     Verdict = "reject"
	BreakGlass Verdict = "break-glass"
)

// Decision is one person's answer to one digest.
type Decision struct {
	User    string    `json:"user"` // Slack user ID
	Verdict Verdict   `json:"verdict"`
	Digest  string    `json:"digest"` // what the person saw
	Reason  string    `json:"reason,omitempty"`
	Proof   string    `json:"proof,omitempty"` // how the person proved who they are besides the session: "totp"
	At      time.Time `json:"at"`
}

// Grant is the right to run the plan with one digest once. Only Store.Claim makes one.
type Grant struct {
	request string
	digest  string
	run     string
}

// Covers reports whether the grant is for the plan with this digest. The zero Grant covers nothing.
func (g Grant) Covers(digest string) bool { return g.digest != "" && g.digest == digest }

// Request is the ID of the request the grant came from.
func (g Grant) Request() string { return g.request }

// Run is the run that holds the grant.
func (g Grant) Run() string { return g.run }
