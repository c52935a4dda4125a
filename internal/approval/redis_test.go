package approval

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"cdcbot/internal/seal"
)

func dial(t testing.TB, addr string) redis.UniversalClient {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, DialTimeout: time.Second,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func mini(t *testing.T) (redis.UniversalClient, *miniredis.Miniredis) {
	t.Helper()
	m := miniredis.RunT(t)
	return dial(t, m.Addr()), m
}

// onEach runs a test on miniredis and on the real thing.
func onEach(t *testing.T, test func(*testing.T, redis.UniversalClient)) {
	t.Run("miniredis", func(t *testing.T) {
		client, _ := mini(t)
		test(t, client)
	})
	t.Run("redis", func(t *testing.T) { test(t, startRedis(t).client) })
}

// process is a real Redis with an append-only file in a folder of its own. It syncs always: with everysec, Redis puts off a
// write while an earlier sync is under way, and kill -9 then loses what it has acknowledged (measured: 2 of 15 crashes).
type process struct {
	t      testing.TB
	port   string
	dir    string
	cmd    *exec.Cmd
	client redis.UniversalClient
}

func startRedis(t testing.TB) *process {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is not in PATH; it must be where CI=true")
		}
		t.Skip("redis-server is not in PATH; apt install redis-server")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_ = listener.Close()
	p := &process{t: t, port: port, dir: t.TempDir()}
	p.client = dial(t, "127.0.0.1:"+port)
	t.Cleanup(p.kill)
	p.start()
	return p
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command("redis-server", "--port", p.port, "--bind", "127.0.0.1", "--dir", p.dir,
		"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction", "--loglevel", "warning")
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	eventually(p.t, "redis-server answers", func() bool { return p.client.Ping(context.Background()).Err() == nil })
}

// kill ends the process as a crash does: SIGKILL, no shutdown.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	_ = p.cmd.Wait()
	p.cmd = nil
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("%s: not within 10s", what)
		case <-tick.C:
		}
	}
}

// clock is a Now that tests turn.
type clock struct{ at time.Time }

func newClock() *clock          { return &clock{time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)} }
func (c *clock) now() time.Time { return c.at }

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(fmt.Errorf("unexpected: %w", err))
		}
		return v
	}
}

func newStore(client redis.UniversalClient, c *clock) *Store {
	return &Store{Redis: client, Now: c.now, TTL: 30 * time.Minute, ApprovedTTL: 10 * time.Minute, Alone: 10 * time.Minute, Seal: keys}
}

// keys are those of every store of the tests.
var keys = func() *seal.Ring {
	r, err := seal.Parse("k1:" + strings.Repeat("5a", 32))
	if err != nil {
		panic(err)
	}
	return r
}()
