package chart

import (
	"fmt"
	"math"
	"time"

	"github.com/go-analyze/charts"
)

// draw puts the picture onto a canvas, from back to front.
func (f Flow) draw(format string, look shades) ([]byte, error) {
	c, err := f.plan()
	if err != nil {
		return nil, err
	}
	d := drawing{canvas: c, shades: look, Painter: charts.NewPainter(charts.PainterOptions{OutputFormat: format, Width: width, Height: height})}
	d.FilledRect(0, 0, width, height, look.back, look.back, 0)
	d.outage()
	d.scale()
	d.hours()
	for i, l := range c.series {
		d.line(l, palette[i])
	}
	d.moments()
	d.heading()
	return d.Bytes()
}

// drawing is a canvas with its colours.
type drawing struct {
	canvas
	shades
	*charts.Painter
}

func (d drawing) font(size float64, color charts.Color) charts.FontStyle {
	return charts.FontStyle{FontSize: size * 0.75, FontColor: color} // points
}

// x and y are where a moment and a value stand.
func (d drawing) x(at time.Time) int {
	share := float64(at.Sub(d.begin)) / float64(time.Duration(d.minutes-1)*time.Minute)
	return left + int(math.Round(min(1, max(0, share))*(width-left-right)))
}

func (d drawing) y(value float64) int {
	return height - bottom - int(math.Round(min(1, value/d.peak)*(height-top-bottom)))
}

// outage shades the time from each failure to what ended it, or to the end.
func (d drawing) outage() {
	from := time.Time{}
	shade := func(to time.Time) {
		d.FilledRect(d.x(from), top, d.x(to), height-bottom, d.shades.outage, d.shades.outage, 0)
		from = time.Time{}
	}
	for _, m := range d.marks {
		switch {
		case m.Kind == Failed && from.IsZero():
			from = m.At
		case m.Kind == Fixed && !from.IsZero():
			shade(m.At)
		}
	}
	if !from.IsZero() {
		shade(d.at(d.minutes))
	}
}

// scale draws the values on the left, from zero.
func (d drawing) scale() {
	const steps = 4
	for i := range steps + 1 {
		value := d.peak * float64(i) / steps
		y := d.y(value)
		d.LineStroke([]charts.Point{{X: left, Y: y}, {X: width - right, Y: y}}, d.faint, 1.5)
		text := short(value)
		box := d.MeasureText(text, 0, d.font(small, d.text))
		d.Text(text, left-box.Width()-14, y+box.Height()/2, 0, d.font(small, d.text))
	}
}

// hours draws the times below, few enough not to touch.
func (d drawing) hours() {
	const labels = 6
	step := max(1, int(math.Ceil(float64(d.minutes-1)/labels)))
	for i := 0; i < d.minutes; i += step {
		at := d.at(i)
		text := at.Format("15:04")
		box := d.MeasureText(text, 0, d.font(small, d.text))
		x := d.x(at)
		d.LineStroke([]charts.Point{{X: x, Y: height - bottom}, {X: x, Y: height - bottom + 8}}, d.text, 2)
		d.Text(text, min(x-box.Width()/2, width-box.Width()-6), height-bottom+18+box.Height(), 0, d.font(small, d.text))
	}
	zone, _ := d.at(0).Zone()
	d.Text(zone, 16, height-bottom+18+d.MeasureText(zone, 0, d.font(small, d.text)).Height(), 0, d.font(small, d.text))
}

// line draws a series; where nothing is known it leaves a gap, and a minute alone is a dot.
func (d drawing) line(l line, color charts.Color) {
	var run []charts.Point
	flush := func() {
		switch len(run) {
		case 0:
		case 1:
			d.Circle(4, run[0].X, run[0].Y, color, color, 1)
		default:
			d.LineStroke(run, color, 5)
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

// moments draws the marks, their words on two rows in turn so that neighbours do not cover one another.
func (d drawing) moments() {
	free := [2]int{left, left}
	for _, m := range d.marks {
		color := kinds[m.Kind]
		x := d.x(m.At)
		d.DashedLineStroke([]charts.Point{{X: x, Y: top - 6}, {X: x, Y: height - bottom}}, color, 3, []float64{10, 6})
		text := clean(m.Text)
		box := d.MeasureText(text, 0, d.font(small, color))
		at := max(6, min(x-box.Width()/2, width-box.Width()-6))
		row := 0
		if at < free[0] {
			row = 1
		}
		if text == "" || at < free[row] {
			continue // no room: its line is there
		}
		d.Text(text, at, top-14-row*30, 0, d.font(small, color))
		free[row] = at + box.Width() + 16
	}
}

// heading draws the title, and the names of the lines where there are several.
func (d drawing) heading() {
	d.Text(d.title, 24, 46, 0, d.font(big, d.text))
	if len(d.series) < 2 && d.left == 0 {
		return
	}
	x := width - right
	names := make([]string, 0, len(d.series)+1)
	for _, l := range d.series {
		names = append(names, l.name)
	}
	if d.left > 0 {
		names = append(names, fmt.Sprintf("and %d more", d.left))
	}
	for i := len(names) - 1; i >= 0; i-- {
		color := d.text
		if i < len(d.series) {
			color = palette[i]
		}
		box := d.MeasureText(names[i], 0, d.font(small, color))
		x -= box.Width()
		if x < 24 {
			return
		}
		d.Text(names[i], x, height-10, 0, d.font(small, color))
		x -= 40
	}
}
