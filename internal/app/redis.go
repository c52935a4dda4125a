package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"cdcbot/internal/config"
)

// errNotDurable: approvals and timelines must survive a restart of Redis.
var errNotDurable = errors.New("redis does not keep what it acknowledges")

// errRedisPoor: Redis would keep what it acknowledges, but something is the matter with it that may mend.
var errRedisPoor = errors.New("redis is not well")

// How long a call goes on while a replica becomes the master: eight tries, 50 ms to 1 s apart. What takes longer fails,
// and is made again by whoever asked: the queue, Alertmanager, a person.
const (
	failoverTries = 8
	failoverFirst = 50 * time.Millisecond
	failoverLast  = time.Second
)

// store is a Redis that the bot opened itself; it knows what of its shape must be promised.
type store struct {
	redis.UniversalClient
	replicated bool // Sentinel or Cluster: another server takes over, so it must have what was acknowledged
	accept     []string
	mute       atomic.Bool // CONFIG is forbidden; asking again would only fill the ACL's log
}

// Clients do not tell Redis their library (DisableIdentity): Redis before 7.2 does not know the command, and an ACL would
// have to allow it for nothing.

// openRedis connects to one server, to the master that Sentinels name, or to a Cluster. Nothing is dialled yet.
func openRedis(c config.Redis) (redis.UniversalClient, error) {
	secure, err := certificates(c)
	if err != nil {
		return nil, err
	}
	s := &store{accept: c.Accept, replicated: true}
	switch {
	case len(c.Cluster.Addresses) > 0:
		s.UniversalClient = toCluster(c, secure)
	case len(c.Sentinel.Addresses) > 0:
		s.UniversalClient = toMaster(c, secure)
	default:
		s.replicated = false
		s.UniversalClient, err = toServer(c, secure)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func toServer(c config.Redis, secure *tls.Config) (redis.UniversalClient, error) {
	options, err := redis.ParseURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("redis.url: %w", err)
	}
	options.Username = cmp.Or(c.Username, options.Username)
	options.Password = cmp.Or(c.Password, options.Password)
	if secure != nil {
		if options.TLSConfig != nil {
			secure.ServerName, secure.InsecureSkipVerify = options.TLSConfig.ServerName, options.TLSConfig.InsecureSkipVerify
		}
		options.TLSConfig = secure
	}
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(options), nil
}

func toMaster(c config.Redis, secure *tls.Config) redis.UniversalClient {
	return redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: c.Sentinel.Master, SentinelAddrs: c.Sentinel.Addresses, SentinelUsername: c.Sentinel.Username, SentinelPassword: c.Sentinel.Password,
		DB: c.Sentinel.Database, Username: c.Username, Password: c.Password, TLSConfig: secure, DisableIdentity: true,
		MaxRetries: failoverTries, MinRetryBackoff: failoverFirst, MaxRetryBackoff: failoverLast,
	})
}

// toCluster asks every second who has which slots: by itself the client asks once a minute, and until then goes on
// calling a master that is dead.
func toCluster(c config.Redis, secure *tls.Config) redis.UniversalClient {
	return redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: c.Cluster.Addresses, Username: c.Username, Password: c.Password, TLSConfig: secure, DisableIdentity: true,
		MaxRedirects: failoverTries, MinRetryBackoff: failoverFirst, MaxRetryBackoff: failoverLast, ClusterStateReloadInterval: time.Second,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// certificates is how servers prove who they are, and how the bot does; nil is a connection in the clear.
func certificates(c config.Redis) (*tls.Config, error) {
	if !c.Secure() {
		return nil, nil
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(filepath.Clean(c.CAFile))
		if err != nil {
			return nil, fmt.Errorf("redis.ca_file: %w", err)
		}
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("redis.ca_file %s: no certificate in it; expected PEM", c.CAFile)
		}
	}
	if c.CertFile != "" {
		own, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("redis.cert_file %s with redis.key_file %s: %w", c.CertFile, c.KeyFile, err)
		}
		secure.Certificates = []tls.Certificate{own}
	}
	return secure, nil
}

// facts are what one server says of itself: INFO, and of a Cluster CLUSTER INFO.
type facts map[string]string

// promise is something that a server must hold to. Passing ones may mend without anybody setting anything.
type promise struct {
	passing bool
	risk    string // under which redis.accept bears it; empty is never accepted
	broken  func(f facts, replicated bool) bool
	words   func(f facts) string
}

func always(text string) func(facts) string { return func(facts) string { return text } }

func is(key, value string) func(facts, bool) bool {
	return func(f facts, _ bool) bool { return f[key] == value }
}

