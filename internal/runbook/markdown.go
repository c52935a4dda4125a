package runbook

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// part is one piece of a document in reading order: a heading, a code block, a list item or a paragraph.
type part struct {
	kind  partKind
	level int    // headings: 1 to 6
	text  string // without markup; code as written
	lang  string // code: the word after the fence
	line  int    // from 1; code: the line of its first line of content
	codes []string
	label string // paragraphs and items: a bold label in front, such as "Symptom"
	rest  string // what follows the label
}

type partKind int

const (
	heading partKind = iota
	code
	item
	paragraph
)

// parts flattens Markdown. It never fails: CommonMark gives every text a meaning.
func parts(src []byte) []part {
	w := &walker{src: src, starts: lineStarts(src)}
	root := goldmark.DefaultParser().Parse(text.NewReader(src))
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // walk returns no error of its own
		if !entering {
			return ast.WalkContinue, nil
		}
		return w.visit(n), nil
	})
	return w.parts
}

type walker struct {
	src    []byte
	starts []int
	parts  []part
}

func (w *walker) visit(n ast.Node) ast.WalkStatus {
	switch x := n.(type) {
	case *ast.Heading:
		w.add(part{kind: heading, level: x.Level, text: w.plain(x), line: w.line(x)})
	case *ast.FencedCodeBlock:
		w.add(part{kind: code, lang: strings.ToLower(string(x.Language(w.src))), text: w.lines(x), line: w.line(x)})
	case *ast.CodeBlock:
		w.add(part{kind: code, lang: "indented", text: w.lines(x), line: w.line(x)})
	case *ast.Paragraph, *ast.TextBlock:
		w.prose(n)
	case *ast.HTMLBlock:
		return ast.WalkSkipChildren
	default:
		return ast.WalkContinue
	}
	return ast.WalkSkipChildren
}

func (w *walker) add(p part) { w.parts = append(w.parts, p) }

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

func (w *walker) plain(n ast.Node) string {
	var b strings.Builder
	lines := n.Lines()
	for i := range lines.Len() {
		seg := lines.At(i)
		b.Write(seg.Value(w.src))
	}
	return unmark(strings.TrimSpace(b.String()))
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
	label  = regexp.MustCompile(`^(?:\*\*|__)([^*_]{1,60}?)\s*:?(?:\*\*|__)\s*:?\s*(.*)$`)
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

func labelled(raw string) (string, string) {
	m := label.FindStringSubmatch(raw)
	if m == nil {
		return "", ""
	}
	return strings.TrimSpace(m[1]), strings.TrimSpace(m[2])
}
