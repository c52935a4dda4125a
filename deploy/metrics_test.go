package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"cdcbot/internal/alert"
	"cdcbot/internal/app"
	"cdcbot/internal/config"
	"cdcbot/internal/lab"
	"cdcbot/internal/slack"
	"cdcbot/internal/slacksim"
)

// series is a metric as its document and its code describe it.
type series struct {
	Type   string // counter, gauge or histogram
	Labels string // sorted, separated by commas
}

// table reads the rows of a table of docs/operations.md, by what stands in backquotes in their first cell.
func table(t *testing.T, heading string) map[string][]string {
	t.Helper()
	_, text, ok := strings.Cut(string(read(t, "docs/operations.md")), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("docs/operations.md has no %q", heading)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "## ") {
			break
		}
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if name, ok := strings.CutPrefix(cells[0], "`"); ok && len(cells) > 2 {
			rows[strings.TrimSuffix(name, "`")] = cells[1:]
		}
	}
	return rows
}

// labelsOf reads a cell such as "`method`, `result`" or "–".
func labelsOf(cell string) string {
	names := regexp.MustCompile("[a-z_]+").FindAllString(cell, -1)
	slices.Sort(names)
	return strings.Join(names, ",")
}

// documented are the bot's own metrics by docs/operations.md.
func documented(t *testing.T) map[string]series {
	t.Helper()
	all := map[string]series{}
	for name, cells := range table(t, "## Metrics") {
		all[name] = series{cells[0], labelsOf(cells[1])}
	}
	return all
}

// collecting remembers what is registered.
type collecting struct {
	prometheus.Registerer
	seen []prometheus.Collector
}

func (c *collecting) Register(one prometheus.Collector) error {
	c.seen = append(c.seen, one)
	return c.Registerer.Register(one)
}

func (c *collecting) MustRegister(list ...prometheus.Collector) {
	c.seen = append(c.seen, list...)
	c.Registerer.MustRegister(list...)
}

var described = regexp.MustCompile(`fqName: "([^"]+)", help: "([^"]*)", .*constLabels: \{\}, variableLabels: \{([^}]*)\}`)

// describe gives name and series of a collector.
func describe(t *testing.T, c prometheus.Collector) (string, series) {
	t.Helper()
	ch := make(chan *prometheus.Desc, 1)
	c.Describe(ch)
	m := described.FindStringSubmatch((<-ch).String())
	if m == nil || m[2] == "" {
		t.Fatalf("%T has no name or no help, or labels that are always the same", c)
	}
	kind := strings.ToLower(reflect.TypeOf(c).String())
	for _, k := range []string{"counter", "gauge", "histogram"} {
		if strings.Contains(kind, k) {
			return m[1], series{k, labelsOf(m[3])}
		}
	}
	t.Fatalf("%s is a %T", m[1], c)
	return "", series{}
}

// The document and the code have the same metrics, with the same types and labels.
func TestMetricsAreDocumented(t *testing.T) {
	r := &collecting{Registerer: prometheus.NewPedanticRegistry()}
	alert.NewMetrics(r)
	if _, err := slack.New(slack.Options{AppToken: "xapp-1", BotToken: "xoxb-1", Registerer: r}); err != nil {
		t.Fatal(err)
	}
	got := map[string]series{}
	for _, c := range r.seen {
		name, s := describe(t, c)
		got[name] = s
	}
	for name, s := range scrape(t) { // what the app itself tells shows only when it runs
		if _, there := got[name]; strings.HasPrefix(name, "cdcbot_") && !there {
			got[name] = s
		}
	}
	if diff := cmp.Diff(documented(t), got); diff != "" {
		t.Errorf("docs/operations.md (-) and the code (+) differ:\n%s", diff)
	}
}

// Names follow Prometheus' conventions, and no label can have as many values as there are incidents, connectors or people.
func TestMetricsAreConventional(t *testing.T) {
	few := []string{"code", "kind", "method", "part", "reason", "result", "state", "status", "target", "type", "verb", "version"}
	for name, s := range documented(t) {
		total := strings.HasSuffix(name, "_total")
		if !strings.HasPrefix(name, "cdcbot_") || total != (s.Type == "counter") {
			t.Errorf("%s is no name for a %s", name, s.Type)
		}
		if s.Type == "histogram" && !strings.HasSuffix(name, "_seconds") && !strings.HasSuffix(name, "_bytes") {
			t.Errorf("%s does not end with its unit", name)
		}
		if regexp.MustCompile(`_(ms|milliseconds|minutes|kb|mb|percent)(_|$)`).MatchString(name) {
			t.Errorf("%s is not in a base unit", name)
		}
		for label := range strings.SplitSeq(s.Labels, ",") {
			if label != "" && !slices.Contains(few, label) {
				t.Errorf("%s: label %s may have many values; if it has few, say so here", name, label)
			}
		}
	}
}

