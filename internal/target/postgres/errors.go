package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// The reasons of an Error, one word each.
const (
	Refused = "refused"        // nothing listens
	Timeout = "timeout"        // no answer in time
	Denied  = "authentication" // the login or the privilege was refused
	Busy    = "busy"           // no room for a connection, or starting up
	Missing = "missing"        // database, table or host name is not there
	Broken  = "broken"         // anything else
)

// Error says in words why a look failed. It holds no secrets.
type Error struct {
	Address string
	What    string // "SELECT 1", "count of orders"
	Code    string // SQLSTATE when the server answered, "" otherwise
	text    string
	reason  string
	cause   error
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: PostgreSQL at %s %s", e.What, e.Address, e.text)
}

// Reason is one of Refused, Timeout, Denied, Busy, Missing and Broken.
func (e *Error) Reason() string { return e.reason }

// Unwrap lets errors.Is find a context's end and the system's errors.
func (e *Error) Unwrap() error { return e.cause }

// conditions translate what a server answers (PostgreSQL errcodes, Appendix A); a longer code or prefix stands first.
var conditions = []struct{ code, reason, text string }{
	{"28P01", Denied, "refused the password"},
	{"28", Denied, "refused the login"},
	{"42501", Denied, "denies the permission"},
	{"3D000", Missing, "has no such database"},
	{"42P01", Missing, "has no such table"},
	{"42703", Missing, "has no such column"},
	{"42704", Missing, "has no such type or object"},
	{"42701", Broken, "already has such a column"},
	{"42P07", Broken, "already has such a table or index"},
	{"42601", Broken, "does not understand the statement"},
	{"42804", Broken, "cannot turn the values of one type into the other"},
	{"42846", Broken, "cannot turn the values of one type into the other"},
	{"22", Broken, "has values that do not fit"},
	{"23", Broken, "has rows that break the constraint"},
	{"2BP01", Broken, "has something that depends on it"},
	{"0A000", Broken, "does not support it"},
	{"40P01", Busy, "ended a deadlock by giving up"},
	{lockNotAvailable, Busy, "did not give the lock in time"},
	{"3F000", Missing, "has no such schema"},
	{"53300", Busy, "has too many connections"},
	{"53", Busy, "is short of resources"},
	{"57P03", Busy, "is starting up, shutting down or recovering"},
	{"57014", Timeout, "did not finish in time"},
	{"57P", Refused, "is shutting down"},
	{"25006", Broken, "refused to write: the transaction is read-only"},
}

// lockNotAvailable is the SQLSTATE of a lock that was not given in time.
const lockNotAvailable = "55P03"

// failed explains err; what was tried is part of the text.
func (c *Client) failed(ctx context.Context, what string, err error) error {
	if errors.Is(err, errPassword) {
		return err
	}
	e := &Error{Address: c.Address(), What: what, cause: harmless(err)}
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		e.answered(answer)
		return e
	}
	e.reason, e.text = transport(ctx, err)
	return e
}

// answered explains what the server said. Its own words name users and tables, never passwords.
func (e *Error) answered(a *pgconn.PgError) {
	e.Code, e.reason, e.text = a.Code, Broken, "answered an error"
	for _, c := range conditions {
		if strings.HasPrefix(a.Code, c.code) {
			e.reason, e.text = c.reason, c.text
			break
		}
	}
	e.text += fmt.Sprintf(" (%s: %s)", a.Code, strings.TrimSpace(a.Message))
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
	case errors.Is(err, os.ErrNotExist):
		return Refused, "does not listen (its socket is not there)"
	case errors.As(err, &name) && !name.IsTimeout:
		return Missing, "has no address: the host name is not known"
	case encrypted(err):
		return Broken, "offers no TLS that this client accepts: " + innermost(err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &wire) && wire.Timeout(), errors.Is(ctx.Err(), context.DeadlineExceeded):
		return Timeout, "did not answer in time"
	case errors.Is(err, context.Canceled):
		return Broken, "was not waited for: cancelled"
	case errors.Is(err, syscall.ECONNRESET), strings.Contains(err.Error(), "unexpected EOF"):
		return Refused, "hung up"
	}
	return Broken, "could not be asked: " + innermost(err)
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
		strings.Contains(err.Error(), "refused TLS connection")
}

// innermost is the deepest cause's own text: the outer ones of pgx repeat the connection's settings.
func innermost(err error) string {
	for {
		switch u := err.(type) {
		case interface{ Unwrap() error }:
			if u.Unwrap() == nil {
				return err.Error()
			}
			err = u.Unwrap()
		case interface{ Unwrap() []error }:
			list := u.Unwrap()
			if len(list) == 0 {
				return err.Error()
			}
			err = list[0]
		default:
			return err.Error()
		}
	}
}

// harmless keeps of a cause what callers decide on. The whole of it would carry pgx's settings along.
func harmless(err error) error {
	for _, known := range []error{context.DeadlineExceeded, context.Canceled, syscall.ECONNREFUSED} {
		if errors.Is(err, known) {
			return known
		}
	}
	return nil
}
