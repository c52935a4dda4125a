package runbook

import (
	"os"
	"strings"
	"testing"
)

// What one line of shell becomes: kind and effect of its action, or the reason to stay manual in brackets.
func TestFamilies(t *testing.T) {
	cases := []struct{ shell, want string }{
		{`docker ps`, "workload.list: Lists the services with their states."},
		{`docker ps -a --format '{{.Names}}' | grep kafka-connect`, "workload.list: Lists the services with their states."},
		{`docker ps --filter name=kafka-connect`, "workload.list: Reads the state of kafka-connect."},
		{`docker logs cdc-kafka-connect --tail=200 | grep -A 10 "ERROR\|FAILED"`, "workload.logs: Reads the last 200 lines of the log of cdc-kafka-connect."},
		{`docker logs -f --since 10m -n 50 cdc-api 2>&1`, "workload.logs: Reads the last 50 lines of the log of cdc-api since 10m0s ago."},
		{`docker-compose logs --tail 5 cdc-api`, "workload.logs: Reads the last 5 lines of the log of cdc-api."},
		{`docker compose -f docker/compose.yml -p cdc restart kafka-connect`, "workload.restart: Restarts kafka-connect and waits until it is healthy."},
		{`docker-compose restart cassandra postgres`, "workload.restart: Restarts cassandra, postgres and waits until it is healthy."},
		{`docker restart -t 5 cdc-postgres`, "workload.restart: Restarts cdc-postgres and waits until it is healthy."},
		{`docker start cdc-postgres`, "workload.start: Starts cdc-postgres where it does not run, and waits until it is healthy."},
		{`docker stop cdc-postgres`, "workload.stop: Stops cdc-postgres."},
		{`docker compose up -d postgres`, "workload.start: Starts postgres where it does not run, and waits until it is healthy."},
		{`docker compose up -d --scale kafka-connect=3 kafka-connect`, "workload.scale: Scales kafka-connect to 3."},
		{`docker-compose scale kafka-connect=2`, "workload.scale: Scales kafka-connect to 2."},
		{`docker compose up -d`, "[names no service]"},
		{`docker compose up -d --build cdc-api`, "[changes what runs]"},
		{`docker-compose down`, "[no action for docker-compose down]"},
		{`docker rm -f cdc-api`, "[no action for docker rm]"},
		{`docker logs a b`, "[logs of 2 services]"},
		{`docker exec cdc-postgres rm -rf /`, "[does not run rm]"},
		{`systemctl restart kafka-connect.service`, "workload.restart: Restarts kafka-connect and waits until it is healthy."},
		{`service postgresql status`, "workload.list: Reads the state of postgresql."},
		{`kubectl rollout restart deployment/kafka-connect -n cdc`, "workload.restart: Restarts deployment/kafka-connect and waits until it is healthy."},
		{`kubectl -n cdc rollout restart deploy kafka-connect`, "workload.restart: Restarts deployment/kafka-connect and waits until it is healthy."},
		{`kubectl rollout status sts/kafka`, "workload.list: Reads the state of statefulset/kafka."},
		{`kubectl logs -n cdc deploy/kafka-connect --tail=100 --since=1h | grep -i error`, "workload.logs: Reads the last 100 lines of the log of deployment/kafka-connect since 1h0m0s ago."},
		{`kubectl get pods -n cdc`, "workload.list: Lists the services with their states."},
		{`kubectl scale deployment kafka-connect --replicas=3`, "workload.scale: Scales deployment/kafka-connect to 3."},
		{`kubectl delete pod x`, "[no action for kubectl delete]"},
		{`kubectl get secret x -o yaml`, "[does not read Kubernetes secret]"},
		{`kubectl exec -it -n cdc postgres-0 -c postgres -- psql -U admin -c "SELECT 1"`, "postgres.query: Asks PostgreSQL: SELECT 1."},

		{`docker exec -it cdc-postgres psql -U admin -d warehouse -c "\d cdc_users"`, "postgres.describe: Reads the columns of the PostgreSQL table cdc_users."},
		{`docker exec cdc-postgres psql -U admin -d warehouse -c '\dt'`, "postgres.describe: Lists the tables of PostgreSQL."},
		{`docker exec cdc-postgres psql warehouse admin -tAc "SELECT count(*) FROM cdc_users;"`, "postgres.query: Asks PostgreSQL: SELECT count(*) FROM cdc_users."},
		{`psql postgres://admin@localhost:5432/warehouse -c 'SELECT 1'`, "postgres.query: Asks PostgreSQL: SELECT 1."},
		{`PGPASSWORD=x psql -h localhost -p 5432 -c 'SELECT 1'`, "postgres.query: Asks PostgreSQL: SELECT 1."},
		{"docker exec -i cdc-postgres psql -U admin -d warehouse <<EOF\nSELECT pid FROM pg_stat_activity;\nEOF", "postgres.query: Asks PostgreSQL: SELECT pid FROM pg_stat_activity."},
		{"docker exec -i cdc-postgres psql -U admin <<'SQL'\n-- widen\nALTER TABLE cdc_users ALTER COLUMN age TYPE bigint;\nSQL", "postgres.ddl: Changes PostgreSQL: -- widen ALTER TABLE cdc_users ALTER COLUMN age TYPE bigint."},
		{`echo "SELECT 1" | docker exec -i cdc-postgres psql -U admin`, "postgres.query: Asks PostgreSQL: SELECT 1."},
		{`docker exec cdc-postgres psql -c "DROP TABLE cdc_users"`, "[never deletes]"},
		{`docker exec cdc-postgres psql -c "WITH x AS (DELETE FROM a RETURNING *) SELECT * FROM x"`, "[never deletes]"},
		{`psql -f fix.sql`, "[reads or writes a file]"},
		{`docker exec -it cdc-postgres psql -U admin`, "[opens a session]"},
		{`docker exec cdc-cassandra cqlsh localhost 9042 -u x -e "SELECT * FROM warehouse.users LIMIT 5"`, "cassandra.query: Asks Cassandra: SELECT * FROM warehouse.users LIMIT 5."},
		{"cqlsh <<< 'DESCRIBE TABLE warehouse.users;'", "cassandra.describe: Asks Cassandra: DESCRIBE TABLE warehouse.users."},
		{`cqlsh -e "DROP TABLE warehouse.users"`, "[only reads Cassandra]"},
		{`cqlsh -e "SELECT 1; DROP TABLE x"`, "[only reads Cassandra]"},

		{`docker exec cdc-vault vault status`, "vault.health: Reads the health of Vault."},
		{`vault lease renew database/creds/postgresql-writer/<lease_id>`, "vault.renew: Renews the Vault lease database/creds/postgresql-writer/<lease_id>."},
		{`vault lease renew -increment=24h database/creds/x/y`, "vault.renew: Renews the Vault lease database/creds/x/y."},
		{`vault read database/creds/postgresql-writer`, "vault.credentials: Fetches fresh credentials from Vault (database/creds/postgresql-writer) for the connector that uses them."},
		{`vault operator unseal <key>`, "[unseal keys belong]"},
		{`vault kv get secret/cdc/postgres`, "[only renews leases]"},
		{`curl -s http://localhost:8200/v1/secret/data/cdc`, "[does not read secrets]"},
		{`curl http://localhost:8200/v1/sys/health`, "vault.health: Reads the health of Vault."},
		{`curl -s localhost:8081/subjects | jq length`, "registry.subjects: Lists the subjects of the schema registry."},
		{`curl -s localhost:8081/subjects/cdc-events-users-value/versions/latest`, "registry.schema: Reads /subjects/cdc-events-users-value/versions/latest of the schema registry."},
		{`curl -G localhost:9090/api/v1/query --data-urlencode 'query=sum(cdc_backlog_depth) by (topic)'`, "prometheus.query: Asks Prometheus sum(cdc_backlog_depth) by (topic)."},
		{`curl http://localhost:8080/dlq/records?limit=10`, "dlq.records: Reads records of the dead-letter queue (/dlq/records?limit=10)."},
		{`curl http://localhost:8080/health`, "http.get: Reads localhost:8080/health."},
		{`wget -qO- http://localhost:8083/connectors`, "connect.list: Lists the connectors of localhost:8083."},
		{`curl -X POST localhost:8080/dlq/replay -d '{"dlq_ids":["a","b"],"resolution_notes":"x","retry_strategy":"batch"}'`, "dlq.replay: Replays 2 records of the dead-letter queue: a, b."},
		{`curl -X POST localhost:8080/dlq/replay -d '{"error_type":"UNKNOWN","limit":5}'`, "dlq.replay: Replays the pending records of the dead-letter queue with error_type = UNKNOWN, at most 5."},
		{`curl -X POST localhost:8080/dlq/replay -d '{"evil":1}'`, "[evil of this replay is not a key]"},

		{`docker exec cdc-kafka kafka-broker-api-versions --bootstrap-server localhost:9092`, "kafka.brokers: Lists the Kafka brokers and what they speak."},
		{`docker exec cdc-kafka kafka-consumer-groups --bootstrap-server localhost:9092 --describe --group connect-postgres-sink-connector`, "kafka.lag: Reads the lag of the consumer group connect-postgres-sink-connector."},
		{`/opt/kafka/bin/kafka-consumer-groups.sh --bootstrap-server kafka:9092 --list`, "kafka.lag: Lists the consumer groups and their lag."},
		{`kafka-consumer-groups --bootstrap-server kafka:9092 --group g --reset-offsets --to-latest --all-topics --execute`, "[does not change consumer groups]"},
		{`kafka-topics.sh --bootstrap-server kafka:9092 --describe --topic cdc-events-users`, "kafka.topics: Describes the topic cdc-events-users."},
		{`kafka-topics --create --topic x`, "[does not change topics]"},
		{`kafka-run-class kafka.tools.GetOffsetShell --broker-list kafka:9092 --topic dlq-events --time -1`, "kafka.offsets: Reads the offsets of the topic dlq-events."},
		{`kafka-console-consumer --bootstrap-server kafka:9092 --topic dlq-events --from-beginning --max-messages 10`, "kafka.records: Reads records of the topic dlq-events."},
		{`kcat -b kafka:9092 -t dlq-events -C -o beginning -c 5 -e`, "kafka.records: Reads records of the topic dlq-events."},

		{`sudo docker restart cdc-postgres`, "workload.restart: Restarts cdc-postgres and waits until it is healthy."},
		{`watch -n 5 'curl -s localhost:8083/connectors | jq .'`, "connect.list: Lists the connectors of localhost:8083."},
		{`watch curl -s localhost:8083/connectors`, "connect.list: Lists the connectors of localhost:8083."},
		{`timeout 10 curl -s localhost:8083/connectors`, "connect.list: Lists the connectors of localhost:8083."},
		{`docker exec cdc-kafka-connect sh -c "curl -s localhost:8083/connectors | jq '.[]'"`, "connect.list: Lists the connectors of localhost:8083."},
		{`docker exec cdc-kafka bash -c "rm -rf / && echo done"`, "[more than one command]"},
		{`vault login -method=userpass username=oncall`, "(note)"},
		{`cd docker`, "(note)"},
		{`export CONNECT_URL=http://localhost:8083`, "(note)"},
		{`export NOW=$(curl -s localhost:8083)`, "[more than one simple command]"},
		{`curl -s $CONNECT_URL/connectors`, "connect.list: Lists the connectors of <CONNECT_URL>."},
		{`curl -s "${CONNECT_URL:-http://localhost:8083}/connectors"`, "connect.list: Lists the connectors of localhost:8083."},
	}
	for _, c := range cases {
		t.Run(c.shell, func(t *testing.T) {
			b := mustCompile(t, "## Other commands\n```bash\n"+c.shell+"\n```\n")
			got := "(note)"
			if steps := b.Sections[0].steps(); len(steps) == 1 {
				got = described(steps[0], b.Findings)
			} else if len(steps) > 1 {
				t.Fatalf("%d steps", len(steps))
			}
			if strings.HasPrefix(c.want, "[") && strings.HasPrefix(got, "[") && strings.Contains(got, strings.Trim(c.want, "[]")) {
				return
			}
			if got != c.want {
				t.Errorf("\ngot  %s\nwant %s", got, c.want)
			}
		})
	}
}

