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
	"go.uber.org/zap"
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
	Insecure           bool          // do not check the worker's certificate
	Timeout            time.Duration // for one call; default 10 s. Calls that are tried again take longer
	Transport          http.RoundTripper
	Wrap               func(http.RoundTripper) http.RoundTripper // put around the transport; nil for none
	Log                *zap.Logger                               // tells, at debug level, what is tried again; nil for silence
	Now                func() time.Time
}

// Client talks to the workers of one cluster through one URL. It is safe for concurrent use.
type Client struct {
	cluster string
	http    *resty.Client
	timeout time.Duration
	log     *zap.Logger
	now     func() time.Time
}

// New returns a client; it does not connect. A wrong URL or CA file is an error that names it.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.URL)
	if err != nil || base.Hostname() == "" || base.RawQuery != "" || base.Fragment != "" || (base.Scheme != "http" && base.Scheme != "https") {
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
	if o.Wrap != nil {
		transport = o.Wrap(transport)
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	r := resty.NewWithClient(&http.Client{Transport: transport, Timeout: o.Timeout}).
		SetBaseURL(strings.TrimRight(base.String(), "/")).
		SetRedirectPolicy(resty.RedirectPolicyFunc(stay(base))).
		SetResponseBodyLimit(maxBody).
		SetHeader("Accept", "application/json").
		SetDisableWarn(true)
	if o.Token != "" {
		r.SetAuthToken(o.Token)
	} else if o.Username != "" {
		r.SetBasicAuth(o.Username, o.Password)
	}
	return &Client{cluster: o.Cluster, http: r, timeout: o.Timeout, log: o.Log, now: o.Now}, nil
}

var errRedirect = errors.New("it redirects to another address, which is not followed")

// stay follows redirects only to the worker itself: another host must not get the credentials or a change.
func stay(base *url.URL) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, before []*http.Request) error {
		if next.URL.Host != base.Host || next.URL.Scheme != base.Scheme || len(before) > 3 || next.Method != before[0].Method {
			return errRedirect
		}
		return nil
	}
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
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.Insecure} // the operator's choice
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
	t.TLSClientConfig.RootCAs = pool
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
	secrets       map[string]string // the configuration that body holds
}

func (c *Client) do(ctx context.Context, k call) (int, error) {
	if strings.HasPrefix(k.path, "/connectors//") || k.path == "/connectors/" {
		return 0, &Error{Cluster: c.cluster, Op: k.op, Kind: ErrNotFound, Message: "the connector's name is empty"}
	}
	r := c.http.R().SetContext(ctx)
	if k.query != nil {
		r.SetQueryParamsFromValues(k.query)
	}
	if k.body != nil {
		r.SetHeader("Content-Type", "application/json").SetBody(k.body)
	}
	answer, err := r.Execute(k.method, k.path)
	if err != nil {
		return 0, c.failed(k, err)
	}
	if answer.StatusCode() >= 300 {
		return answer.StatusCode(), c.refused(k, answer.StatusCode(), answer.Body())
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

// read tries again for a while what a starting or rebalancing worker, or a proxy before it, refuses; reading twice harms
// nothing.
func (c *Client) read(ctx context.Context, k call) error {
	k.method = http.MethodGet
	_, err := c.retry(ctx, k, c.timeout, func(e *Error) bool {
		return e.Kind == ErrRebalancing || e.Kind == ErrStarting || e.HTTPStatus == http.StatusBadGateway || e.HTTPStatus == http.StatusServiceUnavailable
	})
	return err
}

// write tries again only after the refusals that are known to have had no effect.
func (c *Client) write(ctx context.Context, k call) (int, error) {
	return c.retry(ctx, k, 3*c.timeout, func(e *Error) bool { return e.harmless })
}

func (c *Client) retry(ctx context.Context, k call, limit time.Duration, again func(*Error) bool) (int, error) {
	var last error
	status, err := backoff.Retry(ctx, func() (int, error) {
		var status int
		status, last = c.do(ctx, k)
		var e *Error
		if last != nil && (!errors.As(last, &e) || !again(e)) {
			return status, backoff.Permanent(last)
		}
		return status, last
	}, backoff.WithBackOff(pace()), backoff.WithMaxElapsedTime(limit), backoff.WithNotify(func(err error, wait time.Duration) {
		c.log.Debug("trying again", zap.Duration("in", wait), zap.Error(err))
	}))
	if err == nil {
		return status, nil
	}
	var e *Error
	if ctx.Err() != nil && errors.As(last, &e) && e.cause == nil { // what was refused last tells more than that the time is over
		e.cause = ctx.Err()
	}
	return status, last
}

func pace() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier = 100*time.Millisecond, 2*time.Second, 1.6
	return b
}

// at is the path of a connector; its name may hold anything, though not every worker takes everything (ErrName).
func at(name string, parts ...string) string {
	escaped := url.PathEscape(name)
	if name == "." || name == ".." {
		escaped = strings.ReplaceAll(name, ".", "%2E")
	}
	return "/connectors/" + strings.Join(append([]string{escaped}, parts...), "/")
}
