package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cdcbot/internal/lab"
)

// survives is how long an incident may take that something went wrong in: leases and retries run out in it.
const survives = 3 * time.Minute

// mark is one boundary of a run: right before or right after the n-th write of a name.
type mark struct {
	write string
	n     int
	after bool
}

// String implements fmt.Stringer.
func (m mark) String() string {
	when := "before"
	if m.after {
		when = "after"
	}
	return fmt.Sprintf("%s %s #%d", when, m.write, m.n)
}

// enumerate plays the story undisturbed and lists its boundaries: every write but the drawing's, before and after it.
func enumerate(t *testing.T, bin string) (all []mark) {
	t.Helper()
	o := newOrdeal(t, bin, lab.Redis(t))
	var mu sync.Mutex
	seen := map[string]int{}
	o.toRedis.watch(func(write string) boundary {
		mu.Lock()
		defer mu.Unlock()
		if write != "" {
			seen[write]++
			all = append(all, mark{write, seen[write], false}, mark{write, seen[write], true})
		}
		return boundary{}
	})
	survive(t, o)
	mu.Lock()
	defer mu.Unlock()
	return all
}

// survive starts a bot, plays the story and judges it.
func survive(t *testing.T, o *ordeal) {
	t.Helper()
	if err := o.start(); err != nil {
		t.Fatal(err)
	}
	judge(t, o)
}

func judge(t *testing.T, o *ordeal) {
	t.Helper()
	ctx := within(survives)
	if err := o.heal(ctx); err != nil {
		t.Fatal(err)
	}
	doc, err := o.export(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if problems := o.verdict(doc); len(problems) > 0 {
		t.Errorf("%s\nthe timeline:\n%s", strings.Join(problems, "\n"), story(doc))
	}
}

// killAt lets the bot die once at a boundary, and starts the next one.
func killAt(o *ordeal, m mark) (reached *atomic.Bool) {
	reached = &atomic.Bool{}
	var mu sync.Mutex
	seen := 0
	die := func() {
		reached.Store(true)
		o.kill()
		if err := o.start(); err != nil {
			o.t.Error(err)
		}
	}
	o.toRedis.watch(func(write string) boundary {
		mu.Lock()
		defer mu.Unlock()
		if write != m.write {
			return boundary{}
		}
		if seen++; seen != m.n {
			return boundary{}
		}
		if m.after {
			return boundary{after: die}
		}
		return boundary{before: die}
	})
	return reached
}

// The bot is killed with -9 once at every boundary between two writes of an incident, from the alert to the proof.
func TestKilledAtEveryBoundary(t *testing.T) {
	t.Parallel()
	bin := buildBot(t)
	marks := enumerate(t, bin)
	if marks = share(marks); len(marks) < 40 {
		t.Fatalf("the story has %d boundaries, want 40 at least: %v", len(marks), marks)
	}
	var reached atomic.Int64
	several(t, marks, func(t *testing.T, m mark) {
		o := newOrdeal(t, bin, lab.Redis(t))
		hit := killAt(o, m)
		survive(t, o)
		if hit.Load() {
			reached.Add(1)
		}
	})
	t.Logf("kill -9: %d boundaries, %d reached", len(marks), reached.Load())
	if reached.Load() < 40 {
		t.Errorf("%d boundaries were reached, want 40 at least", reached.Load())
	}
}

// abreast is how many incidents run at once: they mostly wait, for leases to run out and for records to prove something.
const abreast = 8

// several runs a subtest for each row, a few at once however few processors there are.
func several[R fmt.Stringer](t *testing.T, rows []R, test func(*testing.T, R)) {
	t.Helper()
	queue := make(chan R)
	var group sync.WaitGroup
	for range abreast {
		group.Go(func() {
			for row := range queue {
				t.Run(row.String(), func(t *testing.T) { test(t, row) })
			}
		})
	}
	for _, row := range rows {
		queue <- row
	}
	close(queue)
	group.Wait()
}

// nightly reports whether everything is tried, as `make torture` does, and not only the share of every change.
func nightly() bool { return os.Getenv("CDCBOT_TORTURE") != "" }

// outage is how long Redis is away.
const outage = time.Minute

// drawing is what only puts cards into threads: its boundaries are tried every night.
var drawing = regexp.MustCompile(`:(cards|painted|dirty)\b|cdcbot:(thread|seen):|asynq:.*:(remind|expire):`)

// share leaves out what is tried every night only: the boundaries of drawing, and those after a write, where Redis holds what
// it holds before the next one.
func share(all []mark) []mark {
	if nightly() {
		return all
	}
	return slices.DeleteFunc(all, func(m mark) bool { return m.after || drawing.MatchString(m.write) })
}
