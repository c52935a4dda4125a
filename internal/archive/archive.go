// Package archive keeps exported timelines in PostgreSQL for as long as anybody wants them: Redis holds what is worked on.
// It knows texts and their heads, not what an incident is. A row is written once and never changed.
package archive

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

// Options say where the archive is. The user needs INSERT and SELECT on the table, and CREATE on its schema until it is there.
type Options struct {
	URL          string // postgres://user@host:5432/database
	Username     string // instead of one in the URL
	Password     string // instead of one in the URL
	PasswordFile string // read anew for every connection; wins over Password
	// Login is asked for every connection and wins over what stands above; nil when that does not change.
	Login func() (username, password string)
	// Dial opens connections instead of a net.Dialer; nil for that.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Store is an archive. It is safe for concurrent use and holds no connection between calls.
type Store struct {
	config *pgx.ConnConfig
	file   string
	login  func() (username, password string)
}

// Record is one timeline as it was exported.
type Record struct {
	Incident string    // "INC-7"
	Head     string    // hash of the last event
	Events   int64     // how many there are
	Export   string    // the JSON export, byte by byte
	At       time.Time // when it was archived
}

// ErrNotFound means that the archive has no timeline of an incident.
var ErrNotFound = errors.New("the archive has no timeline of this incident")

// within bounds one call, connecting included.
const within = 30 * time.Second

// statements make the table where it is not there yet. Text and not jsonb: jsonb would write the export anew.
const makeTable = `CREATE TABLE IF NOT EXISTS cdcbot_timelines (
	incident text NOT NULL, head text NOT NULL, events bigint NOT NULL, export text NOT NULL, archived_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (incident, head))`

// New checks the options. It does not connect. Errors never contain the URL, which may hold a password.
func New(o Options) (*Store, error) {
	config, err := pgx.ParseConfig(o.URL)
	if err != nil || o.URL == "" {
		return nil, errors.New("archive url: not understood; expected postgres://user@host:5432/database, with %-escapes for special characters")
	}
	if o.Username != "" {
		config.User = o.Username
	}
	if o.Password != "" {
		config.Password = o.Password
	}
	config.RuntimeParams["application_name"] = "cdcbot-archive"
	if o.Dial != nil {
		config.DialFunc = o.Dial
	}
	return &Store{config: config, file: o.PasswordFile, login: o.Login}, nil
}

// Put writes a record. The same head twice is the same record: the first one stays. What is there afterwards is for Get to
// say.
func (s *Store) Put(ctx context.Context, r Record) error {
	return s.with(ctx, "writing the timeline of "+r.Incident, func(ctx context.Context, conn *pgx.Conn) error {
		var there bool
		if err := conn.QueryRow(ctx, "SELECT to_regclass('cdcbot_timelines') IS NOT NULL").Scan(&there); err != nil {
			return err
		}
		if !there {
			if _, err := conn.Exec(ctx, makeTable); err != nil {
				return err
			}
		}
		_, err := conn.Exec(ctx, "INSERT INTO cdcbot_timelines (incident, head, events, export) VALUES ($1, $2, $3, $4) ON CONFLICT (incident, head) DO NOTHING", r.Incident, r.Head, r.Events, r.Export)
		return err
	})
}

// Get reads the newest record of an incident, or the one with a head when it is given; ErrNotFound when there is none.
func (s *Store) Get(ctx context.Context, incident, head string) (Record, error) {
	var r Record
	err := s.with(ctx, "reading the timeline of "+incident, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT incident, head, events, export, archived_at FROM cdcbot_timelines WHERE incident = $1 AND ($2 = '' OR head = $2) ORDER BY events DESC, archived_at DESC LIMIT 1", incident, head).
			Scan(&r.Incident, &r.Head, &r.Events, &r.Export, &r.At)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return r, fmt.Errorf("%s: %w", incident, ErrNotFound)
	}
	return r, err
}

// with does something over a connection of its own.
func (s *Store) with(ctx context.Context, doing string, do func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	config := s.config.Copy()
	if s.file != "" {
		text, err := os.ReadFile(s.file)
		if err != nil {
			return fmt.Errorf("archive: %s: %w", doing, err)
		}
		config.Password = strings.TrimRight(string(text), "\r\n")
	}
	if s.login != nil {
		username, password := s.login()
		if config.Password = password; username != "" {
			config.User = username
		}
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("archive: connecting to %s: %w", config.Host, hidden(err, config.Password))
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // what was done is done
	if err := do(ctx, conn); err != nil {
		return fmt.Errorf("archive: %s: %w", doing, err)
	}
	return nil
}

// hidden is a connection's error without the password that some of them repeat.
func hidden(err error, password string) error {
	if password == "" || !strings.Contains(err.Error(), password) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), password, "••••••"))
}
