package drift_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"cdcbot/internal/action"
	"cdcbot/internal/drift"
	"cdcbot/internal/lab"
	"cdcbot/internal/target/cassandra"
	"cdcbot/internal/target/postgres"
)

// shop is a schema of the tests' own.
const shop = "test_drift"

// source has a column of each way to be mended, and its sink is drifted in each of them.
var source = drift.Table{Schema: shop, Name: "orders", Columns: []drift.Column{
	{Name: "id", Type: "text", Key: drift.Partition}, {Name: "day", Type: "date", Key: drift.Clustering},
	{Name: "order", Type: "text"}, {Name: `o"dd`, Type: "decimal"}, {Name: "short", Type: "text"}, {Name: "small", Type: "int"},
	{Name: "half", Type: "double"}, {Name: "rounded", Type: "varint"}, {Name: "at", Type: "timestamp"}, {Name: "zoned", Type: "timestamp"}, {Name: "born", Type: "timestamp"},
	{Name: "number", Type: "text"}, {Name: "doc", Type: "text"}, {Name: "blank", Type: "text"}, {Name: "tags", Type: "set<int>"}, {Name: "notes", Type: "list<text>"},
	{Name: "wanted", Type: "boolean"}, {Name: "key", Type: "text"}, {Name: "ref", Type: "uuid"}, {Name: "whole", Type: "int"},
	{Name: "m", Type: "map<text, frozen<list<int>>>"}, {Name: "u", Type: "frozen<address>"}, {Name: "v", Type: "vector<float, 3>"}, {Name: "took", Type: "duration"},
}}

const sinkSQL = `CREATE TABLE test_drift."Orders" (id text, day date, short varchar(3), small smallint, half real, rounded numeric(38,-1), at timestamp(0),
	zoned timestamp(1) with time zone, born date, number integer DEFAULT 7, doc jsonb, blank char(5), tags smallint[], notes varchar(3)[], wanted boolean NOT NULL,
	key uuid, ref varchar(36), whole numeric(5,2), __deleted boolean, extra text NOT NULL, PRIMARY KEY (id, day))`

const rowSQL = `INSERT INTO test_drift."Orders" (id, day, short, small, half, rounded, at, zoned, born, number, doc, blank, tags, notes, wanted, key, ref, whole, extra)
	VALUES ('a', '2026-01-02', 'abc', 7, 0.1, 120, '2026-01-02 03:04:05', '2026-01-02 03:04:05.6+00', '2026-01-02', 42, '{"a": 1}', 'x', '{1,2}', '{ab}', true,
	'123e4567-e89b-12d3-a456-426614174000', 'r', 123.45, 'e')`

// valuesSQL shows the values as they must stay.
const valuesSQL = `SELECT concat_ws('|', short, small, half::real, rounded, to_char(at, 'HH24:MI:SS'), to_char(zoned AT TIME ZONE 'UTC', 'SS.MS'), to_char(born, 'YYYYMMDD'), number, doc, rtrim(blank), tags, notes, key, whole)
	FROM test_drift."Orders"`

