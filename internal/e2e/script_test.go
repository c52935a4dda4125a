package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"cdcbot/internal/incident"
	"cdcbot/internal/slacksim"
	"cdcbot/internal/timeline"
)

// TestScripts plays every script of testdata. The words of the scripts:
//
//	break FAULT · mend · produce N      the pipeline
//	as PERSON command /cdc …            types a command in the channel
//	as PERSON press BUTTON              presses the newest button with this text in the thread
//	as PERSON submit TEXT…              fills the open modal
//	as PERSON forge ACTION VALUE        presses a button that does not exist
//	as PERSON post TEXT                 writes in the thread
//	as PERSON choose ENTRY              takes an entry of the newest menu that has it
//	as PERSON home                      opens the app's Home
//	[!] thread TEXT                     the thread comes to say TEXT; with ! it does not say it now
//	[!] told PERSON TEXT                PERSON alone is told TEXT
//	recorded TEXT                       the timeline comes to hold TEXT
//	once TYPE                           the timeline holds one event of this type
//	incidents N                         there come to be N incidents
//	together P1,P2,… press BUTTON       several people press at the same moment
//	deploy NAME                         a connector with a name
//	connector NAME STATE                Connect comes to show it
//	rows N                              at least N rows arrive
//	webhook STATUS FILE [TOKEN]         Alertmanager's call is answered with STATUS
//	redis down|up
//	save NAME FILE                      keeps a file that was uploaded
//	[!] verify FILE                     proves an export
//
// and those of attacks (attack_test.go):
//
//	group P1,P2,…                       these people are the user group S0APPROVERS (@cdc-approvers)
//	join NAME [guest]                   somebody new is in the workspace
//	keep NAME BUTTON                    remembers what the newest button with this text carries: $NAME, and its parts $NAME_r, $NAME_d, …
//	repeat KIND N                       Slack delivers the next N envelopes of a kind twice
//	fail CONNECTOR FILE                 a task fails with a trace of one's own
//	plant NAME FILE                     a connector with a configuration of one's own
//	[!] markup TEXT                     TEXT is live markup somewhere in what the bot shows
//	restart                             the bot ends and starts again
//	hold · release                      another run has the pipeline; it ends
//	redis do COMMAND…                   a command, past the bot
//	redis edit KEY FIELD OLD NEW        changes a field of a hash, past the bot
//	redis take KEY FILE                 copies a hash
//	redis put KEY FILE                  puts a copy back
//	job KIND INCIDENT REQUEST RUN       puts a job into the queue
//	never TYPE                          the timeline holds no event of this type
//	huge STATUS BYTES                   a body of so many bytes is answered with STATUS
//	slow header|body                    fifty clients that never finish; others are answered meanwhile, and they are put out
//	files                               every file's name is one of ours
//	traced NAME FACT…                   a span of this name, with these words in it, has arrived at the collector
//	[!] anywhere TEXT                   TEXT left the bot somewhere: threads, files, log, metrics, answers, Redis
//
// A file called world holds settings of the bot, one a line as the environment gives them; $WORK is the script's folder;
// config.yaml is its configuration, where settings do not do; $AROUND the address of a Vault and a Docker engine that say what the script has planted,
// $COLLECTOR that of a receiver of traces.
func TestScripts(t *testing.T) {
	all := maps.Clone(incidentWords)
	maps.Copy(all, attacks)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			w, err := worldOf(env)
			if err != nil {
				return err
			}
			env.Values["world"] = w
			env.Defer(w.stop)
			return nil
		},
		Cmds: all,
	})
}

