package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Root asks the worker who it is.
func (c *Client) Root(ctx context.Context) (Worker, error) {
	var w Worker
	err := c.read(ctx, call{op: "version", path: "/", out: &w})
	return w, err
}

// Health asks GET /health once, without trying again: silence and HTTP 500 are answers about health. Workers before 3.9
// have no such path: Known is false then, and Healthy means that the worker answers at all.
func (c *Client) Health(ctx context.Context) (Health, error) {
	var answer struct {
		Status, Message string
	}
	began := c.now()
	_, err := c.do(ctx, call{op: "health", method: http.MethodGet, path: "/health", out: &answer})
	h := Health{Known: true, Healthy: err == nil && answer.Status == "healthy", Message: oneLine(answer.Message, 500), Took: c.now().Sub(began)}
	var e *Error
	switch {
	case errors.Is(err, ErrUnsupported):
		return c.answers(ctx, began)
	case errors.As(err, &e) && e.HTTPStatus >= 500:
		h.Message = e.Message
		return h, nil
	}
	return h, err
}

func (c *Client) answers(ctx context.Context, began time.Time) (Health, error) {
	w, err := c.Root(ctx)
	if err != nil {
		return Health{}, err
	}
	return Health{Healthy: true, Message: "Connect " + w.Version + " answers; it cannot say more about its health", Took: c.now().Sub(began)}, nil
}

// Connectors reads every connector with status and configuration in one request (KIP-465).
func (c *Client) Connectors(ctx context.Context) (map[string]Connector, error) {
	var rows map[string]struct {
		Status wire `json:"status"`
		Info   struct {
			Config map[string]string `json:"config"`
		} `json:"info"`
	}
	err := c.read(ctx, call{op: "list", path: "/connectors", query: url.Values{"expand": {"status", "info"}}, out: &rows})
	if err != nil {
		return nil, err
	}
	out := make(map[string]Connector, len(rows))
	for name, row := range rows {
		row.Status.Name = name // a connector that is being created has no status yet
		out[name] = Connector{Status: row.Status.status(), Config: row.Info.Config}
	}
	return out, nil
}

// Status reads one connector. Right after a DELETE it may still answer with the old states and type "unknown".
func (c *Client) Status(ctx context.Context, name string) (Status, error) {
	var w wire
	if err := c.read(ctx, call{op: "status", connector: name, path: at(name, "status"), out: &w}); err != nil {
		return Status{}, err
	}
	return w.status(), nil
}

// Config reads a connector's configuration, secrets in clear: mask it before it goes anywhere.
func (c *Client) Config(ctx context.Context, name string) (map[string]string, error) {
	var config map[string]string
	err := c.read(ctx, call{op: "config", connector: name, path: at(name, "config"), out: &config})
	return config, err
}

// Restart restarts a connector with its tasks, or only what failed (KIP-745). Workers before 3.0 ignore the parameters
// and answer 204: their failed tasks are restarted one by one. It returns before the tasks are up: follow with Await.
func (c *Client) Restart(ctx context.Context, name string, onlyFailed bool) (Status, error) {
	var w wire
	query := url.Values{"includeTasks": {"true"}, "onlyFailed": {strconv.FormatBool(onlyFailed)}}
	code, err := c.write(ctx, call{op: "restart", connector: name, method: http.MethodPost, path: at(name, "restart"), query: query, out: &w})
	if err != nil {
		return Status{}, err
	}
	if code == http.StatusAccepted {
		return w.status(), nil
	}
	return c.restartEach(ctx, name, onlyFailed)
}

func (c *Client) restartEach(ctx context.Context, name string, onlyFailed bool) (Status, error) {
	s, err := c.Status(ctx, name)
	if err != nil {
		return s, err
	}
	for _, t := range s.Tasks {
		if onlyFailed && t.State != Failed {
			continue
		}
		if err := c.RestartTask(ctx, name, t.ID); err != nil {
			return s, err
		}
	}
	return c.Status(ctx, name)
}

