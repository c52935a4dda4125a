package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

const secret = "Zq7kPlantedSecret"

func TestReal(t *testing.T) {
	db := startServer(t)
	db.exec(t, "CREATE TABLE orders (id int PRIMARY KEY, shop varchar(20) NOT NULL, \"Odd Name\" numeric(10,2))",
		"INSERT INTO orders VALUES (1, 'north', 1.5), (2, 'south', NULL)",
		"CREATE SCHEMA stock", "CREATE TABLE stock.\"Box.1\" (id int)", "INSERT INTO stock.\"Box.1\" VALUES (7)",
		"CREATE ROLE sink LOGIN PASSWORD 'right'", "CREATE ROLE locked NOLOGIN",
		"CREATE FUNCTION writes() RETURNS int VOLATILE LANGUAGE sql AS 'DELETE FROM orders RETURNING 1'")

	t.Run("probe", func(t *testing.T) {
		text, err := db.client(t, "postgres", "x").Probe(t.Context())
		if err != nil || !strings.Contains(text, "answers (database postgres, user postgres)") {
			t.Errorf("Probe() = %q, %v", text, err)
		}
	})
	t.Run("standing in for a standby", func(t *testing.T) {
		db.exec(t, "ALTER ROLE sink SET default_transaction_read_only = on")
		text, err := db.client(t, "sink", "right").Probe(t.Context())
		if err != nil || !strings.Contains(text, "it is read-only") && !strings.Contains(text, "PostgreSQL 1") {
			t.Errorf("Probe() = %q, %v", text, err)
		}
	})
	counts := []struct {
		name, table string
		want        int64
		err         string
	}{
		{"plain", "orders", 2, ""},
		{"folded", "ORDERS", 2, ""},
		{"with schema", "public.orders", 2, ""},
		{"quoted", `stock."Box.1"`, 1, ""},
		{"missing", "nothing", 0, "has no such table (42P01"},
		{"missing schema", "nowhere.orders", 0, "has no such table"},
		{"injection", `orders; DROP TABLE orders`, 0, "has no such table"},
	}
	for _, tc := range counts {
		t.Run("count "+tc.name, func(t *testing.T) {
			got, err := db.client(t, "postgres", "x").Count(t.Context(), tc.table)
			if got != tc.want || tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
				t.Errorf("Count(%q) = %d, %v; want %d, %q", tc.table, got, err, tc.want, tc.err)
			}
		})
	}
	t.Run("columns", func(t *testing.T) {
		got, err := db.client(t, "postgres", "x").Columns(t.Context(), "orders")
		want := []Column{{"id", "integer", true, true}, {"shop", "character varying(20)", true, false}, {"Odd Name", "numeric(10,2)", false, false}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("columns: %v (-want +got):\n%s", err, diff)
		}
		if _, err := db.client(t, "postgres", "x").Columns(t.Context(), "nothing"); reason(err) != Missing {
			t.Errorf("columns of nothing: %v", err)
		}
	})
	t.Run("query", func(t *testing.T) {
		columns, rows, err := db.client(t, "postgres", "x").Query(t.Context(), "SELECT id, \"Odd Name\" FROM orders ORDER BY id", 10)
		if diff := cmp.Diff([][]string{{"id", "Odd Name"}, {"1", "1.50"}, {"2", "NULL"}}, append([][]string{columns}, rows...)); diff != "" || err != nil {
			t.Errorf("query: %v (-want +got):\n%s", err, diff)
		}
		_, many, err := db.client(t, "postgres", "x").Query(t.Context(), "SELECT generate_series(1, 100000)", 200)
		if err != nil || len(many) != 200 {
			t.Errorf("query of 100,000 rows: %d kept, %v", len(many), err)
		}
		began := time.Now()
		_, many, err = db.client(t, "postgres", "x").Query(t.Context(), "SELECT generate_series(1, 1000000000)", 3)
		if took := time.Since(began); err != nil || len(many) != 3 || took > 5*time.Second {
			t.Errorf("query of a billion rows: %d kept after %s, %v", len(many), took, err)
		}
	})
	t.Run("text form", func(t *testing.T) {
		columns, rows, err := db.client(t, "postgres", "x").Query(t.Context(), `SELECT true AS yes, NULL AS none, ARRAY[1,2] AS list, '{"a": 1}'::jsonb AS doc, '2026-01-02 03:04:05+00'::timestamptz AT TIME ZONE 'UTC' AS at, '\x00ff'::bytea AS raw`, 10)
		want := [][]string{{"yes", "none", "list", "doc", "at", "raw"}, {"t", "NULL", "{1,2}", `{"a": 1}`, "2026-01-02 03:04:05", `\x00ff`}}
		if diff := cmp.Diff(want, append([][]string{columns}, rows...)); diff != "" || err != nil {
			t.Errorf("query: %v (-want +got):\n%s", err, diff)
		}
		columns, rows, err = db.client(t, "postgres", "x").Query(t.Context(), "SET LOCAL work_mem = '1MB'", 10)
		if diff := cmp.Diff([][]string{{"Command"}, {"SET"}}, append([][]string{columns}, rows...)); diff != "" || err != nil {
			t.Errorf("a statement without rows: %v (-want +got):\n%s", err, diff)
		}
	})
	refusals := []struct{ name, sql, want string }{
		{"write", "DELETE FROM orders", "read-only"},
		{"two statements", "SELECT 1; DELETE FROM orders", "cannot insert multiple commands"},
		{"escape", "SET TRANSACTION READ WRITE", ""},
		{"syntax", "SELEKT", "42601"},
		{"writing CTE", "WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone", "read-only"},
		{"row locks", "SELECT * FROM orders FOR UPDATE", "read-only"},
		{"function that writes", "SELECT writes()", "read-only"},
		{"large object", "SELECT lo_create(0)", ""}, // refused since PostgreSQL 16, undone before
		{"out of the transaction", "SELECT set_config('transaction_read_only', 'off', true), writes()", "25001"},
		{"program of the server", " /* a /* b */ */ -- c\n copy orders TO PROGRAM 'true'", "COPY is not allowed"},
		{"anonymous block", "DO $$BEGIN DELETE FROM orders; END$$", "read-only"},
		{"large answer", "SELECT repeat('x', 1000000) FROM generate_series(1, 9)", "larger than 4 MiB"},
	}
	for _, tc := range refusals {
		t.Run("refused "+tc.name, func(t *testing.T) {
			_, _, err := db.client(t, "postgres", "x").Query(t.Context(), tc.sql, 10)
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("Query(%q): %v, want %q", tc.sql, err, tc.want)
			}
		})
	}
	if n, err := db.client(t, "postgres", "x").Count(t.Context(), "orders"); n != 2 || err != nil {
		t.Errorf("orders afterwards: %d, %v", n, err)
	}
	if n, err := db.client(t, "postgres", "x").Count(t.Context(), "pg_largeobject_metadata"); n != 0 || err != nil {
		t.Errorf("large objects afterwards: %d, %v", n, err)
	}
	logins := []struct{ name, user, password, database, reason, text string }{
		{"right", "sink", "right", "postgres", "", ""},
		{"wrong password", "sink", secret, "postgres", Denied, "refused the password"},
		{"no such role", "nobody2", secret, "postgres", Denied, "refused the password"},
		{"may not log in", "locked", secret, "postgres", Denied, "refused the"},
		{"no such database", "sink", "right", "nowhere", Missing, "has no such database"},
	}
	for _, tc := range logins {
		t.Run("login "+tc.name, func(t *testing.T) {
			c := mustNew(t, Options{URL: fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s", tc.user, db.port, tc.database), Password: tc.password})
			_, err := c.Probe(t.Context())
			check(t, err, tc.reason, tc.text)
		})
	}
	t.Run("privilege", func(t *testing.T) {
		_, err := db.client(t, "sink", "right").Count(t.Context(), "orders")
		check(t, err, Denied, "denies the permission")
	})
	t.Run("password file is read anew", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "password")
		c := mustNew(t, Options{URL: fmt.Sprintf("postgres://sink@127.0.0.1:%d/postgres", db.port), PasswordFile: file})
		if _, err := c.Probe(t.Context()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("without the file: %v", err)
		}
		write(t, file, "wrong\n")
		_, err := c.Probe(t.Context())
		check(t, err, Denied, "")
		write(t, file, "right\n")
		_, err = c.Probe(t.Context())
		check(t, err, "", "")
	})
	t.Run("slow statement", func(t *testing.T) {
		c := mustNew(t, Options{URL: db.url("postgres", "x"), Timeout: 300 * time.Millisecond})
		start := time.Now()
		_, _, err := c.Query(t.Context(), "SELECT pg_sleep(60)", 10)
		check(t, err, Timeout, "in time")
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("took %s", took)
		}
	})
	t.Run("too many connections", func(t *testing.T) {
		var open []*pgx.Conn
		defer func() {
			for _, c := range open {
				_ = c.Close(context.Background())
			}
		}()
		for range 30 { // the server takes 10
			if c, err := pgx.Connect(t.Context(), db.url("sink", "right")); err == nil {
				open = append(open, c)
			}
		}
		_, err := db.client(t, "sink", "right").Probe(t.Context())
		check(t, err, Busy, "")
	})
	t.Run("no TLS", func(t *testing.T) {
		_, err := mustNew(t, Options{URL: db.url("sink", secret) + "?sslmode=require"}).Probe(t.Context())
		check(t, err, Broken, "TLS")
	})
	t.Run("stopped", func(t *testing.T) {
		db.stop(t)
		_, err := mustNew(t, Options{URL: db.url("sink", secret)}).Probe(t.Context())
		check(t, err, Refused, "refused the connection")
	})
}

