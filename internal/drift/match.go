package drift

import "strings"

// style is how the columns of PostgreSQL are named after those of Cassandra.
type style struct{ before, after string }

// styles begin with the plain one. The others come of a transform that flattens Debezium's envelope, in which a column is
// a cell {value, deletion_ts, set} of the row "after".
var styles = []style{{}, {"after.", ".value"}, {"after_", "_value"}}

// name is what PostgreSQL calls a column of Cassandra.
func (s style) name(column string) string { return s.before + column + s.after }

// column is what Cassandra calls a column of PostgreSQL.
func (s style) column(name string) (string, bool) {
	rest, before := strings.CutPrefix(name, s.before)
	rest, after := strings.CutSuffix(rest, s.after)
	return rest, before && after
}

// pairs say which columns belong together.
type pairs struct {
	of    map[int]int   // index in the sink → index in the source
	with  map[int][]int // index in the source → indexes in the sink: a flattened key is there twice
	style style         // of most
}

// match pairs columns of the name that the sink writes first, then those that differ by case alone.
func match(source, sink []Column, written func(string) string) pairs {
	p := pairs{of: map[int]int{}, with: map[int][]int{}}
	used := make([]int, len(styles))
	p.pass(source, sink, written, func(s string) string { return s }, used)
	p.pass(source, sink, strings.ToLower, strings.ToLower, used)
	for i, n := range used {
		if n > used[0] {
			p.style, used[0] = styles[i], n
		}
	}
	return p
}

// pass pairs what has no pair yet, by what each side's names become.
func (p *pairs) pass(source, sink []Column, left, right func(string) string, used []int) {
	names := make(map[string]int, len(source))
	for i, c := range source {
		_, twice := names[left(c.Name)]
		if _, done := p.with[i]; !done && !twice {
			names[left(c.Name)] = i
		}
	}
	for i, c := range sink {
		if _, done := p.of[i]; done {
			continue
		}
		for k, s := range styles {
			name, ok := s.column(c.Name)
			if j, found := names[right(name)]; ok && found {
				p.of[i] = j
				p.with[j] = append(p.with[j], i)
				used[k]++
				break
			}
		}
	}
}
