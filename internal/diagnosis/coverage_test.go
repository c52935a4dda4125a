package diagnosis

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// uncovered prints the general patterns that no sample has.
var uncovered = flag.Bool("uncovered", false, "print the general patterns without a sample")

// mostUnsampled is how many wordings have no message of their own yet: they say in other words what another wording of
// their row says. It may only fall.
const mostUnsampled = 137

// Every row of the published and the general rules, and every class in it, occurs in a real message of what it argues for: in one of testdata,
// which names where it is from. So does each of a row's wordings, but for those that mostUnsampled counts.
func TestEveryPatternHasASample(t *testing.T) {
	seen := samplesOf(t)
	total, missing := 0, []string(nil)
	for i, g := range slices.Concat(published, groups) {
		rows := slices.DeleteFunc(spread([]group{g}), func(r rule) bool { return r.against })
		found := 0
		for _, r := range rows {
			r.system = anySystem
			switch {
			case slices.ContainsFunc(seen[g.slug], func(f folded) bool { return r.fits(f, anySystem) }):
				found++
			case i < len(published) && r.class == "":
				t.Errorf("%s: no sample has the published words %q", g.slug, r.message)
			case r.class != "":
				t.Errorf("%s: no sample has a class like %q", g.slug, r.class)
			default:
				missing = append(missing, string(g.slug)+"\t"+r.message)
			}
		}
		total += len(rows)
		if found == 0 {
			t.Errorf("row %d, %s %q: no sample at all", i+1, g.slug, g.messages)
		}
	}
	if *uncovered {
		fmt.Println(strings.Join(missing, "\n"))
	}
	if len(missing) > mostUnsampled {
		t.Errorf("%d of %d wordings have no sample, at most %d (-uncovered lists them): give each a message with its source in testdata/messages, or drop it", len(missing), total, mostUnsampled)
	}
}

// samplesOf are the links of every real message that we have, by what it argues for.
func samplesOf(t *testing.T) map[Slug][]folded {
	t.Helper()
	all := slices.Concat(corpus(t, "corpus"), corpus(t, "messages"))
	for _, s := range samples { // each names its source beside it
		all = append(all, labelled{Case: Case{Trace: s.trace}, Label: s.slug})
	}
	seen := map[Slug][]folded{}
	for _, l := range all {
		links := everyLink(l.Case)
		for _, slug := range append(l.Also, l.Label) {
			seen[slug] = append(seen[slug], links...)
		}
	}
	return seen
}

// everyLink are the links of all traces of a case, and the entries of its log.
func everyLink(c Case) []folded {
	traces := []string{c.Trace}
	for _, t := range c.Tasks {
		traces = append(traces, t.Trace)
	}
	for _, e := range readLog(c.WorkerLog) {
		body, words := e.body()
		traces = append(traces, body, words)
	}
	var list []folded
	for _, trace := range traces {
		if strings.TrimSpace(trace) == "" {
			continue
		}
		chain := ParseTrace(trace)
		if len(chain.Links) == 0 {
			chain.Links = []Link{{Message: strings.TrimSpace(trace)}}
		}
		for _, l := range slices.Concat(chain.Links, chain.unfold().Links) {
			list = append(list, foldLink(l))
		}
	}
	return list
}
