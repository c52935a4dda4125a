package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Confidence. A row's weight is how often its slug is right when the row fits and nothing else is known. It counts whole
// at the deepest cause, less further out and least on a mere wrapper. What several rows say for one slug adds up as
// independent witnesses do (1-Π(1-w)); a row against takes its share away (×(1-w)). No text is believed more than
// certain, and the confidences of one failure never sum to more than 1: rivals share.
const (
	atRoot    = 1.0
	atCause   = 0.9
	atWrapper = 0.8
	// A cause that only outer links speak of gives way to one that a deeper link names.
	shallow = 0.6
	certain = 0.97
	// A trace that overwrote an earlier one since the connector was last healthy tells less: a2 of the lab.
	overwritten = 0.3
	// A symptom of the runbook argues like a row of this weight.
	symptomWeight = 0.35
	// The least confidence that is worth a line.
	least = 0.1
)

// claim is what a trace says for one slug.
type claim struct {
	slug       Slug
	confidence float64
	strength   float64 // before rivals took their share
	said       string
	retry      retry
	remarks    []string
	echoes     []string // of causes that only repeat what a deeper one says; told when there is nothing else
	section    string   // set when a runbook's symptom made the claim and its section is of no known class

	deepest int // of the links that it was argued from

	doubt float64 // Π(1-w) of the rows that argue for it
	blame float64 // Π(1-w) of the rows that argue against it
	best  float64 // weight of the row that said is from
}

// reading is a trace, understood.
type reading struct {
	chain  Chain
	claims []claim   // most likely first; may be empty
	seen   []Pattern // symptoms of the runbook that occur in it
}

// read parses a trace and lets rules and the runbook's patterns argue about it. The usual origin is that of the connector's
// class, for a trace that names no system.
func read(trace string, patterns []Pattern, sections []Section, usual origin) reading {
	c := ParseTrace(trace)
	if len(c.Links) == 0 && strings.TrimSpace(trace) != "" {
		c.Links = []Link{{Message: strings.TrimSpace(trace)}} // an error without a trace
	}
	whole := c
	c = c.unfold()
	b := bench{chain: c, origin: whence(c.Links, usual)}
	b.rules()
	seen := b.symptoms(patterns, sections)
	return reading{chain: whole, claims: b.verdict(), seen: seen}
}

// bench collects what is argued about one chain.
type bench struct {
	chain  Chain
	origin origin
	claims []claim
}

// rules lets every row argue once, at the link where it counts most. A general row is silent about a link that a row
// knows well; of several general rows for one slug the strongest speaks, because they are words for the same thing.
func (b *bench) rules() {
	links := make([]folded, len(b.chain.Links))
	told := make([]bool, len(links))
	for i, l := range b.chain.Links {
		links[i] = foldLink(l)
		told[i] = slices.ContainsFunc(known, func(r rule) bool {
			return r.knows() && r.fits(links[i], b.origin.system)
		})
	}
	for _, r := range known {
		if at, weight := b.strongest(r, links, nil); at >= 0 {
			b.argue(r, weight, at)
		}
	}
	type voice struct {
		rule
		weight float64
		at     int
	}
	loudest := map[string]voice{}
	var order []string
	for _, r := range general {
		at, weight := b.strongest(r, links, told)
		if at < 0 {
			continue
		}
		key := fmt.Sprint(r.slug, r.against)
		if _, ok := loudest[key]; !ok {
			order = append(order, key)
		}
		if weight > loudest[key].weight {
			loudest[key] = voice{r, weight, at}
		}
	}
	for _, key := range order {
		v := loudest[key]
		b.argue(v.rule, v.weight, v.at)
	}
}

// wellKnown is the weight of a row that makes general ones needless.
const wellKnown = 0.5

// knows says whether a row makes general ones needless where it fits: one that knows the words does; a class without
// its words only when nothing else is thrown by it.
func (r rule) knows() bool {
	return !r.against && (r.message != "" && r.weight >= wellKnown || r.weight >= 0.9) && !r.vague
}

// strongest is the link at which a row counts most, but not one of those left out; -1 when it fits none.
func (b *bench) strongest(r rule, links []folded, out []bool) (at int, weight float64) {
	at = -1
	for i := range links {
		if out != nil && out[i] || r.above && i == len(links)-1 {
			continue
		}
		if w := r.weight * b.position(i); w > weight && r.fits(links[i], b.origin.system) {
			at, weight = i, w
		}
	}
	return at, weight
}

