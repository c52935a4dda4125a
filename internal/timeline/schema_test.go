package timeline

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The published schema takes what an export writes, and refuses what is none.
func TestSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../docs/schema/timeline.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	whole := export(t, "json", sample(t))
	for _, row := range []struct {
		name, old, new string
		ok             bool
	}{
		{"an export", "", "", true},
		{"an unknown field", `"format"`, `"more": 1, "format"`, false},
		{"another version", `"version": 1`, `"version": 2`, false},
		{"a negative time", `"repair_seconds": 440`, `"repair_seconds": -1`, false},
		{"a hash that is none", `"head": "`, `"head": "x`, false},
		{"a stranger's kind", `"kind": "person"`, `"kind": "root"`, false},
		{"an event without a type", `"type": "note.added"`, `"kind": "note.added"`, false},
	} {
		if !strings.Contains(whole, row.old) {
			t.Fatalf("%s: the export has no %s", row.name, row.old)
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(whole, row.old, row.new, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != row.ok {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// docs/timeline.md lists every type of event, and no other.
func TestTypesAreDocumented(t *testing.T) {
	source, err := os.ReadFile("timeline.go")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile(`Type = "([a-z_.]+)"`).FindAllStringSubmatch(string(source), -1) {
		named[m[1]] = true
	}
	listed := map[string]bool{}
	for _, row := range tableRows(t, "timeline.md", "## Events") {
		listed[strings.Trim(row[0], "`")] = true
	}
	for name := range named {
		if !listed[name] {
			t.Errorf("docs/timeline.md lacks %s", name)
		}
	}
	for name := range listed {
		if !named[name] {
			t.Errorf("docs/timeline.md has %s, which nothing writes", name)
		}
	}
	if js, _ := json.Marshal(named); len(named) < 30 {
		t.Errorf("only %s", js)
	}
}
