package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// Docker is one engine.
type Docker struct {
	api *client.Client
	now func() time.Time
}

// NewDocker makes a client for an engine such as unix:///var/run/docker.sock; it does not connect.
func NewDocker(host string) (*Docker, error) {
	api, err := client.New(client.WithHost(host))
	if err != nil {
		return nil, fmt.Errorf("docker.host %q: %w", host, err)
	}
	return &Docker{api: api, now: time.Now}, nil
}

// Close ends idle connections.
func (d *Docker) Close() error { return d.api.Close() }

// Service is a container by name, or the containers of a compose service.
func (d *Docker) Service(name string) *Container { return &Container{docker: d, name: name} }

// Container is one service of an engine. It is looked up at every call: it may have been made anew.
type Container struct {
	docker *Docker
	name   string
}

// Labels that docker compose gives its containers.
const (
	composeService = "com.docker.compose.service"
	composeNumber  = "com.docker.compose.container-number"
)

// find gives the containers of the service: the one with the name, or all with the compose label.
func (c *Container) find(ctx context.Context, op string) ([]container.InspectResponse, error) {
	one, err := c.docker.api.ContainerInspect(ctx, c.name, client.ContainerInspectOptions{})
	if err == nil {
		return c.siblings(ctx, op, one.Container)
	}
	if !errdefs.IsNotFound(err) {
		return nil, c.failed(op, err)
	}
	return c.labelled(ctx, op, c.name)
}

// siblings are a container, and the copies that scaling has made of it.
func (c *Container) siblings(ctx context.Context, op string, one container.InspectResponse) ([]container.InspectResponse, error) {
	service := one.Config.Labels[composeService]
	if service == "" || one.Config.Labels[copyOf] != "" {
		return []container.InspectResponse{one}, nil
	}
	all, err := c.labelled(ctx, op, service)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(x container.InspectResponse) bool {
		return x.ID != one.ID && x.Config.Labels[copyOf] != strings.TrimPrefix(one.Name, "/")
	}), nil
}

// copyOf is our own label on containers that scaling made: the name of the first.
const copyOf = "cdcbot.copy-of"

func (c *Container) labelled(ctx context.Context, op, service string) ([]container.InspectResponse, error) {
	list, err := c.docker.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", composeService+"="+service)})
	if err != nil {
		return nil, c.failed(op, err)
	}
	var found []container.InspectResponse
	for _, item := range list.Items {
		one, err := c.docker.api.ContainerInspect(ctx, item.ID, client.ContainerInspectOptions{})
		if err != nil {
			return nil, c.failed(op, err)
		}
		found = append(found, one.Container)
	}
	if len(found) == 0 {
		return nil, &Error{c.name, op, ErrNotFound, "there is no container of this name, nor one of a compose service that is called so"}
	}
	slices.SortFunc(found, func(a, b container.InspectResponse) int { return number(a) - number(b) })
	return found, nil
}

func number(c container.InspectResponse) int {
	n, err := strconv.Atoi(c.Config.Labels[composeNumber])
	if err != nil {
		return 1
	}
	return n
}

func (c *Container) failed(op string, err error) error {
	switch {
	case errdefs.IsNotFound(err):
		return &Error{c.name, op, ErrNotFound, ""}
	case errdefs.IsPermissionDenied(err), errdefs.IsUnauthorized(err):
		return &Error{c.name, op, ErrDenied, err.Error()}
	case client.IsErrConnectionFailed(err), errors.Is(err, context.DeadlineExceeded):
		return &Error{c.name, op, ErrUnreachable, err.Error()}
	}
	return fmt.Errorf("%s of %s: %w", op, c.name, err)
}

// Restart restarts every container of the service and waits until all are healthy. One that dies again is an error with
// its exit code and last lines.
func (c *Container) Restart(ctx context.Context) error {
	return c.each(ctx, "restart", func(ctx context.Context, id string) error {
		_, err := c.docker.api.ContainerRestart(ctx, id, client.ContainerRestartOptions{})
		return err
	})
}

