package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"go.uber.org/zap"

	"cdcbot/internal/connect"
	"cdcbot/internal/doctor"
	"cdcbot/internal/incident"
	"cdcbot/internal/remediation"
	"cdcbot/internal/timeline"
)

// Connect is what commands read of a Connect cluster.
type Connect interface {
	Connectors(ctx context.Context) (map[string]connect.Connector, error)
	Root(ctx context.Context) (connect.Worker, error)
}

// Pipeline is what commands know of one pipeline.
type Pipeline struct {
	Name    string
	Cluster string
	Channel string // its own channel, "" for the default
	Connect Connect
	Lag     func(connector string) (records int64, known bool) // what waits for a sink; nil when nobody can tell
	Owns    func(connector string) bool                        // whether a connector of the cluster belongs to the pipeline
}

// Router answers commands. Sentence turns an error into what a person should read and do next.
type Router struct {
	Flow      *remediation.Flow
	Pipelines []Pipeline // sorted by name
	Channel   string     // where threads go whose pipeline has no channel of its own
	Timeline  *timeline.Log
	Books     Books
	Links     []incident.Link // pages that the App Home leads to
	Export    func(ctx context.Context, incident, format string) (remediation.File, error)
	Doctor    func(ctx context.Context) doctor.Report // nil when nobody can examine the bot
	Sentence  func(err error) string
	Now       func() time.Time
	Log       *zap.Logger
}

// ask is one typed command, taken apart.
type ask struct {
	Command
	args    []string
	options map[string]string
}

type handler func(*Router, context.Context, ask) Reply

// word is one row of the table of typed commands.
type word struct {
	path    string // "incident show"
	usage   string
	text    string
	example string
	do      handler
}

// vocabulary are the typed commands in the order that help shows them. They are set when the program starts: help, which is one of
// them, reads them.
var vocabulary []word

