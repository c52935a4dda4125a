package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"cdcbot/internal/action"
	"cdcbot/internal/breaker"
	"cdcbot/internal/config"
	"cdcbot/internal/connect"
	"cdcbot/internal/seal"
	"cdcbot/internal/secrets"
	"cdcbot/internal/target/alertmanager"
	"cdcbot/internal/target/cassandra"
	"cdcbot/internal/target/dlq"
	"cdcbot/internal/target/kafka"
	"cdcbot/internal/target/page"
	"cdcbot/internal/target/postgres"
	"cdcbot/internal/target/vault"
	"cdcbot/internal/target/web"
	workloads "cdcbot/internal/target/workload"
)

// world implements action.World with the clients of one pipeline: an action reaches them and no others. What is not
// configured is an error of the embedded Nothing, which names the key to set.
type world struct {
	action.Nothing
	clusters  map[string]*connect.Client // by the names that targets resolve to; "" is the pipeline's own
	postgres  action.Postgres
	cassandra action.Cassandra
	vault     action.Vault
	http      map[string]action.HTTP
	dlq       action.DLQ
	kafka     action.Kafka
	services  map[string]action.WorkloadClient
	pager     action.Pager
	keeper    action.Keeper
	operators *workloads.Connectors                            // connectors that Kubernetes keeps; nil when no service runs there
	probes    map[string]func(context.Context) (string, error) // by the names that a diagnosis and guards use
	around    around
	closers   []func()
}

// Connect implements action.World.
func (w *world) Connect(name string) (action.Connect, error) {
	if c, ok := w.clusters[name]; ok {
		return c, nil
	}
	return w.Nothing.Connect(name)
}

// Postgres implements action.World.
func (w *world) Postgres() (action.Postgres, error) {
	if w.postgres == nil {
		return w.Nothing.Postgres()
	}
	return w.postgres, nil
}

// Cassandra implements action.World.
func (w *world) Cassandra() (action.Cassandra, error) {
	if w.cassandra == nil {
		return w.Nothing.Cassandra()
	}
	return w.cassandra, nil
}

// Vault implements action.World.
func (w *world) Vault() (action.Vault, error) {
	if w.vault == nil {
		return w.Nothing.Vault()
	}
	return w.vault, nil
}

// HTTP implements action.World.
func (w *world) HTTP(system string) (action.HTTP, error) {
	if h, ok := w.http[system]; ok {
		return h, nil
	}
	return w.Nothing.HTTP(system)
}

// DLQ implements action.World.
func (w *world) DLQ() (action.DLQ, error) {
	if w.dlq == nil {
		return w.Nothing.DLQ()
	}
	return w.dlq, nil
}

// Kafka implements action.World.
func (w *world) Kafka() (action.Kafka, error) {
	if w.kafka == nil {
		return w.Nothing.Kafka()
	}
	return w.kafka, nil
}

// Workload implements action.World.
func (w *world) Workload(service string) (action.WorkloadClient, error) {
	if s, ok := w.services[service]; ok {
		return stirring{s, func() { w.around.breakers.Forgive(w.Pipeline + "/") }}, nil
	}
	return w.Nothing.Workload(service)
}

// stirring is a service of which an action may restart something: what was away before is worth a question then, or the
// plan's next step would meet a breaker that stands for the time before.
type stirring struct {
	action.WorkloadClient
	done func()
}

// Restart implements action.WorkloadClient.
func (s stirring) Restart(ctx context.Context) error {
	defer s.done()
	return s.WorkloadClient.Restart(ctx)
}

// Start implements action.WorkloadClient.
func (s stirring) Start(ctx context.Context) error {
	defer s.done()
	return s.WorkloadClient.Start(ctx)
}

// Services implements action.World.
func (w *world) Services() []string { return slices.Sorted(maps.Keys(w.services)) }

// Pager implements action.World.
func (w *world) Pager() (action.Pager, error) {
	if w.pager == nil {
		return w.Nothing.Pager()
	}
	return w.pager, nil
}

