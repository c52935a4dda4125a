package action

import (
	"errors"
	"sort"
	"strings"
	"testing"
)

// scripts are what a person may write: what the approver reads, or the reason in brackets.
var scripts = []struct{ name, sql, want string }{
	{"the runbook's own", "\nALTER TABLE cdc_users ADD COLUMN new_column VARCHAR(255);\n", "Adds the column new_column varchar(255) to cdc_users."},
	{"several", "ALTER TABLE public.t ADD a int, ADD COLUMN IF NOT EXISTS b numeric(10,2) DEFAULT 0 NOT NULL; ALTER TABLE t ADD c text[]", "Adds the column a integer to public.t. Adds the column b numeric(10,2) to public.t, with default 0, not null, unless there is one of that name. Adds the column c text[] to t."},
	{"type", `ALTER TABLE "T" ALTER COLUMN age TYPE bigint`, `Changes the type of the column age of "T" to bigint; PostgreSQL writes the whole table anew and locks readers and writers out meanwhile.`},
	{"type that may widen", `ALTER TABLE t ALTER "Odd ""name" SET DATA TYPE varchar(400)`, `Changes the type of the column "Odd ""name" of t to varchar(400); PostgreSQL writes the whole table anew and locks readers and writers out meanwhile, unless the new type only widens the old one.`},
	{"type with its own value", "ALTER TABLE t ALTER age TYPE int USING age::int", "Changes the type of the column age of t to integer; PostgreSQL writes the whole table anew and locks readers and writers out meanwhile."},
	{"relaxed", "ALTER TABLE t ALTER a DROP NOT NULL, ALTER b SET DEFAULT 1, ALTER c DROP DEFAULT", "Allows rows without a value in the column a of t. Sets the default of the column b of t to 1 for new rows. Takes the default of the column c of t away."},
	{"negative default", "ALTER TABLE t ADD a int DEFAULT -1", "Adds the column a integer to t, with default -1."},
	{"defaults", `ALTER TABLE t ADD a float DEFAULT -1.50, ADD b bool DEFAULT false, ADD c text DEFAULT 'it''s; --', ADD d jsonb DEFAULT '{}'::jsonb, ADD e bit(3) DEFAULT B'101', ADD f int DEFAULT NULL, ADD g text DEFAULT $x$;$x$`, "Adds the column a double precision to t, with default -1.50. Adds the column b bool to t, with default false. Adds the column c text to t, with default 'it''s; --'. Adds the column d jsonb to t, with default '{}'::jsonb. Adds the column e bit(3) to t, with default B'101'. Adds the column f integer to t, with default NULL. Adds the column g text to t, with default ';'."},
	{"time of the change", "ALTER TABLE t ADD a timestamptz(3) NOT NULL DEFAULT now(), ADD b timestamp with time zone DEFAULT current_timestamp", "Adds the column a timestamptz(3) to t, with default now() (the time of the change for the rows that are there), not null. Adds the column b timestamp with time zone to t, with default CURRENT_TIMESTAMP (the time of the change for the rows that are there)."},
	{"own type", `ALTER TABLE t ADD a shop."Size", ADD b interval day to second`, `Adds the column a shop."Size" to t. Adds the column b interval to t.`},
	{"conditions", "ALTER TABLE IF EXISTS ONLY t ADD a int", "Adds the column a integer to t, and not to tables that inherit from it, if there is such a table."},
	{"transaction around it", "BEGIN; ALTER TABLE t ADD a int; COMMIT;", "Adds the column a integer to t."},
	{"a comment hides nothing", "ALTER TABLE t ADD a int /* ; DROP TABLE t */ -- DROP\n", "Adds the column a integer to t."},
	{"drop column", "ALTER TABLE t DROP COLUMN a", "[statement 1 of 1: DROP COLUMN is refused: it removes what cannot be brought back; leave the column]"},
	{"one bad of two", "ALTER TABLE t ADD a int; DROP TABLE t", "[statement 2 of 2: DROP is refused]"},
	{"bad part", "ALTER TABLE t ADD a int, DROP COLUMN b", "[DROP COLUMN]"},
	{"hidden behind a comment", "ALTER TABLE t ADD a int; /* */ DROP /* */ TABLE t", "[statement 2 of 2: DROP]"},
	{"rename", "ALTER TABLE t RENAME TO u", "[add a column with the new name]"},
	{"rename of a column", "ALTER TABLE t RENAME a TO b", "[RENAME]"},
	{"owner", "ALTER TABLE t OWNER TO evil", "[OWNER TO]"},
	{"schema", "ALTER TABLE t SET SCHEMA u", "[AlterObjectSchema is refused: it is not on the list]"},
	{"not null later", "ALTER TABLE t ALTER a SET NOT NULL", "[SET NOT NULL is refused]"},
	{"constraint", "ALTER TABLE t ADD CONSTRAINT c CHECK (true)", "[ADD CONSTRAINT]"},
	{"options", "ALTER TABLE t SET (fillfactor = 10)", "[ALTER TABLE with SetRelOptions is refused: it is not on the list]"},
	{"view", "ALTER VIEW v ALTER COLUMN a SET DEFAULT 1", "[something else than a table (view)]"},
	{"catalog", "ALTER TABLE pg_catalog.pg_class ADD a int", "[belongs to PostgreSQL itself]"},
	{"catalog without schema", "ALTER TABLE pg_class ADD a int", "[belongs to PostgreSQL itself]"},
	{"other database", "ALTER TABLE other.public.t ADD a int", "[it uses catalogname, which is not on the list]"},
	{"truncate", "TRUNCATE t", "[TRUNCATE]"},
	{"update", "UPDATE t SET a = 1", "[replay them from the dead-letter queue]"},
	{"update within", "WITH x AS (SELECT 1) UPDATE t SET a = 1", "[UPDATE]"},
	{"grant", "GRANT ALL ON t TO evil", "[GRANT]"},
	{"role", "ALTER ROLE sink SUPERUSER", "[ALTER ROLE]"},
	{"do", "DO $$BEGIN DROP TABLE t; END$$", "[runs code]"},
	{"function", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DROP TABLE t'", "[CREATE FUNCTION]"},
	{"copy program", "COPY t FROM PROGRAM 'rm -rf /'", "[COPY]"},
	{"index", "CREATE INDEX i ON t (a)", "[CREATE INDEX CONCURRENTLY by hand]"},
	{"index beside", "CREATE INDEX CONCURRENTLY i ON t (a)", "[it cannot run in a transaction]"},
	{"setting", "SET lock_timeout = 0; ALTER TABLE t ADD a int", "[statement 1 of 2: SET is refused]"},
	{"end of the transaction", "ALTER TABLE t ADD a int; COMMIT", "[begins or ends a transaction]"},
	{"two transactions", "BEGIN; ALTER TABLE t ADD a int; COMMIT; BEGIN; ALTER TABLE t ADD b int; COMMIT", "[statement 3 of 6]"},
	{"transaction taken back", "BEGIN; ALTER TABLE t ADD a int; ROLLBACK", "[statement 1 of 3]"},
	{"query besides", "ALTER TABLE t ADD a int; SELECT 1", "[give it a command of its own]"},
	{"volatile default", "ALTER TABLE t ADD a timestamptz DEFAULT clock_timestamp()", "[only a constant or now() is allowed]"},
	{"default with a query", "ALTER TABLE t ALTER a SET DEFAULT (SELECT 1)", "[only a constant]"},
	{"default from a sequence", "ALTER TABLE t ALTER a SET DEFAULT nextval('s')", "[only a constant]"},
	{"default that looks like now", "ALTER TABLE t ADD a int DEFAULT evil.now()", "[only a constant]"},
	{"default with the user", "ALTER TABLE t ADD a text DEFAULT current_user", "[only a constant]"},
	{"serial", "ALTER TABLE t ADD a bigserial", "[type bigserial is refused]"},
	{"not null", "ALTER TABLE t ADD a int NOT NULL", "[NOT NULL without a default]"},
	{"not null without a value", "ALTER TABLE t ADD a int DEFAULT NULL NOT NULL", "[NOT NULL without a default]"},
	{"references", "ALTER TABLE t ADD a int REFERENCES u", "[REFERENCES]"},
	{"check", "ALTER TABLE t ADD a int CHECK (evil())", "[CHECK]"},
	{"key", "ALTER TABLE t ADD a int PRIMARY KEY", "[PRIMARY KEY]"},
	{"generated", "ALTER TABLE t ADD a int GENERATED ALWAYS AS (evil()) STORED", "[GENERATED]"},
	{"identity", "ALTER TABLE t ADD a int GENERATED ALWAYS AS IDENTITY", "[GENERATED AS IDENTITY]"},
	{"collation", `ALTER TABLE t ADD a text COLLATE "C"`, "[it uses collClause]"},
	{"modifier with a call", "ALTER TABLE t ADD a evil(evil())", "[it uses FuncCall]"},
	{"using a function", "ALTER TABLE t ALTER a TYPE int USING pg_terminate_backend(1)::int", "[USING]"},
	{"using another column", "ALTER TABLE t ALTER a TYPE int USING b::int", "[USING a::type]"},
	{"nothing", "-- nothing", "[no statement]"},
	{"only a transaction", "BEGIN; COMMIT", "[no statement]"},
	{"no SQL", "ALTER TABLE", "[not understood: syntax error at end of input]"},
	{"where it stops", "ALTER TABLE t\n  ADD é int,\n  ADDD b int", "[(line 3, column 3)]"},
	{"psql's own", `\d cdc_users`, "[not understood]"},
	{"too long", "ALTER TABLE t ADD a int" + strings.Repeat(" ", longestSQL), "[expected at most 65536]"},
	{"too deep", "SELECT " + strings.Repeat("(SELECT ", 500) + "1" + strings.Repeat(")", 500), "[too many operators and brackets]"},
	{"NUL", "ALTER TABLE t ADD a int\x00; DROP TABLE t", "[without NUL]"},
	{"unicode escapes", `ALTER TABLE U&"\0074" DROP COLUMN a`, "[DROP COLUMN]"},
	{"string that ends early elsewhere", `ALTER TABLE t ADD a text DEFAULT 'a\', DROP COLUMN b --'`, "[DROP COLUMN]"},
}

func TestParseDDL(t *testing.T) {
	for _, c := range scripts {
		t.Run(c.name, func(t *testing.T) {
			changes, err := ParseDDL(c.sql)
			checkSQL(t, c.sql, said(changes), err, c.want)
		})
	}
	changes, err := ParseDDL("ALTER TABLE t ADD é int; -- x\nALTER TABLE u ADD b int, ADD c int ;")
	if err != nil || len(changes) != 3 || changes[0].Statement != "ALTER TABLE t ADD é int" || changes[1].Statement != "-- x\nALTER TABLE u ADD b int, ADD c int" || changes[2].Statement != changes[1].Statement {
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

// queries may be asked, or the reason why not stands in brackets.
var queries = []struct{ sql, want string }{
	{"SELECT 1", ""},
	{"SELECT count(*), max(a) FROM t WHERE b = now() GROUP BY c;", ""},
	{"WITH x AS (SELECT 1) SELECT * FROM x UNION VALUES (1)", ""},
	{"TABLE t", ""},
	{"VALUES (1)", ""},
	{"SHOW max_connections", ""},
	{"EXPLAIN SELECT * FROM t", ""},
	{"EXPLAIN (ANALYZE false, VERBOSE) SELECT * FROM t", ""},
	{"SELECT pg_size_pretty(pg_total_relation_size('t')), coalesce(a, 'x'), extract(epoch FROM b), c::text FROM t", ""},
	{"SELECT pid, now() - xact_start, query FROM pg_stat_activity WHERE pg_blocking_pids(pid) <> '{}'", ""},
	{"SELECT '; DROP TABLE t', $$DELETE$$ /* DROP */ -- DROP", ""},
	{"SELECT 1; SELECT 2", "[2 statements]"},
	{"SELECT 1; DROP TABLE t", "[2 statements]"},
	{"DELETE FROM t", "[DELETE is refused: this step only reads]"},
	{"ALTER TABLE t ADD a int", "[AlterTable is refused]"},
	{"WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "[DELETE inside a query]"},
	{"SELECT * FROM (WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x) y", "[INSERT inside a query]"},
	{"SELECT * FROM (SELECT * FROM t FOR UPDATE) x", "[locks rows]"},
	{"SELECT * FROM t FOR KEY SHARE SKIP LOCKED", "[locks rows]"},
	{"SELECT * INTO u FROM t", "[makes a table]"},
	{"SELECT 1 UNION SELECT pg_sleep(10)", "[pg_sleep]"},
	{"EXPLAIN ANALYZE DELETE FROM t", "[runs what it explains]"},
	{"EXPLAIN (ANALYZE) SELECT 1", "[runs what it explains]"},
	{"EXPLAIN (ANALYZE 0, analyze on) SELECT 1", "[runs what it explains]"},
	{"EXPLAIN INSERT INTO t VALUES (1)", "[INSERT inside a query]"},
	{"EXPLAIN CREATE TABLE u AS SELECT 1", "[CREATE TABLE AS]"},
	{"EXPLAIN EXECUTE p", "[EXECUTE]"},
	{"SELECT pg_terminate_backend(1)", "[pg_terminate_backend]"},
	{"SELECT pg_catalog.PG_CANCEL_BACKEND(1)", "[pg_cancel_backend]"},
	{`SELECT "pg_catalog"."pg_reload_conf"()`, "[pg_reload_conf]"},
	{`SELECT U&"pg_re\0061d_file"('/etc/passwd')`, "[pg_read_file]"},
	{"SELECT (SELECT pg_read_file('/etc/passwd'))", "[pg_read_file]"},
	{"SELECT * FROM ROWS FROM (pg_ls_dir('/'))", "[pg_ls_dir]"},
	{"SELECT a FROM t, LATERAL pg_stat_file(a)", "[pg_stat_file]"},
	{"SELECT sum(a) FILTER (WHERE pg_notify('a', 'b') IS NULL) FROM t", "[pg_notify]"},
	{"SELECT CASE WHEN true THEN lo_import('/etc/passwd') END", "[lo_import]"},
	{"SELECT * FROM dblink('host=evil', 'select 1') AS t(a int)", "[dblink]"},
	{"SELECT * FROM dblink_exec('host=evil', 'drop table t')", "[dblink_exec]"},
	{"SELECT query_to_xml('delete from t', true, true, '')", "[query_to_xml]"},
	{"SELECT set_config('role', 'postgres', false)", "[set_config]"},
	{"SELECT nextval('s')", "[nextval]"},
	{"SELECT cron.schedule('* * * * *', 'x')", "[functions of other schemas]"},
	{"SELECT 1 ORDER BY pg_advisory_lock(1)", "[pg_advisory_lock]"},
	{"SELECT 1 LIMIT pg_backend_pid() OFFSET pg_switch_wal()", "[pg_switch_wal]"},
	{"SELECT rolname, rolpassword FROM pg_catalog.pg_authid", "[holds secrets]"},
	{"COPY t TO PROGRAM 'sh'", "[COPY is refused]"},
	{"SET ROLE postgres", "[SET is refused]"},
	{"CALL f()", "[CALL is refused]"},
	{"PREPARE p AS SELECT 1", "[PREPARE is refused]"},
	{"LISTEN x", "[Listen is refused]"},
	{"", "[0 statements]"},
	{"SELECT '", "[not understood: unterminated quoted string]"},
}

func TestReadOnly(t *testing.T) {
	for _, c := range queries {
		t.Run(c.sql, func(t *testing.T) {
			checkSQL(t, c.sql, "", ReadOnly(c.sql), c.want)
		})
	}
}

// What passes the guard against a deep nest must not break the parser: it would be broken for all who come after.
func TestDeepSQL(t *testing.T) {
	repeat := func(before, part, middle string) string { // as often as the guard lets it
		n := sort.Search(2000, func(n int) bool { return parsable(before+strings.Repeat(part, n+1)+middle) != nil })
		return before + strings.Repeat(part, n) + middle
	}
	deep := []struct{ name, sql string }{
		{"queries", repeat("SELECT ", "(SELECT ", "1")},
		{"calls", repeat("SELECT ", "f(", "1")},
		{"tables", repeat("SELECT 1 FROM ", "(SELECT 1 FROM ", "t")},
		{"with", repeat("", "WITH a AS (", "SELECT 1")},
		{"arrays", repeat("SELECT ", "ARRAY[", "1")},
		{"case", repeat("SELECT ", "CASE WHEN true THEN ", "1")},
		{"not", repeat("SELECT ", "NOT ", "true")},
		{"minus", repeat("SELECT ", "- ", "a")},
		{"plus", repeat("SELECT 1", "+1", "")},
		{"cast", repeat("SELECT 1", "::int", "")},
		{"null", repeat("SELECT a ", "NOTNULL ", "")},
		{"union", repeat("SELECT 1", " UNION SELECT 1", "")},
		{"join", repeat("SELECT 1 FROM t", " JOIN t ON true", "")},
		{"subscript", repeat("SELECT a", "[1]", "")},
		{"field", repeat("SELECT a", ".a", "")},
		{"list", repeat("SELECT 1", ",1", "")},
		{"comment", repeat("SELECT 1 ", "/*", "")},
		{"statements", repeat("", "SELECT 1;", "")},
		{"alter", repeat("ALTER TABLE t ADD a varchar(1)", ", ADD a varchar(1)", "")},
	}
	for _, c := range deep {
		t.Run(c.name, func(t *testing.T) {
			missing := strings.Count(c.sql, "(") - strings.Count(c.sql, ")")
			sql := c.sql
			switch c.name {
			case "arrays":
				sql += strings.Repeat("]", strings.Count(c.sql, "["))
			case "case":
				sql += strings.Repeat(" END", strings.Count(c.sql, "CASE"))
			case "with":
				sql += strings.Repeat(") SELECT 1", missing)
			default:
				sql += strings.Repeat(")", missing)
			}
			if _, err := parseTree(sql); err != nil && strings.Contains(err.Error(), "gave up") {
				t.Errorf("%.80s… (%d bytes): %v", sql, len(sql), err)
			}
		})
	}
	if err := ReadOnly("SELECT 1"); err != nil {
		t.Errorf("afterwards: %v", err)
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

// FuzzSQL: nothing panics, what is allowed changes something, and nothing is both a change and a look.
func FuzzSQL(f *testing.F) {
	for _, c := range scripts {
		f.Add(c.sql)
	}
	for _, c := range queries {
		f.Add(c.sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		_ = SQLKind(sql)
		read := ReadOnly(sql)
		changes, err := ParseDDL(sql)
		if err == nil && (len(changes) == 0 || read == nil) {
			t.Errorf("%q: allowed with %d changes, as a look: %v", sql, len(changes), read)
		}
		if err != nil && !errors.Is(err, ErrSQL) || read != nil && !errors.Is(read, ErrSQL) {
			t.Errorf("%q: got %v, %v; want errors that wrap ErrSQL", sql, err, read)
		}
		for _, c := range changes {
			if again, err := ParseDDL(c.Statement); err != nil || len(again) == 0 {
				t.Errorf("%q: its statement %q alone: %v", sql, c.Statement, err)
			}
		}
	})
}
