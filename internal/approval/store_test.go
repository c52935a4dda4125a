package approval

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

const digest = "d1ce5"

func request(requester string, needed int) Request {
	return Request{Incident: "INC-1", Digest: digest, Title: "Restart sink", Risk: "change", Requester: requester, Needed: needed,
		Recipe: Recipe{Runbook: "connector-failure", SHA256: "abc", Section: "restart", Option: 1, Inputs: map[string]string{"lease_id": "x"}}}
}

func (s *Store) answer(ctx context.Context, id, user string, v Verdict, digest string) (Request, error) {
	return s.Decide(ctx, id, Decision{User: user, Verdict: v, Digest: digest, Reason: "because"})
}

// step is one thing that happens to a request; at is minutes after it was asked.
type step struct {
	at    float64
	do    string // "approve U2", "reject U2", "withdraw U1", "expire", "void", "claim RUN-1"
	wrong bool   // with another digest
	err   error
	state State
}

func (s step) on(ctx context.Context, store *Store, id string) (Request, error) {
	verb, who, _ := strings.Cut(s.do, " ")
	seen := digest
	if s.wrong {
		seen = "another"
	}
	switch verb {
	case "approve", "reject":
		return store.answer(ctx, id, who, Verdict(verb), seen)
	case "withdraw":
		return store.Withdraw(ctx, id, who)
	case "expire":
		return store.Expire(ctx, id)
	case "void":
		return store.Void(ctx, id, "the book was edited")
	case "glass":
		return store.BreakGlass(ctx, id, who, seen, "the database burns and nobody answers")
	}
	grant, err := store.Claim(ctx, id, seen, who)
	if err == nil && (!grant.Covers(digest) || grant.Run() != who || grant.Request() != id) {
		return Request{}, fmt.Errorf("claimed %+v", grant)
	}
	r, getErr := store.Get(ctx, id)
	return r, errors.Join(err, getErr)
}

const ms = 1.0 / 60_000

