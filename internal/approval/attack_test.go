package approval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// Fifty people press Approve on two replicas at once, each twice, and fifty runs claim at once: one approval, one grant.
func TestManyAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		for _, needed := range []int{1, 3} {
			c := newClock()
			replicas := []*Store{newStore(client, c), newStore(client, c)}
			ask := request("U0", needed)
			ask.Incident = fmt.Sprint("INC-", needed)
			r := must[Request](t)(replicas[0].Ask(t.Context(), ask))
			counted, refused := press(t, replicas, r.ID)
			if counted != needed || refused != 100-needed {
				t.Errorf("needed %d: %d decisions counted, %d refused; want %d and %d", needed, counted, refused, needed, 100-needed)
			}
			after := must[Request](t)(replicas[1].Get(t.Context(), r.ID))
			if after.State != Approved || len(after.Approvers()) != needed {
				t.Errorf("needed %d: %s by %v", needed, after.State, after.Approvers())
			}
			if grants := claim(t, replicas, r.ID); grants != 1 {
				t.Errorf("needed %d: %d grants, want 1", needed, grants)
			}
		}
	})
}

// press lets U1 to U50 approve twice each.
func press(t *testing.T, replicas []*Store, id string) (counted, refused int) {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	for n := range 100 {
		group.Go(func() {
			_, err := replicas[n%2].answer(context.Background(), id, fmt.Sprint("U", 1+n/2), Approve, digest)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				counted++
			case errors.Is(err, ErrNotPending), errors.Is(err, ErrTwice):
				refused++
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	return counted, refused
}

func claim(t *testing.T, replicas []*Store, id string) (grants int) {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	for n := range 50 {
		group.Go(func() {
			_, err := replicas[n%2].Claim(context.Background(), id, digest, fmt.Sprint("RUN-", n))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				grants++
			} else if !errors.Is(err, ErrUsed) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	return grants
}

// The same plan asked for by many at once is one request.
func TestManyAskAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		c := newClock()
		replicas := []*Store{newStore(client, c), newStore(client, c)}
		var mu sync.Mutex
		var group sync.WaitGroup
		stored := 0
		for n := range 50 {
			group.Go(func() {
				r, err := replicas[n%2].Ask(context.Background(), request(fmt.Sprint("U", n), 1))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					stored++
				} else if !errors.Is(err, ErrDuplicate) || r.ID != "REQ-1" {
					t.Errorf("%s: %v", r.ID, err)
				}
			})
		}
		group.Wait()
		if stored != 1 {
			t.Errorf("%d requests stored, want 1", stored)
		}
	})
}

// Different plans asked for at once are different requests, each with its own number.
func TestManyPlansAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		c := newClock()
		replicas := []*Store{newStore(client, c), newStore(client, c)}
		var group sync.WaitGroup
		const plans = 40
		for n := range plans {
			group.Go(func() {
				ask := request("U1", 1)
				ask.Digest = fmt.Sprint("digest", n)
				r, err := replicas[n%2].Ask(context.Background(), ask)
				if err != nil {
					t.Error(err)
				} else if got, err := replicas[0].Get(context.Background(), r.ID); err != nil || got.Digest != ask.Digest {
					t.Errorf("%s is for %s, asked for %s (%v)", r.ID, got.Digest, ask.Digest, err)
				}
			})
		}
		group.Wait()
		list := must[[]Request](t)(replicas[0].ForIncident(t.Context(), "INC-1"))
		if len(list) != plans || list[plans-1].ID != fmt.Sprint("REQ-", plans) {
			t.Errorf("%d requests, want %d", len(list), plans)
		}
	})
}

