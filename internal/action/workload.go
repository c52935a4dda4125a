package action

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Workload works on services: containers or Kubernetes workloads, as configured.
type Workload struct {
	Do       string   `json:"do"`       // "restart", "start", "stop" or "scale"
	Services []string `json:"services"` // in the order they are worked on
	Replicas int      `json:"replicas,omitempty"`
}

// deeds is what each of them says and does.
var deeds = map[string]struct {
	effect string
	do     func(ctx context.Context, w Workload, one WorkloadClient) error
	limit  time.Duration
}{
	"restart": {"Restarts %s and waits until it is healthy.", func(ctx context.Context, _ Workload, c WorkloadClient) error { return c.Restart(ctx) }, 5 * time.Minute},
	"start":   {"Starts %s where it does not run, and waits until it is healthy.", func(ctx context.Context, _ Workload, c WorkloadClient) error { return c.Start(ctx) }, 5 * time.Minute},
	"stop":    {"Stops %s.", func(ctx context.Context, _ Workload, c WorkloadClient) error { return c.Stop(ctx) }, 2 * time.Minute},
	"scale":   {"Scales %s to %d.", func(ctx context.Context, a Workload, c WorkloadClient) error { return c.Scale(ctx, a.Replicas) }, 5 * time.Minute},
}

// Kind implements Action.
func (a Workload) Kind() string { return "workload." + a.Do }

// Effect implements Action.
func (a Workload) Effect() string {
	names := strings.Join(a.Services, ", ")
	if a.Do == "scale" {
		return fmt.Sprintf(deeds[a.Do].effect, names, a.Replicas)
	}
	return fmt.Sprintf(deeds[a.Do].effect, names)
}

// Risk implements Action. A service that is stopped stays down until somebody starts it.
func (a Workload) Risk() Risk {
	if a.Do == "stop" || a.Do == "scale" && a.Replicas == 0 {
		return High
	}
	return Change
}

// Target implements Action.
func (a Workload) Target() string { return "workload/" + strings.Join(a.Services, ",") }

// Deadline implements Action.
func (a Workload) Deadline() time.Duration {
	return deeds[a.Do].limit * time.Duration(max(1, len(a.Services)))
}

// Idempotent implements Action: a second restart costs a moment.
func (a Workload) Idempotent() bool { return true }

// Run implements Action. The output is the state of each service before and after.
func (a Workload) Run(ctx context.Context, w World) (Output, error) {
	deed, ok := deeds[a.Do]
	if !ok {
		return Output{}, fmt.Errorf("workload %q: expected restart, start, stop or scale", a.Do)
	}
	var lines []string
	for _, name := range a.Services {
		one, err := w.Workload(name)
		if err != nil {
			return Output{Text: strings.Join(lines, "\n")}, err
		}
		before := stateOf(ctx, one)
		err = deed.do(ctx, a, one)
		lines = append(lines, fmt.Sprintf("%s was %s; now %s", name, before, stateOf(ctx, one)))
		if err != nil {
			return Output{Text: strings.Join(lines, "\n")}, err
		}
	}
	return Output{Text: strings.Join(lines, "\n")}, nil
}

func stateOf(ctx context.Context, one WorkloadClient) string {
	state, _, err := one.State(ctx)
	if err != nil {
		return "unknown (" + err.Error() + ")"
	}
	return state
}

// Observe implements Action. That a service is up does not prove that it was restarted, so a restart runs again.
func (a Workload) Observe(ctx context.Context, w World) (bool, error) {
	if a.Do == "restart" || a.Do == "scale" {
		return false, nil
	}
	for _, name := range a.Services {
		one, err := w.Workload(name)
		if err != nil {
			return false, err
		}
		_, up, err := one.State(ctx)
		if err != nil || up != (a.Do == "start") {
			return false, err
		}
	}
	return true, nil
}

// Preview implements Previewer: the states now, and that every service is there.
func (a Workload) Preview(ctx context.Context, w World) (Preview, error) {
	var lines, up, down []string
	for _, name := range a.Services {
		one, err := w.Workload(name)
		if err != nil {
			return Preview{}, err
		}
		state, runs, err := one.State(ctx)
		if err != nil {
			return Preview{}, err
		}
		lines = append(lines, name+" is "+state)
		if runs {
			up = append(up, name)
		} else {
			down = append(down, name)
		}
	}
	p := Preview{Text: strings.Join(lines, "\n")}
	switch {
	case a.Do == "start" && len(down) > 0:
		p.Inverse = Workload{Do: "stop", Services: down}
	case a.Do == "stop" && len(up) > 0:
		p.Inverse = Workload{Do: "start", Services: up}
	}
	return p, nil
}

// Logs shows the last lines that a service wrote.
type Logs struct {
	reading
	Service string        `json:"service"`
	Tail    int           `json:"tail,omitempty"` // lines; 0 is a thousand
	Since   time.Duration `json:"since,omitempty"`
	Pipe    Pipe          `json:"pipe,omitempty"`
}

// maxTail bounds what a runbook without --tail asks for.
const maxTail = 1000

// Kind implements Action.
func (a Logs) Kind() string { return "workload.logs" }

// Effect implements Action.
func (a Logs) Effect() string {
	text := fmt.Sprintf("Reads the last %d lines of the log of %s", a.tail(), a.Service)
	if a.Since > 0 {
		text += fmt.Sprintf(" since %s ago", a.Since)
	}
	return text + "."
}

func (a Logs) tail() int {
	if a.Tail <= 0 || a.Tail > 100*maxTail {
		return maxTail
	}
	return a.Tail
}

// Target implements Action.
func (a Logs) Target() string { return "workload/" + a.Service }

// Run implements Action.
func (a Logs) Run(ctx context.Context, w World) (Output, error) {
	one, err := w.Workload(a.Service)
	if err != nil {
		return Output{}, err
	}
	text, err := one.Logs(ctx, a.tail(), a.Since)
	if err != nil {
		return Output{}, err
	}
	return a.Pipe.output(ctx, text)
}

// Workloads lists services with their states: all that are configured, or some.
type Workloads struct {
	reading
	Services []string `json:"services,omitempty"`
	Pipe     Pipe     `json:"pipe,omitempty"`
}

// Kind implements Action.
func (a Workloads) Kind() string { return "workload.list" }

// Effect implements Action.
func (a Workloads) Effect() string {
	if len(a.Services) > 0 {
		return "Reads the state of " + strings.Join(a.Services, ", ") + "."
	}
	return "Lists the services with their states."
}

// Target implements Action.
func (a Workloads) Target() string { return "workload/" + strings.Join(a.Services, ",") }

// Run implements Action. A service that cannot be asked is a row that says why, not the end of the list.
func (a Workloads) Run(ctx context.Context, w World) (Output, error) {
	names := a.Services
	if len(names) == 0 {
		names = w.Services()
	}
	if len(names) == 0 {
		_, err := w.Workload("")
		return Output{}, err
	}
	rows := make([][]string, len(names))
	for i, name := range names {
		one, err := w.Workload(name)
		if err != nil {
			return Output{}, err
		}
		rows[i] = []string{name, stateOf(ctx, one)}
	}
	return a.Pipe.lists(ctx, []string{"SERVICE", "STATE"}, rows, nil)
}
