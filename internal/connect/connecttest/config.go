package connecttest

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// definitions are the options of the Debezium JDBC sink, as its validation was recorded.
//
//go:embed testdata/definitions.json
var definitions []byte

// recorded are the plugins of the recorded worker.
var recorded = []pluginJSON{
	{"io.debezium.connector.jdbc.JdbcSinkConnector", "sink", "3.6.0.Final"},
	{"org.apache.kafka.connect.file.FileStreamSinkConnector", "sink", "4.3.1"},
	{"org.apache.kafka.connect.file.FileStreamSourceConnector", "source", "4.3.1"},
}

// problem is one complaint about one option.
type problem struct{ option, text string }

func (w *Worker) putConfig(r request) *answer {
	config, bad := decodeConfig(r.body)
	if bad != nil {
		return bad
	}
	return w.configure(r.name, config)
}

// patchConfig changes some options; null removes one (KIP-477).
func (w *Worker) patchConfig(r request) *answer {
	c, missing := w.known(r.name)
	if missing != nil {
		return missing
	}
	patch, bad := decodeObject(r.body)
	if bad != nil {
		return bad
	}
	config := maps.Clone(c.config)
	for option, value := range patch {
		if config[option] = text(value); value == nil {
			delete(config, option)
		}
	}
	return w.configure(r.name, config)
}

// configure replaces the whole configuration. An identical one restarts nothing; a new one makes the tasks anew.
func (w *Worker) configure(name string, config map[string]string) *answer {
	if bad := w.validConfig(name, config); bad != nil {
		return bad
	}
	config["name"] = name
	c, exists := w.connectors[name]
	if !exists {
		c = w.build(name, config)
		info := infoOf(c)
		w.launch(c, running)
		return &answer{201, info}
	}
	if !maps.Equal(config, c.config) {
		c.config, c.kind = config, kind(config)
		w.pipeline.know(c)
		w.remake(c)
	}
	return &answer{200, infoOf(c)}
}

// remake makes the tasks anew for a changed configuration; until then they show their old states.
func (w *Worker) remake(c *connector) {
	for _, t := range c.tasks {
		t.life++
	}
	c.change++
	change := c.change
	w.after(restartTakes, func() {
		if c.change == change && c.target != stopped {
			c.state = c.target
			w.spawn(c, c.target)
		}
	})
}

// validConfig is the check that create and configure make; it does not see what a task needs at its start.
func (w *Worker) validConfig(name string, config map[string]string) *answer {
	class := config["connector.class"]
	switch {
	case config["name"] != "" && config["name"] != name:
		return refusef(400, "Connector name configuration (%s) doesn't match connector name in the URL (%s)", config["name"], name)
	case class == "":
		return refusef(400, "Connector config %s contains no connector type", javaMap(name, config))
	case w.plugin(class).Class == "":
		return refuse(400, w.noPlugin(class))
	}
	problems := check(name, config)
	if len(problems) == 0 {
		return nil
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.text
	}
	return refusef(400, "Connector configuration is invalid and contains the following %d error(s):\n%s\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`", len(lines), strings.Join(lines, "\n"))
}

// check finds what the framework itself complains about.
func check(name string, config map[string]string) []problem {
	var list []problem
	add := func(option, format string, args ...any) {
		list = append(list, problem{option, fmt.Sprintf(format, args...)})
	}
	if name == "" {
		add("name", "Invalid value  for configuration name: String may not be empty")
	}
	if n, has := config["tasks.max"]; has {
		if v, err := strconv.Atoi(strings.TrimSpace(n)); err != nil {
			add("tasks.max", "Invalid value %s for configuration tasks.max: Not a number of type INT", n)
			add("tasks.max", "Invalid value null for configuration tasks.max: Value must be non-null")
		} else if v < 1 {
			add("tasks.max", "Invalid value %d for configuration tasks.max: Value must be at least 1", v)
		}
	}
	if t, has := config["errors.tolerance"]; has && t != "none" && t != "all" {
		add("errors.tolerance", "Invalid value %s for configuration errors.tolerance: String must be one of: none, all", t)
	}
	class := config["connector.class"]
	switch {
	case strings.Contains(class, "Sink") && config["topics"] == "" && config["topics.regex"] == "":
		add("topics", "Must configure one of topics or topics.regex")
		add("topics.regex", "Must configure one of topics or topics.regex")
	case strings.Contains(class, "FileStreamSource") && config["topic"] == "":
		add("topic", "Missing required configuration \"topic\" which has no default value.")
	}
	return list
}

