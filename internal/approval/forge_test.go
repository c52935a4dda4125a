package approval

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cdcbot/internal/seal"
)

// Somebody can write to Redis, and has no key: whatever they put there, nobody gets a grant that two people did not give.
func TestForgedRecords(t *testing.T) {
	stranger, err := seal.Parse("k1:" + strings.Repeat("66", 32)) // the same name, another secret
	if err != nil {
		t.Fatal(err)
	}
	yes := func(user string, at time.Time) string {
		b, _ := json.Marshal(Decision{User: user, Verdict: Approve, Digest: digest, At: at})
		return string(b)
	}
	for _, row := range []struct {
		name  string
		forge func(a *attacker)
		want  error
	}{
		{"a decision without a seal", func(a *attacker) { a.set("decision:1", yes("U2", a.c.at), "state", "approved", "ended", a.ms()) }, ErrForged},
		{"a decision sealed with another secret", func(a *attacker) {
			a.set("decision:1", yes("U2", a.c.at), "seal:1", stranger.Sum(answerTo("REQ-1", a.get("body")), []byte(yes("U2", a.c.at))), "state", "approved", "ended", a.ms())
		}, ErrForged},
		{"somebody else's name under a decision", func(a *attacker) {
			a.approve("U2")
			a.set("decision:1", strings.Replace(a.get("decision:1"), "U2", "U3", 1))
		}, ErrForged},
		{"the requester turned into somebody else", func(a *attacker) {
			a.set("body", strings.Replace(a.get("body"), `"requester":"U1"`, `"requester":"U9"`, 1), "requester", "U9")
		}, ErrForged},
		{"fewer approvals needed", func(a *attacker) {
			a.set("body", strings.Replace(a.get("body"), `"needed":1`, `"needed":0`, 1), "needed", "0", "state", "approved", "ended", a.ms())
		}, ErrForged},
		{"another plan under the same approval", func(a *attacker) {
			a.approve("U2")
			a.set("body", strings.Replace(a.get("body"), digest, "0ther", 1))
		}, ErrForged},
		{"a later expiry", func(a *attacker) {
			a.set("body", strings.Replace(a.get("body"), "10:30:00", "23:30:00", 1), "expires", "99999999999999")
			a.c.at = a.c.at.Add(time.Hour)
			a.approve("U2")
		}, ErrForged},
		{"a later expiry beside the request", func(a *attacker) {
			a.set("expires", "99999999999999")
			a.c.at = a.c.at.Add(time.Hour)
			a.approve("U2")
		}, ErrNotApproved},
		{"an approval made fresh", func(a *attacker) {
			a.approve("U2")
			a.c.at = a.c.at.Add(time.Hour)
			a.set("ended", a.ms())
		}, ErrForged},
		{"an old approval by a claim that nobody made", func(a *attacker) {
			a.approve("U2")
			a.c.at = a.c.at.Add(time.Hour)
			a.set("state", "used", "run", "RUN-1")
		}, ErrForged},
		{"a used approval made usable", func(a *attacker) {
			a.approve("U2")
			a.claim("RUN-7")
			a.set("state", "approved")
		}, ErrForged},
		{"another run's claim", func(a *attacker) {
			a.approve("U2")
			a.claim("RUN-7")
			a.set("run", "RUN-1")
		}, ErrForged},
		{"a decision on another request", func(a *attacker) {
			other := request("U1", 1)
			other.Incident = "INC-2"
			must[Request](a.t)(a.s.Ask(a.t.Context(), other))
			must[Request](a.t)(a.s.answer(a.t.Context(), "REQ-2", "U2", Approve, digest))
			theirs := a.redis.HGetAll(a.t.Context(), requestKey("REQ-2")).Val()
			a.set("decision:1", theirs["decision:1"], "seal:1", theirs["seal:1"], "state", "approved", "ended", theirs["ended"])
		}, ErrForged},
		{"a decision on an earlier request of the same number", func(a *attacker) {
			a.approve("U2")
			old := a.redis.HGetAll(a.t.Context(), requestKey("REQ-1")).Val()
			a.redis.FlushAll(a.t.Context())
			must[Request](a.t)(a.s.Ask(a.t.Context(), request("U1", 1)))
			a.set("decision:1", old["decision:1"], "seal:1", old["seal:1"], "state", "approved", "ended", old["ended"])
		}, ErrForged},
		{"a glass that may not be broken", func(a *attacker) {
			a.s.Alone = 0
			a.redis.FlushAll(a.t.Context())
			must[Request](a.t)(a.s.Ask(a.t.Context(), request("U1", 1)))
			if _, err := a.s.BreakGlass(a.t.Context(), "REQ-1", "U1", digest, "because"); !errors.Is(err, ErrNever) {
				a.t.Errorf("breaking it: %v, want ErrNever", err)
			}
			a.set("body", strings.Replace(a.get("body"), `"expires_at"`, `"alone_from":"2020-01-01T00:00:00Z","expires_at"`, 1))
			_, _ = a.s.BreakGlass(a.t.Context(), "REQ-1", "U1", digest, "because")
		}, ErrForged},
		{"the seals taken away", func(a *attacker) {
			a.approve("U2")
			a.redis.HDel(a.t.Context(), requestKey("REQ-1"), "seal", "seal:1")
		}, ErrForged},
		{"nothing forged", func(a *attacker) { a.approve("U2") }, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			client, _ := mini(t)
			a := &attacker{t: t, redis: client, c: newClock()}
			a.s = newStore(client, a.c)
			must[Request](t)(a.s.Ask(t.Context(), request("U1", 1)))
			row.forge(a)
			grant, err := a.s.Claim(t.Context(), "REQ-1", digest, "RUN-1")
			if !errors.Is(err, row.want) || grant.Covers(digest) != (row.want == nil) {
				t.Errorf("grant %+v, %v; want %v", grant, err, row.want)
			}
		})
	}
}

