package alert

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what the webhook answered and took.
type Metrics struct {
	answers *prometheus.CounterVec
	alerts  *prometheus.CounterVec
}

// NewMetrics registers cdcbot_webhook_answers_total{code} and cdcbot_webhook_alerts_total{status}. Registering twice with
// one registerer panics, as with every collector.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "cdcbot_webhook_answers_total", Help: "Answers of the alert webhook, by HTTP status code."}, []string{"code"}),
		alerts:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "cdcbot_webhook_alerts_total", Help: "Alerts taken by the webhook, by status."}, []string{"status"}),
	}
	r.MustRegister(m.answers, m.alerts)
	return m
}

func (m *Metrics) answered(code int, alerts []Alert) {
	if m == nil {
		return
	}
	m.answers.WithLabelValues(strconv.Itoa(code)).Inc()
	for _, a := range alerts {
		m.alerts.WithLabelValues(string(a.Status)).Inc()
	}
}