// scrape runs the app, has it take an alert, and gives what Prometheus would see.
func scrape(t *testing.T) map[string]series {
	t.Helper()
	slack := slacksim.New(slacksim.Options{})
	if _, err := slack.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slack.Close() })
	cfg, err := config.Load("", []string{
		"CDCBOT_LISTEN=127.0.0.1:0", "CDCBOT_WATCH_ENABLED=false", "CDCBOT_SLACK_API_URL=" + slack.APIURL(), "CDCBOT_SLACK_BOT_TOKEN=" + slack.BotToken(),
		"CDCBOT_SLACK_APP_TOKEN=" + slack.AppToken(), "CDCBOT_SLACK_CHANNEL=C0123456789", "CDCBOT_PIPELINES_WAREHOUSE_CONNECT_URL=http://127.0.0.1:1",
	})
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(&redis.Options{Addr: lab.Redis(t).Addr})
	t.Cleanup(func() { _ = rdb.Close() })
	bot, err := app.New(t.Context(), app.Options{Config: cfg, Log: zap.NewNop(), Version: "test", Redis: rdb, Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- bot.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	answer, err := http.Post("http://"+bot.Addr()+"/alerts", "application/json", strings.NewReader(`{"version":"4","alerts":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	lab.Await(t, "readiness", patient, func(ctx context.Context) (bool, error) {
		return bot.Ready(ctx)["slack"] == nil, bot.Ready(ctx)["slack"]
	})
	code, text := get(t.Context(), "http://"+bot.Addr()+"/metrics")
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, text)
	}
	seen := map[string]series{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)\n[a-z_]+(?:\{(.*)\})? `).FindAllStringSubmatch(text, -1) {
		seen[m[1]] = series{m[2], labelsOf(regexp.MustCompile(`\ble="[^"]*"|="[^"]*"`).ReplaceAllString(m[3], ""))}
	}
	return seen
}

// ofTheProcess are metrics of Prometheus' own client that rules and dashboard use.
var ofTheProcess = []string{"process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds"}

func TestMetricsOfARunningBot(t *testing.T) {
	known := documented(t)
	got := scrape(t)
	for _, name := range append(ofTheProcess, "cdcbot_slack_connections", "cdcbot_webhook_answers_total") {
		if got[name].Type == "" {
			t.Errorf("%s is not among %v", name, slices.Sorted(maps.Keys(got)))
		}
	}
	for name, s := range got {
		if strings.HasPrefix(name, "cdcbot_") && known[name].Type != s.Type {
			t.Errorf("%s is a %s, and by docs/operations.md a %q", name, s.Type, known[name].Type)
		}
	}
}

// promtool runs Prometheus' own tool in deploy/prometheus.
func promtool(t *testing.T, args ...string) string {
	t.Helper()
	c := exec.Command(lab.Program(t, "promtool", "prometheus"), args...)
	c.Dir = filepath.Join(top, "deploy", "prometheus")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestRules(t *testing.T) {
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", "cdcbot.rules.yml", "kafka-connect.rules.yml")
	promtool(t, "test", "rules", "cdcbot.test.yml")
	rules := string(read(t, "deploy/prometheus/cdcbot.rules.yml")) + string(read(t, "deploy/prometheus/kafka-connect.rules.yml"))
	tests := string(read(t, "deploy/prometheus/cdcbot.test.yml"))
	advice := table(t, "## Alerts")
	var alerts []string
	for _, m := range regexp.MustCompile(`- alert: (\S+)`).FindAllStringSubmatch(rules, -1) {
		alerts = append(alerts, m[1])
		if !regexp.MustCompile(`alertname: ` + m[1] + `\n\s+exp_alerts:`).MatchString(tests) {
			t.Errorf("%s fires in no test", m[1])
		}
		if !strings.Contains(tests, "alertname: "+m[1]+"}") {
			t.Errorf("no test has %s silent", m[1])
		}
		severity := regexp.MustCompile(m[1] + `\n(?:.*\n)*?\s+labels: \{severity: (\w+)\}`).FindStringSubmatch(rules)
		if len(advice[m[1]]) == 0 || severity == nil || advice[m[1]][0] != severity[1] {
			t.Errorf("%s: docs/operations.md says %v, its rule %v", m[1], advice[m[1]], severity)
		}
	}
	if len(alerts) != len(advice) {
		t.Errorf("docs/operations.md has %d alerts, the rules %d", len(advice), len(alerts))
	}
	var queries []string
	for _, m := range regexp.MustCompile(`expr: (?:\|-\n)?((?:.*\n)(?:\s{10,}.*\n)*)`).FindAllStringSubmatch(rules, -1) {
		queries = append(queries, m[1])
	}
	checkNames(t, queries)
}

// The dashboard's queries parse, and name what there is.
func TestDashboard(t *testing.T) {
	var d struct {
		UID, Title  string
		Annotations struct{ List []struct{ Expr string } }
		Templating  struct {
			List []struct{ Name, Type, Definition string }
		}
		Panels []struct {
			ID                int
			Title, Type       string
			GridPos           struct{ H, W, X, Y int }
			Targets           []struct{ Expr, RefID string }
			Datasource        any
			Description, Unit string
		}
	}
	text := read(t, "deploy/grafana/cdcbot.dashboard.json")
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	ids, queries, flat := map[int]bool{}, []string{}, false
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d %q is there twice, empty, nameless or too wide", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			queries = append(queries, target.Expr)
			flat = flat || strings.Contains(target.Expr, "rate(cdc_events_processed_total[")
		}
	}
	for _, a := range d.Annotations.List {
		queries = append(queries, a.Expr)
	}
	for _, v := range d.Templating.List {
		if m := regexp.MustCompile(`label_values\((.+), \w+\)`).FindStringSubmatch(v.Definition); m != nil {
			queries = append(queries, m[1])
		}
	}
	if d.UID != "cdcbot" || !flat || len(queries) < 15 {
		t.Errorf("dashboard %s with %d queries, the flat line there: %t", d.UID, len(queries), flat)
	}
	if i := strings.Index(string(text), `"uid": "P`); i >= 0 {
		t.Error("a data source of somebody's own is in it")
	}
	parse(t, queries)
	checkNames(t, queries)
}

// parse has promtool read queries, as rules that would record them. Grafana's variables are filled in.
func parse(t *testing.T, queries []string) {
	t.Helper()
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule
	for i, q := range queries {
		q = strings.NewReplacer("$__rate_interval", "5m", "$job", "cdcbot").Replace(q)
		if strings.Contains(q, "$") {
			t.Errorf("%s has a variable that nobody fills in", q)
		}
		rules = append(rules, rule{fmt.Sprintf("query:%d", i), q})
	}
	body, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "queries", "rules": rules}}}) // JSON is YAML
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "queries.yml")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}

