// Package page calls the people who are on call: through PagerDuty's Events API v2, through any webhook that takes JSON, or
// both. It exists because a runbook's "Page …" must reach somebody also when Slack is what is broken. It tries again while
// there is time, which is safe: the key makes one call of many deliveries.
package page

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/cenkalti/backoff/v5"
	"github.com/go-resty/resty/v2"
)

// Options say who is called. RoutingKey and Webhook may both be given; then both are called.
type Options struct {
	RoutingKey     string        // integration key of an Events API v2 service
	RoutingKeyFile string        // read anew for every page; wins over RoutingKey
	URL            string        // of the Events API; https://events.pagerduty.com/v2/enqueue when empty
	Webhook        string        // URL that takes {"key", "summary", "details", "source"} by POST
	Token          string        // bearer token of the webhook
	TokenFile      string        // read anew for every page; wins over Token
	Source         string        // who calls; "cdcbot" when empty
	Timeout        time.Duration // for one try; 10 s when zero
	Patience       time.Duration // for all tries of one page; 50 s when zero, the caller's deadline when that is sooner
}

// The lengths that the Events API takes ("Send an alert event"), in characters.
const (
	longestSummary = 1024
	longestKey     = 255
)

// enqueue is where the Events API v2 takes events.
const enqueue = "https://events.pagerduty.com/v2/enqueue"

// Pager calls people. It is safe for concurrent use.
type Pager struct {
	options Options
	http    *resty.Client
	ways    []way
}

// New checks the options. It calls nobody.
func New(o Options) (*Pager, error) {
	if o.RoutingKey == "" && o.RoutingKeyFile == "" && o.Webhook == "" {
		return nil, errors.New("page: nobody to call; expected a PagerDuty routing key or the URL of a webhook")
	}
	defaults(&o)
	p := &Pager{options: o, http: newHTTP(o.Timeout)}
	if o.RoutingKey != "" || o.RoutingKeyFile != "" {
		p.ways = append(p.ways, pagerDuty)
	}
	if o.Webhook != "" {
		p.ways = append(p.ways, webhook)
	}
	for _, w := range p.ways {
		to, err := url.Parse(w.to(o))
		if err != nil || to.Hostname() == "" || to.Scheme != "http" && to.Scheme != "https" {
			return nil, fmt.Errorf("page: the URL of %s is not understood; expected one that begins with http:// or https://", w.who)
		}
	}
	return p, nil
}

func defaults(o *Options) {
	if o.URL == "" {
		o.URL = enqueue
	}
	if o.Source == "" {
		o.Source = "cdcbot"
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Patience <= 0 {
		o.Patience = 50 * time.Second
	}
}

// newHTTP follows no redirect: it would turn a POST into a GET, and lead the key elsewhere.
func newHTTP(timeout time.Duration) *resty.Client {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, IdleConnTimeout: 30 * time.Second,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
	}
	stop := resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse })
	return resty.NewWithClient(&http.Client{Transport: transport, Timeout: timeout}).
		SetRedirectPolicy(stop).SetResponseBodyLimit(64<<10).SetDisableWarn(true).SetHeader("User-Agent", "cdcbot")
}

// Page calls. The same key does not page twice while PagerDuty's alert is open; a webhook gets the key in the body and as
// Idempotency-Key. Answers of 429 and 5xx, and no answer, are tried again until the patience or ctx ends. When one way of
// two has failed, the error says which; the other has been tried all the same.
func (p *Pager) Page(ctx context.Context, key, summary string, details map[string]string) error {
	if key == "" || utf8.RuneCountInString(key) > longestKey {
		return fmt.Errorf("page key %q: expected 1 to %d characters", cut(key, 40), longestKey)
	}
	if strings.TrimSpace(summary) == "" {
		return errors.New("page summary: empty; expected what people should know")
	}
	ctx, cancel := context.WithTimeout(ctx, p.options.Patience)
	defer cancel()
	failures := make([]error, len(p.ways))
	var all sync.WaitGroup
	for i, w := range p.ways { // at once: the patience for one must not be used up by the other
		all.Go(func() { failures[i] = p.deliver(ctx, w, message{key, summary, details}) })
	}
	all.Wait()
	return errors.Join(failures...)
}

// message is what is to be said.
type message struct {
	key, summary string
	details      map[string]string
}

// deliver tries one way until it works, is refused, or the time is up.
func (p *Pager) deliver(ctx context.Context, w way, m message) error {
	pace := backoff.NewExponentialBackOff()
	pace.InitialInterval, pace.MaxInterval = 250*time.Millisecond, 8*time.Second
	tries := 0
	var last error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := p.try(ctx, w, m)
		if tries++; err == nil || last == nil || ctx.Err() == nil { // what was said before tells more than that the time is over
			last = err
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pace), backoff.WithMaxElapsedTime(p.options.Patience))
	if err == nil {
		return nil
	}
	var permanent *backoff.PermanentError
	if errors.As(last, &permanent) {
		return permanent.Unwrap()
	}
	return fmt.Errorf("%w; tries: %d", last, tries)
}

// secret reads a file anew, or takes the value.
func secret(what, file, value string) (string, error) {
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("%s file: %w", what, err)
		}
		value, what = strings.TrimSpace(string(data)), what+" file "+file
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) || value == "" && file != "" {
		return "", fmt.Errorf("%s: expected one line that is not empty", what)
	}
	return value, nil
}

// cut keeps the first n characters.
func cut(text string, n int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if r := []rune(text); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return text
}
