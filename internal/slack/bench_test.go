package slack

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// BenchmarkAck measures from an envelope written by Slack's side to its acknowledgement read there, one at a time.
func BenchmarkAck(b *testing.B) {
	f := newFake(b)
	acked := make(chan string, 1)
	f.start(f.bot(nil), &asker{}, nil)
	f.onAck = func(envelope string) { acked <- envelope }
	sockets := f.open()
	took := make([]time.Duration, 0, b.N)
	for i := 0; b.Loop(); i++ {
		id := fmt.Sprint("bench-", i)
		frame := slash(id, "trigger-"+id, "status")
		began := time.Now()
		if err := sockets[i%len(sockets)].write(frame); err != nil {
			b.Fatal(err)
		}
		if got := <-acked; got != id {
			b.Fatalf("acknowledged %s, want %s", got, id)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
