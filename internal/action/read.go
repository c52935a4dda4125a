package action

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/itchyny/gojq"
)

// Look reads something of Kafka Connect and shows it, through a jq program if the runbook pipes it into one.
type Look struct {
	What      string `json:"what"` // "list", "status", "config" or "offsets"
	Cluster   string `json:"cluster"`
	Connector string `json:"connector,omitempty"`
	Filter    string `json:"filter,omitempty"` // jq program
}

// looks is what each kind of look asks and says.
var looks = map[string]struct {
	effect string
	ask    func(context.Context, Connect, string) (any, error)
}{
	"list": {"Lists the connectors of %[1]s.", func(ctx context.Context, c Connect, _ string) (any, error) {
		all, err := c.Connectors(ctx)
		return slices.Sorted(maps.Keys(all)), err
	}},
	"status":  {"Reads the status of %[2]s.", func(ctx context.Context, c Connect, name string) (any, error) { return statusJSON(ctx, c, name) }},
	"config":  {"Reads the configuration of %[2]s.", func(ctx context.Context, c Connect, name string) (any, error) { return c.Config(ctx, name) }},
	"offsets": {"Reads the offsets of %[2]s.", func(ctx context.Context, c Connect, name string) (any, error) { return c.Offsets(ctx, name) }},
}

// Kind implements Action.
func (a Look) Kind() string { return "connect." + a.What }

// Effect implements Action.
func (a Look) Effect() string { return fmt.Sprintf(looks[a.What].effect, a.Cluster, a.Connector) }

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
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Output{}, err
	}
	answer, err := looks[a.What].ask(ctx, c, a.Connector)
	if err != nil {
		return Output{}, err
	}
	text, err := filtered(ctx, answer, a.Filter)
	return Output{Text: text, Full: text}, err
}

// statusJSON gives the status in the shape of the REST API, which is what jq programs in runbooks expect.
func statusJSON(ctx context.Context, c Connect, name string) (any, error) {
	s, err := c.Status(ctx, name)
	if err != nil {
		return nil, err
	}
	connector := map[string]any{"state": s.State, "worker_id": s.WorkerID}
	if s.Trace != "" {
		connector["trace"] = s.Trace
	}
	return map[string]any{"name": s.Name, "connector": connector, "tasks": s.Tasks, "type": s.Type}, nil
}

// filtered applies a jq program; without one the value is shown as indented JSON. The program sees no environment and no
// files, and ends with ctx.
func filtered(ctx context.Context, value any, program string) (string, error) {
	b, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("encoding the answer: %w", err)
	}
	var plain any
	if err := json.Unmarshal(b, &plain); err != nil {
		return "", fmt.Errorf("decoding the answer: %w", err)
	}
	if program == "" {
		program = "."
	}
	query, err := gojq.Parse(program)
	if err != nil {
		return "", fmt.Errorf("jq program %q: %w", program, err)
	}
	var lines []string
	for iter := query.RunWithContext(ctx, plain); ; {
		v, more := iter.Next()
		if !more {
			return strings.Join(lines, "\n"), nil
		}
		if err, bad := v.(error); bad {
			return "", fmt.Errorf("jq program %q: %w", program, err)
		}
		if lines, err = show(lines, v); err != nil {
			return "", err
		}
	}
}

func show(lines []string, v any) ([]string, error) {
	if text, ok := v.(string); ok {
		return append(lines, text), nil
	}
	b, err := json.MarshalIndent(v, "", "  ")
	return append(lines, string(b)), err
}
