package runbook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxSource bounds a runbook's size in bytes.
const maxSource = 8 << 20

// ErrNotText and ErrTooLarge are the only reasons not to compile; everything else is a finding.
var (
	ErrNotText  = errors.New("not a text file")
	ErrTooLarge = errors.New("larger than 8 MiB")
)

// Compile reads a runbook. name is how plans and people call it. Whatever the Markdown holds, nothing is lost and
// nothing is run: what cannot be compiled is a manual step and a finding.
func Compile(name string, src []byte) (*Book, error) {
	if len(src) > maxSource {
		return nil, fmt.Errorf("runbook %s: %w", name, ErrTooLarge)
	}
	if !utf8.Valid(src) || bytes.IndexByte(src, 0) >= 0 {
		return nil, fmt.Errorf("runbook %s: %w", name, ErrNotText)
	}
	sum := sha256.Sum256(src)
	c := &compiler{book: &Book{Name: name, SHA256: hex.EncodeToString(sum[:])}, ids: map[string]int{}}
	clean := bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
	for _, p := range parts(clean) {
		c.take(p)
	}
	c.finish()
	return c.book, nil
}

// compiler walks the parts of a document and remembers where it stands.
type compiler struct {
	book   *Book
	ids    map[string]int
	top    string       // the level-2 heading that the present part stands under
	kind   SectionKind  // of that heading
	at     int          // index of the present section in book.Sections; -1 none
	phase  string       // "symptom", "diagnosis" or "solution" inside a cause
	steps  []*collector // per section, what its Solution holds
	shared bool         // a "Common error patterns" list is being read
	began  bool         // a level-2 heading was seen
}

func (c *compiler) take(p part) {
	switch p.kind {
	case heading:
		c.heading(p)
	case code:
		c.code(p)
	default:
		c.prose(p)
	}
}

// headings says what a heading starts; the first row that fits counts.
var headings = []struct {
	fits *regexp.Regexp
	kind SectionKind
}{
	{regexp.MustCompile(`(?i)^(root )?causes?\b|common causes|solutions|remediation|troubleshoot|mitigation|resolution`), Cause},
	{regexp.MustCompile(`(?i)^(diagnos|investigat|triage|verification steps)`), Diagnosis},
	{regexp.MustCompile(`(?i)emergency|last resort`), Emergency},
	{regexp.MustCompile(`(?i)^escalat`), Escalation},
	{regexp.MustCompile(`(?i)post.?(incident|mortem)|^review`), Review},
}

func kindOf(title string) SectionKind {
	for _, h := range headings {
		if h.fits.MatchString(title) {
			return h.kind
		}
	}
	return Other
}

func (c *compiler) heading(p part) {
	c.shared = false
	if p.level == 1 && c.book.Title == "" {
		c.book.Title = p.text
		return
	}
	if p.level <= 2 {
		c.began, c.top, c.kind, c.phase = true, p.text, kindOf(p.text), ""
		c.at = -1
		if c.kind == Diagnosis || c.kind == Escalation {
			c.open(p, c.kind)
		}
		return
	}
	if phase := phaseOf(p.text); phase != "" && p.level >= 4 && c.at >= 0 {
		c.phase = phase
		return
	}
	if p.level == 3 {
		c.third(p)
	}
}

// third handles a level-3 heading: a cause, an emergency procedure, or a step of the diagnosis.
func (c *compiler) third(p part) {
	c.phase = ""
	switch c.kind {
	case Cause, Emergency:
		c.open(p, c.kind)
	case Other, "":
		if kind := kindOf(p.text); kind != Other {
			c.open(p, kind)
		} else {
			c.at = -1
		}
	}
}

func (c *compiler) open(p part, kind SectionKind) {
	c.book.Sections = append(c.book.Sections, Section{ID: c.id(p.text), Title: p.text, Kind: kind, Line: p.line})
	c.steps = append(c.steps, &collector{})
	c.at = len(c.book.Sections) - 1
}

// id is a stable slug; a second heading of the same words gets a number.
func (c *compiler) id(title string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(title) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
			dash = false
			continue
		}
		dash = true
	}
	slug := b.String()
	if slug == "" {
		slug = "section"
	}
	c.ids[slug]++
	if n := c.ids[slug]; n > 1 {
		slug += "-" + strconv.Itoa(n)
	}
	return slug
}

var phases = []struct {
	prefix, phase string
}{
	{"symptom", "symptom"}, {"sign", "symptom"}, {"error", "symptom"},
	{"diagnos", "diagnosis"}, {"check", "diagnosis"}, {"investigat", "diagnosis"}, {"confirm", "diagnosis"},
	{"solution", "solution"}, {"fix", "solution"}, {"resolution", "solution"}, {"remediation", "solution"}, {"mitigation", "solution"}, {"action", "solution"}, {"procedure", "solution"},
}

func phaseOf(label string) string {
	lower := strings.ToLower(label)
	for _, p := range phases {
		if strings.HasPrefix(lower, p.prefix) {
			return p.phase
		}
	}
	return ""
}

