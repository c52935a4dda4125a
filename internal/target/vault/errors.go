package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/vault/api"
)

// The reasons of an Error, one word each.
const (
	Sealed  = "sealed"         // it answers, and gives nothing until key holders unseal it
	Standby = "standby"        // it answers, and knows no active node
	Denied  = "authentication" // the token or its policy
	Missing = "missing"        // lease, role, path or host name is not there
	Busy    = "busy"           // too many requests
	Refused = "refused"        // nothing listens
	Timeout = "timeout"        // no answer in time
	Broken  = "broken"         // anything else
)

// sealed is said wherever it matters: whoever reads it must find the key holders, not the bot.
const sealed = "is sealed: two key holders must unseal it; the bot never handles unseal keys"

// Error says in words why Vault did not do what was asked. It holds no token, password or secret ID.
type Error struct {
	Address string
	What    string // "health", "lease database/creds/postgresql-writer/AbC", "credentials of database/creds/postgresql-writer"
	Status  int    // of the answer, 0 when there was none
	text    string
	reason  string
	cause   error
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s: Vault at %s %s", e.What, e.Address, e.text) }

// Reason is one of Sealed, Standby, Denied, Missing, Busy, Refused, Timeout and Broken.
func (e *Error) Reason() string { return e.reason }

// Unwrap lets errors.Is find a context's end and the system's errors.
func (e *Error) Unwrap() error { return e.cause }

// answers translate what Vault 1.21 says, the longer first. A status of 0 fits any.
var answers = []struct {
	status         int
	says           string
	reason, wanted string
}{
	{503, "Vault is sealed", Sealed, sealed},
	{0, "Vault is in standby", Standby, "is a standby that knows no active node"},
	{0, "active cluster node not found", Standby, "is a standby that knows no active node"},
	{403, "invalid token", Denied, "refused the token: it has expired or was revoked"},
	{400, "lease not found", Missing, "has no such lease: it has ended or was revoked; fetch fresh credentials"},
	{400, "invalid lease", Missing, "has no such lease: it has ended or was revoked; fetch fresh credentials"},
	{400, "lease expired", Missing, "has no such lease: it has ended; fetch fresh credentials"},
	{400, "lease is not renewable", Broken, "does not renew this lease: it is not renewable; fetch fresh credentials"},
	{400, "unknown role", Missing, "has no such role"},
	{400, "invalid role or secret ID", Denied, "refused the login: role_id or secret_id is wrong or has expired"},
	{404, "no handler for route", Missing, "has nothing mounted there"},
	{404, "unsupported path", Missing, "has nothing there"},
	{429, "", Busy, "takes no more requests now: a quota is used up"},
}

// capabilities are what a policy calls the methods.
var capabilities = map[string]string{http.MethodGet: `"read"`, http.MethodPut: `"update"`, "LIST": `"list", "sudo"`}

// failed turns an error of the official client into ours. The secrets are what the request carried beside those configured.
func (c *Client) failed(ctx context.Context, what, method, path string, err error, secrets ...string) error {
	e := &Error{Address: c.host, What: what, cause: harmless(err)}
	var answer *api.ResponseError
	var wire *url.Error // the client wraps what went wrong before there was an answer
	switch {
	case errors.As(err, &answer) && answer.RawError:
		e.Status, e.reason = answer.StatusCode, Broken
		e.text = fmt.Sprintf("answered %d, and not as Vault does", answer.StatusCode)
	case errors.As(err, &answer):
		e.answered(answer, method, path, append(secrets, c.tokens.o.Token, c.tokens.o.SecretID))
	case !errors.As(err, &wire) && ctx.Err() == nil:
		e.reason, e.text = Broken, "answered, and not as Vault does"
	default:
		e.reason, e.text = transport(ctx, err)
	}
	return e
}

// strange is an answer that Vault does not give: a proxy, or another server.
func (c *Client) strange(ctx context.Context, what string, status int, why error) error {
	if ctx.Err() != nil {
		reason, text := transport(ctx, ctx.Err())
		return &Error{Address: c.host, What: what, reason: reason, text: text, cause: ctx.Err()}
	}
	text := fmt.Sprintf("answered %d, and not as Vault does", status)
	if why != nil {
		text += " (" + short(why.Error()) + ")"
	}
	return &Error{Address: c.host, What: what, Status: status, reason: Broken, text: text}
}

// answered explains what Vault said. Its own words name paths and roles; what the request carried is taken out.
func (e *Error) answered(a *api.ResponseError, method, path string, secrets []string) {
	said := words(a.Errors)
	for _, s := range secrets {
		if s != "" {
			said = strings.ReplaceAll(said, s, "…")
		}
	}
	e.Status = a.StatusCode
	for _, row := range answers {
		if (row.status == 0 || row.status == a.StatusCode) && strings.Contains(said, row.says) {
			e.reason, e.text = row.reason, row.wanted
			return
		}
	}
	switch {
	case a.StatusCode == http.StatusForbidden:
		e.reason = Denied
		e.text = fmt.Sprintf(`denies it: the token's policy needs path "%s" { capabilities = [%s] }`, folder(method, path), capabilities[method])
	case a.StatusCode == http.StatusNotFound && said == "":
		e.reason, e.text = Missing, "has nothing there"
	default:
		e.reason, e.text = Broken, fmt.Sprintf("answered %d: %s", a.StatusCode, short(said))
	}
}

// folder is how a policy names what is listed: with a slash at the end.
func folder(method, path string) string {
	if method == "LIST" {
		return path + "/"
	}
	return path
}

// words takes the frame off: "1 error occurred:\n\t* permission denied\n\n".
func words(list []string) string {
	var out []string
	for line := range strings.Lines(strings.Join(list, "\n")) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasSuffix(line, "occurred:") {
			out = append(out, strings.TrimPrefix(line, "* "))
		}
	}
	return strings.Join(out, "; ")
}

// short keeps the beginning of a text, whole characters.
func short(s string) string {
	const most = 300
	if s = strings.ToValidUTF8(s, "\uFFFD"); len(s) <= most {
		return s
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
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
		return Broken, "offers no TLS that this client accepts: " + innermost(err)
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
