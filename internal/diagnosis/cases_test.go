package diagnosis

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"cdcbot/internal/connect"
)

const (
	savedOne = `{"name":"warehouse","connector":{"state":"RUNNING","worker_id":"w1:8083"},"tasks":[{"id":0,"state":"FAILED","worker_id":"w1:8083","trace":"java.lang.OutOfMemoryError: Java heap space"}],"type":"sink"}`
	savedAll = `{"b":{"status":{"name":"b","connector":{"state":"PAUSED"},"tasks":[]},"info":{"config":{"connector.class":"x.Y"}}},"a":{"status":{"name":"a","connector":{"state":"RUNNING"},"tasks":[{"id":0,"state":"RUNNING"}],"type":"source"}}}`
	ownLine  = `{"id":7,"connector_class":"x.Y","connector_type":"sink","state":"running","task_states":["FAILED","RUNNING"],"trace":"T","worker_log":null}`
)

// readAll reads what a text holds: the cases in short, and the complaints.
func readAll(text string) (cases []Case, told, complaints []string, err error) {
	err = ReadCases(strings.NewReader(text), func(line int, c Case) {
		cases = append(cases, c)
		short := fmt.Sprintf("%d:%s:%s", line, c.ID, c.State)
		for _, t := range c.Tasks {
			short += fmt.Sprintf(" %s%.1s", t.State, t.Trace)
		}
		told = append(told, short)
	}, func(line int, err error) { complaints = append(complaints, fmt.Sprintf("%d: %v", line, err)) })
	return cases, told, complaints, err
}

func TestReadCases(t *testing.T) {
	pretty := strings.ReplaceAll(savedOne, ",", ",\n  ")
	rows := []struct {
		name, text string
		cases      []string
		complaints []string // what each holds
	}{
		{"a status", savedOne, []string{"1:warehouse:RUNNING FAILEDj"}, nil},
		{"a status over lines", pretty, []string{"1:warehouse:RUNNING FAILEDj"}, nil},
		{"two statuses over lines", pretty + "\n" + pretty, []string{"1:warehouse:RUNNING FAILEDj", "9:warehouse:RUNNING FAILEDj"}, nil},
		{"all connectors", savedAll, []string{"1:a:RUNNING RUNNING", "1:b:PAUSED"}, nil},
		{"a list", "[" + savedOne + "," + ownLine + "]", []string{"1:warehouse:RUNNING FAILEDj", "1:7:RUNNING FAILEDT RUNNING"}, nil},
		{"lines", ownLine + "\r\n\n" + savedOne + "\n", []string{"1:7:RUNNING FAILEDT RUNNING", "3:warehouse:RUNNING FAILEDj"}, nil},
		{"a mark at the beginning", "\uFEFF" + ownLine, []string{"1:7:RUNNING FAILEDT RUNNING"}, nil},
		{"only a trace", `{"state":"FAILED","trace":"T"}`, []string{"1:line-1:FAILED"}, nil},
		{"no state", `{"task_states":["FAILED"],"trace":"T"}`, []string{"1:line-1:RUNNING FAILEDT"}, nil},
		{"states of tasks as objects", `{"id":"x","state":"RUNNING","task_states":[{"state":"FAILED","trace":"U"}]}`, []string{"1:x:RUNNING FAILEDU"}, nil},
		{"bad lines", "nonsense\n" + ownLine + "\n{\"id\":1\n" + ownLine, []string{"2:7:RUNNING FAILEDT RUNNING", "4:7:RUNNING FAILEDT RUNNING"}, []string{"1: not JSON", "3: not JSON"}},
		{"another state", `{"state":"BROKEN","task_states":[]}`, nil, []string{`state: "BROKEN" is no state of a connector; expected one of`}},
		{"another state of a task", `{"state":"RUNNING","task_states":["OK"]}`, nil, []string{`task 0: state: "OK"`}},
		{"no state at all", `{"connector_class":"x","task_states":[]}`, nil, []string{`state: "" is no state`}},
		{"another type", `{"state":"RUNNING","task_states":[],"connector_type":"both"}`, nil, []string{`connector_type: "both"; expected source or sink`}},
		{"a number for a trace", `{"state":"RUNNING","task_states":[],"trace":5}`, nil, []string{"trace: is a JSON number, expected a string"}},
		{"a text for tasks", `{"state":"RUNNING","task_states":"FAILED"}`, nil, []string{"task_states: is a JSON string, expected a list"}},
		{"a number", "5", nil, []string{"the line: is a JSON number, expected an object"}},
		{"an empty object", "{}", nil, []string{"no connector is in it"}},
		{"something else", `{"hello":{"world":1}}`, nil, []string{`"hello" is none of these`}},
		{"an error of Connect", `{"error_code":404,"message":"No status found for connector x"}`, nil, []string{"Connect's error 404: No status found"}},
		{"a list with something else", `[` + ownLine + `,5]`, []string{"1:7:RUNNING FAILEDT RUNNING"}, []string{"item 2: the line"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, told, complaints, err := readAll(row.text)
			if err != nil || !reflect.DeepEqual(told, row.cases) {
				t.Errorf("got %q, %v; want %q", told, err, row.cases)
			}
			if len(complaints) != len(row.complaints) {
				t.Fatalf("got complaints %q, want %q", complaints, row.complaints)
			}
			for i, want := range row.complaints {
				if !strings.Contains(complaints[i], want) {
					t.Errorf("got complaint %q, want %q in it", complaints[i], want)
				}
			}
		})
	}
	for _, empty := range []string{"", "\n \n"} {
		if _, _, _, err := readAll(empty); err == nil || !strings.Contains(err.Error(), "nothing to read") {
			t.Errorf("%q: got %v", empty, err)
		}
	}
}

