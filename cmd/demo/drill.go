package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"cdcbot/internal/action"
	"cdcbot/internal/connect/connecttest"
	"cdcbot/internal/incident"
	"cdcbot/internal/remediation"
	"cdcbot/internal/runbook"
	"cdcbot/runbooks"
)

// errDrill says that the runbook did not recover the pipeline.
var errDrill = errors.New("the runbook does not recover this fault")

// drill plays one incident with a runbook: a fault, the alert, the fix that the thread recommends, two people, and the
// proof that the pipeline moves again.
type drill struct {
	*world
	book    *runbook.Book
	fault   string
	section string // only this section's fixes
	inputs  inputs
	out     io.Writer
	began   time.Time
}

// inputs are blanks of the runbook, given as name=value.
type inputs map[string]string

// String implements flag.Value.
func (i inputs) String() string { return fmt.Sprint(map[string]string(i)) }

// Set implements flag.Value.
func (i inputs) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return fmt.Errorf("%q: expected name=value", text)
	}
	i[name] = value
	return nil
}

// The channel of the demo and the two people of a drill.
const (
	channel  = "cdc-incidents"
	oncall   = "oncall"
	approver = "approver"
)

func runDrill(ctx context.Context, args []string, out io.Writer) error {
	d := drill{world: &world{}, inputs: inputs{}, out: out, began: time.Now()}
	flags := flag.NewFlagSet("drill", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&d.fault, "fault", "", "what breaks: "+strings.Join(faultNames(), ", "))
	flags.StringVar(&d.section, "section", "", "use only fixes of the section with this ID")
	flags.Var(d.inputs, "input", "fill a blank of the runbook, as name=value; may be given several times")
	limit := flags.Duration("timeout", 3*time.Minute, "how long the drill may take")
	verbose := flags.Bool("verbose", false, "show the bot's log")
	flags.Usage = func() {
		fmt.Fprintf(out, "usage: demo drill RUNBOOK --fault NAME\n\nPlay an incident with simulated systems and two simulated people. Exit 1 when the runbook does not recover the pipeline.\n\n")
		flags.PrintDefaults()
	}
	file, rest, err := runbookArgument(flags, args)
	if err != nil {
		return err
	}
	if err := d.check(rest); err != nil {
		return err
	}
	if err := d.open(file); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	return d.play(ctx, *verbose)
}

// runbookArgument takes the runbook out of the arguments, before or behind the flags.
func runbookArgument(flags *flag.FlagSet, args []string) (string, []string, error) {
	file := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		file, args = args[0], args[1:]
	}
	if err := flags.Parse(args); err != nil {
		return "", nil, err
	}
	rest := flags.Args()
	if file == "" && len(rest) > 0 {
		file, rest = rest[0], rest[1:]
	}
	if file == "" {
		return "", nil, errors.New("no runbook: expected demo drill RUNBOOK --fault NAME")
	}
	return file, rest, nil
}

func (d *drill) check(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("argument %q: expected one runbook", rest[0])
	}
	known := slices.ContainsFunc(connecttest.AllFaults(), func(f connecttest.FaultInfo) bool { return f.Slug == d.fault })
	if !known {
		for _, name := range faultNames() { // "a1" is enough
			if d.fault != "" && strings.HasPrefix(name, d.fault) {
				d.fault, known = name, true
				break
			}
		}
	}
	if !known {
		return fmt.Errorf("fault %q: expected one of %s", d.fault, strings.Join(faultNames(), ", "))
	}
	return nil
}

