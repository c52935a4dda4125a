package workload

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// Scale makes copies of the service's first container, or stops and removes those with the highest numbers; the first is
// only ever stopped. It returns when all that stay are healthy. A container that binds a port or an address of its own
// cannot have a copy: ErrUnsupported.
func (c *Container) Scale(ctx context.Context, replicas int) error {
	if replicas < 0 || replicas > mostScaled {
		return &Error{c.name, "scale", ErrUnsupported, fmt.Sprintf("%d replicas; expected 0 to %d", replicas, mostScaled)}
	}
	all, err := c.find(ctx, "scale")
	if err != nil {
		return err
	}
	if replicas > len(all) {
		if err := c.copyable(all[0]); err != nil {
			return err
		}
	}
	for ; len(all) > max(replicas, 1); all = all[:len(all)-1] {
		if err := c.remove(ctx, all[len(all)-1].ID); err != nil {
			return err
		}
	}
	if replicas == 0 {
		return c.Stop(ctx)
	}
	if err := c.each(ctx, "scale", c.begin); err != nil {
		return err
	}
	for have, next := len(all), number(all[len(all)-1])+1; have < replicas; have, next = have+1, next+1 {
		if err := c.clone(ctx, all[0], next); err != nil {
			return err
		}
	}
	return nil
}

// copyable refuses what two containers cannot share.
func (c *Container) copyable(first container.InspectResponse) error {
	for port, bindings := range first.HostConfig.PortBindings {
		for _, b := range bindings {
			if b.HostPort != "" && b.HostPort != "0" {
				text := fmt.Sprintf("it binds port %s of the host for %s, which only one container can", b.HostPort, port)
				return &Error{c.name, "scale", ErrUnsupported, text}
			}
		}
	}
	if first.NetworkSettings == nil {
		return nil
	}
	for name, e := range first.NetworkSettings.Networks {
		if e != nil && e.IPAMConfig != nil && (e.IPAMConfig.IPv4Address.IsValid() || e.IPAMConfig.IPv6Address.IsValid()) {
			return &Error{c.name, "scale", ErrUnsupported, "it has an address of its own in the network " + name + ", which only one container can"}
		}
	}
	return nil
}

func (c *Container) remove(ctx context.Context, id string) error {
	if _, err := c.docker.api.ContainerStop(ctx, id, client.ContainerStopOptions{}); err != nil {
		return c.failed("scale", err)
	}
	if _, err := c.docker.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true}); err != nil && !errdefs.IsNotFound(err) {
		return c.failed("scale", err)
	}
	return nil
}

func (c *Container) clone(ctx context.Context, first container.InspectResponse, n int) error {
	name := fmt.Sprintf("%s-%d", strings.TrimSuffix(named(first), fmt.Sprintf("-%d", number(first))), n)
	attached := networks(first)
	o := client.ContainerCreateOptions{Name: name, Config: configOfCopy(first, n), HostConfig: first.HostConfig}
	primary := string(first.HostConfig.NetworkMode)
	if e, ok := attached[primary]; ok {
		o.NetworkingConfig = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{primary: e}}
		delete(attached, primary)
	}
	made, err := c.docker.api.ContainerCreate(ctx, o)
	if errdefs.IsConflict(err) {
		return &Error{c.name, "scale", ErrUnsupported, "its copy would be called " + name + ", and there is another container of that name"}
	}
	if err != nil {
		return c.failed("scale", err)
	}
	for name, e := range attached { // engines before 25 take only one network when a container is made
		if _, err := c.docker.api.NetworkConnect(ctx, name, client.NetworkConnectOptions{Container: made.ID, EndpointConfig: e}); err != nil {
			return c.failed("scale", err)
		}
	}
	if err := c.begin(ctx, made.ID); err != nil {
		return c.failed("scale", err)
	}
	return c.healthy(ctx, "scale", made.ID)
}

// configOfCopy is the first container's, with a number of its own. A host name that the engine chose is not kept.
func configOfCopy(first container.InspectResponse, n int) *container.Config {
	config := *first.Config
	if first.HostConfig.NetworkMode.IsHost() || strings.HasPrefix(first.ID, config.Hostname) {
		config.Hostname = ""
	}
	config.Labels = map[string]string{}
	for k, v := range first.Config.Labels {
		config.Labels[k] = v
	}
	config.Labels[copyOf], config.Labels[composeNumber] = named(first), strconv.Itoa(n)
	return &config
}

// networks are those that the first container is in, with the names that it has there, but for its own.
func networks(first container.InspectResponse) map[string]*network.EndpointSettings {
	attached := map[string]*network.EndpointSettings{}
	mode := first.HostConfig.NetworkMode
	if mode.IsHost() || mode.IsNone() || mode.IsContainer() || first.NetworkSettings == nil {
		return attached
	}
	for name, e := range first.NetworkSettings.Networks {
		if e == nil || name == network.NetworkBridge { // the default bridge is joined anyway and knows no names
			continue
		}
		aliases := slices.DeleteFunc(slices.Clone(e.Aliases), func(alias string) bool {
			return alias == named(first) || len(alias) >= 12 && strings.HasPrefix(first.ID, alias)
		})
		attached[name] = &network.EndpointSettings{Aliases: aliases, Links: e.Links, DriverOpts: e.DriverOpts}
	}
	return attached
}
