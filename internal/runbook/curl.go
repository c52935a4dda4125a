package runbook

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cdcbot/internal/action"
	"cdcbot/internal/connect"
)

// request is a curl command line, read.
type request struct {
	method  string
	url     *url.URL
	data    string
	hasData bool
}

// families maps the first word of a command to its compiler; a new family is a new row. The answer is nil when the
// command is known but has no action, and note is true when it becomes no step at all.
var families = map[string]func(command) (act action.Action, findings []Finding, note bool){
	"curl": compileCurl,
}

// compile gives a command its action, or says why there is none.
func compile(c command) (action.Action, []Finding, bool) {
	extra := habits(c)
	if strings.Contains(c.source, "vault login root") || strings.Contains(c.source, "vault login "+openMark) {
		return nil, append(extra, c.finding("note", "root-token", "a root token does not belong in a shell; the bot has its own identity, so this is left out")), true
	}
	if c.opaque != "" {
		return nil, append(extra, c.finding("warning", "unknown-command", "stays a manual step: "+c.opaque)), false
	}
	family, ok := families[c.words[0]]
	if !ok {
		return nil, append(extra, c.finding("warning", "unknown-command", fmt.Sprintf("stays a manual step: the bot does not run %s", firstWord(c.words[0])))), false
	}
	act, findings, note := family(c)
	return act, append(extra, findings...), note
}

func firstWord(w string) string { return strings.TrimSpace(show(w)) }

// habits are remarks about how a command is written, whatever becomes of it.
func habits(c command) []Finding {
	if strings.Contains(c.source, "docker exec -it") || strings.Contains(c.source, "docker exec -ti") {
		return []Finding{c.finding("note", "docker-exec-it", "docker exec -it needs a terminal; leave out -it")}
	}
	return nil
}

func (c command) finding(level, code, text string) Finding {
	return Finding{Level: level, Code: code, Line: c.line, Column: c.column, Text: text}
}

// valued are curl's options that take a value we need not understand.
var valued = []string{"-H", "--header", "-o", "--output", "-w", "--write-out", "-m", "--max-time", "--connect-timeout", "--retry", "--retry-delay", "-A", "--user-agent", "--cacert", "--cert", "--key", "-x", "--proxy"}

// secretive are options that carry credentials; a runbook should not, and the bot has its own.
var secretive = []string{"-u", "--user", "--oauth2-bearer", "-b", "--cookie"}

// readCurl reads a curl command line; ok is false for one that does more than one plain request.
func readCurl(words []string) (r request, ok bool) {
	for i := 1; i < len(words); i++ {
		name, value, has := strings.Cut(words[i], "=")
		if !strings.HasPrefix(name, "--") {
			name, value, has = words[i], "", false
		}
		next := func() string {
			if has {
				return value
			}
			if i+1 < len(words) {
				i++
				return words[i]
			}
			return ""
		}
		switch {
		case name == "-X" || name == "--request":
			r.method = strings.ToUpper(next())
		case strings.HasPrefix(name, "-X") && len(name) > 2:
			r.method = strings.ToUpper(name[2:])
		case slices.Contains([]string{"-d", "--data", "--data-raw", "--data-binary", "--json"}, name):
			r.data, r.hasData = next(), true
		case name == "--url":
			r.setURL(next())
		case slices.Contains(valued, name) || slices.Contains(secretive, name):
			next()
		case name == "-G" || name == "--get":
			r.method = "GET"
		case strings.HasPrefix(name, "-"):
		default:
			if r.url != nil {
				return r, false
			}
			r.setURL(words[i])
		}
	}
	if r.method == "" {
		r.method = "GET"
		if r.hasData {
			r.method = "POST"
		}
	}
	return r, r.url != nil
}

func (r *request) setURL(raw string) {
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	if u, err := url.Parse(raw); err == nil && u.Host != "" {
		r.url = u
	}
}

// route is one request of the Connect REST API that has an action. connector is the first group of path.
type route struct {
	method string
	path   *regexp.Regexp
	make   func(c command, r request, m []string) (action.Action, []Finding)
}

