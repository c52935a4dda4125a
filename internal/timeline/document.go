package timeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"cdcbot/internal/seal"
)

// Format and Version mark a JSON export.
const (
	Format  = "cdcbot-timeline"
	Version = 1
)

// longestDocument bounds what ParseJSON reads, in bytes.
const longestDocument = 256 << 20

// Document is an exported timeline: what the incident was, and every event with its place in the chain.
type Document struct {
	Format     string    `json:"format"`
	Version    int       `json:"version"`
	Incident   Summary   `json:"incident"`
	Events     []Event   `json:"events"`
	Head       string    `json:"head"` // hash of the last event
	Checklist  []string  `json:"checklist,omitempty"`
	ExportedAt time.Time `json:"exported_at"`
}

// NewDocument puts an export together; what follows from the events is filled in. The checklist is the runbook's own, for
// the review.
func NewDocument(s Summary, events []Event, checklist []string, now time.Time) Document {
	d := Document{Format: Format, Version: Version, Incident: s, Events: events, Checklist: checklist, ExportedAt: now.UTC().Truncate(time.Millisecond)}
	if len(events) > 0 {
		d.Head = events[len(events)-1].Hash
	}
	d.Incident.derive(events)
	return d
}

// Verify proves that the events are as they were written, that they end at the head that the document names, and that the
// summary says of times, durations, people, cause and fix what the events say. Errors wrap ErrBroken. What was cut off
// together with its head shows only against a head kept elsewhere.
func (d Document) Verify() error {
	if err := Verify(d.Events); err != nil {
		return err
	}
	if len(d.Events) == 0 {
		return fmt.Errorf("%w: there are no events", ErrBroken)
	}
	last := d.Events[len(d.Events)-1]
	if last.Hash != d.Head {
		return fmt.Errorf("%w: the last event is not the head; events are missing at the end", ErrBroken)
	}
	if last.Incident != d.Incident.ID {
		return fmt.Errorf("%w: the events are of %s, the document is of %s", ErrBroken, last.Incident, d.Incident.ID)
	}
	return d.verifySummary()
}

// VerifySeals proves besides that this bot wrote every event: it needs the bot's keys, the chain needs none. Errors wrap
// ErrBroken.
func (d Document) VerifySeals(ring *seal.Ring) error {
	for _, e := range d.Events {
		if err := e.proven(ring, d.Incident.ID); err != nil {
			return err
		}
	}
	return nil
}

func (d Document) verifySummary() error {
	again := d.Incident
	again.derive(d.Events)
	says, err := encode(d.Incident)
	if err != nil {
		return fmt.Errorf("%w: summary: %w", ErrBroken, err)
	}
	should, err := encode(again)
	if err != nil {
		return fmt.Errorf("%w: summary: %w", ErrBroken, err)
	}
	if !bytes.Equal(says, should) {
		return fmt.Errorf("%w: the summary says something else than the events", ErrBroken)
	}
	return nil
}

// ParseJSON reads a JSON export. It does not verify the chain; Document.Verify does. Blanks between the parts may differ,
// nothing else: a field that is unknown, spelled otherwise or there twice could show a reader what the chain does not
// cover, and is refused.
func ParseJSON(r io.Reader) (Document, error) {
	raw, err := io.ReadAll(io.LimitReader(r, longestDocument+1))
	if err != nil {
		return Document{}, fmt.Errorf("reading the export: %w", err)
	}
	if len(raw) > longestDocument {
		return Document{}, fmt.Errorf("export is longer than %d bytes; expected a timeline", longestDocument)
	}
	var d Document
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return d, fmt.Errorf("not a timeline export: %w", err)
	}
	if d.Format != Format {
		return d, fmt.Errorf("format is %q; expected %q (export with bot export --format json)", d.Format, Format)
	}
	if d.Version != Version {
		return d, fmt.Errorf("version is %d; expected %d", d.Version, Version)
	}
	return d, d.spells(raw)
}

// spells checks that raw is this document as an export writes it, blanks aside.
func (d Document) spells(raw []byte) error {
	var got bytes.Buffer
	if err := json.Compact(&got, raw); err != nil {
		return fmt.Errorf("not a timeline export: %w", err)
	}
	want, err := encode(d)
	if err != nil {
		return fmt.Errorf("not a timeline export: %w", err)
	}
	if at := differ(got.Bytes(), want); at >= 0 {
		return fmt.Errorf("not as an export writes it: …%s…; expected …%s…", around(got.Bytes(), at), around(want, at))
	}
	return nil
}

// differ is where two texts begin to differ, -1 when they do not.
func differ(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) == len(b) {
		return -1
	}
	return min(len(a), len(b))
}

func around(b []byte, at int) string {
	return valid(string(b[max(0, at-20):min(len(b), at+20)]))
}
