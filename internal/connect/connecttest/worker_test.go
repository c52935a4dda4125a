package connecttest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is a time that tests move by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

const (
	sinkName   = "jdbc-sink-connector"
	sourceName = "cassandra-source-connector"
)

func sinkConfig() map[string]string {
	return map[string]string{"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "tasks.max": "1", "topics": "orders",
		"connection.url": "jdbc:postgresql://localhost:5432/warehouse", "connection.password": "sink", "collection.name.format": "cdc_${topic}", "schema.evolution": "basic"}
}

// scene is a pipeline that has run for a while: one source, one sink with one task, one partition.
func scene(t *testing.T) (*Worker, *clock) {
	t.Helper()
	c := &clock{now: time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)}
	w := New(Options{Partitions: 1, Now: c.Now})
	if err := w.AddConnector(sourceName, map[string]string{"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "topic": "orders", "file": "orders.txt"}); err != nil {
		t.Fatal(err)
	}
	if err := w.AddConnector(sinkName, sinkConfig()); err != nil {
		t.Fatal(err)
	}
	w.Produce(10)
	return w, c
}

func call(w http.Handler, method, path, body string) (int, string) {
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, httptest.NewRequest(method, strings.ReplaceAll(path, "/S", "/"+sinkName), strings.NewReader(body)))
	return rec.Code, rec.Body.String()
}

// states is a connector's state and those of its tasks, such as "RUNNING [FAILED]".
func states(t *testing.T, w *Worker, name string) string {
	t.Helper()
	code, body := call(w, "GET", "/connectors/"+name+"/status", "")
	if code != 200 {
		return body
	}
	return statesOf(t, body)
}

func statesOf(t *testing.T, body string) string {
	t.Helper()
	var s statusJSON
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatalf("status %s: %v", body, err)
	}
	var tasks []string
	for _, task := range s.Tasks {
		tasks = append(tasks, task.State)
	}
	return s.Connector.State + " [" + strings.Join(tasks, " ") + "]"
}

func traceOf(t *testing.T, w *Worker, name string) string {
	t.Helper()
	_, body := call(w, "GET", "/connectors/"+name+"/status", "")
	var s statusJSON
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Tasks) == 0 {
		return ""
	}
	return s.Tasks[0].Trace
}

