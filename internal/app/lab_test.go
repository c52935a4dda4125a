package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"cdcbot/internal/action"
	"cdcbot/internal/breaker"
	"cdcbot/internal/config"
	"cdcbot/internal/connect"
	"cdcbot/internal/lab"
	"cdcbot/internal/runbook"
	"cdcbot/internal/target/targettest"
)

// bench is the bot's own world over the real systems of the lab, with a connector of the test's own.
type bench struct {
	world   *world
	targets runbook.Targets
	sink    string
	paged   atomic.Int32
}

// kinds are all kinds of actions there are; the test fails for one that no row has run.
var kinds = []string{
	"connect.list", "connect.status", "connect.config", "connect.offsets", "connect.restart", "connect.restart-batch", "connect.pause", "connect.resume", "connect.stop", "connect.configure",
	"connect.recreate", "connect.create", "connect.alter-offsets", "connect.reset-offsets", "connect.skip-record",
	"workload.list", "workload.logs", "workload.restart", "workload.start", "workload.stop", "workload.scale",
	"cassandra.describe", "cassandra.query", "postgres.query", "postgres.describe", "postgres.ddl",
	"vault.health", "vault.renew", "vault.credentials", "registry.subjects", "registry.schema", "prometheus.query", "http.get",
	"dlq.records", "dlq.replay", "kafka.brokers", "kafka.topics", "kafka.lag", "kafka.offsets", "kafka.records", "page", "failover", "wait.healthy",
}

// Every kind of action runs on the real system that it is for, from the shell that a runbook has.
func TestEveryActionOnTheLab(t *testing.T) {
	s := lab.Require(t, lab.Connect, lab.Kafka, lab.Postgres, lab.Cassandra, lab.CDCConnect, lab.Vault, lab.Docker, lab.Registry, lab.Prometheus, lab.CDCAPI)
	b := newBench(t, s)
	sink := b.sink
	rows := []row{
		{"curl http://localhost:8083/connectors | jq '.[]'", sink},
		{"curl http://localhost:8083/connectors/" + sink + "/status | jq -r .connector.state", "RUNNING"},
		{"curl -s localhost:8083/connectors/" + sink + "/config | grep connection.password", "(secret)"},
		{"curl -s localhost:8083/connectors/" + sink + "/offsets", "offsets"},
		{"curl -s localhost:8083/connector-plugins | jq length", ""},
		{"curl -X POST 'localhost:8083/connectors/" + sink + "/restart?includeTasks=true&onlyFailed=true'", "RUNNING"},
		{"curl -X PUT localhost:8083/connectors/" + sink + "/pause", "PAUSED"},
		{"curl -X PUT localhost:8083/connectors/" + sink + "/resume", "RUNNING"},
		{"# Wait until it runs (5 seconds)", "after"},
		{`curl -X PATCH localhost:8083/connectors/` + sink + `/config -d '{"errors.log.enable":"true"}'`, "+ errors.log.enable = true"},
		{"docker exec -it cdc-vault vault read database/creds/postgresql-writer", "credentials of v-"},
		{"docker exec -it cdc-vault vault lease renew " + b.lease(t, s), "the lease lives for another"},
		{"curl -s http://localhost:8200/v1/sys/health | jq .sealed", "false"},
		{"docker exec cdc-vault vault status", `"initialized": true`},
		{"curl -X PUT localhost:8083/connectors/" + sink + "/stop", "STOPPED"},
		{"curl -X DELETE localhost:8083/connectors/" + sink + "/offsets", "now no offsets"},
		{`curl -X PATCH localhost:8083/connectors/` + sink + `/offsets -d '{"offsets":[{"partition":{"kafka_topic":"orders","kafka_partition":0},"offset":{"kafka_offset":1}}]}'`, "orders/0 at 1"},
		{"curl -X DELETE localhost:8083/connectors/" + sink + "\ncurl -X POST localhost:8083/connectors -d @docker/connectors/sink.json", "offsets were orders/0 at 1"},
	}
	rows = append(rows, aroundRows(b.table(t, s), b.letter(t, s))...)
	ran := map[string]bool{}
	for _, row := range rows {
		name, _, _ := strings.Cut(row.shell, "\n")
		t.Run(name, func(t *testing.T) { b.check(t, row.shell, row.says, ran) })
	}
	t.Run("batch", func(t *testing.T) {
		b.act(t, action.RestartBatch{Cluster: "warehouse", Connectors: []string{sink, lab.SinkConnector}}, sink+" is RUNNING", ran)
	})
	t.Run("page", func(t *testing.T) {
		b.act(t, action.Page{Summary: "Page the infrastructure on-call", Service: "warehouse"}, "paged", ran)
		if b.paged.Load() != 1 {
			t.Errorf("%d pages", b.paged.Load())
		}
	})
	t.Run("skip", func(t *testing.T) {
		b.act(t, action.Transition{Cluster: "warehouse", Connector: sink, To: connect.Stopped}, "STOPPED", ran)
		b.act(t, action.AlterOffsets{Cluster: "warehouse", Connector: sink, Offsets: []connect.Offset{{Partition: map[string]any{"kafka_topic": "orders", "kafka_partition": 0}, Offset: map[string]any{"kafka_offset": 1}}}}, "at 1", ran)
		b.act(t, action.SkipRecord{Cluster: "warehouse", Connector: sink, Topic: "orders", Partition: 0, Offset: 1}, "RUNNING", ran)
	})
	t.Run("failover", func(t *testing.T) {
		b.act(t, *b.targets.Failover, "is RUNNING", ran)
	})
	t.Run("create", func(t *testing.T) {
		b.check(t, `curl -X POST localhost:8083/connectors -d '{"name": "`+sink+`-new", "config": {"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "topics": "orders", "file": "/dev/null", "value.converter": "org.apache.kafka.connect.storage.StringConverter"}}'`, "RUNNING", ran)
		if err := b.world.clusters[""].Delete(t.Context(), sink+"-new"); err != nil {
			t.Error(err)
		}
	})
	for _, kind := range kinds {
		if !ran[kind] {
			t.Errorf("%s has run on no real system", kind)
		}
	}
}

