// Package chart draws how a pipeline flowed: records per minute over time, the flatline of an outage, and what happened
// when. The same picture goes into the alert thread as PNG and into exports as SVG. It is pure: points in, bytes out.
package chart

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-analyze/charts"
)

// Flow is what is drawn.
type Flow struct {
	Title  string
	Series []Series
	Marks  []Mark
	Zone   *time.Location // of the times below the picture; UTC when nil
}

// Series is the flow of one connector. Points may come in any order.
type Series struct {
	Name   string
	Points []Point
}

// Point is one minute.
type Point struct {
	At    time.Time
	Value float64 // records in that minute
	Known bool    // false leaves a gap
}

// Mark is a moment with a name.
type Mark struct {
	At   time.Time
	Text string
	Kind Kind
}

// Kind says what kind of moment it is: its colour, and whether it begins or ends an outage.
type Kind int

// The kinds of moments.
const (
	Note Kind = iota
	Failed
	Fixed
)

// ErrEmpty is returned when no point is known.
var ErrEmpty = errors.New("nothing is known of the flow: there is nothing to draw")

// Sizes in pixels: what a phone shows across its width, with letters that stay readable there.
const (
	width, height            = 1200, 630
	left, right, top, bottom = 110, 40, 130, 80
	big, small               = 34.0, 24.0
	mostSeries               = 6
	mostMarks                = 8
	longestText              = 60
	longestSpan              = 24 * 60 // minutes
)

// palette are colours that the colour-blind tell apart (Okabe and Ito, 2008), in an order of growing likeness.
var palette = []charts.Color{
	charts.ColorRGB(0, 114, 178), charts.ColorRGB(230, 159, 0), charts.ColorRGB(0, 158, 115),
	charts.ColorRGB(204, 121, 167), charts.ColorRGB(86, 180, 233), charts.ColorRGB(213, 94, 0),
}

// shades are the colours of one look.
type shades struct{ back, text, faint, outage charts.Color }

var (
	light = shades{charts.ColorRGB(255, 255, 255), charts.ColorRGB(30, 34, 40), charts.ColorRGB(222, 226, 230), charts.ColorRGB(253, 232, 230)}
	dark  = shades{charts.ColorRGB(26, 29, 33), charts.ColorRGB(232, 234, 237), charts.ColorRGB(62, 66, 72), charts.ColorRGB(70, 36, 36)}
)

// kinds are the colours of marks.
var kinds = map[Kind]charts.Color{Note: charts.ColorRGB(120, 126, 134), Failed: charts.ColorRGB(200, 40, 40), Fixed: charts.ColorRGB(0, 140, 90)}

// PNG draws the picture, 1200 × 630 pixels. ErrEmpty when there is nothing to draw.
func (f Flow) PNG(onDark bool) ([]byte, error) {
	look := light
	if onDark {
		look = dark
	}
	return f.draw(charts.ChartOutputPNG, look)
}

// SVG draws the same picture without references to anything outside.
func (f Flow) SVG() ([]byte, error) { return f.draw(charts.ChartOutputSVG, light) }

// Alt says the picture in one sentence, for those who do not see it.
func (f Flow) Alt() string {
	c, err := f.plan()
	if err != nil {
		return f.title() + ": nothing is known of the flow."
	}
	var parts []string
	for _, s := range c.series {
		parts = append(parts, s.sentence(c))
	}
	text := f.title() + ": " + strings.Join(parts, "; ")
	if c.left > 0 {
		text += fmt.Sprintf("; and %d more", c.left)
	}
	return text + "."
}

func (f Flow) title() string {
	if t := clean(f.Title); t != "" {
		return t
	}
	return "Records per minute"
}

// clean makes a text fit for a picture: one line, no control characters, not too long.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\uFFFD' || !unicode.IsPrint(r) && r != ' ' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > longestText {
		s = string(r[:longestText-1]) + "…"
	}
	return s
}

// canvas is a picture in the making: even minutes from begin, and the highest value.
type canvas struct {
	begin   time.Time
	minutes int
	peak    float64
	series  []line
	left    int // series that are not drawn
	marks   []Mark
	zone    *time.Location
	title   string
}

// line is one series, a value for each minute; NaN where nothing is known.
type line struct {
	name   string
	values []float64
}

