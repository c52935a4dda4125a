package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"cdcbot/internal/app"
	"cdcbot/internal/config"
	"cdcbot/internal/connect/connecttest"
	"cdcbot/internal/incident"
	"cdcbot/internal/slacksim"
)

const (
	channel = "C0INCIDENTS"
	token   = "e2e-webhook-token"
	sinkPW  = "planted-sink-password"
	patient = 30 * time.Second // how long a script waits for what it expects
)

// world is one incident's world.
type world struct {
	slack  *slacksim.Server
	worker *connecttest.Worker
	redis  *miniredis.Miniredis
	log    ledger
	app    *app.App
	stop   func()

	connect  string        // the worker's URL
	file     string        // the configuration, where there is one
	settings []string      // as the environment gives them, such as "APPROVAL_GROUP=S0APPROVERS"
	ttl      time.Duration // of requests, where less than the minute that a configuration may say is wanted
	systems  *app.Systems
	lease    *incident.Lease // that a script holds
	client   *redis.Client   // the bot's
	hand     *redis.Client   // the script's own, for what is done past the bot
	traces   traces
	end      func() // stops the bot and waits for it
}

// ledger is everything the bot logs, at every level.
type ledger struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *ledger) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// String is what was logged so far.
func (l *ledger) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// tail is what was logged last.
func (l *ledger) tail() string {
	text := l.String()
	return text[max(0, len(text)-8000):]
}

func (l *ledger) logger() *zap.Logger {
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(l), zap.DebugLevel))
}

// database is the sink's database as the simulated worker has it.
type database struct{ worker *connecttest.Worker }

func (d database) Probe(context.Context) (string, error) {
	if err := d.worker.Database(); err != nil {
		return "", refused{err}
	}
	return "PostgreSQL answers", nil
}

func (d database) Count(ctx context.Context, _ string) (int64, error) {
	if _, err := d.Probe(ctx); err != nil {
		return 0, err
	}
	return int64(d.worker.Rows()), nil
}

type refused struct{ error }

func (refused) Reason() string { return "refused" }

// newWorld starts everything; more are settings as the environment gives them, such as "APPROVAL_TTL=1m".
func newWorld(more ...string) (*world, error) {
	w := &world{settings: more}
	return w, w.start()
}

func (w *world) start() error {
	var err error
	w.slack, w.worker = slacksim.New(slacksim.Options{Usergroups: []slacksim.Usergroup{{ID: approvers, Handle: "cdc-approvers"}}}), connecttest.New(connecttest.Options{})
	if w.redis, err = miniredis.Run(); err != nil {
		return err
	}
	w.redis.ClockTTL(true)
	w.hand = w.dial()
	if w.connect, err = w.worker.Start(); err != nil {
		return err
	}
	w.worker.AddConnector("cassandra-source-connector", map[string]string{"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "topic": "cdc-events-orders"})
	w.worker.AddConnector("postgres-sink-connector", map[string]string{"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "tasks.max": "3", "topics": "cdc-events-orders", "connection.url": "jdbc:postgresql://127.0.0.1/warehouse", "connection.password": sinkPW, "schema.evolution": "none"})
	if _, err = w.slack.Start("127.0.0.1:0"); err != nil {
		return err
	}
	w.stop = func() { w.end(); _ = w.hand.Close(); _ = w.slack.Close(); _ = w.worker.Close(); w.redis.Close() }
	return w.begin()
}

// begin starts the bot, as it is after a restart too: what it knows is in Redis.
func (w *world) begin() error {
	ctx, cancel := context.WithCancel(context.Background())
	if err := w.run(ctx); err != nil {
		cancel()
		return err
	}
	done := w.serve(ctx)
	w.end = func() { cancel(); <-done; _ = w.client.Close() } // nothing is written any more
	return w.slack.Wait(within(patient), "socket mode", func() bool { return w.slack.Connected() > 0 })
}

// sealKeys are the test's own.
var sealKeys = "k1:" + strings.Repeat("5a", 32)

func (w *world) run(ctx context.Context) error {
	environ := []string{"LISTEN=127.0.0.1:0", "SEAL_KEYS=" + sealKeys, "SLACK_API_URL=" + w.slack.APIURL(), "SLACK_BOT_TOKEN=" + w.slack.BotToken(), "SLACK_APP_TOKEN=" + w.slack.AppToken(), "SLACK_CHANNEL=" + channel, "ALERTS_TOKEN=" + token,
		"WATCH_EVERY=1s", "WATCH_THRESHOLD=1s", "EXECUTION_SETTLE=1s", "EXECUTION_VERIFY_TIMEOUT=20s", "PIPELINES_WAREHOUSE_CONNECT_URL=" + w.connect,
		"PIPELINES_WAREHOUSE_POSTGRES_URL=postgres://admin@127.0.0.1:5432/warehouse", "PIPELINES_WAREHOUSE_POSTGRES_PROGRESS_TABLES=cdc_orders"}
	environ = append(environ, w.settings...)
	for i, pair := range environ {
		environ[i] = config.EnvPrefix + pair
	}
	cfg, err := config.Load(w.file, environ)
	if err != nil {
		return err
	}
	cfg.Approval.TTL = cmp.Or(w.ttl, cfg.Approval.TTL)
	w.client = w.dial()
	w.app, err = app.New(ctx, app.Options{Config: cfg, Log: w.log.logger(), Version: "e2e", Redis: w.client, Ephemeral: true, Systems: w.systems, Database: func(config.Postgres) (app.Database, error) { return database{w.worker}, nil }})
	return err
}

func (w *world) dial() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: w.redis.Addr(), MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
}

func (w *world) serve(ctx context.Context) chan error {
	done := make(chan error, 1)
	go func() { done <- w.app.Run(ctx) }()
	return done
}

func within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// root is the newest incident's first message; the zero value when there is none.
func (w *world) root() slacksim.Said {
	list := w.slack.Messages(channel)
	if len(list) == 0 {
		return slacksim.Said{}
	}
	return list[len(list)-1]
}

// thread is everything that stands in the newest incident's thread.
func (w *world) thread() []slacksim.Said {
	root := w.root()
	if root.TS == "" {
		return nil
	}
	return w.slack.Thread(channel, root.TS)
}

// timestampOf is that of the newest message of the thread with some words; "root" is the first one.
func (w *world) timestampOf(words string) string {
	ts := w.root().TS
	for _, m := range w.thread() {
		if words != "root" && strings.Contains(m.Words+m.Text, words) {
			ts = m.TS
		}
	}
	return ts
}

func (w *world) words() string {
	var b strings.Builder
	for _, m := range w.thread() {
		b.WriteString(m.Words + "\n" + strings.Join(m.Files, "\n") + "\n")
	}
	return b.String()
}

// holder is the newest message of the thread that has a button.
func (w *world) holder(button string) (slacksim.Said, bool) {
	list := w.thread()
	for i := len(list) - 1; i >= 0; i-- {
		for _, b := range slacksim.Buttons(list[i].Blocks) {
			if b == button {
				return list[i], true
			}
		}
	}
	return slacksim.Said{}, false
}

// webhook posts a body as Alertmanager would and returns the status.
func (w *world) webhook(body, bearer string) (int, map[string]any, error) {
	req, err := http.NewRequest(http.MethodPost, "http://"+w.app.Addr()+"/alerts", strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	var out map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		return answer.StatusCode, nil, fmt.Errorf("the webhook's answer is not JSON: %w", err)
	}
	return answer.StatusCode, out, nil
}
