package connecttest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestCures is the recorded table of what heals a FAILED sink task whose cause is gone.
func TestCures(t *testing.T) {
	tests := []struct {
		name  string
		calls []string
		want  string
	}{
		{"nothing", nil, "RUNNING [FAILED]"},
		{"restart", []string{"POST /restart"}, "RUNNING [FAILED]"},
		{"only failed", []string{"POST /restart?onlyFailed=true"}, "RUNNING [FAILED]"},
		{"with tasks", []string{"POST /restart?includeTasks=true"}, "RUNNING [RUNNING]"},
		{"failed tasks", []string{"POST /restart?includeTasks=true&onlyFailed=true"}, "RUNNING [RUNNING]"},
		{"the task", []string{"POST /tasks/0/restart"}, "RUNNING [RUNNING]"},
		{"pause, resume", []string{"PUT /pause", "PUT /resume"}, "RUNNING [FAILED]"},
		{"stop, resume", []string{"PUT /stop", "PUT /resume"}, "RUNNING [RUNNING]"},
		{"the same config", []string{"PUT /config"}, "RUNNING [FAILED]"},
		{"another config", []string{`PATCH /config {"batch.size":"100"}`}, "RUNNING [RUNNING]"},
		{"delete, create", []string{"DELETE ", "POST"}, "RUNNING [RUNNING]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, c := scene(t)
			if err := w.Break("b3-role-may-not-login", sinkName); err != nil {
				t.Fatal(err)
			}
			c.pass(3 * time.Second)
			w.Mend()
			c.pass(15 * time.Second)
			_, config := call(w, "GET", "/connectors/S/config", "")
			for _, step := range test.calls {
				cure(t, w, step, config)
				c.pass(500 * time.Millisecond)
			}
			if got := states(t, w, sinkName); got != test.want {
				t.Errorf("after %q: got %s, want %s", test.calls, got, test.want)
			}
			if rows, healed := w.Rows("cdc_orders"), test.want == "RUNNING [RUNNING]"; (rows == 11) != healed {
				t.Errorf("rows after %q: %d; 11 only when healed", test.calls, rows)
			}
		})
	}
}

func cure(t *testing.T, w *Worker, step, config string) {
	t.Helper()
	method, rest, _ := strings.Cut(step, " ")
	path, body, _ := strings.Cut(rest, " ")
	if step == "PUT /config" {
		body = config
	}
	target := "/connectors/S" + path
	if step == "POST" {
		target, body = "/connectors", fmt.Sprintf(`{"name":%q,"config":%s}`, sinkName, config)
	}
	if code, answer := call(w, method, target, body); code >= 300 {
		t.Fatalf("%s: %d %s", step, code, answer)
	}
}

