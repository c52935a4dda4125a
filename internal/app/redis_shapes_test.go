package app

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cdcbot/internal/config"
	"cdcbot/internal/lab"
)

// patience is how long a test waits for what real servers do.
const patience = 45 * time.Second

// server is a real redis-server of a test, or a Sentinel.
type server struct {
	t    *testing.T
	addr string
	dir  string
	args []string
	cmd  *exec.Cmd
	own  *redis.Client // the test's own, past the bot
}

// promised are the settings under which Redis keeps what it acknowledges.
var promised = []string{"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"}

// boot starts a redis-server with more settings; it ends with the test.
func boot(t *testing.T, more ...string) *server {
	t.Helper()
	s := &server{t: t, addr: free(t), dir: t.TempDir(), args: more}
	t.Cleanup(s.kill)
	s.start()
	return s
}

func (s *server) start() {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.addr)
	args := append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", s.dir, "--logfile", filepath.Join(s.dir, "log"), "--daemonize", "no"}, s.args...)
	s.cmd = exec.Command(lab.Program(s.t, "redis-server", "redis-server"), args...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	s.run()
}

func (s *server) run() {
	s.t.Helper()
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	if s.own == nil {
		s.own = redis.NewClient(&redis.Options{Addr: s.addr, MaxRetries: -1, DialTimeout: time.Second})
		s.t.Cleanup(func() { _ = s.own.Close() })
	}
	eventually(s.t, "redis on "+s.addr+" answers", func() bool {
		err := s.own.Ping(context.Background()).Err()
		return err == nil || redis.HasErrorPrefix(err, "NOAUTH")
	})
}

// kill ends a server as a crash does. Ended already is fine.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGCONT)             // should it be stopped
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // with the child that may be rewriting its file
	_ = s.cmd.Wait()
	s.cmd = nil
}

func (s *server) signal(what syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(what); err != nil {
		s.t.Fatal(err)
	}
}

// do runs one command and insists that it works.
func (s *server) do(args ...any) any {
	s.t.Helper()
	answer, err := s.own.Do(context.Background(), args...).Result()
	if err != nil {
		s.t.Fatalf("%v on %s: %v", args, s.addr, err)
	}
	return answer
}

func (s *server) info(key string) string {
	return parseInfo(s.own.Info(context.Background()).Val())[key]
}

// free finds a port of loopback that nobody has, and nobody the one 10000 above, where a Cluster's node has its bus.
func free(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		bus, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", l.Addr().(*net.TCPAddr).Port+10000))
		if err == nil {
			_ = bus.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port with a free one 10000 above")
	return ""
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("%s: not within %s", what, patience)
		case <-tick.C:
		}
	}
}

// nodes is a real Redis Cluster: three masters, each with one replica when asked for.
type nodes struct {
	masters, replicas []*server
}

func bootCluster(t *testing.T, replicated bool, more ...string) *nodes {
	t.Helper()
	n := &nodes{}
	settings := append([]string{"--cluster-enabled", "yes", "--cluster-node-timeout", "1500", "--cluster-replica-validity-factor", "0"}, append(promised, more...)...)
	for range 3 {
		n.masters = append(n.masters, boot(t, settings...))
		if replicated {
			n.replicas = append(n.replicas, boot(t, settings...))
		}
	}
	host, port, _ := net.SplitHostPort(n.masters[0].addr)
	for i, m := range n.masters {
		m.do("CLUSTER", "ADDSLOTSRANGE", i*16384/3, (i+1)*16384/3-1)
		m.do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
	}
	for _, s := range append(n.masters[1:len(n.masters):len(n.masters)], n.replicas...) {
		s.do("CLUSTER", "MEET", host, port)
	}
	for i, r := range n.replicas {
		id := n.masters[i].do("CLUSTER", "MYID").(string)
		eventually(t, "replica knows its master", func() bool { return r.own.Do(context.Background(), "CLUSTER", "REPLICATE", id).Err() == nil })
	}
	for _, s := range append(n.masters[:len(n.masters):len(n.masters)], n.replicas...) {
		eventually(t, s.addr+" sees the whole Cluster", func() bool {
			state := s.own.ClusterInfo(context.Background()).Val()
			return strings.Contains(state, "cluster_state:ok") && strings.Contains(state, fmt.Sprintf("cluster_known_nodes:%d", len(n.masters)+len(n.replicas)))
		})
	}
	for _, s := range append(n.masters[:len(n.masters):len(n.masters)], n.replicas...) {
		eventually(t, s.addr+" knows who has which slots", func() bool { return places(s) == len(n.masters)+len(n.replicas) })
	}
	for i := range n.replicas {
		eventually(t, "replica keeps up", func() bool { return n.replicas[i].info("master_link_status") == "up" })
	}
	return n
}

