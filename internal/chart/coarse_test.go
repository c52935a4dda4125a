package chart

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCoarse(t *testing.T) {
	begin := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	flow := func(minutes int, value func(minute int) (float64, bool)) Flow {
		s := Series{Name: "orders-sink"}
		for i := range minutes {
			v, known := value(i)
			s.Points = append(s.Points, Point{At: begin.Add(time.Duration(i) * time.Minute), Value: v, Known: known})
		}
		return Flow{Title: "Records per minute", Series: []Series{s}}
	}
	outage := flow(60, func(i int) (float64, bool) {
		if i >= 42 {
			return 0, true
		}
		return 900, true
	})
	outage.Marks = []Mark{{At: begin.Add(43 * time.Minute), Kind: Failed}, {At: begin.Add(10 * time.Minute), Text: "asked", Kind: Note}}
	got, err := outage.Coarse(20, 20)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Labels) != 20 || got.Labels[0] != "02:00" || got.Labels[14] != "02:43 failed" || got.Unit != "records per minute" {
		t.Errorf("labels %v of %s", got.Labels, got.Unit)
	}
	if v := got.Series[0].Values; v[13] != 900 || v[14] != 0 || v[19] != 0 {
		t.Errorf("values %v: the flatline begins at the 15th stretch", v)
	}

	gap := flow(30, func(i int) (float64, bool) { return 60, i < 10 || i >= 20 })
	if got, err = gap.Coarse(30, 20); err != nil || len(got.Labels) != 20 {
		t.Errorf("a gap of 10 minutes: %d stretches, %v; expected the 20 that are known", len(got.Labels), err)
	}
	if _, err := flow(2, func(int) (float64, bool) { return 1, true }).Coarse(20, 20); !errors.Is(err, ErrEmpty) {
		t.Errorf("two minutes: %v; expected ErrEmpty", err)
	}
	if _, err := flow(30, func(int) (float64, bool) { return 1, false }).Coarse(20, 20); !errors.Is(err, ErrEmpty) {
		t.Errorf("nothing known: %v; expected ErrEmpty", err)
	}
}

func TestCoarseNamesDiffer(t *testing.T) {
	f := Flow{}
	for _, name := range []string{"warehouse-postgres-sink-connector", "warehouse-postgresql-sink-connector", "warehouse-postgres-sink-connector", ""} {
		s := Series{Name: name}
		for i := range 10 {
			s.Points = append(s.Points, Point{At: time.Date(2026, 11, 23, 2, i, 0, 0, time.UTC), Value: 1, Known: true})
		}
		f.Series = append(f.Series, s)
	}
	got, err := f.Coarse(20, 20)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range got.Series {
		names = append(names, s.Name)
	}
	if d := cmp.Diff([]string{"warehouse-…connector", "warehouse-…connec…#2"}, names[:2]); d != "" && names[0] == names[1] {
		t.Error(d)
	}
	checkCoarse(t, got, 20, 20)
}

func TestCoarseOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
		f := Flow{Title: rapid.String().Draw(t, "title")}
		for range rapid.IntRange(0, 8).Draw(t, "series") {
			s := Series{Name: rapid.String().Draw(t, "name")}
			for range rapid.IntRange(0, 60).Draw(t, "points") {
				s.Points = append(s.Points, Point{At: begin.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "minute")) * time.Minute),
					Value: rapid.Float64().Draw(t, "value"), Known: rapid.Bool().Draw(t, "known")})
			}
			f.Series = append(f.Series, s)
		}
		f.Marks = []Mark{{At: begin.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "mark")) * time.Minute), Kind: Failed}}
		got, err := f.Coarse(20, 20)
		if errors.Is(err, ErrEmpty) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		checkCoarse(t, got, 20, 20)
	})
}

// checkCoarse says what Slack demands of a chart.
func checkCoarse(t interface{ Errorf(string, ...any) }, c Coarse, most, letters int) {
	if n := len(c.Labels); n < 3 || n > most {
		t.Errorf("%d labels", n)
	}
	seen := map[string]bool{}
	for _, l := range c.Labels {
		if l == "" || seen[l] || utf8.RuneCountInString(l) > letters {
			t.Errorf("label %q stands twice, or is empty or too long: %s", l, strings.Join(c.Labels, ", "))
		}
		seen[l] = true
	}
	names := map[string]bool{}
	for _, s := range c.Series {
		if s.Name == "" || names[s.Name] || utf8.RuneCountInString(s.Name) > letters {
			t.Errorf("name %q stands twice, or is empty or too long", s.Name)
		}
		names[s.Name] = true
		if len(s.Values) != len(c.Labels) {
			t.Errorf("%d values for %d labels", len(s.Values), len(c.Labels))
		}
		for _, v := range s.Values {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("value %v", v)
			}
		}
	}
}
