package approval

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// stood is a standing approval that two people gave, three times within an hour.
func stood(t *testing.T, s *Store, c *clock) Standing {
	t.Helper()
	r := must[Request](t)(s.Ask(t.Context(), request("U1", 1)))
	must[Request](t)(s.answer(t.Context(), r.ID, "U2", Approve, digest))
	g := must[Grant](t)(s.Claim(t.Context(), r.ID, digest, "RUN-1"))
	return must[Standing](t)(s.Stand(t.Context(), g, Standing{Pipeline: "warehouse", Title: "Restart sink", Digest: "restart", Until: c.at.Add(time.Hour), Most: 3}))
}

func own(incident string) Request {
	return Request{Incident: incident, Digest: "restart", Title: "Restart sink", Risk: "change"}
}

// Forty incidents want to use it at once on two replicas: three do.
func TestStandingIsUsedSoOften(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		c := newClock()
		replicas := []*Store{newStore(client, c), newStore(client, c)}
		st := stood(t, replicas[0], c)
		var mu sync.Mutex
		var group sync.WaitGroup
		var used []Request
		for n := range 40 {
			group.Go(func() {
				r, err := replicas[n%2].Use(t.Context(), own("INC-"+strings.Repeat("1", n+1)), st.ID)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					used = append(used, r)
				} else if !errors.Is(err, ErrUsedUp) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if len(used) != 3 {
			t.Fatalf("%d uses, want 3", len(used))
		}
		for _, r := range used {
			g := must[Grant](t)(replicas[1].Claim(t.Context(), r.ID, "restart", "RUN-"+r.ID))
			if !g.Covers("restart") || r.State != Approved || r.Requester != "" {
				t.Errorf("got %+v", r)
			}
		}
	})
}

func TestStandingEnds(t *testing.T) {
	for _, row := range []struct {
		name string
		do   func(s *Store, c *clock, client redis.UniversalClient, st Standing)
		ask  Request
		want error
	}{
		{"it is over", func(_ *Store, c *clock, _ redis.UniversalClient, _ Standing) { c.at = c.at.Add(time.Hour) }, own("INC-1"), ErrUsedUp},
		{"it was revoked", func(s *Store, _ *clock, _ redis.UniversalClient, st Standing) {
			_, _ = s.Revoke(t.Context(), st.ID, "U9")
		}, own("INC-1"), ErrRevoked},
		{"another plan", func(*Store, *clock, redis.UniversalClient, Standing) {}, Request{Incident: "INC-1", Digest: "drop everything"}, ErrDigest},
		{"made longer by hand", func(_ *Store, c *clock, client redis.UniversalClient, st Standing) {
			body := client.HGet(t.Context(), standingRecord(st.ID), "body").Val()
			client.HSet(t.Context(), standingRecord(st.ID), "body", strings.Replace(body, `"most":3`, `"most":99`, 1))
		}, own("INC-1"), ErrForged},
		{"written by hand", func(_ *Store, c *clock, client redis.UniversalClient, st Standing) {
			client.HDel(t.Context(), standingRecord(st.ID), "seal")
		}, own("INC-1"), ErrForged},
		{"people are being asked for the same", func(s *Store, _ *clock, _ redis.UniversalClient, _ Standing) {
			r := own("INC-1")
			r.Requester = "U1"
			_, _ = s.Ask(t.Context(), r)
		}, own("INC-1"), ErrDuplicate},
		{"nothing", func(*Store, *clock, redis.UniversalClient, Standing) {}, own("INC-1"), nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			client, _ := mini(t)
			c := newClock()
			s := newStore(client, c)
			st := stood(t, s, c)
			row.do(s, c, client, st)
			if _, err := s.Use(t.Context(), row.ask, st.ID); !errors.Is(err, row.want) || row.want == nil && err != nil {
				t.Errorf("got %v, want %v", err, row.want)
			}
		})
	}
}

// What a standing approval allowed cannot allow more by itself, and a request that says so by hand is forged.
func TestStandingGrantsNoStanding(t *testing.T) {
	client, _ := mini(t)
	c := newClock()
	s := newStore(client, c)
	st := stood(t, s, c)
	r := must[Request](t)(s.Use(t.Context(), own("INC-1"), st.ID))
	g := must[Grant](t)(s.Claim(t.Context(), r.ID, "restart", "RUN-2"))
	if _, err := s.Stand(t.Context(), g, Standing{Digest: "x", Until: c.at.Add(time.Hour), Most: 1}); !errors.Is(err, ErrNotApproved) {
		t.Errorf("got %v, want ErrNotApproved", err)
	}
	forged := own("INC-2")
	forged.Standing, forged.Requester = st.ID, "U1"
	asked := must[Request](t)(s.Ask(t.Context(), forged))
	if asked.Standing != "" {
		t.Error("a person's request rests on a standing approval")
	}
}
