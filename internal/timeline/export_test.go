package timeline

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write golden files")

// told makes a chain of events without Redis; at is seconds after the first.
type told struct {
	at   float64
	kind Type
	by   Actor
	text string
	data string
}

func chain(t testing.TB, list []told) []Event {
	t.Helper()
	var events []Event
	prev := ""
	for i, s := range list {
		e, err := (&Log{}).clean(Event{Incident: "INC-7", Type: s.kind, Actor: s.by, Text: s.text, Data: json.RawMessage(s.data)})
		if err != nil {
			t.Fatal(err)
		}
		e.Seq, e.Prev, e.Time = int64(i+1), prev, newClock().at.Add(time.Duration(s.at*1000)*time.Millisecond)
		if e.Hash, err = sum(e); err != nil {
			t.Fatal(err)
		}
		prev = e.Hash
		events = append(events, e)
	}
	return events
}

var (
	oncall   = Person("U0ONCALL", "oncall")
	approver = Person("U0APPROVER", "approver")
	manager  = Actor{Kind: "alertmanager", Name: "alertmanager"}
)

// outage is a whole incident: two alerts, a rejected plan, a failed run, a relapse, and a run that heals.
var outage = []told{
	{0, AlertReceived, manager, "KafkaConnectTaskFailure on postgres-sink-connector task 0 is firing", `{"connector":"postgres-sink-connector","starts_at":"2026-03-01T09:57:30Z"}`},
	{0.02, IncidentOpened, Bot, "INC-7 opened for pipeline warehouse", `{"severity":"critical"}`},
	{1.5, DiagnosisMade, Bot, "PostgreSQL refuses connections", `{"causes":[{"title":"PostgreSQL is down","why":"connection refused on 5432","confidence":0.9},{"title":"Wrong password","why":"nothing speaks for it"}]}`},
	{60, NoteAdded, oncall, "looking | at `it` <!channel> @here *now* https://evil.example [x](y)", ""},
	{90, PlanProposed, oncall, "oncall asks for: Recreate the connector", `{"request":"REQ-1","digest":"aaaa0000"}`},
	{100, PlanRejected, approver, "approver rejects: Recreate the connector — loses offsets\nsecond line", `{"request":"REQ-1","digest":"aaaa0000"}`},
	{120, PlanProposed, oncall, "oncall asks for: Restart failed tasks", `{"request":"REQ-2","digest":"bbbb1111"}`},
	{150, PlanApproved, approver, "approver approves: Restart failed tasks", `{"request":"REQ-2","digest":"bbbb1111"}`},
	{150.5, RunStarted, Bot, "RUN-1 starts: Restart failed tasks", `{"run":"RUN-1","request":"REQ-2","digest":"bbbb1111"}`},
	{150.7, IncidentMoved, Bot, "INC-7: open → mitigating (RUN-1 runs)", `{"from":"open","to":"mitigating"}`},
	{151, StepStarted, Bot, "step 1 starts: restart the failed tasks of postgres-sink-connector", `{"run":"RUN-1","step":1}`},
	{155, StepFailed, Bot, "step 1 failed: task 0 failed again", "{\"run\":\"RUN-1\",\"step\":1,\"output\":\"task 0: FAILED\",\"error\":\"org.apache.kafka.connect.errors.ConnectException: ```boom``` | pipe\"}"},
	{156, RunFinished, Bot, "RUN-1 ends: step 1 failed", `{"run":"RUN-1","state":"failed"}`},
	{200, MessagePosted, oncall, "=HYPERLINK(\"http://evil\",\"click\")", ""},
	{210, DiagnosisMade, Bot, "PostgreSQL answers again; the task needs a restart", `{"causes":[{"title":"The task gave up","why":"PostgreSQL answers now"}]}`},
	{240, PlanProposed, oncall, "oncall asks for: Restart failed tasks", `{"request":"REQ-3","digest":"bbbb1111"}`},
	{260, PlanApproved, approver, "approver approves: Restart failed tasks", `{"request":"REQ-3","digest":"bbbb1111"}`},
	{261, RunStarted, Bot, "RUN-2 starts: Restart failed tasks", `{"run":"RUN-2","request":"REQ-3","digest":"bbbb1111"}`},
	{262, StepStarted, Bot, "step 1 starts: restart the failed tasks of postgres-sink-connector", `{"run":"RUN-2","step":1}`},
	{270, StepSucceeded, Bot, "step 1 done: restart", "{\"run\":\"RUN-2\",\"step\":1,\"output\":\"short\",\"full\":\"connector RUNNING\\ntask 0 RUNNING\\n```\\nnot the end\"}"},
	{290, VerificationPassed, Bot, "fixed: all connectors RUNNING for 10s; rows of orders: 10 → 12", `{"run":"RUN-2"}`},
	{291, RunFinished, Bot, "RUN-2 ends: fixed", `{"run":"RUN-2","state":"fixed"}`},
	{292, IncidentMoved, Bot, "INC-7: mitigating → monitoring (verified)", `{"from":"mitigating","to":"monitoring"}`},
	{2092.25, IncidentMoved, Bot, "INC-7: monitoring → resolved (quiet for 30m0s)", `{"from":"monitoring","to":"resolved"}`},
}

