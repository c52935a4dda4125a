package remediation

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cdcbot/internal/action"
	"cdcbot/internal/approval"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/incident"
	"cdcbot/internal/runbook"
)

// fixes lists what can be pressed, recommended first: the plain restart where it helps, then the runbook's sections in
// the order of the diagnosis, then the emergency procedures. Where a restart cannot help it stands last and says why.
func (f *Flow) fixes(inc incident.Incident, d *diagnosis.Diagnosis) []Fix {
	p, ok := f.Pipelines[inc.Pipeline]
	if !ok || d == nil {
		return nil
	}
	var list []Fix
	restart, hasRestart := f.restartFix(inc, p, *d)
	if hasRestart && d.Top().Retriable {
		restart.Recommended = true
		list = append(list, restart)
	}
	if book, ok := f.book(inc); ok {
		list = append(list, sectionFixes(book, p, *d)...)
	}
	if skip, ok := f.skipFix(p, *d); ok {
		list = append(list, skip)
	}
	if hasRestart && !restart.Recommended {
		list = append(list, restart)
	}
	return list
}

// poison matches where a converter's or a sink's trace says which record it is (Connect's WorkerSinkTask and ConnectRecord).
var poison = []*regexp.Regexp{
	regexp.MustCompile(`topic '([^']+)' partition (\d+) at offset (\d+)`),
	regexp.MustCompile(`(?:Sink|Connect)Record\{[^}]*?topic='([^']+)'[^}]*?kafkaPartition=(\d+)[^}]*?kafkaOffset=(\d+)`),
	regexp.MustCompile(`\(topic=([^,]+), partition=(\d+), offset=(\d+)\)`),
}

// poisoned is the record that a diagnosis blames, when one record is to blame and the trace names it.
func poisoned(d diagnosis.Diagnosis) (connector string, r Record, ok bool) {
	top := d.Top()
	if top.Slug != diagnosis.ToleranceExceeded || len(top.Connectors) != 1 {
		return "", r, false
	}
	for _, re := range poison {
		m := re.FindStringSubmatch(d.Trace)
		if m == nil {
			continue
		}
		partition, err := strconv.Atoi(m[2])
		offset, offsetErr := strconv.ParseInt(m[3], 10, 64)
		if err == nil && offsetErr == nil {
			return top.Connectors[0], Record{m[1], partition, offset}, true
		}
	}
	return "", r, false
}

// skipFix offers to skip the one record that fails, where it is known: the last thing to try, because it loses that record.
func (f *Flow) skipFix(p Pipeline, d diagnosis.Diagnosis) (Fix, bool) {
	connector, record, ok := poisoned(d)
	if !ok {
		return Fix{}, false
	}
	recipe := RecipeForSkip(connector, record)
	plan, err := builtin(p, recipe)
	if err != nil {
		return Fix{}, false
	}
	fix := describe(plan, recipe)
	fix.Title, fix.Why = "Skip that one record", "the record itself fails each time"
	return fix, true
}

func (f *Flow) restartFix(inc incident.Incident, p Pipeline, d diagnosis.Diagnosis) (Fix, bool) {
	names := failing(d, inc)
	if len(names) == 0 {
		return Fix{}, false
	}
	recipe := RecipeFor(Restart, names, nil)
	plan, err := builtin(p, recipe)
	if err != nil {
		return Fix{}, false
	}
	fix := describe(plan, recipe)
	fix.Title, fix.Why = "Restart failed tasks", d.Top().Why
	return fix, true
}

// failing are the connectors with failed parts as the diagnosis saw them, or else those the alert names.
func failing(d diagnosis.Diagnosis, inc incident.Incident) []string {
	var names []string
	for _, s := range d.Subjects {
		if s.State == "FAILED" || len(s.Failed) > 0 {
			names = append(names, s.Connector)
		}
	}
	if len(names) > 0 {
		return names
	}
	return inc.Connectors()
}

// sectionFixes offers the causes that the diagnosis leads to, then the emergency procedures. A section whose plan cannot
// be made without inputs is offered with them; one that cannot be made at all is not offered.
func sectionFixes(book *runbook.Book, p Pipeline, d diagnosis.Diagnosis) []Fix {
	var list []Fix
	seen := map[string]bool{}
	for _, c := range d.Causes {
		if s, ok := section(book, c.Section); ok && !seen[s.ID] {
			seen[s.ID] = true
			list = append(list, optionFixes(book, s, p, c)...)
		}
	}
	for _, s := range book.Sections {
		if s.Kind == runbook.Emergency || s.Kind == runbook.Escalation && failsOver(s) {
			list = append(list, optionFixes(book, s, p, diagnosis.Cause{})...)
		}
	}
	return list
}

// failsOver says whether an escalation offers more than looking and paging, which the bot does by itself.
func failsOver(s runbook.Section) bool {
	return slices.ContainsFunc(s.Common, func(step runbook.Step) bool { _, ok := step.Action.(action.Failover); return ok })
}

func section(book *runbook.Book, id string) (runbook.Section, bool) {
	for _, s := range book.Sections {
		if id != "" && s.ID == id {
			return s, true
		}
	}
	return runbook.Section{}, false
}

