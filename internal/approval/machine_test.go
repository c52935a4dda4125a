package approval

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is what a request must do, written a second time without Redis: the simplest thing that could be true.
type model struct {
	state     State
	requester string
	needed    int
	people    []string // who decided, normalised
	approvals int
	expires   time.Time
	approved  time.Time
	run       string
}

func (m *model) decide(now time.Time, user string, v Verdict, seen string) error {
	who := strings.ToUpper(strings.TrimSpace(user))
	switch {
	case m.state != Pending:
		return ErrNotPending
	case !now.Before(m.expires):
		return ErrExpired
	case who == m.requester:
		return ErrSelf
	case slices.Contains(m.people, who):
		return ErrTwice
	case seen != digest:
		return ErrDigest
	}
	m.people = append(m.people, who)
	if v == Reject {
		m.state = Rejected
		return nil
	}
	if m.approvals++; m.approvals >= m.needed {
		m.state, m.approved = Approved, now
	}
	return nil
}

func (m *model) claim(now time.Time, seen, run string) error {
	switch {
	case seen != digest:
		return ErrDigest
	case m.state == Used && m.run == run:
		return nil
	case m.state == Used:
		return ErrUsed
	case m.state == Expired:
		return ErrExpired
	case m.state != Approved:
		return ErrNotApproved
	case !now.Before(m.approved.Add(10 * time.Minute)):
		m.state = Expired
		return ErrExpired
	}
	m.state, m.run = Used, run
	return nil
}

func (m *model) withdraw(user string) error {
	switch {
	case m.requester == "" || strings.ToUpper(user) != m.requester:
		return ErrNotRequester
	case m.state == Withdrawn:
		return nil
	case m.state != Pending:
		return ErrNotPending
	}
	m.state = Withdrawn
	return nil
}

func (m *model) expire(now time.Time) error {
	switch {
	case m.state == Expired:
		return nil
	case m.state != Pending:
		return ErrNotPending
	case !now.Before(m.expires):
		m.state = Expired
	}
	return nil
}

func (m *model) void() error {
	if m.state != Pending && m.state != Approved && m.state != Voided {
		return ErrNotPending
	}
	m.state = Voided
	return nil
}

// Whatever happens in whatever order on two replicas with clocks that disagree: store and model say the same, every
// change of state is in the table, nothing runs without two people, and at most one run ever holds the grant.
func TestMachine(t *testing.T) {
	client, server := mini(t)
	rapid.Check(t, func(rt *rapid.T) {
		server.FlushAll()
		c := newClock()
		stores := []*Store{newStore(client, c), newStore(client, c)}
		requester := rapid.SampledFrom([]string{"", "U1", "u1"}).Draw(rt, "requester")
		r, err := stores[0].Ask(t.Context(), request(requester, rapid.IntRange(0, 3).Draw(rt, "needed")))
		if err != nil {
			rt.Fatal(err)
		}
		m := &model{state: Pending, requester: strings.ToUpper(requester), needed: r.Needed, expires: r.ExpiresAt}
		granted := map[string]bool{}
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			c.at = c.at.Add(time.Duration(rapid.IntRange(-5, 12).Draw(rt, "minutes")) * time.Minute)
			was := m.state
			got, want, run := draw(rt, stores[rapid.IntRange(0, 1).Draw(rt, "replica")], m, r.ID, c.at)
			if !errors.Is(got, want) || want == nil && got != nil {
				rt.Fatalf("store says %v, model says %v", got, want)
			}
			if run != "" && got == nil {
				granted[run] = true
			}
			if was != m.state && !slices.Contains(Transitions[was], m.state) {
				rt.Fatalf("%s became %s, which is not in the table", was, m.state)
			}
			same(rt, stores[0], m, r.ID)
		}
		if len(granted) > 1 || len(granted) == 1 && m.approvals+min(len(m.requester), 1) < 2 {
			rt.Fatalf("granted to %v by %d people of requester %q", granted, m.approvals, m.requester)
		}
	})
}

// draw does one thing to store and model; run is the run that claimed.
func draw(rt *rapid.T, s *Store, m *model, id string, now time.Time) (got, want error, run string) {
	ctx := rt.Context()
	user := rapid.SampledFrom([]string{"U1", "u1", "U2", " u2 ", "U3", "U4"}).Draw(rt, "user")
	seen := rapid.SampledFrom([]string{digest, digest, digest, "other", ""}).Draw(rt, "digest")
	switch rapid.SampledFrom([]string{"approve", "approve", "approve", "reject", "claim", "claim", "withdraw", "expire", "void"}).Draw(rt, "what") {
	case "approve":
		_, got = s.answer(ctx, id, user, Approve, seen)
		return got, m.decide(now, user, Approve, seen), ""
	case "reject":
		_, got = s.answer(ctx, id, user, Reject, seen)
		return got, m.decide(now, user, Reject, seen), ""
	case "withdraw":
		_, got = s.Withdraw(ctx, id, user)
		return got, m.withdraw(strings.TrimSpace(user)), ""
	case "expire":
		_, got = s.Expire(ctx, id)
		return got, m.expire(now), ""
	case "void":
		_, got = s.Void(ctx, id, "why")
		return got, m.void(), ""
	}
	run = fmt.Sprint("RUN-", rapid.IntRange(1, 3).Draw(rt, "run"))
	_, got = s.Claim(ctx, id, seen, run)
	return got, m.claim(now, seen, run), run
}

func same(rt *rapid.T, s *Store, m *model, id string) {
	r, err := s.Get(rt.Context(), id)
	if err != nil || r.State != m.state || len(r.Decisions) != len(m.people) || r.Run != m.run {
		rt.Fatalf("stored %s with %d decisions, run %q (%v); model %s with %d, run %q", r.State, len(r.Decisions), r.Run, err, m.state, len(m.people), m.run)
	}
	pending, err := s.Pending(rt.Context())
	if err != nil || (len(pending) == 1) != (m.state == Pending) {
		rt.Fatalf("%d pending while %s (%v)", len(pending), m.state, err)
	}
}
