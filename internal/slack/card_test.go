package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	slackapi "github.com/slack-go/slack"

	"cdcbot/internal/action"
	"cdcbot/internal/approval"
	"cdcbot/internal/chart"
	"cdcbot/internal/commands"
	"cdcbot/internal/connect"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/incident"
	"cdcbot/internal/remediation"
	"cdcbot/internal/runbook"
	"cdcbot/internal/timeline"
)

var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// deed is an action that is only looked at.
type deed struct {
	effect, target string
	risk           action.Risk
}

func (d deed) Kind() string                                             { return "test.deed" }
func (d deed) Effect() string                                           { return d.effect }
func (d deed) Risk() action.Risk                                        { return d.risk }
func (d deed) Target() string                                           { return d.target }
func (d deed) Deadline() time.Duration                                  { return 2 * time.Minute }
func (d deed) Run(context.Context, action.World) (action.Output, error) { return action.Output{}, nil }
func (d deed) Observe(context.Context, action.World) (bool, error)      { return false, nil }
func (d deed) Idempotent() bool                                         { return true }

func openView() remediation.View {
	return remediation.View{
		Incident: incident.Incident{ID: "INC-42", Pipeline: "warehouse", Alert: "KafkaConnectTaskFailure", Runbook: "kafka-connect-connector-failure", Severity: "critical", State: incident.Open,
			SLOImpact: "orders are late in the warehouse", Summary: "A task has failed.", StartedAt: noon, OpenedAt: noon.Add(time.Minute),
			Affected: []incident.Affected{{Connector: "postgres-sink-connector", Task: "0", FirstSeen: noon}},
			Links:    []incident.Link{{Title: "Alert", URL: "http://prometheus.example:9090/graph?g0.expr=up"}}},
		Now: noon.Add(2 * time.Minute),
	}
}

func diagnosedView() remediation.View {
	v := openView()
	v.Diagnosis = &diagnosis.Diagnosis{At: noon.Add(time.Minute), Headline: "postgres-sink-connector: PostgreSQL refused the connection — it is back now, a restart will help",
		Excerpt: "org.postgresql.util.PSQLException: Connection to postgres:5432 refused.\nCaused by: java.net.ConnectException: Connection refused",
		Causes: []diagnosis.Cause{{Slug: diagnosis.DatabaseConnection, Title: "PostgreSQL refused the connection", Confidence: 0.9, Retriable: true,
			Why: "The database answers again, so a restart will help.", Connectors: []string{"postgres-sink-connector"},
			For: []diagnosis.Remark{
				{Text: "java.net.ConnectException: Connection refused", Source: "trace of task 0", At: noon},
				{Text: "SELECT 1 answered in 3 ms", Source: "postgres", At: noon.Add(time.Minute)},
				{Text: "Symptom of the runbook seen", Source: "cause-1-database-connection-failure", At: noon},
				{Text: "the retention of orders was changed", Source: "configuration", At: noon}, {Text: "not shown", Source: "nowhere", At: noon}},
			Mend: []string{`ALTER TABLE "cdc_orders" ADD COLUMN "coupon" text`}},
			{Slug: diagnosis.Authentication, Title: "Authentication or authorization failure", Confidence: 0.35}},
		Clocks:   []diagnosis.Clock{{What: "Kafka deletes the oldest record that postgres-sink-connector has not read", How: "orders/0 at 1234, kept 7 days", Until: noon.Add(220 * time.Minute)}},
		Healers:  []diagnosis.Healer{{Connector: "postgres-sink-connector", Name: "Strimzi", Text: "Strimzi restarts it again within 2 min"}},
		News:     []string{"postgres answers again"},
		Kin:      []diagnosis.Kin{{Incident: "INC-43", Pipeline: "europe", Why: "postgres does not answer either: connect 10.0.0.5:5432: connection refused"}},
		Subjects: []diagnosis.Line{{Connector: "cassandra-source-connector", State: "RUNNING", Tasks: 1}, {Connector: "postgres-sink-connector", State: "RUNNING", Tasks: 3, Failed: []int{0, 2}, Worker: "10.0.0.7:8083"}},
	}
	v.Fixes = []remediation.Fix{
		{Section: "restart", Title: "Restart failed tasks", Effect: "Restarts the failed tasks of postgres-sink-connector.", Risk: "change", Recommended: true, Steps: 2},
		{Section: "cause-1-database-connection-failure", Title: "Runbook: Database Connection Failure", Effect: "Restarts PostgreSQL, then the connector.", Risk: "change", Manual: 1, Steps: 3},
		{Section: "pause-pipeline", Title: "Pause the pipeline", Effect: "Pauses both connectors.", Risk: "change", Emergency: true, Steps: 2},
	}
	return v
}