// plan lays the points out in even minutes.
func (f Flow) plan() (canvas, error) {
	c := canvas{zone: f.Zone, title: f.title()}
	if c.zone == nil {
		c.zone = time.UTC
	}
	var first, last time.Time
	for _, s := range f.Series {
		for _, p := range s.Points {
			if !p.usable() {
				continue
			}
			if first.IsZero() || p.At.Before(first) {
				first = p.At
			}
			if p.At.After(last) {
				last = p.At
			}
		}
	}
	if first.IsZero() {
		return c, ErrEmpty
	}
	if last.Sub(first) > (longestSpan-1)*time.Minute {
		first = last.Add(-(longestSpan - 1) * time.Minute)
	}
	c.begin = first.Truncate(time.Minute)
	c.minutes = max(2, int(last.Sub(c.begin)/time.Minute)+1)
	for _, s := range f.Series {
		l := c.lay(s)
		switch {
		case l.values == nil:
		case len(c.series) == mostSeries:
			c.left++
		default:
			c.series = append(c.series, l)
		}
	}
	c.peak = nice(c.peak)
	c.keep(f.Marks)
	return c, nil
}

func (p Point) usable() bool {
	return p.Known && !p.At.IsZero() && !math.IsNaN(p.Value) && !math.IsInf(p.Value, 0)
}

// lay puts a series into its minutes; several points of one minute are added up.
func (c *canvas) lay(s Series) line {
	l := line{name: clean(s.Name)}
	for _, p := range s.Points {
		i := int(p.At.Sub(c.begin) / time.Minute)
		if !p.usable() || p.At.Before(c.begin) || i >= c.minutes {
			continue
		}
		if l.values == nil {
			l.values = slices.Repeat([]float64{math.NaN()}, c.minutes)
		}
		if math.IsNaN(l.values[i]) {
			l.values[i] = 0
		}
		l.values[i] = min(math.MaxFloat64/4, l.values[i]+max(0, p.Value))
		c.peak = max(c.peak, l.values[i])
	}
	return l
}

// keep keeps the marks that are in the picture, the first ones of many.
func (c *canvas) keep(marks []Mark) {
	end := c.begin.Add(time.Duration(c.minutes) * time.Minute)
	for _, m := range marks {
		if !m.At.Before(c.begin) && !m.At.After(end) {
			c.marks = append(c.marks, m)
		}
	}
	slices.SortStableFunc(c.marks, func(a, b Mark) int { return a.At.Compare(b.At) })
	c.marks = c.marks[:min(len(c.marks), mostMarks)]
}

// nice is the end of the scale: 1, 2 or 5 times a power of ten, above the peak.
func nice(peak float64) float64 {
	if peak <= 1 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(peak)))
	for _, step := range []float64{1, 2, 5, 10} {
		if step*power >= peak {
			return step * power
		}
	}
	return 10 * power
}

// short writes a number in few characters: 950, 1.2k, 3M.
func short(n float64) string {
	for _, unit := range []struct {
		at   float64
		name string
	}{{1e15, ""}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if n >= unit.at {
			if unit.name == "" {
				return fmt.Sprintf("%.0e", n)
			}
			return strings.TrimSuffix(fmt.Sprintf("%.1f", n/unit.at), ".0") + unit.name
		}
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", n), ".0")
}

// sentence says a series in words: how much usually came, and since when nothing does.
func (l line) sentence(c canvas) string {
	sum, n, last := 0.0, 0, -1
	for i, v := range l.values {
		if v > 0 {
			sum, n, last = sum+v, n+1, i
		}
	}
	name := l.name
	if name == "" {
		name = "it"
	}
	if n == 0 {
		return name + " did not move"
	}
	text := fmt.Sprintf("%s moved about %s records a minute", name, short(sum/float64(n)))
	still := 0
	for _, v := range l.values[last+1:] {
		if v == 0 {
			still++
		}
	}
	if still > 0 {
		text += fmt.Sprintf(" until %s, then none for %d min", c.at(last+1).Format("15:04 MST"), still)
	}
	return text
}

// at is the moment at which minute i begins.
func (c canvas) at(i int) time.Time {
	return c.begin.Add(time.Duration(i) * time.Minute).In(c.zone)
}
