package runbook

import (
	"regexp"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// group is a comment with the steps under it.
type group struct {
	title  string
	option int  // from 1 when it begins "Option N"; 0 otherwise
	wide   bool // the option is a heading or label, which owns everything below it
	common bool // a heading that ends such an option
	or     bool // an alternative to the group before it
	steps  []Step
}

// maxOptions bounds the alternatives of a section, each of which holds all the steps that are common.
const maxOptions = 26

var (
	optionN = regexp.MustCompile(`(?i)^(?:option|alternative|approach) #?(\d{1,2}|[a-z])\b\s*[:.)–-]*\s*(.*)$`)
	orElse  = regexp.MustCompile(`(?i)^(?:or|alternatively)\b[,:]?\s*`)
)

// optionGroup recognizes "Option 2: Add the column" and "Option B".
func optionGroup(text string) (group, bool) {
	m := optionN.FindStringSubmatch(text)
	if m == nil {
		return group{}, false
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		n = int(m[1][0]|0x20-'a') + 1
	}
	if m[2] == "" {
		m[2] = "Option " + m[1]
	}
	return group{title: m[2], option: max(n, 1)}, true
}

// alternative is an option that is being put together.
type alternative struct {
	number int
	title  string
	wide   bool
	groups []group
}

// arrangement sorts groups into what comes before, the alternatives, and what is common after them.
type arrangement struct {
	before, after []group
	options       []alternative
	inside        bool // the last option is being filled
}

// arrange decides which group belongs where: what stands between two options belongs to the first of them, and what
// follows the first group of the last one is common to all. An option that is a heading ends at the next heading instead.
func arrange(groups []group) arrangement {
	var a arrangement
	final := -1
	for i, g := range groups {
		if g.option > 0 {
			final = i
		}
	}
	for i, g := range groups {
		switch {
		case g.option > 0 && len(a.options) < maxOptions:
			a.open(g)
		case g.common:
			a.inside = false
		case len(g.steps) == 0:
		case g.or && a.alternate(g):
		case a.inside && (i < final || a.current().wide || len(a.current().groups) == 0):
			a.current().groups = append(a.current().groups, g)
		case len(a.options) > 0:
			a.inside, a.after = false, append(a.after, g)
		default:
			a.before = append(a.before, g)
		}
	}
	return a
}

func (a *arrangement) current() *alternative { return &a.options[len(a.options)-1] }

func (a *arrangement) open(g group) {
	a.inside = true
	a.options = append(a.options, alternative{number: a.free(g.option), title: g.title, wide: g.wide})
	if len(g.steps) > 0 {
		a.current().groups = []group{g}
	}
}

// free is n, or the next number when an option has it already.
func (a *arrangement) free(n int) int {
	for _, o := range a.options {
		if o.number >= n {
			n = o.number + 1
		}
	}
	return n
}

// alternate makes an option of a group that may stand for the one before it. It is false when there is none.
func (a *arrangement) alternate(g group) bool {
	if len(a.options) >= maxOptions {
		return false
	}
	if a.inside {
		rest := a.current().groups
		if len(rest) == 0 {
			return false
		}
		kept := slices.Clone(rest[:len(rest)-1])
		a.options = append(a.options, alternative{a.free(1), upper(g.title), a.current().wide, append(kept, g)})
		return true
	}
	if len(a.options) > 0 || len(a.before) == 0 {
		return false
	}
	first := a.before[len(a.before)-1]
	a.before = a.before[:len(a.before)-1]
	a.options = []alternative{{number: 1, title: first.steps[0].Title, groups: []group{first}}, {number: 2, title: upper(g.title), groups: []group{g}}}
	a.inside = true
	return true
}

// result gives the steps of a section without options, or its options with what is common to all baked in.
func (c *collector) result() ([]Step, []Option) {
	a := arrange(c.groups)
	if len(a.options) == 0 {
		return flat(a.before), nil
	}
	options := make([]Option, len(a.options))
	for i, o := range a.options {
		options[i] = Option{Number: o.number, Title: o.title, Steps: slices.Concat(flat(a.before), flat(o.groups), flat(a.after))}
	}
	return nil, options
}

func flat(groups []group) []Step {
	var steps []Step
	for _, g := range groups {
		steps = append(steps, g.steps...)
	}
	return steps
}

func upper(s string) string {
	if s == "" {
		return s
	}
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}