// open compiles the runbook: a file, or one that ships by its name.
func (d *drill) open(file string) error {
	source, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		if shipped, e := runbooks.FS.ReadFile(strings.TrimSuffix(file, ".md") + ".md"); e == nil {
			source, err = shipped, nil
		}
	}
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(file), ".md")
	if d.book, err = runbook.Compile(name, source); err != nil {
		return err
	}
	if len(d.book.Alerts) == 0 {
		return fmt.Errorf("runbook %s answers no alert: expected a line such as **Alert**: `KafkaConnectTaskFailure`", name)
	}
	d.books = map[string][]byte{name: source}
	d.pace = map[string]string{"WATCH_ENABLED": "false", "EXECUTION_SETTLE": "1s", "EXECUTION_VERIFY_TIMEOUT": "15s", "INCIDENT_QUIET_PERIOD": "1h"}
	return nil
}

func (d *drill) say(format string, values ...any) {
	fmt.Fprintf(d.out, "%6.1fs  %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, values...))
}

func (d *drill) play(ctx context.Context, verbose bool) error {
	if _, err := d.world.open(ctx, "127.0.0.1:0", verbose); err != nil {
		return err
	}
	defer d.close()
	ctx, stop := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.run(ctx, false) })
	group.Go(func() error {
		defer stop()
		return d.incident(ctx)
	})
	err := group.Wait()
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: it took longer than --timeout", errDrill)
	}
	return err
}

// incident is the story.
func (d *drill) incident(ctx context.Context) error {
	if err := d.slack.Wait(ctx, "the bot", func() bool { return d.ready() }); err != nil {
		return err
	}
	if err := d.accidentIn(d.fault); err != nil {
		return err
	}
	d.say("fault     %s", d.fault)
	if err := d.fails(ctx); err != nil {
		return err
	}
	if err := d.alert(ctx); err != nil {
		return err
	}
	v, err := d.until(ctx, "a diagnosis", func(v remediation.View) bool { return v.Diagnosis != nil && len(d.slack.Messages(channel)) > 0 })
	if err != nil {
		return err
	}
	d.say("diagnosis %s", v.Diagnosis.Headline)
	return d.heal(ctx, v)
}

func (d *drill) ready() bool {
	for _, err := range d.app.Ready(context.Background()) {
		if err != nil {
			return false
		}
	}
	return true
}

// fails waits until the fault shows in the status, as it was recorded. A fault of the worker shows at once, and some
// never do: they are RUNNING while nothing moves.
func (d *drill) fails(ctx context.Context) error {
	if letterOf(d.fault) >= "f" {
		return nil
	}
	limit, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	err := d.slack.Wait(limit, "a FAILED task", func() bool { return d.worker.Failing() })
	if err != nil && ctx.Err() == nil {
		d.say("status    everything says RUNNING")
		return nil
	}
	return err
}

