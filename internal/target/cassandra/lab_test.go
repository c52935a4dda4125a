package cassandra

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gocql/gocql"

	"cdcbot/internal/lab"
)

// superuser is the tests' own door into the lab's Cassandra, past the client.
func superuser(t *testing.T, host string) *gocql.Session {
	t.Helper()
	cluster := gocql.NewCluster(host)
	cluster.ProtoVersion, cluster.Consistency, cluster.Logger = 4, gocql.One, silence{}
	cluster.Timeout = 20 * time.Second
	cluster.Authenticator = gocql.PasswordAuthenticator{Username: "cassandra", Password: "cassandra"}
	session, err := cluster.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return session
}

func execute(t *testing.T, s *gocql.Session, statements ...string) {
	t.Helper()
	for _, cql := range statements {
		if err := s.Query(cql).Exec(); err != nil {
			t.Fatalf("%s: %v", cql, err)
		}
	}
}

// bot is the client as the bot has it: it may only look.
func bot(t *testing.T, host string) *Client {
	t.Helper()
	return mustNew(t, Options{Hosts: []string{host}, Username: "cdcbot", Password: "cdcbot", Timeout: 20 * time.Second})
}

// everyType is a table with a column of each type of CQL.
var everyType = []string{
	"CREATE TYPE test_types.address (street text, number int)",
	`CREATE TABLE test_types.every (k int PRIMARY KEY, a ascii, bi bigint, b blob, bo boolean, d date, de decimal, dou double,
		du duration, f float, i inet, si smallint, t text, ti time, ts timestamp, tu timeuuid, tiny tinyint, u uuid, vi varint,
		l list<int>, s set<text>, m map<text, frozen<list<int>>>, tup tuple<int, text, boolean>, ud frozen<address>, uds list<frozen<address>>,
		nested frozen<tuple<int, frozen<list<text>>>>, vec vector<float, 3>, stat text)`,
	`INSERT INTO test_types.every (k, a, bi, b, bo, d, de, dou, du, f, i, si, t, ti, ts, tu, tiny, u, vi, l, s, m, tup, ud, uds, nested, vec)
		VALUES (1, 'asc', -9223372036854775808, 0xcafe, true, '2026-11-23', -12.340, 1.5, 1mo2d3h4m5s, 0.1, '::1', -5, 'it''s ü', '08:09:10.000000011',
		'2026-11-23 07:00:00.123+0000', 50554d6e-29bb-11e5-b345-feff819cdc9f, -128, 123e4567-e89b-12d3-a456-426614174000, -123456789012345678901234567890,
		[3, 1, 2], {'b', 'a'}, {'x': [1, 2], 'it''s': []}, (1, 'one', null), {street: 'Main', number: 5}, [{street: 'A', number: null}], (7, ['p', 'q']), [1, -2.5, 0])`,
	"INSERT INTO test_types.every (k, t, b) VALUES (2, '', 0x)",
}

// shown is how its first row looks.
var shown = map[string]string{
	"k": "1", "a": "asc", "bi": "-9223372036854775808", "b": "0xcafe", "bo": "true", "d": "2026-11-23", "de": "-12.340", "dou": "1.5",
	"du": "1mo2d3h4m5s", "f": "0.1", "i": "::1", "si": "-5", "t": "it's ü", "ti": "08:09:10.000000011", "ts": "2026-11-23T07:00:00.123Z",
	"tu": "50554d6e-29bb-11e5-b345-feff819cdc9f", "tiny": "-128", "u": "123e4567-e89b-12d3-a456-426614174000",
	"vi": "-123456789012345678901234567890", "l": "[3, 1, 2]", "s": "{'a', 'b'}", "m": "{'it''s': [], 'x': [1, 2]}", "tup": "(1, 'one', NULL)",
	"ud": "{street: 'Main', number: 5}", "uds": "[{street: 'A', number: NULL}]", "nested": "(7, ['p', 'q'])", "vec": "[1, -2.5, 0]", "stat": "NULL",
}

