package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// api serves a queue.
type api struct {
	ctx     context.Context // of the program: a replay that was accepted outlives its request
	queue   *queue
	working sync.WaitGroup // replays that were accepted
	mutex   sync.Mutex
	replays map[string]*progress
}

// progress is what GET /dlq/replay/{id} shows.
type progress struct {
	ID        string   `json:"replay_id"`
	Status    string   `json:"status"` // queued, in_progress, completed, partially_completed or failed
	Count     int      `json:"dlq_ids_count"`
	Started   string   `json:"started_at,omitempty"`
	Completed string   `json:"completed_at,omitempty"`
	Results   results  `json:"results"`
	Failed    []string `json:"failed_events"`
	Notes     string   `json:"resolution_notes"`
	Strategy  string   `json:"retry_strategy"`
	Message   string   `json:"message,omitempty"`
}

type results struct {
	Success int `json:"success"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
}

var (
	errorTypes = []string{"SCHEMA_MISMATCH", "TYPE_CONVERSION_ERROR", "CONSTRAINT_VIOLATION", "NETWORK_TIMEOUT", "UNKNOWN"}
	statuses   = []string{"PENDING", "AUTO_RESOLVED", "MANUAL_RESOLVED", "IGNORED"}
	strategies = []string{"immediate", "batch", "scheduled"}
)

func newAPI(ctx context.Context, q *queue) *api {
	return &api{ctx: ctx, queue: q, replays: map[string]*progress{}}
}

func (a *api) handler() http.Handler {
	mux := http.NewServeMux()
	for _, prefix := range []string{"", "/api/v1"} {
		mux.HandleFunc("GET "+prefix+"/health", a.health)
		mux.HandleFunc("GET "+prefix+"/dlq/records", a.records)
	}
	mux.HandleFunc("POST /dlq/replay", a.replay)
	mux.HandleFunc("POST /api/v1/dlq/replay", a.replayLater)
	mux.HandleFunc("GET /api/v1/dlq/replay/{id}", a.progress)
	return mux
}

func (a *api) health(w http.ResponseWriter, r *http.Request) {
	if err := a.queue.current(r.Context()); err != nil {
		say(w, http.StatusServiceUnavailable, map[string]any{"status": "unhealthy", "detail": err.Error()})
		return
	}
	n := len(a.queue.list(func(*letter) bool { return true }))
	say(w, http.StatusOK, map[string]any{"status": "healthy", "dlq_records": n})
}

// records is GET /dlq/records.
func (a *api) records(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	fits, err := filter(query)
	limit, err2 := within(query, "limit", 100, 1, 1000)
	offset, err3 := within(query, "offset", 0, 0, 1<<31)
	if err := errors.Join(err, err2, err3); err != nil {
		refuse(w, r, http.StatusBadRequest, "INVALID_REQUEST", err.Error(), nil)
		return
	}
	if err := a.queue.current(r.Context()); err != nil {
		refuse(w, r, http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE", err.Error(), nil)
		return
	}
	list := a.queue.list(fits)
	page := list[min(offset, len(list)):min(offset+limit, len(list))]
	say(w, http.StatusOK, map[string]any{"records": page, "total": len(list), "limit": limit, "offset": offset})
}

// filter reads what a query asks for. What it does not know is an error: a filter that is not heeded would replay too much.
func filter(query url.Values) (func(*letter) bool, error) {
	var since, until time.Time
	for name := range query {
		value := query.Get(name)
		var err error
		switch name {
		case "error_type":
			err = oneOf(name, value, errorTypes)
		case "resolution_status":
			err = oneOf(name, value, statuses)
		case "start_date":
			since, err = date(name, value)
		case "end_date":
			until, err = date(name, value)
		case "table", "limit", "offset":
		default:
			err = fmt.Errorf("query %s is not known", name)
		}
		if err != nil {
			return nil, err
		}
	}
	is := func(name, value string) bool { return !query.Has(name) || query.Get(name) == value }
	return func(l *letter) bool {
		at := l.record.Timestamp
		return is("error_type", l.ErrorType) && is("resolution_status", l.Status) && is("table", l.Table) &&
			(since.IsZero() || !at.Before(since)) && (until.IsZero() || !at.After(until))
	}, nil
}

func oneOf(name, value string, list []string) error {
	if slices.Contains(list, value) {
		return nil
	}
	return fmt.Errorf("%s must be one of %s", name, strings.Join(list, ", "))
}

func date(name, value string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, value); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s must be a date of ISO 8601", name)
}

func within(query url.Values, name string, otherwise, least, most int) (int, error) {
	if !query.Has(name) {
		return otherwise, nil
	}
	n, err := strconv.Atoi(query.Get(name))
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s must be a number from %d to %d", name, least, most)
	}
	return n, nil
}

// order is the body of POST /dlq/replay, and nothing else is.
type order struct {
	IDs      []string `json:"dlq_ids"`
	Notes    string   `json:"resolution_notes"`
	Strategy string   `json:"retry_strategy"`
}

// take reads and checks an order; when it is no good it answers and returns false.
func (a *api) take(w http.ResponseWriter, r *http.Request) (o order, ok bool) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&o)
	if _, more := decoder.Token(); err == nil && !errors.Is(more, io.EOF) {
		err = errors.New("something follows the object")
	}
	if o.Strategy == "" {
		o.Strategy = strategies[0]
	}
	switch {
	case err != nil:
	case len(o.IDs) < 1 || len(o.IDs) > 1000:
		err = errors.New("dlq_ids must be 1 to 1000 IDs")
	default:
		err = oneOf("retry_strategy", o.Strategy, strategies)
	}
	if err != nil {
		refuse(w, r, http.StatusBadRequest, "INVALID_REQUEST", "body: "+err.Error(), nil)
		return o, false
	}
	if err := a.queue.current(r.Context()); err != nil {
		refuse(w, r, http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE", err.Error(), nil)
		return o, false
	}
	unknown, resolved := a.queue.check(o.IDs)
	switch {
	case len(unknown) > 0:
		refuse(w, r, http.StatusBadRequest, "INVALID_REQUEST", "unknown dlq_ids: "+strings.Join(unknown, ", "), map[string]any{"invalid_ids": unknown})
	case len(resolved) > 0:
		refuse(w, r, http.StatusConflict, "ALREADY_RESOLVED", "already resolved: "+strings.Join(resolved, ", "), map[string]any{"resolved_ids": resolved})
	default:
		return o, true
	}
	return o, false
}

// replay answers with the outcome.
func (a *api) replay(w http.ResponseWriter, r *http.Request) {
	o, ok := a.take(w, r)
	if !ok {
		return
	}
	p := &progress{}
	a.queue.replay(context.WithoutCancel(r.Context()), o.IDs, o.Notes, func(id string, err error) { a.note(p, id, err) })
	say(w, http.StatusOK, map[string]any{"replayed_count": p.Results.Success, "failed_count": p.Results.Failed, "message": fmt.Sprintf("Replayed %d of %d records%s", p.Results.Success, len(o.IDs), why(p))})
}

func why(p *progress) string {
	if p.Message == "" {
		return ""
	}
	return ": " + p.Message
}

// note adds the fate of one letter.
func (a *api) note(p *progress, id string, err error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	switch {
	case err == nil:
		p.Results.Success++
	case errors.Is(err, errTaken):
		p.Results.Skipped++
	default:
		p.Results.Failed++
		p.Failed, p.Message = append(p.Failed, id), err.Error()
	}
}

// replayLater answers at once with an ID, and replays after that.
func (a *api) replayLater(w http.ResponseWriter, r *http.Request) {
	o, ok := a.take(w, r)
	if !ok {
		return
	}
	p := &progress{ID: rand.Text(), Status: "queued", Count: len(o.IDs), Failed: []string{}, Notes: o.Notes, Strategy: o.Strategy}
	a.mutex.Lock()
	a.replays[p.ID] = p
	a.mutex.Unlock()
	say(w, http.StatusAccepted, map[string]any{"replay_id": p.ID, "status": "queued", "dlq_ids_count": len(o.IDs), "retry_strategy": o.Strategy, "message": "Replay request accepted and queued for processing"})
	a.working.Go(func() { a.work(p, o) })
}

func (a *api) work(p *progress, o order) {
	a.set(func() { p.Status, p.Started = "in_progress", stamp(time.Now()) })
	a.queue.replay(a.ctx, o.IDs, o.Notes, func(id string, err error) { a.note(p, id, err) })
	a.set(func() {
		p.Completed, p.Status = stamp(time.Now()), "completed"
		switch {
		case p.Results.Failed > 0 && p.Results.Success == 0:
			p.Status = "failed"
		case p.Results.Failed > 0:
			p.Status = "partially_completed"
		}
	})
}

func (a *api) set(change func()) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	change()
}

func (a *api) progress(w http.ResponseWriter, r *http.Request) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	p := a.replays[r.PathValue("id")]
	if p == nil {
		refuse(w, r, http.StatusNotFound, "NOT_FOUND", "no such replay", nil)
		return
	}
	say(w, http.StatusOK, p)
}

// refuse answers an error: {"detail"} at "", {"error", "message", "details"} at /api/v1.
func refuse(w http.ResponseWriter, r *http.Request, status int, code, message string, details map[string]any) {
	if !strings.HasPrefix(r.URL.Path, "/api/v1/") {
		say(w, status, map[string]any{"detail": message})
		return
	}
	say(w, status, map[string]any{"error": code, "message": message, "details": details, "timestamp": stamp(time.Now())})
}

func say(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who does not listen any more misses it
}
