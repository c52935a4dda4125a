// Package remediation is the corridor: alert → incident → diagnosis → plan → approval → execution → verification →
// timeline → export, top to bottom. Nothing else moves an incident. Data flows down only; the one way back is a failed
// verification, which leads to a new diagnosis and, for a new plan, a new request.
package remediation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"cdcbot/internal/action"
	"cdcbot/internal/alert"
	"cdcbot/internal/approval"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/incident"
	"cdcbot/internal/runbook"
	"cdcbot/internal/timeline"
)

// Errors that a caller decides on; the sentences for people are in package slack.
var (
	ErrNoPipeline  = errors.New("no pipeline is configured for this")
	ErrNoSection   = errors.New("no such section in the runbook")
	ErrChanged     = errors.New("the plan is no longer what was requested")
	ErrNoRun       = errors.New("no such run")
	ErrNotWaiting  = errors.New("the step does not wait for a person")
	ErrRunEnded    = errors.New("the run has ended")
	ErrEmptyPlan   = errors.New("the plan has no steps")
	ErrClosed      = errors.New("the incident is closed")
	ErrNotOpen     = errors.New("the incident is not open any more")
	ErrNobody      = errors.New("nobody who could take it")
	ErrEscalated   = errors.New("the escalation has begun already")
	ErrNoSilencer  = errors.New("no Alertmanager is configured")
	ErrNotSilent   = errors.New("nothing is silenced")
	ErrUnderway    = errors.New("the same plan is approved already")
	ErrUnconfirmed = errors.New("the approval is not confirmed")
	ErrNoBackup    = errors.New("no backup is configured for this pipeline")
	ErrUnavailable = errors.New("the store is away")
)

// Person is who asked or decided: a Slack user ID and the name to show.
type Person struct {
	ID   string
	Name string
}

// Pipeline is what the corridor needs to know about one pipeline.
type Pipeline struct {
	Name    string
	Cluster string
	Targets runbook.Targets
	World   action.World
	Collect func(ctx context.Context, suspects []string) diagnosis.Evidence
	Offsets func(ctx context.Context, connector string) (string, error) // canonical text of committed offsets
	Rows    map[string]func(ctx context.Context) (int64, error)         // progress tables, by name
}

// Library finds runbooks.
type Library interface {
	// Answers returns the book for an alert, or false.
	Answers(alert string) (*runbook.Book, bool)
	// Book returns a book by name, or false.
	Book(name string) (*runbook.Book, bool)
}

// People tells who somebody is: Person may be a minute old, Anew is as it is now, for who decides.
type People interface {
	Person(ctx context.Context, id string) (approval.Person, error)
	Anew(ctx context.Context, id string) (approval.Person, error)
}

// Flow is the corridor with everything it needs. All fields but Log are required.
type Flow struct {
	Incidents *incident.Store
	Timeline  *timeline.Log
	Approvals *approval.Store
	Policy    approval.Policy // at the start; SetPolicy changes it
	People    People
	Journal   *Journal
	Library   Library
	Pipelines map[string]Pipeline
	Route     func(alert.Alert) string // the pipeline an alert belongs to; "" when none does
	Room      Room
	Queue     Queue
	Redact    func(string) string
	Now       func() time.Time
	Log       *zap.Logger

	Replica string        // names this process in leases
	Quiet   time.Duration // how long a mitigated incident is watched
	Settle  time.Duration // how long RUNNING must hold
	Verify  time.Duration // how long verification may take
	Poll    time.Duration // between looks while verifying; default 1 s
	Again   time.Duration // how old a diagnosis of an open incident may grow before the bot looks again by itself; 0 never

	Archive      Archive       // where the record of what is over goes; nil: nowhere
	ArchiveAfter time.Duration // how long after its end

	Silencer Silencer // nil: alerts cannot be silenced

	Timers Timers
	Codes  *approval.Codes // of the second factor; nil when nobody has one

	Painter *Painter

	changed atomic.Pointer[approval.Policy] // what SetPolicy has set
}

// Queue runs jobs durably: a job that was enqueued is handled at least once, by any replica, not before at.
type Queue interface {
	Enqueue(ctx context.Context, j Job, at time.Time) error
}

// Job is one piece of durable work.
type Job struct {
	Kind     JobKind `json:"kind"`
	Incident string  `json:"incident"`
	Request  string  `json:"request,omitempty"`
	Run      string  `json:"run,omitempty"`
	Attempt  string  `json:"attempt,omitempty"` // tells apart jobs of one kind about one thing
}

// JobKind says what a job does.
type JobKind string

// The kinds of jobs.
const (
	Investigate JobKind = "investigate" // stages 3 and 4
	Execute     JobKind = "execute"     // stages 6 and 7
	Expire      JobKind = "expire"      // a request nobody answered
	Settle      JobKind = "settle"      // the quiet period is over
	Archiving   JobKind = "archive"     // an incident that is over is kept for good
	Remind      JobKind = "remind"      // a request that nobody has answered yet
	CallSecond  JobKind = "call-second" // the same, later
	Escalate    JobKind = "escalate"    // the runbook's time for a recovery is over
)

// ID is the same for the same work, so that enqueueing twice runs it once.
func (j Job) ID() string {
	return fmt.Sprintf("%s:%s:%s:%s:%s", j.Kind, j.Incident, j.Request, j.Run, j.Attempt)
}

// Work does one job. An error means: try again later.
func (f *Flow) Work(ctx context.Context, j Job) error {
	switch j.Kind {
	case Investigate:
		return f.investigate(ctx, j.Incident, strings.HasPrefix(j.Attempt, unasked))
	case Execute:
		return f.execute(ctx, j.Incident, j.Run)
	case Expire:
		return f.expire(ctx, j.Request)
	case Settle:
		return f.settle(ctx, j.Incident)
	case Remind:
		return f.remind(ctx, j.Request)
	case CallSecond:
		return f.callSecond(ctx, j.Request)
	case Escalate:
		return f.escalate(ctx, j.Incident)
	case Archiving:
		return f.archive(ctx, j.Incident)
	}
	return fmt.Errorf("job %q: unknown kind %q", j.ID(), j.Kind)
}

// record appends an event; key makes a retried job or webhook write it once.
func (f *Flow) record(ctx context.Context, id string, t timeline.Type, who timeline.Actor, key, text string, data any) error {
	e := timeline.Event{Incident: id, Type: t, Actor: who, Key: key, Text: text, Data: encode(data)}
	if _, err := f.Timeline.Append(ctx, e); err != nil {
		return fmt.Errorf("recording %s of %s: %w", t, id, err)
	}
	return nil
}

func person(p Person) timeline.Actor { return timeline.Person(p.ID, p.Name) }
