package drift

import (
	"fmt"
	"strings"
)

// marks begin the line of a row, so that an eye runs down the margin.
var marks = map[Kind]string{
	Missing: "+", Type: "~", Narrow: "~", Doubtful: "?", Required: "!", Written: "!", Case: "?", Extra: "-", Keys: "!",
}

// Lines are the rows, one short line each, what breaks first: "+ coupon text  missing in PostgreSQL".
func (d Drift) Lines() []string {
	lines := make([]string, len(d.Rows))
	for i, r := range d.Rows {
		lines[i] = r.String()
	}
	return lines
}

// String is the line of a row.
func (r Row) String() string {
	mark := marks[r.Kind]
	if r.Breaks && (r.Kind == Extra || r.Kind == Case) {
		mark = "!"
	}
	words := []string{mark, oneLine(r.Column), oneLine(r.Source), "→", oneLine(r.Sink)}
	switch {
	case r.Kind == Keys:
		words = []string{mark, "key", oneLine(r.Source), "→", oneLine(r.Sink)}
	case r.Source == "":
		words = []string{mark, oneLine(r.Column), oneLine(r.Sink)}
	case r.Sink == "":
		words = words[:3]
	}
	return strings.Join(words, " ") + "  " + r.Why
}

// oneLine keeps a name with a line break in it from looking like two rows.
func oneLine(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
		return fmt.Sprintf("%q", s)
	}
	return s
}

// String is the difference for people; one line when there is none.
func (d Drift) String() string {
	if len(d.Rows) == 0 {
		return fmt.Sprintf("no drift between %s and %s (columns: %d)", d.Source.Name, d.Sink.Name, len(d.Source.Columns))
	}
	return strings.Join(d.Lines(), "\n")
}
