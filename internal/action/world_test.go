package action

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"cdcbot/internal/connect"
)

// cluster is a Connect cluster in memory that follows the rules which real workers were seen to follow: a request is
// accepted before it has an effect, old states show for a moment, and a restart while the cause is there fails again.
type cluster struct {
	Nothing
	mu      sync.Mutex
	name    string
	status  connect.Status
	config  map[string]string
	cause   string        // trace that every (re)started task fails with; "" when they run
	lag     time.Duration // from a request to its effect
	refuse  []error       // answers of the next requests that change something
	options []string      // what the plugin knows
	problem string        // what the plugin says of any configuration
	offsets []connect.Offset
	puts    int
	later   []change
}

type change struct {
	at time.Time
	do func()
}

func sink(tasks ...connect.State) *cluster {
	c := &cluster{name: "sink", lag: 300 * time.Millisecond, options: []string{"tasks.max", "errors.tolerance"}}
	c.config = map[string]string{"name": "sink", "connector.class": "x.Sink", "tasks.max": "1", "connection.password": "${file:/secrets/postgres:password}"}
	c.status = connect.Status{Name: "sink", Type: "sink", State: connect.Running, WorkerID: "w:8083"}
	for i, s := range tasks {
		t := connect.Task{ID: i, State: s, WorkerID: "w:8083"}
		if s == connect.Failed {
			t.Trace = "java.lang.X: surface\n\tat a.b\nCaused by: java.net.ConnectException: old cause"
		}
		c.status.Tasks = append(c.status.Tasks, t)
	}
	return c
}

// Connect makes the cluster a world of its own.
func (c *cluster) Connect(name string) (Connect, error) {
	if name != "warehouse" {
		return nil, fmt.Errorf("cluster %q is not configured", name)
	}
	return c, nil
}

// now lets happen what is due, and checks the name.
func (c *cluster) now(name string) error {
	for len(c.later) > 0 && !c.later[0].at.After(time.Now()) {
		do := c.later[0].do
		c.later = c.later[1:]
		do()
	}
	if name != c.name {
		return &connect.Error{Cluster: "warehouse", Connector: name, Op: "status", HTTPStatus: 404, Kind: connect.ErrNotFound}
	}
	return nil
}

func (c *cluster) after(d time.Duration, do func()) {
	c.later = append(c.later, change{time.Now().Add(d), do})
	slices.SortStableFunc(c.later, func(a, b change) int { return a.at.Compare(b.at) })
}

// accept is the beginning of every request that changes something.
func (c *cluster) accept(name string) error {
	if err := c.now(name); err != nil {
		return err
	}
	if len(c.refuse) == 0 {
		return nil
	}
	err := c.refuse[0]
	c.refuse = c.refuse[1:]
	return err
}

func (c *cluster) restart(i int) {
	t := &c.status.Tasks[i]
	t.State, t.Trace = connect.Running, c.cause
	if c.cause != "" {
		c.after(200*time.Millisecond, func() { c.status.Tasks[i].State = connect.Failed })
	}
}

func (c *cluster) Status(_ context.Context, name string) (connect.Status, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.now(name)
	s := c.status
	s.Tasks = slices.Clone(s.Tasks)
	return s, err
}

func (c *cluster) Connectors(ctx context.Context) (map[string]connect.Connector, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.accept(c.name); err != nil {
		return nil, err
	}
	return map[string]connect.Connector{c.name: {Status: c.status, Config: c.config}}, nil
}

func (c *cluster) Config(_ context.Context, name string) (map[string]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.config), c.now(name)
}

func (c *cluster) Offsets(_ context.Context, name string) ([]connect.Offset, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offsets, c.now(name)
}

func (c *cluster) Restart(_ context.Context, name string, onlyFailed bool) (connect.Status, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.accept(name); err != nil {
		return connect.Status{}, err
	}
	for i, t := range c.status.Tasks {
		if c.status.State == connect.Running && (!onlyFailed || t.State == connect.Failed) {
			c.status.Tasks[i].State = connect.Restarting
			c.after(c.lag, func() { c.restart(i) })
		}
	}
	return c.status, nil
}

