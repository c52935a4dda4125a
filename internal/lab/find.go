package lab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// Part is a component of the lab, named as lab/up.sh and lab/down.sh name it.
type Part string

// The parts. SharedRedis is named so because Redis(tb) gives a test one of its own.
const (
	Connect       Part = "connect1"
	SecondConnect Part = "connect2" // not started by a plain up.sh
	Registry      Part = "registry"
	Kafka         Part = "kafka"
	Postgres      Part = "postgres"
	Prometheus    Part = "prometheus"
	Alertmanager  Part = "alertmanager"
	SharedRedis   Part = "redis"
	Cassandra     Part = "cassandra"
	CDCConnect    Part = "connect3" // the worker with the Cassandra source
	Vault         Part = "vault"
	Docker        Part = "docker"
	CDCAPI        Part = "cdcapi"
	Kubernetes    Part = "kubernetes"
)

// probes ask each part whether it works.
var probes = map[Part]struct {
	at  func(Services) string
	ask func(ctx context.Context, at string) error
}{
	Connect:       {func(s Services) string { return s.Connect + "/health" }, askHTTP},
	SecondConnect: {func(s Services) string { return nextPort(s.Connect) + "/health" }, askHTTP},
	Registry:      {func(s Services) string { return s.Registry + "/subjects" }, askHTTP},
	Kafka:         {func(s Services) string { return s.Kafka }, askTCP},
	Postgres:      {func(s Services) string { return s.Postgres }, askPostgres},
	Prometheus:    {func(s Services) string { return s.Prometheus + "/-/ready" }, askHTTP},
	Alertmanager:  {func(s Services) string { return s.Alertmanager + "/-/ready" }, askHTTP},
	SharedRedis:   {func(s Services) string { return s.Redis }, askRedis},
	Cassandra:     {func(s Services) string { return s.Cassandra }, askTCP},
	CDCConnect:    {func(s Services) string { return s.CDCConnect + "/health" }, askHTTP},
	Vault:         {func(s Services) string { return s.Vault + "/v1/sys/health" }, askHTTP},
	Docker:        {func(s Services) string { return s.Docker }, askSocket},
	CDCAPI:        {func(s Services) string { return s.CDCAPI + "/health" }, askHTTP},
	Kubernetes:    {func(s Services) string { return s.Kubernetes }, askTCP},
}

// Find says where the parts are without asking them: by the environment (CDCBOT_LAB_CONNECT and so on), then by the
// file that up.sh leaves in the lab's folder, then by the default ports.
func Find() Services {
	settings := readSettings(filepath.Join(home(), "run", "env"))
	at := func(name, otherwise string) string {
		if v := os.Getenv("CDCBOT_LAB_" + name); v != "" {
			return v
		}
		if v := settings["CDCBOT_LAB_"+name]; v != "" {
			return v
		}
		return otherwise
	}
	return Services{
		Connect:      at("CONNECT", "http://127.0.0.1:18083"),
		Metrics:      at("METRICS", "http://127.0.0.1:18090/metrics"),
		Registry:     at("REGISTRY", "http://127.0.0.1:18081/apis/ccompat/v7"),
		Kafka:        at("KAFKA", "127.0.0.1:18092"),
		Postgres:     at("POSTGRES", "postgres://admin:admin@127.0.0.1:18432/warehouse"),
		PostgresRoot: at("POSTGRES_ROOT", "postgres://postgres@127.0.0.1:18432/warehouse"),
		Prometheus:   at("PROMETHEUS", "http://127.0.0.1:18490"),
		Alertmanager: at("ALERTMANAGER", "http://127.0.0.1:18491"),
		Redis:        at("REDIS", "redis://127.0.0.1:18379/0"),
		BotURL:       at("BOT_URL", "http://127.0.0.1:18492/alerts"),
		OrdersFile:   at("ORDERS_FILE", filepath.Join(home(), "run", "orders.txt")),
		Cassandra:    at("CASSANDRA", "127.0.0.1:18042"),
		CDCConnect:   at("CONNECT3", "http://127.0.0.1:18183"),
		Vault:        at("VAULT", "http://127.0.0.1:18200"),
		VaultToken:   readToken(at("VAULT_TOKEN_FILE", filepath.Join(home(), "run", "vault-token"))),
		Docker:       at("DOCKER", "unix://"+filepath.Join(home(), "run", "docker.sock")),
		CDCAPI:       at("CDCAPI", "http://127.0.0.1:18180"),
		Kubernetes:   at("KUBERNETES", "127.0.0.1:18443"),
		Kubeconfig:   at("KUBECONFIG", filepath.Join(home(), "run", "kubeconfig")),
		WebhookToken: readToken(at("WEBHOOK_TOKEN_FILE", filepath.Join(home(), "run", "webhook-token"))),
	}
}

// home is the folder that lab/env.sh calls LAB_HOME.
func home() string {
	if dir := os.Getenv("CDCBOT_LAB_HOME"); dir != "" {
		return dir
	}
	return filepath.Join(root(), ".lab")
}

// root is the folder of go.mod above the test, which runs in its package's folder.
func root() string {
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	for up := dir; ; up = filepath.Dir(up) {
		if _, err := os.Stat(filepath.Join(up, "go.mod")); err == nil {
			return up
		}
		if up == filepath.Dir(up) {
			return dir
		}
	}
}

// readSettings reads lines NAME=value. No file means no settings: the lab may have been started by other means.
func readSettings(file string) map[string]string {
	settings := map[string]string{}
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return settings
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			settings[name] = value
		}
	}
	return settings
}

func readToken(file string) string {
	token, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(token))
}

// absent lists the parts that do not answer, each with where it was looked for and why not.
func absent(ctx context.Context, s Services, parts []Part) []string {
	var missing []string
	for _, part := range parts {
		probe, known := probes[part]
		if !known {
			missing = append(missing, fmt.Sprintf("%q is no part of the lab", part))
			continue
		}
		if err := ask(ctx, probe.ask, probe.at(s)); err != nil {
			missing = append(missing, fmt.Sprintf("%s does not answer: %v", part, err))
		}
	}
	return missing
}

func ask(ctx context.Context, question func(context.Context, string) error, at string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return question(ctx, at)
}

// askSocket is for servers on a Unix socket, written "unix:///path".
func askSocket(ctx context.Context, at string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(at, "unix://"))
	if err != nil {
		return err
	}
	return conn.Close()
}

func askHTTP(ctx context.Context, at string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", at, res.Status)
	}
	return nil
}

func askTCP(ctx context.Context, at string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at)
	if err != nil {
		return err
	}
	return conn.Close()
}

func askPostgres(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func askRedis(ctx context.Context, url string) error {
	options, err := redis.ParseURL(url)
	if err != nil {
		return err
	}
	options.MaxRetries = -1
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	return client.Ping(ctx).Err()
}

// nextPort is where the second worker listens: one port above the first.
func nextPort(url string) string {
	cut := strings.LastIndex(url, ":")
	var port int
	if _, err := fmt.Sscanf(url[cut+1:], "%d", &port); err != nil {
		return url
	}
	return fmt.Sprintf("%s:%d", url[:cut], port+1)
}
