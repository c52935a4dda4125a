// Package history keeps what the watcher saw of every connector, so that a diagnosis can say what was before a failure: the
// versions of its configuration, the first trace since it was healthy, and how fast data flowed. It is in Redis; any replica
// may write, and what several see at once is kept once.
//
// Values of secrets are never kept. That one has changed is noticed by a mark of it, and a mark must not tell the secret to
// somebody who reads Redis and tries a list of passwords. With Store.Key, which is not in Redis, a mark is an HMAC: it tells
// nothing without the key, and is of another kind for every connector and option, so that it does not even show where the same
// secret is used twice. Without a key it is 8 bits, and of the value alone, so that a secret used by many connectors gives
// away no more than 8 bits of itself: of 10,000 guesses some 40 fit, and one change in 256 goes unnoticed. Marks of different
// keys are not comparable; another key is no change of a secret.
package history

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Store keeps what was seen. Redis and Now are required; without Mask no configuration is kept.
type Store struct {
	Redis    redis.UniversalClient
	Now      func() time.Time
	Mask     func(config map[string]string) map[string]string // replaces the values of secrets
	Key      []byte                                           // makes marks of secrets; not from Redis. None: marks of 8 bits
	Keep     time.Duration                                    // renewed while a connector is seen; default 30 days
	Versions int                                              // kept of one configuration; default 20

	mu    sync.Mutex
	known map[string]map[string]memory // by cluster and connector
}

// Sighting is one connector as one poll saw it. What is left empty says nothing.
type Sighting struct {
	Connector string
	State     string            // Connect's word, the worst of the connector and its tasks
	Healthy   bool              // whether that state is well
	Trace     string            // of what is not, redacted
	Config    map[string]string // secrets and all; one without options is not kept: Connect answers it while a connector is made
	Progress  *int64            // a total that grows as data flows, such as the sum of committed offsets
}

// ErrUnavailable means that Redis did not answer. What was seen may or may not be kept: seeing it again is safe.
var ErrUnavailable = errors.New("history is not available: Redis does not answer")

// Sightings nearer than apart are of one moment: replicas poll each for itself, and one may come late with what it saw
// before another did. It is less than the watcher's 10 s between two polls.
const apart = 5 * time.Second

// maxTrace bounds what is kept of a trace, in bytes.
const maxTrace = 64 << 10

//go:embed save.lua
var saveSource string

//go:embed point.lua
var pointSource string

// All keys of a cluster have one hash tag: what was seen of a connector changes in one script, and all connectors of a
// cluster are read in one command.
func headKey(cluster, connector string) string {
	return "cdcbot:history:{" + cluster + "}:head:" + connector
}

func configKey(cluster, connector string) string {
	return "cdcbot:history:{" + cluster + "}:config:" + connector
}

func firstKey(cluster, connector string) string {
	return "cdcbot:history:{" + cluster + "}:first:" + connector
}

func flowKey(cluster, connector string) string {
	return "cdcbot:history:{" + cluster + "}:flow:" + connector
}

func (s *Store) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

func (s *Store) keep() time.Duration {
	if s.Keep <= 0 {
		return 30 * 24 * time.Hour
	}
	return s.Keep
}

func (s *Store) versions() int {
	if s.Versions <= 0 {
		return 20
	}
	return s.Versions
}

// SawAll takes in one poll of a cluster: all its connectors. It asks Redis once, and once more if there is anything to
// write. What another replica has written meanwhile is left alone: the next poll sees what is still missing.
// Errors: ErrUnavailable.
func (s *Store) SawAll(ctx context.Context, cluster string, list []Sighting) error {
	if len(list) == 0 {
		return nil
	}
	if err := usable(cluster); err != nil {
		return err
	}
	now := s.now()
	looks := s.prepare(cluster, list)
	heads, err := s.heads(ctx, cluster, list)
	if err != nil {
		return err
	}
	p := s.Redis.Pipeline()
	for i := range looks {
		s.save(ctx, p, cluster, heads[i], &looks[i], now)
		looks[i].minute = s.point(ctx, p, cluster, looks[i], now)
	}
	if p.Len() > 0 {
		if _, err := p.Exec(ctx); err != nil {
			return away("keeping what was seen of "+cluster, err)
		}
	}
	s.remember(cluster, looks)
	return nil
}