// TestSilence talks to servers that are none.
func TestSilence(t *testing.T) {
	tests := []struct {
		name   string
		serve  func(net.Conn)
		reason string
	}{
		{"hangs", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, Timeout},
		{"hangs up", func(c net.Conn) { _ = c.Close() }, Refused},
		{"talks HTTP", func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")); _ = c.Close() }, Broken},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					go tc.serve(conn)
				}
			}()
			c := mustNew(t, Options{URL: fmt.Sprintf("postgres://u:%s@%s/d", secret, listener.Addr()), Timeout: 400 * time.Millisecond})
			start := time.Now()
			_, err = c.Probe(t.Context())
			check(t, err, tc.reason, "")
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestUnknownHost(t *testing.T) {
	_, err := mustNew(t, Options{URL: "postgres://u:" + secret + "@no-such-host.invalid/d", Timeout: 2 * time.Second}).Probe(t.Context())
	if r := reason(err); r != Missing && r != Timeout && r != Broken || strings.Contains(err.Error(), secret) {
		t.Errorf("unknown host: %v (%s)", err, r)
	}
}

func TestNew(t *testing.T) {
	for _, url := range []string{"", "postgres://u:" + secret + "@h:port/d", "://" + secret, "mysql://u:" + secret + "@h/d", "host=h password=" + secret + " port=x"} {
		c, err := New(Options{URL: url})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("New(%q) = %v, %v", url, c, err)
		}
	}
	c, err := New(Options{URL: "host=/var/run/postgresql dbname=d"})
	if err != nil || c.Address() != "/var/run/postgresql" {
		t.Errorf("socket: %v", err)
	}
}

