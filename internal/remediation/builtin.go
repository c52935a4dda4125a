package remediation

import (
	"encoding/json"
	"fmt"
	"slices"
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
	Skip    = "skip-record"

	FailOver = "failover"
	Replay   = "dlq-replay"
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

// Record is one record of a topic.
type Record struct {
	Topic     string
	Partition int
	Offset    int64
}

// RecipeForSkip names the plan that moves a connector past one record.
func RecipeForSkip(connector string, r Record) approval.Recipe {
	recipe := RecipeFor(Skip, []string{connector}, nil)
	recipe.Inputs["topic"], recipe.Inputs["partition"], recipe.Inputs["offset"] = r.Topic, strconv.Itoa(r.Partition), strconv.FormatInt(r.Offset, 10)
	return recipe
}

func skipPlan(cluster, connector string, inputs map[string]string) (runbook.Plan, error) {
	partition, err := strconv.Atoi(inputs["partition"])
	offset, offsetErr := strconv.ParseInt(inputs["offset"], 10, 64)
	if err != nil || offsetErr != nil || inputs["topic"] == "" || partition < 0 || offset < 0 {
		return runbook.Plan{}, fmt.Errorf("input of skip-record %q/%q at %q: expected a topic, a partition and an offset", inputs["topic"], inputs["partition"], inputs["offset"])
	}
	return runbook.SkipPlan(cluster, connector, inputs["topic"], partition, offset), nil
}

// builtin compiles a builtin recipe. It is as deterministic as a runbook's: same inputs, same digest.
func builtin(p Pipeline, r approval.Recipe) (runbook.Plan, error) {
	switch r.Section {
	case string(TakeBack):
		return takeBackPlan(r.Inputs)
	case FailOver:
		return failOverPlan(p)
	case Replay:
		return replayPlan(r.Inputs)
	}
	cluster := p.Cluster
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
	case Allow:
		return allowPlan(cluster, connectors, r.Inputs)
	case Skip:
		return skipPlan(cluster, connectors[0], r.Inputs)
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

// batch is how many connectors one step of a plan for a storm restarts. Up to so many have a step each.
const batch = 10

// restartAll is one plan that restarts several connectors: a few with a step each; many in batches, the first connector
// alone, so that a restart that does not help is found out on one and not on hundreds.
func restartAll(cluster string, connectors []string, task *int) runbook.Plan {
	plan := runbook.RestartPlan(cluster, connectors[0], task)
	rest := connectors[1:]
	if len(connectors) > batch && task == nil {
		for part := range slices.Chunk(rest, batch) {
			plan.Steps = append(plan.Steps, runbook.RestartBatchPlan(cluster, part).Steps...)
		}
		rest = nil
	}
	for _, name := range rest {
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
