package remediation

import (
	"context"
	"os"
	"time"

	"cdcbot/internal/action"
	"cdcbot/internal/approval"
	"cdcbot/internal/chart"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/incident"
	"cdcbot/internal/runbook"
)

// View is everything a thread shows of one incident at one moment. Showing the same view twice changes nothing.
type View struct {
	Incident   incident.Incident
	Diagnosis  *diagnosis.Diagnosis // nil until the first diagnosis is made
	Pace       *chart.Coarse        // how the failing connectors flowed until the diagnosis; nil when nothing is known
	Fixes      []Fix                // what can be pressed, recommended first
	Requests   []Asked              // in order of asking
	Runs       []Run                // in order of starting
	Notices    []Notice             // messages that call people, in order
	Reopened   bool
	Head       string // hash of the timeline's last event: in the thread it witnesses that nothing is cut off later
	Events     int64  // how many there are
	Unreviewed int    // requests that one person ran alone and nobody else has reviewed
	Now        time.Time
}

// Fix is one plan that a person may ask for.
type Fix struct {
	Section     string // runbook section ID
	Option      int    // 0 or from 1
	Title       string // button text, ≤ 75 characters
	Effect      string // what pressing it asks for, one or two sentences
	Risk        string
	Recommended bool
	Emergency   bool   // from the runbook's emergency procedures
	Why         string // why it is recommended, or why a restart cannot help
	Inputs      []Input
	Manual      int // steps a person must do
	Steps       int
}

// Input is a blank that must be filled before a plan can be made.
type Input struct {
	Name  string
	Label string
	Value string // derived, "" when a person must give it
}

// Asked is a request with the plan it is about, as far as the plan can still be compiled.
type Asked struct {
	Request approval.Request
	Plan    runbook.Plan
	Looks   []Look // what its steps would do, as seen when it was asked
	Stale   string // why the plan can no longer be compiled to the same digest; "" when it can
}

// RunState is where a run stands.
type RunState string

// The states of a run.
const (
	Running   RunState = "running"
	Waiting   RunState = "waiting" // for a person: a manual step or an unknown outcome
	Verifying RunState = "verifying"
	Fixed     RunState = "fixed"
	Failed    RunState = "failed"
	Cancelled RunState = "cancelled"
)

// StepState is where one step of a run stands.
type StepState string

// The states of a step.
const (
	StepPending   StepState = "pending"
	StepRunning   StepState = "running"
	StepWaiting   StepState = "waiting" // for a person
	StepSucceeded StepState = "succeeded"
	StepFailed    StepState = "failed"
	StepSkipped   StepState = "skipped"
	StepUnknown   StepState = "unknown"
)

// Run is one execution of an approved plan.
type Run struct {
	ID        string    `json:"id"` // "RUN-5"
	Incident  string    `json:"incident"`
	Request   string    `json:"request"`
	Title     string    `json:"title"`
	State     RunState  `json:"state"`
	Steps     []RunStep `json:"steps"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	Verdict   string    `json:"verdict,omitempty"` // verification in words: fixed · same error · new error · nothing moved
	Proof     []string  `json:"proof,omitempty"`   // what verification saw, a line each
	Cancel    bool      `json:"cancel,omitempty"`  // somebody pressed Cancel; takes effect before the next step
	Baseline  *Baseline `json:"baseline,omitempty"`
	Requester string    `json:"requester,omitempty"`
	Approvers []string  `json:"approvers,omitempty"`

	World []approval.Condition `json:"world,omitempty"` // what matters to the steps that are left, as the last one left it
}

// RunStep is one step of a run.
type RunStep struct {
	Title     string    `json:"title"`
	Effect    string    `json:"effect"`
	Manual    bool      `json:"manual,omitempty"`
	State     StepState `json:"state"`
	StartedAt time.Time `json:"started_at,omitzero"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	Output    string    `json:"output,omitempty"` // short, redacted
	Error     string    `json:"error,omitempty"`
	Observed  bool      `json:"observed,omitempty"` // succeeded by observation after a crash
	Attempt   int       `json:"attempt,omitempty"`
	By        string    `json:"by,omitempty"` // who said a manual step is done

	Back *action.Packed `json:"back,omitempty"` // what would take it back
}

// Room is where an incident is told to people: one thread per incident, drawn from views.
type Room interface {
	// Show draws the view: it posts the thread the first time and updates its cards afterwards. It returns where the thread is.
	// It is safe to call it again after an error or a crash: nothing is posted twice.
	Show(ctx context.Context, v View) (incident.Thread, error)
	// Attach adds a file to the incident's thread.
	Attach(ctx context.Context, t incident.Thread, f File) error
}

// File is something to download, whole and redacted already. What is large lies in Spool, which who takes the file closes.
type File struct {
	Name    string
	Title   string
	Type    string // MIME type
	Body    []byte
	Spool   *os.File
	Comment string // shown with it
	Alt     string // of a picture, for those who do not see it
}
