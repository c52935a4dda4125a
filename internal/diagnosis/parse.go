package diagnosis

import "strings"

// parser walks a trace line by line. Which list a link belongs to follows from the word that introduces it and from its
// indentation: the cause of a suppressed exception is indented like it.
type parser struct {
	chain      Chain
	link       *Link           // being read; nil before the first
	message    strings.Builder // further lines of its message
	loose      bool            // the first link was found behind other words, and may be no more than a mention
	framed     bool            // a frame of the link was seen: its message has ended
	inverted   bool            // logback's rootCauseFirst: "Wrapped by:"
	suppressed int             // indentation of the suppressed exception being read; -1 outside of one
	base       int             // indentation of the first exception
	ended      bool
}

// introductions are the words before an exception that is not the first.
var introductions = []struct {
	words string
	kind  linkKind
}{
	{"Caused by: ", cause}, {"Caused by:", cause}, {"Wrapped by: ", wrapping}, {"Suppressed: ", suppression},
}

type linkKind int

const (
	first linkKind = iota
	cause
	wrapping
	suppression
)

// unescape reads a trace that was printed as one JSON string.
var unescape = strings.NewReplacer(`\r`, "", `\n`, "\n", `\t`, "\t", `\"`, `"`)

func (p *parser) run(s string) {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if !strings.Contains(s, "\n") && strings.Contains(s, `\n`) {
		s = unescape.Replace(s)
	}
	p.suppressed = -1
	for s != "" && !p.ended {
		line, rest, whole := strings.Cut(s, "\n")
		p.line(strings.TrimRight(line, "\r"))
		if !whole {
			p.cutOff(line)
		}
		s = rest
	}
}

// cutOff notices a last line that ends inside a frame.
func (p *parser) cutOff(line string) {
	trimmed := strings.TrimSpace(line)
	if p.link == nil || trimmed == "" {
		return
	}
	halfFrame := isFrame(trimmed) && !strings.HasSuffix(trimmed, ")") && !strings.HasSuffix(trimmed, "]")
	if halfFrame || trimmed == "at" || strings.HasPrefix("Caused by:", trimmed) {
		p.chain.Truncated = true
	}
}

func (p *parser) line(line string) {
	trimmed := strings.TrimLeft(line, " \t")
	indent := len(line) - len(trimmed)
	if p.link == nil {
		p.begin(trimmed, indent)
		return
	}
	if isFrame(trimmed) {
		p.frame(trimmed)
		return
	}
	if isMore(trimmed) {
		p.framed = true
		return
	}
	if strings.Contains(trimmed, "[CIRCULAR REFERENCE") {
		p.chain.Circular, p.framed = true, true
		return
	}
	if kind, header := introduced(trimmed); kind != first {
		p.open(kind, header, indent)
		return
	}
	p.other(line, trimmed, indent)
}

// begin looks for the first exception, behind whatever a log puts before it.
func (p *parser) begin(trimmed string, indent int) {
	_, header := introduced(trimmed)
	if class, message, ok := exception(header); ok {
		p.base, p.loose = indent, !strings.HasPrefix(header, class)
		p.link = &Link{Class: class, Message: message}
	}
}

// other is a line that is no part of the trace's skeleton: more of a message, or the end of the trace.
func (p *parser) other(line, trimmed string, indent int) {
	if _, _, again := exception(trimmed); again && p.loose && !p.framed && len(p.chain.Links) == 0 {
		p.link, p.loose = nil, false
		p.message.Reset()
		p.begin(trimmed, indent)
		return
	}
	if !p.framed {
		p.message.WriteByte('\n')
		p.message.WriteString(line)
		return
	}
	if trimmed == "" {
		return
	}
	_, _, again := exception(trimmed)
	p.ended = again && indent <= p.base || indent == 0
}

func (p *parser) frame(trimmed string) {
	p.framed = true
	p.link.Depth++
	if len(p.link.Frames) < maxFrames {
		p.link.Frames = append(p.link.Frames, strings.TrimSuffix(strings.TrimPrefix(trimmed, "at "), "\r"))
	}
}

