package timeline

import (
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// A report ends where it was begun, although the timeline goes on while it is written.
func TestReportIsOneMoment(t *testing.T) {
	client, _ := mini(t)
	l := newLog(client, newClock())
	for range 3 {
		must[Event](t)(l.Append(t.Context(), note("before")))
	}
	r, err := NewReport(Summary{ID: "INC-1"}, l.Read(t.Context(), "INC-1"), nil, newClock().at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	must[Event](t)(l.Append(t.Context(), note("after")))
	n := 0
	for e, err := range r.Events() {
		if err != nil || e.Text != "before" {
			t.Errorf("event %d: %q, %v", e.Seq, e.Text, err)
		}
		n++
	}
	if n != 3 || r.Count != 3 {
		t.Errorf("%d events of %d", n, r.Count)
	}
}

// long is a timeline of n events in a real Redis, as an incident of many days has them.
func long(b *testing.B, n int) *Log {
	b.Helper()
	client := startRedis(b).client
	l := newLog(client, newClock())
	batch, prev := client.Pipeline(), ""
	for i := range n {
		e := note(fmt.Sprintf("message %d of a long night, as long as people write them when they are tired", i))
		if i%50 == 0 {
			e.Type, e.Data = StepSucceeded, []byte(`{"output":"connector RUNNING\ntask 0 RUNNING","run":"RUN-1","step":1}`)
		}
		e.Seq, e.Prev, e.Time = int64(i+1), prev, l.Now()
		var err error
		if e.Hash, err = sum(e); err != nil {
			b.Fatal(err)
		}
		body, err := encode(e)
		if err != nil {
			b.Fatal(err)
		}
		prev = e.Hash
		batch.XAdd(b.Context(), &redis.XAddArgs{Stream: streamKey(e.Incident), ID: fmt.Sprintf("%d-0", e.Seq), Values: []any{"hash", e.Hash, "event", body}})
		if i%5000 == 4999 || i == n-1 {
			if _, err := batch.Exec(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	return l
}

// BenchmarkAppend shows that an append costs the same however long the timeline is.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprintf("behind %d", n), func(b *testing.B) {
			l := long(b, n)
			for b.Loop() {
				if _, err := l.Append(b.Context(), note("x")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkExport writes 100,000 events in each format, and prints how long it takes and the heap that was in use at most.
func BenchmarkExport(b *testing.B) {
	l := long(b, 100_000)
	for _, format := range []string{"md", "html", "json", "csv"} {
		b.Run(format, func(b *testing.B) {
			var before runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			peak := watchHeap(b)
			for b.Loop() {
				r, err := NewReport(Summary{ID: "INC-1"}, l.Read(b.Context(), "INC-1"), nil, newClock().at)
				if err != nil {
					b.Fatal(err)
				}
				if err := Export(io.Discard, format, r); err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
			b.ReportMetric(float64(peak()-before.HeapInuse)/(1<<20), "peak-MiB")
		})
	}
}

// watchHeap looks at the heap until its answer is asked for.
func watchHeap(b *testing.B) func() uint64 {
	b.Helper()
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		var most uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
			select {
			case <-stop:
				done <- most
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 { close(stop); return <-done }
}