// TestAnswers are the rows of the recorded worker: codes, and words of the answer.
func TestAnswers(t *testing.T) {
	whole, _ := json.Marshal(sinkConfig())
	envelope := `{"name":"jdbc-sink-connector","config":` + string(whole) + `}`
	tests := []struct {
		name, method, path, body string
		code                     int
		want                     string
	}{
		{"root", "GET", "/", "", 200, `"version":"4.3.1"`},
		{"health", "GET", "/health", "", 200, `"status":"healthy"`},
		{"names", "GET", "/connectors", "", 200, `["cassandra-source-connector","jdbc-sink-connector"]`},
		{"expand", "GET", "/connectors?expand=status&expand=info", "", 200, `"info":{"name":"cassandra-source-connector","config":{"connector.class"`},
		{"info", "GET", "/connectors/S", "", 200, `"tasks":[{"connector":"jdbc-sink-connector","task":0}],"type":"sink"}`},
		{"config shows secrets", "GET", "/connectors/S/config", "", 200, `"connection.password":"sink"`},
		{"status", "GET", "/connectors/S/status", "", 200, `{"name":"jdbc-sink-connector","connector":{"state":"RUNNING","worker_id":"kafka-connect:8083","version":"3.6.0.Final"},"tasks":[{"id":0,"state":"RUNNING","worker_id":"kafka-connect:8083","version":"3.6.0.Final"}],"type":"sink"}`},
		{"tasks", "GET", "/connectors/S/tasks", "", 200, `[{"id":{"connector":"jdbc-sink-connector","task":0},"config":{`},
		{"task status", "GET", "/connectors/S/tasks/0/status", "", 200, `{"id":0,"state":"RUNNING"`},
		{"unknown task status", "GET", "/connectors/S/tasks/9/status", "", 404, "No status found for task jdbc-sink-connector-9"},
		{"topics", "GET", "/connectors/S/topics", "", 200, `{"jdbc-sink-connector":{"topics":["orders"]}}`},
		{"offsets", "GET", "/connectors/S/offsets", "", 200, `{"offsets":[{"partition":{"kafka_partition":0,"kafka_topic":"orders"},"offset":{"kafka_offset":10}}]}`},
		{"source offsets", "GET", "/connectors/" + sourceName + "/offsets", "", 200, `{"offsets":[{"partition":{"filename":"orders.txt"},"offset":{"position":10}}]}`},
		{"tasks-config", "GET", "/connectors/S/tasks-config", "", 404, "HTTP 404 Not Found"},
		{"unknown", "GET", "/connectors/nope", "", 404, "Connector nope not found"},
		{"unknown status", "GET", "/connectors/nope/status", "", 404, "No status found for connector nope"},
		{"unknown offsets", "GET", "/connectors/nope/offsets", "", 404, "Connector nope not found"},
		{"unknown restart", "POST", "/connectors/nope/restart", "", 404, "Unknown connector: nope"},
		{"unknown restart with tasks", "POST", "/connectors/nope/restart?includeTasks=true&onlyFailed=true", "", 404, "Unknown connector: nope"},
		{"unknown task restart", "POST", "/connectors/nope/tasks/0/restart", "", 404, "Unknown connector: nope"},
		{"restart of an unknown task", "POST", "/connectors/S/tasks/9/restart", "", 404, "Unknown task: jdbc-sink-connector-9"},
		{"restart of no number", "POST", "/connectors/S/tasks/x/restart", "", 404, "HTTP 404 Not Found"},
		{"unknown pause", "PUT", "/connectors/nope/pause", "", 404, "Unknown connector nope"},
		{"unknown resume", "PUT", "/connectors/nope/resume", "", 404, "Unknown connector nope"},
		{"unknown stop", "PUT", "/connectors/nope/stop", "", 404, "Unknown connector nope"},
		{"unknown delete", "DELETE", "/connectors/nope", "", 404, "Connector nope not found"},
		{"unknown patch", "PATCH", "/connectors/nope/config", `{"a":"b"}`, 404, "Connector nope not found"},
		{"exists", "POST", "/connectors", envelope, 409, "Connector jdbc-sink-connector already exists"},
		{"unknown path", "GET", "/nope", "", 404, "HTTP 404 Not Found"},
		{"wrong method", "DELETE", "/connectors", "", 405, "HTTP 405 Method Not Allowed"},
		{"partial config", "PUT", "/connectors/S/config", `{"auto.evolve":"true"}`, 400, "Connector config {auto.evolve=true, name=jdbc-sink-connector} contains no connector type"},
		{"empty config", "PUT", "/connectors/S/config", `{}`, 400, "Connector config {name=jdbc-sink-connector} contains no connector type"},
		{"class only", "PUT", "/connectors/S/config", `{"connector.class":"io.debezium.connector.jdbc.JdbcSinkConnector"}`, 400, `contains the following 2 error(s):\nMust configure one of topics or topics.regex\nMust configure one of topics or topics.regex\nYou can also find`},
		{"not a number", "PATCH", "/connectors/S/config", `{"tasks.max":"x"}`, 400, `2 error(s):\nInvalid value x for configuration tasks.max: Not a number of type INT\nInvalid value null for configuration tasks.max: Value must be non-null`},
		{"another name", "PUT", "/connectors/S/config", `{"name":"other","connector.class":"JdbcSinkConnector","topics":"a"}`, 400, "Connector name configuration (other) doesn't match connector name in the URL (jdbc-sink-connector)"},
		{"not JSON", "PUT", "/connectors/S/config", `{oops`, 500, "Unexpected character"},
		{"envelope to config", "PUT", "/connectors/S/config", envelope, 500, "Cannot deserialize value of type `java.lang.String` from Object value"},
		{"validate", "PUT", "/connector-plugins/JdbcSinkConnector/config/validate", `{"connector.class":"io.debezium.connector.jdbc.JdbcSinkConnector","name":"v","topics":"orders","tasks.max":"x","schema.evolution":"maybe"}`, 200, `"error_count":2`},
		{"validate hides", "PUT", "/connector-plugins/io.debezium.connector.jdbc.JdbcSinkConnector/config/validate", `{"connector.class":"JdbcSinkConnector","connection.password":"x","topics":"a","name":"v"}`, 200, `{"name":"connection.password","value":"[hidden]"`},
		{"validate unknown", "PUT", "/connector-plugins/Nope/config/validate", `{"connector.class":"Nope"}`, 500, "BadRequestException: Failed to find any class that implements Connector and which name matches Nope"},
		{"validate without a class", "PUT", "/connector-plugins/FileStreamSink/config/validate", `{"topics":"t","name":"x"}`, 500, "BadRequestException: Connector config {topics=t, name=x} contains no connector type"},
		{"validate another class", "PUT", "/connector-plugins/FileStreamSink/config/validate", `{"connector.class":"FileStreamSource","topic":"t","name":"x"}`, 400, "Included connector type FileStreamSource does not match request type FileStreamSink"},
		{"create without a name", "POST", "/connectors", `{"config":{"connector.class":"FileStreamSource","topic":"t"}}`, 400, "Invalid value  for configuration name: String may not be empty"},
		{"create in an unknown state", "POST", "/connectors", `{"name":"x","initial_state":"SLEEPING","config":{"connector.class":"FileStreamSource","topic":"t"}}`, 500, "No enum constant"},
		{"no tasks", "PATCH", "/connectors/S/config", `{"tasks.max":"0"}`, 400, "Value must be at least 1"},
		{"create unknown class", "POST", "/connectors", `{"name":"bad","config":{"connector.class":"no.such.Class","topics":"orders"}}`, 400, "Failed to find any class that implements Connector and which name matches no.such.Class"},
		{"create without topics", "POST", "/connectors", `{"name":"bad","config":{"connector.class":"io.debezium.connector.jdbc.JdbcSinkConnector"}}`, 400, "2 error(s)"},
		{"plugins", "GET", "/connector-plugins", "", 200, `{"class":"io.debezium.connector.jdbc.JdbcSinkConnector","type":"sink","version":"3.6.0.Final"}`},
		{"reset topics", "PUT", "/connectors/S/topics/reset", "", 202, ""},
		{"fence", "PUT", "/connectors/S/fence", "", 400, "Internal request missing required signature"},
		{"offsets while running", "PATCH", "/connectors/S/offsets", `{"offsets":[{"partition":{"kafka_topic":"orders","kafka_partition":0},"offset":{"kafka_offset":1}}]}`, 400, "Connectors must be in the STOPPED state before their offsets can be modified."},
		{"reset while running", "DELETE", "/connectors/S/offsets", "", 400, "'PUT' request to the '/connectors/jdbc-sink-connector/stop' endpoint"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, _ := scene(t)
			code, body := call(w, test.method, test.path, test.body)
			if code != test.code || !strings.Contains(body, test.want) {
				t.Errorf("%s %s %s: got %d %s, want %d with %s", test.method, test.path, test.body, code, body, test.code, test.want)
			}
		})
	}
}

