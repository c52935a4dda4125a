package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The fault that the project is about, on real services: PostgreSQL stops, an order makes the sink's task FAILED with a
// trace, Prometheus and Alertmanager deliver the alert to the bot's address, and after the cure the order arrives.
func TestStoppedPostgresBecomesAnAlertAndHeals(t *testing.T) {
	s := Alone(t, Connect, Postgres, Prometheus, Alertmanager)
	alerts := receive(t, s)
	id := fmt.Sprintf("o-%d", time.Now().UnixNano())

	s.StopPostgres(t)
	s.Order(t, id)
	start := time.Now()
	var trace string
	Await(t, "the sink's task FAILED", time.Minute, func(ctx context.Context) (bool, error) {
		task, err := s.task(ctx)
		trace = task.Trace
		return task.State == "FAILED", err
	})
	t.Logf("FAILED after %s", time.Since(start).Round(100*time.Millisecond))
	if want := "java.net.ConnectException: Connection refused"; !strings.Contains(trace, want) {
		t.Errorf("trace: got %q, want %q in it", trace, want)
	}

	firing := next(t, alerts, "firing")
	t.Logf("webhook after %s", time.Since(start).Round(100*time.Millisecond))
	if got := firing.Labels["connector"] + "/" + firing.Labels["task"]; got != SinkConnector+"/0" {
		t.Errorf("labels %v: got connector/task %q, want %q", firing.Labels, got, SinkConnector+"/0")
	}

	s.StartPostgres(t)
	start = time.Now()
	restart(t, s)
	Await(t, "order "+id+" in "+Table, time.Minute, func(ctx context.Context) (bool, error) { return s.Row(ctx, id) })
	t.Logf("healed after %s", time.Since(start).Round(100*time.Millisecond))
	next(t, alerts, "resolved")
	t.Logf("resolved after %s", time.Since(start).Round(100*time.Millisecond))
}

func TestEveryPartAnswers(t *testing.T) {
	s := Require(t, Connect, Registry, Kafka, Postgres, Prometheus, Alertmanager, SharedRedis)
	if s.WebhookToken == "" {
		t.Error("the lab is up and there is no webhook token")
	}
	id := fmt.Sprintf("o-%d", time.Now().UnixNano())
	s.Order(t, id)
	Await(t, "order "+id+" in "+Table, time.Minute, func(ctx context.Context) (bool, error) { return s.Row(ctx, id) })
}

type task struct {
	State string `json:"state"`
	Trace string `json:"trace"`
}

// task is the sink's first task, as the worker's REST API shows it.
func (s Services) task(ctx context.Context) (task, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Connect+"/connectors/"+SinkConnector+"/tasks/0/status", nil)
	if err != nil {
		return task{}, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return task{}, err
	}
	defer func() { _ = res.Body.Close() }()
	var got task
	return got, decode(res, &got)
}

func decode(res *http.Response, into any) error {
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the worker answered %s", res.Status)
	}
	return json.NewDecoder(res.Body).Decode(into)
}

// restart asks for the restart that heals failed tasks (KIP-745).
func restart(t *testing.T, s Services) {
	t.Helper()
	res, err := http.Post(s.Connect+"/connectors/"+SinkConnector+"/restart?includeTasks=true&onlyFailed=true", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		t.Fatalf("restart: got %s, want 202", res.Status)
	}
}

type firedAlert struct {
	Status string            `json:"status"`
	Labels map[string]string `json:"labels"`
}

// receive listens where Alertmanager delivers and passes on the alerts about failed tasks.
func receive(t *testing.T, s Services) <-chan firedAlert {
	t.Helper()
	at, err := url.Parse(s.BotURL)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", at.Host)
	if err != nil {
		t.Fatalf("listening where Alertmanager delivers (does a bot run there?): %v", err)
	}
	alerts := make(chan firedAlert, 100)
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer "+s.WebhookToken || r.URL.Path != at.Path {
			t.Errorf("delivery to %s with Authorization %q, want %s and the lab's token", r.URL.Path, got, at.Path)
		}
		var payload struct {
			Alerts []firedAlert `json:"alerts"`
		}
		if err := json.NewDecoder(r.Body).Decode(&payload); err != nil {
			t.Errorf("delivery: %v", err)
		}
		for _, a := range payload.Alerts {
			if a.Labels["alertname"] == AlertName {
				alerts <- a
			}
		}
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return alerts
}

func next(t *testing.T, alerts <-chan firedAlert, status string) firedAlert {
	t.Helper()
	deadline := time.After(90 * time.Second)
	for {
		select {
		case a := <-alerts:
			if a.Status == status {
				return a
			}
		case <-deadline:
			t.Fatalf("no %s alert was delivered in 90 s", status)
		}
	}
}