// row is a line of shell and a part of what its action says.
type row struct{ shell, says string }

// aroundRows are what runbooks ask of the systems around Connect. The simulated systems of the demo keep to the same
// rows as the real ones: table is one of the sink database, letters is what the dead-letter queue calls a table that has
// one pending record.
func aroundRows(table, letters string) []row {
	return []row{
		{"docker ps | grep postgres", "running (healthy)"},
		{`docker logs cdc-kafka-connect --tail=200 | grep -A 10 "ERROR\|FAILED"`, "at line 2"},
		{"docker-compose restart cassandra", "now running (healthy)"},
		{"docker stop cdc-api", "now exited"},
		{"docker compose up -d cdc-api", "now running"},
		{"docker compose up -d --scale kafka=2", "2 containers"},
		{"docker compose up -d --scale kafka=1", "running"},

		{`docker exec -it cdc-cassandra cqlsh -e "DESCRIBE KEYSPACES"`, "warehouse"},
		{`docker exec -it cdc-cassandra cqlsh -e "DESCRIBE TABLE warehouse.users"`, "CREATE TABLE warehouse.users"},
		{`docker exec cdc-cassandra cqlsh -e "SELECT release_version FROM system.local"`, "5.0"},
		{`docker exec -it cdc-postgres psql -U admin -d warehouse -c "SELECT 1"`, "1"},
		{`docker exec cdc-postgres psql -U admin -d warehouse -c "SELECT count(*) FROM cdc_orders"`, "count"},
		{`docker exec -it cdc-postgres psql -U admin -d warehouse -c "\d ` + table + `"`, "index"},
		{"docker exec -it cdc-postgres psql -U admin -d warehouse -c \"\nALTER TABLE " + table + " ADD COLUMN new_column VARCHAR(255);\n\"", "new_column varchar(255)"},

		{"curl http://localhost:8081/subjects", "["},
		{"curl -s localhost:8081/subjects/cdc-events-users-value/versions/latest | jq .version", ""},
		{"curl http://localhost:9090/api/v1/query?query=up | jq -r '.status'", "success"},
		{"curl -s http://localhost:9090/-/ready", "Ready"},
		{"docker exec -it cdc-kafka kafka-broker-api-versions --bootstrap-server localhost:9092", ":"},
		{"kafka-topics --bootstrap-server localhost:9092 --describe --topic orders", "orders"},
		{"kafka-consumer-groups --bootstrap-server localhost:9092 --describe --group connect-" + lab.SinkConnector, "orders"},
		{"kafka-get-offsets --bootstrap-server localhost:9092 --topic orders", "orders"},
		{"kafka-console-consumer --bootstrap-server localhost:9092 --topic orders --max-messages 1 --from-beginning", "offset"},
		{"curl http://localhost:8080/dlq/records?limit=10", "records"},
		{`curl -X POST http://localhost:8080/dlq/replay -d '{"error_type": "TYPE_CONVERSION_ERROR", "table": "` + letters + `", "limit": 5}'`, "1 replayed, 0 failed"},
	}
}