var incidentWords = map[string]word{
	"break":     func(ts *testscript.TestScript, _ bool, args []string) { ts.Check(of(ts).worker.Break(args[0], "")) },
	"mend":      func(ts *testscript.TestScript, _ bool, _ []string) { of(ts).worker.Mend() },
	"produce":   func(ts *testscript.TestScript, _ bool, args []string) { of(ts).worker.Produce(number(ts, args[0])) },
	"as":        as,
	"thread":    inThread,
	"told":      told,
	"recorded":  recorded,
	"once":      once,
	"incidents": incidents,
	"together":  together,
	"deploy": func(ts *testscript.TestScript, _ bool, args []string) {
		of(ts).worker.AddConnector(args[0], map[string]string{"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "topics": "other", "connection.url": "jdbc:x"})
	},
	"connector": connectorIs,
	"rows":      rows,
	"webhook":   webhook,
	"redis":     redisIs,
	"save":      save,
	"verify":    verify,
	"traced":    traced,
}

func of(ts *testscript.TestScript) *world { return ts.Value("world").(*world) }

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

func as(ts *testscript.TestScript, neg bool, args []string) {
	w, who := of(ts), args[0]
	person, rest := w.slack.As(who), args[2:]
	var err error
	switch args[1] {
	case "command":
		err = person.Command(within(patient), channel, strings.Join(rest, " "))
	case "press":
		err = press(w, person, strings.Join(rest, " "))
	case "submit":
		ts.Check(w.slack.Wait(within(patient), "a modal for "+who, func() bool { return person.Modal() != nil }))
		var bad map[string]string
		bad, err = person.Submit(within(patient), rest...)
		if err == nil && len(bad) > 0 {
			err = fmt.Errorf("errors at fields: %v", bad)
		}
	case "forge":
		err = person.Forge(within(patient), channel, w.root().TS, rest[0], rest[1])
	case "post":
		_, err = person.Post(channel, w.root().TS, strings.Join(rest, " "))
	case "react":
		err = person.React(channel, w.timestampOf(rest[1]), rest[0])
	case "pin":
		err = person.Pin(channel, w.timestampOf(rest[0]))
	case "choose":
		err = choose(w, person, strings.Join(rest, " "))
	case "home":
		err = home(w, person)
	default:
		err = fmt.Errorf("unknown deed %q", args[1])
	}
	if neg && err == nil {
		ts.Fatalf("%s could %s", who, strings.Join(args[1:], " "))
	}
	if !neg {
		ts.Check(err)
	}
}

func press(w *world, person slacksim.Actor, button string) error {
	var err error
	waited := w.slack.Wait(within(patient), "the button "+button, func() bool {
		m, ok := w.holder(button)
		if !ok {
			return false
		}
		err = person.Press(within(patient), channel, m.TS, button)
		return !redrawn(err)
	})
	if waited != nil {
		return fmt.Errorf("%w; the thread says:\n%s", waited, w.words())
	}
	return err
}

func inThread(ts *testscript.TestScript, neg bool, args []string) {
	w, text := of(ts), strings.Join(args, " ")
	if neg {
		if strings.Contains(w.words(), text) {
			ts.Fatalf("the thread says %q:\n%s", text, w.words())
		}
		return
	}
	if err := w.slack.Wait(within(patient), text, func() bool { return strings.Contains(w.words(), text) }); err != nil {
		ts.Fatalf("the thread never says %q:\n%s", text, w.words())
	}
}

func told(ts *testscript.TestScript, neg bool, args []string) {
	w, text := of(ts), strings.Join(args[1:], " ")
	heard := func() string { return strings.Join(w.slack.As(args[0]).Ephemerals(), "\n---\n") }
	if neg {
		if strings.Contains(heard(), text) {
			ts.Fatalf("%s is told %q:\n%s", args[0], text, heard())
		}
		return
	}
	if err := w.slack.Wait(within(patient), text, func() bool { return strings.Contains(heard(), text) }); err != nil {
		ts.Fatalf("%s is never told %q, but:\n%s", args[0], text, heard())
	}
}

// recorded looks into the timeline of the newest incident.
func recorded(ts *testscript.TestScript, _ bool, args []string) {
	w, text := of(ts), strings.Join(args, " ")
	var events []string
	err := w.slack.Wait(within(patient), text, func() bool {
		events = w.story()
		return slices.ContainsFunc(events, func(e string) bool { return strings.Contains(e, text) })
	})
	if err != nil {
		ts.Fatalf("%v; the timeline holds:\n%s", err, strings.Join(events, "\n"))
	}
}

// story is the timeline of the newest incident, a line for each event.
func (w *world) story() []string {
	list, err := w.app.Flow().Incidents.List(within(patient), incident.Filter{Limit: 1})
	if err != nil || len(list) == 0 {
		return nil
	}
	events, err := w.app.Flow().Timeline.Events(within(patient), list[0].ID)
	if err != nil {
		return nil
	}
	var lines []string
	for _, e := range events {
		lines = append(lines, string(e.Type)+" "+e.Text)
	}
	return lines
}

func once(ts *testscript.TestScript, _ bool, args []string) {
	if n := count(ts, args[0]); n != 1 {
		ts.Fatalf("the timeline holds %d events %s, want 1", n, args[0])
	}
}

// count is how many events of a type the timeline of the newest incident holds.
func count(ts *testscript.TestScript, kind string) (n int) {
	for _, line := range of(ts).story() {
		if strings.HasPrefix(line, kind+" ") {
			n++
		}
	}
	return n
}

func incidents(ts *testscript.TestScript, _ bool, args []string) {
	w, want, got := of(ts), number(ts, args[0]), -1
	err := w.slack.Wait(within(patient), args[0]+" incidents", func() bool {
		list, err := w.app.Flow().Incidents.List(within(patient), incident.Filter{})
		got = len(list)
		return err == nil && got == want
	})
	if err != nil {
		ts.Fatalf("%v; there are %d", err, got)
	}
}

func together(ts *testscript.TestScript, _ bool, args []string) {
	w, button := of(ts), strings.Join(args[2:], " ")
	var group sync.WaitGroup
	for _, name := range strings.Split(args[0], ",") {
		m, ok := w.holder(button)
		if !ok {
			ts.Fatalf("there is no button %q", button)
		}
		group.Go(func() { _ = w.slack.As(name).Press(within(patient), channel, m.TS, button) }) // losers of the race are refused
	}
	group.Wait()
}

func connectorIs(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	p := w.app.Flow().Pipelines["warehouse"]
	last := ""
	err := w.slack.Wait(within(patient), args[0]+" to be "+args[1], func() bool {
		for _, s := range p.Collect(within(patient), []string{args[0]}).Subjects {
			if s.Connector != args[0] {
				continue
			}
			last = string(s.Status.State)
			if len(s.Status.Failed()) > 0 {
				last = "FAILED"
			}
		}
		return last == args[1]
	})
	if err != nil {
		ts.Fatalf("%v; it is %s", err, last)
	}
}

func rows(ts *testscript.TestScript, _ bool, args []string) {
	w, n := of(ts), number(ts, args[0])
	ts.Check(w.slack.Wait(within(patient), args[0]+" rows", func() bool { return w.worker.Rows() >= n }))
}

func webhook(ts *testscript.TestScript, _ bool, args []string) {
	bearer := token
	if len(args) > 2 {
		bearer = args[2]
	}
	status, body, err := of(ts).webhook(ts.ReadFile(args[1]), bearer)
	ts.Check(err)
	if status != number(ts, args[0]) {
		ts.Fatalf("the webhook answers %d %v, want %s", status, body, args[0])
	}
}

func redisIs(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	switch args[0] {
	case "down":
		w.redis.Close()
	case "up":
		ts.Check(w.redis.Restart())
	default:
		byHand(ts, args)
	}
}

func save(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	ts.Check(w.slack.Wait(within(patient), "the file "+args[0], func() bool { return w.slack.File(args[0]) != nil }))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), w.slack.File(args[0]), 0o600))
}

func verify(ts *testscript.TestScript, neg bool, args []string) {
	doc, err := timeline.ParseJSON(bytes.NewReader([]byte(ts.ReadFile(args[0]))))
	if err == nil {
		err = doc.Verify()
	}
	if neg == (err == nil) {
		ts.Fatalf("verify %s: %v", args[0], err)
	}
}
