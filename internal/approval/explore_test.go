package approval

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// exploreDepth bounds how many things happen one after the other; docs/model.md says what that covers.
var exploreDepth = flag.Int("depth", 4, "how many moves the state explorer makes one after the other")

// A world is one request and everybody who can do something about it. The explorer visits every state that so many moves
// can reach, in every order, with the real scripts and the real store on an embedded Redis.
type exploreWorld struct {
	name      string
	requester string
	needed    int
	alone     time.Duration
	attacks   int // how many fields somebody with write access to Redis may rewrite
}

var exploreWorlds = []exploreWorld{
	{"a person asks", "U1", 1, 0, 0},
	{"two have to approve", "U1", 2, 0, 0},
	{"the bot asks", "", 2, 0, 0},
	{"one may act alone", "U1", 1, 10 * time.Minute, 0},
	{"somebody writes to redis", "U1", 1, 0, 2},
}

// exploreTimes are the moments that matter, in minutes after the asking: at once, when one may act alone, just before the
// request expires, and after it. The second replica's clock is five minutes ahead.
var (
	exploreTimes = []int{0, 11, 24, 29, 31, 45}
	exploreSkew  = []time.Duration{0, 5 * time.Minute}
)

// truth is what really happened, as the explorer saw it: the judge of what the store says.
type truth struct {
	At       int      // index into exploreTimes
	Yes      []string // people whose approval counted, in order
	No       string   // what ended it, "" when nothing has
	Glass    bool
	Grants   []string // runs that hold or held the grant
	Attacked int
	Last     time.Duration // when the approval was complete, by the clock of who gave the last one
}

// place is one state: what is in Redis, and what is true.
type place struct {
	dump  []entry
	truth truth
	path  []string
}

type entry struct {
	key, kind string
	text      string
	fields    [][2]string
	scores    map[string]float64
}

// explorer walks one world.
type explorer struct {
	world  exploreWorld
	redis  *miniredis.Miniredis
	clock  *clock
	stores []*Store
	client redis.UniversalClient
	id     string
	states int
	moves  int
	broken []string // what must never be, with the way there
}

func newExplorer(t testing.TB, w exploreWorld) *explorer {
	t.Helper()
	m := miniredis.RunT(t)
	x := &explorer{world: w, redis: m, clock: newClock(), client: dial(t, m.Addr())}
	for _, ahead := range exploreSkew {
		s := newStore(x.client, x.clock)
		s.Alone = w.alone
		s.Now = func() time.Time { return x.clock.at.Add(ahead) }
		x.stores = append(x.stores, s)
	}
	r, err := x.stores[0].Ask(t.Context(), request(w.requester, w.needed))
	if err != nil {
		t.Fatal(err)
	}
	x.id = r.ID
	return x
}

// move is one thing that somebody does. It changes Redis through the store, and the truth when it counted.
type move struct {
	name string
	do   func(x *explorer, s *Store, now time.Duration, is *truth) error
}