// TestMendsPostgres drifts a table, mends it, and finds no drift and no lost value.
func TestMendsPostgres(t *testing.T) {
	services := lab.Require(t, lab.Postgres)
	services.SQL(t, "DROP SCHEMA IF EXISTS "+shop+" CASCADE", "CREATE SCHEMA "+shop, sinkSQL, rowSQL)
	t.Cleanup(func() { drop(t, services) })
	client, err := postgres.New(postgres.Options{URL: services.PostgresRoot})
	if err != nil {
		t.Fatal(err)
	}
	before := drift.Compare(source, sink(t, client))
	t.Logf("drift:\n%s", before)
	statements := before.Statements()
	if len(statements) != len(before.Rows) || !before.Breaks() {
		t.Errorf("%d statements for %d rows", len(statements), len(before.Rows))
	}
	values := value(t, services, valuesSQL)
	if err := client.Rehearse(t.Context(), statements); err != nil {
		t.Fatalf("rehearsal: %v", err)
	}
	if again := drift.Compare(source, sink(t, client)); len(again.Rows) != len(before.Rows) {
		t.Errorf("after a rehearsal, which changes nothing:\n%s", again)
	}
	if err := client.Alter(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
	after := drift.Compare(source, sink(t, client))
	if want := []string{"- extra text  only in PostgreSQL, harmless"}; !slices.Equal(after.Lines(), want) {
		t.Errorf("left:\n%s\nwant %q", after, want)
	}
	if got := value(t, services, valuesSQL); got != values {
		t.Errorf("values: got %s, want %s", got, values)
	}
}

// TestEveryTypeBecomesAColumn adds a column for each type of CQL to a table that has none.
func TestEveryTypeBecomesAColumn(t *testing.T) {
	services := lab.Require(t, lab.Postgres, lab.Cassandra)
	services.CQL(t, "DROP KEYSPACE IF EXISTS "+shop,
		"CREATE KEYSPACE "+shop+" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
		"GRANT SELECT ON KEYSPACE "+shop+" TO "+lab.BotOnCQL,
		`CREATE TYPE `+shop+`."Address" (street text, number int)`,
		`CREATE TABLE `+shop+`.every (k int, c timestamp, st text STATIC, a ascii, bi bigint, b blob, bo boolean, d date, de decimal, dou double, du duration, f float, i inet,
			si smallint, t text, ti time, ts timestamp, tu timeuuid, tiny tinyint, u uuid, vi varint, l list<int>, s set<text>, m map<text, frozen<list<int>>>,
			tup tuple<int, text, boolean>, ud frozen<"Address">, uds list<frozen<"Address">>, nested frozen<tuple<int, frozen<list<text>>>>, vec vector<float, 3>,
			"Mixed" text, "order" varchar, PRIMARY KEY (k, c))`)
	t.Cleanup(func() { services.CQL(t, "DROP KEYSPACE "+shop) })
	services.SQL(t, "DROP SCHEMA IF EXISTS "+shop+" CASCADE", "CREATE SCHEMA "+shop, `CREATE TABLE test_drift."Orders" (k integer, c timestamp, PRIMARY KEY (k, c))`)
	t.Cleanup(func() { drop(t, services) })
	from, err := cassandra.New(cassandra.Options{Hosts: []string{services.Cassandra}, Username: lab.BotOnCQL, Password: lab.BotOnCQL})
	if err != nil {
		t.Fatal(err)
	}
	to, err := postgres.New(postgres.Options{URL: services.PostgresRoot})
	if err != nil {
		t.Fatal(err)
	}
	columns, err := from.Columns(t.Context(), shop, "every")
	if err != nil {
		t.Fatal(err)
	}
	every := drift.Table{Schema: shop, Name: "every"}
	for _, c := range columns {
		every.Columns = append(every.Columns, drift.Column{Name: c.Name, Type: c.Type, Key: drift.Key(c.Kind)})
	}
	before := drift.Compare(every, sink(t, to))
	t.Logf("drift:\n%s", before)
	if want := len(columns) - 2; len(before.Statements()) != want {
		t.Errorf("got %d statements, want %d", len(before.Statements()), want)
	}
	if err := to.Alter(t.Context(), before.Statements()); err != nil {
		t.Fatal(err)
	}
	after := drift.Compare(every, sink(t, to))
	if after.Breaks() || len(after.Rows) != 1 || after.Rows[0].Kind != drift.Case {
		t.Errorf("left:\n%s\nwant the row of the column Mixed alone", after)
	}
}

// TestStatementsAreAllowed: what is proposed passes the door that everything about tables must pass.
func TestStatementsAreAllowed(t *testing.T) {
	for _, sink := range []drift.Table{
		{Name: "cdc_orders"},
		{Schema: "Odd schema", Name: `o"rders; DROP TABLE x --`, Columns: []drift.Column{
			{Name: "id", Type: "character varying(3)"}, {Name: "small", Type: "smallint", NotNull: true}, {Name: "notes", Type: "smallint[]"}, {Name: "half", Type: "real"},
			{Name: "at", Type: "timestamp(0) with time zone"}, {Name: `x"; DROP TABLE y --`, Type: "text", NotNull: true},
		}},
	} {
		d := drift.Compare(source, sink)
		statements := d.Statements()
		if len(statements) == 0 {
			t.Fatalf("no statement for\n%s", d)
		}
		for _, s := range statements {
			changes, err := action.ParseDDL(s)
			if err != nil || len(changes) != 1 {
				t.Errorf("%s: %v, %v", s, changes, err)
			}
		}
		if changes, err := action.ParseDDL(strings.Join(statements, ";\n")); err != nil || len(changes) != len(statements) {
			t.Errorf("together: %d changes of %d, %v", len(changes), len(statements), err)
		}
	}
}

// sink reads the table of the tests, as the bot does.
func sink(t *testing.T, client *postgres.Client) drift.Table {
	t.Helper()
	table := drift.Table{Schema: shop, Name: "Orders"}
	columns, err := client.Columns(t.Context(), table.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range columns {
		column := drift.Column{Name: c.Name, Type: c.Type, NotNull: c.NotNull, HasDefault: c.Default, Generated: c.Generated}
		if c.Key {
			column.Key = drift.Primary
		}
		table.Columns = append(table.Columns, column)
	}
	return table
}

func value(t *testing.T, services lab.Services, query string) (text string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), services.PostgresRoot)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), query).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// drop takes the schema away again; a test's own context has ended by then.
func drop(t *testing.T, services lab.Services) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), services.PostgresRoot)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), "DROP SCHEMA IF EXISTS "+shop+" CASCADE"); err != nil {
		t.Error(err)
	}
}
