package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"golang.org/x/sync/errgroup"

	"cdcbot/internal/approval"
	"cdcbot/internal/lab"
	"cdcbot/internal/seal"
	"cdcbot/internal/timeline"
)

// skew is how far the clocks of two replicas are apart at most, on either side.
const skew = 5 * time.Minute

// replica is the locked door of one bot and the wall behind it, with a clock and a network of its own.
type replica struct {
	door *approval.Store
	wall *timeline.Log
	net  *cut
}

func newReplica(tb testing.TB, server *lab.RedisServer, off time.Duration) replica {
	tb.Helper()
	net := newCut(tb, server.Addr)
	client := redis.NewClient(&redis.Options{Addr: net.addr(), DialTimeout: time.Second, ReadTimeout: time.Second, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
	tb.Cleanup(func() { _ = client.Close() })
	ring, err := seal.Parse(sealKeys)
	if err != nil {
		tb.Fatal(err)
	}
	now := func() time.Time { return time.Now().Add(off) }
	same := func(text string) string { return text }
	return replica{&approval.Store{Redis: client, Now: now, Seal: ring}, &timeline.Log{Redis: client, Now: now, Redact: same, Seal: ring}, net}
}

// tally is what came of many runs.
type tally struct {
	mu                                                      sync.Mutex
	runs, executions, refusals, faults, double, lost, alone int
	problems                                                []string
}

func (y *tally) add(problem string, count func(*tally)) {
	y.mu.Lock()
	defer y.mu.Unlock()
	count(y)
	if problem != "" {
		y.problems = append(y.problems, problem)
	}
}

// TestTorture plays randomized requests, each by its seed: several replicas with clocks apart, people who press too often,
// for themselves or for another plan, jobs that claim at once, and a network that fails in between. CDCBOT_TORTURE says how
// many; `make torture` plays 10,000. CDCBOT_TORTURE_SEED plays one again.
func TestTorture(t *testing.T) {
	runs, seeds := 300, 0
	if n, err := strconv.Atoi(os.Getenv("CDCBOT_TORTURE")); err == nil {
		runs = n
	}
	if n, err := strconv.Atoi(os.Getenv("CDCBOT_TORTURE_SEED")); err == nil {
		runs, seeds = 1, n
	}
	server := lab.Redis(t)
	var y tally
	const batch = 250 // between two deaths of Redis
	for from := seeds; from < seeds+runs; from += batch {
		torture(t, server, &y, from, min(from+batch, seeds+runs))
		server.Kill9()
		server.Restart()
	}
	t.Logf("torture: %d runs, %d executions, %d refusals, %d faults; double executions %d, acknowledged events lost %d, executions without two people %d",
		y.runs, y.executions, y.refusals, y.faults, y.double, y.lost, y.alone)
	for _, p := range y.problems {
		t.Error(p)
	}
}

// torture plays the seeds of one batch on four lanes, each with five replicas.
func torture(t *testing.T, server *lab.RedisServer, y *tally, from, to int) {
	t.Helper()
	seeds := make(chan int)
	var lanes sync.WaitGroup
	for range 4 {
		replicas := []replica{newReplica(t, server, 0), newReplica(t, server, skew), newReplica(t, server, -skew), newReplica(t, server, skew/2), newReplica(t, server, -skew/2)}
		lanes.Go(func() {
			for seed := range seeds {
				(&trial{seed: seed, dice: rand.New(rand.NewPCG(uint64(seed), 1)), replicas: replicas, tally: y}).play(t.Context())
			}
		})
	}
	for seed := from; seed < to; seed++ {
		seeds <- seed
	}
	close(seeds)
	lanes.Wait()
}

// trial is one randomized run: a request, answers to it, claims of it.
type trial struct {
	seed     int
	dice     *rand.Rand
	replicas []replica
	tally    *tally

	incident string
	request  approval.Request
	counted  []string // who was told that their approval counts
	acked    []string // keys of events that were acknowledged
	granted  []string // runs that got the grant
}

func (r *trial) play(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r.incident = fmt.Sprintf("INC-%d", r.seed+1)
	ask := approval.Request{Incident: r.incident, Digest: "digest", Title: "torture", Requester: "U0", Needed: 1 + r.dice.IntN(2)}
	if r.dice.IntN(4) == 0 {
		ask.Requester = ""
	}
	for r.request.ID == "" && ctx.Err() == nil { // who asks is told that it did not work, and asks again
		r.disturb()
		got, err := r.any().door.Ask(ctx, ask)
		if err == nil || errors.Is(err, approval.ErrDuplicate) {
			r.request = got
		}
	}
	for n := range 3 + r.dice.IntN(6) {
		r.disturb()
		r.answer(ctx, n)
	}
	r.claim(ctx)
	r.judge(ctx)
}

func (r *trial) any() replica { return r.replicas[r.dice.IntN(len(r.replicas))] }

// disturb lets one network of five go wrong, three times in ten; the next call may be in the middle of it.
func (r *trial) disturb() {
	c := r.any().net
	c.set("", 0)
	switch r.dice.IntN(10) {
	case 0:
		go c.reset()
	case 1:
		c.set("latency", time.Duration(r.dice.IntN(4))*time.Millisecond)
	case 2:
		c.set("slow", time.Millisecond)
	default:
		return
	}
	r.tally.add("", func(y *tally) { y.faults++ })
}

// answer is somebody's press: a stranger's, the requester's own, a second one, or one of another plan.
func (r *trial) answer(ctx context.Context, n int) {
	at, user, digest := r.any(), fmt.Sprintf("U%d", r.dice.IntN(4)), "digest"
	if r.dice.IntN(8) == 0 {
		digest = "another plan"
	}
	_, err := at.door.Decide(ctx, r.request.ID, approval.Decision{User: user, Verdict: approval.Approve, Digest: digest})
	if err == nil {
		r.counted = append(r.counted, user)
	}
	key := fmt.Sprintf("press:%d", n)
	if _, err := at.wall.Append(ctx, timeline.Event{Incident: r.incident, Type: timeline.NoteAdded, Actor: timeline.Person(user, user), Text: "pressed", Key: key}); err == nil {
		r.acked = append(r.acked, key)
	}
}

// claim lets up to five runs claim at once; whoever holds the grant writes ahead before it would act.
func (r *trial) claim(ctx context.Context) {
	var mu sync.Mutex
	var group sync.WaitGroup
	for n, at := range r.replicas[:2+r.dice.IntN(len(r.replicas)-1)] {
		r.disturb()
		group.Go(func() {
			run := fmt.Sprintf("RUN-%d", n)
			grant, err := at.door.Claim(ctx, r.request.ID, "digest", run)
			for again := 0; err != nil && errors.Is(err, approval.ErrUnavailable) && again < 20; again++ { // as the queue does
				grant, err = at.door.Claim(ctx, r.request.ID, "digest", run)
			}
			if err != nil || !grant.Covers("digest") {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			r.granted = append(r.granted, run)
		})
	}
	group.Wait()
}

// judge reads what is kept over a network that is well.
func (r *trial) judge(ctx context.Context) {
	for _, at := range r.replicas {
		at.net.set("", 0)
	}
	at := r.replicas[0]
	req, err := at.door.Get(ctx, r.request.ID)
	for again := 0; err != nil && again < 5; again++ {
		req, err = at.door.Get(ctx, r.request.ID)
	}
	events, broken := at.wall.Events(ctx, r.incident)
	for again := 0; broken != nil && again < 5; again++ {
		events, broken = at.wall.Events(ctx, r.incident)
	}
	problem := ""
	fail := func(text string, args ...any) {
		problem += fmt.Sprintf("seed %d: "+text+"\n", append([]any{r.seed}, args...)...)
	}
	if err != nil || broken != nil {
		fail("reading: %v, %v", err, broken)
	}
	lost := r.lost(req, events)
	people := map[string]bool{req.Requester: true}
	for _, who := range req.Approvers() {
		people[who] = true
	}
	delete(people, "")
	alone := len(r.granted) > 0 && (len(people) < 2 || slices.Contains(req.Approvers(), req.Requester))
	if len(r.granted) > 1 || lost > 0 || alone {
		fail("granted to %v, lost %d, people %v; the request is %s", r.granted, lost, people, req.State)
	}
	recorded := []approval.State{approval.Pending, approval.Approved, approval.Expired}
	if len(r.granted) == 0 && !slices.Contains(recorded, req.State) {
		fail("no execution, and the request is %s", req.State)
	}
	r.tally.add(problem, func(y *tally) {
		y.runs++
		y.lost += lost
		y.double += max(0, len(r.granted)-1)
		y.executions += min(1, len(r.granted))
		y.refusals += 1 - min(1, len(r.granted))
		if alone {
			y.alone++
		}
	})
}

// lost counts what was acknowledged and is not there: decisions and events. The chain is checked by who reads it.
func (r *trial) lost(req approval.Request, events []timeline.Event) (n int) {
	for _, who := range r.counted {
		if !slices.Contains(req.Approvers(), who) {
			n++
		}
	}
	if timeline.Verify(events) != nil {
		n++
	}
	for _, key := range r.acked {
		if !slices.ContainsFunc(events, func(e timeline.Event) bool { return e.Key == key }) {
			n++
		}
	}
	return n
}

// A thousand people press approve at once on one request: one grant, and everyone gets a true answer. How long a decision
// takes is printed twice: with all the waiting for the other 999, and for a request that twenty people are busy with.
func TestThousandPressAtOnce(t *testing.T) {
	server := lab.Redis(t)
	at := []replica{newReplica(t, server, 0), newReplica(t, server, 0)}
	const people = 1000
	took := crowd(t, at, "INC-1", people, people)
	t.Logf("1000 at once: one approval, one grant; a decision took p50 %s, p99 %s, waiting for the others included", took[people/2], took[people*99/100])
	took = crowd(t, at, "INC-2", people, 20)
	t.Logf("1000, twenty at a time: a decision took p50 %s, p99 %s", took[people/2], took[people*99/100])
}

// crowd lets people approve one request, some at a time, and then as many runs claim it. It returns how long each decision
// took, the shortest first.
func crowd(t *testing.T, at []replica, incident string, people, atOnce int) []time.Duration {
	t.Helper()
	req, err := at[0].door.Ask(t.Context(), approval.Request{Incident: incident, Digest: "digest", Title: "all at once", Requester: "U0", Needed: 1})
	if err != nil {
		t.Fatal(err)
	}
	answers, grants := make([]error, people), make([]error, people)
	took := make([]time.Duration, people)
	abreastOf(people, atOnce, func(n int) {
		began := time.Now()
		_, answers[n] = at[n%2].door.Decide(t.Context(), req.ID, approval.Decision{User: fmt.Sprintf("U%d", n+1), Verdict: approval.Approve, Digest: "digest"})
		took[n] = time.Since(began)
	})
	abreastOf(people, atOnce, func(n int) {
		_, grants[n] = at[n%2].door.Claim(t.Context(), req.ID, "digest", fmt.Sprintf("RUN-%d", n))
	})
	if yes, other := truths(answers, approval.ErrNotPending); yes != 1 || other != nil {
		t.Errorf("%d were told that their approval counts, want 1; %v", yes, other)
	}
	if yes, other := truths(grants, approval.ErrUsed); yes != 1 || other != nil {
		t.Errorf("%d grants, want 1; %v", yes, other)
	}
	slices.Sort(took)
	return took
}

// abreastOf does something for every number, some at a time.
func abreastOf(count, atOnce int, do func(n int)) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for n := range count {
		group.Go(func() error { do(n); return nil })
	}
	_ = group.Wait() // nothing of it fails
}

// truths counts who succeeded; other is the first refusal that is not the true one.
func truths(answers []error, refusal error) (yes int, other error) {
	for _, err := range answers {
		switch {
		case err == nil:
			yes++
		case !errors.Is(err, refusal):
			other = err
		}
	}
	return yes, other
}