// Approve and Reject, Approve and Expire, Claim and Void: of two that exclude each other one happens.
func TestRaces(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		c := newClock()
		s := newStore(client, c)
		for n, race := range [][2]string{{"approve U2", "reject U3"}, {"approve U2", "withdraw U1"}, {"approve U2", "approve U3"}, {"claim RUN-1", "void"}, {"claim RUN-1", "claim RUN-2"}} {
			for round := range 20 {
				ask := request("U1", 1)
				ask.Incident = fmt.Sprintf("INC-%d-%d", n, round)
				r := must[Request](t)(s.Ask(t.Context(), ask))
				if strings.HasPrefix(race[0], "claim") {
					must[Request](t)(s.answer(t.Context(), r.ID, "U2", Approve, digest))
				}
				var errs [2]error
				var group sync.WaitGroup
				for i, do := range race {
					group.Go(func() { _, errs[i] = step{do: do}.on(context.Background(), s, r.ID) })
				}
				group.Wait()
				if (errs[0] == nil) == (errs[1] == nil) {
					t.Fatalf("%v: %v and %v; want one to win", race, errs[0], errs[1])
				}
			}
		}
	})
}

// Somebody who can write to Redis sets the state by hand: without decisions by enough people there is no grant.
func TestForgedState(t *testing.T) {
	decision := func(user string, v Verdict, seen string) string {
		b, _ := json.Marshal(Decision{User: user, Verdict: v, Digest: seen})
		return string(b)
	}
	for _, row := range []struct {
		name   string
		needed int
		fields []any
	}{
		{"no decision", 1, nil},
		{"own decision", 1, []any{"decision:1", decision("u1", Approve, digest)}},
		{"one of two", 2, []any{"decision:1", decision("U2", Approve, digest)}},
		{"one twice", 2, []any{"decision:1", decision("U2", Approve, digest), "decision:2", decision(" u2", Approve, digest)}},
		{"a rejection", 1, []any{"decision:1", decision("U2", Reject, digest)}},
		{"another digest", 1, []any{"decision:1", decision("U2", Approve, "other")}},
		{"nobody", 1, []any{"decision:1", decision("", Approve, digest)}},
		{"fewer needed", 2, []any{"needed", "0", "approvals", "9", "decision:1", decision("U2", Approve, digest)}},
	} {
		for _, state := range []State{Approved, Used} {
			client, _ := mini(t)
			c := newClock()
			s := newStore(client, c)
			s.Seal = nil // what is counted again even without keys
			must[Request](t)(s.Ask(t.Context(), request("U1", row.needed)))
			forged := append([]any{"state", string(state), "ended", c.at.UnixMilli(), "run", "RUN-1"}, row.fields...)
			if err := client.HSet(t.Context(), requestKey("REQ-1"), forged...).Err(); err != nil {
				t.Fatal(err)
			}
			if grant, err := s.Claim(t.Context(), "REQ-1", digest, "RUN-1"); !errors.Is(err, ErrNotApproved) || grant.Covers(digest) {
				t.Errorf("%s, %s: grant %+v, %v; want ErrNotApproved", row.name, state, grant, err)
			}
		}
	}
}

// A record that somebody broke is an error with a name, not a panic and not a grant.
func TestBrokenRecords(t *testing.T) {
	for _, field := range []string{"body", "decision:1", "ended"} {
		client, _ := mini(t)
		s := newStore(client, newClock())
		must[Request](t)(s.Ask(t.Context(), request("U1", 1)))
		must[Request](t)(s.answer(t.Context(), "REQ-1", "U2", Approve, digest))
		client.HSet(t.Context(), requestKey("REQ-1"), field, "{")
		if _, err := s.Claim(t.Context(), "REQ-1", digest, "RUN-1"); err == nil || !strings.Contains(err.Error(), "REQ-1") {
			t.Errorf("broken %s: %v", field, err)
		}
	}
}

