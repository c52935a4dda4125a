package chart

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// What a picture takes in.
const (
	mostSeries  = 6
	mostMarks   = 8
	mostMinutes = 24 * 60
	// reach is how far beyond what is known a mark or an unknown point stretches the picture: the failure after which
	// nobody could look belongs into it, a clock that is a year off does not.
	reach = time.Hour
	// widest is the longest step between points that is taken for the pace of looking and not for a gap.
	widest = 10
	// highest is where values are cut off: no pipeline gets there, and its digits still fit beside the scale.
	highest = 1e15
)

// canvas is a picture in the making: even minutes from begin, and the scale of the values.
type canvas struct {
	title   string
	unit    string
	zone    *time.Location
	begin   time.Time
	minutes int
	step    float64 // between two lines of the scale
	steps   int
	series  []line
	left    int // series that are not drawn
	marks   []Mark
	outages []span
}

// line is one series, a value for each minute; NaN where nothing is known.
type line struct {
	name   string
	values []float64
}

// span is a stretch of time.
type span struct{ from, to time.Time }

// plan lays the points out in even minutes.
func (f Flow) plan() (canvas, error) {
	c := canvas{title: f.title(), unit: f.unit(), zone: f.Zone}
	if c.zone == nil {
		c.zone = time.UTC
	}
	known, ok := f.known()
	if !ok {
		return c, ErrEmpty
	}
	c.frame(f.stretched(known))
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
	if len(c.series) == 0 {
		return c, ErrEmpty
	}
	c.scale()
	c.take(f.Marks)
	return c, nil
}

func (p Point) usable() bool {
	return p.Known && !p.At.IsZero() && !math.IsNaN(p.Value) && !math.IsInf(p.Value, 0)
}

// known is the time from the first to the last known point.
func (f Flow) known() (span, bool) {
	var known span
	for _, s := range f.Series {
		for _, p := range s.Points {
			if p.usable() {
				known = known.with(p.At)
			}
		}
	}
	return known, !known.from.IsZero()
}

// stretched takes in the marks and the unknown points near what is known.
func (f Flow) stretched(known span) span {
	near := span{known.from.Add(-reach), known.to.Add(reach)}
	all := known
	add := func(at time.Time) {
		if !at.IsZero() && !at.Before(near.from) && !at.After(near.to) {
			all = all.with(at)
		}
	}
	for _, s := range f.Series {
		for _, p := range s.Points {
			add(p.At)
		}
	}
	for _, m := range f.Marks {
		add(m.At)
	}
	return all
}

func (s span) with(at time.Time) span {
	if s.from.IsZero() || at.Before(s.from) {
		s.from = at
	}
	if s.to.IsZero() || at.After(s.to) {
		s.to = at
	}
	return s
}

// frame sets the minutes of the picture, the latest ones when there are too many.
func (c *canvas) frame(all span) {
	c.begin = all.from.Truncate(time.Minute)
	if all.to.Sub(c.begin) >= mostMinutes*time.Minute {
		c.begin = all.to.Truncate(time.Minute).Add(-(mostMinutes - 1) * time.Minute)
	}
	c.minutes = min(mostMinutes, max(2, int(all.to.Sub(c.begin)/time.Minute)+1))
}

// minute is the number of the minute a moment falls into, and whether it is one of the picture's.
func (c *canvas) minute(at time.Time) (int, bool) {
	i := int(at.Sub(c.begin) / time.Minute)
	return i, !at.IsZero() && !at.Before(c.begin) && i >= 0 && i < c.minutes
}

// at is the moment at which minute i begins.
func (c *canvas) at(i int) time.Time {
	return c.begin.Add(time.Duration(i) * time.Minute).In(c.zone)
}

// end is the moment at which the last minute begins, where the picture ends.
func (c *canvas) end() time.Time { return c.at(c.minutes - 1) }

// lay puts a series into its minutes, each the average of its points.
func (c *canvas) lay(s Series) line {
	sums, counts := make([]float64, c.minutes), make([]int, c.minutes)
	asked := make([]bool, c.minutes)
	any := false
	for _, p := range s.Points {
		i, inside := c.minute(p.At)
		if !inside {
			continue
		}
		asked[i] = true
		if p.usable() {
			sums[i] += min(highest, max(0, p.Value))
			counts[i]++
			any = true
		}
	}
	l := line{name: clean(s.Name)}
	if !any {
		return l
	}
	for i := range sums {
		value := math.NaN()
		if counts[i] > 0 {
			value = sums[i] / float64(counts[i])
		}
		l.values = append(l.values, value)
	}
	l.hold(asked)
	return l
}

// hold lets a value stand until the next look when looks are usually further apart than a minute.
func (l line) hold(asked []bool) {
	pace := usualStep(asked)
	if pace > widest {
		return
	}
	since := pace
	for i := range l.values {
		since++
		if asked[i] {
			since = 0
		}
		if since > 0 && since < pace {
			l.values[i] = l.values[i-1]
		}
	}
}

// usualStep is the median of the minutes between looks.
func usualStep(asked []bool) int {
	var steps []int
	last := -1
	for i, yes := range asked {
		if !yes {
			continue
		}
		if last >= 0 {
			steps = append(steps, i-last)
		}
		last = i
	}
	if len(steps) == 0 {
		return 1
	}
	slices.Sort(steps)
	return steps[len(steps)/2]
}

// scale finds round steps, four or fewer of them, from zero to the highest value that is drawn.
func (c *canvas) scale() {
	peak := 0.0
	for _, l := range c.series {
		for _, v := range l.values {
			if v > peak {
				peak = v
			}
		}
	}
	c.step, c.steps = 1, 1
	if peak <= 1 {
		return
	}
	power := math.Pow(10, math.Floor(math.Log10(peak))-1)
	for _, round := range []float64{2.5, 5, 10, 20, 25, 50} {
		c.step = round * power
		c.steps = int(math.Ceil(peak / c.step))
		if c.steps <= 4 && (c.step >= 1) {
			return
		}
	}
}

// peak is the top of the scale.
func (c *canvas) peak() float64 { return c.step * float64(c.steps) }

// take takes in the marks: the weightiest ones of many, in the order of their weight, and the outages between them.
func (c *canvas) take(marks []Mark) {
	all := slices.Clone(marks)
	all = slices.DeleteFunc(all, func(m Mark) bool { return m.At.IsZero() })
	for i, m := range all {
		if m.Kind < Note || m.Kind > Fixed {
			all[i].Kind = Note
		}
	}
	slices.SortStableFunc(all, func(a, b Mark) int { return a.At.Compare(b.At) })
	c.outages = outages(all, c.end())
	all = slices.DeleteFunc(all, func(m Mark) bool { return m.At.Before(c.begin) || m.At.After(c.end().Add(time.Minute)) })
	slices.SortStableFunc(all, func(a, b Mark) int { return cmp.Compare(weights[b.Kind], weights[a.Kind]) })
	c.marks = all[:min(len(all), mostMarks)]
}

// weights say which marks stay, and which get their words first, where there is no room for all.
var weights = [...]int{Note: 0, Approved: 1, Fixed: 2, Failed: 3}

// outages are the times from each failure to what ended it, or to the end. One may have begun before the picture does.
func outages(marks []Mark, end time.Time) []span {
	var list []span
	from := time.Time{}
	for _, m := range marks {
		switch {
		case m.Kind == Failed && from.IsZero():
			from = m.At
		case m.Kind == Fixed && !from.IsZero():
			list = append(list, span{from, m.At})
			from = time.Time{}
		}
	}
	if !from.IsZero() {
		list = append(list, span{from, end})
	}
	return list
}
