package remediation

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.uber.org/zap"

	"cdcbot/internal/alert"
	"cdcbot/internal/approval"
	"cdcbot/internal/connect"
	"cdcbot/internal/connect/connecttest"
	"cdcbot/internal/incident"
	"cdcbot/internal/runbook"
	"cdcbot/internal/seal"
	"cdcbot/internal/timeline"
)

// torture: -runs=10000 is the nightly measure (make torture); a failed seed is played again with -seed.
var (
	tortureRuns = flag.Int("runs", 40, "how many randomized fault runs TestTorture plays")
	tortureSeed = flag.Uint64("seed", 0, "play this one seed only")
)

// errDead is what a crashed replica's every call ends with: from then on nothing that it does reaches anything.
var errDead = errors.New("this replica is dead")

// fate is what happens to one replica's calls, drawn from the seed.
type fate struct {
	mu    sync.Mutex
	rng   *rand.Rand
	dead  atomic.Bool
	calls int
	dies  int     // at this call, 0 never
	after bool    // once it was done, before the answer
	fails float64 // how often a call is lost on the way there
	lost  float64 // how often its answer is lost on the way back
	acked *sync.Map
}

// draw says what happens to one call.
func (f *fate) draw() (before, after error) {
	if f.dead.Load() {
		return errDead, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.calls == f.dies {
		f.dead.Store(true)
		if f.after {
			return nil, errDead
		}
		return errDead, nil
	}
	switch x := f.rng.Float64(); {
	case x < f.fails:
		return errors.New("i/o timeout on the way there"), nil
	case x < f.fails+f.lost:
		return nil, errors.New("i/o timeout on the way back")
	}
	return nil, nil
}

// ProcessHook implements redis.Hook: one command.
func (f *fate) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		before, after := f.draw()
		if before != nil {
			cmd.SetErr(before)
			return before
		}
		if err := next(ctx, cmd); err != nil {
			return err
		}
		if after != nil {
			cmd.SetErr(after)
			return after
		}
		f.note(cmd)
		return nil
	}
}

