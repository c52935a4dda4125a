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

	"github.com/go-analyze/charts"
)

var began = time.Date(2026, 11, 23, 1, 14, 0, 0, time.UTC)

func after(minutes int) time.Time { return began.Add(time.Duration(minutes) * time.Minute) }

// values are points a minute apart; less than nothing stands for a minute of which nothing is known.
func values(list ...float64) []Point {
	var points []Point
	for i, v := range list {
		points = append(points, Point{after(i), v, v >= 0})
	}
	return points
}

func repeat(n int, v float64) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = v
	}
	return list
}

func join(lists ...[]float64) []Point {
	var all []float64
	for _, l := range lists {
		all = append(all, l...)
	}
	return values(all...)
}

// outage is an hour at 120 records a minute, and a quarter of an hour of nothing.
func outage() Flow {
	return Flow{
		Title:  "Records per minute",
		Series: []Series{{"orders", join(repeat(60, 120), repeat(15, 0))}},
		Marks:  []Mark{{after(60), "02:14 failed", Failed}, {after(72), "fixed", Fixed}},
	}
}

func rgb(c charts.Color) color.RGBA { return color.RGBA{c.R, c.G, c.B, c.A} }

func decode(t *testing.T, f Flow, dark bool) image.Image {
	t.Helper()
	body, err := f.PNG(dark)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds() != image.Rect(0, 0, width, height) {
		t.Fatalf("got a picture of %v", img.Bounds())
	}
	return img
}

func TestPicture(t *testing.T) {
	for _, look := range []struct {
		name string
		dark bool
		shades
	}{{"light", false, onLight}, {"dark", true, onDark}} {
		t.Run(look.name, func(t *testing.T) {
			t.Parallel()
			d, err := outage().sketch(charts.ChartOutputPNG, look.shades)
			if err != nil {
				t.Fatal(err)
			}
			img := decode(t, outage(), look.dark)
			for _, row := range []struct {
				name string
				x, y int
				want charts.Color
			}{
				{"the flatline", d.x(after(66)), d.floor, look.line[0]},
				{"the flow", d.x(after(30)), d.y(120), look.line[0]},
				{"the outage", d.x(after(66)), top + 20, look.outage},
				{"before the outage", d.x(after(40)) + 9, top + 9, look.back},
				{"after the outage", d.x(after(73)), top + 9, look.back},
				{"the failure", d.x(after(60)), top + 9, look.mark[Failed]},
				{"the margin", 3, 3, look.back},
			} {
				if got := color.RGBAModel.Convert(img.At(row.x, row.y)); got != rgb(row.want) {
					t.Errorf("%s: got %v at %d, %d, want %v", row.name, got, row.x, row.y, row.want)
				}
			}
		})
	}
}

// An outage that began before the picture shades it from its edge; one after the last known point widens it.
func TestOutagesBeyondThePoints(t *testing.T) {
	rows := []struct {
		name string
		flow Flow
		at   time.Time
	}{
		{"began long before", Flow{Series: []Series{{"a", join(repeat(30, 0))}}, Marks: []Mark{{after(-300), "", Failed}}}, after(3)},
		{"began after the last look", Flow{Series: []Series{{"a", join(repeat(30, 5))}}, Marks: []Mark{{after(33), "", Failed}, {after(40), "", Note}}}, after(36)},
		{"nobody could look", Flow{Series: []Series{{"a", join(repeat(30, 5), repeat(9, -1))}}, Marks: []Mark{{after(31), "", Failed}}}, after(36)},
	}
	for _, row := range rows {
		d, err := row.flow.sketch(charts.ChartOutputPNG, onLight)
		if err != nil {
			t.Fatal(err)
		}
		got := color.RGBAModel.Convert(decode(t, row.flow, false).At(d.x(row.at), top+9))
		if got != rgb(onLight.outage) {
			t.Errorf("%s: got %v where the outage is, want %v", row.name, got, onLight.outage)
		}
	}
}

