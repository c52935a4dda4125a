package diagnosis

import (
	"fmt"
	"slices"
	"strings"
)

// Compare says what is different from an earlier diagnosis of the same incident, in sentences without their full stops;
// nothing when it says the same.
func (d Diagnosis) Compare(before Diagnosis) []string {
	var list []string
	was, is := before.Top(), d.Top()
	switch {
	case was.Slug != is.Slug:
		list = append(list, fmt.Sprintf("the cause is now %s, before it was %s", lower(is.Title), lower(was.Title)))
	case was.Confidence-is.Confidence >= 0.2:
		list = append(list, fmt.Sprintf("%s is less sure than before (%.0f %%, was %.0f %%)", lower(is.Title), 100*is.Confidence, 100*was.Confidence))
	case is.Confidence-was.Confidence >= 0.2:
		list = append(list, fmt.Sprintf("%s is surer than before (%.0f %%, was %.0f %%)", lower(is.Title), 100*is.Confidence, 100*was.Confidence))
	}
	switch {
	case is.Retriable && !was.Retriable:
		list = append(list, "a restart can help now")
	case was.Retriable && !is.Retriable && is.Slug != None:
		list = append(list, "a restart cannot help any more")
	}
	sick, healed := news(before.sick(), d.sick())
	if len(sick) > 0 {
		list = append(list, "newly failing: "+some(sick))
	}
	if len(healed) > 0 {
		list = append(list, "no longer failing: "+some(healed))
	}
	for _, p := range d.Probes {
		i := slices.IndexFunc(before.Probes, func(q Probe) bool { return q.Name == p.Name })
		switch {
		case i < 0 || before.Probes[i].OK == p.OK:
		case p.OK:
			list = append(list, p.Name+" answers again")
		default:
			list = append(list, p.Name+" does not answer any more")
		}
	}
	return list
}

// sick are the connectors that are not well, by name.
func (d Diagnosis) sick() []string {
	var names []string
	for _, l := range d.Subjects {
		if l.State != "RUNNING" || len(l.Failed) > 0 {
			names = append(names, l.Connector)
		}
	}
	slices.Sort(names)
	return names
}

// news are those that are only in the second list, and those that are only in the first.
func news(before, now []string) (came, went []string) {
	for _, n := range now {
		if !slices.Contains(before, n) {
			came = append(came, n)
		}
	}
	for _, n := range before {
		if !slices.Contains(now, n) {
			went = append(went, n)
		}
	}
	return came, went
}

func some(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
	}
	return strings.Join(names, ", ")
}

func lower(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
