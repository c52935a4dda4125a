package workload

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"cdcbot/internal/lab"
)

// The whole life of a service on a real engine: the rows build on one another.
func TestDockerReal(t *testing.T) {
	d, ctx := realEngine(t)
	one := d.Service(own(t, d, "cdcbot-test", nil))
	began := d.now()
	rows := []struct {
		name  string
		do    func(context.Context) error
		state string // what it begins with
		up    bool
	}{
		{"restart", one.Restart, "running (healthy), up ", true},
		{"stop", one.Stop, "exited, exit code 0, ", false},
		{"stop again", one.Stop, "exited, exit code 0, ", false},
		{"restart what is stopped", one.Restart, "running (healthy), up ", true},
		{"start what runs", one.Start, "running (healthy), up ", true},
		{"scale to 3", scaled(one, 3), "3 containers: running (healthy), up ", true},
		{"stop all", one.Stop, "3 containers: exited, exit code 0, ", false},
		{"scale to 2", scaled(one, 2), "2 containers: running (healthy), up ", true},
		{"restart both", one.Restart, "2 containers: running (healthy), up ", true},
		{"scale to 0", scaled(one, 0), "exited, exit code 0, ", false},
		{"scale to 1", scaled(one, 1), "running (healthy), up ", true},
	}
	for _, row := range rows {
		if err := row.do(ctx); err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		state, up, err := one.State(ctx)
		if err != nil || up != row.up || !strings.HasPrefix(state, row.state) {
			t.Errorf("after %s: got %q, %t, %v; want %q, %t", row.name, state, up, err, row.state, row.up)
		}
	}
	byService, up, err := d.Service("cdcbot-test-service").State(ctx)
	if err != nil || !up {
		t.Errorf("by the compose service: got %q, %t, %v", byService, up, err)
	}
	text, err := one.Logs(ctx, 100, 0)
	if err != nil || !strings.Contains(text, "INFO cdcbot-test started\n") || !strings.Contains(text, "\nERROR cdcbot-test: a line") {
		t.Errorf("logs: got %q, %v", text, err)
	}
	if few, err := one.Logs(ctx, 1, d.now().Sub(began)+time.Minute); err != nil || strings.Count(few, "\n") > 0 || few == "" {
		t.Errorf("the last line: got %q, %v", few, err)
	}
}

// Logs of several containers stand in order of time and say whose they are.
func TestDockerRealLogsOfCopies(t *testing.T) {
	d, ctx := realEngine(t)
	one := d.Service(own(t, d, "cdcbot-copies", nil))
	if err := one.Scale(ctx, 2); err != nil {
		t.Fatal(err)
	}
	text, err := one.Logs(ctx, 100, time.Hour)
	first := strings.Index(text, "cdcbot-copies | INFO cdcbot-copies started\n")
	second := strings.Index(text, "cdcbot-copies-2 | INFO cdcbot-copies started\n")
	if err != nil || first < 0 || second < first {
		t.Errorf("got %q, %v", text, err)
	}
}

// What does not become healthy says why.
func TestDockerRealUnwell(t *testing.T) {
	d, ctx := realEngine(t)
	one := d.Service(own(t, d, "cdcbot-ill", nil))
	if err := one.Start(ctx); err != nil {
		t.Fatal(err)
	}
	tell(t, d, one.name, "unhealthy")
	lab.Await(t, "an unhealthy container", 20*time.Second, func(ctx context.Context) (bool, error) {
		state, up, err := one.State(ctx)
		return !up && strings.Contains(state, "unhealthy") && strings.Contains(state, "told to be unhealthy"), err
	})
	if err := one.Start(ctx); !errors.Is(err, ErrUnhealthy) || !strings.Contains(err.Error(), "exit code 1: told to be unhealthy") {
		t.Errorf("start of an unhealthy one: got %v", err)
	}
	tell(t, d, one.name, "dead")
	lab.Await(t, "a dead container", 20*time.Second, func(ctx context.Context) (bool, error) {
		state, up, err := one.State(ctx)
		return !up && strings.Contains(state, "exit code 3"), err
	})
	broken := d.Service(own(t, d, "cdcbot-broken", func(c *container.Config, _ *container.HostConfig) { c.Entrypoint = []string{"/service", "be", "x"} }))
	if err := broken.Start(ctx); !errors.Is(err, ErrUnhealthy) || !strings.Contains(err.Error(), "ended with exit code 0") {
		t.Errorf("a container that ends at once: got %v", err)
	}
	loops := d.Service(own(t, d, "cdcbot-loops", func(c *container.Config, h *container.HostConfig) {
		c.Entrypoint, c.Cmd = []string{"/service", "die"}, []string{"disk full"}
		h.RestartPolicy.Name = container.RestartPolicyAlways
	}))
	if err := loops.Restart(ctx); !errors.Is(err, ErrUnhealthy) || !strings.Contains(err.Error(), "exit code 3, and the engine has restarted it") || !strings.Contains(err.Error(), "FATAL disk full") {
		t.Errorf("a container that dies again and again: got %v", err)
	}
	never := d.Service(own(t, d, "cdcbot-never", func(c *container.Config, _ *container.HostConfig) {
		c.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "/service", "check"}, Interval: time.Hour}
	}))
	short, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := never.Start(short); !errors.Is(err, ErrUnhealthy) || !strings.Contains(err.Error(), "after the whole time it is running (starting), up ") {
		t.Errorf("a container that is not asked for its health in time: got %v", err)
	}
}

func realEngine(t *testing.T) (*Docker, context.Context) {
	t.Helper()
	s := lab.Require(t, lab.Docker)
	d, err := NewDocker(s.Docker, func(next Dial) Dial { return next })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() }) // idle connections
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return d, ctx
}

func scaled(c *Container, replicas int) func(context.Context) error {
	return func(ctx context.Context) error { return c.Scale(ctx, replicas) }
}

// own makes a container for a test, beside those of the lab, and removes it with all that scaling has made of it.
func own(t *testing.T, d *Docker, name string, change func(*container.Config, *container.HostConfig)) string {
	t.Helper()
	config := &container.Config{Image: "cdcbot/service:3", Cmd: []string{name}, Labels: map[string]string{composeService: name + "-service", composeNumber: "1"}}
	host := &container.HostConfig{NetworkMode: "host"}
	if change != nil {
		change(config, host)
	}
	drop(t, d, name)
	t.Cleanup(func() { drop(t, d, name) })
	if _, err := d.api.ContainerCreate(t.Context(), client.ContainerCreateOptions{Name: name, Config: config, HostConfig: host}); err != nil {
		t.Fatal(err)
	}
	return name
}

func drop(t *testing.T, d *Docker, name string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	all, err := d.Service(name).find(ctx, "drop")
	if errors.Is(err, ErrNotFound) {
		return
	}
	if err != nil {
		t.Error(err)
	}
	for _, one := range all {
		if _, err := d.api.ContainerRemove(ctx, one.ID, client.ContainerRemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	}
}

// tell runs the service's own command in its container.
func tell(t *testing.T, d *Docker, name, become string) {
	t.Helper()
	made, err := d.api.ExecCreate(t.Context(), name, client.ExecCreateOptions{Cmd: []string{"/service", "be", become}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.api.ExecStart(t.Context(), made.ID, client.ExecStartOptions{Detach: true}); err != nil {
		t.Fatal(err)
	}
}
