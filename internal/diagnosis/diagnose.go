package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cdcbot/internal/connect"
)

// longestHeadline is what a phone shows of a notification, in characters.
const longestHeadline = 150

// longestName is what a headline spends on the connector's name.
const longestName = 60

// mostRemarks bounds the evidence shown for one cause; what is beyond repeats the same on other connectors.
const mostRemarks = 8

// Diagnose says what the evidence means. It is pure: the same evidence gives the same diagnosis. Traces argue through
// rules and the runbook's symptoms, statuses through what they show and hide, and probes confirm or refute both.
func Diagnose(e Evidence) Diagnosis {
	x := examination{Evidence: e, known: map[string]reading{}}
	x.traces()
	x.statuses()
	x.workers()
	x.probes()
	x.facts()
	x.rank()
	x.abstain()
	d := Diagnosis{At: e.At, Causes: x.finish(), Probes: e.Probes, Subjects: lines(e.Subjects), Flows: e.Flows, Unread: e.Unread,
		Clocks: clocks(e.Bounds, e.Leases, e.At), Healers: x.healing()}
	d.Trace, d.Excerpt = x.trace(d.Top())
	d.Headline = x.headline(d.Top())
	return d
}

// examination is a diagnosis in the making.
type examination struct {
	Evidence
	known  map[string]reading // by class and trace: 500 tasks that fail alike are read once
	seen   []Pattern
	causes []*candidate
	failed int // tasks and connectors that FAILED, for shares
}

// candidate is a cause in the making.
type candidate struct {
	Cause
	said     string
	retry    retry
	strength float64 // of its best claim, before rivals took their share
	next     string  // for the headline, when it is not what is usual for the slug
	hits     int     // failed parts that it explains
	section  string  // claimed by a symptom of the runbook alone
	first    spot    // where it was seen first
	standing bool    // a probe sees it now
	sources  map[string]int
}

// spot is one failed part.
type spot struct {
	connector string
	trace     string // the one that told
	key       string // under which it was read
}

// traces reads every trace of every failed part, and the worker's log where there is one.
func (x *examination) traces() {
	for _, s := range x.Subjects {
		parts := failedParts(s)
		var mute []failedPart
		clear := len(parts) > 0
		for _, p := range parts {
			best := x.part(s, p)
			clear = clear && best >= 0.5
			if best == 0 {
				mute = append(mute, p)
			}
		}
		if len(parts) == 0 || x.log(s, clear) {
			continue
		}
		for _, p := range mute {
			x.unexplained(s, p)
		}
	}
}

// failedPart is a connector or a task that FAILED.
type failedPart struct{ source, trace string }

func failedParts(s Subject) []failedPart {
	var parts []failedPart
	traced := slices.ContainsFunc(s.Status.Tasks, func(t connect.Task) bool { return t.Trace != "" })
	if gone(s.Status.State) && s.Status.Trace != "" || s.Status.State == connect.Failed && !traced {
		parts = append(parts, failedPart{"trace of " + s.Connector, s.Status.Trace})
	}
	for _, t := range s.Status.Tasks {
		if t.State == connect.Failed || gone(t.State) && t.Trace != "" {
			parts = append(parts, failedPart{"trace of " + s.Connector + " task " + strconv.Itoa(t.ID), t.Trace})
		}
	}
	return parts
}

// gone are the states of what runs nowhere; a trace that is shown there says why.
func gone(s connect.State) bool {
	return s == connect.Failed || s == connect.Unassigned || s == connect.Destroyed
}

// shows says whether a failed part still has this trace. Another part with another trace fails for a reason of its own.
func (s Subject) shows(trace string) bool {
	return slices.ContainsFunc(failedParts(s), func(p failedPart) bool { return p.trace == trace })
}

// part files what the traces of one failed part say, and returns how sure the best of it is. The first trace since it was
// healthy tells more than the last.
func (x *examination) part(s Subject, p failedPart) float64 {
	x.failed++
	share, best := 1.0, 0.0
	if s.First != "" && !s.shows(s.First) {
		first := x.read(s.First, s)
		if x.file(s, "first "+p.source, s.First, first.claims, 1) {
			best = first.claims[0].confidence
		}
		if best >= 0.5 {
			share = overwritten
		}
	}
	claims := x.read(p.trace, s).claims
	if x.file(s, p.source, p.trace, claims, share) {
		best = max(best, claims[0].confidence*share)
	}
	return best
}

// unexplained is a part that neither its trace nor anything else gives a reason for.
func (x *examination) unexplained(s Subject, p failedPart) {
	c := x.candidate(Unknown, "")
	c.meet(s, x.spot(s, p.trace))
	c.Confidence = max(c.Confidence, 0.3)
	c.add(x.remark(unexplained(x.read(p.trace, s).chain), p.source))
}

