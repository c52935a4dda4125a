package remediation

import (
	"fmt"
	"strings"
	"testing"

	"cdcbot/internal/action"
)

// A storm is restarted in batches behind one connector alone; a few have a step each. Every target is named once.
func TestRestartInBatches(t *testing.T) {
	for _, row := range []struct{ connectors, steps int }{{1, 1}, {2, 2}, {10, 10}, {11, 2}, {12, 3}, {300, 31}} {
		var names []string
		for i := range row.connectors {
			names = append(names, fmt.Sprintf("sink-%03d", i))
		}
		plan, err := builtin(Pipeline{Name: "warehouse", Cluster: "warehouse"}, RecipeFor(Restart, names, nil))
		if err != nil || len(plan.Steps) != row.steps {
			t.Errorf("%d connectors: got %d steps, %v; want %d", row.connectors, len(plan.Steps), err, row.steps)
			continue
		}
		var targets []string
		for _, s := range plan.Steps {
			targets = append(targets, s.Action.Target())
		}
		all := strings.Join(targets, ", ")
		for _, name := range names {
			if strings.Count(all, name) != 1 {
				t.Errorf("%d connectors: %s is named %d times in %s", row.connectors, name, strings.Count(all, name), all)
			}
		}
		if _, alone := plan.Steps[0].Action.(action.RestartConnector); !alone {
			t.Errorf("%d connectors: the first step is %T, want one connector alone", row.connectors, plan.Steps[0].Action)
		}
	}
}
