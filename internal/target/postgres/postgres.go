// Package postgres asks the sink database whether it is there, what its tables look like and what is in them, and changes
// its tables. It exists so that a diagnosis need not believe an old trace, a verification can prove that records arrive,
// and an approved change of a table is rehearsed before it is made. Every look is a READ ONLY transaction, every change
// one transaction with a lock timeout, each over a connection of its own: a pool would hide whether the database takes
// connections, which is the question.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Options say where the database is.
type Options struct {
	URL          string        // postgres://user@host:5432/database, or libpq's key=value form
	Username     string        // instead of one in the URL
	Password     string        // instead of one in the URL
	PasswordFile string        // read anew for every connection, so that rotation needs no restart; wins over Password
	Timeout      time.Duration // for one look, connecting included; 5 s when zero
	// Login is asked for every connection and wins over what stands above; nil when that does not change.
	Login func() (username, password string)
	// Dial opens connections instead of a net.Dialer; nil for that.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client looks at one database. It is safe for concurrent use and holds no connection between looks.
type Client struct {
	config  *pgx.ConnConfig
	file    string
	login   func() (username, password string)
	timeout time.Duration
}

// New checks the options. It does not connect. Errors never contain the URL, which may hold a password.
func New(o Options) (*Client, error) {
	config, err := pgx.ParseConfig(o.URL)
	if err != nil || o.URL == "" {
		return nil, fmt.Errorf("postgres url: not understood; expected postgres://user@host:5432/database, with %%-escapes for special characters")
	}
	if o.Username != "" {
		config.User = o.Username
	}
	if o.Password != "" {
		config.Password = o.Password
	}
	config.RuntimeParams["application_name"] = "cdcbot"
	if o.Dial != nil {
		config.DialFunc = o.Dial
	}
	// The extended protocol takes one statement at a time; unnamed, it also works behind PgBouncer.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	c := &Client{config: config, file: o.PasswordFile, login: o.Login, timeout: o.Timeout}
	if c.timeout <= 0 {
		c.timeout = 5 * time.Second
	}
	return c, nil
}

// Address is host:port of the database, for people.
func (c *Client) Address() string {
	if strings.HasPrefix(c.config.Host, "/") {
		return c.config.Host
	}
	return fmt.Sprintf("%s:%d", c.config.Host, c.config.Port)
}

// Probe connects anew, runs SELECT 1 and says in one line what answered. Errors are *Error.
func (c *Client) Probe(ctx context.Context) (string, error) {
	var text string
	err := c.look(ctx, "SELECT 1", func(ctx context.Context, tx pgx.Tx) error {
		var one int
		if err := tx.QueryRow(ctx, "SELECT 1").Scan(&one); err != nil {
			return err
		}
		text = c.describe(tx.Conn())
		return nil
	})
	return text, err
}

// describe says what answered, from what the server announced at login.
func (c *Client) describe(conn *pgx.Conn) string {
	status := conn.PgConn().ParameterStatus
	text := fmt.Sprintf("PostgreSQL %s at %s answers (database %s, user %s)", status("server_version"), c.Address(), c.config.Database, conn.Config().User)
	switch {
	case status("in_hot_standby") == "on":
		text += "; it is a read-only standby"
	case status("default_transaction_read_only") == "on":
		text += "; it is read-only"
	}
	return text
}

// Count returns the number of rows of a table, named "table" or "schema.table", with double quotes where SQL needs
// them. Errors are *Error.
func (c *Client) Count(ctx context.Context, table string) (int64, error) {
	name, err := identifier(table)
	if err != nil {
		return 0, err
	}
	var n int64
	err = c.look(ctx, "count of "+table, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, "SELECT count(*) FROM "+name.Sanitize()).Scan(&n)
	})
	return n, err
}

// Column is one column of a table, in the words of format_type.
type Column struct {
	Name    string
	Type    string
	NotNull bool
	Key     bool // part of the primary key
	// Default says that an INSERT may leave the column out: it has a default, is an identity or is generated.
	Default bool
	// Generated says that an INSERT may not give a value: GENERATED ALWAYS, as an expression or as an identity.
	Generated bool
}

