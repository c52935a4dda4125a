package runbook

import (
	"strings"
	"testing"
	"time"

	"cdcbot/internal/action"
)

const (
	pauseS   = "curl -X PUT localhost:8083/connectors/s/pause"
	stopS    = "curl -X PUT localhost:8083/connectors/s/stop"
	resumeS  = "curl -X PUT localhost:8083/connectors/s/resume"
	restartS = "curl -X POST 'localhost:8083/connectors/s/restart?includeTasks=true'"
	statusS  = "curl localhost:8083/connectors/s/status"
)

// sketch is a section in one line: kinds of steps, with what is said about them.
func sketch(s Section) string {
	if len(s.Options) == 0 {
		return strings.Join(kinds(s.Common), " ")
	}
	var list []string
	for _, o := range s.Options {
		list = append(list, o.Title+": "+strings.Join(kinds(o.Steps), " "))
	}
	return strings.Join(list, " | ")
}

func kinds(steps []Step) []string {
	var list []string
	for _, s := range steps {
		kind := "manual"
		if s.Action != nil {
			kind = s.Action.Kind()[strings.Index(s.Action.Kind(), ".")+1:]
		}
		if s.Guard.Target != "" {
			kind += "?" + s.Guard.Target
		}
		if s.Phase == Verify {
			kind += "!"
		}
		list = append(list, kind)
	}
	return list
}

func TestComments(t *testing.T) {
	for _, row := range []struct{ name, shell, want string }{
		{"guard", "# If PostgreSQL is down\n" + pauseS + "\n# Then\n" + resumeS, "pause?postgres resume"},
		{"guard of two commands", "# If the Schema Registry is unavailable\n" + pauseS + "\n" + resumeS, "pause?schema-registry resume?schema-registry"},
		{"a blank line ends a guard", "# If Cassandra is down\n" + pauseS + "\n\n" + resumeS, "pause?cassandra resume"},
		{"guard of something else", "# If the load balancer is down\n" + pauseS, "pause?load-balancer"},
		{"verify", restartS + "\n# Verify both\n" + statusS + "\n" + statusS + "\n# Look again\n" + statusS, "restart status! status! status"},
		{"a change proves nothing", "# Verify that it can pause\n" + pauseS, "pause"},
		{"wait with a number", "# Wait for databases (30-60 seconds)\n# Then restart\n" + restartS, "healthy restart"},
		{"wait before a change", "# Wait for the workers\n" + restartS, "healthy restart"},
		{"wait by looking", restartS + "\n# Wait until it runs\n" + statusS, "restart status!"},
		{"wait at the end", restartS + "\n# Wait for it (1 minute)", "restart healthy"},
		{"sleep", restartS + "\nsleep 15\n" + statusS, "restart healthy status"},
		{"wait and sleep are one", "# Wait for it (10-15 seconds)\nsleep 15", "healthy"},
		{"work for a person", "# Fix the table\n\n# Then restart\n" + restartS, "manual restart"},
		{"a remark is no step", "# Note: this takes long\n" + restartS + "\n# All done", "restart"},
		{"a sentence over two lines", "# Restart the sink\n# because it failed\n" + restartS, "restart"},
		{"several on a line", pauseS + "; " + resumeS, "pause resume"},

		{"options", "# Option 1: A\n" + pauseS + "\n# Option 2: B\n" + stopS, "A: pause | B: stop"},
		{"options with letters", "# Option A: A\n" + pauseS + "\n# Option B - B\n" + stopS, "A: pause | B: stop"},
		{"what follows is common", "# Option 1: A\n" + pauseS + "\n# Option 2: B\n" + stopS + "\n# Then\n" + resumeS, "A: pause resume | B: stop resume"},
		{"what precedes is common", statusS + "\n# Option 1: A\n" + pauseS + "\n# Option 2: B\n" + stopS, "A: status pause | B: status stop"},
		{"several steps in the first", "# Option 1: A\n" + pauseS + "\n# And\n" + resumeS + "\n# Option 2: B\n" + stopS, "A: pause resume | B: stop"},
		{"a title below the option", "# Option 1: A\n# Pause\n" + pauseS + "\n# Option 2: B\n# Stop\n" + stopS + "\n# Look\n" + statusS, "A: pause status | B: stop status"},
		{"options that begin again", "# Option 1: A\n" + pauseS + "\n# Option 1: B\n" + stopS, "A: pause | B: stop"},
		{"an empty option", "# Option 1: A\n# Option 2: B\n" + stopS, "A:  | B: stop"},
		{"or", "# Pause\n" + pauseS + "\n# Or stop it\n" + stopS, "Pause: pause | Stop it: stop"},
		{"or, or", "# Pause\n" + pauseS + "\n# Or stop\n" + stopS + "\n# Alternatively, restart\n" + restartS, "Pause: pause | Stop: stop | Restart: restart"},
		{"or for two steps", "# First\n" + statusS + "\n# Pause and stop\n" + pauseS + "\n" + stopS + "\n# Or restart\n" + restartS + "\n# Then\n" + resumeS, "Pause and stop: status pause stop resume | Restart: status restart resume"},
		{"or of two steps", "# Pause\n" + pauseS + "\n# Or\n" + stopS + "\n" + resumeS, "Pause: pause | : stop resume"},
		{"or inside an option", "# Option 1: A\n" + statusS + "\n# Pause\n" + pauseS + "\n# Or stop\n" + stopS + "\n# Option 2: B\n" + restartS, "A: status pause | Stop: status stop | B: restart"},
		{"or of nothing", "# Or stop\n" + stopS, "stop"},

		{"terminal session", "$ " + pauseS + "\n{\"state\": \"PAUSED\"}\n$ curl -X PUT \\\n  localhost:8083/connectors/s/resume\nok", "pause resume"},
		{"root is left out", "vault login root\n" + pauseS, "pause"},
		{"offsets after a stop", stopS + "\ncurl -X DELETE localhost:8083/connectors/s/offsets\n" + resumeS, "stop reset-offsets resume"},
		{"here-document", "psql <<EOF\nDROP TABLE x;\nEOF", "manual"},
		{"nothing", "", ""},
		{"comment only", "# Just this", ""},
	} {
		_, s := one(t, row.shell)
		if got := sketch(s); got != row.want {
			t.Errorf("%s: %q\ngot  %s\nwant %s", row.name, row.shell, got, row.want)
		}
	}
}

