package cassandra

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/gocql/gocql"
)

// The reasons of an Error, one word each.
const (
	Refused = "refused"        // nothing listens
	Timeout = "timeout"        // no answer in time
	Denied  = "authentication" // the login or the permission was refused
	Busy    = "busy"           // too few nodes are up, or they are overloaded or starting
	Missing = "missing"        // keyspace, table or host name is not there
	Broken  = "broken"         // anything else
)

// Error says in words why a look failed. It holds no secrets.
type Error struct {
	Address string
	What    string // "probe", "query", "columns of warehouse.users"
	Code    string // of the native protocol, such as "0x2200", when the server answered; "" otherwise
	text    string
	reason  string
	cause   error
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: Cassandra at %s %s", e.What, e.Address, e.text)
}

// Reason is one of Refused, Timeout, Denied, Busy, Missing and Broken.
func (e *Error) Reason() string { return e.reason }

// Unwrap lets errors.Is find a context's end and the system's errors.
func (e *Error) Unwrap() error { return e.cause }

// conditions translate what a server answers (CQL native protocol v4, section 9). Where a part is given, the server's
// own words must hold it: 0x2200 covers everything that is wrong with a statement.
var conditions = []struct {
	code               int
	part, reason, text string
}{
	{gocql.ErrCodeCredentials, "", Denied, "refused the login"},
	{gocql.ErrCodeUnauthorized, "", Denied, "denies the permission"},
	{gocql.ErrCodeUnavailable, "", Busy, "has too few live replicas"},
	{gocql.ErrCodeOverloaded, "", Busy, "is overloaded"},
	{gocql.ErrCodeBootstrapping, "", Busy, "is starting up"},
	{gocql.ErrCodeReadTimeout, "", Timeout, "got no answer from its replicas in time"},
	{gocql.ErrCodeReadFailure, "", Broken, "could not read from its replicas"},
	{gocql.ErrCodeSyntax, "", Broken, "does not understand the statement"},
	{gocql.ErrCodeInvalid, "does not exist", Missing, "has no such keyspace or table"},
	{gocql.ErrCodeInvalid, "not found in keyspace", Missing, "has no such table"},
	{gocql.ErrCodeInvalid, "unconfigured table", Missing, "has no such table"},
	{gocql.ErrCodeInvalid, "not found", Missing, "has no such keyspace or table"},
	{gocql.ErrCodeInvalid, "Undefined column name", Missing, "has no such column"},
	{gocql.ErrCodeInvalid, "", Broken, "refused the statement"},
	{gocql.ErrCodeProtocol, "", Broken, "speaks no version of the protocol that this client does"},
}

func (c *Client) failed(ctx context.Context, what string, err error) error {
	e := &Error{Address: c.Address(), What: what, cause: harmless(ctx, err)}
	var answer gocql.RequestError
	if errors.As(err, &answer) {
		e.answered(answer)
		return e
	}
	e.reason, e.text = transport(ctx, err)
	return e
}

// answered explains what the server said. Its own words name users and tables, never passwords.
func (e *Error) answered(a gocql.RequestError) {
	e.Code, e.reason, e.text = fmt.Sprintf("0x%04X", a.Code()), Broken, "answered an error"
	for _, c := range conditions {
		if a.Code() == c.code && strings.Contains(a.Message(), c.part) {
			e.reason, e.text = c.reason, c.text
			break
		}
	}
	e.text += fmt.Sprintf(" (%s: %s)", e.Code, strings.TrimSpace(a.Message()))
}

// transport explains why there was no answer.
func transport(ctx context.Context, err error) (reason, text string) {
	var name *net.DNSError
	var rests resting
	switch {
	case errors.As(err, &rests):
		return notAsked(ctx, rests)
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused, "refused the connection"
	case errors.As(err, &name) && !name.IsTimeout:
		return Missing, "has no address: the host name is not known"
	case errors.Is(err, errKeyspace):
		return Missing, "has " + err.Error()
	case errors.Is(err, errDatacenter):
		return Missing, "has no node that may be asked: " + err.Error()
	case encrypted(err):
		return Broken, "offers no TLS that this client accepts: " + err.Error()
	case strings.Contains(err.Error(), "authentication required"):
		return Denied, "wants a login, and none is configured"
	case strings.Contains(err.Error(), "unexpected authenticator"):
		return Denied, "wants another kind of login than a password"
	case late(ctx, err):
		return Timeout, "did not answer in time"
	case errors.Is(err, context.Canceled), errors.Is(ctx.Err(), context.Canceled):
		return Broken, "was not waited for: cancelled"
	case errors.Is(err, syscall.ECONNRESET), hungUp(err):
		return Refused, "hung up"
	}
	return Broken, "could not be asked: " + err.Error()
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

// late says whether time ran out. The driver has its own errors for that, and some are only text.
func late(ctx context.Context, err error) bool {
	var wire net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded) ||
		errors.Is(err, gocql.ErrTimeoutNoResponse) || errors.As(err, &wire) && wire.Timeout() ||
		strings.Contains(err.Error(), "within timeout")
}

// hungUp says whether the other side ended the connection; the driver tells it as text.
func hungUp(err error) bool {
	return errors.Is(err, gocql.ErrConnectionClosed) || strings.HasSuffix(err.Error(), "EOF")
}

// encrypted says whether TLS was the trouble.
func encrypted(err error) bool {
	var record tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	return errors.As(err, &record) || errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &host)
}

// harmless keeps of a cause what callers decide on.
func harmless(ctx context.Context, err error) error {
	for _, known := range []error{context.DeadlineExceeded, context.Canceled, syscall.ECONNREFUSED} {
		if errors.Is(err, known) || errors.Is(ctx.Err(), known) {
			return known
		}
	}
	return nil
}
