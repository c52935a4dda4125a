package app

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cdcbot/internal/action"
	"cdcbot/internal/breaker"
	"cdcbot/internal/config"
	"cdcbot/internal/doctor"
)

// nothingThere is a pipeline none of whose systems is there.
const nothingThere = `
slack: {channel: C1}
docker: {host: 'tcp://127.0.0.1:1'}
kubernetes: {kubeconfig: %s}
archive: {url: 'postgres://127.0.0.1:1/archive'}
alertmanager: {url: 'http://127.0.0.1:1'}
pipelines:
  warehouse:
    connect: {url: 'http://127.0.0.1:1'}
    postgres: {url: 'postgres://127.0.0.1:1/warehouse'}
    cassandra: {hosts: ['127.0.0.1:1']}
    vault: {url: 'http://127.0.0.1:1', token: t}
    kafka: {brokers: ['127.0.0.1:1']}
    registry: {url: 'http://127.0.0.1:1'}
    prometheus: {url: 'http://127.0.0.1:1'}
    cdc_api: {url: 'http://127.0.0.1:1'}
    services: {worker: {}, api: {kind: kubernetes}}
`

const nowhereCluster = `apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]
users: [{name: u, user: {}}]
`

// Every client says that it did not ask, since when and until when, and still what was the matter.
func TestEveryTargetHasABreaker(t *testing.T) {
	c := loaded(t, strings.ReplaceAll(nothingThere, "%s", saved(t, nowhereCluster)))
	s := breaker.New(breaker.Options{Failures: 1, Pause: time.Minute})
	w, err := openWorld(c, "warehouse", nil, nil, around{breakers: s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	database, err := (&App{config: c}).openDatabase(c.Pipelines["warehouse"].Postgres, w)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := openArchive(c, around{breakers: s})
	if err != nil {
		t.Fatal(err)
	}
	silencer, err := openAlertmanager(c, s)
	if err != nil {
		t.Fatal(err)
	}
	get := func(h action.HTTP) func(context.Context) error {
		return func(ctx context.Context) error { _, _, err := h.Get(ctx, "/"); return err }
	}
	state := func(s action.WorkloadClient) func(context.Context) error {
		return func(ctx context.Context) error { _, _, err := s.State(ctx); return err }
	}
	probe := func(p prober) func(context.Context) error {
		return func(ctx context.Context) error { _, err := p.Probe(ctx); return err }
	}
	for _, row := range []struct {
		target, reason string
		ask            func(context.Context) error
	}{
		{"warehouse/connect", "", func(ctx context.Context) error { _, err := w.clusters[""].Connectors(ctx); return err }},
		{"warehouse/postgres", "refused", probe(w.postgres.(prober))},
		{"warehouse/postgres", "refused", probe(database)},
		{"warehouse/cassandra", "refused", probe(w.cassandra.(prober))},
		{"warehouse/vault", "refused", probe(w.vault.(prober))},
		{"warehouse/kafka", "refused", probe(w.kafka.(prober))},
		{"warehouse/registry", "refused", get(w.http["registry"])},
		{"warehouse/prometheus", "refused", get(w.http["prometheus"])},
		{"warehouse/cdc-api", "refused", get(w.http["cdc-api"])},
		{"warehouse/cdc-api", "refused", func(ctx context.Context) error { _, _, _, err := w.dlq.Records(ctx, nil, 1); return err }},
		{"docker", "", state(w.services["worker"])},
		{"kubernetes", "", state(w.services["api"])},
		{"alertmanager", "refused", probe(silencer)},
		{"archive", "", func(ctx context.Context) error { _, err := archive.Get(ctx, "INC-1", ""); return err }},
	} {
		t.Run(row.target, func(t *testing.T) {
			_ = row.ask(t.Context())
			err := row.ask(t.Context())
			if err == nil || !strings.Contains(err.Error(), "the breaker of "+row.target+" is open since ") || !strings.Contains(err.Error(), "; next try in ") {
				t.Fatalf("got %v", err)
			}
			var told interface{ Reason() string }
			if row.reason != "" && (!errors.As(err, &told) || told.Reason() != row.reason) {
				t.Errorf("got %v with reason %v", err, told)
			}
			if s.Of(row.target).State() != breaker.Open {
				t.Errorf("got %s", s.Of(row.target).State())
			}
		})
	}
}

// restarts is a service that only restarts.
type restarts struct{ action.WorkloadClient }

func (restarts) Restart(context.Context) error { return nil }

// What an action restarted is asked at once: the breaker stood for the time before.
func TestRestartsForgive(t *testing.T) {
	s := breaker.New(breaker.Options{Failures: 1, Pause: time.Hour})
	w := &world{Nothing: action.Nothing{Pipeline: "warehouse"}, around: around{breakers: s}, services: map[string]action.WorkloadClient{"postgres": restarts{}}}
	_ = w.guard("postgres").Do(func() error { return syscall.ECONNREFUSED })
	service, err := w.Workload("postgres")
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Restart(t.Context()); err != nil || w.guard("postgres").State() != breaker.Closed {
		t.Errorf("got %v, %s", err, w.guard("postgres").State())
	}
}

func TestBreakersAreTold(t *testing.T) {
	a, _ := watchedApp(t)
	a.config = &config.Config{}
	a.breakers = breaker.New(breaker.Options{Failures: 1, Pause: time.Minute})
	a.breakers.Of("warehouse/connect")
	_ = a.breakers.Of("warehouse/postgres").Do(func() error { return syscall.ECONNREFUSED })
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(newGauges(a))
	want := "cdcbot_target_breaker_state target=\"warehouse/connect\" 0\ncdcbot_target_breaker_state target=\"warehouse/postgres\" 2\n"
	if got := told(t, registry); !strings.Contains(got, want) {
		t.Errorf("got %s", got)
	}
	u := &checkup{config: a.config, breakers: a.breakers}
	report := doctor.Examination{}.Run(t.Context(), u.breakerChecks())
	if len(report.Findings) != 1 || report.Findings[0].Status != doctor.Warning || report.Findings[0].Target != "warehouse/postgres" || !strings.Contains(report.Findings[0].What, "is open since") {
		t.Errorf("got %+v", report.Findings)
	}
}

func TestBreakersCanBeSwitchedOff(t *testing.T) {
	c := loaded(t, "breaker: {failures: 0}\nslack: {channel: C1}\npipelines: {warehouse: {connect: {url: 'http://127.0.0.1:1'}}}\n")
	if breakers(Options{Config: c}) != nil {
		t.Error("there are breakers")
	}
}
