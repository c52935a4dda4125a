package workload

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// together reads streams as if each had come from its own pipe.
func together(split func(string) (time.Time, string), streams ...string) log {
	var all log
	for _, text := range streams {
		var b tailBuffer
		_, _ = b.Write([]byte(text)) // it does not fail
		all.merge(b.lines(split))
	}
	return all
}

func TestLogsInOrder(t *testing.T) {
	cases := []struct {
		name    string
		split   func(string) (time.Time, string)
		streams []string
		want    string
	}{
		{"nothing", stamped, []string{""}, ""},
		{"two streams", stamped, []string{"2026-11-23T08:00:01Z a\n2026-11-23T08:00:02Z c\n", "2026-11-23T08:00:01.5Z b\n"}, "a\nb\nc"},
		{"a fraction is later than none", stamped, []string{"2026-11-23T08:00:02.5Z b\n", "2026-11-23T08:00:02Z a\n"}, "a\nb"},
		{"a line that goes on", stamped, []string{"2026-11-23T08:00:01Z a\n\tcontinued\n", "2026-11-23T08:00:00Z first\n"}, "first\na\n\tcontinued"},
		{"a terminal", stamped, []string{"2026-11-23T08:00:01Z a\r\n2026-11-23T08:00:02Z b\r\n"}, "a\nb"},
		{"an empty line", stamped, []string{"2026-11-23T08:00:01Z a\n2026-11-23T08:00:02Z \n2026-11-23T08:00:03Z b\n"}, "a\n\nb"},
		{"times of the service's own", plain, []string{"2026-11-23T08:00:02Z b\n2026-11-23T08:00:01Z a\n"}, "2026-11-23T08:00:02Z b\n2026-11-23T08:00:01Z a"},
		{"no text", stamped, []string{"2026-11-23T08:00:01Z \xff\n"}, "\uFFFD"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			all := together(c.split, c.streams...)
			if got := all.text(); got != c.want {
				t.Errorf("%q: got %q, want %q", c.streams, got, c.want)
			}
		})
	}
}

// The newest lines stay, and the first says that there were more.
func TestLogsAreBounded(t *testing.T) {
	var b tailBuffer
	row := strings.Repeat("x", 1000) + "\n"
	for range 3000 {
		_, _ = b.Write([]byte(row)) // it does not fail
	}
	_, _ = b.Write([]byte("the last\n"))
	if len(b.bytes) > 2*maxLog+len(row) {
		t.Errorf("kept %d bytes, want at most %d", len(b.bytes), 2*maxLog+len(row))
	}
	lines := b.lines(plain)
	text := lines.text()
	if len(text) > maxLog+len(cutLine)+1 || !strings.HasPrefix(text, cutLine+"\nxxx") || !strings.HasSuffix(text, "\nthe last") {
		t.Errorf("got %d bytes: %.80q … %q", len(text), text, text[len(text)-20:])
	}
}

func FuzzLogLines(f *testing.F) {
	for _, seed := range []string{"", "\n", "2026-11-23T08:00:01Z a\n\tb\n", "2026-11-23T08:00:01Z", "\xff\r\n x", "9999-99-99T00:00:00Z x\n"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, out, errs string) {
		all := together(stamped, out, errs)
		got := all.text()
		if !utf8.ValidString(got) || len(got) > maxLog+len(cutLine)+1 {
			t.Errorf("%q, %q: got %d bytes %.100q", out, errs, len(got), got)
		}
	})
}
