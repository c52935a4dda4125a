package runbook

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"cdcbot/internal/action"
)

// command is one shell statement taken apart, never run. Words are literal; a word that the shell would compute makes
// the command opaque.
type command struct {
	words  []string
	stdin  string // what a here-document or an echo before the pipe gives it
	pipe   action.Pipe
	on     string // the container or pod that it runs in, "" for none
	opaque string // why it cannot be compiled, "" when it can
	source string // one line, as written
	line   int
	column int
	inputs []string
}

// variables are what the document has set so far, and the dates that it takes.
type variables struct {
	set   map[string]string
	dates map[string]string // the name of an input → the format of date(1)
}

// placeholder matches <lease_id>; a shell would see redirections. Two opening brackets are a here-document.
var placeholder = regexp.MustCompile(`(^|[^<])<([A-Za-z][A-Za-z0-9_ .-]{0,40})>`)

// Stand-ins for the brackets of placeholders that a shell parser takes as parts of words. They are of Unicode's private
// use, and hide removes them from what was written, so nobody can write one.
const (
	openMark  = "\uE000"
	closeMark = "\uE001"
)

var unmarked = strings.NewReplacer(openMark, "\uFFFD", closeMark, "\uFFFD")

func hide(text string) string {
	text = unmarked.Replace(text)
	if !strings.Contains(text, "<") {
		return text
	}
	for range 2 { // two placeholders may share the byte between them
		text = placeholder.ReplaceAllStringFunc(text, func(m string) string {
			g := placeholder.FindStringSubmatch(m)
			return g[1] + openMark + strings.ReplaceAll(g[2], " ", "_") + closeMark
		})
	}
	return text
}

var hidden = regexp.MustCompile(openMark + "([^" + openMark + closeMark + "]+)" + closeMark)

func inputsIn(text string) []string {
	var names []string
	seen := map[string]bool{}
	for _, m := range hidden.FindAllStringSubmatch(text, -1) {
		if !seen[m[1]] {
			seen[m[1]] = true
			names = append(names, m[1])
		}
	}
	return names
}

// show brings the placeholders back for people.
func show(text string) string {
	return hidden.ReplaceAllString(text, "<$1>")
}

// Bounds of what is parsed as shell. The parser recurses, so that a few megabytes of "(" would overflow the stack, which
// Go cannot recover from; what is larger becomes a manual step unparsed.
const (
	maxBlock   = 64 << 10 // bytes of one code block
	maxNesting = 2000     // openings of any kind in one code block
)

var opening = regexp.MustCompile("[({`]|\\[\\[|\\b(?:if|for|while|until|case|select|function|time|coproc)\\b")

// parsable reports whether a block is within the bounds.
func parsable(src string) bool {
	if len(src) <= maxNesting {
		return true // it cannot hold more openings than bytes
	}
	return len(src) <= maxBlock && len(opening.FindAllStringIndex(src, maxNesting+1)) <= maxNesting
}

// take flattens a statement to words. What it is piped into is understood where it only shows; anything else that the
// shell would do makes it opaque.
func (v *variables) take(s *syntax.Stmt, src string, p part) command {
	begin, end := int(s.Pos().Offset()), int(s.End().Offset())
	raw := src[min(begin, len(src)):min(end, len(src))]
	row := int(s.Pos().Line()) - 1
	cmd := command{source: oneLine(raw), line: p.line + row, column: int(s.Pos().Col()), inputs: inputsIn(raw)}
	if row < len(p.columns) {
		cmd.column += p.columns[row] - 1
	}
	if s.Background || s.Negated || s.Coprocess || s.Disown {
		cmd.opaque = "it runs in the background or is negated"
		return cmd
	}
	if cmd.opaque = v.read(s, &cmd); cmd.opaque == "" {
		cmd = unwrap(cmd)
	}
	for _, name := range inputsIn(strings.Join(cmd.words, " ") + " " + cmd.stdin) {
		if !slices.Contains(cmd.inputs, name) {
			cmd.inputs = append(cmd.inputs, name)
		}
	}
	return cmd
}

