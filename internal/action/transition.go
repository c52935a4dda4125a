package action

import (
	"context"
	"fmt"
	"slices"
	"time"

	"cdcbot/internal/connect"
)

// Transition pauses, resumes or stops a connector.
type Transition struct {
	Cluster   string        `json:"cluster"`
	Connector string        `json:"connector"`
	To        connect.State `json:"to"` // PAUSED, RUNNING or STOPPED
}

// transitions is what differs between the three.
var transitions = map[connect.State]struct {
	kind, effect string
	do           func(Connect, context.Context, string) error
}{
	connect.Paused:  {"connect.pause", "Pauses %s: its tasks stop reading and writing; nothing is lost.", Connect.Pause},
	connect.Running: {"connect.resume", "Resumes %s.", Connect.Resume},
	connect.Stopped: {"connect.stop", "Stops %s: its tasks end; configuration and offsets are kept.", Connect.Stop},
}

// Kind implements Action.
func (a Transition) Kind() string { return transitions[a.To].kind }

// Effect implements Action.
func (a Transition) Effect() string { return fmt.Sprintf(transitions[a.To].effect, a.Connector) }

// Risk implements Action.
func (a Transition) Risk() Risk { return Change }

// Target implements Action.
func (a Transition) Target() string { return target(a.Cluster, a.Connector) }

// Deadline implements Action.
func (a Transition) Deadline() time.Duration { return 2 * time.Minute }

// Idempotent implements Action.
func (a Transition) Idempotent() bool { return true }

// there reports whether every part shows the state. A failed task stays failed while its connector is paused, so it does
// not keep a pause from being there.
func (a Transition) there(s connect.Status) bool {
	if a.To == connect.Running {
		return s.Running()
	}
	if s.State != a.To {
		return false
	}
	return !slices.ContainsFunc(s.Tasks, func(t connect.Task) bool { return t.State != a.To && t.State != connect.Failed })
}

// Run implements Action. A connector that is resumed and has failed tasks is an error at once: resuming does not heal
// them, restarting does.
func (a Transition) Run(ctx context.Context, w World) (Output, error) {
	do := transitions[a.To].do
	if do == nil {
		return Output{}, fmt.Errorf("transition of %s to %q: expected PAUSED, RUNNING or STOPPED", a.Connector, a.To)
	}
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Output{}, err
	}
	if err := persist(ctx, func() error { return do(c, ctx, a.Connector) }); err != nil {
		return Output{}, err
	}
	s, err := settle(ctx, c, a.Connector, patience{bad: 5 * time.Second}, a.there, a.stuck)
	if err == nil && !a.there(s) {
		err = fmt.Errorf("%s has failed tasks, which resuming does not heal; restart them: %s", a.Connector, reason(s))
	}
	return Output{Text: states(s)}, err
}

// stuck: only a resume can wait in vain for a failed task.
func (a Transition) stuck(s connect.Status) bool { return a.To == connect.Running && failing(s) }

// Observe implements Action.
func (a Transition) Observe(ctx context.Context, w World) (bool, error) {
	return observe(ctx, w, a.Cluster, a.Connector, a.there)
}

// Preview implements Previewer: the states now, and that the connector is there.
func (a Transition) Preview(ctx context.Context, w World) (Preview, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Preview{}, err
	}
	s, err := c.Status(ctx, a.Connector)
	if err != nil {
		return Preview{}, err
	}
	p := Preview{Text: states(s)}
	if was := aim(s.State); was != a.To {
		p.Inverse = Transition{Cluster: a.Cluster, Connector: a.Connector, To: was}
	}
	return p, nil
}

// aim is the state that somebody gave a connector: what failed or has no worker was meant to run.
func aim(s connect.State) connect.State {
	if _, given := transitions[s]; given {
		return s
	}
	return connect.Running
}
