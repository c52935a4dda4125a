package runbook

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"cdcbot/internal/action"
	"cdcbot/internal/connect"
)

// collector reads the code blocks of one section into groups of steps: a comment and the commands under it. How groups
// make alternatives is decided at the end (options.go). The zero value is ready.
type collector struct {
	groups []group
	notes  []string // comments that are neither titles nor instructions

	lead    string // what the prose above the block says it does
	title   string // a comment that waits for its command
	titled  int    // line of that comment
	guard   Guard
	phase   Phase
	pending string // a "Wait for" comment whose sleep has not come
	since   int    // line of that comment
	end     int    // line of the last statement's end

	vars *variables // of the whole document
	loop []string   // old and new texts of loop variables, for the source that people see
}

// block reads one code block.
func (c *collector) block(p part) []Finding {
	c.begin(group{})
	if !parsable(p.text) {
		return c.whole(p, p.text, "too-large", "this block is too large or too deeply nested to be read as shell; it becomes one manual step. Split it")
	}
	src := hide(session(p.text))
	file, err := syntax.NewParser(syntax.KeepComments(true), syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(src), "")
	if err != nil {
		return c.whole(p, src, "not-shell", fmt.Sprintf("this block is not shell that can be read (%v); it becomes one manual step", err))
	}
	var findings []Finding
	for _, s := range file.Stmts {
		for _, comment := range s.Comments {
			if comment.Pos().Offset() < s.Pos().Offset() {
				c.comment(comment, p)
			}
		}
		findings = append(findings, c.statement(s, src, p)...)
	}
	for _, comment := range file.Last {
		c.comment(comment, p)
	}
	c.settle()
	c.lead = ""
	return findings
}

// begin starts a group.
func (c *collector) begin(g group) {
	c.guard, c.phase, c.end = Guard{}, Act, 0
	c.groups = append(c.groups, g)
}

func (c *collector) add(s Step) {
	if len(c.groups) == 0 {
		c.begin(group{})
	}
	s.Guard = c.guard
	g := &c.groups[len(c.groups)-1]
	g.steps = append(g.steps, s)
}

// all are the steps in the order of the text.
func (c *collector) all() []Step {
	var steps []Step
	for _, g := range c.groups {
		steps = append(steps, g.steps...)
	}
	return steps
}

// settle ends what a comment began and no command followed.
func (c *collector) settle() {
	c.loose()
	c.flush()
}

var prompt = regexp.MustCompile(`^[ \t]*\$[ \t]+`)

