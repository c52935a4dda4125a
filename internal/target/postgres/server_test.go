package postgres

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is a throw-away PostgreSQL with the user postgres, whose password is not asked for.
type server struct {
	port    int
	process *exec.Cmd
	done    chan struct{}
}

// startServer starts Debian's PostgreSQL on a free port. Where there is none the test is skipped by name, but in CI and
// in the lab it must be there.
func startServer(t *testing.T) *server {
	t.Helper()
	bin := binaries(t)
	dir := folder(t)
	data := filepath.Join(dir, "data")
	run(t, dir, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
	hba := "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
	write(t, filepath.Join(data, "pg_hba.conf"), hba)
	s := &server{port: freePort(t), done: make(chan struct{})}
	s.process = command(dir, filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(s.port), "-h", "127.0.0.1", "-k", dir,
		"-c", "fsync=off", "-c", "max_connections=10", "-c", "shared_buffers=8MB", "-c", "password_encryption=scram-sha-256")
	var log bytes.Buffer
	s.process.Stderr = &log
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.process.Wait(); close(s.done) }()
	t.Cleanup(func() { s.stop(t) })
	s.await(t, &log)
	return s
}

func (s *server) await(t *testing.T, log *bytes.Buffer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.url("postgres", "x"))
		if err == nil {
			_ = conn.Close(ctx)
			return
		}
		select {
		case <-tick.C:
		case <-s.done:
			t.Fatalf("postgres ended: %s", log.String())
		case <-ctx.Done():
			t.Fatalf("postgres did not start: %v", err)
		}
	}
}

// stop ends the server at once (immediate shutdown) and waits for its process.
func (s *server) stop(t *testing.T) {
	t.Helper()
	_ = s.process.Process.Signal(syscall.SIGQUIT)
	select {
	case <-s.done:
	case <-time.After(20 * time.Second):
		_ = s.process.Process.Kill()
		t.Errorf("postgres did not stop")
	}
}

func (s *server) url(user, password string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/postgres", user, password, s.port)
}

func (s *server) client(t *testing.T, user, password string) *Client {
	t.Helper()
	return mustNew(t, Options{URL: s.url(user, password), Timeout: 10 * time.Second})
}

func (s *server) exec(t *testing.T, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.url("postgres", "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, sql := range statements {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

func binaries(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) > 0 {
		slices.Sort(found)
		return filepath.Dir(found[len(found)-1])
	}
	if os.Getenv("CDCBOT_LAB") == "1" || os.Getenv("CI") == "true" {
		t.Fatal("no PostgreSQL in /usr/lib/postgresql: install the package postgresql")
	}
	t.Skip("left out: tests on a real PostgreSQL, because there is none in /usr/lib/postgresql")
	return ""
}

// folder makes a folder that the server's user may use; PostgreSQL refuses to run as root.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cdcbot-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if who := account(); who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// account is the user postgres when the tests run as root; nil otherwise.
func account() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func command(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account(), Pdeathsig: syscall.SIGQUIT}
	return cmd
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	if out, err := command(dir, name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
