package drift

import (
	"slices"
	"strings"
	"testing"
)

// kept are the types of CQL and what PostgreSQL's types mean for them.
var kept = []struct{ cql, best, fits, narrow, doubtful, other string }{
	{"ascii", "text", "character varying, varchar, citext", "character varying(20), character(3), name, uuid, jsonb", "inet, xml", "integer, boolean, text[], bytea"},
	{"text", "text", "character varying", "character varying(20), character", "inet, shop.kind, \"Odd\"", "numeric, timestamp with time zone"},
	{"varchar", "text", "character varying", "character varying(20)", "cidr", "bigint"},
	{"inet", "text", "character varying(45), varchar", "character varying(20), character(50)", "inet, cidr", "integer"},
	{"uuid", "uuid", "text, character varying(36), character(36)", "character varying(35), character varying(32)", "public.guid", "bytea, integer"},
	{"timeuuid", "uuid", "text", "character varying(1)", "guid", "timestamp without time zone"},
	{"tinyint", "smallint", "integer, bigint, numeric, numeric(3,0), int2, text", "numeric(2,0), numeric(5,3)", "positive", "boolean, uuid"},
	{"smallint", "smallint", "integer, int4, numeric(5)", "numeric(4,0)", "positive", "boolean"},
	{"int", "integer", "bigint, numeric, numeric(12,2), double precision, text", "smallint, real, numeric(10,2)", "positive", "boolean, date, integer[]"},
	{"bigint", "bigint", "numeric(19,0), decimal, text", "integer, double precision, numeric(18,0), varchar", "positive", "timestamp with time zone"},
	{"counter", "bigint", "int8, numeric", "integer", "positive", "boolean"},
	{"varint", "numeric", "text", "numeric(38,-1), numeric(38,0), integer, double precision", "bigint", "boolean"},
	{"float", "real", "double precision, float8, text", "numeric, integer", "positive", "boolean"},
	{"double", "double precision", "text", "numeric, real, float4", "positive", "boolean, text[]"},
	{"decimal", "numeric", "text", "numeric(10,2), real, bigint", "double precision", "boolean, bytea"},
	{"boolean", "boolean", "bool, text, character varying(5)", "character varying(4)", "yesno", "integer, smallint, character(1)"},
	{"blob", "bytea", "text", "character varying(20)", "large", "integer, uuid"},
	{"date", "date", "timestamp without time zone, text", "character varying(10)", "integer, bigint", "boolean, time without time zone"},
	{"time", "bigint", "numeric, numeric(14,0), text", "integer, numeric(13,0)", "time without time zone, time(3) without time zone", "timestamp without time zone"},
	{"timestamp", "timestamp", "timestamp(6) without time zone, timestamp(3) with time zone, timestamptz, text", "timestamp(0) without time zone, timestamp(2) with time zone, date", "bigint", "boolean, time without time zone"},
	{"duration", "bigint", "numeric, text", "integer", "interval, interval day to second(3)", "timestamp with time zone"},
	{"list<text>", "text[]", "text, character varying[]", "character varying(20)[]", "jsonb, json", "integer[], bigint"},
	{"set<int>", "integer[]", "bigint[], numeric[]", "smallint[], character varying", "jsonb", "integer, boolean[]"},
	{"list<frozen<uuid>>", "uuid[]", "text[]", "name[]", "jsonb", "uuid"},
	{"list<timestamp>", "jsonb", "json, text", "", "domain", "timestamp without time zone[]"},
	{"list<frozen<list<int>>>", "jsonb", "text", "", "domain", "integer[]"},
	{"map<text, int>", "jsonb", "json, text, hstore", "character varying(9)", "domain", "integer"},
	{"tuple<int, text>", "jsonb", "json, text", "character varying(9)", "domain", "integer"},
	{"frozen<address>", "jsonb", "json, text", "character varying(9)", "domain", "integer"},
	{`list<frozen<"Address">>`, "jsonb", "text", "", "domain", "text[]"},
	{"shop.address", "jsonb", "text", "", "domain", "integer"},
	{"vector<float, 3>", "jsonb", "vector(3), real[], double precision[], text", "character varying(9)", "domain", "real"},
	{"INT", "integer", "bigint", "smallint", "domain", "boolean"},
}

func TestEveryType(t *testing.T) {
	for _, tc := range kept {
		t.Run(tc.cql, func(t *testing.T) {
			parsed, err := parseCQL(tc.cql)
			if err != nil {
				t.Fatal(err)
			}
			if got := mapped(parsed).best; got != tc.best {
				t.Errorf("best: got %s, want %s", got, tc.best)
			}
			for list, want := range map[string]Kind{tc.best: "", tc.fits: "", tc.narrow: Narrow, tc.doubtful: Doubtful, tc.other: Type} {
				for pg := range strings.SplitSeq(list, ", ") {
					if got := judge(tc.cql, pg); pg != "" && got.kind != want {
						t.Errorf("%s: got %q (%s), want %q", pg, got.kind, got.why, want)
					}
				}
			}
		})
	}
}

