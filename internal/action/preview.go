package action

import "context"

// Preview is what an action would do now, found out without doing it. Approvers see it beside the effect.
type Preview struct {
	Text    string // a diff, a dry run's outcome, the state now
	Inverse Action // what would take it back; nil when nothing can
}

// Previewer is an action that can look ahead. An error means that the action would be refused now: nobody need approve it.
type Previewer interface {
	Preview(ctx context.Context, w World) (Preview, error)
}