func FuzzReadCases(f *testing.F) {
	for _, seed := range []string{savedOne, savedAll, ownLine, "[" + ownLine + "]", "{", "[[[[", `{"a":{"status":{}}}`, "5\n{}", `{"task_states":[null]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cases, _, _, _ := readAll(text) // whatever it is, it ends
		for _, c := range cases {
			if d := Diagnose(c.Evidence(nil)); len(d.Causes) == 0 {
				t.Errorf("%q: no cause, not even unknown", text)
			}
		}
	})
}

// What a worker's log says where Connect's trace says nothing, and what it does not say.
func TestWorkerLog(t *testing.T) {
	const sink = "io.confluent.connect.jdbc.JdbcSinkConnector"
	lines := func(l ...string) string { return strings.Join(l, "\n") }
	refusedLog := lines("[2026-11-23 10:00:00,000] INFO [orders|task-0] starting (org.apache.kafka.connect.runtime.WorkerSinkTask:1)",
		"[2026-11-23 10:00:01,000] ERROR [orders|task-0] Task threw an uncaught and unrecoverable exception (org.apache.kafka.connect.runtime.WorkerTask:212)",
		"org.apache.kafka.connect.errors.ConnectException: boom", "\tat a.b.C.d(C.java:1)", "Caused by: org.postgresql.util.PSQLException: Connection to db:5432 refused.", "\tat a.b.C.d(C.java:1)",
		"[2026-11-23 10:00:02,000] INFO [orders|task-0] stopped")
	rows := []struct {
		name, state, task, trace, log string
		want                          Slug
		evidence                      string
	}{
		{"no trace, the log tells", "RUNNING", "FAILED", "", refusedLog, DatabaseConnection, "worker log"},
		{"a trace without a reason, the log tells", "RUNNING", "FAILED", "org.apache.kafka.connect.errors.ConnectException: boom", refusedLog, DatabaseConnection, "worker log"},
		{"the trace tells, the log is of another", "RUNNING", "FAILED", "org.postgresql.util.PSQLException: FATAL: password authentication failed for user \"x\"", refusedLog, Authentication, "trace of orders"},
		{"others fail beside it", "RUNNING", "FAILED", "", lines("[t] ERROR [other|task-0] x", "java.lang.OutOfMemoryError: Java heap space", "[t] ERROR [orders|task-0] Task threw", "org.postgresql.util.PSQLException: ERROR: column \"a\" of relation \"b\" does not exist"), TableSchemaMismatch, "worker log"},
		{"only a warning tells", "RUNNING", "FAILED", "", "WARN  [orders|task-0] Connection to node -1 (kafka/10.0.0.1:9092) could not be established. Broker may not be available. (org.apache.kafka.clients.NetworkClient)", KafkaBroker, "worker log"},
		{"a JSON log", "FAILED", "", "", `{"level":"ERROR","message":"failed","stack_trace":"java.lang.ClassNotFoundException: x.Y\n\tat a.b.C.d(C.java:1)"}`, WorkerFailure, "worker log"},
		{"it was killed, and runs again", "RUNNING", "RUNNING", "", refusedLog, None, "RUNNING"},
		{"it runs, and commits nothing", "RUNNING", "RUNNING", "", lines("[t] ERROR WorkerSinkTask{id=orders-0} Commit of offsets threw an unexpected exception for sequence number 13: null (x)", "org.apache.kafka.clients.consumer.CommitFailedException: Offset commit cannot be completed since the consumer is not part of an active group"), WorkerFailure, "worker log"},
		{"the same again and again", "RUNNING", "RUNNING", "", strings.Repeat("[t] WARN [Consumer clientId=c] Connection to node -1 (kafka/10.0.0.1:9092) could not be established. Broker may not be available. (x)\n", 3), KafkaBroker, "worker log"},
		{"the same twice", "RUNNING", "RUNNING", "", strings.Repeat("[t] WARN [Consumer clientId=c] Connection to node -1 (kafka/10.0.0.1:9092) could not be established. Broker may not be available. (x)\n", 2), None, "RUNNING"},
		{"it has passed", "RUNNING", "RUNNING", "", strings.Repeat("[t] WARN Connection to node -1 (kafka/10.0.0.1:9092) could not be established. Broker may not be available. (x)\n", 9) + "[t] INFO [Worker clientId=c] Successfully joined group with generation 5 (x)", None, "RUNNING"},
		{"a trace beside RUNNING", "RUNNING", "RUNNING", "org.postgresql.util.PSQLException: FATAL: password authentication failed for user \"x\"", "", Authentication, "beside RUNNING"},
		{"the herder ended", "RUNNING", "RUNNING", "", "[t] ERROR [Worker clientId=c, groupId=g] Uncaught exception in herder work thread, exiting: (org.apache.kafka.connect.runtime.distributed.DistributedHerder:324)", WorkerFailure, "worker log"},
		{"the herder ended, and a new one began", "RUNNING", "RUNNING", "", lines("[t] ERROR Uncaught exception in herder work thread, exiting: (x)", "[t] INFO Kafka Connect started (x)"), None, "RUNNING"},
		{"nothing", "RUNNING", "FAILED", "", "", Unknown, "keeps no trace"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := Case{ID: "orders", ConnectorClass: sink, State: connect.State(row.state), WorkerLog: row.log}
			if row.task != "" {
				c.Tasks = []connect.Task{{State: connect.State(row.task), Trace: row.trace}}
			}
			top := Diagnose(c.Evidence(nil)).Top()
			if top.Slug != row.want || len(top.For) == 0 || !strings.Contains(top.For[0].Source+top.For[0].Text, row.evidence) {
				t.Errorf("got %s %.2f, %+v; want %s, %q", top.Slug, top.Confidence, top.For, row.want, row.evidence)
			}
		})
	}
}

func TestReadLog(t *testing.T) {
	log := "started\n[2026] INFO a\n\n2026-11-23T10:00:00Z ERROR b\n\tat x.y.Z.w(Z.java:1)\nCaused by: c\n{\"level\":\"warn\",\"msg\":\"d\"}\n{broken\n"
	want := []entry{{"", "started"}, {"INFO", "[2026] INFO a"}, {"ERROR", "2026-11-23T10:00:00Z ERROR b\n\tat x.y.Z.w(Z.java:1)\nCaused by: c"}, {"WARN", "d\n{broken"}}
	if got := readLog(log); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	for _, row := range []struct{ text, body, words string }{
		{"[t] ERROR [x|task-0] a.B: c", "[x|task-0] a.B: c", ""},
		{"[t] ERROR The registry is away: http://r\njava.net.ConnectException: refused\n\tat x.Y.z(Y.java:1)", "java.net.ConnectException: refused\n\tat x.Y.z(Y.java:1)", "The registry is away: http://r"},
		{"[t] ERROR org.x.SinkException: c\njava.net.ConnectException: refused", "org.x.SinkException: c\njava.net.ConnectException: refused", ""},
	} {
		if body, words := (entry{"ERROR", row.text}).body(); body != row.body || words != row.words {
			t.Errorf("body: got %q and %q, want %q and %q", body, words, row.body, row.words)
		}
	}
}
