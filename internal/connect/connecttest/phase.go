package connecttest

import (
	"context"
	"time"
)

// The faults that are about workers and brokers rather than about records.
const (
	workerKilled = "f1-worker-gone"
	otherKilled  = "f2b-follower-killed"
	brokerDown   = "f3-broker-down"
)

// How long the phases last, as measured.
const (
	htmlLasts      = 500 * time.Millisecond  // the port is open, the REST resources are not there yet
	joiningLasts   = 6500 * time.Millisecond // until the group has been joined
	sessionLasts   = 11 * time.Second        // until partitions of the dead process are given out again
	forwardLasts   = 10 * time.Second        // requests go to the dead worker
	leaderless     = 20 * time.Second        // until work of the dead worker moves
	healthHangs    = 10 * time.Second        // GET /health without a broker
	requestHangs   = 90 * time.Second        // everything else without a broker
	brokerReturns  = 10400 * time.Millisecond
	deadWorkerID   = "kafka-connect-2:8083"
	staleConfig    = "Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)"
	noLeader       = "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway."
	rebalanceAhead = "Request cannot be completed because a rebalance is expected"
	forwardBroke   = "IO Error trying to forward REST request: java.net.ConnectException: Connection refused"
)

// phase is what the worker as a whole goes through. Times say until when.
type phase struct {
	down      bool // no process
	brokers   bool // no broker
	html      time.Time
	joining   time.Time
	idle      time.Time // nothing flows
	rebalance time.Time
}

// Starting makes the worker answer with Jetty's HTML 404 for d of real time, as one whose port is open already.
func (w *Worker) Starting(d time.Duration) {
	w.lock()
	defer w.mu.Unlock()
	w.phase.html = w.clock.Add(d)
}

// Rebalance makes the worker refuse what it refuses while another worker joins, for d of real time.
func (w *Worker) Rebalance(d time.Duration) {
	w.lock()
	defer w.mu.Unlock()
	w.phase.rebalance = w.clock.Add(d)
}

func (w *Worker) breakWorker(f fault) {
	w.broken[""] = &breakage{fault: f, at: w.clock}
	w.phase.down = f.Slug == workerKilled
	w.phase.brokers = f.Slug == brokerDown
}

// mendWorker starts a killed worker again, or the broker.
func (w *Worker) mendWorker() {
	if w.phase.down {
		w.phase.html = w.clock.Add(w.scaled(htmlLasts))
		w.phase.joining = w.clock.Add(w.scaled(joiningLasts))
		w.idleFor(sessionLasts)
		for _, c := range w.connectors { // a new process starts every task anew
			if c.target == running {
				w.restartQuietly(c)
			}
		}
	}
	if w.phase.brokers {
		w.idleFor(brokerReturns)
	}
	w.phase.down, w.phase.brokers = false, false
}

func (w *Worker) idleFor(d time.Duration) {
	w.phase.idle = w.clock.Add(w.scaled(d))
	w.after(d, w.drain)
}

// restartQuietly lets the tasks begin again once the group is joined; until then the stored states are told.
func (w *Worker) restartQuietly(c *connector) {
	for _, t := range c.tasks {
		t.life++
		t.failing = false
		life := t.life
		w.after(joiningLasts, func() {
			if t.life == life {
				t.born, t.trace = w.clock, ""
				w.begin(c, t)
				w.drain()
			}
		})
	}
}

// orphan puts c on a worker that has just died. Its work moves when the group has noticed and waited.
func (w *Worker) orphan(c *connector) {
	c.worker = deadWorkerID
	for _, t := range c.tasks {
		t.worker = deadWorkerID
	}
	b := w.broken[c.name]
	w.after(leaderless, func() {
		if w.broken[c.name] == b {
			delete(w.broken, c.name)
		}
		c.worker = w.options.ID
		for _, t := range c.tasks {
			t.worker = w.options.ID
		}
		w.drain()
	})
}

func (w *Worker) flowing() bool {
	return !w.phase.down && !w.phase.brokers && !w.clock.Before(w.phase.idle)
}

// refusal is how the worker as a whole answers instead of doing what was asked, or nil. A write changes something, a
// memory read is one that it answers without its group.
func (w *Worker) refusal(r request) *answer {
	b := w.broken[r.name]
	switch {
	case r.memory:
		return nil
	case w.clock.Before(w.phase.rebalance) && r.write:
		return refuse(409, staleConfig)
	case w.clock.Before(w.phase.rebalance) && r.name != "" && !r.offsets:
		return refuse(500, rebalanceAhead)
	case b == nil || b.fault.Slug != otherKilled || !r.write:
		return nil
	case w.clock.Sub(b.at) < w.scaled(forwardLasts):
		return refuse(500, forwardBroke)
	}
	return refuse(409, noLeader)
}

// hold waits as long as the worker holds a call: while it joins, or without a broker. It reports what it says then.
func (w *Worker) hold(ctx context.Context, r request) *answer {
	if r.memory {
		return nil
	}
	w.lock()
	joining, without, hang := w.phase.joining, w.phase.brokers, w.scaled(requestHangs)
	if r.health {
		hang = w.scaled(healthHangs)
	}
	w.mu.Unlock()
	now := w.options.Now()
	if now.Before(joining) && !w.wait(ctx, joining) {
		return &answer{}
	}
	if !without {
		return nil
	}
	if !w.wait(ctx, now.Add(hang)) {
		return &answer{}
	}
	stage := "The worker is currently ensuring membership in the cluster, which began at " + now.UTC().Format("2006-01-02T15:04:05.000Z") + "."
	if r.health {
		return &answer{500, map[string]string{"status": "unhealthy", "message": "Worker was unable to handle this request and may be unable to handle other requests. " + stage}}
	}
	return refuse(500, "Request timed out. "+stage)
}

// wait reports whether the worker's clock reached t before the caller went away.
func (w *Worker) wait(ctx context.Context, t time.Time) bool {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for w.options.Now().Before(t) {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return true
}