func TestEveryType(t *testing.T) {
	host := lab.Require(t, lab.Cassandra).Cassandra
	root := superuser(t, host)
	ownKeyspace(t, root, "test_types", everyType...)
	columns, rows, err := bot(t, host).Query(t.Context(), "SELECT * FROM test_types.every WHERE k = 1", 10)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%v %v", rows, err)
	}
	if len(columns) != len(shown) {
		t.Errorf("columns: got %v, want %d", columns, len(shown))
	}
	for i, name := range columns {
		if rows[0][i] != shown[name] {
			t.Errorf("%s: got %q, want %q", name, rows[0][i], shown[name])
		}
	}
	_, rows, err = bot(t, host).Query(t.Context(), "SELECT t, b, tup, l FROM test_types.every WHERE k = 2", 10)
	if want := []string{"", "0x", "NULL", "NULL"}; err != nil || len(rows) != 1 || !slices.Equal(rows[0], want) {
		t.Errorf("empty and null: got %q, %v; want %q", rows, err, want)
	}
}

// ownKeyspace makes a keyspace for a test that the bot may look into.
func ownKeyspace(t *testing.T, root *gocql.Session, name string, statements ...string) {
	t.Helper()
	execute(t, root, "DROP KEYSPACE IF EXISTS "+name,
		"CREATE KEYSPACE "+name+" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
		"GRANT SELECT ON KEYSPACE "+name+" TO cdcbot")
	execute(t, root, statements...)
	t.Cleanup(func() { execute(t, root, "DROP KEYSPACE "+name) })
}

func TestProbeOnTheLab(t *testing.T) {
	host := lab.Require(t, lab.Cassandra).Cassandra
	got, err := bot(t, host).Probe(t.Context())
	if err != nil || !strings.HasPrefix(got, "Cassandra 5.") || !strings.Contains(got, " at "+host+" answers (cluster lab, keyspace") || !strings.Contains(got, "warehouse") {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestColumnsOnTheLab(t *testing.T) {
	host := lab.Require(t, lab.Cassandra).Cassandra
	root := superuser(t, host)
	ownKeyspace(t, root, "test_columns",
		`CREATE TABLE test_columns.t (z int, a text, c2 int, c1 timestamp, zz frozen<list<int>>, "Mixed" text, s text STATIC, PRIMARY KEY ((z, a), c2, c1))`)
	want := []Column{
		{"z", "int", "partition_key"}, {"a", "text", "partition_key"}, {"c2", "int", "clustering"}, {"c1", "timestamp", "clustering"},
		{"s", "text", "static"}, {"Mixed", "text", "regular"}, {"zz", "frozen<list<int>>", "regular"},
	}
	for _, table := range []string{"t", "T", `"t"`} {
		got, err := bot(t, host).Columns(t.Context(), "test_columns", table)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("columns of %s: got %v, %v; want %v", table, got, err, want)
		}
	}
	for _, table := range []string{"nothing", `"T"`} {
		_, err := bot(t, host).Columns(t.Context(), "test_columns", table)
		check(t, err, Missing, "has no such table")
	}
}

// TestContract is what the actions rely on, on a real server.
func TestContract(t *testing.T) {
	host := lab.Require(t, lab.Cassandra).Cassandra
	root := superuser(t, host)
	ownKeyspace(t, root, "test_contract", "CREATE TABLE test_contract.numbers (n int PRIMARY KEY, name text)",
		"CREATE TABLE test_contract.secret (n int PRIMARY KEY)", "REVOKE SELECT ON KEYSPACE test_contract FROM cdcbot",
		"GRANT SELECT ON TABLE test_contract.numbers TO cdcbot")
	for n := range 5 {
		if err := root.Query("INSERT INTO test_contract.numbers (n, name) VALUES (?, 'x')", n).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name, cql    string
		rows         int
		columns      []string
		reason, text string
	}{
		{name: "all", cql: "SELECT n, name FROM test_contract.numbers", rows: 3, columns: []string{"n", "name"}},
		{name: "semicolon, comments, case", cql: " -- five\n sElEcT count(*) FROM test_contract.numbers; /* done; */ ", rows: 1, columns: []string{"count"}},
		{name: "nothing found", cql: "SELECT n FROM test_contract.numbers WHERE n = 99", columns: []string{"n"}},
		{name: "json", cql: "SELECT JSON * FROM test_contract.numbers WHERE n = 1", rows: 1, columns: []string{"[json]"}},
		{name: "describe keyspaces", cql: "DESCRIBE KEYSPACES;", rows: 3, columns: []string{"keyspace_name", "type", "name"}},
		{name: "describe table", cql: "desc table test_contract.numbers", rows: 1, columns: []string{"keyspace_name", "type", "name", "create_statement"}},
		{name: "describe keyspace", cql: "DESCRIBE KEYSPACE warehouse", rows: 3, columns: []string{"keyspace_name", "type", "name", "create_statement"}},
		{name: "describe tables", cql: "DESCRIBE TABLES", rows: 3, columns: []string{"keyspace_name", "type", "name"}},
		{name: "describe cluster", cql: "DESCRIBE CLUSTER", rows: 1, columns: []string{"cluster", "partitioner", "snitch"}},
		{name: "describe nothing", cql: "DESCRIBE TABLE warehouse.nothing", reason: Missing, text: "has no such table"},
		{name: "no such keyspace", cql: "SELECT * FROM nowhere.users", reason: Missing, text: "has no such keyspace or table (0x2200"},
		{name: "no such table", cql: "SELECT * FROM warehouse.nothing", reason: Missing, text: "has no such"},
		{name: "no such column", cql: "SELECT nothing FROM warehouse.users", reason: Missing, text: "has no such column"},
		{name: "no keyspace named", cql: "SELECT * FROM users", reason: Broken, text: "refused the statement (0x2200"},
		{name: "needs filtering", cql: "SELECT * FROM test_contract.numbers WHERE name = 'x'", reason: Broken, text: "ALLOW FILTERING"},
		{name: "bind marker", cql: "SELECT * FROM test_contract.numbers WHERE n = ?", reason: Broken, text: "0x2200"},
		{name: "nonsense", cql: "SELECT FROM WHERE", reason: Broken, text: "does not understand the statement (0x2000"},
		{name: "not allowed", cql: "SELECT * FROM test_contract.secret", reason: Denied, text: "denies the permission (0x2100"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			columns, rows, err := bot(t, host).Query(t.Context(), tc.cql, 3)
			check(t, err, tc.reason, tc.text)
			if err == nil && (!slices.Equal(columns, tc.columns) || len(rows) != tc.rows) {
				t.Errorf("%s: got %q %q, want %q and %d rows", tc.cql, columns, rows, tc.columns, tc.rows)
			}
		})
	}
}

