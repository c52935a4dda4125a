package slack

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"cdcbot/internal/incident"
)

// Ref is where a card stands. A card that is claimed but has no TS was being posted when somebody died: the message may
// exist, and is looked for before it is posted again.
type Ref struct {
	Channel string    `json:"channel,omitempty"`
	TS      string    `json:"ts,omitempty"`
	Hash    string    `json:"hash,omitempty"`   // of what the card shows
	Claimed time.Time `json:"claimed,omitzero"` // when posting began
	Owner   string    `json:"owner,omitempty"`  // the replica that posts
}

// Refs keeps where cards stand.
type Refs interface {
	// Get returns the refs of an incident by card.
	Get(ctx context.Context, id string) (map[string]Ref, error)
	// Put stores where a card stands.
	Put(ctx context.Context, id, card string, r Ref) error
	// Claim says that posting begins. It is false when the card's ref is no longer the one the caller saw.
	Claim(ctx context.Context, id, card string, saw, r Ref) (bool, error)
	// Clear forgets cards, all of them when none is named.
	Clear(ctx context.Context, id string, cards ...string) error
}

// RedisRefs keeps refs in Redis: the hash cdcbot:{INC-42}:cards, card → JSON, and cdcbot:thread:<channel>:<ts> → incident.
type RedisRefs struct {
	Redis redis.UniversalClient
}

// threadFor is how long a thread is known after its last change of place; incidents are long closed by then.
const threadFor = 180 * 24 * time.Hour

//go:embed claim.lua
var claimLua string

var claimScript = redis.NewScript(claimLua)

func cardsKey(id string) string { return "cdcbot:{" + id + "}:cards" }

const greetedKey = "cdcbot:greeted"

func threadKey(channel, ts string) string { return "cdcbot:thread:" + channel + ":" + ts }

// Get implements Refs.
func (s RedisRefs) Get(ctx context.Context, id string) (map[string]Ref, error) {
	stored, err := s.Redis.HGetAll(ctx, cardsKey(id)).Result()
	if err != nil {
		return nil, fmt.Errorf("reading the cards of %s: %w", id, err)
	}
	refs := make(map[string]Ref, len(stored))
	for card, js := range stored {
		var r Ref
		if err := json.Unmarshal([]byte(js), &r); err != nil {
			return nil, fmt.Errorf("reading card %s of %s: %w", card, id, err)
		}
		refs[card] = r
	}
	return refs, nil
}

// Put implements Refs. The way back from the thread is stored first: it must never be missing for a card that stands.
func (s RedisRefs) Put(ctx context.Context, id, card string, r Ref) error {
	if card == rootCard && r.TS != "" {
		if err := s.Redis.Set(ctx, threadKey(r.Channel, r.TS), id, threadFor).Err(); err != nil {
			return fmt.Errorf("storing the thread of %s: %w", id, err)
		}
	}
	if err := s.Redis.HSet(ctx, cardsKey(id), card, refJSON(r)).Err(); err != nil {
		return fmt.Errorf("storing card %s of %s: %w", card, id, err)
	}
	return nil
}

// Claim implements Refs.
func (s RedisRefs) Claim(ctx context.Context, id, card string, saw, r Ref) (bool, error) {
	before := ""
	if saw != (Ref{}) {
		before = refJSON(saw)
	}
	n, err := claimScript.Run(ctx, s.Redis, []string{cardsKey(id)}, card, before, refJSON(r)).Int()
	if err != nil {
		return false, fmt.Errorf("claiming card %s of %s: %w", card, id, err)
	}
	return n == 1, nil
}

// Clear implements Refs.
func (s RedisRefs) Clear(ctx context.Context, id string, cards ...string) error {
	var err error
	if len(cards) == 0 {
		err = s.Redis.Del(ctx, cardsKey(id)).Err()
	} else {
		err = s.Redis.HDel(ctx, cardsKey(id), cards...).Err()
	}
	if err != nil {
		return fmt.Errorf("forgetting cards %s of %s: %w", strings.Join(cards, ", "), id, err)
	}
	return nil
}

// Incident implements Threads.
func (s RedisRefs) Incident(ctx context.Context, channel, ts string) (string, error) {
	id, err := s.Redis.Get(ctx, threadKey(channel, ts)).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading which incident thread %s of %s is about: %w", ts, channel, err)
	}
	return id, nil
}

// Thread implements Threads.
func (s RedisRefs) Thread(ctx context.Context, id string) (incident.Thread, error) {
	js, err := s.Redis.HGet(ctx, cardsKey(id), rootCard).Result()
	if errors.Is(err, redis.Nil) {
		return incident.Thread{}, nil
	}
	if err != nil {
		return incident.Thread{}, fmt.Errorf("reading the thread of %s: %w", id, err)
	}
	var r Ref
	if err := json.Unmarshal([]byte(js), &r); err != nil {
		return incident.Thread{}, fmt.Errorf("reading the thread of %s: %w", id, err)
	}
	if r.TS == "" {
		return incident.Thread{}, nil
	}
	return incident.Thread{Channel: r.Channel, TS: r.TS}, nil
}

// Greet implements Threads: cdcbot:greeted is the set of channels.
func (s RedisRefs) Greet(ctx context.Context, channel string) (bool, error) {
	n, err := s.Redis.SAdd(ctx, greetedKey, channel).Result()
	if err != nil {
		return false, fmt.Errorf("remembering the hello in %s: %w", channel, err)
	}
	return n == 1, nil
}

func refJSON(r Ref) string {
	js, err := json.Marshal(r)
	if err != nil {
		return "{}" // strings and times of this century always encode
	}
	return string(js)
}
