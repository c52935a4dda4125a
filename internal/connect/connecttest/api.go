package connecttest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// answer is what a call gets: a code and a JSON body, nil for none.
type answer struct {
	code int
	body any
}

func fail(code int, format string, args ...any) answer {
	return answer{code, map[string]any{"error_code": code, "message": fmt.Sprintf(format, args...)}}
}

// jettyPage is what the real worker answers while its REST resources are not there yet.
const jettyPage = "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=ISO-8859-1\"/>\n<title>Error 404 Not Found</title>\n</head>\n<body><h2>HTTP ERROR 404 Not Found</h2></body>\n</html>\n"

// ServeHTTP answers as the real worker does.
func (w *Worker) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(out, r.Body, 8<<20))
	if err != nil {
		write(out, fail(http.StatusBadRequest, "%v", err))
		return
	}
	w.mu.Lock()
	w.settle()
	w.flow()
	gone := w.fault != nil && w.fault.Slug == "f1-worker-gone"
	starting := w.now().Before(w.starting)
	var a answer
	if !gone && !starting {
		a = w.route(r, segments(r.URL), body)
	}
	w.mu.Unlock()
	switch {
	case gone:
		hangUp(out)
	case starting:
		out.Header().Set("Content-Type", "text/html;charset=iso-8859-1")
		out.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(out, jettyPage) // the client is gone when this fails
	default:
		write(out, a)
	}
}

// hangUp ends the connection without an answer, as a killed process does.
func hangUp(out http.ResponseWriter) {
	if h, ok := out.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}

func write(out http.ResponseWriter, a answer) {
	if a.body == nil {
		out.WriteHeader(a.code)
		return
	}
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(a.code)
	_ = json.NewEncoder(out).Encode(a.body) // the client is gone when this fails
}

// segments splits the path before it decodes: a name may hold a slash.
func segments(u *url.URL) []string {
	parts := strings.Split(strings.Trim(u.EscapedPath(), "/"), "/")
	for i, p := range parts {
		if plain, err := url.PathUnescape(p); err == nil {
			parts[i] = plain
		}
	}
	return parts
}

func (w *Worker) route(r *http.Request, path []string, body []byte) answer {
	switch {
	case len(path) == 1 && path[0] == "":
		return answer{200, map[string]any{"version": w.version, "commit": "26b251a451ce941d", "kafka_cluster_id": "wzbZjPH7RGCaM78x5jNEAg"}}
	case len(path) == 1 && path[0] == "health" && w.since(3, 9):
		return answer{200, map[string]any{"status": "healthy", "message": "Worker has completed startup and is ready to handle requests."}}
	case path[0] == "connector-plugins":
		return w.plugins(r, path, body)
	case path[0] == "connectors" && len(path) == 1:
		return w.collection(r, body)
	case path[0] == "connectors":
		return w.one(r, path[1], path[2:], body)
	}
	return fail(404, "HTTP 404 Not Found")
}

// since reports whether the worker is of a version or later.
func (w *Worker) since(major, minor int) bool {
	parts := strings.SplitN(w.version, ".", 3)
	a, _ := strconv.Atoi(parts[0])
	b := 0
	if len(parts) > 1 {
		b, _ = strconv.Atoi(parts[1])
	}
	return a > major || a == major && b >= minor
}

func (w *Worker) collection(r *http.Request, body []byte) answer {
	switch r.Method {
	case http.MethodGet:
		return w.list(r.URL.Query()["expand"])
	case http.MethodPost:
		return w.create(body)
	}
	return fail(405, "HTTP 405 Method Not Allowed")
}

func (w *Worker) list(expand []string) answer {
	names := []string{}
	rows := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(w.connectors)) {
		c := w.connectors[name]
		if !c.deleted.IsZero() {
			continue
		}
		names = append(names, name)
		row := map[string]any{}
		if slices.Contains(expand, "status") {
			row["status"] = w.status(c)
		}
		if slices.Contains(expand, "info") {
			row["info"] = w.info(c)
		}
		rows[name] = row
	}
	if len(expand) == 0 {
		return answer{200, names}
	}
	return answer{200, rows}
}

func (w *Worker) status(c *connector) map[string]any {
	kind := c.kind
	if !c.deleted.IsZero() {
		kind = "unknown"
	}
	tasks := []map[string]any{}
	for _, t := range c.tasks {
		tasks = append(tasks, w.taskStatus(t))
	}
	return map[string]any{"name": c.name, "connector": map[string]any{"state": c.state, "worker_id": w.address, "version": w.version}, "tasks": tasks, "type": kind}
}

