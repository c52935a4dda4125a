package runbook

import (
	"bytes"
	"cmp"
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

	"cdcbot/internal/action"
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
	c := &compiler{book: &Book{Name: name, SHA256: hex.EncodeToString(sum[:])}, ids: map[string]int{}, at: -1, vars: &variables{set: map[string]string{}, dates: map[string]string{}}}
	clean := bytes.ReplaceAll(bytes.TrimPrefix(src, []byte("\uFEFF")), []byte("\r\n"), []byte("\n"))
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
	next   part         // the heading that a section will have when something for it comes
	kind   SectionKind  // of the present level-2 heading
	at     int          // index of the present section in book.Sections; -1 none yet
	level  int          // of its heading
	phase  string       // "symptom", "diagnosis" or "solution" inside a cause
	steps  []*collector // per section, what its Solution holds
	probes []*collector // per section, what its Diagnosis holds
	shared bool         // a "Common error patterns" list is being read
	alerts bool         // a list of alerts is being read
	limits int          // line of the threshold
	vars   *variables
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
	{regexp.MustCompile(`(?i)post.?(incident|mortem)|^review`), Review},
	{regexp.MustCompile(`(?i)emergency|last resort`), Emergency},
	{regexp.MustCompile(`(?i)^escalat`), Escalation},
	{regexp.MustCompile(`(?i)^(root )?causes?\b|common causes|solutions?\b|remediation|troubleshoot|mitigation|resolution|^recovery|^fix(es)?\b|^procedures?$`), Cause},
	{regexp.MustCompile(`(?i)^(diagnos|investigat|triage|verification steps)`), Diagnosis},
}

func kindOf(title string) SectionKind {
	for _, h := range headings {
		if h.fits.MatchString(title) {
			return h.kind
		}
	}
	return Other
}

// heading begins what stands under it. Sections open when something for them comes: most headings only describe.
func (c *compiler) heading(p part) {
	c.shared, c.alerts = false, false
	switch {
	case p.level == 1 && c.book.Title == "":
		c.book.Title, c.next = p.text, p
	case p.level <= 2:
		c.second(p)
	case c.inner(p):
	case p.level == 3:
		c.third(p)
	case c.at >= 0:
		c.steps[c.at].begin(group{common: true})
		c.steps[c.at].lead = p.text
	}
}

// second handles a level-2 heading.
func (c *compiler) second(p part) {
	c.next, c.kind, c.phase, c.at = p, kindOf(p.text), "", -1
	if c.kind == Diagnosis || c.kind == Escalation || c.kind == Cause && oneCause.MatchString(p.text) {
		c.open()
	}
}

// oneCause matches a level-2 heading that is a cause itself, not a chapter of causes.
var oneCause = regexp.MustCompile(`(?i)^(root )?cause\s*(#?\d+|[a-z])?\s*[:.)–-]`)

// inner handles a heading inside a section: a part of a cause, or an option.
func (c *compiler) inner(p part) bool {
	if c.at >= 0 && p.level <= c.level {
		return false
	}
	if c.at < 0 && c.kind != Cause {
		return false
	}
	if phase := phaseOf(p.text); phase != "" {
		c.section()
		c.phase = phase
		c.steps[c.at].begin(group{common: true})
		return true
	}
	return c.at >= 0 && c.option(p.text)
}

// option begins an option that prose or a heading names.
func (c *compiler) option(text string) bool {
	g, ok := optionGroup(text)
	if ok {
		g.wide, c.phase = true, "solution"
		c.steps[c.at].begin(g)
	}
	return ok
}

// third handles a level-3 heading: a cause, an emergency procedure, or a step of the diagnosis.
func (c *compiler) third(p part) {
	kind := c.kind
	if kind == Other || kind == "" {
		kind = kindOf(p.text)
	}
	switch kind {
	case Cause, Emergency:
		c.next, c.phase, c.kind = p, "", kind
		c.open()
	case Diagnosis, Escalation:
		c.section()
		c.probes[c.at].lead, c.steps[c.at].lead = plainTitle(p.text), plainTitle(p.text)
	default:
		c.next, c.phase, c.at = p, "", -1
	}
}

