package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

var began = time.Date(2026, 11, 23, 1, 14, 0, 0, time.UTC)

// outage is an hour at 120 records a minute, and a quarter of an hour of nothing.
func outage() Flow {
	s := Series{Name: "warehouse"}
	for i := range 75 {
		p := Point{At: began.Add(time.Duration(i) * time.Minute), Value: 120, Known: true}
		if i >= 60 {
			p.Value = 0
		}
		s.Points = append(s.Points, p)
	}
	return Flow{Title: "Records per minute", Series: []Series{s}, Marks: []Mark{{began.Add(time.Hour), "02:14 failed", Failed}, {began.Add(72 * time.Minute), "fixed", Fixed}}}
}

func TestPicture(t *testing.T) {
	for _, onDark := range []bool{false, true} {
		body, err := outage().PNG(onDark)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(body))
		if err != nil || img.Bounds() != image.Rect(0, 0, width, height) {
			t.Fatalf("got %v, %v", img.Bounds(), err)
		}
		blue := color.RGBA{0, 114, 178, 255}
		if got := color.RGBAModel.Convert(img.At(1130, height-bottom)); got != blue {
			t.Errorf("the flatline: got %v at the end of the scale's zero, want %v", got, blue)
		}
		quiet, broken := img.At(300, top+20), img.At(1000, top+20)
		if quiet == broken {
			t.Errorf("the outage is not shaded: %v", quiet)
		}
		again, err := outage().PNG(onDark)
		if err != nil || !bytes.Equal(body, again) {
			t.Errorf("the same flow gives other bytes: %v", err)
		}
	}
}

func TestSVGStandsAlone(t *testing.T) {
	f := outage()
	f.Title, f.Series[0].Name, f.Marks[0].Text = "<script>alert(1)</script>", `"><image href="http://x"/>`, "a & b\x00\x1b"
	f.Series = append(f.Series, outage().Series[0])
	body, err := f.SVG()
	if err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok {
			for _, a := range start.Attr {
				if a.Name.Local == "href" || strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("%s has %s", start.Name.Local, a.Name.Local)
				}
			}
			if start.Name.Local == "script" || start.Name.Local == "image" {
				t.Errorf("there is a %s in it", start.Name.Local)
			}
		}
	}
}

func TestAlt(t *testing.T) {
	minutes := func(values ...float64) []Point {
		var list []Point
		for i, v := range values {
			list = append(list, Point{began.Add(time.Duration(i) * time.Minute), v, true})
		}
		return list
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		name string
		flow Flow
		want string
	}{
		{"an outage", outage(), "Records per minute: warehouse moved about 120 records a minute until 02:14 UTC, then none for 15 min."},
		{"in another zone", Flow{Zone: berlin, Series: []Series{{"a", minutes(5, 5, 0)}}}, "Records per minute: a moved about 5 records a minute until 02:16 CET, then none for 1 min."},
		{"nothing", Flow{}, "Records per minute: nothing is known of the flow."},
		{"all well", Flow{Title: "x", Series: []Series{{"a", minutes(1500, 1500)}}}, "x: a moved about 1.5k records a minute."},
		{"never moved", Flow{Series: []Series{{"", minutes(0, 0)}}}, "Records per minute: it did not move."},
		{"many", Flow{Series: []Series{{"a", minutes(1)}, {"b", minutes(1)}, {"c", minutes(1)}, {"d", minutes(1)}, {"e", minutes(1)}, {"f", minutes(1)}, {"g", minutes(1)}}}, "; and 1 more."},
	}
	for _, row := range rows {
		if got := row.flow.Alt(); !strings.HasSuffix(got, row.want) {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// Odd flows give a sensible picture or ErrEmpty.
func TestOddFlows(t *testing.T) {
	one := func(points ...Point) Flow { return Flow{Series: []Series{{"a", points}}} }
	many := Flow{}
	for range 20 {
		many.Series = append(many.Series, outage().Series[0])
	}
	for i := range 50 {
		many.Marks = append(many.Marks, Mark{began.Add(time.Duration(i) * time.Minute), strings.Repeat("long ", 40), Failed})
	}
	long := Series{Name: "long"}
	for i := range 5000 {
		long.Points = append(long.Points, Point{began.Add(time.Duration(5000-i) * time.Minute), float64(i), true})
	}
	rows := []struct {
		name string
		flow Flow
		err  error
	}{
		{"nothing", Flow{}, ErrEmpty},
		{"nothing known", one(Point{At: began}), ErrEmpty},
		{"no time", one(Point{Value: 1, Known: true}), ErrEmpty},
		{"not numbers", one(Point{began, math.NaN(), true}, Point{began, math.Inf(1), true}), ErrEmpty},
		{"one point", one(Point{began, 3, true}), nil},
		{"huge", one(Point{began, math.MaxFloat64, true}, Point{began, math.MaxFloat64, true}), nil},
		{"negative", one(Point{began, -5, true}), nil},
		{"out of order and of length", Flow{Series: []Series{long}}, nil},
		{"years apart", one(Point{began, 1, true}, Point{began.AddDate(9, 0, 0), 1, true}), nil},
		{"too many of all", many, nil},
	}
	for _, row := range rows {
		if _, err := row.flow.PNG(false); !errors.Is(err, row.err) {
			t.Errorf("%s: PNG: got %v, want %v", row.name, err, row.err)
		}
		if _, err := row.flow.SVG(); !errors.Is(err, row.err) {
			t.Errorf("%s: SVG: got %v, want %v", row.name, err, row.err)
		}
	}
}

func FuzzFlow(f *testing.F) {
	f.Add("title", "name", int64(0), 1.5, "mark", int64(60))
	f.Add("\xff<", "", int64(-1<<60), math.Inf(-1), "\x00", int64(1<<60))
	f.Fuzz(func(t *testing.T, title, name string, offset int64, value float64, mark string, at int64) {
		flow := Flow{Title: title, Series: []Series{{name, []Point{{began, 1, true}, {began.Add(time.Duration(offset)), value, true}}}}, Marks: []Mark{{began.Add(time.Duration(at)), mark, Failed}}}
		body, err := flow.SVG()
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(body, new(struct{})); err != nil {
			t.Errorf("%q, %q, %q: %v", title, name, mark, err)
		}
	})
}

func BenchmarkPNG(b *testing.B) {
	f := outage()
	size := 0
	for b.Loop() {
		body, err := f.PNG(false)
		if err != nil {
			b.Fatal(err)
		}
		size = len(body)
	}
	b.ReportMetric(float64(size)/1024, "KiB")
}
