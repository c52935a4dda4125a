package runbook

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"cdcbot/internal/action"
)

// request is a curl command line, read.
type request struct {
	method  string
	url     *url.URL
	data    []string
	hasData bool
	secret  bool // it carries credentials
	glob    bool // --globoff: curl takes brackets in the URL as they are
	toQuery bool // --get: data goes into the query
}

// option is one of curl's options: whether it takes a value, and what it means to us. A nil meaning is one that changes
// nothing for a request that the bot makes itself. The meaning says why a command cannot be compiled.
type option struct {
	valued bool
	mean   func(r *request, value string) (why string)
}

// curlOptions are those that occur in runbooks; one that is not here makes the command a manual step.
var curlOptions = map[string]option{
	"-X": {true, method}, "--request": {true, method},
	"-I": {false, head}, "--head": {false, head},
	"-G": {false, get}, "--get": {false, get},
	"-d": {true, data}, "--data": {true, data}, "--data-ascii": {true, data}, "--data-binary": {true, data}, "--json": {true, data},
	"--data-raw": {true, rawData}, "--data-urlencode": {true, encodedData},
	"-H": {true, header}, "--header": {true, header},
	"-u": {true, secret}, "--user": {true, secret}, "-b": {true, secret}, "--cookie": {true, secret}, "--oauth2-bearer": {true, secret},
	"-n": {false, netrc}, "--netrc": {false, netrc},
	"-o": {true, output}, "--output": {true, output},
	"-g": {false, globOff}, "--globoff": {false, globOff},
	"--url": {true, target},

	"-s": {}, "--silent": {}, "-S": {}, "--show-error": {}, "-f": {}, "--fail": {}, "--fail-with-body": {}, "-k": {}, "--insecure": {},
	"-L": {}, "--location": {}, "-i": {}, "--include": {}, "-v": {}, "--verbose": {}, "-N": {}, "--no-buffer": {}, "-#": {}, "--progress-bar": {},
	"--compressed": {}, "--no-progress-meter": {}, "-4": {}, "--ipv4": {}, "-6": {}, "--ipv6": {}, "--http1.1": {}, "--http2": {},
	"--retry-connrefused": {}, "--retry-all-errors": {},
	"-m": {valued: true}, "--max-time": {valued: true}, "--connect-timeout": {valued: true}, "--retry": {valued: true}, "--retry-delay": {valued: true},
	"--retry-max-time": {valued: true}, "-w": {valued: true}, "--write-out": {valued: true}, "-A": {valued: true}, "--user-agent": {valued: true},
	"-e": {valued: true}, "--referer": {valued: true}, "--cacert": {valued: true}, "--cert": {valued: true}, "--key": {valued: true},
	"-x": {valued: true}, "--proxy": {valued: true}, "--noproxy": {valued: true},
}

// readCurl reads a curl command line; why says what keeps it from being one plain request.
func readCurl(words []string) (r request, why string) {
	for i := 1; i < len(words); i++ {
		used := 0
		switch w := words[i]; {
		case strings.HasPrefix(w, "--") && len(w) > 2:
			used, why = r.long(w, words[i+1:])
		case strings.HasPrefix(w, "-") && len(w) > 1 && w != "--":
			used, why = r.short(w, words[i+1:])
		case w != "--":
			why = target(&r, w)
		}
		if why != "" {
			return r, why
		}
		i += used
	}
	return r, r.complete()
}

// long reads "--request POST" and "--request=POST".
func (r *request) long(word string, rest []string) (used int, why string) {
	name, value, has := strings.Cut(word, "=")
	o, known := curlOptions[name]
	if !known {
		return 0, "the bot does not know curl's " + name
	}
	if o.valued && !has {
		if len(rest) == 0 {
			return 0, name + " has no value"
		}
		value, used = rest[0], 1
	}
	return used, o.apply(r, value)
}

// short reads "-X POST", "-XPOST", "-sf" and "-sXPOST".
func (r *request) short(word string, rest []string) (used int, why string) {
	for i, letter := range word[1:] {
		name := "-" + string(letter)
		o, known := curlOptions[name]
		if !known {
			return 0, "the bot does not know curl's " + name
		}
		if !o.valued {
			if why := o.apply(r, ""); why != "" {
				return 0, why
			}
			continue
		}
		if value := word[1+i+len(string(letter)):]; value != "" {
			return 0, o.apply(r, value)
		}
		if len(rest) == 0 {
			return 0, name + " has no value"
		}
		return 1, o.apply(r, rest[0])
	}
	return 0, ""
}

