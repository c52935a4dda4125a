package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/connect/connecttest"
)

// flood is many alerts of many connectors of several pipelines, which all fail at once.
type flood struct {
	*world
	t         *testing.T
	pipelines []string
	each      int // connectors of a pipeline
	tasks     int // alerts of a connector
}

func newFlood(t *testing.T) *flood {
	f := &flood{t: t, each: 40, tasks: 5}
	settings := []string{"WATCH_ENABLED=false"}
	for i := range 5 {
		name := fmt.Sprint("region", i+1)
		worker := connecttest.New(connecttest.Options{})
		url, err := worker.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = worker.Close() })
		for j := range f.each {
			sink := f.connector(j)
			if err := worker.AddConnector(sink, map[string]string{"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "tasks.max": fmt.Sprint(f.tasks), "topics": "cdc-events-orders", "connection.url": "jdbc:postgresql://127.0.0.1/warehouse"}); err != nil {
				t.Fatal(err)
			}
			if err := worker.Break("a1-postgres-down", sink); err != nil {
				t.Fatal(err)
			}
		}
		f.pipelines = append(f.pipelines, name)
		settings = append(settings, "PIPELINES_"+strings.ToUpper(name)+"_CONNECT_URL="+url)
	}
	var err error
	if f.world, err = newWorld(settings...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.stop)
	return f
}

func (f *flood) connector(i int) string { return fmt.Sprintf("sink-%02d", i+1) }

// send posts every alert, as Alertmanager groups them: one request a connector, in turns over the pipelines.
func (f *flood) send() (alerts int) {
	for i := range f.each {
		for _, p := range f.pipelines {
			var list []map[string]any
			for task := range f.tasks {
				list = append(list, map[string]any{"status": "firing", "startsAt": time.Now().Add(-2 * time.Minute).UTC(), "fingerprint": fmt.Sprintf("%s-%02d-%d", p, i, task),
					"labels":      map[string]string{"alertname": "KafkaConnectTaskFailure", "connector": f.connector(i), "task": fmt.Sprint(task), "pipeline": p, "severity": "critical"},
					"annotations": map[string]string{"summary": "task FAILED"}})
			}
			body, err := json.Marshal(map[string]any{"version": "4", "groupKey": p, "alerts": list})
			if err != nil {
				f.t.Fatal(err)
			}
			if status, answer, err := f.webhook(string(body), token); err != nil || status != http.StatusOK {
				f.t.Fatalf("the webhook answers %d %v, %v", status, answer, err)
			}
			alerts += len(list)
		}
	}
	return alerts
}

// told counts the threads whose first message says how many connectors failed, and why.
func (f *flood) told() int {
	n := 0
	for _, m := range f.slack.Messages(channel) {
		if strings.Contains(m.Text, fmt.Sprintf("%d connectors", f.each)) && strings.Contains(m.Words, "Database connection failure") {
			n++
		}
	}
	return n
}

// TestAThousandAlerts is the promise in figures: a thousand alerts for 200 connectors of five pipelines are five threads,
// which in the end show everything, and Slack never has to say that we talk too much.
func TestAThousandAlerts(t *testing.T) {
	for _, row := range []struct {
		name string
		away time.Duration // Slack
	}{
		{"with Slack", 0},
		{"while Slack is away", 20 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFlood(t)
			began := time.Now()
			if row.away > 0 {
				f.slack.Down(row.away)
			}
			alerts := f.send()
			sent := time.Since(began)
			if err := f.slack.Wait(within(2*time.Minute), "five threads that say all", func() bool { return f.told() == len(f.pipelines) }); err != nil {
				for _, m := range f.slack.Messages(channel) {
					t.Log(m.Text)
				}
				t.Fatal(err)
			}
			t.Logf("%d alerts in %.1f s; shown %.1f s after the first; %d posts, %d updates", alerts, sent.Seconds(), time.Since(began).Seconds(), f.slack.Calls("chat.postMessage"), f.slack.Calls("chat.update"))
			if n := len(f.slack.Messages(channel)); n != len(f.pipelines) {
				t.Errorf("%d messages stand in the channel, want one thread a pipeline", n)
			}
			f.nothingLost(alerts)
			f.withinLimits()
		})
	}
}

// nothingLost looks whether each alert is in its incident's timeline.
func (f *flood) nothingLost(alerts int) {
	f.t.Helper()
	found := 0
	for i := range f.pipelines {
		events, err := f.hand.XRange(f.t.Context(), fmt.Sprintf("cdcbot:{INC-%d}:timeline", i+1), "-", "+").Result()
		if err != nil {
			f.t.Fatal(err)
		}
		for _, e := range events {
			found += strings.Count(fmt.Sprint(e.Values["event"]), `"type":"alert.received"`)
		}
	}
	if found != alerts {
		f.t.Errorf("%d alerts are in the timelines, want %d", found, alerts)
	}
}

// withinLimits fails when Slack had to refuse a call because there were too many.
func (f *flood) withinLimits() {
	f.t.Helper()
	for _, c := range f.slack.Recorded() {
		if c.Error == "ratelimited" {
			f.t.Errorf("%s was refused at %s: too many", c.Method, c.At.Format("15:04:05.000"))
		}
	}
}
