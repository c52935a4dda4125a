package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"cdcbot/internal/connect"
	"cdcbot/internal/lab"
	"cdcbot/internal/slacksim"
	"cdcbot/internal/target/vault"
)

// scene is one cause of the operator's runbook, as a fault of the lab.
type scene struct {
	name     string
	operator bool              // the operator's own runbook answers, not the edition that ships
	sink     map[string]string // options of the sink meanwhile
	breaks   func(*stage)
	restart  bool   // the task is restarted while the fault lasts, as people do
	title    string // the top cause, as the thread says it
	headline string // a part of the thread's first line
	mends    func(*stage)
	again    string // what the thread says of it when it is looked at again after that
	fix      string // the button to press; it is the first one that the thread offers
	approve  []string
	high     bool         // the plan has high risk: who approves types the connector's name
	silence  bool         // somebody silences the alert meanwhile
	then     []string     // buttons of manual steps, pressed by who asked
	watch    bool         // the bot's own watcher raises the alert, because no metric tells
	alone    bool         // it heals by itself once its cause is gone: nobody presses anything
	lost     bool         // the order is lost, which is what the thread warns of
	during   func(*stage) // what happens outside while the fix runs
}

// stage is where a scene plays.
type stage struct {
	*testing.T
	services lab.Services
	world    *world
	client   *connect.Client
	files    string // the folder of the connectors' configurations
	original map[string]string
}

var scenes = []scene{
	{name: "1 database", silence: true, breaks: func(s *stage) { s.services.StopPostgres(s.T) }, title: "Database connection failure", headline: "a restart must wait",
		mends: func(s *stage) { s.services.StartPostgres(s.T) }, again: "it is back now", fix: "Restart failed tasks", approve: []string{"approver"}},
	{name: "2 authentication", operator: true, breaks: (*stage).rotate, title: "Authentication or authorization failure", headline: "PostgreSQL refused the password",
		fix: "Renew lease for PostgreSQL credentials", approve: []string{"approver"}},
	{name: "3 registry", breaks: func(s *stage) { s.services.Stop(s.T, lab.Registry) }, restart: true, title: "Schema registry unavailable", headline: "a restart must wait",
		mends: func(s *stage) { s.services.Start(s.T, lab.Registry) }, again: "it is back now", fix: "Restart failed tasks", approve: []string{"approver"}},
	{name: "4 schema", sink: map[string]string{"schema.evolution": "none"}, breaks: (*stage).widen, title: "Table schema mismatch", headline: "schema evolution is off",
		fix: "Let the sink add missing columns", approve: []string{"approver"}},
	{name: "5 bad record", operator: true, breaks: (*stage).poison, title: "Bad record: error tolerance exceeded", headline: "a restart would meet the same record",
		fix: "Runbook: DLQ Topic Full / Error Tolerance Exceeded", approve: []string{"approver", "manager"}, high: true, then: []string{"Done: step 3"}},
	{name: "6 worker", watch: true, breaks: func(s *stage) { s.services.Kill9(s.T, lab.Connect) }, title: "Kafka Connect worker failure", headline: "no Kafka Connect worker answers",
		fix: "Runbook: Kafka Connect Worker Failure", approve: []string{"approver"}, during: func(s *stage) { s.services.Start(s.T, lab.Connect) }},
	{name: "7 broker", watch: true, breaks: func(s *stage) { s.services.Stop(s.T, lab.Kafka) }, title: "Kafka broker trouble", headline: "Kafka refuses connections",
		alone: true, mends: func(s *stage) { s.services.Start(s.T, lab.Kafka) }},
	{name: "8 hung database", watch: true, breaks: (*stage).hang, title: "Database connection failure", headline: "PostgreSQL does not answer",
		alone: true, mends: (*stage).unhang},
	{name: "9 registry, errors tolerated", watch: true, sink: map[string]string{"errors.tolerance": "all"}, breaks: func(s *stage) { s.services.Stop(s.T, lab.Registry) }, restart: true, title: "Schema registry unavailable", headline: "records are being lost",
		alone: true, mends: func(s *stage) { s.services.Start(s.T, lab.Registry) }, lost: true},
}

