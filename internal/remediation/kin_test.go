package remediation

import (
	"testing"
	"time"

	"cdcbot/internal/alert"
)

// Two pipelines write to one database: each incident names the other, and neither names itself.
func TestOneCauseInTwoPipelines(t *testing.T) {
	s := newStage(t)
	s.Pipelines["europe"] = s.Pipelines["warehouse"]
	s.Route = func(a alert.Alert) string { return a.Labels["pipeline"] }
	s.must(s.worker.Fail("sink", -1, "java.net.ConnectException: Connection refused"))
	for _, pipeline := range []string{"warehouse", "europe"} {
		s.must(s.Receive(t.Context(), []alert.Alert{{Source: "alertmanager", Name: "KafkaConnectTaskFailure", Status: alert.Firing, Connector: "sink", Task: "0", StartsAt: time.Now(), Fingerprint: pipeline, Labels: map[string]string{"pipeline": pipeline}}}))
	}
	for _, id := range []string{"INC-1", "INC-2"} {
		s.must(s.Painter.paint(t.Context(), id))
	}
	jobs := s.queue.take(Investigate)
	for _, j := range append(jobs, Job{Kind: Investigate, Incident: "INC-1", Attempt: unasked + "1"}) { // the first one looks again by itself
		s.must(s.Work(t.Context(), j))
	}
	for id, want := range map[string]string{"INC-1": "INC-2", "INC-2": "INC-1"} {
		d, err := s.Journal.Diagnosis(t.Context(), id)
		s.must(err)
		if len(d.Kin) != 1 || d.Kin[0].Incident != want || d.Kin[0].Why != "the same trace" {
			t.Errorf("%s: got kin %+v, want %s", id, d.Kin, want)
		}
	}
	events, err := s.Timeline.Events(t.Context(), "INC-1")
	s.must(err)
	if last := events[len(events)-1]; last.Type != "diagnosis.made" {
		t.Errorf("the kin that came is not told: the last event is %s %q", last.Type, last.Text)
	}
}
