package runbook

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cdcbot/internal/action"
	"cdcbot/internal/connect"
)

// route is one request of the Connect REST API that has an action, or a reason to have none.
type route struct {
	method string
	path   *regexp.Regexp // its first group is the connector
	make   maker
}

func (rt route) fits(method string) bool {
	return rt.method == method || rt.method == "GET" && method == "HEAD"
}

type maker func(c command, r request, m []string) (action.Action, []Finding)

// connectRoutes are tried in order; the first that fits counts.
var connectRoutes = []route{
	{"GET", regexp.MustCompile(`^/connectors/?$`), list},
	{"GET", regexp.MustCompile(`^/connectors/([^/]+)/status/?$`), look("status")},
	{"GET", regexp.MustCompile(`^/connectors/([^/]+)/tasks/(\d+)/status/?$`), lookTask},
	{"GET", regexp.MustCompile(`^/connectors/([^/]+)/tasks/?$`), lookTasks},
	{"GET", regexp.MustCompile(`^/connectors/([^/]+)/config/?$`), look("config")},
	{"GET", regexp.MustCompile(`^/connectors/([^/]+)/offsets/?$`), look("offsets")},
	{"GET", regexp.MustCompile(`^/connectors/([^/]+)/?$`), look("info")},
	{"POST", regexp.MustCompile(`^/connectors/([^/]+)/restart/?$`), restart},
	{"POST", regexp.MustCompile(`^/connectors/([^/]+)/tasks/(\d+)/restart/?$`), restartTask},
	{"PUT", regexp.MustCompile(`^/connectors/([^/]+)/pause/?$`), transition(connect.Paused)},
	{"PUT", regexp.MustCompile(`^/connectors/([^/]+)/resume/?$`), transition(connect.Running)},
	{"PUT", regexp.MustCompile(`^/connectors/([^/]+)/stop/?$`), transition(connect.Stopped)},
	{"PUT", regexp.MustCompile(`^/connectors/([^/]+)/config/?$`), configure},
	{"PATCH", regexp.MustCompile(`^/connectors/([^/]+)/config/?$`), configure},
	{"DELETE", regexp.MustCompile(`^/connectors/([^/]+)/?$`), remove},
	{"DELETE", regexp.MustCompile(`^/connectors/([^/]+)/offsets/?$`), resetOffsets},
	{"PATCH", regexp.MustCompile(`^/connectors/([^/]+)/offsets/?$`), alterOffsets},
	{"POST", regexp.MustCompile(`^/connectors/?$`), create},
}

const (
	unknownCode = "unknown-command"
	offsetsCode = "offsets-not-stopped"
)

func list(c command, r request, _ []string) (action.Action, []Finding) {
	what := "list"
	if r.url.Query().Has("expand") {
		what = "expand"
	}
	return action.Look{What: what, Cluster: r.url.Host, Pipe: c.pipe}, checkPipe(c)
}

func look(what string) maker {
	return func(c command, r request, m []string) (action.Action, []Finding) {
		return action.Look{What: what, Cluster: r.url.Host, Connector: m[1], Pipe: c.pipe}, checkPipe(c)
	}
}

func lookTask(c command, r request, m []string) (action.Action, []Finding) {
	n, err := strconv.Atoi(m[2])
	if err != nil {
		return nil, []Finding{c.unknown("task " + m[2] + " is out of range")}
	}
	return action.Look{What: "task", Cluster: r.url.Host, Connector: m[1], Task: n, Pipe: c.pipe}, checkPipe(c)
}

// lookTasks reads the status, which tells more about tasks. A jq program expects the other shape.
func lookTasks(c command, r request, m []string) (action.Action, []Finding) {
	if len(c.pipe) > 0 {
		return nil, []Finding{c.unknown("…/tasks has no action of its own; ask …/status and its .tasks")}
	}
	return action.Look{What: "status", Cluster: r.url.Host, Connector: m[1]}, nil
}