func init() {
	vocabulary = []word{
		{"status", "/cdc status [connector]", "What runs, what failed, since when.", "/cdc status postgres-sink-connector", (*Router).status},
		{"approvals", "/cdc approvals", "What waits for an approval, yours first.", "/cdc approvals", func(r *Router, ctx context.Context, a ask) Reply { return r.approvals(ctx, a.Command) }},
		{"restart", "/cdc restart <connector> [task N] [reason]", "Asks for a restart of the failed tasks; a second person approves.", "/cdc restart postgres-sink-connector database is back", (*Router).restart},
		{"pause", "/cdc pause <connector|pipeline> [reason]", "Asks to pause it: tasks stop, nothing is lost.", "/cdc pause postgres-sink-connector maintenance", move(remediation.Pause)},
		{"resume", "/cdc resume <connector|pipeline> [reason]", "Asks to resume what was paused or stopped.", "/cdc resume postgres-sink-connector", move(remediation.Resume)},
		{"stop", "/cdc stop <connector|pipeline> [reason]", "Asks to stop it: tasks end; configuration and offsets stay.", "/cdc stop postgres-sink-connector", move(remediation.Stop)},
		{"runbook list", "/cdc runbook list", "The runbooks and the alerts that they answer.", "/cdc runbook list", (*Router).bookList},
		{"runbook show", "/cdc runbook show [name] [section]", "What a runbook can do, step by step.", "/cdc runbook show kafka-connect-connector-failure 3", (*Router).bookShow},
		{"runbook run", "/cdc runbook run <ID> <section> [option]", "Asks for a section of an incident's runbook.", "/cdc runbook run INC-1 3", (*Router).bookRun},
		{"dlq list", "/cdc dlq list [error_type=…] [table=…]", "What waits in the dead-letter queue.", "/cdc dlq list table=orders", (*Router).dlqList},
		{"dlq replay", "/cdc dlq replay [error_type=…] [table=…] [limit N]", "Asks to apply those records again.", "/cdc dlq replay table=orders limit 100", (*Router).dlqReplay},
		{"silence", "/cdc silence [ID] [for 1h] <reason>", "Keeps its alert quiet in Alertmanager for a while.", "/cdc silence INC-1 for 2h database upgrade", (*Router).silenceTyped},
		{"unsilence", "/cdc unsilence [ID]", "Lets it be heard again.", "/cdc unsilence INC-1", (*Router).unsilenceTyped},
		{"escalate", "/cdc escalate [ID]", "Begins the runbook's escalation now.", "/cdc escalate INC-1", (*Router).escalate},
		{"failover", "/cdc failover [pipeline]", "Asks to switch to the other region.", "/cdc failover warehouse", (*Router).failover},
		{"standing list", "/cdc standing list", "What people agreed to in advance: restarts that I may do by myself.", "/cdc standing list", (*Router).standingList},
		{"standing allow", "/cdc standing allow <connector> [for 24h] [times 3] [reason]", "Asks that I may restart a connector by myself for a while; a second person approves.", "/cdc standing allow postgres-sink-connector for 24h times 3", (*Router).standingAllow},
		{"standing revoke", "/cdc standing revoke <STA-n>", "Ends that at once; anybody may.", "/cdc standing revoke STA-17", (*Router).standingRevoke},
		{"incident list", "/cdc incident list [all]", "Open incidents, newest first.", "/cdc incident list", (*Router).incidentList},
		{"incident show", "/cdc incident show <ID>", "One incident: cause, requests, runs.", "/cdc incident show INC-1", (*Router).incidentShow},
		{"incident export", "/cdc incident export <ID> [md|html|json|csv]", "The timeline as a file.", "/cdc incident export INC-1 md", (*Router).incidentExport},
		{"incident ack", "/cdc incident ack <ID>", "Says that you take care of it.", "/cdc incident ack INC-1", (*Router).incidentAck},
		{"incident assign", "/cdc incident assign <ID> @person", "Gives it to somebody.", "/cdc incident assign INC-1 @approver", (*Router).incidentAssign},
		{"incident note", "/cdc incident note <ID> <text>", "Adds a line to the timeline.", "/cdc incident note INC-1 database team is on it", (*Router).incidentNote},
		{"incident close", "/cdc incident close <ID>", "Ends the work on it.", "/cdc incident close INC-1", (*Router).incidentClose},
		{"diagnose", "/cdc diagnose <ID>", "Looks again and updates the thread.", "/cdc diagnose INC-1", (*Router).diagnose},
		{"doctor", "/cdc doctor", "Examines me and what I need: Slack, Redis, every system, runbooks, clocks, permissions.", "/cdc doctor", (*Router).doctor},
		{"help", "/cdc help [word]", "This list.", "/cdc help restart", (*Router).help},
	}
}

// Do answers one command. It never panics: what goes wrong is said, and the details are logged.
func (r *Router) Do(ctx context.Context, c Command) (reply Reply) {
	defer func() {
		if p := recover(); p != nil {
			r.Log.Error("command panicked", zap.Any("panic", p), zap.String("text", c.Text), zap.String("verb", string(c.Verb)), zap.Stack("stack"))
			reply = Reply{Error: true, Text: "Something went wrong inside the bot; nothing was changed by this command. The details are in its log."}
		}
	}()
	if c.Verb != "" {
		return r.press(ctx, c)
	}
	args, options, err := words(c.Text)
	if err != nil {
		return Reply{Error: true, Text: "I could not read that: " + err.Error() + "."}
	}
	return r.typed(ctx, ask{Command: c, args: args, options: options})
}

func (r *Router) typed(ctx context.Context, a ask) Reply {
	if len(a.args) == 0 {
		return r.menu(ctx, a)
	}
	for _, w := range vocabulary {
		path := strings.Fields(w.path)
		if matches(a.args, path) {
			a.args = a.args[len(path):]
			return w.do(r, ctx, a)
		}
	}
	return unknown(a.args)
}

