package main

import (
	"encoding/json"
	"strings"
	"testing"
)

const (
	deniedLine  = `{"id":"warehouse","connector_class":"io.debezium.connector.jdbc.JdbcSinkConnector","connector_type":"sink","state":"RUNNING","task_states":["RUNNING","FAILED"],"trace":"org.postgresql.util.PSQLException: FATAL: password authentication failed for user \"sink\"\n\tat org.postgresql.core.v3.ConnectionFactoryImpl.doAuthentication(ConnectionFactoryImpl.java:1)","worker_log":null,"config":{"connection.password":"hunter2hunter2"}}`
	healthyLine = `{"id":"orders","connector_class":"x.Y","connector_type":"source","state":"RUNNING","task_states":["RUNNING"],"trace":"","worker_log":"ERROR boom"}`
	silentLine  = `{"id":"mute","state":"FAILED","task_states":[],"trace":"java.lang.RuntimeException"}`
)

func TestDiagnoseForMachines(t *testing.T) {
	code, out, errs := bot(t, strings.Join([]string{deniedLine, healthyLine, "nonsense", silentLine}, "\n"), "diagnose", "--json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 1 || len(lines) != 3 || errs != "bot: standard input:3: not JSON: invalid character 'o' in literal null (expecting 'u')\n" {
		t.Fatalf("got %d, %q, %q", code, out, errs)
	}
	rows := []struct {
		id, cause string
		retriable string
	}{{"warehouse", "authentication", "false"}, {"orders", "none", "null"}, {"mute", "unknown", "null"}}
	for i, row := range rows {
		var v struct {
			ID, Cause    string
			Confidence   float64
			Alternatives []struct {
				Cause      string
				Confidence float64
			}
			Retriable json.RawMessage
			Evidence  []string
		}
		if err := json.Unmarshal([]byte(lines[i]), &v); err != nil {
			t.Fatal(err)
		}
		if v.ID != row.id || v.Cause != row.cause || string(v.Retriable) != row.retriable || v.Confidence <= 0 || v.Confidence > 1 || v.Alternatives == nil || len(v.Evidence) == 0 {
			t.Errorf("got %s, want %+v", lines[i], row)
		}
	}
}

func TestDiagnoseForPeople(t *testing.T) {
	code, out, errs := bot(t, "", "diagnose", file(t, "a.jsonl", deniedLine), file(t, "b.jsonl", healthyLine))
	if code != 0 || errs != "" {
		t.Fatalf("got %d, %q", code, errs)
	}
	for _, want := range []string{
		"warehouse: PostgreSQL refused the password — a restart cannot help before that is mended\n  connector RUNNING, 1 task(s) RUNNING, 1 task(s) FAILED\n",
		"  1. Authentication or authorization failure (authentication), 97 % sure\n     + PSQLException: FATAL: password authentication failed",
		"     restart: the same login would be refused again",
		"  | org.postgresql.util.PSQLException: FATAL: password",
		"orders: healthy, nothing has failed\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("got %q, want %q in it", out, want)
		}
	}
	if strings.Contains(out, "hunter2") {
		t.Errorf("a secret is in %q", out)
	}
}

func TestDiagnoseErrors(t *testing.T) {
	rows := []struct{ in, file, want string }{
		{"", "-", "standard input: nothing to read"},
		{"", "/nowhere/x.json", "no such file"},
		{"", t.TempDir(), "is a directory"},
	}
	for _, row := range rows {
		if code, out, errs := bot(t, row.in, "diagnose", row.file); code != 1 || out != "" || !strings.Contains(errs, row.want) {
			t.Errorf("%s: got %d, %q, %q", row.file, code, out, errs)
		}
	}
}