// TestPages reads more rows than a page holds.
func TestPages(t *testing.T) {
	host := lab.Require(t, lab.Cassandra).Cassandra
	root := superuser(t, host)
	ownKeyspace(t, root, "test_pages", "CREATE TABLE test_pages.t (k int, n int, PRIMARY KEY (k, n))")
	const all = 2*mostPage + 500
	for begin := 0; begin < all; begin += 250 {
		batch := root.NewBatch(gocql.UnloggedBatch)
		for n := range 250 {
			batch.Query("INSERT INTO test_pages.t (k, n) VALUES (1, ?)", begin+n)
		}
		if err := root.ExecuteBatch(batch); err != nil {
			t.Fatal(err)
		}
	}
	for _, max := range []int{1, 999, mostPage, mostPage + 1, all, all + 1} {
		_, rows, err := bot(t, host).Query(t.Context(), "SELECT n FROM test_pages.t WHERE k = 1", max)
		if err != nil || len(rows) != min(max, all) {
			t.Errorf("at most %d: got %d rows, %v", max, len(rows), err)
		}
	}
}

// TestNothingIsWritten tries every kind of statement that could change something, past the client's own check too: what
// the bot's role may not do, the server refuses.
func TestNothingIsWritten(t *testing.T) {
	host := lab.Require(t, lab.Cassandra).Cassandra
	for _, cql := range []string{
		"INSERT INTO warehouse.users (id) VALUES ('by-bot')", "TRUNCATE warehouse.users", "DROP TABLE warehouse.users",
		"CREATE TABLE warehouse.t (k int PRIMARY KEY)", "GRANT SELECT ON KEYSPACE warehouse TO app", "DELETE FROM warehouse.users WHERE id = 'x'",
	} {
		if _, _, err := bot(t, host).Query(t.Context(), cql, 1); !errors.Is(err, ErrNotRead) {
			t.Errorf("%s: got %v, want ErrNotRead", cql, err)
		}
		c := bot(t, host)
		err := c.look(t.Context(), "attack", func(ctx context.Context, s *gocql.Session) error { return s.Query(cql).WithContext(ctx).Exec() })
		check(t, err, Denied, "denies the permission")
	}
}

