// Package connect is a client for the Kafka Connect REST API (KIP-26, 745, 875, 980, 1017). Every call has a timeout, and
// every refusal that real workers were seen to give while starting, rebalancing or dying is an error that says which
// connector on which cluster, and whether trying again helps.
package connect

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/go-resty/resty/v2"
)

// maxBody bounds an answer: five thousand connectors with traces fit, a runaway does not.
const maxBody = 32 << 20

// Options say how to reach one cluster. Cluster is our name for it, used in every error.
type Options struct {
	Cluster            string
	URL                string
	Username, Password string
	Token              string        // bearer token; used instead of a user name
	CAFile             string        // PEM of the authority of an https worker
	Timeout            time.Duration // for one call; default 10 s
	Transport          http.RoundTripper
}

// Client talks to the workers of one cluster through one URL. It is safe for concurrent use.
type Client struct {
	cluster string
	http    *resty.Client
	timeout time.Duration
}

// New returns a client; it does not connect. A wrong URL or CA file is an error that names it.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.URL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("cluster %s: URL %q; expected something like http://localhost:8083", o.Cluster, redacted(o.URL))
	}
	if base.User != nil && o.Username == "" {
		o.Username = base.User.Username()
		o.Password, _ = base.User.Password()
	}
	base.User = nil
	transport, err := transport(o)
	if err != nil {
		return nil, err
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	r := resty.NewWithClient(&http.Client{Transport: transport, Timeout: o.Timeout}).
		SetBaseURL(strings.TrimRight(base.String(), "/")).
		SetRedirectPolicy(resty.DomainCheckRedirectPolicy(base.Hostname())).
		SetResponseBodyLimit(maxBody).
		SetHeader("Accept", "application/json").
		SetDisableWarn(true)
	if o.Token != "" {
		r.SetAuthToken(o.Token)
	} else if o.Username != "" {
		r.SetBasicAuth(o.Username, o.Password)
	}
	return &Client{cluster: o.Cluster, http: r, timeout: o.Timeout}, nil
}

func redacted(raw string) string {
	if u, err := url.Parse(raw); err == nil {
		return u.Redacted()
	}
	return "(not a URL)"
}

func transport(o Options) (http.RoundTripper, error) {
	if o.Transport != nil {
		return o.Transport, nil
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	if o.CAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: reading CA file: %w", o.Cluster, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("cluster %s: CA file %s: expected PEM certificates", o.Cluster, o.CAFile)
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}

// Cluster is the name that errors use.
func (c *Client) Cluster() string { return c.cluster }

// call is one request. op and connector are for errors; out, when set, takes the JSON answer.
type call struct {
	op, connector string
	method, path  string
	query         url.Values
	body, out     any
}

func (c *Client) do(ctx context.Context, k call) (int, error) {
	r := c.http.R().SetContext(ctx)
	if k.query != nil {
		r.SetQueryParamsFromValues(k.query)
	}
	if k.body != nil {
		r.SetHeader("Content-Type", "application/json").SetBody(k.body)
	}
	answer, err := r.Execute(k.method, k.path)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.Join(context.Cause(ctx), ctx.Err())
		}
		return 0, c.failed(k.op, k.connector, err)
	}
	if answer.StatusCode() >= 300 {
		return answer.StatusCode(), c.refused(k.op, k.connector, answer.StatusCode(), answer.Body())
	}
	if k.out == nil || len(answer.Body()) == 0 {
		return answer.StatusCode(), nil
	}
	decoder := json.NewDecoder(bytes.NewReader(answer.Body()))
	decoder.UseNumber()
	if err := decoder.Decode(k.out); err != nil {
		return answer.StatusCode(), &Error{Cluster: c.cluster, Connector: k.connector, Op: k.op, HTTPStatus: answer.StatusCode(), Message: message(answer.Body()), Kind: ErrBroken, cause: err}
	}
	return answer.StatusCode(), nil
}

// read tries again for a while what a starting or rebalancing worker refuses; reading twice harms nothing.
func (c *Client) read(ctx context.Context, k call) error {
	k.method = http.MethodGet
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		_, err := c.do(ctx, k)
		if err != nil && !errors.Is(err, ErrRebalancing) && !errors.Is(err, ErrStarting) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pace()), backoff.WithMaxElapsedTime(c.timeout))
	return plain(err)
}

// write tries again only after the refusals that are known to have had no effect.
func (c *Client) write(ctx context.Context, k call) (int, error) {
	status, err := backoff.Retry(ctx, func() (int, error) {
		status, err := c.do(ctx, k)
		if err != nil && !harmless(err) {
			return status, backoff.Permanent(err)
		}
		return status, err
	}, backoff.WithBackOff(pace()), backoff.WithMaxElapsedTime(3*c.timeout))
	return status, plain(err)
}

// harmless: a 409 or "a rebalance is expected" is said before anything is done. A forwarded request that broke is not
// among them: the leader may have done it.
func harmless(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Kind == ErrStarting || e.Kind == ErrRebalancing && !strings.Contains(e.Message, "forward")
}

func plain(err error) error {
	var p *backoff.PermanentError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func pace() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier = 100*time.Millisecond, 2*time.Second, 1.6
	return b
}

// at is the path of a connector; its name may hold anything.
func at(name string, parts ...string) string {
	path := "/connectors/" + strings.ReplaceAll(url.PathEscape(name), ".", "%2E")
	for _, p := range parts {
		path += "/" + p
	}
	return path
}
