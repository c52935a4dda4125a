// Package web asks systems that answer GET: a schema registry, Prometheus, Vault's health, the CDC API. It exists so that a
// runbook's curl reaches only servers that are configured, with their credentials, within a deadline and a size, and never
// follows a redirect to somebody else. Each request is made once: a second try would hide what a diagnosis wants to know.
package web

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

// Options say where a system is and who asks.
type Options struct {
	Name         string                                    // how errors call it: "schema registry"
	URL          string                                    // http://host:8081/path; what is asked for is appended to the path
	Username     string                                    // for basic authentication; also taken from the URL
	Password     string                                    // of the user
	PasswordFile string                                    // read anew for every request, so that rotation needs no restart; wins over Password
	Token        string                                    // bearer token, instead of a user name
	TokenFile    string                                    // read anew for every request; wins over Token
	CAFile       string                                    // PEM; the system's authorities when empty
	Timeout      time.Duration                             // for one request; 5 s when zero
	Wrap         func(http.RoundTripper) http.RoundTripper // put around the transport; nil for none
}

const (
	mostBytes     = 8 << 20 // of one answer
	mostRedirects = 3
)

// Client asks one system. It is safe for concurrent use.
type Client struct {
	name    string
	base    *url.URL
	options Options
	http    *resty.Client
	timeout time.Duration
}

// New checks the options. It does not connect.
func New(o Options) (*Client, error) {
	if o.Name == "" {
		return nil, errors.New("name of a system that is asked over HTTP: empty; expected one such as registry")
	}
	base, err := url.Parse(o.URL)
	if err != nil || base.Hostname() == "" || base.Scheme != "http" && base.Scheme != "https" || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("%s url: not understood; expected something like http://host:8081, without a query", o.Name)
	}
	if base.User != nil && o.Username == "" {
		o.Username = base.User.Username()
		o.Password, _ = base.User.Password()
	}
	base.User = nil
	if o.Username != "" && (o.Token != "" || o.TokenFile != "") {
		return nil, fmt.Errorf("%s username and token: expected one of them, not both", o.Name)
	}
	transport, err := newTransport(o)
	if err != nil {
		return nil, err
	}
	if o.Wrap != nil {
		transport = o.Wrap(transport)
	}
	c := &Client{name: o.Name, base: base, options: o, timeout: o.Timeout}
	if c.timeout <= 0 {
		c.timeout = 5 * time.Second
	}
	c.http = resty.NewWithClient(&http.Client{Transport: transport}).
		SetRedirectPolicy(resty.RedirectPolicyFunc(c.stay)).
		SetResponseBodyLimit(mostBytes).
		SetDisableWarn(true). // a login over plain HTTP is the operator's choice
		SetHeaders(map[string]string{"Accept": "application/json, */*;q=0.5", "User-Agent": "cdcbot"})
	return c, nil
}

func newTransport(o Options) (http.RoundTripper, error) {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 4,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
	}
	if o.CAFile == "" {
		return transport, nil
	}
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("%s ca_file: %w", o.Name, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s ca_file %s: no certificate in it; expected PEM", o.Name, o.CAFile)
	}
	transport.TLSClientConfig.RootCAs = pool
	return transport, nil
}

// redirectError is why a redirect was not followed.
type redirectError struct{ where string }

// Error implements error.
func (e redirectError) Error() string { return "redirects to " + e.where + ", which is not followed" }

// stay follows redirects only within the system: another host must not get the credentials.
func (c *Client) stay(next *http.Request, before []*http.Request) error {
	switch {
	case next.URL.Host != c.base.Host || next.URL.Scheme != c.base.Scheme:
		return redirectError{next.URL.Scheme + "://" + next.URL.Host}
	case len(before) > mostRedirects:
		return redirectError{"itself again and again"}
	}
	return nil
}

// Address is host:port of the system, for people.
func (c *Client) Address() string { return c.base.Host }

