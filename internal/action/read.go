package action

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"cdcbot/internal/connect"
)

// Look reads something of Kafka Connect and shows it in the shape of the REST API, through what the runbook pipes it
// into.
type Look struct {
	What      string `json:"what"` // "list", "expand", "status", "task", "info", "config" or "offsets"
	Cluster   string `json:"cluster"`
	Connector string `json:"connector,omitempty"`
	Task      int    `json:"task,omitempty"` // for "task"
	Pipe      Pipe   `json:"pipe,omitempty"`
}

// looks is what each kind of look asks and says. The verbs of effect are cluster, connector and task, by number.
var looks = map[string]struct {
	kind, effect string
	ask          func(context.Context, Connect, Look) (any, error)
}{
	"list":    {"connect.list", "Lists the connectors of %[1]s.", list},
	"expand":  {"connect.list", "Lists the connectors of %[1]s with their states.", expanded},
	"status":  {"connect.status", "Reads the status of %[2]s.", status},
	"task":    {"connect.status", "Reads the status of task %[3]d of %[2]s.", task},
	"info":    {"connect.config", "Reads what %[2]s is.", info},
	"config":  {"connect.config", "Reads the configuration of %[2]s.", config},
	"offsets": {"connect.offsets", "Reads the offsets of %[2]s.", offsets},
}

// Kind implements Action.
func (a Look) Kind() string { return looks[a.What].kind }

// Effect implements Action.
func (a Look) Effect() string {
	return fmt.Sprintf(looks[a.What].effect, a.Cluster, a.Connector, a.Task)
}

// Risk implements Action.
func (a Look) Risk() Risk { return Read }

// Target implements Action.
func (a Look) Target() string { return target(a.Cluster, a.Connector) }

// Deadline implements Action.
func (a Look) Deadline() time.Duration { return 30 * time.Second }

// Idempotent implements Action.
func (a Look) Idempotent() bool { return true }

// Observe implements Action: looking again is always right.
func (a Look) Observe(context.Context, World) (bool, error) { return false, nil }

// Run implements Action.
func (a Look) Run(ctx context.Context, w World) (Output, error) {
	what, ok := looks[a.What]
	if !ok {
		return Output{}, fmt.Errorf("look %q: expected one of %v", a.What, slices.Sorted(maps.Keys(looks)))
	}
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Output{}, err
	}
	answer, err := what.ask(ctx, c, a)
	if err != nil {
		return Output{}, err
	}
	text, err := a.Pipe.Value(ctx, answer)
	return Output{Text: text, Full: text}, err
}

func list(ctx context.Context, c Connect, _ Look) (any, error) {
	all, err := c.Connectors(ctx)
	names := slices.Sorted(maps.Keys(all))
	if names == nil {
		names = []string{}
	}
	return names, err
}

func expanded(ctx context.Context, c Connect, _ Look) (any, error) {
	all, err := c.Connectors(ctx)
	rows := map[string]any{}
	for name, row := range all {
		rows[name] = map[string]any{"status": wire(row.Status), "info": about(row.Status, row.Config)}
	}
	return rows, err
}

func status(ctx context.Context, c Connect, a Look) (any, error) {
	s, err := c.Status(ctx, a.Connector)
	return wire(s), err
}

func task(ctx context.Context, c Connect, a Look) (any, error) {
	s, err := c.Status(ctx, a.Connector)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(s.Tasks, func(t connect.Task) bool { return t.ID == a.Task })
	if i < 0 {
		return nil, fmt.Errorf("%s has no task %d; it has %d tasks", a.Connector, a.Task, len(s.Tasks))
	}
	return s.Tasks[i], nil
}

func info(ctx context.Context, c Connect, a Look) (any, error) {
	s, err := c.Status(ctx, a.Connector)
	if err != nil {
		return nil, err
	}
	options, err := c.Config(ctx, a.Connector)
	return about(s, options), err
}

func config(ctx context.Context, c Connect, a Look) (any, error) {
	options, err := c.Config(ctx, a.Connector)
	return masked(options), err
}

func offsets(ctx context.Context, c Connect, a Look) (any, error) {
	all, err := c.Offsets(ctx, a.Connector)
	if all == nil {
		all = []connect.Offset{}
	}
	return map[string]any{"offsets": all}, err
}

// wire gives a status the shape of GET …/status.
func wire(s connect.Status) any {
	connector := map[string]any{"state": s.State, "worker_id": s.WorkerID}
	if s.Trace != "" {
		connector["trace"] = s.Trace
	}
	if s.Version != "" {
		connector["version"] = s.Version
	}
	tasks := s.Tasks
	if tasks == nil {
		tasks = []connect.Task{}
	}
	return map[string]any{"name": s.Name, "connector": connector, "tasks": tasks, "type": s.Type}
}

// about has the shape of GET /connectors/{name}.
func about(s connect.Status, options map[string]string) any {
	tasks := []any{}
	for _, t := range s.Tasks {
		tasks = append(tasks, map[string]any{"connector": s.Name, "task": t.ID})
	}
	return map[string]any{"name": s.Name, "config": masked(options), "tasks": tasks, "type": s.Type}
}

func masked(options map[string]string) map[string]string {
	out := make(map[string]string, len(options))
	for k, v := range options {
		out[k] = shown(k, v, nil)
	}
	return out
}
