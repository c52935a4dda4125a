package cassandra

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/gocql/gocql"
)

// null is what a value that is not there looks like.
const null = "NULL"

// mostText bounds the text of one value, in bytes.
const mostText = 64 << 10

// row takes one row from the driver, value by value as the server sent it.
type row struct {
	cells   []cell
	columns []int // how many cells each column has
	tuples  []bool
	targets []any
}

// cell keeps the text of a value. It implements gocql.Unmarshaler.
type cell struct {
	text  string
	inner bool // an element of a tuple
}

// UnmarshalCQL implements gocql.Unmarshaler.
func (c *cell) UnmarshalCQL(info gocql.TypeInfo, data []byte) error {
	c.text = cut(show(info, data, c.inner))
	return nil
}

// newRow makes room for a row. The driver takes a tuple apart and wants a target for each element.
func newRow(info []gocql.ColumnInfo) *row {
	r := &row{}
	for _, column := range info {
		tuple, ok := column.TypeInfo.(gocql.TupleTypeInfo)
		n := 1
		if ok {
			n = len(tuple.Elems)
		}
		r.columns = append(r.columns, n)
		for range n {
			r.cells = append(r.cells, cell{inner: ok})
		}
		r.tuples = append(r.tuples, ok)
	}
	for i := range r.cells {
		r.targets = append(r.targets, &r.cells[i])
	}
	return r
}

// texts puts tuples together again. The driver does not tell a null tuple from one of nulls: both are NULL.
func (r *row) texts() []string {
	list := make([]string, len(r.columns))
	cells := r.cells
	for i, n := range r.columns {
		if !r.tuples[i] {
			list[i] = cells[0].text
			cells = cells[1:]
			continue
		}
		parts := make([]string, n)
		empty := true
		for j := range n {
			parts[j] = cells[j].text
			empty = empty && parts[j] == null
		}
		cells = cells[n:]
		if list[i] = null; !empty {
			list[i] = "(" + strings.Join(parts, ", ") + ")"
		}
	}
	return list
}

// cut keeps a text within mostText, on a whole rune.
func cut(text string) string {
	if len(text) <= mostText {
		return text
	}
	end := mostText
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes more)", text[:end], len(text)-end)
}

// show writes a value as CQL would; text is in quotes only inside another value. What cannot be read is shown as bytes.
func show(info gocql.TypeInfo, data []byte, inner bool) string {
	if data == nil {
		return null
	}
	var text string
	ok := false
	switch t := info.(type) {
	case gocql.CollectionType:
		text, ok = showCollection(t, data)
	case gocql.TupleTypeInfo:
		text, ok = showFields("(", ")", t.Elems, nil, data)
	case gocql.UDTTypeInfo:
		text, ok = showUDT(t, data)
	default:
		text, ok = showScalar(info, data, inner)
	}
	if !ok {
		return "0x" + hex.EncodeToString(data)
	}
	return text
}

// showCollection reads a list, a set or a map (native protocol v4, section 6): a count, then [bytes] after [bytes].
func showCollection(t gocql.CollectionType, data []byte) (string, bool) {
	count, data, ok := readInt(data)
	if !ok || count < 0 || count > len(data) {
		return "", false
	}
	var parts []string
	for range count {
		var part string
		if t.Type() == gocql.TypeMap {
			var key []byte
			if key, data, ok = readValue(data); !ok {
				return "", false
			}
			part = show(t.Key, key, true) + ": "
		}
		var value []byte
		if value, data, ok = readValue(data); !ok {
			return "", false
		}
		parts = append(parts, part+show(t.Elem, value, true))
	}
	all := strings.Join(parts, ", ")
	if t.Type() == gocql.TypeList {
		return "[" + all + "]", true
	}
	return "{" + all + "}", true
}

func showUDT(t gocql.UDTTypeInfo, data []byte) (string, bool) {
	names := make([]string, len(t.Elements))
	elements := make([]gocql.TypeInfo, len(t.Elements))
	for i, e := range t.Elements {
		names[i], elements[i] = e.Name+": ", e.Type
	}
	return showFields("{", "}", elements, names, data)
}

// showFields reads [bytes] after [bytes]. The last ones may be absent: fields that were added to the type later.
func showFields(before, after string, elements []gocql.TypeInfo, names []string, data []byte) (string, bool) {
	parts := make([]string, len(elements))
	for i, element := range elements {
		parts[i] = null
		if len(data) > 0 {
			value, rest, ok := readValue(data)
			if !ok {
				return "", false
			}
			parts[i], data = show(element, value, true), rest
		}
		if names != nil {
			parts[i] = names[i] + parts[i]
		}
	}
	return before + strings.Join(parts, ", ") + after, true
}

func readInt(data []byte) (n int, rest []byte, ok bool) {
	if len(data) < 4 {
		return 0, nil, false
	}
	return int(int32(binary.BigEndian.Uint32(data))), data[4:], true
}

// readValue reads [bytes]: a length, then so many bytes; a negative length is null.
func readValue(data []byte) (value, rest []byte, ok bool) {
	n, rest, ok := readInt(data)
	if !ok || n > len(rest) {
		return nil, nil, false
	}
	if n < 0 {
		return nil, rest, true
	}
	return rest[:n:n], rest[n:], true
}