// alert sends what Alertmanager would.
func (d *drill) alert(ctx context.Context) error {
	name := d.book.Alerts[0]
	body, err := json.Marshal(map[string]any{
		"version": "4", "groupKey": "drill", "status": "firing", "receiver": "cdcbot", "groupLabels": map[string]string{"alertname": name},
		"alerts": []any{map[string]any{"status": "firing", "labels": map[string]string{"alertname": name, "connector": "postgres-sink-connector", "severity": "critical"}, "annotations": map[string]string{"summary": "drill"}, "startsAt": time.Now().UTC().Format(time.RFC3339), "fingerprint": "drill"}},
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+d.app.Addr()+"/alerts", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the bot answers the alert with %s", answer.Status)
	}
	d.say("alert     %s", name)
	return nil
}

// until polls the incident until it looks as wanted.
func (d *drill) until(ctx context.Context, what string, want func(remediation.View) bool) (remediation.View, error) {
	var v remediation.View
	err := d.slack.Wait(ctx, what, func() bool {
		list, err := d.app.Flow().Incidents.List(ctx, incident.Filter{})
		if err != nil || len(list) == 0 {
			return false
		}
		v, err = d.app.Flow().View(ctx, list[0].ID)
		return err == nil && want(v)
	})
	return v, err
}

// heal presses the runbook's fixes, the recommended one first, until one of them heals.
func (d *drill) heal(ctx context.Context, v remediation.View) error {
	tried := 0
	for _, f := range v.Fixes {
		if f.Section == remediation.Restart || f.Emergency && d.section == "" || d.section != "" && f.Section != d.section {
			continue
		}
		tried++
		healed, err := d.try(ctx, f)
		if err != nil || healed {
			return err
		}
	}
	if tried == 0 {
		return fmt.Errorf("%w: the thread offers no fix of it for %s", errDrill, v.Diagnosis.Top().Slug)
	}
	return fmt.Errorf("%w: %d fixes were tried", errDrill, tried)
}

// try asks for one fix as oncall, approves it as approver, and follows the run to its end.
func (d *drill) try(ctx context.Context, f remediation.Fix) (healed bool, err error) {
	recommended := ""
	if f.Recommended {
		recommended = " (recommended)"
	}
	d.say("%-9s presses “%s”%s", oncall, f.Title, recommended)
	before, err := d.until(ctx, "the incident", func(remediation.View) bool { return true })
	if err != nil {
		return false, err
	}
	if why, err := d.ask(ctx, f, len(before.Requests)); err != nil || why != "" {
		d.say("refused   %s", why)
		return false, err
	}
	v, err := d.until(ctx, "the request", func(v remediation.View) bool { return len(v.Requests) > len(before.Requests) })
	if err != nil {
		return false, err
	}
	asked := v.Requests[len(v.Requests)-1]
	for i, s := range asked.Plan.Steps {
		d.say("   plan   %d. %s", i+1, s.Effect())
	}
	if err := d.approve(ctx, asked); err != nil {
		return false, err
	}
	return d.follow(ctx, asked.Request.ID)
}

// approve presses Approve, and types what a plan of high risk wants typed.
func (d *drill) approve(ctx context.Context, asked remediation.Asked) error {
	if err := d.press(ctx, approver, "Approve"); err != nil {
		return err
	}
	if asked.Request.Risk != string(action.High) {
		d.say("%-9s approves %s", approver, asked.Request.ID)
		return nil
	}
	person := d.slack.As(approver)
	if err := d.slack.Wait(ctx, "the question before a plan of high risk", func() bool { return person.Modal() != nil }); err != nil {
		return err
	}
	name := wanted(person.Modal())
	problems, err := person.Submit(ctx, name)
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("%v", problems)
	}
	if err != nil {
		return fmt.Errorf("typing %q to approve %s: %w", name, asked.Request.ID, err)
	}
	d.say("%-9s approves %s, having typed %s", approver, asked.Request.ID, name)
	return nil
}

// wanted is what the first blank of a modal asks to type: "Type orders-sink".
func wanted(modal map[string]any) string {
	blocks, _ := modal["blocks"].([]any)
	for _, b := range blocks {
		block, _ := b.(map[string]any)
		label, _ := block["label"].(map[string]any)
		text, _ := label["text"].(string)
		if name, found := strings.CutPrefix(text, "Type "); found {
			return name
		}
	}
	return ""
}

// follow does what a run asks people to do, until it ends.
func (d *drill) follow(ctx context.Context, request string) (bool, error) {
	told, waited := map[int]remediation.StepState{}, map[int]bool{}
	for {
		v, err := d.until(ctx, "the run", func(v remediation.View) bool {
			r := runOf(v, request)
			return r != nil && (over(*r) || r.State == remediation.Waiting || news(*r, told))
		})
		if err != nil {
			return false, err
		}
		r := *runOf(v, request)
		d.tell(r, told)
		if over(r) {
			d.say("verdict   %s", r.Verdict)
			for _, p := range r.Proof {
				d.say("   proof  %s", p)
			}
			return r.State == remediation.Fixed, nil
		}
		if i := slices.IndexFunc(r.Steps, func(s remediation.RunStep) bool { return s.State == remediation.StepWaiting }); i >= 0 && !waited[i] {
			waited[i] = true
			d.say("%-9s does it: %s", oncall, r.Steps[i].Title)
			d.byHand()
			if err := d.press(ctx, oncall, fmt.Sprintf("Done: step %d", i+1)); err != nil {
				return false, err
			}
		}
	}
}