// TestFaults: what each fault shows, when, what a restart shows while the cause is there, and after it was removed.
func TestFaults(t *testing.T) {
	const restart = "/connectors/S/restart?includeTasks=true&onlyFailed=true"
	tests := []struct {
		slug          string
		after         time.Duration // the fault shows then, and not before
		trace         string        // words of the first trace; "" when the task goes on
		again         string        // of the trace after a restart
		heals         bool          // a restart after Mend heals
		rowsDuring    int
		rowsAfterward int
	}{
		{"a1-postgres-down", 2600 * ms, "Connection refused", "Unable to determine Dialect", true, 10, 11},
		{"a2-postgres-down-at-task-start", 400 * ms, "Unable to determine Dialect", "Unable to determine Dialect", true, 10, 11},
		{"a3-postgres-hangs", 0, "", "", true, 10, 11},
		{"b1-password-changed", 1200 * ms, "password authentication failed", "Unable to determine Dialect", true, 10, 11},
		{"b2-password-changed-at-task-start", 700 * ms, "Unable to determine Dialect", "Unable to determine Dialect", true, 10, 11},
		{"b3-role-may-not-login", 2400 * ms, "not permitted to log in", "Unable to determine Dialect", true, 10, 11},
		{"b4-permission-denied", 1400 * ms, "permission denied for table orders", "permission denied for table orders", true, 10, 11},
		{"c1-registry-down-cached-schema", 0, "", "", true, 11, 11},
		{"c2-registry-down-at-task-start", 1700 * ms, "Tolerance exceeded", "RestClientException", true, 10, 11},
		{"d1-column-missing", 2300 * ms, "Cannot alter table orders", "Cannot alter table orders", true, 10, 11},
		{"d2-column-type-mismatch", 1200 * ms, `column "shop" is of type integer`, `column "shop" is of type integer`, true, 10, 11},
		{"d3-table-missing", 3000 * ms, "Could not find table: orders", "Could not find table: orders", true, 10, 11},
		{"e1-bad-record", 600 * ms, "artifactId cannot be null", "artifactId cannot be null", true, 10, 11},
		{"e2-bad-record-dlq", 0, "", "", true, 10, 10},
		{"e3-registry-down-tolerance-all", 0, "", "", true, 10, 10},
	}
	for _, test := range tests {
		t.Run(test.slug, func(t *testing.T) {
			w, c := scene(t)
			if err := w.Break(test.slug, ""); err != nil {
				t.Fatal(err)
			}
			if test.trace == "" {
				c.pass(45 * time.Second)
				if got := states(t, w, sinkName); got != "RUNNING [RUNNING]" {
					t.Fatalf("states: %s; this fault does not show", got)
				}
			} else {
				shows(t, w, c, test.after, test.trace)
				call(w, "POST", restart, "")
				c.pass(5 * time.Second)
				if got := traceOf(t, w, sinkName); !strings.Contains(got, test.again) {
					t.Errorf("trace after a restart: %.200s…, want %q", got, test.again)
				}
			}
			if got := w.Rows("cdc_orders"); got != test.rowsDuring {
				t.Errorf("rows while broken: got %d, want %d", got, test.rowsDuring)
			}
			w.Mend()
			c.pass(20 * time.Second)
			if got := states(t, w, sinkName); test.trace != "" && got != "RUNNING [FAILED]" {
				t.Errorf("removing the cause healed by itself: %s", got)
			}
			call(w, "POST", restart, "")
			c.pass(time.Second)
			if got := states(t, w, sinkName); got != "RUNNING [RUNNING]" {
				t.Errorf("after a restart: got %s", got)
			}
			if got := w.Rows("cdc_orders"); got != test.rowsAfterward {
				t.Errorf("rows in the end: got %d, want %d", got, test.rowsAfterward)
			}
		})
	}
}

func shows(t *testing.T, w *Worker, c *clock, after time.Duration, trace string) {
	t.Helper()
	c.pass(after - ms)
	if got := states(t, w, sinkName); strings.Contains(got, failed) {
		t.Errorf("FAILED before %v", after)
	}
	c.pass(2 * ms)
	if got := states(t, w, sinkName); got != "RUNNING [FAILED]" {
		t.Errorf("after %v: got %s, want RUNNING [FAILED]", after, got)
	}
	if got := traceOf(t, w, sinkName); !strings.Contains(got, trace) {
		t.Errorf("trace %.300s…, want %q", got, trace)
	}
}

// TestConfigCures: causes that a configuration ends.
func TestConfigCures(t *testing.T) {
	tests := []struct{ slug, patch, want string }{
		{"d1-column-missing", `{"schema.evolution":"basic"}`, "RUNNING [RUNNING]"},
		{"d1-column-missing", `{"batch.size":"9"}`, "RUNNING [FAILED]"},
		{"d3-table-missing", `{"schema.evolution":"basic"}`, "RUNNING [RUNNING]"},
		{"b1-password-changed", `{"connection.password":"new"}`, "RUNNING [RUNNING]"},
		{"b1-password-changed", `{"batch.size":"9"}`, "RUNNING [FAILED]"},
		{"e1-bad-record", `{"errors.tolerance":"all","errors.deadletterqueue.topic.name":"dlq-events"}`, "RUNNING [RUNNING]"},
		{"a1-postgres-down", `{"errors.tolerance":"all"}`, "RUNNING [FAILED]"},
	}
	for _, test := range tests {
		w, c := scene(t)
		if err := w.Break(test.slug, ""); err != nil {
			t.Fatal(err)
		}
		c.pass(4 * time.Second)
		call(w, "PATCH", "/connectors/S/config", test.patch)
		c.pass(4 * time.Second)
		if got := states(t, w, sinkName); got != test.want {
			t.Errorf("%s, then %s: got %s, want %s", test.slug, test.patch, got, test.want)
		}
	}
}