func moves(w exploreWorld) []move {
	var list []move
	ctx := context.Background()
	for _, who := range []string{"U1", "U2", "U3"} {
		list = append(list, move{who + " approves", func(x *explorer, s *Store, now time.Duration, is *truth) error {
			r, err := s.answer(ctx, x.id, who, Approve, digest)
			if err == nil {
				x.check(who != x.world.requester, "one's own request is approved")
				x.check(!slices.Contains(is.Yes, who) || is.Attacked > 0, "one person counts twice") // whose mark was wiped out by an attacker; the grant below counts heads
				x.check(now < 30*time.Minute, "an approval counts after the expiry")
				x.check(is.No == "" || is.Attacked > 0, "an approval counts for what was ended: "+is.No)
				is.Yes = append(is.Yes, who)
				if r.State == Approved {
					is.Last = now
					x.check(len(is.Yes) >= x.world.needed || is.Attacked > 0, "too few approvals are enough")
				}
			}
			return err
		}})
	}
	end := func(name, why string, do func(x *explorer, s *Store) (Request, error), to State) move {
		return move{name, func(x *explorer, s *Store, _ time.Duration, is *truth) error {
			r, err := do(x, s)
			if err == nil && r.State == to && is.No == "" {
				x.check(name != "U2 withdraws" || is.Attacked > 0, "somebody else withdraws a request")
				x.check(len(is.Grants) == 0 || is.Attacked > 0, "what runs already is ended")
				is.No = why
			}
			return err
		}}
	}
	list = append(list,
		end("U2 rejects", "rejected", func(x *explorer, s *Store) (Request, error) { return s.answer(ctx, x.id, "U2", Reject, digest) }, Rejected),
		end("U1 withdraws", "withdrawn", func(x *explorer, s *Store) (Request, error) { return s.Withdraw(ctx, x.id, "U1") }, Withdrawn),
		end("U2 withdraws", "withdrawn by another", func(x *explorer, s *Store) (Request, error) { return s.Withdraw(ctx, x.id, "U2") }, Withdrawn),
		end("it is made void", "void", func(x *explorer, s *Store) (Request, error) { return s.Void(ctx, x.id, "the world moved") }, Voided),
		end("the timer expires it", "expired", func(x *explorer, s *Store) (Request, error) { return s.Expire(ctx, x.id) }, Expired),
	)
	for _, run := range []string{"RUN-1", "RUN-2"} {
		for _, d := range []string{digest, "another plan"} {
			list = append(list, move{fmt.Sprintf("%s claims %.7s", run, d), func(x *explorer, s *Store, now time.Duration, is *truth) error {
				g, err := s.Claim(ctx, x.id, d, run)
				if err == nil {
					x.granted(g, d, run, now, is)
				}
				return err
			}})
		}
	}
	if w.alone > 0 {
		for _, who := range []string{"U1", "U2"} {
			list = append(list, move{who + " breaks the glass", func(x *explorer, s *Store, now time.Duration, is *truth) error {
				_, err := s.BreakGlass(ctx, x.id, who, digest, "nobody answers")
				if err == nil {
					is.Glass, is.Last = true, now
					x.check(who == w.requester, "somebody else than the requester acts alone")
					x.check(now >= w.alone && now < 30*time.Minute, "somebody acts alone too early or too late")
				}
				return err
			}})
		}
	}
	if w.attacks > 0 {
		list = append(list, attacks()...)
	}
	return list
}

// attacks are single fields that somebody who can write to Redis, and has no key, rewrites.
func attacks() []move {
	var list []move
	for _, a := range []struct {
		name string
		set  map[string]string
		drop []string
	}{
		{"state approved", map[string]string{"state": "approved", "ended": "1"}, nil},
		{"state pending", map[string]string{"state": "pending"}, nil},
		{"used by RUN-2", map[string]string{"state": "used", "run": "RUN-2"}, nil},
		{"enough approvals", map[string]string{"approvals": "9", "needed": "1"}, nil},
		{"expires in a year", map[string]string{"expires": "99999999999999"}, nil},
		{"another requester", map[string]string{"requester": "U9"}, nil},
		{"U2 has not answered", nil, []string{"by:U2"}},
		{"the first decision once more", map[string]string{"decision:2": "@decision:1", "seal:2": "@seal:1", "decisions": "2"}, nil},
		{"another body", map[string]string{"body": `{"id":"REQ-1","digest":"x"}`}, nil},
	} {
		list = append(list, move{"attack: " + a.name, func(x *explorer, _ *Store, _ time.Duration, is *truth) error {
			if is.Attacked >= x.world.attacks {
				return errors.New("no more attacks in this world")
			}
			is.Attacked++
			key := requestKey(x.id)
			for field, value := range a.set {
				if from, copied := strings.CutPrefix(value, "@"); copied {
					value = x.redis.HGet(key, from)
				}
				x.redis.HSet(key, field, value)
			}
			for _, field := range a.drop {
				x.redis.HDel(key, field)
			}
			return nil
		}})
	}
	return list
}