// misconfigured is the trace of a task that cannot be configured: the check above saw nothing wrong.
func misconfigured(config map[string]string) string {
	evolution := config["schema.evolution"]
	class := config["connector.class"]
	bad := strings.HasSuffix(class, "JdbcSinkConnector") && config["connection.url"] == "" ||
		strings.HasPrefix(class, "io.debezium.connector.jdbc") && !slices.Contains([]string{"", "none", "basic"}, evolution)
	if !bad {
		return ""
	}
	return "org.apache.kafka.connect.errors.ConnectException: Error configuring an instance of JdbcSinkConnectorConfig; check the logs for details\n"
}

// plugin finds a class by its name, its short name, or that without "Connector". Classes of added connectors count.
func (w *Worker) plugin(class string) pluginJSON {
	for _, p := range w.installed() {
		short := p.Class[strings.LastIndex(p.Class, ".")+1:]
		if class == p.Class || class == short || class == strings.TrimSuffix(short, "Connector") {
			return p
		}
	}
	return pluginJSON{}
}

func (w *Worker) installed() []pluginJSON {
	list := slices.Clone(recorded)
	for _, name := range sortedKeys(w.connectors) {
		p := pluginJSON{w.connectors[name].config["connector.class"], w.connectors[name].kind, "1.0.0"}
		if !slices.ContainsFunc(list, func(q pluginJSON) bool { return q.Class == p.Class }) {
			list = append(list, p)
		}
	}
	return list
}

func (w *Worker) noPlugin(class string) string {
	var list []string
	for _, p := range w.installed() {
		list = append(list, fmt.Sprintf("PluginDesc{klass=class %s, name='%s', version='%s', encodedVersion=%s, type=%s, typeName='%s', location='classpath'}", p.Class, p.Class, p.Version, p.Version, p.Type, p.Type))
	}
	return "Failed to find any class that implements Connector and which name matches " + class + ", available connectors are: " + strings.Join(list, ", ")
}

func (w *Worker) plugins(request) *answer { return &answer{200, w.installed()} }

// javaMap is a configuration as Java prints a map; secrets are in it, as they are in the real message.
func javaMap(name string, config map[string]string) string {
	var parts []string
	for _, option := range sortedKeys(config) {
		if option != "name" {
			parts = append(parts, option+"="+config[option])
		}
	}
	return "{" + strings.Join(append(parts, "name="+name), ", ") + "}"
}

func decodeCreate(body []byte) (name, state string, config map[string]string, bad *answer) {
	object, bad := decodeObject(body)
	if bad != nil {
		return "", "", nil, bad
	}
	name, state = strings.TrimSpace(text(object["name"])), text(object["initial_state"])
	if state != "" && state != running && state != paused && state != stopped {
		return "", "", nil, refusef(500, "Cannot construct instance of `org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest$InitialState`, problem: No enum constant org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest.InitialState.%s", state)
	}
	inner, _ := object["config"].(map[string]any) // none is an empty one
	config, bad = flat(inner)
	return name, state, config, bad
}

func decodeConfig(body []byte) (map[string]string, *answer) {
	object, bad := decodeObject(body)
	if bad != nil {
		return nil, bad
	}
	return flat(object)
}

// flat refuses nested values, such as the envelope that only POST /connectors takes.
func flat(object map[string]any) (map[string]string, *answer) {
	config := map[string]string{}
	for _, option := range sortedKeys(object) {
		switch object[option].(type) {
		case map[string]any:
			return nil, refuse(500, "Cannot deserialize value of type `java.lang.String` from Object value (token `JsonToken.START_OBJECT`)")
		case []any:
			return nil, refuse(500, "Cannot deserialize value of type `java.lang.String` from Array value (token `JsonToken.START_ARRAY`)")
		}
		config[option] = text(object[option])
	}
	return config, nil
}

func decodeObject(body []byte) (map[string]any, *answer) {
	var object map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	err := decoder.Decode(&object)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return nil, refusef(500, "Unexpected character: %s\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: %d]", syntax, syntax.Offset)
	case err != nil:
		return nil, refusef(500, "Cannot deserialize value of type `java.util.LinkedHashMap<java.lang.String,java.lang.String>`: %s", err)
	}
	return object, nil
}

// text is a JSON value as the string that Jackson makes of it.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return fmt.Sprint(v)
}
