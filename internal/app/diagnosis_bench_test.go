package app

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"cdcbot/internal/config"
	"cdcbot/internal/connect"
	"cdcbot/internal/connect/connecttest"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/lab"
	"cdcbot/internal/redact"
)

// BenchmarkDiagnosis is the whole diagnosis of one failed connector: everything that the bot asks of the real systems of
// the lab, all of them healthy; and with PostgreSQL, Cassandra and Vault that take connections and never answer.
func BenchmarkDiagnosis(b *testing.B) {
	b.Run("lab", func(b *testing.B) {
		s := lab.Require(b, lab.Connect, lab.Kafka, lab.Postgres, lab.Cassandra, lab.Vault, lab.Registry, lab.Prometheus)
		name := fmt.Sprintf("cdcbot-failed-%d", time.Now().UnixNano())
		cl := openCluster(b, labEnvironment(b, s, b.TempDir(), "http://127.0.0.1:9", name))
		failing(b, cl.client, name)
		diagnoseOften(b, cl, name, diagnosis.ToleranceExceeded)
	})
	b.Run("all-hanging", func(b *testing.B) {
		worker := connecttest.New(connecttest.Options{})
		url, err := worker.Start()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = worker.Close() })
		worker.AddConnector("sink", map[string]string{"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "topics": "orders", "connection.url": "jdbc:x"})
		if err := worker.Fail("sink", -1, "java.net.SocketTimeoutException: Read timed out"); err != nil {
			b.Fatal(err)
		}
		hole := silentServer(b)
		cl := openCluster(b, []string{"CDCBOT_SLACK_CHANNEL=C1", "CDCBOT_PIPELINES_WAREHOUSE_CONNECT_URL=" + url, "CDCBOT_PIPELINES_WAREHOUSE_POSTGRES_URL=postgres://cdc@" + hole + "/warehouse",
			"CDCBOT_PIPELINES_WAREHOUSE_CASSANDRA_HOSTS=" + hole, "CDCBOT_PIPELINES_WAREHOUSE_VAULT_URL=http://" + hole, "CDCBOT_PIPELINES_WAREHOUSE_VAULT_TOKEN=x"})
		diagnoseOften(b, cl, "sink", diagnosis.DatabaseConnection)
	})
}

func diagnoseOften(b *testing.B, cl *cluster, name string, want diagnosis.Slug) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		d := diagnosis.Diagnose(cl.collector.Collect(b.Context(), cl.name, []string{name}))
		took = append(took, time.Since(began))
		if d.Top().Slug != want {
			b.Fatalf("got %s (%s), want %s", d.Top().Slug, d.Headline, want)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
	b.ReportMetric(0, "ns/op")
}

func openCluster(b *testing.B, environ []string) *cluster {
	b.Helper()
	c, err := config.Load("", environ)
	if err != nil {
		b.Fatal(err)
	}
	rdb := redis.NewClient(&redis.Options{Addr: miniredis.RunT(b).Addr()})
	b.Cleanup(func() { _ = rdb.Close() })
	a := &App{config: c, log: zap.NewNop(), redis: rdb}
	cl, err := a.openOne("warehouse", redact.New(c.Secrets()...))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(cl.world.close)
	return cl
}

// failing makes a connector that fails at its first record: what is in the topic is no JSON.
func failing(b *testing.B, client *connect.Client, name string) {
	b.Helper()
	options := map[string]string{"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "tasks.max": "1", "topics": "orders", "file": "/dev/null", "value.converter": "org.apache.kafka.connect.json.JsonConverter"}
	if err := client.Create(b.Context(), name, options, ""); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // the benchmark's own has ended
		defer cancel()
		if err := client.Delete(ctx, name); err != nil {
			b.Errorf("cleaning up: %v", err)
		}
	})
	up, cancel := context.WithTimeout(b.Context(), 30*time.Second)
	defer cancel()
	if _, err := client.Await(up, name, func(s connect.Status) bool { return len(s.Failed()) > 0 }); err != nil {
		b.Fatal(err)
	}
}

// silentServer takes connections and never says a word.
func silentServer(b *testing.B) string {
	b.Helper()
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.Cleanup(func() { _ = conn.Close() })
		}
	}()
	return l.Addr().String()
}
