package commands

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cdcbot/internal/remediation"
	"cdcbot/internal/runbook"
)

// Books are the runbooks that a bot works with, sorted by name.
type Books func() []*runbook.Book

// bookList names the runbooks and what each answers.
func (r *Router) bookList(context.Context, ask) Reply {
	var lines []HelpLine
	for _, b := range r.Books() {
		lines = append(lines, HelpLine{Usage: "/cdc runbook show " + b.Name, Text: fmt.Sprintf("%s — answers %s; %d sections.", b.Title, either(strings.Join(b.Alerts, ", "), "no alert"), len(b.Sections))})
	}
	return Reply{Text: "Runbooks", Help: lines}
}

func either(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// bookShow shows what can be run of a runbook, and what each step would do.
func (r *Router) bookShow(_ context.Context, a ask) Reply {
	b, rest, missing := r.book(a)
	if missing != nil {
		return *missing
	}
	if len(rest) > 0 {
		s, ok := sectionOf(b, rest[0])
		if !ok {
			return noSection(b, rest[0])
		}
		return Reply{Text: s.Title, Help: steps(s)}
	}
	var lines []HelpLine
	for i, s := range b.Sections {
		if n := len(s.Common) + len(s.Options); n > 0 {
			lines = append(lines, HelpLine{Usage: fmt.Sprintf("/cdc runbook show %s %d", b.Name, i+1), Text: fmt.Sprintf("%s (%s)", s.Title, s.Kind)})
		}
	}
	return Reply{Text: b.Title, Help: lines}
}

// steps are the steps of a section, option by option, in the words that people approve.
func steps(s runbook.Section) []HelpLine {
	var lines []HelpLine
	add := func(label string, list []runbook.Step) {
		for i, step := range list {
			lines = append(lines, HelpLine{Usage: fmt.Sprintf("%s%d", label, i+1), Text: step.Effect()})
		}
	}
	add("step ", s.Common)
	for _, o := range s.Options {
		add(fmt.Sprintf("option %d (%s), step ", o.Number, o.Title), o.Steps)
	}
	return lines
}

// book finds the runbook that is named first, or the only one there is.
func (r *Router) book(a ask) (*runbook.Book, []string, *Reply) {
	books := r.Books()
	if len(a.args) > 0 {
		for _, b := range books {
			if strings.EqualFold(b.Name, a.args[0]) {
				return b, a.args[1:], nil
			}
		}
	}
	if len(books) == 1 {
		return books[0], a.args, nil
	}
	names := make([]string, len(books))
	for i, b := range books {
		names[i] = b.Name
	}
	text := "Which runbook? There are: " + strings.Join(names, ", ") + "."
	if len(a.args) > 0 {
		text = fmt.Sprintf("There is no runbook %q. There are: %s.", a.args[0], strings.Join(names, ", "))
	}
	return nil, nil, &Reply{Error: true, Text: text, Suggest: []string{"/cdc runbook list"}}
}

// sectionOf finds a section by its number, its ID, or the only one whose ID begins so.
func sectionOf(b *runbook.Book, name string) (runbook.Section, bool) {
	if n, err := strconv.Atoi(name); err == nil && n >= 1 && n <= len(b.Sections) {
		return b.Sections[n-1], true
	}
	var found []runbook.Section
	for _, s := range b.Sections {
		if s.ID == strings.ToLower(name) {
			return s, true
		}
		if strings.HasPrefix(s.ID, strings.ToLower(name)) {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		return runbook.Section{}, false
	}
	return found[0], true
}

func noSection(b *runbook.Book, name string) Reply {
	return Reply{Error: true, Text: fmt.Sprintf("%s has no section %q, or more than one that begins so.", b.Name, name), Suggest: []string{"/cdc runbook show " + b.Name}}
}

// bookRun asks for a section of an incident's runbook, as the buttons in its thread do.
func (r *Router) bookRun(ctx context.Context, a ask) Reply {
	const usage = "/cdc runbook run <ID> <section> [option]"
	id, rest, missing := r.which(ctx, a, usage)
	if missing != nil {
		return *missing
	}
	if len(rest) == 0 {
		return Reply{Error: true, Text: "Which section? Say " + usage + ".", Suggest: []string{"/cdc runbook list"}}
	}
	b, err := r.Flow.Book(ctx, id)
	if err != nil {
		return r.fail(err)
	}
	s, ok := sectionOf(b, rest[0])
	if !ok {
		return noSection(b, rest[0])
	}
	option := 0
	if len(rest) > 1 {
		if option, err = strconv.Atoi(rest[1]); err != nil || !slices.ContainsFunc(s.Options, func(o runbook.Option) bool { return o.Number == option }) {
			return Reply{Error: true, Text: fmt.Sprintf("%q is not an option of %s; it has %d.", rest[1], s.Title, len(s.Options))}
		}
	} else if len(s.Options) > 0 {
		option = s.Options[0].Number
	}
	c := a.Command
	c.Text, c.Verb, c.Incident, c.Section, c.Option = "", VerbFix, id, s.ID, option
	return r.fix(ctx, c)
}

// failover asks for the switch to the other region, which only an approved plan makes.
func (r *Router) failover(ctx context.Context, a ask) Reply {
	pipelines, err := r.pipelines(a)
	if err != nil {
		return r.fail(err)
	}
	if len(a.args) > 0 {
		pipelines = slices.DeleteFunc(slices.Clone(pipelines), func(p Pipeline) bool { return p.Name != a.args[0] })
	}
	if len(pipelines) != 1 {
		return Reply{Error: true, Text: "Which pipeline? Say /cdc failover <pipeline>. There are: " + r.names() + "."}
	}
	recipe, connector, err := r.Flow.RecipeToFailOver(pipelines[0].Name)
	if err != nil {
		return r.fail(err)
	}
	inc, err := r.Flow.IncidentFor(ctx, pipelines[0].Name, connector, a.by())
	if err != nil {
		return r.fail(err)
	}
	return r.request(ctx, remediation.Wish{Incident: inc.ID, By: a.by(), Recipe: recipe})
}
