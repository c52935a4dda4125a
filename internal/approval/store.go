package approval

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// attempts bounds how often an Ask that another one overtook is tried again.
const attempts = 1000

// Ask stores a request and fills ID, State, CreatedAt and ExpiresAt. Needed is raised to what always holds: one approval
// besides the requester, two when the bot proposes. When the same plan waits in the same incident already, that request
// comes back with ErrDuplicate; one whose time is over makes room.
func (s *Store) Ask(ctx context.Context, r Request) (Request, error) {
	r, err := s.prepare(r)
	if err != nil {
		return r, err
	}
	for range attempts {
		waiting, err := s.ask(ctx, &r)
		if err != nil {
			return r, err
		}
		if waiting == "ok" {
			return r, nil
		}
		if waiting == "again" {
			continue
		}
		first, err := s.Expire(ctx, waiting)
		if err == nil && first.State == Pending {
			return first, fmt.Errorf("%s: %w", first.ID, ErrDuplicate)
		}
		if err != nil && !errors.Is(err, ErrNotPending) && !errors.Is(err, ErrNotFound) {
			return r, err
		}
	}
	return r, fmt.Errorf("asking for %q: too many requests at once", r.Title)
}

func (s *Store) prepare(r Request) (Request, error) {
	for _, f := range []struct{ name, value string }{{"incident", r.Incident}, {"digest", r.Digest}} {
		if f.value == "" {
			return r, fmt.Errorf("request for %q: %s is empty; expected one", r.Title, f.name)
		}
	}
	r.Requester = strings.TrimSpace(r.Requester)
	r.Needed = max(r.Needed, 1)
	if r.Requester == "" {
		r.Needed = max(r.Needed, 2)
	} else if _, err := normal(r.Requester); err != nil {
		return r, fmt.Errorf("requester: %w", err)
	}
	r.State, r.Decisions, r.EndedAt, r.Run, r.Why = Pending, nil, time.Time{}, "", ""
	r.Taken, r.Standing = nil, ""
	r.Nonce = rand.Text()
	r.CreatedAt = s.now()
	r.ExpiresAt = r.CreatedAt.Add(orDefault(s.TTL, 30*time.Minute))
	r.AloneFrom = time.Time{}
	if s.Alone > 0 && r.Requester != "" {
		r.AloneFrom = r.CreatedAt.Add(s.Alone)
	}
	return r, nil
}

// ask tries once; it returns "ok", "again", or the ID of the request that waits.
func (s *Store) ask(ctx context.Context, r *Request) (string, error) {
	last, err := s.last(ctx)
	if err != nil {
		return "", err
	}
	r.ID = "REQ-" + strconv.FormatInt(last+1, 10)
	body, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encoding %s: %w", r.ID, err)
	}
	requester := ""
	if r.Requester != "" {
		if requester, err = normal(r.Requester); err != nil {
			return "", err
		}
	}
	keys := []string{seqKey, requestKey(r.ID), waitingKey, pendingKey, incidentKey(r.Incident)}
	answer, err := askScript.Run(ctx, s.Redis, keys, last, r.ID, strconv.Quote(r.Incident)+r.Digest, body, r.Digest,
		requester, r.Needed, r.ExpiresAt.UnixMilli(), s.Seal.Sum("request "+r.ID, body)).Text()
	if err != nil {
		return "", away("storing "+r.ID, err)
	}
	return answer, nil
}

