package workload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// Docker is one engine.
type Docker struct {
	api *client.Client
	now func() time.Time
}

// NewDocker makes a client for an engine such as unix:///var/run/docker.sock; it does not connect. It speaks the newest
// version of the API that both sides know. Guard is put around how connections are opened; nil for none.
func NewDocker(host string, guard func(next Dial) Dial) (*Docker, error) {
	options := []client.Opt{client.WithHost(host)}
	if engine, err := client.ParseHostURL(host); err == nil && guard != nil {
		options = append(options, client.WithDialContext(guard(toEngine(engine))))
	}
	api, err := client.New(options...)
	if err != nil {
		return nil, fmt.Errorf("docker.host %q: %w", host, err)
	}
	return &Docker{api: api, now: time.Now}, nil
}

// Dial opens a connection, as net.Dialer.DialContext does.
type Dial = func(ctx context.Context, network, address string) (net.Conn, error)

// toEngine dials a socket by its path: the address that HTTP knows stands for nothing then.
func toEngine(engine *url.URL) Dial {
	var d net.Dialer
	if engine.Scheme != "unix" {
		return d.DialContext
	}
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "unix", engine.Host)
	}
}

// Close ends idle connections.
func (d *Docker) Close() error { return d.api.Close() }

// Service is a container by its exact name, or else the containers of the compose service with that name.
func (d *Docker) Service(name string) *Container { return &Container{docker: d, name: name} }

// Container is one service of an engine. It is looked up at every call: it may have been made anew.
type Container struct {
	docker *Docker
	name   string
}

// Labels of containers. The first four are docker compose's.
const (
	composeService = "com.docker.compose.service"
	composeProject = "com.docker.compose.project"
	composeNumber  = "com.docker.compose.container-number"
	composeOneOff  = "com.docker.compose.oneoff" // "True" for what `docker compose run` leaves
	copyOf         = "cdcbot.copy-of"            // on what scaling made: the name of the first container
)

// find gives the containers of the service, the one that has been there longest first. The engine also takes the
// beginning of an ID for a name ("db" is one), which we do not.
func (c *Container) find(ctx context.Context, op string) ([]container.InspectResponse, error) {
	one, err := c.docker.api.ContainerInspect(ctx, c.name, client.ContainerInspectOptions{})
	if err != nil && !errdefs.IsNotFound(err) {
		return nil, c.failed(op, err)
	}
	if err == nil && named(one.Container) == c.name {
		copies, err := c.labelled(ctx, op, copyOf)
		return append([]container.InspectResponse{one.Container}, copies...), err
	}
	all, err := c.labelled(ctx, op, composeService)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, &Error{c.name, op, ErrNotFound, "there is no container of this name, nor one of a compose service that is called so"}
	}
	return all, c.oneProject(op, all)
}

// labelled gives the containers whose label has the service's name for a value, in the order of their numbers.
func (c *Container) labelled(ctx context.Context, op, label string) ([]container.InspectResponse, error) {
	filters := client.Filters{}.Add("label", label+"="+c.name)
	list, err := c.docker.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
	if err != nil {
		return nil, c.failed(op, err)
	}
	var found []container.InspectResponse
	for _, item := range list.Items {
		if item.Labels[composeOneOff] == "True" {
			continue
		}
		one, err := c.docker.api.ContainerInspect(ctx, item.ID, client.ContainerInspectOptions{})
		if errdefs.IsNotFound(err) {
			continue // removed since it was listed
		}
		if err != nil {
			return nil, c.failed(op, err)
		}
		found = append(found, one.Container)
	}
	slices.SortFunc(found, func(a, b container.InspectResponse) int {
		return cmp.Or(number(a)-number(b), strings.Compare(a.Name, b.Name))
	})
	return found, nil
}

// oneProject refuses to take containers of two projects for one service.
func (c *Container) oneProject(op string, all []container.InspectResponse) error {
	var projects []string
	for _, one := range all {
		projects = append(projects, one.Config.Labels[composeProject])
	}
	slices.Sort(projects)
	if projects = slices.Compact(projects); len(projects) > 1 {
		text := "compose projects " + strings.Join(projects, " and ") + " each have one; configure the container's name instead"
		return &Error{c.name, op, ErrUnsupported, text}
	}
	return nil
}

func named(one container.InspectResponse) string { return strings.TrimPrefix(one.Name, "/") }

func number(one container.InspectResponse) int {
	n, err := strconv.Atoi(one.Config.Labels[composeNumber])
	if err != nil {
		return 1
	}
	return n
}

// failed says what an error of the engine means. The end of ctx stays what it is for callers that look for it.
func (c *Container) failed(op string, err error) error {
	var rests resting
	switch {
	case errors.As(err, &rests):
		return &Error{c.name, op, ErrUnreachable, rests.Error()}
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s of %s: %w", op, c.name, err)
	case errdefs.IsNotFound(err):
		return &Error{c.name, op, ErrNotFound, err.Error()}
	case errdefs.IsPermissionDenied(err), errdefs.IsUnauthorized(err):
		return &Error{c.name, op, ErrDenied, err.Error()}
	case errdefs.IsNotImplemented(err):
		return &Error{c.name, op, ErrUnsupported, err.Error()}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{c.name, op, ErrUnreachable, "it gave no answer in time"}
	case client.IsErrConnectionFailed(err):
		return &Error{c.name, op, ErrUnreachable, err.Error()}
	}
	return fmt.Errorf("%s of %s: %w", op, c.name, err)
}
