package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"cdcbot/internal/alert"
	"cdcbot/internal/config"
	"cdcbot/internal/connect"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/history"
	"cdcbot/internal/redact"
	"cdcbot/internal/remediation"
	"cdcbot/internal/runbook"
	"cdcbot/internal/target/postgres"
)

// Database is what the bot asks of a sink database.
type Database interface {
	Probe(ctx context.Context) (string, error)
	Count(ctx context.Context, table string) (int64, error)
}

// cluster is one pipeline with its clients. Its name is the pipeline's.
type cluster struct {
	name      string
	config    config.Pipeline
	client    *connect.Client
	collector *diagnosis.Collector
	database  Database // nil when none is configured
	targets   runbook.Targets
	world     *world
	owns      func(connector string) bool
	silence   *silence
	history   *history.Store
	mask      *redact.Redactor
}

// open makes the clients of every pipeline; it does not connect.
func (a *App) open(mask *redact.Redactor) (map[string]*cluster, error) {
	clusters := map[string]*cluster{}
	for _, name := range a.config.Names() {
		cl, err := a.openOne(name, mask)
		if err != nil {
			return nil, fmt.Errorf("pipelines.%s: %w", name, err)
		}
		clusters[name] = cl
	}
	return clusters, nil
}

func (a *App) openOne(name string, mask *redact.Redactor) (*cluster, error) {
	p := a.config.Pipelines[name]
	w, err := openWorld(a.config, name, a.redis, a.seal, a.around())
	if err != nil {
		return nil, err
	}
	a.worlds[name] = w
	client := w.clusters[name]
	if a.options.Systems != nil {
		w.replace(a.options.Systems)
	}
	routing := newRouting(a.config)
	cl := &cluster{name: name, config: p, client: client, world: w, mask: mask, targets: Targets(a.config, name), owns: func(c string) bool { return routing.owns(name, c, false) || routing.owns(name, c, true) }}
	cl.collector = &diagnosis.Collector{Connect: map[string]diagnosis.ConnectReader{name: client}, Deadline: a.config.Diagnosis.Probe, Budget: a.config.Diagnosis.Budget, Now: time.Now, Mask: mask, Members: p.Connectors}
	if s := a.options.Systems; s != nil && s.Targets != nil {
		s.Targets(&cl.targets)
	}
	for _, name := range slices.Sorted(maps.Keys(w.probes)) {
		cl.collector.Probes = append(cl.collector.Probes, diagnosis.Look(name, "a connection", w.probes[name]))
	}
	cl.collector.Sources = w.sources(p)
	cl.history = &history.Store{Redis: a.redis, Now: time.Now, Mask: func(c map[string]string) map[string]string { return mask.Config(c, nil) }}
	cl.collector.Sources, cl.collector.First = append(cl.collector.Sources, changes(cl.history, name)), cl.first
	cl.silence = newSilence(w, a.config.Watch, a.log.Named("watcher"))
	if cl.silence.trails != nil {
		cl.collector.Sources = append(cl.collector.Sources, flows(cl.silence.trails))
	}
	if p.Postgres.URL == "" {
		return cl, nil
	}
	if cl.database, err = a.openDatabase(p.Postgres, w); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	cl.collector.Probes = append(cl.collector.Probes, diagnosis.Look("postgres", "SELECT 1", cl.database.Probe))
	return cl, nil
}

func (a *App) openDatabase(c config.Postgres, w *world) (Database, error) {
	if a.options.Database != nil {
		return a.options.Database(c)
	}
	return postgres.New(postgres.Options{URL: c.URL, Username: c.Username, Password: c.Password, Timeout: a.config.Diagnosis.Probe,
		Login: w.around.login(a.config, "pipelines."+w.Pipeline+".postgres", c.Username, c.Password), Dial: w.guard("postgres").Dial(direct)})
}

func (cl *cluster) pipeline() remediation.Pipeline {
	p := remediation.Pipeline{Name: cl.name, Cluster: cl.name, Targets: cl.targets, World: cl.world, Offsets: cl.offsets, Rows: map[string]func(context.Context) (int64, error){}}
	p.Collect = func(ctx context.Context, suspects []string) diagnosis.Evidence {
		return cl.collector.Collect(ctx, cl.name, suspects)
	}
	for _, table := range cl.config.Postgres.Progress {
		if cl.database != nil {
			p.Rows[table] = func(ctx context.Context) (int64, error) { return cl.database.Count(ctx, table) }
		}
	}
	return p
}

