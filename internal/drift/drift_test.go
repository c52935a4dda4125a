package drift

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cql and pg make columns of "name type" texts; after the type stand words: key, !null, default, always.
func cql(columns ...string) Table { return table("warehouse", "orders", Partition, columns) }

func pg(columns ...string) Table { return table("", "cdc_orders", Primary, columns) }

func table(schema, name string, key Key, columns []string) Table {
	t := Table{Schema: schema, Name: name}
	for _, text := range columns {
		words := strings.Split(text, " ")
		c := Column{Name: words[0]}
		marks := map[string]func(){
			"key": func() { c.Key = key }, "!null": func() { c.NotNull = true }, "default": func() { c.HasDefault = true }, "always": func() { c.Generated = true },
		}
		last := len(words)
		for ; marks[words[last-1]] != nil; last-- {
			marks[words[last-1]]()
		}
		c.Type = strings.Join(words[1:last], " ")
		t.Columns = append(t.Columns, c)
	}
	return t
}

func TestCompare(t *testing.T) {
	tests := []struct {
		name         string
		source, sink Table
		lines        string // of Lines
		statements   string
	}{
		{"nothing", cql("id text key", "n int"), pg("id text key", "n integer"), "", ""},
		{
			"a column is missing", cql("id text key", "coupon text"), pg("id text key"),
			"+ coupon text  missing in PostgreSQL",
			`ALTER TABLE "cdc_orders" ADD COLUMN "coupon" text`,
		},
		{
			"a map is missing", cql("id text key", "tags map<text, int>"), pg("id text key"),
			"+ tags map<text, int>  missing in PostgreSQL; " + mapNote,
			`ALTER TABLE "cdc_orders" ADD COLUMN "tags" jsonb`,
		},
		{
			"a missing type is not understood", cql("id text key", "x map<text"), pg("id text key"),
			"+ x map<text  missing in PostgreSQL; its type is not understood: add the column by hand", "",
		},
		{
			"too narrow for an int", cql("id text key", "n int"), pg("id text key", "n smallint"),
			"~ n int → smallint  not every value fits, or it is rounded; integer fits and loses nothing",
			`ALTER TABLE "cdc_orders" ALTER COLUMN "n" TYPE integer`,
		},
		{
			"too short for a text", cql("id text key", "s text"), pg("id text key", "s character varying(20)"),
			"~ s text → character varying(20)  too narrow: 20 characters, Cassandra has no limit; text fits and loses nothing",
			`ALTER TABLE "cdc_orders" ALTER COLUMN "s" TYPE text`,
		},
		{
			"another type", cql("id text key", "at timestamp"), pg("id text key", "at boolean"),
			"~ at timestamp → boolean  another type: PostgreSQL refuses the values; timestamp would fit, but changing the type may fail or lose values: by hand", "",
		},
		{
			"another type that widens", cql("id text key", "s text"), pg("id text key", "s integer"),
			"~ s text → integer  another type: PostgreSQL refuses the values; text fits and loses nothing",
			`ALTER TABLE "cdc_orders" ALTER COLUMN "s" TYPE text`,
		},
		{
			"milliseconds as a number", cql("id text key", "at timestamp"), pg("id text key", "at bigint"),
			"? at timestamp → bigint  " + asNumber, "",
		},
		{
			"a domain", cql("id text key", "s text"), pg("id text key", "s shop.\"Size\""),
			"? s text → shop.\"Size\"  a type of the database's own, which cannot be judged: compare by hand", "",
		},
		{
			"the source's type is not understood", cql("id text key", "s list<"), pg("id text key", "s text"),
			"? s list< → text  the type in Cassandra is not understood: compare by hand", "",
		},
		{
			"a value is required", cql("id text key", "n int"), pg("id text key !null", "n integer !null"),
			"! n int → integer  NOT NULL in PostgreSQL, but Cassandra may have no value",
			`ALTER TABLE "cdc_orders" ALTER COLUMN "n" DROP NOT NULL`,
		},
		{"the source's key is never empty", cql("a text key", "b text key"), pg("a text key !null", "b text key !null"), "", ""},
		{
			"worked out by PostgreSQL", cql("id text key", "n int"), pg("id text key", "n integer always"),
			"! n int → integer  PostgreSQL works the value out itself (GENERATED ALWAYS) and refuses the sink's; make it a plain column by hand", "",
		},
		{"extra and harmless", cql("id text key"), pg("id text key", "x text"), "- x text  only in PostgreSQL, harmless", ""},
		{"extra with a default", cql("id text key"), pg("id text key", "x integer default !null"), "- x integer  only in PostgreSQL, harmless", ""},
		{
			"extra and required", cql("id text key"), pg("id text key", "x text !null"),
			"! x text  only in PostgreSQL, NOT NULL without a default: every insert fails",
			`ALTER TABLE "cdc_orders" ALTER COLUMN "x" DROP NOT NULL`,
		},
		{"Debezium's own", cql("id text key"), pg("id text key", "__deleted text !null", "__ts_ms bigint", "op text", "source.ts_ms bigint"), "", ""},
		{
			"no key in PostgreSQL", cql("id text key"), pg("id text"),
			"! key (id) → none  upserts fail without a unique index over Cassandra's key, and rows are taken for one another; make the key by hand", "",
		},
		{
			"a part of the key is missing", cql("id text key", "day date key"), pg("id text key", "day date"),
			"! key (id, day) → (id)  upserts fail without a unique index over Cassandra's key, and rows are taken for one another; make the key by hand", "",
		},
		{"keys in another order", cql("a text key", "b text key"), pg("b text key", "a text key"), "", ""},
		{"keys are not known", cql("id text"), pg("id text key"), "", ""},
		{
			"capitals in Cassandra alone", cql("id text key", "Mixed text"), pg("id text key", "mixed text"),
			`? mixed text → text  called "Mixed" in Cassandra: fits while the sink writes names without quotes (quote.identifiers=false)`, "",
		},
		{
			"capitals in PostgreSQL alone", cql("id text key", "mixed text"), pg("id text key", "Mixed text"),
			`! Mixed text → text  called "mixed" in Cassandra, where the sink looks for "mixed": rename it by hand, or change the sink's quote.identifiers`, "",
		},
		{
			"capitals in both", cql("id text key", "Mixed text"), pg("id text key", "Mixed text"),
			`! Mixed text → text  called "Mixed" in Cassandra, where the sink looks for "mixed": rename it by hand, or change the sink's quote.identifiers`, "",
		},
		{
			"both names are there", cql("id text key", "Mixed text"), pg("id text key", "Mixed text", "mixed text"),
			"? mixed text → text  called \"Mixed\" in Cassandra: fits while the sink writes names without quotes (quote.identifiers=false)\n- Mixed text  only in PostgreSQL, harmless", "",
		},
		{
			"a new name with capitals", cql("id text key", "New text"), pg("id text key"),
			"+ new text  missing in PostgreSQL", `ALTER TABLE "cdc_orders" ADD COLUMN "new" text`,
		},
		{
			"two names that differ by case", cql("id text key", "n text", "N text"), pg("id text key", "n text"),
			"+ n text  another column of Cassandra differs by case alone: the sink must write names in quotes (quote.identifiers=true)", "",
		},
		{
			"a flattened envelope", cql("id text key", "n int", "coupon text"),
			pg("id text key", "after.id.value text", "after.id.set boolean", "after.n.value integer", "after.n.deletion_ts bigint", "after.n.set boolean", "op text"),
			"+ after.coupon.value text  missing in PostgreSQL", `ALTER TABLE "cdc_orders" ADD COLUMN "after.coupon.value" text`,
		},
		{
			"what breaks comes first", cql("id text key", "at timestamp", "n int"), pg("id text key", "at bigint", "x text"),
			"+ n int  missing in PostgreSQL\n? at timestamp → bigint  " + asNumber + "\n- x text  only in PostgreSQL, harmless",
			`ALTER TABLE "cdc_orders" ADD COLUMN "n" integer`,
		},
		{
			"names are quoted", cql("id text key", `a"b text`), pg("id text key"),
			`+ a"b text  missing in PostgreSQL`, `ALTER TABLE "cdc_orders" ADD COLUMN "a""b" text`,
		},
		{
			"a line break is seen", cql("id text key"), pg("id text key", "a\nb text"),
			`- "a\nb" text  only in PostgreSQL, harmless`, "",
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			d := Compare(tc.source, tc.sink)
			if diff := cmp.Diff(tc.lines, strings.Join(d.Lines(), "\n")); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.statements, strings.Join(d.Statements(), "\n")); diff != "" {
				t.Errorf("statements (-want +got):\n%s", diff)
			}
			if want := strings.ContainsAny(tc.lines, "+~!"); d.Breaks() != want {
				t.Errorf("breaks: got %v, want %v", d.Breaks(), want)
			}
		})
	}
}

