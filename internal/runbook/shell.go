package runbook

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mvdan.cc/sh/v3/syntax"

	"cdcbot/internal/action"
)

// command is one shell statement taken apart, never run. Words are literal; a word that the shell would compute makes
// the command opaque.
type command struct {
	words  []string
	filter string // the jq program behind a pipe
	opaque string // why it cannot be compiled, "" when it can
	source string // one line, as written
	line   int
	column int
	inputs []string
}

// placeholder matches <lease_id>; a shell would see redirections. Two opening brackets are a here-document.
var placeholder = regexp.MustCompile(`(^|[^<])<([A-Za-z][A-Za-z0-9_ .-]{0,40})>`)

// stand-ins for placeholders that a shell parser takes as parts of words.
const (
	openMark  = "\u2039" // ‹
	closeMark = "\u203a" // ›
)

func hide(text string) string {
	for range 2 { // two placeholders may share the byte between them
		text = placeholder.ReplaceAllStringFunc(text, func(m string) string {
			g := placeholder.FindStringSubmatch(m)
			return g[1] + openMark + strings.ReplaceAll(g[2], " ", "_") + closeMark
		})
	}
	return text
}

var hidden = regexp.MustCompile(openMark + "([^" + closeMark + "]+)" + closeMark)

func inputsIn(text string) []string {
	var names []string
	for _, m := range hidden.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	return names
}

// collector turns the blocks of one section into steps, options and alternatives.
type collector struct {
	before  []Step   // before the first option
	options []Option // alternatives
	after   []Step   // common to all options
	current int      // index of the option being read; -1 none
	inside  bool     // an option is being read
	guard   Guard
	title   string
	phase   Phase
	or      bool
	pending string // a "Wait for" comment whose sleep has not come
	line    int    // of that comment
	started bool
}

