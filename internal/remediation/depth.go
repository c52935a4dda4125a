package remediation

import (
	"fmt"
	"slices"
)

// Depth is how many jobs the queue holds: waiting for their time or a worker, running, failed and to be tried again, and
// given up for good, which a person must look at.
type Depth struct{ Waiting, Running, Retrying, Dead int }

// Depth asks Redis. A queue that nobody has used yet is empty.
func (e *Engine) Depth() (Depth, error) {
	names, err := e.inspector.Queues()
	if err != nil {
		return Depth{}, fmt.Errorf("looking for the job queue: %w: %w", ErrUnavailable, err)
	}
	if !slices.Contains(names, queueName) {
		return Depth{}, nil
	}
	info, err := e.inspector.GetQueueInfo(queueName)
	if err != nil {
		return Depth{}, fmt.Errorf("looking at the job queue: %w: %w", ErrUnavailable, err)
	}
	return Depth{Waiting: info.Pending + info.Scheduled, Running: info.Active, Retrying: info.Retry, Dead: info.Archived}, nil
}
