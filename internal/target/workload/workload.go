// Package workload restarts, scales and reads the services around a pipeline: containers of a Docker Engine and workloads
// of Kubernetes. It exists so that a runbook's "docker-compose restart postgres" or "kubectl rollout restart" is one typed
// call that returns when the service is healthy again, and so that nothing but the configured services can be touched.
package workload

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What went wrong, for callers that decide.
var (
	ErrNotFound    = errors.New("no such service")
	ErrUnreachable = errors.New("the engine cannot be reached")
	ErrDenied      = errors.New("the engine refuses")
	ErrUnhealthy   = errors.New("the service does not become healthy")
	ErrUnsupported = errors.New("not possible for this service")
)

// Error is a failure of one operation on one service, as a sentence.
type Error struct {
	Service string // as the engine calls it
	Op      string // "restart"
	Kind    error  // one of the errors above
	Text    string // what was seen: an exit code, the last lines of a log
}

// Error implements error.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s of %s: %v", e.Op, e.Service, e.Kind)
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text
}

// Unwrap gives the kind.
func (e *Error) Unwrap() error { return e.Kind }

// resting is what the guard of the way to an engine says of a question that it did not let pass: since when and until when.
type resting interface {
	error
	Resting() time.Time
}

// Bounds of what is read and waited for.
const (
	maxLog     = 1 << 20 // bytes of a log
	mostScaled = 20      // replicas
	pollEvery  = 300 * time.Millisecond
	settleFor  = 2 * time.Second // how long a service without a health check must stay up to count as up
)

// await asks again and again until done, an error, or the end of ctx, which it returns even when ctx ended a question.
func await(ctx context.Context, ask func(context.Context) (done bool, err error)) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		done, err := ask(ctx)
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// since is how long something has been so, for people.
func since(at, now time.Time) string {
	d := now.Sub(at)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}
