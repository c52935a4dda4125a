package action

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"cdcbot/internal/connect"
)

// Configure changes options of a connector: it reads the whole configuration, merges, lets the plugin validate, and
// writes it back whole, because Connect replaces and never merges. References to secrets (KIP-297) stay references.
type Configure struct {
	Cluster   string            `json:"cluster"`
	Connector string            `json:"connector"`
	Set       map[string]string `json:"set"`
	Unset     []string          `json:"unset,omitempty"` // options to remove, sorted
	// Whole says that Set is the whole configuration: options that it does not name go. File is where it came from.
	Whole bool   `json:"whole,omitempty"`
	File  string `json:"file,omitempty"`
	// Expires bounds how long a tolerance for errors may stay; the plan's last step takes it back. 0 for everything else.
	Expires time.Duration `json:"expires,omitempty"`
	// Back marks the step that takes a tolerance back.
	Back bool `json:"back,omitempty"`
}

// Kind implements Action.
func (a Configure) Kind() string { return "connect.configure" }

// Effect implements Action. Values of secret options are not said.
func (a Configure) Effect() string {
	if a.File != "" {
		return fmt.Sprintf("Gives %s the configuration in %s, whole; options that are not in it go. Tasks restart if anything differs.", a.Connector, a.File) + a.warning()
	}
	var list []string
	for _, k := range slices.Sorted(maps.Keys(a.Set)) {
		list = append(list, k+" = "+shown(k, a.Set[k], nil))
	}
	for _, k := range a.Unset {
		list = append(list, k+" to its default")
	}
	return fmt.Sprintf("Sets %s of %s; all other options stay. Tasks restart.", strings.Join(list, ", "), a.Connector) + a.warning()
}

func (a Configure) warning() string {
	switch {
	case !a.tolerant():
		return ""
	case a.Expires > 0:
		return fmt.Sprintf(" From then on records that fail are skipped, not retried; the plan's last step takes it back, after %s at the latest.", a.Expires)
	}
	return " From then on records that fail are skipped, not retried: take it back when the cause is gone."
}

// Tolerant reports whether the action lets bad records pass.
func (a Configure) Tolerant() bool { return a.tolerant() }

// tolerant: with errors.tolerance=all a connector loses every record that it cannot handle (KIP-298).
func (a Configure) tolerant() bool { return a.Set["errors.tolerance"] == "all" }

// Risk implements Action.
func (a Configure) Risk() Risk {
	if a.tolerant() {
		return High
	}
	return Change
}

// Target implements Action.
func (a Configure) Target() string { return target(a.Cluster, a.Connector) }

// Deadline implements Action.
func (a Configure) Deadline() time.Duration { return 2 * time.Minute }

// Idempotent implements Action.
func (a Configure) Idempotent() bool { return true }

// Run implements Action. The output shows every option that differs, before and after. A configuration that the plugin
// accepts and its task does not is an error, with the task's own words; the new configuration is in place then.
func (a Configure) Run(ctx context.Context, w World) (Output, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Output{}, err
	}
	before, err := c.Config(ctx, a.Connector)
	if err != nil {
		return Output{}, err
	}
	after := a.merge(before)
	if maps.Equal(before, after) {
		return Output{Text: "nothing differs: the options are set already"}, nil
	}
	secret, err := a.validate(ctx, c, before, after)
	if err != nil {
		return Output{}, err
	}
	out := Output{Text: diff(before, after, secret)}
	if err := persist(ctx, func() error { return c.PutConfig(ctx, a.Connector, after) }); err != nil {
		return out, err
	}
	return out, a.settled(ctx, c)
}

func (a Configure) merge(before map[string]string) map[string]string {
	after := maps.Clone(before)
	if a.Whole {
		after = map[string]string{"name": a.Connector}
	}
	if after == nil {
		after = map[string]string{}
	}
	maps.Copy(after, a.Set)
	for _, k := range a.Unset {
		delete(after, k)
	}
	return after
}

// settled waits for longer than a restart does: an option that only the task checks was seen to fail it within 3 s.
func (a Configure) settled(ctx context.Context, c Connect) error {
	good := func(s connect.Status) bool { return s.Running() || resting(s) }
	s, err := settle(ctx, c, a.Connector, patience{good: 4 * time.Second, bad: 3 * time.Second}, good, failing)
	if err == nil && failing(s) {
		err = fmt.Errorf("%s fails with the new configuration: %s", a.Connector, reason(s))
	}
	return err
}

