package runbook

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"cdcbot/internal/action"
	"cdcbot/internal/connect"
)

// Errors a caller decides on.
var (
	ErrNoSection = errors.New("no such section")
	ErrNoOption  = errors.New("no such option")
	ErrInput     = errors.New("input is missing or wrong")
	ErrTarget    = errors.New("target is not configured")
)

// address is host:port of a URL or of what stands in one, in lower case.
func address(text string) string {
	text, port := strings.ToLower(text), ":80"
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		text = rest
		if scheme == "https" {
			port = ":443"
		}
	}
	text, _, _ = strings.Cut(text, "/")
	text = text[strings.LastIndex(text, "@")+1:]
	if strings.LastIndex(text, ":") <= strings.LastIndex(text, "]") { // no port; the colons of IPv6 stand in brackets
		return text + port
	}
	return text
}

// Plan fills the blanks of a section. option is 0 for a section without options. The same book, inputs and targets give
// the same plan.
func (b *Book) Plan(section string, option int, inputs map[string]string, t Targets) (Plan, error) {
	i := slices.IndexFunc(b.Sections, func(s Section) bool { return s.ID == section })
	if i < 0 {
		return Plan{}, fmt.Errorf("section %q of %s: %w", section, b.Name, ErrNoSection)
	}
	steps, title, err := b.Sections[i].choose(option)
	if err != nil {
		return Plan{}, fmt.Errorf("section %q of %s: %w", section, b.Name, err)
	}
	p := Plan{Book: b.Name, SHA256: b.SHA256, Section: section, Option: option, Title: title, Inputs: map[string]string{}}
	for _, s := range steps {
		filled, err := s.fill(inputs, t, p.Inputs)
		if err != nil {
			return Plan{}, fmt.Errorf("%s line %d: %w", b.Name, s.Line, err)
		}
		p.add(filled)
	}
	p.takeBack()
	p.aim()
	return p, nil
}

func (s Section) choose(option int) ([]Step, string, error) {
	if len(s.Options) == 0 {
		if option != 0 {
			return nil, "", fmt.Errorf("option %d: %w; it has no options", option, ErrNoOption)
		}
		if s.Kind == Diagnosis {
			return s.Probes, s.Title, nil
		}
		return s.Common, s.Title, nil
	}
	var numbers []string
	for _, o := range s.Options {
		if o.Number == option {
			return o.Steps, s.Title + " — " + o.Title, nil
		}
		numbers = append(numbers, strconv.Itoa(o.Number))
	}
	return nil, "", fmt.Errorf("option %d: %w; it has %s", option, ErrNoOption, strings.Join(numbers, ", "))
}

func (p *Plan) add(s Step) {
	p.Steps = append(p.Steps, s)
	risk := action.Change // what a person does by hand may change anything
	if s.Action != nil {
		risk = s.Action.Risk()
	}
	p.Risk = action.Max(p.Risk, risk)
}

// Tolerance for errors does not stay: an hour is enough to let the bad records of an incident pass.
const toleranceExpires = time.Hour

// takeBack gives every step that lets bad records pass its end: an expiry, and a last step that sets the option back,
// unless the runbook does so itself. Where nothing would be waited for in between, a person says when it is time.
func (p *Plan) takeBack() {
	for i := 0; i < len(p.Steps); i++ {
		a, ok := p.Steps[i].Action.(action.Configure)
		if !ok || !a.Tolerant() {
			continue
		}
		rest := p.Steps[i+1:]
		back := slices.IndexFunc(rest, func(s Step) bool { return takesBack(s, a.Connector) })
		a.Expires = toleranceExpires
		p.Steps[i].Action = a
		if back >= 0 {
			mark := rest[back].Action.(action.Configure)
			mark.Back = true
			rest[back].Action = mark
			continue
		}
		if !slices.ContainsFunc(rest, func(s Step) bool { return s.Action == nil }) {
			text := "Look whether the bad records have passed"
			p.add(Step{Title: text, Line: p.Steps[i].Line, Source: "# " + text, Phase: Act, Manual: text})
		}
		p.add(Step{Title: "Take the tolerance for errors back", Line: p.Steps[i].Line, Source: "# added by cdcbot", Phase: Act,
			Action: action.Configure{Cluster: a.Cluster, Connector: a.Connector, Set: map[string]string{"errors.tolerance": "none"}, Back: true}})
	}
}

// takesBack reports whether a step ends the tolerance for errors of a connector.
func takesBack(s Step, connector string) bool {
	later, ok := s.Action.(action.Configure)
	return ok && later.Connector == connector && (later.Set["errors.tolerance"] == "none" || slices.Contains(later.Unset, "errors.tolerance"))
}

