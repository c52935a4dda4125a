package drift

import (
	"fmt"
	"slices"
	"strings"
)

// comparison is two tables while their rows are found.
type comparison struct {
	source, sink Table
	pairs        pairs
	written      func(string) string // the name that PostgreSQL looks for
	rows         []Row
}

func (c *comparison) add(r Row) { c.rows = append(c.rows, r) }

// sourceColumn compares a column of Cassandra with what PostgreSQL has of it.
func (c *comparison) sourceColumn(i int) {
	column := c.source.Columns[i]
	if len(c.pairs.with[i]) == 0 {
		c.missing(column)
		return
	}
	for _, j := range c.pairs.with[i] {
		c.pair(column, c.sink.Columns[j])
	}
}

func (c *comparison) missing(column Column) {
	r := Row{Kind: Missing, Column: c.written(c.pairs.style.name(column.Name)), Source: column.Type, Breaks: true, Why: "missing in PostgreSQL"}
	t, err := parseCQL(column.Type)
	if err != nil || c.twice(column.Name) {
		r.Why += "; its type is not understood: add the column by hand"
		if err == nil {
			r.Why = "another column of Cassandra differs by case alone: the sink must write names in quotes (quote.identifiers=true)"
		}
		c.add(r)
		return
	}
	m := mapped(t)
	r.Statement = c.alter("ADD COLUMN " + quote(r.Column) + " " + m.best)
	if m.note != "" {
		r.Why += "; " + m.note
	}
	c.add(r)
}

// twice says whether the sink writes several columns under one name.
func (c *comparison) twice(name string) bool {
	return slices.ContainsFunc(c.source.Columns, func(s Column) bool {
		return s.Name != name && c.written(s.Name) == c.written(name)
	})
}

// pair compares two columns that belong together.
func (c *comparison) pair(source, sink Column) {
	c.names(source, sink)
	if sink.Generated {
		c.add(Row{
			Kind: Written, Column: sink.Name, Source: source.Type, Sink: sink.Type, Breaks: true,
			Why: "PostgreSQL works the value out itself (GENERATED ALWAYS) and refuses the sink's; make it a plain column by hand",
		})
		return
	}
	c.types(source, sink)
	if sink.NotNull && !source.Key.part() && !sink.Key.part() {
		c.add(Row{
			Kind: Required, Column: sink.Name, Source: source.Type, Sink: sink.Type, Breaks: true,
			Why:       "NOT NULL in PostgreSQL, but Cassandra may have no value",
			Statement: c.alter("ALTER COLUMN " + quote(sink.Name) + " DROP NOT NULL"),
		})
	}
}

// names says what the case of a name means: nothing where both tables have it in lower case.
func (c *comparison) names(source, sink Column) {
	wanted := ""
	for _, s := range styles {
		if bare, ok := s.column(sink.Name); ok && strings.EqualFold(bare, source.Name) {
			wanted = c.written(s.name(source.Name))
			break
		}
	}
	r := Row{Kind: Case, Column: sink.Name, Source: source.Type, Sink: sink.Type, Why: "called " + quote(source.Name) + " in Cassandra"}
	switch {
	case sink.Name != wanted:
		r.Breaks = true
		r.Why += ", where the sink looks for " + quote(wanted) + ": rename it by hand, or change the sink's quote.identifiers"
	case strings.Contains(sink.Name, source.Name): // to the letter
		return
	default:
		r.Why += ": fits while the sink writes names without quotes (quote.identifiers=false)"
	}
	c.add(r)
}

func (c *comparison) types(source, sink Column) {
	v := judge(source.Type, sink.Type)
	if v.kind == "" {
		return
	}
	r := Row{Kind: v.kind, Column: sink.Name, Source: source.Type, Sink: sink.Type, Why: v.why, Breaks: v.kind != Doubtful}
	switch {
	case v.kind == Doubtful:
	case v.mend == "":
		r.Why += fmt.Sprintf("; %s would fit, but changing the type may fail or lose values: by hand", v.best)
	default:
		r.Why += "; " + v.mend + " fits and loses nothing"
		// No USING: every widening has a cast of its own that PostgreSQL applies to an assignment.
		r.Statement = c.alter("ALTER COLUMN " + quote(sink.Name) + " TYPE " + v.mend)
	}
	c.add(r)
}

// extra is a column that only PostgreSQL has.
func (c *comparison) extra(sink Column) {
	r := Row{Kind: Extra, Column: sink.Name, Sink: sink.Type, Why: "only in PostgreSQL, harmless"}
	if sink.NotNull && !sink.HasDefault && !sink.Generated {
		r.Breaks = true
		r.Why = "only in PostgreSQL, NOT NULL without a default: every insert fails"
		if !sink.Key.part() {
			r.Statement = c.alter("ALTER COLUMN " + quote(sink.Name) + " DROP NOT NULL")
		}
	}
	c.add(r)
}

// keys compares what makes a row one row: an upsert names Cassandra's key and needs a unique index over just that.
func (c *comparison) keys() {
	source, sink := map[string]bool{}, map[string]bool{}
	for _, column := range c.source.Columns {
		if column.Key.part() {
			source[strings.ToLower(column.Name)] = true
		}
	}
	for i, column := range c.sink.Columns {
		if !column.Key.part() {
			continue
		}
		name := column.Name
		if j, paired := c.pairs.of[i]; paired {
			name = c.source.Columns[j].Name
		}
		sink[strings.ToLower(name)] = true
	}
	if len(source) == 0 || same(source, sink) {
		return
	}
	r := Row{Kind: Keys, Source: keyText(c.source), Sink: keyText(c.sink), Breaks: true}
	r.Why = "upserts fail without a unique index over Cassandra's key, and rows are taken for one another; make the key by hand"
	c.add(r)
}

func same(a, b map[string]bool) bool {
	for name := range a {
		if !b[name] {
			return false
		}
	}
	return len(a) == len(b)
}

// keyText is the key of a table for people.
func keyText(t Table) string {
	var names []string
	for _, c := range t.Columns {
		if c.Key.part() {
			names = append(names, c.Name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return "(" + strings.Join(names, ", ") + ")"
}

func (c *comparison) alter(what string) string { return "ALTER TABLE " + c.sink.String() + " " + what }

// quote is a name in double quotes.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
