package action

import (
	"context"
	"fmt"
	"slices"
	"time"

	"cdcbot/internal/connect"
)

// RestartConnector restarts a connector's failed tasks, all of it, or one task (KIP-745).
type RestartConnector struct {
	Cluster    string `json:"cluster"`
	Connector  string `json:"connector"`
	OnlyFailed bool   `json:"only_failed"`
	Task       *int   `json:"task,omitempty"` // one task instead
}

// Kind implements Action.
func (a RestartConnector) Kind() string { return "connect.restart" }

// Risk implements Action.
func (a RestartConnector) Risk() Risk { return Change }

// Target implements Action.
func (a RestartConnector) Target() string { return target(a.Cluster, a.Connector) }

// Deadline implements Action.
func (a RestartConnector) Deadline() time.Duration { return 2 * time.Minute }

// Idempotent implements Action: restarting what runs again costs a moment, never data.
func (a RestartConnector) Idempotent() bool { return true }

// Effect implements Action.
func (a RestartConnector) Effect() string {
	switch {
	case a.Task != nil:
		return fmt.Sprintf("Restarts task %d of %s.", *a.Task, a.Connector)
	case a.OnlyFailed:
		return fmt.Sprintf("Restarts the failed tasks of %s; tasks that run keep running.", a.Connector)
	}
	return fmt.Sprintf("Restarts %s with all its tasks.", a.Connector)
}

// Run implements Action. A task that fails again at once is an error that names the cause, and says whether it is the
// one that was there before. A STOPPED connector is an error too: it has no tasks that a restart could reach.
func (a RestartConnector) Run(ctx context.Context, w World) (Output, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Output{}, err
	}
	before, err := c.Status(ctx, a.Connector)
	if err != nil {
		return Output{}, err
	}
	if before.State == connect.Stopped {
		return Output{Text: states(before)}, fmt.Errorf("%s is STOPPED, where a restart has no effect; resume it instead", a.Connector)
	}
	if err := persist(ctx, func() error { return a.request(ctx, c) }); err != nil {
		return Output{}, err
	}
	after, err := settle(ctx, c, a.Connector, patience{good: time.Second, bad: 3 * time.Second}, a.up, a.down)
	if err != nil {
		return Output{Text: states(after)}, err
	}
	return Output{Text: states(after)}, a.verdict(before, after)
}

func (a RestartConnector) request(ctx context.Context, c Connect) error {
	if a.Task != nil {
		return c.RestartTask(ctx, a.Connector, *a.Task)
	}
	_, err := c.Restart(ctx, a.Connector, a.OnlyFailed)
	return err
}

// up and down look at the one task, if it is about one: its siblings may fail for reasons of their own.
func (a RestartConnector) up(s connect.Status) bool {
	if a.Task == nil {
		return s.Running() || resting(s)
	}
	t, ok := a.task(s)
	return ok && (t.State == connect.Running || t.State == connect.Paused)
}

func (a RestartConnector) down(s connect.Status) bool {
	if a.Task == nil {
		return failing(s)
	}
	t, ok := a.task(s)
	return ok && t.State == connect.Failed
}

func (a RestartConnector) task(s connect.Status) (connect.Task, bool) {
	i := slices.IndexFunc(s.Tasks, func(t connect.Task) bool { return t.ID == *a.Task })
	if i < 0 {
		return connect.Task{}, false
	}
	return s.Tasks[i], true
}

// verdict is nil when what was restarted runs.
func (a RestartConnector) verdict(before, after connect.Status) error {
	if !a.down(after) {
		return nil
	}
	was, is := a.reason(before), a.reason(after)
	if was == is {
		return fmt.Errorf("%s failed again with the same error: %s", a.what(), is)
	}
	return fmt.Errorf("%s failed again, now with: %s", a.what(), is)
}

func (a RestartConnector) reason(s connect.Status) string {
	if a.Task == nil {
		return reason(s)
	}
	t, _ := a.task(s)
	return reason(connect.Status{Trace: t.Trace})
}

func (a RestartConnector) what() string {
	if a.Task != nil {
		return fmt.Sprintf("task %d of %s", *a.Task, a.Connector)
	}
	return a.Connector
}

// Observe implements Action.
func (a RestartConnector) Observe(ctx context.Context, w World) (bool, error) {
	return observe(ctx, w, a.Cluster, a.Connector, a.up)
}

// Preview implements Previewer: the states now, and that a restart can reach the connector. A restart has no inverse.
func (a RestartConnector) Preview(ctx context.Context, w World) (Preview, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Preview{}, err
	}
	s, err := c.Status(ctx, a.Connector)
	if err != nil {
		return Preview{}, err
	}
	if s.State == connect.Stopped {
		return Preview{}, fmt.Errorf("%s is STOPPED, where a restart has no effect; resume it instead", a.Connector)
	}
	return Preview{Text: states(s)}, nil
}
