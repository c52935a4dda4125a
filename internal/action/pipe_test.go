package action

import (
	"strings"
	"testing"
)

func TestPipeText(t *testing.T) {
	log := "INFO a\nERROR b\n\tat x\n\tat y\nINFO c\nWARN d\nINFO e\nERROR f\nINFO g\n"
	cases := []struct {
		name string
		pipe Pipe
		text string
		want string
	}{
		{"nothing", nil, log, log},
		{"lines", Pipe{{Grep: &Grep{Pattern: "ERROR"}}}, log, "ERROR b\nERROR f"},
		{"none", Pipe{{Grep: &Grep{Pattern: "FATAL"}}}, log, ""},
		{"inverted", Pipe{{Grep: &Grep{Pattern: "INFO|at", Invert: true}}}, log, "ERROR b\nWARN d\nERROR f"},
		{"counted", Pipe{{Grep: &Grep{Pattern: "ERROR", Count: true}}}, log, "2"},
		{"after, with a gap", Pipe{{Grep: &Grep{Pattern: "ERROR", After: 2}}}, log, "ERROR b\n\tat x\n\tat y\n--\nERROR f\nINFO g"},
		{"before", Pipe{{Grep: &Grep{Pattern: "ERROR", Before: 1}}}, log, "INFO a\nERROR b\n--\nINFO e\nERROR f"},
		{"touching context has no gap", Pipe{{Grep: &Grep{Pattern: "[ac]$", After: 1, Before: 2}}}, "a\n1\n2\nc", "a\n1\n2\nc"},
		{"numbers", Pipe{{Grep: &Grep{Pattern: "WARN", Before: 1, After: 1, Numbers: true}}}, log, "5-INFO c\n6:WARN d\n7-INFO e"},
		{"only", Pipe{{Grep: &Grep{Pattern: `[A-Z]+`, Only: true, Max: 2}}}, log, "INFO\nERROR"},
		{"at most", Pipe{{Grep: &Grep{Pattern: "INFO", Max: 1}}}, log, "INFO a"},
		{"head", Pipe{{Head: 2}}, log, "INFO a\nERROR b"},
		{"tail", Pipe{{Tail: 1}}, log, "INFO g"},
		{"more than there is", Pipe{{Tail: 100}, {Head: 100}}, "a\n", "a"},
		{"wc -l", Pipe{{Order: CountLines}}, log, "9"},
		{"wc -l of nothing", Pipe{{Order: CountLines}}, "", "0"},
		{"sort | uniq -c", Pipe{{Order: Sort}, {Order: UniqueCount}}, "b\na\nb", "      1 a\n      2 b"},
		{"sort -u", Pipe{{Order: SortUnique}}, "b\na\nb", "a\nb"},
		{"grep then jq", Pipe{{Grep: &Grep{Pattern: "^{"}}, {JQ: ".a"}}, "x\n{\"a\":1}\n{\"a\":2}", "1\n2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.pipe.Text(t.Context(), c.text)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestPipeValue(t *testing.T) {
	value := map[string]any{"connector": map[string]any{"state": "FAILED"}, "name": "s"}
	cases := []struct {
		name string
		pipe Pipe
		want string
	}{
		{"indented", nil, "{\n  \"connector\": {\n    \"state\": \"FAILED\"\n  },\n  \"name\": \"s\"\n}"},
		{"jq", Pipe{{JQ: ".name"}}, "s"},
		{"jq then grep", Pipe{{JQ: "."}, {Grep: &Grep{Pattern: "state"}}}, `    "state": "FAILED"`},
		{"grep sees what a server sends", Pipe{{Grep: &Grep{Pattern: `"state":"[A-Z]+"`, Only: true}}}, `"state":"FAILED"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.pipe.Value(t.Context(), value)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestPipeErrors(t *testing.T) {
	for name, p := range map[string]Pipe{"jq program": {{JQ: ".["}}, "grep pattern": {{Grep: &Grep{Pattern: "("}}}} {
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("Check: got %v, want an error about the %s", err, name)
		}
	}
	if _, err := (Pipe{{JQ: "."}}).Text(t.Context(), "no json"); err == nil || !strings.Contains(err.Error(), "not JSON") {
		t.Errorf("jq of text: got %v", err)
	}
}

// jqPipe is a pipe of one jq program, none for "".
func jqPipe(program string) Pipe {
	if program == "" {
		return nil
	}
	return Pipe{{JQ: program}}
}
