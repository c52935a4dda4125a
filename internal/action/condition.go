package action

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cdcbot/internal/connect"
)

// Condition is a part of the world in which a plan was approved, as far as it matters to one action. Values are lines that
// people can read, sorted; secrets are not in them.
type Condition struct {
	Name    string   `json:"name"` // such as "configuration of postgres-sink-connector"
	Values  []string `json:"values"`
	Shrinks bool     `json:"shrinks,omitempty"` // fewer values are as good, more are not
}

// Conditioned is an action that says what of the world matters to it: strict where it does, and nothing that changes by
// itself. A system that cannot be asked is an error; nothing is known then.
type Conditioned interface {
	Conditions(ctx context.Context, w World) ([]Condition, error)
}

// Drift says how the world has moved away from the condition, "" when it has not.
func (c Condition) Drift(now Condition) string {
	came := slices.DeleteFunc(slices.Clone(now.Values), func(v string) bool { return slices.Contains(c.Values, v) })
	went := slices.DeleteFunc(slices.Clone(c.Values), func(v string) bool { return slices.Contains(now.Values, v) })
	var parts []string
	if len(went) > 0 && !c.Shrinks {
		parts = append(parts, "no longer "+some(went))
	}
	if len(came) > 0 {
		parts = append(parts, "now "+some(came))
	}
	if len(parts) == 0 {
		return ""
	}
	return c.Name + ": " + strings.Join(parts, ", ")
}

// mostShown bounds how many lines of a difference are said.
const mostShown = 4

func some(lines []string) string {
	quoted := make([]string, 0, mostShown)
	for _, l := range lines[:min(len(lines), mostShown)] {
		quoted = append(quoted, "“"+l+"”")
	}
	if rest := len(lines) - len(quoted); rest > 0 {
		quoted = append(quoted, fmt.Sprintf("%d more", rest))
	}
	return strings.Join(quoted, ", ")
}

// Conditions implements Conditioned: the same connector with the same configuration; what has healed meanwhile needs no
// restart, what has failed besides was not agreed to.
func (a RestartConnector) Conditions(ctx context.Context, w World) ([]Condition, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return nil, err
	}
	config, err := configuration(ctx, c, a.Connector)
	if err != nil {
		return nil, err
	}
	s, err := c.Status(ctx, a.Connector)
	if err != nil {
		return nil, err
	}
	return []Condition{config, {Name: "failed parts of " + a.Connector, Values: failedParts(s), Shrinks: true}}, nil
}

func failedParts(s connect.Status) []string {
	parts := []string{}
	if s.State == connect.Failed {
		parts = append(parts, "the connector itself")
	}
	for _, id := range s.Failed() {
		parts = append(parts, fmt.Sprintf("task %d", id))
	}
	return parts
}

// Conditions implements Conditioned, for all connectors in one request.
func (a RestartBatch) Conditions(ctx context.Context, w World) ([]Condition, error) {
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return nil, err
	}
	all, err := c.Connectors(ctx)
	if err != nil {
		return nil, err
	}
	configs, failed := Condition{Name: "configurations", Values: []string{}}, Condition{Name: "failed parts", Values: []string{}, Shrinks: true}
	for _, name := range a.Connectors {
		row, ok := all[name]
		if !ok {
			configs.Values = append(configs.Values, name+" is not there")
			continue
		}
		configs.Values = append(configs.Values, name+" "+fingerprint(lines(row.Config)))
		for _, part := range failedParts(row.Status) {
			failed.Values = append(failed.Values, name+" "+part)
		}
	}
	return []Condition{configs, failed}, nil
}

// Conditions implements Conditioned: what is merged with must be what the difference was shown against.
func (a Configure) Conditions(ctx context.Context, w World) ([]Condition, error) {
	return oneConfiguration(ctx, w, a.Cluster, a.Connector)
}

// Conditions implements Conditioned: what is deleted, or that there is nothing where something is created.
func (a Recreate) Conditions(ctx context.Context, w World) ([]Condition, error) {
	return oneConfiguration(ctx, w, a.Cluster, a.Connector)
}

// Conditions implements Conditioned: whose credentials change.
func (a Credentials) Conditions(ctx context.Context, w World) ([]Condition, error) {
	return oneConfiguration(ctx, w, a.Cluster, a.Connector)
}

// Conditions implements Conditioned: the record's place is named by the action itself, the connector that skips it is not.
func (a SkipRecord) Conditions(ctx context.Context, w World) ([]Condition, error) {
	return oneConfiguration(ctx, w, a.Cluster, a.Connector)
}

// Conditions implements Conditioned: the positions that are moved. Those of a connector that runs move by themselves; they
// count from when it stands still.
func (a AlterOffsets) Conditions(ctx context.Context, w World) ([]Condition, error) {
	c, before, err := a.read(ctx, w)
	if err != nil {
		return nil, err
	}
	s, err := c.Status(ctx, a.Connector)
	if err != nil || s.State != connect.Stopped {
		return nil, err
	}
	positions := make([]string, len(before))
	for i, o := range before {
		positions[i] = position(o)
	}
	slices.Sort(positions)
	return []Condition{{Name: "offsets of " + a.Connector, Values: positions}}, nil
}

// Conditions implements Conditioned: what stands in on the other side, and, if it can be asked, what is left.
func (a Failover) Conditions(ctx context.Context, w World) ([]Condition, error) {
	var list []Condition
	for _, p := range a.Pairs {
		there, err := oneConfiguration(ctx, w, a.To, p.There)
		if err != nil {
			return nil, err
		}
		list = append(list, there...)
	}
	return list, nil
}

// Conditions implements Conditioned: the columns of every table that changes.
func (a AlterPostgres) Conditions(ctx context.Context, w World) ([]Condition, error) {
	changes, _, err := a.parsed()
	if err != nil {
		return nil, err
	}
	p, err := w.Postgres()
	if err != nil {
		return nil, err
	}
	tables := map[string]bool{}
	for _, c := range changes {
		tables[c.Table] = true
	}
	var list []Condition
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		_, rows, err := p.Describe(ctx, table)
		if err != nil {
			return nil, err
		}
		c := Condition{Name: "columns of " + table, Values: make([]string, len(rows))}
		for i, row := range rows {
			c.Values[i] = strings.TrimSpace(strings.Join(row, " "))
		}
		slices.Sort(c.Values)
		list = append(list, c)
	}
	return list, nil
}

func oneConfiguration(ctx context.Context, w World, cluster, connector string) ([]Condition, error) {
	c, err := w.Connect(cluster)
	if err != nil {
		return nil, err
	}
	config, err := configuration(ctx, c, connector)
	if err != nil {
		return nil, err
	}
	return []Condition{config}, nil
}

// configuration is a connector's options as lines; one that is not there has none, which is a fact too.
func configuration(ctx context.Context, c Connect, connector string) (Condition, error) {
	name := "configuration of " + connector
	config, err := c.Config(ctx, connector)
	if errors.Is(err, connect.ErrNotFound) {
		return Condition{Name: name, Values: []string{"there is no such connector"}}, nil
	}
	if err != nil {
		return Condition{}, err
	}
	return Condition{Name: name, Values: lines(config)}, nil
}

func lines(config map[string]string) []string {
	list := make([]string, 0, len(config))
	for _, k := range slices.Sorted(maps.Keys(config)) {
		list = append(list, k+" = "+shown(k, config[k], nil))
	}
	return list
}

// fingerprint is short: a storm has hundreds of configurations.
func fingerprint(lines []string) string {
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:6])
}
