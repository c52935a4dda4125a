package slack

import (
	"slices"
	"testing"
	"time"

	"cdcbot/internal/slacksim"
)

// BenchmarkAck measures what a person waits before Slack shows that a command has arrived: from the envelope that the
// simulated workspace writes to the acknowledgement that it reads, one at a time.
func BenchmarkAck(b *testing.B) {
	f := openOffice(b, slacksim.Options{Unlimited: true}, nil)
	oncall := f.sim.As("oncall")
	took := make([]time.Duration, 0, b.N)
	for b.Loop() {
		began := time.Now()
		if err := oncall.Command(b.Context(), room, "/cdc status"); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
