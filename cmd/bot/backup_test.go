package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cdcbot/internal/lab"
)

// TestBackupIsRestored does what docs/operations.md says, word by word: a copy of a Redis that runs, a new Redis from it, and
// the record proves itself there, also after that Redis is killed.
func TestBackupIsRestored(t *testing.T) {
	program := lab.Program(t, "redis-server", "redis-server")
	lab.Program(t, "redis-cli", "redis-tools")
	_, text, _ := strings.Cut(read(t, "docs/operations.md"), "\n## Backing up and restoring\n")
	text, _, _ = strings.Cut(text, "\n## ")
	blocks := fences.FindAllStringSubmatch(text, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d blocks in the chapter, expected the copy and the restoring", len(blocks))
	}
	before := lab.Redis(t)
	sevenIncidents(t, before.Addr)
	folder, data := t.TempDir(), t.TempDir()
	address, port := freePort(t)
	shellIn(t, folder, blocks[0][3], "REDIS_URL="+before.URL)
	restoring, _, _ := strings.Cut(blocks[1][3], "\nbot ")
	t.Cleanup(func() { _ = exec.Command("redis-cli", "-p", port, "shutdown", "nosave").Run() }) // it may be gone already
	shellIn(t, folder, restoring, "REDIS_DATA="+data, "REDIS_PORT="+port)
	proves(t, address)

	lab.Await(t, "the AOF", patience, aofWritten(t, address))
	shellIn(t, folder, "redis-cli -p "+port+" shutdown nosave || true")
	again := exec.Command(program, "--dir", data, "--port", port, "--appendonly", "yes", "--save", "")
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = again.Process.Kill() // whether it has ended does not matter here
		_ = again.Wait()
	})
	lab.Await(t, "the restored redis", patience, answers(address))
	proves(t, address)
}

// proves exports an incident and verifies what it says.
func proves(t *testing.T, redisAddr string) {
	t.Helper()
	config := file(t, "c.yaml", settings+"redis: {url: 'redis://"+redisAddr+"/0'}\n")
	path := filepath.Join(t.TempDir(), "INC-7.json")
	if code, _, errs := bot(t, "", "export", "INC-7", "--config", config, "--format", "json", "--output", path); code != 0 {
		t.Fatal(errs)
	}
	if code, out, errs := bot(t, "", "verify", path); code != 0 || !strings.Contains(out, "1 events") {
		t.Errorf("verify: exit %d %s %s", code, out, errs)
	}
}

func shellIn(t *testing.T, folder, script string, env ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euc", script)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s\n%v\n%s", script, err, out)
	}
}

func freePort(t *testing.T) (address, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // it only found the port
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return l.Addr().String(), port
}

const patience = 20 * time.Second

// aofWritten waits until everything of the copy is in the AOF.
func aofWritten(t *testing.T, address string) func(context.Context) (bool, error) {
	rdb := redis.NewClient(&redis.Options{Addr: address})
	t.Cleanup(func() { _ = rdb.Close() })
	return func(ctx context.Context) (bool, error) {
		info, err := rdb.Info(ctx, "persistence").Result()
		return strings.Contains(info, "aof_enabled:1") && strings.Contains(info, "aof_rewrite_in_progress:0") && strings.Contains(info, "aof_rewrite_scheduled:0") &&
			strings.Contains(info, "aof_last_bgrewrite_status:ok") && !strings.Contains(info, "aof_state:waitrewrite"), err
	}
}

// answers waits for a Redis that has read what it holds.
func answers(address string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		rdb := redis.NewClient(&redis.Options{Addr: address})
		defer func() { _ = rdb.Close() }() // one question
		err := rdb.Ping(ctx).Err()
		return err == nil, err
	}
}
