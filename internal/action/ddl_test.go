package action

import (
	"errors"
	"strings"
	"testing"
)

func TestParseDDL(t *testing.T) {
	cases := []struct{ name, sql, want string }{ // what it says, or the reason in brackets
		{"the runbook's own", "\nALTER TABLE cdc_users ADD COLUMN new_column VARCHAR(255);\n", "Adds the column new_column (varchar(255)) to cdc_users."},
		{"several", "ALTER TABLE public.t ADD a int, ADD COLUMN IF NOT EXISTS b numeric(10,2) DEFAULT 0 NOT NULL; ALTER TABLE t ADD c text[]", "Adds the column a (int4) to public.t. Adds the column b (numeric(10,2)) to public.t. Adds the column c (text[]) to t."},
		{"type", `ALTER TABLE "T" ALTER COLUMN age TYPE bigint`, "Changes the type of age of T to int8; PostgreSQL may rewrite the table, which is locked meanwhile."},
		{"relaxed", "ALTER TABLE t ALTER a DROP NOT NULL, ALTER b SET DEFAULT 1, ALTER c DROP DEFAULT", "Allows a of t to be null. Changes the default of b of t. Takes the default of c of t away."},
		{"negative default", "ALTER TABLE t ADD a int DEFAULT -1", "Adds the column a (int4) to t."},
		{"a comment hides nothing", "ALTER TABLE t ADD a int /* ; DROP TABLE t */ -- DROP\n", "Adds the column a (int4) to t."},
		{"drop column", "ALTER TABLE t DROP COLUMN a", "[DropColumn of t]"},
		{"one bad of two", "ALTER TABLE t ADD a int; DROP TABLE t", "[statement 2 of 2: refused: it is no ALTER TABLE]"},
		{"bad part", "ALTER TABLE t ADD a int, DROP COLUMN b", "[DropColumn]"},
		{"rename", "ALTER TABLE t RENAME TO u", "[no ALTER TABLE]"},
		{"owner", "ALTER TABLE t OWNER TO evil", "[ChangeOwner]"},
		{"view", "ALTER VIEW v ALTER COLUMN a SET DEFAULT 1", "[something else than a table]"},
		{"truncate", "TRUNCATE t", "[no ALTER TABLE]"},
		{"update", "UPDATE t SET a = 1", "[no ALTER TABLE]"},
		{"grant", "GRANT ALL ON t TO evil", "[no ALTER TABLE]"},
		{"do", "DO $$BEGIN DROP TABLE t; END$$", "[no ALTER TABLE]"},
		{"copy program", "COPY t FROM PROGRAM 'rm -rf /'", "[no ALTER TABLE]"},
		{"index", "CREATE INDEX CONCURRENTLY i ON t (a)", "[no ALTER TABLE]"},
		{"volatile default", "ALTER TABLE t ADD a timestamptz DEFAULT clock_timestamp()", "[not a constant]"},
		{"not null", "ALTER TABLE t ADD a int NOT NULL", "[NOT NULL without a default]"},
		{"references", "ALTER TABLE t ADD a int REFERENCES u", "[does not add (FOREIGN)]"},
		{"check", "ALTER TABLE t ADD a int CHECK (evil())", "[does not add (CHECK)]"},
		{"using a function", "ALTER TABLE t ALTER a TYPE int USING pg_terminate_backend(1)::int", "[pg_terminate_backend]"},
		{"using a select", "ALTER TABLE t ALTER a SET DEFAULT nextval('s')", "[nextval]"},
		{"nothing", "-- nothing", "[no statement]"},
		{"no SQL", "ALTER TABLE", "[parser says]"},
		{"too long", "ALTER TABLE t ADD a int" + strings.Repeat(" ", maxSQL), "[at most]"},
		{"unicode escapes", `ALTER TABLE U&"\0074" DROP COLUMN a`, "[DropColumn of t]"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			changes, err := ParseDDL(c.sql)
			checkSQL(t, c.sql, said(changes), err, c.want)
		})
	}
	changes, err := ParseDDL("ALTER TABLE t ADD a int; ALTER TABLE u ADD b int;")
	if err != nil || len(changes) != 2 || changes[0].Statement != "ALTER TABLE t ADD a int" || changes[1].Statement != "ALTER TABLE u ADD b int" {
		t.Errorf("statements: got %+v, %v", changes, err)
	}
}

