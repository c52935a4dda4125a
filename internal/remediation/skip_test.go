package remediation

import (
	"testing"

	"cdcbot/internal/action"
	"cdcbot/internal/diagnosis"
)

// Skipping is offered only where one record is to blame and the trace names it; the plan is exactly about that record.
func TestSkipOnlyTheRecordThatIsNamed(t *testing.T) {
	blamed := func(slug diagnosis.Slug, trace string, connectors ...string) diagnosis.Diagnosis {
		return diagnosis.Diagnosis{Trace: trace, Causes: []diagnosis.Cause{{Slug: slug, Connectors: connectors, Confidence: 0.9}}}
	}
	cases := []struct {
		name string
		d    diagnosis.Diagnosis
		want Record
		ok   bool
	}{
		{"a converter's", blamed(diagnosis.ToleranceExceeded, "Error converting message value in topic 'cdc-events-users' partition 2 at offset 42 and timestamp 1", "sink"), Record{"cdc-events-users", 2, 42}, true},
		{"a sink record", blamed(diagnosis.ToleranceExceeded, "SinkRecord{kafkaOffset=42, timestampType=CreateTime} ConnectRecord{topic='t', kafkaPartition=1, key=null, kafkaOffset=7}", "sink"), Record{"t", 1, 7}, true},
		{"a debezium sink's", blamed(diagnosis.ToleranceExceeded, "Failed to process a sink record (topic=t.x, partition=0, offset=9)", "sink"), Record{"t.x", 0, 9}, true},
		{"another cause", blamed(diagnosis.DatabaseConnection, "in topic 't' partition 2 at offset 42", "sink"), Record{}, false},
		{"no record named", blamed(diagnosis.ToleranceExceeded, "Tolerance exceeded in error handler", "sink"), Record{}, false},
		{"several connectors", blamed(diagnosis.ToleranceExceeded, "in topic 't' partition 2 at offset 42", "a", "b"), Record{}, false},
		{"a number that is none", blamed(diagnosis.ToleranceExceeded, "in topic 't' partition 2 at offset 99999999999999999999", "a"), Record{}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			connector, got, ok := poisoned(c.d)
			if got != c.want || ok != c.ok {
				t.Errorf("got %+v, %t; want %+v, %t", got, ok, c.want, c.ok)
			}
			if !ok {
				return
			}
			plan, err := builtin(Pipeline{Name: "warehouse", Cluster: "warehouse"}, RecipeForSkip(connector, got))
			want := action.SkipRecord{Cluster: "warehouse", Connector: "sink", Topic: c.want.Topic, Partition: c.want.Partition, Offset: c.want.Offset}
			if err != nil || len(plan.Steps) != 1 || plan.Steps[0].Action != action.Action(want) || plan.Risk != action.High {
				t.Errorf("plan: got %+v, %v", plan, err)
			}
		})
	}
	for _, inputs := range []map[string]string{{}, {"topic": "t", "partition": "x", "offset": "1"}, {"topic": "t", "partition": "0", "offset": "-1"}} {
		if _, err := skipPlan("warehouse", "sink", inputs); err == nil {
			t.Errorf("inputs %v: got no error", inputs)
		}
	}
}