func (w *Worker) taskStatus(t *task) map[string]any {
	row := map[string]any{"id": t.id, "state": t.state, "worker_id": w.address, "version": w.version}
	if t.trace != "" {
		row["trace"] = t.trace
	}
	return row
}

func (w *Worker) info(c *connector) map[string]any {
	tasks := []map[string]any{}
	for _, t := range c.tasks {
		tasks = append(tasks, map[string]any{"connector": c.name, "task": t.id})
	}
	return map[string]any{"name": c.name, "config": c.config, "tasks": tasks, "type": c.kind}
}

func (w *Worker) create(body []byte) answer {
	var req struct {
		Name    string            `json:"name"`
		Config  map[string]string `json:"config"`
		Initial string            `json:"initial_state"`
	}
	if err := json.Unmarshal(body, &req); err != nil {
		return fail(500, "Unexpected character: %v", err)
	}
	if a, refused := w.unsettled(); refused {
		return a
	}
	if c := w.connectors[req.Name]; c != nil && c.deleted.IsZero() {
		return fail(409, "Connector %s already exists", req.Name)
	}
	if a, bad := refuse(req.Name, req.Config); bad {
		return a
	}
	state := req.Initial
	if state == "" {
		state = "RUNNING"
	}
	c := w.add(req.Name, req.Config, state)
	return answer{201, w.info(c)}
}

// unsettled refuses what changes something while the group rebalances.
func (w *Worker) unsettled() (answer, bool) {
	if w.now().Before(w.rebalancing) {
		return fail(409, "Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)"), true
	}
	return answer{}, false
}

// refuse says what the worker says of a configuration before it takes it.
func refuse(name string, config map[string]string) (answer, bool) {
	class := config["connector.class"]
	switch {
	case config["name"] != "" && config["name"] != name:
		return fail(400, "Connector name configuration (%s) doesn't match connector name in the URL (%s)", config["name"], name), true
	case class == "":
		return fail(400, "Connector config %s contains no connector type", braces(name, config)), true
	case !strings.Contains(class, "Connector"):
		return fail(400, "Failed to find any class that implements Connector and which name matches %s, available connectors are: PluginDesc{klass=class %s}", class, sinkClass), true
	}
	if errs := problems(config); len(errs) > 0 {
		var all []string
		for _, key := range slices.Sorted(maps.Keys(errs)) {
			all = append(all, errs[key]...)
		}
		return fail(400, "Connector configuration is invalid and contains the following %d error(s):\n%s\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`", len(all), strings.Join(all, "\n")), true
	}
	return answer{}, false
}

func braces(name string, config map[string]string) string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(config)) {
		pairs = append(pairs, k+"="+config[k])
	}
	return "{" + strings.Join(append(pairs, "name="+name), ", ") + "}"
}

// one answers calls about one connector. The words of a 404 differ from call to call, as they really do.
func (w *Worker) one(r *http.Request, name string, rest []string, body []byte) answer {
	c := w.connectors[name]
	call := r.Method + " " + strings.Join(rest, "/")
	if c != nil && !c.deleted.IsZero() && call != "GET status" {
		c = nil
	}
	h, ok := calls[shape(r.Method, rest)]
	if !ok || !w.since(h.major, h.minor) {
		return fail(404, "HTTP 404 Not Found")
	}
	if c == nil {
		return fail(404, h.unknown, name)
	}
	if r.Method != http.MethodGet {
		if a, refused := w.unsettled(); refused {
			return a
		}
	} else if len(rest) == 0 && w.now().Before(w.rebalancing) {
		return fail(500, "Request cannot be completed because a rebalance is expected")
	}
	return h.do(w, c, r, rest, body)
}

// shape names a call with its numbers left out.
func shape(method string, rest []string) string {
	parts := slices.Clone(rest)
	if len(parts) >= 2 && parts[0] == "tasks" {
		parts[1] = "N"
	}
	return strings.TrimSpace(method + " " + strings.Join(parts, "/"))
}

type handler struct {
	unknown      string // what a 404 says
	major, minor int    // since which version
	do           func(*Worker, *connector, *http.Request, []string, []byte) answer
}