var stories = []struct {
	name      string
	requester string
	needed    int
	steps     []step
}{
	{"the usual way", "U1", 1, []step{{1, "approve U2", false, nil, Approved}, {2, "claim RUN-1", false, nil, Used}}},
	{"a person is needed at least", "U1", 0, []step{{1, "claim RUN-1", false, ErrNotApproved, Pending}, {1, "approve U2", false, nil, Approved}}},
	{"the bot needs two", "", 1, []step{{1, "approve U1", false, nil, Pending}, {1, "approve U2", false, nil, Approved}}},
	{"three are asked for", "U1", 3, []step{{1, "approve U2", false, nil, Pending}, {1, "approve U3", false, nil, Pending}, {1, "approve U4", false, nil, Approved}}},
	{"self-approval", "U1", 1, []step{{1, "approve U1", false, ErrSelf, Pending}, {1, "approve u1", false, ErrSelf, Pending}, {1, "approve  U1 ", false, ErrSelf, Pending},
		{1, "reject U1", false, ErrSelf, Pending}, {1, "approve U2", false, nil, Approved}}},
	{"requester in another spelling", " u1 ", 1, []step{{1, "approve U1", false, ErrSelf, Pending}, {1, "withdraw U1", false, nil, Withdrawn}}},
	{"one person twice", "U1", 2, []step{{1, "approve U2", false, nil, Pending}, {1, "approve U2", false, ErrTwice, Pending}, {1, "approve u2", false, ErrTwice, Pending},
		{1, "reject U2", false, ErrTwice, Pending}, {1, "approve U3", false, nil, Approved}}},
	{"double click on the last approval", "U1", 1, []step{{1, "approve U2", false, nil, Approved}, {1, "approve U2", false, ErrNotPending, Approved}}},
	{"another digest spends nothing", "U1", 1, []step{{1, "approve U2", true, ErrDigest, Pending}, {1, "reject U2", true, ErrDigest, Pending}, {1, "approve U2", false, nil, Approved},
		{1, "claim RUN-1", true, ErrDigest, Approved}, {1, "claim RUN-1", false, nil, Used}}},
	{"one rejection ends it", "U1", 2, []step{{1, "approve U2", false, nil, Pending}, {1, "reject U3", false, nil, Rejected}, {1, "approve U4", false, ErrNotPending, Rejected},
		{1, "claim RUN-1", false, ErrNotApproved, Rejected}}},
	{"a millisecond before its time is over", "U1", 1, []step{{30 - ms, "expire", false, nil, Pending}, {30 - ms, "approve U2", false, nil, Approved}}},
	{"the millisecond its time is over", "U1", 1, []step{{30, "approve U2", false, ErrExpired, Pending}, {30, "expire", false, nil, Expired}, {30, "expire", false, nil, Expired},
		{30, "approve U2", false, ErrNotPending, Expired}, {30, "claim RUN-1", false, ErrExpired, Expired}}},
	{"a clock that goes back does not bring it back", "U1", 1, []step{{30, "expire", false, nil, Expired}, {1, "approve U2", false, ErrNotPending, Expired}}},
	{"withdrawn", "U1", 1, []step{{1, "withdraw U2", false, ErrNotRequester, Pending}, {1, "withdraw U1", false, nil, Withdrawn}, {1, "withdraw U1", false, nil, Withdrawn},
		{1, "approve U2", false, ErrNotPending, Withdrawn}, {1, "claim RUN-1", false, ErrNotApproved, Withdrawn}}},
	{"nobody withdraws what the bot proposed", "", 2, []step{{1, "withdraw U1", false, ErrNotRequester, Pending}}},
	{"too late to withdraw", "U1", 1, []step{{1, "approve U2", false, nil, Approved}, {1, "withdraw U1", false, ErrNotPending, Approved}}},
	{"void before", "U1", 1, []step{{1, "void", false, nil, Voided}, {1, "void", false, nil, Voided}, {1, "approve U2", false, ErrNotPending, Voided}}},
	{"void after approval", "U1", 1, []step{{1, "approve U2", false, nil, Approved}, {1, "void", false, nil, Voided}, {1, "claim RUN-1", false, ErrNotApproved, Voided}}},
	{"void comes too late", "U1", 1, []step{{1, "approve U2", false, nil, Approved}, {1, "claim RUN-1", false, nil, Used}, {1, "void", false, ErrNotPending, Used}}},
	{"used once", "U1", 1, []step{{1, "approve U2", false, nil, Approved}, {1, "claim RUN-1", false, nil, Used}, {1, "claim RUN-2", false, ErrUsed, Used},
		{1, "approve U3", false, ErrNotPending, Used}, {500, "claim RUN-1", false, nil, Used}, {500, "claim RUN-2", false, ErrUsed, Used}, {500, "expire", false, ErrNotPending, Used}}},
	{"approved, but not run in time", "U1", 1, []step{{1, "approve U2", false, nil, Approved}, {11 - ms, "expire", false, ErrNotPending, Approved}, {11, "claim RUN-1", false, ErrExpired, Expired},
		{11, "claim RUN-1", false, ErrExpired, Expired}, {2, "claim RUN-1", false, ErrExpired, Expired}}},
	{"approved and run in the last millisecond", "U1", 1, []step{{1, "approve U2", false, nil, Approved}, {11 - ms, "claim RUN-1", false, nil, Used}}},
	{"nobody answers, the glass is broken", "U1", 2, []step{{1, "approve U2", false, nil, Pending}, {10 - ms, "glass U1", false, ErrEarly, Pending}, {10, "glass U2", false, ErrNotRequester, Pending},
		{10, "glass U1", true, ErrDigest, Pending}, {10, "glass u1", false, nil, Approved}, {11, "glass U1", false, ErrNotPending, Approved}, {11, "claim RUN-1", false, nil, Used}}},
	{"too late to break the glass", "U1", 1, []step{{30, "glass U1", false, ErrExpired, Pending}}},
	{"nobody breaks the glass of what the bot proposed", "", 2, []step{{10, "glass U1", false, ErrNotRequester, Pending}}},
	{"an approval came before the glass", "U1", 1, []step{{9, "approve U2", false, nil, Approved}, {10, "glass U1", false, ErrNotPending, Approved}}},
	{"approved late in its life", "U1", 1, []step{{30 - ms, "approve U2", false, nil, Approved}, {39, "claim RUN-1", false, nil, Used}}},
}

func TestRequests(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		for _, story := range stories {
			t.Run(story.name, func(t *testing.T) {
				if err := client.FlushAll(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
				c := newClock()
				s := newStore(client, c)
				r := must[Request](t)(s.Ask(t.Context(), request(story.requester, story.needed)))
				for i, step := range story.steps {
					c.at = r.CreatedAt.Add(time.Duration(step.at * float64(time.Minute)).Round(time.Millisecond))
					got, err := step.on(t.Context(), s, r.ID)
					if !errors.Is(err, step.err) || step.err == nil && err != nil || got.State != step.state {
						t.Fatalf("step %d %+v: %s, %v", i+1, step, got.State, err)
					}
				}
				consistent(t, s, r.ID)
			})
		}
	})
}

