package tracing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exporter sends spans as OTLP/HTTP with JSON (opentelemetry.io/docs/specs/otlp). The SDK's own exporter would bring gRPC
// along: 18 MB in a binary of 46, measured with otlptracehttp v1.47.0.
type exporter struct {
	address, token string
	client         *http.Client
	failed         func(error)
}

// The messages of opentelemetry/proto/trace/v1, as far as they are used. IDs are hexadecimal and 64-bit numbers are
// strings, as the specification's JSON encoding wants.
type (
	tracesData struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   attributes   `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	attributes struct {
		Attributes []keyValue `json:"attributes"`
	}
	scopeSpans struct {
		Scope struct {
			Name string `json:"name"`
		} `json:"scope"`
		Spans []span `json:"spans"`
	}
	span struct {
		TraceID    string     `json:"traceId"`
		SpanID     string     `json:"spanId"`
		ParentID   string     `json:"parentSpanId,omitempty"`
		Name       string     `json:"name"`
		Kind       int        `json:"kind"`
		Start      string     `json:"startTimeUnixNano"`
		End        string     `json:"endTimeUnixNano"`
		Attributes []keyValue `json:"attributes,omitempty"`
		Status     status     `json:"status"`
	}
	status struct {
		Code    int    `json:"code"`
		Message string `json:"message,omitempty"`
	}
	keyValue struct {
		Key   string         `json:"key"`
		Value map[string]any `json:"value"`
	}
)

// ExportSpans implements sdktrace.SpanExporter.
func (e *exporter) ExportSpans(ctx context.Context, list []sdktrace.ReadOnlySpan) error {
	if len(list) == 0 {
		return nil
	}
	err := e.send(ctx, list)
	if err != nil && e.failed != nil {
		e.failed(fmt.Errorf("%d spans are lost: %w", len(list), err))
	}
	return nil // told already; the SDK would write it to stderr
}

func (e *exporter) send(ctx context.Context, list []sdktrace.ReadOnlySpan) error {
	body, err := json.Marshal(encode(list))
	if err != nil {
		return fmt.Errorf("encoding spans: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("sending spans: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	if e.token != "" {
		request.Header.Set("Authorization", "Bearer "+e.token)
	}
	answer, err := e.client.Do(request)
	if err != nil {
		return errors.Join(errors.New("the endpoint does not answer"), err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 300))
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the endpoint answers HTTP %d: %s", answer.StatusCode, bytes.TrimSpace(text))
	}
	return nil
}

// Shutdown implements sdktrace.SpanExporter.
func (e *exporter) Shutdown(context.Context) error { return nil }

func encode(list []sdktrace.ReadOnlySpan) tracesData {
	out := scopeSpans{}
	out.Scope.Name = "cdcbot"
	for _, s := range list {
		x := span{TraceID: s.SpanContext().TraceID().String(), SpanID: s.SpanContext().SpanID().String(), Name: s.Name(), Kind: int(s.SpanKind()),
			Start: nano(s.StartTime()), End: nano(s.EndTime()), Attributes: pairs(s.Attributes()), Status: statusOf(s.Status())}
		if p := s.Parent().SpanID(); p.IsValid() {
			x.ParentID = p.String()
		}
		out.Spans = append(out.Spans, x)
	}
	return tracesData{[]resourceSpans{{Resource: attributes{pairs(list[0].Resource().Attributes())}, ScopeSpans: []scopeSpans{out}}}}
}

func nano(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

// statusOf numbers a status as OTLP does, where 1 is ok and 2 is an error; the SDK counts the other way round.
func statusOf(s sdktrace.Status) status {
	return status{Code: map[string]int{"Ok": 1, "Error": 2}[s.Code.String()], Message: s.Description}
}

func pairs(list []attribute.KeyValue) []keyValue {
	var out []keyValue
	for _, a := range list {
		value := map[string]any{"stringValue": a.Value.Emit()}
		switch a.Value.Type() {
		case attribute.INT64:
			value = map[string]any{"intValue": a.Value.Emit()}
		case attribute.BOOL:
			value = map[string]any{"boolValue": a.Value.AsBool()}
		case attribute.FLOAT64:
			value = map[string]any{"doubleValue": a.Value.AsFloat64()}
		}
		out = append(out, keyValue{string(a.Key), value})
	}
	return out
}
