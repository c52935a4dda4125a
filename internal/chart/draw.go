package chart

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/go-analyze/charts"
)

// Sizes in pixels: what a phone shows across its width, with letters that stay readable there.
const (
	width, height = 1200, 630
	left, right   = 120, 40
	top           = 150 // above it the title and two rows of words
	bottom        = 72  // the times
	edge          = 10  // that nothing crosses
	big, small    = 38.0, 30.0
	thick         = 5.0
	legendRow     = 42
	swatch        = 64 // with the gap after it
)

// draw puts the picture onto a canvas, from back to front.
func (f Flow) draw(format string, look shades) ([]byte, error) {
	d, err := f.sketch(format, look)
	if err != nil {
		return nil, err
	}
	d.FilledRect(0, 0, width, height, look.back, look.back, 0)
	d.shadeOutages()
	d.drawScale()
	d.drawHours()
	d.drawMarks()
	for i, l := range d.series {
		d.drawLine(i, l)
	}
	d.drawHeading()
	d.drawLegend()
	body, err := d.Bytes()
	if err != nil {
		return nil, fmt.Errorf("drawing the flow as %s: %w", format, err)
	}
	return body, nil
}

// drawing is a canvas with its colours, and what its legend leaves for the picture.
type drawing struct {
	canvas
	shades
	*charts.Painter
	legend  []string
	columns int
	floor   int     // where zero is
	room    float64 // what letters may take of what they were measured
}

// otherLetters is how much wider letters of an SVG may be than those measured: whoever shows it takes its own.
const otherLetters = 1.18

func (f Flow) sketch(format string, look shades) (drawing, error) {
	c, err := f.plan()
	if err != nil {
		return drawing{}, err
	}
	d := drawing{canvas: c, shades: look, Painter: charts.NewPainter(charts.PainterOptions{OutputFormat: format, Width: width, Height: height}), room: 1}
	if format == charts.ChartOutputSVG {
		d.room = otherLetters
	}
	d.planLegend()
	rows := (len(d.legend) + d.columns - 1) / d.columns
	d.floor = height - bottom - rows*legendRow
	return d, nil
}

func (d drawing) font(size float64, color charts.Color) charts.FontStyle {
	return charts.FontStyle{FontSize: size * 0.75, FontColor: color} // points
}

// wide is the room a text needs, in pixels.
func (d drawing) wide(text string, size float64) int {
	return int(math.Ceil(d.room * float64(d.MeasureText(text, 0, d.font(size, d.text)).Width())))
}

// fit shortens a text until it is not wider than room.
func (d drawing) fit(text string, size float64, room int) string {
	for n := len([]rune(text)); n > 1 && d.wide(text, size) > room; n-- {
		text = shorten(text, n-1)
	}
	return text
}

// x and y are where a moment and a value stand.
func (d drawing) x(at time.Time) int {
	share := float64(at.Sub(d.begin)) / float64(time.Duration(d.minutes-1)*time.Minute)
	return left + int(math.Round(min(1, max(0, share))*(width-left-right)))
}

func (d drawing) y(value float64) int {
	return d.floor - int(math.Round(min(1, value/d.peak())*float64(d.floor-top)))
}

func (d drawing) stroke(points []charts.Point, color charts.Color, width float64, dashes []float64) {
	if dashes == nil {
		d.LineStroke(points, color, width)
		return
	}
	d.DashedLineStroke(points, color, width, dashes)
}

func (d drawing) shadeOutages() {
	for _, o := range d.outages {
		d.FilledRect(d.x(o.from), top, d.x(o.to), d.floor, d.outage, d.outage, 0)
	}
}

// drawScale draws the values on the left, from zero.
func (d drawing) drawScale() {
	for i := range d.steps + 1 {
		value := d.step * float64(i)
		y := d.y(value)
		d.LineStroke([]charts.Point{{X: left, Y: y}, {X: width - right, Y: y}}, d.faint, 1.5)
		text := short(value)
		d.Text(text, left-d.wide(text, small)-14, y+small/3, 0, d.font(small, d.text))
	}
}

// paces are the minutes between two times below the picture.
var paces = []int{1, 2, 5, 10, 15, 30, 60, 120, 180, 360}

// drawHours draws round times below, few enough not to touch; the zone stands after the first, and where it changes.
func (d drawing) drawHours() {
	const most = 5
	pace := paces[len(paces)-1]
	for _, p := range paces {
		if (d.minutes-1)/p <= most {
			pace = p
			break
		}
	}
	zone, free := "", 0
	for i := range d.minutes {
		at := d.at(i)
		if (at.Hour()*60+at.Minute())%pace != 0 {
			continue
		}
		text := at.Format("15:04")
		from := d.x(at) - d.wide(text, small)/2
		d.LineStroke([]charts.Point{{X: d.x(at), Y: d.floor}, {X: d.x(at), Y: d.floor + 10}}, d.text, 2)
		if name := d.zoneAt(i); name != zone {
			zone, text = name, text+" "+name
		}
		from = min(from, width-edge-d.wide(text, small))
		if from < free {
			continue // its tick is there
		}
		d.Text(text, from, d.floor+44, 0, d.font(small, d.text))
		free = from + d.wide(text, small) + markGap
	}
}

// drawLine draws a series; where nothing is known it leaves a gap, and a minute alone is a dot.
func (d drawing) drawLine(i int, l line) {
	color, dashes := d.shades.line[i], lineDashes[i]
	var run []charts.Point
	flush := func() {
		switch len(run) {
		case 0:
		case 1:
			d.Circle(thick, run[0].X, run[0].Y, color, color, 1)
		default:
			d.stroke(run, color, thick, dashes)
		}
		run = nil
	}
	for i, v := range l.values {
		if math.IsNaN(v) {
			flush()
			continue
		}
		run = append(run, charts.Point{X: d.x(d.at(i)), Y: d.y(v)})
	}
	flush()
}

// drawHeading draws the title, and what is counted where the title does not say it.
func (d drawing) drawHeading() {
	room := width - 2*24
	if !strings.Contains(strings.ToLower(d.title), "per minute") {
		text := d.fit(d.unit+" per minute", small, width/3)
		at := width - 24 - d.wide(text, small)
		d.Text(text, at, 50, 0, d.font(small, d.text))
		room = at - 2*24
	}
	d.Text(d.fit(d.title, big, room), 24, 50, 0, d.font(big, d.text))
}

// planLegend takes the names of the lines, unless the title names the only one, and as many columns as they leave room for.
func (d *drawing) planLegend() {
	d.columns = 3
	if len(d.series) == 1 && d.left == 0 && strings.Contains(d.title, d.series[0].name) {
		return
	}
	for _, l := range d.series {
		if d.wide(l.name, small) > d.cell()-swatch-edge {
			d.columns = 2
		}
		d.legend = append(d.legend, l.name)
	}
	if d.left > 0 {
		d.legend = append(d.legend, fmt.Sprintf("and %d more", d.left))
	}
}

// cell is the width of one name in the legend.
func (d drawing) cell() int { return (width - 2*24) / d.columns }

func (d drawing) drawLegend() {
	for i, name := range d.legend {
		x := 24 + i%d.columns*d.cell()
		y := d.floor + bottom + i/d.columns*legendRow + 16
		if i < len(d.series) {
			d.stroke([]charts.Point{{X: x, Y: y - small/3}, {X: x + swatch - 12, Y: y - small/3}}, d.shades.line[i], thick+1, lineDashes[i])
			x += swatch
		}
		d.Text(d.fit(name, small, d.cell()-swatch-edge), x, y, 0, d.font(small, d.text))
	}
}
