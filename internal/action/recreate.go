package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cdcbot/internal/connect"
)

// The two halves of making a connector anew, one for each command of the runbook: DELETE, then POST.
const (
	Delete = "delete"
	Create = "create"
)

// Recreate deletes a connector and makes it again with its offsets as they were (KIP-875). Its first half saves the
// configuration and the offsets where a crash of the bot cannot lose them; its second half proves that they are back.
type Recreate struct {
	Cluster   string            `json:"cluster"`
	Connector string            `json:"connector"`
	Half      string            `json:"half"`             // Delete or Create
	Config    map[string]string `json:"config,omitempty"` // from a file; none: the saved one
	File      string            `json:"file,omitempty"`
	New       bool              `json:"new,omitempty"` // nothing was deleted before: it only creates
}

// saved is what the first half keeps for the second.
type saved struct {
	Config  map[string]string `json:"config"`
	Offsets []connect.Offset  `json:"offsets"`
	At      time.Time         `json:"at"`
}

// Kind implements Action.
func (a Recreate) Kind() string {
	if a.New {
		return "connect.create"
	}
	return "connect.recreate"
}

// Effect implements Action.
func (a Recreate) Effect() string {
	from := "the configuration that was saved"
	if a.File != "" {
		from = a.File
	}
	switch {
	case a.Half == Delete:
		return fmt.Sprintf("Saves the configuration and offsets of %s, stops it and deletes it; the next step makes it again.", a.Connector)
	case a.New:
		return fmt.Sprintf("Creates %s from %s and waits until it runs.", a.Connector, from)
	}
	return fmt.Sprintf("Creates %s again from %s, puts its saved offsets back, and resumes it.", a.Connector, from)
}

// Risk implements Action.
func (a Recreate) Risk() Risk {
	if a.New {
		return Change
	}
	return High
}

// Target implements Action.
func (a Recreate) Target() string { return target(a.Cluster, a.Connector) }

// Deadline implements Action.
func (a Recreate) Deadline() time.Duration { return 3 * time.Minute }

// Idempotent implements Action: each half goes on where it finds things.
func (a Recreate) Idempotent() bool { return true }

// Run implements Action.
func (a Recreate) Run(ctx context.Context, w World) (Output, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Output{}, err
	}
	if a.Half == Delete {
		return a.remove(ctx, w, c)
	}
	return a.create(ctx, w, c)
}

func (a Recreate) key() string { return "recreate:" + a.Cluster + ":" + a.Connector }

// remove saves twice: before it touches anything, and again when everything stands still.
func (a Recreate) remove(ctx context.Context, w World, c Connect) (Output, error) {
	s, err := a.save(ctx, w, c)
	if errors.Is(err, connect.ErrNotFound) {
		return a.gone(ctx, w)
	}
	if err != nil {
		return Output{}, err
	}
	if out, err := (Transition{Cluster: a.Cluster, Connector: a.Connector, To: connect.Stopped}).Run(ctx, w); err != nil {
		return out, fmt.Errorf("stopping %s before it is deleted: %w", a.Connector, err)
	}
	if s, err = a.save(ctx, w, c); err != nil {
		return Output{}, err
	}
	if err := persist(ctx, func() error { return c.Delete(ctx, a.Connector) }); err != nil {
		return Output{}, err
	}
	return Output{Text: "saved " + positions(s.Offsets) + "; deleted"}, c.AwaitGone(ctx, a.Connector)
}

// gone: a run before this one has deleted it already, if it saved something.
func (a Recreate) gone(ctx context.Context, w World) (Output, error) {
	s, err := a.kept(ctx, w)
	if err != nil {
		return Output{}, err
	}
	if s == nil {
		return Output{}, fmt.Errorf("%s is not there: %w", a.Connector, connect.ErrNotFound)
	}
	return Output{Text: "deleted already; saved " + positions(s.Offsets)}, nil
}

func (a Recreate) save(ctx context.Context, w World, c Connect) (saved, error) {
	config, err := c.Config(ctx, a.Connector)
	if err != nil {
		return saved{}, err
	}
	offsets, err := c.Offsets(ctx, a.Connector)
	if err != nil {
		return saved{}, fmt.Errorf("reading the offsets of %s, without which nothing is deleted: %w", a.Connector, err)
	}
	s := saved{Config: a.keepable(config), Offsets: offsets, At: time.Now().UTC()}
	if a.Config == nil && len(literals(config)) > 0 {
		return s, fmt.Errorf("the configuration of %s holds secrets (%s), which the bot does not store; put its file into the configured folder, or use references such as ${file:…}", a.Connector, strings.Join(literals(config), ", "))
	}
	keeper, err := w.Keeper()
	if err != nil {
		return s, err
	}
	body, err := json.Marshal(s)
	if err != nil {
		return s, fmt.Errorf("encoding what is saved of %s: %w", a.Connector, err)
	}
	return s, keeper.Keep(ctx, a.key(), body)
}

