package action

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cdcbot/internal/connect"
)

// target names a cluster or a connector on it.
func target(cluster, connector string) string {
	if connector == "" {
		return "connect/" + cluster
	}
	return "connect/" + cluster + "/" + connector
}

// persist repeats a request that may be made twice while the worker starts or rebalances, until ctx ends. A worker that
// cannot be reached at all is not waited for: people should hear of it at once.
func persist(ctx context.Context, request func() error) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		err := request()
		if !errors.Is(err, connect.ErrRebalancing) && !errors.Is(err, connect.ErrStarting) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

// patience says for how long a state must last to be believed. Right after a request a worker still shows what was
// before it, and a task that reads a bad record runs for a moment before it fails again.
type patience struct {
	good, bad time.Duration
}

// settle waits until a connector is good or bad for long enough, and returns what was seen then.
func settle(ctx context.Context, c Connect, name string, p patience, good, bad func(connect.Status) bool) (connect.Status, error) {
	var goodSince, badSince time.Time
	return c.Await(ctx, name, func(s connect.Status) bool {
		now := time.Now()
		return lasting(&goodSince, now, good(s), p.good) || lasting(&badSince, now, bad(s), p.bad)
	})
}

// lasting reports whether something has held since *since for d.
func lasting(since *time.Time, now time.Time, holds bool, d time.Duration) bool {
	if !holds {
		*since = time.Time{}
		return false
	}
	if since.IsZero() {
		*since = now
	}
	return now.Sub(*since) >= d
}

// failing reports whether the connector or a task of it has failed.
func failing(s connect.Status) bool { return s.State == connect.Failed || len(s.Failed()) > 0 }

// resting reports whether somebody paused or stopped the connector and every task follows.
func resting(s connect.Status) bool {
	if s.State != connect.Paused && s.State != connect.Stopped {
		return false
	}
	return !slices.ContainsFunc(s.Tasks, func(t connect.Task) bool { return t.State != s.State })
}

func observe(ctx context.Context, w World, cluster, connector string, there func(connect.Status) bool) (bool, error) {
	c, err := w.Connect(cluster)
	if err != nil {
		return false, err
	}
	s, err := c.Status(ctx, connector)
	return err == nil && there(s), err
}

// states is one line about a connector.
func states(s connect.Status) string {
	if s.Name == "" {
		return ""
	}
	counts := map[connect.State]int{}
	for _, t := range s.Tasks {
		counts[t.State]++
	}
	var list []string
	for _, st := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, fmt.Sprintf("%d %s", counts[st], st))
	}
	tasks := "no tasks"
	if len(list) > 0 {
		tasks = "tasks: " + strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s is %s; %s", s.Name, s.State, tasks)
}

// reason is the deepest "Caused by" of the first failed part: it names the root, what stands above only carries it.
func reason(s connect.Status) string {
	trace := s.Trace
	for _, t := range s.Tasks {
		if trace == "" && t.State == connect.Failed {
			trace = t.Trace
		}
	}
	last := ""
	for line := range strings.Lines(trace) {
		line = strings.TrimSpace(line)
		if last == "" {
			last = line
		}
		if rest, ok := strings.CutPrefix(line, "Caused by: "); ok {
			last = rest
		}
	}
	if last == "" {
		return "no trace"
	}
	if r := []rune(last); len(r) > 500 {
		return string(r[:499]) + "…"
	}
	return last
}