// places counts the servers that a node names for the slots.
func places(s *server) (count int) {
	slots, err := s.own.ClusterSlots(context.Background()).Result()
	if err != nil {
		return 0
	}
	for _, slot := range slots {
		count += len(slot.Nodes)
	}
	return count
}

func (n *nodes) config() config.Redis {
	return config.Redis{Cluster: config.Cluster{Addresses: []string{n.masters[0].addr, n.masters[1].addr}}}
}

// trio is a master with two replicas, watched by three Sentinels: with min-replicas-to-write 1, one of the three may go.
type trio struct {
	master              *server
	replicas, sentinels []*server
}

const masterName = "cdc"

func bootTrio(t *testing.T, more ...string) *trio {
	t.Helper()
	settings := append(append([]string{}, promised...), more...)
	s := &trio{master: boot(t, settings...), replicas: []*server{boot(t, settings...), boot(t, settings...)}}
	host, port, _ := net.SplitHostPort(s.master.addr)
	for _, r := range s.replicas {
		r.do("REPLICAOF", host, port)
		eventually(t, "replica keeps up", func() bool { return r.info("master_link_status") == "up" })
	}
	for range 3 {
		s.sentinels = append(s.sentinels, bootSentinel(t, host, port))
	}
	for _, each := range s.sentinels {
		eventually(t, "sentinels know each other and the replicas", func() bool {
			known := redis.NewMapStringStringCmd(context.Background(), "SENTINEL", "MASTER", masterName)
			err := each.own.Process(context.Background(), known)
			return err == nil && known.Val()["num-other-sentinels"] == "2" && known.Val()["num-slaves"] == "2"
		})
	}
	return s
}

func bootSentinel(t *testing.T, host, port string) *server {
	t.Helper()
	s := &server{t: t, addr: free(t), dir: t.TempDir()}
	_, own, _ := net.SplitHostPort(s.addr)
	file := filepath.Join(s.dir, "sentinel.conf")
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nlogfile %s/log\nsentinel monitor %s %s %s 2\nsentinel down-after-milliseconds %s 1000\nsentinel failover-timeout %s 5000\n", own, s.dir, s.dir, masterName, host, port, masterName, masterName)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command(lab.Program(t, "redis-server", "redis-server"), file, "--sentinel")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	t.Cleanup(s.kill)
	s.run()
	return s
}

// promoted is the replica that has become the master.
func (s *trio) promoted() *server {
	s.master.t.Helper()
	var next *server
	eventually(s.master.t, "a replica is the master", func() bool {
		for _, r := range s.replicas {
			if r.info("role") == "master" {
				next = r
			}
		}
		return next != nil
	})
	return next
}

func (s *trio) config() config.Redis {
	c := config.Redis{Sentinel: config.Sentinel{Master: masterName}}
	for _, each := range s.sentinels {
		c.Sentinel.Addresses = append(c.Sentinel.Addresses, each.addr)
	}
	return c
}

// open is the bot's own client of a shape.
func open(t *testing.T, c config.Redis) redis.UniversalClient {
	t.Helper()
	rdb, err := openRedis(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}
