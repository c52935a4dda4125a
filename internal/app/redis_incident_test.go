package app

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"cdcbot/internal/config"
	"cdcbot/internal/connect/connecttest"
	"cdcbot/internal/slacksim"
)

// outage is a whole incident on a Redis of some shape: a simulated workspace and worker, and the bot as cmd/bot runs it.
type outage struct {
	t      *testing.T
	slack  *slacksim.Server
	worker *connecttest.Worker
	app    *App
	log    *observer.ObservedLogs
}

const incidentRoom = "C0INCIDENTS"

func newOutage(t *testing.T, c config.Redis) *outage {
	t.Helper()
	core, log := observer.New(zap.DebugLevel)
	o := &outage{t: t, slack: slacksim.New(slacksim.Options{Usergroups: []slacksim.Usergroup{{ID: "S0APPROVERS", Handle: "cdc-approvers"}}}), worker: connecttest.New(connecttest.Options{}), log: log}
	connect, err := o.worker.Start()
	o.check(err)
	t.Cleanup(func() { _ = o.worker.Close() })
	o.worker.AddConnector("postgres-sink-connector", map[string]string{"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "tasks.max": "3", "topics": "cdc-events-orders", "connection.url": "jdbc:postgresql://127.0.0.1/warehouse"})
	_, err = o.slack.Start("127.0.0.1:0")
	o.check(err)
	t.Cleanup(func() { _ = o.slack.Close() })
	environ := []string{"LISTEN=127.0.0.1:0", "SEAL_KEYS=k1:" + strings.Repeat("5a", 32), "SLACK_API_URL=" + o.slack.APIURL(), "SLACK_BOT_TOKEN=" + o.slack.BotToken(), "SLACK_APP_TOKEN=" + o.slack.AppToken(),
		"SLACK_CHANNEL=" + incidentRoom, "ALERTS_TOKEN=outage-webhook-token", "WATCH_EVERY=1s", "WATCH_THRESHOLD=1s", "EXECUTION_SETTLE=1s", "EXECUTION_VERIFY_TIMEOUT=40s", "INCIDENT_QUIET_PERIOD=2s",
		"PIPELINES_WAREHOUSE_CONNECT_URL=" + connect, "PIPELINES_WAREHOUSE_POSTGRES_URL=postgres://admin@127.0.0.1:5432/warehouse", "PIPELINES_WAREHOUSE_POSTGRES_PROGRESS_TABLES=cdc_orders"}
	for i := range environ {
		environ[i] = config.EnvPrefix + environ[i]
	}
	cfg, err := config.Load("", environ)
	o.check(err)
	cfg.Redis = c
	ctx, cancel := context.WithCancel(context.Background())
	o.app, err = New(ctx, Options{Config: cfg, Log: zap.New(core), Version: "outage", Database: func(config.Postgres) (Database, error) { return warehouse{o.worker}, nil }})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- o.app.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the bot ended with %v", err)
		}
	})
	o.until("socket mode", func() bool { return o.slack.Connected() > 0 })
	return o
}

// warehouse is the sink's database as the simulated worker has it.
type warehouse struct{ worker *connecttest.Worker }

func (w warehouse) Probe(context.Context) (string, error) {
	if err := w.worker.Database(); err != nil {
		return "", fmt.Errorf("probe: %w", err)
	}
	return "PostgreSQL answers", nil
}

func (w warehouse) Count(ctx context.Context, _ string) (int64, error) {
	_, err := w.Probe(ctx)
	return int64(w.worker.Rows()), err
}

func (o *outage) check(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *outage) until(what string, holds func() bool) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), patience)
	defer cancel()
	if err := o.slack.Wait(ctx, what, holds); err != nil {
		o.t.Fatalf("%v; the thread says:\n%s\nthe log says:\n%s", err, o.thread(), o.warnings())
	}
}

// warnings are what the bot logged at warn and above.
func (o *outage) warnings() string {
	var b strings.Builder
	for _, e := range o.log.All() {
		if e.Level >= zap.WarnLevel {
			fmt.Fprintln(&b, e.Message, e.ContextMap())
		}
	}
	return b.String()
}

func (o *outage) said() []slacksim.Said {
	list := o.slack.Messages(incidentRoom)
	if len(list) == 0 {
		return nil
	}
	return o.slack.Thread(incidentRoom, list[len(list)-1].TS)
}