// TestEveryCauseOnTheLab injects the real fault of each cause, lets the real Prometheus and Alertmanager open the
// incident, and heals it as two people would.
func TestEveryCauseOnTheLab(t *testing.T) {
	t.Parallel()
	for _, c := range scenes {
		t.Run(c.name, func(t *testing.T) { c.play(t) })
	}
}

func (c scene) play(t *testing.T) {
	services := lab.Alone(t, lab.Connect, lab.Kafka, lab.Postgres, lab.Prometheus, lab.Alertmanager, lab.Registry, lab.Vault, lab.Docker, lab.CDCAPI)
	s := &stage{T: t, services: services, files: t.TempDir()}
	s.connect()
	s.world = onLab(t, services, s.file("cdcbot.yaml", containers), c.settings(s)...)
	if c.sink != nil {
		s.configure(c.sink)
	}
	s.flows()
	if c.watch {
		s.watched()
	}

	began := time.Now()
	c.breaks(s)
	order := s.order()
	if c.restart {
		_ = s.client.RestartTask(t.Context(), lab.SinkConnector, 0) // it may fail at once
	}
	s.world.says(t, c.title, 90*time.Second)
	s.world.says(t, c.headline, 30*time.Second)
	t.Logf("the thread names the cause %.1f s after the fault", time.Since(began).Seconds())
	if c.alone {
		c.mends(s)
		s.world.says(t, "MONITORING", 3*time.Minute)
		if !c.lost {
			lab.Await(t, "order "+order+" in the table", 2*time.Minute, func(ctx context.Context) (bool, error) { return services.Row(ctx, order) })
		}
		t.Logf("healed by itself %.1f s after the fault", time.Since(began).Seconds())
		return
	}
	if c.silence {
		s.silence()
	}
	if c.mends != nil {
		c.mends(s)
		if err := s.world.slack.As("oncall").Command(deadline(t, time.Minute), channel, "/cdc diagnose INC-1"); err != nil {
			t.Fatal(err)
		}
		s.world.says(t, c.again, time.Minute)
	}
	c.heal(s)
	lab.Await(t, "order "+order+" in the table", time.Minute, func(ctx context.Context) (bool, error) { return services.Row(ctx, order) })
	s.world.says(t, "fixed", 90*time.Second)
	t.Logf("healed and verified %.1f s after the fault", time.Since(began).Seconds())
	proveTimeline(t, s.world)
}

// heal presses the fix that the thread recommends, and has others approve it.
func (c scene) heal(s *stage) {
	first := func() string {
		m, ok := s.world.holder(c.fix)
		if !ok {
			return ""
		}
		for _, b := range slacksim.Buttons(m.Blocks) {
			if !slices.Contains([]string{"Acknowledge", "Assign to me", "Escalate"}, b) {
				return b
			}
		}
		return ""
	}
	if err := s.world.slack.Wait(deadline(s.T, 30*time.Second), "the fix", func() bool { return first() == c.fix }); err != nil {
		s.Fatalf("the first fix is %q, want %q; the thread says:\n%s", first(), c.fix, s.world.words())
	}
	if err := press(s.world, s.world.slack.As("oncall"), c.fix); err != nil {
		s.Fatal(err)
	}
	for _, who := range c.approve {
		if err := press(s.world, s.world.slack.As(who), "Approve"); err != nil {
			s.Fatalf("%v; the thread says:\n%s", err, s.world.words())
		}
		if c.high {
			s.fill(who, lab.SinkConnector)
		}
	}
	if c.during != nil {
		c.during(s)
	}
	for _, button := range c.then {
		if err := press(s.world, s.world.slack.As("oncall"), button); err != nil {
			s.Fatalf("%v; the thread says:\n%s", err, s.world.words())
		}
	}
}

// fill types into the modal that opens for somebody.
func (s *stage) fill(who string, texts ...string) {
	person := s.world.slack.As(who)
	if err := s.world.slack.Wait(deadline(s.T, 10*time.Second), "a modal for "+who, func() bool { return person.Modal() != nil }); err != nil {
		s.Fatal(err)
	}
	if bad, err := person.Submit(deadline(s.T, 10*time.Second), texts...); err != nil || len(bad) > 0 {
		s.Fatalf("%v, errors at fields: %v", err, bad)
	}
}

