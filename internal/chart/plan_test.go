package chart

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestMinutes(t *testing.T) {
	nan := math.NaN()
	at := func(seconds int, v float64) Point {
		return Point{began.Add(time.Duration(seconds) * time.Second), v, true}
	}
	rows := []struct {
		name   string
		points []Point
		want   []float64
	}{
		{"even", values(1, 2, 3), []float64{1, 2, 3}},
		{"out of order", []Point{at(120, 3), at(0, 1), at(60, 2)}, []float64{1, 2, 3}},
		{"several in a minute", []Point{at(0, 100), at(20, 110), at(59, 120), at(60, 5)}, []float64{110, 5}},
		{"unknown", values(1, -1, 3), []float64{1, nan, 3}},
		{"known and unknown in one minute", []Point{at(0, 4), {At: began}, at(60, 1)}, []float64{4, 1}},
		{"every third minute", []Point{at(0, 1), at(180, 2), at(360, 3)}, []float64{1, 1, 1, 2, 2, 2, 3}},
		{"every second minute, one missed", []Point{at(0, 1), at(120, 2), at(360, 3), at(480, 4)}, []float64{1, 1, 2, 2, nan, nan, 3, 3, 4}},
		{"every second minute, one unknown", []Point{at(0, 1), {At: after(2)}, at(240, 3)}, []float64{1, 1, nan, nan, 3}},
		{"far apart", []Point{at(0, 1), at(11*60, 2)}, []float64{1, nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, 2}},
		{"less than nothing", []Point{at(0, -1), at(60, 2)}, []float64{0, 2}},
	}
	for _, row := range rows {
		c, err := Flow{Series: []Series{{"a", row.points}}}.plan()
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		if diff := cmp.Diff(row.want, c.series[0].values, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
}

func TestScale(t *testing.T) {
	rows := []struct{ peak, step, top float64 }{
		{0, 1, 1}, {0.2, 1, 1}, {1, 1, 1}, {1.5, 1, 2}, {3, 1, 3}, {8, 2, 8}, {9, 2.5, 10}, {99, 25, 100},
		{139, 50, 150}, {695, 200, 800}, {1450, 500, 1500}, {5.9e9, 2e9, 6e9}, {math.MaxFloat64, 2.5e14, highest},
	}
	for _, row := range rows {
		c, err := Flow{Series: []Series{{"a", values(row.peak)}}}.plan()
		if err != nil {
			t.Fatal(err)
		}
		if c.step != row.step || c.peak() != row.top {
			t.Errorf("peak %v: got steps of %v up to %v, want %v up to %v", row.peak, c.step, c.peak(), row.step, row.top)
		}
	}
}

// What is not drawn does not press down what is.
func TestSeriesThatAreLeftOutDoNotCount(t *testing.T) {
	var f Flow
	for i := range 8 {
		f.Series = append(f.Series, Series{"a", values(math.Pow(10, float64(i)))})
	}
	c, err := f.plan()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.series) != mostSeries || c.left != 2 || c.peak() != 100_000 {
		t.Errorf("got %d series, %d left out, a scale up to %v", len(c.series), c.left, c.peak())
	}
}

func TestMarksThatStay(t *testing.T) {
	f := outage()
	for i := range 20 {
		f.Marks = append(f.Marks, Mark{after(i), "note", Note})
	}
	f.Marks = append(f.Marks, Mark{after(65), "approved", Approved}, Mark{after(66), "odd", Kind(77)}, Mark{after(-500), "old", Failed})
	c, err := f.plan()
	if err != nil {
		t.Fatal(err)
	}
	var got []Kind
	for _, m := range c.marks {
		got = append(got, m.Kind)
	}
	if want := []Kind{Failed, Fixed, Approved, Note, Note, Note, Note, Note}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// However marks lie, no words cover others, leave the picture, or are crossed by a line that rises to a higher row.
func TestWordsKeepApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b board
		n := rapid.IntRange(1, mostMarks).Draw(t, "marks")
		for range n {
			x := rapid.IntRange(left, width-right).Draw(t, "x")
			wide := rapid.IntRange(0, mostWords).Draw(t, "wide")
			p, ok := b.put(x, wide, Kind(rapid.IntRange(0, 3).Draw(t, "kind")))
			if ok && (p.at < left || p.at+wide > width-edge || p.row < 0 || p.row >= markRows) {
				t.Fatalf("words of %d at %+v", wide, p)
			}
		}
		for row := range b {
			all := slices.Clone(b[row])
			slices.SortFunc(all, func(a, c stretch) int { return a.from - c.from })
			for i := 1; i < len(all); i++ {
				if all[i].from < all[i-1].to && all[i].to-all[i].from != markGap {
					t.Fatalf("row %d: %v covers %v", row, all[i-1], all[i])
				}
			}
		}
	})
}

// A short outage has room for both of its ends, wherever it lies.
func TestFailureAndRecoveryAreBothNamed(t *testing.T) {
	for x := left; x <= width-right; x += 10 {
		for _, apart := range []int{0, 5, 20, 100} {
			var b board
			_, failed := b.put(x, 190, Failed)
			_, fixed := b.put(min(x+apart, width-right), 240, Fixed)
			if !failed || !fixed {
				t.Errorf("outage of %d pixels at %d: failure named %t, recovery named %t", apart, x, failed, fixed)
			}
		}
	}
}
