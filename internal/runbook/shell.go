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

// statement compiles one statement to a step.
func (c *collector) statement(s *syntax.Stmt, src string, p part) []Finding {
	cmd := take(s, src, p)
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
	if act == nil {
		step.Manual = yourself(step.Source)
		findings = c.stopped(cmd, findings)
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
func (c *collector) stopped(cmd command, findings []Finding) []Finding {
	for i, f := range findings {
		if f.Code != offsetsCode {
			continue
		}
		for _, s := range c.all() {
			if t, ok := s.Action.(action.Transition); ok && t.To == connect.Stopped && strings.Contains(show(cmd.source), "/"+show(t.Connector)+"/") {
				findings[i] = cmd.unknown("changing offsets is done by a person")
			}
		}
	}
	return findings
}