// TestSkippingOneRecord is the recorded cure of a poison record: stop, move the offset behind it, resume.
func TestSkippingOneRecord(t *testing.T) {
	w, c := scene(t)
	if err := w.Break("e1-bad-record", ""); err != nil {
		t.Fatal(err)
	}
	c.pass(time.Second)
	w.Produce(5)
	if got := w.Lag(sinkName); got != 6 {
		t.Errorf("lag: got %d, want 6", got)
	}
	for _, step := range []string{"PUT /stop", `PATCH /offsets {"offsets":[{"partition":{"kafka_topic":"orders","kafka_partition":0},"offset":{"kafka_offset":11}}]}`, "PUT /resume"} {
		cure(t, w, step, "")
		c.pass(time.Second)
	}
	if got, rows := states(t, w, sinkName), w.Rows("cdc_orders"); got != "RUNNING [RUNNING]" || rows != 15 || w.Lag(sinkName) != 0 {
		t.Errorf("got %s, %d rows, lag %d; want RUNNING, 15 rows, no lag", got, rows, w.Lag(sinkName))
	}
}

func TestDeadLetters(t *testing.T) {
	for _, slug := range []string{"e2", "e3"} {
		w, c := scene(t)
		if err := w.Break(slug, ""); err != nil {
			t.Fatal(err)
		}
		c.pass(time.Second)
		if got := w.DeadLetters(); got != 1 {
			t.Errorf("%s: %d dead letters, want 1", slug, got)
		}
	}
}

func TestSourceFault(t *testing.T) {
	w, c := scene(t)
	if err := w.Break("c3", ""); err != nil {
		t.Fatal(err)
	}
	c.pass(600 * ms)
	if got, trace := states(t, w, sourceName), traceOf(t, w, sourceName); got != "RUNNING [FAILED]" || !strings.Contains(trace, "RestClientException") {
		t.Errorf("source: %s %.100s", got, trace)
	}
	if got := w.Lag(sourceName); got != 1 {
		t.Errorf("lag of the source: got %d, want 1", got)
	}
	w.Mend()
	call(w, "POST", "/connectors/"+sourceName+"/tasks/0/restart", "")
	c.pass(time.Second)
	if got := w.Rows("cdc_orders"); got != 11 {
		t.Errorf("rows: got %d, want 11", got)
	}
}

// TestTasksFailApart: a fault takes every task with a partition, a poison record only its own.
func TestTasksFailApart(t *testing.T) {
	tests := []struct{ slug, want string }{
		{"a1", "RUNNING [FAILED FAILED FAILED]"},
		{"e1", "RUNNING [FAILED RUNNING RUNNING]"},
	}
	for _, test := range tests {
		c := &clock{now: time.Unix(1e9, 0)}
		w := New(Options{Now: c.Now})
		config := sinkConfig()
		config["tasks.max"] = "3"
		if err := w.AddConnector(sinkName, config); err != nil {
			t.Fatal(err)
		}
		if err := w.Break(test.slug, ""); err != nil {
			t.Fatal(err)
		}
		c.pass(3 * time.Second)
		if got := states(t, w, sinkName); got != test.want {
			t.Errorf("%s: got %s, want %s", test.slug, got, test.want)
		}
	}
}

func TestBreakRefuses(t *testing.T) {
	w, _ := scene(t)
	if err := w.Break("a3", ""); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ slug, connector, want string }{
		{"zz", sinkName, `fault "zz": expected one of a1-postgres-down`},
		{"a1", "nope", `there is no such sink; the connectors are ["cassandra-source-connector" "jdbc-sink-connector"]`},
		{"a1", sourceName, "there is no such sink"},
	}
	for _, test := range tests {
		if err := w.Break(test.slug, test.connector); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Break(%q, %q): got %v, want %q", test.slug, test.connector, err, test.want)
		}
	}
	if got := w.Broken(); got != "a3-postgres-hangs" {
		t.Errorf("Broken: got %q", got)
	}
	if err := w.Database(); err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("Database while it hangs: %v", err)
	}
	w.Mend()
	if w.Broken() != "" || w.Database() != nil {
		t.Errorf("after Mend: %q %v", w.Broken(), w.Database())
	}
}

