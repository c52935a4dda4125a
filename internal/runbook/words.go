package runbook

import (
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
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

// Stand-ins for the brackets of placeholders that a shell parser takes as parts of words. They are of Unicode's private
// use, and hide removes them from what was written, so nobody can write one.
const (
	openMark  = "\uE000"
	closeMark = "\uE001"
)

var unmarked = strings.NewReplacer(openMark, "\uFFFD", closeMark, "\uFFFD")

func hide(text string) string {
	text = unmarked.Replace(text)
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

// take flattens a statement to words. Pipes into jq are understood; anything else that the shell would do makes it opaque.
func take(s *syntax.Stmt, src string, p part) command {
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
	chain, why := pipeline(s)
	if why == "" {
		cmd.words, why = literal(chain[0])
	}
	if why == "" {
		cmd.filter, why = filters(chain[1:])
	}
	cmd.opaque = why
	return cmd
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

func oneLine(raw string) string { return strings.TrimSpace(continued.ReplaceAllString(raw, " ")) }

// literal gives the words of a simple command, or why it is not one.
func literal(s *syntax.Stmt) ([]string, string) {
	call, ok := s.Cmd.(*syntax.CallExpr)
	switch {
	case !ok || len(call.Args) == 0:
		return nil, "it is more than one simple command"
	case len(call.Assigns) > 0:
		return nil, "it sets variables"
	case !harmless(s.Redirs):
		return nil, "it redirects"
	}
	words := make([]string, len(call.Args))
	for i, arg := range call.Args {
		text, ok := constant(arg.Parts, false)
		if !ok {
			return nil, "the shell would compute a part of it"
		}
		words[i] = text
	}
	return words, ""
}

// harmless reports whether redirections only hide output: 2>&1 and anything into /dev/null.
func harmless(redirs []*syntax.Redirect) bool {
	for _, r := range redirs {
		to, ok := "", false
		if r.Word != nil {
			to, ok = constant(r.Word.Parts, false)
		}
		switch {
		case !ok:
			return false
		case r.Op == syntax.DplOut && to == "1":
		case (r.Op == syntax.RdrOut || r.Op == syntax.RdrAll) && to == "/dev/null":
		default:
			return false
		}
	}
	return true
}

// constant is the text of a word that the shell would leave as it is.
func constant(parts []syntax.WordPart, quoted bool) (string, bool) {
	var b strings.Builder
	for _, p := range parts {
		switch x := p.(type) {
		case *syntax.Lit:
			if !quoted && expands.MatchString(x.Value) {
				return "", false
			}
			b.WriteString(unescape(x.Value, quoted))
		case *syntax.SglQuoted:
			if x.Dollar {
				return "", false
			}
			b.WriteString(x.Value)
		case *syntax.DblQuoted:
			text, ok := constant(x.Parts, true)
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
