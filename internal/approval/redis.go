package approval

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"cdcbot/internal/seal"
)

// Store keeps requests in Redis; every change is one Lua script, so that two replicas and two clicks are one decision.
// What is asked and what people answer is JSON that no script reads; the scripts know states, times and counts.
type Store struct {
	Redis       redis.UniversalClient
	Now         func() time.Time
	TTL         time.Duration // how long a request waits; default 30 min
	ApprovedTTL time.Duration // how long an approval waits for its run; default 10 min
	// Alone is how long a request waits before its requester may break the glass; 0, the default, is never.
	Alone time.Duration

	// Seal proves that requests and decisions were written by this bot: write access to Redis is no power to approve. A nil
	// one seals nothing.
	Seal *seal.Ring

	looks singleflight.Group // reads of one request that are under way
	turns struct {
		sync.Once
		*semaphore.Weighted
	}
}

// atOnce is how many decisions are under way at once. Of a crowd that presses at the same moment the first decide, and the
// others read what became of it instead of asking the script, which is what made them wait.
const atOnce = 8

// turn waits until a decision may begin; done lets the next one begin.
func (s *Store) turn(ctx context.Context) (done func(), err error) {
	s.turns.Do(func() { s.turns.Weighted = semaphore.NewWeighted(atOnce) })
	if err := s.turns.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	return func() { s.turns.Release(1) }, nil
}

//go:embed ask.lua
var askSource string

//go:embed decide.lua
var decideSource string

//go:embed end.lua
var endSource string

//go:embed claim.lua
var claimSource string

//go:embed glass.lua
var glassSource string

var (
	glassScript  = redis.NewScript(glassSource)
	askScript    = redis.NewScript(askSource)
	decideScript = redis.NewScript(decideSource)
	endScript    = redis.NewScript(endSource)
	claimScript  = redis.NewScript(claimSource)
)

// All keys share one hash tag, so that a script may change a request and the indexes together, also on a Redis Cluster.
const (
	seqKey     = "cdcbot:{requests}:seq"
	pendingKey = "cdcbot:{requests}:pending"
	waitingKey = "cdcbot:{requests}:waiting"
)

// isID tells REQ-17 from anything else a person may type; other names under the tag are indexes.
func isID(id string) bool {
	digits, ok := strings.CutPrefix(id, "REQ-")
	return ok && digits != "" && len(digits) < 19 && strings.Trim(digits, "0123456789") == ""
}

func requestKey(id string) string        { return "cdcbot:{requests}:" + id }
func incidentKey(incident string) string { return "cdcbot:{requests}:of:" + incident }

// refusals are the words that scripts answer with.
var refusals = map[string]error{
	"notfound": ErrNotFound, "notpending": ErrNotPending, "expired": ErrExpired, "self": ErrSelf, "twice": ErrTwice, "digest": ErrDigest,
	"notrequester": ErrNotRequester, "notapproved": ErrNotApproved, "used": ErrUsed, "never": ErrNever, "early": ErrEarly,
}

// notDue is the one answer that is neither done nor refused: an expiry that came early.
const notDue = "notdue"

// run runs a script on one request and returns its answer: "ok", notDue, or a refusal as an error.
func (s *Store) run(ctx context.Context, script *redis.Script, doing, id string, args ...any) (string, error) {
	if !isID(id) {
		return "", fmt.Errorf("%s %q: %w", doing, id, ErrNotFound)
	}
	answer, err := script.Run(ctx, s.Redis, []string{requestKey(id), waitingKey, pendingKey}, args...).Text()
	if err != nil {
		return "", away(doing+" "+id, err)
	}
	if answer == "ok" || answer == notDue {
		return answer, nil
	}
	refusal, known := refusals[answer]
	if !known {
		return "", fmt.Errorf("%s %q: unexpected answer %q", doing, id, answer)
	}
	return "", fmt.Errorf("%s %q: %w", doing, id, refusal)
}

// Get reads one request.
func (s *Store) Get(ctx context.Context, id string) (Request, error) {
	if !isID(id) {
		return Request{}, fmt.Errorf("%q: %w", id, ErrNotFound)
	}
	fields, err := s.Redis.HGetAll(ctx, requestKey(id)).Result()
	if err != nil {
		return Request{}, away("reading "+id, err)
	}
	return s.decode(id, fields)
}