func TestLogins(t *testing.T) {
	host := lab.Require(t, lab.Cassandra).Cassandra
	file := filepath.Join(t.TempDir(), "password")
	write(t, file, "cdcbot\n")
	tests := []struct {
		name         string
		o            Options
		reason, text string
	}{
		{"right", Options{Username: "cdcbot", Password: "cdcbot"}, "", ""},
		{"file wins", Options{Username: "cdcbot", Password: secret, PasswordFile: file}, "", ""},
		{"wrong password", Options{Username: "cdcbot", Password: secret}, Denied, "refused the login (0x0100"},
		{"unknown user", Options{Username: "nobody", Password: secret}, Denied, "refused the login"},
		{"no login", Options{}, Denied, "wants a login, and none is configured"},
		{"keyspace", Options{Username: "cdcbot", Password: "cdcbot", Keyspace: "warehouse"}, "", ""},
		{"no such keyspace", Options{Username: "cdcbot", Password: "cdcbot", Keyspace: "nowhere"}, Missing, "no such keyspace: nowhere"},
		{"datacenter", Options{Username: "cdcbot", Password: "cdcbot", Datacenter: "datacenter1"}, "", ""},
		{"another datacenter", Options{Username: "cdcbot", Password: "cdcbot", Datacenter: "dc2"}, Missing, "is in datacenter datacenter1, not in dc2"},
		{"by name", Options{Hosts: []string{strings.Replace(host, "127.0.0.1", "localhost", 1)}, Username: "cdcbot", Password: "cdcbot"}, "", ""},
		{"second host", Options{Hosts: []string{"127.0.0.1:1", host}, Username: "cdcbot", Password: "cdcbot"}, "", ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if tc.o.Hosts == nil {
				tc.o.Hosts = []string{host}
			}
			tc.o.Timeout = 10 * time.Second
			began := time.Now()
			_, err := mustNew(t, tc.o).Probe(t.Context())
			check(t, err, tc.reason, tc.text)
			t.Logf("%v: %v", time.Since(began).Round(time.Millisecond), err)
		})
	}
}

// TestPasswordRotation changes the file between two looks.
func TestPasswordRotation(t *testing.T) {
	host := lab.Require(t, lab.Cassandra).Cassandra
	file := filepath.Join(t.TempDir(), "password")
	c := mustNew(t, Options{Hosts: []string{host}, Username: "cdcbot", PasswordFile: file, Timeout: 10 * time.Second})
	write(t, file, secret)
	_, err := c.Probe(t.Context())
	check(t, err, Denied, "refused the login")
	write(t, file, "cdcbot")
	_, err = c.Probe(t.Context())
	check(t, err, "", "")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err = c.Probe(t.Context()); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "password file of Cassandra") {
		t.Errorf("without the file: %v", err)
	}
}

// TestKeyspaceIsUsed asks for a table without its keyspace.
func TestKeyspaceIsUsed(t *testing.T) {
	host := lab.Require(t, lab.Cassandra).Cassandra
	c := mustNew(t, Options{Hosts: []string{host}, Username: "cdcbot", Password: "cdcbot", Keyspace: "warehouse", Timeout: 10 * time.Second})
	_, _, err := c.Query(t.Context(), "SELECT id FROM users", 1)
	check(t, err, "", "")
}

// TestHangingContactPoint has a host that takes connections and says nothing; the other one answers for it.
func TestHangingContactPoint(t *testing.T) {
	host := lab.Require(t, lab.Cassandra).Cassandra
	noLeftovers(t)
	dead := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	const limit = 4 * time.Second
	for range 3 { // the driver takes them in any order
		_, err := mustNew(t, Options{Hosts: []string{dead, host}, Username: "cdcbot", Password: "cdcbot", Timeout: limit}).Probe(t.Context())
		check(t, err, "", "")
	}
}