func TestGapsAreEmpty(t *testing.T) {
	f := Flow{Title: "a", Series: []Series{{"a", join(repeat(20, 10), repeat(10, -1), repeat(20, 10))}}}
	d, err := f.sketch(charts.ChartOutputPNG, onLight)
	if err != nil {
		t.Fatal(err)
	}
	img, x := decode(t, f, false), d.x(after(24))+9
	for y := top; y <= d.floor; y++ {
		if got := color.RGBAModel.Convert(img.At(x, y)); got == rgb(onLight.line[0]) {
			t.Fatalf("the line is drawn at %d, %d, where nothing is known", x, y)
		}
	}
}

func TestSameFlowSameBytes(t *testing.T) {
	backwards := outage()
	points := backwards.Series[0].Points
	for i, j := 0, len(points)-1; i < j; i, j = i+1, j-1 {
		points[i], points[j] = points[j], points[i]
	}
	for name, draw := range map[string]func(Flow) ([]byte, error){
		"PNG": func(f Flow) ([]byte, error) { return f.PNG(false) },
		"SVG": Flow.SVG,
	} {
		first, err := draw(outage())
		if err != nil {
			t.Fatal(err)
		}
		for _, again := range []Flow{outage(), backwards} {
			got, err := draw(again)
			if err != nil || !bytes.Equal(first, got) {
				t.Errorf("%s: the same flow gives other bytes: %v", name, err)
			}
		}
	}
}

// checkSVG fails for what is not well formed, and for what would reach outside or run.
func checkSVG(t *testing.T, body []byte) {
	t.Helper()
	known := map[string]bool{"svg": true, "title": true, "path": true, "text": true, "circle": true}
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if !known[start.Name.Local] {
			t.Errorf("there is a %s in it", start.Name.Local)
		}
		for _, a := range start.Attr {
			if a.Name.Local == "href" || strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Value, "url(") {
				t.Errorf("%s has %s=%q", start.Name.Local, a.Name.Local, a.Value)
			}
		}
	}
}

func TestSVGStandsAlone(t *testing.T) {
	f := outage()
	f.Title, f.Unit, f.Series[0].Name = "<script>alert(1)</script>", `"><script>`, `"><image href="http://x"/>`
	f.Marks[0].Text, f.Zone = "a & b\x00\x1b]]>", time.FixedZone("<a>", 3600)
	f.Series = append(f.Series, outage().Series[0])
	body, err := f.SVG()
	if err != nil {
		t.Fatal(err)
	}
	checkSVG(t, body)
	if want := []byte("<title>&#34;&gt;&lt;image href="); !bytes.Contains(body, want) {
		t.Errorf("got %.300s…, want %s in it", body, want)
	}
}

func TestClean(t *testing.T) {
	rows := []struct{ name, text, want string }{
		{"plain", "orders", "orders"},
		{"lines and colours", "a\n\tb\x1b[31m\x00c", "a b [31m c"},
		{"direction", "a\u202eb\u2066c", "a b c"},
		{"broken bytes", "a\xffb\ufffdc", "ab c"},
		{"long", strings.Repeat("a", 50) + strings.Repeat("z", 50), strings.Repeat("a", 30) + "…" + strings.Repeat("z", 29)},
		{"letters of other scripts", "заказы 注文", "заказы 注文"},
	}
	for _, row := range rows {
		if got := clean(row.text); got != row.want {
			t.Errorf("%s: clean(%q): got %q, want %q", row.name, row.text, got, row.want)
		}
	}
}

func points(n int, make func(i int) Point) []Point {
	list := []Point{}
	for i := range n {
		list = append(list, make(i))
	}
	return list
}

