package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"cdcbot/internal/breaker"
	"cdcbot/internal/commands"
	"cdcbot/internal/remediation"
	"cdcbot/internal/slack"
	"cdcbot/internal/tracing"
)

// meter measures commands and jobs, and begins their traces; a metric's exemplar leads to the trace.
type meter struct {
	commands, jobs *prometheus.HistogramVec
}

// newMeter registers the metrics.
func newMeter(r prometheus.Registerer) *meter {
	histogram := func(name, help, label string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "cdcbot", Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(0.005, 4, 8)}, []string{label})
	}
	o := &meter{
		commands: histogram("command_seconds", "How long a command or a press took from the router to its reply, by verb.", "verb"),
		jobs:     histogram("job_seconds", "How long a job of an incident took, by kind; runs wait for people in it.", "kind"),
	}
	r.MustRegister(o.commands, o.jobs)
	o.commands.WithLabelValues("unknown") // what has not happened yet is told as zero, or an alert on it could not fire
	for _, kind := range []remediation.JobKind{remediation.Investigate, remediation.Execute, remediation.Escalate} {
		o.jobs.WithLabelValues(string(kind))
	}
	return o
}

// lastTraces is how long a process that ends waits for its last spans to arrive.
const lastTraces = 3 * time.Second

// trace begins to send traces where the configuration says; the function sends the last ones.
func (a *App) trace() (stop func(), err error) {
	c, log := a.config.Tracing, a.log.Named("tracing")
	end, err := tracing.Start(tracing.Options{Endpoint: c.Endpoint, Token: c.Token, Ratio: float64(c.Percent) / 100, Version: a.options.Version, Replica: a.flow.Replica,
		Failed: func(err error) { log.Warn("traces did not arrive", zap.Error(err)) }})
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), lastTraces)
		defer cancel()
		if err := end(ctx); err != nil {
			log.Warn("the last traces did not arrive", zap.Error(err))
		}
	}, nil
}

// observe ends a measurement.
func observe(ctx context.Context, to prometheus.Observer, began time.Time) {
	seconds := time.Since(began).Seconds()
	if label := tracing.Exemplar(ctx); label != nil {
		if x, ok := to.(prometheus.ExemplarObserver); ok {
			x.ObserveWithExemplar(seconds, label)
			return
		}
	}
	to.Observe(seconds)
}

// asked is a router whose answers are measured.
type asked struct {
	slack.Asker
	by *meter
}

// Do implements slack.Asker.
func (a asked) Do(ctx context.Context, c commands.Command) commands.Reply {
	began := time.Now()
	verb := commands.Known(c)
	ctx, end := tracing.Span(ctx, "command "+verb, "cdcbot.verb", verb, "cdcbot.incident", c.Incident, "cdcbot.request", c.Request, "cdcbot.user", c.User.ID)
	reply := a.Asker.Do(ctx, c)
	observe(ctx, a.by.commands.WithLabelValues(verb), began)
	end(nil)
	return reply
}

// work is the corridor's work, measured.
func (o *meter) work(do func(context.Context, remediation.Job) error) func(context.Context, remediation.Job) error {
	return func(ctx context.Context, j remediation.Job) error {
		began := time.Now()
		ctx, end := tracing.Span(ctx, "job "+string(j.Kind), "cdcbot.incident", j.Incident, "cdcbot.request", j.Request, "cdcbot.run", j.Run)
		err := do(ctx, j)
		observe(ctx, o.jobs.WithLabelValues(string(j.Kind)), began)
		end(err)
		return err
	}
}

// guarded is a target's breaker, with a span around each call.
type guarded struct {
	*breaker.Breaker
	target string
}

func (a around) guard(target string) guarded { return guarded{a.breakers.Of(target), target} }

// Transport puts both around a transport.
func (g guarded) Transport(next http.RoundTripper) http.RoundTripper {
	return tracing.Transport(g.target, g.Breaker.Transport(next))
}
