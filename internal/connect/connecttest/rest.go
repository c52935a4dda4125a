package connecttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxBody is larger than any configuration.
const maxBody = 4 << 20

// request is one call, taken apart.
type request struct {
	name  string // of the connector, or of the plugin
	task  string
	query url.Values
	body  []byte

	write   bool // it changes something
	memory  bool // the worker answers it without its group
	offsets bool
	health  bool
}

// answer is a status code and what goes out as JSON; nil for no body.
type answer struct {
	code int
	body any
}

// refuse is Connect's error body.
func refuse(code int, message string) *answer {
	return &answer{code, map[string]any{"error_code": code, "message": message}}
}

func refusef(code int, format string, args ...any) *answer {
	return refuse(code, fmt.Sprintf(format, args...))
}

// route is one row of the API. since is the first version that has it. A star stands for one segment of the path: first
// the connector's name, then the task's number.
type route struct {
	method, path string
	since        string
	do           func(*Worker, request) *answer
}

var routes = []route{
	{"GET", "/", "", (*Worker).root},
	{"GET", "/health", "3.9", (*Worker).health},
	{"GET", "/connectors", "", (*Worker).list},
	{"POST", "/connectors", "", (*Worker).create},
	{"GET", "/connectors/*", "", (*Worker).info},
	{"DELETE", "/connectors/*", "", (*Worker).remove},
	{"GET", "/connectors/*/config", "", (*Worker).config},
	{"PUT", "/connectors/*/config", "", (*Worker).putConfig},
	{"PATCH", "/connectors/*/config", "3.8", (*Worker).patchConfig},
	{"GET", "/connectors/*/status", "", (*Worker).status},
	{"GET", "/connectors/*/tasks", "", (*Worker).tasks},
	{"GET", "/connectors/*/tasks/*/status", "", (*Worker).taskStatus},
	{"POST", "/connectors/*/tasks/*/restart", "", (*Worker).restartTask},
	{"POST", "/connectors/*/restart", "", (*Worker).restartConnector},
	{"PUT", "/connectors/*/pause", "", (*Worker).pause},
	{"PUT", "/connectors/*/resume", "", (*Worker).resume},
	{"PUT", "/connectors/*/stop", "3.5", (*Worker).stop},
	{"GET", "/connectors/*/offsets", "3.5", (*Worker).offsets},
	{"PATCH", "/connectors/*/offsets", "3.6", (*Worker).alterOffsets},
	{"DELETE", "/connectors/*/offsets", "3.6", (*Worker).resetOffsets},
	{"GET", "/connectors/*/topics", "", (*Worker).topics},
	{"PUT", "/connectors/*/topics/reset", "", (*Worker).resetTopics},
	{"PUT", "/connectors/*/fence", "", (*Worker).fence},
	{"GET", "/connector-plugins", "", (*Worker).plugins},
	{"PUT", "/connector-plugins/*/config/validate", "", (*Worker).validate},
}

// ServeHTTP answers as the worker would at this moment.
func (w *Worker) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	w.lock()
	down, starting, version := w.phase.down, w.clock.Before(w.phase.html), w.version
	w.mu.Unlock()
	switch {
	case down:
		panic(http.ErrAbortHandler) // the server's way to drop a connection without an answer
	case starting:
		jetty(out, http.StatusNotFound, "Not Found", "http://"+in.Host+in.URL.EscapedPath())
		return
	}
	if title := unaddressable(in.URL.EscapedPath()); title != "" && !older(version, "4.0") {
		refusePath(out, in, title)
		return
	}
	row, r, refused := find(version, in)
	if refused == nil {
		refused = w.hold(in.Context(), r)
	}
	if refused == nil {
		refused = w.answer(row, r)
	}
	if refused.code != 0 { // otherwise the caller went away
		refused.send(out)
	}
}

func (w *Worker) answer(row route, r request) *answer {
	w.lock()
	defer w.mu.Unlock()
	if refused := w.refusal(r); refused != nil {
		return refused
	}
	return row.do(w, r)
}

