package drift

import (
	"slices"
	"strconv"
	"strings"
)

// pgType is a type of PostgreSQL, taken apart.
type pgType struct {
	name  string // the short spelling: "varchar", "timestamptz"
	mods  []int  // of varchar(20), numeric(10,2), timestamp(3)
	array bool
	own   bool // a domain, an enum or an extension's: known by name alone
}

// spellings are the names of types that have a shorter one; format_type writes the long ones, people either.
var spellings = map[string]string{
	"character varying": "varchar", "character": "char", "bpchar": "char", "decimal": "numeric", "bool": "boolean",
	"int": "integer", "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real", "float8": "double precision",
	"timestamp without time zone": "timestamp", "timestamp with time zone": "timestamptz",
	"time without time zone": "time", "time with time zone": "timetz", "bit varying": "varbit",
}

// builtin are the types that can be judged. What is not here may be anything.
var builtin = []string{
	"bigint", "bit", "boolean", "bytea", "char", "cidr", "citext", "date", "double precision", "hstore", "inet", "integer", "interval",
	"json", "jsonb", "macaddr", "money", "name", "numeric", "oid", "real", "smallint", "text", "time", "timestamp", "timestamptz", "timetz",
	"uuid", "varbit", "varchar", "vector", "xml",
}

// parsePG reads a type as format_type writes it.
func parsePG(text string) pgType {
	name, array := strings.CutSuffix(strings.TrimSpace(text), "[]")
	for array && strings.HasSuffix(name, "[]") {
		name = strings.TrimSuffix(name, "[]")
	}
	t := pgType{name: name, array: array, own: true}
	before, rest, ok := strings.Cut(name, "(")
	if ok {
		inside, after, closed := strings.Cut(rest, ")")
		mods, numbers := numbersOf(inside)
		if !closed || !numbers {
			return t
		}
		t.mods = mods
		before = strings.TrimSpace(before) + " " + strings.TrimSpace(after) // timestamp(3) with time zone
	}
	short := strings.ToLower(strings.Join(strings.Fields(before), " "))
	if strings.HasPrefix(short, "interval") { // interval day to second
		short = "interval"
	}
	if s, known := spellings[short]; known {
		short = s
	}
	if slices.Contains(builtin, short) {
		t.name, t.own = short, false
	}
	if t.name == "char" && t.mods == nil && !t.own {
		t.mods = []int{1} // char alone is char(1)
	}
	return t
}

func numbersOf(text string) ([]int, bool) {
	var list []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(part), 10, 32)
		if err != nil {
			return nil, false
		}
		list = append(list, int(n))
	}
	return list, true
}

// widenings are the changes of type that keep every value: PostgreSQL casts each by itself when a column changes. Not
// among them are double precision to numeric, which rounds to 15 digits, bytea, date and timestamp to text, which
// depend on settings, inet to text, which adds the mask, and whatever may fail.
var widenings = map[string][]string{
	"smallint":    {"integer", "bigint", "numeric", "real", "double precision", "text"},
	"integer":     {"bigint", "numeric", "double precision", "text"},
	"bigint":      {"numeric", "text"},
	"numeric":     {"numeric", "text"},
	"real":        {"double precision"},
	"varchar":     {"varchar", "text"},
	"char":        {"varchar", "text"}, // without the blanks that only fill it
	"name":        {"text"},
	"citext":      {"text"},
	"boolean":     {"text"},
	"uuid":        {"text"},
	"json":        {"text"},
	"jsonb":       {"text"},
	"xml":         {"text"},
	"date":        {"timestamp"},
	"timestamp":   {"timestamp"},
	"timestamptz": {"timestamptz"},
}

// widens says whether a column can become of another type without losing a value.
func widens(from, to pgType) bool {
	return !from.own && from.array == to.array && len(to.mods) == 0 && slices.Contains(widenings[from.name], to.name)
}
