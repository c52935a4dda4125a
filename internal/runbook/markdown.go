package runbook

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// part is one piece of a document in reading order: a heading, a code block, or a line of a list item or paragraph.
type part struct {
	kind    partKind
	level   int    // headings: 1 to 6
	text    string // without markup; code as written
	lang    string // code: the word after the fence, lower case; "indented" without a fence
	line    int    // from 1; code: the line of its first line of content
	columns []int  // code: for each line, the column in bytes from 1 at which it starts in the file
	codes   []string
	label   string // prose: a bold label in front, such as "Symptom"
	rest    string // what follows the label
}

type partKind int

const (
	heading partKind = iota
	code
	item
	paragraph
)

// parts flattens Markdown. It never fails: CommonMark gives every text a meaning. Only blocks are parsed; spans and
// labels are read from the lines, so that no line, however odd, takes more than linear time.
func parts(src []byte) []part {
	w := &walker{src: shallow(src)}
	w.starts = lineStarts(w.src)
	root := parser.NewParser(parser.WithBlockParsers(parser.DefaultBlockParsers()...)).Parse(text.NewReader(w.src))
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // walk returns no error of its own
		if !entering {
			return ast.WalkContinue, nil
		}
		return w.visit(n), nil
	})
	return w.parts
}

// deepest is how many bytes of quote marks, list marks and indentation a line may begin with. Real documents stay far
// below; without a bound a line of a million ">" would be a million blocks.
const deepest = 120

// shallow cuts what is deeper, keeping every line where it is.
func shallow(src []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(src) {
		prefix := len(line) - len(bytes.TrimLeft(line, " \t>-+*"))
		if prefix > deepest && prefix < len(line) || prefix > 4*deepest {
			line = slices.Concat(line[:deepest], line[prefix:])
		}
		out.Write(line)
	}
	return out.Bytes()
}

type walker struct {
	src    []byte
	starts []int
	parts  []part
}

func (w *walker) visit(n ast.Node) ast.WalkStatus {
	switch x := n.(type) {
	case *ast.Heading:
		w.add(part{kind: heading, level: x.Level, text: unmark(strings.TrimSpace(w.lines(x))), line: w.line(x)})
	case *ast.FencedCodeBlock:
		w.code(x, strings.ToLower(string(x.Language(w.src))))
	case *ast.CodeBlock:
		w.code(x, "indented")
	case *ast.Paragraph, *ast.TextBlock:
		w.prose(n)
	case *ast.HTMLBlock:
	default:
		return ast.WalkContinue
	}
	return ast.WalkSkipChildren
}

func (w *walker) add(p part) { w.parts = append(w.parts, p) }

func (w *walker) code(n ast.Node, lang string) {
	p := part{kind: code, lang: strings.Trim(lang, "{.}"), text: w.lines(n), line: w.line(n)}
	lines := n.Lines()
	for i := range lines.Len() {
		start := lines.At(i).Start
		p.columns = append(p.columns, start-w.starts[w.lineAt(start)-1]+1)
	}
	w.add(p)
}

// prose adds a paragraph, line by line: runbooks put labelled lines under one another without blank lines between.
func (w *walker) prose(n ast.Node) {
	kind := paragraph
	if n.Parent() != nil && n.Parent().Kind() == ast.KindListItem {
		kind = item
	}
	lines := n.Lines()
	for i := range lines.Len() {
		seg := lines.At(i)
		raw := strings.TrimSpace(string(seg.Value(w.src)))
		p := part{kind: kind, text: unmark(raw), codes: spans(raw), line: w.lineAt(seg.Start)}
		p.label, p.rest = labelled(raw)
		w.add(p)
	}
}

func (w *walker) lines(n ast.Node) string {
	var b bytes.Buffer
	lines := n.Lines()
	for i := range lines.Len() {
		seg := lines.At(i)
		b.Write(seg.Value(w.src))
	}
	return b.String()
}

func (w *walker) line(n ast.Node) int {
	if n.Lines().Len() == 0 {
		return 1
	}
	return w.lineAt(n.Lines().At(0).Start)
}

func (w *walker) lineAt(offset int) int {
	i, exact := slices.BinarySearch(w.starts, offset)
	if exact {
		return i + 1
	}
	return i
}

func lineStarts(src []byte) []int {
	starts := []int{0}
	for i, c := range src {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

var (
	span   = regexp.MustCompile("`([^`]+)`")
	marks  = strings.NewReplacer("**", "", "__", "", "`", "")
	label  = regexp.MustCompile(`^(?:\*\*|__)([^*_]{1,80}?)\s*:?(?:\*\*|__)\s*:?\s*(.*)$`)
	cells  = regexp.MustCompile(`^\|\s*([^|]{1,80}?)\s*\|\s*([^|]+?)\s*\|`)
	linked = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

func spans(raw string) []string {
	var list []string
	for _, m := range span.FindAllStringSubmatch(raw, -1) {
		list = append(list, m[1])
	}
	return list
}

func unmark(raw string) string {
	return strings.TrimSpace(marks.Replace(linked.ReplaceAllString(raw, "$1")))
}

// labelled takes a line such as "**Severity**: critical" apart, or a row of a table with two columns.
func labelled(raw string) (string, string) {
	if m := label.FindStringSubmatch(raw); m != nil {
		return strings.TrimSpace(m[1]), strings.TrimSpace(m[2])
	}
	if m := cells.FindStringSubmatch(raw); m != nil {
		return strings.TrimSuffix(unmark(m[1]), ":"), m[2]
	}
	return "", ""
}
