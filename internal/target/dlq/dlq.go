// Package dlq reads and replays the dead-letter queue of the CDC API. It exists because runbooks say "replay what failed"
// while the API takes IDs, in batches of at most 1,000, and in some deployments answers later: here that is one call which
// returns when the outcome is known. Reading is paged; replaying is never tried twice by itself.
package dlq

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"
)

// Options say where the CDC API is and who asks.
type Options struct {
	URL          string                                    // http://host:8080
	Prefix       string                                    // where it is mounted: "" or "/api/v1"
	Username     string                                    // for basic authentication
	Password     string                                    // of the user
	PasswordFile string                                    // read anew for every request, so that rotation needs no restart; wins over Password
	Token        string                                    // bearer token, instead of a user name
	TokenFile    string                                    // read anew for every request; wins over Token
	CAFile       string                                    // PEM; the system's authorities when empty
	Timeout      time.Duration                             // for one request; 10 s when zero
	Wait         time.Duration                             // for the outcome of a replay that is answered later; 4 min when zero
	Wrap         func(http.RoundTripper) http.RoundTripper // put around the transport; nil for none
}

// Bounds of the API and of this client.
const (
	pageSize    = 1000 // records of one page, and IDs of one replay
	mostRecords = 10_000
	mostBytes   = 32 << 20 // of one answer
	mostText    = 1000     // characters of a value in a row
)

// The values that the API's filters and replays know.
var (
	errorTypes = []string{"SCHEMA_MISMATCH", "TYPE_CONVERSION_ERROR", "CONSTRAINT_VIOLATION", "NETWORK_TIMEOUT", "UNKNOWN"}
	statuses   = []string{"PENDING", "AUTO_RESOLVED", "MANUAL_RESOLVED", "IGNORED"}
	strategies = []string{"immediate", "batch", "scheduled"}
)

// Client asks one CDC API. It is safe for concurrent use.
type Client struct {
	options Options
	host    string
	prefix  string
	http    *resty.Client
}

// record is one entry of the queue, as GET /dlq/records shows it.
type record struct {
	ID             string `json:"dlq_id"`
	Table          string `json:"source_table"`
	ErrorType      string `json:"error_type"`
	Message        string `json:"error_message"`
	Retries        int    `json:"retry_count"`
	At             string `json:"dlq_timestamp"`
	Status         string `json:"resolution_status"`
	FirstFailedAt  string `json:"first_failed_at"`
	LastRetryAt    string `json:"last_retry_at"`
	ResolvedAt     string `json:"resolved_at"`
	ResolutionNote string `json:"resolution_notes"`
}

// columns are what a row shows; those that are optional are left out when no record has them.
var columns = []struct {
	name     string
	optional bool
	value    func(record) string
}{
	{"dlq_id", false, func(r record) string { return r.ID }},
	{"source_table", false, func(r record) string { return r.Table }},
	{"error_type", false, func(r record) string { return r.ErrorType }},
	{"error_message", false, func(r record) string { return r.Message }},
	{"retry_count", false, func(r record) string { return strconv.Itoa(r.Retries) }},
	{"dlq_timestamp", false, func(r record) string { return r.At }},
	{"resolution_status", false, func(r record) string { return r.Status }},
	{"first_failed_at", true, func(r record) string { return r.FirstFailedAt }},
	{"last_retry_at", true, func(r record) string { return r.LastRetryAt }},
	{"resolved_at", true, func(r record) string { return r.ResolvedAt }},
	{"resolution_notes", true, func(r record) string { return r.ResolutionNote }},
}

// Records lists at most limit records, 1 to 10,000; filter keys are error_type, resolution_status, table, start_date and
// end_date, and an empty value filters nothing. total counts all that fit the filter. The first column is the record's ID.
// Errors of the way there are *Error.
func (c *Client) Records(ctx context.Context, filter map[string]string, limit int) (names []string, rows [][]string, total int, err error) {
	query, err := question(filter)
	if err != nil {
		return nil, nil, 0, err
	}
	if limit < 1 || limit > mostRecords {
		return nil, nil, 0, fmt.Errorf("limit %d of the dead-letter queue: expected 1 to %d", limit, mostRecords)
	}
	var all []record
	seen := map[string]bool{} // a record that arrives between two pages moves others onto the next one
	for offset := 0; len(all) < limit; {
		page, n, err := c.page(ctx, query, min(pageSize, limit-len(all)), offset)
		if err != nil {
			return nil, nil, 0, err
		}
		for _, r := range page {
			if !seen[r.ID] && len(all) < limit {
				all = append(all, r)
			}
			seen[r.ID] = true
		}
		total = n
		if offset += len(page); len(page) == 0 || offset >= total {
			break
		}
	}
	names, rows = table(all)
	return names, rows, max(total, len(all)), nil
}

// Probe says in one line that the API answers and how much is pending. Errors are *Error.
func (c *Client) Probe(ctx context.Context) (string, error) {
	_, pending, err := c.page(ctx, url.Values{"resolution_status": {"PENDING"}}, 1, 0)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("CDC API at %s answers (%d records pending in the dead-letter queue)", c.host, pending), nil
}

func (c *Client) page(ctx context.Context, query url.Values, limit, offset int) ([]record, int, error) {
	ask := url.Values{"limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(offset)}}
	for k, v := range query {
		ask[k] = v
	}
	var answer struct {
		Records    []record `json:"records"`
		Total      *int     `json:"total"`
		TotalCount *int     `json:"total_count"` // what it is called under /api/v1
	}
	const what = "records of the dead-letter queue"
	if _, err := c.do(ctx, what, http.MethodGet, "/dlq/records?"+ask.Encode(), nil, &answer); err != nil {
		return nil, 0, err
	}
	if answer.Total == nil {
		answer.Total = answer.TotalCount
	}
	if answer.Records == nil || answer.Total == nil {
		return nil, 0, c.strange(what, http.StatusOK, "no records or no total")
	}
	if slices.ContainsFunc(answer.Records, func(r record) bool { return r.ID == "" }) {
		return nil, 0, c.strange(what, http.StatusOK, "a record without dlq_id")
	}
	return answer.Records, *answer.Total, nil
}

// question checks a filter and makes a query of it.
func question(filter map[string]string) (url.Values, error) {
	query := url.Values{}
	for key, value := range filter {
		if value == "" {
			continue
		}
		var err error
		switch key {
		case "error_type":
			err = known(key, value, errorTypes)
		case "resolution_status":
			err = known(key, value, statuses)
		case "start_date", "end_date":
			err = date(key, value)
		case "table":
		default:
			err = fmt.Errorf("filter %q of the dead-letter queue: expected error_type, resolution_status, table, start_date or end_date", key)
		}
		if err != nil {
			return nil, err
		}
		query.Set(key, value)
	}
	return query, nil
}

func known(key, value string, list []string) error {
	if slices.Contains(list, value) {
		return nil
	}
	return fmt.Errorf("%s %q: expected one of %s", key, value, strings.Join(list, ", "))
}

// date accepts what ISO 8601 writers commonly write.
func date(key, value string) error {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if _, err := time.Parse(layout, value); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s %q: expected a date such as 2026-11-23 or 2026-11-23T07:00:00Z", key, value)
}

func table(all []record) (names []string, rows [][]string) {
	rows = make([][]string, len(all))
	for _, c := range columns {
		if c.optional && !slices.ContainsFunc(all, func(r record) bool { return c.value(r) != "" }) {
			continue
		}
		names = append(names, c.name)
		for i, r := range all {
			rows[i] = append(rows[i], cut(c.value(r), mostText))
		}
	}
	return names, rows
}
