// Package kafka looks at the brokers behind a pipeline: who they are, which topics there are, how far consumer groups have
// come, and what records say, dead-letter records above all. It exists so that a diagnosis need not believe what a Connect
// worker tells of a cluster that it cannot reach. It only reads, and joins no group: nothing rebalances because of a look.
// Each look connects anew, which is the question a diagnosis asks.
package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Options say where the brokers are and who asks.
type Options struct {
	Brokers      []string      // host:port, or host for port 9092; some of the cluster's
	TLS          bool          // encrypt, with the system's authorities
	CAFile       string        // PEM; implies TLS
	Mechanism    string        // of SASL: "plain", "scram-sha-256", "scram-sha-512", or "" for none
	Username     string        // of SASL
	Password     string        // of SASL
	PasswordFile string        // read anew for every look, so that rotation needs no restart; wins over Password
	Timeout      time.Duration // for one look, connecting included; 10 s when zero
	// Login is asked for every look and wins over what stands above; nil when that does not change.
	Login func() (username, password string)
	// Guard lets a look pass or not; what it gets for an error is of the way there. nil lets all pass.
	Guard func(look func() error) error
}

// Client looks at one cluster. It is safe for concurrent use and holds no connection between looks.
type Client struct {
	options Options
	tls     *tls.Config
}

// mechanisms are the ways to log in.
var mechanisms = map[string]func(user, password string) kgo.Opt{
	"plain": func(user, password string) kgo.Opt {
		return kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism())
	},
	"scram-sha-256": func(user, password string) kgo.Opt {
		return kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha256Mechanism())
	},
	"scram-sha-512": func(user, password string) kgo.Opt {
		return kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism())
	},
}