// Saw takes in the configuration of one connector alone, secrets and all. What has not changed asks Redis only now and
// then. Errors: ErrUnavailable.
func (s *Store) Saw(ctx context.Context, cluster, connector string, config map[string]string) error {
	if err := usable(cluster); err != nil {
		return err
	}
	seen := []Sighting{{Connector: connector, Config: config}}
	l := s.prepare(cluster, seen)[0]
	now := s.now()
	if l.print == (print{}) || l.print == l.taken && now.Sub(l.read) < again {
		return nil
	}
	heads, err := s.heads(ctx, cluster, seen)
	if err != nil {
		return err
	}
	p := s.Redis.Pipeline()
	s.save(ctx, p, cluster, heads[0], &l, now)
	if p.Len() > 0 {
		if _, err := p.Exec(ctx); err != nil {
			return away("keeping the configuration of "+connector, err)
		}
	}
	s.rememberOne(cluster, l)
	return nil
}

// usable refuses names under which a cluster's keys would not share a slot of a Redis Cluster.
func usable(cluster string) error {
	if cluster == "" || strings.ContainsAny(cluster, "{}") {
		return fmt.Errorf("history of cluster %q: a name is needed, without { and }", cluster)
	}
	return nil
}

// heads reads what is known of connectors, "" for nothing.
func (s *Store) heads(ctx context.Context, cluster string, list []Sighting) ([]string, error) {
	keys := make([]string, len(list))
	for i, l := range list {
		keys[i] = headKey(cluster, l.Connector)
	}
	answers, err := s.Redis.MGet(ctx, keys...).Result()
	if err != nil {
		return nil, away("reading the history of "+cluster, err)
	}
	heads := make([]string, len(list))
	for i, a := range answers {
		heads[i], _ = a.(string)
	}
	return heads, nil
}

// save adds to a pipeline what a look changes, and nothing if it changes nothing.
func (s *Store) save(ctx context.Context, p redis.Pipeliner, cluster, raw string, l *look, now time.Time) {
	before := readHead(raw)
	l.taken, l.read = before.Print, now
	after, c := before.see(*l, now, s.keep())
	if after == before || raw == "" && after == (head{Kept: now}) {
		return
	}
	keys := []string{headKey(cluster, l.Connector), configKey(cluster, l.Connector), firstKey(cluster, l.Connector)}
	p.Eval(ctx, saveSource, keys, raw, encode(after), s.keep().Milliseconds(), c.config, l.text(after, c), s.versions(), c.trace, l.first(c))
}

// text is the version that a change pushes or sets.
func (l *look) text(h head, c change) string {
	if c.config == "" {
		return ""
	}
	v := l.version
	v.At, v.Well = h.Seen, h.Well
	return encode(v)
}

// first is the trace that a change keeps, or its beginning.
func (l *look) first(c change) string {
	if c.trace != keepTrace {
		return ""
	}
	return strings.ToValidUTF8(l.Trace[:min(len(l.Trace), maxTrace)], "")
}

// encode is for plain data, which never fails to encode.
func encode(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// First is the first trace since a connector was healthy, and when it was first seen bad. The trace is "" while none has
// been seen; a zero time says that it is not bad. Errors: ErrUnavailable.
func (s *Store) First(ctx context.Context, cluster, connector string) (trace string, at time.Time, err error) {
	answers, err := s.Redis.MGet(ctx, headKey(cluster, connector), firstKey(cluster, connector)).Result()
	if err != nil {
		return "", time.Time{}, away("reading the first trace of "+connector, err)
	}
	raw, _ := answers[0].(string)
	h := readHead(raw)
	if h.Traced {
		trace, _ = answers[1].(string)
	}
	return trace, h.Bad, nil
}

func away(doing string, err error) error {
	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}