// restart always restarts what failed: without includeTasks the worker would leave failed tasks failed (KIP-745).
func restart(c command, r request, m []string) (action.Action, []Finding) {
	query := r.url.Query()
	a := action.RestartConnector{Cluster: r.url.Host, Connector: m[1], OnlyFailed: true}
	if query.Get("includeTasks") == "true" {
		a.OnlyFailed = query.Get("onlyFailed") == "true"
		return a, nil
	}
	return a, []Finding{c.finding("warning", "bare-restart", "a bare /restart leaves failed tasks failed; the bot restarts them too. Write /restart?includeTasks=true&onlyFailed=true")}
}

func restartTask(c command, r request, m []string) (action.Action, []Finding) {
	n, err := strconv.Atoi(m[2])
	if err != nil {
		return nil, []Finding{c.unknown("task " + m[2] + " is out of range")}
	}
	return action.RestartConnector{Cluster: r.url.Host, Connector: m[1], Task: &n}, nil
}

func transition(to connect.State) maker {
	return func(_ command, r request, m []string) (action.Action, []Finding) {
		return action.Transition{Cluster: r.url.Host, Connector: m[1], To: to}, nil
	}
}

// configure merges what the body names into the whole configuration. A body without connector.class would be refused by
// the worker, and one with only a few options would erase the others. A file is the whole configuration.
func configure(c command, r request, m []string) (action.Action, []Finding) {
	if file, ok := strings.CutPrefix(r.body(), "@"); ok {
		a := action.Configure{Cluster: r.url.Host, Connector: m[1], Whole: true, File: file}
		return a, []Finding{c.finding("note", "create-envelope", "PUT …/config wants the inner config object; if the file is the envelope of POST /connectors, the bot unwraps it")}
	}
	body, findings, err := options(c, r.body())
	if err != nil {
		return nil, []Finding{c.finding("error", "bad-config", fmt.Sprintf("the body of this request %v; expected an object such as {\"option\": \"value\"}", err))}
	}
	a := action.Configure{Cluster: r.url.Host, Connector: m[1], Set: map[string]string{}}
	for name, value := range body {
		if value == nil {
			a.Unset = append(a.Unset, name)
			continue
		}
		a.Set[name] = *value
	}
	slices.Sort(a.Unset)
	if r.method == "PUT" && a.Set["connector.class"] == "" {
		findings = append(findings, c.finding("warning", "partial-put", "PUT …/config replaces the whole configuration and is refused without connector.class; the bot reads, merges and writes it whole. Write PATCH, or the whole configuration"))
	}
	return a, findings
}

// options reads the body of a configuration: an object of texts, numbers, booleans, and nulls that take an option away.
// The envelope of POST /connectors is unwrapped.
func options(c command, body string) (map[string]*string, []Finding, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &raw); err != nil || raw == nil {
		return nil, nil, fmt.Errorf("is not a JSON object")
	}
	var findings []Finding
	if inner := raw["config"]; len(inner) > 0 && inner[0] == '{' {
		findings = append(findings, c.finding("warning", "create-envelope", "PUT …/config wants the inner config object; the bot takes it out of its envelope"))
		if raw = nil; json.Unmarshal(inner, &raw) != nil {
			return nil, nil, fmt.Errorf("has a config that is not an object")
		}
	}
	if len(raw) == 0 {
		return nil, nil, fmt.Errorf("names no option")
	}
	out := make(map[string]*string, len(raw))
	for name, value := range raw {
		text, err := scalar(value)
		if err != nil {
			return nil, nil, fmt.Errorf("has %q as %w", name, err)
		}
		out[name] = text
	}
	return out, findings, nil
}

// scalar keeps numbers as they are written.
func scalar(raw json.RawMessage) (*string, error) {
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil && err != io.EOF {
		return nil, fmt.Errorf("something that is not JSON: %w", err)
	}
	switch x := v.(type) {
	case nil:
		return nil, nil
	case string, json.Number, bool:
		text := fmt.Sprint(x)
		return &text, nil
	}
	return nil, fmt.Errorf("an object or a list")
}

