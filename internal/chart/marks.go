package chart

import (
	"math"

	"github.com/go-analyze/charts"
)

// Rows of words above the picture, the lowest first.
const (
	markRows  = 2
	markRow   = 38
	firstRow  = top - 16
	markGap   = 14
	mostWords = 420 // pixels
)

// drawMarks draws the moments as vertical lines with their words above; where words would cover others, a line stands alone.
func (d drawing) drawMarks() {
	var b board
	for _, m := range d.marks {
		color, x, rise := d.shades.mark[m.Kind], d.x(m.At), 0
		text := d.fit(clean(m.Text), small, mostWords)
		if p, ok := b.put(x, d.wide(text, small), m.Kind); ok {
			rise = p.rise
			d.Text(text, p.at, firstRow-p.row*markRow, 0, d.font(small, color))
		}
		d.stroke([]charts.Point{{X: x, Y: top - 6 - rise*markRow}, {X: x, Y: d.floor}}, color, 3.5, markDashes[m.Kind])
	}
}

// sides say where words stand best, in shares of their width from their beginning to their line. A failure speaks before its
// line and a recovery after its own, so that both are read however short the outage was.
var sides = [4][3]float64{Note: {0.5, 0, 1}, Failed: {1, 0.5, 0}, Approved: {0.5, 0, 1}, Fixed: {0, 0.5, 1}}

// board is what stands in the rows above the picture.
type board [markRows][]stretch

// stretch is a piece of a row, in pixels.
type stretch struct{ from, to int }

// place is where words stand, and how many rows their line rises to meet them.
type place struct{ at, row, rise int }

// put finds room for words that belong to a line at x: on one of the sides, else a row higher, where the line must rise
// to them. The ends of an outage are named even where their lines cannot rise. Words without width need no room.
func (b *board) put(x, wide int, kind Kind) (place, bool) {
	if wide == 0 {
		return place{}, false
	}
	line := stretch{x - markGap/2, x + markGap/2}
	for _, rises := range []bool{true, false} {
		for row := range b {
			if rises && !b.freeBelow(row, line) {
				continue
			}
			if at, ok := b.putInRow(row, x, wide, kind); ok {
				return b.rise(place{at: at, row: row}, rises, line), true
			}
		}
		if weights[kind] < weights[Fixed] {
			break
		}
	}
	return place{}, false
}

func (b *board) putInRow(row, x, wide int, kind Kind) (at int, ok bool) {
	for _, share := range sides[kind] {
		at := x - int(math.Round(share*float64(wide)+(2*share-1)*markGap/2))
		at = max(left, min(at, width-edge-wide)) // further left are the numbers of the scale
		if words := (stretch{at, at + wide}); b.free(row, words) {
			b[row] = append(b[row], words)
			return at, true
		}
	}
	return 0, false
}

// rise keeps the rows below free for the line.
func (b *board) rise(p place, rises bool, line stretch) place {
	if !rises {
		return p
	}
	p.rise = p.row
	for below := range p.row {
		b[below] = append(b[below], line)
	}
	return p
}

func (b *board) free(row int, s stretch) bool {
	for _, taken := range b[row] {
		if s.from < taken.to+markGap && taken.from < s.to+markGap {
			return false
		}
	}
	return true
}

// freeBelow says whether a line may rise to a row without crossing words.
func (b *board) freeBelow(row int, line stretch) bool {
	for below := range row {
		for _, taken := range b[below] {
			if line.from < taken.to && taken.from < line.to {
				return false
			}
		}
	}
	return true
}
