package dlq

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/go-resty/resty/v2"
)

// The reasons of an Error, one word each.
const (
	Refused = "refused"        // nothing listens, or it hung up
	Timeout = "timeout"        // no answer, or no outcome, in time
	Denied  = "authentication" // the login or the right was refused
	Missing = "missing"        // host name, path, or a record with that ID is not there
	Settled = "settled"        // the records are resolved already
	Busy    = "busy"           // too many requests, or not ready
	Broken  = "broken"         // anything else
)

// Error says in words why the CDC API did not do what was asked. It holds no credentials.
type Error struct {
	Address string
	What    string // "records of the dead-letter queue", "replay of 12 records"
	Status  int    // of the answer, 0 when there was none
	text    string
	reason  string
	cause   error
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s: CDC API at %s %s", e.What, e.Address, e.text) }

// Reason is one of Refused, Timeout, Denied, Missing, Settled, Busy and Broken.
func (e *Error) Reason() string { return e.reason }

// Unwrap lets errors.Is find a context's end and the system's errors.
func (e *Error) Unwrap() error { return e.cause }

// passing says whether asking once more may be answered.
func (e *Error) passing() bool {
	return e.reason == Refused || e.reason == Timeout || e.reason == Busy || e.Status >= http.StatusInternalServerError
}

// refusals are what the statuses mean.
var refusals = map[int]struct{ reason, text string }{
	http.StatusBadRequest:          {Broken, "refused the question"},
	http.StatusUnauthorized:        {Denied, "refused the login"},
	http.StatusForbidden:           {Denied, "denies the permission"},
	http.StatusNotFound:            {Missing, "has nothing there: is the prefix right?"},
	http.StatusConflict:            {Settled, "has resolved some of them already; nothing of this batch was replayed"},
	http.StatusUnprocessableEntity: {Broken, "refused the question"},
	http.StatusTooManyRequests:     {Busy, "takes no more requests now"},
	http.StatusServiceUnavailable:  {Busy, "is not ready"},
	http.StatusBadGateway:          {Busy, "is not reached by the proxy before it"},
	http.StatusGatewayTimeout:      {Timeout, "does not answer the proxy before it"},
}

// complaint is the body of a refusal: of FastAPI, or of the API under /api/v1, which also lists the IDs.
type complaint struct {
	Detail  json.RawMessage `json:"detail"`
	Message string          `json:"message"`
	Error   json.RawMessage `json:"error"`
	Details struct {
		Invalid  []string `json:"invalid_ids"`
		Resolved []string `json:"resolved_ids"`
	} `json:"details"`
}

// refused is an answer that is not 200 or 202.
func (c *Client) refused(what string, status int, body []byte) error {
	e := &Error{Address: c.host, What: what, Status: status, reason: Broken, text: "answered an error"}
	if known, ok := refusals[status]; ok {
		e.reason, e.text = known.reason, known.text
	}
	var said complaint
	_ = json.Unmarshal(body, &said) // what is not JSON says nothing
	if len(said.Details.Invalid) > 0 {
		e.reason, e.text = Missing, "knows no records "+some(said.Details.Invalid)+"; nothing of this batch was replayed"
	}
	if len(said.Details.Resolved) > 0 {
		e.text = "has resolved " + some(said.Details.Resolved) + " already; nothing of this batch was replayed"
	}
	e.text += fmt.Sprintf(" (%d", status)
	if words := c.words(said); words != "" {
		e.text += ": " + words
	}
	e.text += ")"
	return e
}

// words is what a complaint says, without what the request carried.
func (c *Client) words(said complaint) string {
	text := said.Message
	for _, raw := range []json.RawMessage{said.Detail, said.Error} {
		if text != "" || len(raw) == 0 {
			continue
		}
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw) // FastAPI lists what is wrong with a body
		}
	}
	for _, s := range []string{c.options.Password, c.options.Token} {
		if s != "" {
			text = strings.ReplaceAll(text, s, "…")
		}
	}
	return cut(text, 300)
}

// some names the first of many.
func some(ids []string) string {
	const most = 5
	if len(ids) <= most {
		return cut(strings.Join(ids, ", "), 400)
	}
	return cut(strings.Join(ids[:most], ", "), 400) + fmt.Sprintf(" and %d more", len(ids)-most)
}

// strange is an answer that the CDC API does not give.
func (c *Client) strange(what string, status int, why string) error {
	return &Error{Address: c.host, What: what, Status: status, reason: Broken, text: fmt.Sprintf("answered %d, and not as the CDC API does: %s", status, why)}
}

// failed is a request without an answer.
func (c *Client) failed(ctx context.Context, what, method string, err error) error {
	e := &Error{Address: c.host, What: what, cause: harmless(err)}
	if errors.Is(err, resty.ErrResponseBodyTooLarge) {
		e.reason, e.text = Broken, fmt.Sprintf("answered more than %d MiB, which is not read", mostBytes>>20)
		return e
	}
	e.reason, e.text = transport(ctx, err)
	var rests resting
	if method == http.MethodPost && e.reason != Missing && !errors.Is(err, syscall.ECONNREFUSED) && !errors.As(err, &rests) {
		e.text += "; whether anything was replayed is not known: look at the records before trying again"
	}
	return e
}

// transport explains why there was no answer.
func transport(ctx context.Context, err error) (reason, text string) {
	var name *net.DNSError
	var wire net.Error
	var rests resting
	switch {
	case errors.As(err, &rests):
		return notAsked(ctx, rests)
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused, "refused the connection"
	case errors.As(err, &name) && !name.IsTimeout:
		return Missing, "has no address: the host name is not known"
	case encrypted(err):
		return Broken, "offers no TLS that this client accepts: " + cut(innermost(err), 300)
	case errors.Is(err, context.Canceled):
		return Broken, "was not waited for: cancelled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &wire) && wire.Timeout(), ctx.Err() != nil:
		return Timeout, "did not answer in time"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(err.Error(), "server closed idle connection"): // net/http has no name for the last
		return Refused, "hung up"
	}
	return Broken, "could not be asked: " + cut(innermost(err), 300)
}

// resting is what the guard of the way there says of a question that it did not let pass: since when and until when.
type resting interface {
	error
	Unwrap() error // why
	Resting() time.Time
}

// notAsked says that nobody was asked, and keeps the reason for which it is so.
func notAsked(ctx context.Context, err resting) (reason, text string) {
	if err.Unwrap() == nil {
		return Refused, "is not asked: " + err.Error()
	}
	reason, _ = transport(ctx, err.Unwrap())
	return reason, "is not asked: " + err.Error()
}

// encrypted says whether TLS was the trouble.
func encrypted(err error) bool {
	var record tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	return errors.As(err, &record) || errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &host) ||
		strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// innermost is the deepest cause's own text: the outer ones repeat method and URL.
func innermost(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// harmless keeps of a cause what callers decide on.
func harmless(err error) error {
	for _, known := range []error{context.DeadlineExceeded, context.Canceled, syscall.ECONNREFUSED, os.ErrNotExist} {
		if errors.Is(err, known) {
			return known
		}
	}
	return nil
}

// cut keeps the first n characters, none of which moves a cursor.
func cut(text string, n int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if r := []rune(text); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return text
}
