package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cdcbot/internal/lab"
)

const replacements = 8 // while the incident is healed

// grace is how long a process may take to end; Kubernetes gives 30 s by default.
const grace = 20 * time.Second

// replace starts a bot, waits until it is ready, and ends the oldest one as Kubernetes does. It returns how long that took
// to end.
func (o *ordeal) replace(ctx context.Context) (time.Duration, error) {
	if err := o.start(); err != nil {
		return 0, err
	}
	o.mu.Lock()
	newest := o.bots[len(o.bots)-1]
	oldest := o.bots[0]
	o.mu.Unlock()
	if err := o.slack.Wait(ctx, "the next bot to be ready", func() bool { return newest.ready() }); err != nil {
		return 0, err
	}
	o.mu.Lock()
	o.bots = slices.DeleteFunc(o.bots, func(p *botProcess) bool { return p == oldest })
	o.mu.Unlock()
	began := time.Now()
	if err := oldest.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	select {
	case <-oldest.ended:
	case <-time.After(grace):
		_ = oldest.cmd.Process.Kill()
		<-oldest.ended
		return 0, fmt.Errorf("the bot did not end within %s", grace)
	}
	if code := oldest.cmd.ProcessState.ExitCode(); code != 0 {
		return 0, fmt.Errorf("the bot ended with %d", code)
	}
	return time.Since(began), nil
}

func (p *botProcess) ready() bool {
	request, err := http.NewRequestWithContext(within(time.Second), http.MethodGet, "http://"+p.web+"/readyz", nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// TestARollingUpdateUnderLoad replaces two replicas again and again while an incident is healed and people type commands:
// one execution, a chain that holds, and no command without an answer.
func TestARollingUpdateUnderLoad(t *testing.T) {
	o := newOrdeal(t, buildBot(t), lab.Redis(t))
	for range 2 {
		if err := o.start(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(within(survives))
	defer stop()
	if err := o.slack.Wait(ctx, "the first connection", func() bool { return o.slack.Connected() > 0 }); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	var rolls, typed, failed atomic.Int64
	var slowest atomic.Int64
	group.Go(func() {
		for ctx.Err() == nil && rolls.Load() < replacements {
			took, err := o.replace(ctx)
			if err != nil && ctx.Err() == nil {
				t.Errorf("replacing a bot: %v\n%s", err, o.logs())
				return
			}
			slowest.Store(max(slowest.Load(), int64(took)))
			rolls.Add(1)
		}
	})
	for _, who := range []string{"oncall", "approver", "manager"} {
		group.Go(func() {
			for ctx.Err() == nil {
				typed.Add(1)
				if err := o.slack.As(who).Command(within(5*time.Second), channel, "/cdc help restart"); err != nil {
					failed.Add(1)
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	err := o.heal(ctx)
	for err == nil && rolls.Load() < replacements {
		time.Sleep(100 * time.Millisecond)
		err = ctx.Err()
	}
	stop()
	group.Wait()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := o.export(within(patient))
	if err != nil {
		t.Fatal(err)
	}
	if problems := o.verdict(doc); len(problems) > 0 {
		t.Errorf("%s\nthe timeline:\n%s", strings.Join(problems, "\n"), story(doc))
	}
	t.Logf("%d bots were replaced, the slowest ended after %s; %d of %d commands were shown as failed", rolls.Load(), time.Duration(slowest.Load()).Round(time.Millisecond), failed.Load(), typed.Load())
	if most := rolls.Load(); failed.Load() > most { // what arrives in the moment of closing
		t.Errorf("%d of %d commands were shown as failed, want at most %d", failed.Load(), typed.Load(), most)
	}
}
