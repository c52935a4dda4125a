package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Errors a caller decides on, by errors.Is.
var (
	ErrNotFound      = errors.New("no such connector")
	ErrRebalancing   = errors.New("the workers are rebalancing; try again within seconds")
	ErrStarting      = errors.New("the worker is starting; try again within seconds")
	ErrUnreachable   = errors.New("the worker cannot be reached")
	ErrTimeout       = errors.New("the worker did not answer in time")
	ErrInvalidConfig = errors.New("the configuration is refused")
	ErrConflict      = errors.New("the connector exists already")
	ErrUnauthorized  = errors.New("the worker refuses the credentials; check connect.username, password or token")
	ErrNotStopped    = errors.New("offsets can be changed only while the connector is STOPPED")
	ErrUnsupported   = errors.New("the worker is too old for this")
	ErrBroken        = errors.New("the worker answered something that is not its API")
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
}

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

// refusals classifies answers by what the real worker was seen to say (lab/README.md lists the calls); the first row
// that fits counts. An empty text fits any message.
var refusals = []struct {
	status int
	text   string
	kind   error
}{
	{401, "", ErrUnauthorized},
	{403, "", ErrUnauthorized},
	{404, "<html", ErrStarting}, // Jetty's page while the REST resources are not there yet
	{404, "", ErrNotFound},
	{405, "", ErrUnsupported},
	{409, "already exists", ErrConflict},
	{409, "", ErrRebalancing},
	{400, "must be in the STOPPED state", ErrNotStopped},
	{400, "", ErrInvalidConfig},
	{500, "rebalance", ErrRebalancing},
	{500, "IO Error trying to forward REST request", ErrRebalancing},
	{500, "Request timed out", ErrTimeout},
	{503, "", ErrStarting},
	{502, "", ErrUnreachable},
	{504, "", ErrTimeout},
}

func classify(status int, body string) error {
	for _, r := range refusals {
		if r.status == status && strings.Contains(strings.ToLower(body), strings.ToLower(r.text)) {
			return r.kind
		}
	}
	return nil
}

// refused makes the error for an answer that is not 2xx.
func (c *Client) refused(op, connector string, status int, body []byte) error {
	kind := classify(status, string(body))
	if kind == ErrNotFound && connector == "" {
		kind = ErrUnsupported // an unknown path of the API, not an unknown connector
	}
	return &Error{Cluster: c.cluster, Connector: connector, Op: op, HTTPStatus: status, Message: message(body), Kind: kind}
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

// failed makes the error for a call without an answer.
func (c *Client) failed(op, connector string, err error) error {
	e := &Error{Cluster: c.cluster, Connector: connector, Op: op, Kind: ErrUnreachable, Message: oneLine(innermost(err), 200)}
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		e.Kind, e.cause = nil, context.Canceled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		e.Kind, e.cause, e.Message = ErrTimeout, context.DeadlineExceeded, ""
	}
	return e
}

// innermost drops the URL that net/http puts before a cause: it may hold credentials, and the cluster's name is said already.
func innermost(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return err.Error()
}
