package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// scriptTimeout bounds one run of up.sh or down.sh; lockTimeout the wait for other tests to leave the lab.
const (
	scriptTimeout = 3 * time.Minute
	lockTimeout   = 20 * time.Minute
)

// Alone gives the lab to a test that breaks it: no other test holds it meanwhile. Alertmanager starts without a memory,
// so that the test sees each of its alerts. When the test ends, everything is started and healed again.
func Alone(tb testing.TB, parts ...Part) Services {
	tb.Helper()
	lock(tb, exclusive)
	s := Find()
	demand(tb, s, parts)
	s.alone = true
	tb.Cleanup(func() { script(tb, "up.sh") })
	if slices.Contains(parts, Alertmanager) {
		s.Stop(tb, Alertmanager)
		s.Start(tb, Alertmanager)
	}
	return s
}

// Stop ends a part cleanly and returns when its process is gone. It needs Alone.
func (s Services) Stop(tb testing.TB, part Part) {
	tb.Helper()
	s.mustBeAlone(tb)
	script(tb, "down.sh", string(part))
}

// Kill9 ends a part as a machine that went away. It needs Alone.
func (s Services) Kill9(tb testing.TB, part Part) {
	tb.Helper()
	s.mustBeAlone(tb)
	script(tb, "down.sh", "-9", string(part))
}

// Pause makes a part hang: its connections stay open and nothing answers. It needs Alone. Unpause, which a cleanup may call
// once more, lets it go on.
func (s Services) Pause(tb testing.TB, part Part) {
	tb.Helper()
	s.mustBeAlone(tb)
	script(tb, "pause.sh", string(part))
}

// Unpause ends Pause.
func (s Services) Unpause(tb testing.TB, part Part) {
	tb.Helper()
	s.mustBeAlone(tb)
	script(tb, "pause.sh", "--resume", string(part))
}

// Start starts a part and returns when it answers. It needs Alone.
func (s Services) Start(tb testing.TB, part Part) {
	tb.Helper()
	s.mustBeAlone(tb)
	if part == SecondConnect { // a plain up.sh does not know it, so healing would leave it behind
		tb.Cleanup(func() { script(tb, "down.sh", string(part)) })
	}
	script(tb, "up.sh", string(part))
}

// StopPostgres is Stop(tb, Postgres), the fault that most tests want.
func (s Services) StopPostgres(tb testing.TB) { tb.Helper(); s.Stop(tb, Postgres) }

// StartPostgres is Start(tb, Postgres).
func (s Services) StartPostgres(tb testing.TB) { tb.Helper(); s.Start(tb, Postgres) }

func (s Services) mustBeAlone(tb testing.TB) {
	tb.Helper()
	if !s.alone {
		tb.Fatal("stopping and starting parts of the lab needs lab.Alone: lab.Require shares it with other tests")
	}
}

// script runs one of the lab's own scripts, so that people and tests break the lab in the same way.
func script(tb testing.TB, name string, args ...string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), scriptTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(root(), "lab", name), args...) //nolint:gosec // our own script
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	out = bytes.TrimSpace(out)
	if err != nil {
		tb.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	tb.Logf("%s %v\n%s", name, args, out)
}

const (
	shared    = syscall.LOCK_SH
	exclusive = syscall.LOCK_EX
)

// lock keeps tests that share the lab apart from a test that breaks it, over all packages under test.
func lock(tb testing.TB, how int) {
	tb.Helper()
	if err := os.MkdirAll(home(), 0o755); err != nil {
		leaveOut(tb, fmt.Sprintf("the lab's folder cannot be made: %v", err))
	}
	name := filepath.Join(home(), "tests.lock")
	f, err := os.OpenFile(filepath.Clean(name), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		leaveOut(tb, fmt.Sprintf("the lab's lock cannot be opened: %v", err))
	}
	tb.Cleanup(func() { _ = f.Close() })
	Await(tb, "other tests to release "+name, lockTimeout, func(context.Context) (bool, error) {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return false, nil
		}
		return err == nil, err
	})
}
