package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cdcbot/internal/action"
	"cdcbot/internal/config"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/drift"
	"cdcbot/internal/history"
	"cdcbot/internal/target/cassandra"
	"cdcbot/internal/target/kafka"
	"cdcbot/internal/target/postgres"
	"cdcbot/internal/target/vault"
	workloads "cdcbot/internal/target/workload"
)

// source is a diagnosis.Source made of a function.
type source struct {
	name string
	look func(ctx context.Context, subjects []diagnosis.Subject) (diagnosis.Facts, error)
}

// Name implements diagnosis.Source.
func (s source) Name() string { return s.name }

// Look implements diagnosis.Source.
func (s source) Look(ctx context.Context, _ string, subjects []diagnosis.Subject) (diagnosis.Facts, error) {
	return s.look(ctx, subjects)
}

// lossWindow is how far back lost records are counted.
const lossWindow = 3 * time.Minute

// lossQuery counts the records that each connector gave up, whatever the exporter calls the worker's
// task-error-metrics:total-records-skipped (KIP-298).
const lossQuery = `sum by (connector) (increase({__name__=~"kafka_connect_.*total_records_skipped.*"}[3m]))`

// losses asks Prometheus what connectors gave up while they said RUNNING.
func losses(prometheus action.HTTP) source {
	return source{"Prometheus", func(ctx context.Context, _ []diagnosis.Subject) (diagnosis.Facts, error) {
		rows, err := instant(ctx, prometheus, lossQuery)
		var facts diagnosis.Facts
		for connector, n := range rows {
			facts.Losses = append(facts.Losses, diagnosis.Loss{Connector: connector, Records: int64(n + 0.5), Window: lossWindow, Kind: "skipped", Source: "Prometheus: " + lossQuery})
		}
		return facts, err
	}}
}

