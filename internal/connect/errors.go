package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"
)

// Errors a caller decides on, by errors.Is.
var (
	ErrNotFound      = errors.New("no such connector")
	ErrRebalancing   = errors.New("the workers are rebalancing; try again within seconds")
	ErrStarting      = errors.New("the worker is starting, or the URL is not that of a Connect worker; try again within seconds")
	ErrUnreachable   = errors.New("the worker cannot be reached")
	ErrTimeout       = errors.New("the worker did not answer in time")
	ErrInvalidConfig = errors.New("the configuration is refused")
	ErrConflict      = errors.New("the connector exists already")
	ErrUnauthorized  = errors.New("the worker refuses the credentials; check connect.username, password or token")
	ErrNotStopped    = errors.New("offsets can be changed only while the connector is STOPPED")
	ErrUnsupported   = errors.New("the worker is too old for this")
	ErrBroken        = errors.New("the worker answered something that is not its API; check the URL")
	ErrName          = errors.New("the worker cannot be asked about a connector of this name over REST (Connect 4 refuses /, \\, %, control characters, . and .. in paths)")
)

// Error is a refused or failed call. It says what was tried on which connector of which cluster, never with credentials.
type Error struct {
	Cluster    string
	Connector  string // "" for calls about the worker
	Op         string // "restart"
	HTTPStatus int    // 0 when there was no answer
	Message    string // the worker's own words, one line
	Kind       error  // one of the sentinels, or nil
	cause      error
	harmless   bool // nothing was done
}

// Error implements error: what was tried on which connector of which cluster, why it failed, and what the worker said.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Connector != "" {
		fmt.Fprintf(&b, " of connector %q", e.Connector)
	}
	fmt.Fprintf(&b, " on cluster %s", e.Cluster)
	if e.Kind != nil {
		b.WriteString(": " + e.Kind.Error())
	}
	switch {
	case e.HTTPStatus != 0:
		fmt.Fprintf(&b, " (HTTP %d: %s)", e.HTTPStatus, e.Message)
	case e.Message != "":
		fmt.Fprintf(&b, " (%s)", e.Message)
	}
	return b.String()
}

// Unwrap lets errors.Is find the sentinel and a context's end.
func (e *Error) Unwrap() []error {
	var list []error
	if e.Kind != nil {
		list = append(list, e.Kind)
	}
	if e.cause != nil {
		list = append(list, e.cause)
	}
	return list
}

// IsTransient reports whether the same call may well succeed soon.
func IsTransient(err error) bool {
	for _, kind := range []error{ErrRebalancing, ErrStarting, ErrUnreachable, ErrTimeout} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// refusal is one answer that real workers were seen to give. harmless ones are said before anything is done, so that even
// a change may be tried again.
type refusal struct {
	status   int
	text     string // part of the body, in any case of letters; "" fits any
	kind     error
	harmless bool
}

// refusals classifies answers (lab/README.md lists the calls); the first row that fits counts. A forwarded request that
// broke and one that timed out are not harmless: the leader may have done them.
var refusals = []refusal{
	{401, "", ErrUnauthorized, false},
	{403, "", ErrUnauthorized, false},
	{404, "<html", ErrStarting, true}, // Jetty's page while the REST resources are not there yet
	{404, "", ErrNotFound, false},
	{405, "", ErrUnsupported, false},
	{409, "already exists", ErrConflict, false},
	{409, "", ErrRebalancing, true},
	{400, "must be in the STOPPED state", ErrNotStopped, false},
	{400, "Ambiguous URI", ErrName, false},
	{400, "Suspicious Path", ErrName, false},
	{400, "<html", ErrName, false},
	{400, "", ErrInvalidConfig, false},
	{500, "Request timed out", ErrTimeout, false},
	{500, "IO Error trying to forward REST request", ErrRebalancing, false},
	{500, "a rebalance is expected", ErrRebalancing, true},
	{500, "BadRequestException", ErrInvalidConfig, false}, // of validation
	{500, "Cannot deserialize value", ErrInvalidConfig, false},
	{502, "", ErrUnreachable, false},
	{503, "", ErrUnreachable, false},
	{504, "", ErrTimeout, false},
}

func classify(status int, body string) refusal {
	if status == 400 && strings.TrimSpace(body) == "" { // the web server's own refusal of anything but a GET
		return refusal{kind: ErrName}
	}
	for _, r := range refusals {
		if r.status == status && strings.Contains(strings.ToLower(body), strings.ToLower(r.text)) {
			return r
		}
	}
	return refusal{}
}

// refused makes the error for an answer that is not 2xx.
func (c *Client) refused(k call, status int, body []byte) error {
	r := classify(status, string(body))
	if r.kind == ErrNotFound && k.connector == "" {
		r.kind = ErrUnsupported // an unknown path of the API, not an unknown connector
	}
	return &Error{Cluster: c.cluster, Connector: k.connector, Op: k.op, HTTPStatus: status, Message: k.mask(message(body)), Kind: r.kind, harmless: r.harmless}
}

// message takes the worker's own words out of an error body: JSON's message, or the first line of anything else.
func message(body []byte) string {
	var m struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &m) == nil && m.Message != "" {
		return oneLine(m.Message, 500)
	}
	text := strings.TrimSpace(string(body))
	if strings.HasPrefix(strings.ToLower(text), "<") {
		return "an HTML page instead of JSON"
	}
	return oneLine(text, 200)
}

func oneLine(s string, limit int) string {
	r := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " "))
	if len(r) > limit {
		return string(r[:limit-1]) + "…"
	}
	return string(r)
}

// failed makes the error for a call without an answer, or with one that is too large.
func (c *Client) failed(k call, err error) error {
	e := &Error{Cluster: c.cluster, Connector: k.connector, Op: k.op, Kind: ErrUnreachable, Message: oneLine(innermost(err), 200)}
	var timeout net.Error
	var rests resting
	switch {
	case errors.As(err, &rests): // the worker was not asked, and what it says tells since when
	case errors.Is(err, context.Canceled):
		e.Kind, e.cause = nil, context.Canceled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		e.Kind, e.cause, e.Message = ErrTimeout, context.DeadlineExceeded, ""
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		e.Kind, e.Message = ErrBroken, fmt.Sprintf("more than %d MiB", maxBody>>20)
	case errors.Is(err, errRedirect):
		e.Kind, e.Message = ErrBroken, errRedirect.Error()
	}
	return e
}

// resting is what the guard of the way there says of a question that it did not let pass.
type resting interface {
	error
	Resting() time.Time
}

// innermost drops the URL that net/http puts before a cause: it may hold credentials, and the cluster's name is said already.
func innermost(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return err.Error()
}

// secretive are parts of option names whose values must not be repeated: the worker quotes whole configurations in its
// refusals.
var secretive = []string{"password", "secret", "token", "credential", "jaas", "api.key", "private", "passphrase"}

// mask takes the values that the call sent for secret options out of the worker's words.
func (k call) mask(text string) string {
	for option, value := range k.secrets {
		if value != "" && slices.ContainsFunc(secretive, func(s string) bool { return strings.Contains(strings.ToLower(option), s) }) {
			text = strings.ReplaceAll(text, oneLine(value, 500), "***")
		}
	}
	return text
}
