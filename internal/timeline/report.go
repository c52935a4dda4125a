package timeline

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"time"
)

// Events is a timeline in order, read from its beginning each time it is ranged over; with types, only events of those.
// After an error nothing more comes.
type Events func(types ...Type) iter.Seq2[Event, error]

// Report is a timeline ready to be written out: what the incident was, and its events up to Head. However long it is, it
// takes little memory. Close it.
type Report struct {
	Incident   Summary
	Checklist  []string
	Head       string
	Count      int64
	ExportedAt time.Time
	Events     Events

	records func() iter.Seq2[json.RawMessage, error] // the events as compact JSON
	spool   *os.File
}

// NewReport reads the events once: it proves their chain, fills in what follows from them, and keeps them in a temporary
// file, so that all parts of the report tell the same although the timeline goes on. The checklist is the runbook's own, for
// the review. Errors: ErrBroken, ErrNotFound, and those of reading.
func NewReport(s Summary, events Events, checklist []string, now time.Time) (*Report, error) {
	r := &Report{Incident: s, Checklist: checklist, ExportedAt: now.UTC().Truncate(time.Millisecond)}
	if err := r.take(events); err != nil {
		r.Close()
		return nil, err
	}
	r.Events, r.records = r.spooled, r.raw
	return r, nil
}

func (r *Report) take(events Events) error {
	var err error
	if r.spool, err = os.CreateTemp("", "cdcbot-timeline-*"); err != nil {
		return fmt.Errorf("room for the timeline of %s: %w", r.Incident.ID, err)
	}
	_ = os.Remove(r.spool.Name()) // it lives as long as it is open
	var c link
	var d deriver
	w := bufio.NewWriterSize(r.spool, 64<<10)
	for e, err := range events() {
		if err != nil {
			return err
		}
		if err := c.follow(e); err != nil {
			return err
		}
		d.see(e)
		r.Head, r.Count = e.Hash, e.Seq
		if err := spoolOne(w, e); err != nil {
			return fmt.Errorf("keeping event %d of %s for the report: %w", e.Seq, e.Incident, err)
		}
	}
	if r.Count == 0 {
		return fmt.Errorf("%q: %w", r.Incident.ID, ErrNotFound)
	}
	d.into(&r.Incident)
	return w.Flush()
}

// spoolOne writes an event behind its type, so that others need not be decoded.
func spoolOne(w io.Writer, e Event) error {
	body, err := encode(e)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\t%s\n", e.Type, body)
	return err
}

// raw reads the temporary file: the events with a type of those as they are written there. What it yields is good until
// the next.
func (r *Report) raw() iter.Seq2[json.RawMessage, error] { return r.rawOf() }

func (r *Report) rawOf(types ...Type) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		in := bufio.NewReaderSize(io.NewSectionReader(r.spool, 0, 1<<62), 64<<10)
		var long []byte // a line that the reader's own room does not hold
		for {
			part, err := in.ReadSlice('\n')
			if errors.Is(err, bufio.ErrBufferFull) {
				long = append(long, part...)
				continue
			}
			if err == io.EOF {
				return
			}
			line := part
			if len(long) > 0 {
				line, long = append(long, part...), nil
			}
			kind, body, _ := bytes.Cut(line, []byte{'\t'})
			if err == nil && len(types) > 0 && !slices.Contains(types, Type(kind)) {
				continue
			}
			if !yield(bytes.TrimRight(body, "\n"), err) || err != nil {
				return
			}
		}
	}
}

func (r *Report) spooled(types ...Type) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for body, err := range r.rawOf(types...) {
			var e Event
			if err == nil {
				err = json.Unmarshal(body, &e)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// Close gives back the room that the report took.
func (r *Report) Close() {
	if r.spool != nil {
		_ = r.spool.Close() // it is gone with that
	}
}

// Report is a document to be written out again, as it is.
func (d Document) Report() *Report {
	return &Report{Incident: d.Incident, Checklist: d.Checklist, Head: d.Head, Count: int64(len(d.Events)), ExportedAt: d.ExportedAt, Events: listed(d.Events), records: encoded(d.Events)}
}

// encoded are the records of a timeline that is in memory.
func encoded(list []Event) func() iter.Seq2[json.RawMessage, error] {
	return func() iter.Seq2[json.RawMessage, error] {
		return func(yield func(json.RawMessage, error) bool) {
			for _, e := range list {
				body, err := encode(e)
				if !yield(body, err) || err != nil {
					return
				}
			}
		}
	}
}

// listed is a timeline that is in memory.
func listed(list []Event) Events {
	return func(types ...Type) iter.Seq2[Event, error] {
		return func(yield func(Event, error) bool) {
			for _, e := range list {
				if (len(types) == 0 || slices.Contains(types, e.Type)) && !yield(e, nil) {
					return
				}
			}
		}
	}
}

// Read is an incident's timeline in Redis, a page at a time; each event is proved to be this bot's.
func (l *Log) Read(ctx context.Context, incident string) Events {
	return func(types ...Type) iter.Seq2[Event, error] {
		return func(yield func(Event, error) bool) {
			for from := "-"; ; {
				rows, err := l.Redis.XRangeN(ctx, streamKey(incident), from, "+", page).Result()
				if err != nil {
					yield(Event{}, away("reading the timeline of "+incident, err))
					return
				}
				for _, row := range rows {
					e, err := l.decode(incident, row)
					if err == nil && len(types) > 0 && !slices.Contains(types, e.Type) {
						continue
					}
					if !yield(e, err) || err != nil {
						return
					}
				}
				if len(rows) < page {
					return
				}
				from = "(" + rows[len(rows)-1].ID
			}
		}
	}
}