// The simulated systems of the demo and of drills say the same.
func TestSimulatedSystemsSayTheSame(t *testing.T) {
	simulated := targettest.New(time.Now)
	simulated.Bury(1, "cdc_dead", "TYPE_CONVERSION_ERROR", "invalid input syntax for type integer")
	cfg, err := config.Load("../../config.example.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{http: map[string]action.HTTP{}, services: map[string]action.WorkloadClient{}}
	systems := &Systems{Postgres: simulated.Postgres(), Cassandra: simulated.Cassandra(), Vault: simulated.Vault(), DLQ: simulated.DLQ(), Kafka: simulated.Kafka(), Pager: simulated, HTTP: map[string]action.HTTP{}, Services: map[string]action.WorkloadClient{}}
	for _, name := range []string{"registry", "prometheus", "vault", "cdc-api"} {
		systems.HTTP[name] = simulated.HTTP(name)
	}
	for _, name := range simulated.Names() {
		systems.Services[name] = simulated.Workload(name)
	}
	w.replace(systems)
	b := &bench{world: w, targets: Targets(cfg, "warehouse")}
	for _, row := range aroundRows("cdc_orders", "cdc_dead") {
		name, _, _ := strings.Cut(row.shell, "\n")
		t.Run(name, func(t *testing.T) { b.check(t, row.shell, row.says, map[string]bool{}) })
	}
	for _, name := range simulated.Names() {
		simulated.Stop(name, "the test says so")
	}
	for _, row := range aroundRows("cdc_orders", "cdc_dead") {
		if strings.HasPrefix(row.shell, "docker ps") || strings.HasPrefix(row.shell, "docker logs") || strings.Contains(row.shell, "docker-compose") || strings.Contains(row.shell, "docker compose") || strings.HasPrefix(row.shell, "docker stop") {
			continue // the engine itself is there
		}
		if err := b.fails(t, row.shell); err == nil || !strings.Contains(err.Error(), "refuses connections") {
			t.Errorf("%s while it is down: got %v", row.shell, err)
		}
	}
}

// fails runs the first action of a line.
func (b *bench) fails(t *testing.T, shell string) error {
	t.Helper()
	book, err := runbook.Compile("lab", []byte("## Emergency\n### X\n```bash\n"+shell+"\n```\n"))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := book.Plan(book.Sections[0].ID, 0, nil, b.targets)
	if err != nil {
		t.Fatal(err)
	}
	_, err = plan.Steps[0].Action.Run(t.Context(), b.world)
	return err
}

// check compiles a line, plans it, looks ahead, and runs it.
func (b *bench) check(t *testing.T, shell, says string, ran map[string]bool) {
	t.Helper()
	book, err := runbook.Compile("lab", []byte("## Emergency\n### X\n```bash\n"+shell+"\n```\n"))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := book.Plan(book.Sections[0].ID, 0, nil, b.targets)
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range plan.Steps {
		if step.Action == nil {
			t.Fatalf("%s stays a manual step: %v", step.Source, book.Findings)
		}
		want := ""
		if i == len(plan.Steps)-1 {
			want = says
		}
		b.act(t, step.Action, want, ran)
	}
}

func (b *bench) act(t *testing.T, a action.Action, says string, ran map[string]bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), a.Deadline())
	defer cancel()
	if p, ok := a.(action.Previewer); ok {
		if _, err := p.Preview(ctx, b.world); err != nil && !(a.Kind() == "connect.recreate" && strings.HasPrefix(a.Effect(), "Creates")) {
			t.Errorf("preview of %s: %v", a.Kind(), err)
		}
	}
	out, err := a.Run(ctx, b.world)
	if err != nil || !strings.Contains(out.Text, says) {
		t.Fatalf("%s: got %.600s, %v; want %q", a.Kind(), out.Text, err, says)
	}
	if strings.Contains(out.Text+out.Full, "planted-password") {
		t.Errorf("%s shows a secret", a.Kind())
	}
	ran[a.Kind()] = true
}

func newBench(t *testing.T, s lab.Services) *bench {
	t.Helper()
	b := &bench{sink: fmt.Sprintf("cdcbot-lab-%d", time.Now().UnixNano())}
	pager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		b.paged.Add(1)
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(pager.Close)
	files := t.TempDir()
	sink := `{"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "tasks.max": "1", "topics": "orders", "file": "/dev/null", "key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter", "connection.user": "u", "connection.password": "planted-password"}`
	if err := os.WriteFile(filepath.Join(files, "sink.json"), []byte(`{"name": "Another-Case", "config": `+sink+`}`), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load("", labEnvironment(t, s, files, pager.URL, b.sink))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kafka", "kafka-connect", "cassandra", "postgres", "cdc-api"} {
		cfg.Pipelines["warehouse"].Services[name] = config.Service{Kind: "docker"}
	}
	rdb := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	if b.world, err = openWorld(cfg, "warehouse", rdb, nil, around{breakers: breaker.New(breaker.Options{})}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.world.close)
	b.targets = Targets(cfg, "warehouse")
	b.connectors(t)
	return b
}

