package app

import (
	"errors"
	"strings"
	"testing"

	"go.uber.org/zap"

	"cdcbot/internal/config"
)

// Each setting that loses what was acknowledged is refused, with the words that say what to set.
func TestUnsafeRedisIsRefused(t *testing.T) {
	s := boot(t, promised...)
	for _, row := range []struct {
		name, key, bad, good string
		accept               []string
		want                 string // empty is well
	}{
		{name: "as promised", key: "appendonly", bad: "yes", good: "yes"},
		{name: "no append-only file", key: "appendonly", bad: "no", good: "yes", want: "set appendonly yes"},
		{name: "no append-only file is never accepted", key: "appendonly", bad: "no", good: "yes", accept: []string{config.RiskFsync, config.RiskReplicas}, want: "snapshots alone lose"},
		{name: "evicts", key: "maxmemory-policy", bad: "allkeys-lru", good: "noeviction", want: "maxmemory-policy is allkeys-lru, and an evicted key is a lost approval; set noeviction"},
		{name: "syncs late", key: "appendfsync", bad: "everysec", good: "always", want: "appendfsync is everysec, and a crash may lose what was acknowledged; set always (or bear it: redis.accept: [appendfsync])"},
		{name: "syncs late, accepted", key: "appendfsync", bad: "everysec", good: "always", accept: []string{config.RiskFsync}},
	} {
		t.Run(row.name, func(t *testing.T) {
			rdb := open(t, config.Redis{URL: "redis://" + s.addr, Accept: row.accept})
			s.do("CONFIG", "SET", row.key, row.bad)
			defer s.do("CONFIG", "SET", row.key, row.good)
			for name, err := range map[string]error{"start": durable(t.Context(), rdb), "readiness": ping(t.Context(), rdb)} {
				if row.want == "" && err != nil {
					t.Errorf("%s: got %v", name, err)
				}
				if row.want != "" && (!errors.Is(err, errNotDurable) || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), s.addr)) {
					t.Errorf("%s: got %v, want %q of %s", name, err, row.want, s.addr)
				}
			}
		})
	}
}

// The bot does not start on what it refuses, and says why; what is accepted or has mended lets it start.
func TestStartOnAnUnsafeRedis(t *testing.T) {
	s := boot(t, promised...)
	start := func(accept ...string) error {
		a := &App{redis: open(t, config.Redis{URL: "redis://" + s.addr, Accept: accept}), log: zap.NewNop()}
		return a.storage(t.Context())
	}
	s.do("CONFIG", "SET", "appendfsync", "everysec")
	if err := start(); !errors.Is(err, errNotDurable) || !strings.Contains(err.Error(), "set always") {
		t.Errorf("everysec: got %v", err)
	}
	if err := start(config.RiskFsync); err != nil {
		t.Errorf("accepted: %v", err)
	}
	s.do("CONFIG", "SET", "appendfsync", "always")
	if err := start(); err != nil {
		t.Errorf("set right: %v", err)
	}
}

// What may mend by itself is waited for, not died of.
func TestWhatMayMendIsWaitedFor(t *testing.T) {
	for _, row := range []struct {
		name       string
		says       facts
		replicated bool
		want       string
	}{
		{"disk full", facts{"aof_last_write_status": "err"}, false, "disk is full"},
		{"snapshot failed", facts{"rdb_last_bgsave_status": "err"}, false, "last snapshot failed"},
		{"loading", facts{"loading": "1"}, false, "still loading"},
		{"cluster down", facts{"cluster_state": "fail", "min_slaves_good_slaves": "1"}, true, "slots have no master"},
		{"no replica", facts{"role": "master", "connected_slaves": "0", "min_slaves_good_slaves": "1"}, true, "no replica is connected"},
		{"replica lags", facts{"role": "master", "connected_slaves": "1", "min_slaves_good_slaves": "0"}, true, "no replica keeps up"},
	} {
		err := judge(map[string]facts{"r:1": row.says}, row.replicated, nil)
		if !errors.Is(err, errRedisPoor) || errors.Is(err, errNotDurable) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		}
	}
}

// Every server of a Cluster is asked, replicas too: one of them may be the master a second later.
func TestEveryServerOfAClusterIsAsked(t *testing.T) {
	t.Parallel()
	n := bootCluster(t, true)
	rdb := open(t, n.config())
	want := "min-replicas-to-write is 0"
	if err := durable(t.Context(), rdb); !errors.Is(err, errNotDurable) || strings.Count(err.Error(), want) != 6 {
		t.Errorf("without min-replicas-to-write: got %v, want %q of six servers", err, want)
	}
	if err := durable(t.Context(), open(t, config.Redis{Cluster: n.config().Cluster, Accept: []string{config.RiskReplicas}})); err != nil {
		t.Errorf("accepted: %v", err)
	}
	for _, s := range append(n.masters[:3:3], n.replicas...) {
		s.do("CONFIG", "SET", "min-replicas-to-write", 1)
	}
	eventually(t, "all is well", func() bool { return ping(t.Context(), rdb) == nil })
	n.replicas[1].do("CONFIG", "SET", "appendonly", "no")
	if err := ping(t.Context(), rdb); !errors.Is(err, errNotDurable) || !strings.Contains(err.Error(), n.replicas[1].addr+": append-only file is off") {
		t.Errorf("a replica without a file: got %v", err)
	}
	n.replicas[1].do("CONFIG", "SET", "appendonly", "yes")
	n.replicas[2].kill()
	eventually(t, "readiness tells of the replica that is gone", func() bool {
		err := ping(t.Context(), rdb)
		return errors.Is(err, errRedisPoor) && strings.Contains(err.Error(), n.masters[2].addr+": no replica is connected")
	})
}

// A Cluster without replicas, and a master without them behind Sentinels, lose all on one disk.
func TestReplicasAreAskedFor(t *testing.T) {
	t.Parallel()
	rdb := open(t, bootCluster(t, false, "--min-replicas-to-write", "0").config())
	if err := durable(t.Context(), rdb); !errors.Is(err, errNotDurable) || strings.Count(err.Error(), "no replica is connected") != 3 {
		t.Errorf("got %v, want each master's complaint", err)
	}
}