func (c *cluster) RestartTask(_ context.Context, name string, task int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.accept(name); err != nil {
		return err
	}
	if task >= len(c.status.Tasks) {
		return &connect.Error{Cluster: "warehouse", Connector: name, Op: "restart", HTTPStatus: 404, Kind: connect.ErrNotFound}
	}
	c.after(c.lag, func() { c.restart(task) })
	return nil
}

func (c *cluster) to(name string, state connect.State) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.accept(name); err != nil {
		return err
	}
	c.after(c.lag, func() {
		c.status.State = state
		for i, t := range c.status.Tasks {
			if t.State != connect.Failed {
				c.status.Tasks[i].State = state
			}
		}
		if state == connect.Stopped {
			c.status.Tasks = nil
		}
	})
	return nil
}

func (c *cluster) Pause(_ context.Context, name string) error  { return c.to(name, connect.Paused) }
func (c *cluster) Resume(_ context.Context, name string) error { return c.to(name, connect.Running) }
func (c *cluster) Stop(_ context.Context, name string) error   { return c.to(name, connect.Stopped) }

func (c *cluster) PutConfig(_ context.Context, name string, config map[string]string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.accept(name); err != nil {
		return err
	}
	c.puts++
	c.config = maps.Clone(config)
	for i := range c.status.Tasks {
		c.after(c.lag, func() { c.restart(i) })
	}
	return nil
}

func (c *cluster) Validate(_ context.Context, _ string, config map[string]string) (connect.Validation, error) {
	var v connect.Validation
	for _, name := range c.options {
		f := connect.Field{Name: name, Value: config[name], Known: true}
		if c.problem != "" {
			f.Errors, v.ErrorCount = []string{c.problem}, 1
		}
		v.Fields = append(v.Fields, f)
	}
	v.Fields = append(v.Fields, connect.Field{Name: "pin", Type: "PASSWORD", Known: true})
	return v, nil
}

func (c *cluster) Await(ctx context.Context, name string, want func(connect.Status) bool) (connect.Status, error) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		s, err := c.Status(ctx, name)
		if err != nil || want(s) {
			return s, err
		}
		select {
		case <-ctx.Done():
			return s, &connect.Error{Cluster: "warehouse", Connector: name, Op: "waiting", Kind: connect.ErrTimeout}
		case <-ticker.C:
		}
	}
}

var errRebalancing = &connect.Error{Cluster: "warehouse", Op: "restart", HTTPStatus: 409, Kind: connect.ErrRebalancing}

var errRefused = errors.New("connection refused")

func (c *cluster) Create(_ context.Context, name string, config map[string]string, state connect.State) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.name != "" {
		return &connect.Error{Cluster: "warehouse", Connector: name, Op: "create", HTTPStatus: 409, Kind: connect.ErrConflict}
	}
	c.name, c.config = name, maps.Clone(config)
	c.status = connect.Status{Name: name, Type: "sink", State: state, WorkerID: "w:8083"}
	return nil
}

func (c *cluster) Delete(_ context.Context, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.accept(name); err != nil {
		return err
	}
	c.name = ""
	return nil
}

func (c *cluster) AwaitGone(_ context.Context, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.now(name); err == nil {
		return &connect.Error{Cluster: "warehouse", Connector: name, Op: "delete", Kind: connect.ErrTimeout}
	}
	return nil
}

func (c *cluster) AlterOffsets(_ context.Context, name string, offsets []connect.Offset) error {
	return c.move(name, func() { c.offsets = offsets })
}

func (c *cluster) ResetOffsets(_ context.Context, name string) error {
	return c.move(name, func() { c.offsets = nil })
}

// move changes offsets as a worker does: only while STOPPED.
func (c *cluster) move(name string, do func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.accept(name); err != nil {
		return err
	}
	if c.status.State != connect.Stopped {
		return &connect.Error{Cluster: "warehouse", Connector: name, Op: "alter offsets", HTTPStatus: 400, Kind: connect.ErrNotStopped}
	}
	do()
	return nil
}