// granted judges a grant by what is true.
func (x *explorer) granted(g Grant, d, run string, now time.Duration, is *truth) {
	x.check(g.Covers(digest) && d == digest, "a grant for another plan")
	held := slices.Contains(is.Grants, run)
	if !held {
		is.Grants = append(is.Grants, run)
	}
	x.check(len(is.Grants) == 1 || is.Attacked > 0, "two runs hold the grant") // a claim that an attacker deletes: the timeline is the witness
	distinct := slices.Clone(is.Yes)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	agreed := len(distinct) >= x.world.needed && !slices.Contains(distinct, x.world.requester)
	x.check(agreed || is.Glass, "a grant that not enough other people agreed to")
	x.check(is.No == "" || is.Attacked > 0 || held, "a grant for what was ended: "+is.No) // an older state that is put back: the timeline is the witness
	x.check(is.Last < 30*time.Minute, "a grant for an approval after the expiry")
}

func (x *explorer) check(ok bool, what string) {
	if !ok {
		x.broken = append(x.broken, what)
	}
}

// walk visits every state up to a depth, the nearest first, and stops at the first thing that must never be.
func (x *explorer) walk(depth int) (found string, path []string) {
	ways := moves(x.world)
	start := place{dump: x.dump()}
	seen := map[[32]byte]bool{x.name(start): true}
	level := []place{start}
	for range depth {
		var next []place
		for _, from := range level {
			for _, to := range x.from(from, ways) {
				if len(x.broken) > 0 {
					return x.broken[0], to.path
				}
				if n := x.name(to); !seen[n] {
					seen[n] = true
					next = append(next, to)
				}
			}
		}
		level = next
	}
	x.states = len(seen)
	return "", nil
}

// from are the states that one move leads to.
func (x *explorer) from(p place, ways []move) []place {
	var list []place
	for _, m := range ways {
		for replica, s := range x.stores {
			x.restore(p)
			is := p.truth
			is.Yes, is.Grants = slices.Clone(p.truth.Yes), slices.Clone(p.truth.Grants)
			now := time.Duration(exploreTimes[is.At])*time.Minute + exploreSkew[replica]
			x.moves++
			_ = m.do(x, s, now, &is) // a refusal is an answer
			list = append(list, place{x.dump(), is, append(slices.Clone(p.path), fmt.Sprintf("%s on replica %d at %s", m.name, replica+1, now))})
			if len(x.broken) > 0 {
				return list[len(list)-1:]
			}
		}
	}
	if p.truth.At+1 < len(exploreTimes) {
		is := p.truth
		is.At++
		list = append(list, place{p.dump, is, append(slices.Clone(p.path), fmt.Sprintf("it becomes minute %d", exploreTimes[is.At]))})
	}
	return list
}

// name is the same for the same state, however it was reached.
func (x *explorer) name(p place) [32]byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\n", p.truth)
	for _, e := range p.dump {
		fmt.Fprintf(&b, "%s %s %s %v %v\n", e.key, e.kind, e.text, e.fields, e.scores)
	}
	return sha256.Sum256([]byte(b.String()))
}

func (x *explorer) dump() []entry {
	var list []entry
	for _, key := range x.redis.Keys() {
		e := entry{key: key, kind: x.redis.Type(key)}
		switch e.kind {
		case "string":
			e.text, _ = x.redis.Get(key)
		case "hash":
			fields, _ := x.redis.HKeys(key)
			for _, f := range fields {
				e.fields = append(e.fields, [2]string{f, x.redis.HGet(key, f)})
			}
			sort.Slice(e.fields, func(i, j int) bool { return e.fields[i][0] < e.fields[j][0] })
		case "zset":
			e.scores, _ = x.redis.SortedSet(key)
		}
		list = append(list, e)
	}
	return list
}

