package app

import (
	"testing"

	"cdcbot/internal/alert"
	"cdcbot/internal/config"
)

func TestPipelineOfAnAlert(t *testing.T) {
	two := newRouting(&config.Config{Pipelines: map[string]config.Pipeline{
		"orders": {Connectors: []string{"orders-*", "exact name/with slash"}},
		"users":  {Connectors: []string{"users-sink"}},
	}})
	one := newRouting(&config.Config{Pipelines: map[string]config.Pipeline{"warehouse": {}}})
	rest := newRouting(&config.Config{Pipelines: map[string]config.Pipeline{"a-any": {}, "named": {Connectors: []string{"x"}}}})
	for _, row := range []struct {
		name  string
		in    routing
		alert alert.Alert
		want  string
	}{
		{"pipeline label", two, alert.Alert{Pipeline: "users", Connector: "orders-sink"}, "users"},
		{"cluster label", two, alert.Alert{Cluster: "users"}, "users"},
		{"unknown label falls back to the connector", two, alert.Alert{Pipeline: "nope", Connector: "users-sink"}, "users"},
		{"glob", two, alert.Alert{Connector: "orders-sink"}, "orders"},
		{"exact name", two, alert.Alert{Connector: "exact name/with slash"}, "orders"},
		{"nobody's", two, alert.Alert{Connector: "other"}, ""},
		{"the only pipeline takes all", one, alert.Alert{Connector: "anything"}, "warehouse"},
		{"the only pipeline takes an alert without a connector", one, alert.Alert{}, "warehouse"},
		{"listed beats any", rest, alert.Alert{Connector: "x"}, "named"},
		{"any takes the rest", rest, alert.Alert{Connector: "y"}, "a-any"},
	} {
		if got := row.in.pipeline(row.alert); got != row.want {
			t.Errorf("%s: pipeline(%+v) = %q, want %q", row.name, row.alert, got, row.want)
		}
	}
}