// Decide takes one person's answer. Nobody answers their own request (ErrSelf) or twice (ErrTwice), and a digest that is
// not the request's spends nothing (ErrDigest). A rejection ends the request; so does the last approval needed. The time
// of the decision is the store's. The request comes back as it stands afterwards, also with a refusal.
func (s *Store) Decide(ctx context.Context, id string, d Decision) (Request, error) {
	if d.Verdict != Approve && d.Verdict != Reject {
		return Request{}, fmt.Errorf("verdict %q; expected %s or %s", d.Verdict, Approve, Reject)
	}
	user, err := normal(d.User)
	if err != nil {
		return Request{}, err
	}
	done, err := s.turn(ctx)
	if err != nil {
		return Request{}, away("deciding "+id, err)
	}
	defer done()
	d.User, d.At = strings.TrimSpace(d.User), s.now()
	asked, body, code, err := s.sealed(ctx, "deciding", id, answerTo, d)
	if err != nil {
		return Request{}, err
	}
	if asked.State != Pending { // a crowd that comes too late is told so without another look
		return asked, fmt.Errorf("deciding %s: %w", id, ErrNotPending)
	}
	if asked.StepUp && d.Verdict == Approve && d.Proof == "" {
		return asked, ErrCodeNeeded
	}
	requester, _ := normal(asked.Requester) // "" when the bot proposed
	_, refusal := s.run(ctx, decideScript, "deciding", id, id, user, string(d.Verdict), d.Digest, body, d.At.UnixMilli(), code,
		asked.ExpiresAt.UnixMilli(), requester, asked.Digest, asked.Needed)
	return s.after(ctx, id, refusal)
}

// sealed is what somebody adds to a request as it is stored, and its seal; and what was asked. A request that this bot did
// not write takes nothing.
func (s *Store) sealed(ctx context.Context, doing, id string, domain func(id, body string) string, what any) (r Request, record []byte, code string, err error) {
	if !isID(id) {
		return r, nil, "", fmt.Errorf("%s %q: %w", doing, id, ErrNotFound)
	}
	seen, err := s.look(ctx, id)
	if err != nil {
		return r, nil, "", fmt.Errorf("%s: %w", doing, err)
	}
	if record, err = json.Marshal(what); err != nil {
		return seen.Request, nil, "", fmt.Errorf("%s %s: %w", doing, id, err)
	}
	return seen.Request, record, s.Seal.Sum(domain(id, seen.body), record), nil
}

// glance is a request as somebody read it a moment ago, with the text that was sealed.
type glance struct {
	Request
	body string
}

// look reads a request, together with everybody who wants to at this moment: a crowd that presses at once makes one read.
// What it says may be a moment old. What was asked never changes, and a request that has ended never waits again, so that
// an old look only sends somebody on to the script, which decides.
func (s *Store) look(ctx context.Context, id string) (glance, error) {
	seen := s.looks.DoChan(id, func() (any, error) {
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookWithin)
		defer cancel()
		fields, err := s.Redis.HGetAll(own, requestKey(id)).Result()
		if err != nil {
			return glance{}, away("reading "+id, err)
		}
		r, err := s.decode(id, fields)
		return glance{r, fields["body"]}, err
	})
	select {
	case <-ctx.Done():
		return glance{}, away("reading "+id, ctx.Err())
	case result := <-seen:
		g, _ := result.Val.(glance)
		g.Decisions = slices.Clone(g.Decisions) // each has its own
		return g, result.Err
	}
}

// lookWithin bounds a read that several wait for.
const lookWithin = 5 * time.Second

// BreakGlass lets the requester act alone, for a reason, when nobody has answered until AloneFrom. It is the one way past
// the second person; who calls it has paged one. Errors: ErrNever, ErrEarly, ErrNotRequester and those of Decide.
func (s *Store) BreakGlass(ctx context.Context, id, user, digest, reason string) (Request, error) {
	who, err := normal(user)
	if err != nil {
		return Request{}, err
	}
	d := Decision{User: strings.TrimSpace(user), Verdict: BreakGlass, Digest: digest, Reason: reason, At: s.now()}
	asked, body, code, err := s.sealed(ctx, "breaking the glass of", id, answerTo, d)
	if err != nil {
		return Request{}, err
	}
	requester, _ := normal(asked.Requester) // "" when the bot proposed
	from := int64(0)
	if !asked.AloneFrom.IsZero() {
		from = asked.AloneFrom.UnixMilli()
	}
	_, refusal := s.run(ctx, glassScript, "breaking the glass of", id, id, who, digest, body, d.At.UnixMilli(), code, asked.ExpiresAt.UnixMilli(), requester, asked.Digest, from)
	return s.after(ctx, id, refusal)
}

