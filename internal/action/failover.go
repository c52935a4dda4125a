package action

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cdcbot/internal/connect"
)

// Failover pauses connectors here and resumes their backups in the other region, verified on both sides.
type Failover struct {
	From  string `json:"from"` // cluster
	To    string `json:"to"`   // cluster
	Pairs []Pair `json:"pairs"`
}

// Pair is a connector and its backup.
type Pair struct {
	Here  string `json:"here"`
	There string `json:"there"`
}

// Kind implements Action.
func (a Failover) Kind() string { return "failover" }

// Effect implements Action.
func (a Failover) Effect() string {
	if len(a.Pairs) == 0 {
		return "Pauses the connectors here and resumes their backups in the other region."
	}
	var here, there []string
	for _, p := range a.Pairs {
		here, there = append(here, p.Here), append(there, p.There)
	}
	return fmt.Sprintf("Pauses %s on %s, then resumes %s on %s. A cluster that cannot be reached cannot be paused: it may write again when it comes back.", strings.Join(here, ", "), a.From, strings.Join(there, ", "), a.To)
}

// Risk implements Action.
func (a Failover) Risk() Risk { return High }

// Target implements Action.
func (a Failover) Target() string { return target(a.To, "") }

// Deadline implements Action.
func (a Failover) Deadline() time.Duration { return 5 * time.Minute }

// Idempotent implements Action.
func (a Failover) Idempotent() bool { return true }

// Run implements Action. Nothing is resumed there before everything here is paused or out of reach.
func (a Failover) Run(ctx context.Context, w World) (Output, error) {
	if len(a.Pairs) == 0 {
		return Output{}, fmt.Errorf("failover is %w; set pipelines.<name>.failover", ErrNotConfigured)
	}
	var lines []string
	done := func() Output { return Output{Text: strings.Join(lines, "\n")} }
	for _, p := range a.Pairs {
		out, err := (Transition{Cluster: a.From, Connector: p.Here, To: connect.Paused}).Run(ctx, w)
		switch {
		case away(err):
			lines = append(lines, p.Here+" could not be paused: "+err.Error()+"; pause it when its cluster comes back, before it writes again")
		case err != nil:
			return done(), fmt.Errorf("pausing %s: %w; nothing was resumed in the other region", p.Here, err)
		default:
			lines = append(lines, out.Text)
		}
	}
	for _, p := range a.Pairs {
		out, err := (Transition{Cluster: a.To, Connector: p.There, To: connect.Running}).Run(ctx, w)
		lines = append(lines, out.Text)
		if err != nil {
			return done(), fmt.Errorf("resuming %s in the other region: %w", p.There, err)
		}
	}
	return done(), nil
}

// away: a cluster that is gone is the very reason for a failover.
func away(err error) bool {
	return errors.Is(err, connect.ErrUnreachable) || errors.Is(err, connect.ErrTimeout)
}

// Away reports whether an error says that a Connect cluster cannot be asked now, rather than that it would refuse.
func Away(err error) bool {
	return away(err) || errors.Is(err, connect.ErrRebalancing) || errors.Is(err, connect.ErrStarting) || errors.Is(err, connect.ErrBroken)
}

// Observe implements Action.
func (a Failover) Observe(ctx context.Context, w World) (bool, error) {
	for _, p := range a.Pairs {
		here, err := (Transition{Cluster: a.From, Connector: p.Here, To: connect.Paused}).Observe(ctx, w)
		if err != nil && !away(err) || err == nil && !here {
			return false, err
		}
		there, err := (Transition{Cluster: a.To, Connector: p.There, To: connect.Running}).Observe(ctx, w)
		if err != nil || !there {
			return false, err
		}
	}
	return len(a.Pairs) > 0, nil
}

// Preview implements Previewer: the states on both sides. The way back is the same with the sides changed.
func (a Failover) Preview(ctx context.Context, w World) (Preview, error) {
	if len(a.Pairs) == 0 {
		return Preview{}, fmt.Errorf("failover is %w; set pipelines.<name>.failover", ErrNotConfigured)
	}
	var lines []string
	back := Failover{From: a.To, To: a.From}
	for _, p := range a.Pairs {
		for _, side := range []struct{ cluster, connector string }{{a.From, p.Here}, {a.To, p.There}} {
			c, err := w.Connect(side.cluster)
			if err != nil {
				return Preview{}, err
			}
			s, err := c.Status(ctx, side.connector)
			if err != nil && (side.cluster == a.To || !away(err)) {
				return Preview{}, err
			}
			if err != nil {
				lines = append(lines, side.cluster+": "+err.Error())
				continue
			}
			lines = append(lines, side.cluster+": "+states(s))
		}
		back.Pairs = append(back.Pairs, Pair{Here: p.There, There: p.Here})
	}
	return Preview{Text: strings.Join(lines, "\n"), Inverse: back}, nil
}
