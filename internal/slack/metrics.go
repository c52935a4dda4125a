package slack

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	envelopes   *prometheus.CounterVec // by type
	dropped     *prometheus.CounterVec // by reason
	ack         prometheus.Histogram
	posts       *prometheus.CounterVec // by method and result
	retries     *prometheus.CounterVec // by method
	connections prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "cdcbot", Subsystem: "slack", Name: name, Help: help}, labels)
	}
	m := &metrics{
		envelopes: counter("envelopes_total", "Socket Mode envelopes received, by type.", "type"),
		dropped:   counter("dropped_total", "Envelopes not handled, by reason (duplicate, busy, undecodable, ack).", "reason"),
		ack: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "cdcbot", Subsystem: "slack", Name: "ack_seconds",
			Help: "From an envelope's arrival to its acknowledgement.", Buckets: []float64{.0005, .001, .005, .01, .05, .1, .5, 1, 2, 3}}),
		posts:       counter("posts_total", "Web API calls that write, by method and result.", "method", "result"),
		retries:     counter("retries_total", "Web API calls that Slack asked to repeat later, by method.", "method"),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "cdcbot", Subsystem: "slack", Name: "connections", Help: "Socket Mode connections that stand."}),
	}
	var problems []error
	for _, c := range []prometheus.Collector{m.envelopes, m.dropped, m.ack, m.posts, m.retries, m.connections} {
		problems = append(problems, r.Register(c))
	}
	return m, errors.Join(problems...)
}
