package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"cdcbot/internal/action"
	"cdcbot/internal/app"
	"cdcbot/internal/connect/connecttest"
	"cdcbot/internal/runbook"
	"cdcbot/internal/target/targettest"
)

// around puts the simulated systems around the worker and lets what people do to them mend what is broken.
func (w *world) around() *app.Systems {
	s := targettest.New(time.Now)
	w.systems = s
	s.Restarted = func(service string) { w.mendIf(restartMends, service) }
	s.Altered = func(string) { w.mendIf(restartMends, "a changed table") }
	s.Renewed = func(string) { w.mendIf(restartMends, "a renewed lease") }
	out := &app.Systems{
		Postgres: s.Postgres(), Cassandra: s.Cassandra(), Vault: s.Vault(), DLQ: s.DLQ(), Kafka: s.Kafka(), Pager: s,
		HTTP: map[string]action.HTTP{}, Services: map[string]action.WorkloadClient{}, Probes: map[string]func(context.Context) (string, error){}, Targets: w.targets,
	}
	for _, name := range []string{"registry", "prometheus", "vault", "cdc-api", "grafana", "connect"} {
		out.HTTP[name] = s.HTTP(name)
	}
	for _, name := range s.Names() {
		out.Services[name] = s.Workload(name)
	}
	for probe, service := range map[string]string{"cassandra": "cassandra", "registry": "schema-registry", "kafka": "kafka", "vault": "vault", "cdc-api": "cdc-api"} {
		out.Probes[probe] = s.Probe(service)
	}
	return out
}

// restartMends says which faults are over when a service has come back, or when something was done to it. Faults are
// told by the letter of their code: a is the database, b its credentials, c the registry, d the table.
var restartMends = map[string]string{
	"postgres": "a", "cdc-api": "b", "a renewed lease": "b", "vault": "b", "schema-registry": "c", "a changed table": "d", "kafka-connect": "f", "kafka": "g",
}

// services are those that are down with a fault, by the same letter.
var down = map[string]string{"a": "postgres", "c": "schema-registry", "f": "kafka-connect", "g": "kafka"}

// letterOf is the kind of a fault. Faults of the worker and the broker have codes of their own in the recordings.
func letterOf(slug string) string {
	switch {
	case strings.Contains(slug, "broker"):
		return "g"
	case strings.Contains(slug, "worker"):
		return "f"
	}
	return slug[:1]
}

func (w *world) mendIf(cures map[string]string, deed string) {
	broken := w.worker.Broken()
	if broken != "" && cures[deed] == letterOf(broken) {
		w.worker.Mend()
		w.slack.SetControls(w.controls())
	}
}

// accidentIn breaks the pipeline, and with it the service whose failure it is.
func (w *world) accidentIn(slug string) error {
	if err := w.worker.Break(slug, ""); err != nil {
		return err
	}
	if service := down[letterOf(slug)]; service != "" {
		w.systems.Stop(service, "stopped by "+slug)
	}
	if letterOf(slug) == "e" {
		w.systems.Bury(3, "cdc_users", "TYPE_CONVERSION_ERROR", "Type mismatch for column 'age'")
	}
	return nil
}

// targets are the reference environment's spellings, so that any runbook of this world finds its systems.
func (w *world) targets(t *runbook.Targets) {
	t.Systems = map[string][]string{
		"postgres": {"localhost:5432", "cdc-postgres:5432", "postgres:5432"}, "cassandra": {"localhost:9042", "cdc-cassandra:9042", "cassandra:9042"},
		"vault": {"localhost:8200", "cdc-vault:8200", "vault:8200"}, "kafka": {"localhost:9092", "cdc-kafka:9092", "kafka:9092", "localhost:29092", "kafka:29092"},
		"registry": {"localhost:8081", "schema-registry:8081"}, "prometheus": {"localhost:9090", "prometheus:9090"}, "cdc-api": {"localhost:8080", "cdc-api:8080"},
		"grafana": {"localhost:3000"},
	}
	t.Services = map[string]string{}
	for _, name := range w.systems.Names() {
		t.Services[name] = name
		if !strings.HasPrefix(name, "cdc-") {
			t.Services["cdc-"+name] = name
		}
	}
	t.Database, t.Pager = "warehouse", true
	t.File = w.file
	t.Credentials = action.Credentials{Connector: "postgres-sink-connector", UserOption: "connection.username", PasswordOption: "connection.password"}
}

// file is the connector's configuration as it was deployed, whatever path the runbook calls it by.
func (w *world) file(path string) ([]byte, error) {
	name := "postgres-sink-connector"
	if strings.Contains(path, "source") || strings.Contains(path, "cassandra") {
		name = "cassandra-source-connector"
	}
	return json.Marshal(map[string]any{"name": name, "config": deployed[name]})
}

// faultNames are the faults that a drill can play.
func faultNames() []string {
	var names []string
	for _, f := range connecttest.AllFaults() {
		names = append(names, f.Slug)
	}
	slices.Sort(names)
	return names
}