func checkSQL(t *testing.T, sql, got string, err error, want string) {
	t.Helper()
	if why, bad := strings.CutPrefix(want, "["); bad {
		if !errors.Is(err, ErrSQL) || !strings.Contains(err.Error(), strings.TrimSuffix(why, "]")) {
			t.Errorf("%.200s: got %q, %v; want an error with %q", sql, got, err, want)
		}
		return
	}
	if err != nil || got != want {
		t.Errorf("%.200s:\ngot  %q, %v\nwant %q", sql, got, err, want)
	}
}

func TestReadOnly(t *testing.T) {
	cases := []struct{ sql, want string }{
		{"SELECT 1", ""},
		{"SELECT count(*), max(a) FROM t WHERE b = now() GROUP BY c;", ""},
		{"WITH x AS (SELECT 1) SELECT * FROM x UNION VALUES (1)", ""},
		{"TABLE t", ""},
		{"SHOW max_connections", ""},
		{"EXPLAIN SELECT * FROM t", ""},
		{"SELECT pg_size_pretty(pg_total_relation_size('t'))", ""},
		{"SELECT pid, query FROM pg_stat_activity", ""},
		{"SELECT 1; SELECT 2", "[2 statements]"},
		{"DELETE FROM t", "[no SELECT]"},
		{"WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "[deletes]"},
		{"SELECT * FROM (SELECT * FROM t FOR UPDATE) x", "[locks rows]"},
		{"SELECT * INTO u FROM t", "[creates a table]"},
		{"EXPLAIN ANALYZE DELETE FROM t", "[runs the statement]"},
		{"EXPLAIN (ANALYZE) SELECT 1", "[runs the statement]"},
		{"EXPLAIN INSERT INTO t VALUES (1)", "[inserts]"},
		{"SELECT pg_terminate_backend(1)", "[pg_terminate_backend]"},
		{"SELECT pg_catalog.PG_CANCEL_BACKEND(1)", "[pg_cancel_backend]"},
		{"SELECT (SELECT pg_read_file('/etc/passwd'))", "[pg_read_file]"},
		{"SELECT * FROM pg_ls_dir('/')", "[pg_ls_dir]"},
		{"SELECT lo_import('/etc/passwd')", "[lo_import]"},
		{"SELECT * FROM dblink('host=evil', 'select 1') AS t(a int)", "[dblink]"},
		{"SELECT set_config('role', 'postgres', false)", "[set_config]"},
		{"SELECT nextval('s')", "[nextval]"},
		{"SELECT pg_sleep(1000)", "[pg_sleep]"},
		{"SELECT 1 ORDER BY pg_advisory_lock(1)", "[pg_advisory_lock]"},
		{"COPY t TO PROGRAM 'sh'", "[no SELECT]"},
		{"SET ROLE postgres", "[no SELECT]"},
		{"", "[0 statements]"},
	}
	for _, c := range cases {
		t.Run(c.sql, func(t *testing.T) {
			checkSQL(t, c.sql, "", ReadOnly(c.sql), c.want)
		})
	}
}

func TestSQLKind(t *testing.T) {
	cases := []struct{ sql, want string }{
		{"select 1", "read"}, {"-- look\nSELECT 1", "read"}, {"/* a */ WITH x AS (SELECT 1) SELECT 2", "read"}, {"(SELECT 1)", "other"}, {"EXPLAIN SELECT 1", "read"}, {"SHOW all", "read"},
		{"WITH x AS (DELETE FROM t RETURNING 1) SELECT 1", "other"}, {"ALTER TABLE t ADD a int", "ddl"}, {"alter\n table t", "ddl"}, {"ALTER SYSTEM SET x = 1", "other"},
		{"DROP TABLE t", "other"}, {"", "other"}, {"-- only", "other"}, {"VACUUM", "other"},
	}
	for _, c := range cases {
		if got := SQLKind(c.sql); got != c.want {
			t.Errorf("SQLKind(%q): got %s, want %s", c.sql, got, c.want)
		}
	}
}

// FuzzSQL: nothing panics, and what is allowed never holds a word of what is not.
func FuzzSQL(f *testing.F) {
	for _, sql := range []string{"ALTER TABLE t ADD a int", "SELECT 1", "DROP TABLE t", "SELECT $$;$$", "ALTER TABLE t ADD a int; --", "\x00", "SELECT '"} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		_ = SQLKind(sql)
		_ = ReadOnly(sql)
		changes, err := ParseDDL(sql)
		if err == nil && len(changes) == 0 {
			t.Errorf("%q: allowed and changes nothing", sql)
		}
	})
}