// after reads the request as it stands now; the refusal, if any, goes with it.
func (s *Store) after(ctx context.Context, id string, refusal error) (Request, error) {
	if errors.Is(refusal, ErrUnavailable) {
		return Request{}, refusal
	}
	if errors.Is(refusal, ErrNotPending) { // most of a crowd; a look from before the end does not show it
		if seen, err := s.look(ctx, id); err == nil && seen.State != Pending {
			return seen.Request, refusal
		}
	}
	r, err := s.Get(ctx, id)
	if refusal != nil {
		return r, refusal
	}
	return r, err
}

// Withdraw takes a pending request back; only its requester may, so nobody may when the bot proposed it.
func (s *Store) Withdraw(ctx context.Context, id, user string) (Request, error) {
	who, err := normal(user)
	if err != nil {
		return Request{}, err
	}
	return s.end(ctx, id, Withdrawn, who, "")
}

// Expire ends a pending request whose time is over. One that is not due stays pending and comes back without an error,
// and so does one that has expired already.
func (s *Store) Expire(ctx context.Context, id string) (Request, error) {
	return s.end(ctx, id, Expired, "", "")
}

// Void ends a pending or approved request, because what people agreed to no longer exists; why is shown to them.
func (s *Store) Void(ctx context.Context, id, why string) (Request, error) {
	return s.end(ctx, id, Voided, "", why)
}

func (s *Store) end(ctx context.Context, id string, to State, user, why string) (Request, error) {
	_, refusal := s.run(ctx, endScript, "ending", id, id, string(to), user, s.now().UnixMilli(), why)
	return s.after(ctx, id, refusal)
}

// Claim turns an approved request into a grant for a run, once. The same run may claim again, which is how a replica
// takes over after a crash; another run may not (ErrUsed). An approval that waited longer than ApprovedTTL ends as
// expired (ErrExpired). What counts is what people and this bot have sealed, not what Redis says of it.
func (s *Store) Claim(ctx context.Context, id, digest, run string) (Grant, error) {
	if run == "" {
		return Grant{}, fmt.Errorf("claiming %s: run is empty; expected the run's ID", id)
	}
	r, err := s.Get(ctx, id)
	if err != nil {
		return Grant{}, err
	}
	if err := s.ripe(ctx, r, run); err != nil {
		return Grant{}, fmt.Errorf("claiming %s: %w", id, err)
	}
	hold, now := orDefault(s.ApprovedTTL, 10*time.Minute), s.now()
	_, record, code, err := s.sealed(ctx, "claiming", id, claimOn, Taken{Run: run, At: now})
	if err != nil {
		return Grant{}, err
	}
	if _, err := s.run(ctx, claimScript, "claiming", id, digest, run, now.UnixMilli(), hold.Milliseconds(), record, code); err != nil {
		return Grant{}, err
	}
	return Grant{request: r.ID, digest: r.Digest, run: run}, nil
}

// ripe looks whether what is sealed bears out what the fields say: that people agreed when they say so, and that the run
// that has it has claimed it. Anything else the script refuses.
func (s *Store) ripe(ctx context.Context, r Request, run string) error {
	if r.State != Approved && r.State != Used {
		return nil
	}
	agreed, since := r.agreed(), r.lastDecision()
	if r.Standing != "" {
		st, err := s.Standing(ctx, r.Standing)
		if err != nil {
			return err
		}
		agreed, since = st.covers(r), r.CreatedAt
	}
	switch {
	case !agreed:
		return fmt.Errorf("it says %s, but its decisions do not: %w", r.State, ErrNotApproved)
	case r.State == Approved && !r.EndedAt.Equal(since):
		return fmt.Errorf("it says that it was approved at %s, but the last decision is of %s: %w", r.EndedAt, since, ErrForged)
	case r.State == Approved && r.Taken != nil:
		return fmt.Errorf("it says approved, but %s has claimed it: %w", r.Taken.Run, ErrForged)
	case r.State == Used && r.Run == run && (r.Taken == nil || r.Taken.Run != run):
		return fmt.Errorf("it says that %s has it, but %s never claimed it: %w", run, run, ErrForged)
	}
	return nil
}