// Keeper implements action.World.
func (w *world) Keeper() (action.Keeper, error) {
	if w.keeper == nil {
		return w.Nothing.Keeper()
	}
	return w.keeper, nil
}

func (w *world) close() {
	for _, end := range w.closers {
		end()
	}
}

// keepFor is how long what a half-done action saved stays: long enough for somebody to come back to it.
const keepFor = 7 * 24 * time.Hour

// keeper implements action.Keeper on Redis; what it keeps is sealed.
type keeper struct {
	redis    redis.UniversalClient
	seal     *seal.Ring
	pipeline string
}

func (k keeper) key(name string) string { return "cdcbot:kept:" + k.pipeline + ":" + name }

// Keep implements action.Keeper.
func (k keeper) Keep(ctx context.Context, name string, value []byte) error {
	if err := k.redis.Set(ctx, k.key(name), k.seal.Close(k.key(name), value), keepFor).Err(); err != nil {
		return fmt.Errorf("keeping %s: %w", name, err)
	}
	return nil
}

// Kept implements action.Keeper.
func (k keeper) Kept(ctx context.Context, name string) ([]byte, error) {
	value, err := k.redis.Get(ctx, k.key(name)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what was kept of %s: %w", name, err)
	}
	if value, err = k.seal.Open(k.key(name), value); err != nil { // what is kept becomes a connector's configuration
		return nil, fmt.Errorf("what was kept of %s: %w", name, err)
	}
	return value, nil
}

// around is what stands between the bot and all systems: who lets it pass, and who knows its secrets.
type around struct {
	breakers *breaker.Set   // nil guards nothing
	secrets  *secrets.Vault // nil when the configuration has all of them
}

// openWorld makes the clients of a pipeline; it does not connect. rdb is where half-done work is kept; nil keeps nothing.
func openWorld(c *config.Config, name string, rdb redis.UniversalClient, ring *seal.Ring, a around) (*world, error) {
	p := c.Pipelines[name]
	w := &world{Nothing: action.Nothing{Pipeline: name}, around: a, clusters: map[string]*connect.Client{}, http: map[string]action.HTTP{}, services: map[string]action.WorkloadClient{}, probes: map[string]func(context.Context) (string, error){}}
	own, err := connect.New(connect.Options{Cluster: name, URL: p.Connect.URL, Username: p.Connect.Username, Password: p.Connect.Password, Token: p.Connect.Token, CAFile: p.Connect.CAFile, Timeout: p.Connect.Timeout, Wrap: w.guard("connect").Transport})
	if err != nil {
		return nil, err
	}
	w.clusters[""], w.clusters[name] = own, own
	if rdb != nil {
		w.keeper = keeper{rdb, ring, name}
	}
	for _, part := range []struct {
		key  string
		open func(*config.Config, config.Pipeline) error
	}{{"failover.connect", w.openBackup}, {"postgres", w.openPostgres}, {"cassandra", w.openCassandra}, {"vault", w.openVault}, {"http", w.openHTTP}, {"page", w.openPager}, {"kafka", w.openKafka}, {"cdc_api", w.openDLQ}, {"services", w.openServices}} {
		if err := part.open(c, p); err != nil {
			w.close()
			return nil, fmt.Errorf("%s: %w", part.key, err)
		}
	}
	return w, nil
}

// guard is the breaker of one of the pipeline's systems. Clients that ask the same system share it.
func (w *world) guard(system string) guarded {
	return w.around.guard(w.Pipeline + "/" + system)
}

func (w *world) openPostgres(c *config.Config, p config.Pipeline) error {
	if p.Postgres.URL == "" {
		return nil
	}
	client, err := postgres.New(postgres.Options{URL: p.Postgres.URL, Username: p.Postgres.Username, Password: p.Postgres.Password, Timeout: lookTimeout, Login: w.around.login(c, "pipelines."+w.Pipeline+".postgres", p.Postgres.Username, p.Postgres.Password), Dial: w.guard("postgres").Dial(direct)})
	if err == nil {
		w.postgres = client // its probe is the sink database's own (cluster.go)
	}
	return err
}

