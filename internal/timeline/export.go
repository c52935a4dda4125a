package timeline

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// ErrFormat names a format that does not exist.
var ErrFormat = errors.New("unknown export format; expected md, html, json or csv")

// exporters says how each format is written.
var exporters = map[string]func(io.Writer, *Report) error{"md": markdown, "html": asHTML, "json": asJSON, "csv": asCSV}

// Types are the MIME types of the formats.
var Types = map[string]string{"md": "text/markdown; charset=utf-8", "html": "text/html; charset=utf-8", "json": "application/json", "csv": "text/csv; charset=utf-8"}

// Export writes a report as "md", "html", "json" or "csv"; any other format is ErrFormat.
func Export(w io.Writer, format string, r *Report) error {
	write, ok := exporters[format]
	if !ok {
		return fmt.Errorf("%q: %w", format, ErrFormat)
	}
	out := bufio.NewWriterSize(w, 64<<10) // it keeps the first error of writing until Flush
	err := write(out, r)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("writing %s of %s: %w", format, r.Incident.ID, err)
	}
	return nil
}

// asJSON writes a Document for people to look into.
func asJSON(w io.Writer, r *Report) error {
	var b bytes.Buffer
	return document(w, r, func(body json.RawMessage) ([]byte, error) {
		b.Reset()
		err := json.Indent(&b, body, "    ", "  ")
		return b.Bytes(), err
	})
}

// document writes a Document, its events one by one as shaped says.
func document(w io.Writer, r *Report, shaped func(json.RawMessage) ([]byte, error)) error {
	d := Document{Format: Format, Version: Version, Incident: r.Incident, Head: r.Head, Checklist: r.Checklist, ExportedAt: r.ExportedAt}
	frame, err := indented(d)
	if err != nil {
		return err
	}
	before, after, _ := strings.Cut(frame, `"events": null`) // what stands in the summary is escaped, so that this is the first
	fmt.Fprint(w, before, `"events": `)
	if r.Count == 0 {
		fmt.Fprint(w, "null")
	}
	first := true
	for record, err := range r.records() {
		if err != nil {
			return err
		}
		body, err := shaped(record)
		if err != nil {
			return err
		}
		_, _ = io.WriteString(w, map[bool]string{true: "[\n    ", false: ",\n    "}[first]) // the next write tells
		if _, err := w.Write(body); err != nil {
			return err
		}
		first = false
	}
	if !first {
		fmt.Fprint(w, "\n  ]")
	}
	_, err = fmt.Fprint(w, after)
	return err
}

func indented(v any) (string, error) {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(v)
	return b.String(), err
}

// columns of a CSV export; the seal stands in it too, so that it proves as much as JSON does.
var columns = []string{"seq", "time", "incident", "type", "actor_kind", "actor_id", "actor", "text", "data", "key", "prev", "hash", "seal"}

func asCSV(w io.Writer, r *Report) error {
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return err
	}
	for e, err := range r.Events() {
		if err != nil {
			return err
		}
		row := []string{strconv.FormatInt(e.Seq, 10), stamp(e.Time)}
		for _, text := range []string{e.Incident, string(e.Type), e.Actor.Kind, e.Actor.ID, e.Actor.Name, e.Text, string(e.Data), e.Key, e.Prev, e.Hash, e.Seal} {
			row = append(row, disarmed(text))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// disarmed keeps a spreadsheet from running a text as a formula (OWASP, CSV Injection), also behind blanks and in the wide
// forms that some accept. A text that begins with the sign for that gets it too, so that it can be taken off again.
func disarmed(s string) string {
	if lead := strings.TrimLeft(s, " \t\r\n\u00a0\ufeff"); lead != "" && strings.ContainsAny(firstRune(lead), "=+-@＝＋－＠'") {
		return "'" + s
	}
	if s != "" && strings.ContainsAny(s[:1], "\t\r\n") {
		return "'" + s
	}
	return s
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// words says a duration for people and exactly: "3 min 20 s (200 s)".
func words(s float64) string {
	d := time.Duration(s * float64(time.Second)).Round(time.Second)
	days, h, m, sec := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60
	exact := strconv.FormatFloat(s, 'f', -1, 64) + " s"
	switch {
	case days > 0:
		return fmt.Sprintf("%d d %d h (%s)", days, h, exact)
	case h > 0:
		return fmt.Sprintf("%d h %d min (%s)", h, m, exact)
	case m > 0:
		return fmt.Sprintf("%d min %d s (%s)", m, sec, exact)
	}
	return exact
}
