package chart

import (
	"fmt"
	"math"
	"slices"
)

// Coarse is a flow in few even stretches of time, for charts that show no more (Slack's data_visualization takes 20
// points, and names of 20 letters).
type Coarse struct {
	Title  string
	Unit   string   // "records per minute"
	Labels []string // of the stretches: "15:04", and "15:07 failed" where something happened in it; no two are alike
	Series []CoarseSeries
}

// CoarseSeries is one connector, with a value for each label.
type CoarseSeries struct {
	Name   string
	Values []float64 // per minute, the average of the stretch
}

// happened are the words of the moments that a label names.
var happened = map[Kind]string{Failed: "failed", Fixed: "recovered"}

// Coarse puts the flow into at most most stretches with names of at most letters letters. Stretches of which a series
// knows nothing are left out: a chart without gaps would show them as zero. ErrEmpty when fewer than three remain.
func (f Flow) Coarse(most, letters int) (Coarse, error) {
	c, err := f.plan()
	if err != nil {
		return Coarse{}, err
	}
	wide := (c.minutes + most - 1) / most
	out := Coarse{Title: c.title, Unit: c.unit + " per minute"}
	for i, l := range c.series {
		out.Series = append(out.Series, CoarseSeries{Name: distinct(out.Series, l.name, i, letters)})
	}
	for from := 0; from < c.minutes; from += wide {
		values, known := c.averages(from, min(from+wide, c.minutes))
		if !known {
			continue
		}
		out.Labels = append(out.Labels, c.label(from, wide))
		for i, v := range values {
			out.Series[i].Values = append(out.Series[i].Values, v)
		}
	}
	if len(out.Labels) < 3 {
		return Coarse{}, ErrEmpty
	}
	return out, nil
}

// averages are the values of all series over some minutes; known says that every series has one.
func (c *canvas) averages(from, to int) (values []float64, known bool) {
	for _, l := range c.series {
		sum, n := 0.0, 0
		for _, v := range l.values[from:to] {
			if !math.IsNaN(v) {
				sum, n = sum+v, n+1
			}
		}
		if n == 0 {
			return nil, false
		}
		values = append(values, math.Round(10*sum/float64(n))/10)
	}
	return values, true
}

// label is when a stretch begins, or what happened in it and when.
func (c *canvas) label(from, wide int) string {
	for _, m := range c.marks {
		word, told := happened[m.Kind]
		if i, in := c.minute(m.At); told && in && i >= from && i < from+wide {
			return m.At.In(c.zone).Format("15:04") + " " + word
		}
	}
	return c.at(from).Format("15:04")
}

// distinct shortens a name so that no other series has it.
func distinct(taken []CoarseSeries, name string, i, letters int) string {
	short := shorten(name, letters)
	if short == "" || slices.ContainsFunc(taken, func(s CoarseSeries) bool { return s.Name == short }) {
		number := fmt.Sprintf("#%d", i+1)
		short = shorten(name, letters-len(number)) + number
	}
	return short
}
