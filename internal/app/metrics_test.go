package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"cdcbot/internal/alert"
	"cdcbot/internal/approval"
	"cdcbot/internal/incident"
	"cdcbot/internal/lab"
	"cdcbot/internal/remediation"
	"cdcbot/internal/slack"
)

// watchedApp is as much of an App as its gauges look at, on a Redis of the test's own.
func watchedApp(t *testing.T) (*App, *lab.RedisServer) {
	t.Helper()
	server := lab.Redis(t)
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr, MaxRetries: -1})
	t.Cleanup(func() { _ = rdb.Close() })
	bot, err := slack.New(slack.Options{AppToken: "xapp-1", BotToken: "xoxb-1"})
	if err != nil {
		t.Fatal(err)
	}
	flow := &remediation.Flow{Incidents: &incident.Store{Redis: rdb, Now: time.Now}, Approvals: &approval.Store{Redis: rdb, Now: time.Now}}
	return &App{redis: rdb, slack: bot, flow: flow, engine: remediation.NewEngine(rdb, 1, zap.NewNop()), log: zap.NewNop(), options: Options{Version: "v1"}}, server
}

func TestGauges(t *testing.T) {
	a, server := watchedApp(t)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(newGauges(a))
	for _, name := range []string{"A", "B"} {
		fired := alert.Alert{Name: name, Status: alert.Firing, Labels: map[string]string{"alertname": name}, StartsAt: time.Now()}
		if _, _, err := a.flow.Incidents.Receive(t.Context(), fired, incident.Key{Pipeline: "warehouse"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.engine.Enqueue(t.Context(), remediation.Job{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	want := `cdcbot_build_info version="v1" 1
cdcbot_incidents state="acknowledged" 0
cdcbot_incidents state="mitigating" 0
cdcbot_incidents state="monitoring" 0
cdcbot_incidents state="open" 2
cdcbot_jobs state="dead" 0
cdcbot_jobs state="retrying" 0
cdcbot_jobs state="running" 0
cdcbot_jobs state="waiting" 1
cdcbot_ready part="redis" 1
cdcbot_ready part="slack" 0
cdcbot_requests_waiting 0
`
	if diff := cmp.Diff(want, told(t, registry)); diff != "" {
		t.Error(diff)
	}
	server.Kill9()
	gone := "cdcbot_build_info version=\"v1\" 1\ncdcbot_ready part=\"redis\" 0\ncdcbot_ready part=\"slack\" 0\n"
	if diff := cmp.Diff(gone, told(t, registry)); diff != "" {
		t.Error(diff)
	}
}

// told is one line for each gauge that a registry has.
func told(t *testing.T, r *prometheus.Registry) string {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		for _, m := range f.GetMetric() {
			b.WriteString(f.GetName())
			for _, l := range m.GetLabel() {
				fmt.Fprintf(&b, " %s=%q", l.GetName(), l.GetValue())
			}
			fmt.Fprintf(&b, " %g\n", m.GetGauge().GetValue())
		}
	}
	return b.String()
}
