package app

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aymanbagabas/go-udiff"
	"go.uber.org/zap"

	"cdcbot/internal/action"
	"cdcbot/internal/approval"
	"cdcbot/internal/config"
	"cdcbot/internal/runbook"
)

// shelf holds the runbooks that are in force. They can be replaced while others read them.
type shelf struct {
	dir string // "" for those that cannot change

	mu      sync.RWMutex
	books   library
	sources map[string][]byte
	tried   map[string][]byte // what was read last, whether it compiled or not
	problem error             // why what was read last is not in force
	told    string            // the problem that was told last
}

// openShelf compiles the runbooks of a folder, those given, or those that ship.
func openShelf(o Options) (*shelf, error) {
	s := &shelf{dir: o.Config.Runbooks.Dir, sources: o.Runbooks}
	var err error
	if o.Runbooks != nil {
		s.dir = ""
	} else if s.sources, err = readBooks(s.dir); err != nil {
		return nil, err
	}
	s.tried = s.sources
	s.books, err = compileBooks(s.sources)
	return s, err
}

// now is the library in force.
func (s *shelf) now() library {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.books
}

// judged is the library in force, or why the folder holds another one that cannot be.
func (s *shelf) judged() (library, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.books, s.problem
}

// Book implements remediation.Library.
func (s *shelf) Book(name string) (*runbook.Book, bool) { return s.now().Book(name) }

// Answers implements remediation.Library.
func (s *shelf) Answers(alert string) (*runbook.Book, bool) { return s.now().Answers(alert) }

// look reads the folder again. What changed and compiles is in force at once, all of it or nothing; changed says by book what
// is different. The same problem is told once.
func (s *shelf) look() (changed map[string]string, err error) {
	if s.dir == "" {
		return nil, nil
	}
	sources, settled, err := s.read()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.tried = nil // whatever is read next is new
		return nil, s.bad(err)
	}
	if !settled || same(sources, s.tried) {
		return nil, nil
	}
	s.tried = sources
	books, err := compileBooks(sources)
	if err != nil {
		return nil, s.bad(err)
	}
	changed = map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(union(s.sources, sources))) {
		if text := difference(name+".md", s.sources[name], sources[name]); text != "" {
			changed["runbook "+name] = text
		}
	}
	s.books, s.sources, s.problem, s.told = books, sources, nil, ""
	return changed, nil
}

// still is how long files must have stayed the same before they are taken over. An editor or a copy empties a file and then
// fills it: what is read in between may compile, and would be half a runbook, or a policy without its last lines.
const still = 300 * time.Millisecond

// read reads the folder, twice when it is different from what was tried last. It has settled when both reads agree; what has
// not is left for the next look.
func (s *shelf) read() (sources map[string][]byte, settled bool, err error) {
	sources, err = readBooks(s.dir)
	if err == nil && same(sources, s.tried) {
		return sources, true, nil
	}
	time.Sleep(still)
	again, err := readBooks(s.dir)
	return again, err == nil && same(sources, again), err
}

func same(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }

// bad keeps a problem, and is nil for one that was told already.
func (s *shelf) bad(err error) error {
	known := s.told == err.Error()
	s.told, s.problem = err.Error(), fmt.Errorf("%w; the runbooks from before stay in force", err)
	if known {
		return nil
	}
	return err
}

func union(a, b map[string][]byte) map[string][]byte {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// mostDifference is how many characters of a difference are told.
const mostDifference = 4000

// difference is a unified diff, "" when there is none.
func difference(name string, before, after []byte) string {
	text := []rune(udiff.Unified("before/"+name, "after/"+name, string(before), string(after)))
	if len(text) > mostDifference {
		return string(text[:mostDifference]) + "\n…"
	}
	return string(text)
}

// policyOf is what a configuration says of who decides.
func policyOf(c *config.Config) approval.Policy {
	return approval.Policy{Approvers: c.Approval.Approvers, Group: c.Approval.Group, MemberFor: c.Approval.MemberFor, High: c.Approval.High, StepUp: c.Approval.StepUp}
}

// policyLines are a policy as its keys, one a line.
func policyLines(p approval.Policy) []byte {
	return fmt.Appendf(nil, "approval.approvers: %s\napproval.group: %s\napproval.member_for: %s\napproval.high_risk_approvals: %d\napproval.step_up: %s\n",
		strings.Join(p.Approvers, ", "), p.Group, p.MemberFor, p.High, strings.Join(p.StepUp, ", "))
}

// reloadEvery is how often runbooks and policy are looked at. The folder is read and compared: a mounted ConfigMap changes by
// links that no watch of files sees as one change.
const reloadEvery = 10 * time.Second

// reloader takes over runbooks and policy while the bot runs. What waits for people was asked under the old ones, and is
// void: nobody agrees to something else than they saw.
type reloader struct {
	app    *App
	policy approval.Policy
	told   string            // the last problem of the configuration
	untold map[string]string // differences that are in force and not yet written down
}

func (a *App) reload(ctx context.Context) error {
	r := &reloader{app: a, policy: a.flow.Policy, untold: map[string]string{}}
	ticker := time.NewTicker(reloadEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-a.options.Wake:
		}
		r.look(ctx)
	}
}

