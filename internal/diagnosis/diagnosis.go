// Package diagnosis says what an incident means: evidence is gathered with deadlines by the Collector (all the I/O there
// is), and Diagnose, a pure function, ranks causes from it with what speaks for and against each. Unknown is an answer.
package diagnosis

import (
	"time"

	"cdcbot/internal/connect"
)

// Slug names a class of causes; the same words are used on cards, in JSON, in metrics and in runbook mapping.
type Slug string

// The classes of causes.
const (
	DatabaseConnection  Slug = "database_connection"
	Authentication      Slug = "authentication"
	SchemaRegistry      Slug = "schema_registry"
	TableSchemaMismatch Slug = "table_schema_mismatch"
	ToleranceExceeded   Slug = "tolerance_exceeded"
	WorkerFailure       Slug = "worker_failure"
	KafkaBroker         Slug = "kafka_broker"
	SourcePositionLost  Slug = "source_position_lost"
	ConfigError         Slug = "config_error"
	Unknown             Slug = "unknown"
	None                Slug = "none"
)

// Subject is one connector of a pipeline as Connect shows it at the time of looking.
type Subject struct {
	Cluster   string
	Connector string
	Status    connect.Status    // zero when it could not be read; then StatusErr tells why
	Config    map[string]string // secrets masked
	StatusErr string
	Suspect   bool      // the alert names it, or it is unhealthy
	Log       string    // the end of its worker's log; "" when nobody read it
	Since     time.Time // when it was first seen failing; zero when nobody knows
	First     string    // first trace since healthy when a later one has overwritten it; "" otherwise
}

// Probe is one look at one system.
type Probe struct {
	Name   string // "postgres", "connect/warehouse", "registry", …
	Source string // what was asked, such as "SELECT 1"
	OK     bool
	Text   string // one line: what was seen, or why it failed
	Reason Reason // why it failed; "" when it did not, or when nobody can tell
	Took   time.Duration
	At     time.Time
}

// Reason says in one word why a system did not answer a probe as it should.
type Reason string

// The reasons.
const (
	Refused Reason = "refused"        // nothing listens
	Timeout Reason = "timeout"        // no answer within the deadline: it hangs, or packets are lost
	Denied  Reason = "authentication" // it answered, and refused the probe's own login
	Busy    Reason = "busy"           // it answered, and has no room: too many connections, starting up
	Missing Reason = "missing"        // it answered, and what was asked for is not there
	Broken  Reason = "broken"         // anything else
)

// Pattern is a text from the runbook that argues for one of its causes.
type Pattern struct {
	Text    string // matched with case folded; <placeholders> match anything
	Hint    string
	Section string // runbook section ID; "" for a common error pattern
}

// Section is a runbook cause that a diagnosis may lead to.
type Section struct {
	ID    string
	Title string
}

// Evidence is everything that was looked at. It holds no secrets.
type Evidence struct {
	At       time.Time
	Subjects []Subject
	Probes   []Probe
	Patterns []Pattern
	Sections []Section
	Facts
}

// Remark is one piece of evidence for or against a cause, with where it came from and when it was seen.
type Remark struct {
	Text   string    `json:"text"`
	Source string    `json:"source"`
	At     time.Time `json:"at"`
}

// Cause is one explanation, ranked.
type Cause struct {
	Slug       Slug     `json:"slug"`
	Title      string   `json:"title"`
	Confidence float64  `json:"confidence"` // 0 to 1
	For        []Remark `json:"for"`
	Against    []Remark `json:"against,omitempty"`
	Connectors []string `json:"connectors"`
	Mend       []string `json:"mend,omitempty"`    // statements that would mend it, for people to read
	Section    string   `json:"section,omitempty"` // runbook section that answers it
	Retriable  bool     `json:"retriable"`         // would a plain restart help
	Why        string   `json:"why"`               // why a restart would or would not help
	Halted     bool     `json:"halted,omitempty"`  // nothing has failed: somebody stopped or paused it
}

// Diagnosis is what the evidence means. Causes are ranked, most likely first, and never empty.
type Diagnosis struct {
	At       time.Time `json:"at"`
	Headline string    `json:"headline"` // one line: what broke and why, ≤ 150 characters
	Causes   []Cause   `json:"causes"`
	Probes   []Probe   `json:"probes"`
	Excerpt  string    `json:"excerpt,omitempty"` // the few trace lines that matter
	Trace    string    `json:"trace,omitempty"`   // whole trace of the first failed task
	Clocks   []Clock   `json:"clocks,omitempty"`  // when waiting costs data, the earliest first
	Healers  []Healer  `json:"healers,omitempty"` // what may heal it without us
	Flows    []Flow    `json:"flows,omitempty"`   // how fast data moved, for the chart
	Unread   []Remark  `json:"unread,omitempty"`  // what could not be looked up
	News     []string  `json:"news,omitempty"`    // what is different from the diagnosis before
	Kin      []Kin     `json:"kin,omitempty"`     // other open incidents with the same cause
	// Healthy connectors and the failed ones, for the card's table.
	Subjects []Line `json:"subjects"`
}

// Line is one connector in the card's table.
type Line struct {
	Connector string `json:"connector"`
	State     string `json:"state"`
	Tasks     int    `json:"tasks"`
	Failed    []int  `json:"failed,omitempty"`
	Worker    string `json:"worker,omitempty"`
}

// Well reports whether nothing has failed and nothing stands still.
func (d Diagnosis) Well() bool { return d.Top().Slug == None && !d.Top().Halted }

// Clock says in a sentence until when nothing is lost by waiting.
func (d Diagnosis) Clock() string { return sayFirst(d.Clocks, d.At) }

// Restart says whether a plain restart would help: nil when nobody can say, or nothing has failed.
func (c Cause) Restart() *bool {
	if c.Slug == Unknown || c.Slug == None {
		return nil
	}
	return &c.Retriable
}

// Top is the most likely cause.
func (d Diagnosis) Top() Cause {
	if len(d.Causes) == 0 {
		return Cause{Slug: Unknown, Title: "Unknown"}
	}
	return d.Causes[0]
}
