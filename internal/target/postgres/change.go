package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// How long a change waits for a lock, and how long it may hold it. A change that queues for a lock makes every later query
// queue behind it, so it gives up soon. A rehearsal locks the table as the change does, and nobody has agreed to it yet.
const (
	lockTimeout     = 3 * time.Second
	changeTimeout   = 60 * time.Second
	rehearseTimeout = 15 * time.Second
)

// Database is the name of the database.
func (c *Client) Database() string { return c.config.Database }

// Rehearse runs statements in a transaction that is rolled back: nil means that they would succeed now. Errors are
// *Error and name the statement, counted from 1; one for a lock names who holds it.
func (c *Client) Rehearse(ctx context.Context, statements []string) error {
	err := c.change(ctx, statements, rehearseTimeout, errUndo)
	if errors.Is(err, errUndo) {
		return nil
	}
	return err
}

// Alter runs statements in one transaction: all of them or none. Errors are as those of Rehearse.
func (c *Client) Alter(ctx context.Context, statements []string) error {
	return c.change(ctx, statements, changeTimeout, nil)
}

// change runs statements in a transaction of a connection of its own and ends it: nil commits, errUndo rolls back.
func (c *Client) change(ctx context.Context, statements []string, most time.Duration, end error) error {
	if err := whole(statements); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	conn, err := c.connect(ctx)
	if err != nil {
		return c.failed(ctx, "connecting", err)
	}
	defer c.hangUp(ctx, conn)
	what, holder := "beginning", ""
	err = inside(ctx, conn, pgx.ReadWrite, func(tx pgx.Tx) error {
		w, err := c.limits(ctx, tx)
		if err != nil {
			return err
		}
		for i, s := range statements {
			what = fmt.Sprintf("statement %d of %d", i+1, len(statements))
			if holder, err = w.run(ctx, conn.PgConn(), s); err != nil {
				return err
			}
		}
		what = "commit"
		return end
	})
	if err == nil || errors.Is(err, errUndo) {
		return err
	}
	return explain(c.failed(ctx, what, err), holder)
}

// explain adds what only the change knows: who was in its way, and that a commit without an answer may have happened.
func explain(err error, holder string) error {
	e := (*Error)(nil)
	switch {
	case !errors.As(err, &e):
	case e.Code == lockNotAvailable:
		e.text += "; " + holder
	case e.What == "commit" && e.Code == "":
		e.text += "; whether the change was made is not known: look at the table"
	}
	return err
}

// whole refuses what would end the transaction early and so make a rehearsal a change.
func whole(statements []string) error {
	if len(statements) == 0 {
		return errors.New("change of PostgreSQL: no statement; expected at least one")
	}
	for i, s := range statements {
		if word := firstWord(s); slices.Contains(endings, word) {
			return fmt.Errorf("statement %d of %d: %s is not allowed; the transaction is begun and ended by the client", i+1, len(statements), word)
		}
	}
	return nil
}

// endings begin the statements that begin and end transactions.
var endings = []string{"ABORT", "BEGIN", "COMMIT", "END", "PREPARE", "RELEASE", "ROLLBACK", "SAVEPOINT", "START"}

// firstWord is the first word of a statement after comments, in capitals.
func firstWord(s string) string {
	for {
		s = strings.TrimLeft(s, " \t\r\n\f\v;(")
		switch {
		case strings.HasPrefix(s, "--"):
			_, s, _ = strings.Cut(s, "\n")
		case strings.HasPrefix(s, "/*"):
			s = s[comment(s):]
		default:
			end := strings.IndexFunc(s, func(r rune) bool { return r != '_' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') })
			if end < 0 {
				end = len(s)
			}
			return strings.ToUpper(s[:end])
		}
	}
}

// comment is the length of the comment that s begins with; PostgreSQL nests them.
func comment(s string) int {
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch s[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(s)
}

// limits bounds what the transaction waits for, and returns who can watch it.
func (c *Client) limits(ctx context.Context, tx pgx.Tx) (watch, error) {
	w := watch{client: c}
	deadline, _ := ctx.Deadline()
	left := max(1, time.Until(deadline).Milliseconds()) // the server must not go on when we have left
	set := fmt.Sprintf("SELECT set_config('lock_timeout', '%d', true), set_config('statement_timeout', '%d', true), pg_backend_pid()",
		lockTimeout.Milliseconds(), left)
	return w, tx.QueryRow(ctx, set).Scan(nil, nil, &w.pid)
}

// run runs one statement: the extended protocol takes no more than one. When it waits long, holder says for whom.
func (w watch) run(ctx context.Context, conn *pgconn.PgConn, sql string) (holder string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seen := make(chan string, 1)
	go func() { seen <- w.blockers(ctx) }()
	_, err = conn.ExecParams(ctx, sql, nil, nil, nil, nil).Close()
	cancel() // a look that has begun ends at once
	return <-seen, err
}
