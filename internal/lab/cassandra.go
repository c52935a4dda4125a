package lab

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/jackc/pgx/v5"
)

// Names of what the true flow from Cassandra to PostgreSQL creates. Its source has the name of the FileStream one: it is
// what an operator calls it, and it runs on a worker of another group.
const (
	CDCSource     = "cassandra-source-connector"  // on CDCConnect: Debezium, from warehouse.users and warehouse.orders
	CDCSink       = "postgres-cdc-sink-connector" // on CDCConnect: to UsersTable and cdc_cassandra_orders
	CDCTopic      = "cdc-events-users"
	UsersTable    = "cdc_users"
	BotOnCQL      = "cdcbot" // role and password of the bot: it may only look into the keyspace warehouse
	cqlSuperuser  = "cassandra"
	cqlConnecting = 10 * time.Second
)

// User is a row of warehouse.users in Cassandra, and of UsersTable in PostgreSQL. Nil is null.
type User struct {
	ID          string
	Name, Email *string
}

// CQL runs statements in Cassandra as the superuser; a test's cleanup may call it too.
func (s Services) CQL(tb testing.TB, statements ...string) {
	tb.Helper()
	cluster := gocql.NewCluster(s.Cassandra)
	cluster.ProtoVersion, cluster.Consistency = 4, gocql.One
	cluster.Timeout, cluster.ConnectTimeout = cqlConnecting, cqlConnecting
	cluster.Authenticator = gocql.PasswordAuthenticator{Username: cqlSuperuser, Password: cqlSuperuser}
	session, err := cluster.CreateSession()
	if err != nil {
		tb.Fatalf("logging in to Cassandra at %s as the superuser: %v", s.Cassandra, err)
	}
	defer session.Close()
	for _, statement := range statements {
		if err := session.Query(statement).WithContext(context.WithoutCancel(tb.Context())).Exec(); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
}

// ArrivedUser reads a user from UsersTable; nil means that the row is not there. A database that is down, or a table that
// the sink has not created yet, is an error.
func (s Services) ArrivedUser(ctx context.Context, id string) (*User, error) {
	conn, err := pgx.Connect(ctx, s.Postgres)
	if err != nil {
		return nil, fmt.Errorf("looking for user %s: %w", id, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	u := &User{}
	err = conn.QueryRow(ctx, "select id, name, email from "+UsersTable+" where id = $1", id).Scan(&u.ID, &u.Name, &u.Email)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for user %s: %w", id, err)
	}
	return u, nil
}
