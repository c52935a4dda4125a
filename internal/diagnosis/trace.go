package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is kept of a trace. Everything beyond them is counted, not kept.
const (
	maxLinks  = 128
	maxFrames = 48
	maxClass  = 512
)

// Link is one exception of a chain.
type Link struct {
	Class   string   // fully qualified, "java.net.ConnectException"
	Message string   // may have several lines; "" when the exception has none
	Frames  []string // "org.postgresql.core.PGStream.createSocket(PGStream.java:271)", topmost first, at most 48
	Depth   int      // frames in all, those that "... n more" stands for left out
	Wrapper bool     // it only carries the cause below it
}

// Simple is the class without its package.
func (l Link) Simple() string {
	return l.Class[strings.LastIndexByte(l.Class, '.')+1:]
}

// Header is the exception as Java prints it: the class, and the message if there is one.
func (l Link) Header() string {
	if l.Message == "" {
		return l.Class
	}
	return l.Class + ": " + l.Message
}

// Chain is a parsed stack trace. Links run from the outermost exception to its deepest cause.
type Chain struct {
	Links      []Link
	Suppressed []Link // exceptions that were suppressed anywhere, and their causes
	Circular   bool   // an exception was its own cause
	Truncated  bool   // the text ends inside the trace, or held more causes than are kept
}

// ParseTrace reads the first Java stack trace in s, as Throwable.printStackTrace and logback print it. What stands
// before it (a log line's beginning) is skipped. It never fails: a text without an exception gives an empty chain. Line
// ends may be CRLF or escaped as in JSON, and bytes need not be UTF-8. It takes linear time.
func ParseTrace(s string) Chain {
	p := parser{}
	p.run(s)
	return p.finish()
}

// Root is the deepest cause that means something: not a wrapper, and not an exception without a word. An empty chain
// has the zero Link.
func (c Chain) Root() Link {
	i := c.root()
	if i < 0 {
		return Link{}
	}
	return c.Links[i]
}

func (c Chain) root() int {
	for i := len(c.Links) - 1; i >= 0; i-- {
		if !c.Links[i].Wrapper && !c.Links[i].mute() {
			return i
		}
	}
	return len(c.Links) - 1
}

// mute is an exception that says nothing by itself, such as a bare RuntimeException.
func (l Link) mute() bool {
	return strings.TrimSpace(l.Message) == "" && slices.Contains(generic, l.Class)
}

// Excerpt is the few lines that matter, in at most max characters: the outermost exception, and the deepest causes each
// with the frame that says where. Wrappers between, and causes that only repeat what a deeper one says, are counted.
func (c Chain) Excerpt(max int) string {
	var lines []string
	hidden := 0
	for i, l := range c.Links {
		if i > 0 && i < len(c.Links)-1 && (l.Wrapper || c.repeated(i)) {
			hidden++
			continue
		}
		if hidden > 0 {
			lines = append(lines, fmt.Sprintf("  … %d more that only wrap it", hidden))
			hidden = 0
		}
		lines = append(lines, c.lines(i)...)
	}
	if c.Truncated {
		lines = append(lines, "  … (the trace is cut off)")
	}
	return clip(strings.Join(lines, "\n"), max)
}

func (c Chain) lines(i int) []string {
	l := c.Links[i]
	head := l.Class
	if l.Message != "" {
		head += ": " + short(l.Message, 3, 400)
	}
	if i > 0 {
		head = "Caused by: " + head
	}
	if l.Wrapper {
		return []string{head}
	}
	lines := []string{head}
	for _, f := range telling(l.Frames) {
		lines = append(lines, "    at "+f)
	}
	return lines
}

// repeated says whether the message of link i contains that of a deeper one, so that showing it would say it twice.
func (c Chain) repeated(i int) bool {
	mine := c.Links[i].Message
	for _, deeper := range c.Links[i+1:] {
		if m := firstLine(deeper.Message); len(m) > 8 && strings.Contains(head(mine, 4096), head(m, 400)) {
			return true
		}
	}
	return false
}

// telling picks the frames that say where it happened: the topmost, and the first that is not the Java runtime's.
func telling(frames []string) []string {
	if len(frames) == 0 {
		return nil
	}
	picked := frames[:1:1]
	for _, f := range frames {
		if !matchAny(runtimeFrames, f) {
			if f != frames[0] {
				picked = append(picked, f)
			}
			break
		}
	}
	for i, f := range picked {
		picked[i] = clip(f, 200)
	}
	return picked
}

// short keeps the first lines of a message.
func short(s string, lines, max int) string {
	s = head(s, 4*max)
	parts := strings.SplitAfterN(s, "\n", lines+1)
	return clip(strings.TrimRight(strings.Join(parts[:min(lines, len(parts))], ""), "\r\n "), max)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSpace(line)
}

// head returns at most max bytes of s, cut before a rune.
func head(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max]
}

// clip returns at most max characters of s, the last one an ellipsis when something was cut.
func clip(s string, max int) string {
	if utf8.RuneCountInString(s) <= max {
		return s
	}
	if max < 1 {
		return ""
	}
	n := 0
	for i := range s {
		if n++; n == max {
			return s[:i] + "…"
		}
	}
	return s
}

// plain drops control characters, so that a message can stand in one line.
func plain(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}