// What is not a metric in a query: text, the labels in braces and lists, durations, functions and words of the language.
var (
	quoted   = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	selector = regexp.MustCompile(`([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}`)
	grouping = regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	duration = regexp.MustCompile(`\[[^\]]*\]`)
	called   = regexp.MustCompile(`\b[a-z_0-9]+\s*\(`)
	word     = regexp.MustCompile(`\b[a-zA-Z_:][\w:]*`)
	spoken   = []string{"and", "or", "unless", "bool", "offset"}
)

// namesIn gives the metrics of a query, and the labels it uses.
func namesIn(query string) (metrics, labels []string) {
	query = quoted.ReplaceAllString(query, "")
	for _, m := range selector.FindAllStringSubmatch(query, -1) {
		labels = append(labels, word.FindAllString(m[2], -1)...)
	}
	for _, m := range grouping.FindAllStringSubmatch(query, -1) {
		labels = append(labels, word.FindAllString(m[2], -1)...)
	}
	for _, r := range []*regexp.Regexp{grouping, duration, called} {
		query = r.ReplaceAllString(query, " ")
	}
	query = regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(query, " ")
	for _, name := range word.FindAllString(query, -1) {
		if !slices.Contains(spoken, name) {
			metrics = append(metrics, name)
		}
	}
	return metrics, labels
}

// checkNames demands that a query's metrics and labels exist: the bot's own by the table, Go's and the process's by a bot
// that runs, others' by the table of what the dashboard takes.
func checkNames(t *testing.T, queries []string) {
	t.Helper()
	labels := map[string][]string{}
	for _, name := range ofTheProcess {
		labels[name] = nil
	}
	for name, s := range documented(t) {
		labels[name] = strings.Split(s.Labels, ",")
		if s.Type == "histogram" {
			labels[name+"_bucket"] = []string{"le"}
		}
	}
	for name, cells := range table(t, "## The dashboard") {
		labels[name] = strings.Split(labelsOf(cells[0]), ",")
	}
	for _, query := range queries {
		metrics, used := namesIn(query)
		if len(metrics) == 0 {
			t.Errorf("%s names no metric", query)
		}
		known := []string{"job", "instance"} // Prometheus adds them
		for _, m := range metrics {
			if _, ok := labels[m]; !ok {
				t.Errorf("%s: there is no metric %s", query, m)
			}
			known = append(known, labels[m]...)
		}
		for _, l := range used {
			if !slices.Contains(known, l) {
				t.Errorf("%s: no metric in it has a label %s", query, l)
			}
		}
	}
}

func TestNamesIn(t *testing.T) {
	rows := []struct {
		query           string
		metrics, labels []string
	}{
		{`sum by (job, le) (rate(a_bucket{x="b{c}", y!~"d"}[5m])) > 1`, []string{"a_bucket"}, []string{"x", "y", "job", "le"}},
		{`a / on (z) group_left (w) b offset 5m and absent(c)`, []string{"a", "b", "c"}, []string{"z", "w"}},
		{`ALERTS{alertname="A"}`, []string{"ALERTS"}, []string{"alertname"}},
	}
	for _, row := range rows {
		metrics, labels := namesIn(row.query)
		if !slices.Equal(metrics, row.metrics) || !slices.Equal(labels, row.labels) {
			t.Errorf("%s: got %v and %v", row.query, metrics, labels)
		}
	}
}