// instant asks Prometheus for a vector now, and returns its values by the label connector.
func instant(ctx context.Context, prometheus action.HTTP, query string) (map[string]float64, error) {
	status, body, err := prometheus.Get(ctx, "/api/v1/query?query="+url.QueryEscape(query))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error string `json:"error"`
		Data  struct {
			Result []struct {
				Metric map[string]string `json:"metric"`
				Value  [2]any            `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("prometheus answered %d to %s: %s", status, query, answer.Error)
	}
	values := map[string]float64{}
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		if n, err := strconv.ParseFloat(text, 64); err == nil && r.Metric["connector"] != "" {
			values[r.Metric["connector"]] = n
		}
	}
	return values, nil
}

// leases asks Vault which of the sink's credentials ends first.
func leases(client *vault.Client, c config.Vault) source {
	return source{"Vault", func(ctx context.Context, _ []diagnosis.Subject) (diagnosis.Facts, error) {
		first, err := client.Expiring(ctx, c.Leases)
		if err != nil || first.Lease == "" {
			return diagnosis.Facts{}, err
		}
		return diagnosis.Facts{Leases: []diagnosis.Lease{{Name: first.Lease, Expires: time.Now().Add(first.In), Source: "Vault: leases of " + c.Leases}}}, nil
	}}
}

// drifts compares the tables on both sides of every suspect sink. A table that is not where its topic's name says is no
// drift: the name may say something else.
func drifts(from *cassandra.Client, to *postgres.Client) source {
	return source{"tables", func(ctx context.Context, subjects []diagnosis.Subject) (diagnosis.Facts, error) {
		var facts diagnosis.Facts
		for _, s := range subjects {
			if !s.Suspect {
				continue
			}
			for _, p := range pairs(s.Config) {
				found, err := compare(ctx, from, to, p, s.Config["quote.identifiers"] == "true")
				if err != nil {
					return facts, err
				}
				if found.Breaks() {
					facts.Drifts = append(facts.Drifts, diagnosis.Drift{Connector: s.Connector, From: p.keyspace + "." + p.table, To: p.sink, Lines: found.Lines(), Mend: found.Statements(),
						Source: "columns of " + p.keyspace + "." + p.table + " and " + p.sink})
				}
			}
		}
		return facts, nil
	}}
}

func compare(ctx context.Context, from *cassandra.Client, to *postgres.Client, p pair, quoted bool) (drift.Drift, error) {
	here, err := from.Columns(ctx, p.keyspace, p.table)
	if absent(err) {
		return drift.Drift{}, nil
	}
	if err != nil {
		return drift.Drift{}, err
	}
	there, err := to.Columns(ctx, p.sink)
	if absent(err) {
		return drift.Drift{}, nil // the trace itself says that the table is missing
	}
	if err != nil {
		return drift.Drift{}, err
	}
	source, sink := drift.Table{Schema: p.keyspace, Name: p.table}, drift.Table{Name: p.sink}
	if schema, name, ok := strings.Cut(p.sink, "."); ok {
		sink = drift.Table{Schema: schema, Name: name}
	}
	for _, c := range here {
		source.Columns = append(source.Columns, drift.Column{Name: c.Name, Type: c.Type, Key: drift.Key(c.Kind)})
	}
	for _, c := range there {
		column := drift.Column{Name: c.Name, Type: c.Type, NotNull: c.NotNull, HasDefault: c.Default, Generated: c.Generated}
		if c.Key {
			column.Key = drift.Primary
		}
		sink.Columns = append(sink.Columns, column)
	}
	return drift.Options{Quoted: quoted}.Compare(source, sink), nil
}

// absent says whether a system answered that what was asked for is not there.
func absent(err error) bool {
	var told interface{ Reason() string }
	return errors.As(err, &told) && diagnosis.Reason(told.Reason()) == diagnosis.Missing
}

// retentions asks Kafka how long the records that suspect sinks have not read are kept.
func retentions(client *kafka.Client) source {
	return source{"Kafka retention", func(ctx context.Context, subjects []diagnosis.Subject) (diagnosis.Facts, error) {
		var facts diagnosis.Facts
		for _, s := range subjects {
			group, ok := consumerGroup(s)
			if !ok || !s.Suspect {
				continue
			}
			list, err := client.Retention(ctx, group)
			if absent(err) {
				continue // it has never read anything
			}
			if err != nil {
				return facts, err
			}
			for _, r := range list {
				facts.Kept = append(facts.Kept, diagnosis.Kept{Connector: s.Connector, Topic: r.Topic, Partition: r.Partition, Committed: r.Committed, Start: r.Start, End: r.End, Oldest: r.Oldest, Written: r.Written,
					Policy: r.Policy, Keep: r.Keep, KeepBytes: r.KeepBytes, Bytes: r.Bytes, Unknown: r.Unknown, Source: "Kafka: " + group})
			}
		}
		return facts, nil
	}}
}

// consumerGroup is the group in which a sink reads: Connect's own name for it unless the configuration has another.
func consumerGroup(s diagnosis.Subject) (string, bool) {
	if s.Status.Type != "sink" {
		return "", false
	}
	return cmp.Or(s.Config["consumer.override.group.id"], "connect-"+s.Connector), true
}

// slots asks a source database how much log it keeps for the connectors that read it.
func slots(client *postgres.Client) source {
	return source{"replication slots", func(ctx context.Context, subjects []diagnosis.Subject) (diagnosis.Facts, error) {
		readers := map[string]string{}
		for _, s := range subjects {
			if name := s.Config["slot.name"]; name != "" {
				readers[name] = s.Connector
			}
		}
		if len(readers) == 0 {
			return diagnosis.Facts{}, nil
		}
		list, err := client.Slots(ctx)
		var facts diagnosis.Facts
		for _, s := range list {
			if connector, ok := readers[s.Name]; ok {
				facts.Slots = append(facts.Slots, diagnosis.Slot{Connector: connector, Name: s.Name, Active: s.Active, Status: s.Status, Safe: s.Safe, Retained: s.Retained, Room: -1, Idle: s.Idle, PerSecond: s.PerSecond, Since: s.Since, Source: "pg_replication_slots"})
			}
		}
		return facts, err
	}}
}

// spaces asks Cassandra how much room there is for changes that a source has not read. How much of it is used, CQL does
// not show.
func spaces(client *cassandra.Client) source {
	return source{"Cassandra CDC", func(ctx context.Context, subjects []diagnosis.Subject) (diagnosis.Facts, error) {
		i := slices.IndexFunc(subjects, func(s diagnosis.Subject) bool {
			return s.Suspect && strings.Contains(strings.ToLower(s.Config["connector.class"]), "cassandra") && s.Status.Type == "source"
		})
		if i < 0 {
			return diagnosis.Facts{}, nil
		}
		c, err := client.CDC(ctx)
		if err != nil || !c.Enabled {
			return diagnosis.Facts{}, err
		}
		return diagnosis.Facts{Bounds: diagnosis.Bounds{Spaces: []diagnosis.Space{{Connector: subjects[i].Connector, Node: c.Node, Folder: c.Directory, Total: c.Space, Used: -1, Blocks: c.Blocks, Source: "Cassandra: system_views.settings"}}}}, nil
	}}
}

// resources asks Kubernetes which connectors an operator keeps.
func resources(client *workloads.Connectors) source {
	return source{"Kubernetes", func(ctx context.Context, _ []diagnosis.Subject) (diagnosis.Facts, error) {
		list, _, err := client.List(ctx) // what is not installed there keeps no connectors
		var facts diagnosis.Facts
		for _, r := range list {
			facts.Resources = append(facts.Resources, diagnosis.Resource{Connector: r.Connector, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name, Restarts: r.Restarts, Most: r.Most, Done: r.Done, Last: r.Last, Backoff: r.Backoff, Paused: r.Paused})
		}
		return facts, err
	}}
}

// logLines is how much of the worker's log is read, and logFor how old it may be.
const (
	logLines = 500
	logFor   = 15 * time.Minute
)

// workerLog reads the end of the worker's log when something has failed: it may say why where the trace does not.
func workerLog(worker action.WorkloadClient, service string) source {
	return source{"log of " + service, func(ctx context.Context, subjects []diagnosis.Subject) (diagnosis.Facts, error) {
		if !slices.ContainsFunc(subjects, func(s diagnosis.Subject) bool { return s.Suspect && s.Status.Unhealthy() }) {
			return diagnosis.Facts{}, nil
		}
		log, err := worker.Logs(ctx, logLines, logFor)
		return diagnosis.Facts{Log: log}, err
	}}
}

// sources are what a diagnosis can look up with the clients that are configured. Simulated ones have no facts to tell,
// but for Prometheus, which is asked as any other.
func (w *world) sources(p config.Pipeline) []diagnosis.Source {
	list := []diagnosis.Source{workers()}
	if prometheus, ok := w.http["prometheus"]; ok {
		list = append(list, losses(prometheus))
	}
	if client, ok := w.vault.(*vault.Client); ok {
		list = append(list, leases(client, p.Vault))
	}
	if client, ok := w.kafka.(*kafka.Client); ok {
		list = append(list, retentions(client))
	}
	to, hasSink := w.postgres.(*postgres.Client)
	if hasSink {
		list = append(list, slots(to))
	}
	if from, ok := w.cassandra.(*cassandra.Client); ok {
		list = append(list, spaces(from))
		if hasSink {
			list = append(list, drifts(from, to))
		}
	}
	if w.operators != nil {
		list = append(list, resources(w.operators))
	}
	if worker, ok := w.services[p.Connect.Service]; ok {
		list = append(list, workerLog(worker, p.Connect.Service))
	}
	return list
}

// mostWorkers bounds how many workers are looked at.
const mostWorkers = 50

// workers looks whether the workers that statuses name are there: a lost one keeps its RUNNING for a while.
func workers() source {
	return source{"workers", func(ctx context.Context, subjects []diagnosis.Subject) (diagnosis.Facts, error) {
		var ids []string
		for _, s := range subjects {
			ids = append(ids, s.Status.Workers()...)
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		if len(ids) < 2 {
			return diagnosis.Facts{}, nil // the one is the one that has answered
		}
		ids = ids[:min(len(ids), mostWorkers)]
		found := make([]diagnosis.Worker, len(ids))
		var all sync.WaitGroup
		for i, id := range ids {
			all.Go(func() { found[i] = knock(ctx, id) })
		}
		all.Wait()
		return diagnosis.Facts{Workers: found}, nil
	}}
}

// knock sees whether something listens at an address.
func knock(ctx context.Context, id string) diagnosis.Worker {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", id)
	if err != nil {
		return diagnosis.Worker{ID: id, Text: err.Error()}
	}
	_ = conn.Close() // it was only knocked at
	return diagnosis.Worker{ID: id, OK: true, Text: "listens"}
}

// changesFor is how far back changes of a configuration are looked for.
const changesFor = 24 * time.Hour

// changes tells what changed in the configurations of suspects.
func changes(s *history.Store, pipeline string) source {
	return source{"history", func(ctx context.Context, subjects []diagnosis.Subject) (diagnosis.Facts, error) {
		var facts diagnosis.Facts
		for _, subject := range subjects {
			if !subject.Suspect {
				continue
			}
			list, err := s.Changes(ctx, pipeline, subject.Connector, time.Now().Add(-changesFor))
			if err != nil {
				return facts, err
			}
			for _, c := range list {
				facts.Changes = append(facts.Changes, diagnosis.Change{Connector: subject.Connector, At: c.At, Key: c.Key, Was: c.Was, Now: c.Now})
			}
		}
		return facts, nil
	}}
}