// aim tells a wait what to wait for: the connectors that the steps before it set to run.
func (p *Plan) aim() {
	var touched, services []string
	for i, s := range p.Steps {
		switch a := s.Action.(type) {
		case action.RestartConnector:
			touched = with(touched, a.Connector)
		case action.RestartBatch:
			touched = append(touched, a.Connectors...)
		case action.Configure:
			touched = with(touched, a.Connector)
		case action.Recreate:
			touched = with(touched, a.Connector)
		case action.Transition:
			touched = slices.DeleteFunc(touched, func(name string) bool { return name == a.Connector })
			if a.To == connect.Running {
				touched = append(touched, a.Connector)
			}
		case action.Workload:
			for _, name := range a.Services {
				if a.Do != "stop" {
					services = with(services, name)
				}
			}
		case action.WaitHealthy:
			a.Connectors, a.Services = slices.Clone(touched), slices.Clone(services)
			p.Steps[i].Action = a
		}
	}
}

func with(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// fill puts inputs into the blanks of a step and resolves its target. Used inputs are noted in used.
func (s Step) fill(inputs map[string]string, t Targets, used map[string]string) (Step, error) {
	for _, name := range s.Inputs {
		value := strings.TrimSpace(inputs[name])
		if err := checkInput(name, value); err != nil {
			return s, err
		}
		used[name] = value
	}
	put := func(text string) string {
		return hidden.ReplaceAllStringFunc(text, func(m string) string { return used[hidden.FindStringSubmatch(m)[1]] })
	}
	s.Title, s.Source, s.Manual = putShown(s.Title, used), putShown(s.Source, used), putShown(s.Manual, used)
	if s.Action == nil {
		return s, nil
	}
	bound, err := bind(s.Action, put, t)
	if errors.Is(err, errOptional) {
		s.Action, s.Manual = nil, s.Title
		return s, nil
	}
	s.Action = bound
	return s, err
}

// Bind resolves the target of a step that has no blanks, without making a plan of it.
func (s Step) Bind(t Targets) (Step, error) { return s.fill(nil, t, map[string]string{}) }

var shownBlank = regexp.MustCompile(`<([A-Za-z][A-Za-z0-9_.-]{0,40})>`)

// putShown fills text for people, in one pass: what was typed into one blank cannot open another.
func putShown(text string, values map[string]string) string {
	return shownBlank.ReplaceAllStringFunc(text, func(m string) string {
		if value, ok := values[m[1:len(m)-1]]; ok {
			return value
		}
		return m
	})
}

// checkInput: what people type becomes part of names and texts, so it may not be empty, endless or hold control characters.
func checkInput(name, value string) error {
	switch {
	case value == "":
		return fmt.Errorf("%w: %s is empty", ErrInput, name)
	case len([]rune(value)) > 300:
		return fmt.Errorf("%w: %s is longer than 300 characters", ErrInput, name)
	case strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Errorf("%w: %s holds control characters", ErrInput, name)
	}
	return nil
}

// Resolve says which steps name a target that is not configured.
func (b *Book) Resolve(t Targets) []Finding {
	var findings []Finding
	for _, s := range b.Sections {
		for _, step := range s.steps() {
			if step.Action == nil || len(inputsIn(host(step.Action))) > 0 {
				continue // a host that somebody types is resolved when it is typed
			}
			if _, err := bind(step.Action, func(text string) string { return text }, t); err != nil {
				f := Finding{Level: "error", Code: "unresolved-target", Line: step.Line, Column: 1, Text: err.Error()}
				if errors.Is(err, errOptional) {
					f.Level, f.Code = "note", "could-be-action"
				}
				if !slices.Contains(findings, f) {
					findings = append(findings, f)
				}
			}
		}
	}
	return findings
}

// host is what the runbook writes for the cluster of an action: the middle of "connect/localhost:8083/sink".
func host(a action.Action) string {
	_, rest, _ := strings.Cut(a.Target(), "/")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// steps are all steps of a section, each once.
func (s Section) steps() []Step {
	all := slices.Concat(s.Probes, s.Common)
	seen := map[place]bool{}
	for _, o := range s.Options {
		for _, step := range o.Steps {
			if !seen[step.place()] {
				seen[step.place()] = true
				all = append(all, step)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Step) int { return a.Line - b.Line })
	return all
}

// place tells steps apart, also several on one line.
type place struct {
	line   int
	source string
}

func (s Step) place() place { return place{s.Line, s.Source} }

// Digest is the hex SHA-256 of the plan's canonical form: everything that decides what will run and what people read.
func (p Plan) Digest() string {
	type step struct {
		Title  string `json:"title"`
		Phase  Phase  `json:"phase"`
		Guard  Guard  `json:"guard"`
		Source string `json:"source"`
		Kind   string `json:"kind"`
		Action any    `json:"action"`
		Manual string `json:"manual"`
	}
	body := struct {
		Book, SHA256, Section string
		Option                int
		Title                 string
		Inputs                map[string]string
		Steps                 []step
	}{p.Book, p.SHA256, p.Section, p.Option, p.Title, p.Inputs, nil}
	for _, s := range p.Steps {
		x := step{Title: s.Title, Phase: s.Phase, Guard: s.Guard, Source: s.Source, Manual: s.Manual}
		if s.Action != nil {
			x.Kind, x.Action = s.Action.Kind(), s.Action
		}
		body.Steps = append(body.Steps, x)
	}
	b, err := json.Marshal(body) // map keys are sorted
	if err != nil {
		return "unencodable: " + err.Error() // equals no digest, so nothing can be approved
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Effects are the sentences that an approver reads, one for each step.
func (p Plan) Effects() []string {
	list := make([]string, len(p.Steps))
	for i, s := range p.Steps {
		list[i] = s.Effect()
	}
	return list
}

// Effect says what a step does, its condition first.
func (s Step) Effect() string {
	text := s.Manual
	if s.Action != nil {
		text = s.Action.Effect()
	}
	if s.Guard.Text != "" {
		text = s.Guard.Text + ": " + text
	}
	return show(text)
}

// RestartPlan is the plan of /cdc restart: the failed tasks of a connector, or one task.
func RestartPlan(cluster, connector string, task *int) Plan {
	a := action.RestartConnector{Cluster: cluster, Connector: connector, OnlyFailed: task == nil, Task: task}
	title := "Restart failed tasks of " + connector
	if task != nil {
		title = fmt.Sprintf("Restart task %d of %s", *task, connector)
	}
	return own("restart", title, a)
}

// RestartBatchPlan restarts the failed tasks of several connectors in one step.
func RestartBatchPlan(cluster string, connectors []string) Plan {
	a := action.RestartBatch{Cluster: cluster, Connectors: slices.Clone(connectors)}
	return own("restart", fmt.Sprintf("Restart failed tasks of %d connectors", len(connectors)), a)
}

// PausePlan pauses connectors, one step each.
func PausePlan(cluster string, connectors ...string) Plan {
	return move("pause", "Pause", connect.Paused, cluster, connectors)
}

// ResumePlan resumes connectors.
func ResumePlan(cluster string, connectors ...string) Plan {
	return move("resume", "Resume", connect.Running, cluster, connectors)
}

// StopPlan stops connectors; their configuration and offsets stay.
func StopPlan(cluster string, connectors ...string) Plan {
	return move("stop", "Stop", connect.Stopped, cluster, connectors)
}

// SkipPlan moves a sink past one record that it cannot write.
func SkipPlan(cluster, connector, topic string, partition int, offset int64) Plan {
	a := action.SkipRecord{Cluster: cluster, Connector: connector, Topic: topic, Partition: partition, Offset: offset}
	return own("skip-record", fmt.Sprintf("Skip the record at offset %d of %s/%d", offset, topic, partition), a)
}

// AllowPlan lets the bot restart connectors by itself, so often and for so long.
func AllowPlan(cluster string, connectors []string, within time.Duration, most int) Plan {
	a := action.AllowRestart{Cluster: cluster, Connectors: slices.Clone(connectors), For: within, Most: most}
	return own("allow-restart", "Let the bot restart "+strings.Join(connectors, ", ")+" by itself", a)
}

// TakeBackPlan takes back what a run did.
func TakeBackPlan(run string, acts ...action.Action) Plan {
	return own("take-back", "Take back what "+run+" did", acts...)
}

// FailOverPlan moves a pipeline to its backup.
func FailOverPlan(a action.Failover) Plan {
	return own("failover", fmt.Sprintf("Move %s to %s", a.From, a.To), a)
}

// ReplayPlan applies records of the dead-letter queue again.
func ReplayPlan(a action.ReplayDLQ) Plan {
	return own("dlq-replay", "Replay the dead-letter queue", a)
}

// From is the plan without the steps before the n-th, counted from 1: what is left of it.
func (p Plan) From(n int) Plan {
	if n <= 1 {
		return p
	}
	rest := p.Steps[min(n-1, len(p.Steps)):]
	p.Title, p.Steps, p.Risk = fmt.Sprintf("%s, from step %d on", p.Title, n), nil, ""
	for _, s := range rest {
		p.add(s)
	}
	return p
}

func move(section, verb string, to connect.State, cluster string, connectors []string) Plan {
	var acts []action.Action
	for _, name := range connectors {
		acts = append(acts, action.Transition{Cluster: cluster, Connector: name, To: to})
	}
	return own(section, verb+" "+strings.Join(connectors, ", "), acts...)
}

// own makes a plan of the bot's own, in the same shape as a runbook's.
func own(section, title string, acts ...action.Action) Plan {
	p := Plan{Book: "builtin", Section: section, Title: title, Inputs: map[string]string{}}
	for _, a := range acts {
		p.add(Step{Title: strings.TrimSuffix(a.Effect(), "."), Source: a.Kind(), Phase: Act, Action: a})
	}
	return p
}

// Blanks are the names of a section's inputs, sorted.
func (s Section) Blanks() []string {
	names := map[string]bool{}
	for _, step := range s.steps() {
		for _, name := range step.Inputs {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
