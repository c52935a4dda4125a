package chart

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// longestAlt is how many letters the description of a picture may have: Slack takes a thousand.
const longestAlt = 900

// shortStop is how many minutes without anything are usual between others, and not worth a word.
const shortStop = 2

// Alt says the picture in one sentence, for those who do not see it.
func (f Flow) Alt() string {
	c, err := f.plan()
	if err != nil {
		return f.title() + ": nothing is known of the flow."
	}
	text, left := c.series[0].sentence(&c), c.left
	for i, l := range c.series[1:] {
		next := "; " + l.sentence(&c)
		if len([]rune(text+next)) > longestAlt {
			left += len(c.series) - 1 - i
			break
		}
		text += next
	}
	if left > 0 {
		text += fmt.Sprintf("; and %d more", left)
	}
	return text + "."
}

// stop is a run of minutes in which nothing came, and the minute after it. What is unknown does not end it.
type stop struct{ from, to int }

func (s stop) minutes() int { return s.to - s.from }

// stops are the runs of nothing, and whether the line ends in one.
func (l line) stops() (list []stop, still bool) {
	for i, v := range l.values {
		switch {
		case v > 0:
			still = false
		case v == 0 && still:
			list[len(list)-1].to = i + 1
		case v == 0:
			list = append(list, stop{i, i + 1})
			still = true
		}
	}
	return list, still
}

// sentence says a series in words: how much usually came, when nothing did, and what is not known.
func (l line) sentence(c *canvas) string {
	name := l.name
	if name == "" {
		name = "the pipeline"
	}
	return name + l.course(c) + l.unknown()
}

// course tells of the longest stop, and of the one that lasts.
func (l line) course(c *canvas) string {
	stops, still := l.stops()
	longest := -1
	for i, s := range stops {
		lasts := still && i == len(stops)-1
		if (lasts || s.minutes() > shortStop) && (longest < 0 || s.minutes() >= stops[longest].minutes()) {
			longest = i
		}
	}
	if longest < 0 {
		return " flowed " + about(l.mean(0, len(l.values))) + " " + c.unit + " per minute"
	}
	s, last := stops[longest], stops[len(stops)-1]
	before := l.mean(0, s.from)
	text := " flowed " + about(before) + " " + c.unit + " per minute until " + c.clock(s.from) + ", then none for " + minutes(s.minutes())
	if math.IsNaN(before) {
		text = ": no " + c.unit + " for " + minutes(s.minutes())
	}
	if still && s == last {
		return text
	}
	until := len(l.values)
	if still {
		until = last.from
	}
	text += ", then " + strings.TrimPrefix(about(l.mean(s.to, until)), "at ") + " per minute from " + c.clock(l.next(s.to))
	if still {
		text += ", and none since " + c.clock(last.from)
	}
	return text
}

// unknown says how long nothing has been known at the end.
func (l line) unknown() string {
	n := len(l.values)
	for n > 0 && math.IsNaN(l.values[n-1]) {
		n--
	}
	if blind := len(l.values) - n; blind > shortStop {
		return ", and nothing is known of the last " + minutes(blind)
	}
	return ""
}

// next is the first known minute from i on.
func (l line) next(i int) int {
	for i < len(l.values)-1 && math.IsNaN(l.values[i]) {
		i++
	}
	return i
}

// mean is the average of what is known between two minutes; NaN when that is nothing.
func (l line) mean(from, to int) float64 {
	sum, n := 0.0, 0.0
	for _, v := range l.values[from:to] {
		if !math.IsNaN(v) {
			sum, n = sum+v, n+1
		}
	}
	return sum / n
}

func (c *canvas) clock(i int) string { return c.at(i).Format("15:04") + " " + c.zoneAt(i) }

// zoneAt is the name of the zone in minute i; it changes with summer time.
func (c *canvas) zoneAt(i int) string {
	name, _ := c.at(i).Zone()
	return shorten(clean(name), 5)
}

func minutes(n int) string {
	if n == 1 {
		return "1 minute"
	}
	return strconv.Itoa(n) + " minutes"
}

// about says a number with two digits that count.
func about(n float64) string {
	if n < 0.1 {
		return "at less than 0.1"
	}
	if n >= highest {
		return "at more than " + short(highest)
	}
	power := math.Pow(10, math.Floor(math.Log10(n))-1)
	return "at about " + short(math.Round(n/power)*power)
}

// short writes a number in few letters: 950, 1.2k, 3M.
func short(n float64) string {
	unit := ""
	for _, next := range []string{"k", "M", "G", "T"} {
		if n < 999.95 {
			break
		}
		n, unit = n/1000, next
	}
	return strings.TrimSuffix(strconv.FormatFloat(n, 'f', 1, 64), ".0") + unit
}
