// Package lab gives tests the real services of the lab (lab/README.md): it finds them, breaks them and mends them.
//
// A test that names a part which does not answer is left out with the reason; with CDCBOT_LAB=1 or CI=true it fails
// instead, because there the lab is meant to be up. Only tests import this package.
package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Services says where the parts of the lab are. It comes from Require or Alone.
type Services struct {
	Connect      string // URL of the first worker's REST API
	Metrics      string // URL of the first worker's JMX metrics
	Registry     string // URL of the schema registry's Confluent API
	Kafka        string // host:port of the broker
	Postgres     string // DSN of the database warehouse, user admin
	PostgresRoot string // DSN of the same database for the superuser: faults such as a revoked privilege
	Prometheus   string // URL
	Alertmanager string // URL
	Redis        string // URL of the Redis that all tests share; Redis(tb) gives one of your own
	BotURL       string // where Alertmanager delivers: a test listens here for real alerts
	WebhookToken string // the bearer token it delivers with
	OrdersFile   string // the file that the source connector follows
	Cassandra    string // host:port of the source database's CQL
	CDCConnect   string // URL of the worker that runs the Debezium Cassandra source
	Vault        string // URL
	VaultToken   string // a token that may do what the tests need; the bot has a narrower one
	Docker       string // unix://… of the engine
	CDCAPI       string // URL of the lab's CDC API
	Kubernetes   string // host:port of the API server
	Kubeconfig   string // file with the way in

	alone bool
}

// Names of what the lab creates.
const (
	SourceConnector = "cassandra-source-connector" // reads OrdersFile into Topic
	SinkConnector   = "postgres-sink-connector"    // writes Topic into Table
	Topic           = "orders"
	Table           = "cdc_orders"
	AlertName       = "KafkaConnectTaskFailure" // fires 10 s after a task is FAILED, with the labels connector and task
)

// probeTimeout bounds the question to one part whether it is there.
const probeTimeout = 3 * time.Second

// Require gives the lab to a test that needs parts and leaves the lab as it finds it: connectors of its own are welcome,
// stopping services is not. Tests of any package may hold it at once. A part that does not answer skips the test, or
// fails it when the lab is meant to be up.
func Require(tb testing.TB, parts ...Part) Services {
	tb.Helper()
	lock(tb, shared)
	s := Find()
	demand(tb, s, parts)
	return s
}

// demand leaves the test out unless all parts answer.
func demand(tb testing.TB, s Services, parts []Part) {
	tb.Helper()
	if missing := absent(tb.Context(), s, parts); len(missing) > 0 {
		leaveOut(tb, strings.Join(missing, "; ")+" (start the lab: make lab)")
	}
}

// leaveOut skips the test with the reason, or fails it where the lab is meant to be up.
func leaveOut(tb testing.TB, reason string) {
	tb.Helper()
	if wanted() {
		tb.Fatalf("the lab is incomplete: %s", reason)
	}
	tb.Skipf("left out: %s", reason)
}

// wanted says whether a missing part is a failure.
func wanted() bool { return os.Getenv("CDCBOT_LAB") == "1" || os.Getenv("CI") == "true" }

// Await asks condition ten times a second until it is true; after within it fails the test, naming what was awaited
// and the last error.
func Await(tb testing.TB, what string, within time.Duration, condition func(context.Context) (bool, error)) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), within)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := condition(ctx)
		if ok && err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("waited %s for: %s; last error: %v", within, what, err)
		}
	}
}

// Order appends an order to the file that the source connector follows. The id may not hold a line break.
func (s Services) Order(tb testing.TB, id string) {
	tb.Helper()
	if strings.ContainsAny(id, "\r\n") {
		tb.Fatalf("order id %q holds a line break, and a line is an order", id)
	}
	f, err := os.OpenFile(filepath.Clean(s.OrdersFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		tb.Fatalf("appending order %s: %v", id, err)
	}
	_, err = f.WriteString(id + "\n")
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		tb.Fatalf("appending order %s to %s: %v", id, s.OrdersFile, err)
	}
}

// Row says whether the order has arrived in Table. A database that is down, or a table that the sink has not created
// yet, is an error.
func (s Services) Row(ctx context.Context, id string) (bool, error) {
	conn, err := pgx.Connect(ctx, s.Postgres)
	if err != nil {
		return false, fmt.Errorf("looking for order %s: %w", id, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var found bool
	err = conn.QueryRow(ctx, "select exists (select from "+Table+" where id = $1)", id).Scan(&found)
	if err != nil {
		return false, fmt.Errorf("looking for order %s: %w", id, err)
	}
	return found, nil
}

// SQL runs statements as the superuser of the database, also in a cleanup: the way to revoke a privilege or drop a column.
func (s Services) SQL(tb testing.TB, statements ...string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.PostgresRoot)
	if err != nil {
		tb.Fatalf("connecting as the superuser: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
}