// consistent checks that the indexes agree with the request.
func consistent(t *testing.T, s *Store, id string) {
	t.Helper()
	r := must[Request](t)(s.Get(t.Context(), id))
	pending := must[[]Request](t)(s.Pending(t.Context()))
	waiting := s.Redis.HLen(t.Context(), waitingKey).Val()
	want := 0
	if r.State == Pending {
		want = 1
	}
	if len(pending) != want || waiting != int64(want) {
		t.Errorf("%s is %s; %d pending, %d waiting, want %d", id, r.State, len(pending), waiting, want)
	}
	if r.EndedAt.IsZero() != (r.State == Pending) {
		t.Errorf("%s is %s and ended at %s", id, r.State, r.EndedAt)
	}
}

func TestAskKeepsWhatIsAsked(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		c := newClock()
		s := newStore(client, c)
		ask := request("U1", 0)
		ask.Reason = "it is down"
		ask.State, ask.Run, ask.Decisions, ask.EndedAt = Used, "RUN-9", []Decision{{User: "U9", Verdict: Approve, Digest: digest}}, c.at // none of it is the asker's
		asked := must[Request](t)(s.Ask(t.Context(), ask))
		want := request("U1", 1)
		if len(asked.Nonce) < 20 {
			t.Errorf("nonce %q, want one that nobody can guess", asked.Nonce)
		}
		want.Nonce = asked.Nonce
		want.ID, want.State, want.Reason, want.CreatedAt, want.ExpiresAt = "REQ-1", Pending, "it is down", c.at, c.at.Add(30*time.Minute)
		want.AloneFrom = c.at.Add(10 * time.Minute)
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(want, must[Request](t)(s.Get(t.Context(), "REQ-1"))); diff != "" {
			t.Error(diff)
		}
		c.at = c.at.Add(time.Minute)
		decided := must[Request](t)(s.Decide(t.Context(), "REQ-1", Decision{User: "U2", Verdict: Approve, Digest: digest, Reason: "fine", At: c.at.Add(-time.Hour)}))
		want.State, want.EndedAt, want.Decisions = Approved, c.at, []Decision{{User: "U2", Verdict: Approve, Digest: digest, Reason: "fine", At: c.at}}
		if diff := cmp.Diff(want, decided); diff != "" {
			t.Errorf("after the decision: %s", diff)
		}
		if got := strings.Join(decided.Approvers(), " "); got != "U2" {
			t.Errorf("approvers %q", got)
		}
	})
}

func TestDuplicates(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		c := newClock()
		s := newStore(client, c)
		one := must[Request](t)(s.Ask(t.Context(), request("U1", 1)))
		again, err := s.Ask(t.Context(), request("U2", 1))
		if !errors.Is(err, ErrDuplicate) || again.ID != one.ID || again.Requester != "U1" {
			t.Errorf("the same plan: %s %v, want %s and ErrDuplicate", again.ID, err, one.ID)
		}
		other := request("U2", 1)
		other.Incident = "INC-2"
		if r := must[Request](t)(s.Ask(t.Context(), other)); r.ID != "REQ-2" {
			t.Errorf("another incident: %s, want REQ-2", r.ID)
		}
		other.Digest = "other"
		must[Request](t)(s.Ask(t.Context(), other))
		c.at = c.at.Add(30 * time.Minute)
		next := must[Request](t)(s.Ask(t.Context(), request("U2", 1)))
		if next.ID != "REQ-4" || must[Request](t)(s.Get(t.Context(), one.ID)).State != Expired {
			t.Errorf("after its time: %s; the first is %s", next.ID, must[Request](t)(s.Get(t.Context(), one.ID)).State)
		}
		must[Request](t)(s.answer(t.Context(), next.ID, "U1", Reject, digest))
		if r := must[Request](t)(s.Ask(t.Context(), request("U2", 1))); r.ID != "REQ-5" {
			t.Errorf("after a rejection: %s, want REQ-5", r.ID)
		}
		var ids []string
		for _, r := range must[[]Request](t)(s.ForIncident(t.Context(), "INC-1")) {
			ids = append(ids, r.ID+" "+string(r.State))
		}
		if got := strings.Join(ids, ", "); got != "REQ-1 expired, REQ-4 rejected, REQ-5 pending" {
			t.Errorf("requests of INC-1: %s", got)
		}
	})
}