func (o option) apply(r *request, value string) string {
	if o.mean == nil {
		return ""
	}
	return o.mean(r, value)
}

func method(r *request, value string) string {
	r.method = strings.ToUpper(value)
	return ""
}

func head(r *request, _ string) string { return method(r, "HEAD") }

func get(r *request, _ string) string {
	r.toQuery = true
	return ""
}

func rawData(r *request, value string) string {
	r.data, r.hasData = append(r.data, value), true
	return ""
}

func data(r *request, value string) string {
	if value == "@-" {
		return "its data comes from standard input"
	}
	return rawData(r, value)
}

func encodedData(r *request, value string) string {
	name, text, ok := strings.Cut(value, "=")
	if !ok || strings.Contains(name, "@") {
		return "its data is encoded from a file or without a name"
	}
	return rawData(r, name+"="+url.QueryEscape(text))
}

func header(r *request, value string) string {
	name, _, _ := strings.Cut(value, ":")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "authorization", "cookie", "x-vault-token", "x-api-key":
		r.secret = true
	}
	return ""
}

func secret(r *request, _ string) string {
	r.secret = true
	return ""
}

func netrc(r *request, _ string) string { return secret(r, "") }

func output(_ *request, value string) string {
	if value != "/dev/null" && value != "-" {
		return "it writes a file"
	}
	return ""
}

func globOff(r *request, _ string) string {
	r.glob = true
	return ""
}

func target(r *request, raw string) string {
	if r.url != nil {
		return "it is more than one request"
	}
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "its URL is not one of http or https"
	}
	if u.User != nil {
		r.secret, u.User = true, nil
	}
	if u.Scheme == "https" && u.Port() == "" {
		u.Host += ":443"
	}
	r.url = u
	return ""
}

// complete settles what depends on all options together.
func (r *request) complete() (why string) {
	if r.url == nil {
		return "it has no URL"
	}
	if !r.glob && strings.ContainsAny(r.url.Path+r.url.RawQuery, "{}[]") {
		return "curl would expand the brackets in its URL"
	}
	if r.toQuery && r.hasData {
		r.url.RawQuery = strings.Trim(r.url.RawQuery+"&"+strings.Join(r.data, "&"), "&")
		r.data, r.hasData = nil, false
	}
	switch {
	case r.method == "" && r.hasData:
		r.method = "POST"
	case r.method == "":
		r.method = "GET"
	}
	return ""
}

// body is what curl would send; several --data are joined.
func (r *request) body() string { return strings.Join(r.data, "&") }

// compileCurl compiles a request to a service that the bot knows. Each service is a table of routes.
func compileCurl(c command) (action.Action, []Finding, bool) {
	r, why := readCurl(c.words)
	if why != "" {
		return nil, []Finding{c.unknown(why)}, false
	}
	var findings []Finding
	if r.secret {
		findings = append(findings, c.finding("warning", "credentials", "credentials do not belong in a runbook; the bot uses its own, so leave them out"))
	}
	for _, rt := range slices.Concat(connectRoutes, systemRoutes) {
		if m := rt.path.FindStringSubmatch(r.url.EscapedPath()); m != nil && rt.fits(r.method) {
			act, more := rt.make(c, r, unescapeAll(m))
			return act, append(findings, more...), false
		}
	}
	return nil, append(findings, c.unknown(fmt.Sprintf("%s %s is not a request that has an action", r.method, show(r.url.Path)))), false
}

// compileWget reads wget -qO- URL as a curl of the same.
func compileWget(c command) (action.Action, []Finding, bool) {
	words := []string{"curl"}
	for i := 1; i < len(c.words); i++ {
		switch w := c.words[i]; {
		case w == "-O" || w == "--output-document":
			i++
			words = append(words, "-o", strings.Join(c.words[i:min(i+1, len(c.words))], ""))
		case strings.HasPrefix(w, "-q") || w == "-O-" || w == "--spider" || w == "-nv" || w == "--quiet" || strings.HasPrefix(w, "--timeout") || strings.HasPrefix(w, "--tries"):
		case strings.HasPrefix(w, "-"):
			return nil, []Finding{c.unknown("the bot does not know wget's " + w)}, false
		default:
			words = append(words, w)
		}
	}
	c.words = words
	return compileCurl(c)
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