// read takes a pipeline apart: what gives the command its input, the command, and what shows its output.
func (v *variables) read(s *syntax.Stmt, cmd *command) (why string) {
	chain, why := pipeline(s)
	if why != "" {
		return why
	}
	words := make([][]string, len(chain))
	for i, one := range chain {
		text, has, why := v.document(one)
		if why == "" {
			words[i], why = v.literal(one)
		}
		if why != "" && i > 0 {
			why = "behind its pipe, " + why
		}
		if why != "" {
			return why
		}
		if has && i > 0 {
			return "a here-document stands behind its pipe"
		}
		cmd.stdin = either(has, text, cmd.stdin)
	}
	if text, ok := prints(words[0], cmd.stdin); ok && len(words) > 1 && programs[words[1][0]] == nil {
		cmd.stdin, words = text, words[1:]
	}
	cmd.words = words[0]
	cmd.pipe, why = piped(words[1:])
	return why
}

func either(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// prints gives the text that echo, printf and cat put into a pipe.
func prints(words []string, stdin string) (string, bool) {
	switch {
	case words[0] == "cat" && len(words) == 1:
		return stdin, true
	case words[0] == "echo" && len(words) > 1:
		rest := words[1:]
		for len(rest) > 0 && (rest[0] == "-n" || rest[0] == "-e") {
			rest = rest[1:]
		}
		return strings.Join(rest, " ") + "\n", true
	case words[0] == "printf" && len(words) == 2 && !strings.Contains(words[1], "%"):
		return strings.ReplaceAll(words[1], `\n`, "\n"), true
	}
	return "", false
}

// pipeline lists the statements of a | b | c.
func pipeline(s *syntax.Stmt) (chain []*syntax.Stmt, why string) {
	for {
		pipe, ok := s.Cmd.(*syntax.BinaryCmd)
		if !ok {
			break
		}
		if pipe.Op != syntax.Pipe {
			return nil, "it is more than one command"
		}
		if !harmless(s.Redirs) {
			return nil, "it redirects"
		}
		chain = append(chain, pipe.Y)
		s = pipe.X
	}
	chain = append(chain, s)
	slices.Reverse(chain)
	return chain, ""
}

var continued = regexp.MustCompile(`[ \t]*\\\n\s*`)

func oneLine(raw string) string {
	if !strings.Contains(raw, "\\\n") {
		return strings.TrimSpace(raw)
	}
	return strings.TrimSpace(continued.ReplaceAllString(raw, " "))
}

// literal gives the words of a simple command, or why it is not one.
func (v *variables) literal(s *syntax.Stmt) ([]string, string) {
	call, ok := s.Cmd.(*syntax.CallExpr)
	switch {
	case !ok || len(call.Args) == 0:
		return nil, "it is more than one simple command"
	case len(call.Assigns) > 0 && len(call.Args) == 0:
		return nil, "it sets a variable that the shell would compute"
	case !harmless(s.Redirs):
		return nil, "it redirects"
	}
	words := make([]string, len(call.Args))
	for i, arg := range call.Args {
		text, ok := v.constant(arg.Parts, false)
		if !ok {
			return nil, "the shell would compute a part of it"
		}
		words[i] = text
	}
	return words, ""
}

// document is the here-document or here-string of a command.
func (v *variables) document(s *syntax.Stmt) (text string, has bool, why string) {
	for _, r := range s.Redirs {
		word := r.Hdoc
		switch r.Op {
		case syntax.Hdoc, syntax.DashHdoc:
		case syntax.WordHdoc:
			word = r.Word
		default:
			continue
		}
		if word == nil {
			return "", true, "" // an empty document
		}
		body, ok := v.constant(word.Parts, true)
		if !ok {
			return "", true, "the shell would compute a part of its here-document"
		}
		text, has = body, true
	}
	return text, has, ""
}

// harmless reports whether redirections only hide output or give input that is written here: 2>&1, anything into
// /dev/null, a here-document.
func harmless(redirs []*syntax.Redirect) bool {
	for _, r := range redirs {
		to, ok := "", false
		if r.Word != nil {
			to, ok = (&variables{}).constant(r.Word.Parts, false)
		}
		switch {
		case r.Op == syntax.Hdoc || r.Op == syntax.DashHdoc || r.Op == syntax.WordHdoc:
		case !ok:
			return false
		case r.Op == syntax.DplOut && (to == "1" || to == "2"):
		case (r.Op == syntax.RdrOut || r.Op == syntax.RdrAll || r.Op == syntax.AppOut) && to == "/dev/null":
		default:
			return false
		}
	}
	return true
}

// constant is the text of a word that the shell would leave as it is, with the variables that the document has set. A
// variable that nobody has set is a blank for a person to fill.
func (v *variables) constant(parts []syntax.WordPart, quoted bool) (string, bool) {
	var b strings.Builder
	for _, p := range parts {
		text, ok := v.part(p, quoted)
		if !ok {
			return "", false
		}
		b.WriteString(text)
	}
	return b.String(), true
}

func (v *variables) part(p syntax.WordPart, quoted bool) (string, bool) {
	switch x := p.(type) {
	case *syntax.Lit:
		return unescape(x.Value, quoted), quoted || !expands.MatchString(x.Value)
	case *syntax.SglQuoted:
		return x.Value, !x.Dollar
	case *syntax.DblQuoted:
		text, ok := v.constant(x.Parts, true)
		return text, ok && !x.Dollar
	case *syntax.ParamExp:
		return v.value(x)
	case *syntax.CmdSubst:
		return v.date(x)
	}
	return "", false
}

var variable = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,40}$`)

// value is $NAME, ${NAME} and ${NAME:-default}.
func (v *variables) value(x *syntax.ParamExp) (string, bool) {
	if x.Param == nil || !variable.MatchString(x.Param.Value) || x.Excl || x.Length || x.Width || x.Index != nil || x.Slice != nil || x.Repl != nil || x.Names != 0 || x.Flags != nil || x.NestedParam != nil {
		return "", false
	}
	if text, set := v.set[x.Param.Value]; set && x.Exp == nil {
		return text, true
	}
	if x.Exp == nil {
		return openMark + x.Param.Value + closeMark, true
	}
	if x.Exp.Op != syntax.DefaultUnset && x.Exp.Op != syntax.DefaultUnsetOrNull || x.Exp.Word == nil {
		return "", false
	}
	if text, set := v.set[x.Param.Value]; set {
		return text, true
	}
	return v.constant(x.Exp.Word.Parts, true)
}

// date is $(date +FORMAT): a blank that the time fills when a plan is made.
func (v *variables) date(x *syntax.CmdSubst) (string, bool) {
	if len(x.Stmts) != 1 || v.dates == nil {
		return "", false
	}
	words, why := v.literal(x.Stmts[0])
	if why != "" || words[0] != "date" {
		return "", false
	}
	format := "+%a %b %e %H:%M:%S %Z %Y"
	for _, w := range words[1:] {
		switch {
		case strings.HasPrefix(w, "+"):
			format = w
		case w == "-u" || w == "--utc":
		default:
			return "", false
		}
	}
	return openMark + v.dated(format) + closeMark, true
}

// dated names the blank of a format; the same format has the same blank.
func (v *variables) dated(format string) string {
	for n := 1; ; n++ {
		name := "date"
		if n > 1 {
			name = fmt.Sprintf("date_%d", n)
		}
		if had, taken := v.dates[name]; !taken || had == format {
			v.dates[name] = format
			return name
		}
	}
}

// expands matches unquoted text that a shell turns into other words: lists in braces, names of files, a home folder.
var expands = regexp.MustCompile(`^~|(^|[^\\])\*|(^|[^\\])\{[^}]*(,|\.\.)[^}]*\}`)

var (
	escaped       = regexp.MustCompile(`(?s)\\(.)`)
	escapedQuoted = regexp.MustCompile("(?s)\\\\([$`\"\\\\\n])") // POSIX 2.2.3: other backslashes stay
)

func unescape(s string, quoted bool) string {
	pattern := escaped
	if quoted {
		pattern = escapedQuoted
	}
	return pattern.ReplaceAllStringFunc(s, func(m string) string {
		if m[1:] == "\n" {
			return ""
		}
		return m[1:]
	})
}
