package action

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cdcbot/internal/connect"
)

// WaitHealthy waits until connectors run. Without names it waits for the cluster to answer at all.
type WaitHealthy struct {
	Cluster    string        `json:"cluster"`
	Connectors []string      `json:"connectors,omitempty"`
	Services   []string      `json:"services,omitempty"`
	Expect     string        `json:"expect,omitempty"` // as the runbook says: "30-60 seconds"
	Limit      time.Duration `json:"limit"`
}

// Kind implements Action.
func (a WaitHealthy) Kind() string { return "wait.healthy" }

// Effect implements Action.
func (a WaitHealthy) Effect() string {
	what := "Kafka Connect answers"
	if len(a.Connectors) > 0 {
		what = strings.Join(a.Connectors, " and ") + " run"
	}
	if len(a.Services) > 0 {
		what = strings.Join(a.Services, " and ") + " are healthy and " + what
	}
	if a.Expect != "" {
		return fmt.Sprintf("Waits until %s (usually %s).", what, a.Expect)
	}
	return fmt.Sprintf("Waits until %s.", what)
}

// Risk implements Action.
func (a WaitHealthy) Risk() Risk { return Read }

// Target implements Action.
func (a WaitHealthy) Target() string { return target(a.Cluster, "") }

// Deadline implements Action.
func (a WaitHealthy) Deadline() time.Duration { return max(a.Limit, time.Second) }

// Idempotent implements Action.
func (a WaitHealthy) Idempotent() bool { return true }

// Run implements Action. A task that stays FAILED does not come back by itself, so it ends the wait early.
func (a WaitHealthy) Run(ctx context.Context, w World) (Output, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Output{}, err
	}
	began := time.Now()
	for _, name := range a.Services {
		if err := healthy(ctx, w, name); err != nil {
			return Output{}, err
		}
	}
	if len(a.Connectors) == 0 {
		err = answers(ctx, c)
	}
	for _, name := range a.Connectors {
		if err = a.one(ctx, c, name); err != nil {
			break
		}
	}
	return Output{Text: fmt.Sprintf("after %s", time.Since(began).Round(100*time.Millisecond))}, err
}

func (a WaitHealthy) one(ctx context.Context, c Connect, name string) error {
	s, err := settle(ctx, c, name, patience{good: time.Second, bad: 10 * time.Second}, connect.Status.Running, failing)
	if err == nil && !s.Running() {
		err = fmt.Errorf("%s stays failed: %s", name, reason(s))
	}
	return err
}

// healthy polls a service until it is up.
func healthy(ctx context.Context, w World, name string) error {
	one, err := w.Workload(name)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		state, up, err := one.State(ctx)
		if err == nil && up {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s does not become healthy; it is %s", name, state), err)
		case <-ticker.C:
		}
	}
}

// answers polls the cluster until it lists its connectors. A worker that is starting answers 404 to everything for a moment,
// as one does that is too old for a question; every worker can list its connectors.
func answers(ctx context.Context, c Connect) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		_, err := c.Connectors(ctx)
		if err == nil || !connect.IsTransient(err) && !errors.Is(err, connect.ErrUnsupported) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-ticker.C:
		}
	}
}

// Observe implements Action: waiting again is always right.
func (a WaitHealthy) Observe(context.Context, World) (bool, error) { return false, nil }