// flowingView knows how records flowed until the failure.
func flowingView() remediation.View {
	v := diagnosedView()
	v.Pace = &chart.Coarse{Title: "Records per minute: postgres-sink-connector", Unit: "records per minute", Series: []chart.CoarseSeries{{Name: "postgres-…connector"}}}
	for i := range 20 {
		at, records := noon.Add(time.Duration(3*i-45)*time.Minute), 900+40*float64(i%3)
		label := at.Format("15:04")
		if i == 15 {
			label += " failed"
		}
		if i >= 15 {
			records = 0
		}
		v.Pace.Labels, v.Pace.Series[0].Values = append(v.Pace.Labels, label), append(v.Pace.Series[0].Values, records)
	}
	return v
}

func pendingRequest() remediation.Asked {
	return remediation.Asked{
		Request: approval.Request{ID: "REQ-17", Incident: "INC-42", Digest: strings.Repeat("ab12", 16), Title: "Restart failed tasks", Risk: "change", Requester: "UONCALL",
			Reason: "the database is back", Needed: 1, State: approval.Pending, CreatedAt: noon, ExpiresAt: noon.Add(30 * time.Minute),
			Recipe: approval.Recipe{Runbook: "builtin", Section: "restart"}},
		Plan: runbook.Plan{Title: "Restart failed tasks", Risk: action.Change, Steps: []runbook.Step{
			{Title: "Restart", Action: deed{"Restarts the failed tasks of postgres-sink-connector.", "connect/warehouse/postgres-sink-connector", action.Change}, Source: "curl -X POST localhost:8083/connectors/postgres-sink-connector/restart?includeTasks=true", Line: 12},
			{Title: "Restart the database", Guard: runbook.Guard{Text: "If PostgreSQL is down", Target: "postgres"}, Manual: "Restart PostgreSQL: docker-compose restart postgres"}}},
	}
}

func decided(s approval.State, v approval.Verdict) remediation.Asked {
	a := pendingRequest()
	a.Request.State, a.Request.EndedAt = s, noon.Add(5*time.Minute)
	if v != "" {
		a.Request.Decisions = []approval.Decision{{User: "UAPPROVER", Verdict: v, Digest: a.Request.Digest, Reason: "looked at it", At: noon.Add(4 * time.Minute)}}
	}
	if s == approval.Used {
		a.Request.Run = "RUN-5"
	}
	return a
}

func runOf(state remediation.RunState, steps ...remediation.RunStep) remediation.Run {
	return remediation.Run{ID: "RUN-5", Incident: "INC-42", Request: "REQ-17", Title: "Restart failed tasks", State: state, StartedAt: noon, Steps: steps,
		Requester: "UONCALL", Approvers: []string{"UAPPROVER"}}
}

func step(state remediation.StepState, title string) remediation.RunStep {
	s := remediation.RunStep{Title: title, Effect: title + " in full.", State: state}
	if state != remediation.StepPending {
		s.StartedAt = noon
	}
	if state == remediation.StepSucceeded || state == remediation.StepFailed {
		s.EndedAt, s.Output = noon.Add(2300*time.Millisecond), "RUNNING 3/3"
	}
	return s
}

func withRun(r remediation.Run) remediation.View {
	v := diagnosedView()
	v.Incident.State, v.Incident.Owner = incident.Mitigating, "UONCALL"
	v.Requests, v.Runs = []remediation.Asked{decided(approval.Used, approval.Approve)}, []remediation.Run{r}
	return v
}

