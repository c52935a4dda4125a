// Package timeline is the append-only record of one incident: every event hashes the one before it, so that an export
// can be proved unaltered without the bot. An event is durable when Append returns; write ahead relies on it.
package timeline

import (
	"encoding/json"
	"errors"
	"time"
)

// Type names what happened, as "subject.verb".
type Type string

// The event types of the corridor. docs/ARCHITECTURE.md tells which stage writes which.
const (
	AlertReceived      Type = "alert.received"
	AlertResolved      Type = "alert.resolved"
	AlertSilenced      Type = "alert.silenced"   // data: silence, alert, connectors, until, reason
	AlertUnsilenced    Type = "alert.unsilenced" // data: silence
	IncidentOpened     Type = "incident.opened"
	IncidentReopened   Type = "incident.reopened"
	IncidentMoved      Type = "incident.moved" // data: from, to
	IncidentAssigned   Type = "incident.assigned"
	DiagnosisMade      Type = "diagnosis.made"
	RunbookLooked      Type = "runbook.looked" // the runbook's own diagnosis ran; data: steps with their output
	PlanProposed       Type = "plan.proposed"  // a person or the bot asks; data: request, digest, plan
	PlanApproved       Type = "plan.approved"
	PlanRejected       Type = "plan.rejected"
	PlanWithdrawn      Type = "plan.withdrawn"
	PlanExpired        Type = "plan.expired"
	PlanVoided         Type = "plan.voided"       // the plan or the world changed under an approval
	GlassBroken        Type = "plan.glass_broken" // one person acts alone; a second one is paged and reviews it after
	GlassReviewed      Type = "plan.glass_reviewed"
	Paged              Type = "incident.paged"
	Escalated          Type = "incident.escalated" // the runbook's time for a recovery is over
	IncidentArchived   Type = "incident.archived"  // its record was written for good and read back; data: head, events
	PolicyChanged      Type = "policy.changed"     // of approvals, or of a runbook that open incidents use
	RunStarted         Type = "run.started"
	StepStarted        Type = "step.started"
	StepSucceeded      Type = "step.succeeded"
	StepFailed         Type = "step.failed"
	StepUnknown        Type = "step.unknown" // started, unfinished, effect not visible: a person decides
	StepSkipped        Type = "step.skipped" // its guard did not hold
	StepDone           Type = "step.done"    // a person says a manual step is done
	RunFinished        Type = "run.finished"
	RunCancelled       Type = "run.cancelled"
	VerificationPassed Type = "verification.passed"
	VerificationFailed Type = "verification.failed"
	NoteAdded          Type = "note.added"
	MessagePosted      Type = "message.posted" // what people write in the thread
	MessageEdited      Type = "message.edited"
	MessageDeleted     Type = "message.deleted"
	MessagePinned      Type = "message.pinned"
	MessageUnpinned    Type = "message.unpinned"
	MessageReacted     Type = "message.reacted" // with an emoji that means something; data: emoji
	TimelineExported   Type = "timeline.exported"
	BotError           Type = "bot.error" // something went wrong with the bot itself
)

// Errors a caller decides on.
var (
	ErrNotFound = errors.New("no timeline for this incident")
	ErrBroken   = errors.New("timeline chain is broken")
	ErrNoRecord = errors.New("this export is for reading and does not hold the record")

	// ErrUnavailable means that Redis did not answer: the event is not known to be durable, so nothing may run.
	ErrUnavailable = errors.New("redis is away")
)

// Actor is who made an event happen. Kind is "person", "bot", "alertmanager" or "watcher"; ID is the Slack user ID of a person.
type Actor struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// Bot is the actor of everything the bot does by itself.
var Bot = Actor{Kind: "bot", Name: "cdcbot"}

// Person is the actor for a Slack user.
func Person(id, name string) Actor { return Actor{Kind: "person", ID: id, Name: name} }

// Event is one line of a timeline. Seq counts from 1 without gaps. Time is UTC, millisecond precision.
// Hash is the hex SHA-256 over the canonical JSON of all fields but itself and Seal, Prev being the Hash of the event before ("" for the first).
type Event struct {
	Seq      int64           `json:"seq"`
	Time     time.Time       `json:"time"`
	Incident string          `json:"incident"`
	Type     Type            `json:"type"`
	Actor    Actor           `json:"actor"`
	Text     string          `json:"text"` // one sentence for people
	Data     json.RawMessage `json:"data,omitempty"`
	Key      string          `json:"key,omitempty"` // the same key twice is the same event; "" never is
	Prev     string          `json:"prev"`
	Hash     string          `json:"hash"`
	Seal     string          `json:"seal,omitempty"` // HMAC over Hash, under a key that Redis never holds
}
