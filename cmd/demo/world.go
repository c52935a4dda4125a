package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"cdcbot/internal/app"
	"cdcbot/internal/config"
	"cdcbot/internal/connect/connecttest"
	"cdcbot/internal/slacksim"
	"cdcbot/internal/target/targettest"
)

// world is the demo: the app with simulated edges.
type world struct {
	url    string
	app    *app.App
	slack  *slacksim.Server
	worker *connecttest.Worker
	redis  *miniredis.Miniredis

	systems *targettest.Surroundings
	books   map[string][]byte // instead of those that ship; a drill has one
	pace    map[string]string // settings that differ from the demo's
}

// The demo's own pace: a visitor should see the whole story within a minute.
const (
	firstBreak = 12 * time.Second
	threshold  = 3 * time.Second
	quiet      = 2 * time.Minute
	settle     = 2 * time.Second
	trickle    = 700 * time.Millisecond // between records
)

func newWorld(ctx context.Context, listen string, verbose bool) (*world, error) {
	return (&world{}).open(ctx, listen, verbose)
}

func (w *world) open(ctx context.Context, listen string, verbose bool) (*world, error) {
	w.slack, w.worker = slacksim.New(slacksim.Options{}), connecttest.New(connecttest.Options{})
	if err := w.start(ctx, listen, verbose); err != nil {
		w.close()
		return nil, err
	}
	w.slack.SetControls(w.controls())
	return w, nil
}

