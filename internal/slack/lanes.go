package slack

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// lanes run jobs in order within a lane and side by side across lanes. A lane is one incident's thread or one person.
// offer never waits, so that the connection's reader never does.
type lanes struct {
	log   *zap.Logger
	slots chan struct{} // how many jobs run at once
	last  atomic.Int64  // when the newest job came, Unix time in nanoseconds

	mu      sync.Mutex
	waiting map[string][]func()
	total   int
	idle    sync.WaitGroup
	closed  bool
}

const (
	lanesAtOnce = 32
	laneLength  = 32   // jobs that may wait in one lane
	lanesTotal  = 2048 // jobs that may wait in all
)

func newLanes(log *zap.Logger) *lanes {
	return &lanes{log: log, slots: make(chan struct{}, lanesAtOnce), waiting: map[string][]func(){}}
}

// offer puts a job at the end of its lane. False means that it is full, or that the process is ending.
func (l *lanes) offer(lane string, job func()) bool {
	l.last.Store(time.Now().UnixNano())
	l.mu.Lock()
	defer l.mu.Unlock()
	jobs, walking := l.waiting[lane]
	if l.closed || len(jobs) >= laneLength || l.total >= lanesTotal {
		return false
	}
	l.waiting[lane] = append(jobs, job)
	l.total++
	if !walking {
		l.idle.Add(1)
		go l.walk(lane)
	}
	return true
}

func (l *lanes) walk(lane string) {
	defer l.idle.Done()
	for {
		job := l.next(lane)
		if job == nil {
			return
		}
		l.slots <- struct{}{}
		l.run(lane, job)
		<-l.slots
	}
}

// next takes the first job of a lane; an empty lane disappears.
func (l *lanes) next(lane string) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	jobs := l.waiting[lane]
	if len(jobs) == 0 {
		delete(l.waiting, lane)
		return nil
	}
	l.waiting[lane] = jobs[1:]
	l.total--
	return jobs[0]
}

func (l *lanes) run(lane string, job func()) {
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("handling an envelope panicked", zap.String("lane", lane), zap.Any("panic", p), zap.Stack("stack"))
		}
	}()
	l.breathe()
	job()
}

// Acknowledging comes before working: while envelopes pour in, a job waits for a pause of a millisecond, at most 20.
const (
	calm        = time.Millisecond
	mostBreaths = 20
)

func (l *lanes) breathe() {
	for range mostBreaths {
		if time.Since(time.Unix(0, l.last.Load())) > calm {
			return
		}
		time.Sleep(calm)
	}
}

// drain refuses new jobs and waits for those that were taken, at most for grace.
func (l *lanes) drain(grace time.Duration) {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	done := make(chan struct{})
	go func() { l.idle.Wait(); close(done) }()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		l.log.Warn("some commands did not end in time", zap.Duration("grace", grace))
	}
}