// validate refuses what the plugin refuses, and options that it does not know: Connect would accept and ignore them. It
// returns the options whose values are secret by the plugin's own definition.
func (a Configure) validate(ctx context.Context, c Connect, before, after map[string]string) ([]string, error) {
	class := after["connector.class"]
	if class == "" {
		return nil, fmt.Errorf("configuration of %s: connector.class is missing", a.Connector)
	}
	if err := misspelt(class, a.Set); err != nil {
		return nil, fmt.Errorf("configuration of %s: %w", a.Connector, err)
	}
	v, err := c.Validate(ctx, class, after)
	if err != nil {
		return nil, err
	}
	if problems := v.Problems(); len(problems) > 0 {
		return nil, fmt.Errorf("the plugin refuses the configuration of %s: %s", a.Connector, strings.Join(problems, "; "))
	}
	for _, name := range slices.Sorted(maps.Keys(a.Set)) {
		if _, had := before[name]; !had && !known(v, name) {
			return nil, fmt.Errorf("the plugin of %s has no option %q; Connect would accept and ignore it", a.Connector, name)
		}
	}
	return v.Passwords(), nil
}

// open are the names of options that no plugin lists, because they belong to a client, a converter or a transformation.
var open = regexp.MustCompile(`^(transforms|predicates|consumer\.override|producer\.override|admin\.override|hibernate|driver|database|schema\.history\.internal|connection\.pool)\.|(^|\.)converter\.`)

func known(v connect.Validation, name string) bool {
	return open.MatchString(name) || slices.ContainsFunc(v.Fields, func(f connect.Field) bool { return f.Name == name })
}

// Preview implements Previewer: the difference it would make, once the plugin has accepted it.
func (a Configure) Preview(ctx context.Context, w World) (Preview, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Preview{}, err
	}
	before, err := c.Config(ctx, a.Connector)
	if err != nil {
		return Preview{}, err
	}
	after := a.merge(before)
	if maps.Equal(before, after) {
		return Preview{Text: "nothing differs: the options are set already"}, nil
	}
	secret, err := a.validate(ctx, c, before, after)
	if err != nil {
		return Preview{}, err
	}
	ahead := Preview{Text: diff(before, after, secret)}
	if back := a.inverse(before, after); !back.tells(secret) {
		ahead.Inverse = back
	}
	return ahead, nil
}

// inverse sets what differs back to what it was.
func (a Configure) inverse(before, after map[string]string) Configure {
	back := Configure{Cluster: a.Cluster, Connector: a.Connector, Set: map[string]string{}}
	for k, v := range before {
		if is, has := after[k]; !has || is != v {
			back.Set[k] = v
		}
	}
	for k := range after {
		if _, had := before[k]; !had {
			back.Unset = append(back.Unset, k)
		}
	}
	slices.Sort(back.Unset)
	return back
}

// tells reports whether the action holds the value of a secret option, which must not be kept anywhere.
func (a Configure) tells(secret []string) bool {
	for k, v := range a.Set {
		if shown(k, v, secret) != v {
			return true
		}
	}
	return false
}

// Observe implements Action.
func (a Configure) Observe(ctx context.Context, w World) (bool, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return false, err
	}
	now, err := c.Config(ctx, a.Connector)
	if err != nil {
		return false, err
	}
	return maps.Equal(now, a.merge(now)), nil
}

// diff lists what differs, one line for each side.
func diff(before, after map[string]string, secret []string) string {
	var lines []string
	keys := maps.Clone(after)
	if keys == nil {
		keys = map[string]string{}
	}
	maps.Copy(keys, before)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		was, had := before[k]
		is, has := after[k]
		if had == has && was == is {
			continue
		}
		if had {
			lines = append(lines, "- "+k+" = "+shown(k, was, secret))
		}
		if has {
			lines = append(lines, "+ "+k+" = "+shown(k, is, secret))
		}
	}
	return strings.Join(lines, "\n")
}

var (
	secretName = regexp.MustCompile(`(?i)passw|passphrase|secret|token|credential|private|jaas|api[._-]?key|basic\.auth\.user\.info`)
	reference  = regexp.MustCompile(`^\$\{[^}]*\}$`)
)

// shown is a value as people may see it: a secret only as a reference to where it is kept.
func shown(name, value string, secret []string) string {
	if (secretName.MatchString(name) || slices.Contains(secret, name)) && !reference.MatchString(value) {
		return "(secret)"
	}
	return value
}
