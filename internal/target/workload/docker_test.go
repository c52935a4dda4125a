package workload

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"cdcbot/internal/lab"
)

// engine answers as a Docker Engine would, as far as a test says.
func engine(t *testing.T, answers map[string]string) *Docker {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Api-Version", "1.41")
		for path, body := range answers {
			if strings.Contains(r.URL.Path, path) {
				_, _ = w.Write([]byte(body))
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"message":"No such container: x"}`))
	}))
	t.Cleanup(s.Close)
	d, err := NewDocker("tcp://" + strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDockerErrors(t *testing.T) {
	d := engine(t, map[string]string{"/containers/json": "[]", "/containers/bound/json": `{"Id":"1","Name":"/bound","Config":{"Labels":{}},"HostConfig":{"PortBindings":{"5432/tcp":[{"HostPort":"5432"}]}},"State":{"Status":"running","Running":true}}`})
	dead, err := NewDocker("unix:///nowhere/docker.sock")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		do   func(context.Context) error
		kind error
		text string
	}{
		{"no such container", func(ctx context.Context) error { return d.Service("x").Restart(ctx) }, ErrNotFound, "no container of this name"},
		{"no engine", func(ctx context.Context) error { return dead.Service("x").Restart(ctx) }, ErrUnreachable, ""},
		{"a port of the host", func(ctx context.Context) error { return d.Service("bound").Scale(ctx, 2) }, ErrUnsupported, "5432"},
		{"too many", func(ctx context.Context) error { return d.Service("bound").Scale(ctx, 1000) }, ErrUnsupported, "1000"},
		{"fewer than none", func(ctx context.Context) error { return d.Service("bound").Scale(ctx, -1) }, ErrUnsupported, "-1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if err := c.do(ctx); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %v with %q", err, c.kind, c.text)
			}
		})
	}
	if _, err := NewDocker("nonsense"); err == nil {
		t.Error("a host that is none: got no error")
	}
}

func TestLogsInOrder(t *testing.T) {
	text := "2026-11-23T08:00:02Z b\n2026-11-23T08:00:01.5Z a\n\tcontinued\n2026-11-23T08:00:02Z c"
	if got, want := inOrder(text), "\tcontinued\na\nb\nc"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The whole life of a service on a real engine.
func TestDockerReal(t *testing.T) {
	s := lab.Require(t, lab.Docker)
	d, err := NewDocker(s.Docker)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	one := d.Service(own(t, d))
	began := d.now()
	if err := one.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	state, up, err := one.State(ctx)
	if err != nil || !up || !strings.Contains(state, "running (healthy), up ") {
		t.Errorf("after a restart: got %q, %t, %v", state, up, err)
	}
	text, err := one.Logs(ctx, 100, 0)
	if err != nil || !strings.Contains(text, "INFO cdcbot-test started") || !strings.Contains(text, "ERROR cdcbot-test: a line") || strings.Contains(text, "T0") && strings.HasPrefix(text, "20") {
		t.Errorf("logs: got %q, %v", text, err)
	}
	if few, err := one.Logs(ctx, 1, d.now().Sub(began)+time.Minute); err != nil || strings.Count(few, "\n") > 0 {
		t.Errorf("the last line: got %q, %v", few, err)
	}
	if err := one.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if state, up, err = one.State(ctx); err != nil || up || !strings.Contains(state, "exited, exit code 0") {
		t.Errorf("after a stop: got %q, %t, %v", state, up, err)
	}
	if err := one.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := one.Scale(ctx, 3); err != nil {
		t.Fatal(err)
	}
	if state, up, err = one.State(ctx); err != nil || !up || !strings.HasPrefix(state, "3 containers: ") {
		t.Errorf("scaled to 3: got %q, %t, %v", state, up, err)
	}
	if err := one.Scale(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if state, _, err = one.State(ctx); err != nil || strings.Contains(state, "containers") {
		t.Errorf("scaled to 1: got %q, %v", state, err)
	}
	byService, up, err := d.Service("cdcbot-test-service").State(ctx)
	if err != nil || !up {
		t.Errorf("by the compose service: got %q, %t, %v", byService, up, err)
	}
	unwell(t, d, one)
}

// unwell: a container that is unhealthy is not up, and one that dies says how it ended.
func unwell(t *testing.T, d *Docker, one *Container) {
	tell(t, d, one.name, "unhealthy")
	lab.Await(t, "an unhealthy container", 20*time.Second, func(ctx context.Context) (bool, error) {
		state, up, err := one.State(ctx)
		return !up && strings.Contains(state, "unhealthy") && strings.Contains(state, "told to be unhealthy"), err
	})
	tell(t, d, one.name, "dead")
	lab.Await(t, "a dead container", 20*time.Second, func(ctx context.Context) (bool, error) {
		state, up, err := one.State(ctx)
		return !up && strings.Contains(state, "exit code 3"), err
	})
	broken := d.Service(container1(t, d, "cdcbot-broken", &container.Config{Image: "cdcbot/service:1", Entrypoint: []string{"/service", "be", "x"}, Healthcheck: &container.HealthConfig{Test: []string{"NONE"}}}))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := broken.Start(ctx); !errors.Is(err, ErrUnhealthy) || !strings.Contains(err.Error(), "ended with exit code") {
		t.Errorf("a container that ends at once: got %v", err)
	}
}

// own makes a container for this test, beside those of the lab.
func own(t *testing.T, d *Docker) string {
	labels := map[string]string{composeService: "cdcbot-test-service", composeNumber: "1"}
	return container1(t, d, "cdcbot-test", &container.Config{Image: "cdcbot/service:1", Cmd: []string{"cdcbot-test"}, Labels: labels})
}

func container1(t *testing.T, d *Docker, name string, config *container.Config) string {
	t.Helper()
	drop := func() {
		_, _ = d.api.ContainerRemove(context.Background(), name, client.ContainerRemoveOptions{Force: true}) // it may not be there
	}
	drop()
	t.Cleanup(drop)
	if _, err := d.api.ContainerCreate(t.Context(), client.ContainerCreateOptions{Name: name, Config: config, HostConfig: &container.HostConfig{NetworkMode: "host"}}); err != nil {
		t.Fatal(err)
	}
	return name
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