// labEnvironment is the configuration that the lab stands for.
func labEnvironment(t testing.TB, s lab.Services, files, pager, sink string) []string {
	t.Helper()
	pipeline := map[string]string{
		"CONNECT_URL": s.Connect, "CONNECT_FILES": files, "POSTGRES_URL": s.Postgres, "CASSANDRA_HOSTS": s.Cassandra, "CASSANDRA_USERNAME": lab.BotOnCQL, "CASSANDRA_PASSWORD": lab.BotOnCQL,
		"VAULT_URL": s.Vault, "VAULT_TOKEN": s.VaultBotToken(t), "VAULT_CONNECTOR": sink, "KAFKA_BROKERS": s.Kafka, "REGISTRY_URL": s.Registry, "PROMETHEUS_URL": s.Prometheus,
		"CDC_API_URL": s.CDCAPI, "FAILOVER_CONNECT_URL": s.CDCConnect, "FAILOVER_CONNECTORS": sink + "=" + sink + "-dr",
		"POSTGRES_ALIASES": "cdc-postgres", "CASSANDRA_ALIASES": "cdc-cassandra", "VAULT_ALIASES": "cdc-vault", "KAFKA_ALIASES": "cdc-kafka",
	}
	environ := []string{"CDCBOT_SLACK_CHANNEL=C1", "CDCBOT_DOCKER_HOST=" + s.Docker, "CDCBOT_PAGE_URL=" + pager}
	for k, v := range pipeline {
		environ = append(environ, "CDCBOT_PIPELINES_WAREHOUSE_"+k+"="+v)
	}
	slices.Sort(environ)
	return environ
}

// connectors makes the sink that the rows work on, and its backup in the other cluster.
func (b *bench) connectors(t *testing.T) {
	t.Helper()
	options := map[string]string{"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "tasks.max": "1", "topics": "orders", "file": "/dev/null", "key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter", "connection.user": "u", "connection.password": "planted-password"}
	for cluster, name := range map[string]string{"": b.sink, backup("warehouse"): b.sink + "-dr"} {
		c := b.world.clusters[cluster]
		state := connect.State("")
		if cluster != "" {
			state = connect.Paused
		}
		if err := c.Create(t.Context(), name, options, state); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // the test's own has ended
			defer cancel()
			if err := c.Delete(ctx, name); err != nil {
				t.Errorf("cleaning up: %v", err)
			}
		})
	}
	up, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := b.world.clusters[""].Await(up, b.sink, connect.Status.Running); err != nil {
		t.Fatal(err)
	}
}

// lease is one that Vault has given out for this test.
func (b *bench) lease(t *testing.T, s lab.Services) string {
	t.Helper()
	_, _, lease, _, err := b.world.vault.Credentials(t.Context(), "database/creds/postgresql-writer")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.RevokeLease(t, lease) })
	return lease
}

// letter buries one record of a topic of the test's own, as Connect does, and names the table that it is for.
func (b *bench) letter(t *testing.T, s lab.Services) string {
	t.Helper()
	producer, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	dead := &kgo.Record{Topic: "dlq-events", Value: []byte("{}"), Headers: []kgo.RecordHeader{
		{Key: "__connect.errors.topic", Value: []byte(b.name())}, {Key: "__connect.errors.exception.message", Value: []byte("invalid input syntax for type integer")},
	}}
	for _, r := range []*kgo.Record{{Topic: b.name(), Value: []byte("{}")}, dead} {
		if err := producer.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	lab.Await(t, "the buried record", 20*time.Second, func(ctx context.Context) (bool, error) {
		_, rows, _, err := b.world.dlq.Records(ctx, map[string]string{"table": b.name()}, 1)
		return len(rows) == 1, err
	})
	return b.name()
}

func (b *bench) name() string { return strings.ReplaceAll(b.sink, "-", "_") }

// table makes a table of the test's own in the sink database.
func (b *bench) table(t *testing.T, s lab.Services) string {
	t.Helper()
	root, err := pgx.Connect(t.Context(), s.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := root.Exec(t.Context(), "CREATE TABLE "+b.name()+" (id int PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // the test's own has ended
		defer cancel()
		_, err := root.Exec(ctx, "DROP TABLE "+b.name())
		if err := errors.Join(err, root.Close(ctx)); err != nil {
			t.Errorf("cleaning up: %v", err)
		}
	})
	return b.name()
}
