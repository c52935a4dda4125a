package slack

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestGateLetsApprovalsGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(time.Second, 1)
		if err := g.pass(t.Context(), rankProgress); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var mu sync.Mutex
		var order []int
		var group sync.WaitGroup
		for _, rank := range []int{rankProgress, rankResult, rankApproval, rankRoot} {
			group.Go(func() {
				if err := g.pass(t.Context(), rank); err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, rank)
				mu.Unlock()
			})
			synctest.Wait()
		}
		group.Wait()
		for i, rank := range []int{rankRoot, rankApproval, rankResult, rankProgress} {
			if order[i] != rank {
				t.Fatalf("order %v, want root, approval, result, progress", order)
			}
		}
		if took := time.Since(began); took < 4*time.Second || took > 5*time.Second {
			t.Errorf("four calls took %s at one per second", took)
		}
	})
}

func TestGateStaysClosedAsLongAsSlackSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(time.Second, 5)
		g.close(time.Now().Add(7 * time.Second))
		began := time.Now()
		if err := g.pass(t.Context(), 0); err != nil || time.Since(began) < 7*time.Second {
			t.Errorf("passed after %s: %v", time.Since(began), err)
		}
		g.close(time.Now().Add(time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.pass(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if len(g.waiting) != 0 {
			t.Error("who gave up still stands in line")
		}
	})
}
