package action

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// sqlType is a type as the parser gives it.
type sqlType struct {
	Names     []sqlName  `json:"names"`
	Modifiers []sqlConst `json:"typmods"`
	Modifier  int        `json:"typemod"`
	Bounds    []struct {
		Integer struct {
			Value int `json:"ival"`
		} `json:"Integer"`
	} `json:"arrayBounds"`
	Location int `json:"location"`
}

type sqlName struct {
	String struct {
		Value string `json:"sval"`
	} `json:"String"`
}

// sqlConst is a constant: one of its values is set.
type sqlConst struct {
	Const *struct {
		Integer *struct {
			Value int64 `json:"ival"`
		} `json:"ival"`
		Float *struct {
			Value string `json:"fval"`
		} `json:"fval"`
		Text *struct {
			Value string `json:"sval"`
		} `json:"sval"`
		Bool *struct {
			Value bool `json:"boolval"`
		} `json:"boolval"`
		Bits *struct {
			Value string `json:"bsval"`
		} `json:"bsval"`
		Null     bool `json:"isnull"`
		Location int  `json:"location"`
	} `json:"A_Const"`
}

// plainTypes are the names that people know, of types that the parser knows by another.
var plainTypes = map[string]string{
	"int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real", "float8": "double precision",
	"bool": "boolean", "bpchar": "char", "timestamptz": "timestamp with time zone", "timetz": "time with time zone", "varbit": "bit varying",
}

// text is the type as people write it.
func (t sqlType) text() (string, error) {
	if len(t.Names) == 0 {
		return "", errors.New("no type; expected one such as varchar(255)")
	}
	name := t.Names[len(t.Names)-1].String.Value
	if slices.Contains([]string{"serial", "serial2", "serial4", "serial8", "bigserial", "smallserial"}, name) {
		return "", fmt.Errorf("type %s is refused: it rewrites the table and makes a sequence; use integer or bigint", name)
	}
	if len(t.Names) == 2 && t.Names[0].String.Value == "pg_catalog" {
		if plain, ok := plainTypes[name]; ok {
			name = plain
		}
	} else {
		name = dotted(t.Names)
	}
	if text := t.modifiers(); text != "" && name != "interval" { // an interval's are bits, not digits
		first, rest, _ := strings.Cut(name, " ")
		name = strings.TrimRight(first+text+" "+rest, " ")
	}
	return name + strings.Repeat("[]", len(t.Bounds)), nil
}

func (t sqlType) modifiers() string {
	var list []string
	for _, m := range t.Modifiers {
		if m.Const != nil && m.Const.Integer != nil {
			list = append(list, strconv.FormatInt(m.Const.Integer.Value, 10))
		}
	}
	if len(list) == 0 {
		return ""
	}
	return "(" + strings.Join(list, ",") + ")"
}

// mayWiden are the types that PostgreSQL can reach from a narrower one without writing every row again.
var mayWiden = []string{"varchar", "text", "numeric", "varbit", "timestamp", "timestamptz", "time", "timetz", "interval", "cidr", "inet"}

// cost says what a change to this type costs: the old type is not known here.
func (t sqlType) cost() string {
	const whole = "PostgreSQL writes the whole table anew and locks readers and writers out meanwhile"
	if len(t.Bounds) == 0 && slices.Contains(mayWiden, t.Names[len(t.Names)-1].String.Value) {
		return whole + ", unless the new type only widens the old one"
	}
	return whole
}

// cast allows no USING, or the column's own value turned into the type.
func (t sqlType) cast(using json.RawMessage, column string) error {
	if len(using) == 0 {
		return nil
	}
	var c struct {
		Cast struct {
			Arg struct {
				Column struct {
					Fields   []sqlName `json:"fields"`
					Location int       `json:"location"`
				} `json:"ColumnRef"`
			} `json:"arg"`
			Type     sqlType `json:"typeName"`
			Location int     `json:"location"`
		} `json:"TypeCast"`
	}
	if err := strict(using, &c); err != nil || len(c.Cast.Arg.Column.Fields) != 1 || c.Cast.Arg.Column.Fields[0].String.Value != column {
		return fmt.Errorf("USING with anything but the column's own value is refused: it could run any function for every row; write USING %s::type", quoted(column))
	}
	return nil
}

// stableValues are values that are worked out once, when the column is added.
var stableValues = []string{
	"SVFOP_CURRENT_DATE", "SVFOP_CURRENT_TIME", "SVFOP_CURRENT_TIME_N", "SVFOP_CURRENT_TIMESTAMP", "SVFOP_CURRENT_TIMESTAMP_N",
	"SVFOP_LOCALTIME", "SVFOP_LOCALTIME_N", "SVFOP_LOCALTIMESTAMP", "SVFOP_LOCALTIMESTAMP_N",
}

// constant is the text of a value that is the same for every row: a literal, also with a cast, or the time.
func constant(body json.RawMessage) (string, error) {
	var e struct {
		sqlConst
		Cast *struct {
			Arg      sqlConst `json:"arg"`
			Type     sqlType  `json:"typeName"`
			Location int      `json:"location"`
		} `json:"TypeCast"`
		Value *struct {
			Op       string `json:"op"`
			Modifier int    `json:"typmod"`
			Location int    `json:"location"`
		} `json:"SQLValueFunction"`
		Call *struct {
			Name     []sqlName `json:"funcname"`
			Format   string    `json:"funcformat"`
			Location int       `json:"location"`
		} `json:"FuncCall"`
	}
	err := strict(body, &e)
	switch {
	case err != nil:
	case e.Const != nil:
		return e.literal(), nil
	case e.Cast != nil && e.Cast.Arg.Const != nil:
		typ, err := e.Cast.Type.text()
		return e.Cast.Arg.literal() + "::" + typ, err
	case e.Value != nil && slices.Contains(stableValues, e.Value.Op):
		return strings.TrimSuffix(strings.TrimPrefix(e.Value.Op, "SVFOP_"), "_N") + " (the time of the change for the rows that are there)", nil
	case e.Call != nil && slices.Contains([]string{"now", "pg_catalog.now"}, dotted(e.Call.Name)):
		return "now() (the time of the change for the rows that are there)", nil
	}
	return "", errors.New("only a constant or now() is allowed: anything else may differ for every row and rewrites the table; use a constant, and fill the rows by hand")
}

// literal is the constant as SQL writes it.
func (c sqlConst) literal() string {
	switch k := c.Const; {
	case k.Null:
		return "NULL"
	case k.Integer != nil:
		return strconv.FormatInt(k.Integer.Value, 10)
	case k.Float != nil:
		return k.Float.Value
	case k.Bool != nil:
		return strconv.FormatBool(k.Bool.Value)
	case k.Text != nil:
		return "'" + strings.ReplaceAll(k.Text.Value, "'", "''") + "'"
	case k.Bits != nil && k.Bits.Value != "":
		return strings.ToUpper(k.Bits.Value[:1]) + "'" + k.Bits.Value[1:] + "'" // B or X, then digits
	}
	return "0" // the parser leaves a zero out
}

func dotted(names []sqlName) string {
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = quoted(n.String.Value)
	}
	return strings.Join(parts, ".")
}

var plainName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// quoted is a name as SQL writes it.
func quoted(name string) string {
	if plainName.MatchString(name) {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