// offsets is a text that changes when, and only when, committed positions do, and that people can read:
// "orders/0 at 15" for a sink, the source's own words for a source.
func (cl *cluster) offsets(ctx context.Context, connector string) (string, error) {
	list, err := cl.client.Offsets(ctx, connector)
	if err != nil {
		return "", err
	}
	texts := make([]string, len(list))
	for i, o := range list {
		texts[i] = position(o)
	}
	slices.Sort(texts)
	return strings.Join(texts, ", "), nil
}

func position(o connect.Offset) string {
	if topic, ok := o.Partition["kafka_topic"]; ok {
		return fmt.Sprintf("%v/%v at %v", topic, o.Partition["kafka_partition"], o.Offset["kafka_offset"])
	}
	var words []string
	for _, part := range []map[string]any{o.Partition, o.Offset} {
		for _, k := range slices.Sorted(maps.Keys(part)) {
			words = append(words, fmt.Sprintf("%s %v", k, part[k]))
		}
	}
	return strings.Join(words, " ")
}

// watch puts the bot's own watcher together. Threshold and states are the runbook's own unless configured.
func (a *App) watch(books library, clusters map[string]*cluster) *alert.Watcher {
	w := &alert.Watcher{Clusters: map[string]alert.Connect{}, Sink: a.flow, Name: a.config.Watch.Alert, States: []string{"FAILED", "STOPPED"}, Threshold: a.config.Watch.Threshold, Every: a.config.Watch.Every, Now: time.Now, Log: a.log.Named("watcher")}
	if book, ok := books.Answers(w.Name); ok {
		if len(book.States) > 0 {
			w.States = book.States
		}
		if w.Threshold == 0 {
			w.Threshold = book.Threshold
		}
	}
	if w.Threshold == 0 {
		w.Threshold = 2 * time.Minute
	}
	for name, cl := range clusters {
		w.Clusters[name] = snapshots{cl}
	}
	w.Expected = func(cluster, connector, state string) bool { return a.flow.Expected(cluster, connector, state) }
	return w
}

// snapshots adapts the Connect client to the watcher.
type snapshots struct{ *cluster }

// Snapshots implements alert.Connect.
func (s snapshots) Snapshots(ctx context.Context) (map[string]alert.Snapshot, error) {
	all, err := s.client.Connectors(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]alert.Snapshot{}
	for name, c := range all {
		if !s.owns(name) {
			continue
		}
		snap := alert.Snapshot{State: string(c.Status.State), Trace: c.Status.Trace}
		for _, t := range c.Status.Tasks {
			snap.Tasks = append(snap.Tasks, alert.TaskSnapshot{ID: t.ID, State: string(t.State), Trace: t.Trace})
		}
		out[name] = snap
	}
	s.silence.mark(ctx, all, out, time.Now())
	if err := s.history.SawAll(ctx, s.name, s.sightings(all, out)); err != nil {
		s.silence.log.Debug("what was seen is not kept", zap.Error(err))
	}
	return out, nil
}

// sightings are what the history keeps of one look.
func (s snapshots) sightings(all map[string]connect.Connector, owned map[string]alert.Snapshot) []history.Sighting {
	list := make([]history.Sighting, 0, len(owned))
	for name := range owned {
		status := all[name].Status
		seen := history.Sighting{Connector: name, State: string(status.State), Healthy: !status.Unhealthy(), Config: all[name].Config, Trace: s.mask.Text(firstTrace(status))}
		if len(status.Failed()) > 0 {
			seen.State = string(connect.Failed)
		}
		list = append(list, seen)
	}
	slices.SortFunc(list, func(a, b history.Sighting) int { return strings.Compare(a.Connector, b.Connector) })
	return list
}

// firstTrace is the connector's own trace, or that of the first task that has one.
func firstTrace(s connect.Status) string {
	if s.Trace != "" {
		return s.Trace
	}
	for _, t := range s.Tasks {
		if t.Trace != "" {
			return t.Trace
		}
	}
	return ""
}

// first is the first trace of a connector since it was healthy, as the watcher of any replica has seen it.
func (cl *cluster) first(_, connector string) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	trace, _, err := cl.history.First(ctx, cl.name, connector)
	if err != nil {
		cl.silence.log.Debug("first trace not known", zap.String("connector", connector), zap.Error(err))
	}
	return trace
}
