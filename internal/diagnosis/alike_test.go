package diagnosis

import "testing"

func TestAlike(t *testing.T) {
	refused := Probe{Name: "postgres", Text: "connect 10.0.0.5:5432: connection refused"}
	with := func(slug Slug, trace string, p Probe, worker string) Diagnosis {
		d := Diagnosis{Causes: []Cause{{Slug: slug}}, Trace: trace, Probes: []Probe{p}}
		if worker != "" {
			d.Subjects = []Line{{Connector: "c", State: "RUNNING", Failed: []int{0}, Worker: worker}, {Connector: "well", State: "RUNNING", Worker: "elsewhere:8083"}}
		}
		return d
	}
	well := Probe{Name: "postgres", OK: true, Text: "SELECT 1"}
	for _, row := range []struct {
		name string
		a, b Diagnosis
		want string // "" when they are not alike
	}{
		{"one database", with(DatabaseConnection, "", refused, ""), with(DatabaseConnection, "", refused, ""), "postgres does not answer either: connect 10.0.0.5:5432: connection refused"},
		{"another database", with(DatabaseConnection, "", refused, ""), with(DatabaseConnection, "", Probe{Name: "postgres", Text: "connect 10.0.0.6:5432: connection refused"}, ""), ""},
		{"another cause", with(DatabaseConnection, "", refused, ""), with(Authentication, "", refused, ""), ""},
		{"one trace, other numbers", with(KafkaBroker, "org.x.BError: no leader for orders-1\n\tat x.Y.z(Y.java:1)", well, ""), with(KafkaBroker, "org.x.CException: task 9 failed\nCaused by: org.x.BError: no leader for orders-7", well, ""), "the same trace"},
		{"another trace", with(KafkaBroker, "org.x.BError: no leader", well, ""), with(KafkaBroker, "org.x.BError: timed out", well, ""), ""},
		{"exceptions without a message", with(KafkaBroker, "org.x.BError", well, ""), with(KafkaBroker, "org.x.BError", well, ""), ""},
		{"one worker", with(WorkerFailure, "", well, "w1:8083"), with(WorkerFailure, "", well, "w1:8083"), "the same worker w1:8083"},
		{"another worker", with(WorkerFailure, "", well, "w1:8083"), with(WorkerFailure, "", well, "w2:8083"), ""},
		{"both unknown", with(Unknown, "org.x.BError: x", well, ""), with(Unknown, "org.x.BError: x", well, ""), ""},
		{"both healthy", with(None, "", well, ""), with(None, "", well, ""), ""},
	} {
		if got, ok := row.a.Alike(row.b); got != row.want || ok != (row.want != "") {
			t.Errorf("%s: got %q, %t, want %q", row.name, got, ok, row.want)
		}
	}
}