// TestTableIsWhole: each type of CQL has a row that a test looks at, and each type of PostgreSQL in a row is known.
func TestTableIsWhole(t *testing.T) {
	for name := range arities {
		tested := slices.ContainsFunc(kept, func(k struct{ cql, best, fits, narrow, doubtful, other string }) bool {
			return strings.HasPrefix(k.cql, name)
		})
		_, scalar := mappings[name]
		_, shaped := shapes[name]
		if name != "frozen" && (!scalar && !shaped || !tested) {
			t.Errorf("%s: in a table %v, tested %v", name, scalar || shaped, tested)
		}
	}
	for _, rows := range []map[string]mapping{mappings, shapes} {
		for name, m := range rows {
			if m.emits == "" || m.from == "" || len(m.maybe) > 0 && m.doubt == "" {
				t.Errorf("%s: the row is not whole", name)
			}
			all := slices.Concat([]string{m.best}, m.fits, m.near, m.maybe)
			for i, pg := range all {
				if parsePG(pg).own || slices.Contains(all[:i], pg) {
					t.Errorf("%s: %s is unknown or there twice", name, pg)
				}
			}
		}
	}
	for from, list := range widenings {
		for _, to := range list {
			if parsePG(from).own || parsePG(to).own {
				t.Errorf("widening of %s to %s: not known", from, to)
			}
		}
	}
}

func TestMend(t *testing.T) {
	tests := []struct{ cql, pg, want string }{
		{"int", "smallint", "integer"}, {"int", "numeric(5,2)", "numeric"}, {"bigint", "integer", "bigint"}, {"bigint", "real", ""},
		{"text", "character varying(20)", "text"}, {"text", "character(3)", "text"}, {"text", "integer", "text"}, {"text", "uuid", "text"},
		{"text", "timestamp with time zone", ""}, {"uuid", "character varying(20)", "text"}, {"uuid", "bigint", ""}, {"double", "numeric", ""},
		{"double", "real", "double precision"}, {"float", "smallint", "real"}, {"float", "integer", "double precision"}, {"decimal", "numeric(10,2)", "numeric"},
		{"decimal", "bigint", "numeric"}, {"varint", "numeric(38,-1)", "numeric"}, {"timestamp", "date", "timestamp"},
		{"timestamp", "timestamp(0) without time zone", "timestamp"}, {"timestamp", "timestamp(0) with time zone", "timestamptz"},
		{"set<int>", "smallint[]", "integer[]"}, {"list<text>", "character varying(3)[]", "text[]"}, {"list<text>", "integer", ""},
		{"boolean", "smallint", ""}, {"boolean", "character varying(3)", "text"}, {"date", "boolean", ""}, {"map<text, int>", "character varying(9)", "text"},
	}
	for _, tc := range tests {
		if got := judge(tc.cql, tc.pg); got.kind == "" || got.mend != tc.want {
			t.Errorf("%s in %s: got %q (%s), want %q", tc.cql, tc.pg, got.mend, got.kind, tc.want)
		}
	}
}

func TestParsePG(t *testing.T) {
	tests := []struct {
		text string
		want pgType
	}{
		{"character varying(20)", pgType{name: "varchar", mods: []int{20}}}, {"timestamp(3) with time zone", pgType{name: "timestamptz", mods: []int{3}}},
		{"numeric(10,2)", pgType{name: "numeric", mods: []int{10, 2}}}, {"numeric(38,-1)", pgType{name: "numeric", mods: []int{38, -1}}},
		{"TEXT[]", pgType{name: "text", array: true}}, {"integer[][]", pgType{name: "integer", array: true}}, {"character varying(5)[]", pgType{name: "varchar", mods: []int{5}, array: true}},
		{"bpchar", pgType{name: "char", mods: []int{1}}}, {" double   precision ", pgType{name: "double precision"}}, {"interval day to second(3)", pgType{name: "interval", mods: []int{3}}},
		{`"char"`, pgType{name: `"char"`, own: true}}, {`shop."Size"`, pgType{name: `shop."Size"`, own: true}}, {"geometry(Point,4326)", pgType{name: "geometry(Point,4326)", own: true}},
		{"", pgType{own: true}}, {"numeric(1", pgType{name: "numeric(1", own: true}}, {"[]", pgType{array: true, own: true}},
	}
	for _, tc := range tests {
		got := parsePG(tc.text)
		if got.name != tc.want.name || !slices.Equal(got.mods, tc.want.mods) || got.array != tc.want.array || got.own != tc.want.own {
			t.Errorf("parsePG(%q): got %+v, want %+v", tc.text, got, tc.want)
		}
	}
}