func unexplained(c Chain) string {
	if len(c.Links) == 0 {
		return "FAILED, and the worker keeps no trace"
	}
	return "not recognised: " + clip(plain(head(c.Root().Header(), 1024)), 260)
}

// read reads a trace of a subject. The connector's class tells whose failure it is where the trace does not.
func (x *examination) read(trace string, s Subject) reading {
	r, ok := x.known[key(s, trace)]
	if !ok {
		r = read(trace, x.Patterns, x.Sections, ofClass(s.Config["connector.class"]))
		x.known[key(s, trace)] = r
		x.seen = append(x.seen, r.seen...)
	}
	return r
}

// file adds the claims of one trace to the causes, and says whether there were any.
func (x *examination) file(s Subject, source, trace string, claims []claim, share float64) bool {
	for i, k := range claims {
		c := x.candidate(k.slug, k.section)
		if conf := k.confidence * share; conf > c.Confidence {
			c.Confidence = conf
			c.said, c.retry = k.said, k.retry
		}
		c.strength = max(c.strength, k.strength*share)
		if i == 0 && share == 1 {
			c.hits++
		}
		c.meet(s, x.spot(s, trace))
		for _, text := range k.remarks {
			c.add(x.remark(text, source))
		}
	}
	return len(claims) > 0
}

func (x *examination) remark(text, source string) Remark {
	return Remark{Text: text, Source: source, At: x.At}
}

func (x *examination) candidate(slug Slug, section string) *candidate {
	for _, c := range x.causes {
		if c.Slug == slug && c.section == section {
			return c
		}
	}
	c := &candidate{section: section, sources: map[string]int{}}
	c.Slug, c.Title = slug, mannerOf(slug).title
	x.causes = append(x.causes, c)
	return c
}

func (x *examination) has(slug Slug) (*candidate, bool) {
	for _, c := range x.causes {
		if c.Slug == slug && c.section == "" {
			return c, true
		}
	}
	return nil, false
}

func (x *examination) spot(s Subject, trace string) spot {
	return spot{s.Connector, trace, key(s, trace)}
}

func key(s Subject, trace string) string { return s.Config["connector.class"] + "\x00" + trace }

// meet notes a failed part that the candidate may explain.
func (c *candidate) meet(s Subject, at spot) {
	if c.first.connector == "" {
		c.first = at
	}
	if !slices.Contains(c.Connectors, s.Connector) {
		c.Connectors = append(c.Connectors, s.Connector)
	}
}

// add keeps a remark; the same words from several tasks are said once, with a count.
func (c *candidate) add(r Remark) {
	if c.sources[r.Text]++; c.sources[r.Text] > 1 {
		return
	}
	if len(c.For) < mostRemarks {
		c.For = append(c.For, r)
	}
}

// believe strengthens a cause by one more witness.
func (c *candidate) believe(weight float64) {
	c.Confidence = min(certain, 1-(1-c.Confidence)*(1-weight))
}

// rank orders causes by how sure they are and how much of the failure they explain.
func (x *examination) rank() {
	score := func(c *candidate) float64 {
		share := 1.0
		if x.failed > 0 && c.hits > 0 {
			share = float64(c.hits) / float64(x.failed)
		}
		return c.Confidence * (0.6 + 0.4*share)
	}
	slices.SortStableFunc(x.causes, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(score(b), score(a)), cmp.Compare(a.Slug, b.Slug), cmp.Compare(a.section, b.section))
	})
}

// tooWeak is how sure the best cause must be to stand first: below it, that the cause is unknown is the better answer.
const tooWeak = 0.4

// abstain puts Unknown before causes that are hardly more than a word in a text.
func (x *examination) abstain() {
	if len(x.causes) == 0 || x.causes[0].Confidence >= tooWeak || x.causes[0].strength >= wellKnown || x.causes[0].Slug == None || x.causes[0].Slug == Unknown {
		return
	}
	best := x.causes[0]
	c := x.candidate(Unknown, "")
	c.Confidence = 1 - best.Confidence
	c.said = "the cause is not clear"
	if c.first.connector == "" {
		c.first, c.Connectors, c.For, c.sources = best.first, slices.Clone(best.Connectors), slices.Clone(best.For), best.sources
	}
	x.causes = slices.DeleteFunc(x.causes, func(o *candidate) bool { return o == c })
	x.causes = slices.Insert(x.causes, 0, c)
}

// finish writes the causes out, each with its section and what a restart would do.
func (x *examination) finish() []Cause {
	if len(x.causes) == 0 {
		return []Cause{x.none()}
	}
	var list []Cause
	for _, c := range x.causes {
		if len(list) > 0 && c.Confidence < least {
			continue
		}
		list = append(list, x.cause(c))
	}
	return list
}

