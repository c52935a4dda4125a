package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// redisTimeout bounds the start and the stop of a Redis server.
const redisTimeout = 15 * time.Second

// RedisServer is a real Redis for one test, with an append-only file in the test's folder.
type RedisServer struct {
	Addr string // host:port
	URL  string // redis://host:port/0

	tb      testing.TB
	program string
	dir     string
	process *exec.Cmd
	ended   chan struct{}
}

// Redis starts a redis-server on a free port of loopback: append-only file on, nothing evicted. It ends with the test.
// Without the program the test is left out, or fails where the lab is meant to be up.
func Redis(tb testing.TB) *RedisServer {
	tb.Helper()
	s := &RedisServer{tb: tb, program: Program(tb, "redis-server", "redis-server"), dir: tb.TempDir()}
	tb.Cleanup(s.Kill9)
	var err error
	for range 3 { // a free port may be taken before Redis has it
		s.Addr = freeAddr(tb)
		s.URL = "redis://" + s.Addr + "/0"
		if err = s.start(); err == nil {
			return s
		}
	}
	tb.Fatal(err)
	return nil
}

// Program finds an installed program by name; the package that brings it is named when it is not there, and the test is
// left out or fails as with a missing part.
func Program(tb testing.TB, name, debian string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		leaveOut(tb, fmt.Sprintf("there is no %s (apt install %s)", name, debian))
	}
	return path
}

// Restart ends the server cleanly if it runs and starts it again with its data, at the same address.
func (s *RedisServer) Restart() {
	s.tb.Helper()
	s.end(os.Interrupt)
	if err := s.start(); err != nil {
		s.tb.Fatal(err)
	}
}

// Kill9 ends the server without a farewell; Restart brings it back with what its file holds. Ended already is fine.
func (s *RedisServer) Kill9() {
	s.tb.Helper()
	s.end(os.Kill)
}

func (s *RedisServer) start() error {
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return fmt.Errorf("address of redis: %w", err)
	}
	log := filepath.Join(s.dir, "redis.log")
	s.process = exec.Command(s.program, "--bind", host, "--port", port, "--dir", s.dir, "--logfile", log, //nolint:gosec // found in PATH
		"--daemonize", "no", "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction")
	s.process.SysProcAttr = EndWithParent()
	if err := s.process.Start(); err != nil {
		return fmt.Errorf("starting redis: %w", err)
	}
	s.ended = make(chan struct{})
	go func() { _ = s.process.Wait(); close(s.ended) }()
	if err := s.answer(); err != nil {
		s.Kill9()
		tail, _ := os.ReadFile(filepath.Clean(log))
		return fmt.Errorf("starting redis on %s: %w\n%s", s.Addr, err, tail)
	}
	return nil
}

// answer waits until our own process serves: its PING, and the process still alive.
func (s *RedisServer) answer() error {
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := askRedis(ctx, s.URL)
		select {
		case <-s.ended:
			return fmt.Errorf("redis ended: %s", s.process.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("redis gave no answer in %s: %w", redisTimeout, err)
		case <-tick.C:
		}
		if err == nil {
			return nil
		}
	}
}

func (s *RedisServer) end(signal os.Signal) {
	s.tb.Helper()
	if s.process == nil || s.ended == nil {
		return
	}
	_ = s.process.Process.Signal(signal)
	select {
	case <-s.ended:
	case <-time.After(redisTimeout):
		_ = s.process.Process.Kill()
		<-s.ended
		s.tb.Errorf("redis on %s did not stop in %s", s.Addr, redisTimeout)
	}
}

func freeAddr(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("looking for a free port: %v", err)
	}
	defer func() { _ = l.Close() }()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}