// An approval that is void does not make room for what waits: the next request for the same plan is its own.
func TestVoidingAnApprovalLeavesTheNextRequestAlone(t *testing.T) {
	client, _ := mini(t)
	s := newStore(client, newClock())
	must[Request](t)(s.Ask(t.Context(), request("U1", 1)))
	must[Request](t)(s.answer(t.Context(), "REQ-1", "U2", Approve, digest))
	must[Request](t)(s.Ask(t.Context(), request("U1", 1)))
	must[Request](t)(s.Void(t.Context(), "REQ-1", "the book was edited"))
	if r, err := s.Ask(t.Context(), request("U3", 1)); !errors.Is(err, ErrDuplicate) || r.ID != "REQ-2" {
		t.Errorf("%s %v, want REQ-2 and ErrDuplicate", r.ID, err)
	}
	if pending := must[[]Request](t)(s.Pending(t.Context())); len(pending) != 1 || pending[0].ID != "REQ-2" {
		t.Errorf("pending %+v, want REQ-2", pending)
	}
}

func TestPendingIsInOrderOfExpiry(t *testing.T) {
	client, _ := mini(t)
	c := newClock()
	s := newStore(client, c)
	for i, ttl := range []time.Duration{30 * time.Minute, 10 * time.Minute, 20 * time.Minute} {
		s.TTL = ttl
		r := request("U1", 1)
		r.Incident = fmt.Sprint("INC-", i+1)
		must[Request](t)(s.Ask(t.Context(), r))
	}
	var ids []string
	for _, r := range must[[]Request](t)(s.Pending(t.Context())) {
		ids = append(ids, r.ID)
	}
	if got := strings.Join(ids, " "); got != "REQ-2 REQ-3 REQ-1" {
		t.Errorf("pending %s", got)
	}
}

func TestBadInput(t *testing.T) {
	client, _ := mini(t)
	s := newStore(client, newClock())
	ctx := t.Context()
	must[Request](t)(s.Ask(ctx, request("U1", 2)))
	ask := func(change func(*Request)) error {
		r := request("U1", 1)
		change(&r)
		_, err := s.Ask(ctx, r)
		return err
	}
	decide := func(d Decision) error { _, err := s.Decide(ctx, "REQ-1", d); return err }
	for _, row := range []struct {
		name string
		err  error
		want string
	}{
		{"no incident", ask(func(r *Request) { r.Incident = "" }), "incident"},
		{"no digest", ask(func(r *Request) { r.Digest = "" }), "digest"},
		{"odd requester", ask(func(r *Request) { r.Requester = "U1\u200b" }), "U012AB3CD"},
		{"no verdict", decide(Decision{User: "U2", Digest: digest}), "approve or reject"},
		{"odd verdict", decide(Decision{User: "U2", Digest: digest, Verdict: "APPROVE"}), "approve or reject"},
		{"no user", decide(Decision{Digest: digest, Verdict: Approve}), "user ID"},
		{"blank user", decide(Decision{User: " \t", Digest: digest, Verdict: Approve}), "user ID"},
		{"invisible character", decide(Decision{User: "U2\u200b", Digest: digest, Verdict: Approve}), "user ID"},
		{"look-alike letter", decide(Decision{User: "\u0423" + "2", Digest: digest, Verdict: Approve}), "user ID"},
		{"blank inside", decide(Decision{User: "U 2", Digest: digest, Verdict: Approve}), "user ID"},
		{"NUL", decide(Decision{User: "U2\x00", Digest: digest, Verdict: Approve}), "user ID"},
		{"long", decide(Decision{User: strings.Repeat("U", 65), Digest: digest, Verdict: Approve}), "user ID"},
		{"no run", func() error { _, err := s.Claim(ctx, "REQ-1", digest, ""); return err }(), "run"},
		{"nobody withdraws", func() error { _, err := s.Withdraw(ctx, "REQ-1", ""); return err }(), "user ID"},
	} {
		if row.err == nil || !strings.Contains(row.err.Error(), row.want) {
			t.Errorf("%s: %v, want an error with %q", row.name, row.err, row.want)
		}
	}
	if r := must[Request](t)(s.Get(ctx, "REQ-1")); len(r.Decisions) != 0 || r.State != Pending {
		t.Errorf("bad input changed the request: %+v", r)
	}
}

func TestUnknownRequest(t *testing.T) {
	client, _ := mini(t)
	s := newStore(client, newClock())
	must[Request](t)(s.Ask(t.Context(), request("U1", 1))) // so that the indexes are there
	for _, id := range []string{"", "REQ-2", "REQ-", "REQ-x", "req-1", "REQ-1 ", "REQ-99999999999999999999", "}", "seq", "pending", "waiting", "of:INC-1", "REQ-\x00"} {
		for _, do := range []string{"approve U2", "withdraw U1", "expire", "void", "claim RUN-1"} {
			if _, err := (step{do: do}).on(t.Context(), s, id); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s of %q: %v, want ErrNotFound", do, id, err)
			}
		}
	}
}
