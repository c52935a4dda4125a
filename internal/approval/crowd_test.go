package approval

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// crowd is how many people press at once.
const crowd = 1000

// TestCrowd: a thousand people press Approve at the same moment. One is the approver, the run has one grant, and everybody
// gets a true answer.
func TestCrowd(t *testing.T) {
	p := startRedis(t)
	s := newStore(p.client, newClock())
	req, err := s.Ask(t.Context(), request("UASKER", 1))
	if err != nil {
		t.Fatal(err)
	}
	answers, _ := pressAll(t, s, req)
	first := 0
	for who, err := range answers {
		switch {
		case err == nil:
			first++
		case !errors.Is(err, ErrNotPending):
			t.Errorf("person %d: %v, want ErrNotPending", who, err)
		}
	}
	got, err := s.Get(t.Context(), req.ID)
	if err != nil || first != 1 || got.State != Approved || len(got.Decisions) != 1 {
		t.Errorf("%d approvals counted, state %s, %d decisions, %v", first, got.State, len(got.Decisions), err)
	}
	grants := 0
	for run := range 10 {
		if _, err := s.Claim(t.Context(), req.ID, req.Digest, fmt.Sprintf("RUN-%d", run+1)); err == nil {
			grants++
		}
	}
	if grants != 1 {
		t.Errorf("%d grants", grants)
	}
}

// pressAll lets the crowd decide at once and returns what each was told, and how long each waited.
func pressAll(tb testing.TB, s *Store, req Request) (answers []error, waits []time.Duration) {
	tb.Helper()
	answers, waits = make([]error, crowd), make([]time.Duration, crowd)
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range crowd {
		group.Go(func() {
			<-start
			began := time.Now()
			_, answers[i] = s.Decide(tb.Context(), req.ID, Decision{User: fmt.Sprintf("UPERSON%d", i), Verdict: Approve, Digest: req.Digest})
			waits[i] = time.Since(began)
		})
	}
	close(start)
	group.Wait()
	return answers, waits
}

// BenchmarkCrowd is how long each of a thousand people waits who press at once.
func BenchmarkCrowd(b *testing.B) {
	p := startRedis(b)
	s := newStore(p.client, newClock())
	var all []time.Duration
	for b.Loop() {
		r := request("UASKER", 1)
		r.Incident = fmt.Sprintf("INC-%d", len(all)+1)
		req, err := s.Ask(b.Context(), r)
		if err != nil {
			b.Fatal(err)
		}
		_, waits := pressAll(b, s, req)
		all = append(all, waits...)
	}
	slices.Sort(all)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "ms-p99")
}