// silence keeps the alert quiet for a while and lets it be heard again; Alertmanager itself says that it was so.
func (s *stage) silence() {
	command := func(text string) {
		if err := s.world.slack.As("oncall").Command(deadline(s.T, 20*time.Second), channel, "/cdc "+text); err != nil {
			s.Fatal(err)
		}
	}
	state := func(want string) {
		lab.Await(s.T, "the silence is "+want, 20*time.Second, func(ctx context.Context) (bool, error) {
			text, err := fetch(ctx, s.services.Alertmanager+"/api/v2/silences")
			return err == nil && strings.Contains(text, "INC-1: the database team is on it") && strings.Contains(text, `"state":"`+want+`"`), err
		})
	}
	command("silence INC-1 for 30m the database team is on it")
	s.world.says(s.T, "silenced until", 20*time.Second)
	state("active")
	command("unsilence INC-1")
	state("expired")
}

func fetch(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

func (c scene) settings(s *stage) []string {
	list := []string{
		"PIPELINES_WAREHOUSE_CONNECT_FILES=" + s.files, "PIPELINES_WAREHOUSE_KAFKA_BROKERS=" + s.services.Kafka, "PIPELINES_WAREHOUSE_REGISTRY_URL=" + s.services.Registry,
		"PIPELINES_WAREHOUSE_PROMETHEUS_URL=" + s.services.Prometheus, "PIPELINES_WAREHOUSE_VAULT_URL=" + s.services.Vault, "PIPELINES_WAREHOUSE_VAULT_TOKEN=" + s.services.VaultBotToken(s.T),
		"ALERTMANAGER_URL=" + s.services.Alertmanager, "PIPELINES_WAREHOUSE_CDC_API_URL=" + s.services.CDCAPI, "DOCKER_HOST=" + s.services.Docker,
	}
	if c.watch {
		list = append(list, "WATCH_ENABLED=true", "WATCH_EVERY=2s", "WATCH_THRESHOLD=6s", "WATCH_STALL=20s")
	}
	if c.operator {
		list = append(list, "RUNBOOKS_DIR="+s.operatorsRunbook())
	}
	return list
}

// containers are the services that the runbooks restart, as the lab's engine has them.
const containers = `
pipelines:
  warehouse:
    services: {kafka: {}, kafka-connect: {}, schema-registry: {}, cassandra: {}, postgres: {}, cdc-api: {}}
`

func (s *stage) file(name, text string) string {
	path := filepath.Join(s.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
	return path
}

func (s *stage) operatorsRunbook() string {
	text, err := os.ReadFile("../runbook/testdata/operator.md")
	if err != nil {
		s.Fatal(err)
	}
	return filepath.Dir(s.file("kafka-connect-connector-failure.md", string(text)))
}

// connect opens the worker and sees to it that the sink is afterwards as it was.
func (s *stage) connect() {
	var err error
	if s.client, err = connect.New(connect.Options{Cluster: "lab", URL: s.services.Connect}); err != nil {
		s.Fatal(err)
	}
	if s.original, err = s.client.Config(deadline(s.T, time.Minute), lab.SinkConnector); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's own has ended
		defer cancel()
		if err := s.client.PutConfig(ctx, lab.SinkConnector, s.original); err != nil {
			s.Errorf("the sink's configuration: %v", err)
		}
		if _, err := s.client.Restart(ctx, lab.SinkConnector, true); err != nil {
			s.Logf("restarting the sink: %v", err)
		}
		if _, err := s.client.Await(ctx, lab.SinkConnector, connect.Status.Running); err != nil {
			s.Errorf("the sink: %v", err)
		}
	})
}

