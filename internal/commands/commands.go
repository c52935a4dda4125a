// Package commands is what a person may ask: `/cdc …` words and buttons arrive here as the same Command, and leave as a
// Reply. It knows neither Slack types nor Redis; package slack draws replies, package remediation does the work.
package commands

import (
	"time"

	"cdcbot/internal/connect"
	"cdcbot/internal/incident"
	"cdcbot/internal/remediation"
	"cdcbot/internal/timeline"
)

// User is who asks: a Slack user ID and the name to show.
type User struct {
	ID   string
	Name string
}

// Command is one thing a person asked for, by words or by pressing. Exactly one of Text and Verb is set:
// Text are the words after /cdc, Verb names a button's meaning.
type Command struct {
	User     User
	Channel  string // where it was asked
	Thread   string // thread timestamp when it was asked in one
	Text     string
	Mentions []User // people that the words mention, in order
	Verb     Verb
	Incident string            // buttons: which incident
	Request  string            // buttons: which request
	Run      string            // buttons: which run
	Step     int               // buttons: which step of the run, from 1
	Section  string            // buttons: which runbook section
	Option   int               // buttons: which option, 0 or from 1
	Digest   string            // buttons: the digest the person saw
	Format   string            // export: "md", "html", "json" or "csv"
	Reason   string            // typed in a modal
	Inputs   map[string]string // typed in a modal
	Standing string            // buttons: which standing approval
}

// Verb is what a button means.
type Verb string

// The verbs of buttons.
const (
	VerbFix         Verb = "fix"         // ask for a plan: Incident, Section, Option, Inputs, Reason
	VerbApprove     Verb = "approve"     // Request, Digest
	VerbReject      Verb = "reject"      // Request, Digest, Reason
	VerbWithdraw    Verb = "withdraw"    // Request
	VerbAgain       Verb = "again"       // Request: ask for the same anew
	VerbGlass       Verb = "glass"       // Request, Digest, Incident, Inputs["incident"], Reason: act alone
	VerbReview      Verb = "review"      // Incident, Reason: somebody else's look at what one person did alone
	VerbShowPlan    Verb = "plan"        // Request: the whole plan
	VerbCancel      Verb = "cancel"      // Run
	VerbRetry       Verb = "retry"       // Incident, Run: ask for the rest of its plan, from the step at which it ended
	VerbOmit        Verb = "omit"        // Incident, Run: ask for the rest without that step
	VerbTakeBack    Verb = "take-back"   // Incident, Run: ask to take back what it did
	VerbDone        Verb = "done"        // Run, Step: a manual step is done
	VerbAcknowledge Verb = "acknowledge" // Incident
	VerbDiagnose    Verb = "diagnose"    // Incident: look again
	VerbExport      Verb = "export"      // Incident, Format
	VerbNote        Verb = "note"        // Incident, Reason is the note
	VerbClose       Verb = "close"       // Incident
	VerbMore        Verb = "more"        // Incident: everything else that can be done about it
	VerbAssign      Verb = "assign"      // Incident, Inputs["to"] is a user ID: give it to somebody
	VerbSilence     Verb = "silence"     // Incident, Inputs["for"] such as "1h", Reason: keep its alert quiet
	VerbUnsilence   Verb = "unsilence"   // Incident: let it be heard again
	VerbEscalate    Verb = "escalate"    // Incident: begin the runbook's escalation now
	VerbStatus      Verb = "status"      // the status table: Option is its page, Inputs["filter"] and Inputs["pipeline"] narrow it
	VerbIncidents   Verb = "incidents"   // the open incidents
	VerbApprovals   Verb = "approvals"   // what waits for a decision
	VerbHelp        Verb = "help"        // all commands
	VerbGreet       Verb = "greet"       // Channel: the bot was brought into it
	VerbHome        Verb = "home"        // the App Home
	VerbRevoke      Verb = "revoke"      // Standing: ends it
)

// Reply is the personal answer. What changes state is told in the thread by the corridor itself, so a reply may be only
// a short sentence. Text is plain text, never markup. At most one of the bodies is set.
type Reply struct {
	Text      string
	Error     bool // the person must do something else; Text says what
	Status    *Status
	Home      *Home
	Incidents []incident.Incident
	Incident  *remediation.View
	Waiting   *Waiting
	Verbatim  string   // text to show exactly as it is, such as a table
	Choices   []Choice // buttons below the answer
	Help      []HelpLine
	Timeline  []timeline.Event
	Plan      *remediation.Asked // a plan to read in a modal
	Ask       *Question          // a modal to fill before the command can go on
	File      *remediation.File
	Suggest   []string // commands to try next, such as "/cdc status postgres-sink-connector"
}

// Choice is a button below an answer.
type Choice struct {
	Label   string
	Command Command
}

// Question is a modal that must be filled: when it is submitted, Then comes back with Reason or Inputs set.
type Question struct {
	Title  string // ≤ 24 characters
	Submit string // ≤ 24 characters
	Intro  string
	Fields []Field
	Then   Command
}

// Field is one blank of a Question. Name "reason" fills Command.Reason, any other name Command.Inputs[Name].
type Field struct {
	Name      string
	Label     string
	Hint      string
	Value     string
	Multiline bool
	Optional  bool
	MaxLength int
	Person    bool     // a member of the workspace is chosen; the value is the user ID
	Options   []string // one of these is chosen; Value is the first choice
	Must      string   // what has to be typed, as it is: proof that somebody has read what it is about
}

// HelpLine is one command in the help.
type HelpLine struct {
	Usage   string // "/cdc restart <connector> [reason]"
	Text    string
	Example string
}

// Status is a table of connectors, failing first.
type Status struct {
	Clusters []ClusterStatus
	At       time.Time
	Filter   string // the connector asked for, with * for any text; "" for all
	Pipeline string // the pipeline asked for; "" for the channel's own, or all
	Page     int    // from 1
}

// ClusterStatus is one Connect cluster. Err is set when it could not be read.
type ClusterStatus struct {
	Pipeline string
	Cluster  string
	Version  string
	Err      string
	Rows     []ConnectorRow
}

// ConnectorRow is one connector with what is known about it.
type ConnectorRow struct {
	Status   connect.Status
	Incident string // the open incident it belongs to
	Since    time.Time
	Owner    string
	Lag      *int64 // records that wait for a sink; nil where nobody knows
}
