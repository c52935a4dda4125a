package slack

import (
	"testing"
	"time"
)

func TestCut(t *testing.T) {
	for _, row := range []struct {
		name, in string
		n        int
		want     string
	}{
		{"fits", "abc", 3, "abc"}, {"cut", "abcd", 3, "ab…"}, {"runes stay whole", "äöüß", 3, "äö…"}, {"no blank before the dots", "ab cd", 4, "ab…"}, {"empty", "", 3, ""},
	} {
		if got := cut(row.in, row.n); got != row.want {
			t.Errorf("%s: cut(%q, %d) = %q, want %q", row.name, row.in, row.n, got, row.want)
		}
	}
}

func TestSpan(t *testing.T) {
	for _, row := range []struct {
		in   time.Duration
		want string
	}{
		{-time.Second, "0 s"}, {0, "0 s"}, {59 * time.Second, "59 s"}, {119 * time.Second, "119 s"}, {2 * time.Minute, "2 min"}, {119 * time.Minute, "119 min"},
		{2 * time.Hour, "2 h"}, {200 * time.Minute, "3 h 20 min"}, {48 * time.Hour, "2 d"}, {52 * time.Hour, "2 d 4 h"},
	} {
		if got := span(row.in); got != row.want {
			t.Errorf("span(%s) = %q, want %q", row.in, got, row.want)
		}
	}
}

func TestClean(t *testing.T) {
	for _, row := range []struct{ name, in, want string }{
		{"line ends", "a\r\nb", "a\nb"}, {"control", "a\x00\x1b[31mb", "a[31mb"}, {"broken", "a\xffb", "a\uFFFDb"}, {"direction", "a\u202eb\u2066c", "abc"}, {"emoji stay", "a👩‍🚒b", "a👩‍🚒b"},
	} {
		if got := clean(row.in); got != row.want {
			t.Errorf("%s: clean(%q) = %q, want %q", row.name, row.in, got, row.want)
		}
	}
}
