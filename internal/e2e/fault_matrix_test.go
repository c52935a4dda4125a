package e2e

import (
	"strings"
	"sync"
	"testing"
	"time"

	"cdcbot/internal/lab"
	"cdcbot/internal/slacksim"
)

// ill is one row of the matrix: what goes wrong once people are asked, right before the approval.
type ill struct {
	name     string
	replicas int
	happens  func(*ordeal)
}

// String implements fmt.Stringer.
func (i ill) String() string { return i.name }

// lasting is how long a fault lasts that passes by itself: longer than a client's own timeouts, shorter than patience.
const lasting = 8 * time.Second

// matrix is everything that goes wrong besides the bot's own end.
var matrix = []ill{
	{"redis is killed and restarted", 1, func(o *ordeal) { o.redis.Kill9(); o.redis.Restart() }},
	{"redis is away for 60 s", 1, func(o *ordeal) {
		o.redis.Kill9()
		o.press("approver", "Approve")
		<-time.After(outage)
		o.redis.Restart()
	}},
	{"redis: latency", 1, on(redisCut, "latency", 30*time.Millisecond)},
	{"redis: reset", 1, func(o *ordeal) { o.toRedis.reset() }},
	{"redis: half-open", 1, on(redisCut, "half-open", 0)},
	{"redis: slow", 1, on(redisCut, "slow", 5*time.Millisecond)},
	{"connect: latency", 1, on(workerCut, "latency", 300*time.Millisecond)},
	{"connect: reset", 1, func(o *ordeal) { o.toWorker.reset() }},
	{"connect: half-open", 1, on(workerCut, "half-open", 0)},
	{"connect: slow", 1, on(workerCut, "slow", 20*time.Millisecond)},
	{"slack: latency", 1, on(slackCut, "latency", 300*time.Millisecond)},
	{"slack: reset", 1, func(o *ordeal) { o.toSlack.reset() }},
	{"slack: half-open", 1, on(slackCut, "half-open", 0)},
	{"slack: slow", 1, on(slackCut, "slow", 20*time.Millisecond)},
	{"slack: sockets are cut", 1, func(o *ordeal) { o.slack.DropSockets() }},
	{"slack: sockets are told to go", 1, injected(slacksim.Fault{Kind: "disconnect"})},
	{"slack: envelopes come twice", 1, injected(slacksim.Fault{Kind: "duplicate", Count: 5})},
	{"slack: envelopes come in another order", 1, func(o *ordeal) {
		injected(slacksim.Fault{Kind: "reorder", Count: 3, Seconds: 1})(o)
		allPress(o, 3)
	}},
	{"slack: a storm of 429", 1, injected(slacksim.Fault{Kind: "ratelimited", Seconds: 1, Count: 12})},
	{"connect: 409 while it rebalances", 1, func(o *ordeal) { o.worker.Rebalance(lasting / 2) }},
	{"connect: 500", 1, func(o *ordeal) { o.refuse.Store(3) }},
	{"connect: an HTML page while it starts", 1, func(o *ordeal) { o.worker.Starting(lasting / 2) }},
	{"two replicas and one click", 2, func(o *ordeal) {
		injected(slacksim.Fault{Kind: "duplicate", Count: 6})(o)
		allPress(o, 6)
	}},
	{"five replicas and one click", 5, func(o *ordeal) {
		injected(slacksim.Fault{Kind: "duplicate", Count: 15})(o)
		allPress(o, 15)
	}},
}

func redisCut(o *ordeal) *cut  { return o.toRedis }
func slackCut(o *ordeal) *cut  { return o.toSlack }
func workerCut(o *ordeal) *cut { return o.toWorker }

// on lets a network be ill for a while; the approval is pressed in it.
func on(which func(*ordeal) *cut, mode string, delay time.Duration) func(*ordeal) {
	return func(o *ordeal) {
		c := which(o)
		c.set(mode, delay)
		time.AfterFunc(lasting, func() {
			c.set("", 0)
			if mode == "half-open" {
				c.reset() // what was swallowed does not come back
			}
		})
	}
}

func injected(f slacksim.Fault) func(*ordeal) {
	return func(o *ordeal) {
		if err := o.slack.Inject(f); err != nil {
			o.t.Error(err)
		}
	}
}

// allPress lets the approver press n times at once.
func allPress(o *ordeal, n int) {
	var group sync.WaitGroup
	for range n {
		group.Go(func() { o.press("approver", "Approve") })
	}
	group.Wait()
}

// TestFaultMatrix plays one incident for each row; whatever goes wrong, it ends with one execution, a chain that holds and
// a thread that tells the truth.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	bin := buildBot(t)
	several(t, matrix, func(t *testing.T, row ill) {
		o := newOrdeal(t, bin, lab.Redis(t))
		o.trouble = row.happens
		for range row.replicas - 1 {
			if err := o.start(); err != nil {
				t.Fatal(err)
			}
		}
		survive(t, o)
	})
	names := make([]string, len(matrix))
	for i, row := range matrix {
		names[i] = row.name
	}
	t.Logf("faults: %d; %s", len(matrix), strings.Join(names, "; "))
}