func resolvedView() remediation.View {
	r := runOf(remediation.Fixed, step(remediation.StepSucceeded, "Restart the failed tasks"))
	r.EndedAt, r.Verdict, r.Proof = noon.Add(20*time.Second), "fixed", []string{"3 of 3 tasks RUNNING for 10 s", "offsets moved by 12"}
	v := withRun(r)
	v.Incident.State, v.Incident.AcknowledgedAt, v.Incident.MitigatedAt, v.Incident.ResolvedAt = incident.Resolved, noon.Add(3*time.Minute), noon.Add(12*time.Minute), noon.Add(42*time.Minute)
	return v
}

// stormView is as many connectors as anybody runs, all failing, with the worst texts.
func stormView() remediation.View {
	v := diagnosedView()
	v.Incident.Affected, v.Diagnosis.Subjects = nil, nil
	for i := range 500 {
		name := fmt.Sprintf("connector-%03d %s", i, strings.Repeat("ü", 300))
		v.Incident.Affected = append(v.Incident.Affected, incident.Affected{Connector: name})
		v.Diagnosis.Subjects = append(v.Diagnosis.Subjects, diagnosis.Line{Connector: name, State: "FAILED", Tasks: 64, Failed: []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, Worker: strings.Repeat("w", 500)})
	}
	v.Diagnosis.Headline, v.Diagnosis.Excerpt = strings.Repeat("head ", 500), strings.Repeat("trace 漢字 <!channel>\n", 5000)
	v.Diagnosis.Causes[0].Title, v.Diagnosis.Causes[0].Why = strings.Repeat("t", 9000), strings.Repeat("w", 9000)
	for i := range v.Diagnosis.Causes[0].For {
		v.Diagnosis.Causes[0].For[i].Text = strings.Repeat("\x00\xffremark ", 4000)
	}
	for i := range 40 {
		v.Fixes = append(v.Fixes, remediation.Fix{Section: strings.Repeat("s", 100), Option: i, Title: strings.Repeat("title ", 50), Effect: strings.Repeat("effect ", 800)})
	}
	return v
}

var evil = "<!channel> <@U1> <http://evil.example|bank> *x* ```y``` &lt; \u202egnp.exe"

func evilView() remediation.View {
	v := diagnosedView()
	v.Incident.Affected[0].Connector, v.Incident.Severity, v.Incident.Pipeline, v.Incident.SLOImpact, v.Incident.Owner = evil, evil, evil, evil, "UONCALL"
	v.Diagnosis.Headline, v.Diagnosis.Excerpt = evil, evil
	v.Diagnosis.Causes[0].Title, v.Diagnosis.Causes[0].Why, v.Diagnosis.Causes[0].For[0].Text = evil, evil, evil
	v.Diagnosis.Subjects[1].Connector, v.Fixes[0].Title, v.Fixes[0].Effect = evil, evil, evil
	a := pendingRequest()
	a.Request.Reason, a.Request.Title, a.Plan.Steps[1].Manual = evil, evil, evil
	v.Requests = []remediation.Asked{a}
	r := runOf(remediation.Failed, remediation.RunStep{Title: evil, State: remediation.StepFailed, Error: evil, StartedAt: noon, EndedAt: noon})
	r.Title, r.Verdict, r.Proof = evil, evil, []string{evil}
	v.Runs = []remediation.Run{r}
	return v
}