// configure changes options of the sink for the length of the scene.
func (s *stage) configure(options map[string]string) {
	changed := map[string]string{}
	for k, v := range s.original {
		changed[k] = v
	}
	for k, v := range options {
		changed[k] = v
	}
	if err := s.client.PutConfig(deadline(s.T, time.Minute), lab.SinkConnector, changed); err != nil {
		s.Fatal(err)
	}
	if _, err := s.client.Await(deadline(s.T, time.Minute), lab.SinkConnector, connect.Status.Running); err != nil {
		s.Fatal(err)
	}
}

func (s *stage) order() string {
	id := fmt.Sprintf("scene-%d", time.Now().UnixNano())
	s.services.Order(s.T, id)
	return id
}

// flows proves that an order travels all the way before anything is broken.
func (s *stage) flows() {
	id := s.order()
	lab.Await(s.T, "order "+id+" in the table", time.Minute, func(ctx context.Context) (bool, error) { return s.services.Row(ctx, id) })
}

// watched waits until the bot has seen how far the sink is: what Kafka has never told it, it does not miss.
func (s *stage) watched() {
	oncall := s.world.slack.As("oncall")
	lab.Await(s.T, "the sink's lag in /cdc status", time.Minute, func(ctx context.Context) (bool, error) {
		err := oncall.Command(ctx, channel, "/cdc status "+lab.SinkConnector)
		return strings.Contains(strings.Join(oncall.Ephemerals(), "\n"), "lag"), err
	})
}

// lease is one that Vault has given out for the length of the scene.
func (s *stage) lease() {
	client, err := vault.New(vault.Options{URL: s.services.Vault, Token: s.services.VaultBotToken(s.T), Timeout: time.Minute})
	if err != nil {
		s.Fatal(err)
	}
	_, _, lease, _, err := client.Credentials(s.Context(), "database/creds/postgresql-writer")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { s.services.RevokeLease(s.T, lease) })
}

// rotate gives the sink's role another password, as a rotation would. The configuration that the operator keeps knows it;
// the connector does not.
func (s *stage) rotate() {
	s.services.SQL(s.T, "alter role sink password 'rotated'", "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'sink'")
	s.Cleanup(func() { s.services.SQL(s.T, "alter role sink login password 'sink'") })
	s.lease()
	var options []string
	for k, v := range s.original {
		if k == "connection.password" {
			v = "rotated"
		}
		options = append(options, fmt.Sprintf("%q: %q", k, v))
	}
	slices.Sort(options)
	if err := os.WriteFile(filepath.Join(s.files, "postgres-sink.json"), []byte("{"+strings.Join(options, ", ")+"}"), 0o600); err != nil {
		s.Fatal(err)
	}
}

// widen makes the source send one more field.
func (s *stage) widen() {
	source, err := s.client.Config(deadline(s.T, time.Minute), lab.SourceConnector)
	if err != nil {
		s.Fatal(err)
	}
	wider := map[string]string{"transforms": source["transforms"] + ",region", "transforms.region.type": "org.apache.kafka.connect.transforms.InsertField$Value",
		"transforms.region.static.field": fmt.Sprintf("region%d", time.Now().Unix()), "transforms.region.static.value": "eu"}
	for k, v := range source {
		if _, ok := wider[k]; !ok {
			wider[k] = v
		}
	}
	s.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's own has ended
		defer cancel()
		if err := s.client.PutConfig(ctx, lab.SourceConnector, source); err != nil {
			s.Errorf("the source's configuration: %v", err)
		}
	})
	if err := s.client.PutConfig(deadline(s.T, time.Minute), lab.SourceConnector, wider); err != nil {
		s.Fatal(err)
	}
	if _, err := s.client.Await(deadline(s.T, time.Minute), lab.SourceConnector, connect.Status.Running); err != nil {
		s.Fatal(err)
	}
}

// poison puts a record into the topic that no converter can read, and sees to it that the sink is past it afterwards.
func (s *stage) poison() {
	producer, err := kgo.NewClient(kgo.SeedBrokers(s.services.Kafka))
	if err != nil {
		s.Fatal(err)
	}
	defer producer.Close()
	record, err := producer.ProduceSync(deadline(s.T, time.Minute), &kgo.Record{Topic: lab.Topic, Value: []byte("not avro at all")}).First()
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's own has ended
		defer cancel()
		if err := s.pass(ctx, record); err != nil {
			s.Errorf("passing the bad record: %v", err)
		}
	})
}

