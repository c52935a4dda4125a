package drift

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sinkTypes are what a column of PostgreSQL may be of; the model narrows some of them.
var sinkTypes = []string{
	"text", "character varying(20)", "character(2)", "character varying", "smallint", "integer", "bigint", "numeric", "numeric(10,2)", "numeric(38,-1)",
	"real", "double precision", "boolean", "bytea", "date", "timestamp(0) without time zone", "timestamp without time zone", "timestamp with time zone",
	"time without time zone", "interval", "uuid", "inet", "json", "jsonb", "text[]", "smallint[]", "character varying(3)[]", `shop."Size"`,
}

// aType draws a type of CQL.
func aType(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if depth > 2 || rapid.IntRange(0, 3).Draw(t, "shape") > 0 {
			var scalars []string
			for name, a := range arities {
				if a.most == 0 {
					scalars = append(scalars, name)
				}
			}
			slices.Sort(scalars)
			return rapid.SampledFrom(append(scalars, "frozen<address>")).Draw(t, "scalar")
		}
		shape := rapid.SampledFrom([]string{"list<%s>", "frozen<set<%s>>", "map<text, %s>", "tuple<int, %s>", "vector<%s, 3>"}).Draw(t, "collection")
		return fmt.Sprintf(shape, aType(depth+1).Draw(t, "element"))
	})
}

// aSource draws a table of Cassandra whose names have capitals, quotes and keywords in them.
func aSource() *rapid.Generator[Table] {
	return rapid.Custom(func(t *rapid.T) Table {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[aAbB"é]{1,3}|order|op|value`), 1, 12, rapid.ID[string]).Draw(t, "names")
		table := Table{Schema: "shop", Name: "orders"}
		for i, name := range names {
			c := Column{Name: name, Type: aType(0).Draw(t, "type")}
			if i == 0 {
				c.Key = Partition
			}
			table.Columns = append(table.Columns, c)
		}
		return table
	})
}

// mappedTable is the table that PostgreSQL must have.
func mappedTable(t *rapid.T, source Table) Table {
	sink := Table{Name: "cdc_orders"}
	for _, c := range source.Columns {
		parsed, err := parseCQL(c.Type)
		if err != nil {
			t.Fatal(err)
		}
		mapped := Column{Name: c.Name, Type: mapped(parsed).best}
		if c.Key.part() {
			mapped.Key, mapped.NotNull = Primary, true
		}
		sink.Columns = append(sink.Columns, mapped)
	}
	return sink
}

// TestNoDrift: a table and what it is mapped to do not differ.
func TestNoDrift(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source := aSource().Draw(t, "source")
		if d := (Options{Quoted: true}).Compare(source, mappedTable(t, source)); len(d.Rows) > 0 {
			t.Fatalf("a table differs from what it is mapped to:\n%s", d)
		}
	})
}

// drifted draws changes to a table of PostgreSQL.
func drifted(t *rapid.T, sink Table) Table {
	var kept []Column
	for _, c := range sink.Columns {
		switch rapid.IntRange(0, 5).Draw(t, "change") {
		case 0:
			continue
		case 1:
			c.Type = rapid.SampledFrom(sinkTypes).Draw(t, "sink type")
		case 2:
			c.NotNull = true
		case 3:
			c.Name = strings.ToUpper(c.Name)
		}
		taken := slices.ContainsFunc(kept, func(k Column) bool { return k.Name == c.Name })
		if !taken {
			kept = append(kept, c)
		}
	}
	if rapid.Bool().Draw(t, "extra") {
		kept = append(kept, Column{Name: "legacy", Type: "text", NotNull: rapid.Bool().Draw(t, "required"), HasDefault: rapid.Bool().Draw(t, "default")})
	}
	return Table{Name: sink.Name, Columns: kept}
}

// TestStatementsMend: after the statements no row with a statement is left, and no row that was not there before breaks.
func TestStatementsMend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source := aSource().Draw(t, "source")
		sink := drifted(t, mappedTable(t, source))
		o := Options{Quoted: rapid.Bool().Draw(t, "quoted")}
		before := o.Compare(source, sink)
		after := o.Compare(source, apply(t, sink, before.Statements()))
		if left := after.Statements(); len(left) > 0 {
			t.Fatalf("before:\n%s\nafter:\n%s\nleft: %q", before, after, left)
		}
		for _, r := range after.Rows {
			was := slices.ContainsFunc(before.Rows, func(b Row) bool { return b.Kind == r.Kind && b.Column == r.Column && b.Statement == "" })
			if r.Breaks && !was {
				t.Fatalf("before:\n%s\nafter:\n%s\nnew: %s", before, after, r)
			}
		}
	})
}

// apply is PostgreSQL as far as the statements go.
func apply(t *rapid.T, table Table, statements []string) Table {
	table.Columns = slices.Clone(table.Columns)
	for _, s := range statements {
		rest, ok := strings.CutPrefix(s, "ALTER TABLE "+table.String()+" ")
		if !ok {
			t.Fatalf("%s: not of the table", s)
		}
		if rest, ok := strings.CutPrefix(rest, "ADD COLUMN "); ok {
			name, typ := cutName(t, rest)
			if find(table, name) >= 0 {
				t.Fatalf("%s: there is such a column", s)
			}
			table.Columns = append(table.Columns, Column{Name: name, Type: strings.TrimSpace(typ)})
			continue
		}
		name, what := cutName(t, strings.TrimPrefix(rest, "ALTER COLUMN "))
		i := find(table, name)
		if i < 0 {
			t.Fatalf("%s: there is no such column", s)
		}
		if typ, ok := strings.CutPrefix(what, " TYPE "); ok {
			table.Columns[i].Type = typ
		} else {
			table.Columns[i].NotNull = table.Columns[i].NotNull && what != " DROP NOT NULL"
		}
	}
	return table
}

func find(table Table, name string) int {
	return slices.IndexFunc(table.Columns, func(c Column) bool { return c.Name == name })
}

// cutName takes a quoted name off.
func cutName(t *rapid.T, s string) (name, rest string) {
	p := cqlParser{rest: s}
	name, err := p.quoted(`"`)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return name, p.rest
}

// BenchmarkCompare compares tables of 200 columns of which a tenth differs.
func BenchmarkCompare(b *testing.B) {
	types := []string{"text", "int", "timestamp", "map<text, frozen<list<int>>>", "decimal", "list<text>"}
	var source, sink Table
	for i := range 200 {
		typ := types[i%len(types)]
		parsed, err := parseCQL(typ)
		if err != nil {
			b.Fatal(err)
		}
		name := "column_" + strconv.Itoa(i)
		source.Columns = append(source.Columns, Column{Name: name, Type: typ})
		switch i % 20 {
		case 0:
		case 1:
			sink.Columns = append(sink.Columns, Column{Name: name, Type: "character varying(20)"})
		default:
			sink.Columns = append(sink.Columns, Column{Name: name, Type: mapped(parsed).best})
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		_ = Compare(source, sink)
	}
}
