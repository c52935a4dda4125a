package drift

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cqlType is a type of CQL, taken apart: map<text, frozen<list<int>>> is map of text and list, because frozen changes
// how Cassandra stores a value and not what it is.
type cqlType struct {
	name string    // "int", "map"; of a type of the users' own as it is spelled, without quotes and keyspace
	own  bool      // a user-defined type or a class, known by name alone
	args []cqlType // of a collection, a tuple or a vector
	size int       // of a vector
}

// deepestType bounds how far types nest, so that no text exhausts the stack. Cassandra itself has no bound; people stay under 5.
const deepestType = 32

// longestType bounds the text; a tuple of a hundred types is far shorter.
const longestType = 16 << 10

// errType is wrapped by every error about the text of a type.
var errType = errors.New("not a type of CQL")

// parseCQL reads a type as system_schema.columns writes it.
func parseCQL(text string) (cqlType, error) {
	p := cqlParser{rest: text}
	if len(text) > longestType || !utf8.ValidString(text) {
		return cqlType{}, fmt.Errorf("%w: %d bytes; expected at most %d of UTF-8", errType, len(text), longestType)
	}
	t, err := p.parse(0)
	if err == nil && p.space() != "" {
		err = fmt.Errorf("%q follows a whole type", p.rest)
	}
	if err != nil {
		return cqlType{}, fmt.Errorf("%w: %q: %w", errType, text, err)
	}
	return t, nil
}

// cqlParser reads one type after another from what is left of the text.
type cqlParser struct{ rest string }

// space skips blanks and returns what is left.
func (p *cqlParser) space() string {
	p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace)
	return p.rest
}

// take skips s when it comes next.
func (p *cqlParser) take(s string) bool {
	rest, ok := strings.CutPrefix(p.space(), s)
	p.rest = rest
	return ok
}

func (p *cqlParser) parse(depth int) (cqlType, error) {
	if depth > deepestType {
		return cqlType{}, fmt.Errorf("nested deeper than %d", deepestType)
	}
	name, quoted, err := p.name()
	if err != nil {
		return cqlType{}, err
	}
	if p.take(".") { // the keyspace of a type of the users' own
		if name, _, err = p.name(); err != nil {
			return cqlType{}, err
		}
		return cqlType{name: name, own: true}, nil
	}
	a, known := arities[name]
	if quoted || !known {
		return cqlType{name: name, own: true}, nil
	}
	t := cqlType{name: name}
	if a.most > 0 {
		if err := p.arguments(&t, a, depth); err != nil {
			return cqlType{}, err
		}
	}
	if name == "frozen" {
		return t.args[0], nil
	}
	return t, nil
}

// name reads a name, folded to lower case, or one in quotes as it is.
func (p *cqlParser) name() (name string, quoted bool, err error) {
	s := p.space()
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		name, err = p.quoted(s[:1])
		return name, true, err
	}
	end := strings.IndexFunc(s, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if end < 0 {
		end = len(s)
	}
	if end == 0 {
		return "", false, errors.New("a name is missing")
	}
	p.rest = s[end:]
	return strings.ToLower(s[:end]), false, nil
}

// quoted reads a name in quotes, in which a doubled quote is one.
func (p *cqlParser) quoted(quote string) (string, error) {
	var name strings.Builder
	for s := p.rest[1:]; ; {
		part, after, ok := strings.Cut(s, quote)
		if !ok {
			return "", errors.New("a quote is not closed")
		}
		name.WriteString(part)
		if !strings.HasPrefix(after, quote) {
			p.rest = after
			break
		}
		name.WriteString(quote)
		s = after[1:]
	}
	if name.Len() == 0 {
		return "", errors.New("a name is empty")
	}
	return name.String(), nil
}

// arguments reads what stands in angle brackets.
func (p *cqlParser) arguments(t *cqlType, a arity, depth int) error {
	if !p.take("<") {
		return fmt.Errorf("%s needs <…>", t.name)
	}
	for len(t.args) == 0 || p.take(",") {
		if t.name == "vector" && len(t.args) == 1 {
			return p.size(t)
		}
		arg, err := p.parse(depth + 1)
		if err != nil {
			return err
		}
		t.args = append(t.args, arg)
	}
	if !p.take(">") {
		return fmt.Errorf("%s<…> is not closed", t.name)
	}
	if n := len(t.args); n < a.least || n > a.most || t.name == "vector" {
		return fmt.Errorf("%s has %d parts", t.name, n)
	}
	return nil
}

// size reads the second part of vector<float, 3>.
func (p *cqlParser) size(t *cqlType) error {
	digits, _, ok := strings.Cut(p.space(), ">")
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 16)
	if !ok || err != nil || n == 0 {
		return errors.New("vector needs a size of 1 or more")
	}
	t.size, p.rest = int(n), p.rest[len(digits)+1:]
	return nil
}

// String is the type as CQL writes it, without frozen.
func (t cqlType) String() string {
	if t.own {
		return quote(t.name)
	}
	if len(t.args) == 0 {
		return t.name
	}
	parts := make([]string, len(t.args), len(t.args)+1)
	for i, a := range t.args {
		parts[i] = a.String()
	}
	if t.size > 0 {
		parts = append(parts, strconv.Itoa(t.size))
	}
	return t.name + "<" + strings.Join(parts, ", ") + ">"
}

// arity is how many types stand in the angle brackets of a type; none when most is 0.
type arity struct{ least, most int }

// mostParts is how many a tuple may have.
const mostParts = 32768

// arities are the types that CQL itself has.
var arities = map[string]arity{
	"ascii": {}, "bigint": {}, "blob": {}, "boolean": {}, "counter": {}, "date": {}, "decimal": {}, "double": {}, "duration": {},
	"float": {}, "inet": {}, "int": {}, "smallint": {}, "text": {}, "time": {}, "timestamp": {}, "timeuuid": {}, "tinyint": {},
	"uuid": {}, "varchar": {}, "varint": {},
	"frozen": {1, 1}, "list": {1, 1}, "set": {1, 1}, "map": {2, 2}, "tuple": {1, mostParts}, "vector": {1, 1},
}
