// Package vault asks HashiCorp Vault about its health and its leases, renews them, and fetches fresh dynamic credentials.
// It exists so that a sink whose login ends can be cured, and so that a sealed Vault is told in words instead of as a
// failed connector. The bot never seals, never unseals and never handles unseal keys. Each request is made once: a second
// try would hide what a diagnosis wants to know.
package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// Options say where Vault is and who asks. Of Token, TokenFile and RoleID one is needed for everything but Health and Probe.
type Options struct {
	URL          string                                    // http://host:8200, without a path
	Token        string                                    // a token of a narrow policy
	TokenFile    string                                    // read anew for every request, so that rotation needs no restart; wins over Token
	RoleID       string                                    // AppRole instead of a token
	SecretID     string                                    // of the AppRole
	SecretIDFile string                                    // read anew for every login; wins over SecretID
	Mount        string                                    // where AppRole is mounted; "approle" when empty
	Namespace    string                                    // of Vault Enterprise; none when empty
	CAFile       string                                    // PEM; the system's authorities when empty
	Timeout      time.Duration                             // for one call, logging in included; 5 s when zero
	Now          func() time.Time                          // time.Now when nil
	Wrap         func(http.RoundTripper) http.RoundTripper // put around the transport; nil for none
}

const (
	mostBytes  = 8 << 20 // of one answer
	mostLeases = 10_000  // that Leases returns
	mostLooks  = 200     // that Expiring makes
	deepest    = 8       // folders below a prefix
)

// Client asks one Vault. It is safe for concurrent use.
type Client struct {
	api     *api.Client
	host    string
	timeout time.Duration
	tokens  *tokens
}

// New checks the options. It does not connect.
func New(o Options) (*Client, error) {
	address, err := url.Parse(o.URL)
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" || address.User != nil || address.RawQuery != "" {
		return nil, errors.New("vault url: not understood; expected http://host:8200 or https://host:8200, without a login")
	}
	sources, err := newTokens(o)
	if err != nil {
		return nil, err
	}
	transport, err := newTransport(o.CAFile)
	if err != nil {
		return nil, err
	}
	if o.Wrap != nil {
		transport = o.Wrap(transport)
	}
	c := &Client{host: address.Host, timeout: o.Timeout, tokens: sources}
	if c.timeout <= 0 {
		c.timeout = 5 * time.Second
	}
	c.api, err = newAPI(strings.TrimRight(o.URL, "/"), o.Namespace, bounded{transport})
	return c, err
}

// newAPI makes HashiCorp's client without its retries, and without what it reads from the environment of the process.
func newAPI(address, namespace string, transport http.RoundTripper) (*api.Client, error) {
	client, err := api.NewClient(&api.Config{
		Address:    address,
		HttpClient: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		MaxRetries: 0,
	})
	if err != nil {
		return nil, fmt.Errorf("vault client: %w", err)
	}
	client.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
	client.ClearToken()
	if namespace != "" {
		client.SetNamespace(namespace)
	}
	return client, nil
}

func newTransport(authorities string) (http.RoundTripper, error) {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 4,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
	}
	if authorities == "" {
		return transport, nil
	}
	pem, err := os.ReadFile(authorities)
	if err != nil {
		return nil, fmt.Errorf("vault ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("vault ca_file %s: no certificate in it; expected PEM", authorities)
	}
	transport.TLSClientConfig.RootCAs = pool
	return transport, nil
}

// bounded cuts answers: the official client reads them whole.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, mostBytes), res.Body}
	}
	return res, err
}

// Address is host:port of Vault, for people.
func (c *Client) Address() string { return c.host }

// Health is the answer of sys/health, also of a Vault that is sealed, a standby or not initialised. It needs no token.
// Errors are *Error.
func (c *Client) Health(ctx context.Context) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	res, err := c.api.Logical().ReadRawWithDataWithContext(ctx, "sys/health", always)
	if res != nil {
		defer func() { _ = res.Body.Close() }()
	}
	if err != nil {
		return nil, c.failed(ctx, "health", http.MethodGet, "sys/health", err)
	}
	var health map[string]any
	if err := json.NewDecoder(res.Body).Decode(&health); err != nil || res.StatusCode >= http.StatusMultipleChoices {
		return nil, c.strange(ctx, "health", res.StatusCode, err)
	}
	if _, ok := health["sealed"].(bool); !ok {
		return nil, c.strange(ctx, "health", res.StatusCode, errors.New("no field sealed"))
	}
	return health, nil
}

// always asks sys/health to answer 200 in every state.
var always = map[string][]string{
	"sealedcode": {"200"}, "uninitcode": {"200"}, "standbycode": {"200"}, "performancestandbycode": {"200"},
	"drsecondarycode": {"200"}, "removedcode": {"200"}, "haunhealthycode": {"200"},
}

// Probe says in one line what answered. A Vault that is sealed or not initialised is an error. Errors are *Error.
func (c *Client) Probe(ctx context.Context) (string, error) {
	health, err := c.Health(ctx)
	if err != nil {
		return "", err
	}
	version, _ := health["version"].(string)
	switch {
	case health["initialized"] == false:
		return "", &Error{Address: c.host, What: "health", reason: Sealed, text: "is not initialised: it is new and holds nothing"}
	case health["sealed"] == true:
		return "", &Error{Address: c.host, What: "health", reason: Sealed, text: sealed}
	case health["standby"] == true:
		return fmt.Sprintf("Vault %s at %s answers, unsealed; it is a standby", version, c.host), nil
	}
	return fmt.Sprintf("Vault %s at %s answers, unsealed", version, c.host), nil
}