// pass moves the sink behind a record, unless it is there already.
func (s *stage) pass(ctx context.Context, r *kgo.Record) error {
	if status, err := s.client.Status(ctx, lab.SinkConnector); err == nil && status.Running() {
		return nil
	}
	if err := s.client.Stop(ctx, lab.SinkConnector); err != nil {
		return err
	}
	stopped := func(st connect.Status) bool { return st.State == connect.Stopped && len(st.Tasks) == 0 }
	if _, err := s.client.Await(ctx, lab.SinkConnector, stopped); err != nil {
		return err
	}
	next := connect.Offset{Partition: map[string]any{"kafka_topic": r.Topic, "kafka_partition": r.Partition}, Offset: map[string]any{"kafka_offset": r.Offset + 1}}
	if err := s.client.AlterOffsets(ctx, lab.SinkConnector, []connect.Offset{next}); err != nil {
		return err
	}
	return s.client.Resume(ctx, lab.SinkConnector)
}

// hang makes the database stop answering without closing a connection: its processes are stopped.
func (s *stage) hang() {
	s.services.Pause(s.T, lab.Postgres)
	s.Cleanup(func() { s.services.Unpause(s.T, lab.Postgres) })
}

func (s *stage) unhang() { s.services.Unpause(s.T, lab.Postgres) }

// TestOneOfTwoWorkersOnTheLab kills one of two workers. Connect moves its tasks to the other by itself after a while, in
// which their statuses still say RUNNING: the bot sees that nothing flows, names the lost worker, asks nobody to restart
// anything, and says when it is over.
func TestOneOfTwoWorkersOnTheLab(t *testing.T) {
	t.Parallel()
	services := lab.Alone(t, lab.Connect, lab.Kafka, lab.Postgres, lab.Registry)
	s := &stage{T: t, services: services}
	s.connect()
	services.Start(t, lab.SecondConnect)
	crowd := s.crowd(4)
	s.world = onLab(t, services, "", "WATCH_ENABLED=true", "WATCH_EVERY=1s", "WATCH_THRESHOLD=1s", "WATCH_STALL=4s", "PIPELINES_WAREHOUSE_CONNECTORS="+strings.Join(crowd, ","), "PIPELINES_WAREHOUSE_KAFKA_BROKERS="+services.Kafka)
	lab.Await(t, "tasks on both workers", time.Minute, func(ctx context.Context) (bool, error) {
		all, err := s.client.Connectors(ctx)
		workers := map[string]bool{}
		for _, name := range crowd {
			for _, task := range all[name].Status.Tasks {
				workers[task.WorkerID] = true
			}
		}
		return len(workers) == 2, err
	})
	s.flows()

	killed := time.Now()
	services.Kill9(t, lab.SecondConnect)
	s.order()
	s.world.says(t, "wait for the rebalance", time.Minute)
	t.Logf("the thread names the lost worker %.1f s after it was killed", time.Since(killed).Seconds())
	s.world.says(t, "MONITORING", 2*time.Minute)
	s.flows()
	t.Logf("healed by Connect %.1f s after it was killed", time.Since(killed).Seconds())
}

// crowd makes connectors of the test's own, so that two workers share tasks whatever else runs.
func (s *stage) crowd(n int) []string {
	var names []string
	for i := range n {
		name := fmt.Sprintf("cdcbot-crowd-%d-%d", i, time.Now().UnixNano())
		config := map[string]string{"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "tasks.max": "1", "topics": lab.Topic, "file": os.DevNull, "value.converter": "org.apache.kafka.connect.storage.StringConverter"}
		if err := s.client.Create(deadline(s.T, time.Minute), name, config, ""); err != nil {
			s.Fatal(err)
		}
		s.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's own has ended
			defer cancel()
			if err := s.client.Delete(ctx, name); err != nil {
				s.Errorf("deleting %s: %v", name, err)
			}
		})
		names = append(names, name)
	}
	return names
}