var calls = map[string]handler{
	"GET": {"Connector %s not found", 0, 0, func(w *Worker, c *connector, _ *http.Request, _ []string, _ []byte) answer {
		return answer{200, w.info(c)}
	}},
	"DELETE": {"Connector %s not found", 0, 0, (*Worker).remove},
	"GET status": {"No status found for connector %s", 0, 0, func(w *Worker, c *connector, _ *http.Request, _ []string, _ []byte) answer {
		return answer{200, w.status(c)}
	}},
	"GET config": {"Connector %s not found", 0, 0, func(_ *Worker, c *connector, _ *http.Request, _ []string, _ []byte) answer {
		return answer{200, c.config}
	}},
	"PUT config":           {"Connector %s not found", 0, 0, (*Worker).putConfig},
	"PATCH config":         {"Connector %s not found", 3, 8, (*Worker).patchConfig},
	"GET tasks":            {"Connector %s not found", 0, 0, (*Worker).tasks},
	"GET tasks/N/status":   {"No status found for task %s", 0, 0, (*Worker).oneTask},
	"POST tasks/N/restart": {"Unknown connector: %s", 0, 0, (*Worker).restartTask},
	"POST restart":         {"Unknown connector: %s", 0, 0, (*Worker).restart},
	"PUT pause":            {"Unknown connector %s", 0, 0, (*Worker).pause},
	"PUT resume":           {"Unknown connector %s", 0, 0, (*Worker).resume},
	"PUT stop":             {"Unknown connector %s", 3, 5, (*Worker).stop},
	"GET offsets": {"Connector %s not found", 3, 5, func(w *Worker, c *connector, _ *http.Request, _ []string, _ []byte) answer {
		return answer{200, map[string]any{"offsets": w.offsets(c)}}
	}},
	"PATCH offsets":  {"Connector %s not found", 3, 6, (*Worker).alterOffsets},
	"DELETE offsets": {"Connector %s not found", 3, 6, (*Worker).resetOffsets},
	"GET topics": {"Connector %s not found", 0, 0, func(_ *Worker, c *connector, _ *http.Request, _ []string, _ []byte) answer {
		return answer{200, map[string]any{c.name: map[string]any{"topics": []string{topicOf(c)}}}}
	}},
}

func (w *Worker) remove(c *connector, _ *http.Request, _ []string, _ []byte) answer {
	c.deleted = w.now()
	return answer{204, nil}
}

func (w *Worker) tasks(c *connector, _ *http.Request, _ []string, _ []byte) answer {
	list := []map[string]any{}
	for _, t := range c.tasks {
		list = append(list, map[string]any{"id": map[string]any{"connector": c.name, "task": t.id}, "config": c.config})
	}
	return answer{200, list}
}

func (c *connector) task(id string) *task {
	for _, t := range c.tasks {
		if strconv.Itoa(t.id) == id {
			return t
		}
	}
	return nil
}

func (w *Worker) oneTask(c *connector, _ *http.Request, rest []string, _ []byte) answer {
	t := c.task(rest[1])
	if t == nil {
		return fail(404, "No status found for task %s-%s", c.name, rest[1])
	}
	return answer{200, w.taskStatus(t)}
}

func (w *Worker) restartTask(c *connector, _ *http.Request, rest []string, _ []byte) answer {
	t := c.task(rest[1])
	if t == nil {
		return fail(404, "Unknown task: %s-%s", c.name, rest[1])
	}
	w.launch(c, t)
	return answer{204, nil}
}

// restart without includeTasks restarts the Connector object only, which heals no task (KIP-745).
func (w *Worker) restart(c *connector, r *http.Request, _ []string, _ []byte) answer {
	query := r.URL.Query()
	include, only := query.Get("includeTasks") == "true", query.Get("onlyFailed") == "true"
	if !w.since(3, 0) || !include && !only {
		return answer{204, nil}
	}
	body := w.status(c)
	if include && c.state != "STOPPED" {
		for _, t := range c.tasks {
			if !only || t.state == "FAILED" {
				trace := t.trace
				w.launch(c, t)
				t.trace = trace // the answer still shows the old trace beside RESTARTING
			}
		}
		body = w.status(c)
		for _, t := range c.tasks {
			if t.state == "RESTARTING" {
				t.trace = ""
			}
		}
		if !only {
			body["connector"].(map[string]any)["state"] = "RESTARTING"
		}
	}
	return answer{202, body}
}

func (w *Worker) pause(c *connector, _ *http.Request, _ []string, _ []byte) answer {
	c.state = "PAUSED"
	for _, t := range c.tasks {
		if t.state != "FAILED" {
			t.state = "PAUSED"
		}
	}
	return answer{202, nil}
}

func (w *Worker) resume(c *connector, _ *http.Request, _ []string, _ []byte) answer {
	stopped := c.state == "STOPPED"
	c.state = "RUNNING"
	if stopped || len(c.tasks) == 0 {
		c.tasks = w.newTasks(c)
		return answer{202, nil}
	}
	for _, t := range c.tasks {
		if t.state == "PAUSED" {
			t.state = "RUNNING"
		}
	}
	return answer{202, nil}
}

func (w *Worker) stop(c *connector, _ *http.Request, _ []string, _ []byte) answer {
	c.state, c.tasks = "STOPPED", nil
	return answer{204, nil}
}
