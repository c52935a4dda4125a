package action

import (
	"context"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"
)

// reading is what all actions that only look have in common.
type reading struct{}

// Risk implements Action.
func (reading) Risk() Risk { return Read }

// Deadline implements Action.
func (reading) Deadline() time.Duration { return 30 * time.Second }

// Idempotent implements Action.
func (reading) Idempotent() bool { return true }

// Observe implements Action: looking again is always right.
func (reading) Observe(context.Context, World) (bool, error) { return false, nil }

// output shows a text through a pipe.
func (p Pipe) output(ctx context.Context, text string) (Output, error) {
	shown, err := p.Text(ctx, text)
	if err != nil {
		return Output{Full: text}, err
	}
	if shown == "" && len(p) > 0 {
		shown = "(no line matches)"
	}
	return Output{Text: shown, Full: shown}, nil
}

// maxCell is how many runes of one value a table shows.
const maxCell = 120

// Table aligns rows under their columns. What does not fit on a line is cut with "…".
func Table(columns []string, rows [][]string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{columns}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = oneCell(cell)
		}
		_, _ = w.Write([]byte(strings.Join(cells, "\t") + "\n")) // a strings.Builder takes everything
	}
	_ = w.Flush()
	lines := split(b.String())
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

var flat = strings.NewReplacer("\n", " ", "\t", " ", "\r", "")

func oneCell(text string) string {
	text = flat.Replace(text)
	if utf8.RuneCountInString(text) <= maxCell {
		return text
	}
	return string([]rune(text)[:maxCell-1]) + "…"
}

// lists shows what a system answered as a table; whole values stay in Full.
func (p Pipe) lists(ctx context.Context, columns []string, rows [][]string, err error) (Output, error) {
	if err != nil {
		return Output{}, err
	}
	return p.output(ctx, Table(columns, rows))
}
