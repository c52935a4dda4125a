package runbook

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const formatFile = "../../docs/runbook-format.md"

// Each example of docs/runbook-format.md compiles to the lines that stand under it.
func TestFormatExamples(t *testing.T) {
	text, err := os.ReadFile(formatFile)
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)````markdown\n(.*?)````\n((?:→ [^\n]*\n)+)").FindAllStringSubmatch(string(text), -1)
	if len(examples) < 5 {
		t.Fatalf("%d examples in %s, expected at least 5", len(examples), formatFile)
	}
	for i, m := range examples {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			b := mustCompile(t, m[1])
			want := strings.Split(strings.TrimSpace(m[2]), "\n")
			got := told(b)
			if strings.Contains(want[0], "alerts [") {
				got = []string{fmt.Sprintf("→ alerts %v · severity %s · %v for %s", b.Alerts, b.Severity, b.States, b.Threshold)}
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("example:\n%s\ngot\n%s\nwant\n%s", m[1], strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// told lists the steps of a book as the document writes them.
func told(b *Book) []string {
	var lines []string
	add := func(what string, s Step) {
		kind := "manual"
		if s.Action != nil {
			kind = s.Action.Kind()
		}
		line := fmt.Sprintf("→ %s %s — %s", what, kind, s.Effect())
		if len(s.Inputs) > 0 {
			line += fmt.Sprintf(" inputs %v", s.Inputs)
		}
		lines = append(lines, line)
	}
	for _, s := range b.Sections {
		for _, p := range s.Probes {
			add("probe", p)
		}
		for _, p := range s.Common {
			add("step", p)
		}
		for _, o := range s.Options {
			for _, p := range o.Steps {
				add(fmt.Sprintf("option %d", o.Number), p)
			}
		}
	}
	return lines
}

// Every code that lint can say is explained in docs/runbook-format.md, and none that it cannot.
func TestFormatCodes(t *testing.T) {
	text, err := os.ReadFile(formatFile)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile(`(?:finding\("(?:error|warning|note)", |Code: |refuse\(|Code += |c\.whole\([^"]*|c\.note\([^"]*|manual\()"([a-z]+(?:-[a-z]+)*)"|f\.Level, f\.Code = "note", "([a-z-]+)"|(?:rootToken|shellOnly|unknownCode|offsetsCode) += "([a-z-]+)"`)
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil || strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range code.FindAllStringSubmatch(string(source), -1) {
			said[m[1]+m[2]+m[3]] = true
		}
	}
	chapter := string(text)[strings.Index(string(text), "## What lint says"):]
	explained := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(chapter, -1) {
		for _, c := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(m[1], -1) {
			explained[c[1]] = true
			if !said[c[1]] {
				t.Errorf("%s explains %s, which lint never says", formatFile, c[1])
			}
		}
	}
	for c := range said {
		if !explained[c] {
			t.Errorf("lint says %s, which %s does not explain", c, formatFile)
		}
	}
}
