package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// How long a change waits for a lock, and how long it may take. A change that queues for a lock makes every later query
// queue behind it, so it gives up soon.
const (
	lockTimeout   = "3s"
	changeTimeout = 60 * time.Second
)

// Database is the name of the database.
func (c *Client) Database() string { return c.config.Database }

// Rehearse runs statements in a transaction that is rolled back: nil means that they would succeed now. Errors are
// *Error and name the statement; one for a lock names who holds it.
func (c *Client) Rehearse(ctx context.Context, statements []string) error {
	err := c.change(ctx, statements, errRollback)
	if errors.Is(err, errRollback) {
		return nil
	}
	return err
}

// Alter runs statements in one transaction: all of them or none.
func (c *Client) Alter(ctx context.Context, statements []string) error {
	return c.change(ctx, statements, nil)
}

// errRollback ends a rehearsal.
var errRollback = errors.New("rehearsed")

func (c *Client) change(ctx context.Context, statements []string, end error) error {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	conn, err := c.connect(ctx)
	if err != nil {
		return c.failed(ctx, "connecting", err)
	}
	defer c.hangUp(ctx, conn)
	what := "change"
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '"+lockTimeout+"'"); err != nil {
			return err
		}
		for i, s := range statements {
			what = fmt.Sprintf("statement %d of %d", i+1, len(statements))
			if _, err := tx.Exec(ctx, s); err != nil {
				return err
			}
		}
		return end
	})
	if err == nil || errors.Is(err, errRollback) {
		return err
	}
	failed := c.failed(ctx, what, err)
	var answer *pgconn.PgError
	if errors.As(err, &answer) && answer.Code == lockNotAvailable {
		return fmt.Errorf("%w; %s", failed, c.holders(ctx, statements))
	}
	return failed
}

// lockNotAvailable is the SQLSTATE of a lock that was not given in time.
const lockNotAvailable = "55P03"

// holdersQuery lists who holds locks on tables that the statements name.
const holdersQuery = `
SELECT DISTINCT a.pid::text, coalesce(nullif(a.application_name, ''), a.backend_type), a.usename::text,
       date_trunc('second', now() - a.xact_start)::text, left(regexp_replace(a.query, '\s+', ' ', 'g'), 80)
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid JOIN pg_class r ON r.oid = l.relation
WHERE l.granted AND l.pid <> pg_backend_pid() AND position(lower(r.relname) in lower($1::text)) > 0 AND r.relkind IN ('r', 'p')
LIMIT 3`

// holders says who holds the lock, as far as it can be seen.
func (c *Client) holders(ctx context.Context, statements []string) string {
	var list []string
	err := c.look(ctx, "holders of locks", func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, holdersQuery, strings.Join(statements, " "))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			v := texts(rows.RawValues())
			list = append(list, fmt.Sprintf("pid %s (%s, user %s) for %s", v[0], v[1], v[2], v[3]))
		}
		return rows.Err()
	})
	if err != nil || len(list) == 0 {
		return "who holds the lock cannot be seen"
	}
	return "the table is locked by " + strings.Join(list, ", ")
}

// Describe is psql's \d: the columns of a table and below them its indexes and constraints, or all tables when table is
// "". A table that is not there is an *Error with reason Missing.
func (c *Client) Describe(ctx context.Context, table string) (columns []string, rows [][]string, err error) {
	if table == "" {
		return c.Query(ctx, tablesQuery, 1000)
	}
	name, err := identifier(table)
	if err != nil {
		return nil, nil, err
	}
	columns = []string{"Column", "Type", "Nullable", "Default"}
	err = c.look(ctx, "description of "+table, func(ctx context.Context, tx pgx.Tx) error {
		rows = nil
		for _, query := range []string{describeQuery, indexesQuery} {
			answer, err := tx.Query(ctx, query, name.Sanitize())
			if err != nil {
				return err
			}
			for answer.Next() {
				rows = append(rows, blank(texts(answer.RawValues())))
			}
			answer.Close()
			if err := answer.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	return columns, rows, err
}

// blank shows what is not there as nothing, as psql does.
func blank(row []string) []string {
	for i, v := range row {
		if v == "NULL" {
			row[i] = ""
		}
	}
	return row
}

const tablesQuery = `
SELECT n.nspname AS "Schema", c.relname AS "Name",
       CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' ELSE 'other' END AS "Type",
       CASE WHEN c.reltuples < 0 THEN 'not analysed' ELSE c.reltuples::bigint::text END AS "Rows (estimate)"
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
ORDER BY 1, 2`

const describeQuery = `
SELECT a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END, pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum`

const indexesQuery = `
SELECT 'index ' || c.relname, regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', ''),
       CASE WHEN i.indisprimary THEN 'primary key' WHEN i.indisunique THEN 'unique' END, NULL
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = $1::text::regclass
ORDER BY c.relname`
