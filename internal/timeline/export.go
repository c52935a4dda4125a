package timeline

import (
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
var ErrFormat = errors.New("unknown export format; expected md, json or csv")

// exporters says how each format is written.
var exporters = map[string]func(io.Writer, Document) error{"md": markdown, "json": asJSON, "csv": asCSV}

// Types are the MIME types of the formats.
var Types = map[string]string{"md": "text/markdown; charset=utf-8", "json": "application/json", "csv": "text/csv; charset=utf-8"}

// Export writes a document as "md", "json" or "csv"; any other format is ErrFormat.
func Export(w io.Writer, format string, d Document) error {
	write, ok := exporters[format]
	if !ok {
		return fmt.Errorf("%q: %w", format, ErrFormat)
	}
	if err := write(w, d); err != nil {
		return fmt.Errorf("writing %s of %s: %w", format, d.Incident.ID, err)
	}
	return nil
}

func asJSON(w io.Writer, d Document) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(d)
}

func asCSV(w io.Writer, d Document) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"seq", "time", "incident", "type", "actor_kind", "actor_id", "actor", "text", "data", "key", "prev", "hash"}}
	for _, e := range d.Events {
		row := []string{strconv.FormatInt(e.Seq, 10), stamp(e.Time)}
		for _, text := range []string{e.Incident, string(e.Type), e.Actor.Kind, e.Actor.ID, e.Actor.Name, e.Text, string(e.Data), e.Key, e.Prev, e.Hash} {
			row = append(row, cell(text))
		}
		rows = append(rows, row)
	}
	return out.WriteAll(rows)
}

// cell disarms what a spreadsheet would run as a formula (OWASP, CSV Injection), also behind blanks and in the wide
// forms that some accept.
func cell(s string) string {
	if lead := strings.TrimLeft(s, " \t\r\n\u00a0\ufeff"); lead != "" && strings.ContainsAny(firstRune(lead), "=+-@＝＋－＠") {
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
