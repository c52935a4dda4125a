package app

import (
	"path"
	"slices"

	"cdcbot/internal/alert"
	"cdcbot/internal/config"
)

// router says which pipeline an alert or a connector belongs to.
type routing struct {
	pipelines map[string]config.Pipeline
	names     []string
}

func newRouting(c *config.Config) routing { return routing{pipelines: c.Pipelines, names: c.Names()} }

// pipeline is the one the alert names; else the one whose cluster it names; else the first one that lists the connector
// by name; else the only one, or the first that takes any connector. "" when nothing fits.
func (r routing) pipeline(a alert.Alert) string {
	if _, ok := r.pipelines[a.Pipeline]; ok {
		return a.Pipeline
	}
	if _, ok := r.pipelines[a.Cluster]; ok {
		return a.Cluster
	}
	for _, exact := range []bool{true, false} {
		for _, name := range r.names {
			if a.Connector != "" && r.owns(name, a.Connector, exact) {
				return name
			}
		}
	}
	if len(r.names) == 1 {
		return r.names[0]
	}
	return ""
}

// owns reports whether a connector is the pipeline's. Connectors are names or globs; without any the pipeline takes all.
func (r routing) owns(pipeline, connector string, listed bool) bool {
	patterns := r.pipelines[pipeline].Connectors
	if len(patterns) == 0 {
		return !listed
	}
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, connector)
		return p == connector || (err == nil && ok)
	})
}
