package app

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"cdcbot/internal/alert"
	"cdcbot/internal/connect"
	"cdcbot/internal/target/kafka"
)

// oracle is a Prometheus that answers one thing; a %d in it counts how often it was asked.
type oracle struct {
	status int
	body   string
	err    error
	asked  int
}

func (o *oracle) Get(context.Context, string) (int, []byte, error) {
	o.asked++
	return o.status, []byte(strings.Replace(o.body, "%d", strconv.Itoa(o.asked), 1)), o.err
}

func lost(n string) string {
	return `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"connector":"a"},"value":[1,"` + n + `"]},{"metric":{},"value":[1,"7"]}]}}`
}

func TestSilence(t *testing.T) {
	running := connect.Status{Type: "sink", State: connect.Running, Tasks: []connect.Task{{State: connect.Running}}}
	failed := connect.Status{Type: "sink", State: connect.Running, Tasks: []connect.Task{{State: connect.Failed}}}
	began := time.Date(2026, 11, 23, 2, 10, 0, 0, time.UTC)
	away, never := groups{}, groups{} // no group: Kafka does not answer from the second look on
	rows := []struct {
		name       string
		status     connect.Status
		config     map[string]string
		groups     groups
		prometheus *oracle
		want       string
	}{
		{"it moves", running, nil, groups{"connect-a": {Committed: 9}}, &oracle{status: 200, body: lost("0")}, "RUNNING"},
		{"it stands still", running, nil, groups{"connect-a": {Committed: 5, Waiting: 3}}, nil, alert.StalledState},
		{"it has failed, which is no silence", failed, nil, groups{"connect-a": {Committed: 5, Waiting: 3}}, nil, "RUNNING"},
		{"Kafka does not answer any more", running, nil, away, nil, alert.StalledState},
		{"Kafka has never answered", running, nil, never, nil, "RUNNING"},
		{"it loses records", running, nil, nil, &oracle{status: 200, body: lost("%d")}, alert.LosingState},
		{"it has lost records long ago", running, nil, nil, &oracle{status: 200, body: lost("7")}, "RUNNING"},
		{"records go to a dead-letter queue", running, map[string]string{"errors.deadletterqueue.topic.name": "dlq"}, nil, &oracle{status: 200, body: lost("%d")}, "RUNNING"},
		{"Prometheus is away", running, nil, nil, &oracle{err: errors.New("refused")}, "RUNNING"},
		{"Prometheus does not understand", running, nil, nil, &oracle{status: 400, body: `{"status":"error","error":"bad"}`}, "RUNNING"},
		{"Prometheus is something else", running, nil, nil, &oracle{status: 200, body: `<html>`}, "RUNNING"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := &silence{stall: 3 * time.Minute, log: zap.NewNop(), losing: map[string]time.Time{}}
			switch row.name {
			case "Kafka has never answered":
				s.trails = &trails{kafka: groups(nil), known: map[string]*trail{}}
			case "Kafka does not answer any more":
				s.trails = &trails{kafka: groups{"connect-a": kafka.Progress{Committed: 5}}, known: map[string]*trail{}}
			}
			if row.groups != nil && s.trails == nil {
				s.trails = &trails{kafka: groups{"connect-a": kafka.Progress{Committed: 5, Waiting: 3}}, known: map[string]*trail{}}
			}
			if row.prometheus != nil {
				s.prometheus = row.prometheus
			}
			found := map[string]connect.Connector{"a": {Status: row.status, Config: row.config}}
			var snaps map[string]alert.Snapshot
			for i := range 20 { // a little more than three minutes, every ten seconds
				snaps = map[string]alert.Snapshot{"a": {State: "RUNNING"}}
				s.mark(t.Context(), found, snaps, began.Add(time.Duration(i)*10*time.Second))
				switch {
				case row.groups == nil:
				case len(row.groups) == 0:
					s.trails.kafka = groups(nil)
				default:
					s.trails.kafka = row.groups
				}
			}
			if got := snaps["a"].State; got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
			if row.prometheus != nil && row.prometheus.asked != 10 {
				t.Errorf("Prometheus was asked %d times in 3 min, want 10", row.prometheus.asked)
			}
		})
	}
}
