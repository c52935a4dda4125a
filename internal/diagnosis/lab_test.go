package diagnosis

import (
	"strings"
	"testing"
	"time"

	"cdcbot/internal/connect"
)

// noon is when the tests take place.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// operator is what the operator's runbook for failed connectors says: its symptoms, error patterns and causes.
var operator = Evidence{
	Patterns: []Pattern{
		{Text: "Connection refused", Hint: "Database unavailable"},
		{Text: "Authentication failed", Hint: "Credential rotation issue"},
		{Text: "Schema mismatch", Hint: "Schema Registry or table DDL issue"},
		{Text: "Timeout", Hint: "Network or database performance issue"},
		{Text: "java.sql.SQLException: Connection refused", Section: "cause-1-database-connection-failure"},
		{Text: "FAILED", Section: "cause-1-database-connection-failure"},
		{Text: "Authentication failed for user", Section: "cause-2-authentication-credential-failure"},
		{Text: "Invalid credentials", Section: "cause-2-authentication-credential-failure"},
		{Text: "Schema registry not available", Section: "cause-3-schema-registry-unavailable"},
		{Text: "Failed to retrieve schema for id <schema_id>", Section: "cause-3-schema-registry-unavailable"},
		{Text: "Column 'new_column' does not exist", Section: "cause-4-postgresql-table-schema-mismatch"},
		{Text: "Type mismatch for column 'age': expected INTEGER, got TEXT", Section: "cause-4-postgresql-table-schema-mismatch"},
		{Text: "Tolerance exceeded in error handler", Section: "cause-5-dlq-topic-full-error-tolerance-exceeded"},
		{Text: "DLQ topic partition full", Section: "cause-5-dlq-topic-full-error-tolerance-exceeded"},
		{Text: "All connector tasks assigned to same worker", Section: "cause-6-kafka-connect-worker-failure"},
		{Text: "Worker process crashed", Section: "cause-6-kafka-connect-worker-failure"},
	},
	Sections: []Section{
		{"cause-1-database-connection-failure", "Cause 1: Database Connection Failure"},
		{"cause-2-authentication-credential-failure", "Cause 2: Authentication/Credential Failure"},
		{"cause-3-schema-registry-unavailable", "Cause 3: Schema Registry Unavailable"},
		{"cause-4-postgresql-table-schema-mismatch", "Cause 4: PostgreSQL Table Schema Mismatch"},
		{"cause-5-dlq-topic-full-error-tolerance-exceeded", "Cause 5: DLQ Topic Full / Error Tolerance Exceeded"},
		{"cause-6-kafka-connect-worker-failure", "Cause 6: Kafka Connect Worker Failure"},
	},
}

var (
	up      = Probe{Name: "postgres", Source: "SELECT 1", OK: true, Text: "answers in 3ms", At: noon}
	refused = Probe{Name: "postgres", Source: "SELECT 1", Reason: Refused, Text: "PostgreSQL at 127.0.0.1:5432 refused the connection", At: noon}
	hangs   = Probe{Name: "postgres", Source: "SELECT 1", Reason: Timeout, Text: "no answer within 2s", At: noon}
	denied  = Probe{Name: "postgres", Source: "SELECT 1", Reason: Denied, Text: "PostgreSQL refused the login", At: noon}
	noReg   = Probe{Name: "registry", Source: "GET /subjects", Reason: Refused, Text: "connection refused", At: noon}
	reg     = Probe{Name: "registry", Source: "GET /subjects", OK: true, Text: "12 subjects", At: noon}
)

