// Package cassandra asks the source database what is there: SELECT and DESCRIBE, nothing else, so that a diagnosis can
// compare what was written with what arrived. It exists because a statement from a runbook must never change the source:
// what is not a read is refused before a connection is made. Each look has a session of its own: a pool would hide
// whether the database takes connections, which is the question.
package cassandra

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gocql/gocql"
)

// Options say where the database is.
type Options struct {
	Hosts        []string      // "host" or "host:port"; port 9042 when none is given
	Username     string        // no login when empty
	Password     string        // of Username
	PasswordFile string        // read anew for every look, so that rotation needs no restart; wins over Password
	CAFile       string        // PEM; with it the connection is TLS and the host name is verified
	Datacenter   string        // only nodes of this one are asked; any when empty
	Keyspace     string        // for table names without one; none when empty
	Timeout      time.Duration // for one look, connecting included; 5 s when zero
	// Login is asked for every look and wins over what stands above; nil when that does not change.
	Login func() (username, password string)
	// Dial opens connections instead of a net.Dialer; nil for that.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client looks at one cluster. It is safe for concurrent use and holds no connection between looks.
type Client struct {
	options   Options
	endpoints []endpoint
	roots     *x509.CertPool
}

// endpoint is one of Options.Hosts.
type endpoint struct {
	name string
	port int
}

const defaultPort = 9042

// New checks the options. It does not connect.
func New(o Options) (*Client, error) {
	if len(o.Hosts) == 0 {
		return nil, fmt.Errorf("cassandra hosts: none given; expected host or host:port")
	}
	if o.Username == "" && (o.Password != "" || o.PasswordFile != "") {
		return nil, fmt.Errorf("cassandra username: empty, though a password is given")
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	c := &Client{options: o}
	for _, host := range o.Hosts {
		e, err := parseEndpoint(host)
		if err != nil {
			return nil, err
		}
		c.endpoints = append(c.endpoints, e)
	}
	if o.CAFile == "" {
		return c, nil
	}
	var err error
	c.roots, err = readRoots(o.CAFile)
	return c, err
}

// Address is host:port of the contact points, for people.
func (c *Client) Address() string {
	list := make([]string, len(c.endpoints))
	for i, e := range c.endpoints {
		list[i] = net.JoinHostPort(e.name, strconv.Itoa(e.port))
	}
	return strings.Join(list, ", ")
}

// Probe connects anew and says in one line what answered. Errors are *Error.
func (c *Client) Probe(ctx context.Context) (string, error) {
	var text string
	err := c.look(ctx, "probe", func(ctx context.Context, s *gocql.Session) error {
		var version, cluster string
		query := s.Query(readMark + "SELECT release_version, cluster_name FROM system.local")
		if err := query.WithContext(ctx).Scan(&version, &cluster); err != nil {
			return err
		}
		keyspaces, err := userKeyspaces(ctx, s)
		text = fmt.Sprintf("Cassandra %s at %s answers (cluster %s, %s)", version, c.Address(), cluster, listed(keyspaces))
		return err
	})
	return text, err
}

// systemKeyspaces are Cassandra's own.
var systemKeyspaces = []string{
	"system", "system_auth", "system_distributed", "system_schema", "system_traces", "system_views", "system_virtual_schema",
}

func userKeyspaces(ctx context.Context, s *gocql.Session) ([]string, error) {
	var list []string
	var name string
	iter := s.Query(readMark + "SELECT keyspace_name FROM system_schema.keyspaces").WithContext(ctx).Iter()
	for iter.Scan(&name) {
		if !slices.Contains(systemKeyspaces, name) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list, iter.Close()
}

// mostListed keeps the line of Probe short.
const mostListed = 10

func listed(keyspaces []string) string {
	switch n := len(keyspaces); {
	case n == 0:
		return "no keyspace of its users"
	case n == 1:
		return "keyspace " + keyspaces[0]
	case n > mostListed:
		return fmt.Sprintf("keyspaces %s and %d more", strings.Join(keyspaces[:mostListed], ", "), n-mostListed)
	}
	return "keyspaces " + strings.Join(keyspaces, ", ")
}

// Column is one column of a table.
type Column struct {
	Name string
	Type string // as CQL writes it: "text", "frozen<list<int>>"
	Kind string // "partition_key", "clustering", "regular" or "static"
}

// Columns describes a table or a materialized view: the partition key, the clustering columns, then the others by name.
// Names are folded to lower case unless they stand in double quotes, as in CQL. A table that is not there is an *Error
// with reason Missing.
func (c *Client) Columns(ctx context.Context, keyspace, table string) ([]Column, error) {
	what := "columns of " + keyspace + "." + table
	ks, err := identifier("keyspace", keyspace)
	if err != nil {
		return nil, err
	}
	tab, err := identifier("table", table)
	if err != nil {
		return nil, err
	}
	var list []Column
	err = c.look(ctx, what, func(ctx context.Context, s *gocql.Session) error {
		list, err = readColumns(s.Query(columnsQuery, ks, tab).WithContext(ctx).Iter())
		return err
	})
	if err == nil && len(list) == 0 {
		return nil, &Error{Address: c.Address(), What: what, reason: Missing, text: "has no such table"}
	}
	return list, err
}

// columnsQuery is prepared, because the names are bound to it.
const columnsQuery = `SELECT column_name, type, kind, position FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?`

// kinds is the order of columns in a table.
var kinds = []string{"partition_key", "clustering", "static", "regular"}

func readColumns(iter *gocql.Iter) ([]Column, error) {
	type placed struct {
		Column
		position int
	}
	var rows []placed
	for p := (placed{}); iter.Scan(&p.Name, &p.Type, &p.Kind, &p.position); {
		rows = append(rows, p)
	}
	slices.SortStableFunc(rows, func(a, b placed) int {
		if byKind := slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind); byKind != 0 {
			return byKind
		}
		return a.position - b.position
	})
	list := make([]Column, len(rows))
	for i, p := range rows {
		list[i] = p.Column
	}
	return list, iter.Close()
}

// Query runs one SELECT or DESCRIBE and returns at most max rows as text, null as "NULL". A statement of another kind is
// an error that wraps ErrNotRead, and nothing is sent; what the database refuses is an *Error.
func (c *Client) Query(ctx context.Context, cql string, max int) (columns []string, rows [][]string, err error) {
	statement, err := readOnly(cql)
	if err != nil {
		return nil, nil, err
	}
	if max < 1 {
		return nil, nil, fmt.Errorf("cassandra query: at most %d rows asked for, expected 1 or more", max)
	}
	err = c.look(ctx, "query", func(ctx context.Context, s *gocql.Session) error {
		columns, rows, err = readRows(s.Query(readMark+statement).PageSize(min(max, mostPage)).WithContext(ctx).Iter(), max)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return columns, rows, nil
}

// mostPage is how many rows are fetched at once.
const mostPage = 1000

// readRows stops after max rows.
func readRows(iter *gocql.Iter, max int) (columns []string, rows [][]string, err error) {
	info := iter.Columns()
	for _, column := range info {
		columns = append(columns, column.Name)
	}
	for len(rows) < max {
		row := newRow(info)
		if !iter.Scan(row.targets...) {
			break
		}
		rows = append(rows, row.texts())
	}
	return columns, rows, iter.Close()
}

func parseEndpoint(host string) (endpoint, error) {
	bad := fmt.Errorf("cassandra host %q: expected host or host:port", host)
	name, port, err := net.SplitHostPort(host)
	if err != nil { // there is no port
		name, port = strings.Trim(host, "[]"), strconv.Itoa(defaultPort)
		if strings.Contains(name, ":") && net.ParseIP(name) == nil {
			return endpoint{}, bad
		}
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 || name == "" || strings.ContainsAny(name, " /@") {
		return endpoint{}, bad
	}
	return endpoint{name: name, port: int(number)}, nil
}

func readRoots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cassandra CA file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("cassandra CA file %s: no certificate in it, expected PEM", file)
	}
	return roots, nil
}