// TestSequences are the recorded calls whose effect the next one shows. Each step is "METHOD path body", what is wanted
// of its answer, and the states a second later.
func TestSequences(t *testing.T) {
	type step struct {
		call   string
		code   int
		want   string
		states string
	}
	restart := "POST /connectors/S/restart?includeTasks=true&onlyFailed="
	tests := []struct {
		name  string
		steps []step
	}{
		{"restart while all run", []step{
			{"POST /connectors/S/restart", 204, "", "RUNNING [RUNNING]"},
			{restart + "true", 202, `"state":"RUNNING"`, "RUNNING [RUNNING]"},
			{restart + "false", 202, `"state":"RESTARTING"`, "RUNNING [RUNNING]"},
			{"POST /connectors/S/tasks/0/restart", 204, "", "RUNNING [RUNNING]"},
		}},
		{"restart while paused", []step{
			{"PUT /connectors/S/pause", 202, "", "PAUSED [PAUSED]"},
			{restart + "false", 202, `"state":"RESTARTING"`, "PAUSED [PAUSED]"},
			{"DELETE /connectors/S/offsets", 400, "STOPPED", "PAUSED [PAUSED]"},
			{"PUT /connectors/S/resume", 202, "", "RUNNING [RUNNING]"},
		}},
		{"stopped", []step{
			{"PUT /connectors/S/stop", 204, "", "STOPPED []"},
			{restart + "true", 202, `"state":"STOPPED"`, "STOPPED []"},
			{"PUT /connectors/S/pause", 202, "", "PAUSED []"},
			{"PUT /connectors/S/stop", 204, "", "STOPPED []"},
			{`PATCH /connectors/S/offsets {"offsets":[{"partition":{"kafka_topic":"nope","kafka_partition":0},"offset":{"kafka_offset":1}}]}`, 500, "Failed to alter consumer group offsets", "STOPPED []"},
			{`PATCH /connectors/S/offsets {"offsets":[{"partition":{"x":0},"offset":{"y":1}}]}`, 400, "must contain the keys", "STOPPED []"},
			{`PATCH /connectors/S/offsets {"offsets":[]}`, 400, "need to be provided", "STOPPED []"},
			{`PATCH /connectors/S/offsets {"offsets":[{"partition":{"kafka_topic":"orders","kafka_partition":0},"offset":{"kafka_offset":4}}]}`, 200, "altered successfully", "STOPPED []"},
			{"GET /connectors/S/offsets", 200, `"kafka_offset":4`, "STOPPED []"},
			{"DELETE /connectors/S/offsets", 200, "reset successfully", "STOPPED []"},
			{"GET /connectors/S/offsets", 200, `{"offsets":[]}`, "STOPPED []"},
			{"PUT /connectors/S/resume", 202, "", "RUNNING [RUNNING]"},
			{"GET /connectors/S/offsets", 200, `"kafka_offset":10`, "RUNNING [RUNNING]"}, // a full replay
		}},
		{"config", []step{
			{`PUT /connectors/S/config {"connector.class":"io.debezium.connector.jdbc.JdbcSinkConnector","topics":"orders"}`, 200, `"config":{"connector.class"`, "RUNNING [FAILED]"},
			{`PATCH /connectors/S/config {"connection.url":"jdbc:postgresql://localhost/x","n":1}`, 200, `"n":"1"`, "RUNNING [RUNNING]"},
			{`PATCH /connectors/S/config {"n":null}`, 200, `"tasks":[{"connector":"jdbc-sink-connector","task":0}],"type":"sink"`, "RUNNING [RUNNING]"},
			{`PATCH /connectors/S/config {"schema.evolution":"maybe"}`, 200, "", "RUNNING [FAILED]"},
			{`PATCH /connectors/S/config {"schema.evolution":"basic","tasks.max":"2"}`, 200, "", "RUNNING [RUNNING RUNNING]"},
			{`PUT /connectors/new/config {"connector.class":"FileStreamSink","topics":"orders"}`, 201, `"tasks":[],"type":"sink"`, "RUNNING [RUNNING RUNNING]"},
		}},
		{"delete, recreate", []step{
			{"DELETE /connectors/S", 204, "", `{"error_code":404,"message":"No status found for connector jdbc-sink-connector"}`},
			{"GET /connectors/S/offsets", 404, "Connector jdbc-sink-connector not found", `{"error_code":404,"message":"No status found for connector jdbc-sink-connector"}`},
			{`POST /connectors {"name":"jdbc-sink-connector","config":{"connector.class":"FileStreamSinkConnector","topics":"orders"}}`, 201, `"tasks":[],"type":"sink"`, "RUNNING [RUNNING]"},
			{"GET /connectors/S/offsets", 200, `"kafka_offset":10`, "RUNNING [RUNNING]"}, // the group kept them
		}},
		{"born stopped", []step{
			{"DELETE /connectors/S", 204, "", `{"error_code":404,"message":"No status found for connector jdbc-sink-connector"}`},
			{`POST /connectors {"name":"jdbc-sink-connector","initial_state":"STOPPED","config":{"connector.class":"FileStreamSinkConnector","topics":"orders"}}`, 201, `"tasks":[]`, "STOPPED []"},
			{"PUT /connectors/S/resume", 202, "", "RUNNING [RUNNING]"},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, c := scene(t)
			for _, s := range test.steps {
				parts := strings.SplitN(s.call+" ", " ", 3)
				code, body := call(w, parts[0], parts[1], strings.TrimSpace(parts[2]))
				c.pass(time.Second)
				if got := states(t, w, sinkName); code != s.code || !strings.Contains(body, s.want) || got != s.states {
					t.Fatalf("%s: got %d %s, then %s; want %d with %s, then %s", s.call, code, body, got, s.code, s.want, s.states)
				}
			}
		})
	}
}

