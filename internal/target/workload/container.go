package workload

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// Restart restarts every container of the service, one after the other, and waits until each is healthy. One that dies
// again is an ErrUnhealthy with its exit code and last lines.
func (c *Container) Restart(ctx context.Context) error {
	return c.each(ctx, "restart", func(ctx context.Context, id string) error {
		_, err := c.docker.api.ContainerRestart(ctx, id, client.ContainerRestartOptions{})
		return err
	})
}

// Start starts what does not run, and waits like Restart.
func (c *Container) Start(ctx context.Context) error { return c.each(ctx, "start", c.begin) }

func (c *Container) begin(ctx context.Context, id string) error {
	_, err := c.docker.api.ContainerStart(ctx, id, client.ContainerStartOptions{})
	return err
}

// Stop stops every container of the service.
func (c *Container) Stop(ctx context.Context) error {
	all, err := c.find(ctx, "stop")
	if err != nil {
		return err
	}
	for _, one := range all {
		if _, err := c.docker.api.ContainerStop(ctx, one.ID, client.ContainerStopOptions{}); err != nil {
			return c.failed("stop", err)
		}
	}
	return nil
}

func (c *Container) each(ctx context.Context, op string, do func(context.Context, string) error) error {
	all, err := c.find(ctx, op)
	if err != nil {
		return err
	}
	for _, one := range all {
		if err := do(ctx, one.ID); err != nil {
			return c.failed(op, err)
		}
		if err := c.healthy(ctx, op, one.ID); err != nil {
			return err
		}
	}
	return nil
}

// State is one line about the service, such as "running (healthy), up 3 h, restarted 2 times by the engine"; up says that
// every container of it runs and is healthy, where it has a check.
func (c *Container) State(ctx context.Context) (state string, up bool, err error) {
	all, err := c.find(ctx, "state")
	if err != nil {
		return "", false, err
	}
	up = true
	var texts []string
	for _, one := range all {
		texts = append(texts, c.docker.describe(one))
		up = up && well(one.State)
	}
	if len(all) > 1 {
		return fmt.Sprintf("%d containers: %s", len(all), strings.Join(texts, "; ")), up, nil
	}
	return texts[0], up, nil
}

func well(s *container.State) bool {
	return s != nil && s.Running && !s.Restarting && !s.Paused && (!checked(s) || s.Health.Status == container.Healthy)
}

// checked reports whether a container has a health check.
func checked(s *container.State) bool {
	return s.Health != nil && s.Health.Status != "" && s.Health.Status != container.NoHealthcheck
}

// describe is one container's state in words.
func (d *Docker) describe(one container.InspectResponse) string {
	s := one.State
	if s == nil {
		return "unknown"
	}
	text := string(s.Status)
	if s.Running && checked(s) {
		text += " (" + string(s.Health.Status) + ")"
	}
	if began, err := time.Parse(time.RFC3339Nano, s.StartedAt); err == nil && s.Running {
		text += ", up " + since(began, d.now())
	}
	if !s.Running && s.Status != container.StateCreated {
		text += fmt.Sprintf(", exit code %d", s.ExitCode)
		if ended, err := time.Parse(time.RFC3339Nano, s.FinishedAt); err == nil && ended.Year() > 1 {
			text += ", " + since(ended, d.now()) + " ago"
		}
	}
	switch {
	case one.RestartCount == 1:
		text += ", restarted once by the engine"
	case one.RestartCount > 1:
		text += fmt.Sprintf(", restarted %d times by the engine", one.RestartCount)
	}
	if s.Running && checked(s) && s.Health.Status == container.Unhealthy {
		text += ": " + verdictOf(s)
	}
	return text
}

// verdictOf is what the health check said last.
func verdictOf(s *container.State) string {
	if len(s.Health.Log) == 0 {
		return "its health check fails"
	}
	last := s.Health.Log[len(s.Health.Log)-1]
	return fmt.Sprintf("its health check ended with exit code %d: %s", last.ExitCode, strings.TrimSpace(last.Output))
}

// wait is what waiting for a container remembers from one look to the next.
type wait struct {
	last  container.InspectResponse
	began string    // the container's own start, on the engine's clock
	seen  time.Time // when we first saw that start, on ours: the two clocks may differ
}

// mostCrashes is how often the engine may restart a container before we call it a loop.
const mostCrashes = 3

// healthy waits until a container is up: healthy where it has a check, running for a moment where it has none.
func (c *Container) healthy(ctx context.Context, op, id string) error {
	var w wait
	err := await(ctx, func(ctx context.Context) (bool, error) {
		got, err := c.docker.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
		if err != nil {
			return false, c.failed(op, err)
		}
		w.last = got.Container
		return c.verdict(ctx, op, &w)
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{c.name, op, ErrUnhealthy, "after the whole time it is " + c.docker.describe(w.last)}
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s of %s, which is %s: %w", op, c.name, c.docker.describe(w.last), err)
	}
	return err
}

func (c *Container) verdict(ctx context.Context, op string, w *wait) (bool, error) {
	s := w.last.State
	switch {
	case s == nil:
		return false, nil
	case s.Restarting && w.last.RestartCount >= mostCrashes,
		!s.Restarting && (s.Status == container.StateExited || s.Status == container.StateDead):
		return false, c.died(ctx, op, w.last)
	case !s.Running || s.Restarting || s.Paused:
		return false, nil
	case checked(s) && s.Health.Status == container.Unhealthy:
		return false, &Error{c.name, op, ErrUnhealthy, verdictOf(s)}
	case checked(s):
		return s.Health.Status == container.Healthy, nil
	}
	if w.began != s.StartedAt {
		w.began, w.seen = s.StartedAt, c.docker.now()
	}
	return c.docker.now().Sub(w.seen) >= settleFor, nil
}

// died says how a container ended and what it said last.
func (c *Container) died(ctx context.Context, op string, one container.InspectResponse) error {
	text := fmt.Sprintf("it ended with exit code %d", one.State.ExitCode)
	if one.State.OOMKilled {
		text += ", out of memory"
	}
	if one.RestartCount > 0 {
		text += fmt.Sprintf(", and the engine has restarted it %d times", one.RestartCount)
	}
	lines, err := c.lines(ctx, one, 5, 0)
	if err != nil || len(lines.all) == 0 { // the exit code tells enough without
		return &Error{c.name, op, ErrUnhealthy, text}
	}
	return &Error{c.name, op, ErrUnhealthy, text + ": " + lines.text()}
}
