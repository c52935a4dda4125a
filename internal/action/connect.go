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

// Run implements Action. A task that fails again at once is an error that names the new cause.
func (a RestartConnector) Run(ctx context.Context, w World) (Output, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Output{}, err
	}
	if a.Task != nil {
		err = c.RestartTask(ctx, a.Connector, *a.Task)
	} else {
		_, err = c.Restart(ctx, a.Connector, a.OnlyFailed)
	}
	if err != nil {
		return Output{}, err
	}
	s, err := a.settled(ctx, c)
	if err != nil {
		return Output{}, err
	}
	if failed := s.Failed(); len(failed) > 0 || s.State == connect.Failed {
		return Output{Text: states(s)}, fmt.Errorf("%s failed again: %s", a.Connector, firstLine(s))
	}
	return Output{Text: states(s)}, nil
}

// settled waits until nothing is on its way any more. Right after the request the old FAILED may still be shown, so
// FAILED counts only when it stays for three seconds.
func (a RestartConnector) settled(ctx context.Context, c Connect) (connect.Status, error) {
	var failing time.Time
	return c.Await(ctx, a.Connector, func(s connect.Status) bool {
		if s.Running() {
			return true
		}
		bad := s.State == connect.Failed || len(s.Failed()) > 0
		if !bad {
			failing = time.Time{}
			return s.State == connect.Stopped || s.State == connect.Paused
		}
		if failing.IsZero() {
			failing = time.Now()
		}
		return time.Since(failing) > 3*time.Second
	})
}

// Observe implements Action.
func (a RestartConnector) Observe(ctx context.Context, w World) (bool, error) {
	return observe(ctx, w, a.Cluster, a.Connector, connect.Status.Running)
}

// Transition pauses, resumes or stops a connector.
type Transition struct {
	Cluster   string        `json:"cluster"`
	Connector string        `json:"connector"`
	To        connect.State `json:"to"` // PAUSED, RUNNING or STOPPED
}

// transitions is what differs between the three.
var transitions = map[connect.State]struct {
	kind, effect string
	inverse      connect.State
	do           func(Connect, context.Context, string) error
}{
	connect.Paused:  {"connect.pause", "Pauses %s: its tasks stop reading and writing; nothing is lost.", connect.Running, Connect.Pause},
	connect.Running: {"connect.resume", "Resumes %s.", "", Connect.Resume},
	connect.Stopped: {"connect.stop", "Stops %s: its tasks end; configuration and offsets are kept.", connect.Running, Connect.Stop},
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

// there reports whether every part shows the state.
func (a Transition) there(s connect.Status) bool {
	if a.To == connect.Running {
		return s.Running()
	}
	if s.State != a.To {
		return false
	}
	return !slices.ContainsFunc(s.Tasks, func(t connect.Task) bool { return t.State != a.To && t.State != connect.Failed })
}

// Run implements Action.
func (a Transition) Run(ctx context.Context, w World) (Output, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Output{}, err
	}
	if err := transitions[a.To].do(c, ctx, a.Connector); err != nil {
		return Output{}, err
	}
	s, err := c.Await(ctx, a.Connector, a.there)
	return Output{Text: states(s)}, err
}

// Observe implements Action.
func (a Transition) Observe(ctx context.Context, w World) (bool, error) {
	return observe(ctx, w, a.Cluster, a.Connector, a.there)
}

// Inverse is the action that takes another one back, where there is one.
func Inverse(a Action) (Action, bool) {
	t, ok := a.(Transition)
	if !ok || transitions[t.To].inverse == "" {
		return nil, false
	}
	t.To = transitions[t.To].inverse
	return t, true
}

// Configure changes options of a connector: it reads the whole configuration, merges, lets the plugin validate, and
// writes it back whole, because Connect replaces and never merges.
type Configure struct {
	Cluster   string            `json:"cluster"`
	Connector string            `json:"connector"`
	Set       map[string]string `json:"set"`
}

// Kind implements Action.
func (a Configure) Kind() string { return "connect.configure" }

// Effect implements Action.
func (a Configure) Effect() string {
	return fmt.Sprintf("Sets %s of %s; all other options stay. Tasks restart.", a.options(), a.Connector)
}

func (a Configure) options() string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(a.Set)) {
		list = append(list, k+" = "+a.Set[k])
	}
	return strings.Join(list, ", ")
}

// Risk implements Action. Tolerating all errors skips records silently.
func (a Configure) Risk() Risk {
	if a.Set["errors.tolerance"] == "all" {
		return High
	}
	return Change
}

// Target implements Action.
func (a Configure) Target() string { return target(a.Cluster, a.Connector) }