// session keeps what was typed of a copied terminal session: where lines have a prompt, the others are output. Lines and
// columns stay where they are.
func session(text string) string {
	lines := strings.SplitAfter(text, "\n")
	if !slices.ContainsFunc(lines, prompt.MatchString) {
		return text
	}
	going := false // the line before ends with a backslash
	for i, line := range lines {
		mark := prompt.FindString(line)
		comment := strings.HasPrefix(strings.TrimSpace(line), "#")
		switch {
		case mark != "":
			lines[i] = strings.Repeat(" ", len(mark)) + line[len(mark):]
		case !going && !comment:
			lines[i] = "\n"
			continue
		}
		going = strings.HasSuffix(strings.TrimRight(line, "\r\n"), `\`)
	}
	return strings.Join(lines, "")
}

// whole makes one manual step of a block.
func (c *collector) whole(p part, src, code, text string) []Finding {
	source := strings.TrimSpace(show(src))
	c.add(Step{Title: c.heading(source), Line: p.line, Source: source, Phase: c.phase, Manual: yourself(source), Inputs: inputsIn(src)})
	return []Finding{{Level: "warning", Code: code, Line: p.line, Column: 1, Text: text}}
}

// query makes one manual step of statements in a query language.
func (c *collector) query(p part) {
	c.begin(group{})
	source := strings.TrimSpace(p.text)
	if source != "" {
		c.add(Step{Title: c.heading(source), Line: p.line, Source: source, Phase: Act, Manual: yourself(source), Inputs: inputsIn(hide(source))})
	}
}

func yourself(source string) string { return "Do this yourself, then press Done: " + source }

// heading takes what stands above a command as its title: the comment, else the prose, else the command itself.
func (c *collector) heading(source string) string {
	title := c.title
	if title == "" {
		title = c.lead
	}
	c.title, c.lead = "", ""
	if title == "" {
		title = source
	}
	return firstLine(title)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	r := []rune(line)
	if len(r) > 100 {
		return string(r[:99]) + "…"
	}
	return line
}

var (
	ifDown   = regexp.MustCompile(`(?i)^if (?:the )?(.+?) (?:is|are|has|have) (?:been )?(?:down|unavailable|not running|not reachable|not responding|unreachable|stopped|unhealthy|crashed|offline|dead)\b`)
	waitFor  = regexp.MustCompile(`(?i)^(?:then )?(?:wait|allow)\b`)
	verify   = regexp.MustCompile(`(?i)^(?:then )?(?:verify|confirm|check that|make sure)\b`)
	byHand   = regexp.MustCompile(`(?i)^(fix|investigate|review|decide|contact|ask|coordinate|identify|correct|notify|page)\b`)
	noteWord = regexp.MustCompile(`(?i)^(note|warning|caution|important|expected|example|output|tip|todo)\b`)
)

// comment lets a comment steer what follows it (docs/runbook-format.md).
func (c *collector) comment(comment syntax.Comment, p part) {
	text := show(strings.TrimSpace(strings.TrimLeft(comment.Text, "#!")))
	line := p.line + int(comment.Pos().Line()) - 1
	switch {
	case text == "":
	case c.continues(text, line):
		c.title, c.titled = c.title+" "+text, line
	case noteWord.MatchString(text):
		c.notes = append(c.notes, text)
	default:
		c.settle()
		c.start(text, line)
	}
}

// continues reports whether a comment goes on with the sentence of the line above it.
func (c *collector) continues(text string, line int) bool {
	return c.title != "" && line == c.titled+1 && text[0] >= 'a' && text[0] <= 'z' && !orElse.MatchString(text) && !waitFor.MatchString(text)
}

// start begins the group of a comment.
func (c *collector) start(text string, line int) {
	if g, ok := optionGroup(text); ok {
		c.begin(g)
		c.title, c.titled = g.title, line
		return
	}
	c.begin(group{title: orElse.ReplaceAllString(text, ""), or: orElse.MatchString(text)})
	if m := ifDown.FindStringSubmatch(text); m != nil {
		c.guard = Guard{Text: text, Target: system(m[1])}
	}
	if verify.MatchString(text) {
		c.phase = Verify
	}
	if waitFor.MatchString(text) {
		c.pending, c.since = text, line
		return
	}
	c.title, c.titled = text, line
}

// loose handles a comment that no command followed: work for a person when it reads like that, otherwise a remark.
func (c *collector) loose() {
	title := c.title
	c.title = ""
	switch {
	case title == "" || len(c.groups) > 0 && c.groups[len(c.groups)-1].option > 0:
	case byHand.MatchString(title):
		c.add(Step{Title: title, Line: c.titled, Source: "# " + title, Phase: c.phase, Manual: title})
	default:
		c.notes = append(c.notes, title)
	}
}

// flush turns a waiting "Wait for" comment without a sleep into its step.
func (c *collector) flush() {
	if c.pending == "" {
		return
	}
	pending := c.pending
	c.pending = ""
	c.add(wait(pending, 0, "# "+pending, c.since))
}

// systems maps the words of runbooks to the names of probes.
var systems = []struct{ word, name string }{
	{"postgres", "postgres"}, {"cassandra", "cassandra"}, {"registry", "schema-registry"}, {"connect", "kafka-connect"}, {"kafka", "kafka"}, {"vault", "vault"}, {"api", "cdc-api"},
}

func system(words string) string {
	lower := strings.ToLower(words)
	for _, s := range systems {
		if strings.Contains(lower, s.word) {
			return s.name
		}
	}
	return strings.ReplaceAll(lower, " ", "-")
}

// maxUnrolled bounds the steps that one loop becomes.
const maxUnrolled = 50

// statement compiles one statement: a && b is two steps, a loop over a list is its body for each, a variable is
// remembered.
func (c *collector) statement(s *syntax.Stmt, src string, p part) []Finding {
	switch x := s.Cmd.(type) {
	case *syntax.BinaryCmd:
		if x.Op == syntax.AndStmt && !s.Background && len(s.Redirs) == 0 {
			return append(c.statement(x.X, src, p), c.statement(x.Y, src, p)...)
		}
	case *syntax.ForClause:
		if items, ok := c.items(x, s); ok {
			return c.unroll(x, items, src, p)
		}
	case *syntax.DeclClause:
		if c.assign(x.Args) {
			return c.remembered(s, src, p)
		}
	case *syntax.CallExpr:
		if len(x.Args) == 0 && c.assign(x.Assigns) {
			return c.remembered(s, src, p)
		}
	}
	return c.simple(s, src, p)
}

// items are what a loop runs over, when the shell would not have to compute them.
func (c *collector) items(x *syntax.ForClause, s *syntax.Stmt) ([]string, bool) {
	words, ok := x.Loop.(*syntax.WordIter)
	if !ok || x.Select || len(s.Redirs) > 0 || s.Background || len(words.Items)*len(x.Do) > maxUnrolled || len(words.Items) == 0 || words.Name == nil {
		return nil, false
	}
	var items []string
	for _, w := range words.Items {
		text, ok := c.vars.constant(w.Parts, false)
		if !ok || len(inputsIn(text)) > 0 {
			return nil, false
		}
		items = append(items, text)
	}
	return items, true
}

func (c *collector) unroll(x *syntax.ForClause, items []string, src string, p part) []Finding {
	name := x.Loop.(*syntax.WordIter).Name.Value
	before, had := c.vars.set[name]
	var findings []Finding
	title := c.title
	for _, item := range items {
		c.vars.set[name] = item
		outer := c.loop
		c.loop = append(slices.Clone(outer), "${"+name+"}", item, "$"+name, item)
		c.title = title
		for _, s := range x.Do {
			findings = append(findings, c.statement(s, src, p)...)
		}
		c.loop = outer
	}
	delete(c.vars.set, name)
	if had {
		c.vars.set[name] = before
	}
	return findings
}

// assign remembers NAME=value. It is false when a value would have to be computed: then nobody knows the variable.
func (c *collector) assign(list []*syntax.Assign) bool {
	for _, a := range list {
		if a.Name == nil || a.Append || a.Array != nil || a.Index != nil {
			return false
		}
		if a.Naked {
			continue // export NAME
		}
		text, ok := "", true
		if a.Value != nil {
			text, ok = c.vars.constant(a.Value.Parts, false)
		}
		if !ok {
			delete(c.vars.set, a.Name.Value)
			return false
		}
		c.vars.set[a.Name.Value] = text
	}
	return len(list) > 0
}

func (c *collector) remembered(s *syntax.Stmt, src string, p part) []Finding {
	cmd := c.vars.take(s, src, p)
	c.title = ""
	return []Finding{cmd.finding("note", shellOnly, "sets a variable for the commands below; the bot remembers it and leaves this out")}
}

// simple compiles one pipeline to a step.
func (c *collector) simple(s *syntax.Stmt, src string, p part) []Finding {
	cmd := c.vars.take(s, src, p)
	cmd.source = strings.NewReplacer(c.loop...).Replace(cmd.source)
	if c.end > 0 && cmd.line > c.end+1 {
		c.guard = Guard{} // a blank line ends what "if … is down" is said of
	}
	c.end = p.line + int(s.End().Line()) - 1
	if d, ok := sleeping(cmd); ok {
		title := c.pending
		if title == "" {
			title = c.title
		}
		c.pending, c.title = "", ""
		c.add(wait(title, d, show(cmd.source), cmd.line))
		return []Finding{cmd.finding("note", "fixed-sleep", "a fixed sleep is too long or too short; the bot waits until what was restarted is healthy, and takes the number as what is usual")}
	}
	act, findings, note := compile(cmd)
	if note {
		c.title = ""
		return findings
	}
	c.awaited(act)
	step := Step{Line: cmd.line, Source: show(cmd.source), Phase: c.phase, Inputs: cmd.inputs, Action: act}
	step.Title = c.heading(step.Source)
	findings = c.stopped(act, findings)
	if act == nil {
		step.Manual = yourself(step.Source)
	} else if act.Risk() != action.Read {
		step.Phase = Act // a change proves nothing
	}
	c.add(step)
	return findings
}

// awaited decides what "Wait for …" above a command means: with a time, or above a change, it is a wait of its own;
// above a look it is what the look is for.
func (c *collector) awaited(act action.Action) {
	if c.pending == "" {
		return
	}
	if usually.MatchString(c.pending) || act != nil && act.Risk() != action.Read {
		c.flush()
		return
	}
	c.title, c.pending, c.phase = c.pending, "", Verify
}

// stopped takes back the complaint about changed offsets where the section has stopped the connector before.
func (c *collector) stopped(act action.Action, findings []Finding) []Finding {
	alter, ok := act.(action.AlterOffsets)
	if !ok {
		return findings
	}
	for _, s := range c.all() {
		if t, ok := s.Action.(action.Transition); ok && t.To == connect.Stopped && t.Connector == alter.Connector {
			return slices.DeleteFunc(findings, func(f Finding) bool { return f.Code == offsetsCode })
		}
	}
	return findings
}

// pair joins the DELETE of a connector with what creates it again: together they are connect.recreate. A DELETE that
// nothing follows stays with people.
func (c *collector) pair() {
	var waiting *Step
	for g := range c.groups {
		for i := range c.groups[g].steps {
			step := &c.groups[g].steps[i]
			if r, ok := step.Action.(action.Recreate); ok && r.Half == action.Delete {
				unpaired(waiting)
				waiting = step
				continue
			}
			if waiting != nil && again(waiting, step) {
				waiting = nil
			}
		}
	}
	unpaired(waiting)
}

func unpaired(step *Step) {
	if step != nil {
		step.Action, step.Manual = nil, yourself(step.Source)
	}
}

// again makes a step the second half of a deleted connector's way back, when it is one.
func again(deleted, step *Step) bool {
	first := deleted.Action.(action.Recreate)
	second := action.Recreate{Cluster: first.Cluster, Connector: first.Connector, Half: action.Create}
	switch a := step.Action.(type) {
	case action.Recreate:
		if a.Cluster != first.Cluster || a.Connector != "" && !strings.EqualFold(a.Connector, first.Connector) {
			return false
		}
		second.Config, second.File = a.Config, a.File
	case action.Configure:
		if a.Cluster != first.Cluster || a.Connector != first.Connector || !a.Whole && a.Set["connector.class"] == "" {
			return false
		}
		second.Config, second.File = a.Set, a.File
	default:
		return false
	}
	first.Config, first.File = second.Config, second.File
	deleted.Action, step.Action = first, second
	return true
}
