// Package doctor examines whether a bot would work before somebody needs it. It knows what a check and a finding are, runs
// checks side by side, each within a deadline, and tells the result to people and to machines; what to look at, and whom
// to ask, its user says. Every finding that is not good says how to mend it.
package doctor

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Status is how a finding ended.
type Status string

// The statuses of a finding. A warning is worth mending and stops nothing; what was skipped says why.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Failed  Status = "failed"
	Skipped Status = "skipped"
)

// Finding is what one look found out.
type Finding struct {
	Check  string        // "redis", "slack scopes", "postgres"
	Target string        // what was looked at, such as the pipeline or the channel
	Status Status        //
	What   string        // what was found, one sentence
	Mend   string        // what to do about it; empty when there is nothing to do
	Took   time.Duration //
}

// Check is one look. Look returns at least one finding; Examine fills in what check and target are, and how long it took.
type Check struct {
	Name   string
	Target string
	Look   func(ctx context.Context) []Finding
}

// Fine is a finding that needs nothing.
func Fine(format string, args ...any) Finding {
	return Finding{Status: OK, What: fmt.Sprintf(format, args...)}
}

// Poor is a finding that is worth mending.
func Poor(mend, format string, args ...any) Finding {
	return Finding{Status: Warning, What: fmt.Sprintf(format, args...), Mend: mend}
}

// Bad is a finding without whose mending the bot cannot do its job.
func Bad(mend, format string, args ...any) Finding {
	return Finding{Status: Failed, What: fmt.Sprintf(format, args...), Mend: mend}
}

// Skip says why nothing was looked at.
func Skip(format string, args ...any) Finding {
	return Finding{Status: Skipped, What: fmt.Sprintf(format, args...)}
}

// Examination bounds how checks are made. The zero value waits 5 s for each.
type Examination struct {
	Deadline time.Duration       // for each check
	Redact   func(string) string // takes secrets out of what and mend; nil leaves them as they are
	Done     func(done, of int)  // is told after each check; nil for nobody
	Now      func() time.Time    // time.Now when nil
}

// mostAtOnce bounds how many checks run at the same time: hundreds of pipelines are no reason for thousands of connections.
const mostAtOnce = 32

// Run makes all checks side by side and returns their findings in the order of the checks.
func (e Examination) Run(ctx context.Context, checks []Check) Report {
	if e.Deadline <= 0 {
		e.Deadline = 5 * time.Second
	}
	if e.Now == nil {
		e.Now = time.Now
	}
	began := e.Now()
	found := make([][]Finding, len(checks))
	slots := make(chan struct{}, mostAtOnce)
	var all sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for i, c := range checks {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			found[i] = e.look(ctx, c)
			mu.Lock()
			defer mu.Unlock()
			if done++; e.Done != nil {
				e.Done(done, len(checks))
			}
		})
	}
	all.Wait()
	report := Report{Took: e.Now().Sub(began)}
	for _, list := range found {
		report.Findings = append(report.Findings, list...)
	}
	return report
}

// look makes one check. A panic in it is a finding as any other: the rest of the report is still wanted.
func (e Examination) look(ctx context.Context, c Check) (list []Finding) {
	ctx, cancel := context.WithTimeout(ctx, e.Deadline)
	defer cancel()
	began := e.Now()
	defer func() {
		if p := recover(); p != nil {
			list = []Finding{Bad("report this as a bug of the bot", "the check itself broke: %v", p)}
		}
		for i := range list {
			e.complete(&list[i], c, e.Now().Sub(began))
		}
	}()
	return c.Look(ctx)
}

func (e Examination) complete(f *Finding, c Check, took time.Duration) {
	if f.Check == "" {
		f.Check = c.Name
	}
	if f.Target == "" {
		f.Target = c.Target
	}
	f.Took = took
	if e.Redact != nil {
		f.What, f.Mend = e.Redact(f.What), e.Redact(f.Mend)
	}
}
