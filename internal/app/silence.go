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
		if err := s.trails.look(ctx, found, now); err != nil {
			s.log.Debug("how far sinks are is not known", zap.Error(err))
		}
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
		case s.trails != nil && s.stall > 0 && s.trails.still(name) >= s.stall:
			snap.State = alert.StalledState
		case now.Sub(s.losing[name]) < losingFor && found[name].Config["errors.deadletterqueue.topic.name"] == "":
			snap.State = alert.LosingState
		}
		snaps[name] = snap
	}
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