func (b *bench) position(i int) float64 {
	switch {
	case i == b.chain.root():
		return atRoot
	case b.chain.Links[i].Wrapper:
		return atWrapper
	}
	return atCause
}

func (b *bench) argue(r rule, weight float64, at int) {
	l := b.chain.Links[at]
	c := b.claim(r.slug, "")
	if r.against {
		c.blame *= 1 - weight
		return
	}
	c.doubt *= 1 - weight
	c.deepest = max(c.deepest, at)
	remark := clip(plain(l.Simple()+": "+head(l.Message, 1024)), 300)
	if l.Message == "" {
		remark = l.Simple() + " (without a message)"
	}
	switch {
	case slices.Contains(c.remarks, remark) || slices.Contains(c.echoes, remark):
	case b.chain.repeated(at):
		c.echoes = append(c.echoes, remark)
	default:
		c.remarks = append(c.remarks, remark)
	}
	if weight > c.best {
		if i := slices.Index(c.remarks, remark); i > 0 { // the strongest remark stands first
			copy(c.remarks[1:i+1], c.remarks[:i])
			c.remarks[0] = remark
		}
		c.best, c.retry = weight, r.retry
		c.said = strings.NewReplacer("{system}", b.origin.name, "{message}", clip(plain(head(l.Message, 512)), 80)).Replace(r.said)
	}
}

// symptoms lets the runbook argue. A symptom of a section whose title is of no known class claims for that section.
func (b *bench) symptoms(patterns []Pattern, sections []Section) []Pattern {
	var seen []Pattern
	for _, p := range patterns {
		if !b.shows(p) {
			continue
		}
		seen = append(seen, p)
		title, known := titleOf(p.Section, sections)
		slug, section, text := slugOf(p.Hint), "", fmt.Sprintf("the runbook's error pattern “%s” → %s", p.Text, p.Hint)
		if known {
			slug, text = slugOf(title), fmt.Sprintf("the runbook's symptom “%s” of “%s”", p.Text, title)
		}
		if slug == "" && known {
			slug, section = Unknown, p.Section
		}
		if slug == "" {
			continue
		}
		c := b.claim(slug, section)
		c.doubt *= 1 - symptomWeight
		c.remarks = append(c.remarks, clip(text, 300))
		if c.said == "" && section != "" {
			c.said = title
		}
	}
	return seen
}

func (b *bench) shows(p Pattern) bool {
	for _, l := range b.chain.Links {
		if p.seenIn(fold(l.Header())) {
			return true
		}
	}
	return false
}

func (b *bench) claim(slug Slug, section string) *claim {
	for i := range b.claims {
		if b.claims[i].slug == slug && b.claims[i].section == section {
			return &b.claims[i]
		}
	}
	b.claims = append(b.claims, claim{slug: slug, section: section, doubt: 1, blame: 1})
	return &b.claims[len(b.claims)-1]
}

// verdict turns what was argued to confidences.
func (b *bench) verdict() []claim {
	var list []claim
	sum, deepest := 0.0, 0
	for _, c := range b.claims {
		if (1-c.doubt)*c.blame >= wellKnown {
			deepest = max(deepest, c.deepest)
		}
	}
	for _, c := range b.claims {
		c.confidence = min(certain, (1-c.doubt)*c.blame)
		if c.deepest < deepest {
			c.confidence *= shallow
		}
		if len(c.remarks) == 0 {
			c.remarks = c.echoes
		}
		c.strength = c.confidence
		if c.confidence > 0 {
			list = append(list, c)
			sum += c.confidence
		}
	}
	for i := range list {
		list[i].confidence /= max(1, sum)
	}
	list = slices.DeleteFunc(list, func(c claim) bool { return c.confidence < least })
	slices.SortStableFunc(list, func(a, b claim) int { return cmp.Compare(b.confidence, a.confidence) })
	return list
}

func titleOf(id string, sections []Section) (string, bool) {
	for _, s := range sections {
		if id != "" && s.ID == id {
			return s.Title, true
		}
	}
	return "", false
}
