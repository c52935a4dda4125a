package slack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"cdcbot/internal/commands"
)

// What a button, an option of a menu or a modal carries back to us.
const (
	actionPrefix  = "cdc:"         // action_id is cdc:<verb>, or cdc:<verb>:<n> to be unique within its block
	moreAction    = "cdc:more"     // a menu: each option's value names its own verb
	linkAction    = "cdc:link"     // opens a web page; Slack reports the press all the same
	questionView  = "cdc:question" // callback_id of a modal to fill
	noteShortcut  = "timeline_add" // callback_id of the message shortcut
	longestValue  = 2000           // button
	longestOption = 150            // option of a menu
	longestView   = 3000           // private_metadata
)

// wire is a command as it travels inside a button.
type wire struct {
	Verb     string            `json:"v,omitempty"`
	Incident string            `json:"i,omitempty"`
	Request  string            `json:"r,omitempty"`
	Run      string            `json:"n,omitempty"`
	Step     int               `json:"s,omitempty"`
	Section  string            `json:"c,omitempty"`
	Option   int               `json:"o,omitempty"`
	Digest   string            `json:"d,omitempty"`
	Format   string            `json:"f,omitempty"`
	Text     string            `json:"t,omitempty"`
	Reason   string            `json:"w,omitempty"`
	Inputs   map[string]string `json:"in,omitempty"`
	Channel  string            `json:"ch,omitempty"`
	Thread   string            `json:"th,omitempty"`
	Standing string            `json:"st,omitempty"`
	Home     bool              `json:"h,omitempty"` // a modal that was opened from the App Home
	Must     map[string]string `json:"m,omitempty"` // what has to be typed into a modal's blanks
}

func toWire(c commands.Command) wire {
	return wire{Verb: string(c.Verb), Incident: c.Incident, Request: c.Request, Run: c.Run, Step: c.Step, Section: c.Section,
		Option: c.Option, Digest: c.Digest, Format: c.Format, Text: c.Text, Reason: c.Reason, Inputs: c.Inputs, Standing: c.Standing}
}

func (w wire) command() commands.Command {
	return commands.Command{Verb: commands.Verb(w.Verb), Incident: w.Incident, Request: w.Request, Run: w.Run, Step: w.Step, Section: w.Section,
		Option: w.Option, Digest: w.Digest, Format: w.Format, Text: w.Text, Reason: w.Reason, Inputs: w.Inputs, Channel: w.Channel, Thread: w.Thread, Standing: w.Standing}
}

func encode(w wire) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // six characters for one would not fit a menu's option
	if err := e.Encode(w); err != nil {
		return "" // strings, numbers and maps of strings always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// errForeign means that a value was not made by this bot, or by a version with other words.
var errForeign = errors.New("this button is not one of mine, or comes from another version of me; nothing was done")

// decode reads back what encode made and refuses everything else: Slack hands on whatever a client sends.
func decode(value string, longest int) (wire, error) {
	var w wire
	if len(value) > longest || !utf8.ValidString(value) {
		return w, fmt.Errorf("%w (value of %d bytes)", errForeign, len(value))
	}
	d := json.NewDecoder(strings.NewReader(value))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return wire{}, fmt.Errorf("%w (value does not decode)", errForeign)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return wire{}, fmt.Errorf("%w (value goes on after its end)", errForeign)
	}
	return w, nil
}

var (
	incidentID = regexp.MustCompile(`^INC-[0-9]{1,12}$`)
	requestID  = regexp.MustCompile(`^REQ-[0-9]{1,12}$`)
	standingID = regexp.MustCompile(`^STA-[0-9]{1,12}$`)
	runID      = regexp.MustCompile(`^RUN-[0-9]{1,12}$`)
	digestText = regexp.MustCompile(`^[0-9A-Za-z:+/=_-]{1,128}$`)
	formats    = []string{"", "md", "html", "json", "csv"}
)

// needs says what each verb cannot do without.
var needs = map[commands.Verb][]string{
	commands.VerbFix:         {"incident", "section"},
	commands.VerbApprove:     {"request", "digest"},
	commands.VerbReject:      {"request", "digest"},
	commands.VerbWithdraw:    {"request"},
	commands.VerbAgain:       {"request"},
	commands.VerbGlass:       {"incident", "request", "digest"},
	commands.VerbReview:      {"incident"},
	commands.VerbShowPlan:    {"request"},
	commands.VerbCancel:      {"incident", "run"},
	commands.VerbDone:        {"incident", "run", "step"},
	commands.VerbRetry:       {"incident", "run"},
	commands.VerbOmit:        {"incident", "run"},
	commands.VerbTakeBack:    {"incident", "run"},
	commands.VerbAcknowledge: {"incident"},
	commands.VerbDiagnose:    {"incident"},
	commands.VerbExport:      {"incident", "format"},
	commands.VerbNote:        {"incident"},
	commands.VerbClose:       {"incident"},
	commands.VerbMore:        {"incident"},
	commands.VerbAssign:      {"incident"},
	commands.VerbSilence:     {"incident"},
	commands.VerbUnsilence:   {"incident"},
	commands.VerbEscalate:    {"incident"},
	commands.VerbStatus:      {},
	commands.VerbIncidents:   {},
	commands.VerbApprovals:   {},
	commands.VerbHelp:        {},
	commands.VerbHome:        {},
	commands.VerbRevoke:      {"standing"},
}

// check refuses a button's command that could not have come from a card of ours.
func (w wire) check() error {
	required, known := needs[commands.Verb(w.Verb)]
	if !known {
		return fmt.Errorf("%w (unknown button %q)", errForeign, cut(w.Verb, 40))
	}
	for _, f := range w.fields() {
		if !f.fits || (!f.given && slices.Contains(required, f.name)) {
			return fmt.Errorf("%w (%s of button %q)", errForeign, f.name, w.Verb)
		}
	}
	return nil
}

type wireField struct {
	name        string
	given, fits bool
}

func (w wire) fields() []wireField {
	text := func(name, value string, fits bool) wireField {
		return wireField{name, value != "", value == "" || fits}
	}
	return []wireField{
		text("incident", w.Incident, incidentID.MatchString(w.Incident)),
		text("request", w.Request, requestID.MatchString(w.Request)),
		text("standing", w.Standing, standingID.MatchString(w.Standing)),
		text("run", w.Run, runID.MatchString(w.Run)),
		text("digest", w.Digest, digestText.MatchString(w.Digest)),
		text("section", w.Section, len(w.Section) <= 300 && printable(w.Section)),
		text("format", w.Format, slices.Contains(formats, w.Format)),
		{"step", w.Step != 0, w.Step >= 0 && w.Step <= 1000},
		{"option", w.Option != 0, w.Option >= 0 && w.Option <= 1000},
	}
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// verbOf reads the verb of an action ID: "cdc:fix:2" is "fix".
func verbOf(actionID string) (string, bool) {
	rest, ok := strings.CutPrefix(actionID, actionPrefix)
	verb, _, _ := strings.Cut(rest, ":")
	return verb, ok && verb != ""
}
