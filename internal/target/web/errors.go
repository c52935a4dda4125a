package web

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
	"unicode/utf8"

	"github.com/go-resty/resty/v2"
)

// The reasons of an Error, one word each.
const (
	Refused = "refused"        // nothing listens, or it hung up
	Timeout = "timeout"        // no answer in time
	Denied  = "authentication" // the login or the right was refused
	Missing = "missing"        // host name or path is not there
	Busy    = "busy"           // too many requests, or not ready
	Broken  = "broken"         // anything else
)

// Error says in words why a system did not answer, or why its answer is no good. It holds no credentials.
type Error struct {
	Name    string // "schema registry"
	Address string
	What    string // the path that was asked for
	Status  int    // of the answer, 0 when there was none
	text    string
	reason  string
	cause   error
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s at %s %s", e.What, e.Name, e.Address, e.text)
}

// Reason is one of Refused, Timeout, Denied, Missing, Busy and Broken.
func (e *Error) Reason() string { return e.reason }

// Unwrap lets errors.Is find a context's end and the system's errors.
func (e *Error) Unwrap() error { return e.cause }

// failed is a request without an answer.
func (c *Client) failed(ctx context.Context, path string, err error) error {
	e := &Error{Name: c.name, Address: c.base.Host, What: shown(path), cause: harmless(err)}
	var redirect redirectError
	switch {
	case errors.As(err, &redirect):
		e.reason, e.text = Broken, redirect.Error()
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		e.reason, e.text = Broken, fmt.Sprintf("answered more than %d MiB, which is not read", mostBytes>>20)
	default:
		e.reason, e.text = transport(ctx, err)
	}
	return e
}

// statuses are what the answers mean that a probe takes for a failure.
var statuses = map[int]struct{ reason, text string }{
	http.StatusUnauthorized:       {Denied, "refused the login"},
	http.StatusForbidden:          {Denied, "denies the permission"},
	http.StatusNotFound:           {Missing, "has nothing there"},
	http.StatusTooManyRequests:    {Busy, "takes no more requests now"},
	http.StatusServiceUnavailable: {Busy, "is not ready"},
	http.StatusBadGateway:         {Busy, "is not reached by the proxy before it"},
	http.StatusGatewayTimeout:     {Timeout, "does not answer the proxy before it"},
}

// answered is an answer of 4xx or 5xx, with what the body says.
func (c *Client) answered(path string, status int, body []byte) error {
	e := &Error{Name: c.name, Address: c.base.Host, What: shown(path), Status: status, reason: Broken, text: "answered an error"}
	if known, ok := statuses[status]; ok {
		e.reason, e.text = known.reason, known.text
	}
	e.text += fmt.Sprintf(" (%d", status)
	said := message(body)
	for _, secret := range []string{c.options.Password, c.options.Token} {
		if secret != "" {
			said = strings.ReplaceAll(said, secret, "…")
		}
	}
	if said != "" {
		e.text += ": " + short(said)
	}
	e.text += ")"
	return e
}

// message is what an error's body says, in the fields that servers use, or its first line when it is plain text.
func message(body []byte) string {
	var fields map[string]any
	if json.Unmarshal(body, &fields) == nil {
		for _, name := range []string{"message", "detail", "error", "error_description"} {
			if text, ok := fields[name].(string); ok && text != "" {
				return text
			}
		}
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	if strings.HasPrefix(line, "<") { // a web page
		return ""
	}
	return strings.TrimSpace(line)
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
		return Broken, "offers no TLS that this client accepts: " + short(innermost(err))
	case errors.Is(err, context.Canceled):
		return Broken, "was not waited for: cancelled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &wire) && wire.Timeout(), ctx.Err() != nil:
		return Timeout, "did not answer in time"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(err.Error(), "server closed idle connection"): // net/http has no name for the last
		return Refused, "hung up"
	}
	return Broken, "could not be asked: " + short(innermost(err))
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

// shown is a path for people: without its query, which may hold a key.
func shown(path string) string {
	path, _, _ = strings.Cut(path, "?")
	if path == "" {
		path = "/"
	}
	return short(path)
}

// short keeps the beginning of a text, whole characters, none that would move a cursor.
func short(s string) string {
	const most = 300
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= most {
		return s
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