func views() map[string]remediation.View {
	stuck := step(remediation.StepWaiting, "Restart PostgreSQL")
	stuck.Manual = true
	broken := step(remediation.StepFailed, "Restart the failed tasks")
	broken.Error = "restart of connector \"postgres-sink-connector\" on cluster warehouse: the worker did not answer in time"
	failed := runOf(remediation.Failed, step(remediation.StepSucceeded, "Look"), broken)
	failed.EndedAt, failed.Verdict = noon.Add(time.Minute), "same error"
	asked := diagnosedView()
	asked.Requests = []remediation.Asked{pendingRequest()}
	high := diagnosedView()
	risky := pendingRequest()
	risky.Request.Risk, risky.Request.Needed, risky.Request.Requester = "high", 2, ""
	risky.Request.Decisions = []approval.Decision{{User: "UAPPROVER", Verdict: approval.Approve, At: noon}}
	risky.Looks = []remediation.Look{{Step: 1, Text: "- errors.tolerance = none\n+ errors.tolerance = all"}, {Step: 2, Text: "not known yet: the worker cannot be reached", Note: true}}
	high.Requests, high.Incident.Owner = []remediation.Asked{risky}, "UONCALL"
	ended := diagnosedView()
	void := decided(approval.Voided, "")
	void.Stale = "the plan is no longer what was requested: runbook kafka-connect-connector-failure was edited"
	ended.Requests = []remediation.Asked{decided(approval.Rejected, approval.Reject), decided(approval.Expired, ""), decided(approval.Withdrawn, ""), void}
	for i := range ended.Requests {
		ended.Requests[i].Request.ID = fmt.Sprintf("REQ-%d", 17+i)
	}
	monitoring := resolvedView()
	monitoring.Incident.State, monitoring.Incident.ResolvedAt = incident.Monitoring, time.Time{}
	monitoring.Diagnosis.Causes = []diagnosis.Cause{{Slug: diagnosis.None, Title: "Healthy", Confidence: 1}}
	closed := resolvedView()
	closed.Incident.State = incident.Closed
	return map[string]remediation.View{
		"open": openView(), "diagnosed": diagnosedView(), "asked": asked, "asked-high": high, "requests-ended": ended,
		"running": withRun(runOf(remediation.Running, step(remediation.StepSucceeded, "Look"), step(remediation.StepRunning, "Restart the failed tasks"), step(remediation.StepPending, "Verify"))),
		"waiting": withRun(runOf(remediation.Waiting, stuck, step(remediation.StepPending, "Restart the failed tasks"))),
		"unknown": withRun(runOf(remediation.Waiting, step(remediation.StepUnknown, "Restart the failed tasks"))),
		"failed":  withRun(failed), "monitoring": monitoring, "resolved": resolvedView(), "closed": closed, "storm": stormView(), "evil": evilView(),
	}
}

func golden(t *testing.T, name string, got any) {
	t.Helper()
	goldenIn(t, "cards", name, got)
}