// odd are flows that nobody means, and what comes of them.
func odd() []struct {
	name string
	flow Flow
	err  error
} {
	one := func(points ...Point) Flow { return Flow{Series: []Series{{"a", points}}} }
	many := Flow{Title: strings.Repeat("W", 500)}
	for range 20 {
		many.Series = append(many.Series, Series{strings.Repeat("W", 500), outage().Series[0].Points})
	}
	for i := range 50 {
		many.Marks = append(many.Marks, Mark{after(i), strings.Repeat("long ", 40), Kind(i - 20)})
	}
	return []struct {
		name string
		flow Flow
		err  error
	}{
		{"nothing", Flow{}, ErrEmpty},
		{"series without points", Flow{Series: []Series{{}, {Name: "a"}}}, ErrEmpty},
		{"nothing known", one(Point{At: began}, Point{At: after(5), Value: 3}), ErrEmpty},
		{"no time", one(Point{Value: 1, Known: true}), ErrEmpty},
		{"not numbers", one(Point{began, math.NaN(), true}, Point{began, math.Inf(1), true}), ErrEmpty},
		{"one point", one(Point{began, 3, true}), nil},
		{"all zero", one(values(0, 0, 0)...), nil},
		{"huge", one(Point{began, math.MaxFloat64, true}, Point{began, math.MaxFloat64, true}), nil},
		{"tiny", one(Point{began, math.SmallestNonzeroFloat64, true}), nil},
		{"negative", one(Point{began, -5, true}), nil},
		{"5000 points backwards", one(points(5000, func(i int) Point { return Point{after(5000 - i), float64(i), true} })...), nil},
		{"years apart", one(Point{began, 1, true}, Point{began.AddDate(9, 0, 0), 1, true}), nil},
		{"the ends of time", one(Point{time.Unix(math.MinInt64, 0), 1, true}, Point{time.Unix(math.MaxInt64, 0), 1, true}), nil},
		{"marks without a time", Flow{Series: outage().Series, Marks: []Mark{{Text: "x", Kind: Failed}}}, nil},
		{"too many of all", many, nil},
	}
}

// Odd flows give a sensible picture or ErrEmpty.
func TestOddFlows(t *testing.T) {
	for _, row := range odd() {
		if _, err := row.flow.PNG(false); !errors.Is(err, row.err) {
			t.Errorf("%s: PNG: got %v, want %v", row.name, err, row.err)
		}
		body, err := row.flow.SVG()
		if !errors.Is(err, row.err) {
			t.Errorf("%s: SVG: got %v, want %v", row.name, err, row.err)
		}
		if err == nil {
			checkSVG(t, body)
		}
		if got := len([]rune(row.flow.Alt())); got > longestAlt+20 {
			t.Errorf("%s: Alt has %d letters", row.name, got)
		}
	}
}

func FuzzFlow(f *testing.F) {
	f.Add("title", "name", int64(0), 1.5, "mark", int64(60), int64(0), 1)
	f.Add("\xff<", "", int64(-1<<60), math.Inf(-1), "\x00", int64(1<<60), int64(math.MaxInt64), 3)
	f.Add("a", "b", int64(5*time.Minute), math.MaxFloat64, "c", int64(time.Hour), int64(math.MinInt64), -9)
	f.Fuzz(func(t *testing.T, title, name string, offset int64, value float64, mark string, at, second int64, kind int) {
		flow := Flow{
			Title: title, Unit: mark, Zone: time.FixedZone(name, kind%86400),
			Series: []Series{{name, []Point{{began, 1, true}, {began.Add(time.Duration(offset)), value, true}}}, {mark, []Point{{time.Unix(second, 0), value, kind%2 == 0}}}},
			Marks:  []Mark{{began.Add(time.Duration(at)), mark, Kind(kind)}, {time.Unix(second, 0), title, Failed}},
		}
		body, err := flow.SVG()
		if err != nil && !errors.Is(err, ErrEmpty) {
			t.Fatal(err)
		}
		if err == nil {
			checkSVG(t, body)
		}
	})
}

func BenchmarkPNG(b *testing.B) { benchmark(b, func(f Flow) ([]byte, error) { return f.PNG(false) }) }

func BenchmarkSVG(b *testing.B) { benchmark(b, Flow.SVG) }

func benchmark(b *testing.B, draw func(Flow) ([]byte, error)) {
	size := 0
	for b.Loop() {
		body, err := draw(outage())
		if err != nil {
			b.Fatal(err)
		}
		size = len(body)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/picture")
	b.ReportMetric(float64(size)/1024, "KB/picture")
}
