package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Describe is psql's \d: the columns of a table and below them its indexes, checks and foreign keys, a row each; or all tables when table is
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
		for _, query := range []string{describeQuery, indexesQuery, constraintsQuery} {
			a := answer{max: 2000} // a table has at most 1,600 columns
			if err := a.read(ctx, tx, query, name.Sanitize()); err != nil {
				return err
			}
			rows = append(rows, a.rows...)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return columns, rows, nil
}

const tablesQuery = `
SELECT n.nspname AS "Schema", c.relname AS "Name",
       CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END AS "Type",
       CASE WHEN c.reltuples < 0 THEN 'not analysed' ELSE c.reltuples::bigint::text END AS "Rows (estimate)"
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
ORDER BY 1, 2`

const describeQuery = `
SELECT a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' ELSE '' END,
       coalesce(pg_get_expr(d.adbin, d.adrelid), '')
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum`

const indexesQuery = `
SELECT 'index ' || c.relname, regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', ''),
       CASE WHEN i.indisprimary THEN 'primary key' WHEN i.indisunique THEN 'unique' ELSE '' END,
       CASE WHEN i.indisvalid THEN '' ELSE 'invalid' END
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = $1::text::regclass
ORDER BY c.relname`

const constraintsQuery = `
SELECT CASE contype WHEN 'f' THEN 'foreign key ' WHEN 'c' THEN 'check ' ELSE 'constraint ' END || conname, pg_get_constraintdef(oid), '', ''
FROM pg_constraint
WHERE conrelid = $1::text::regclass AND contype IN ('c', 'f', 'x')
ORDER BY conname`
