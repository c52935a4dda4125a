package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The reasons of an Error, one word each.
const (
	Refused = "refused"        // nothing listens, or it hung up
	Timeout = "timeout"        // no answer in time
	Denied  = "authentication" // the login or the right was refused
	Busy    = "busy"           // no leader or coordinator now
	Missing = "missing"        // topic, group or host name is not there
	Broken  = "broken"         // anything else
)

// Error says in words why a look failed. It holds no secrets.
type Error struct {
	Address string // the configured brokers
	What    string // "brokers", "lag of the group connect-sink"
	Code    string // such as UNKNOWN_TOPIC_OR_PARTITION when a broker answered, "" otherwise
	text    string
	reason  string
	cause   error
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s: Kafka at %s %s", e.What, e.Address, e.text) }

// Reason is one of Refused, Timeout, Denied, Busy, Missing and Broken.
func (e *Error) Reason() string { return e.reason }

// Unwrap lets errors.Is find a context's end and the system's errors.
func (e *Error) Unwrap() error { return e.cause }

// answers translate what brokers answer (Kafka protocol, "Error Codes").
var answers = []struct {
	is           *kerr.Error
	reason, text string
}{
	{kerr.UnknownTopicOrPartition, Missing, "has no such topic"},
	{kerr.UnknownTopicID, Missing, "has no such topic"},
	{kerr.InvalidTopicException, Missing, "has no such topic: a topic cannot have that name"},
	{kerr.GroupIDNotFound, Missing, "has no such consumer group"},
	{kerr.InvalidGroupID, Missing, "has no such consumer group: a group cannot have that name"},
	{kerr.SaslAuthenticationFailed, Denied, "refused the login"},
	{kerr.UnsupportedSaslMechanism, Denied, "does not know this way to log in (sasl_mechanism)"},
	{kerr.IllegalSaslState, Denied, "expects another way to log in (sasl_mechanism)"},
	{kerr.TopicAuthorizationFailed, Denied, "denies the permission for the topic"},
	{kerr.GroupAuthorizationFailed, Denied, "denies the permission for the group"},
	{kerr.ClusterAuthorizationFailed, Denied, "denies the permission for the cluster"},
	{kerr.LeaderNotAvailable, Busy, "has no leader for a partition now"},
	{kerr.NotLeaderForPartition, Busy, "is moving a partition to another broker"},
	{kerr.CoordinatorNotAvailable, Busy, "has no coordinator for the group now"},
	{kerr.CoordinatorLoadInProgress, Busy, "is loading the group"},
	{kerr.NotCoordinator, Busy, "is moving the group to another broker"},
	{kerr.BrokerNotAvailable, Busy, "has no broker for that now"},
	{kerr.RequestTimedOut, Timeout, "did not answer in time"},
}

// ours are errors of this package that explain themselves.
type ours struct{ reason, text string }

// Error implements error.
func (o ours) Error() string { return o.text }

func (c *Client) failed(ctx context.Context, what string, err error) error {
	e := &Error{Address: c.Address(), What: what, cause: harmless(err)}
	if e.cause == nil {
		e.cause = ctx.Err()
	}
	var answer *kerr.Error
	if errors.As(err, &answer) {
		e.Code = answer.Message
	}
	e.reason, e.text = c.reason(ctx, err)
	return e
}

// reason explains an error in words.
func (c *Client) reason(ctx context.Context, err error) (reason, text string) {
	var own ours
	var answer *kerr.Error
	switch {
	case errors.As(err, &own):
		return own.reason, own.text
	case errors.As(err, &answer):
		for _, a := range answers {
			if a.is == answer {
				return a.reason, a.text
			}
		}
		return Broken, fmt.Sprintf("answered %s: %s", answer.Message, cut(answer.Description, 200))
	}
	reason, text = transport(ctx, err)
	if text == hungUp && c.options.Mechanism != "" {
		text += ": it may have refused the login"
	}
	return reason, c.who(err) + text
}

// who names the broker that could not be reached when it is not one of the configured: a broker tells its clients where
// the others are, and what it tells (advertised.listeners) may mean nothing here.
func (c *Client) who(err error) string {
	var dial *net.OpError
	var name *net.DNSError
	at := ""
	switch {
	case errors.As(err, &name):
		at = name.Name
	case errors.As(err, &dial) && dial.Op == "dial" && dial.Addr != nil:
		at = dial.Addr.String()
	}
	if at == "" || slices.ContainsFunc(c.options.Brokers, func(b string) bool { return b == at || strings.HasPrefix(b, at+":") || local(b, at) }) {
		return ""
	}
	return fmt.Sprintf("names a broker %s (advertised.listeners), which ", at)
}

// local says whether both are the same port of a name that may have been resolved.
func local(configured, dialled string) bool {
	host, port, err := net.SplitHostPort(configured)
	_, dialledPort, err2 := net.SplitHostPort(dialled)
	return err == nil && err2 == nil && port == dialledPort && net.ParseIP(host) == nil
}

const hungUp = "hung up"

// transport explains why there was no answer.
func transport(ctx context.Context, err error) (reason, text string) {
	var name *net.DNSError
	var wire net.Error
	var first *kgo.ErrFirstReadEOF
	var rests resting
	switch {
	case errors.As(err, &rests):
		return notAsked(ctx, rests)
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused, "refused the connection"
	case errors.As(err, &name) && !name.IsTimeout:
		return Missing, "has no address: the host name is not known"
	case encrypted(err):
		return Broken, "offers no TLS that this client accepts: " + cut(innermost(err), 200)
	case errors.As(err, &first):
		return Refused, "hung up on the first word: it may want TLS or a login, or neither"
	case errors.Is(ctx.Err(), context.Canceled):
		return Broken, "was not waited for: cancelled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &wire) && wire.Timeout(), ctx.Err() != nil:
		return Timeout, "did not answer in time"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Refused, hungUp
	}
	return Broken, "could not be asked: " + cut(innermost(err), 200)
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
	return errors.As(err, &record) || errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &host)
}

// innermost is the deepest cause's own text.
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

// harmless keeps of a cause what callers decide on.
func harmless(err error) error {
	for _, known := range []error{context.DeadlineExceeded, context.Canceled, syscall.ECONNREFUSED, os.ErrNotExist} {
		if errors.Is(err, known) {
			return known
		}
	}
	return nil
}