func sample(t testing.TB) Document {
	s := Summary{ID: "INC-7", Alert: "KafkaConnectTaskFailure", Pipeline: "warehouse", Severity: "critical", SLOImpact: "orders are late | <b>", State: "resolved",
		Connectors: []string{"postgres-sink-connector", "a|b`c"}}
	list := []string{"Document error trace and root cause", "Review connector configuration for improvements", "Add monitoring for newly identified failure mode"}
	return NewDocument(s, chain(t, outage), list, newClock().at.Add(time.Hour))
}

func TestGolden(t *testing.T) {
	for _, format := range []string{"md", "html", "json", "csv"} {
		got := export(t, format, sample(t))
		name := filepath.Join("testdata", "outage."+format)
		if *update {
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s differs (go test -update writes it):\n%s", name, diff)
		}
	}
	if err := Export(&bytes.Buffer{}, "pdf", sample(t).Report()); !errors.Is(err, ErrFormat) {
		t.Errorf("pdf: %v, want ErrFormat", err)
	}
}

func TestSummary(t *testing.T) {
	at := func(seconds float64) time.Time {
		return newClock().at.Add(time.Duration(seconds*1000) * time.Millisecond)
	}
	got := sample(t).Incident
	want := Summary{ID: "INC-7", Alert: "KafkaConnectTaskFailure", Pipeline: "warehouse", Severity: "critical", SLOImpact: "orders are late | <b>", State: "resolved",
		Connectors: []string{"postgres-sink-connector", "a|b`c"}, Cause: "PostgreSQL answers again; the task needs a restart", Fix: "RUN-2 starts: Restart failed tasks",
		StartedAt: at(-150), OpenedAt: at(0.02), AcknowledgedAt: at(90), MitigatedAt: at(290), ResolvedAt: at(2092.25),
		DetectSeconds: 150.02, AckSeconds: 89.98, ApproveSeconds: 21, FixSeconds: 30, RepairSeconds: 440, People: []string{"oncall (U0ONCALL)", "approver (U0APPROVER)"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A reopened incident is not mitigated until it is well again; what the events do not tell comes from the record.
func TestSummaryOfOddIncidents(t *testing.T) {
	began := newClock().at
	relapse := append(slices.Clone(outage), told{2100, IncidentReopened, Bot, "INC-7 is open again", ""})
	for _, row := range []struct {
		name string
		list []told
		in   Summary
		want Summary
	}{
		{"nothing but the record", []told{{0, NoteAdded, Bot, "x", ""}}, Summary{ID: "INC-7", StartedAt: began, OpenedAt: began.Add(time.Second), MitigatedAt: began.Add(time.Minute)},
			Summary{ID: "INC-7", StartedAt: began, OpenedAt: began.Add(time.Second), MitigatedAt: began.Add(time.Minute), DetectSeconds: 1, RepairSeconds: 60}},
		{"nothing at all", []told{{0, NoteAdded, Bot, "x", `[1]`}}, Summary{ID: "INC-7"}, Summary{ID: "INC-7"}},
		{"clocks disagree", []told{{0, AlertReceived, Bot, "x", `{"starts_at":"2026-03-01T10:05:00Z"}`}, {1, IncidentOpened, Bot, "x", ""}}, Summary{ID: "INC-7"},
			Summary{ID: "INC-7", StartedAt: began.Add(5 * time.Minute), OpenedAt: began.Add(time.Second)}},
	} {
		if diff := cmp.Diff(row.want, NewDocument(row.in, chain(t, row.list), nil, began).Incident); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
	if got := NewDocument(Summary{ID: "INC-7"}, chain(t, relapse), nil, began).Incident; !got.MitigatedAt.IsZero() || !got.ResolvedAt.IsZero() || got.RepairSeconds != 0 {
		t.Errorf("reopened: mitigated %s, resolved %s", got.MitigatedAt, got.ResolvedAt)
	}
}

// No text of an event is markup, a mention, a link or a formula in what people open.
func TestNothingIsInjected(t *testing.T) {
	nasty := []string{"<!channel>", "<@U1>", "@everyone", "*b*", "_i_", "~s~", "`c`", "```", "| cell |", "[a](http://b)", "![i](j)", "# h", "<script>alert(1)</script>", "&lt;", "https://evil.example", "www.evil.example",
		"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "a\nb", "a\r\n# h", "\u202eabc", "a\x00b\x1b[31m", "\\|", "$x$", `"`, `a","b`}
	var list []told
	for _, s := range nasty {
		list = append(list, told{0, NoteAdded, Person("U1", s), s, ""}, told{0, StepFailed, Bot, s, string(must[[]byte](t)(json.Marshal(map[string]string{"output": s, "error": s})))})
	}
	d := NewDocument(Summary{ID: "INC-7", Alert: nasty[0], Pipeline: nasty[10]}, chain(t, list), nasty, newClock().at)
	outside := outsideCode(export(t, "md", d))
	for _, bad := range []string{"<!channel>", "<@U1>", "<script", "@everyone", "a](http", "j](", "https://evil", "www.evil", "\u202e", "\x00", "\x1b", " *b*", " `c`"} {
		if strings.Contains(outside, bad) {
			t.Errorf("Markdown has %q", bad)
		}
	}
	for i, l := range strings.Split(outside, "\n") {
		if strings.HasPrefix(l, "|") && !strings.HasPrefix(l, "|---") && strings.HasPrefix(l, "| ") && strings.Count(strings.ReplaceAll(l, "\\\\", ""), "|")-strings.Count(strings.ReplaceAll(l, "\\\\", ""), "\\|") > 8 {
			t.Errorf("line %d has too many cells: %s", i+1, l)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(export(t, "csv", d))).ReadAll()
	if err != nil || len(rows) != len(list)+1 {
		t.Fatalf("%d rows of CSV, %v", len(rows), err)
	}
	for _, row := range rows {
		for _, c := range row {
			if lead := strings.TrimLeft(c, " \t\r\n"); lead != "" && strings.ContainsAny(lead[:1], "=+-@") {
				t.Errorf("CSV cell %q", c)
			}
		}
	}
	if err := throughJSON(t, d).Verify(); err != nil {
		t.Error(err)
	}
}

// outsideCode drops fenced blocks, as a Markdown reader sees them.
func outsideCode(text string) string {
	var kept []string
	fence := ""
	for line := range strings.SplitSeq(text, "\n") {
		ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence == "" && len(ticks) >= 3:
			fence = ticks
		case fence != "" && line == fence:
			fence = ""
		case fence == "":
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func TestWords(t *testing.T) {
	for _, row := range []struct {
		in   float64
		want string
	}{
		{0.02, "0.02 s"}, {1, "1 s"}, {59.9, "1 min 0 s (59.9 s)"}, {60, "1 min 0 s (60 s)"}, {200, "3 min 20 s (200 s)"}, {3600, "1 h 0 min (3600 s)"}, {200_000.5, "2 d 7 h (200000.5 s)"},
	} {
		if got := words(row.in); got != row.want {
			t.Errorf("words(%v) = %q, want %q", row.in, got, row.want)
		}
	}
}

// Every byte of the events in an export counts: whichever is changed, reading or verifying says so. Blanks are free.
func TestEveryByteCounts(t *testing.T) {
	whole := export(t, "json", sample(t))
	from, to := strings.Index(whole, `"events"`), strings.Index(whole, `"checklist"`)
	rapid.Check(t, func(rt *rapid.T) {
		forged := []byte(whole)
		at := rapid.IntRange(from, to-1).Draw(rt, "at")
		forged[at] = byte(rapid.IntRange(0, 255).Draw(rt, "byte"))
		var was, is bytes.Buffer
		if json.Compact(&was, []byte(whole)) == nil && json.Compact(&is, forged) == nil && bytes.Equal(was.Bytes(), is.Bytes()) {
			rt.Skip("only blanks changed")
		}
		d, err := ParseJSON(bytes.NewReader(forged))
		if err == nil {
			err = d.Verify()
		}
		if err == nil {
			rt.Fatalf("byte %d as %q was not found: %s", at, forged[at], forged[max(0, at-40):min(len(forged), at+40)])
		}
	})
}

func TestForgedExports(t *testing.T) {
	whole := export(t, "json", sample(t))
	replace := func(old, new string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("the export has no %s", old)
		}
		return strings.Replace(whole, old, new, 1)
	}
	cut := sample(t)
	cut.Events = cut.Events[:len(cut.Events)-1]
	other := sample(t)
	other.Incident.ID = "INC-8"
	empty := sample(t)
	empty.Events = nil
	for _, row := range []struct {
		name, in, want string
	}{
		{"as it is", whole, ""},
		{"blanks do not count", replace("\n", "\n\n  \t"), ""},
		{"the end cut off", export(t, "json", cut), "missing at the end"},
		{"another incident", export(t, "json", other), "INC-8"},
		{"no events", export(t, "json", empty), "no events"},
		{"a digest", replace("bbbb1111", "cccc2222"), "event 7 was altered"},
		{"an approver in the text", replace("approver approves", "manager approves"), "event 8 was altered"},
		{"a key twice", replace(`"text": "RUN-1 starts`, `"text": "forged", "text": "RUN-1 starts`), "not as an export writes it"},
		{"a data key twice", replace(`"digest": "bbbb1111"`, `"digest": "forged", "digest": "bbbb1111"`), "altered|not as"},
		{"another case", replace(`"text"`, `"Text"`), "not as an export writes it"},
		{"an unknown field", replace(`"format"`, `"approved": true, "format"`), "unknown field"},
		{"an escape", replace("RUN-1 starts", `\u0052UN-1 starts`), "not as an export writes it"},
		{"something behind", whole + "{}", "not a timeline export"},
		{"the repair time", replace(`"repair_seconds": 440`, `"repair_seconds": 44`), "summary"},
		{"the people", replace(`"approver (U0APPROVER)"`, `"manager (U0MANAGER)"`), "summary"},
		{"the cause", replace(`"cause": "PostgreSQL`, `"cause": "MySQL`), "summary"},
		{"another format", replace(Format, "other"), "expected"},
		{"another version", replace(`"version": 1`, `"version": 2`), "version is 2"},
		{"not JSON", "# Post-incident review", "not a timeline export"},
		{"nothing", "", "not a timeline export"},
		{"a list", "[]", "not a timeline export"},
	} {
		d, err := ParseJSON(strings.NewReader(row.in))
		if err == nil {
			err = d.Verify()
		}
		found := err == nil
		if row.want != "" {
			found = err != nil && slices.ContainsFunc(strings.Split(row.want, "|"), func(w string) bool { return strings.Contains(err.Error(), w) })
		}
		if !found {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}

func FuzzParseJSON(f *testing.F) {
	whole := export(&testing.T{}, "json", sample(f))
	f.Add([]byte(whole))
	for _, s := range []string{"", "{}", "null", "[]", `{"format":"cdcbot-timeline","version":1,"events":[{"data":1e999}]}`, `{"events":[{"time":"x"}]}`, strings.Repeat("[", 20_000), whole[:len(whole)/2], strings.ReplaceAll(whole, "\"", "'")} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := ParseJSON(bytes.NewReader(raw))
		if err != nil {
			return
		}
		again, err := ParseJSON(strings.NewReader(export(t, "json", d)))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(d) {
			t.Errorf("what was read cannot be written and read again: %v", err)
		}
		if (d.Verify() == nil) != (again.Verify() == nil) {
			t.Error("verified once, and not after an export")
		}
		for _, format := range []string{"md", "html", "csv"} {
			export(t, format, d)
		}
	})
}
