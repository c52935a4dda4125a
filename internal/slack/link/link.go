// Package link keeps Slack's Socket Mode connections (docs.slack.dev/apis/events-api/using-socket-mode) without a gap.
// A link that Slack is about to close is replaced first and drained afterwards: what Slack still sends on it is
// acknowledged on it. It knows frames, acknowledgements and when to open another link; what an envelope means is its
// user's business.
package link

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"
)

// Options say how links are opened and who is told. Open and Take are required.
type Options struct {
	// Links stand at once; 0 means 2. Slack allows ten for one app in all processes together, and while one is being
	// replaced there is one more.
	Links int
	// Open asks Slack for the address of one link (apps.connections.open). A backoff.Permanent
	// error ends Run when no link has stood yet; a backoff.RetryAfterError is waited out for as long as it says.
	Open func(ctx context.Context) (url string, err error)
	// Take receives every envelope, in order within a link. It is called by the link's reader, so it must not wait:
	// a reader that waits leaves Slack's pings unanswered.
	Take func(e Envelope)
	// Acked is told how each acknowledgement ended; nil for nobody. It is called by the link's writer and must not wait.
	Acked func(e Envelope, err error)
	// Odd is told what cannot be read; nil for nobody. What has an envelope's ID was acknowledged, or Slack would send
	// the poison three times more.
	Odd func(o Oddity)
	// Count is told how many links stand whenever that changes; nil for nobody.
	Count  func(standing int)
	Logger *zap.Logger       // nil logs nothing
	Dialer *websocket.Dialer // nil means one that knows the proxy of the environment

	times times // of tests
}

// times are the link's delays.
type times struct {
	hello    time.Duration // a link that has not greeted by then is none
	ping     time.Duration // how often we ask whether Slack is there
	silence  time.Duration // a link on which nothing came for so long is dead, though TCP does not know
	drain    time.Duration // how long a link that was replaced is read at most; Slack warns about 10 s ahead
	write    time.Duration // how long one frame may take
	farewell time.Duration // how long Slack may take to close a link that we close
	burst    int           // links that may be opened without a pause
	refill   time.Duration // one more each
	first    time.Duration // the first pause after a failure; it doubles up to longest
	longest  time.Duration
}

// usual keeps below 50 openings a minute (Tier 3) whatever happens: 28 at once and one each 3 s.
var usual = times{
	hello: 10 * time.Second, ping: 4 * time.Second, silence: 12 * time.Second, drain: 30 * time.Second, write: 2 * time.Second,
	farewell: time.Second, burst: 28, refill: 3 * time.Second, first: time.Second, longest: 30 * time.Second,
}

// The reasons of Slack's disconnect frames.
const (
	reasonWarning  = "warning"           // about ten seconds ahead
	reasonRefresh  = "refresh_requested" // every few hours
	reasonDisabled = "link_disabled"     // Socket Mode was switched off
	reasonTooMany  = "too_many_websockets"
)

// refusals are the reasons after which another link is not wanted at once, with what to do.
var refusals = map[string]string{
	reasonDisabled: "Slack says link_disabled: Socket Mode is switched off; switch it on in the app's settings",
	reasonTooMany:  "Slack says too_many_websockets: more than ten connections are open for this app; end other processes that use its tokens, or set slack.connections lower",
}

// Envelope is one delivery of Slack.
type Envelope struct {
	Type    string // events_api, interactive, slash_commands
	ID      string
	Payload json.RawMessage
	Accepts bool // whether an acknowledgement may carry an answer
	Retry   int  // of events: how often Slack has tried before
	At      time.Time

	via *wire
}

// Oddity is a frame that is no envelope we know.
type Oddity struct {
	ID    string // of the envelope, "" when it tells none
	Type  string
	Bytes int
	Err   error
}

// maxAck is how long an acknowledgement may be. Slack drops those of 20 KB and more without a word (slack-go#1196).
const maxAck = 20<<10 - 1

// ErrTooLong means that an answer is too long for an acknowledgement; the envelope is acknowledged without it.
var ErrTooLong = errors.New("the answer is too long for an acknowledgement")

// ErrGone means that the envelope's link has ended, no other stands, or too many acknowledgements wait already.
var ErrGone = errors.New("no link to acknowledge on")

// Ack acknowledges the envelope on the link that it came on, or on another when that has ended meanwhile. It does not
// wait for the network: the options' Acked is told how it went. payload is nil or an answer that can be marshalled.
func (e Envelope) Ack(payload any) error {
	frame, err := ackFrame(e.ID, payload)
	if sent := e.via.pool.send(e, frame); sent != nil {
		return sent
	}
	return err
}

func ackFrame(id string, payload any) ([]byte, error) {
	type bare struct {
		EnvelopeID string `json:"envelope_id"`
		Payload    any    `json:"payload,omitempty"`
	}
	frame, err := json.Marshal(bare{EnvelopeID: id, Payload: payload})
	if err == nil && len(frame) > maxAck {
		err = fmt.Errorf("%w: %d bytes, expected at most %d", ErrTooLong, len(frame), maxAck)
	}
	if err != nil {
		frame, _ = json.Marshal(bare{EnvelopeID: id}) // a string always marshals
	}
	return frame, err
}

// frame is what Slack sends.
type frame struct {
	Type           string          `json:"type"`
	Reason         string          `json:"reason"`
	EnvelopeID     string          `json:"envelope_id"`
	Payload        json.RawMessage `json:"payload"`
	Accepts        bool            `json:"accepts_response_payload"`
	Retry          int             `json:"retry_attempt"`
	NumConnections int             `json:"num_connections"`
	Debug          struct {
		Host     string `json:"host"`
		Lifetime int    `json:"approximate_connection_time"` // seconds
	} `json:"debug_info"`
}

// known are the envelopes that Take receives.
var known = map[string]bool{"events_api": true, "interactive": true, "slash_commands": true}
