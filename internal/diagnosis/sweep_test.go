package diagnosis

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"cdcbot/internal/connect"
	"cdcbot/internal/redact"
)

// crowd is a Connect over HTTP with n connectors, three of ten failing, no two traces alike. It counts what is asked for
// statuses.
func crowd(tb testing.TB, n int) (*connect.Client, *atomic.Int64) {
	tb.Helper()
	type task struct {
		ID       int    `json:"id"`
		State    string `json:"state"`
		WorkerID string `json:"worker_id"`
		Trace    string `json:"trace,omitempty"`
	}
	rows := map[string]any{}
	for i, s := range storm(n) {
		var tasks []task
		for _, t := range s.Status.Tasks {
			if t.Trace != "" {
				t.Trace += fmt.Sprintf("\tat a.b.C.d(C.java:%d)\n%s", i, strings.Repeat("\tat org.apache.kafka.connect.runtime.WorkerSinkTask.poll(WorkerSinkTask.java:359)\n", 60))
			}
			tasks = append(tasks, task{t.ID, string(t.State), t.WorkerID, t.Trace})
		}
		rows[s.Connector] = map[string]any{
			"info":   map[string]any{"name": s.Connector, "config": map[string]string{"connector.class": "x.Sink", "connection.password": "x", "topics": "orders"}, "type": "sink"},
			"status": map[string]any{"name": s.Connector, "connector": map[string]string{"state": string(s.Status.State), "worker_id": "w:8083"}, "tasks": tasks, "type": "sink"},
		}
	}
	body, err := json.Marshal(rows)
	if err != nil {
		tb.Fatal(err)
	}
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/validate") {
			_, _ = w.Write([]byte(`{"name":"x.Sink","error_count":0,"configs":[]}`))
			return
		}
		asked.Add(1)
		_, _ = w.Write(body)
	}))
	tb.Cleanup(server.Close)
	client, err := connect.New(connect.Options{Cluster: "w", URL: server.URL})
	if err != nil {
		tb.Fatal(err)
	}
	return client, &asked
}

// A sweep of a whole cluster is one request, however many connectors it has.
func TestSweepIsOneRequest(t *testing.T) {
	client, asked := crowd(t, 1000)
	c := &Collector{Connect: map[string]ConnectReader{"w": client}, Mask: redact.New()}
	d := Diagnose(c.Collect(t.Context(), "w", nil))
	if asked.Load() != 1 || len(d.Subjects) != 1000 || len(d.sick()) != 300 {
		t.Errorf("got %d requests, %d connectors, %d failing; want 1, 1000, 300", asked.Load(), len(d.Subjects), len(d.sick()))
	}
}

// BenchmarkSweep is a whole sweep over HTTP: status, evidence, diagnosis. MiB is what the heap has grown by while all of it
// is held.
func BenchmarkSweep(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 5000} {
		client, _ := crowd(b, n)
		c := &Collector{Connect: map[string]ConnectReader{"w": client}, Mask: redact.New("Zq7kPlantedSecret")}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var held []any
			for b.Loop() {
				e := c.Collect(b.Context(), "w", nil)
				held = []any{e, Diagnose(e)}
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
			runtime.KeepAlive(held)
		})
	}
}