var routes = []route{
	{"GET", regexp.MustCompile(`^/connectors/?$`), look("list")},
	{"GET", regexp.MustCompile(`^/connectors/([^/]+)/(?:status|tasks)/?$`), look("status")},
	{"GET", regexp.MustCompile(`^/connectors/([^/]+)/tasks/\d+/status/?$`), look("status")},
	{"GET", regexp.MustCompile(`^/connectors/([^/]+)(?:/config)?/?$`), look("config")},
	{"GET", regexp.MustCompile(`^/connectors/([^/]+)/offsets/?$`), look("offsets")},
	{"POST", regexp.MustCompile(`^/connectors/([^/]+)/restart/?$`), restart},
	{"POST", regexp.MustCompile(`^/connectors/([^/]+)/tasks/(\d+)/restart/?$`), restartTask},
	{"PUT", regexp.MustCompile(`^/connectors/([^/]+)/pause/?$`), transition(connect.Paused)},
	{"PUT", regexp.MustCompile(`^/connectors/([^/]+)/resume/?$`), transition(connect.Running)},
	{"PUT", regexp.MustCompile(`^/connectors/([^/]+)/stop/?$`), transition(connect.Stopped)},
	{"PUT", regexp.MustCompile(`^/connectors/([^/]+)/config/?$`), configure},
	{"PATCH", regexp.MustCompile(`^/connectors/([^/]+)/config/?$`), configure},
	{"DELETE", regexp.MustCompile(`^/connectors/([^/]+)/?$`), manual("delete-as-reset", "deleting a connector does not reset its offsets and loses its configuration; stop it and change its offsets instead. It stays a manual step")},
	{"DELETE", regexp.MustCompile(`^/connectors/([^/]+)/offsets/?$`), manual("offsets-not-stopped", "offsets can be reset only while the connector is STOPPED; it stays a manual step")},
	{"PATCH", regexp.MustCompile(`^/connectors/([^/]+)/offsets/?$`), manual("offsets-not-stopped", "offsets can be changed only while the connector is STOPPED; it stays a manual step")},
	{"POST", regexp.MustCompile(`^/connectors/?$`), manual("unknown-command", "creating a connector stays a manual step")},
}

func compileCurl(c command) (action.Action, []Finding, bool) {
	r, ok := readCurl(c.words)
	if !ok {
		return nil, []Finding{c.finding("warning", "unknown-command", "stays a manual step: it is not one plain request")}, false
	}
	for _, rt := range routes {
		if m := rt.path.FindStringSubmatch(r.url.EscapedPath()); m != nil && rt.method == r.method {
			act, findings := rt.make(c, r, unescapeAll(m))
			return act, findings, false
		}
	}
	return nil, []Finding{c.finding("warning", "unknown-command", fmt.Sprintf("stays a manual step: %s %s is not a request of Kafka Connect that has an action", r.method, show(r.url.Path)))}, false
}

func unescapeAll(m []string) []string {
	out := make([]string, len(m))
	for i, s := range m {
		out[i] = s
		if plain, err := url.PathUnescape(s); err == nil {
			out[i] = plain
		}
	}
	return out
}

func look(what string) func(command, request, []string) (action.Action, []Finding) {
	return func(c command, r request, m []string) (action.Action, []Finding) {
		a := action.Look{What: what, Cluster: r.url.Host, Filter: c.filter}
		if len(m) > 1 {
			a.Connector = m[1]
		}
		return a, nil
	}
}

// restart always restarts what failed: without includeTasks the worker would leave failed tasks failed (KIP-745).
func restart(c command, r request, m []string) (action.Action, []Finding) {
	a := action.RestartConnector{Cluster: r.url.Host, Connector: m[1], OnlyFailed: true}
	if r.url.Query().Get("includeTasks") == "true" {
		a.OnlyFailed = r.url.Query().Get("onlyFailed") == "true"
		return a, nil
	}
	return a, []Finding{c.finding("warning", "bare-restart", "a bare /restart leaves failed tasks failed; the bot restarts them too. Write /restart?includeTasks=true&onlyFailed=true")}
}

func restartTask(_ command, r request, m []string) (action.Action, []Finding) {
	n, err := strconv.Atoi(m[2])
	if err != nil {
		return nil, nil
	}
	return action.RestartConnector{Cluster: r.url.Host, Connector: m[1], Task: &n}, nil
}

func transition(to connect.State) func(command, request, []string) (action.Action, []Finding) {
	return func(_ command, r request, m []string) (action.Action, []Finding) {
		return action.Transition{Cluster: r.url.Host, Connector: m[1], To: to}, nil
	}
}

// configure merges what the body names into the whole configuration. A body without connector.class would be refused by
// the worker, and one with only a few options would erase the others.
func configure(c command, r request, m []string) (action.Action, []Finding) {
	if strings.HasPrefix(r.data, "@") {
		return nil, []Finding{c.finding("warning", "unknown-command", "stays a manual step: the file "+r.data[1:]+" is not at hand; and PUT …/config wants the inner config object, not the create envelope")}
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(r.data), &body); err != nil {
		return nil, []Finding{c.finding("warning", "bad-json", "stays a manual step: the body is not a JSON object")}
	}
	set := map[string]string{}
	for k, v := range body {
		if v == nil {
			return nil, []Finding{c.finding("warning", "unknown-command", "stays a manual step: it removes the option "+k)}
		}
		set[k] = fmt.Sprint(v)
	}
	a := action.Configure{Cluster: r.url.Host, Connector: m[1], Set: set}
	if r.method == "PUT" && set["connector.class"] == "" {
		return a, []Finding{c.finding("warning", "partial-put", "PUT …/config replaces the whole configuration and is refused without connector.class; the bot reads, merges and writes it whole")}
	}
	return a, nil
}

func manual(code, text string) func(command, request, []string) (action.Action, []Finding) {
	return func(c command, _ request, _ []string) (action.Action, []Finding) {
		return nil, []Finding{c.finding("warning", code, text)}
	}
}
