// Package tracing tells what the bot does as traces of OpenTelemetry: one for each command and job, with the diagnosis,
// the steps of a run and the calls to other systems in it. Without an endpoint nothing is recorded.
package tracing

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"cdcbot/internal/redact"
)

// Options say where traces go.
type Options struct {
	// Endpoint is an OTLP/HTTP receiver, such as http://collector:4318; without a path, /v1/traces is added. "" records
	// nothing.
	Endpoint string
	Token    string  // sent as a bearer token; "" sends none
	Ratio    float64 // of the traces that are kept, 0 to 1
	Version  string  // of the bot
	Replica  string  // which process this is
	Client   *http.Client
	// Failed hears why spans did not arrive; they are lost. nil hears nothing.
	Failed func(error)
}

// batchEvery is how long spans wait for others to be sent with.
const batchEvery = 2 * time.Second

// Start makes the process's spans go to the endpoint. stop sends what is left, as long as its context lasts.
func Start(o Options) (stop func(context.Context) error, err error) {
	if o.Endpoint == "" {
		return func(context.Context) error { return nil }, nil
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("tracing.endpoint: %q; expected an OTLP/HTTP address such as http://collector:4318", redact.Text(o.Endpoint))
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second}
	}
	about := resource.NewSchemaless(attribute.String("service.name", "cdcbot"), attribute.String("service.version", o.Version), attribute.String("service.instance.id", o.Replica))
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithResource(about),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(o.Ratio))),
		sdktrace.WithBatcher(&exporter{address: u.String(), token: o.Token, client: o.Client, failed: o.Failed}, sdktrace.WithBatchTimeout(batchEvery)),
	)
	otel.SetTracerProvider(provider)
	return func(ctx context.Context) error {
		otel.SetTracerProvider(noop.NewTracerProvider())
		if err := provider.Shutdown(ctx); err != nil {
			return fmt.Errorf("sending the last traces: %w", err)
		}
		return nil
	}, nil
}

// Span begins a span; the function ends it, with the error that it came to. Facts are pairs of key and value; empty values
// are left out.
func Span(ctx context.Context, name string, facts ...string) (context.Context, func(error)) {
	return begin(ctx, name, trace.SpanKindInternal, facts)
}

func begin(ctx context.Context, name string, kind trace.SpanKind, facts []string) (context.Context, func(error)) {
	ctx, span := otel.Tracer("cdcbot").Start(ctx, name, trace.WithSpanKind(kind))
	if span.IsRecording() {
		for i := 0; i+1 < len(facts); i += 2 {
			if facts[i+1] != "" {
				span.SetAttributes(attribute.String(facts[i], redact.Text(facts[i+1])))
			}
		}
	}
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, redact.Text(strings.ToValidUTF8(err.Error(), "�")))
		}
		span.End()
	}
}

// Exemplar is the label by which a metric leads to the trace of ctx; nil when it is not kept.
func Exemplar(ctx context.Context) map[string]string {
	s := trace.SpanContextFromContext(ctx)
	if !s.IsSampled() {
		return nil
	}
	return map[string]string{"trace_id": s.TraceID().String()}
}

// Transport adds a span for each call to a target. Paths and queries stay out of it: they may name what is secret.
func Transport(target string, next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return transport{target, next}
}

type transport struct {
	target string
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !trace.SpanFromContext(r.Context()).IsRecording() { // a call that belongs to nothing is a poll
		return t.next.RoundTrip(r)
	}
	ctx, end := begin(r.Context(), r.Method+" "+t.target, trace.SpanKindClient, []string{"cdcbot.target", t.target, "http.request.method", r.Method, "server.address", r.URL.Hostname()})
	answer, err := t.next.RoundTrip(r.WithContext(ctx))
	if err == nil {
		trace.SpanFromContext(ctx).SetAttributes(attribute.Int("http.response.status_code", answer.StatusCode))
		if answer.StatusCode >= 500 {
			end(fmt.Errorf("HTTP %d", answer.StatusCode))
			return answer, nil
		}
	}
	end(err)
	return answer, err
}
