package remediation

import (
	"encoding/json"
	"fmt"
	"strconv"

	"cdcbot/internal/action"
	"cdcbot/internal/approval"
	"cdcbot/internal/runbook"
)

// Builtin is the runbook name of plans that are the bot's own: what `/cdc restart`, pause, resume and stop ask for.
const Builtin = "builtin"

// The sections of the builtin book.
const (
	Restart = "restart"
	Pause   = "pause"
	Resume  = "resume"
	Stop    = "stop"
)

// RecipeFor names a builtin plan for connectors. A task number restarts that one task only.
func RecipeFor(section string, connectors []string, task *int) approval.Recipe {
	names, _ := json.Marshal(connectors) // a list of strings always encodes
	inputs := map[string]string{"connectors": string(names)}
	if task != nil {
		inputs["task"] = strconv.Itoa(*task)
	}
	return approval.Recipe{Runbook: Builtin, Section: section, Inputs: inputs}
}

// builtin compiles a builtin recipe. It is as deterministic as a runbook's: same inputs, same digest.
func builtin(cluster string, r approval.Recipe) (runbook.Plan, error) {
	connectors, task, err := builtinInputs(r)
	if err != nil {
		return runbook.Plan{}, err
	}
	switch r.Section {
	case Restart:
		return restartAll(cluster, connectors, task), nil
	case Pause:
		return runbook.PausePlan(cluster, connectors...), nil
	case Resume:
		return runbook.ResumePlan(cluster, connectors...), nil
	case Stop:
		return runbook.StopPlan(cluster, connectors...), nil
	}
	return runbook.Plan{}, fmt.Errorf("builtin %q: %w", r.Section, ErrNoSection)
}

func builtinInputs(r approval.Recipe) ([]string, *int, error) {
	var connectors []string
	if err := json.Unmarshal([]byte(r.Inputs["connectors"]), &connectors); err != nil || len(connectors) == 0 {
		return nil, nil, fmt.Errorf("input connectors %q: expected a list of connector names: %w", r.Inputs["connectors"], ErrEmptyPlan)
	}
	text, ok := r.Inputs["task"]
	if !ok {
		return connectors, nil, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return nil, nil, fmt.Errorf("input task %q: expected a task number such as 0", text)
	}
	return connectors, &n, nil
}

// restartAll is one plan that restarts several connectors, one step each.
func restartAll(cluster string, connectors []string, task *int) runbook.Plan {
	plan := runbook.RestartPlan(cluster, connectors[0], task)
	for _, name := range connectors[1:] {
		plan.Steps = append(plan.Steps, runbook.RestartPlan(cluster, name, task).Steps...)
	}
	if len(connectors) > 1 {
		plan.Title = fmt.Sprintf("Restart failed tasks of %d connectors", len(connectors))
	}
	return plan
}

// changes lists the steps of a plan that change something or that a person must do.
func changes(p runbook.Plan) (acting, manual int) {
	for _, s := range p.Steps {
		switch {
		case s.Action == nil:
			manual++
		case s.Action.Risk() != action.Read:
			acting++
		}
	}
	return acting, manual
}
