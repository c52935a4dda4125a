package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"cdcbot/internal/incident"
)

// gauges are what stands in Redis, read when Prometheus asks: nothing has to be kept in step, and every replica tells the
// same. While Redis is away only cdcbot_ready and cdcbot_build_info are told.
type gauges struct {
	app *App

	build, ready, incidents, requests, jobs, breakers *prometheus.Desc
}

// gaugesTimeout bounds one look; Prometheus waits 10 s.
const gaugesTimeout = 3 * time.Second

func newGauges(a *App) *gauges {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("cdcbot_"+name, help, labels, nil)
	}
	return &gauges{
		app:       a,
		build:     describe("build_info", "Always 1; the label says which version runs.", "version"),
		ready:     describe("ready", "1 when a part that the bot needs is there, else 0.", "part"),
		incidents: describe("incidents", "Incidents that are neither resolved nor closed, by state.", "state"),
		requests:  describe("requests_waiting", "Requests that wait for people to decide."),
		jobs:      describe("jobs", "Jobs in the queue, by state; dead ones were given up.", "state"),
		breakers:  describe("target_breaker_state", "How the breaker of a target stands: 0 closed, 1 half-open, 2 open.", "target"),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.build, g.ready, g.incidents, g.requests, g.jobs, g.breakers} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), gaugesTimeout)
	defer cancel()
	tell := func(d *prometheus.Desc, value int, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), labels...)
	}
	tell(g.build, 1, g.app.options.Version)
	for _, b := range g.app.breakers.All() {
		tell(g.breakers, int(b.State()), b.Target())
	}
	parts := g.app.ready(ctx)
	for part, err := range parts {
		there := 0
		if err == nil {
			there = 1
		}
		tell(g.ready, there, part)
	}
	if parts["redis"] != nil {
		return
	}
	for _, look := range []func(context.Context, func(*prometheus.Desc, int, ...string)) error{g.work, g.queue} {
		if err := look(ctx, tell); err != nil {
			g.app.log.Warn("reading metrics from redis", zap.Error(err))
		}
	}
}

// work tells of incidents and requests. A state that no incident is in is told as 0.
func (g *gauges) work(ctx context.Context, tell func(*prometheus.Desc, int, ...string)) error {
	list, err := g.app.flow.Incidents.List(ctx, incident.Filter{Open: true})
	if err != nil {
		return err
	}
	count := map[incident.State]int{}
	for _, i := range list {
		count[i.State]++
	}
	for _, state := range incident.States {
		if (incident.Incident{State: state}).Active() {
			tell(g.incidents, count[state], string(state))
		}
	}
	waiting, err := g.app.flow.Approvals.Pending(ctx)
	if err != nil {
		return err
	}
	tell(g.requests, len(waiting))
	return nil
}

func (g *gauges) queue(_ context.Context, tell func(*prometheus.Desc, int, ...string)) error {
	d, err := g.app.engine.Depth()
	if err != nil {
		return err
	}
	for state, n := range map[string]int{"waiting": d.Waiting, "running": d.Running, "retrying": d.Retrying, "dead": d.Dead} {
		tell(g.jobs, n, state)
	}
	return nil
}