// Get asks for a path, which begins with "/" and may hold a query; it is appended to the path of the system's URL. Answers
// of 4xx and 5xx are answers, not errors. Errors of the way there are *Error.
func (c *Client) Get(ctx context.Context, path string) (status int, body []byte, err error) {
	return c.Send(ctx, http.MethodGet, path, nil)
}

// Send is Get with another method and a body that is marshalled to JSON, nil for none.
func (c *Client) Send(ctx context.Context, method, path string, what any) (status int, body []byte, err error) {
	where, err := c.resolve(path)
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request := c.http.R().SetContext(ctx)
	if err := c.authenticate(request); err != nil {
		return 0, nil, err
	}
	if what != nil {
		request.SetHeader("Content-Type", "application/json").SetBody(what)
	}
	answer, err := request.Execute(method, where)
	if err != nil {
		return 0, nil, c.failed(ctx, path, err)
	}
	return answer.StatusCode(), answer.Body(), nil
}

// Probe returns a question for a diagnosis: it asks for path, and want says of the body of a good answer what there is to
// tell, such as "12 subjects"; nil tells nothing. Its line is "schema registry at host:8081 answers (12 subjects)". An
// answer of 4xx or 5xx is an error. Errors are *Error.
func (c *Client) Probe(path string, want func(body []byte) (string, error)) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		status, body, err := c.Get(ctx, path)
		if err != nil {
			return "", err
		}
		if status >= http.StatusBadRequest {
			return "", c.answered(path, status, body)
		}
		text := fmt.Sprintf("%s at %s answers", c.name, c.base.Host)
		if want == nil {
			return text, nil
		}
		told, err := want(body)
		if err != nil {
			return "", &Error{Name: c.name, Address: c.base.Host, What: shown(path), Status: status, reason: Broken, text: "answered, and not as expected: " + short(err.Error())}
		}
		if told != "" {
			text += " (" + told + ")"
		}
		return text, nil
	}
}

// resolve appends a path to the base. Characters that no URL may hold, such as those of an unquoted PromQL query, are
// escaped; a path that leaves the base is refused.
func (c *Client) resolve(path string) (string, error) {
	path, _, _ = strings.Cut(path, "#")
	if path != "" && !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "?") {
		return "", fmt.Errorf("path %q of %s: expected it to begin with /", shown(path), c.name)
	}
	path, query, asked := strings.Cut(path, "?")
	plain, err := url.PathUnescape(path)
	if err != nil {
		plain = path
	}
	for part := range strings.SplitSeq(strings.ReplaceAll(plain, `\`, "/"), "/") {
		if part == ".." {
			return "", fmt.Errorf("path %q of %s: .. would leave what is configured", shown(path), c.name)
		}
	}
	if path == "" && c.base.Path == "" {
		path = "/"
	}
	where := c.base.Scheme + "://" + c.base.Host + strings.TrimRight(c.base.EscapedPath(), "/") + escape(path)
	if asked {
		where += "?" + escape(query)
	}
	return where, nil
}

// escape writes what may not stand in a URL as %XX. What is escaped already stays; a % that escapes nothing is escaped.
func escape(s string) string {
	var out strings.Builder
	for i := range len(s) {
		c := s[i]
		bare := c == '%' && !(i+2 < len(s) && hexadecimal(s[i+1]) && hexadecimal(s[i+2]))
		if bare || c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			fmt.Fprintf(&out, "%%%02X", c)
			continue
		}
		out.WriteByte(c)
	}
	return out.String()
}

func hexadecimal(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// authenticate puts the credentials on a request; files are read anew.
func (c *Client) authenticate(r *resty.Request) error {
	o := c.options
	if o.Token != "" || o.TokenFile != "" {
		token, err := secret(c.name+" token", o.TokenFile, o.Token)
		r.SetAuthToken(token)
		return err
	}
	if o.Username == "" {
		return nil
	}
	if o.PasswordFile == "" {
		r.SetBasicAuth(o.Username, o.Password)
		return nil
	}
	password, err := secret(c.name+" password", o.PasswordFile, "")
	r.SetBasicAuth(o.Username, password)
	return err
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