// Start starts what does not run, and waits like Restart.
func (c *Container) Start(ctx context.Context) error {
	return c.each(ctx, "start", func(ctx context.Context, id string) error {
		_, err := c.docker.api.ContainerStart(ctx, id, client.ContainerStartOptions{})
		return err
	})
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

// healthy waits until a container is up: healthy where it has a check, running for a moment where it has none.
func (c *Container) healthy(ctx context.Context, op, id string) error {
	var last container.InspectResponse
	err := await(ctx, func(ctx context.Context) (bool, error) {
		got, err := c.docker.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
		if err != nil {
			return false, c.failed(op, err)
		}
		last = got.Container
		return c.verdict(ctx, op, last)
	})
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &Error{c.name, op, ErrUnhealthy, "it is " + c.docker.describe(last)}
	}
	return err
}

func (c *Container) verdict(ctx context.Context, op string, one container.InspectResponse) (bool, error) {
	s := one.State
	switch {
	case s == nil:
		return false, nil
	case s.Status == container.StateExited || s.Status == container.StateDead:
		if one.HostConfig != nil && one.HostConfig.RestartPolicy.Name != "" && one.HostConfig.RestartPolicy.Name != container.RestartPolicyDisabled {
			return false, nil // the engine tries again
		}
		lines, _ := c.logs(ctx, one, 5, 0) // what it said last; the exit code tells enough without
		return false, &Error{c.name, op, ErrUnhealthy, fmt.Sprintf("it ended with exit code %d: %s", s.ExitCode, strings.TrimSpace(lines))}
	case !s.Running || s.Restarting:
		return false, nil
	case s.Health == nil || s.Health.Status == container.NoHealthcheck || s.Health.Status == "":
		began, err := time.Parse(time.RFC3339Nano, s.StartedAt)
		return err == nil && c.docker.now().Sub(began) >= settleFor, nil
	}
	return s.Health.Status == container.Healthy, nil
}

// describe is one container's state in words.
func (d *Docker) describe(one container.InspectResponse) string {
	s := one.State
	if s == nil {
		return "unknown"
	}
	text := string(s.Status)
	if s.Running && s.Health != nil && s.Health.Status != "" && s.Health.Status != container.NoHealthcheck {
		text += " (" + string(s.Health.Status) + ")"
	}
	if began, err := time.Parse(time.RFC3339Nano, s.StartedAt); err == nil && s.Running {
		text += ", up " + since(began, d.now())
	}
	if !s.Running {
		text += fmt.Sprintf(", exit code %d", s.ExitCode)
		if ended, err := time.Parse(time.RFC3339Nano, s.FinishedAt); err == nil && !ended.IsZero() && ended.Year() > 1 {
			text += ", " + since(ended, d.now()) + " ago"
		}
	}
	if one.RestartCount > 0 {
		text += fmt.Sprintf(", restarted %d times by the engine", one.RestartCount)
	}
	if h := s.Health; s.Running && h != nil && h.Status == container.Unhealthy && len(h.Log) > 0 {
		text += ": " + strings.TrimSpace(h.Log[len(h.Log)-1].Output)
	}
	return text
}

// State is one line about the service; up says that every container of it runs and none is unhealthy.
func (c *Container) State(ctx context.Context) (state string, up bool, err error) {
	all, err := c.find(ctx, "state")
	if err != nil {
		return "", false, err
	}
	up = true
	var texts []string
	for _, one := range all {
		texts = append(texts, c.docker.describe(one))
		s := one.State
		up = up && s != nil && s.Running && !s.Restarting && (s.Health == nil || s.Health.Status != container.Unhealthy && s.Health.Status != container.Starting)
	}
	if len(all) > 1 {
		return fmt.Sprintf("%d containers: %s", len(all), strings.Join(texts, "; ")), up, nil
	}
	return texts[0], up, nil
}