// Known is the command's name for metrics and traces: a button's verb, the words of a typed one, or "unknown". It is one
// of few, whatever people type.
func Known(c Command) string {
	if c.Verb != "" {
		return string(c.Verb)
	}
	args, _, err := words(c.Text)
	if err != nil {
		return "unknown"
	}
	if len(args) == 0 {
		return "menu"
	}
	for _, w := range vocabulary {
		if matches(args, strings.Fields(w.path)) {
			return w.path
		}
	}
	return "unknown"
}

func matches(args, path []string) bool {
	if len(args) < len(path) {
		return false
	}
	for i := range path {
		if !strings.EqualFold(args[i], path[i]) {
			return false
		}
	}
	return true
}

// unknown answers words that are no command with the nearest ones; it never runs a guess.
func unknown(args []string) Reply {
	typed := strings.ToLower(strings.Join(args[:min(2, len(args))], " "))
	near := nearest(typed, strings.ToLower(args[0]))
	text := fmt.Sprintf("There is no command %q.", strings.Join(args, " "))
	if len(near) == 0 {
		return Reply{Error: true, Text: text + " Try /cdc help.", Suggest: []string{"/cdc help"}}
	}
	return Reply{Error: true, Text: text + " Did you mean " + near[0] + "?", Suggest: near}
}

func nearest(typed, first string) []string {
	var near []string
	for _, w := range vocabulary {
		head, _, _ := strings.Cut(w.path, " ")
		if head == first || levenshtein.ComputeDistance(typed, w.path) <= 2 || levenshtein.ComputeDistance(first, head) <= 2 {
			near = append(near, w.usage)
		}
	}
	return near
}

func (r *Router) help(_ context.Context, a ask) Reply {
	var lines []HelpLine
	for _, w := range vocabulary {
		if len(a.args) == 0 || strings.Contains(w.path, strings.ToLower(a.args[0])) {
			lines = append(lines, HelpLine{Usage: w.usage, Text: w.text, Example: w.example})
		}
	}
	if len(lines) == 0 {
		return unknown(a.args)
	}
	return Reply{Text: "What I can do", Help: lines}
}

// fail turns an error into a reply.
func (r *Router) fail(err error) Reply {
	var typed wrong
	if errors.As(err, &typed) {
		return Reply{Error: true, Text: typed.Error()}
	}
	return Reply{Error: true, Text: r.Sentence(err)}
}

func (a ask) by() remediation.Person { return remediation.Person{ID: a.User.ID, Name: a.User.Name} }

// pipelines are those the command is about: the option, else the channel's own, else all.
func (r *Router) pipelines(a ask) ([]Pipeline, error) {
	if name, ok := a.options["pipeline"]; ok {
		i := slices.IndexFunc(r.Pipelines, func(p Pipeline) bool { return p.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("pipeline %q: %w; there are: %s", name, remediation.ErrNoPipeline, r.names())
		}
		return r.Pipelines[i : i+1], nil
	}
	var own []Pipeline
	for _, p := range r.Pipelines {
		if p.Channel != "" && p.Channel == a.Channel {
			own = append(own, p)
		}
	}
	if len(own) > 0 {
		return own, nil
	}
	return r.Pipelines, nil
}

func (r *Router) names() string {
	list := make([]string, len(r.Pipelines))
	for i, p := range r.Pipelines {
		list[i] = p.Name
	}
	return strings.Join(list, ", ")
}

// incidentID reads the incident's name as people type it: INC-7, inc-7, 7.
func incidentID(text string) string {
	up := strings.ToUpper(strings.Trim(text, "#,.:"))
	if strings.HasPrefix(up, "INC-") {
		return up
	}
	return "INC-" + up
}

func (r *Router) openIncidents(ctx context.Context) ([]incident.Incident, error) {
	return r.Flow.Incidents.List(ctx, incident.Filter{Open: true})
}