func (x *examination) cause(c *candidate) Cause {
	m := mannerOf(c.Slug)
	out := c.Cause
	out.Section = cmp.Or(c.section, sectionFor(c.Slug, x.Sections, x.seen))
	if title, ok := titleOf(c.section, x.Sections); ok {
		out.Title = title
	}
	if out.Why == "" {
		out.Retriable, out.Why = m.helps, m.why
		switch {
		case c.retry == futile && m.helps:
			out.Retriable, out.Why = false, "a restart would meet the same: "+c.said
		case c.retry == helps:
			out.Retriable, out.Why = true, "a restarted task begins anew, and what stopped it may have passed"
		}
	}
	slices.Sort(out.Connectors)
	out.For = slices.Clone(c.For)
	for i, r := range out.For {
		if n := c.sources[r.Text]; n > 1 {
			out.For[i].Source = fmt.Sprintf("%s and %d more", r.Source, n-1)
		}
	}
	return out
}

func (x *examination) none() Cause {
	m := mannerOf(None)
	c := Cause{Slug: None, Title: m.title, Confidence: 0.9, Why: m.why, Connectors: []string{}}
	for _, s := range x.Subjects {
		if len(c.For) < mostRemarks {
			c.For = append(c.For, x.remark(fmt.Sprintf("%s is %s with %d task(s)", s.Connector, s.Status.State, len(s.Status.Tasks)), "status of "+s.Connector))
		}
		c.Connectors = append(c.Connectors, s.Connector)
	}
	if len(x.Subjects) == 0 {
		c.Slug, c.Title, c.Confidence, c.Why = Unknown, mannerOf(Unknown).title, 0.1, "nothing was seen: no connector answered for"
	}
	return c
}

// trace returns the whole trace that the top cause rests on, and the lines of it that matter.
func (x *examination) trace(top Cause) (trace, excerpt string) {
	for _, c := range x.causes {
		if c.Slug == top.Slug && c.first.trace != "" && (c.section == "" || c.section == top.Section) {
			return c.first.trace, x.known[c.first.key].chain.excerpt()
		}
	}
	return "", ""
}

func (c Chain) excerpt() string {
	const longest = 1500
	if len(c.Links) == 1 && c.Links[0].Class == "" {
		return clip(c.Links[0].Message, longest)
	}
	return c.Excerpt(longest)
}

func (x *examination) headline(top Cause) string {
	who := x.who(top.Connectors)
	if top.Slug == None && !top.Halted {
		return clip(who+": healthy, nothing has failed", longestHeadline)
	}
	m := mannerOf(top.Slug)
	said, next := strings.ToLower(top.Title[:1])+top.Title[1:], m.next
	for _, c := range x.causes {
		if c.Slug == top.Slug && (c.section == "" || c.section == top.Section) {
			said, next = cmp.Or(c.said, said), cmp.Or(c.next, restart(m, top, c.retry))
			break
		}
	}
	who = clip(who, longestName)
	room := longestHeadline - len([]rune(who+": "+" — "+next))
	return clip(who+": "+clip(said, room)+" — "+next, longestHeadline)
}

// restart says in a few words what a restart would do.
func restart(m manner, c Cause, r retry) string {
	switch {
	case r == helps || c.Retriable && !m.helps:
		return "a restart can help"
	case r == futile && m.helps:
		return "a restart cannot help before that is mended"
	}
	return m.next
}

// who names the connectors a headline is about.
func (x *examination) who(names []string) string {
	switch len(names) {
	case 0:
		if len(x.Subjects) > 0 && x.Subjects[0].Cluster != "" {
			return x.Subjects[0].Cluster
		}
		return "pipeline"
	case 1:
		return names[0]
	case 2:
		return names[0] + " and " + names[1]
	}
	return fmt.Sprintf("%d connectors", len(names))
}

// lines are the card's table: what is wrong first, then by name.
func lines(subjects []Subject) []Line {
	list := make([]Line, 0, len(subjects))
	for _, s := range subjects {
		l := Line{Connector: s.Connector, State: string(s.Status.State), Tasks: len(s.Status.Tasks), Failed: s.Status.Failed(), Worker: s.Status.WorkerID}
		if s.StatusErr != "" {
			l.State = "UNKNOWN"
		}
		list = append(list, l)
	}
	bad := func(l Line) int {
		if l.State == string(connect.Running) && len(l.Failed) == 0 && l.Tasks > 0 {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b Line) int {
		return cmp.Or(cmp.Compare(bad(a), bad(b)), cmp.Compare(a.Connector, b.Connector))
	})
	return list
}
