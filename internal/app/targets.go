package app

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"strings"

	"cdcbot/internal/action"
	"cdcbot/internal/config"
	"cdcbot/internal/runbook"
)

// usual are the spellings that every runbook of this world uses, for systems that are configured. Another pipeline's own
// address is never one of them.
var usual = map[string][]string{
	"connect":    {"localhost:8083", "127.0.0.1:8083", "kafka-connect:8083", "connect:8083", "cdc-kafka-connect:8083"},
	"postgres":   {"localhost:5432", "127.0.0.1:5432", "postgres:5432", "cdc-postgres:5432"},
	"cassandra":  {"localhost:9042", "127.0.0.1:9042", "cassandra:9042", "cdc-cassandra:9042"},
	"vault":      {"localhost:8200", "127.0.0.1:8200", "vault:8200", "cdc-vault:8200"},
	"kafka":      {"localhost:9092", "127.0.0.1:9092", "kafka:9092", "cdc-kafka:9092", "localhost:29092", "kafka:29092"},
	"registry":   {"localhost:8081", "127.0.0.1:8081", "schema-registry:8081", "cdc-schema-registry:8081"},
	"prometheus": {"localhost:9090", "127.0.0.1:9090", "prometheus:9090", "cdc-prometheus:9090"},
	"cdc-api":    {"localhost:8080", "127.0.0.1:8080", "cdc-api:8080"},
}

// Targets are how what a pipeline's runbooks write resolves to what is configured.
func Targets(c *config.Config, pipeline string) runbook.Targets {
	p := c.Pipelines[pipeline]
	t := runbook.Targets{
		Clusters: spellings(c, pipeline, "connect", p.Connect.Aliases, p.Connect.URL), Default: pipeline,
		Systems: systems(c, pipeline), Database: database(p.Postgres.URL), Services: services(p.Services), Pager: c.Page.Enabled(),
		Credentials: action.Credentials{Connector: p.Vault.Connector, UserOption: p.Vault.UserOption, PasswordOption: p.Vault.PasswordOption},
	}
	if p.Connect.Files != "" {
		t.File = files(p.Connect.Files)
	}
	if len(p.Failover.Connectors) > 0 {
		t.Failover = failover(pipeline, p.Failover)
	}
	return t
}

// spellings maps what is written for a pipeline's Connect cluster to its name.
func spellings(c *config.Config, pipeline, system string, aliases []string, address string) map[string]string {
	out := map[string]string{}
	for _, s := range known(c, pipeline, system, aliases, host(address)) {
		out[strings.ToLower(s)] = pipeline
	}
	return out
}

// known are the addresses of a system: its own, its aliases, and the usual ones that no other pipeline has as its own.
func known(c *config.Config, pipeline, system string, aliases []string, own ...string) []string {
	list := append(append([]string{}, own...), aliases...)
	for _, u := range usual[system] {
		if !othersOwn(c, pipeline, u) {
			list = append(list, u)
		}
	}
	return list
}

// othersOwn reports whether an address is one that another pipeline is configured with.
func othersOwn(c *config.Config, pipeline, address string) bool {
	for name, p := range c.Pipelines {
		if name == pipeline {
			continue
		}
		for _, own := range []string{p.Connect.URL, p.Postgres.URL, p.Vault.URL, p.Registry.URL, p.Prometheus.URL, p.CDCAPI.URL} {
			if strings.EqualFold(host(own), address) {
				return true
			}
		}
	}
	return false
}

// host is host:port of a URL, with PostgreSQL's port when it has none.
func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	if u.Port() == "" && strings.HasPrefix(u.Scheme, "postgres") {
		return u.Hostname() + ":5432"
	}
	return u.Host
}

func database(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(u.Path, "/")
}

// systems are the configured systems around Connect, by name, with their spellings.
func systems(c *config.Config, pipeline string) map[string][]string {
	p := c.Pipelines[pipeline]
	out := map[string][]string{}
	add := func(name string, aliases []string, own ...string) {
		if len(own) > 0 && own[0] != "" {
			out[name] = known(c, pipeline, name, aliases, own...)
		}
	}
	add("postgres", p.Postgres.Aliases, host(p.Postgres.URL))
	add("cassandra", p.Cassandra.Aliases, p.Cassandra.Hosts...)
	add("vault", p.Vault.Aliases, host(p.Vault.URL))
	add("kafka", p.Kafka.Aliases, p.Kafka.Brokers...)
	add("registry", p.Registry.Aliases, host(p.Registry.URL))
	add("prometheus", p.Prometheus.Aliases, host(p.Prometheus.URL))
	add("cdc-api", p.CDCAPI.Aliases, host(p.CDCAPI.URL))
	for name, s := range p.HTTP {
		add(name, s.Aliases, host(s.URL))
	}
	return out
}

// services maps every spelling of a service to its name: compose service, container, Kubernetes workload, aliases.
func services(list map[string]config.Service) map[string]string {
	out := map[string]string{}
	for name, s := range list {
		for _, spelling := range append([]string{name, workload(name, s)}, s.Aliases...) {
			out[spelling] = name
		}
	}
	return out
}

// workload is what the engine calls a service: the container, or the Kubernetes workload.
func workload(name string, s config.Service) string {
	if s.Kind == "kubernetes" {
		return cmp.Or(s.Name, "deployment/"+name)
	}
	if strings.HasPrefix(name, "cdc-") {
		return cmp.Or(s.Name, name)
	}
	return cmp.Or(s.Name, "cdc-"+name)
}

// files reads a connector's configuration from the configured folder. A runbook names it from the root of its own
// repository; the file's name counts when that path is not there. Nothing outside the folder is read.
func files(folder string) func(string) ([]byte, error) {
	return func(written string) ([]byte, error) {
		root, err := os.OpenRoot(folder)
		if err != nil {
			return nil, err
		}
		defer func() { _ = root.Close() }()
		name := path.Clean(strings.TrimPrefix(written, "./"))
		body, err := read(root, name)
		if err != nil {
			body, err = read(root, path.Base(name))
		}
		if err != nil {
			return nil, fmt.Errorf("in %s: %w", folder, err)
		}
		return body, nil
	}
}

// maxFile bounds a connector's configuration in bytes.
const maxFile = 1 << 20

func read(root *os.Root, name string) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrInvalid
	}
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s is no file of at most %d bytes", name, maxFile)
	}
	return root.ReadFile(name)
}

// backup names the cluster of the other region in actions.
func backup(pipeline string) string { return pipeline + "-backup" }

func failover(pipeline string, f config.Failover) *action.Failover {
	a := &action.Failover{From: pipeline, To: backup(pipeline)}
	for _, pair := range f.Connectors {
		here, there, _ := strings.Cut(pair, "=")
		a.Pairs = append(a.Pairs, action.Pair{Here: here, There: there})
	}
	return a
}