// promises in the order in which they are told.
var promises = []promise{
	{broken: is("aof_enabled", "0"), words: always("append-only file is off, and snapshots alone lose what came after the last one; set appendonly yes")},
	{broken: func(f facts, _ bool) bool { p := f["maxmemory_policy"]; return p != "" && p != "noeviction" },
		words: func(f facts) string {
			return "maxmemory-policy is " + f["maxmemory_policy"] + ", and an evicted key is a lost approval; set noeviction"
		}},
	{risk: config.RiskFsync, broken: func(f facts, _ bool) bool { s := f["appendfsync"]; return s != "" && s != "always" },
		words: func(f facts) string {
			return "appendfsync is " + f["appendfsync"] + ", and a crash may lose what was acknowledged; set always"
		}},
	{risk: config.RiskReplicas, broken: func(f facts, replicated bool) bool {
		_, told := f["min_slaves_good_slaves"] // which INFO tells only when it is set
		return !told && (replicated || f["connected_slaves"] != "0" && f["connected_slaves"] != "")
	}, words: always("min-replicas-to-write is 0, and a failover may lose what was acknowledged; set min-replicas-to-write 1")},
	{passing: true, risk: config.RiskReplicas, broken: func(f facts, replicated bool) bool {
		return replicated && f["role"] == "master" && f["connected_slaves"] == "0"
	}, words: always("no replica is connected, so nobody can take over; start one")},
	{passing: true, broken: func(f facts, _ bool) bool { return f["min_slaves_good_slaves"] == "0" && f["role"] == "master" },
		words: always("no replica keeps up, so that it refuses every write (min-replicas-to-write); start one, or see why it lags")},
	{passing: true, broken: is("aof_last_write_status", "err"), words: always("the append-only file cannot be written, so that it refuses every write; see whether its disk is full")},
	{passing: true, broken: is("rdb_last_bgsave_status", "err"), words: always("the last snapshot failed, and it may refuse every write (stop-writes-on-bgsave-error); see its log, and whether disk or memory is full")},
	{passing: true, broken: is("loading", "1"), words: always("it is still loading its data; wait")},
	{passing: true, broken: is("cluster_state", "fail"), words: always("the Cluster is down, because some slots have no master; see CLUSTER NODES")},
}

// durable refuses a Redis that may lose what it acknowledged: each server of it without an append-only file, or that may
// evict keys, or is alone where others should take over. What may mend by itself is another error, which is waited for.
func durable(ctx context.Context, rdb redis.UniversalClient) error {
	s, ok := rdb.(*store)
	if !ok {
		s = &store{UniversalClient: rdb}
	}
	list, err := s.ask(ctx)
	if err != nil {
		return fmt.Errorf("asking redis how it persists: %w", err)
	}
	return judge(list, s.replicated, s.accept)
}

// judge holds every server to the promises and tells all that are broken, by server.
func judge(list map[string]facts, replicated bool, accept []string) error {
	var lasting, passing []string
	for _, server := range slices.Sorted(maps.Keys(list)) {
		for _, p := range promises {
			if !p.broken(list[server], replicated) || slices.Contains(accept, p.risk) {
				continue
			}
			text := server + ": " + p.words(list[server]) + p.way()
			if p.passing {
				passing = append(passing, text)
				continue
			}
			lasting = append(lasting, text)
		}
	}
	if len(lasting) > 0 {
		return fmt.Errorf("%w: %s", errNotDurable, strings.Join(append(lasting, passing...), "; "))
	}
	if len(passing) > 0 {
		return fmt.Errorf("%w: %s", errRedisPoor, strings.Join(passing, "; "))
	}
	return nil
}

// way is how else than by setting it right one may go on.
func (p promise) way() string {
	if p.risk == "" {
		return ""
	}
	return " (or bear it: redis.accept: [" + p.risk + "])"
}

// ask gathers what every server says. A replica that gives no answer is passed over: its master tells whether it has one.
func (s *store) ask(ctx context.Context) (map[string]facts, error) {
	list, mu := map[string]facts{}, sync.Mutex{}
	look := func(ctx context.Context, server *redis.Client) error {
		f, err := s.facts(ctx, server)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		list[cmp.Or(server.Options().Addr, "redis")] = f
		return nil
	}
	switch c := s.UniversalClient.(type) {
	case *redis.ClusterClient:
		err := c.ForEachMaster(ctx, look)
		if err == nil {
			_ = c.ForEachSlave(ctx, look)
		}
		return list, err
	case *redis.Client:
		return list, look(ctx, c)
	}
	return nil, fmt.Errorf("client %T: expected one server, Sentinels or a Cluster", s.UniversalClient)
}

// facts asks INFO, which managed services allow, and CONFIG for the one thing that INFO does not tell.
func (s *store) facts(ctx context.Context, server *redis.Client) (facts, error) {
	info, err := server.Info(ctx).Result()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", server.Options().Addr, err)
	}
	f := parseInfo(info)
	if !s.mute.Load() {
		settings, err := server.ConfigGet(ctx, "appendfsync").Result()
		var refused redis.Error
		s.mute.Store(errors.As(err, &refused))
		f["appendfsync"] = settings["appendfsync"]
	}
	if f["cluster_enabled"] != "1" {
		return f, nil
	}
	state, err := server.ClusterInfo(ctx).Result()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", server.Options().Addr, err)
	}
	maps.Copy(f, parseInfo(state))
	return f, nil
}

func parseInfo(text string) facts {
	f := facts{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			f[key] = value
		}
	}
	return f
}

// ping says whether Redis answers and, of one that the bot opened itself, what has become unsafe since the start: a
// failover may have made a master of a server that keeps nothing.
func ping(ctx context.Context, rdb redis.UniversalClient) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := rdb.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis does not answer: %w", err)
	}
	if _, own := rdb.(*store); own {
		return durable(ctx, rdb)
	}
	return nil
}