func TestDeletedConnectorEchoes(t *testing.T) {
	w, c := scene(t)
	call(w, "DELETE", "/connectors/S", "")
	c.pass(399 * time.Millisecond)
	if code, body := call(w, "GET", "/connectors/S/status", ""); code != 200 || !strings.Contains(body, `"type":"unknown"`) {
		t.Errorf("status 0.4 s after DELETE: got %d %s, want 200 of type unknown", code, body)
	}
	c.pass(2 * time.Millisecond)
	if code, _ := call(w, "GET", "/connectors/S/status", ""); code != 404 {
		t.Errorf("status later: got %d, want 404", code)
	}
}

func TestOldVersions(t *testing.T) {
	tests := []struct {
		name, version, method, path string
		code                        int
	}{
		{"no restart parameters", "2.8.0", "POST", "/connectors/S/restart?includeTasks=true&onlyFailed=true", 204},
		{"restart parameters", "3.0.0", "POST", "/connectors/S/restart?includeTasks=true&onlyFailed=true", 202},
		{"no stop", "3.4.1", "PUT", "/connectors/S/stop", 404},
		{"stop", "3.5.0", "PUT", "/connectors/S/stop", 204},
		{"no offsets", "3.4.1", "GET", "/connectors/S/offsets", 404},
		{"no altering", "3.5.2", "DELETE", "/connectors/S/offsets", 405},
		{"no patch", "3.7.0", "PATCH", "/connectors/S/config", 405},
		{"no health", "3.8.1", "GET", "/health", 404},
		{"health", "3.9.0", "GET", "/health", 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, _ := scene(t)
			w.Version(test.version)
			if code, body := call(w, test.method, test.path, ""); code != test.code {
				t.Errorf("%s %s on %s: got %d %s, want %d", test.method, test.path, test.version, code, body, test.code)
			}
			if _, body := call(w, "GET", "/connectors/S/status", ""); strings.Contains(body, `"version"`) {
				t.Errorf("status on %s: %s tells a plugin's version, which came with 4.1", test.version, body)
			}
		})
	}
}

