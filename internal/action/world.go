package action

import (
	"context"
	"time"

	"cdcbot/internal/connect"
)

// World is how actions reach the systems of one pipeline. A system that is not configured is an error that names the
// configuration key to set.
type World interface {
	// Connect returns the Kafka Connect cluster with the configured name ("" is the pipeline's own).
	Connect(cluster string) (Connect, error)
	Postgres() (Postgres, error)
	Cassandra() (Cassandra, error)
	Vault() (Vault, error)
	// HTTP returns a system that answers GET requests: "registry", "prometheus", "vault", "cdc-api", or a configured name.
	HTTP(system string) (HTTP, error)
	DLQ() (DLQ, error)
	Kafka() (Kafka, error)
	// Workload returns a service: a container or a Kubernetes workload. Services are the names of all, sorted.
	Workload(service string) (WorkloadClient, error)
	Services() []string
	Pager() (Pager, error)
	// Keeper keeps what must outlast a crash of the bot while an action is half way.
	Keeper() (Keeper, error)
}

// Connect is what actions ask of a Kafka Connect cluster; *connect.Client is one.
type Connect interface {
	Connectors(ctx context.Context) (map[string]connect.Connector, error)
	Status(ctx context.Context, name string) (connect.Status, error)
	Config(ctx context.Context, name string) (map[string]string, error)
	Offsets(ctx context.Context, name string) ([]connect.Offset, error)
	Restart(ctx context.Context, name string, onlyFailed bool) (connect.Status, error)
	RestartTask(ctx context.Context, name string, task int) error
	Pause(ctx context.Context, name string) error
	Resume(ctx context.Context, name string) error
	Stop(ctx context.Context, name string) error
	PutConfig(ctx context.Context, name string, config map[string]string) error
	Create(ctx context.Context, name string, config map[string]string, state connect.State) error
	Delete(ctx context.Context, name string) error
	AwaitGone(ctx context.Context, name string) error
	AlterOffsets(ctx context.Context, name string, offsets []connect.Offset) error
	ResetOffsets(ctx context.Context, name string) error
	Validate(ctx context.Context, class string, config map[string]string) (connect.Validation, error)
	Await(ctx context.Context, name string, want func(connect.Status) bool) (connect.Status, error)
}

// Postgres is what actions ask of the sink database. Rows are shown as text, NULL as "NULL".
type Postgres interface {
	// Query runs one statement in a READ ONLY transaction and returns at most max rows.
	Query(ctx context.Context, sql string, max int) (columns []string, rows [][]string, err error)
	// Describe is psql's \d: the columns, keys and indexes of a table, or all tables when table is "".
	Describe(ctx context.Context, table string) (columns []string, rows [][]string, err error)
	// Rehearse runs statements with a lock timeout in a transaction that is rolled back: nil means that they would succeed now.
	Rehearse(ctx context.Context, statements []string) error
	// Alter runs statements with a lock timeout in one transaction.
	Alter(ctx context.Context, statements []string) error
	// Database is the name of the database.
	Database() string
}

// Cassandra is what actions ask of the source database: SELECT and DESCRIBE only; anything else is an error.
type Cassandra interface {
	Query(ctx context.Context, cql string, max int) (columns []string, rows [][]string, err error)
}

// Vault is what actions ask of HashiCorp Vault. Errors say in words when it is sealed.
type Vault interface {
	// Health is the answer of sys/health, also of a sealed or standby Vault.
	Health(ctx context.Context) (map[string]any, error)
	// Leases lists the IDs of leases under a prefix such as "database/creds/postgresql-writer", whole.
	Leases(ctx context.Context, prefix string) ([]string, error)
	// Lookup tells how long a lease still lives and whether it can be renewed.
	Lookup(ctx context.Context, lease string) (ttl time.Duration, renewable bool, err error)
	// Renew extends a lease and returns how long it lives now.
	Renew(ctx context.Context, lease string) (ttl time.Duration, err error)
	// Credentials fetches fresh dynamic credentials from a path such as "database/creds/postgresql-writer".
	Credentials(ctx context.Context, path string) (username, password, lease string, ttl time.Duration, err error)
}

// HTTP is a system that is asked by GET; path may hold a query. Answers of 4xx and 5xx are answers, not errors.
type HTTP interface {
	Get(ctx context.Context, path string) (status int, body []byte, err error)
}

// DLQ is the CDC API's dead-letter queue. The first column of records is the record's ID.
type DLQ interface {
	// Records lists at most limit records; filter keys are error_type, resolution_status, table, start_date and end_date.
	// total counts all that fit the filter.
	Records(ctx context.Context, filter map[string]string, limit int) (columns []string, rows [][]string, total int, err error)
	// Replay asks for records to be applied again, at most 1,000 at once, and waits for the outcome.
	Replay(ctx context.Context, ids []string, notes, strategy string) (replayed, failed int, message string, err error)
}

// Kafka is what actions ask of the brokers.
type Kafka interface {
	Brokers(ctx context.Context) (columns []string, rows [][]string, err error)
	// Topics describes one topic, or lists all when topic is "".
	Topics(ctx context.Context, topic string) (columns []string, rows [][]string, err error)
	// Lag is committed and end offsets of a consumer group for each partition; all groups in one line each when group is "".
	Lag(ctx context.Context, group string) (columns []string, rows [][]string, err error)
	// Offsets are the end offsets (or the earliest) of a topic for each partition.
	Offsets(ctx context.Context, topic string, earliest bool) (columns []string, rows [][]string, err error)
	// Records reads at most max records of a topic, the newest or (earliest) the oldest.
	Records(ctx context.Context, topic string, max int, earliest bool) (columns []string, rows [][]string, err error)
}

// WorkloadClient is one service that an engine runs. Restart, Start, Stop and Scale return when their effect is visible:
// running and, where there is a health check, healthy.
type WorkloadClient interface {
	Restart(ctx context.Context) error
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Scale(ctx context.Context, replicas int) error
	// Logs are the last lines, both streams, in order of time; since bounds their age when it is not 0.
	Logs(ctx context.Context, tail int, since time.Duration) (string, error)
	// State is one line such as "running (healthy), up 3 hours, 1 of 1"; up says that it runs and is not unhealthy.
	State(ctx context.Context) (state string, up bool, err error)
}

// Pager calls somebody. The same key does not page twice.
type Pager interface {
	Page(ctx context.Context, key, summary string, details map[string]string) error
}

// Keeper is a small durable store.
type Keeper interface {
	Keep(ctx context.Context, key string, value []byte) error
	Kept(ctx context.Context, key string) ([]byte, error) // nil when there is nothing
}
