package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"mvdan.cc/sh/v3/shell"

	"cdcbot/internal/alert"
	"cdcbot/internal/config"
	"cdcbot/internal/incident"
	"cdcbot/internal/timeline"
)

const root = "../../"

// elsewhere are pages whose blocks are run by tests of their own.
var elsewhere = map[string]string{
	"docs/slacksim.md":       "cmd/demo/workspace_test.go TestTheCommandsOfTheDocs",
	"docs/runbook-format.md": "internal/runbook/format_test.go TestFormatExamples",
	"docs/redis.md":          "internal/app/redis_acl_test.go TestWholeIncidentUnderTheDocumentedACL",
}

// tools are the first words of what is a command, in a line of a block or between backticks.
var tools = regexp.MustCompile(`^((bot|demo|make|helm|kubectl|docker|docker-compose|promtool|curl|\./secrets\.sh|lab/[a-z]+\.sh)( |$)|(go|cd|cp|export|redis-cli|redis-server) )`)

// accounts say what runs a command of the docs, the first that fits: a check of this test, or a test that is named.
var accounts = []struct {
	command string // a regular expression
	by      string // file and test that run it
	check   func(t *testing.T, d *desk, command string)
}{
	{command: `^bot serve`, by: "internal/e2e/fault_matrix_test.go TestFaultMatrix", check: understood},
	{command: `^bot doctor`, by: "cmd/bot/doctor_test.go TestDoctor", check: understood},
	{command: `^bot health`, by: "cmd/bot/health_test.go TestHealth", check: understood},
	{command: `^bot archive`, by: "cmd/bot/main_test.go TestArchive", check: understood},
	{command: `^bot [a-z]+$`, check: understood},
	{command: `^bot `, check: ran},
	{command: `^(go run \./cmd/)?demo drill`, by: "cmd/demo/drill_test.go TestDrills", check: drillable},
	{command: `^(redis-cli -|redis-server --|cp cdcbot\.rdb )`, by: "cmd/bot/backup_test.go TestBackupIsRestored"},
	{command: `^go test \./`, check: tested},
	{command: `^make demo`, by: "cmd/demo/browser_test.go TestDemoServesWithinAMinute", check: target},
	{command: `^make`, check: target},
	{command: `^lab/`, check: script},
	{command: `^helm .*upgrade --install|^helm .*test cdcbot`, by: "deploy/cluster_test.go TestChartOnCluster", check: there("deploy/helm/cdcbot/Chart.yaml")},
	{command: `^kubectl -n cdc-ops create secret`, by: "deploy/cluster_test.go TestChartOnCluster", check: secretKeys},
	{command: `^cd deploy/compose`, check: there("deploy/compose/compose.yaml")},
	{command: `^\./secrets\.sh`, by: "deploy/compose_test.go TestComposeFiles", check: there("deploy/compose/secrets.sh")},
	{command: `^docker compose up`, by: "deploy/compose_test.go TestComposeWorld"},
	{command: `^docker buildx build`, by: "deploy/image_test.go TestImage", check: there("Dockerfile")},
	{command: `^promtool test rules`, by: "deploy/metrics_test.go TestRules", check: there("deploy/prometheus/cdcbot.test.yml")},
	{command: `^export `, check: exported},
	{command: `^curl -s …/connectors/NAME/status \| bot diagnose$`, by: "cmd/bot/diagnose_test.go TestDiagnoseForPeople"},
	// What stands in runbooks, and in tables of what the compiler makes of it.
	{command: `^(docker|docker-compose|kubectl|curl)( |$)`, by: "internal/runbook/format_test.go TestFormatExamples"},
}

// TestEveryCommandOfTheDocs accounts for each command that the documents show: it is run or checked here, or by the test
// that is named. A new one fails until somebody says what runs it.
func TestEveryCommandOfTheDocs(t *testing.T) {
	d := &desk{}
	seen := 0
	for _, page := range pages(t) {
		text := read(t, page)
		if by, run := elsewhere[page]; run {
			named(t, page, by)
			text = fences.ReplaceAllString(text, "")
		}
		for _, command := range commandsOf(text) {
			seen++
			t.Run(strings.ReplaceAll(page+": "+command, "/", "∕"), func(t *testing.T) { account(t, d, command) })
		}
	}
	if seen < 60 {
		t.Errorf("%d commands were found, expected more than 60: is the reader of the pages broken?", seen)
	}
}

