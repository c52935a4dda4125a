package chart

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func TestAlt(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	one := func(name string, p []Point) Flow { return Flow{Title: "x", Series: []Series{{name, p}}} }
	seven := Flow{}
	for i := range 7 {
		seven.Series = append(seven.Series, Series{fmt.Sprint("s", i), values(1, 1)})
	}
	rows := []struct {
		name string
		flow Flow
		want string
	}{
		{"an outage", outage(), "orders flowed at about 120 records per minute until 02:14 UTC, then none for 15 minutes."},
		{"in another zone and unit", Flow{Unit: "events", Zone: berlin, Series: []Series{{"a", values(5, 5, 0)}}}, "a flowed at about 5 events per minute until 02:16 CET, then none for 1 minute."},
		{"mended", one("a", join(repeat(30, 1234), repeat(12, 0), repeat(5, 2345))), "a flowed at about 1.2k records per minute until 01:44 UTC, then none for 12 minutes, then about 2.3k per minute from 01:56 UTC."},
		{"mended and broken again", one("a", join(repeat(30, 7), repeat(12, 0), repeat(5, 8), repeat(2, 0))), "a flowed at about 7 records per minute until 01:44 UTC, then none for 12 minutes, then about 8 per minute from 01:56 UTC, and none since 02:01 UTC."},
		{"mended after a gap", one("a", join(repeat(5, 7), repeat(4, 0), repeat(3, -1), repeat(2, 6))), "a flowed at about 7 records per minute until 01:19 UTC, then none for 4 minutes, then about 6 per minute from 01:26 UTC."},
		{"a gap within an outage", one("a", join(repeat(5, 7), repeat(4, 0), repeat(3, -1), repeat(2, 0))), "a flowed at about 7 records per minute until 01:19 UTC, then none for 9 minutes."},
		{"nobody could look", one("a", join(repeat(5, 7), repeat(4, -1))), "a flowed at about 7 records per minute, and nothing is known of the last 4 minutes."},
		{"one quiet minute", one("a", values(2, 0, 4)), "a flowed at about 2 records per minute."},
		{"nothing", Flow{}, "Records per minute: nothing is known of the flow."},
		{"nothing, with a unit", Flow{Unit: "events"}, "Events per minute: nothing is known of the flow."},
		{"all well", one("a", values(1500, 1500)), "a flowed at about 1.5k records per minute."},
		{"seldom", one("a", values(0.04, 0.04)), "a flowed at less than 0.1 records per minute."},
		{"never moved", one("", values(0, 0)), "the pipeline: no records for 2 minutes."},
		{"moved at last", one("a", values(0, 0, 0, 9, 9)), "a: no records for 3 minutes, then about 9 per minute from 01:17 UTC."},
		{"huge", one("a", values(math.MaxFloat64)), "a flowed at more than 1000T records per minute."},
		{"many", seven, "s0 flowed at about 1 records per minute; s1 flowed at about 1 records per minute; s2 flowed at about 1 records per minute; s3 flowed at about 1 records per minute; s4 flowed at about 1 records per minute; s5 flowed at about 1 records per minute; and 1 more."},
	}
	for _, row := range rows {
		if got := row.flow.Alt(); got != row.want {
			t.Errorf("%s:\n got %q\nwant %q", row.name, got, row.want)
		}
	}
}

func TestShort(t *testing.T) {
	rows := []struct {
		n    float64
		want string
	}{
		{0, "0"}, {0.5, "0.5"}, {7.25, "7.2"}, {950, "950"}, {999.9, "999.9"}, {999.96, "1k"}, {1240, "1.2k"},
		{999_960, "1M"}, {3e6, "3M"}, {2.5e9, "2.5G"}, {1e12, "1T"}, {highest, "1000T"},
	}
	for _, row := range rows {
		if got := short(row.n); got != row.want {
			t.Errorf("short(%v): got %q, want %q", row.n, got, row.want)
		}
	}
}
