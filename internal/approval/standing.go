package approval

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Standing is an approval in advance: two people agreed that the bot may run one exact plan by itself, so often and until
// then. Its record is sealed as a request's is; how often it was used is a count that only ever adds up.
type Standing struct {
	ID        string    `json:"id"` // "STA-17", from the request that granted it
	Pipeline  string    `json:"pipeline"`
	Title     string    `json:"title"`
	Recipe    Recipe    `json:"recipe"`
	Digest    string    `json:"digest"` // of the plan that may run
	Requester string    `json:"requester"`
	Approvers []string  `json:"approvers"`
	CreatedAt time.Time `json:"created_at"`
	Until     time.Time `json:"until"`
	Most      int       `json:"most"` // times

	Used      int    `json:"-"`
	RevokedBy string `json:"-"` // "" while it stands
}

// Errors of standing approvals.
var (
	ErrRevoked = errors.New("the standing approval was revoked")
	ErrUsedUp  = errors.New("the standing approval is used up or over")
)

// mostStanding bounds what may be agreed in advance.
const (
	longestStanding = 7 * 24 * time.Hour
	mostUses        = 100
)

//go:embed use.lua
var useSource string

var useScript = redis.NewScript(useSource)

const standingKey = "cdcbot:{requests}:standing" // sorted set by when they end

func standingRecord(id string) string { return "cdcbot:{requests}:" + id }

// Stand stores what a run's own grant allows: the request behind the grant is where two people agreed to it. The same
// request makes one standing approval, however often it is asked.
func (s *Store) Stand(ctx context.Context, g Grant, st Standing) (Standing, error) {
	r, err := s.Get(ctx, g.request)
	if err != nil {
		return st, err
	}
	if r.State != Used || r.Run != g.run || !r.agreed() || r.Digest != g.digest {
		return st, fmt.Errorf("standing approval of %s: %w", g.request, ErrNotApproved)
	}
	now := s.now()
	if st.Digest == "" || st.Most < 1 || st.Most > mostUses || !now.Before(st.Until) || st.Until.After(now.Add(longestStanding)) {
		return st, fmt.Errorf("standing approval for %q: %d times until %s; expected 1 to %d times within %s", st.Title, st.Most, st.Until, mostUses, longestStanding)
	}
	st.ID, st.Requester, st.Approvers, st.CreatedAt = "STA-"+strings.TrimPrefix(r.ID, "REQ-"), r.Requester, r.Approvers(), now
	body, err := json.Marshal(st)
	if err != nil {
		return st, fmt.Errorf("encoding %s: %w", st.ID, err)
	}
	_, err = s.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HSetNX(ctx, standingRecord(st.ID), "body", body)
		p.HSetNX(ctx, standingRecord(st.ID), "seal", s.Seal.Sum("standing "+st.ID, body))
		p.ZAdd(ctx, standingKey, redis.Z{Score: float64(st.Until.UnixMilli()), Member: st.ID})
		return nil
	})
	if err != nil {
		return st, away("storing "+st.ID, err)
	}
	return s.Standing(ctx, st.ID)
}

// Standing reads one standing approval.
func (s *Store) Standing(ctx context.Context, id string) (Standing, error) {
	fields, err := s.Redis.HGetAll(ctx, standingRecord(id)).Result()
	if err != nil {
		return Standing{}, away("reading "+id, err)
	}
	var st Standing
	if !strings.HasPrefix(id, "STA-") || fields["body"] == "" {
		return st, fmt.Errorf("%q: %w", id, ErrNotFound)
	}
	if err := s.Seal.Check("standing "+id, []byte(fields["body"]), fields["seal"]); err != nil {
		return st, fmt.Errorf("%s: %w: %w", id, ErrForged, err)
	}
	if err := json.Unmarshal([]byte(fields["body"]), &st); err != nil {
		return st, fmt.Errorf("decoding %s: %w", id, err)
	}
	st.Used, _ = strconv.Atoi(fields["used"])
	st.RevokedBy = fields["revoked"]
	return st, nil
}