// Columns describes a table, in the order of its columns. A table that is not there is an *Error with reason Missing.
func (c *Client) Columns(ctx context.Context, table string) ([]Column, error) {
	name, err := identifier(table)
	if err != nil {
		return nil, err
	}
	var list []Column
	err = c.look(ctx, "columns of "+table, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, columnsQuery, name.Sanitize())
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Column])
		return err
	})
	return list, err
}

const columnsQuery = `
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)),
       a.atthasdef OR a.attidentity <> '', a.attgenerated <> '' OR a.attidentity = 'a'
FROM pg_attribute a
WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum`

// look runs f in a READ ONLY transaction over a new connection, within the client's timeout.
func (c *Client) look(ctx context.Context, what string, f func(context.Context, pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	conn, err := c.connect(ctx)
	if err != nil {
		return c.failed(ctx, what, err)
	}
	defer c.hangUp(ctx, conn)
	if err := c.transact(ctx, conn, f); err != nil {
		return c.failed(ctx, what, err)
	}
	return nil
}

// errPassword marks an error that is about this machine, not about the server.
var errPassword = errors.New("cannot be read")

// connect makes a connection of its own, with the password as it is now.
func (c *Client) connect(ctx context.Context) (*pgx.Conn, error) {
	config := c.config.Copy()
	if c.file != "" {
		data, err := os.ReadFile(c.file)
		if err != nil {
			return nil, fmt.Errorf("password file of PostgreSQL at %s: %w: %w", c.Address(), errPassword, err)
		}
		config.Password = strings.TrimRight(string(data), "\r\n")
	}
	if c.login != nil {
		username, password := c.login()
		if config.Password = password; username != "" {
			config.User = username
		}
	}
	return pgx.ConnectConfig(ctx, config)
}

// transact runs f in a READ ONLY transaction that is rolled back: before PostgreSQL 16 such a transaction may still make
// large objects, and in all versions it may notify.
func (c *Client) transact(ctx context.Context, conn *pgx.Conn, f func(context.Context, pgx.Tx) error) error {
	err := inside(ctx, conn, pgx.ReadOnly, func(tx pgx.Tx) error {
		if deadline, ok := ctx.Deadline(); ok { // the server must not go on when we have left
			left := max(1, time.Until(deadline).Milliseconds())
			if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL statement_timeout = %d", left)); err != nil {
				return err
			}
		}
		if err := f(ctx, tx); err != nil {
			return err
		}
		return errUndo
	})
	if errors.Is(err, errUndo) {
		return nil
	}
	return err
}

// errUndo ends a transaction without a commit.
var errUndo = errors.New("rolled back on purpose")

// inside runs f in a transaction. The error of f counts before that of a rollback over a connection which f lost.
func inside(ctx context.Context, conn *pgx.Conn, mode pgx.TxAccessMode, f func(pgx.Tx) error) error {
	var first error
	err := pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: mode}, func(tx pgx.Tx) error {
		first = f(tx)
		return first
	})
	if first != nil {
		return first
	}
	return err
}

// hangUp says goodbye to the server, but does not wait long for one that hangs.
func (c *Client) hangUp(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 200*time.Millisecond)
	defer cancel()
	_ = conn.Close(ctx) // the connection is gone either way
}

// identifier splits table and schema.table, and takes SQL's double quotes off.
func identifier(table string) (pgx.Identifier, error) {
	var parts pgx.Identifier
	for rest := table; ; {
		part, after, ok := cutPart(rest)
		if !ok || strings.ContainsRune(part, 0) {
			return nil, fmt.Errorf("table %q: expected table or schema.table", table)
		}
		parts = append(parts, part)
		if after == "" {
			break
		}
		rest = after[1:]
	}
	if len(parts) > 2 {
		return nil, fmt.Errorf("table %q: expected table or schema.table", table)
	}
	return parts, nil
}

// cutPart takes the first part of a name. Unquoted parts are folded to lower case, as SQL does.
func cutPart(s string) (part, after string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		i := strings.IndexByte(s, '.')
		if i < 0 {
			i = len(s)
		}
		return strings.ToLower(s[:i]), s[i:], i > 0 && !strings.Contains(s[:i], `"`)
	}
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			i++
			continue
		}
		part = strings.ReplaceAll(s[1:i], `""`, `"`)
		after = s[i+1:]
		return part, after, part != "" && (after == "" || after[0] == '.')
	}
	return "", "", false
}