// New checks the options. It does not connect.
func New(o Options) (*Client, error) {
	if len(o.Brokers) == 0 {
		return nil, errors.New("kafka brokers: none; expected addresses such as kafka:9092")
	}
	brokers := make([]string, len(o.Brokers))
	for i, b := range o.Brokers {
		address, err := address(b)
		if err != nil {
			return nil, fmt.Errorf("kafka brokers[%d] %q: expected host:port", i, b)
		}
		brokers[i] = address
	}
	o.Brokers = brokers
	o.Mechanism = strings.ToLower(o.Mechanism)
	if _, ok := mechanisms[o.Mechanism]; !ok && o.Mechanism != "" {
		return nil, fmt.Errorf("kafka sasl_mechanism %q: expected plain, scram-sha-256 or scram-sha-512", o.Mechanism)
	}
	if (o.Mechanism == "") != (o.Username == "") {
		return nil, errors.New("kafka sasl_mechanism and username: expected both or neither")
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	c := &Client{options: o}
	if !o.TLS && o.CAFile == "" {
		return c, nil
	}
	var err error
	c.tls, err = newTLS(o.CAFile)
	return c, err
}

// address adds the usual port.
func address(broker string) (string, error) {
	if broker == "" || strings.ContainsAny(broker, "/@ \t\r\n") {
		return "", errors.New("not an address")
	}
	host, port, err := net.SplitHostPort(broker)
	if err != nil {
		return net.JoinHostPort(strings.Trim(broker, "[]"), "9092"), nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
		return "", errors.New("not an address")
	}
	return broker, nil
}

func newTLS(authorities string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if authorities == "" {
		return config, nil
	}
	pem, err := os.ReadFile(authorities)
	if err != nil {
		return nil, fmt.Errorf("kafka ca_file: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("kafka ca_file %s: no certificate in it; expected PEM", authorities)
	}
	return config, nil
}

// Address is the configured brokers, for people.
func (c *Client) Address() string { return strings.Join(c.options.Brokers, ",") }

// Probe says in one line which brokers there are. Errors are *Error.
func (c *Client) Probe(ctx context.Context) (text string, err error) {
	err = c.look(ctx, "brokers", func(ctx context.Context, admin *kadm.Client) error {
		m, err := admin.BrokerMetadata(ctx)
		if err != nil {
			return err
		}
		brokers := "1 broker"
		if n := len(m.Brokers); n != 1 {
			brokers = fmt.Sprintf("%d brokers", n)
		}
		text = fmt.Sprintf("Kafka at %s answers: %s, %s", c.Address(), brokers, controller(m.Controller))
		return nil
	})
	return text, err
}

func controller(id int32) string {
	if id < 0 {
		return "no controller"
	}
	return fmt.Sprintf("controller %d", id)
}

// Brokers lists the brokers that the cluster knows as alive, with the version that each seems to be. Errors are *Error.
func (c *Client) Brokers(ctx context.Context) (columns []string, rows [][]string, err error) {
	columns = []string{"id", "address", "rack", "controller", "version"}
	err = c.look(ctx, "brokers", func(ctx context.Context, admin *kadm.Client) error {
		m, err := admin.BrokerMetadata(ctx)
		if err != nil {
			return err
		}
		asking, cancel := context.WithTimeout(ctx, c.options.Timeout*2/3) // one that hangs must not hide the others
		defer cancel()
		versions, err := admin.ApiVersions(asking)
		if err != nil {
			return err
		}
		rows = nil
		for _, b := range m.Brokers {
			rack, leads := "", ""
			if b.Rack != nil {
				rack = *b.Rack
			}
			if b.NodeID == m.Controller {
				leads = "yes"
			}
			rows = append(rows, []string{number(b.NodeID), net.JoinHostPort(b.Host, number(b.Port)), rack, leads, c.version(asking, versions[b.NodeID])})
		}
		return nil
	})
	return columns, rows, err
}

func (c *Client) version(ctx context.Context, v kadm.BrokerApiVersions) string {
	switch {
	case v.Err != nil:
		_, text := c.reason(ctx, v.Err)
		return text
	case v.Raw() == nil:
		return "unknown"
	}
	return v.VersionGuess()
}

func number[T int32 | int64](n T) string { return strconv.FormatInt(int64(n), 10) }

// look connects, runs f within the timeout and turns its error into words.
func (c *Client) look(ctx context.Context, what string, f func(context.Context, *kadm.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	admin := kadm.NewClient(client)
	admin.SetTimeoutMillis(int32(c.options.Timeout.Milliseconds()))
	if err := c.guarded(func() error { return f(ctx, admin) }); err != nil {
		return c.failed(ctx, what, err)
	}
	return nil
}

// guarded keeps what brokers answered from the guard: that they answer is all it is to know.
func (c *Client) guarded(look func() error) error {
	if c.options.Guard == nil {
		return look()
	}
	var answer error
	err := c.options.Guard(func() error {
		err := look()
		var own ours
		var code *kerr.Error
		if errors.As(err, &own) || errors.As(err, &code) {
			answer = err
			return nil
		}
		return err
	})
	if answer != nil {
		return answer
	}
	return err
}

// connect makes the client of one look, which lasts as long as ctx.
func (c *Client) connect(ctx context.Context, more ...kgo.Opt) (*kgo.Client, error) {
	options := []kgo.Opt{
		kgo.SeedBrokers(c.options.Brokers...),
		kgo.ClientID("cdcbot"),
		kgo.Dialer(c.dialer(ctx)),
		kgo.RequestRetries(2),
		kgo.RetryTimeout(c.options.Timeout),
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }),
		kgo.BrokerMaxReadBytes(64 << 20),
		kgo.DisableClientMetrics(),
	}
	if login, ok := mechanisms[c.options.Mechanism]; ok {
		username, password, err := c.login()
		if err != nil {
			return nil, err
		}
		options = append(options, login(username, password))
	}
	client, err := kgo.NewClient(append(options, more...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return client, nil
}

// dialer makes connections that are closed when ctx ends: the client's first exchange with a broker does not heed it, so
// that a broker which never answers would hold a look for long.
func (c *Client) dialer(ctx context.Context) func(context.Context, string, string) (net.Conn, error) {
	return func(dialling context.Context, network, address string) (net.Conn, error) {
		dial := (&net.Dialer{Timeout: c.options.Timeout}).DialContext
		if c.tls != nil {
			dial = (&tls.Dialer{NetDialer: &net.Dialer{Timeout: c.options.Timeout}, Config: c.tls}).DialContext
		}
		until, cancel := context.WithCancel(dialling)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		conn, err := dial(until, network, address)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}
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
		return "", fmt.Errorf("kafka password file: %w", err)
	}
	password := strings.TrimRight(string(data), "\r\n")
	if password == "" {
		return "", fmt.Errorf("kafka password file %s: empty", c.options.PasswordFile)
	}
	return password, nil
}