func account(t *testing.T, d *desk, command string) {
	for _, a := range accounts {
		if !regexp.MustCompile(a.command).MatchString(command) {
			continue
		}
		if a.by != "" {
			named(t, command, a.by)
		}
		if a.check != nil {
			a.check(t, d, command)
		}
		return
	}
	t.Errorf("nothing accounts for %q: say in accounts what runs it", command)
}

// named checks that a test that is said to run something is there.
func named(t *testing.T, what, by string) {
	t.Helper()
	file, test, _ := strings.Cut(by, " ")
	if !strings.Contains(read(t, file), "func "+test+"(") {
		t.Errorf("%s is said to be run by %s, which is not in %s", what, test, file)
	}
}

func pages(t *testing.T) []string {
	t.Helper()
	list := []string{"README.md", "CONTRIBUTING.md", "lab/README.md"}
	found, err := filepath.Glob(root + "docs/*.md")
	if err != nil || len(found) < 10 {
		t.Fatalf("%d pages in docs, %v", len(found), err)
	}
	for _, f := range found {
		list = append(list, strings.TrimPrefix(f, root))
	}
	return list
}

func read(t *testing.T, name string) string {
	t.Helper()
	body, err := os.ReadFile(root + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

var (
	fences = regexp.MustCompile("(?sm)^ *(````?)([a-z]*)[^\n]*\n(.*?)^ *````?$")
	ticks  = regexp.MustCompile("`([^`\n]+)`")
)

// commandsOf are the commands of a page: every line of its shell blocks, those of other blocks that begin like one, and
// what stands between backticks and begins like one.
func commandsOf(text string) []string {
	var list []string
	for _, block := range fences.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[3]) {
			line = strings.TrimSpace(comment.ReplaceAllString(strings.TrimSpace(line), ""))
			if line != "" && (block[2] == "sh" || block[2] == "bash" || block[2] == "" && tools.MatchString(line)) {
				list = append(list, line)
			}
		}
	}
	for _, m := range ticks.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
		if command := strings.ReplaceAll(m[1], `\|`, "|"); tools.MatchString(command) {
			list = append(list, command)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

var comment = regexp.MustCompile(`\s+# .*$`)

// desk is what commands of the docs need to run: an incident with its exports, and a configuration.
type desk struct {
	folder, config string
}

// set makes seven incidents, and the exports of the last.
func (d *desk) set(t *testing.T) {
	t.Helper()
	if d.folder != "" {
		return
	}
	server, err := miniredis.Run() // it outlives this one command
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "docs")
	if err != nil {
		t.Fatal(err)
	}
	d.folder, d.config = folder, filepath.Join(folder, "cdcbot.yaml")
	example := strings.Replace(read(t, "config.example.yaml"), "url: redis://127.0.0.1:6379/0", "url: redis://"+server.Addr()+"/0", 1)
	if !strings.Contains(example, server.Addr()) {
		t.Fatal("config.example.yaml names another Redis than this test knows")
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("cdcbot.yaml", example)
	write("RUNBOOK.md", read(t, "runbooks/kafka-connect-connector-failure.md"))
	write("cases.jsonl", read(t, "internal/diagnosis/testdata/heldout/platforms.jsonl"))
	sevenIncidents(t, server.Addr())
	for _, format := range []string{"json", "html", "md", "csv"} {
		code, out, errs := bot(t, "", "export", "INC-7", "--config", d.config, "--format", format)
		if code != 0 {
			t.Fatalf("export as %s: %s", format, errs)
		}
		write("INC-7."+format, out)
	}
}

func sevenIncidents(t *testing.T, redisAddr string) {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: redisAddr})
	defer func() { _ = rdb.Close() }() // it was only a client
	store := &incident.Store{Redis: rdb, Now: time.Now}
	for i := range 7 {
		name := fmt.Sprintf("Alert%d", i)
		inc, _, err := store.Receive(t.Context(), alert.Alert{Source: "alertmanager", Name: name, Status: alert.Firing, Connector: "postgres-sink-connector", StartsAt: time.Now()}, incident.Key{Pipeline: "warehouse"})
		if err != nil {
			t.Fatal(err)
		}
		log := &timeline.Log{Redis: rdb, Now: time.Now}
		if _, err := log.Append(t.Context(), timeline.Event{Incident: inc.ID, Type: timeline.NoteAdded, Actor: timeline.Bot, Text: "noted"}); err != nil {
			t.Fatal(err)
		}
	}
}