func TestEveryFaultHasItsRecording(t *testing.T) {
	for _, f := range faults {
		for _, failure := range []failure{f.onRecord, f.onStart} {
			if failure.trace != "" && strings.HasPrefix(trace(failure.trace), "no recording") {
				t.Errorf("%s: %s", f.Slug, trace(failure.trace))
			}
		}
	}
	if len(AllFaults()) != len(faults) || len(Faults()) != 7 {
		t.Errorf("%d faults listed of %d, %d shown", len(AllFaults()), len(faults), len(Faults()))
	}
	if len(options(recorded[0])) != 55 {
		t.Errorf("definitions of the JDBC sink: %d, want 55", len(options(recorded[0])))
	}
}

func TestOwnTrace(t *testing.T) {
	w, c := scene(t)
	long := strings.Repeat("\x00\xff", 1<<17)
	if err := w.Fail(sinkName, 0, long); err != nil {
		t.Fatal(err)
	}
	if got := states(t, w, sinkName); got != "RUNNING [FAILED]" {
		t.Errorf("got %s", got)
	}
	if err := w.Fail(sinkName, -1, "x"); err != nil {
		t.Fatal(err)
	}
	if got := states(t, w, sinkName); got != "FAILED [FAILED]" {
		t.Errorf("got %s", got)
	}
	call(w, "POST", "/connectors/S/restart?includeTasks=true&onlyFailed=true", "")
	c.pass(time.Second)
	if got := states(t, w, sinkName); got != "RUNNING [RUNNING]" {
		t.Errorf("after a restart: %s", got)
	}
	for _, bad := range []error{w.Fail("nope", 0, ""), w.Fail(sinkName, 7, "")} {
		if bad == nil {
			t.Error("no error for an unknown connector or task")
		}
	}
}

func TestStartingAndRebalancing(t *testing.T) {
	w, c := scene(t)
	w.Starting(time.Second)
	code, body := call(w, "GET", "/connectors/S/status", "")
	if code != 404 || !strings.HasPrefix(body, "<html>") {
		t.Errorf("while starting: %d %s", code, body)
	}
	c.pass(time.Second)
	w.Rebalance(time.Second)
	tests := []struct {
		method, path string
		code         int
		want         string
	}{
		{"GET", "/connectors/S", 500, rebalanceAhead},
		{"GET", "/connectors/S/status", 200, "RUNNING"},
		{"GET", "/connectors", 200, sinkName},
		{"POST", "/connectors/S/restart?includeTasks=true", 409, staleConfig},
		{"PUT", "/connectors/S/pause", 409, staleConfig},
	}
	for _, test := range tests {
		if code, body := call(w, test.method, test.path, ""); code != test.code || !strings.Contains(body, test.want) {
			t.Errorf("%s %s while rebalancing: %d %s, want %d %s", test.method, test.path, code, body, test.code, test.want)
		}
	}
	c.pass(time.Second)
	if code, _ := call(w, "PUT", "/connectors/S/pause", ""); code != 202 {
		t.Errorf("pause afterwards: %d", code)
	}
}