var stepN = regexp.MustCompile(`(?i)^step\s*\d+\s*[:.)–-]*\s*`)

func plainTitle(text string) string { return stepN.ReplaceAllString(text, "") }

// section is the present one; it opens when there is none.
func (c *compiler) section() *Section {
	if c.at < 0 {
		c.open()
	}
	return &c.book.Sections[c.at]
}

func (c *compiler) open() {
	title, line := c.next.text, max(c.next.line, 1)
	if title == "" {
		title = "Commands"
	}
	kind := c.kind
	if kind == "" {
		kind = Other
	}
	c.book.Sections = append(c.book.Sections, Section{ID: c.id(title), Title: title, Kind: kind, Line: line})
	c.steps, c.probes = append(c.steps, &collector{vars: c.vars}), append(c.probes, &collector{vars: c.vars})
	c.at, c.level = len(c.book.Sections)-1, c.next.level
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

// phases says which part of a cause a label or heading begins.
var phases = []struct {
	fits  *regexp.Regexp
	phase string
}{
	{regexp.MustCompile(`(?i)^(symptoms?|signs?|errors?|(error|log) (messages?|patterns?))( \(.*\))?$`), "symptom"},
	{regexp.MustCompile(`(?i)^(diagnos(is|e|tics?)|investigat(e|ion)|checks?|confirm(ation)?|how to (confirm|diagnose|check))( steps?| commands?)?( \(.*\))?$`), "diagnosis"},
	{regexp.MustCompile(`(?i)^((quick |immediate |recommended |permanent )?(solutions?|fix(es)?|resolution|remediation|mitigation|actions?|procedure|recovery|workaround)|steps|how to (fix|resolve)( it)?)( steps?| commands?| procedure)?( \(.*\))?$`), "solution"},
}

func phaseOf(label string) string {
	for _, p := range phases {
		if p.fits.MatchString(label) {
			return p.phase
		}
	}
	return ""
}

func (c *compiler) prose(p part) {
	switch {
	case c.meta(p):
	case strings.Contains(strings.ToLower(p.text), "error patterns"):
		c.shared = true
	case c.shared && p.kind == item:
		c.common(p)
	case c.kind == Review && p.kind == item:
		c.book.Review = append(c.book.Review, strings.TrimSpace(checkbox.ReplaceAllString(p.text, "")))
	default:
		c.shared = false
		c.body(p)
	}
}

var checkbox = regexp.MustCompile(`^\[[ xX]\]`)

// body handles prose inside a section.
func (c *compiler) body(p part) {
	phase := phaseOf(p.label)
	if c.at < 0 && phase != "" && c.kind == Cause {
		c.open()
	}
	if c.at < 0 {
		return
	}
	s := &c.book.Sections[c.at]
	switch {
	case phase != "":
		c.phase = phase
		if phase == "symptom" && p.rest != "" {
			c.symptoms(p, s)
		}
		return
	case p.label != "" && c.option(strings.TrimSpace(p.label+" "+p.rest)):
		return
	case c.phase == "symptom":
		c.symptoms(p, s)
	}
	if lead, ok := strings.CutSuffix(p.text, ":"); ok {
		c.steps[c.at].lead, c.probes[c.at].lead = lead, lead
	}
	if c.kind == Escalation && s.After == 0 {
		s.After = after(p.text)
	}
	if c.kind == Escalation && p.kind == item {
		c.sentence(p)
	}
	s.Text = append(s.Text, p.text)
}

// sentences of an escalation that are actions.
var sentences = []struct {
	fits *regexp.Regexp
	make func(text string) action.Action
}{
	{regexp.MustCompile(`(?i)^(page|call|alert|notify)\b.*\b(on-?call|engineer|team|infra\w*|sre|dba|lead|manager)\b`), func(text string) action.Action { return action.Page{Summary: text} }},
	{regexp.MustCompile(`(?i)^(fail ?over|switch( over)?)\b`), func(string) action.Action { return action.Failover{} }},
}

// sentence makes a step of an item that tells people to act: page, fail over, review. One that ends with a colon leads
// to a command below it.
func (c *compiler) sentence(p part) {
	text := strings.TrimSpace(unmark(p.text))
	if strings.HasSuffix(text, ":") || text == "" {
		return
	}
	step := Step{Title: firstLine(text), Line: p.line, Source: "# " + text, Phase: Act}
	for _, s := range sentences {
		if s.fits.MatchString(text) {
			step.Action = s.make(text)
		}
	}
	if step.Action == nil {
		if !byHand.MatchString(text) {
			return
		}
		step.Manual = text
	}
	c.steps[c.at].begin(group{})
	c.steps[c.at].add(step)
}

// symptoms takes the code spans of a symptom, or what it quotes; other text describes, it does not match.
func (c *compiler) symptoms(p part, s *Section) {
	texts := p.codes
	if len(texts) == 0 {
		for _, m := range quoted.FindAllStringSubmatch(p.text, -1) {
			texts = append(texts, m[1])
		}
	}
	for _, text := range texts {
		if len([]rune(text)) < 4 || slices.Contains(connectStates, strings.ToUpper(text)) {
			continue // a state such as FAILED holds for every cause
		}
		pattern := Pattern{Text: text, Section: s.ID, Line: p.line}
		s.Symptoms = append(s.Symptoms, pattern)
		c.book.Patterns = append(c.book.Patterns, pattern)
	}
}

var quoted = regexp.MustCompile(`["“]([^"”]{4,300})["”]`)

var connectStates = []string{"FAILED", "STOPPED", "RUNNING", "PAUSED", "UNASSIGNED", "RESTARTING"}

// common takes a line such as "`Connection refused` → Database unavailable".
func (c *compiler) common(p part) {
	if len(p.codes) == 0 {
		return
	}
	hint := strings.TrimLeft(strings.TrimPrefix(p.text, p.codes[0]), "→->=:– ")
	c.book.Patterns = append(c.book.Patterns, Pattern{Text: p.codes[0], Hint: hint, Line: p.line})
}

// meta takes the labelled lines that say what the book is about. They stand above the first section that has commands.
func (c *compiler) meta(p part) bool {
	if c.at >= 0 {
		return false
	}
	value := unmark(p.rest)
	switch strings.ToLower(p.label) {
	case "alert", "alerts", "alert name":
		c.alerts = true
		c.book.Alerts = append(c.book.Alerts, names(p.rest)...)
	case "severity":
		c.book.Severity = strings.ToLower(value)
	case "threshold":
		c.limits = p.line
		c.book.Threshold, c.book.States = threshold(value)
	case "slo impact", "impact":
		c.book.SLOImpact = value
	case "":
		if !c.alerts || p.kind != item {
			return false
		}
		c.book.Alerts = append(c.book.Alerts, names(strings.Join(ticked(p.codes), " "))...)
	default:
		return false
	}
	c.alerts = c.alerts && (p.label == "" || strings.HasPrefix(strings.ToLower(p.label), "alert"))
	return true
}

func ticked(codes []string) []string {
	list := make([]string, len(codes))
	for i, code := range codes {
		list[i] = "`" + code + "`"
	}
	return list
}

// names reads the names of alerts: those in backticks, or all words.
func names(text string) []string {
	if in := spans(text); len(in) > 0 {
		return in
	}
	return strings.FieldsFunc(unmark(text), func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

var forHowLong = regexp.MustCompile(`(?i)(?:for|over|within|>=?)\s+(\d{1,4})\s*(s|sec|second|m|min|minute|h|hour)s?\b`)

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
	return lasting(m[1], m[2]), states
}

// lasting is "2", "minute" as a duration. The patterns allow four digits at most.
func lasting(digits, word string) time.Duration {
	n, _ := strconv.Atoi(digits)
	return time.Duration(n) * map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour}[word[0]|0x20]
}

var afterLong = regexp.MustCompile(`(?i)\b(?:after|within|for|in)\s+(\d{1,4})\s*(s|sec|second|m|min|minute|h|hour)s?\b`)

// after reads "does not recover after 15 minutes".
func after(text string) time.Duration {
	m := afterLong.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	return lasting(m[1], m[2])
}

// shells are the fence words that mark commands; statements are those of query languages, which a person runs.
var (
	shells     = []string{"bash", "sh", "shell", "zsh", "console", "shell-session", "shellsession", "terminal"}
	statements = []string{"sql", "psql", "postgresql", "cql"}
)

func (c *compiler) code(p part) {
	query := slices.Contains(statements, p.lang)
	if !query && !slices.Contains(shells, p.lang) && !((p.lang == "" || p.lang == "indented") && looksLikeShell(p.text)) {
		return
	}
	s := c.section()
	into := c.steps[c.at]
	if s.Kind == Diagnosis || s.Kind == Cause && c.phase == "diagnosis" {
		into = c.probes[c.at]
	}
	if query {
		into.query(p)
		return
	}
	c.book.Findings = append(c.book.Findings, into.block(p)...)
}

var commandWord = regexp.MustCompile(`(?m)^\s*\$?\s*(curl|docker|docker-compose|kubectl|psql|cqlsh|vault|kafka-[a-z-]+|helm|systemctl|sudo|ssh|jq|grep|sleep|watch|nodetool|redis-cli|aws|gcloud|az)\b`)

func looksLikeShell(text string) bool { return commandWord.MatchString(text) }

// finish puts what was collected into its sections and orders the findings.
func (c *compiler) finish() {
	for i := range c.book.Sections {
		s := &c.book.Sections[i]
		c.steps[i].pair()
		c.probes[i].pair()
		s.Common, s.Options = c.steps[i].result()
		s.Probes = c.probed(c.probes[i].all())
		for _, f := range append(tolerating(s.Common), s.tolerating()...) {
			if !slices.Contains(c.book.Findings, f) {
				c.book.Findings = append(c.book.Findings, f)
			}
		}
		s.Text = append(s.Text, append(c.steps[i].notes, c.probes[i].notes...)...)
	}
	if slices.Contains(c.book.States, "STOPPED") {
		c.note(c.limits, "alert-on-stopped", "the threshold counts STOPPED, which is a deliberate state; the bot does not alert on a connector that somebody stopped on purpose through it")
	}
	c.book.Dates = c.vars.dates
	if len(c.book.Alerts) == 0 {
		c.note(1, "no-alert", "no **Alert** line: no alert leads here by itself; add **Alert**: `Name`")
	}
	rank := map[string]int{"error": 0, "warning": 1, "note": 2}
	slices.SortStableFunc(c.book.Findings, func(a, b Finding) int {
		return cmp.Or(rank[a.Level]-rank[b.Level], a.Line-b.Line, a.Column-b.Column)
	})
}

func (c *compiler) note(line int, code, text string) {
	c.book.Findings = append(c.book.Findings, Finding{Level: "note", Code: code, Line: line, Column: 1, Text: text})
}

// probed keeps a diagnosis harmless: probes run without anybody's approval, so a change among them is a manual step.
func (c *compiler) probed(steps []Step) []Step {
	for i, s := range steps {
		if s.Action == nil || s.Action.Risk() == action.Read {
			continue
		}
		steps[i].Action, steps[i].Manual = nil, yourself(s.Source)
		c.book.Findings = append(c.book.Findings, Finding{Level: "warning", Code: "change-in-diagnosis", Line: s.Line, Column: 1, Text: s.Action.Kind() + " changes something and stands under a diagnosis; it stays a manual step. Move it to the solution"})
	}
	return steps
}

// Answers reports whether the book is for an alert.
func (b *Book) Answers(alert string) bool { return slices.Contains(b.Alerts, alert) }
