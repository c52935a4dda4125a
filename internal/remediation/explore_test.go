package remediation

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

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"cdcbot/internal/incident"
)

// walkDepth bounds how many moves the explorer of execution makes one after the other; docs/model.md says what it covers.
var walkDepth = flag.Int("depth", 14, "how many moves the state explorer makes one after the other")

// walker is one replica that executes a run of one step, as far as it got. It is the walk of execute.go, one write at a time:
// lease, read the run, announce the step, act, write down that it is done.
type walker struct {
	Token     int64 // of the lease that it believes to hold; 0 none
	Read      bool
	Announced bool
	Acted     bool
	Late      bool // its lease has run out, and it does not know
	Gone      bool // fenced off, or at its end
}

// stroll is one state of the execution.
type stroll struct {
	dump    []kept
	walkers [2]walker
	Effects int   // that reached the worker
	Late    int   // of those, by somebody whose lease was over
	Saved   int64 // the highest token that has written
	Done    bool  // the run is written down as done
	path    []string
}

type kept struct {
	key, kind, text string
	fields          [][2]string
}

type roamer struct {
	redis   *miniredis.Miniredis
	store   *incident.Store
	journal *Journal
	broken  string
	moves   int
}

func newRoamer(t testing.TB) *roamer {
	t.Helper()
	m := miniredis.RunT(t)
	rdb := redis.NewClient(&redis.Options{Addr: m.Addr(), MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
	t.Cleanup(func() { _ = rdb.Close() })
	x := &roamer{redis: m, store: &incident.Store{Redis: rdb}, journal: &Journal{Redis: rdb}}
	if _, _, err := x.journal.NewRun(t.Context(), Run{Incident: "INC-1", Request: "REQ-1", State: Running, Steps: []RunStep{{Title: "restart", State: StepPending}}}); err != nil {
		t.Fatal(err)
	}
	return x
}

const holder = "cdcbot:{lease:pipeline:warehouse}:holder"

// strides are the moves of one replica.
var strides = []struct {
	name string
	do   func(x *roamer, s *stroll, i int) bool // false when it cannot be made now
}{
	{"takes the lease", func(x *roamer, s *stroll, i int) bool {
		w := &s.walkers[i]
		if w.Token != 0 || w.Gone {
			return false
		}
		lease, err := x.store.Lease(context.Background(), "pipeline:warehouse", fmt.Sprintf("r%d", i), leaseTTL)
		if err != nil {
			return errors.Is(err, incident.ErrLeaseHeld)
		}
		for other := range s.walkers {
			if o := s.walkers[other]; other != i && o.Token != 0 && !o.Late && !o.Gone {
				x.broken = "two replicas hold the lease"
			}
		}
		if lease.Token() <= s.Saved {
			x.broken = "a later lease has no higher token"
		}
		*w = walker{Token: lease.Token()}
		return true
	}},
	{"reads the run", func(x *roamer, s *stroll, i int) bool {
		w := &s.walkers[i]
		if w.Token == 0 || w.Read || w.Gone {
			return false
		}
		r, err := x.journal.Run(context.Background(), "INC-1", "RUN-1")
		if err != nil {
			x.broken = "the run cannot be read: " + err.Error()
			return false
		}
		w.Read = true
		switch r.Steps[0].State {
		case StepSucceeded:
			w.Gone = true
		case StepRunning: // resume looks first: what is visible is not done again
			if s.Effects > 0 {
				w.Announced, w.Acted = true, true
			}
		}
		return true
	}},
	{"announces the step", func(x *roamer, s *stroll, i int) bool {
		w := &s.walkers[i]
		if !w.Read || w.Announced || w.Gone {
			return false
		}
		if !x.save(s, i, StepRunning) {
			return true
		}
		w.Announced = true
		return true
	}},
	{"acts", func(x *roamer, s *stroll, i int) bool {
		w := &s.walkers[i]
		if !w.Announced || w.Acted || w.Gone {
			return false
		}
		w.Acted = true
		s.Effects++
		if w.Late {
			s.Late++
		}
		if s.Effects-s.Late > 1 {
			x.broken = "the effect comes twice although nobody was late"
		}
		return true
	}},
	{"writes down that it is done", func(x *roamer, s *stroll, i int) bool {
		w := &s.walkers[i]
		if !w.Acted || w.Gone {
			return false
		}
		if x.save(s, i, StepSucceeded) {
			s.Done, w.Gone = true, true
		}
		return true
	}},
	{"dies", func(_ *roamer, s *stroll, i int) bool {
		if s.walkers[i] == (walker{}) {
			return false
		}
		s.walkers[i] = walker{}
		return true
	}},
}

// save stores the run as this replica sees it, under its token; a refusal ends its walk.
func (x *roamer) save(s *stroll, i int, state StepState) bool {
	w := &s.walkers[i]
	err := x.journal.SaveRun(context.Background(), Run{ID: "RUN-1", Incident: "INC-1", Request: "REQ-1", State: Running, Steps: []RunStep{{Title: "restart", State: state}}}, w.Token)
	switch {
	case errors.Is(err, ErrFenced):
		w.Gone = true
		return false
	case err != nil:
		x.broken = "saving: " + err.Error()
		return false
	}
	if w.Token < s.Saved {
		x.broken = "a late holder writes over a later one"
	}
	s.Saved = max(s.Saved, w.Token)
	return true
}

// explore visits every state up to a depth; found is the first thing that must never be.
func (x *roamer) explore(depth int) (found string, path []string, states int) {
	start := stroll{dump: x.dump()}
	seen := map[[32]byte]bool{start.name(): true}
	level := []stroll{start}
	for range depth {
		var next []stroll
		for _, from := range level {
			for _, to := range x.steps(from) {
				if x.broken != "" {
					return x.broken, to.path, len(seen)
				}
				if n := to.name(); !seen[n] {
					seen[n] = true
					next = append(next, to)
				}
			}
		}
		level = next
	}
	return "", nil, len(seen)
}

func (x *roamer) steps(from stroll) []stroll {
	var list []stroll
	for i := range from.walkers {
		for _, m := range strides {
			x.restore(from.dump)
			to := from
			to.path = append(slices.Clone(from.path), fmt.Sprintf("replica %d %s", i+1, m.name))
			x.moves++
			if !m.do(x, &to, i) {
				continue
			}
			to.dump = x.dump()
			list = append(list, to)
			if x.broken != "" {
				return list[len(list)-1:]
			}
		}
	}
	if x.restore(from.dump); x.redis.Exists(holder) { // its time is over: whoever held it is late from now on
		x.redis.Del(holder)
		to := from
		to.path = append(slices.Clone(from.path), "the lease runs out")
		for i := range to.walkers {
			if to.walkers[i].Token != 0 {
				to.walkers[i].Late = true
			}
		}
		to.dump = x.dump()
		list = append(list, to)
	}
	return list
}

func (s stroll) name() [32]byte {
	path := s.path
	s.path = nil
	defer func() { s.path = path }()
	return sha256.Sum256(fmt.Appendf(nil, "%+v", s))
}

func (x *roamer) dump() []kept {
	var list []kept
	for _, key := range x.redis.Keys() {
		k := kept{key: key, kind: x.redis.Type(key)}
		switch k.kind {
		case "string":
			k.text, _ = x.redis.Get(key)
		case "hash":
			fields, _ := x.redis.HKeys(key)
			for _, f := range fields {
				k.fields = append(k.fields, [2]string{f, x.redis.HGet(key, f)})
			}
			sort.Slice(k.fields, func(i, j int) bool { return k.fields[i][0] < k.fields[j][0] })
		}
		list = append(list, k)
	}
	return list
}

func (x *roamer) restore(list []kept) {
	for _, key := range x.redis.Keys() {
		x.redis.Del(key)
	}
	for _, k := range list {
		if k.kind == "string" {
			_ = x.redis.Set(k.key, k.text) // the key is not there
		}
		for _, f := range k.fields {
			x.redis.HSet(k.key, f[0], f[1])
		}
	}
}

// TestEveryExecution: in no order of leases, writes, deaths and delays do two replicas hold the lease, does a late holder write
// over a later one, or does an effect come twice, unless somebody acted whose lease was over; that one is announced, and what
// it does again is made for that (action.Action.Idempotent).
func TestEveryExecution(t *testing.T) {
	x := newRoamer(t)
	found, path, states := x.explore(*walkDepth)
	if found != "" {
		t.Errorf("%s:\n  %s", found, strings.Join(path, "\n  "))
	}
	t.Logf("%d states, %d moves, depth %d", states, x.moves, *walkDepth)
}

// The explorer is worth something because it fails when it should.
func TestTheExplorerOfExecutionFinds(t *testing.T) {
	old := "if token < seen then\n  return 0\nend"
	if !strings.Contains(saveRunSource, old) {
		t.Fatalf("the script has no %q", old)
	}
	whole := saveRunScript
	saveRunScript = redis.NewScript(strings.Replace(saveRunSource, old, "", 1))
	t.Cleanup(func() { saveRunScript = whole })
	found, path, _ := newRoamer(t).explore(8)
	if found == "" {
		t.Fatal("nothing is found without fencing")
	}
	t.Logf("%s:\n  %s", found, strings.Join(path, "\n  "))
}