// find looks the call up; a known path with another method is 405.
func find(version string, in *http.Request) (route, request, *answer) {
	known := false
	for _, row := range routes {
		stars, ok := match(row.path, in.URL.EscapedPath())
		if !ok || older(version, row.since) {
			continue
		}
		if known = true; row.method != in.Method {
			continue
		}
		r, err := read(row, stars, in)
		if err != nil {
			return row, r, refuse(500, err.Error())
		}
		return row, r, nil
	}
	if known {
		return route{}, request{}, refuse(405, "HTTP 405 Method Not Allowed")
	}
	return route{}, request{}, refuse(404, "HTTP 404 Not Found")
}

func match(pattern, path string) ([]string, bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	var stars []string
	for i := range want {
		if want[i] != "*" {
			if want[i] != got[i] {
				return nil, false
			}
			continue
		}
		text, err := url.PathUnescape(got[i])
		if err != nil || text == "" {
			return nil, false
		}
		stars = append(stars, text)
	}
	return stars, true
}

func read(row route, stars []string, in *http.Request) (request, error) {
	r := request{query: in.URL.Query(), health: row.path == "/health", write: row.method != http.MethodGet && !strings.HasSuffix(row.path, "/validate")}
	r.offsets = strings.HasSuffix(row.path, "/offsets")
	r.memory = row.path == "/" || row.method == http.MethodGet && (row.path == "/connectors" || strings.HasSuffix(row.path, "/status") || row.path == "/connector-plugins")
	if len(stars) > 0 {
		r.name = stars[0]
	}
	if len(stars) > 1 {
		r.task = stars[1]
	}
	body, err := io.ReadAll(io.LimitReader(in.Body, maxBody))
	r.body = body
	return r, err
}

func (a *answer) send(out http.ResponseWriter) {
	if a.body == nil {
		out.WriteHeader(a.code)
		return
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(a.body); err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(a.code)
	_, _ = out.Write(bytes.TrimSpace(b.Bytes())) // the caller is gone when this fails
}

// jetty is the page that the web server answers instead of Connect: before Connect's resources are there, and for paths
// that it does not like.
func jetty(out http.ResponseWriter, code int, title, uri string) {
	out.Header().Set("Content-Type", "text/html;charset=iso-8859-1")
	out.WriteHeader(code)
	_, _ = fmt.Fprintf(out, "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=ISO-8859-1\"/>\n<title>Error %[1]d %[2]s</title>\n</head>\n"+
		"<body>\n<h2>HTTP ERROR %[1]d %[2]s</h2>\n<table>\n<tr><th>URI:</th><td>%[3]s</td></tr>\n<tr><th>STATUS:</th><td>%[1]d</td></tr>\n<tr><th>MESSAGE:</th><td>%[2]s</td></tr>\n</table>\n\n</body>\n</html>\n",
		code, title, html.EscapeString(uri))
}

// refusePath is the page for a GET and nothing for other calls, as seen.
func refusePath(out http.ResponseWriter, in *http.Request, title string) {
	if in.Method == http.MethodGet {
		jetty(out, http.StatusBadRequest, title, "/badURI")
		return
	}
	out.WriteHeader(http.StatusBadRequest)
}

// unaddressable says why the web server of Connect 4 (Jetty 12) refuses a path, "" when it takes it. A connector of such
// a name can be created, and then neither be asked about nor deleted. Older workers were not tried; here they take all.
func unaddressable(path string) string {
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		text, err := url.PathUnescape(segment)
		switch lower := strings.ToLower(segment); {
		case err != nil, strings.Contains(lower, "%00"):
			return "Bad Request"
		case segment == "" && path != "/":
			return "Ambiguous URI empty segment"
		case strings.Contains(lower, "%2f"):
			return "Ambiguous URI path separator"
		case strings.Contains(lower, "%25"):
			return "Ambiguous URI path encoding"
		case text == "." || text == "..":
			return "Ambiguous URI path segment"
		case strings.ContainsFunc(text, func(r rune) bool { return r == '\\' || r < ' ' || r == 0x7f }):
			return "Suspicious Path Character"
		}
	}
	return ""
}

// older reports whether version is before the first one that has something; "" is in all.
func older(version, since string) bool {
	if since == "" {
		return false
	}
	have, want := strings.Split(version, "."), strings.Split(since, ".")
	for i := range want {
		w, _ := strconv.Atoi(want[i])
		h := 0
		if i < len(have) {
			h, _ = strconv.Atoi(have[i])
		}
		if h != w {
			return h < w
		}
	}
	return false
}