func TestWaits(t *testing.T) {
	for _, row := range []struct {
		shell  string
		limit  time.Duration
		expect string
	}{
		{"# Wait for it (30-60 seconds)", 4 * time.Minute, "30-60 seconds"},
		{"# Wait until ready (10 – 15 s)", 2 * time.Minute, "10 – 15 s"},
		{"# Wait until ready (about 5 minutes)", 20 * time.Minute, "about 5 minutes"},
		{"# Wait until ready (999999 minutes)", 30 * time.Minute, "999999 minutes"},
		{"# Wait until ready", 2 * time.Minute, ""},
		{"sleep 30", 2 * time.Minute, "30s"},
		{"sleep 1m", 4 * time.Minute, "1m0s"},
		{"sleep 0.5", 2 * time.Minute, "500ms"},
		{"sleep 3h", 30 * time.Minute, "3h0m0s"},
		{"# Allow the workers to join (1-2 min)\nsleep 90", 8 * time.Minute, "1-2 min"},
	} {
		_, s := one(t, row.shell)
		if len(s.Common) != 1 {
			t.Errorf("%q made %d steps", row.shell, len(s.Common))
			continue
		}
		a, ok := s.Common[0].Action.(action.WaitHealthy)
		if !ok || a.Limit != row.limit || a.Expect != row.expect {
			t.Errorf("%q: got %+v, want %s and %q", row.shell, s.Common[0].Action, row.limit, row.expect)
		}
	}
	for _, shell := range []string{"sleep", "sleep forever", "sleep 1e9", "sleep infinity", "sleep 100h", "sleep -5", "sleep $N", "sleep 1 2"} {
		if _, s := one(t, shell); sketch(s) != "manual" {
			t.Errorf("%q: got %s, want a manual step", shell, sketch(s))
		}
	}
}

func TestTitles(t *testing.T) {
	for _, row := range []struct{ name, shell, want string }{
		{"comment", "# Pause the sink\n" + pauseS, "Pause the sink"},
		{"sentence", "# Pause the sink\n# because of that\n" + pauseS, "Pause the sink because of that"},
		{"command", pauseS, pauseS},
		{"placeholder", "tool <name>", "tool <name>"},
		{"long", "tool " + strings.Repeat("a", 200), "tool " + strings.Repeat("a", 94) + "…"},
	} {
		_, s := one(t, row.shell)
		if len(s.Common) != 1 || s.Common[0].Title != row.want {
			t.Errorf("%s: got %+v, want %q", row.name, s.Common, row.want)
		}
	}
}

// A placeholder is what a person fills in; a here-document, a redirection and a comparison are not.
func TestPlaceholders(t *testing.T) {
	for _, row := range []struct{ name, shell, want string }{
		{"one", "vault lease renew x/<lease_id>", "lease_id"},
		{"two that touch", "tool <a><b>", "a b"},
		{"twice the same", "tool <a> <a>", "a"},
		{"words", "tool <lease id>", "lease_id"},
		{"in quotes", `tool "<a>" '<b>'`, "a b"},
		{"here-document", "cat <<EOF\nx\nEOF", ""},
		{"redirection", "cat < file > other", ""},
		{"marks of our own", "tool " + openMark + "x" + closeMark, ""},
	} {
		_, s := one(t, row.shell)
		if got := strings.Join(s.Blanks(), " "); got != row.want {
			t.Errorf("%s: %q: got %q, want %q", row.name, row.shell, got, row.want)
		}
		for _, step := range s.Common {
			if strings.ContainsAny(step.Source+step.Title+step.Effect(), openMark+closeMark) {
				t.Errorf("%s: people would read our marks: %+v", row.name, step)
			}
		}
	}
}
