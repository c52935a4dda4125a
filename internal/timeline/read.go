package timeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parse reads an export that holds the record: JSON, HTML or CSV. A page must be exactly the one that its record makes. It
// does not verify the chain; Document.Verify does. A CSV tells nothing of the incident but its events, and so proves only them.
func Parse(r io.Reader) (Document, error) {
	raw, err := io.ReadAll(io.LimitReader(r, longestDocument+1))
	if err != nil {
		return Document{}, fmt.Errorf("reading the export: %w", err)
	}
	if len(raw) > longestDocument {
		return Document{}, fmt.Errorf("export is longer than %d bytes; expected a timeline", longestDocument)
	}
	begins := strings.ToLower(string(bytes.TrimSpace(raw[:min(len(raw), 200)])))
	switch {
	case strings.HasPrefix(begins, "<!doctype html"):
		return parseHTML(raw)
	case strings.HasPrefix(begins, strings.Join(columns[:3], ",")):
		return parseCSV(raw)
	case strings.HasPrefix(begins, "# post-incident review"):
		return Document{}, ErrNoRecord
	}
	return ParseJSON(bytes.NewReader(raw))
}

// parseHTML takes the record out of a page, and makes the page again from it: what a reader sees must be what is proved.
func parseHTML(page []byte) (Document, error) {
	_, rest, found := strings.Cut(string(page), recordBegins)
	body, _, closed := strings.Cut(rest, recordEnds)
	if !found || !closed {
		return Document{}, fmt.Errorf("the page holds no record: %w", ErrNoRecord)
	}
	d, err := ParseJSON(strings.NewReader(html.UnescapeString(body)))
	if err != nil {
		return d, err
	}
	return d, d.Writes(page, "html")
}

// Writes is nil when an export of the document in a format is exactly this one; else it wraps ErrBroken and shows where they differ.
// Markdown is proved beside a record that may have been exported at another time: when the page was made is its own word.
func (d Document) Writes(page []byte, format string) error {
	if m := madeAt.FindSubmatch(page); format == "md" && m != nil {
		if at, err := time.Parse(momentLayout, string(m[1])); err == nil {
			d.ExportedAt = at
		}
	}
	var again bytes.Buffer
	if err := Export(&again, format, d.Report()); err != nil {
		return err
	}
	if at := differ(page, again.Bytes()); at >= 0 {
		return fmt.Errorf("%w: the page is not the one that its record makes: …%s…; expected …%s…", ErrBroken, around(page, at), around(again.Bytes(), at))
	}
	return nil
}

// madeAt is the last line of a Markdown page.
var madeAt = regexp.MustCompile(`(?m)^Exported (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC)\. [^\n]*\n\z`)

func parseCSV(raw []byte) (Document, error) {
	rows, err := table(string(raw))
	if err != nil {
		return Document{}, fmt.Errorf("not a timeline export: %w", err)
	}
	if len(rows) < 2 || !slices.Equal(rows[0], columns) {
		return Document{}, fmt.Errorf("not a timeline export: expected the columns %s and at least one row", strings.Join(columns, ", "))
	}
	var events []Event
	for i, row := range rows[1:] {
		e, err := eventOf(row)
		if err != nil {
			return Document{}, fmt.Errorf("row %d: %w", i+2, err)
		}
		events = append(events, e)
	}
	return NewDocument(Summary{ID: events[0].Incident}, events, nil, events[len(events)-1].Time), nil
}

// table reads CSV (RFC 4180) with every byte as it is: package encoding/csv takes carriage returns out of quoted fields.
func table(s string) (rows [][]string, err error) {
	var row []string
	for s != "" {
		var field string
		if strings.HasPrefix(s, `"`) {
			if field, s, err = quotedField(s[1:]); err != nil {
				return nil, fmt.Errorf("row %d: %w", len(rows)+1, err)
			}
		} else {
			n := strings.IndexAny(s, ",\n")
			if n < 0 {
				n = len(s)
			}
			field, s = s[:n], s[n:]
		}
		row = append(row, field)
		switch {
		case strings.HasPrefix(s, ","):
			s = s[1:]
			continue
		case s == "" || strings.HasPrefix(s, "\n"):
			s = strings.TrimPrefix(s, "\n")
		default:
			return nil, fmt.Errorf("row %d: something stands behind a quoted field", len(rows)+1)
		}
		if len(rows) > 0 && len(row) != len(rows[0]) {
			return nil, fmt.Errorf("row %d has %d fields, expected %d", len(rows)+1, len(row), len(rows[0]))
		}
		rows, row = append(rows, row), nil
	}
	return rows, nil
}

// quotedField reads what stands before the closing quote; two quotes are one.
func quotedField(s string) (field, rest string, err error) {
	var b strings.Builder
	for {
		before, after, closed := strings.Cut(s, `"`)
		if !closed {
			return "", "", errors.New("a quote is never closed")
		}
		b.WriteString(before)
		if !strings.HasPrefix(after, `"`) {
			return b.String(), after, nil
		}
		b.WriteByte('"')
		s = after[1:]
	}
}

func eventOf(row []string) (Event, error) {
	seq, err := strconv.ParseInt(row[0], 10, 64)
	if err != nil {
		return Event{}, fmt.Errorf("seq %q: expected a number", row[0])
	}
	at, err := time.Parse(time.RFC3339Nano, row[1])
	if err != nil {
		return Event{}, fmt.Errorf("time %q: expected a moment such as 2026-03-01T10:00:00.000Z", row[1])
	}
	for i, c := range row[2:] {
		if row[i+2], err = armed(c); err != nil {
			return Event{}, fmt.Errorf("column %s: %w", columns[i+2], err)
		}
	}
	e := Event{Seq: seq, Time: at.UTC(), Incident: row[2], Type: Type(row[3]), Actor: Actor{Kind: row[4], ID: row[5], Name: row[6]}, Text: row[7], Key: row[9], Prev: row[10], Hash: row[11], Seal: row[12]}
	if row[8] != "" {
		e.Data = json.RawMessage(row[8])
	}
	return e, nil
}

// armed takes off what disarmed put on. A text that could run as a formula and has no sign was not written by an export.
func armed(s string) (string, error) {
	if rest, ok := strings.CutPrefix(s, "'"); ok && disarmed(rest) == s {
		return rest, nil
	}
	if disarmed(s) != s {
		return "", fmt.Errorf("%q is not as an export writes it", s)
	}
	return s, nil
}