func (o *outage) thread() string {
	var b strings.Builder
	for _, m := range o.said() {
		b.WriteString(m.Words + "\n")
	}
	return b.String()
}

func (o *outage) says(text string) {
	o.t.Helper()
	o.until(text, func() bool { return strings.Contains(o.thread(), text) })
}

// press presses the newest button of a name, as soon as there is one.
func (o *outage) press(who, button string) {
	o.t.Helper()
	at := ""
	o.until("the button "+button, func() bool {
		at = ""
		for _, m := range o.said() {
			for _, b := range slacksim.Buttons(m.Blocks) {
				if b == button {
					at = m.TS
				}
			}
		}
		return at != ""
	})
	o.check(o.slack.As(who).Press(o.t.Context(), incidentRoom, at, button))
}

// told waits until a person alone is told text.
func (o *outage) told(who, text string) {
	o.t.Helper()
	o.until(who+" is told "+text, func() bool {
		return strings.Contains(strings.Join(o.slack.As(who).Ephemerals(), "\n"), text)
	})
}

// fail brings the pipeline down until somebody is asked to approve the restart.
func (o *outage) fail() {
	o.t.Helper()
	o.worker.Produce(10)
	o.until("rows", func() bool { return o.worker.Rows() >= 10 })
	o.check(o.worker.Break("a1-postgres-down", ""))
	o.worker.Mend()
	o.says("Database connection failure")
	o.press("oncall", "Restart failed tasks")
	o.told("oncall", "REQ-1")
}

// heal lets a second person approve, and new records prove it; then the incident is exported and resolved.
func (o *outage) heal() {
	o.t.Helper()
	o.press("approver", "Approve")
	o.told("approver", "You approved REQ-1")
	o.worker.Produce(5)
	o.until("rows", func() bool { return o.worker.Rows() >= 15 })
	o.says("fixed")
	o.check(o.slack.As("oncall").Command(o.t.Context(), incidentRoom, "/cdc incident export INC-1 json"))
	o.until("the export", func() bool { return o.slack.File("INC-1-timeline.json") != nil })
	for _, event := range []string{"alert.received", "plan.approved", "step.succeeded", "verification.passed"} {
		if !strings.Contains(string(o.slack.File("INC-1-timeline.json")), event) {
			o.t.Errorf("the export lacks %s", event)
		}
	}
}

// ready insists that readiness comes to complain of nothing: the bot reads Slack's hello a moment after it was sent.
func (o *outage) ready() {
	o.t.Helper()
	o.until("everything is ready", func() bool {
		for _, err := range o.app.Ready(o.t.Context()) {
			if err != nil {
				return false
			}
		}
		return true
	})
}

func TestWholeIncidentOnACluster(t *testing.T) {
	t.Parallel()
	n := bootCluster(t, true, "--min-replicas-to-write", "1")
	o := newOutage(t, n.config())
	o.ready()
	o.fail()
	o.heal()
	if strings.Contains(o.warnings(), "CROSSSLOT") {
		t.Errorf("a command names keys of several slots:\n%s", o.warnings())
	}
	for _, m := range n.masters {
		if m.own.DBSize(t.Context()).Val() == 0 {
			t.Errorf("%s holds nothing: the keys are not spread over the Cluster", m.addr)
		}
	}
}

// The master dies without a farewell while somebody is asked: the approval is given to its successor, which knows all. In
// the Cluster it is the one that has the queue; there each master has one replica, so none must be insisted on afterwards.
func TestWholeIncidentThroughAFailover(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		boot func(*testing.T) (config.Redis, func())
	}{
		{"sentinel", func(t *testing.T) (config.Redis, func()) {
			s := bootTrio(t, "--min-replicas-to-write", "1")
			return s.config(), func() { s.master.kill(); s.promoted() }
		}},
		{"cluster", func(t *testing.T) (config.Redis, func()) {
			n := bootCluster(t, true)
			c := n.config()
			c.Accept = []string{config.RiskReplicas}
			return c, func() { n.lose(t, "asynq:{cdcbot}:pending") }
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, fail := row.boot(t)
			o := newOutage(t, c)
			o.ready()
			o.fail()
			fail()
			eventually(t, "the bot is ready again", func() bool { return o.app.Ready(t.Context())["redis"] == nil })
			o.heal()
		})
	}
}