func TestIdentifier(t *testing.T) {
	tests := []struct{ name, table, want string }{
		{"plain", "orders", `"orders"`},
		{"schema", "stock.orders", `"stock"."orders"`},
		{"folded", "Stock.ORDERS", `"stock"."orders"`},
		{"quoted", `"Stock"."a.b"`, `"Stock"."a.b"`},
		{"quote in quotes", `"a""b"`, `"a""b"`},
		{"injection", `a; DROP TABLE b --`, `"a; drop table b --"`},
		{"empty", "", ""},
		{"three parts", "a.b.c", ""},
		{"empty part", "a.", ""},
		{"open quote", `"a`, ""},
		{"stray quote", `a"b`, ""},
		{"text after quote", `"a"b`, ""},
		{"nul", "a\x00b", ""},
	}
	for _, tc := range tests {
		got, err := identifier(tc.table)
		if (err != nil) != (tc.want == "") || err == nil && got.Sanitize() != tc.want {
			t.Errorf("%s: identifier(%q) = %v, %v; want %s", tc.name, tc.table, got, err, tc.want)
		}
	}
}

func FuzzIdentifier(f *testing.F) {
	for _, s := range []string{"a", "a.b", `"a""b".c`, "", ".", `"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, table string) {
		if parts, err := identifier(table); err == nil && (len(parts) < 1 || len(parts) > 2 || parts[0] == "") {
			t.Fatalf("identifier(%q) = %q", table, parts)
		}
	})
}

func check(t *testing.T, err error, want, text string) {
	t.Helper()
	if got := reason(err); got != want {
		t.Errorf("reason %q, want %q: %v", got, want, err)
	}
	if err != nil && (!strings.Contains(err.Error(), text) || strings.Contains(err.Error(), secret)) {
		t.Errorf("error %q, want %q in it and no secret", err, text)
	}
}

func reason(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func mustNew(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