func TestWorkerKilled(t *testing.T) {
	w, c := scene(t)
	server := httptest.NewServer(w)
	defer server.Close()
	if err := w.Break("f1-worker-gone", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := http.Get(server.URL); err == nil {
		t.Error("a dead worker answered")
	}
	w.Produce(1)
	w.Mend()
	if code, body := call(w, "GET", "/health", ""); code != 404 || !strings.HasPrefix(body, "<html>") {
		t.Errorf("just started: %d %s", code, body)
	}
	c.pass(600 * ms)
	if _, body := call(w, "GET", "/connectors/S/status", ""); !strings.Contains(body, `"RUNNING"`) || !strings.Contains(body, `"type":"unknown"`) {
		t.Errorf("the dead process's state is told before the group is joined: %s", body)
	}
	c.pass(6 * time.Second)
	if code, _ := call(w, "GET", "/health", ""); code != 200 || w.Rows("cdc_orders") != 10 {
		t.Errorf("joined: health %d, %d rows; want 200 and still 10", code, w.Rows("cdc_orders"))
	}
	c.pass(5 * time.Second)
	if got := w.Rows("cdc_orders"); got != 11 {
		t.Errorf("rows after the consumer's session: %d, want 11", got)
	}
}

func TestOtherWorkerKilled(t *testing.T) {
	w, c := scene(t)
	if err := w.Break("f2b", sinkName); err != nil {
		t.Fatal(err)
	}
	phases := []struct {
		pass   time.Duration
		code   int
		want   string
		worker string
		rows   int
	}{
		{time.Second, 500, forwardBroke, deadWorkerID, 10},
		{10 * time.Second, 409, noLeader, deadWorkerID, 10},
		{10 * time.Second, 202, "RUNNING", "kafka-connect:8083", 11},
	}
	for _, p := range phases {
		c.pass(p.pass)
		code, body := call(w, "POST", "/connectors/S/restart?includeTasks=true&onlyFailed=true", "")
		_, status := call(w, "GET", "/connectors/S/status", "")
		if code != p.code || !strings.Contains(body, p.want) || !strings.Contains(status, `"worker_id":"`+p.worker+`"`) || w.Rows("cdc_orders") != p.rows {
			t.Errorf("got %d %s, status %s, %d rows; want %d %s on %s, %d rows", code, body, status, w.Rows("cdc_orders"), p.code, p.want, p.worker, p.rows)
		}
	}
}

func TestBrokerDown(t *testing.T) {
	w := New(Options{Speed: 1000})
	if err := w.AddConnector(sinkName, sinkConfig()); err != nil {
		t.Fatal(err)
	}
	if err := w.Break("f3-broker-down", ""); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		method, path string
		code         int
		want         string
	}{
		{"GET", "/connectors/S/status", 200, "RUNNING"},
		{"GET", "/connectors", 200, sinkName},
		{"GET", "/health", 500, `"status":"unhealthy"`},
		{"POST", "/connectors/S/restart?includeTasks=true", 500, "Request timed out. The worker is currently"},
		{"GET", "/connectors/S/offsets", 500, "Request timed out."},
	}
	for _, test := range tests {
		if code, body := call(w, test.method, test.path, ""); code != test.code || !strings.Contains(body, test.want) {
			t.Errorf("%s %s: got %d %s, want %d %s", test.method, test.path, code, body, test.code, test.want)
		}
	}
}

func TestFlow(t *testing.T) {
	w, c := scene(t)
	w.Flow(2)
	c.pass(5 * time.Second)
	if got := w.Rows("cdc_orders"); got != 20 {
		t.Errorf("rows after 5 s of 2 per second: got %d, want 20", got)
	}
	w.Flow(0)
	c.pass(5 * time.Second)
	if got, all := w.Rows("cdc_orders"), w.Rows(); got != 20 || all != 20 || w.Rows("nope") != 0 {
		t.Errorf("rows after the flow ended: got %d of %d, want 20", got, all)
	}
	w.Flow(1)
	c.pass(48 * time.Hour)
	if got := w.Rows(); got > 20+3700 {
		t.Errorf("two days unobserved were made up for: %d rows", got)
	}
}

// FuzzCall: no call makes the worker panic or answer outside HTTP's codes.
func FuzzCall(f *testing.F) {
	for _, r := range routes {
		f.Add(r.method, strings.ReplaceAll(r.path, "*", sinkName), `{"offsets":[{"partition":{"kafka_topic":"orders"}}]}`)
	}
	f.Add("PUT", "/connectors/%2E%2E/config", `{"tasks.max":-1,"topics.regex":"("}`)
	f.Add("POST", "/connectors", `{"name":"x","config":{"connector.class":"FileStreamSink","topics.regex":"[","tasks.max":"99999999"}}`)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		w, c := scene(t)
		server := httptest.NewRecorder()
		request, err := http.NewRequest(method, "http://worker/"+strings.TrimPrefix(path, "/"), strings.NewReader(body))
		if err != nil {
			return
		}
		w.ServeHTTP(server, request)
		c.pass(time.Second)
		w.Produce(1)
		if server.Code < 200 || server.Code > 599 {
			t.Errorf("%s %s %s: code %d", method, path, body, server.Code)
		}
	})
}
