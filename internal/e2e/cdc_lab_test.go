package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/connect"
	"cdcbot/internal/lab"
	"cdcbot/internal/target/cassandra"
)

// arrival is how long a change may take from Cassandra to PostgreSQL.
const arrival = time.Minute

// TestChangesTravelOnTheLab follows one row through a true pipeline: what is written in Cassandra is read by Debezium from
// the commit log, carried by Kafka as Avro, and written to PostgreSQL. An UPDATE changes only what it names, a DELETE
// deletes.
func TestChangesTravelOnTheLab(t *testing.T) {
	t.Parallel()
	services := lab.Require(t, lab.Cassandra, lab.CDCConnect, lab.Kafka, lab.Registry, lab.Postgres)
	id := fmt.Sprintf("e2e-%d", time.Now().UnixNano())
	where := " WHERE id = '" + id + "'"
	began := time.Now()
	step := func(cql, want string) {
		t.Helper()
		began = time.Now()
		services.CQL(t, cql)
		awaitUser(t, services, id, want)
		t.Logf("%.1f s: %s", time.Since(began).Seconds(), cql)
	}

	step("INSERT INTO warehouse.users (id, name, email) VALUES ('"+id+"', 'Ann', 'ann@example.org')", "Ann ann@example.org")
	step("UPDATE warehouse.users SET email = 'ann@example.net'"+where, "Ann ann@example.net")
	step("DELETE email FROM warehouse.users"+where, "Ann NULL")
	step("UPDATE warehouse.users SET email = 'back@example.org'"+where, "Ann back@example.org")

	if rows := asked(t, services, "SELECT name, email FROM warehouse.users"+where); rows != "Ann back@example.org" {
		t.Errorf("Cassandra has %q", rows)
	}
	step("DELETE FROM warehouse.users"+where, "")
}

// TestSourceAfterAnOutageOnTheLab takes the source database away. Debezium's task goes on being RUNNING until it is
// restarted; then it fails, and a restart of the failed task heals it once Cassandra is back. What was written around
// the outage arrives.
func TestSourceAfterAnOutageOnTheLab(t *testing.T) {
	t.Parallel()
	services := lab.Alone(t, lab.Cassandra, lab.CDCConnect, lab.Kafka, lab.Registry, lab.Postgres)
	client, err := connect.New(connect.Options{Cluster: "cdc", URL: services.CDCConnect})
	if err != nil {
		t.Fatal(err)
	}
	before, after := fmt.Sprintf("before-%d", time.Now().UnixNano()), fmt.Sprintf("after-%d", time.Now().UnixNano())
	insert := func(id string) string { return "INSERT INTO warehouse.users (id, name) VALUES ('" + id + "', 'Ben')" }

	services.CQL(t, insert(before))
	services.Stop(t, lab.Cassandra) // a killed one would lose what it acknowledged in its last second
	if err := client.RestartTask(t.Context(), lab.CDCSource, 0); err != nil {
		t.Fatal(err)
	}
	status, err := client.Await(deadline(t, time.Minute), lab.CDCSource, func(s connect.Status) bool { return len(s.Failed()) > 0 })
	if err != nil {
		t.Fatal(err)
	}
	if trace := status.Tasks[0].Trace; !strings.Contains(trace, "Could not reach any contact point") {
		t.Errorf("the trace of the source does not name the cause: %s", trace)
	}
	if _, err := source(t, services).Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "refused the connection") {
		t.Errorf("probe of a database that is away: %v", err)
	}

	services.Start(t, lab.Cassandra)
	if _, err := client.Restart(t.Context(), lab.CDCSource, true); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Await(deadline(t, time.Minute), lab.CDCSource, connect.Status.Running); err != nil {
		t.Fatal(err)
	}
	services.CQL(t, insert(after))
	awaitUser(t, services, before, "Ben NULL")
	awaitUser(t, services, after, "Ben NULL")
	services.CQL(t, "DELETE FROM warehouse.users WHERE id = '"+before+"'", "DELETE FROM warehouse.users WHERE id = '"+after+"'")
}

// awaitUser waits until a user's name and email in PostgreSQL are as wanted; "" is no row.
func awaitUser(t *testing.T, services lab.Services, id, want string) {
	t.Helper()
	got := "nothing yet"
	lab.Await(t, "user "+id+" as "+want+" in "+lab.UsersTable, arrival, func(ctx context.Context) (bool, error) {
		u, err := services.ArrivedUser(ctx, id)
		if err != nil {
			return false, err
		}
		if got = ""; u != nil {
			got = text(u.Name) + " " + text(u.Email)
		}
		if got != want {
			return false, fmt.Errorf("it is %q", got)
		}
		return true, nil
	})
}

func text(s *string) string {
	if s == nil {
		return "NULL"
	}
	return *s
}

// source is the bot's own look at the source database.
func source(t *testing.T, services lab.Services) *cassandra.Client {
	t.Helper()
	c, err := cassandra.New(cassandra.Options{Hosts: []string{services.Cassandra}, Username: lab.BotOnCQL, Password: lab.BotOnCQL, Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func asked(t *testing.T, services lab.Services, cql string) string {
	t.Helper()
	_, rows, err := source(t, services).Query(t.Context(), cql, 1)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%s: %v, %v", cql, rows, err)
	}
	return strings.Join(rows[0], " ")
}
