package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Changes on a real server: what a rehearsal promises, and what it says when it cannot.
func TestChange(t *testing.T) {
	db := startServer(t)
	c := db.client(t, "postgres", "x")
	admin, err := pgx.Connect(t.Context(), db.url("postgres", "x"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close(context.Background()) })
	for _, sql := range []string{"CREATE TABLE cdc_users (id int PRIMARY KEY, age int NOT NULL DEFAULT 0, name text)", "CREATE INDEX by_name ON cdc_users (name)", "ALTER TABLE cdc_users ADD CONSTRAINT adult CHECK (age >= 0)", "INSERT INTO cdc_users VALUES (1, 2, 'x')", "CREATE ROLE reader LOGIN PASSWORD 'right'"} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	add := []string{"ALTER TABLE cdc_users ADD COLUMN new_column varchar(255)"}
	if err := c.Rehearse(t.Context(), add); err != nil {
		t.Errorf("rehearsal: %v", err)
	}
	if got := describe(t, c, "cdc_users"); strings.Contains(got, "new_column") {
		t.Errorf("a rehearsal left something:\n%s", got)
	}
	if err := c.Alter(t.Context(), add); err != nil {
		t.Errorf("alter: %v", err)
	}
	want := "id|integer|not null|\nage|integer|not null|0\nname|text||\nnew_column|character varying(255)||\nindex by_name|btree (name)||\nindex cdc_users_pkey|btree (id)|primary key|\ncheck adult|CHECK ((age >= 0))||"
	if got := describe(t, c, "cdc_users"); got != want {
		t.Errorf("describe: got\n%s\nwant\n%s", got, want)
	}
	if got := describe(t, c, ""); !strings.Contains(got, "public|cdc_users|table|") {
		t.Errorf("tables: got %s", got)
	}
	cases := []struct {
		name, sql, want string
		client          *Client
	}{
		{"column twice", add[0], `column "new_column" of relation "cdc_users" already exists`, c},
		{"no such table", "ALTER TABLE nope ADD COLUMN a int", "has no such table", c},
		{"syntax", "ALTER TABL cdc_users", "42601", c},
		{"no permission", "ALTER TABLE cdc_users ADD COLUMN b int", "must be owner", db.client(t, "reader", "right")},
		{"no such column", "ALTER TABLE cdc_users ALTER COLUMN nope TYPE text", "has no such column", c},
		{"no such type", "ALTER TABLE cdc_users ADD COLUMN b strnig", "has no such type", c},
		{"two in one", "ALTER TABLE cdc_users ADD COLUMN b int; COMMIT", "cannot insert multiple commands", c},
		{"ends the transaction", " -- x\n/* y */ Commit", "COMMIT is not allowed", c},
		{"cannot be in a transaction", "CREATE INDEX CONCURRENTLY by_age ON cdc_users (age)", "cannot run inside a transaction block", c},
		{"a row that would break it", "ALTER TABLE cdc_users ALTER COLUMN new_column SET NOT NULL", "has rows that break the constraint", c},
		{"a value that does not fit", "ALTER TABLE cdc_users ALTER COLUMN name TYPE integer USING name::integer", "invalid input syntax", c},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			for _, change := range []func(context.Context, []string) error{tc.client.Rehearse, tc.client.Alter} {
				err := change(t.Context(), []string{"SELECT 1", tc.sql})
				if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "statement 2 of 2") {
					t.Errorf("%s: got %v, want %q of statement 2 of 2", tc.sql, err, tc.want)
				}
			}
		})
	}
	t.Run("locked", func(t *testing.T) { locked(t, c, admin) })
	t.Run("missing table", func(t *testing.T) {
		_, _, err := c.Describe(t.Context(), "nope")
		check(t, err, Missing, "has no such table")
	})
	if err := c.Rehearse(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "no statement") {
		t.Errorf("nothing to do: got %v", err)
	}
	if c.Database() != "postgres" {
		t.Errorf("database: got %s", c.Database())
	}
}

func describe(t *testing.T, c *Client, table string) string {
	t.Helper()
	_, rows, err := c.Describe(t.Context(), table)
	if err != nil {
		t.Fatal(err)
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = strings.Join(row, "|")
	}
	return strings.Join(lines, "\n")
}

// locked: somebody holds the table; the change gives up soon and names the holder.
func locked(t *testing.T, c *Client, admin *pgx.Conn) {
	tx, err := admin.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), "SET LOCAL application_name = 'night job'; SELECT * FROM cdc_users"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	err = c.Rehearse(t.Context(), []string{"ALTER TABLE cdc_users ADD COLUMN late int"})
	var e *Error
	if !errors.As(err, &e) || e.Code != lockNotAvailable || !strings.Contains(err.Error(), "locked by pid ") || !strings.Contains(err.Error(), "(night job, user postgres, idle in transaction) for ") {
		t.Errorf("got %v, want an error that names who holds the lock", err)
	}
	if took := time.Since(began); took < 2*time.Second || took > 10*time.Second {
		t.Errorf("gave up after %s, want about 3 s", took)
	}
}

// words are statements and the word that decides about them.
var words = []struct{ name, sql, want string }{
	{"plain", "commit", "COMMIT"},
	{"after comments", " -- a\n /* b /* c */ */\tRollback;", "ROLLBACK"},
	{"after nothing", ";; end work", "END"},
	{"in brackets", "(SELECT 1)", "SELECT"},
	{"comment without end", "/* COMMIT", ""},
	{"line without end", "-- COMMIT", ""},
	{"slash star slash", "/*/ COMMIT */ SELECT 1", "SELECT"},
	{"empty", "", ""},
	{"not a word", "$1", ""},
}

func TestFirstWord(t *testing.T) {
	for _, tc := range words {
		t.Run(tc.name, func(t *testing.T) {
			if got := firstWord(tc.sql); got != tc.want {
				t.Errorf("firstWord(%q): got %q, want %q", tc.sql, got, tc.want)
			}
		})
	}
}

func FuzzFirstWord(f *testing.F) {
	for _, tc := range words {
		f.Add(tc.sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		if got := firstWord(sql); got != strings.ToUpper(got) || !strings.Contains(strings.ToUpper(sql), got) {
			t.Errorf("firstWord(%q): got %q", sql, got)
		}
	})
}