// What people agreed to survives kill -9 of Redis, and while it is away nobody decides.
func TestRedisCrash(t *testing.T) {
	p := startRedis(t)
	s := newStore(p.client, newClock())
	must[Request](t)(s.Ask(t.Context(), request("U1", 2)))
	must[Request](t)(s.answer(t.Context(), "REQ-1", "U2", Approve, digest))
	restart := func() {
		p.kill()
		if _, err := s.answer(t.Context(), "REQ-1", "U4", Approve, digest); !errors.Is(err, ErrUnavailable) {
			t.Errorf("while away: %v, want ErrUnavailable", err)
		}
		p.start()
	}
	restart()
	if _, err := s.answer(t.Context(), "REQ-1", "U2", Approve, digest); !errors.Is(err, ErrTwice) {
		t.Errorf("the same person after the crash: %v, want ErrTwice", err)
	}
	must[Request](t)(s.answer(t.Context(), "REQ-1", "U3", Approve, digest))
	restart()
	must[Grant](t)(s.Claim(t.Context(), "REQ-1", digest, "RUN-1"))
	restart()
	if _, err := s.Claim(t.Context(), "REQ-1", digest, "RUN-2"); !errors.Is(err, ErrUsed) {
		t.Errorf("another run after the crash: %v, want ErrUsed", err)
	}
	must[Grant](t)(s.Claim(t.Context(), "REQ-1", digest, "RUN-1"))
}

func TestRedisAway(t *testing.T) {
	client, m := mini(t)
	s := newStore(client, newClock())
	must[Request](t)(s.Ask(t.Context(), request("U1", 1)))
	m.Close()
	for name, call := range map[string]func(context.Context) error{
		"ask":     func(ctx context.Context) error { _, err := s.Ask(ctx, request("U1", 1)); return err },
		"get":     func(ctx context.Context) error { _, err := s.Get(ctx, "REQ-1"); return err },
		"of":      func(ctx context.Context) error { _, err := s.ForIncident(ctx, "INC-1"); return err },
		"pending": func(ctx context.Context) error { _, err := s.Pending(ctx); return err },
		"decide":  func(ctx context.Context) error { _, err := s.answer(ctx, "REQ-1", "U2", Approve, digest); return err },
		"void":    func(ctx context.Context) error { _, err := s.Void(ctx, "REQ-1", ""); return err },
		"expire":  func(ctx context.Context) error { _, err := s.Expire(ctx, "REQ-1"); return err },
		"claim":   func(ctx context.Context) error { _, err := s.Claim(ctx, "REQ-1", digest, "RUN-1"); return err },
		"withdraw": func(ctx context.Context) error {
			_, err := s.Withdraw(ctx, "REQ-1", "U1")
			return err
		},
	} {
		if err := call(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
}

// No other package can make a Grant: its fields are its own, and in this package only Claim fills them.
func TestOnlyClaimMakesGrants(t *testing.T) {
	for field := range reflect.TypeFor[Grant]().Fields() {
		if field.IsExported() {
			t.Errorf("Grant.%s is exported", field.Name)
		}
	}
	if (Grant{}).Covers("") || (Grant{}).Covers(digest) {
		t.Error("the zero Grant covers something")
	}
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) == 0 {
		t.Fatalf("no source found: %v", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if ok && f.Name.Name != "Claim" && fillsGrant(f) {
				t.Errorf("%s: %s fills a Grant", name, f.Name.Name)
			}
		}
	}
}

func fillsGrant(f *ast.FuncDecl) bool {
	found := false
	ast.Inspect(f, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if !ok || len(literal.Elts) == 0 {
			return true
		}
		name, ok := literal.Type.(*ast.Ident)
		found = found || ok && name.Name == "Grant"
		return true
	})
	return found
}

// BenchmarkDecide measures one decision, asking included.
func BenchmarkDecide(b *testing.B) {
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(b).Addr()})
	defer func() { _ = client.Close() }()
	s := newStore(client, newClock())
	for i := 0; b.Loop(); i++ {
		ask := request("U1", 1)
		ask.Incident = fmt.Sprint("INC-", i)
		r, err := s.Ask(b.Context(), ask)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.answer(b.Context(), r.ID, "U2", Approve, digest); err != nil {
			b.Fatal(err)
		}
	}
}