// attacker writes to Redis by hand, and presses what anybody may press.
type attacker struct {
	t     *testing.T
	redis redis.UniversalClient
	c     *clock
	s     *Store
}

func (a *attacker) set(fields ...string) {
	a.t.Helper()
	if err := a.redis.HSet(a.t.Context(), requestKey("REQ-1"), fields).Err(); err != nil {
		a.t.Fatal(err)
	}
}

func (a *attacker) get(field string) string {
	return a.redis.HGet(a.t.Context(), requestKey("REQ-1"), field).Val()
}

func (a *attacker) ms() string {
	b, _ := json.Marshal(a.c.at.UnixMilli())
	return string(b)
}

// approve is a real person who is shown what Redis says; a refusal is none of the attacker's doing.
func (a *attacker) approve(user string) {
	_, _ = a.s.answer(a.t.Context(), "REQ-1", user, Approve, digest)
}

func (a *attacker) claim(run string) {
	must[Grant](a.t)(a.s.Claim(a.t.Context(), "REQ-1", digest, run))
}

// One forged request does not hide the others, and shows as what it is.
func TestForgedRequestInAList(t *testing.T) {
	client, _ := mini(t)
	s := newStore(client, newClock())
	must[Request](t)(s.Ask(t.Context(), request("U1", 1)))
	other := request("U1", 1)
	other.Digest = "other"
	must[Request](t)(s.Ask(t.Context(), other))
	client.HSet(t.Context(), requestKey("REQ-1"), "body", `{"id":"REQ-1","incident":"INC-1","title":"Something else"}`)
	list := must[[]Request](t)(s.ForIncident(t.Context(), "INC-1"))
	if len(list) != 2 || list[0].State != Voided || list[0].Title != "" || list[0].Why != ErrForged.Error() || list[1].State != Pending {
		t.Errorf("got %+v", list)
	}
}

// A key that was put away still proves what it sealed, and one that is gone does not.
func TestRotation(t *testing.T) {
	client, _ := mini(t)
	c := newClock()
	s := newStore(client, c)
	must[Request](t)(s.Ask(t.Context(), request("U1", 1)))
	rotate := func(text string) {
		r, err := seal.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		s.Seal = r
	}
	old, fresh := "k1:"+strings.Repeat("5a", 32), "k2:"+strings.Repeat("3c", 32)
	rotate(fresh + " " + old)
	must[Request](t)(s.answer(t.Context(), "REQ-1", "U2", Approve, digest))
	if text := client.HGet(t.Context(), requestKey("REQ-1"), "seal:1").Val(); !strings.HasPrefix(text, "k2:") {
		t.Errorf("the decision is sealed with %s, want the new key", text)
	}
	must[Grant](t)(s.Claim(t.Context(), "REQ-1", digest, "RUN-1"))
	rotate(fresh)
	if _, err := s.Claim(t.Context(), "REQ-1", digest, "RUN-1"); !errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("without the old key: %v, want ErrUnknownKey", err)
	}
}
