// Package chart draws how a pipeline flowed: events per minute over time, the flatline of an outage, and what happened
// when. The same picture goes into the alert thread as PNG and into exports as SVG. It is pure: points in, bytes out, and
// the same flow always gives the same bytes.
package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/go-analyze/charts"
)

// Flow is what is drawn.
type Flow struct {
	Title  string // "… per minute" of the unit when empty
	Series []Series
	Marks  []Mark
	Unit   string         // what is counted, in the plural; records when empty
	Zone   *time.Location // of the times below the picture; UTC when nil
}

// Series is the flow of one connector. Points may come in any order.
type Series struct {
	Name   string
	Points []Point
}

// Point is how fast a connector flowed from a moment on.
type Point struct {
	At    time.Time
	Value float64 // per minute; several of one minute are averaged, and less than nothing is nothing
	Known bool    // false leaves a gap
}

// Mark is a moment with a name.
type Mark struct {
	At   time.Time
	Text string
	Kind Kind
}

// Kind says what kind of moment it is: how it looks, and whether it begins or ends an outage.
type Kind int

// The kinds of moments. Any other number is a Note.
const (
	Note Kind = iota
	Failed
	Approved
	Fixed
)

// ErrEmpty is returned when no point is known.
var ErrEmpty = errors.New("nothing is known of the flow: there is nothing to draw")

// PNG draws the picture, 1200 × 630 pixels. ErrEmpty when there is nothing to draw.
func (f Flow) PNG(dark bool) ([]byte, error) {
	look := onLight
	if dark {
		look = onDark
	}
	return f.draw(charts.ChartOutputPNG, look)
}

// SVG draws the same picture without references to anything outside; Alt is its title. ErrEmpty as PNG.
func (f Flow) SVG() ([]byte, error) {
	body, err := f.draw(charts.ChartOutputSVG, onLight)
	if err != nil {
		return nil, err
	}
	head, rest, ok := bytes.Cut(body, []byte(">"))
	if !ok {
		return nil, errors.New("drawing the flow as SVG: the library wrote no element")
	}
	var out bytes.Buffer
	out.Write(head)
	out.WriteString("><title>")
	if err := xml.EscapeText(&out, []byte(f.Alt())); err != nil {
		return nil, fmt.Errorf("writing the title of the flow: %w", err)
	}
	out.WriteString("</title>")
	out.Write(rest)
	return out.Bytes(), nil
}

func (f Flow) title() string {
	if t := clean(f.Title); t != "" {
		return t
	}
	r := []rune(f.unit() + " per minute")
	r[0] = unicode.ToUpper(r[0])
	return string(r)
}

func (f Flow) unit() string {
	if u := clean(f.Unit); u != "" {
		return u
	}
	return "records"
}

// longestText is how many letters of a text are read at all; what of it is drawn depends on the room.
const longestText = 60

// clean makes a text fit for a picture: one line, nothing that cannot be seen, not too long.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return shorten(strings.Join(strings.Fields(s), " "), longestText)
}

// shorten leaves a text with at most most letters. Its middle goes: names of connectors differ at their ends.
func shorten(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	tail := (most - 1) / 2
	return string(r[:most-1-tail]) + "…" + string(r[len(r)-tail:])
}