// keepable leaves secrets out: what is kept may be read by others.
func (a Recreate) keepable(config map[string]string) map[string]string {
	out := maps.Clone(config)
	for _, k := range literals(config) {
		delete(out, k)
	}
	return out
}

// literals are the options that hold a secret itself, sorted.
func literals(config map[string]string) []string {
	var names []string
	for _, k := range slices.Sorted(maps.Keys(config)) {
		if shown(k, config[k], nil) != config[k] && config[k] != "" {
			names = append(names, k)
		}
	}
	return names
}

func (a Recreate) kept(ctx context.Context, w World) (*saved, error) {
	keeper, err := w.Keeper()
	if err != nil {
		return nil, err
	}
	body, err := keeper.Kept(ctx, a.key())
	if err != nil || body == nil {
		return nil, err
	}
	var s saved
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("what was saved of %s cannot be read: %w", a.Connector, err)
	}
	return &s, nil
}

// create makes it STOPPED, so that it reads nothing before its offsets are back.
func (a Recreate) create(ctx context.Context, w World, c Connect) (Output, error) {
	s, config, err := a.source(ctx, w)
	if err != nil {
		return Output{}, err
	}
	if err := a.accepted(ctx, c, config); err != nil {
		return Output{}, err
	}
	if err := persist(ctx, func() error { return a.make(ctx, c, config) }); err != nil {
		return Output{}, err
	}
	if err := a.restore(ctx, w, c, s); err != nil {
		return Output{}, err
	}
	if err := persist(ctx, func() error { return c.Resume(ctx, a.Connector) }); err != nil {
		return Output{}, err
	}
	return a.prove(ctx, c, s)
}

// source is what was saved, and the configuration to create from.
func (a Recreate) source(ctx context.Context, w World) (*saved, map[string]string, error) {
	if a.New {
		return nil, a.Config, nil
	}
	s, err := a.kept(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	if s == nil {
		return nil, nil, fmt.Errorf("nothing was saved of %s, so that its offsets cannot be put back", a.Connector)
	}
	if a.Config != nil {
		return s, a.Config, nil
	}
	return s, s.Config, nil
}

func (a Recreate) accepted(ctx context.Context, c Connect, config map[string]string) error {
	whole := maps.Clone(config)
	if whole == nil {
		whole = map[string]string{}
	}
	whole["name"] = a.Connector
	_, err := Configure{Cluster: a.Cluster, Connector: a.Connector, Set: config, Whole: true}.validate(ctx, c, config, whole)
	return err
}

// make is content with a connector that is there already: a run before this one has made it.
func (a Recreate) make(ctx context.Context, c Connect, config map[string]string) error {
	body := maps.Clone(config)
	delete(body, "name") // the connector's own name counts, whatever the file calls it
	err := c.Create(ctx, a.Connector, body, connect.Stopped)
	if errors.Is(err, connect.ErrConflict) && !a.New {
		return nil
	}
	return err
}

// restore puts the saved offsets back where they differ from what the worker still has.
func (a Recreate) restore(ctx context.Context, w World, c Connect, s *saved) error {
	if _, err := settle(ctx, c, a.Connector, patience{}, func(now connect.Status) bool { return now.State == connect.Stopped || now.Running() }, failing); err != nil {
		return err
	}
	if s == nil || len(s.Offsets) == 0 {
		return nil
	}
	now, err := c.Offsets(ctx, a.Connector)
	if err != nil || positions(now) == positions(s.Offsets) || !behind(now, s.Offsets) {
		return err
	}
	if out, err := (Transition{Cluster: a.Cluster, Connector: a.Connector, To: connect.Stopped}).Run(ctx, w); err != nil {
		return fmt.Errorf("%w (%s)", err, out.Text)
	}
	return persist(ctx, func() error { return c.AlterOffsets(ctx, a.Connector, s.Offsets) })
}

// behind reports whether any saved position is ahead of what is there now, or missing. A source's positions are its own
// words; those count as behind when they differ.
func behind(now, want []connect.Offset) bool {
	for _, o := range want {
		topic, sink := o.Partition["kafka_topic"]
		if !sink {
			if !slices.ContainsFunc(now, func(n connect.Offset) bool { return position(n) == position(o) }) {
				return true
			}
			continue
		}
		at, ok := committed(now, fmt.Sprint(topic), int(number(o.Partition["kafka_partition"])))
		if !ok || at < number(o.Offset["kafka_offset"]) {
			return true
		}
	}
	return false
}

// prove: it runs, and its offsets are at least where they were. A source may have moved on in words that cannot be
// compared; that it has positions is all that can be asked of it.
func (a Recreate) prove(ctx context.Context, c Connect, s *saved) (Output, error) {
	st, err := settle(ctx, c, a.Connector, patience{good: 2 * time.Second, bad: 3 * time.Second}, func(now connect.Status) bool { return now.Running() }, failing)
	if err != nil {
		return Output{Text: states(st)}, err
	}
	if failing(st) {
		return Output{Text: states(st)}, fmt.Errorf("%s fails after it was made again: %s", a.Connector, reason(st))
	}
	if s == nil {
		return Output{Text: states(st)}, nil
	}
	now, err := a.compared(ctx, c, s.Offsets)
	return Output{Text: fmt.Sprintf("%s\noffsets were %s\noffsets are %s", states(st), positions(s.Offsets), positions(now))}, err
}

// believeAfter is how long offsets may look wrong while a group that has just begun is still being put together.
const believeAfter = 20 * time.Second

// compared reads the offsets until they are what they were, or have been something else for too long.
func (a Recreate) compared(ctx context.Context, c Connect, want []connect.Offset) ([]connect.Offset, error) {
	ctx, cancel := context.WithTimeout(ctx, believeAfter)
	defer cancel()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		now, err := c.Offsets(ctx, a.Connector)
		if err == nil && len(now) >= len(want) && !sinkBehind(now, want) {
			return now, nil
		}
		select {
		case <-ctx.Done():
			if err == nil {
				err = fmt.Errorf("the offsets of %s are not what they were: %s, saved %s", a.Connector, positions(now), positions(want))
			}
			return now, err
		case <-ticker.C:
		}
	}
}

