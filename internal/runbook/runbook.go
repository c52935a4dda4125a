// Package runbook turns an operator's Markdown runbook into typed steps. Markdown is parsed with goldmark and its shell
// blocks with mvdan.cc/sh/v3/syntax; nothing is ever run as a shell. A command that no compiler knows becomes a manual
// step with its source line. The package has no network and no clock: the same Markdown, inputs and targets give the same digest.
package runbook

import (
	"time"

	"cdcbot/internal/action"
)

// SectionKind says what part a section plays.
type SectionKind string

// The kinds of sections, as `bot lint --json` prints them.
const (
	Diagnosis  SectionKind = "diagnosis"
	Cause      SectionKind = "cause"
	Emergency  SectionKind = "emergency"
	Escalation SectionKind = "escalation"
	Review     SectionKind = "review"
	Other      SectionKind = "other"
)

// Book is one compiled runbook.
type Book struct {
	Name      string        // file name without extension, such as "kafka-connect-connector-failure"
	Title     string        // the first heading
	SHA256    string        // hex digest of the Markdown as read
	Alerts    []string      // alert names it answers
	Severity  string        // lower case
	Threshold time.Duration // how long the condition must hold; 0 when the book does not say
	States    []string      // connector states the threshold names, upper case
	SLOImpact string
	Patterns  []Pattern // symptoms of causes and common error patterns, in document order
	Sections  []Section // in document order
	Review    []string  // the post-incident checklist
	Findings  []Finding // what lint has to say; errors first
	// Dates are the inputs that stand for $(date +FORMAT), with their formats; whoever makes a plan fills them.
	Dates map[string]string
}

// Pattern is a text that points to a cause when it is seen in a trace or log.
type Pattern struct {
	Text    string // as written, without backticks; matching folds case and treats <placeholders> as wildcards
	Hint    string // what the runbook says it means; "" for a Symptom item
	Section string // ID of the cause it belongs to; "" for a common error pattern
	Line    int
}

// Section is one heading with what stands below it.
type Section struct {
	ID       string // stable slug of the heading, such as "cause-1-database-connection-failure"
	Title    string // as written
	Kind     SectionKind
	Line     int
	Symptoms []Pattern
	Probes   []Step        // read-only steps under Diagnosis
	Common   []Step        // solution steps that every option shares are already in each option's Steps; Common is set when there are no options
	Options  []Option      // alternatives; empty when there is only one way
	Text     []string      // prose and list items, for display
	After    time.Duration // escalation: how long to wait for a recovery; 0 when the book does not say
}

// Option is one of several ways to solve a cause; each is a button.
type Option struct {
	Number int // from 1
	Title  string
	Steps  []Step
}

// Phase is what a step is for.
type Phase string

// The phases of a step.
const (
	Act    Phase = "act"
	Wait   Phase = "wait"   // until what was changed is healthy
	Verify Phase = "verify" // looks whether the pipeline recovered
)

// Step is one command, wait or manual instruction, with all blanks still open until Plan fills them.
type Step struct {
	Title  string
	Line   int
	Source string // the command as written (one line, continuation lines joined)
	Phase  Phase
	Guard  Guard
	Inputs []string // names of placeholders that must be filled, such as "lease_id"
	// Action is what will run; nil for a manual step, where Manual tells the person what to do.
	Action action.Action
	Manual string
}

// Guard is a condition that is checked when the step's turn comes: the step runs only if the named target is down.
type Guard struct {
	Text   string // as written: "If PostgreSQL is down"
	Target string // "postgres", "cassandra", "schema-registry", …; "" means no guard
}

// Finding is one remark of lint. Column counts bytes from 1.
type Finding struct {
	Level  string `json:"level"` // "error", "warning" or "note"
	Code   string `json:"code"`  // stable, such as "unknown-command"
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"text"` // what is wrong and how to mend it
}

// Plan is what people approve: a section (and option) with all blanks filled. Only Book.Plan makes one.
type Plan struct {
	Book    string
	SHA256  string
	Section string
	Option  int
	Title   string
	Inputs  map[string]string
	Steps   []Step
	Risk    action.Risk // the highest among the steps
}
