package dlq

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const planted = "Zq7kPlantedSecret"

func open(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatalf("New(%q): %v", o.URL, err)
	}
	return c
}

// ids are the first column of rows.
func ids(rows [][]string) []string {
	var list []string
	for _, r := range rows {
		list = append(list, r[0])
	}
	return list
}

func TestRecords(t *testing.T) {
	a := newAPI(t, seed(2500)...)
	rows := []struct {
		name        string
		filter      map[string]string
		limit       int
		total, rows int
		pages       []int
	}{
		{"a few", nil, 10, 2500, 10, []int{10}},
		{"over several pages", nil, 10_000, 2500, 2500, []int{1000, 1000, 1000}},
		{"the last page is short", nil, 1001, 2500, 1001, []int{1000, 1}},
		{"all in one", map[string]string{"table": "users", "error_type": "NETWORK_TIMEOUT"}, 1000, 417, 417, []int{1000}},
		{"empty values filter nothing", map[string]string{"table": "", "error_type": ""}, 1, 2500, 1, []int{1}},
		{"nothing fits", map[string]string{"resolution_status": "IGNORED"}, 5, 0, 0, []int{5}},
		{"dates", map[string]string{"start_date": "2026-11-01", "end_date": "2026-11-30T00:00:00+01:00"}, 1, 2500, 1, []int{1}},
	}
	for _, prefix := range []string{"", "/api/v1"} {
		for _, row := range rows {
			t.Run(row.name+" at /"+strings.Trim(prefix, "/"), func(t *testing.T) {
				a.pages = nil
				names, got, total, err := open(t, Options{URL: a.URL, Prefix: prefix}).Records(t.Context(), row.filter, row.limit)
				if err != nil || total != row.total || len(got) != row.rows || !slices.Equal(a.pages, row.pages) {
					t.Fatalf("Records(%v, %d) = %d rows of %d, %v, pages %v; want %d of %d, pages %v", row.filter, row.limit, len(got), total, err, a.pages, row.rows, row.total, row.pages)
				}
				want := []string{"dlq_id", "source_table", "error_type", "error_message", "retry_count", "dlq_timestamp", "resolution_status"}
				if diff := cmp.Diff(want, names); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
	_, got, _, err := open(t, Options{URL: a.URL}).Records(t.Context(), nil, 2)
	want := [][]string{{"dlq-0000", "users", "SCHEMA_MISMATCH", "column 0", "0", "2026-11-23T07:00:00Z", "PENDING"}, {"dlq-0001", "orders", "TYPE_CONVERSION_ERROR", "column 1", "1", "2026-11-23T07:00:00Z", "PENDING"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestRecordsRefuses(t *testing.T) {
	c := open(t, Options{URL: "http://nothing.invalid"})
	for _, row := range []struct {
		filter map[string]string
		limit  int
		want   string
	}{
		{map[string]string{"error_type": "TIMEOUT"}, 1, `error_type "TIMEOUT": expected one of SCHEMA_MISMATCH, TYPE_CONVERSION_ERROR, CONSTRAINT_VIOLATION, NETWORK_TIMEOUT, UNKNOWN`},
		{map[string]string{"resolution_status": "pending"}, 1, `resolution_status "pending": expected one of PENDING, AUTO_RESOLVED, MANUAL_RESOLVED, IGNORED`},
		{map[string]string{"start_date": "yesterday"}, 1, `start_date "yesterday": expected a date such as 2026-11-23`},
		{map[string]string{"tabel": "users"}, 1, `filter "tabel" of the dead-letter queue: expected error_type, resolution_status, table, start_date or end_date`},
		{nil, 0, "limit 0 of the dead-letter queue: expected 1 to 10000"},
		{nil, 10_001, "limit 10001"},
	} {
		if _, _, _, err := c.Records(t.Context(), row.filter, row.limit); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("Records(%v, %d) = %v; want %q", row.filter, row.limit, err, row.want)
		}
	}
}

func TestReplay(t *testing.T) {
	numbered := func(from, to int) (list []string) {
		for i := from; i < to; i++ {
			list = append(list, fmt.Sprintf("dlq-%04d", i))
		}
		return list
	}
	rows := []struct {
		name             string
		ids              []string
		resolved         string
		replayed, failed int
		batches          []int
		err              string
	}{
		{"one", numbered(0, 1), "", 1, 0, []int{1}, ""},
		{"some fail", numbered(0, 20), "", 18, 2, []int{20}, ""},
		{"all fail", []string{"dlq-0009"}, "", 0, 1, []int{1}, ""},
		{"several batches", numbered(0, 2050), "", 1845, 205, []int{1000, 1000, 50}, ""},
		{"named twice", []string{"dlq-0000", "dlq-0001", "dlq-0000"}, "", 2, 0, []int{2}, ""},
		{"unknown", []string{"dlq-0000", "dlq-9999"}, "", 0, 0, nil, "dlq-9999"},
		{"unknown in the second batch", append(numbered(0, 1000), "dlq-9999"), "", 900, 100, []int{1000}, "batch 2 of 2: replay of 1 records: CDC API"},
		{"resolved already", numbered(0, 3), "dlq-0001", 0, 0, nil, "already"},
		{"nothing", nil, "", 0, 0, nil, "dlq_ids: empty"},
		{"an empty ID", []string{"dlq-0000", " "}, "", 0, 0, nil, "dlq_ids[1]: empty"},
	}
	for _, prefix := range []string{"", "/api/v1"} {
		for _, row := range rows {
			t.Run(row.name+" at /"+strings.Trim(prefix, "/"), func(t *testing.T) {
				t.Parallel()
				a := newAPI(t, seed(2100)...)
				a.slow, a.hiccups = 2, 1
				if row.resolved != "" {
					a.apply([]string{row.resolved}, "")
				}
				c := open(t, Options{URL: a.URL + "/", Prefix: prefix})
				replayed, failed, _, err := c.Replay(t.Context(), row.ids, "fixed", "batch")
				if row.err == "" && err != nil || row.err != "" && (err == nil || !strings.Contains(err.Error(), row.err)) {
					t.Errorf("Replay(%d ids) = %v; want %q", len(row.ids), err, row.err)
				}
				if replayed != row.replayed || failed != row.failed || !slices.Equal(a.batches, row.batches) {
					t.Errorf("Replay(%d ids) = %d replayed, %d failed, batches %v; want %d, %d, %v", len(row.ids), replayed, failed, a.batches, row.replayed, row.failed, row.batches)
				}
			})
		}
	}
}

func TestReplayIsSeenInRecords(t *testing.T) {
	a := newAPI(t, seed(3)...)
	c := open(t, Options{URL: a.URL})
	if _, _, message, err := c.Replay(t.Context(), []string{"dlq-0001"}, "column added", ""); err != nil || message != "Replayed 1 records" {
		t.Fatalf("Replay() = %q, %v", message, err)
	}
	names, rows, total, err := c.Records(t.Context(), map[string]string{"resolution_status": "MANUAL_RESOLVED"}, 10)
	if err != nil || total != 1 || rows[0][0] != "dlq-0001" || !slices.Contains(names, "resolution_notes") || !slices.Contains(rows[0], "column added") {
		t.Errorf("Records() = %v %v of %d, %v", names, rows, total, err)
	}
	text, err := c.Probe(t.Context())
	if want := "CDC API at " + c.Address() + " answers (2 records pending in the dead-letter queue)"; err != nil || text != want {
		t.Errorf("Probe() = %q, %v; want %q", text, err, want)
	}
}

func TestReplayWords(t *testing.T) {
	a := newAPI(t, seed(10)...)
	a.apply([]string{"dlq-0000"}, "")
	rows := []struct{ name, prefix, id, reason, want string }{
		{"unknown", "", "dlq-77", Broken, "refused the question (400: unknown dlq_ids: dlq-77)"},
		{"unknown, listed", "/api/v1", "dlq-77", Missing, "knows no records dlq-77; nothing of this batch was replayed (400: One or more DLQ IDs do not exist)"},
		{"resolved", "", "dlq-0000", Settled, "has resolved some of them already; nothing of this batch was replayed (409: already resolved: dlq-0000)"},
		{"resolved, listed", "/api/v1", "dlq-0000", Settled, "has resolved dlq-0000 already; nothing of this batch was replayed (409: One or more"},
		{"wrong prefix", "/v9", "dlq-0001", Missing, "has nothing there: is the prefix right? (404)"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, _, _, err := open(t, Options{URL: a.URL, Prefix: row.prefix}).Replay(t.Context(), []string{row.id}, "", "immediate")
			var told *Error
			if !errors.As(err, &told) || told.Reason() != row.reason || !strings.Contains(err.Error(), row.want) {
				t.Errorf("Replay(%s) = %v; want %s: %q", row.id, err, row.reason, row.want)
			}
		})
	}
	if _, _, _, err := open(t, Options{URL: a.URL}).Replay(t.Context(), []string{"dlq-0001"}, "", "now"); err == nil || !strings.Contains(err.Error(), `retry_strategy "now": expected one of immediate, batch, scheduled`) {
		t.Errorf("an unknown strategy: %v", err)
	}
}

func TestReplayThatGoesOn(t *testing.T) {
	a := newAPI(t, seed(10)...)
	a.slow = 1 << 30
	c := open(t, Options{URL: a.URL, Prefix: "api/v1/", Wait: 300 * time.Millisecond})
	_, _, _, err := c.Replay(t.Context(), []string{"dlq-0001"}, "", "immediate")
	var told *Error
	want := "has not ended replay replay/1 in time (in_progress, 0 replayed, 0 failed so far); it goes on, see GET /api/v1/dlq/replay/replay%2F1"
	if !errors.As(err, &told) || told.Reason() != Timeout || !strings.Contains(err.Error(), want) {
		t.Errorf("Replay() = %v; want %q", err, want)
	}
	replayed, failed, message, err := c.Replay(t.Context(), []string{"dlq-0002"}, "", "scheduled")
	if err != nil || replayed != 0 || failed != 0 || !strings.Contains(message, "replay replay/2 is scheduled") {
		t.Errorf("scheduled: %d, %d, %q, %v", replayed, failed, message, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(150*time.Millisecond, cancel)
	c = open(t, Options{URL: a.URL, Prefix: "/api/v1"})
	if _, _, _, err := c.Replay(ctx, []string{"dlq-0003"}, "", "immediate"); err == nil || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestStrangeAnswers(t *testing.T) {
	rows := []struct {
		name, method string
		status       int
		body, want   string
	}{
		{"no JSON", "GET", 200, "<html>", "answered 200, and not as the CDC API does: no JSON of the expected shape"},
		{"no records", "GET", 200, `{"total":1}`, "no records or no total"},
		{"no total", "GET", 200, `{"records":[]}`, "no records or no total"},
		{"no ID", "GET", 200, `{"records":[{}],"total":1}`, "a record without dlq_id"},
		{"redirect", "GET", 302, "", "answered an error (302)"},
		{"login", "GET", 401, `{"detail":"bad token ` + planted + `"}`, "refused the login (401: bad token …)"},
		{"list of details", "GET", 422, `{"detail":[{"msg":"bad"}]}`, `refused the question (422: [{"msg":"bad"}])`},
		{"not ready", "GET", 503, "", "is not ready (503)"},
		{"boom", "GET", 500, `{"error":"INTERNAL_ERROR"}`, "answered an error (500: INTERNAL_ERROR)"},
		{"endless pages", "GET", 200, `{"records":[],"total":99}`, ""},
		{"no counts", "POST", 200, `{}`, "neither replayed_count nor replay_id; whether anything was replayed is not known"},
		{"accepted without an ID", "POST", 202, `{"status":"queued"}`, "neither replayed_count nor replay_id"},
		{"created", "POST", 201, `{"replayed_count":1}`, "answered an error (201)"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(row.status)
				_, _ = io.WriteString(w, row.body)
			}))
			defer server.Close()
			c := open(t, Options{URL: server.URL, Token: planted})
			var err error
			if row.method == "GET" {
				_, _, _, err = c.Records(t.Context(), nil, 10)
			} else {
				_, _, _, err = c.Replay(t.Context(), []string{"x"}, "", "")
			}
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), planted)) {
				t.Errorf("%s of %d %s = %v; want %q", row.method, row.status, row.body, err, row.want)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer silent.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "http://" + l.Addr().String()
	_ = l.Close()
	rows := []struct{ name, url, reason, want string }{
		{"dead port", dead, Refused, "refused the connection"},
		{"silent", silent.URL, Timeout, "did not answer in time; whether anything was replayed is not known"},
		{"unknown host", "http://nothing.invalid", Missing, "has no address"},
		{"no TLS", strings.Replace(silent.URL, "http", "https", 1), Broken, "offers no TLS"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := open(t, Options{URL: row.url, Timeout: 300 * time.Millisecond})
			_, _, _, err := c.Replay(t.Context(), []string{"x"}, "", "")
			var told *Error
			if !errors.As(err, &told) || told.Reason() != row.reason || !strings.Contains(err.Error(), row.want) {
				t.Errorf("Replay() = %v; want %s: %q", err, row.reason, row.want)
			}
			if _, err := c.Probe(t.Context()); !errors.As(err, &told) || strings.Contains(err.Error(), "replayed") {
				t.Errorf("Probe() = %v", err)
			}
		})
	}
}

func TestLogin(t *testing.T) {
	a := newAPI(t, seed(1)...)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("abc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name  string
		o     Options
		login string
	}{
		{"token", Options{Token: "abc"}, "Bearer abc"},
		{"token file", Options{TokenFile: file}, "Bearer abc"},
		{"password", Options{Username: "bot", Password: "abc"}, "Basic Ym90OmFiYw=="},
		{"password file", Options{Username: "bot", PasswordFile: file}, "Basic Ym90OmFiYw=="},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.o.URL, a.login = a.URL, row.login
			if _, err := open(t, row.o).Probe(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := open(t, Options{URL: a.URL, TokenFile: file + ".gone"}).Probe(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a token file that is not there: %v", err)
	}
}

func TestNew(t *testing.T) {
	for _, row := range []struct {
		name string
		o    Options
		want string
	}{
		{"no url", Options{}, "cdc_api url: not understood"},
		{"broken", Options{URL: "http://u:" + planted + "@h:port"}, "cdc_api url"},
		{"query", Options{URL: "http://h?" + planted}, "without a query"},
		{"prefix", Options{URL: "http://h", Prefix: "/api?x"}, `cdc_api prefix "/api?x": expected a path such as /api/v1`},
		{"both logins", Options{URL: "http://h", Username: "u", Token: planted}, "one of them"},
		{"no CA", Options{URL: "https://h", CAFile: "/nowhere"}, "cdc_api ca_file"},
	} {
		if _, err := New(row.o); err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), planted) {
			t.Errorf("%s: New() = %v; want %q", row.name, err, row.want)
		}
	}
}
