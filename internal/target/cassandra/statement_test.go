package cassandra

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// statements are what people and attackers write; want is what is sent, "" when nothing may be.
var statements = []struct{ name, cql, want, text string }{
	{"plain", "SELECT * FROM t", "SELECT * FROM t", ""},
	{"lower case, semicolon", "select 1;", "select 1", ""},
	{"many semicolons", "; SELECT 1 ;\n; ", "SELECT 1", ""},
	{"describe", "DESCRIBE KEYSPACES;", "DESCRIBE KEYSPACES", ""},
	{"desc", "desc table a.b", "desc table a.b", ""},
	{"comment before", "-- why\nSELECT 1", "SELECT 1", ""},
	{"comments of all kinds", "/* a; */ // b;\r SELECT /* c; */ 1 -- d;", "SELECT /* c; */ 1", ""},
	{"comment ends at CR", "-- x\rSELECT 1", "SELECT 1", ""},
	{"semicolon in text", "SELECT a FROM t WHERE b = ';' AND c = 'it''s; '", "SELECT a FROM t WHERE b = ';' AND c = 'it''s; '", ""},
	{"semicolon in name", `SELECT ";" FROM "a""b;"`, `SELECT ";" FROM "a""b;"`, ""},
	{"semicolon in dollars", "SELECT a FROM t WHERE b = $$ ; ' $$;", "SELECT a FROM t WHERE b = $$ ; ' $$", ""},
	{"comment in text", "SELECT a FROM t WHERE b = '-- /* ' ;", "SELECT a FROM t WHERE b = '-- /* '", ""},
	{"no space", "SELECT*FROM t", "SELECT*FROM t", ""},
	{"unicode", "SELECT a FROM t WHERE b = 'žluť'", "SELECT a FROM t WHERE b = 'žluť'", ""},

	{"empty", "", "", "it is empty"},
	{"only comments", "-- SELECT 1\n/* SELECT 2 */ ;", "", "it is empty"},
	{"insert", "INSERT INTO t (a) VALUES (1)", "", `it starts with "INSERT"`},
	{"update", "update t set a = 1", "", `it starts with "update"`},
	{"delete", "DELETE FROM t", "", "DELETE"},
	{"truncate", "TRUNCATE t", "", "TRUNCATE"},
	{"drop", "DROP TABLE t", "", "DROP"},
	{"batch", "BEGIN BATCH INSERT INTO t (a) VALUES (1) APPLY BATCH", "", "BEGIN"},
	{"use", "USE warehouse", "", "USE"},
	{"list", "LIST ROLES", "", "LIST"},
	{"shell word", "CONSISTENCY ALL", "", "CONSISTENCY"},
	{"prefix of a word", "SELECTED", "", `"SELECTED"`},
	{"word with underscore", "SELECT_ 1", "", `"SELECT_"`},
	{"hidden by a comment", "/* SELECT */ DROP TABLE t", "", "DROP"},
	{"hidden by a line", "-- SELECT 1\nDROP TABLE t", "", "DROP"},
	{"two statements", "SELECT 1; DROP TABLE t", "", "a second statement follows at byte 10"},
	{"two reads", "SELECT 1; SELECT 2;", "", "a second statement"},
	{"second after comments", "SELECT 1; -- x\n/* y */ TRUNCATE t", "", "a second statement"},
	{"quote that ends early", "SELECT ''; DROP TABLE t --'", "", "a second statement"},
	{"open text", "SELECT 'a", "", "a text that begins with ' does not end at byte 7"},
	{"open name", `SELECT "a`, "", `a name that begins with "`},
	{"open dollars", "SELECT $$a", "", "$$ does not end"},
	{"open comment", "SELECT 1 /* a", "", "a comment that begins with /*"},
	{"parenthesis", "(SELECT 1)", "", `"("`},
	{"quoted word", "'SELECT' 1", "", `"'"`},
	{"not text", "SELECT \xff", "", "bytes that are no text"},
	{"nul", "SELECT 1\x00", "", "bytes that are no text"},
	{"too long", "SELECT '" + strings.Repeat("x", mostStatement) + "'", "", "expected at most 65536"},
	{"fullwidth letters", "ＳＥＬＥＣＴ 1", "", "ＳＥＬＥＣＴ"},
}

func TestReadOnly(t *testing.T) {
	for _, tc := range statements {
		got, err := readOnly(tc.cql)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: readOnly(%.80q) = %q, %v; want %q", tc.name, tc.cql, got, err, tc.want)
		}
		if err != nil && (!errors.Is(err, ErrNotRead) || !strings.Contains(err.Error(), tc.text)) {
			t.Errorf("%s: readOnly(%.80q) = %v, want %q and ErrNotRead", tc.name, tc.cql, err, tc.text)
		}
	}
}

func FuzzReadOnly(f *testing.F) {
	for _, tc := range statements {
		f.Add(tc.cql)
	}
	f.Fuzz(func(t *testing.T, cql string) {
		got, err := readOnly(cql)
		if err != nil {
			return
		}
		again, err := readOnly(got)
		if err != nil || again != got || !reads[strings.ToUpper(firstWord(got))] || !utf8.ValidString(got) {
			t.Fatalf("readOnly(%q) = %q, and again %q, %v", cql, got, again, err)
		}
	})
}

func TestIdentifier(t *testing.T) {
	tests := []struct{ name, want string }{
		{"users", "users"},
		{"Users", "users"},
		{`"Users"`, "Users"},
		{`"a""b"`, `a"b`},
		{"a_1", "a_1"},
		{"", ""},
		{`"`, ""},
		{`""`, ""},
		{`"a"b"`, ""},
		{"a.b", ""},
		{"a b", ""},
		{"a; DROP TABLE b", ""},
	}
	for _, tc := range tests {
		got, err := identifier("table", tc.name)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("identifier(%q) = %q, %v; want %q", tc.name, got, err, tc.want)
		}
	}
}