func goldenIn(t *testing.T, folder, name string, got any) {
	t.Helper()
	js, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	js = append(js, '\n')
	file := filepath.Join("testdata", folder, name+".json")
	if *update {
		if err := os.WriteFile(file, js, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(js, want) {
		t.Errorf("%s differs; -update writes it anew\n%s", file, cmp.Diff(string(want), string(js)))
	}
}

// drawn is a message as Slack takes it.
type drawn struct {
	Text   string           `json:"text"`
	Blocks []slackapi.Block `json:"blocks"`
}

// goldens compares a drawing with its file, and the drawing without newer blocks with a second one.
func goldens(t *testing.T, name, text string, d drawing) {
	t.Helper()
	checkBlocks(t, name, d.blocks)
	golden(t, name, drawn{text, d.blocks})
	if d.plain != nil {
		checkBlocks(t, name+" without newer blocks", d.plain)
		golden(t, name+"-plain", drawn{text, d.plain})
	}
}

func TestCards(t *testing.T) {
	for name, v := range views() {
		t.Run(name, func(t *testing.T) {
			for _, c := range cards(v) {
				goldens(t, "card-"+name+"-"+strings.ReplaceAll(c.key, ":", "-"), c.text, c.drawing)
			}
		})
	}
}

// The chart in the first message has a folder of its own: slack_sdk 3.47.0 and @slack/types 3.2.0, which check all cards,
// do not know data_visualization yet. slack-go and the simulated workspace do.
func TestPaceIsDrawn(t *testing.T) {
	c := cards(flowingView())[0]
	checkBlocks(t, "flow", c.blocks)
	goldenIn(t, "charts", "card-flow-root", drawn{c.text, c.blocks})
	last, ok := c.blocks[len(c.blocks)-1].(*slackapi.DataVisualizationBlock)
	if !ok {
		t.Fatalf("the last block is a %s, expected the chart below the buttons", c.blocks[len(c.blocks)-1].BlockType())
	}
	if err := last.Validate(); err != nil {
		t.Error(err)
	}
	if without := cards(diagnosedView())[0]; size(without.blocks) != size(c.plain) {
		t.Error("without the chart the card is not what it is when nothing is known of the flow")
	}
}

func TestSameViewDrawsTheSame(t *testing.T) {
	for name, v := range views() {
		before := cards(v)
		v.Now = v.Now.Add(time.Hour)
		for i, c := range cards(v) {
			if c.hash() != before[i].hash() {
				t.Errorf("%s/%s looks different an hour later although nothing happened", name, c.key)
			}
		}
	}
}

// TestUntrustedTextIsNeverMarkup: the words of others appear only where Slack does not look for markup, or escaped.
func TestUntrustedTextIsNeverMarkup(t *testing.T) {
	for _, c := range cards(evilView()) {
		js, _ := json.Marshal(c.blocks)
		var blocks any
		if err := json.Unmarshal(js, &blocks); err != nil {
			t.Fatal(err)
		}
		walk(blocks, func(o map[string]any) {
			s, _ := o["text"].(string)
			if o["type"] == "mrkdwn" && (strings.Contains(s, "<!channel") || strings.Contains(s, "<@U1>") || strings.Contains(s, "<http") || strings.Contains(s, "```")) {
				t.Errorf("card %s: markup from others in %q", c.key, s)
			}
			if strings.ContainsRune(s, '\u202e') {
				t.Errorf("card %s: text that turns its direction in %q", c.key, s)
			}
		})
		if strings.ContainsAny(c.text, "<>") {
			t.Errorf("card %s: notification %q is not escaped", c.key, c.text)
		}
	}
}

func TestSecretsDoNotReachCards(t *testing.T) {
	v := diagnosedView()
	secret := "hunter2hunter2"
	v.Diagnosis.Excerpt = "jdbc:postgresql://db/x?user=u&password=" + secret
	v.Diagnosis.Causes[0].For[0].Text = "password=" + secret
	v.Runs = []remediation.Run{runOf(remediation.Failed, remediation.RunStep{Title: "x", State: remediation.StepFailed, Error: "https://u:" + secret + "@db/"})}
	for _, c := range cards(v) {
		js, _ := json.Marshal(c.blocks)
		if strings.Contains(string(js)+c.text, secret) {
			t.Errorf("card %s tells the secret", c.key)
		}
	}
}

func walk(v any, see func(map[string]any)) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			walk(x, see)
		}
	case map[string]any:
		see(v)
		for _, x := range v {
			walk(x, see)
		}
	}
}

// checkBlocks holds blocks against Slack's limits.
func checkBlocks(t *testing.T, name string, list []slackapi.Block) {
	t.Helper()
	js, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	if n := utf8.RuneCount(js); len(list) > 50 || len(list) == 0 || n >= 13000 {
		t.Errorf("%s: %d blocks, %d characters", name, len(list), n)
	}
	var blocks any
	if err := json.Unmarshal(js, &blocks); err != nil {
		t.Fatal(err)
	}
	visible := 0
	walk(blocks, func(o map[string]any) { visible += checkObject(t, name, o) })
	if visible > 3 {
		t.Errorf("%s: %d visible buttons", name, visible)
	}
}

func checkObject(t *testing.T, name string, o map[string]any) (buttons int) {
	t.Helper()
	limit := func(field string, value any, most int) {
		if n := utf8.RuneCountInString(fmt.Sprint(value)); n > most || n == 0 {
			t.Errorf("%s: %s of %v has %d characters, at most %d", name, field, o["type"], n, most)
		}
	}
	nested := func(key string) any { m, _ := o[key].(map[string]any); return m["text"] }
	switch o["type"] {
	case "header":
		limit("text", nested("text"), 150)
	case "section":
		limit("text", nested("text"), 3000)
	case "button":
		limit("text", nested("text"), 75)
		limit("value", o["value"], 2000)
		limit("action_id", o["action_id"], 255)
		return 1
	case "overflow":
		if options := o["options"].([]any); len(options) < 1 || len(options) > 5 {
			t.Errorf("%s: %d options", name, len(options))
		}
	case "text":
		limit("text", o["text"], 3000)
	}
	if o["value"] != nil && o["type"] == nil {
		limit("option value", o["value"], 150)
	}
	return 0
}