// block reads one code block.
func (c *collector) block(p part) []Finding {
	if !c.started {
		c.started, c.current, c.phase = true, -1, Act
	}
	src := hide(prompts.ReplaceAllString(p.text, ""))
	file, err := syntax.NewParser(syntax.KeepComments(true), syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(src), "")
	if err != nil {
		return c.unparsed(p, src, err)
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
	c.flush()
	return findings
}

// prompts are the "$ " that documents put in front of commands.
var prompts = regexp.MustCompile(`(?m)^\s*\$\s+`)

func (c *collector) unparsed(p part, src string, err error) []Finding {
	text := strings.TrimSpace(show(src))
	c.add(Step{Title: firstLine(text), Line: p.line, Source: text, Phase: c.phase, Manual: "Do this yourself, then press Done: " + text, Inputs: inputsIn(src)})
	return []Finding{{Level: "warning", Code: "not-shell", Line: p.line, Column: 1, Text: fmt.Sprintf("this block is not shell that can be read (%v); it becomes one manual step", err)}}
}

// show brings the placeholders back for people.
func show(text string) string {
	return hidden.ReplaceAllString(text, "<$1>")
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
	ifDown   = regexp.MustCompile(`(?i)^if (the )?(.+?) (?:is|are) (?:down|unavailable|not running|not reachable|unreachable|stopped|unhealthy)\b`)
	optionN  = regexp.MustCompile(`(?i)^option (\d+)\s*[:.)-]?\s*(.*)$`)
	waitFor  = regexp.MustCompile(`(?i)^(?:then )?wait (?:for|until)\b`)
	byHand   = regexp.MustCompile(`(?i)^(fix|investigate|review|decide|contact|ask|coordinate|identify|correct)\b`)
	noteWord = regexp.MustCompile(`(?i)^(note|warning|caution|important|expected|example|output)\b`)
)

// comment lets a comment steer what follows it (docs/runbook-format.md).
func (c *collector) comment(comment syntax.Comment, p part) {
	text := show(strings.TrimSpace(strings.TrimLeft(comment.Text, "#")))
	if text == "" {
		return
	}
	line := p.line + int(comment.Pos().Line()) - 1
	if c.title != "" {
		c.loose(line - 1)
	}
	c.flush()
	if m := optionN.FindStringSubmatch(text); m != nil {
		c.option(m)
		return
	}
	if c.inside && len(c.options[c.current].Steps) > 0 {
		c.inside = false
	}
	c.guard, c.or = Guard{}, false
	switch {
	case ifDown.MatchString(text):
		m := ifDown.FindStringSubmatch(text)
		c.guard, c.title = Guard{Text: text, Target: system(m[2])}, text
	case waitFor.MatchString(text):
		c.pending, c.line = text, line
	case strings.HasPrefix(strings.ToLower(text), "or "):
		c.or, c.title = true, text
	case strings.HasPrefix(strings.ToLower(text), "verify"):
		c.phase, c.title = Verify, text
	case noteWord.MatchString(text):
	default:
		c.title = text
	}
}

// option begins alternative N.
func (c *collector) option(m []string) {
	n, _ := strconv.Atoi(m[1]) // digits by the pattern
	title := m[2]
	if title == "" {
		title = "Option " + m[1]
	}
	c.options = append(c.options, Option{Number: n, Title: title})
	c.current, c.inside, c.title, c.guard = len(c.options)-1, true, title, Guard{}
}

// loose handles a comment that no command followed: work for a person, when it reads like that.
func (c *collector) loose(line int) {
	if byHand.MatchString(c.title) {
		c.add(Step{Title: c.title, Line: line, Source: "# " + c.title, Phase: c.phase, Manual: c.title})
	}
	c.title = ""
}

// flush turns a waiting "Wait for" comment without a sleep into its step.
func (c *collector) flush() {
	if c.pending == "" {
		return
	}
	c.add(wait(c.pending, 0, "# "+c.pending, c.line))
	c.pending = ""
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

func (c *collector) add(s Step) {
	if s.Guard.Text == "" {
		s.Guard = c.guard
	}
	switch {
	case c.inside:
		c.options[c.current].Steps = append(c.options[c.current].Steps, s)
	case len(c.options) > 0:
		c.after = append(c.after, s)
	case c.or && len(c.before) > 0:
		c.alternative(s)
	default:
		c.before = append(c.before, s)
	}
}

// alternative makes two options of the last step and the one that may stand for it.
func (c *collector) alternative(s Step) {
	last := c.before[len(c.before)-1]
	c.before = c.before[:len(c.before)-1]
	c.options = []Option{{Number: 1, Title: last.Title, Steps: []Step{last}}, {Number: 2, Title: s.Title, Steps: []Step{s}}}
	c.current, c.inside, c.or = 1, false, false
}

func (c *collector) all() []Step {
	steps := slices.Clone(c.before)
	for _, o := range c.options {
		steps = append(steps, o.Steps...)
	}
	return append(steps, c.after...)
}

// result gives the steps of a section without options, or its options with what is common to all baked in.
func (c *collector) result() ([]Step, []Option) {
	if len(c.options) == 0 {
		return c.before, nil
	}
	options := make([]Option, len(c.options))
	for i, o := range c.options {
		options[i] = Option{Number: o.Number, Title: o.Title, Steps: slices.Concat(c.before, o.Steps, c.after)}
	}
	return nil, options
}

// statement compiles one statement to a step.
func (c *collector) statement(s *syntax.Stmt, src string, p part) []Finding {
	cmd := take(s, src, p.line)
	if n, ok := sleeping(cmd); ok {
		title := c.pending
		if title == "" {
			title = c.title
		}
		c.pending, c.title = "", ""
		c.add(wait(title, n, show(cmd.source), cmd.line))
		return []Finding{{Level: "note", Code: "fixed-sleep", Line: cmd.line, Column: cmd.column, Text: "a fixed sleep is too long or too short; the bot waits until what was restarted is healthy, and takes the number as what is usual"}}
	}
	c.flush()
	step := Step{Title: c.title, Line: cmd.line, Source: show(cmd.source), Phase: c.phase, Inputs: cmd.inputs}
	c.title = ""
	act, findings, note := compile(cmd)
	if note {
		return findings
	}
	step.Action = act
	if act == nil {
		step.Manual = "Do this yourself, then press Done: " + step.Source
	}
	if step.Title == "" {
		step.Title = firstLine(step.Source)
	}
	c.add(step)
	return findings
}

// take flattens a statement to words. Pipes into jq are understood; anything else that the shell would do makes it opaque.
func take(s *syntax.Stmt, src string, base int) command {
	begin, end := int(s.Pos().Offset()), int(s.End().Offset())
	raw := src[min(begin, len(src)):min(end, len(src))]
	cmd := command{source: oneLine(raw), line: base + int(s.Pos().Line()) - 1, column: int(s.Pos().Col()), inputs: inputsIn(raw)}
	node := s.Cmd
	if pipe, ok := node.(*syntax.BinaryCmd); ok && pipe.Op == syntax.Pipe {
		right, why := literal(pipe.Y)
		if why != "" || len(right) < 2 || right[0] != "jq" {
			cmd.opaque = "it pipes into something else than jq"
			return cmd
		}
		cmd.filter, node = right[len(right)-1], pipe.X.Cmd
		if len(pipe.X.Redirs) > 0 {
			cmd.opaque = "it redirects"
			return cmd
		}
	}
	cmd.words, cmd.opaque = literal(&syntax.Stmt{Cmd: node, Redirs: s.Redirs, Background: s.Background, Negated: s.Negated})
	return cmd
}

var continued = regexp.MustCompile(`\\\n\s*`)

func oneLine(raw string) string { return strings.TrimSpace(continued.ReplaceAllString(raw, " ")) }

// literal gives the words of a simple command, or why it is not one.
func literal(s *syntax.Stmt) ([]string, string) {
	call, ok := s.Cmd.(*syntax.CallExpr)
	switch {
	case !ok || len(call.Args) == 0:
		return nil, "it is more than one simple command"
	case len(call.Assigns) > 0:
		return nil, "it sets variables"
	case len(s.Redirs) > 0:
		return nil, "it redirects"
	case s.Background || s.Negated:
		return nil, "it runs in the background or is negated"
	}
	words := make([]string, len(call.Args))
	for i, arg := range call.Args {
		text, ok := constant(arg.Parts)
		if !ok {
			return nil, "the shell would compute a part of it"
		}
		words[i] = text
	}
	return words, ""
}

func constant(parts []syntax.WordPart) (string, bool) {
	var b strings.Builder
	for _, p := range parts {
		switch x := p.(type) {
		case *syntax.Lit:
			b.WriteString(unescape(x.Value))
		case *syntax.SglQuoted:
			if x.Dollar {
				return "", false
			}
			b.WriteString(x.Value)
		case *syntax.DblQuoted:
			text, ok := constant(x.Parts)
			if !ok || x.Dollar {
				return "", false
			}
			b.WriteString(text)
		default:
			return "", false
		}
	}
	return b.String(), true
}

var escaped = regexp.MustCompile(`(?s)\\(.)`)

func unescape(s string) string {
	return escaped.ReplaceAllStringFunc(s, func(m string) string {
		if m[1:] == "\n" {
			return ""
		}
		return m[1:]
	})
}

func sleeping(c command) (time.Duration, bool) {
	if len(c.words) != 2 || c.words[0] != "sleep" {
		return 0, false
	}
	text := c.words[1]
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0
}

var usually = regexp.MustCompile(`\((\d+)(?:\s*[-–]\s*(\d+))?\s*(s|sec|second|m|min|minute)s?\)`)

// wait makes the step that waits until what was touched before is healthy. The number is what is usual; the limit is
// four times its upper bound, at least two minutes.
func wait(title string, sleep time.Duration, source string, line int) Step {
	limit, expect := 4*sleep, ""
	if sleep > 0 {
		expect = sleep.String()
	}
	if m := usually.FindStringSubmatch(title); m != nil {
		upper := m[1]
		if m[2] != "" {
			upper = m[2]
		}
		n, _ := strconv.Atoi(upper) // digits by the pattern
		unit := time.Second
		if strings.HasPrefix(m[3], "m") {
			unit = time.Minute
		}
		limit, expect = 4*time.Duration(n)*unit, strings.Trim(m[0], "()")
	}
	if title == "" {
		title = "Wait until healthy"
	}
	return Step{Title: title, Line: line, Source: source, Phase: Wait, Action: action.WaitHealthy{Expect: expect, Limit: max(min(limit, 30*time.Minute), 2*time.Minute)}}
}