// Deadline implements Action.
func (a Configure) Deadline() time.Duration { return 2 * time.Minute }

// Idempotent implements Action.
func (a Configure) Idempotent() bool { return true }

// Run implements Action. The answer shows every option that differs, before → after.
func (a Configure) Run(ctx context.Context, w World) (Output, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Output{}, err
	}
	before, err := c.Config(ctx, a.Connector)
	if err != nil {
		return Output{}, err
	}
	after := maps.Clone(before)
	maps.Copy(after, a.Set)
	if err := a.validate(ctx, c, after); err != nil {
		return Output{}, err
	}
	if err := c.PutConfig(ctx, a.Connector, after); err != nil {
		return Output{}, err
	}
	s, err := c.Await(ctx, a.Connector, func(s connect.Status) bool { return s.Running() || len(s.Failed()) > 0 })
	if err == nil && len(s.Failed()) > 0 {
		err = fmt.Errorf("%s failed with the new configuration: %s", a.Connector, firstLine(s))
	}
	return Output{Text: diff(before, after)}, err
}

// validate refuses what the plugin refuses, and options that it does not know: Connect would accept and ignore them.
func (a Configure) validate(ctx context.Context, c Connect, config map[string]string) error {
	v, err := c.Validate(ctx, config["connector.class"], config)
	if err != nil {
		return err
	}
	if problems := v.Problems(); len(problems) > 0 {
		return fmt.Errorf("the plugin refuses the configuration of %s: %s", a.Connector, strings.Join(problems, "; "))
	}
	for _, name := range slices.Sorted(maps.Keys(a.Set)) {
		if !known(v, name) {
			return fmt.Errorf("the plugin of %s has no option %q; Connect would accept and ignore it", a.Connector, name)
		}
	}
	return nil
}

func known(v connect.Validation, name string) bool {
	if strings.HasPrefix(name, "transforms.") || strings.Contains(name, "converter.") || strings.HasPrefix(name, "consumer.override.") || strings.HasPrefix(name, "producer.override.") {
		return true
	}
	return slices.ContainsFunc(v.Fields, func(f connect.Field) bool { return f.Name == name })
}

// Observe implements Action.
func (a Configure) Observe(ctx context.Context, w World) (bool, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return false, err
	}
	now, err := c.Config(ctx, a.Connector)
	if err != nil {
		return false, err
	}
	for k, v := range a.Set {
		if now[k] != v {
			return false, nil
		}
	}
	return true, nil
}

func diff(before, after map[string]string) string {
	var lines []string
	for _, k := range slices.Sorted(maps.Keys(after)) {
		if was, had := before[k]; !had {
			lines = append(lines, "+ "+k+" = "+after[k])
		} else if was != after[k] {
			lines = append(lines, "- "+k+" = "+was, "+ "+k+" = "+after[k])
		}
	}
	if len(lines) == 0 {
		return "nothing differs: the options are set already"
	}
	return strings.Join(lines, "\n")
}

// WaitHealthy waits until connectors run. Without names it waits for the cluster to answer at all.
type WaitHealthy struct {
	Cluster    string        `json:"cluster"`
	Connectors []string      `json:"connectors,omitempty"`
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
func (a WaitHealthy) Deadline() time.Duration { return a.Limit }

// Idempotent implements Action.
func (a WaitHealthy) Idempotent() bool { return true }

// Run implements Action.
func (a WaitHealthy) Run(ctx context.Context, w World) (Output, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Output{}, err
	}
	began := time.Now()
	for _, name := range a.Connectors {
		if _, err := c.Await(ctx, name, connect.Status.Running); err != nil {
			return Output{}, err
		}
	}
	if len(a.Connectors) == 0 {
		if err := answers(ctx, c); err != nil {
			return Output{}, err
		}
	}
	return Output{Text: fmt.Sprintf("after %s", time.Since(began).Round(100*time.Millisecond))}, nil
}

// answers polls the cluster until it lists its connectors.
func answers(ctx context.Context, c Connect) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		_, err := c.Connectors(ctx)
		if err == nil || !connect.IsTransient(err) {
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

// firstLine is the deepest "Caused by" of the first failed part, which is where the reason stands.
func firstLine(s connect.Status) string {
	trace := s.Trace
	for _, t := range s.Tasks {
		if trace == "" && t.State == connect.Failed {
			trace = t.Trace
		}
	}
	last := ""
	for line := range strings.Lines(trace) {
		line = strings.TrimSpace(line)
		if last == "" && line != "" {
			last = line
		}
		if rest, ok := strings.CutPrefix(line, "Caused by: "); ok {
			last = rest
		}
	}
	if last == "" {
		return "no trace"
	}
	return last
}