func statusOf(n int, state connect.State) commands.Status {
	c := commands.ClusterStatus{Pipeline: "warehouse", Cluster: "warehouse", Version: "4.3.1"}
	for i := range n {
		task := connect.Task{ID: 0, State: state, WorkerID: "w:8083"}
		c.Rows = append(c.Rows, commands.ConnectorRow{Status: connect.Status{Name: fmt.Sprintf("connector-%04d with a rather long name", i), State: "RUNNING", Tasks: []connect.Task{task, {ID: 1, State: "RUNNING"}}}, Incident: "INC-42", Since: noon, Owner: "UONCALL"})
	}
	return commands.Status{At: noon, Clusters: []commands.ClusterStatus{c}}
}

func paged(s commands.Status, page int) commands.Status {
	s.Page, s.Pipeline, s.Clusters[0].Rows[130].Lag = page, "warehouse", ptr(int64(1234))
	return s
}

func TestReplies(t *testing.T) {
	mixed := statusOf(1, "FAILED")
	mixed.Clusters[0].Rows = append(mixed.Clusters[0].Rows, commands.ConnectorRow{Status: connect.Status{Name: evil, State: "RUNNING", Tasks: []connect.Task{{State: "RUNNING"}}}})
	mixed.Clusters = append(mixed.Clusters, commands.ClusterStatus{Pipeline: "users", Cluster: "users", Err: "The worker cannot be reached."})
	one := openView()
	many := make([]incident.Incident, 60)
	for i := range many {
		many[i] = one.Incident
	}
	var events []timeline.Event
	for i := range 30 {
		events = append(events, timeline.Event{Seq: int64(i), Time: noon.Add(time.Duration(i) * time.Minute), Text: "something happened " + evil})
	}
	help := []commands.HelpLine{{Usage: "/cdc status [connector]", Text: "What runs, what failed, since when.", Example: "/cdc status x"}}
	for name, r := range map[string]commands.Reply{
		"status":         {Text: "1 of 2 connectors need attention; users does not answer", Status: &mixed},
		"status-5000":    {Text: "5000 of 5000 connectors need attention", Status: ptr(statusOf(5000, "FAILED"))},
		"status-well":    {Text: "all 5000 connectors are well", Status: ptr(statusOf(5000, "RUNNING"))},
		"status-empty":   {Text: "all 0 connectors are well", Status: ptr(statusOf(0, ""))},
		"incidents":      {Text: "60 incident(s)", Incidents: many},
		"incident":       {Text: "INC-42", Incident: ptr(diagnosedView())},
		"menu":           {Text: "1 of 3 connectors need attention · 1 open incident", Choices: []commands.Choice{{Label: "Status", Command: commands.Command{Verb: commands.VerbStatus}}, {Label: "Open incidents", Command: commands.Command{Verb: commands.VerbIncidents}}, {Label: "Approvals", Command: commands.Command{Verb: commands.VerbApprovals}}, {Label: "All commands", Command: commands.Command{Verb: commands.VerbHelp}}}},
		"waiting":        {Text: "1 of 3 waiting plans can be decided by you", Waiting: &commands.Waiting{Yours: []remediation.Asked{pendingRequest()}, Asked: []remediation.Asked{pendingRequest()}, Others: []remediation.Asked{pendingRequest()}}},
		"verbatim":       {Text: "2 records of warehouse wait", Verbatim: "dlq_id | error_type\n17 | x " + evil},
		"status-page-9":  {Text: "5000 of 5000 connectors need attention", Status: ptr(paged(statusOf(5000, "FAILED"), 9))},
		"help":           {Text: "What I can do", Help: help},
		"timeline":       {Text: "INC-42", Timeline: events},
		"error":          {Text: "There is no connector \"" + evil + "\".", Error: true, Suggest: []string{"/cdc status postgres-sink-connector"}},
		"text-very-long": {Text: strings.Repeat("long ", 3000)},
	} {
		t.Run(name, func(t *testing.T) {
			b := testBot(t)
			s := b.draw(t.Context(), r)
			goldens(t, "reply-"+name, s.text, s.drawing)
		})
	}
}