// Standings are those that may still be used, those that end first in front. One that this bot did not write is left out.
func (s *Store) Standings(ctx context.Context) ([]Standing, error) {
	ids, err := s.Redis.ZRangeByScore(ctx, standingKey, &redis.ZRangeBy{Min: strconv.FormatInt(s.now().UnixMilli(), 10), Max: "+inf"}).Result()
	if err != nil {
		return nil, away("listing standing approvals", err)
	}
	var list []Standing
	for _, id := range ids {
		st, err := s.Standing(ctx, id)
		if errors.Is(err, ErrForged) || errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if st.open(s.now()) == nil {
			list = append(list, st)
		}
	}
	return list, nil
}

// open is nil while it may be used.
func (st Standing) open(now time.Time) error {
	switch {
	case st.RevokedBy != "":
		return ErrRevoked
	case st.Used >= st.Most || !now.Before(st.Until):
		return ErrUsedUp
	}
	return nil
}

// Revoke ends a standing approval; any one person may, at once. What it has begun goes on.
func (s *Store) Revoke(ctx context.Context, id, user string) (Standing, error) {
	who, err := normal(user)
	if err != nil {
		return Standing{}, err
	}
	if _, err := s.Standing(ctx, id); err != nil {
		return Standing{}, err
	}
	_, err = s.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HSetNX(ctx, standingRecord(id), "revoked", who)
		p.ZRem(ctx, standingKey, id)
		return nil
	})
	if err != nil {
		return Standing{}, away("revoking "+id, err)
	}
	return s.Standing(ctx, id)
}

// Use stores a request of the bot's own that a standing approval agrees to; it is approved at once. The plan must be the
// one that people agreed to. Errors: ErrRevoked, ErrUsedUp, ErrDigest, ErrDuplicate when people are being asked for the same.
func (s *Store) Use(ctx context.Context, r Request, id string) (Request, error) {
	st, err := s.Standing(ctx, id)
	if err != nil {
		return r, err
	}
	if err := st.open(s.now()); err != nil {
		return r, fmt.Errorf("%s: %w", id, err)
	}
	if r.Digest != st.Digest {
		return r, fmt.Errorf("%s: %w", id, ErrDigest)
	}
	r.Requester, r.StepUp = "", false
	if r, err = s.prepare(r); err != nil {
		return r, err
	}
	r.Standing = st.ID
	for range attempts {
		answer, err := s.use(ctx, &r, st)
		switch {
		case err != nil:
			return r, err
		case answer == "ok":
			return s.Get(ctx, r.ID)
		case answer != "again":
			return r, fmt.Errorf("%s: %w", id, map[string]error{"revoked": ErrRevoked, "usedup": ErrUsedUp, "waits": ErrDuplicate}[answer])
		}
	}
	return r, fmt.Errorf("using %s: too many requests at once", id)
}

func (s *Store) use(ctx context.Context, r *Request, st Standing) (string, error) {
	last, err := s.last(ctx)
	if err != nil {
		return "", err
	}
	r.ID = "REQ-" + strconv.FormatInt(last+1, 10)
	body, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encoding %s: %w", r.ID, err)
	}
	keys := []string{seqKey, requestKey(r.ID), standingRecord(st.ID), incidentKey(r.Incident), waitingKey}
	answer, err := useScript.Run(ctx, s.Redis, keys, last, r.ID, strconv.Quote(r.Incident)+r.Digest, body, r.Digest, r.CreatedAt.UnixMilli(), s.Seal.Sum("request "+r.ID, body), st.Most).Text()
	if err != nil {
		return "", away("storing "+r.ID, err)
	}
	return answer, nil
}

// covers says whether the standing approval agreed to the request, from what is sealed of both.
func (st Standing) covers(r Request) bool {
	requester, _ := normal(st.Requester)
	others := slices.DeleteFunc(slices.Clone(st.Approvers), func(a string) bool { who, _ := normal(a); return who == requester || who == "" })
	least := 1
	if requester == "" {
		least = 2
	}
	return r.Standing == st.ID && r.Digest == st.Digest && len(others) >= least && !r.CreatedAt.Before(st.CreatedAt) && r.CreatedAt.Before(st.Until)
}