// Logs are the last lines of the service, both streams in order of time.
func (c *Container) Logs(ctx context.Context, tail int, since time.Duration) (string, error) {
	all, err := c.find(ctx, "logs")
	if err != nil {
		return "", err
	}
	var parts []string
	for _, one := range all {
		text, err := c.logs(ctx, one, tail, since)
		if err != nil {
			return "", err
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "\n"), nil
}

func (c *Container) logs(ctx context.Context, one container.InspectResponse, tail int, since time.Duration) (string, error) {
	o := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Tail: strconv.Itoa(tail)}
	if since > 0 {
		o.Since = c.docker.now().Add(-since).Format(time.RFC3339Nano)
	}
	stream, err := c.docker.api.ContainerLogs(ctx, one.ID, o)
	if err != nil {
		return "", c.failed("logs", err)
	}
	defer func() { _ = stream.Close() }()
	var out bytes.Buffer
	bounded := io.LimitReader(stream, maxLog)
	if one.Config != nil && one.Config.Tty {
		_, err = io.Copy(&out, bounded)
	} else {
		_, err = stdcopy.StdCopy(&out, &out, bounded)
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", c.failed("logs", err)
	}
	text := inOrder(out.String())
	if out.Len() >= maxLog-4096 {
		text += "\n(cut at 1 MiB)"
	}
	return text, nil
}

// inOrder sorts lines by the timestamps that stand before them, and takes those away. The sort keeps equal times as they
// came.
func inOrder(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(stamp(a), stamp(b)) })
	for i, line := range lines {
		if stamp(line) != "" {
			_, lines[i], _ = strings.Cut(line, " ")
		}
	}
	return strings.Join(lines, "\n")
}

func stamp(line string) string {
	first, _, _ := strings.Cut(line, " ")
	if _, err := time.Parse(time.RFC3339Nano, first); err != nil {
		return ""
	}
	return first
}

// Scale makes copies of the service's first container, or removes those it made, the newest first. A container that
// binds a port of the host cannot have a copy.
func (c *Container) Scale(ctx context.Context, replicas int) error {
	if replicas < 0 || replicas > mostScaled {
		return &Error{c.name, "scale", ErrUnsupported, fmt.Sprintf("%d replicas; expected 0 to %d", replicas, mostScaled)}
	}
	all, err := c.find(ctx, "scale")
	if err != nil {
		return err
	}
	for len(all) > max(replicas, 1) {
		last := all[len(all)-1]
		if last.Config.Labels[copyOf] == "" {
			return &Error{c.name, "scale", ErrUnsupported, "there are more containers than the bot has made; it removes only its own"}
		}
		if _, err := c.docker.api.ContainerStop(ctx, last.ID, client.ContainerStopOptions{}); err != nil {
			return c.failed("scale", err)
		}
		if _, err := c.docker.api.ContainerRemove(ctx, last.ID, client.ContainerRemoveOptions{Force: true}); err != nil {
			return c.failed("scale", err)
		}
		all = all[:len(all)-1]
	}
	if replicas == 0 {
		return c.Stop(ctx)
	}
	for n := len(all); n < replicas; n++ {
		if err := c.clone(ctx, all[0], n+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *Container) clone(ctx context.Context, first container.InspectResponse, n int) error {
	for port, bindings := range first.HostConfig.PortBindings {
		if len(bindings) > 0 && bindings[0].HostPort != "" && bindings[0].HostPort != "0" {
			return &Error{c.name, "scale", ErrUnsupported, fmt.Sprintf("it binds port %s of the host for %s, which only one container can", bindings[0].HostPort, port)}
		}
	}
	config := *first.Config
	name := strings.TrimPrefix(first.Name, "/")
	config.Hostname = ""
	config.Labels = map[string]string{copyOf: name, composeNumber: strconv.Itoa(n)}
	for k, v := range first.Config.Labels {
		if k != composeNumber {
			config.Labels[k] = v
		}
	}
	made, err := c.docker.api.ContainerCreate(ctx, client.ContainerCreateOptions{Config: &config, HostConfig: first.HostConfig, Name: fmt.Sprintf("%s-%d", name, n)})
	if err != nil {
		return c.failed("scale", err)
	}
	if _, err := c.docker.api.ContainerStart(ctx, made.ID, client.ContainerStartOptions{}); err != nil {
		return c.failed("scale", err)
	}
	return c.healthy(ctx, "scale", made.ID)
}
