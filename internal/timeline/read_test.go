package timeline

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Every export that holds the record proves it, and nobody can change what a reader sees.
func TestExportsProveThemselves(t *testing.T) {
	for _, format := range []string{"json", "html", "csv"} {
		whole := export(t, format, sample(t))
		d, err := Parse(strings.NewReader(whole))
		if err == nil {
			err = d.Verify()
		}
		if err != nil || d.Head != sample(t).Head {
			t.Errorf("%s: head %s, %v", format, d.Head, err)
		}
		for _, forged := range []struct{ old, new string }{{"approver approves", "manager approves"}, {"2026-03-01", "2026-03-02"}, {"RUN-2 ends: fixed", "RUN-2 ends: ruined"}} {
			for at, n := 0, 0; n < 3; n++ {
				i := strings.Index(whole[at:], forged.old)
				if i < 0 {
					break
				}
				changed := whole[:at+i] + forged.new + whole[at+i+len(forged.old):]
				at += i + len(forged.old)
				d, err := Parse(strings.NewReader(changed))
				if err == nil {
					err = d.Verify()
				}
				if err == nil {
					t.Errorf("%s: %q instead of %q (place %d) is not found", format, forged.new, forged.old, n+1)
				}
			}
		}
	}
	if _, err := Parse(strings.NewReader(export(t, "md", sample(t)))); !errors.Is(err, ErrNoRecord) {
		t.Errorf("markdown: %v, want ErrNoRecord", err)
	}
	if err := sample(t).Writes([]byte(export(t, "md", sample(t))), "md"); err != nil {
		t.Errorf("markdown beside its record: %v", err)
	}
	later := sample(t)
	later.ExportedAt = later.ExportedAt.Add(time.Hour)
	if err := later.Writes([]byte(export(t, "md", sample(t))), "md"); err != nil {
		t.Errorf("Markdown that was exported an hour before its record: %v", err)
	}
	if err := sample(t).Writes([]byte(strings.Replace(export(t, "md", sample(t)), "approves", "rejects", 1)), "md"); !errors.Is(err, ErrBroken) {
		t.Errorf("forged markdown beside its record: %v", err)
	}
}

// What people write comes back from every export as it was, whatever it holds.
func TestExportsKeepEveryText(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		list := []told{{0, NoteAdded, Person("U1", rapid.String().Draw(rt, "name")), rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"'", "'=1", "=1", "\r\n", "a\r\nb", `"`, `","`, "</pre>", "&lt;", "\u2028", "'''"})).Draw(rt, "text"), ""}}
		d := NewDocument(Summary{ID: "INC-7"}, chain(t, list), nil, newClock().at)
		for _, format := range []string{"json", "html", "csv"} {
			again, err := Parse(strings.NewReader(export(t, format, d)))
			if err == nil {
				err = again.Verify()
			}
			if err != nil {
				rt.Fatalf("%s of %q: %v", format, d.Events[0].Text, err)
			}
		}
	})
}

func TestPageIsHarmless(t *testing.T) {
	page := export(t, "html", sample(t))
	for _, bad := range []string{"<script", " href=", " src=", "url(", "@import", "<!channel>", "javascript:", " onclick"} {
		before, _, _ := strings.Cut(page, recordBegins)
		if strings.Contains(before, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if !strings.Contains(page, "default-src 'none'") {
		t.Error("the page has no content security policy")
	}
}

func FuzzParse(f *testing.F) {
	for _, format := range []string{"json", "html", "csv", "md"} {
		f.Add([]byte(export(&testing.T{}, format, sample(f))))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if d, err := Parse(strings.NewReader(string(raw))); err == nil {
			_ = d.Verify()
		}
	})
}
