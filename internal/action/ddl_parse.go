package action

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/wasilibs/go-pgquery/parser"
)

// sqlStatement is one statement of a script.
type sqlStatement struct {
	node string // the parser's word for its kind
	body json.RawMessage
	text string // as it was written
}

// What a script may be. The parser runs on a small stack of its own without a guard against a deep nest: measured, it
// breaks at 180 nested queries, 400 nested CASE or 700 operators in a row.
const (
	longestSQL = 64 << 10 // bytes
	deepestSQL = 500      // lightly nested things, of which a heavy one weighs four
)

var (
	lightNests = regexp.MustCompile(`(?i)[-+*/<>=~!@#%^&|:?]|\b(not|notnull|isnull|is|in|collate|at|between|like|ilike|similar|and|or|escape|over|filter)\b`)
	heavyNests = regexp.MustCompile(`(?i)[(\[]|\b(case|join|union|intersect|except|select)\b`)
)

// parseSQL splits a script with PostgreSQL's own parser. Errors wrap ErrSQL.
func parseSQL(sql string) ([]sqlStatement, error) {
	if err := parsable(sql); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSQL, err)
	}
	text, err := parseTree(sql)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSQL, err)
	}
	var tree struct {
		Statements []struct {
			Node   map[string]json.RawMessage `json:"stmt"`
			Begin  int                        `json:"stmt_location"`
			Length int                        `json:"stmt_len"`
		} `json:"stmts"`
	}
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		return nil, fmt.Errorf("%w: reading the parser's tree: %w", ErrSQL, err)
	}
	var list []sqlStatement
	for _, s := range tree.Statements {
		end := s.Begin + s.Length
		if s.Length == 0 {
			end = len(sql)
		}
		if len(s.Node) != 1 || s.Begin < 0 || s.Begin > end || end > len(sql) {
			return nil, fmt.Errorf("%w: the parser's tree does not fit the script", ErrSQL)
		}
		node := slices.Collect(maps.Keys(s.Node))[0]
		list = append(list, sqlStatement{node, s.Node[node], strings.Trim(sql[s.Begin:end], " \t\r\n;")})
	}
	return list, nil
}

// parseTree is PostgreSQL's own parser, compiled to WebAssembly. It answers in JSON: its protocol buffers would bring the
// parser's C sources into every build with cgo.
func parseTree(sql string) (tree string, err error) {
	defer func() { // it has no other way to say that it ran out of room
		if r := recover(); r != nil {
			err = errors.New("the parser gave up; write it as several simpler commands")
		}
	}()
	if tree, err = parser.ParseToJSON(sql); err != nil {
		return "", notUnderstood(sql, err)
	}
	return tree, nil
}

func parsable(sql string) error {
	switch {
	case len(sql) > longestSQL:
		return fmt.Errorf("the script has %d bytes; expected at most %d", len(sql), longestSQL)
	case !utf8.ValidString(sql) || strings.ContainsRune(sql, 0):
		return errors.New("not text; expected UTF-8 without NUL")
	case len(lightNests.FindAllStringIndex(sql, deepestSQL+1))+4*len(heavyNests.FindAllStringIndex(sql, deepestSQL+1)) > deepestSQL:
		return errors.New("too many operators and brackets to be checked; write it as several simpler commands")
	}
	return nil
}

// notUnderstood says where the parser stopped.
func notUnderstood(sql string, err error) error {
	var e *parser.Error
	if !errors.As(err, &e) || e.Cursorpos <= 0 {
		return fmt.Errorf("not understood: %w", err)
	}
	before := []rune(sql)
	before = before[:min(e.Cursorpos-1, len(before))]
	line, column := 1, 1
	for _, r := range before {
		if column++; r == '\n' {
			line, column = line+1, 1
		}
	}
	return fmt.Errorf("not understood: %s (line %d, column %d)", e.Message, line, column)
}