// RestartTask restarts one task.
func (c *Client) RestartTask(ctx context.Context, name string, task int) error {
	_, err := c.write(ctx, call{op: fmt.Sprintf("restart task %d", task), connector: name, method: http.MethodPost, path: at(name, "tasks", strconv.Itoa(task), "restart")})
	return err
}

// Pause asks every task to pause; they do so after their current batch.
func (c *Client) Pause(ctx context.Context, name string) error { return c.put(ctx, "pause", name) }

// Resume asks a paused or stopped connector to run. Failed tasks of a paused connector stay failed.
func (c *Client) Resume(ctx context.Context, name string) error { return c.put(ctx, "resume", name) }

// Stop shuts the tasks down and keeps configuration and offsets (KIP-875, Connect 3.5 and later).
func (c *Client) Stop(ctx context.Context, name string) error { return c.put(ctx, "stop", name) }

func (c *Client) put(ctx context.Context, op, name string) error {
	_, err := c.write(ctx, call{op: op, connector: name, method: http.MethodPut, path: at(name, op)})
	return err
}

// Offsets reads the committed positions (KIP-875, Connect 3.5 and later).
func (c *Client) Offsets(ctx context.Context, name string) ([]Offset, error) {
	var answer struct {
		Offsets []Offset `json:"offsets"`
	}
	err := c.read(ctx, call{op: "offsets", connector: name, path: at(name, "offsets"), out: &answer})
	return answer.Offsets, err
}

// AlterOffsets moves positions of a STOPPED connector (Connect 3.6 and later); others answer ErrNotStopped.
func (c *Client) AlterOffsets(ctx context.Context, name string, offsets []Offset) error {
	_, err := c.write(ctx, call{op: "alter offsets", connector: name, method: http.MethodPatch, path: at(name, "offsets"), body: map[string]any{"offsets": offsets}})
	return err
}

// ResetOffsets forgets the positions of a STOPPED connector: it starts from the beginning afterwards.
func (c *Client) ResetOffsets(ctx context.Context, name string) error {
	_, err := c.write(ctx, call{op: "reset offsets", connector: name, method: http.MethodDelete, path: at(name, "offsets")})
	return err
}

// PutConfig replaces the whole configuration: an option that is not in config is gone. An identical one restarts nothing.
func (c *Client) PutConfig(ctx context.Context, name string, config map[string]string) error {
	_, err := c.write(ctx, call{op: "configure", connector: name, method: http.MethodPut, path: at(name, "config"), body: config, secrets: config})
	return err
}

// Create makes a connector. initialState is "", or RUNNING, PAUSED or STOPPED (KIP-980, Connect 3.7 and later).
func (c *Client) Create(ctx context.Context, name string, config map[string]string, initialState State) error {
	body := map[string]any{"name": name, "config": config}
	if initialState != "" {
		body["initial_state"] = initialState
	}
	_, err := c.write(ctx, call{op: "create", connector: name, method: http.MethodPost, path: "/connectors", body: body, secrets: config})
	return err
}

// Delete removes a connector; a sink's consumer group keeps its offsets.
func (c *Client) Delete(ctx context.Context, name string) error {
	_, err := c.write(ctx, call{op: "delete", connector: name, method: http.MethodDelete, path: at(name)})
	return err
}

// Plugins lists the connector plugins of the worker.
func (c *Client) Plugins(ctx context.Context) ([]Plugin, error) {
	var list []Plugin
	err := c.read(ctx, call{op: "plugins", path: "/connector-plugins", out: &list})
	return list, err
}