func described(s Step, findings []Finding) string {
	if s.Action != nil {
		return s.Action.Kind() + ": " + s.Effect()
	}
	var texts []string
	for _, f := range findings {
		texts = append(texts, f.Text)
	}
	return "[" + strings.Join(texts, "; ") + "]"
}

func mustCompile(t *testing.T, text string) *Book {
	t.Helper()
	b, err := Compile("x", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Variables, loops and chains are taken apart as a shell would, without one.
func TestShellWithoutAShell(t *testing.T) {
	b := mustCompile(t, "## Solution\n```bash\nHOST=localhost:8083\nfor c in cassandra-source postgres-sink; do\n  curl -X POST \"http://$HOST/connectors/$c/restart?includeTasks=true&onlyFailed=true\"\ndone\ndocker stop cdc-api && docker start cdc-api\nfor c in $(curl -s $HOST/connectors); do curl $c; done\ncurl -s \"$HOST/connectors?at=$(date +%Y-%m-%d)\"\n```\n")
	var got []string
	for _, s := range b.Sections[0].steps() {
		if s.Action == nil {
			got = append(got, "manual "+s.Source)
			continue
		}
		got = append(got, s.Effect())
	}
	want := []string{
		"Restarts the failed tasks of cassandra-source; tasks that run keep running.",
		"Restarts the failed tasks of postgres-sink; tasks that run keep running.",
		"Stops cdc-api.", "Starts cdc-api where it does not run, and waits until it is healthy.",
		"manual for c in $(curl -s $HOST/connectors); do curl $c; done",
		"Lists the connectors of localhost:8083.",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if b.Dates["date"] != "+%Y-%m-%d" {
		t.Errorf("dates: got %v", b.Dates)
	}
}

// The operator's runbook is the program: every command of it runs.
func TestOperatorsRunbookCompilesWhole(t *testing.T) {
	source, err := os.ReadFile("testdata/operator.md")
	if err != nil {
		t.Fatal(err)
	}
	b := mustCompile(t, string(source))
	r := b.Report("operator.md")
	if r.Commands != 46 || r.Compiled != 45 || r.Notes != 1 || r.Manual != 0 || len(r.Errors) != 0 {
		t.Errorf("got %d commands, %d compiled, %d notes, %d manual, errors %v; want 46, 45, 1, 0, none", r.Commands, r.Compiled, r.Notes, r.Manual, r.Errors)
	}
	for _, f := range b.Findings {
		if f.Code == unknownCode {
			t.Errorf("line %d: %s", f.Line, f.Text)
		}
	}
	if f := b.Resolve(targets); len(f) > 0 {
		t.Errorf("unresolved: %v", f)
	}
}
