package action

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// RestartBatch restarts the failed tasks of several connectors at once: one step of a plan for a storm. A step ends when
// all of its connectors have settled, so that a plan stops before its next batch when this one fails.
type RestartBatch struct {
	Cluster    string   `json:"cluster"`
	Connectors []string `json:"connectors"`
}

// sideBySide is how many of a batch are restarted at the same moment: each makes its worker rebalance its tasks.
const sideBySide = 4

// Kind implements Action.
func (a RestartBatch) Kind() string { return "connect.restart-batch" }

// Risk implements Action.
func (a RestartBatch) Risk() Risk { return Change }

// Target implements Action: every connector, since approvers agree to each of them.
func (a RestartBatch) Target() string { return target(a.Cluster, strings.Join(a.Connectors, ", ")) }

// Deadline implements Action.
func (a RestartBatch) Deadline() time.Duration {
	rounds := (len(a.Connectors) + sideBySide - 1) / sideBySide
	return min(15*time.Minute, time.Duration(rounds)*time.Minute+time.Minute)
}

// Idempotent implements Action.
func (a RestartBatch) Idempotent() bool { return true }

// Effect implements Action.
func (a RestartBatch) Effect() string {
	return fmt.Sprintf("Restarts the failed tasks of %d connectors, %d at a time: %s; tasks that run keep running.", len(a.Connectors), sideBySide, strings.Join(a.Connectors, ", "))
}

func (a RestartBatch) one(name string) RestartConnector {
	return RestartConnector{Cluster: a.Cluster, Connector: name, OnlyFailed: true}
}

// Run implements Action. All are tried; the error names each that failed again.
func (a RestartBatch) Run(ctx context.Context, w World) (Output, error) {
	outputs, errs := make([]Output, len(a.Connectors)), make([]error, len(a.Connectors))
	var group errgroup.Group
	group.SetLimit(sideBySide)
	for i, name := range a.Connectors {
		group.Go(func() error {
			outputs[i], errs[i] = a.one(name).Run(ctx, w)
			return nil
		})
	}
	_ = group.Wait() // what failed is in errs, each by its connector
	lines := make([]string, len(a.Connectors))
	for i, name := range a.Connectors {
		if lines[i] = outputs[i].Text; lines[i] == "" {
			lines[i] = name + ": not restarted"
		}
	}
	return Output{Text: strings.Join(lines, "\n")}, errors.Join(errs...)
}

// Observe implements Action: it has happened when every connector is up.
func (a RestartBatch) Observe(ctx context.Context, w World) (bool, error) {
	for _, name := range a.Connectors {
		if up, err := a.one(name).Observe(ctx, w); err != nil || !up {
			return false, err
		}
	}
	return true, nil
}

// Preview implements Previewer: the states now, in one request for all.
func (a RestartBatch) Preview(ctx context.Context, w World) (Preview, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Preview{}, err
	}
	all, err := c.Connectors(ctx)
	if err != nil {
		return Preview{}, err
	}
	lines := make([]string, len(a.Connectors))
	for i, name := range a.Connectors {
		row, ok := all[name]
		if !ok {
			return Preview{}, fmt.Errorf("connector %s is not there any more; look again before restarting", name)
		}
		lines[i] = states(row.Status)
	}
	return Preview{Text: strings.Join(lines, "\n")}, nil
}
