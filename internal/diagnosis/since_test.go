package diagnosis

import (
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	of := func(slug Slug, confidence float64, retriable bool, probe bool, lines ...Line) Diagnosis {
		return Diagnosis{Causes: []Cause{{Slug: slug, Title: mannerOf(slug).title, Confidence: confidence, Retriable: retriable}}, Probes: []Probe{{Name: "postgres", OK: probe}}, Subjects: lines}
	}
	well, failed := Line{Connector: "b", State: "RUNNING", Tasks: 1}, Line{Connector: "a", State: "RUNNING", Failed: []int{0}}
	rows := []struct {
		name        string
		before, now Diagnosis
		want        string
	}{
		{"the same", of(DatabaseConnection, .9, false, false, failed), of(DatabaseConnection, .95, false, false, failed), ""},
		{"another cause", of(DatabaseConnection, .9, false, false), of(Authentication, .9, false, false), "the cause is now authentication or authorization failure, before it was database connection failure"},
		{"it answers again", of(DatabaseConnection, .9, false, false), of(DatabaseConnection, .9, true, true), "a restart can help now; postgres answers again"},
		{"it went away", of(DatabaseConnection, .5, true, true), of(DatabaseConnection, .9, false, false), "database connection failure is surer than before (90 %, was 50 %); a restart cannot help any more; postgres does not answer any more"},
		{"less sure", of(DatabaseConnection, .9, true, true), of(DatabaseConnection, .4, true, true), "database connection failure is less sure than before (40 %, was 90 %)"},
		{"another connector", of(ConfigError, .9, false, true, failed), of(ConfigError, .9, false, true, failed, Line{Connector: "b", State: "FAILED"}), "newly failing: b"},
		{"one healed", of(ConfigError, .9, false, true, failed, Line{Connector: "b", State: "FAILED"}), of(ConfigError, .9, false, true, failed, well), "no longer failing: b"},
		{"all healed", of(ConfigError, .9, true, true, failed), of(None, .9, false, true, Line{Connector: "a", State: "RUNNING"}), "the cause is now healthy, before it was configuration error; no longer failing: a"},
		{"nothing at all", Diagnosis{}, Diagnosis{}, ""},
	}
	for _, row := range rows {
		if got := strings.Join(row.now.Compare(row.before), "; "); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}