// TestLab diagnoses every failure of the lab as a real worker showed it.
func TestLab(t *testing.T) {
	tests := []struct {
		name, trace, first string // names in testdata/lab.json
		probes             []Probe
		slug               Slug
		retriable          bool
		section            string // how it begins
		headline           string
	}{
		{"a1", "a1-postgres-down", "", nil, DatabaseConnection, true, "cause-1", "PostgreSQL refused the connection — a restart helps once it answers"},
		{"a1, back", "a1-postgres-down", "", []Probe{up}, DatabaseConnection, true, "cause-1", "PostgreSQL refused the connection — it is back now, a restart will help"},
		{"a1, still down", "a1-postgres-down", "", []Probe{refused}, DatabaseConnection, false, "cause-1", "PostgreSQL refused the connection — it still refuses connections, a restart must wait"},
		{"a2", "a2-postgres-down-at-task-start", "", nil, DatabaseConnection, true, "cause-1", "no connection to the database when the task started"},
		{"a2, back", "a2-postgres-down-at-task-start", "", []Probe{up}, DatabaseConnection, true, "cause-1", "try a restart"},
		{"a2, still down", "a2-postgres-down-at-task-start", "", []Probe{refused}, DatabaseConnection, false, "cause-1", "a restart must wait"},
		{"a2 hides a1", "a2-postgres-down-at-task-start", "a1-postgres-down", []Probe{up}, DatabaseConnection, true, "cause-1", "PostgreSQL refused the connection — it is back now"},
		{"b1", "b1-password-changed-sessions-killed", "", []Probe{up}, Authentication, false, "cause-2", "PostgreSQL refused the password — a restart cannot help"},
		{"b1 without probe", "b1-password-changed-sessions-killed", "", nil, Authentication, false, "cause-2", "PostgreSQL refused the password"},
		{"b2, bot denied too", "b2-password-changed-at-task-start", "", []Probe{denied}, Authentication, false, "cause-2", "no login to the database when the task started"},
		{"b2 hides b1", "b2-password-changed-at-task-start", "b1-password-changed-sessions-killed", []Probe{up}, Authentication, false, "cause-2", "PostgreSQL refused the password"},
		{"b3", "b3-role-may-not-login", "", []Probe{up}, Authentication, false, "cause-2", "the role may not log in"},
		{"b4", "b4-permission-denied", "", []Probe{up}, Authentication, false, "cause-2", "permission denied: the role lacks a privilege"},
		{"c2", "c2-registry-down-at-task-start", "", nil, SchemaRegistry, true, "cause-3", "the schema registry does not answer"},
		{"c2, still down", "c2-registry-down-at-task-start", "", []Probe{up, noReg}, SchemaRegistry, false, "cause-3", "a restart must wait"},
		{"c2, back", "c2-registry-down-at-task-start", "", []Probe{up, reg}, SchemaRegistry, true, "cause-3", "it is back now"},
		{"c3", "c3-registry-down-source-restart", "", []Probe{up}, SchemaRegistry, true, "cause-3", "the schema registry does not answer"},
		{"d1", "d1-column-missing-schema-evolution-none", "", []Probe{up}, TableSchemaMismatch, false, "cause-4", "the table lacks a column"},
		{"d2", "d2-column-type-mismatch", "", []Probe{up}, TableSchemaMismatch, false, "cause-4", "a column has another type than the records"},
		{"d3", "d3-table-missing-schema-evolution-none", "", []Probe{up}, TableSchemaMismatch, false, "cause-4", "the table is missing"},
		{"e1", "e1-bad-record-tolerance-none", "", []Probe{up}, ToleranceExceeded, false, "cause-5", "a restart would meet the same record"},
		{"e2, database down under tolerance all", "e2-bad-record-dlq", "", []Probe{up}, DatabaseConnection, true, "cause-1", "PostgreSQL refused the connection"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := failing(labTrace(t, tc.trace))
			if tc.first != "" {
				s.First = labTrace(t, tc.first)
			}
			d := Diagnose(evidence(tc.probes, s))
			top := d.Top()
			if top.Slug != tc.slug || top.Retriable != tc.retriable || !strings.HasPrefix(top.Section, tc.section) {
				t.Errorf("got %s, retriable %t, section %q; want %s, %t, %s…", top.Slug, top.Retriable, top.Section, tc.slug, tc.retriable, tc.section)
			}
			if want := "postgres-sink-connector: "; !strings.HasPrefix(d.Headline, want) || !strings.Contains(d.Headline, tc.headline) || len([]rune(d.Headline)) > 150 {
				t.Errorf("headline %q, want %q in it", d.Headline, tc.headline)
			}
			if top.Confidence < 0.45 || top.Confidence > certain || len(top.For) == 0 || top.Why == "" || d.Excerpt == "" || d.Trace == "" {
				t.Errorf("confidence %.2f, for %v, why %q, excerpt %q", top.Confidence, top.For, top.Why, d.Excerpt)
			}
			if testing.Verbose() {
				report(t, d)
			}
		})
	}
}

func report(t *testing.T, d Diagnosis) {
	t.Log(d.Headline)
	for _, c := range d.Causes {
		t.Logf("%.2f %s %s retriable=%t (%s)", c.Confidence, c.Slug, c.Section, c.Retriable, c.Why)
		for _, r := range c.For {
			t.Logf("   + %s [%s]", r.Text, r.Source)
		}
		for _, r := range c.Against {
			t.Logf("   - %s [%s]", r.Text, r.Source)
		}
	}
}

// failing is the operator's sink with its first task failed.
func failing(trace string) Subject {
	return Subject{Cluster: "warehouse", Connector: "postgres-sink-connector", Suspect: true, Status: connect.Status{
		Name: "postgres-sink-connector", Type: "sink", State: connect.Running, WorkerID: "kafka-connect:8083",
		Tasks: []connect.Task{
			{ID: 0, State: connect.Failed, WorkerID: "kafka-connect:8083", Trace: trace},
			{ID: 1, State: connect.Running, WorkerID: "kafka-connect:8083"},
		}}}
}

func healthy(name string) Subject {
	return Subject{Cluster: "warehouse", Connector: name, Status: connect.Status{Name: name, State: connect.Running, WorkerID: "kafka-connect:8083",
		Tasks: []connect.Task{{ID: 0, State: connect.Running, WorkerID: "kafka-connect:8083"}}}}
}

func evidence(probes []Probe, subjects ...Subject) Evidence {
	e := operator
	e.At, e.Probes, e.Subjects = noon, probes, subjects
	return e
}
