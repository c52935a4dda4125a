package action

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Pipe is what the text of an answer goes through, as the runbook's own pipe says. Nothing of it is a process.
type Pipe []Stage

// Stage is one program of a pipe; exactly one field is set.
type Stage struct {
	JQ    string `json:"jq,omitempty"`
	Grep  *Grep  `json:"grep,omitempty"`
	Head  int    `json:"head,omitempty"` // the first lines
	Tail  int    `json:"tail,omitempty"` // the last lines
	Order string `json:"order,omitempty"`
}

// Orders that a stage may have: sort, sort -u, uniq, uniq -c, wc -l.
const (
	Sort        = "sort"
	SortUnique  = "sort-unique"
	Unique      = "unique"
	UniqueCount = "unique-count"
	CountLines  = "count-lines"
)

// Grep keeps lines, or what matches in them. Pattern is RE2; the compiler has translated it from the dialect of grep.
type Grep struct {
	Pattern string `json:"pattern"`
	Invert  bool   `json:"invert,omitempty"`
	Only    bool   `json:"only,omitempty"`  // -o: what matches
	Count   bool   `json:"count,omitempty"` // -c
	Numbers bool   `json:"numbers,omitempty"`
	Before  int    `json:"before,omitempty"` // lines of context
	After   int    `json:"after,omitempty"`
	Max     int    `json:"max,omitempty"` // -m: stop after that many lines; 0 is all
}

// Check reports whether every stage can run, without running it.
func (p Pipe) Check() error {
	for _, s := range p {
		if s.JQ != "" {
			if err := CheckFilter(s.JQ); err != nil {
				return err
			}
		}
		if s.Grep != nil {
			if _, err := regexp.Compile(s.Grep.Pattern); err != nil {
				return fmt.Errorf("grep pattern: %w", err)
			}
		}
	}
	return nil
}

// Value shows an answer that is JSON through the pipe. Without a pipe it is indented; a first stage other than jq sees
// it compact, as a server sends it.
func (p Pipe) Value(ctx context.Context, value any) (string, error) {
	program := ""
	switch {
	case len(p) == 0:
	case p[0].JQ != "":
		program, p = p[0].JQ, p[1:]
	default:
		b, err := json.Marshal(value)
		if err != nil {
			return "", fmt.Errorf("encoding the answer: %w", err)
		}
		return p.Text(ctx, string(b))
	}
	text, err := Filter(ctx, value, program)
	if err != nil {
		return "", err
	}
	return p.Text(ctx, text)
}

// Text shows an answer that is text through the pipe. jq expects JSON values in it.
func (p Pipe) Text(ctx context.Context, text string) (string, error) {
	for _, s := range p {
		var err error
		switch {
		case s.JQ != "":
			text, err = jqText(ctx, text, s.JQ)
		case s.Grep != nil:
			text, err = s.Grep.apply(text)
		default:
			text = s.lines(text)
		}
		if err != nil {
			return "", err
		}
	}
	return text, nil
}

// jqText runs a program on every JSON value of a text.
func jqText(ctx context.Context, text, program string) (string, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var out []string
	for {
		var value any
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			return strings.Join(out, "\n"), nil
		}
		if err != nil {
			return "", fmt.Errorf("jq: the answer is not JSON: %w", err)
		}
		one, err := Filter(ctx, value, program)
		if err != nil {
			return "", err
		}
		out = append(out, one)
	}
}

// split gives the lines of a text; no text has none.
func split(text string) []string {
	text = strings.TrimSuffix(text, "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func (s Stage) lines(text string) string {
	lines := split(text)
	switch {
	case s.Head > 0:
		lines = lines[:min(s.Head, len(lines))]
	case s.Tail > 0:
		lines = lines[max(0, len(lines)-s.Tail):]
	case s.Order == CountLines:
		return strconv.Itoa(len(lines))
	case s.Order == Sort || s.Order == SortUnique:
		slices.Sort(lines)
	}
	if s.Order == SortUnique || s.Order == Unique {
		lines = slices.Compact(lines)
	}
	if s.Order == UniqueCount {
		lines = counted(lines)
	}
	return strings.Join(lines, "\n")
}

// counted is uniq -c.
func counted(lines []string) []string {
	var out []string
	for i := 0; i < len(lines); {
		n := i
		for n < len(lines) && lines[n] == lines[i] {
			n++
		}
		out = append(out, fmt.Sprintf("%7d %s", n-i, lines[i]))
		i = n
	}
	return out
}

func (g Grep) apply(text string) (string, error) {
	re, err := regexp.Compile(g.Pattern)
	if err != nil {
		return "", fmt.Errorf("grep pattern: %w", err)
	}
	m := matcher{Grep: g, re: re}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, len(text)+1) // a line may be as long as the text
	for lines.Scan() && !m.full() {
		m.line(lines.Text())
	}
	if g.Count {
		return strconv.Itoa(m.found), nil
	}
	return strings.TrimSuffix(m.out.String(), "\n"), nil
}

// matcher walks the lines of a text.
type matcher struct {
	Grep
	re     *regexp.Regexp
	out    bytes.Buffer
	number int
	found  int
	follow int      // lines still to show after a match
	held   []string // lines that a match may need before it
	gap    bool     // lines were left out since the last shown one
}

func (m *matcher) full() bool { return m.Max > 0 && m.found >= m.Max && m.follow == 0 }

func (m *matcher) line(text string) {
	m.number++
	if m.re.MatchString(text) != m.Invert && (m.Max == 0 || m.found < m.Max) {
		m.found++
		m.match(text)
		return
	}
	if m.follow > 0 {
		m.follow--
		m.show(text, "-")
		return
	}
	if m.Before == 0 {
		m.gap = true
		return
	}
	if m.held = append(m.held, text); len(m.held) > m.Before {
		m.held, m.gap = m.held[1:], true
	}
}

func (m *matcher) match(text string) {
	if m.Only && !m.Invert {
		for _, part := range m.re.FindAllString(text, -1) {
			if part != "" {
				m.show(part, ":")
			}
		}
		return
	}
	if m.gap && m.out.Len() > 0 && (m.Before > 0 || m.After > 0) {
		m.out.WriteString("--\n")
	}
	for i, before := range m.held {
		m.numbered(before, m.number-len(m.held)+i, "-")
	}
	m.held, m.gap, m.follow = nil, false, m.After
	m.show(text, ":")
}

func (m *matcher) show(text, mark string) { m.numbered(text, m.number, mark) }

func (m *matcher) numbered(text string, n int, mark string) {
	if m.Numbers {
		m.out.WriteString(strconv.Itoa(n) + mark)
	}
	m.out.WriteString(text + "\n")
}
