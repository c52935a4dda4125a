// Package history keeps the versions of every connector's configuration as the watcher sees them, so that a diagnosis can
// say what changed before a failure. It is in Redis; any replica may write, and what several see at once is kept once.
//
// Values of secrets are never kept, not even as something they could be guessed from: a change of one is noticed by a mark
// of 16 bits, which fits one in 65,536 guesses and so proves none.
package history

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Store keeps configurations. Redis, Now and Mask are required.
type Store struct {
	Redis redis.UniversalClient
	Now   func() time.Time
	Mask  func(config map[string]string) map[string]string // replaces the values of secrets

	mu    sync.Mutex
	known map[string]string // digest of what was seen last, by key: most polls change nothing and ask Redis nothing
}

// How much is kept of one connector.
const (
	mostVersions = 20
	keepFor      = 30 * 24 * time.Hour
)

// version is a configuration as it was first seen.
type version struct {
	At      time.Time         `json:"at"`
	Config  map[string]string `json:"config"`
	Secrets map[string]string `json:"secrets,omitempty"` // marks of the values that Mask replaced
}

// Change is one option that became another. Was and Now are "" for an option that was not there, is not any more, or
// whose value is a secret.
type Change struct {
	At            time.Time // when it was first seen
	Key, Was, Now string
}

func key(pipeline, connector string) string {
	return "cdcbot:history:{" + pipeline + "}:config:" + connector
}

// Saw takes in a connector's configuration, secrets and all. A configuration without options is not kept: Connect answers
// one for a moment while a connector is made.
func (s *Store) Saw(ctx context.Context, pipeline, connector string, config map[string]string) error {
	if len(config) == 0 {
		return nil
	}
	now := s.version(config)
	digest := now.digest()
	if s.remembered(pipeline, connector) == digest {
		return nil
	}
	last, err := s.last(ctx, pipeline, connector)
	if err != nil {
		return err
	}
	if last == nil || last.digest() != digest {
		if err := s.push(ctx, pipeline, connector, now); err != nil {
			return err
		}
	}
	s.remember(pipeline, connector, digest)
	return nil
}

// version masks a configuration and marks what was masked.
func (s *Store) version(config map[string]string) version {
	v := version{At: s.Now().UTC(), Config: s.Mask(config)}
	for k, value := range config {
		if v.Config[k] != value {
			sum := sha256.Sum256([]byte(k + "\x00" + value))
			if v.Secrets == nil {
				v.Secrets = map[string]string{}
			}
			v.Secrets[k] = hex.EncodeToString(sum[:2])
		}
	}
	return v
}

func (v version) digest() string {
	v.At = time.Time{}
	text, _ := json.Marshal(v) // plain strings: it does not fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func (s *Store) remembered(pipeline, connector string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[key(pipeline, connector)]
}

func (s *Store) remember(pipeline, connector, digest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[string]string{}
	}
	s.known[key(pipeline, connector)] = digest
}

func (s *Store) last(ctx context.Context, pipeline, connector string) (*version, error) {
	text, err := s.Redis.LIndex(ctx, key(pipeline, connector), -1).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the history of %s: %w", connector, err)
	}
	var v version
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, nil // another release wrote it: what is seen now begins a new history
	}
	return &v, nil
}

func (s *Store) push(ctx context.Context, pipeline, connector string, v version) error {
	text, _ := json.Marshal(v) // plain strings: it does not fail
	at := key(pipeline, connector)
	_, err := s.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.RPush(ctx, at, text)
		p.LTrim(ctx, at, -mostVersions, -1)
		p.Expire(ctx, at, keepFor)
		return nil
	})
	if err != nil {
		return fmt.Errorf("keeping the configuration of %s: %w", connector, err)
	}
	return nil
}

// Changes are the options of a connector that changed since a moment, the newest first. The first version that was ever
// seen is no change.
func (s *Store) Changes(ctx context.Context, pipeline, connector string, since time.Time) ([]Change, error) {
	texts, err := s.Redis.LRange(ctx, key(pipeline, connector), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("reading the history of %s: %w", connector, err)
	}
	var versions []version
	for _, text := range texts {
		var v version
		if json.Unmarshal([]byte(text), &v) == nil {
			versions = append(versions, v)
		}
	}
	var list []Change
	for i := len(versions) - 1; i > 0 && !versions[i].At.Before(since); i-- {
		list = append(list, versions[i].changes(versions[i-1])...)
	}
	return list, nil
}

// changes are the differences from the version before, by name.
func (v version) changes(before version) []Change {
	names := slices.Collect(maps.Keys(v.Config))
	for k := range before.Config {
		if _, still := v.Config[k]; !still {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	var list []Change
	for _, k := range names {
		_, secret := v.Secrets[k]
		_, was := before.Secrets[k]
		switch {
		case secret || was:
			if v.Secrets[k] != before.Secrets[k] {
				list = append(list, Change{At: v.At, Key: k})
			}
		case v.Config[k] != before.Config[k]:
			list = append(list, Change{At: v.At, Key: k, Was: before.Config[k], Now: v.Config[k]})
		}
	}
	return list
}