// byHand is what a person can do that the bot cannot: remove the cause itself.
func (d *drill) byHand() {
	d.systems.Seal(false)
	d.worker.Mend()
	d.revive()
}

func runOf(v remediation.View, request string) *remediation.Run {
	for i, r := range v.Runs {
		if r.Request == request {
			return &v.Runs[i]
		}
	}
	return nil
}

func over(r remediation.Run) bool {
	return r.State == remediation.Fixed || r.State == remediation.Failed || r.State == remediation.Cancelled
}

func news(r remediation.Run, told map[int]remediation.StepState) bool {
	for i, s := range r.Steps {
		if told[i] != s.State && s.State != remediation.StepPending {
			return true
		}
	}
	return false
}

func (d *drill) tell(r remediation.Run, told map[int]remediation.StepState) {
	for i, s := range r.Steps {
		if told[i] == s.State || s.State == remediation.StepPending {
			continue
		}
		told[i] = s.State
		line := fmt.Sprintf("   step   %d. %-9s %s", i+1, s.State, s.Title)
		if s.Error != "" {
			line += " — " + s.Error
		}
		d.say("%s", line)
	}
}

// ask presses a fix and fills its blanks. why is what the bot answers when it refuses to ask for it.
func (d *drill) ask(ctx context.Context, f remediation.Fix, requests int) (why string, err error) {
	person := d.slack.As(oncall)
	heard := len(person.Ephemerals())
	if err := d.press(ctx, oncall, f.Title); err != nil {
		return "", err
	}
	answered := func() bool {
		v, err := d.until(ctx, "the incident", func(remediation.View) bool { return true })
		return err == nil && len(v.Requests) > requests || person.Modal() != nil || len(person.Ephemerals()) > heard
	}
	if err := d.slack.Wait(ctx, "an answer", answered); err != nil {
		return "", err
	}
	if person.Modal() != nil {
		if _, err := person.Submit(ctx, d.fill(f.Inputs)...); err != nil {
			return "", err
		}
		if err := d.slack.Wait(ctx, "an answer", func() bool { return len(person.Ephemerals()) > heard }); err != nil {
			return "", err
		}
	}
	v, err := d.until(ctx, "the incident", func(remediation.View) bool { return true })
	if err != nil || len(v.Requests) > requests {
		return "", err
	}
	list := person.Ephemerals()
	return list[len(list)-1], nil
}

// fill gives the blanks in order: what was said with --input, else something of the simulated world.
func (d *drill) fill(blanks []remediation.Input) []string {
	usual := map[string]string{"table": "cdc_users", "column": "new_column", "column_type": "text", "type": "text", "dlq_id": "dlq-0001", "connector": "postgres-sink-connector", "topic": "cdc-events-orders", "partition": "0", "lease_id": "7Qm2dVb1", "task": "0"}
	var texts []string
	for _, b := range blanks {
		value := d.inputs[b.Name]
		if value == "" {
			value = usual[strings.ToLower(b.Name)]
		}
		if value == "" {
			value = "drill"
		}
		texts = append(texts, value)
	}
	return append(texts, "drill")
}

// press finds the newest card with the button.
func (d *drill) press(ctx context.Context, person, button string) error {
	var last error
	err := d.slack.Wait(ctx, "the button “"+button+"”", func() bool {
		thread := d.slack.Messages(channel)
		if len(thread) == 0 {
			return false
		}
		said := d.slack.Thread(channel, thread[len(thread)-1].TS)
		for _, m := range slices.Backward(said) {
			if last = d.slack.As(person).Press(ctx, channel, m.TS, button); last == nil {
				return true
			}
			if last = d.slack.As(person).Choose(ctx, channel, m.TS, button); last == nil {
				return true
			}
		}
		return false
	})
	if err != nil && last != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return err
}
