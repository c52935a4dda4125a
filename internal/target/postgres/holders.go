package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// watch looks, over a second connection, at who keeps a change waiting. It must look while the change waits: afterwards
// the server no longer tells.
type watch struct {
	client *Client
	pid    int // the server process of the change
}

// watchAfter is when a change counts as waiting; well before lockTimeout.
const watchAfter = time.Second

// unseen is said when nobody was found: the role may not see others, the holder left, or there was no second connection.
const unseen = "who holds the lock cannot be seen"

// holdersQuery lists who blocks a process: those that hold the lock, and those that wait for it before us.
const holdersQuery = `
SELECT a.pid::text, coalesce(nullif(a.application_name, ''), a.backend_type, 'not known'), coalesce(a.usename::text, 'not known'),
       coalesce(extract(epoch FROM now() - a.xact_start)::bigint::text || ' s', 'not known'), coalesce(a.state, 'not known')
FROM pg_stat_activity a
WHERE a.pid = ANY (pg_blocking_pids($1::int))
ORDER BY a.xact_start
LIMIT 3`

// blockers waits a second and then says in words who keeps the change waiting. It ends with ctx.
func (w watch) blockers(ctx context.Context) string {
	late := time.NewTimer(watchAfter)
	defer late.Stop()
	select {
	case <-ctx.Done():
		return unseen
	case <-late.C:
	}
	var list []string
	err := w.client.look(ctx, "holders of locks", func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, holdersQuery, w.pid)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			v := texts(rows.RawValues())
			list = append(list, fmt.Sprintf("pid %s (%s, user %s, %s) for %s", v[0], v[1], v[2], v[4], v[3]))
		}
		return rows.Err()
	})
	if err != nil || len(list) == 0 {
		return unseen
	}
	return "locked by " + strings.Join(list, ", ")
}