// Validate asks a plugin what it thinks of a configuration. The worker answers 200 also when there are errors, and it
// does not see what a connector checks only when it starts.
func (c *Client) Validate(ctx context.Context, class string, config map[string]string) (Validation, error) {
	var answer struct {
		Name       string `json:"name"`
		ErrorCount int    `json:"error_count"`
		Configs    []struct {
			Definition *struct { // null for an option that the plugin does not know
				Name    string  `json:"name"`
				Type    string  `json:"type"`
				Default *string `json:"default_value"`
			} `json:"definition"`
			Value struct {
				Name   string   `json:"name"`
				Value  *string  `json:"value"`
				Errors []string `json:"errors"`
			} `json:"value"`
		} `json:"configs"`
	}
	path := "/connector-plugins/" + url.PathEscape(class) + "/config/validate"
	if _, err := c.write(ctx, call{op: "validate", method: http.MethodPut, path: path, body: config, out: &answer, secrets: config}); err != nil {
		return Validation{}, err
	}
	v := Validation{Name: answer.Name, ErrorCount: answer.ErrorCount}
	for _, f := range answer.Configs {
		field := Field{Name: f.Value.Name, Value: text(f.Value.Value), Errors: f.Value.Errors}
		if d := f.Definition; d != nil {
			field.Name, field.Type, field.Default, field.Known = d.Name, d.Type, text(d.Default), true
		}
		v.Fields = append(v.Fields, field)
	}
	return v, nil
}

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// Await polls a connector until want is true of it. A worker that starts, rebalances or is away meanwhile is waited for,
// and so is the first status of a connector that has just been created. When ctx ends, the error tells what was seen last.
func (c *Client) Await(ctx context.Context, name string, want func(Status) bool) (Status, error) {
	var last Status
	err := c.poll(ctx, name, func() (bool, string, error) {
		s, err := c.Status(ctx, name)
		if errors.Is(err, ErrNotFound) && c.exists(ctx, name) {
			return false, "it has no status yet", nil
		}
		if err == nil {
			last = s
		}
		return err == nil && want(s), seen(last, err), err
	})
	return last, err
}

// AwaitGone polls until a deleted connector has no status any more, about half a second after the call.
func (c *Client) AwaitGone(ctx context.Context, name string) error {
	return c.poll(ctx, name, func() (bool, string, error) {
		s, err := c.Status(ctx, name)
		if errors.Is(err, ErrNotFound) {
			return true, "", nil
		}
		return false, seen(s, err), err
	})
}

// poll asks again and again, at growing intervals up to two seconds, until it is done or fails for good.
func (c *Client) poll(ctx context.Context, name string, look func() (done bool, seen string, err error)) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	said := "never seen"
	for wait := 100 * time.Millisecond; ; wait = min(wait*3/2, 2*time.Second) {
		select {
		case <-ctx.Done():
			return c.over(ctx, name, said)
		case <-timer.C:
		}
		done, now, err := look()
		switch {
		case ctx.Err() != nil && !done: // what was seen before tells more than that the time is over
			return c.over(ctx, name, said)
		case done && err == nil:
			return nil
		case err != nil && !IsTransient(err):
			return err
		}
		said = now
		timer.Reset(wait)
	}
}

// over is the error of a wait that ended too early.
func (c *Client) over(ctx context.Context, name, said string) error {
	e := &Error{Cluster: c.cluster, Connector: name, Op: "waiting", Kind: ErrTimeout, Message: said, cause: ctx.Err()}
	if errors.Is(ctx.Err(), context.Canceled) {
		e.Kind = nil
	}
	return e
}

// exists reports whether the worker knows a connector that has no status yet.
func (c *Client) exists(ctx context.Context, name string) bool {
	_, err := c.Config(ctx, name)
	return err == nil
}

func seen(s Status, err error) string {
	if s.Name == "" {
		if err != nil {
			return "never answered: " + err.Error()
		}
		return "never seen"
	}
	counts := map[State]int{}
	for _, t := range s.Tasks {
		counts[t.State]++
	}
	b, _ := json.Marshal(counts) // a map of numbers always encodes
	return fmt.Sprintf("last seen: connector %s, tasks %s", s.State, b)
}