func TestString(t *testing.T) {
	if got, want := Compare(cql("id text key"), pg("id text key")).String(), "no drift between orders and cdc_orders (columns: 1)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got := Compare(cql("id text key", "a text"), pg("id text key", "b text")).String()
	if want := "+ a text  missing in PostgreSQL\n- b text  only in PostgreSQL, harmless"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestQuoted has a sink that writes names in quotes.
func TestQuoted(t *testing.T) {
	tests := []struct {
		name         string
		source, sink Table
		want         string
	}{
		{"capitals in both", cql("Mixed text"), pg("Mixed text"), ""},
		{"two names that differ by case", cql("n text", "N text"), pg("n text", "N text"), ""},
		{"a new one", cql("n text", "N text"), pg("n text"), "+ N text  missing in PostgreSQL"},
		{
			"capitals in Cassandra alone", cql("Mixed text"), pg("mixed text"),
			`! mixed text → text  called "Mixed" in Cassandra, where the sink looks for "Mixed": rename it by hand, or change the sink's quote.identifiers`,
		},
	}
	for _, tc := range tests {
		if got := strings.Join(Options{Quoted: true}.Compare(tc.source, tc.sink).Lines(), "\n"); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestIgnore(t *testing.T) {
	sink := pg("id text key", "loaded_at timestamptz", "__op text")
	d := Options{Ignore: []string{"loaded_*"}}.Compare(cql("id text key"), sink)
	if want := []string{"- __op text  only in PostgreSQL, harmless"}; !slices.Equal(d.Lines(), want) {
		t.Errorf("got %q, want %q", d.Lines(), want)
	}
	if d := Compare(cql("id text key", "op text"), pg("id text key")); len(d.Rows) != 1 {
		t.Errorf("a column of Cassandra named like one of Debezium's: got %q, want a row", d.Lines())
	}
}

func TestLike(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"op", "op", true}, {"op", "opt", false}, {"__*", "__op", true}, {"__*", "_op", false}, {"after.*.set", "after.a.b.set", true},
		{"after.*.set", "after.set", false}, {"after.*.set", "after.a.value", false}, {"*", "", true}, {"a*b*c", "a1b2c", true}, {"a*b*c", "a1c", false}, {"", "", true}, {"", "a", false},
	}
	for _, tc := range tests {
		if got := like(tc.pattern, tc.name); got != tc.want {
			t.Errorf("like(%q, %q): got %v, want %v", tc.pattern, tc.name, got, tc.want)
		}
	}
}

func TestTableName(t *testing.T) {
	for want, table := range map[string]Table{
		`"orders"`: {Name: "orders"}, `"shop"."Box ""1"""`: {Schema: "shop", Name: `Box "1"`},
	} {
		if got := table.String(); got != want {
			t.Errorf("%v: got %s, want %s", table, got, want)
		}
	}
}