func (w *world) start(ctx context.Context, listen string, verbose bool) error {
	var err error
	if w.redis, err = miniredis.Run(); err != nil {
		return fmt.Errorf("starting the embedded redis: %w", err)
	}
	w.redis.ClockTTL(true) // expiries happen by themselves
	connectURL, err := w.worker.Start()
	if err != nil {
		return err
	}
	w.deploy()
	if w.url, err = w.slack.Start(listen); err != nil {
		return err
	}
	cfg, err := config.Load("", w.settings(connectURL))
	if err != nil {
		return err
	}
	log := zap.NewNop()
	if verbose {
		if log, err = app.Logger(config.Log{Level: "debug", Format: "console"}); err != nil {
			return err
		}
	}
	rdb := redis.NewClient(&redis.Options{Addr: w.redis.Addr(), MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
	w.app, err = app.New(ctx, app.Options{Config: cfg, Log: log, Version: "demo", Redis: rdb, Ephemeral: true, Systems: w.around(), Runbooks: w.books, Database: func(config.Postgres) (app.Database, error) { return database{w.worker}, nil }})
	return err
}

// settings are the demo's configuration, given as the environment would give it.
func (w *world) settings(connectURL string) []string {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails
	set := map[string]string{
		"LISTEN": "127.0.0.1:0", "SLACK_API_URL": w.slack.APIURL(), "SLACK_BOT_TOKEN": w.slack.BotToken(), "SLACK_APP_TOKEN": w.slack.AppToken(), "SLACK_CHANNEL": "cdc-incidents",
		"WATCH_EVERY": "1s", "WATCH_THRESHOLD": threshold.String(), "INCIDENT_QUIET_PERIOD": quiet.String(), "EXECUTION_SETTLE": settle.String(), "EXECUTION_VERIFY_TIMEOUT": "30s",
		"PIPELINES_WAREHOUSE_CONNECT_URL": connectURL, "PIPELINES_WAREHOUSE_POSTGRES_URL": "postgres://admin@127.0.0.1:5432/warehouse", "PIPELINES_WAREHOUSE_POSTGRES_PROGRESS_TABLES": "cdc_orders",
		"APPROVAL_HIGH_RISK_APPROVALS": "1", "SEAL_KEYS": "demo:" + hex.EncodeToString(secret),
	}
	maps.Copy(set, w.pace)
	var environ []string
	for k, v := range set {
		environ = append(environ, config.EnvPrefix+k+"="+v)
	}
	return environ
}

// deployed are the reference environment's connectors.
var deployed = map[string]map[string]string{
	"cassandra-source-connector": {"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "tasks.max": "1", "topic": "cdc-events-orders", "file": "orders.txt"},
	"postgres-sink-connector": {"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "tasks.max": "3", "topics": "cdc-events-orders",
		"connection.url": "jdbc:postgresql://127.0.0.1:5432/warehouse", "connection.username": "sink", "connection.password": "${file:/secrets/postgres:password}", "insert.mode": "upsert", "schema.evolution": "none"},
}

// deploy puts the reference environment's connectors on the worker.
func (w *world) deploy() {
	for _, name := range slices.Sorted(maps.Keys(deployed)) {
		if err := w.worker.AddConnector(name, deployed[name]); err != nil {
			panic(err) // the configurations stand above
		}
	}
	w.worker.Produce(1000)
}

// database is the sink's database as the simulated worker has it.
type database struct{ worker *connecttest.Worker }

// Probe implements app.Database.
func (d database) Probe(ctx context.Context) (string, error) {
	err := d.worker.Database()
	if err == nil {
		return "PostgreSQL answers", nil
	}
	if d.worker.Broken() == "a3-postgres-hangs" {
		<-ctx.Done()
		return "", ctx.Err()
	}
	return "", refusal{err}
}

// refusal is a database that does not listen; Reason is what diagnosis.Look asks for.
type refusal struct{ error }

// Reason is one of the words of diagnosis.Reason.
func (refusal) Reason() string { return "refused" }

// Count implements app.Database.
func (d database) Count(ctx context.Context, _ string) (int64, error) {
	if _, err := d.Probe(ctx); err != nil {
		return 0, err
	}
	return int64(d.worker.Rows()), nil
}

// controls are what a visitor can break and mend.
func (w *world) controls() []slacksim.Control {
	var list []slacksim.Control
	broken := w.worker.Broken()
	for _, f := range connecttest.Faults() {
		list = append(list, slacksim.Control{ID: f.Slug, Label: f.Title, Hint: f.Hint, Group: "Break it", Active: broken == f.Slug, Run: func(context.Context) (string, error) {
			if err := w.accidentIn(f.Slug); err != nil {
				return "", err
			}
			w.slack.SetControls(w.controls())
			return f.Title + ": done. The alert fires in a few seconds.", nil
		}})
	}
	return append(list, slacksim.Control{ID: "mend", Label: "Remove the cause", Hint: "Failed tasks stay failed until somebody restarts them", Group: "Mend it", Run: func(context.Context) (string, error) {
		w.worker.Mend()
		w.revive()
		w.slack.SetControls(w.controls())
		return "The cause is gone. Failed tasks still need a restart: press the fix in the thread.", nil
	}})
}

// run serves until ctx ends. Unless told otherwise the database goes down and comes back by itself, so that a visitor
// finds a thread to heal without doing anything.
func (w *world) run(ctx context.Context, breaks bool) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.app.Run(ctx) })
	group.Go(func() error { return w.flow(ctx) })
	if breaks {
		group.Go(func() error { return w.accident(ctx) })
	}
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// flow lets records happen.
func (w *world) flow(ctx context.Context) error {
	ticker := time.NewTicker(trickle)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			w.worker.Produce(1)
		}
	}
}

// accident stops the database for a moment: long enough for the sink to fail, so short that a restart heals.
func (w *world) accident(ctx context.Context) error {
	if !sleep(ctx, firstBreak) || w.worker.Broken() != "" {
		return nil
	}
	if err := w.accidentIn("a1-postgres-down"); err != nil {
		return err
	}
	w.slack.SetControls(w.controls())
	if sleep(ctx, threshold-time.Second) && w.worker.Broken() == "a1-postgres-down" {
		w.worker.Mend()
		w.revive()
		w.slack.SetControls(w.controls())
	}
	return nil
}

// revive starts every service that is down.
func (w *world) revive() {
	for _, name := range w.systems.Names() {
		_ = w.systems.Workload(name).Start(context.Background()) // a simulated service starts
	}
}

// sleep is false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (w *world) close() {
	_ = w.slack.Close()  // the process ends
	_ = w.worker.Close() // the process ends
	if w.redis != nil {
		w.redis.Close()
	}
}
