package connecttest

import (
	"encoding/json"
	"maps"
	"strings"
)

type (
	definition struct {
		Name          string  `json:"name"`
		Type          string  `json:"type"`
		Required      bool    `json:"required"`
		Default       *string `json:"default_value"`
		Importance    string  `json:"importance"`
		Documentation string  `json:"documentation"`
		Group         string  `json:"group"`
		Order         int     `json:"order_in_group"`
		Width         string  `json:"width"`
		Display       string  `json:"display_name"`
		Dependents    []any   `json:"dependents"`
	}
	valueJSON struct {
		Name        string   `json:"name"`
		Value       *string  `json:"value"`
		Recommended []any    `json:"recommended_values"`
		Errors      []string `json:"errors"`
		Visible     bool     `json:"visible"`
	}
	fieldJSON struct {
		Definition definition `json:"definition"`
		Value      valueJSON  `json:"value"`
	}
	validationJSON struct {
		Name    string      `json:"name"`
		Errors  int         `json:"error_count"`
		Groups  []string    `json:"groups"`
		Configs []fieldJSON `json:"configs"`
	}
)

// validate answers 200 whatever is wrong with the options; only an unknown plugin is an error, and that is a 500.
func (w *Worker) validate(r request) *answer {
	plugin := w.plugin(r.name)
	if plugin.Class == "" {
		return refuse(500, "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: "+w.noPlugin(r.name))
	}
	config, bad := decodeConfig(r.body)
	if bad != nil {
		return bad
	}
	if config["connector.class"] == "" {
		return refusef(500, "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: Connector config %s contains no connector type", javaMap(config["name"], config))
	}
	if class := config["connector.class"]; w.plugin(class).Class != plugin.Class {
		return refusef(400, "Included connector type %s does not match request type %s", class, r.name)
	}
	config = maps.Clone(config)
	config["connector.class"] = plugin.Class
	errors := map[string][]string{}
	out := validationJSON{Name: plugin.Class, Groups: []string{"Common", "Transforms", "Predicates", "Error Handling", "Connector"}}
	for _, p := range check(config["name"], config) {
		errors[p.option] = append(errors[p.option], p.text)
		out.Errors++
	}
	for _, d := range options(plugin) {
		out.Configs = append(out.Configs, fieldJSON{d, value(d, config, errors[d.Name])})
	}
	return &answer{200, out}
}

// options are the recorded definitions that a plugin has: those of the framework, and its own.
func options(plugin pluginJSON) []definition {
	var all, list []definition
	if err := json.Unmarshal(definitions, &all); err != nil {
		return nil // the file is ours, and a test reads it
	}
	jdbc := strings.HasSuffix(plugin.Class, "JdbcSinkConnector")
	for _, d := range all {
		topics := d.Name == "topics" || d.Name == "topics.regex"
		if d.Group == "Connector" && !jdbc || topics && plugin.Type != "sink" {
			continue
		}
		list = append(list, d)
	}
	if strings.Contains(plugin.Class, "FileStream") {
		list = append(list, definition{Name: "file", Type: "STRING", Importance: "HIGH", Width: "NONE", Display: "file", Dependents: []any{}})
	}
	if strings.Contains(plugin.Class, "FileStreamSource") {
		list = append(list, definition{Name: "topic", Type: "STRING", Required: true, Importance: "HIGH", Width: "NONE", Display: "topic", Dependents: []any{}})
	}
	return list
}

func value(d definition, config map[string]string, errors []string) valueJSON {
	v := valueJSON{Name: d.Name, Value: d.Default, Recommended: []any{}, Errors: errors, Visible: true}
	if text, has := config[d.Name]; has {
		v.Value = &text
		if d.Type == "PASSWORD" {
			hidden := "[hidden]"
			v.Value = &hidden
		}
	}
	if len(errors) > 0 {
		v.Value = nil
	}
	if v.Errors == nil {
		v.Errors = []string{}
	}
	return v
}
