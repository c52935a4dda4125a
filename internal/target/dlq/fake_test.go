package dlq

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// api is a CDC API in a process, with both shapes: at "" a replay is answered at once, at /api/v1 later. It shares no type
// with the client: a wrong JSON tag must show.
type api struct {
	*httptest.Server
	mutex   sync.Mutex
	records []map[string]any
	replays map[string]map[string]any
	batches []int  // sizes of the replays that were taken
	pages   []int  // limits that were asked for
	login   string // wanted Authorization, if any
	slow    int    // times that a replay is asked for before it has ended
	hiccups int    // of those, how many are answered 503
}

// seed makes n records; every tenth cannot be replayed.
func seed(n int) []map[string]any {
	list := make([]map[string]any, n)
	for i := range list {
		list[i] = map[string]any{
			"dlq_id": fmt.Sprintf("dlq-%04d", i), "source_table": []string{"users", "orders"}[i%2],
			"error_type":    []string{"SCHEMA_MISMATCH", "TYPE_CONVERSION_ERROR", "NETWORK_TIMEOUT"}[i%3],
			"error_message": "column " + strconv.Itoa(i), "retry_count": i % 4, "dlq_timestamp": "2026-11-23T07:00:00Z",
			"resolution_status": "PENDING", "poison": i%10 == 9,
		}
	}
	return list
}

func newAPI(t *testing.T, records ...map[string]any) *api {
	t.Helper()
	a := &api{records: records, replays: map[string]map[string]any{}}
	mux := http.NewServeMux()
	for _, prefix := range []string{"", "/api/v1"} {
		mux.HandleFunc("GET "+prefix+"/dlq/records", a.list)
		mux.HandleFunc("POST "+prefix+"/dlq/replay", func(w http.ResponseWriter, r *http.Request) { a.replay(w, r, prefix != "") })
		mux.HandleFunc("GET "+prefix+"/dlq/replay/{id}", a.progress)
	}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mutex.Lock()
		defer a.mutex.Unlock()
		if a.login != "" && r.Header.Get("Authorization") != a.login {
			say(w, http.StatusUnauthorized, map[string]any{"detail": "Could not validate " + r.Header.Get("Authorization")})
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func say(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (a *api) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, offset := 100, 0
	var err error
	if q.Get("limit") != "" {
		limit, err = strconv.Atoi(q.Get("limit"))
	}
	if err == nil && q.Get("offset") != "" {
		offset, err = strconv.Atoi(q.Get("offset"))
	}
	if err != nil || limit < 1 || limit > 1000 || offset < 0 {
		say(w, http.StatusUnprocessableEntity, map[string]any{"detail": []any{map[string]any{"loc": []string{"query", "limit"}, "msg": "out of range"}}})
		return
	}
	a.pages = append(a.pages, limit)
	fits := slices.DeleteFunc(slices.Clone(a.records), func(rec map[string]any) bool {
		for asked, field := range map[string]string{"error_type": "error_type", "resolution_status": "resolution_status", "table": "source_table"} {
			if v := q.Get(asked); v != "" && rec[field] != v {
				return true
			}
		}
		return false
	})
	page := fits[min(offset, len(fits)):min(offset+limit, len(fits))]
	total := "total"
	if strings.HasPrefix(r.URL.Path, "/api/v1") {
		total = "total_count"
	}
	say(w, http.StatusOK, map[string]any{"records": page, total: len(fits), "limit": limit, "offset": offset})
}

func (a *api) replay(w http.ResponseWriter, r *http.Request, later bool) {
	var body struct {
		IDs      []string `json:"dlq_ids"`
		Notes    string   `json:"resolution_notes"`
		Strategy string   `json:"retry_strategy"`
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil || len(body.IDs) < 1 || len(body.IDs) > 1000 || r.Header.Get("Content-Type") != "application/json" {
		say(w, http.StatusBadRequest, map[string]any{"detail": fmt.Sprint("bad body: ", err)})
		return
	}
	unknown, resolved := a.sort(body.IDs)
	switch {
	case len(unknown) > 0 && later:
		say(w, http.StatusBadRequest, map[string]any{"error": "INVALID_REQUEST", "message": "One or more DLQ IDs do not exist", "details": map[string]any{"invalid_ids": unknown}})
		return
	case len(unknown) > 0:
		say(w, http.StatusBadRequest, map[string]any{"detail": "unknown dlq_ids: " + strings.Join(unknown, ", ")})
		return
	case len(resolved) > 0 && later:
		say(w, http.StatusConflict, map[string]any{"error": "ALREADY_RESOLVED", "message": "One or more DLQ records have already been resolved", "details": map[string]any{"resolved_ids": resolved}})
		return
	case len(resolved) > 0:
		say(w, http.StatusConflict, map[string]any{"detail": "already resolved: " + strings.Join(resolved, ", ")})
		return
	}
	good, bad := a.apply(body.IDs, body.Notes)
	a.batches = append(a.batches, len(body.IDs))
	if !later {
		say(w, http.StatusOK, map[string]any{"replayed_count": good, "failed_count": bad, "message": fmt.Sprintf("Replayed %d records", good)})
		return
	}
	id := fmt.Sprintf("replay/%d", len(a.batches))
	status := "completed"
	if bad > 0 {
		status = "partially_completed"
	}
	if good == 0 {
		status = "failed"
	}
	a.replays[id] = map[string]any{"replay_id": id, "status": status, "left": a.slow, "results": map[string]any{"success": good, "failed": bad, "skipped": 0}}
	say(w, http.StatusAccepted, map[string]any{"replay_id": id, "status": "queued", "dlq_ids_count": len(body.IDs), "message": "Replay request accepted and queued for processing"})
}

func (a *api) sort(ids []string) (unknown, resolved []string) {
	for _, id := range ids {
		i := slices.IndexFunc(a.records, func(r map[string]any) bool { return r["dlq_id"] == id })
		switch {
		case i < 0:
			unknown = append(unknown, id)
		case a.records[i]["resolution_status"] != "PENDING":
			resolved = append(resolved, id)
		}
	}
	return unknown, resolved
}

func (a *api) apply(ids []string, notes string) (good, bad int) {
	for _, r := range a.records {
		switch {
		case !slices.Contains(ids, r["dlq_id"].(string)):
		case r["poison"] == true:
			bad++
		default:
			good++
			r["resolution_status"], r["resolution_notes"], r["resolved_at"] = "MANUAL_RESOLVED", notes, time.Now().UTC().Format(time.RFC3339)
		}
	}
	return good, bad
}

func (a *api) progress(w http.ResponseWriter, r *http.Request) {
	p, ok := a.replays[r.PathValue("id")]
	if !ok {
		say(w, http.StatusNotFound, map[string]any{"error": "NOT_FOUND", "message": "no such replay"})
		return
	}
	left := p["left"].(int)
	p["left"] = left - 1
	switch {
	case left > 0 && a.hiccups > 0:
		a.hiccups--
		say(w, http.StatusServiceUnavailable, map[string]any{"message": "warming up"})
	case left > 0:
		say(w, http.StatusOK, map[string]any{"replay_id": p["replay_id"], "status": "in_progress", "results": map[string]any{"success": 0, "failed": 0, "skipped": 0}})
	default:
		say(w, http.StatusOK, map[string]any{"replay_id": p["replay_id"], "status": p["status"], "results": p["results"]})
	}
}