// understood checks that bot has the word and the flags.
func understood(t *testing.T, _ *desk, line string) {
	t.Helper()
	words, err := shell.Fields(line, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, rest, err := command().Find(words[1:])
	if err != nil || c.Name() != words[1] {
		t.Fatalf("bot has no word %q: %v", words[1], err)
	}
	if err := c.ParseFlags(rest); err != nil {
		t.Errorf("%s: %v", line, err)
	}
}

// standIns are what placeholders of the docs are replaced by, for each word of bot.
var standIns = map[string]map[string]string{
	"verify":   {"FILE": "INC-7.json", "-": "-"},
	"lint":     {"FILE": "RUNBOOK.md", "runbooks/*.md": "RUNBOOK.md"},
	"plan":     {"FILE": "RUNBOOK.md", "RUNBOOK": "RUNBOOK.md", "SECTION": "cause 1", "lease_id=…": "lease_id=7Qm2dVb1"},
	"diagnose": {"FILE": "-"},
}

// extra are flags without which a command would ask systems that are not there.
var extra = map[string][]string{"plan": {"--offline"}, "lint": {}}

// ran runs a command of bot, in a folder that has what it names.
func ran(t *testing.T, d *desk, line string) {
	t.Helper()
	understood(t, d, line)
	d.set(t)
	words, err := shell.Fields(strings.ReplaceAll(line, "*", `\*`), nil)
	if err != nil {
		t.Fatal(err)
	}
	input := ""
	for i, w := range words {
		if in, known := standIns[words[1]][w]; known {
			words[i] = in
		}
		if w == "-" {
			input = readFile(t, filepath.Join(d.folder, "INC-7.json"))
		}
		if there := filepath.Join(d.folder, words[i]); i > 1 && exists(there) {
			words[i] = there
		}
		if w == "--output" {
			words[i+1] = filepath.Join(t.TempDir(), words[i+1])
		}
	}
	args := append(words[1:], extra[words[1]]...)
	if words[1] == "plan" && !slices.Contains(args, "--config") {
		args = append(args, "--config", d.config)
	}
	if words[1] == "lint" && !slices.Contains(args, "--config") {
		args = append(args, "--no-targets")
	}
	if words[1] == "export" && !slices.Contains(args, "--config") {
		args = append(args, "--config", d.config)
	}
	if code, out, errs := bot(t, input, args...); code != 0 {
		t.Errorf("bot %s: exit %d\n%.500s\n%s", strings.Join(args, " "), code, out, errs)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// drillable checks that the fault is one that the demo has.
func drillable(t *testing.T, _ *desk, line string) {
	t.Helper()
	m := regexp.MustCompile(`--fault ([a-z]\d)`).FindStringSubmatch(line)
	if m == nil || !regexp.MustCompile(`"`+m[1]+`-`).MatchString(read(t, "internal/connect/connecttest/fault.go")) {
		t.Errorf("%s names no fault of the simulated worker", line)
	}
}

// target checks that make knows the target, and what it would run.
func target(t *testing.T, _ *desk, line string) {
	t.Helper()
	words := strings.Fields(line)
	cmd := exec.CommandContext(t.Context(), "make", append([]string{"-n"}, words[1:]...)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil || len(out) == 0 {
		t.Errorf("%s: %v\n%s", line, err, out)
	}
}

// tested checks that the package is there, and the test that is asked for.
func tested(t *testing.T, _ *desk, line string) {
	t.Helper()
	words := strings.Fields(line)
	files, err := filepath.Glob(filepath.Join(root, words[2], "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no tests in %s", line, words[2])
	}
	if i := slices.Index(words, "-run"); i > 0 {
		for _, f := range files {
			if strings.Contains(readFile(t, f), "func "+words[i+1]) {
				return
			}
		}
		t.Errorf("%s: no test is called %s", line, words[i+1])
	}
}

// script checks that a script of the lab is there and knows the options.
func script(t *testing.T, _ *desk, line string) {
	t.Helper()
	for part := range strings.SplitSeq(line, ";") {
		words := strings.Fields(part)
		if len(words) == 0 || !strings.HasPrefix(words[0], "lab/") {
			continue
		}
		info, err := os.Stat(root + words[0])
		if err != nil || info.Mode()&0o111 == 0 {
			t.Fatalf("%s cannot be run: %v", words[0], err)
		}
		body := read(t, words[0])
		for _, w := range words[1:] {
			if option := strings.Trim(w, "[]"); strings.HasPrefix(option, "-") && !strings.Contains(body, option) {
				t.Errorf("%s does not know %s", words[0], option)
			}
		}
	}
}

// there checks that a file that a command works on exists.
func there(name string) func(*testing.T, *desk, string) {
	return func(t *testing.T, _ *desk, line string) {
		t.Helper()
		if !exists(root + name) {
			t.Errorf("%s needs %s, which is not there", line, name)
		}
	}
}

// secretKeys checks that the chart looks for the keys that the Secret is made with.
func secretKeys(t *testing.T, _ *desk, line string) {
	t.Helper()
	values := read(t, "deploy/helm/cdcbot/values.yaml")
	for _, m := range regexp.MustCompile(`--from-file=(\S+)`).FindAllStringSubmatch(line, -1) {
		if !strings.Contains(values, ": "+m[1]+"\n") {
			t.Errorf("the chart's values name no key %q of the Secret", m[1])
		}
	}
}

// exported checks that the variables of the environment are settings of the bot, or what the compose world asks for.
func exported(t *testing.T, _ *desk, line string) {
	t.Helper()
	asked := read(t, "deploy/compose/compose.yaml")
	for _, m := range regexp.MustCompile(`([A-Z_]+)=`).FindAllStringSubmatch(line, -1) {
		if strings.HasPrefix(m[1], "CDCBOT_") {
			_, err := config.Load("", []string{m[1] + "=x"})
			if err != nil && strings.Contains(err.Error(), "unknown") {
				t.Errorf("%s is no setting: %v", m[1], err)
			}
		} else if !strings.Contains(asked, "${"+m[1]) {
			t.Errorf("nothing asks for %s", m[1])
		}
	}
}

// TestTheConfigurationsOfTheDocs loads every configuration that the docs show as the bot would.
func TestTheConfigurationsOfTheDocs(t *testing.T) {
	loaded := 0
	for _, page := range pages(t) {
		for _, block := range fences.FindAllStringSubmatch(read(t, page), -1) {
			if block[2] != "yaml" || !strings.Contains(block[3], "pipelines:") {
				continue
			}
			text := regexp.MustCompile(`/secrets/([a-z-]+)`).ReplaceAllStringFunc(block[3], func(path string) string {
				content := map[string]string{"/secrets/seal-keys": "k1:" + strings.Repeat("ab", 32), "/secrets/app-token": "xapp-1", "/secrets/bot-token": "xoxb-1"}[path]
				return file(t, filepath.Base(path), cmp.Or(content, "x"))
			})
			loaded++
			if _, err := config.Load(file(t, "cdcbot.yaml", dedent(text)), nil); err != nil {
				t.Errorf("%s: %v\n%s", page, err, text)
			}
		}
	}
	if loaded == 0 {
		t.Error("no configuration was found in the docs: is the reader of the pages broken?")
	}
}

// TestTheWordsOfTheDocsAreReal finds what the docs quote in the sources: nobody looks for words that are not said.
func TestTheWordsOfTheDocsAreReal(t *testing.T) {
	_, text, found := strings.Cut(read(t, "docs/operations.md"), "\n## What to do when\n")
	if !found {
		t.Fatal("docs/operations.md has no chapter of what to do when")
	}
	text, _, _ = strings.Cut(text, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(text, -1)
	if len(rows) < 10 {
		t.Fatalf("%d rows, expected more than ten", len(rows))
	}
	said := sources(t)
	for _, row := range rows {
		if !strings.Contains(said, row[1]) {
			t.Errorf("%q stands in no source", row[1])
		}
	}
}

// sources are all of the bot's, without tests.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root+"internal", func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			all.WriteString(readFile(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// dedent takes away what the first line begins with.
func dedent(text string) string {
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	return regexp.MustCompile("(?m)^"+indent).ReplaceAllString(text, "")
}