func ptr[T any](v T) *T { return &v }

func testBot(t *testing.T) *Bot {
	t.Helper()
	b, err := New(Options{AppToken: "xapp-1", BotToken: "xoxb-1", APIURL: "http://127.0.0.1:1/api/", Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	b.self.Store(&slackapi.AuthTestResponse{URL: "https://team.slack.com/", UserID: "UBOT", BotID: "BBOT", TeamID: "T1"})
	return b
}

func TestModals(t *testing.T) {
	question := commands.Question{Title: "Fill in the plan, all of it", Submit: "Ask for approval", Intro: "The runbook leaves these open.",
		Then:   commands.Command{Verb: commands.VerbFix, Incident: "INC-42", Section: "cause-2", Option: 1},
		Fields: []commands.Field{{Name: "lease_id", Label: "lease id", Hint: evil, MaxLength: 300}, {Name: "reason", Label: "Why", Optional: true, Multiline: true, MaxLength: 500}}}
	from := place{Channel: "C1", Thread: "1.2"}
	for name, r := range map[string]commands.Reply{"question": {Ask: &question}, "plan": {Plan: ptr(pendingRequest())}} {
		t.Run(name, func(t *testing.T) {
			view, err := viewOf(r, from)
			if err != nil {
				t.Fatal(err)
			}
			if n := utf8.RuneCountInString(view.Title.Text); n > 24 {
				t.Errorf("title of %d characters", n)
			}
			checkBlocks(t, name, view.Blocks.BlockSet)
			golden(t, "modal-"+name, view)
		})
	}
}

func TestHome(t *testing.T) {
	status := statusOf(5, "FAILED")
	status.Clusters = append(status.Clusters, statusOf(12, "RUNNING").Clusters[0], commands.ClusterStatus{Pipeline: "users", Cluster: "users", Err: "The worker cannot be reached."})
	asked := pendingRequest()
	busy := commands.Home{At: noon, Status: status, Incidents: []incident.Incident{openView().Incident}, Waiting: commands.Waiting{Yours: []remediation.Asked{asked, asked}, Asked: []remediation.Asked{asked}},
		Standing: []approval.Standing{{ID: "STA-9", Pipeline: "warehouse", Title: "Restart the failed tasks of " + evil, Requester: "UONCALL", Approvers: []string{"UAPPROVER"}, Most: 3, Used: 1, Until: noon.Add(time.Hour)}},
		Links:    []incident.Link{{Title: "On-call schedule", URL: "https://example.com/oncall"}}, Problems: []string{"Redis does not answer."}}
	full := busy
	for range 30 {
		full.Yours, full.Asked, full.Standing, full.Incidents = append(full.Yours, asked), append(full.Asked, asked), append(full.Standing, busy.Standing[0]), append(full.Incidents, busy.Incidents[0])
	}
	full.Status = statusOf(5000, "FAILED")
	for name, h := range map[string]commands.Home{"busy": busy, "full": full, "calm": {At: noon, Status: statusOf(3, "RUNNING")}, "empty": {At: noon}} {
		t.Run(name, func(t *testing.T) {
			view := testBot(t).homeView(t.Context(), h, "5 of 17 connectors need attention", "You approved REQ-1.")
			if n := len(view.Blocks.BlockSet); n > 100 {
				t.Errorf("%d blocks; a Home has at most 100", n)
			}
			golden(t, "home-"+name, view)
		})
	}
}

func TestQuestionThatCannotTravelIsRefused(t *testing.T) {
	q := commands.Question{Then: commands.Command{Verb: commands.VerbFix, Inputs: map[string]string{"x": strings.Repeat("y", 4000)}}}
	if _, err := questionOf(q, place{}); err == nil || !strings.Contains(err.Error(), "3000") {
		t.Errorf("got %v, want an error that names the limit", err)
	}
}
