package app

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// policy says which of our packages each package may import, without "cdcbot/internal/" (docs/ARCHITECTURE.md draws it).
// A leaf imports nothing of ours. "*" may import everything below. Tests may also import what the testing table says.
var policy = map[string][]string{
	"cmd/bot":  {"app", "config", "runbook", "seal", "timeline", "diagnosis", "connect", "redact", "doctor"},
	"cmd/demo": {"app", "config", "slacksim", "connect/connecttest", "target/targettest", "diagnosis", "action", "runbook", "remediation", "incident", "runbooks"},
	"runbooks": {},

	"app": {"*"},

	"slack":       {"commands", "remediation", "redact", "incident", "diagnosis", "runbook", "action", "approval", "timeline", "connect", "slack/link", "chart"},
	"commands":    {"remediation", "runbook", "connect", "timeline", "approval", "incident", "doctor"},
	"remediation": {"chart", "seal", "tracing", "diagnosis", "runbook", "approval", "timeline", "alert", "incident", "action"},
	"diagnosis":   {"connect"},
	"runbook":     {"action", "connect"},
	"action":      {"connect"},
	"approval":    {"incident", "seal"},
	"incident":    {"alert"},
	"timeline":    {"incident", "redact", "seal"},

	"alert":               {},
	"breaker":             {},
	"doctor":              {},
	"drift":               {},
	"history":             {},
	"archive":             {},
	"chart":               {},
	"connect":             {},
	"connect/connecttest": {},
	"target/postgres":     {},
	"target/targettest":   {},
	"target/alertmanager": {"target/web"},
	"target/cassandra":    {},
	"target/dlq":          {},
	"target/kafka":        {},
	"target/page":         {},
	"target/vault":        {},
	"target/web":          {},
	"target/workload":     {},
	"redact":              {},
	"seal":                {},
	"secrets":             {},
	"tracing":             {"redact"},
	"config":              {},
	"lab":                 {},
	"lab/docker/service":  {},
	"lab/peers":           {}, // what make bench-peers compares with
	"lab/cassandra/cql":   {},
	"lab/cdcapi":          {},
	"slack/link":          {},
	"slacksim":            {},
	"e2e":                 {},
	"deploy":              {}, // tests only
	"deploy/image":        {},
}

// testing lists what tests of a package may import besides.
var testingOnly = map[string][]string{
	"*":           {"lab", "connect/connecttest", "target/targettest", "slacksim", "runbooks"},
	"e2e":         {"*"},
	"deploy":      {"*"},
	"diagnosis":   {"redact"},
	"drift":       {"action", "target/postgres", "target/cassandra"},
	"remediation": {"connect"},
	"cmd/bot":     {"alert", "incident"},
}

func TestImportPolicy(t *testing.T) {
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && file != root && (strings.HasPrefix(entry.Name(), ".") || module(file)) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		checkFile(t, file, filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// module says whether a folder is a Go module of its own, such as the servers that the lab builds: nothing here can
// import it.
func module(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func checkFile(t *testing.T, file, rel string) {
	pkg := strings.TrimPrefix(path.Dir(rel), "internal/")
	allowed, known := policy[pkg]
	if !known {
		t.Errorf("%s: package %s has no import rule; add one to policy with the reason in its package comment", rel, pkg)
		return
	}
	if strings.HasSuffix(rel, "_test.go") {
		allowed = slices.Concat(allowed, testingOnly["*"], testingOnly[pkg])
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range parsed.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		checkImport(t, rel, pkg, name, allowed)
	}
}

// forbidden are foreign imports that would break a promise.
var forbidden = map[string]string{
	"mvdan.cc/sh/v3/interp": "nothing is ever run as a shell",
	"os/exec":               "nothing is shelled out",
}

func checkImport(t *testing.T, rel, pkg, name string, allowed []string) {
	if why, bad := forbidden[name]; bad && pkg != "lab" && !strings.HasSuffix(rel, "_test.go") {
		t.Errorf("%s imports %s: %s", rel, name, why)
	}
	if name == "github.com/slack-go/slack" && pkg != "slack" && pkg != "lab/peers" && !strings.HasSuffix(rel, "_test.go") {
		t.Errorf("%s imports %s: only package slack knows Slack", rel, name)
	}
	rest, ours := strings.CutPrefix(name, "cdcbot/")
	if !ours {
		return
	}
	short := strings.TrimPrefix(rest, "internal/")
	if short == pkg || slices.Contains(allowed, short) || slices.Contains(allowed, "*") && below(pkg, short, rel) {
		return
	}
	t.Errorf("%s: package %s may not import %s", rel, pkg, short)
}

// below keeps simulators out of the bot: app's own code never links them, whatever "*" says.
func below(pkg, short, rel string) bool {
	simulator := short == "slacksim" || short == "connect/connecttest" || short == "target/targettest" || short == "lab"
	return !simulator || strings.HasSuffix(rel, "_test.go") || pkg == "e2e"
}
