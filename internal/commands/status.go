package commands

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/agnivade/levenshtein"

	"cdcbot/internal/connect"
	"cdcbot/internal/incident"
)

// statusBudget is how long /cdc status waits for a cluster before it says that it does not answer.
const statusBudget = 8 * time.Second

func (r *Router) status(ctx context.Context, a ask) Reply {
	pipelines, err := r.pipelines(a)
	if err != nil {
		return r.fail(err)
	}
	open, err := r.openIncidents(ctx)
	if err != nil {
		return r.fail(err)
	}
	s := Status{At: r.Now(), Clusters: r.clusters(ctx, pipelines, open), Filter: strings.Join(a.args, " "), Pipeline: a.options["pipeline"], Page: max(a.Option, 1)}
	if s.Filter == "" {
		return Reply{Text: headline(s), Status: &s}
	}
	return filtered(s)
}

// statusPage is another page of the same table, from a button.
func (r *Router) statusPage(ctx context.Context, c Command) Reply {
	a := ask{Command: c, options: map[string]string{}}
	if f := c.Inputs["filter"]; f != "" {
		a.args = []string{f}
	}
	if p := c.Inputs["pipeline"]; p != "" {
		a.options["pipeline"] = p
	}
	return r.status(ctx, a)
}

// glob reports whether a name fits a pattern with * for any text.
func glob(pattern string) func(string) bool {
	parts := strings.Split(pattern, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("(?i)^" + strings.Join(parts, ".*") + "$").MatchString
}

// filtered keeps the connector asked for: the exact name, else one that differs only in letter case, else those that fit.
func filtered(s Status) Reply {
	var all []string
	for _, fits := range []func(string) bool{
		func(name string) bool { return name == s.Filter },
		func(name string) bool { return strings.EqualFold(name, s.Filter) },
		func(name string) bool { return strings.Contains(s.Filter, "*") && glob(s.Filter)(name) },
	} {
		if kept, found := keep(s, fits); found {
			return Reply{Text: headline(kept), Status: &kept}
		}
	}
	for _, c := range s.Clusters {
		for _, row := range c.Rows {
			all = append(all, row.Status.Name)
		}
	}
	return noConnector(s.Filter, all, "status", unreachable(s))
}

func keep(s Status, fits func(string) bool) (Status, bool) {
	kept, found := s, false
	kept.Clusters = nil
	for _, c := range s.Clusters {
		c.Rows = slices.DeleteFunc(slices.Clone(c.Rows), func(row ConnectorRow) bool { return !fits(row.Status.Name) })
		if len(c.Rows) > 0 {
			found = true
			kept.Clusters = append(kept.Clusters, c)
		}
	}
	return kept, found
}

func unreachable(s Status) []string {
	var list []string
	for _, c := range s.Clusters {
		if c.Err != "" {
			list = append(list, c.Cluster)
		}
	}
	return list
}

// noConnector answers an unknown name with the nearest ones, and says when a cluster that might have it is silent.
func noConnector(name string, all []string, verb string, silent []string) Reply {
	text := fmt.Sprintf("There is no connector %q.", name)
	if len(silent) > 0 {
		text += fmt.Sprintf(" But %s does not answer now, so I cannot be sure.", strings.Join(silent, ", "))
	}
	type near struct {
		name     string
		distance int
	}
	var candidates []near
	for _, n := range all {
		d := levenshtein.ComputeDistance(strings.ToLower(n), strings.ToLower(name))
		if d <= max(3, len(name)/3) || strings.Contains(strings.ToLower(n), strings.ToLower(name)) {
			candidates = append(candidates, near{n, d})
		}
	}
	slices.SortFunc(candidates, func(a, b near) int { return a.distance - b.distance })
	var suggest []string
	for _, c := range candidates[:min(3, len(candidates))] {
		suggest = append(suggest, "/cdc "+verb+" "+quoted(c.name))
	}
	if len(suggest) > 0 {
		text += fmt.Sprintf(" Did you mean %s?", candidates[0].name)
	}
	return Reply{Error: true, Text: text, Suggest: suggest}
}

func quoted(name string) string {
	if strings.ContainsAny(name, " \t\"") {
		return "“" + name + "”"
	}
	return name
}

// clusters reads every pipeline's cluster at once; a silent one costs its own time only.
func (r *Router) clusters(ctx context.Context, pipelines []Pipeline, open []incident.Incident) []ClusterStatus {
	ctx, cancel := context.WithTimeout(ctx, statusBudget)
	defer cancel()
	list := make([]ClusterStatus, len(pipelines))
	var group sync.WaitGroup
	for i, p := range pipelines {
		group.Go(func() { list[i] = r.cluster(ctx, p, open) })
	}
	group.Wait()
	return list
}

func (r *Router) cluster(ctx context.Context, p Pipeline, open []incident.Incident) ClusterStatus {
	c := ClusterStatus{Pipeline: p.Name, Cluster: p.Cluster}
	connectors, err := p.Connect.Connectors(ctx)
	if err != nil {
		c.Err = r.Sentence(err)
		return c
	}
	if worker, err := p.Connect.Root(ctx); err == nil {
		c.Version = worker.Version
	}
	for name, conn := range connectors {
		if p.Owns(name) {
			c.Rows = append(c.Rows, row(conn, p, open))
		}
	}
	slices.SortFunc(c.Rows, failingFirst)
	return c
}

func row(c connect.Connector, p Pipeline, open []incident.Incident) ConnectorRow {
	out := ConnectorRow{Status: c.Status}
	if p.Lag != nil {
		if lag, known := p.Lag(c.Status.Name); known {
			out.Lag = &lag
		}
	}
	for _, inc := range open {
		if inc.Pipeline != p.Name || !slices.Contains(inc.Connectors(), c.Status.Name) {
			continue
		}
		out.Incident, out.Owner, out.Since = inc.ID, inc.Owner, inc.StartedAt
	}
	return out
}

func failingFirst(a, b ConnectorRow) int {
	if x, y := a.Status.Unhealthy(), b.Status.Unhealthy(); x != y {
		if x {
			return -1
		}
		return 1
	}
	return strings.Compare(a.Status.Name, b.Status.Name)
}

func headline(s Status) string {
	total, sick := 0, 0
	for _, c := range s.Clusters {
		for _, row := range c.Rows {
			total++
			if row.Status.Unhealthy() {
				sick++
			}
		}
	}
	silent := unreachable(s)
	switch {
	case len(silent) > 0:
		return fmt.Sprintf("%d of %d connectors need attention; %s does not answer", sick, total, strings.Join(silent, ", "))
	case sick > 0:
		return fmt.Sprintf("%d of %d connectors need attention", sick, total)
	}
	if total == 1 {
		return "the connector is well"
	}
	return fmt.Sprintf("all %d connectors are well", total)
}
