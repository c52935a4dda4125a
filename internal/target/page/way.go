package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/go-resty/resty/v2"
)

// way is one way to call people.
type way struct {
	who    string
	to     func(Options) string
	accept func(status int) bool
	// fill puts body and credentials on a request.
	fill func(r *resty.Request, o Options, m message) error
}

// event is what PagerDuty takes (developer.pagerduty.com, Events API v2, "Send an alert event").
type event struct {
	RoutingKey string  `json:"routing_key"`
	Action     string  `json:"event_action"`
	DedupKey   string  `json:"dedup_key"`
	Client     string  `json:"client"`
	Payload    payload `json:"payload"`
}

type payload struct {
	Summary  string            `json:"summary"`
	Source   string            `json:"source"`
	Severity string            `json:"severity"`
	Details  map[string]string `json:"custom_details,omitempty"`
}

var pagerDuty = way{
	who:    "PagerDuty",
	to:     func(o Options) string { return o.URL },
	accept: func(status int) bool { return status == http.StatusAccepted },
	fill: func(r *resty.Request, o Options, m message) error {
		key, err := secret("PagerDuty routing key", o.RoutingKeyFile, o.RoutingKey)
		r.SetBody(event{
			RoutingKey: key, Action: "trigger", DedupKey: m.key, Client: o.Source,
			Payload: payload{Summary: cut(m.summary, longestSummary), Source: o.Source, Severity: "critical", Details: m.details},
		})
		return err
	},
}

// call is what a webhook takes.
type call struct {
	Key     string            `json:"key"`
	Summary string            `json:"summary"`
	Details map[string]string `json:"details"`
	Source  string            `json:"source"`
}

var webhook = way{
	who:    "the paging webhook",
	to:     func(o Options) string { return o.Webhook },
	accept: func(status int) bool { return status >= 200 && status < 300 },
	fill: func(r *resty.Request, o Options, m message) error {
		token, err := secret("paging webhook token", o.TokenFile, o.Token)
		if token != "" {
			r.SetAuthToken(token)
		}
		if m.details == nil {
			m.details = map[string]string{}
		}
		r.SetHeader("Idempotency-Key", url.QueryEscape(m.key))
		r.SetBody(call{m.key, m.summary, m.details, o.Source})
		return err
	},
}

// try makes one request. An error that another try will not mend is a backoff.PermanentError.
func (p *Pager) try(ctx context.Context, w way, m message) error {
	r := p.http.R().SetContext(ctx).SetHeader("Content-Type", "application/json")
	if err := w.fill(r, p.options, m); err != nil {
		return backoff.Permanent(err)
	}
	answer, err := r.Post(w.to(p.options))
	if err != nil && !errors.Is(err, resty.ErrResponseBodyTooLarge) { // the status counts, not what else is said
		return fmt.Errorf("%s %s", w.who, unreachable(ctx, err))
	}
	status := answer.StatusCode()
	if w.accept(status) {
		return nil
	}
	refusal := fmt.Errorf("%s answers %d %s%s", w.who, status, http.StatusText(status), p.said(answer.Body()))
	if status != http.StatusTooManyRequests && status < http.StatusInternalServerError {
		return backoff.Permanent(refusal)
	}
	if seconds, err := strconv.Atoi(answer.Header().Get("Retry-After")); err == nil && seconds > 0 {
		return later{refusal, &backoff.RetryAfterError{Duration: time.Duration(seconds) * time.Second}}
	}
	return refusal
}

// later is a refusal that says when to try again.
type later struct {
	error
	after *backoff.RetryAfterError
}

// Unwrap lets backoff find how long to wait.
func (l later) Unwrap() []error { return []error{l.error, l.after} }

// unreachable says why there was no answer. The URL is left out: a webhook's may be secret.
func unreachable(ctx context.Context, err error) string {
	var name *net.DNSError
	var wire net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused the connection"
	case errors.As(err, &name) && !name.IsTimeout:
		return "has no address: the host name is not known"
	case errors.Is(err, context.Canceled):
		return "was not waited for: cancelled"
	case errors.As(err, &wire) && wire.Timeout(), ctx.Err() != nil:
		return "did not answer in time"
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	return "could not be reached: " + cut(err.Error(), 200)
}

// said is what an answer complains about: the message and errors of PagerDuty, or the beginning of a text, without what we
// sent to prove who we are.
func (p *Pager) said(body []byte) string {
	var answer struct {
		Message string   `json:"message"`
		Errors  []string `json:"errors"`
	}
	text := strings.TrimSpace(string(body))
	if json.Unmarshal(body, &answer) == nil && answer.Message != "" {
		text = strings.Join(append([]string{answer.Message}, answer.Errors...), "; ")
	}
	for _, s := range []string{p.options.RoutingKey, p.options.Token} {
		if s != "" {
			text = strings.ReplaceAll(text, s, "…")
		}
	}
	if text == "" || strings.HasPrefix(text, "<") {
		return ""
	}
	return ": " + cut(strings.Join(strings.Fields(text), " "), 200)
}
