package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// mostBytes bounds what one answer may hold, whatever the number of its rows.
const mostBytes = 4 << 20

// Query runs one statement in a READ ONLY transaction and returns at most max rows, as PostgreSQL writes their values;
// null is "NULL". The rest of a longer answer is not read. A statement without rows answers with its command tag in the
// column "Command". What writes is refused by the server; COPY is refused here, because it can write files of the
// server in a READ ONLY transaction too. Errors are *Error when the server was asked.
func (c *Client) Query(ctx context.Context, sql string, max int) (columns []string, rows [][]string, err error) {
	if firstWord(sql) == "COPY" {
		return nil, nil, errors.New("query of PostgreSQL: COPY is not allowed; expected SELECT, SHOW, EXPLAIN, VALUES or TABLE")
	}
	a := answer{max: max}
	err = c.look(ctx, "query", func(ctx context.Context, tx pgx.Tx) error { return a.read(ctx, tx, sql) })
	if a.cut { // its connection was given up on purpose
		err = nil
	}
	if err == nil && a.size > mostBytes {
		return nil, nil, fmt.Errorf("query of PostgreSQL: the answer is larger than %d MiB; ask for fewer rows or columns", mostBytes>>20)
	}
	if err != nil {
		return nil, nil, err
	}
	return a.columns, a.rows, nil
}

// answer is what a query gave.
type answer struct {
	columns   []string
	rows      [][]string
	max, size int
	cut       bool // there was more than is wanted
}

func (a *answer) read(ctx context.Context, tx pgx.Tx, sql string, args ...any) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for _, f := range rows.FieldDescriptions() {
		a.columns = append(a.columns, f.Name)
	}
	for rows.Next() {
		if a.cut = len(a.rows) >= a.max || a.size > mostBytes; a.cut {
			stop() // closing would read the rest; this cancels it at the server
			return nil
		}
		row := texts(rows.RawValues())
		for _, v := range row {
			a.size += len(v)
		}
		a.rows = append(a.rows, row)
	}
	rows.Close()
	if tag := rows.CommandTag().String(); rows.Err() == nil && len(a.columns) == 0 {
		a.columns, a.rows = []string{"Command"}, [][]string{{tag}}
	}
	return rows.Err()
}

func texts(raw [][]byte) []string {
	row := make([]string, len(raw))
	for i, v := range raw {
		if row[i] = "NULL"; v != nil {
			row[i] = strings.ToValidUTF8(string(v), "\uFFFD")
		}
	}
	return row
}