// tolerating finds where steps set errors.tolerance=all and none of the steps after takes it back.
func tolerating(steps []Step) []Finding {
	var findings []Finding
	for i, s := range steps {
		a, ok := s.Action.(action.Configure)
		if !ok || !a.Tolerant() {
			continue
		}
		back := func(s Step) bool { return takesBack(s, a.Connector) }
		if !slices.ContainsFunc(steps[i+1:], back) {
			findings = append(findings, Finding{Level: "warning", Code: "tolerance-all", Line: s.Line, Column: 1, Text: "errors.tolerance=all skips records silently; the bot adds a last step that takes it back, after an hour at the latest. Write that step yourself: errors.tolerance=none"})
		}
	}
	return findings
}

func (s Section) tolerating() []Finding {
	var findings []Finding
	for _, o := range s.Options {
		findings = append(findings, tolerating(o.Steps)...)
	}
	return findings
}

func manual(code, text string) maker {
	return func(c command, _ request, _ []string) (action.Action, []Finding) {
		return nil, []Finding{c.finding("warning", code, "stays a manual step: "+text)}
	}
}

// remove is half of making a connector anew when a POST of it follows (collector.pair decides); alone it stays with people.
func remove(c command, r request, m []string) (action.Action, []Finding) {
	return action.Recreate{Cluster: r.url.Host, Connector: m[1], Half: action.Delete}, []Finding{c.finding("warning", "delete-as-reset", "deleting a connector resets nothing: a sink's offsets stay with its consumer group, a source's with its name. Stop and resume it to make its tasks anew. When it is created again below, the bot saves configuration and offsets first and proves afterwards that they are back; otherwise this stays with a person")}
}

// create reads the envelope of POST /connectors, from the command or from a file.
func create(c command, r request, _ []string) (action.Action, []Finding) {
	a := action.Recreate{Cluster: r.url.Host, Half: action.Create, New: true}
	if file, ok := strings.CutPrefix(r.body(), "@"); ok {
		a.File = file
		return a, nil
	}
	var envelope struct {
		Name   string                     `json:"name"`
		Config map[string]json.RawMessage `json:"config"`
	}
	if err := json.Unmarshal([]byte(r.body()), &envelope); err != nil || envelope.Name == "" || len(envelope.Config) == 0 {
		return nil, []Finding{c.finding("error", "bad-config", "the body of POST /connectors is not {\"name\": …, \"config\": {…}}")}
	}
	a.Connector, a.Config = envelope.Name, map[string]string{}
	for name, raw := range envelope.Config {
		value, err := scalar(raw)
		if err != nil || value == nil {
			return nil, []Finding{c.finding("error", "bad-config", fmt.Sprintf("option %q of the new connector is no text, number or boolean", name))}
		}
		a.Config[name] = *value
	}
	return a, nil
}

func resetOffsets(c command, r request, m []string) (action.Action, []Finding) {
	return action.AlterOffsets{Cluster: r.url.Host, Connector: m[1]}, []Finding{c.notStopped()}
}

func (c command) notStopped() Finding {
	return c.finding("warning", offsetsCode, "offsets can be changed only while the connector is STOPPED, otherwise the worker answers 400: PUT …/stop before it, and …/resume after")
}

func alterOffsets(c command, r request, m []string) (action.Action, []Finding) {
	var body struct {
		Offsets []connect.Offset `json:"offsets"`
	}
	if err := json.Unmarshal([]byte(r.body()), &body); err != nil || len(body.Offsets) == 0 {
		return nil, []Finding{c.finding("error", "bad-offsets", "the body of PATCH …/offsets is not {\"offsets\": [{\"partition\": {…}, \"offset\": {…}}]}")}
	}
	return action.AlterOffsets{Cluster: r.url.Host, Connector: m[1], Offsets: body.Offsets}, []Finding{c.notStopped()}
}
