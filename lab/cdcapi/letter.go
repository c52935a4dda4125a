package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// letter is a dead letter as GET /dlq/records shows it, and the record it is.
type letter struct {
	ID         string `json:"dlq_id"`
	Table      string `json:"source_table"`
	ErrorType  string `json:"error_type"`
	Message    string `json:"error_message"`
	At         string `json:"dlq_timestamp"`
	resolution        // fields of the same object

	record *kgo.Record
}

// resolution is what has become of a letter. It is the value of a record of the state topic, whose key is the letter's ID.
type resolution struct {
	Status      string `json:"resolution_status"`
	Retries     int    `json:"retry_count"`
	Notes       string `json:"resolution_notes,omitempty"`
	ResolvedAt  string `json:"resolved_at,omitempty"`
	LastRetryAt string `json:"last_retry_at,omitempty"`
}

const errorHeaders = "__connect.errors."

func newLetter(r *kgo.Record) *letter {
	l := &letter{
		ID: fmt.Sprintf("%s-%d-%d", r.Topic, r.Partition, r.Offset), Table: strings.TrimPrefix(header(r, "topic"), "cdc-events-"),
		ErrorType: "UNKNOWN", Message: header(r, "exception.message"), At: stamp(r.Timestamp),
		resolution: resolution{Status: "PENDING"}, record: r,
	}
	said := strings.Join([]string{header(r, "exception.class.name"), l.Message, header(r, "stage"), header(r, "exception.stacktrace")}, "\n")
	for _, k := range kinds {
		if k.says.MatchString(said) {
			l.ErrorType = k.name
			break
		}
	}
	return l
}

// kinds are what the words of an error mean, the more telling first.
var kinds = []struct {
	name string
	says *regexp.Regexp
}{
	{"CONSTRAINT_VIOLATION", regexp.MustCompile(`violates|duplicate key|ConstraintViolation|SQLState: 23|null value in column`)},
	{"NETWORK_TIMEOUT", regexp.MustCompile(`[Tt]imeout|timed out|Connection refused|ConnectException: Connect|RetriableException`)},
	{"TYPE_CONVERSION_ERROR", regexp.MustCompile(`NumberFormat|invalid input syntax|cannot be cast|cannot cast|type conversion|is of type .* but expression`)},
	{"SCHEMA_MISMATCH", regexp.MustCompile(`[Ss]chema|[Cc]olumn .* (does not exist|not found)|missing.*(field|column)|Unknown magic byte`)},
	{"TYPE_CONVERSION_ERROR", regexp.MustCompile(`(KEY|VALUE|HEADER)_CONVERTER|DataException|SerializationException`)},
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == errorHeaders+name {
			return strings.ToValidUTF8(string(h.Value), "\uFFFD")
		}
	}
	return ""
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// original is the record that failed, as it was.
func (l *letter) original() (*kgo.Record, error) {
	topic := header(l.record, "topic")
	if topic == "" {
		return nil, fmt.Errorf("%s does not say which topic it came from", l.ID)
	}
	r := &kgo.Record{Topic: topic, Key: l.record.Key, Value: l.record.Value}
	for _, h := range l.record.Headers {
		if !strings.HasPrefix(h.Key, errorHeaders) {
			r.Headers = append(r.Headers, h)
		}
	}
	return r, nil
}