// note keeps the hash of every event whose append was acknowledged to a replica that lives.
func (f *fate) note(cmd redis.Cmder) {
	c, isScript := cmd.(*redis.Cmd)
	args := cmd.Args()
	if !isScript || len(args) < 9 || !strings.HasSuffix(fmt.Sprint(args[3]), ":timeline") {
		return
	}
	if answer, err := c.Text(); err == nil && answer == "ok" {
		f.acked.Store(fmt.Sprint(args[7]), true)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (f *fate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		before, after := f.draw()
		err := before
		if err == nil {
			if err = next(ctx, cmds); err == nil {
				err = after
			}
		}
		if err != nil {
			for _, c := range cmds {
				c.SetErr(err)
			}
		}
		return err
	}
}

// DialHook implements redis.Hook.
func (f *fate) DialHook(next redis.DialHook) redis.DialHook { return next }

// RoundTrip implements http.RoundTripper: a dead replica reaches no worker either.
func (f *fate) RoundTrip(r *http.Request) (*http.Response, error) {
	before, after := f.draw()
	if before != nil {
		return nil, before
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && after != nil {
		_ = answer.Body.Close()
		return nil, after
	}
	return answer, err
}

// ordeal is one randomized run: several replicas with clocks of their own over one Redis, which die, lose calls and answers,
// get jobs twice and at once, while people press what they like.
type ordeal struct {
	t      *testing.T
	seed   uint64
	rng    *rand.Rand
	redis  *miniredis.Miniredis
	worker *connecttest.Worker
	url    string
	pauses atomic.Int64 // that reached the worker
	queue  *later
	acked  sync.Map
	alive  []*replicaOf
	n      int
	story  strings.Builder
}

type replicaOf struct {
	*Flow
	fate *fate
}

func newOrdeal(t *testing.T, seed uint64) *ordeal {
	t.Helper()
	o := &ordeal{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), redis: miniredis.RunT(t), worker: connecttest.New(connecttest.Options{}), queue: &later{}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/pause") {
			o.pauses.Add(1)
		}
		o.worker.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	o.url = front.URL
	for _, name := range []string{"sink", "other"} {
		if err := o.worker.AddConnector(name, map[string]string{"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "topics": "orders", "connection.url": "jdbc:x"}); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// replica starts one more; calm ones suffer nothing.
func (o *ordeal) replica(calm bool) *replicaOf {
	o.t.Helper()
	o.n++
	f := &fate{rng: rand.New(rand.NewPCG(o.seed, uint64(o.n))), acked: &o.acked}
	skew := time.Duration(0)
	if !calm {
		f.fails, f.lost = o.rng.Float64()*0.03, o.rng.Float64()*0.03
		if o.rng.IntN(2) == 0 {
			f.dies, f.after = 1+o.rng.IntN(250), o.rng.IntN(2) == 0
		}
		skew = time.Duration(o.rng.IntN(601)-300) * time.Second
	}
	rdb := redis.NewClient(&redis.Options{Addr: o.redis.Addr(), MaxRetries: -1, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
	o.t.Cleanup(func() { _ = rdb.Close() })
	rdb.AddHook(f)
	client, err := connect.New(connect.Options{Cluster: "warehouse", URL: o.url, Transport: f})
	if err != nil {
		o.t.Fatal(err)
	}
	keys, err := seal.Parse("k1:" + strings.Repeat("5a", 32))
	if err != nil {
		o.t.Fatal(err)
	}
	book, err := runbook.Compile("book", []byte(runbookText))
	if err != nil {
		o.t.Fatal(err)
	}
	now := func() time.Time { return time.Now().Add(skew) }
	r := &room{}
	s := &stage{t: o.t, worker: o.worker}
	flow := &Flow{Incidents: &incident.Store{Redis: rdb, Now: now}, Timeline: &timeline.Log{Redis: rdb, Now: now, Seal: keys}, Approvals: &approval.Store{Redis: rdb, Now: now, Seal: keys, TTL: 30 * time.Minute}, Journal: &Journal{Redis: rdb, Seal: keys},
		People: everybody{}, Library: books{"book": book}, Room: r, Queue: o.queue, Redact: func(text string) string { return text }, Now: now, Log: zap.NewNop(), Replica: fmt.Sprintf("r%d", o.n),
		Quiet: time.Minute, Verify: 30 * time.Millisecond, Poll: 10 * time.Millisecond, Route: func(alert.Alert) string { return "warehouse" }, Painter: NewPainter(r)}
	flow.Pipelines = map[string]Pipeline{"warehouse": s.pipeline(client)}
	one := &replicaOf{flow, f}
	o.alive = append(o.alive, one)
	fmt.Fprintf(&o.story, "%s: dies at call %d (after: %v), skew %s\n", flow.Replica, f.dies, f.after, skew)
	return one
}

func (o *ordeal) any() *replicaOf { return o.alive[o.rng.IntN(len(o.alive))] }

// did notes what was tried and how it went; failing is allowed, lying is not.
func (o *ordeal) did(what string, err error) {
	fmt.Fprintf(&o.story, "%s: %v\n", what, err)
}

// play is one whole ordeal.
func (o *ordeal) play() {
	for range 1 + o.rng.IntN(3) {
		o.replica(false)
	}
	ctx := o.t.Context()
	began := time.Now()
	fire := func(r *replicaOf) error {
		return r.Receive(ctx, []alert.Alert{{Source: "alertmanager", Name: "KafkaConnectTaskFailure", Status: alert.Firing, Connector: "sink", Task: "0", StartsAt: began, Fingerprint: "f"}})
	}
	for err := fire(o.any()); err != nil; err = fire(o.any()) { // Alertmanager goes on until it is taken
		o.did("alert", err)
		o.bury()
	}
	var requests []approval.Request
	for range 1 + o.rng.IntN(2) {
		req, err := o.any().Ask(ctx, Wish{Incident: "INC-1", Recipe: RecipeFor(Pause, []string{"sink"}, nil), By: Person{ID: "UONCALL", Name: "oncall"}})
		o.did("ask "+req.ID, err)
		if req.ID != "" {
			requests = append(requests, req)
		}
		o.bury()
	}
	for _, req := range requests {
		o.decide(req)
	}
	o.together(3 + o.rng.IntN(4))
	o.recover()
}

// decide lets people press at once, on whichever replica gets the envelope, and sometimes twice.
func (o *ordeal) decide(req approval.Request) {
	people := []string{"UONCALL", "UAPPROVER", "USECOND", "UAPPROVER"}
	var group sync.WaitGroup
	var mu sync.Mutex
	for range 1 + o.rng.IntN(5) {
		who, r := people[o.rng.IntN(len(people))], o.any()
		c := Choice{Request: req.ID, Digest: req.Digest, Verdict: approval.Approve, By: Person{ID: who, Name: who}}
		if o.rng.IntN(6) == 0 {
			c.Verdict, c.Reason = approval.Reject, "no"
		}
		if o.rng.IntN(8) == 0 {
			c.Digest = "another"
		}
		withdraw := o.rng.IntN(10) == 0
		group.Go(func() {
			var err error
			if withdraw {
				_, err = r.Withdraw(o.t.Context(), req.ID, Person{ID: "UONCALL", Name: "oncall"})
			} else {
				_, err = r.Decide(o.t.Context(), c)
			}
			mu.Lock()
			defer mu.Unlock()
			o.did(fmt.Sprintf("%s %s %s (withdraw %v) on %s", who, c.Verdict, req.ID, withdraw, r.Replica), err)
		})
	}
	group.Wait()
	o.bury()
}

// together hands the waiting jobs out, each to one or two replicas at once; a job that fails comes back.
func (o *ordeal) together(rounds int) {
	for range rounds {
		var group sync.WaitGroup
		for _, kind := range []JobKind{Execute, Investigate, Settle} {
			for _, j := range o.queue.take(kind) {
				for range 1 + o.rng.IntN(2) {
					r := o.any()
					group.Go(func() {
						if err := r.Work(o.t.Context(), j); err != nil {
							_ = o.queue.Enqueue(o.t.Context(), j, time.Now()) // asynq tries again
						}
					})
				}
			}
		}
		group.Wait()
		o.bury()
	}
}

// bury takes the dead away; another one is started when nobody is left.
func (o *ordeal) bury() {
	var alive []*replicaOf
	for _, r := range o.alive {
		if !r.fate.dead.Load() {
			alive = append(alive, r)
		}
	}
	if o.alive = alive; len(alive) == 0 {
		o.replica(false)
	}
}

// recover is the day after: leases of the dead are over, calm replicas take over what is left, and everything is finished.
func (o *ordeal) recover() {
	for _, r := range o.alive {
		r.fate.dead.Store(true)
	}
	o.alive = nil
	o.redis.FastForward(leaseTTL + time.Second)
	calm := o.replica(true)
	for range 6 {
		if err := calm.reconcile(o.t.Context()); err != nil {
			o.t.Errorf("seed %d: reconciling: %v", o.seed, err)
		}
		jobs := append(o.queue.take(Execute), o.queue.take(Investigate)...)
		for _, j := range jobs {
			if err := calm.Work(o.t.Context(), j); err != nil && !errors.Is(err, incident.ErrLeaseHeld) {
				o.t.Errorf("seed %d: %s: %v", o.seed, j.ID(), err)
			}
		}
		if len(jobs) == 0 {
			break
		}
		o.redis.FastForward(leaseTTL + time.Second)
	}
}

// outcome is what an ordeal came to.
type outcome struct {
	executed, refused, doubles, lost, alone int
}

// judge counts what must never be: two executions of one request, an acknowledged event that is gone, an execution without
// two people, an effect that was not announced. It also proves chain and seals.
func (o *ordeal) judge() outcome {
	o.t.Helper()
	calm := o.alive[0]
	events, err := calm.Timeline.Events(o.t.Context(), "INC-1")
	if err == nil {
		err = timeline.Verify(events)
	}
	if err != nil {
		o.t.Errorf("seed %d: the timeline does not hold: %v", o.seed, err)
	}
	var out outcome
	hashes, runs, steps, askers, yes, no := map[string]bool{}, map[string]int{}, 0, map[string]string{}, map[string][]string{}, map[string]bool{}
	for _, e := range events {
		hashes[e.Hash] = true
		f := struct{ Request string }{}
		decodeInto(e.Data, &f)
		switch e.Type {
		case timeline.PlanProposed:
			askers[f.Request] = e.Actor.ID
		case timeline.PlanApproved:
			yes[f.Request] = append(yes[f.Request], e.Actor.ID)
		case timeline.PlanRejected, timeline.PlanWithdrawn:
			no[f.Request] = true
		case timeline.RunStarted:
			runs[f.Request]++
			if len(yes[f.Request]) == 0 || no[f.Request] || yes[f.Request][0] == askers[f.Request] {
				out.alone++
			}
		case timeline.StepStarted:
			steps++
		}
	}
	o.acked.Range(func(hash, _ any) bool {
		if !hashes[hash.(string)] {
			out.lost++
		}
		return true
	})
	for _, n := range runs {
		out.executed++
		if n > 1 {
			out.doubles++
		}
	}
	if int(o.pauses.Load()) > steps {
		out.doubles++
	}
	out.refused = len(askers) - out.executed
	o.unfinished(calm)
	if out.doubles+out.lost+out.alone > 0 || o.t.Failed() {
		o.t.Errorf("seed %d: %+v, %d pauses, %d steps\n%s\n%s", o.seed, out, o.pauses.Load(), steps, o.story.String(), plot(events))
	}
	return out
}

// unfinished: what people approved and nobody refused has run, and what has run has ended.
func (o *ordeal) unfinished(calm *replicaOf) {
	o.t.Helper()
	runs, err := calm.Journal.Runs(o.t.Context(), "INC-1")
	if err != nil {
		o.t.Errorf("seed %d: %v", o.seed, err)
	}
	byRequest := map[string]int{}
	for _, r := range runs {
		byRequest[r.Request]++
		if !ended(r) && r.State != Waiting {
			o.t.Errorf("seed %d: %s is %s in the end", o.seed, r.ID, r.State)
		}
	}
	requests, err := calm.Approvals.ForIncident(o.t.Context(), "INC-1")
	if err != nil {
		o.t.Errorf("seed %d: %v", o.seed, err)
	}
	for _, req := range requests {
		if req.State == approval.Approved || byRequest[req.ID] > 1 || req.State == approval.Used && byRequest[req.ID] != 1 {
			o.t.Errorf("seed %d: %s is %s with %d runs", o.seed, req.ID, req.State, byRequest[req.ID])
		}
	}
}

func plot(events []timeline.Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "%d %s %s\n", e.Seq, e.Type, e.Text)
	}
	return b.String()
}

// TestTorture: whatever dies, is lost, comes twice or late, nothing is done twice, nothing acknowledged is lost, and nothing
// runs without two people.
func TestTorture(t *testing.T) {
	var mu sync.Mutex
	var all outcome
	began, n := time.Now(), *tortureRuns
	first := uint64(time.Now().UnixNano())
	if *tortureSeed != 0 {
		n, first = 1, *tortureSeed
	}
	t.Run("runs", func(t *testing.T) {
		for i := range n {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				o := newOrdeal(t, first+uint64(i))
				o.play()
				one := o.judge()
				mu.Lock()
				defer mu.Unlock()
				all.executed, all.refused, all.doubles, all.lost, all.alone = all.executed+one.executed, all.refused+one.refused, all.doubles+one.doubles, all.lost+one.lost, all.alone+one.alone
			})
		}
	})
	t.Logf("%d runs in %s: %d requests executed, %d refused or never decided; %d executed twice, %d acknowledged events lost, %d executed without two people (seeds from %d)",
		n, time.Since(began).Round(time.Second), all.executed, all.refused, all.doubles, all.lost, all.alone, first)
}

func decodeInto(raw []byte, into any) {
	if len(raw) > 0 {
		_ = json.Unmarshal(raw, into) // data of another shape says nothing
	}
}