func (x *explorer) restore(p place) {
	for _, key := range x.redis.Keys() {
		x.redis.Del(key)
	}
	for _, e := range p.dump {
		switch e.kind {
		case "string":
			_ = x.redis.Set(e.key, e.text) // the key is not there
		case "hash":
			for _, f := range e.fields {
				x.redis.HSet(e.key, f[0], f[1])
			}
		case "zset":
			for member, score := range e.scores {
				_, _ = x.redis.ZAdd(e.key, score, member) // the same
			}
		}
	}
	x.clock.at = newClock().at.Add(time.Duration(exploreTimes[p.truth.At]) * time.Minute)
}

// TestEveryState: in no state that can be reached is there a second grant, a grant without enough other people, one after the
// expiry or for what was ended, with clocks five minutes apart and with fields rewritten in Redis.
func TestEveryState(t *testing.T) {
	for _, w := range exploreWorlds {
		t.Run(w.name, func(t *testing.T) {
			x := newExplorer(t, w)
			depth := *exploreDepth
			if w.attacks > 0 {
				depth -= 1 + depth/7
			}
			found, path := x.walk(depth)
			if found != "" {
				t.Errorf("%s:\n  %s", found, strings.Join(path, "\n  "))
			}
			t.Logf("%d states, %d moves, depth %d", x.states, x.moves, depth)
		})
	}
}

// mutations take one guard each out of a script: the explorer has to find what that lets through.
var mutations = []struct {
	name, world string
	script      **redis.Script
	source      *string
	old, new    string
}{
	{"one's own request", "a person asks", &decideScript, &decideSource, "if ARGV[2] == ARGV[9] then return 'self' end", ""},
	{"one person twice", "two have to approve", &decideScript, &decideSource, "if redis.call('HEXISTS', request, 'by:' .. ARGV[2]) == 1 then return 'twice' end", ""},
	{"after the expiry", "a person asks", &decideScript, &decideSource, "if tonumber(ARGV[6]) >= tonumber(ARGV[8]) then return 'expired' end", ""},
	{"one approval is enough", "two have to approve", &decideScript, &decideSource, "< tonumber(ARGV[11])", "< 1"},
	{"a used request is claimed again", "a person asks", &claimScript, &claimSource, "return 'used'", "redis.call('HSET', request, 'run', ARGV[2], 'claim', ARGV[5], 'claimseal', ARGV[6]) return 'ok'"},
	{"another plan", "a person asks", &claimScript, &claimSource, "if ARGV[1] ~= digest then return 'digest' end", ""},
	{"nobody has approved", "a person asks", &claimScript, &claimSource, "if state ~= 'approved' then return 'notapproved' end", "if not ended then ended = ARGV[3] end"},
	{"somebody else withdraws", "a person asks", &endScript, &endSource, "if ARGV[2] == 'withdrawn' and (requester == '' or requester ~= ARGV[3]) then return 'notrequester' end", ""},
	{"too early alone", "one may act alone", &glassScript, &glassSource, "if tonumber(ARGV[5]) < tonumber(ARGV[10]) then return 'early' end", ""},
	{"somebody else alone", "one may act alone", &glassScript, &glassSource, "if ARGV[8] == '' or ARGV[2] ~= ARGV[8] then return 'notrequester' end", ""},
	{"alone after the expiry", "one may act alone", &glassScript, &glassSource, "if tonumber(ARGV[5]) >= tonumber(ARGV[7]) then return 'expired' end", ""},
}

// TestTheExplorerFinds: it is worth something because it fails when it should.
func TestTheExplorerFinds(t *testing.T) {
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			if !strings.Contains(*m.source, m.old) {
				t.Fatalf("the script has no %q", m.old)
			}
			whole := *m.script
			*m.script = redis.NewScript(strings.Replace(*m.source, m.old, m.new, 1))
			t.Cleanup(func() { *m.script = whole })
			i := slices.IndexFunc(exploreWorlds, func(w exploreWorld) bool { return w.name == m.world })
			found, path := newExplorer(t, exploreWorlds[i]).walk(5)
			if found == "" {
				t.Fatal("nothing is found without this guard")
			}
			t.Logf("%s:\n  %s", found, strings.Join(path, "\n  "))
		})
	}
}
