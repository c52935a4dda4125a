package remediation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"cdcbot/internal/incident"
)

// Engine is the durable queue: asynq on the same Redis. A job survives every replica; it is handled at least once.
type Engine struct {
	client    *asynq.Client
	server    *asynq.Server
	inspector *asynq.Inspector
	log       *zap.Logger
}

const (
	queueName = "cdcbot"
	taskName  = "cdcbot:job"
)

// NewEngine connects to rdb; workers is how many jobs run at once in this process.
func NewEngine(rdb redis.UniversalClient, workers int, log *zap.Logger) *Engine {
	server := asynq.NewServerFromRedisClient(rdb, asynq.Config{
		Concurrency:              workers,
		Queues:                   map[string]int{queueName: 1},
		TaskCheckInterval:        200 * time.Millisecond,
		DelayedTaskCheckInterval: time.Second,
		RetryDelayFunc:           retryDelay,
		IsFailure:                isFailure,
		ShutdownTimeout:          20 * time.Second,
		Logger:                   quiet{log.Sugar()},
		ErrorHandler: asynq.ErrorHandlerFunc(func(_ context.Context, t *asynq.Task, err error) {
			if isFailure(err) {
				log.Warn("job failed; trying again", zap.ByteString("job", t.Payload()), zap.Error(err))
			}
		}),
	})
	return &Engine{client: asynq.NewClientFromRedisClient(rdb), server: server, inspector: asynq.NewInspectorFromRedisClient(rdb), log: log}
}

// retryDelay: a busy pipeline is looked at every two seconds, anything else backs off to half a minute.
func retryDelay(n int, err error, _ *asynq.Task) time.Duration {
	if errors.Is(err, incident.ErrLeaseHeld) {
		return 2 * time.Second
	}
	return min(time.Second<<min(n, 5), 30*time.Second)
}

// isFailure: waiting for a busy pipeline must not use up retries.
func isFailure(err error) bool { return err != nil && !errors.Is(err, incident.ErrLeaseHeld) }

// Enqueue stores a job durably. A job with the same ID that is still waiting or running counts as stored.
func (e *Engine) Enqueue(ctx context.Context, j Job, at time.Time) error {
	payload, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encoding job %s: %w", j.ID(), err)
	}
	_, err = e.client.EnqueueContext(ctx, asynq.NewTask(taskName, payload), asynq.TaskID(j.ID()), asynq.Queue(queueName),
		asynq.ProcessAt(at), asynq.MaxRetry(1000), asynq.Timeout(2*time.Hour))
	if err == nil || errors.Is(err, asynq.ErrTaskIDConflict) {
		return nil
	}
	return fmt.Errorf("enqueueing job %s: %w: %w", j.ID(), ErrUnavailable, err)
}

// Run handles jobs until ctx ends, then lets running ones finish or hands them over.
func (e *Engine) Run(ctx context.Context, work func(context.Context, Job) error) error {
	handle := asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		var j Job
		if err := json.Unmarshal(t.Payload(), &j); err != nil {
			return fmt.Errorf("decoding job: %w: %w", err, asynq.SkipRetry)
		}
		return work(ctx, j)
	})
	if err := e.server.Start(handle); err != nil {
		return fmt.Errorf("starting the job queue: %w", err)
	}
	<-ctx.Done()
	e.server.Shutdown()
	return nil
}

// quiet passes the queue's own log on at debug level; what matters is said by the jobs.
type quiet struct{ *zap.SugaredLogger }

func (q quiet) Info(args ...any)  { q.Debug(args...) }
func (q quiet) Warn(args ...any)  { q.Debug(args...) }
func (q quiet) Error(args ...any) { q.SugaredLogger.Warn(args...) }
func (q quiet) Fatal(args ...any) { q.SugaredLogger.Error(args...) }