func optionFixes(book *runbook.Book, s runbook.Section, p Pipeline, c diagnosis.Cause) []Fix {
	numbers := []int{0}
	if len(s.Options) > 0 {
		numbers = numbers[:0]
		for _, o := range s.Options {
			numbers = append(numbers, o.Number)
		}
	}
	var list []Fix
	for _, n := range numbers {
		fix, ok := sectionFix(book, s, n, p)
		if !ok {
			continue
		}
		fix.Why = c.Why
		fix.Emergency = s.Kind == runbook.Emergency || s.Kind == runbook.Escalation
		fix.Recommended = !fix.Emergency && c.Confidence >= 0.5 && !c.Retriable && n <= 1
		list = append(list, fix)
	}
	return list
}

func sectionFix(book *runbook.Book, s runbook.Section, option int, p Pipeline) (Fix, bool) {
	recipe := approval.Recipe{Runbook: book.Name, Section: s.ID, Option: option}
	blanks := derivedBlanks(book, s.ID, option, inputsOf(s, option))
	if len(inputsOf(s, option)) > 0 {
		return Fix{Section: s.ID, Option: option, Title: title(s, option), Effect: asksFor(blanks), Inputs: blanks, Risk: "change"}, true
	}
	plan, err := book.Plan(s.ID, option, nil, p.Targets)
	if err != nil || len(plan.Steps) == 0 {
		return Fix{}, false
	}
	fix := describe(plan, recipe)
	fix.Title = title(s, option)
	return fix, true
}

func inputsOf(s runbook.Section, option int) []Input {
	steps := s.Common
	for _, o := range s.Options {
		if o.Number == option {
			steps = o.Steps
		}
	}
	var list []Input
	seen := map[string]bool{}
	for _, step := range steps {
		for _, name := range step.Inputs {
			if !seen[name] {
				seen[name] = true
				list = append(list, Input{Name: name, Label: strings.ReplaceAll(name, "_", " ")})
			}
		}
	}
	return list
}

func asksFor(blanks []Input) string {
	if len(blanks) == 0 {
		return "The bot fills what the runbook leaves open."
	}
	return "Asks for " + names(blanks) + " first."
}

func names(list []Input) string {
	words := make([]string, len(list))
	for i, in := range list {
		words[i] = in.Label
	}
	return strings.Join(words, ", ")
}

func describe(plan runbook.Plan, r approval.Recipe) Fix {
	_, manual := changes(plan)
	effect := strings.Join(plan.Effects(), " ")
	return Fix{Section: r.Section, Option: r.Option, Title: clip(plan.Title, 75), Effect: clip(effect, 300), Risk: string(plan.Risk), Manual: manual, Steps: len(plan.Steps)}
}

// title is what the button says: the option's own title where there are several, else the section's without its number.
func title(s runbook.Section, option int) string {
	for _, o := range s.Options {
		if o.Number == option && o.Title != "" {
			return clip(o.Title, 75)
		}
	}
	if _, rest, ok := strings.Cut(s.Title, ": "); ok && s.Kind == runbook.Cause {
		return clip("Runbook: "+rest, 75)
	}
	return clip(s.Title, 75)
}

// clip cuts on runes and says that it did.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// RecipeOf is the recipe that pressing a fix asks for.
func (f *Flow) RecipeOf(ctx context.Context, id, sectionID string, option int, inputs map[string]string) (approval.Recipe, []Input, error) {
	inc, err := f.Incidents.Get(ctx, id)
	if err != nil {
		return approval.Recipe{}, nil, err
	}
	d, err := f.Journal.Diagnosis(ctx, id)
	if err != nil {
		return approval.Recipe{}, nil, err
	}
	if sectionID == Restart {
		if d == nil {
			d = &diagnosis.Diagnosis{}
		}
		return RecipeFor(Restart, failing(*d, inc), nil), nil, nil
	}
	if sectionID == Skip {
		connector, record, ok := "", Record{}, false
		if d != nil {
			connector, record, ok = poisoned(*d)
		}
		if !ok {
			return approval.Recipe{}, nil, fmt.Errorf("the record to skip: %w; the newest trace names none", ErrNoSection)
		}
		return RecipeForSkip(connector, record), nil, nil
	}
	book, ok := f.book(inc)
	if !ok {
		return approval.Recipe{}, nil, fmt.Errorf("runbook %q: %w", inc.Runbook, ErrNoSection)
	}
	s, ok := section(book, sectionID)
	if !ok {
		return approval.Recipe{}, nil, fmt.Errorf("section %q of %s: %w", sectionID, book.Name, ErrNoSection)
	}
	recipe := f.derive(ctx, f.Pipelines[inc.Pipeline], approval.Recipe{Runbook: book.Name, Section: s.ID, Option: option, Inputs: inputs})
	return recipe, missing(inputsOf(s, option), recipe.Inputs), nil
}

func missing(blanks []Input, given map[string]string) []Input {
	var open []Input
	for _, in := range blanks {
		if strings.TrimSpace(given[in.Name]) == "" {
			open = append(open, in)
		}
	}
	return open
}
