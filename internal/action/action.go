// Package action is what a step of a plan can be: a typed operation on one target, with the sentence that tells a
// person its effect, its risk, its deadline, and the way to see whether it has already happened. Nothing here decides
// whether an action may run; that is the approval's business. Nothing here is a shell.
package action

import (
	"context"
	"fmt"
	"time"
)

// Risk says how much an action can hurt. The zero value is not a risk: every action names one.
type Risk string

// The three risks, from harmless to dangerous. Policy decides how many approvers each needs.
const (
	Read   Risk = "read"   // looks, changes nothing; needs no approval
	Change Risk = "change" // changes the pipeline in a way that can be taken back or repeated
	High   Risk = "high"   // can lose data, position or schema
)

// Action is one typed operation. Implementations are plain structs whose exported JSON fields are the whole of their
// meaning: two actions with equal Kind and JSON do the same thing, which is what a plan's digest relies on.
type Action interface {
	// Kind is the stable name, such as "connect.restart".
	Kind() string
	// Effect is one sentence in the present tense, for the approver: "Restarts the failed tasks of postgres-sink-connector."
	Effect() string
	Risk() Risk
	// Target names what is touched, such as "connect/warehouse/postgres-sink-connector".
	Target() string
	// Deadline is how long Run may take in all, waiting included.
	Deadline() time.Duration
	// Run carries the action out and returns when its effect is visible, not when the request was accepted.
	// Its output is shown to people after redaction.
	Run(ctx context.Context, w World) (Output, error)
	// Observe reports whether the effect is already visible; after a crash it decides between "succeeded" and "run again".
	Observe(ctx context.Context, w World) (bool, error)
	// Idempotent reports whether running twice is as good as running once.
	Idempotent() bool
}

// Output is what an action saw or did, unredacted. Text is shown; Full, when set, is kept as a file.
type Output struct {
	Text string `json:"text,omitempty"`
	Full string `json:"full,omitempty"`
}

// order ranks the risks.
var order = map[Risk]int{Read: 1, Change: 2, High: 3}

// ParseRisk reads a risk as configuration writes it.
func ParseRisk(text string) (Risk, error) {
	if order[Risk(text)] == 0 {
		return "", fmt.Errorf("risk %q: expected read, change or high", text)
	}
	return Risk(text), nil
}

// Max is the highest of some risks, "" of none.
func Max(risks ...Risk) Risk {
	var highest Risk
	for _, r := range risks {
		if order[r] > order[highest] {
			highest = r
		}
	}
	return highest
}