func (c *compiler) prose(p part) {
	if !c.began {
		c.meta(p)
		return
	}
	if strings.Contains(strings.ToLower(p.text), "error patterns") {
		c.shared = true
		return
	}
	if c.shared && p.kind == item {
		c.common(p)
		return
	}
	c.shared = false
	if c.kind == Review && p.kind == item {
		c.book.Review = append(c.book.Review, p.text)
		return
	}
	if c.at < 0 {
		return
	}
	s := &c.book.Sections[c.at]
	if phase := phaseOf(p.label); phase != "" {
		c.phase = phase
		if phase == "symptom" && p.rest != "" {
			s.Symptoms = append(s.Symptoms, c.symptoms(p, s.ID)...)
		}
		return
	}
	if c.phase == "symptom" {
		s.Symptoms = append(s.Symptoms, c.symptoms(p, s.ID)...)
	}
	s.Text = append(s.Text, p.text)
}

// symptoms takes the code spans of a symptom; text that is not code describes, it does not match.
func (c *compiler) symptoms(p part, section string) []Pattern {
	var list []Pattern
	for _, text := range p.codes {
		if len([]rune(text)) < 4 || slices.Contains(connectStates, strings.ToUpper(text)) {
			continue // a state such as FAILED holds for every cause
		}
		list = append(list, Pattern{Text: text, Section: section, Line: p.line})
	}
	c.book.Patterns = append(c.book.Patterns, list...)
	return list
}

var connectStates = []string{"FAILED", "STOPPED", "RUNNING", "PAUSED", "UNASSIGNED", "RESTARTING"}

// common takes a line such as "`Connection refused` → Database unavailable".
func (c *compiler) common(p part) {
	for _, text := range p.codes {
		hint := strings.TrimLeft(strings.TrimSpace(strings.TrimPrefix(p.text, text)), "→->=: ")
		c.book.Patterns = append(c.book.Patterns, Pattern{Text: text, Hint: hint, Line: p.line})
		return
	}
}

// meta takes the labelled lines above the first section.
func (c *compiler) meta(p part) {
	value := unmark(p.rest)
	switch strings.ToLower(p.label) {
	case "alert", "alerts":
		names := spans(p.rest)
		if len(names) == 0 {
			names = strings.FieldsFunc(value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
		}
		c.book.Alerts = append(c.book.Alerts, names...)
	case "severity":
		c.book.Severity = strings.ToLower(value)
	case "threshold":
		c.book.Threshold, c.book.States = threshold(value)
	case "slo impact", "impact":
		c.book.SLOImpact = value
	}
}

var forHowLong = regexp.MustCompile(`(?i)(?:for|over|within|>=?)\s+(\d+)\s*(s|sec|second|m|min|minute|h|hour)s?\b`)

// threshold reads "Connector state = FAILED or STOPPED for 2 minutes".
func threshold(value string) (time.Duration, []string) {
	var states []string
	for _, word := range strings.FieldsFunc(strings.ToUpper(value), func(r rune) bool { return !unicode.IsLetter(r) }) {
		if slices.Contains(connectStates, word) && !slices.Contains(states, word) {
			states = append(states, word)
		}
	}
	m := forHowLong.FindStringSubmatch(value)
	if m == nil {
		return 0, states
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, states
	}
	unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour}[strings.ToLower(m[2])[0]]
	return time.Duration(n) * unit, states
}

// shells are the fence words that mark commands.
var shells = []string{"bash", "sh", "shell", "zsh", "console", "shell-session", "shellsession"}

func (c *compiler) code(p part) {
	if !slices.Contains(shells, p.lang) && !((p.lang == "" || p.lang == "indented") && looksLikeShell(p.text)) {
		return
	}
	if c.at < 0 {
		return
	}
	s := &c.book.Sections[c.at]
	into := c.steps[c.at]
	probing := s.Kind == Diagnosis || s.Kind == Cause && c.phase != "solution"
	if probing {
		into = &collector{}
	}
	c.book.Findings = append(c.book.Findings, into.block(p)...)
	if probing {
		s.Probes = append(s.Probes, into.all()...)
	}
}

var commandWord = regexp.MustCompile(`(?m)^\s*\$?\s*(curl|docker|docker-compose|kubectl|psql|cqlsh|vault|kafka-[a-z-]+|helm|systemctl|sudo|ssh|jq|grep|sleep|watch)\b`)

func looksLikeShell(text string) bool { return commandWord.MatchString(text) }

// finish puts the collected solutions into their sections and orders the findings.
func (c *compiler) finish() {
	for i := range c.book.Sections {
		s := &c.book.Sections[i]
		s.Common, s.Options = c.steps[i].result()
	}
	if slices.Contains(c.book.States, "STOPPED") {
		c.book.Findings = append(c.book.Findings, Finding{Level: "note", Code: "alert-on-stopped", Line: 1, Column: 1, Text: "the threshold counts STOPPED, which is a deliberate state; the bot does not alert on a connector that somebody stopped on purpose through it"})
	}
	if len(c.book.Alerts) == 0 {
		c.book.Findings = append(c.book.Findings, Finding{Level: "note", Code: "no-alert", Line: 1, Column: 1, Text: "no **Alert** line: no alert leads here by itself; add **Alert**: `Name`"})
	}
	rank := map[string]int{"error": 0, "warning": 1, "note": 2}
	slices.SortStableFunc(c.book.Findings, func(a, b Finding) int {
		if rank[a.Level] != rank[b.Level] {
			return rank[a.Level] - rank[b.Level]
		}
		return a.Line - b.Line
	})
}

// Answers reports whether the book is for an alert.
func (b *Book) Answers(alert string) bool { return slices.Contains(b.Alerts, alert) }
