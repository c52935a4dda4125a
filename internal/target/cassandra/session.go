package cassandra

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gocql/gocql"
)

// readMark stands before every statement. It names us in the server's log of slow queries, and keeps the driver from
// preparing what is asked only once: the server's cache of prepared statements belongs to the applications.
const readMark = "/*cdcbot*/ "

// look runs f in a session of its own within the client's timeout.
func (c *Client) look(ctx context.Context, what string, f func(context.Context, *gocql.Session) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	username, password, err := c.login()
	if err != nil {
		return err
	}
	d := &dialer{ctx: ctx, names: map[string]string{}, dial: c.options.Dial}
	if d.dial == nil {
		d.dial = (&net.Dialer{}).DialContext
	}
	cluster, err := c.cluster(ctx, d, username, password)
	if err != nil {
		return c.failed(ctx, what, err)
	}
	session, err := cluster.CreateSession()
	if err != nil {
		return c.failed(ctx, what, d.cause(err, c.options.Keyspace))
	}
	defer session.Close()
	if err := f(ctx, session); err != nil {
		return c.failed(ctx, what, err)
	}
	return nil
}

// login is who the client is in this look.
func (c *Client) login() (username, password string, err error) {
	if c.options.Login != nil {
		username, password = c.options.Login()
		return username, password, nil
	}
	password, err = c.password()
	return c.options.Username, password, err
}

func (c *Client) password() (string, error) {
	if c.options.PasswordFile == "" {
		return c.options.Password, nil
	}
	data, err := os.ReadFile(c.options.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("password file of Cassandra at %s: %w", c.Address(), err)
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}

// cluster is a configuration for one look: one connection to each contact point, no other node, no events, no second try.
func (c *Client) cluster(ctx context.Context, d *dialer, username, password string) (*gocql.ClusterConfig, error) {
	hosts, err := c.resolve(ctx, d)
	if err != nil {
		return nil, err
	}
	cluster := gocql.NewCluster(hosts...)
	cluster.Port = c.endpoints[0].port
	cluster.ProtoVersion = 4 // the newest that this driver speaks; Cassandra 2.2 to 5.0 do
	cluster.Keyspace = c.options.Keyspace
	cluster.Consistency = gocql.LocalOne
	cluster.Timeout = c.options.Timeout
	cluster.ConnectTimeout = c.options.Timeout / time.Duration(len(hosts)) // a contact point that hangs leaves time for the next
	cluster.NumConns = 1
	cluster.ReconnectInterval = 0
	cluster.ReconnectionPolicy = &gocql.ConstantReconnectionPolicy{MaxRetries: 1}
	cluster.PoolConfig.HostSelectionPolicy = gocql.SingleHostReadyPolicy(gocql.RoundRobinHostPolicy())
	cluster.HostFilter = c.filter(d)
	cluster.HostDialer, cluster.ConnectObserver, cluster.Logger = d, d, silence{}
	cluster.Events.DisableNodeStatusEvents = true
	cluster.Events.DisableTopologyEvents = true
	cluster.Events.DisableSchemaEvents = true
	if username != "" {
		cluster.Authenticator = gocql.PasswordAuthenticator{Username: username, Password: password}
	}
	if c.roots != nil {
		d.tls = &tls.Config{RootCAs: c.roots, MinVersion: tls.VersionTLS12}
	}
	return cluster, nil
}

// resolve looks the names up under ctx, which the driver would not, and remembers which name an address has.
func (c *Client) resolve(ctx context.Context, d *dialer) ([]string, error) {
	var hosts []string
	var failed error
	for _, e := range c.endpoints {
		addresses, err := net.DefaultResolver.LookupIPAddr(ctx, e.name)
		if err != nil {
			failed = err
			continue
		}
		for _, a := range addresses {
			d.names[a.IP.String()] = e.name
			hosts = append(hosts, net.JoinHostPort(a.IP.String(), strconv.Itoa(e.port)))
		}
	}
	if len(hosts) == 0 {
		return nil, failed
	}
	return hosts, nil
}

// filter accepts contact points of the datacenter.
func (c *Client) filter(d *dialer) gocql.HostFilter {
	return gocql.HostFilterFunc(func(host *gocql.HostInfo) bool {
		here := c.options.Datacenter == "" || host.DataCenter() == c.options.Datacenter
		if !here {
			d.note(fmt.Errorf("%w: node %s is in datacenter %s, not in %s", errDatacenter, host.ConnectAddress(), host.DataCenter(), c.options.Datacenter))
		}
		_, contact := d.names[host.ConnectAddress().String()]
		return here && contact
	})
}

// errDatacenter marks a node that Options.Datacenter rules out.
var errDatacenter = errors.New("wrong datacenter")

// dialer connects within the look's context, whatever the driver's own timeouts are, and remembers what went wrong: the
// driver's error is only text.
type dialer struct {
	ctx   context.Context //nolint:containedctx // the driver's own carries no deadline
	names map[string]string
	tls   *tls.Config
	dial  func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex
	errors []error
}

// DialHost implements gocql.HostDialer. The connection ends with the look.
func (d *dialer) DialHost(_ context.Context, host *gocql.HostInfo) (*gocql.DialedHost, error) {
	conn, err := d.dial(d.ctx, "tcp", host.ConnectAddressAndPort())
	if err != nil {
		return nil, err
	}
	context.AfterFunc(d.ctx, func() { _ = conn.Close() })
	if d.tls == nil {
		return &gocql.DialedHost{Conn: conn}, nil
	}
	config := d.tls.Clone()
	config.ServerName = d.names[host.ConnectAddress().String()]
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(d.ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &gocql.DialedHost{Conn: secured, DisableCoalesce: true}, nil
}

// ObserveConnect implements gocql.ConnectObserver.
func (d *dialer) ObserveConnect(o gocql.ObservedConnect) {
	if o.Err != nil {
		d.note(o.Err)
	}
}

func (d *dialer) note(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.errors = append(d.errors, err)
}

// cause is the error that tells most about a session that did not come to be: what a server answered, else the last one.
func (d *dialer) cause(err error, keyspace string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.errors {
		var answer gocql.RequestError
		if errors.As(e, &answer) || errors.Is(e, errDatacenter) {
			return e
		}
	}
	if n := len(d.errors); n > 0 {
		return d.errors[n-1]
	}
	if keyspace != "" && errors.Is(err, gocql.ErrNoConnectionsStarted) { // all went well until USE
		return fmt.Errorf("%w: %s", errKeyspace, keyspace)
	}
	return err
}

// errKeyspace marks a keyspace that could not be entered.
var errKeyspace = errors.New("no such keyspace")

// silence is the driver's log: what it would say is in the error.
type silence struct{}

func (silence) Print(...any)          {}
func (silence) Printf(string, ...any) {}
func (silence) Println(...any)        {}