// direct opens a connection without a guard.
func direct(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// lookTimeout bounds one look of an action at a system; probes of a diagnosis have deadlines of their own.
const lookTimeout = 15 * time.Second

func (w *world) openCassandra(c *config.Config, p config.Pipeline) error {
	o := p.Cassandra
	if len(o.Hosts) == 0 {
		return nil
	}
	client, err := cassandra.New(cassandra.Options{Hosts: o.Hosts, Username: o.Username, Password: o.Password, CAFile: o.CAFile, Datacenter: o.Datacenter, Timeout: lookTimeout, Login: w.around.login(c, "pipelines."+w.Pipeline+".cassandra", o.Username, o.Password), Dial: w.guard("cassandra").Dial(direct)})
	if err == nil {
		w.cassandra, w.probes["cassandra"] = client, client.Probe
	}
	return err
}

func (w *world) openVault(_ *config.Config, p config.Pipeline) error {
	o := p.Vault
	if o.URL == "" {
		return nil
	}
	client, err := vault.New(vault.Options{URL: o.URL, Token: o.Token, RoleID: o.RoleID, SecretID: o.SecretID, Namespace: o.Namespace, CAFile: o.CAFile, Timeout: lookTimeout, Wrap: w.guard("vault").Transport})
	if err == nil {
		w.vault, w.probes["vault"] = client, client.Probe
	}
	return err
}

// openHTTP makes a client for every system that is asked by GET. Vault's health needs no token.
func (w *world) openHTTP(_ *config.Config, p config.Pipeline) error {
	systems := map[string]config.System{
		"registry": p.Registry, "prometheus": p.Prometheus, "vault": {URL: p.Vault.URL, CAFile: p.Vault.CAFile},
		"cdc-api": {URL: p.CDCAPI.URL, Username: p.CDCAPI.Username, Password: p.CDCAPI.Password, Token: p.CDCAPI.Token, CAFile: p.CDCAPI.CAFile},
		"connect": {URL: p.Connect.URL, Username: p.Connect.Username, Password: p.Connect.Password, Token: p.Connect.Token, CAFile: p.Connect.CAFile},
	}
	maps.Copy(systems, p.HTTP)
	for name, s := range systems {
		if s.URL == "" {
			continue
		}
		client, err := web.New(web.Options{Name: name, URL: s.URL, Username: s.Username, Password: s.Password, Token: s.Token, CAFile: s.CAFile, Timeout: lookTimeout, Wrap: w.guard(name).Transport})
		if err != nil {
			return err
		}
		w.http[name] = client
		if name == "cdc-api" && p.CDCAPI.Prefix != "" {
			w.http[name] = prefixed{client, strings.TrimRight(p.CDCAPI.Prefix, "/")}
		}
		if path, ok := healthPaths[name]; ok {
			w.probes[name] = client.Probe(path, nil)
		}
	}
	return nil
}

// prefixed is a CDC API that is served under a prefix which a runbook may leave out.
type prefixed struct {
	action.HTTP
	prefix string
}

// Get implements action.HTTP.
func (h prefixed) Get(ctx context.Context, path string) (int, []byte, error) {
	if strings.HasPrefix(path, "/dlq/") {
		path = h.prefix + path
	}
	return h.HTTP.Get(ctx, path)
}

// healthPaths are what a diagnosis asks of systems over HTTP; Connect and Vault have probes of their own.
var healthPaths = map[string]string{"registry": "/subjects", "prometheus": "/-/ready", "cdc-api": "/health"}

func (w *world) openPager(c *config.Config, _ config.Pipeline) error {
	if !c.Page.Enabled() {
		return nil
	}
	pager, err := page.New(page.Options{RoutingKey: c.Page.PagerDutyKey, URL: c.Page.PagerDutyURL, Webhook: c.Page.URL, Token: c.Page.Token})
	if err == nil {
		w.pager = pager
	}
	return err
}

func (w *world) openBackup(_ *config.Config, p config.Pipeline) error {
	f := p.Failover.Connect
	if f.URL == "" {
		return nil
	}
	name := backup(w.Pipeline)
	there, err := connect.New(connect.Options{Cluster: name, URL: f.URL, Username: f.Username, Password: f.Password, Token: f.Token, CAFile: f.CAFile, Timeout: p.Connect.Timeout, Wrap: w.guard("failover").Transport})
	w.clusters[name] = there
	return err
}

func (w *world) openKafka(c *config.Config, p config.Pipeline) error {
	o := p.Kafka
	if len(o.Brokers) == 0 {
		return nil
	}
	client, err := kafka.New(kafka.Options{Brokers: o.Brokers, TLS: o.TLS, CAFile: o.CAFile, Mechanism: o.Mechanism, Username: o.Username, Password: o.Password, Timeout: lookTimeout, Login: w.around.login(c, "pipelines."+w.Pipeline+".kafka", o.Username, o.Password), Guard: w.guard("kafka").Do})
	if err == nil {
		w.kafka, w.probes["kafka"] = client, client.Probe
	}
	return err
}

func (w *world) openDLQ(_ *config.Config, p config.Pipeline) error {
	o := p.CDCAPI
	if o.URL == "" {
		return nil
	}
	client, err := dlq.New(dlq.Options{URL: o.URL, Prefix: o.Prefix, Username: o.Username, Password: o.Password, Token: o.Token, CAFile: o.CAFile, Timeout: lookTimeout, Wrap: w.guard("cdc-api").Transport})
	if err == nil {
		w.dlq = client
	}
	return err
}

// openServices makes one client for each engine that services name, and none for others.
func (w *world) openServices(c *config.Config, p config.Pipeline) error {
	var docker *workloads.Docker
	var cluster *workloads.Kubernetes
	var err error
	for name, s := range p.Services {
		called := workload(name, s)
		if s.Kind != "kubernetes" {
			if docker == nil {
				if docker, err = workloads.NewDocker(c.Docker.Host, w.around.breakers.Of("docker").Dial); err != nil {
					return err
				}
				engine := docker
				w.closers = append(w.closers, func() { _ = engine.Close() }) // idle connections
			}
			w.services[name] = docker.Service(called)
			continue
		}
		if cluster == nil {
			where := workloads.KubernetesOptions{Kubeconfig: c.Kubernetes.Kubeconfig, Context: c.Kubernetes.Context, Namespace: c.Kubernetes.Namespace, Wrap: w.around.guard("kubernetes").Transport}
			if cluster, err = workloads.NewKubernetes(where); err != nil {
				return err
			}
			if w.operators, err = workloads.NewConnectors(where); err != nil {
				return err
			}
		}
		if w.services[name], err = cluster.Workload(called); err != nil {
			return fmt.Errorf("%s.name: %w", name, err)
		}
	}
	return nil
}

// replace puts simulated clients in the place of real ones.
func (w *world) replace(s *Systems) {
	w.postgres, w.cassandra, w.vault, w.dlq, w.kafka, w.pager = s.Postgres, s.Cassandra, s.Vault, s.DLQ, s.Kafka, s.Pager
	maps.Copy(w.http, s.HTTP)
	maps.Copy(w.services, s.Services)
	if s.Probes != nil {
		w.probes = s.Probes
	}
}

// openAlertmanager is nil when none is configured. Its label for connectors is the one that the webhook reads.
func openAlertmanager(c *config.Config, breakers *breaker.Set) (*alertmanager.Client, error) {
	o := c.Silences
	if o.URL == "" {
		return nil, nil
	}
	return alertmanager.New(alertmanager.Options{Connector: c.Alerts.Labels.Connector,
		Web: web.Options{URL: o.URL, Username: o.Username, Password: o.Password, Token: o.Token, CAFile: o.CAFile, Timeout: lookTimeout, Wrap: breakers.Of("alertmanager").Transport}})
}
