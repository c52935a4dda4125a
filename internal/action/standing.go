package action

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// AllowRestart agrees in advance: the bot may restart the failed tasks of connectors by itself, so often and for so long.
type AllowRestart struct {
	Cluster    string        `json:"cluster"`
	Connectors []string      `json:"connectors"`
	For        time.Duration `json:"for"`
	Most       int           `json:"most"` // times
}

// Standings keeps what was agreed in advance. It knows on whose agreement the run rests.
type Standings interface {
	Allow(ctx context.Context, a AllowRestart) (string, error) // returns the ID of the standing approval
}

// Kind implements Action.
func (a AllowRestart) Kind() string { return "approval.standing" }

// Effect implements Action.
func (a AllowRestart) Effect() string {
	return fmt.Sprintf("Lets the bot restart the failed tasks of %s by itself when a restart can help: at most %d times within %s from then on, without asking again. Anybody can revoke it.",
		strings.Join(a.Connectors, ", "), a.Most, a.For)
}

// Risk implements Action: what it allows is no more than a restart.
func (a AllowRestart) Risk() Risk { return Change }

// Target implements Action.
func (a AllowRestart) Target() string { return target(a.Cluster, strings.Join(a.Connectors, ",")) }

// Deadline implements Action.
func (a AllowRestart) Deadline() time.Duration { return time.Minute }

// Idempotent implements Action: one run makes one standing approval.
func (a AllowRestart) Idempotent() bool { return true }

// Observe implements Action.
func (a AllowRestart) Observe(context.Context, World) (bool, error) { return false, nil }

// Run implements Action.
func (a AllowRestart) Run(ctx context.Context, w World) (Output, error) {
	s, ok := w.(Standings)
	if !ok {
		return Output{}, fmt.Errorf("standing approvals are %w here: they need a run that people agreed to", ErrNotConfigured)
	}
	id, err := s.Allow(ctx, a)
	return Output{Text: id + " stands"}, err
}
