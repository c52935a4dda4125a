// Package drift compares a table of Cassandra with the table of PostgreSQL that a pipeline copies it to. It exists because
// a sink that fails with "column … does not exist" or "is of type … but expression is of type …" names one column of one
// record, and a person wants the whole difference and the ALTER TABLE that mends it. It is pure: columns in, rows out;
// who reads the columns is the caller's business.
package drift

import (
	"slices"
	"strings"
)

// Key says how a column belongs to the key of its table, in the words of Cassandra's system_schema.columns, so that a
// kind from there needs no translation; every other text is no key.
type Key string

// The kinds of key. PostgreSQL knows only Primary.
const (
	Partition  Key = "partition_key"
	Clustering Key = "clustering"
	Primary    Key = "primary"
)

func (k Key) part() bool { return k == Partition || k == Clustering || k == Primary }

// Column is a column of either table. Cassandra's have no NotNull, HasDefault and Generated.
type Column struct {
	Name       string // as the catalog has it, without quotes
	Type       string // as the catalog writes it: "frozen<list<int>>", "character varying(20)"
	Key        Key
	NotNull    bool
	HasDefault bool // a value of its own when an INSERT names none
	Generated  bool // an INSERT may not give a value: GENERATED ALWAYS
}

// Table is a table with its columns. Names are as the catalog has them, without quotes; the Schema may be empty.
type Table struct {
	Schema, Name string
	Columns      []Column
}

// String is the name as SQL writes it, always in double quotes: what is a keyword differs between versions.
func (t Table) String() string {
	if t.Schema == "" {
		return quote(t.Name)
	}
	return quote(t.Schema) + "." + quote(t.Name)
}

// Kind is what a row says about a column.
type Kind string

// The kinds of rows.
const (
	Missing  Kind = "missing"  // in Cassandra, not in PostgreSQL
	Type     Kind = "type"     // PostgreSQL refuses the values
	Narrow   Kind = "narrow"   // PostgreSQL takes the values, but not all of them, or rounds them
	Doubtful Kind = "doubtful" // depends on what the connectors are told, or cannot be judged
	Required Kind = "required" // NOT NULL, where Cassandra may have no value
	Written  Kind = "written"  // PostgreSQL works the value out itself and refuses the sink's
	Case     Kind = "case"     // the names differ by case alone
	Extra    Kind = "extra"    // in PostgreSQL, not in Cassandra
	Keys     Kind = "keys"     // the keys of the tables differ
)

// Row is one difference.
type Row struct {
	Kind   Kind
	Column string // its name in PostgreSQL, or the name it must get there; empty for Keys
	Source string // its type in Cassandra; for Keys the columns of the key
	Sink   string // its type in PostgreSQL; for Keys the columns of the key
	Why    string // a sentence for people, without a period
	// Statement mends the row and loses nothing; empty when no statement does, and then Why says what to do.
	Statement string
	// Breaks says that records fail or lose something, now or with some value.
	Breaks bool
}

// Drift is the difference of two tables: what breaks first, otherwise in the order of the columns.
type Drift struct {
	Source, Sink Table
	Rows         []Row
}

// Breaks says whether records fail or lose something because of the difference.
func (d Drift) Breaks() bool {
	return slices.ContainsFunc(d.Rows, func(r Row) bool { return r.Breaks })
}

// Statements are the ALTER TABLEs that mend what can be mended without losing anything. What is left has no statement,
// and its row says what to do.
func (d Drift) Statements() []string {
	var list []string
	for _, r := range d.Rows {
		if r.Statement != "" {
			list = append(list, r.Statement)
		}
	}
	return list
}

// Options say what is no drift.
type Options struct {
	// Ignore are names of columns that only PostgreSQL has and Cassandra need not have; * stands for any text.
	// Debezium's own when nil.
	Ignore []string
	// Quoted is the sink's quote.identifiers: it writes names as Cassandra has them. Without it, which is the default,
	// PostgreSQL folds them to lower case.
	Quoted bool
}

// written is the name that PostgreSQL looks for when the sink writes name.
func (o Options) written(name string) string {
	if o.Quoted {
		return name
	}
	return strings.ToLower(name)
}

// debezium are the columns that Debezium adds to a row (ExtractNewRecordState prefixes them with two underscores), and
// what is left of its envelope when a transform only flattens it.
var debezium = []string{
	"__*", "op", "ts_ms", "ts_us", "ts_ns", "source.*", "source_*",
	"after.*.deletion_ts", "after.*.set", "after_*_deletion_ts", "after_*_set",
}

// Compare finds the difference between a table of Cassandra and the table of PostgreSQL it is copied to, with the default
// Options.
func Compare(source, sink Table) Drift { return Options{}.Compare(source, sink) }

// Compare finds the difference between a table of Cassandra and the table of PostgreSQL it is copied to.
func (o Options) Compare(source, sink Table) Drift {
	if o.Ignore == nil {
		o.Ignore = debezium
	}
	c := comparison{source: source, sink: sink, pairs: match(source.Columns, sink.Columns, o.written), written: o.written}
	for i := range source.Columns {
		c.sourceColumn(i)
	}
	for i, column := range sink.Columns {
		if _, paired := c.pairs.of[i]; !paired && !o.ignored(column.Name) {
			c.extra(column)
		}
	}
	c.keys()
	slices.SortStableFunc(c.rows, breaksFirst)
	return Drift{Source: source, Sink: sink, Rows: c.rows}
}

func (o Options) ignored(name string) bool {
	return slices.ContainsFunc(o.Ignore, func(pattern string) bool { return like(pattern, name) })
}

// like matches a name with a pattern in which * stands for any text.
func like(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	last := len(parts) - 1
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok || last == 0 {
		return ok && rest == ""
	}
	for _, part := range parts[1:last] {
		if _, rest, ok = strings.Cut(rest, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(rest, parts[last])
}

func breaksFirst(a, b Row) int {
	switch {
	case a.Breaks == b.Breaks:
		return 0
	case a.Breaks:
		return -1
	}
	return 1
}
