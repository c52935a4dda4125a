package timeline

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// markdown writes the post-incident review: what happened, who agreed to what, what ran, and how it was proved.
func markdown(w io.Writer, r *Report) error {
	fmt.Fprintf(w, "# Post-incident review: %s\n\n", plain(r.Incident.ID))
	if r.Incident.Cause != "" {
		fmt.Fprintf(w, "> %s\n\n", plain(r.Incident.Cause))
	}
	fmt.Fprint(w, "| | |\n|---|---|\n")
	for _, row := range overview(r.Incident) {
		fmt.Fprintf(w, "| %s | %s |\n", row[0], plain(row[1]))
	}
	fmt.Fprint(w, "\n")
	for _, s := range sections {
		if err := markdownSection(w, r, s); err != nil {
			return err
		}
	}
	if items := checklist(r); len(items) > 0 {
		fmt.Fprint(w, "## Review checklist of the runbook\n\n")
		for _, i := range items {
			fmt.Fprintf(w, "- [ ] %s", plain(i.text))
			if i.fact != "" {
				fmt.Fprintf(w, " — %s", plain(i.fact))
			}
			fmt.Fprint(w, "\n")
		}
		fmt.Fprint(w, "\n")
	}
	fmt.Fprintf(w, "## Proof\n\n%d events, each hashing the one before. Head of the chain: %s\n\n", r.Count, exact(r.Head))
	_, err := fmt.Fprintf(w, "Exported %s. To prove that nothing was altered, export as JSON, run `bot verify FILE`, and compare the head with the one posted in the thread.\n", moment(r.ExportedAt))
	return err
}

// markdownSection writes rows under a heading; nothing is said as nothing.
func markdownSection(w io.Writer, r *Report, s section) error {
	fmt.Fprintf(w, "## %s\n\n", s.title)
	begun := false
	for e, err := range r.Events(s.types...) {
		if err != nil {
			return err
		}
		for _, row := range s.rows(e) {
			if !begun {
				begun = true
				fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(s.columns, " | "), strings.Repeat("---|", len(s.columns)))
			}
			fmt.Fprintf(w, "| %s |\n", markdownRow(row))
		}
	}
	if !begun {
		fmt.Fprint(w, "Nothing is recorded.\n\n")
		return nil
	}
	fmt.Fprint(w, "\n")
	if !s.outputs {
		return nil
	}
	for e, err := range r.Events(s.types...) {
		if err != nil {
			return err
		}
		for _, p := range printed(e) {
			fmt.Fprintf(w, "%s\n\n%s\n", plain(p.what), code(p.text))
		}
	}
	return nil
}

func markdownRow(row []cell) string {
	cells := make([]string, len(row))
	for i, c := range row {
		cells[i] = plain(c.text)
		if c.exact {
			cells[i] = exact(c.text)
		}
	}
	return strings.Join(cells, " | ")
}

const momentLayout = "2006-01-02 15:04:05 UTC"

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(momentLayout)
}

func took(s float64) string {
	if s == 0 {
		return ""
	}
	return words(s)
}

func lasted(s float64, what string) string {
	if s == 0 {
		return ""
	}
	return ", " + words(s) + " " + what
}

func stampUTC(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

func who(a Actor) string {
	switch {
	case a.Name != "" && a.ID != "" && a.Name != a.ID:
		return a.Name + " (" + a.ID + ")"
	case a.Name != "":
		return a.Name
	case a.ID != "":
		return a.ID
	}
	return a.Kind
}
