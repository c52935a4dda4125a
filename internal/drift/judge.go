package drift

import (
	"fmt"
	"slices"
)

// verdict is what a column of PostgreSQL means for the values of Cassandra; all is well when kind is empty.
type verdict struct {
	kind Kind
	why  string
	best string // the type for a new column
	mend string // the type that the column can become without losing anything; empty when there is none
}

// judge says whether a column of PostgreSQL holds every value of a type of Cassandra.
func judge(source, sink string) verdict {
	s, err := parseCQL(source)
	if err != nil {
		return verdict{kind: Doubtful, why: "the type in Cassandra is not understood: compare by hand"}
	}
	t, m := parsePG(sink), mapped(s)
	v := m.judge(t)
	if v.kind != "" {
		v.best, v.mend = m.best, m.widening(t)
	}
	return v
}

func (m mapping) judge(t pgType) verdict {
	name := t.name
	if t.array {
		name += "[]"
	}
	switch {
	case slices.Contains(m.near, name):
		return verdict{kind: Narrow, why: "not every value fits, or it is rounded"}
	case slices.Contains(m.maybe, name):
		return verdict{kind: Doubtful, why: m.doubt}
	case name == m.best, slices.Contains(m.fits, name):
		return m.room(t)
	case t.own:
		return verdict{kind: Doubtful, why: "a type of the database's own, which cannot be judged: compare by hand"}
	}
	return verdict{kind: Type, why: "another type: PostgreSQL refuses the values"}
}

// room checks the size of a column whose type is right.
func (m mapping) room(t pgType) verdict {
	if len(t.mods) == 0 {
		return verdict{}
	}
	size := t.mods[0]
	switch t.name {
	case "varchar", "char":
		if m.width == 0 || size < m.width {
			return verdict{kind: Narrow, why: fmt.Sprintf("too narrow: %d characters, Cassandra %s", size, limit(m.width))}
		}
	case "numeric":
		return m.digits(t)
	case "timestamp", "timestamptz", "time", "timetz":
		if size < m.parts {
			return verdict{kind: Narrow, why: fmt.Sprintf("rounded: %d digits after the second, Cassandra has %d", size, m.parts)}
		}
	}
	return verdict{}
}

// digits checks the room before and after the point of a numeric. A scale below zero rounds before the point: Debezium's
// sink makes numeric(38,-1) of a varint, which loses the last digit.
func (m mapping) digits(t pgType) verdict {
	scale := 0
	if len(t.mods) > 1 {
		scale = t.mods[1]
	}
	switch whole := t.mods[0] - scale; {
	case scale < 0:
		return verdict{kind: Narrow, why: fmt.Sprintf("rounded before the point (scale %d)", scale)}
	case m.digit == 0:
		return verdict{kind: Narrow, why: fmt.Sprintf("too narrow: %d digits before the point and %d after it, Cassandra has no limit", whole, scale)}
	case whole < m.digit:
		return verdict{kind: Narrow, why: fmt.Sprintf("too narrow: %d digits before the point, Cassandra has up to %d", whole, m.digit)}
	}
	return verdict{}
}

func limit(width int) string {
	if width == 0 {
		return "has no limit"
	}
	return fmt.Sprintf("needs %d", width)
}

// widening is the first type that holds every value and that the column can become without losing one. A number does
// not become a text because a text holds everything: only what is a text already does, or what should be one.
func (m mapping) widening(t pgType) string {
	for _, to := range append([]string{m.best}, m.fits...) {
		target := parsePG(to)
		merely := target.name == "text" && to != m.best && t.name != "varchar" && t.name != "char"
		if !merely && widens(t, target) {
			return to
		}
	}
	return ""
}