func TestNamesOfAnyKind(t *testing.T) {
	for _, name := range []string{"a b", "a/b", "a%2Fb", `q"uote`, "ü—日本", "..", "a?b#c", "a+b"} {
		w := New(Options{Version: "3.9.0"})
		server := httptest.NewServer(w)
		body, _ := json.Marshal(map[string]any{"name": name, "config": map[string]string{"connector.class": "FileStreamSink", "topics": "t"}})
		answer, err := http.Post(server.URL+"/connectors", "application/json", bytes.NewReader(body))
		if err != nil || answer.StatusCode != 201 {
			t.Errorf("create %q: %v %v", name, answer, err)
		}
		answer, err = http.Get(server.URL + "/connectors/" + strings.ReplaceAll(escape(name), ".", "%2E") + "/status")
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		quoted, _ := json.Marshal(name)
		if !bytes.Contains(text, quoted) {
			t.Errorf("status of %q: got %s", name, text)
		}
		server.Close()
	}
}

// TestNamesThatCannotBeAsked are what the web server of Connect 4 refuses, in its words.
func TestNamesThatCannotBeAsked(t *testing.T) {
	tests := []struct{ path, want string }{
		{"a%2Fb", "Ambiguous URI path separator"}, {"a%252Fb", "Ambiguous URI path encoding"}, {"%2E%2E", "Ambiguous URI path segment"}, {"%2e", "Ambiguous URI path segment"},
		{"a%5Cb", "Suspicious Path Character"}, {"a%0Ab", "Suspicious Path Character"}, {"a%7Fb", "Suspicious Path Character"}, {"a%00b", "Bad Request"}, {"a//b", "Ambiguous URI empty segment"},
	}
	w, _ := scene(t)
	for _, test := range tests {
		if code, body := call(w, "GET", "/connectors/"+test.path+"/status", ""); code != 400 || !strings.Contains(body, "<title>Error 400 "+test.want+"</title>") {
			t.Errorf("%s: got %d %s, want 400 %s", test.path, code, body, test.want)
		}
	}
}

func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteString("%" + strings.ToUpper(string("0123456789abcdef"[c>>4])+string("0123456789abcdef"[c&15])))
	}
	return b.String()
}

func TestStartClose(t *testing.T) {
	w, _ := scene(t)
	url, err := w.Start()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Start(); err == nil {
		t.Error("second Start: no error")
	}
	answer, err := http.Get(url + "/health")
	if err != nil || answer.StatusCode != 200 {
		t.Errorf("health: %v %v", answer, err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(url); err == nil {
		t.Error("it still answers after Close")
	}
}
