package connecttest

import (
	_ "embed"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

//go:embed testdata/jdbc-sink-options.json
var sinkOptions []byte

const (
	sinkClass   = "io.debezium.connector.jdbc.JdbcSinkConnector"
	sourceClass = "org.apache.kafka.connect.file.FileStreamSourceConnector"
)

// putConfig replaces the whole configuration. An identical one restarts nothing.
func (w *Worker) putConfig(c *connector, _ *http.Request, _ []string, body []byte) answer {
	var config map[string]string
	if err := json.Unmarshal(body, &config); err != nil {
		return fail(500, "Unexpected character ('%s'): was expecting double-quote to start field name", firstByte(body))
	}
	return w.configure(c, config)
}

func firstByte(body []byte) string {
	text := strings.TrimLeft(string(body), "{ \n\t")
	if text == "" {
		return ""
	}
	return text[:1]
}

// patchConfig merges; null removes an option.
func (w *Worker) patchConfig(c *connector, _ *http.Request, _ []string, body []byte) answer {
	var patch map[string]*string
	if err := json.Unmarshal(body, &patch); err != nil {
		return fail(500, "Unexpected character ('%s'): was expecting double-quote to start field name", firstByte(body))
	}
	config := maps.Clone(c.config)
	for k, v := range patch {
		if v == nil {
			delete(config, k)
		} else {
			config[k] = *v
		}
	}
	return w.configure(c, config)
}

func (w *Worker) configure(c *connector, config map[string]string) answer {
	if a, bad := refuse(c.name, config); bad {
		return a
	}
	config = maps.Clone(config)
	config["name"] = c.name
	if !maps.Equal(config, c.config) {
		c.config = config
		w.cured(c)
		if c.state != "STOPPED" {
			c.tasks = w.newTasks(c)
		}
	}
	return answer{200, w.info(c)}
}

// cured: letting the sink change tables removes the cause of a missing column.
func (w *Worker) cured(c *connector) {
	if w.fault != nil && w.victim == c.name && w.fault.Slug == "d1-column-missing" && c.config["schema.evolution"] == "basic" {
		w.fault, w.victim = nil, ""
	}
}

// problems are the complaints that the framework and the plugin's ConfigDef have, by option.
func problems(config map[string]string) map[string][]string {
	errs := map[string][]string{}
	if v, ok := config["tasks.max"]; ok {
		if _, err := strconv.Atoi(v); err != nil {
			errs["tasks.max"] = []string{"Invalid value " + v + " for configuration tasks.max: Not a number of type INT", "Invalid value null for configuration tasks.max: Value must be non-null"}
		}
	}
	if kind(config) == "sink" && config["topics"] == "" && config["topics.regex"] == "" {
		errs["topics"] = []string{"Must configure one of topics or topics.regex"}
		errs["topics.regex"] = []string{"Must configure one of topics or topics.regex"}
	}
	return errs
}

// plugins answers what is installed and validates configurations.
func (w *Worker) plugins(r *http.Request, path []string, body []byte) answer {
	if len(path) == 1 {
		return answer{200, []map[string]any{{"class": sinkClass, "type": "sink", "version": "3.6.0.Final"}, {"class": sourceClass, "type": "source", "version": w.version}}}
	}
	if len(path) != 4 || r.Method != http.MethodPut || path[2] != "config" || path[3] != "validate" {
		return fail(404, "HTTP 404 Not Found")
	}
	class := map[string]string{"JdbcSinkConnector": sinkClass, sinkClass: sinkClass, "FileStreamSourceConnector": sourceClass, sourceClass: sourceClass}[path[1]]
	if class == "" {
		return fail(500, "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: Failed to find any class that implements Connector and which name matches %s, available connectors are: PluginDesc{klass=class %s}", path[1], sinkClass)
	}
	var config map[string]string
	if err := json.Unmarshal(body, &config); err != nil {
		return fail(500, "Unexpected character ('%s'): was expecting double-quote to start field name", firstByte(body))
	}
	return validate(class, config)
}

// definition is one option of a ConfigDef, as captured from the real worker.
type definition struct {
	Name       string  `json:"name"`
	Type       string  `json:"type"`
	Required   bool    `json:"required"`
	Default    *string `json:"default_value"`
	Importance string  `json:"importance"`
	Group      string  `json:"group"`
}

func validate(class string, config map[string]string) answer {
	var options []definition
	if err := json.Unmarshal(sinkOptions, &options); err != nil {
		return fail(500, "%v", err)
	}
	errs := problems(config)
	if v, ok := config["schema.evolution"]; ok && v != "none" && v != "basic" {
		errs["schema.evolution"] = []string{"The 'schema.evolution' value is invalid: Value must be one of none, basic"}
	}
	count := 0
	configs := []map[string]any{}
	for _, o := range options {
		list := errs[o.Name]
		if list == nil {
			list = []string{}
		}
		count += min(len(list), 1)
		var value any = o.Default
		if v, ok := config[o.Name]; ok {
			value = v
		}
		configs = append(configs, map[string]any{"definition": o, "value": map[string]any{"name": o.Name, "value": value, "recommended_values": []string{}, "errors": list, "visible": true}})
	}
	return answer{200, map[string]any{"name": class, "error_count": count, "groups": []string{"Common", "Connector"}, "configs": configs}}
}

func topicOf(c *connector) string {
	if c.kind == "source" {
		return config(c, "topic", "orders")
	}
	return config(c, "topics", "orders")
}

// offsets are the committed positions: a file's for the source, a partition's for the sink.
func (w *Worker) offsets(c *connector) []map[string]any {
	if c.offset == 0 {
		return []map[string]any{}
	}
	if c.kind == "source" {
		return []map[string]any{{"partition": map[string]any{"filename": config(c, "file", "orders.txt")}, "offset": map[string]any{"position": c.offset}}}
	}
	return []map[string]any{{"partition": map[string]any{"kafka_partition": 0, "kafka_topic": topicOf(c)}, "offset": map[string]any{"kafka_offset": c.offset}}}
}

const notStopped = "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/%s/stop' endpoint"

func (w *Worker) alterOffsets(c *connector, _ *http.Request, _ []string, body []byte) answer {
	var req struct {
		Offsets []struct {
			Partition, Offset map[string]any
		} `json:"offsets"`
	}
	if err := json.Unmarshal(body, &req); err != nil || len(req.Offsets) == 0 {
		return fail(400, "Partitions / offsets need to be provided for an alter offsets request")
	}
	if c.state != "STOPPED" {
		return fail(400, notStopped, c.name)
	}
	for _, o := range req.Offsets {
		if c.kind == "sink" && (o.Partition["kafka_topic"] == nil || o.Partition["kafka_partition"] == nil) {
			return fail(400, "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'")
		}
		for _, v := range o.Offset {
			if n, ok := v.(float64); ok {
				c.offset = int(n)
				w.skipped(c)
			}
		}
	}
	return answer{200, map[string]any{"message": "The Connect framework-managed offsets for this connector have been altered successfully. However, if this connector manages offsets externally, they will need to be manually altered in the system that the connector uses."}}
}

// skipped: moving the position past the poison record removes it.
func (w *Worker) skipped(c *connector) {
	if w.fault != nil && w.victim == c.name && w.fault.Slug == "e1-bad-record" {
		w.fault, w.victim = nil, ""
	}
}

func (w *Worker) resetOffsets(c *connector, _ *http.Request, _ []string, _ []byte) answer {
	if c.state != "STOPPED" {
		return fail(400, notStopped, c.name)
	}
	c.offset = 0
	return answer{200, map[string]any{"message": "The Connect framework-managed offsets for this connector have been reset successfully. However, if this connector manages offsets externally, they will need to be manually reset in the system that the connector uses."}}
}
