package app

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cdcbot/internal/approval"
	"cdcbot/internal/config"
	"cdcbot/internal/incident"
	"cdcbot/internal/timeline"
)

const failoverDigest = "sha256:5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"

// stores are what must be kept, on a client that the bot opened.
type stores struct {
	approvals *approval.Store
	incidents *incident.Store
	timeline  *timeline.Log
}

func storesOn(t *testing.T, rdb redis.UniversalClient) stores {
	t.Helper()
	ring, err := keys(config.Seal{Keys: "k1:" + strings.Repeat("5a", 32)})
	if err != nil {
		t.Fatal(err)
	}
	plain := func(text string) string { return text }
	return stores{&approval.Store{Redis: rdb, Now: time.Now, TTL: time.Hour, ApprovedTTL: time.Hour, Seal: ring}, &incident.Store{Redis: rdb, Now: time.Now}, &timeline.Log{Redis: rdb, Now: time.Now, Redact: plain, Seal: ring}}
}

// persist makes a call again until Redis takes it, as the queue and people do.
func persist(t *testing.T, what string, call func(context.Context) error) {
	t.Helper()
	var err error
	defer func() {
		if t.Failed() {
			t.Logf("%s: the last answer was %v", what, err)
		}
	}()
	eventually(t, what, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err = call(ctx)
		return !errors.Is(err, approval.ErrUnavailable) && !errors.Is(err, incident.ErrUnavailable) && !errors.Is(err, timeline.ErrUnavailable)
	})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// What was acknowledged before a master died is known to the next: who agreed, who holds the pipeline, what happened.
// An approval that was used stays used.
func TestStateSurvivesAFailover(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		boot func(*testing.T) (config.Redis, func())
	}{
		{"sentinel", func(t *testing.T) (config.Redis, func()) {
			s := bootTrio(t, "--min-replicas-to-write", "1")
			return s.config(), func() { s.master.kill(); s.promoted() }
		}},
		{"cluster", func(t *testing.T) (config.Redis, func()) {
			n := bootCluster(t, true)
			return n.config(), func() { n.lose(t, "cdcbot:{requests}:seq") }
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, fail := row.boot(t)
			s := storesOn(t, open(t, c))
			ctx := t.Context()
			asked := make([]approval.Request, 2)
			for i, digest := range []string{failoverDigest, strings.Replace(failoverDigest, "5a", "6b", 1)} {
				persist(t, "asking", func(ctx context.Context) (err error) {
					asked[i], err = s.approvals.Ask(ctx, approval.Request{Incident: "INC-1", Digest: digest, Title: "Restart sink", Risk: "change", Requester: "U1", Needed: 1, Recipe: approval.Recipe{Runbook: "r", SHA256: "abc", Section: "s"}})
					return err
				})
			}
			approve := func(ctx context.Context, r approval.Request) error {
				_, err := s.approvals.Decide(ctx, r.ID, approval.Decision{User: "U2", Verdict: approval.Approve, Digest: r.Digest})
				return err
			}
			persist(t, "approving", func(ctx context.Context) error { return approve(ctx, asked[0]) })
			persist(t, "claiming", func(ctx context.Context) error {
				_, err := s.approvals.Claim(ctx, asked[0].ID, asked[0].Digest, "RUN-1")
				return err
			})
			lease, err := s.incidents.Lease(ctx, "warehouse", "replica-1", time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			note := timeline.Event{Incident: "INC-1", Type: timeline.NoteAdded, Actor: timeline.Person("U1", "oncall"), Text: "before"}
			persist(t, "noting", func(ctx context.Context) error { _, err := s.timeline.Append(ctx, note); return err })

			fail()

			persist(t, "approving after the failover", func(ctx context.Context) error {
				err := approve(ctx, asked[1])
				if errors.Is(err, approval.ErrTwice) || errors.Is(err, approval.ErrNotPending) {
					return nil // the answer to the first try was lost with the master
				}
				return err
			})
			persist(t, "using it up again is refused", func(ctx context.Context) error {
				_, err := s.approvals.Claim(ctx, asked[0].ID, asked[0].Digest, "RUN-2")
				if errors.Is(err, approval.ErrUsed) {
					return nil
				}
				return errors.Join(errors.New("expected ErrUsed"), err)
			})
			persist(t, "renewing", lease.Renew)
			if _, err := s.incidents.Lease(ctx, "warehouse", "replica-2", time.Minute); !errors.Is(err, incident.ErrLeaseHeld) {
				t.Errorf("another takes the lease: %v, want ErrLeaseHeld", err)
			}
			note.Text, note.Key = "after", "after"
			persist(t, "noting after the failover", func(ctx context.Context) error { _, err := s.timeline.Append(ctx, note); return err })
			events, err := s.timeline.Events(ctx, "INC-1")
			if err != nil || len(events) != 2 || timeline.Verify(events) != nil {
				t.Errorf("timeline: %d events, %v, chain %v; want both and a whole chain", len(events), err, timeline.Verify(events))
			}
		})
	}
}

// lose kills the master that has a key, and waits until its replica has taken over.
func (n *nodes) lose(t *testing.T, key string) {
	t.Helper()
	slot := n.masters[0].own.ClusterKeySlot(context.Background(), key).Val()
	for i, m := range n.masters {
		if int(slot)*3/16384 == i {
			m.kill()
			eventually(t, "its replica is a master", func() bool { return n.replicas[i].info("role") == "master" })
		}
	}
}

// Without min-replicas-to-write a failover may lose the newest writes. A lease that was lost so is noticed: its holder is
// refused, and another can take it.
func TestLostLeaseIsNoticed(t *testing.T) {
	t.Parallel()
	s := bootTrio(t)
	c := s.config()
	c.Accept = []string{config.RiskReplicas}
	st := storesOn(t, open(t, c))
	for _, r := range s.replicas {
		r.signal(syscall.SIGSTOP)
	}
	s.master.do("CLIENT", "KILL", "TYPE", "replica") // neither hears of what the master acknowledges now
	lease, err := st.incidents.Lease(t.Context(), "warehouse", "replica-1", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := lease.Held(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.master.kill()
	for _, r := range s.replicas {
		r.signal(syscall.SIGCONT)
	}
	s.promoted()
	for name, ask := range map[string]func(context.Context) error{"renewing": lease.Renew, "holding": lease.Held} {
		persist(t, name, func(ctx context.Context) error {
			err := ask(ctx)
			if errors.Is(err, incident.ErrLeaseLost) {
				return nil
			}
			return errors.Join(errors.New("expected ErrLeaseLost"), err)
		})
	}
	persist(t, "another takes it", func(ctx context.Context) error {
		_, err := st.incidents.Lease(ctx, "warehouse", "replica-2", time.Minute)
		return err
	})
	if err := lease.Held(t.Context()); !errors.Is(err, incident.ErrLeaseLost) {
		t.Errorf("the first holder still believes in it: %v", err)
	}
}
