package dlq

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"
)

// New checks the options. It does not connect.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.URL)
	if err != nil || base.Hostname() == "" || base.Scheme != "http" && base.Scheme != "https" || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("cdc_api url: not understood; expected something like http://host:8080, without a query")
	}
	if strings.ContainsAny(o.Prefix, "?#% \t\r\n") || strings.Contains(o.Prefix, "..") {
		return nil, fmt.Errorf("cdc_api prefix %q: expected a path such as /api/v1, or nothing", o.Prefix)
	}
	if base.User != nil && o.Username == "" {
		o.Username = base.User.Username()
		o.Password, _ = base.User.Password()
	}
	base.User = nil
	if o.Username != "" && (o.Token != "" || o.TokenFile != "") {
		return nil, errors.New("cdc_api username and token: expected one of them, not both")
	}
	transport, err := newTransport(o.CAFile)
	if err != nil {
		return nil, err
	}
	if o.Wrap != nil {
		transport = o.Wrap(transport)
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Wait <= 0 {
		o.Wait = 4 * time.Minute
	}
	prefix := strings.TrimRight(base.Path, "/")
	if p := strings.Trim(o.Prefix, "/"); p != "" {
		prefix += "/" + p
	}
	stop := resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse })
	client := resty.NewWithClient(&http.Client{Transport: transport}).
		SetRedirectPolicy(stop). // a redirected POST would become a GET, and the login would go elsewhere
		SetResponseBodyLimit(mostBytes).
		SetDisableWarn(true). // a login over plain HTTP is the operator's choice
		SetHeaders(map[string]string{"Accept": "application/json", "User-Agent": "cdcbot"})
	base.Path, base.RawPath = prefix, ""
	client.SetBaseURL(base.String())
	return &Client{options: o, host: base.Host, prefix: prefix, http: client}, nil
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
		return nil, fmt.Errorf("cdc_api ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("cdc_api ca_file %s: no certificate in it; expected PEM", authorities)
	}
	transport.TLSClientConfig.RootCAs = pool
	return transport, nil
}

// Address is host:port of the API, for people.
func (c *Client) Address() string { return c.host }

// do makes one request and decodes a good answer.
func (c *Client) do(ctx context.Context, what, method, path string, body, into any) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	r := c.http.R().SetContext(ctx)
	if err := c.authenticate(r); err != nil {
		return 0, err
	}
	if body != nil {
		r.SetHeader("Content-Type", "application/json").SetBody(body)
	}
	answer, err := r.Execute(method, path)
	if err != nil {
		return 0, c.failed(ctx, what, method, err)
	}
	if status = answer.StatusCode(); status != http.StatusOK && status != http.StatusAccepted {
		return status, c.refused(what, status, answer.Body())
	}
	if err := decode(answer.Body(), into); err != nil {
		return status, c.strange(what, status, err.Error())
	}
	return status, nil
}

// authenticate puts the credentials on a request; files are read anew.
func (c *Client) authenticate(r *resty.Request) error {
	o := c.options
	if o.Token != "" || o.TokenFile != "" {
		token, err := secret("cdc_api token", o.TokenFile, o.Token)
		r.SetAuthToken(token)
		return err
	}
	if o.Username == "" {
		return nil
	}
	password := o.Password
	if o.PasswordFile != "" {
		var err error
		if password, err = secret("cdc_api password", o.PasswordFile, ""); err != nil {
			return err
		}
	}
	r.SetBasicAuth(o.Username, password)
	return nil
}

// secret reads a file, or takes the value. A line break in it would break the request, so that is refused.
func secret(what, file, value string) (string, error) {
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("%s file: %w", what, err)
		}
		value, what = strings.TrimSpace(string(data)), what+" file "+file
	}
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fmt.Errorf("%s: expected one line that is not empty", what)
	}
	return value, nil
}