// sinkBehind compares only what can be compared.
func sinkBehind(now, want []connect.Offset) bool {
	sinks := slices.DeleteFunc(slices.Clone(want), func(o connect.Offset) bool { return o.Partition["kafka_topic"] == nil })
	return behind(now, sinks)
}

// Observe implements Action.
func (a Recreate) Observe(ctx context.Context, w World) (bool, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return false, err
	}
	st, err := c.Status(ctx, a.Connector)
	if a.Half == Delete {
		s, kept := a.kept(ctx, w)
		return errors.Is(err, connect.ErrNotFound) && kept == nil && s != nil, kept
	}
	if errors.Is(err, connect.ErrNotFound) {
		return false, nil
	}
	if err != nil || a.New || !st.Running() {
		return err == nil && st.Running(), err
	}
	s, err := a.kept(ctx, w)
	if err != nil || s == nil {
		return false, err
	}
	now, err := c.Offsets(ctx, a.Connector)
	return err == nil && !sinkBehind(now, s.Offsets), err
}

// Preview implements Previewer: what the new configuration changes, and where the offsets stand.
func (a Recreate) Preview(ctx context.Context, w World) (Preview, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Preview{}, err
	}
	before, err := c.Config(ctx, a.Connector)
	if a.New {
		return a.previewNew(ctx, c, err)
	}
	if err != nil {
		return Preview{}, err
	}
	if a.Half == Create {
		return a.previewCreate(ctx, c, before)
	}
	offsets, err := c.Offsets(ctx, a.Connector)
	if err != nil {
		return Preview{}, err
	}
	if names := literals(before); a.Config == nil && len(names) > 0 {
		return Preview{}, fmt.Errorf("the configuration of %s holds secrets (%s), which the bot does not store; put its file into the configured folder", a.Connector, strings.Join(names, ", "))
	}
	return Preview{Text: "offsets that will be saved: " + positions(offsets)}, nil
}

func (a Recreate) previewNew(ctx context.Context, c Connect, there error) (Preview, error) {
	if there == nil {
		return Preview{}, fmt.Errorf("%s exists already; PUT …/config changes it", a.Connector)
	}
	if !errors.Is(there, connect.ErrNotFound) {
		return Preview{}, there
	}
	return Preview{Text: diff(nil, a.Config, nil)}, a.accepted(ctx, c, a.Config)
}

func (a Recreate) previewCreate(ctx context.Context, c Connect, before map[string]string) (Preview, error) {
	if a.Config == nil {
		return Preview{Text: "the configuration stays as it is"}, nil
	}
	after := maps.Clone(a.Config)
	after["name"] = a.Connector
	if err := a.accepted(ctx, c, a.Config); err != nil {
		return Preview{}, err
	}
	text := diff(before, after, nil)
	if text == "" {
		text = "the configuration stays as it is"
	}
	return Preview{Text: text}, nil
}