// ForIncident lists an incident's requests in the order they were asked.
func (s *Store) ForIncident(ctx context.Context, incident string) ([]Request, error) {
	return s.list(ctx, incidentKey(incident))
}

// Pending lists the requests of all incidents that wait for people, those that expire first in front. One whose time is
// over but that nobody has expired yet is still among them.
func (s *Store) Pending(ctx context.Context) ([]Request, error) {
	return s.list(ctx, pendingKey)
}

func (s *Store) list(ctx context.Context, key string) ([]Request, error) {
	ids, err := s.Redis.ZRange(ctx, key, 0, -1).Result()
	if err != nil {
		return nil, away("listing requests", err)
	}
	read := make([]*redis.MapStringStringCmd, len(ids))
	if _, err = s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			read[i] = p.HGetAll(ctx, requestKey(id))
		}
		return nil
	}); err != nil {
		return nil, away("reading requests", err)
	}
	list := make([]Request, 0, len(ids))
	for i, id := range ids {
		r, err := s.decode(id, read[i].Val())
		if errors.Is(err, ErrForged) { // one of them must not hide the others
			r, err = Request{ID: id, State: Voided, Why: ErrForged.Error()}, nil
		}
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// decode puts a request together: what was asked never changes, what became of it are fields that scripts set. What was
// not written by this bot is no request.
func (s *Store) decode(id string, fields map[string]string) (Request, error) {
	var r Request
	body, ok := fields["body"]
	if !ok {
		return r, fmt.Errorf("%q: %w", id, ErrNotFound)
	}
	if err := s.Seal.Check("request "+id, []byte(body), fields["seal"]); err != nil {
		return r, fmt.Errorf("request %s: %w: %w", id, ErrForged, err)
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return r, fmt.Errorf("decoding %s: %w", id, err)
	}
	r.State, r.Run, r.Why = State(fields["state"]), fields["run"], fields["why"]
	if fields["ended"] != "" {
		ms, err := strconv.ParseInt(fields["ended"], 10, 64)
		if err != nil {
			return r, fmt.Errorf("decoding the end of %s: %w", id, err)
		}
		r.EndedAt = time.UnixMilli(ms).UTC()
	}
	var err error
	if r.Decisions, err = s.decisions(id, body, fields); err != nil {
		return r, err
	}
	r.Taken, err = s.claimed(id, body, fields)
	return r, err
}

// claimed reads which run has used the request up; nil when none has.
func (s *Store) claimed(id, body string, fields map[string]string) (*Taken, error) {
	text := fields["claim"]
	if text == "" {
		return nil, nil
	}
	if err := s.Seal.Check(claimOn(id, body), []byte(text), fields["claimseal"]); err != nil {
		return nil, fmt.Errorf("claim on %s: %w: %w", id, ErrForged, err)
	}
	var c Taken
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return nil, fmt.Errorf("decoding the claim on %s: %w", id, err)
	}
	return &c, nil
}

// decisions reads what people answered, in order.
func (s *Store) decisions(id, body string, fields map[string]string) ([]Decision, error) {
	var list []Decision
	for n := 1; ; n++ {
		text := fields["decision:"+strconv.Itoa(n)]
		if text == "" {
			return list, nil
		}
		if err := s.Seal.Check(answerTo(id, body), []byte(text), fields["seal:"+strconv.Itoa(n)]); err != nil {
			return nil, fmt.Errorf("decision %d of %s: %w: %w", n, id, ErrForged, err)
		}
		var d Decision
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			return nil, fmt.Errorf("decoding decision %d of %s: %w", n, id, err)
		}
		list = append(list, d)
	}
}

// answerTo is the domain of a decision's seal. It names the whole request, which has a nonce: a decision that was once made
// is good for no other request, not even for one that bears the same number again.
func answerTo(id, body string) string { return "decision " + id + " " + hash(body) }

// claimOn is the domain of the seal of a run's claim.
func claimOn(id, body string) string { return "claim " + id + " " + hash(body) }

func hash(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

func (s *Store) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

func orDefault(d, other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return d
}

// last is the number of the last request.
func (s *Store) last(ctx context.Context) (int64, error) {
	n, err := s.Redis.Get(ctx, seqKey).Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, away("numbering a request", err)
	}
	return n, nil
}

func away(doing string, err error) error {
	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}
