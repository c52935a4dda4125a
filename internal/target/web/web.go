// Package web asks systems over HTTP GET: a schema registry, Prometheus, the CDC API, Vault's health. It exists so that a
// runbook's curl has one bounded, authenticated way out: only GET, only to the configured host, never more than 8 MiB.
package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/go-resty/resty/v2"
)

// Options say where a system is and how it is asked.
type Options struct {
	Name     string // for errors: "the schema registry"
	URL      string // http or https; a path in it stands before every asked path
	Username string
	Password string
	Token    string        // bearer token
	CAFile   string        // PEM of the authority that signed the server's certificate
	Timeout  time.Duration // for one request; 10 s when zero
}

// Client asks one system. It is safe for concurrent use.
type Client struct {
	name string
	base *url.URL
	http *resty.Client
}

// maxBody bounds an answer in bytes.
const maxBody = 8 << 20

// ErrForeign is wrapped when a path would leave the configured host.
var ErrForeign = errors.New("the path would leave the configured host")

// Error is a request that got no answer. Its text is a sentence for people and holds no credentials.
type Error struct {
	Name, Host string
	Why        string // "refused", "timeout", "unknown host", "certificate", "too large" or "broken"
	cause      error
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%s at %s %s", e.Name, e.Host, sentences[e.Why])
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// Reason is one of the words of a diagnosis: it tells a host that refuses from one that hangs.
func (e *Error) Reason() string { return e.Why }

var sentences = map[string]string{
	"refused": "refuses connections: it is down or restarting", "timeout": "did not answer in time: it hangs or the network drops packets",
	"unknown host": "is not known to the resolver: check the host name in the configuration", "certificate": "shows a certificate that is not trusted: check ca_file",
	"too large": "answers with more than 8 MiB", "broken": "broke the connection off",
}

// New checks the options. It does not connect.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("url of %s: expected one of http or https, such as http://localhost:8081", o.Name)
	}
	c := &Client{name: o.Name, http: resty.New()}
	c.base = &url.URL{Scheme: base.Scheme, Host: base.Host, Path: strings.TrimRight(base.Path, "/")}
	c.http.SetTimeout(orDefault(o.Timeout)).SetResponseBodyLimit(maxBody).SetHeader("Accept", "application/json, */*").SetHeader("User-Agent", "cdcbot")
	c.http.SetRedirectPolicy(resty.RedirectPolicyFunc(c.stay))
	if password, ok := base.User.Password(); ok && o.Username == "" {
		o.Username, o.Password = base.User.Username(), password
	}
	if o.Username != "" {
		c.http.SetBasicAuth(o.Username, o.Password)
	}
	if o.Token != "" {
		c.http.SetAuthToken(o.Token)
	}
	c.http.SetDisableWarn(true) // basic authentication over loopback http is the operator's choice
	return c, c.trust(o.CAFile)
}

func orDefault(d time.Duration) time.Duration {
	if d <= 0 {
		return 10 * time.Second
	}
	return d
}

func (c *Client) trust(file string) error {
	if file == "" {
		return nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("ca_file of %s: %w", c.name, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("ca_file of %s: %s holds no certificate in PEM", c.name, file)
	}
	c.http.SetTLSClientConfig(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	return nil
}

// stay refuses redirects to other hosts: credentials travel with them.
func (c *Client) stay(r *http.Request, via []*http.Request) error {
	if r.URL.Host != c.base.Host || len(via) > 3 {
		return ErrForeign
	}
	return nil
}

// Address is host:port of the system, for people.
func (c *Client) Address() string { return c.base.Host }

// Get asks for a path, which may have a query. Answers of 4xx and 5xx are answers, not errors. Errors are *Error, or
// wrap ErrForeign.
func (c *Client) Get(ctx context.Context, path string) (status int, body []byte, err error) {
	ref, err := url.Parse(path)
	if err != nil || ref.Host != "" || ref.Scheme != "" || ref.User != nil || !strings.HasPrefix(ref.Path, "/") {
		return 0, nil, fmt.Errorf("asking %s for %q: %w", c.name, path, ErrForeign)
	}
	to := *c.base
	to.Path, to.RawPath, to.RawQuery = c.base.Path+ref.Path, "", ref.RawQuery
	answer, err := c.http.R().SetContext(ctx).Get(to.String())
	if err != nil {
		return 0, nil, c.failed(err)
	}
	return answer.StatusCode(), answer.Body(), nil
}

// Probe says in one line whether the system answers path with less than 500, for a diagnosis.
func (c *Client) Probe(path string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		status, _, err := c.Get(ctx, path)
		if err != nil {
			return "", err
		}
		if status >= http.StatusInternalServerError {
			return "", fmt.Errorf("%s at %s answers %d %s", c.name, c.base.Host, status, http.StatusText(status))
		}
		return fmt.Sprintf("%s at %s answers", c.name, c.base.Host), nil
	}
}

func (c *Client) failed(err error) error {
	if errors.Is(err, ErrForeign) {
		return fmt.Errorf("%s redirects elsewhere: %w", c.name, ErrForeign)
	}
	return &Error{Name: c.name, Host: c.base.Host, Why: why(err), cause: bare(err)}
}

// bare drops the URL that net/http puts around its errors: a query may hold what nobody should read.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func why(err error) string {
	var timeout net.Error
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		return "too large"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "unknown host"
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid):
		return "certificate"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return "broken"
}