// open ends the link being read and begins the next.
func (p *parser) open(kind linkKind, header string, indent int) {
	p.close()
	switch {
	case kind == suppression:
		if p.suppressed < 0 {
			p.suppressed = indent
		}
	case indent < max(p.suppressed, p.base+1):
		p.suppressed = -1
	}
	if kind == wrapping {
		p.inverted = true
	}
	class, message, ok := exception(header)
	if !ok {
		class, message = head(strings.TrimSpace(header), maxClass), ""
	}
	p.link, p.framed = &Link{Class: class, Message: message}, false
}

// close files the link being read.
func (p *parser) close() {
	if p.link == nil {
		return
	}
	p.link.Message = strings.TrimRight(p.link.Message+p.message.String(), " \t\r\n")
	p.message.Reset()
	if p.link.Class == "" { // "Caused by:" and nothing behind it
		p.chain.Truncated = true
		return
	}
	list := &p.chain.Links
	if p.suppressed >= 0 {
		list = &p.chain.Suppressed
	}
	if len(*list) == maxLinks { // the outermost and the deepest tell most: what is dropped is from the middle
		*list = append((*list)[:maxLinks/2], (*list)[maxLinks/2+1:]...)
		p.chain.Truncated = true
	}
	*list = append(*list, *p.link)
}

func (p *parser) finish() Chain {
	if p.link != nil {
		p.close()
	}
	links := p.chain.Links
	if p.inverted {
		for i, j := 0, len(links)-1; i < j; i, j = i+1, j-1 {
			links[i], links[j] = links[j], links[i]
		}
	}
	for i := range links {
		links[i].Wrapper = i < len(links)-1 && links[i].wraps()
	}
	return p.chain
}

func introduced(trimmed string) (linkKind, string) {
	for _, gap := range []string{"[...] ", "[…] ", "… ", "... "} { // where somebody left lines out
		if rest, ok := strings.CutPrefix(trimmed, gap); ok && strings.HasPrefix(rest, "Caused by") {
			trimmed = rest
		}
	}
	for _, in := range introductions {
		if header, ok := strings.CutPrefix(trimmed, in.words); ok {
			return in.kind, header
		}
	}
	return first, trimmed
}

func isFrame(trimmed string) bool {
	rest, ok := strings.CutPrefix(trimmed, "at ")
	return ok && strings.ContainsAny(head(rest, 1024), ".(") && !strings.HasPrefix(rest, " ")
}

// isMore is "... 12 more" and logback's "... 12 common frames omitted".
func isMore(trimmed string) bool {
	rest, ok := strings.CutPrefix(trimmed, "... ")
	return ok && rest != "" && '0' <= rest[0] && rest[0] <= '9'
}

// exception splits "pkg.Class: message". A class is a dotted Java name, or a bare name that ends like a throwable's;
// words before it, as a log or Thread prints them ("Exception in thread "main" pkg.Class"), are skipped.
func exception(header string) (class, message string, ok bool) {
	class, message, _ = strings.Cut(header, ": ")
	class = strings.TrimSuffix(strings.TrimSpace(class), ":")
	if isClass(class) {
		return class, strings.TrimRight(message, " \t"), true
	}
	i := strings.LastIndexAny(head(class, 4*maxClass), " )]")
	if i < 0 || !isClass(class[i+1:]) || !throwable(class[i+1:]) || !strings.Contains(class[i+1:], ".") {
		return "", "", false
	}
	return class[i+1:], strings.TrimRight(message, " \t"), true
}

// isClass accepts org.x.YException, a.b.C$D, and a bare YException.
func isClass(s string) bool {
	if s == "" || len(s) > maxClass || !isLetter(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && c != '.' && c != '_' && c != '$' && c != '-' && (c < '0' || c > '9') {
			return false
		}
	}
	last := s[strings.LastIndexByte(s, '.')+1:]
	if last == "" || strings.Contains(s, "..") {
		return false
	}
	return throwable(s) || len(last) < len(s) && 'A' <= last[0] && last[0] <= 'Z' && strings.Count(s, ".") >= 2
}

func throwable(s string) bool {
	for _, end := range []string{"Exception", "Error", "Throwable", "Failure", "Fault", "Timeout", "Interrupt"} {
		if strings.HasSuffix(s, end) && len(s) > len(end) {
			return true
		}
	}
	return strings.Contains(s, "Exception$") || strings.Contains(s, "Error$")
}

func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