// look takes over what has changed, and writes down what is different. Redis being away leaves that for the next look.
func (r *reloader) look(ctx context.Context) {
	changed, err := r.app.books.look()
	if err != nil {
		r.app.log.Error("runbooks are not reloaded; those from before stay in force", zap.Error(err))
	}
	maps.Copy(r.untold, changed)
	r.approvals()
	if len(r.untold) == 0 {
		return
	}
	if err := r.app.flow.Changed(ctx, r.app.books.now().sums(), r.untold); err != nil {
		r.app.log.Warn("what was reloaded is in force and not written down yet", zap.Error(err))
		return
	}
	for _, what := range slices.Sorted(maps.Keys(r.untold)) {
		r.app.log.Info("reloaded", zap.String("what", what), zap.String("diff", r.untold[what]))
	}
	clear(r.untold)
}

// approvals takes over the policy of the configuration.
func (r *reloader) approvals() {
	if r.app.options.Reload == nil {
		return
	}
	p, err := r.read()
	if err == nil && p.Fingerprint() == r.policy.Fingerprint() {
		r.told = ""
		return
	}
	time.Sleep(still)
	again, err := r.read()
	if err != nil {
		if text := err.Error(); text != r.told {
			r.told = text
			r.app.log.Error("the configuration is not reloaded; the policy from before stays in force", zap.Error(err))
		}
		return
	}
	r.told = ""
	if again.Fingerprint() != p.Fingerprint() { // still being written: the next look sees
		return
	}
	r.untold["approval policy"] = difference("policy", policyLines(r.policy), policyLines(p))
	var groups []string
	if p.Group != "" {
		groups = append(groups, p.Group)
	}
	r.app.people.Regroup(groups...)
	r.app.flow.SetPolicy(p)
	r.policy = p
}

// read is the policy that the configuration asks for, when it can be taken over.
func (r *reloader) read() (approval.Policy, error) {
	c, err := r.app.options.Reload()
	if err != nil {
		return approval.Policy{}, err
	}
	return policyOf(c), r.fits(c)
}

// fits says why a policy cannot be taken over while the bot runs.
func (r *reloader) fits(c *config.Config) error {
	p := policyOf(c)
	var problems config.Error
	for _, row := range []struct {
		wrong              bool
		key, value, expect string
	}{
		{p.MemberFor > 0 && p.Group == "", "approval.member_for", p.MemberFor.String(), "approval.group as well"},
		{p.MemberFor > 0 && r.app.people.Members == nil, "approval.member_for", p.MemberFor.String(), "a start of the bot: it does not watch the group yet"},
		{len(p.StepUp) > 0 && r.app.config.Approval.TOTP == "", "approval.step_up", strings.Join(p.StepUp, ", "), "a start of the bot with approval.totp: without codes nobody could approve"},
	} {
		if row.wrong {
			problems.Problems = append(problems.Problems, config.Problem{Key: row.key, Value: row.value, Expect: row.expect, From: "file"})
		}
	}
	for _, risk := range p.StepUp {
		if _, err := action.ParseRisk(risk); err != nil {
			problems.Problems = append(problems.Problems, config.Problem{Key: "approval.step_up", Value: risk, Expect: "change or high", From: "file"})
		}
	}
	if len(problems.Problems) > 0 {
		return &problems
	}
	return nil
}
