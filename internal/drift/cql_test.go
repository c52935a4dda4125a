package drift

import (
	"errors"
	"strings"
	"testing"
)

// spelled are types and what they are without frozen; those with nothing are refused.
var spelled = []struct{ text, want string }{
	{"int", "int"}, {" Frozen < LIST<Int> > ", "list<int>"}, {"map<text, frozen<list<int>>>", "map<text, list<int>>"},
	{"tuple<int, text, boolean>", "tuple<int, text, boolean>"}, {"vector<float, 3>", "vector<float, 3>"}, {"vector<float,3>", "vector<float, 3>"},
	{"frozen<address>", `"address"`}, {`frozen<"Odd ""Name">`, `"Odd ""Name"`}, {"shop.address", `"address"`}, {`"Shop"."text"`, `"text"`}, {`"text"`, `"text"`},
	{"list<frozen<tuple<int, frozen<map<text, frozen<set<uuid>>>>>>>", "list<tuple<int, map<text, set<uuid>>>>"},
	{"'org.apache.cassandra.db.marshal.Own'", `"org.apache.cassandra.db.marshal.Own"`},
	{"frozen<list<vector<frozen<list<int>>, 2>>>", "list<vector<list<int>, 2>>"},
	{strings.Repeat("list<", deepestType) + "int" + strings.Repeat(">", deepestType), strings.Repeat("list<", deepestType) + "int" + strings.Repeat(">", deepestType)},
	{"", ""}, {"list", ""}, {"list<int", ""}, {"list<>", ""}, {"list<int, int>", ""}, {"map<int>", ""}, {"map<int, int, int>", ""}, {"int<int>", ""},
	{"vector<float>", ""}, {"vector<float, 0>", ""}, {"vector<float, 3, 4>", ""}, {"vector<float, -1>", ""}, {"vector<float, int>", ""}, {"vector<float, 3", ""},
	{"int int", ""}, {`"`, ""}, {`""`, ""}, {`"a`, ""}, {"a.", ""}, {"frozen<int, int>", ""}, {"tuple<>", ""}, {"<int>", ""}, {"int;", ""}, {"\xff", ""},
	{strings.Repeat("list<", deepestType+1) + "int" + strings.Repeat(">", deepestType+1), ""}, {strings.Repeat("x", longestType+1), ""},
}

func TestParseCQL(t *testing.T) {
	for _, tc := range spelled {
		got, err := parseCQL(tc.text)
		if tc.want == "" {
			if !errors.Is(err, errType) {
				t.Errorf("parseCQL(%.80q): got %v, %v; want an error", tc.text, got, err)
			}
			continue
		}
		if err != nil || got.String() != tc.want {
			t.Errorf("parseCQL(%.80q): got %v, %v; want %s", tc.text, got, err, tc.want)
		}
	}
}

// FuzzTypes: nothing panics, what is understood is understood again from its own text, and every type has a column.
func FuzzTypes(f *testing.F) {
	for _, tc := range spelled {
		f.Add(tc.text, "character varying(20)")
	}
	for _, tc := range kept {
		f.Add(tc.cql, tc.fits)
	}
	f.Fuzz(func(t *testing.T, cql, pg string) {
		v := judge(cql, pg)
		if v.mend != "" && judge(cql, v.mend).kind != "" {
			t.Errorf("%q in %q: its cure %s does not fit", cql, pg, v.mend)
		}
		parsed, err := parseCQL(cql)
		if err != nil || len(parsed.String()) > longestType { // quotes make it longer than what was read
			return
		}
		if again, err := parseCQL(parsed.String()); err != nil || again.String() != parsed.String() {
			t.Errorf("%q: read as %s, again as %v, %v", cql, parsed, again, err)
		}
		if best := mapped(parsed).best; judge(cql, best).kind != "" {
			t.Errorf("%q: its own column %s does not fit", cql, best)
		}
	})
}
