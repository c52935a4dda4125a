package app

import (
	"context"
	"time"

	"go.uber.org/zap"

	"cdcbot/internal/action"
	"cdcbot/internal/alert"
	"cdcbot/internal/config"
	"cdcbot/internal/connect"
	"cdcbot/internal/target/kafka"
)

// silence finds failures that Connect calls RUNNING: sinks that do not move while records wait, and connectors that give
// records up.
type silence struct {
	trails     *trails     // nil when no brokers are configured
	prometheus action.HTTP // nil when none is configured
	stall      time.Duration
	log        *zap.Logger

	seen    bool      // Kafka has answered once: it is ours to ask
	dark    time.Time // since when it does not any more; zero when it does
	asked   time.Time
	skipped map[string]float64   // by connector, as the worker counts
	losing  map[string]time.Time // when a count last grew
}

// lossesEvery is how often Prometheus is asked for lost records: it scrapes no faster. losingFor is how long a connector
// counts as losing records after the last one.
const (
	lossesEvery = 15 * time.Second
	losingFor   = time.Minute
)

// skippedQuery is how many records each connector has given up since its task began.
const skippedQuery = `sum by (connector) ({__name__=~"kafka_connect_.*total_records_skipped.*"})`

func newSilence(w *world, c config.Watch, log *zap.Logger) *silence {
	s := &silence{stall: c.Stall, log: log, losing: map[string]time.Time{}}
	if client, ok := w.kafka.(*kafka.Client); ok {
		s.trails = &trails{kafka: client, known: map[string]*trail{}}
	}
	if c.Losses {
		s.prometheus = w.http["prometheus"]
	}
	return s
}

// mark looks, and puts what is silent into the snapshots. What cannot be looked at proves nothing.
func (s *silence) mark(ctx context.Context, found map[string]connect.Connector, snaps map[string]alert.Snapshot, now time.Time) {
	if s.trails != nil {
		s.watch(ctx, found, now)
	}
	if s.prometheus != nil && now.Sub(s.asked) >= lossesEvery {
		s.asked = now
		s.count(ctx, now)
	}
	for name, snap := range snaps {
		if !found[name].Status.Running() {
			continue
		}
		switch {
		case s.stalled(name, now):
			snap.State = alert.StalledState
		case now.Sub(s.losing[name]) < losingFor && found[name].Config["errors.deadletterqueue.topic.name"] == "":
			snap.State = alert.LosingState
		}
		snaps[name] = snap
	}
}

// watch looks how far sinks have come, and notes since when Kafka does not answer.
func (s *silence) watch(ctx context.Context, found map[string]connect.Connector, now time.Time) {
	err := s.trails.look(ctx, found, now)
	switch {
	case err == nil:
		s.seen, s.dark = true, time.Time{}
	case s.dark.IsZero():
		s.dark = now
		fallthrough
	default:
		s.log.Debug("how far sinks are is not known", zap.Error(err))
	}
}

// stalled says whether a sink stands still: records wait, or Kafka, which used to answer, does not, and then nothing can
// flow through any of them.
func (s *silence) stalled(name string, now time.Time) bool {
	if s.trails == nil || s.stall <= 0 {
		return false
	}
	if s.seen && !s.dark.IsZero() && s.trails.knows(name) {
		return now.Sub(s.dark) >= s.stall
	}
	return s.trails.still(name) >= s.stall
}

// count notices which connectors have given records up since it was asked before. A count that goes back began anew.
func (s *silence) count(ctx context.Context, now time.Time) {
	counts, err := instant(ctx, s.prometheus, skippedQuery)
	if err != nil {
		s.log.Debug("how many records are lost is not known", zap.Error(err))
		return
	}
	for name, n := range counts {
		if before, known := s.skipped[name]; known && n > before {
			s.losing[name] = now
		}
	}
	s.skipped = counts
}
