package runbook

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cdcbot/internal/action"
)

// Targets resolve what runbooks write to what is configured: "localhost:8083" to the name of a cluster, "cdc-postgres"
// to the pipeline's database.
type Targets struct {
	Clusters map[string]string // host:port or URL → cluster name
	Default  string            // the pipeline's own cluster

	// Systems are the other systems by name ("postgres", "cassandra", "vault", "kafka", "registry", "prometheus",
	// "cdc-api", or a name of the configuration), each with the addresses and containers that runbooks may write.
	Systems map[string][]string
	// Database is the name of the sink database; a psql -d of another name is not for it. "" is not checked.
	Database string
	// Services are containers, compose services, units and Kubernetes workloads as written → the configured service.
	Services map[string]string
	// File reads a connector's configuration that a runbook names by path; nil when no folder is configured.
	File func(path string) ([]byte, error)
	// Credentials says which connector and options fresh Vault credentials go to.
	Credentials action.Credentials
	// Failover is how the pipeline moves to its backup; nil when there is none.
	Failover *action.Failover
	// Pager says whether somebody can be paged.
	Pager bool
	// AsWritten resolves everything to what the runbook writes, for reading a plan without a configuration.
	AsWritten bool
}

// errOptional is wrapped when a sentence of the runbook could be an action and nothing is configured for it: then it
// stays what it is, something for a person to do.
var errOptional = errors.New("for a person")

// keys are the settings that give a system its address, and its other names.
var keys = map[string]string{
	"postgres": "postgres.url", "cassandra": "cassandra.hosts", "vault": "vault.url", "kafka": "kafka.brokers", "registry": "registry.url",
	"prometheus": "prometheus.url", "cdc-api": "cdc_api.url",
}

func (t Targets) cluster(host string) (string, error) {
	if host == "" {
		return t.Default, nil
	}
	for _, written := range slices.Sorted(maps.Keys(t.Clusters)) {
		if address(written) == address(host) {
			return t.Clusters[written], nil
		}
	}
	if t.AsWritten {
		return host, nil
	}
	return "", fmt.Errorf("%w: %s; set pipelines.<name>.connect.url or add it to pipelines.<name>.connect.aliases", ErrTarget, show(host))
}

// system insists that a system is configured and that the runbook means it: on is a container or host:port, "" is any.
func (t Targets) system(name, on string) (string, error) {
	key := keys[name]
	if key == "" {
		key = "http." + name + ".url"
	}
	spellings, ok := t.Systems[name]
	if t.AsWritten {
		return name, nil
	}
	if !ok {
		return "", fmt.Errorf("%w: %s; set pipelines.<name>.%s", ErrTarget, name, key)
	}
	if on == "" || on == name || slices.ContainsFunc(spellings, func(s string) bool { return same(s, on) }) {
		return name, nil
	}
	section, _, _ := strings.Cut(key, ".")
	return "", fmt.Errorf("%w: %s is not known as %s; add it to pipelines.<name>.%s.aliases", ErrTarget, show(on), name, section)
}

// same compares hosts with ports as addresses, and everything else, such as containers, as names.
func same(spelling, on string) bool {
	if strings.Contains(on, ":") || strings.Contains(spelling, "://") {
		return address(spelling) == address(on)
	}
	bare, _, _ := strings.Cut(spelling, ":")
	return strings.EqualFold(spelling, on) || strings.EqualFold(bare, on)
}

// whose finds the system that a host belongs to, for requests whose path does not tell.
func (t Targets) whose(host string) (string, error) {
	for _, name := range slices.Sorted(maps.Keys(t.Systems)) {
		if slices.ContainsFunc(t.Systems[name], func(s string) bool { return same(s, host) }) {
			return name, nil
		}
	}
	if t.AsWritten {
		return "", ErrTarget // the path tells, or the host stays
	}
	if _, err := t.cluster(host); err == nil {
		return "connect", nil
	}
	return "", fmt.Errorf("%w: %s; give it a name in pipelines.<name>.http", ErrTarget, show(host))
}

// service resolves a container, compose service or workload.
func (t Targets) service(written string) (string, error) {
	for _, spelling := range slices.Sorted(maps.Keys(t.Services)) {
		if strings.EqualFold(spelling, written) {
			return t.Services[spelling], nil
		}
	}
	if t.AsWritten {
		return written, nil
	}
	return "", fmt.Errorf("%w: the service %s; set pipelines.<name>.services.%s", ErrTarget, show(written), show(written))
}

func (t Targets) services(written []string) ([]string, error) {
	var names []string
	for _, w := range written {
		name, err := t.service(w)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

func (t Targets) database(name string) error {
	if name == "" || t.Database == "" || strings.EqualFold(name, t.Database) {
		return nil
	}
	return fmt.Errorf("%w: the database %s; pipelines.<name>.postgres.url is of %s", ErrTarget, show(name), t.Database)
}

// config reads a connector's configuration from a file: the inner object, or the envelope of POST /connectors, whose
// name is returned too.
func (t Targets) config(path string) (name string, options map[string]string, err error) {
	if t.File == nil {
		return "", nil, fmt.Errorf("%w: the file %s; set pipelines.<name>.connect.files to the folder it is in", ErrTarget, show(path))
	}
	body, err := t.File(path)
	if err != nil {
		return "", nil, fmt.Errorf("%w: the file %s: %w", ErrTarget, show(path), err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return "", nil, fmt.Errorf("%w: the file %s is no JSON object: %w", ErrTarget, show(path), err)
	}
	if inner, ok := raw["config"]; ok && len(inner) > 0 && inner[0] == '{' {
		_ = json.Unmarshal(raw["name"], &name) // an envelope without a name is content with its connector's
		raw = nil
		if err := json.Unmarshal(inner, &raw); err != nil {
			return "", nil, fmt.Errorf("%w: the config in the file %s: %w", ErrTarget, show(path), err)
		}
	}
	return t.options(path, name, raw)
}

func (t Targets) options(path, name string, raw map[string]json.RawMessage) (string, map[string]string, error) {
	options := make(map[string]string, len(raw))
	for k, v := range raw {
		text, err := scalar(v)
		if err != nil || text == nil {
			return "", nil, fmt.Errorf("%w: the option %s in the file %s is no text, number or boolean", ErrTarget, k, show(path))
		}
		options[k] = *text
	}
	if name == "" {
		name = options["name"]
	}
	delete(options, "name")
	if options["connector.class"] == "" {
		return "", nil, fmt.Errorf("%w: the file %s has no connector.class", ErrTarget, show(path))
	}
	return name, options, nil
}

// binder fills the blanks of an action and resolves its targets. put fills texts.
type binder struct {
	Targets
	put func(string) string
}

// bind resolves an action. One without a row here does not run: nothing may run unresolved.
func bind(a action.Action, put func(string) string, t Targets) (action.Action, error) {
	b := binder{t, put}
	switch x := a.(type) {
	case action.Look:
		x.Connector = put(x.Connector)
		return b.onCluster(&x.Cluster, x, func() action.Action { return x })
	case action.RestartConnector:
		x.Connector = put(x.Connector)
		return b.onCluster(&x.Cluster, x, func() action.Action { return x })
	case action.Transition:
		x.Connector = put(x.Connector)
		return b.onCluster(&x.Cluster, x, func() action.Action { return x })
	case action.AlterOffsets:
		x.Connector = put(x.Connector)
		return b.onCluster(&x.Cluster, x, func() action.Action { return x })
	case action.WaitHealthy:
		return b.onCluster(&x.Cluster, x, func() action.Action { return x })
	case action.Configure:
		return b.configure(x)
	case action.Recreate:
		return b.recreate(x)
	}
	return b.around(a)
}

func (b binder) onCluster(cluster *string, a action.Action, made func() action.Action) (action.Action, error) {
	name, err := b.cluster(b.put(*cluster))
	if err != nil {
		return a, err
	}
	*cluster = name
	return made(), nil
}

// around resolves actions on the systems around Connect.
func (b binder) around(a action.Action) (action.Action, error) {
	var err error
	switch x := a.(type) {
	case action.Fetch:
		return b.fetch(x)
	case action.QueryPostgres:
		x.SQL, x.Database = b.put(x.SQL), b.put(x.Database)
		x.On, err = b.system("postgres", b.put(x.On))
		return x, errors.Join(err, b.database(x.Database))
	case action.DescribePostgres:
		x.Table, x.Database = b.put(x.Table), b.put(x.Database)
		x.On, err = b.system("postgres", b.put(x.On))
		return x, errors.Join(err, b.database(x.Database))
	case action.AlterPostgres:
		x.SQL, x.Database = b.put(x.SQL), b.put(x.Database)
		x.On, err = b.system("postgres", b.put(x.On))
		return x, errors.Join(err, b.database(x.Database))
	case action.QueryCassandra:
		x.CQL = b.put(x.CQL)
		x.On, err = b.system("cassandra", b.put(x.On))
		return x, err
	case action.LookKafka:
		x.Name = b.put(x.Name)
		x.On, err = b.system("kafka", b.put(x.On))
		return x, err
	case action.RenewLease:
		x.Lease = b.put(x.Lease)
		x.On, err = b.system("vault", b.put(x.On))
		return x, err
	case action.Credentials:
		return b.credentials(x)
	case action.ReplayDLQ:
		return b.replay(x)
	}
	return b.service1(a)
}

// service1 resolves actions on services, and those that a sentence asks for.
func (b binder) service1(a action.Action) (action.Action, error) {
	var err error
	switch x := a.(type) {
	case action.Workload:
		x.Services, err = b.services(b.putAll(x.Services))
		return x, err
	case action.Workloads:
		x.Services, err = b.services(b.putAll(x.Services))
		if len(b.Services) == 0 && err == nil && !b.AsWritten {
			err = fmt.Errorf("%w: no services; set pipelines.<name>.services", ErrTarget)
		}
		return x, err
	case action.Logs:
		x.Service, err = b.service(b.put(x.Service))
		return x, err
	case action.Page:
		x.Service = b.Default
		if !b.Pager && !b.AsWritten {
			return x, fmt.Errorf("%w: set page.pagerduty_key or page.url and the bot can page", errOptional)
		}
		return x, nil
	case action.Failover:
		if b.Failover == nil && b.AsWritten {
			return x, nil
		}
		if b.Failover == nil {
			return x, fmt.Errorf("%w: set pipelines.<name>.failover and the bot can fail over", errOptional)
		}
		return *b.Failover, nil
	}
	return nil, fmt.Errorf("binding %s: no rule", a.Kind())
}

func (b binder) putAll(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = b.put(t)
	}
	return out
}

// fetched is the system that each kind of request is for; the others are found by their host.
var fetched = map[string]string{"registry.subjects": "registry", "registry.schema": "registry", "vault.health": "vault", "prometheus.query": "prometheus", "dlq.records": "cdc-api"}

// fetch prefers the system whose address the host is: a path such as /config is not the registry's alone.
func (b binder) fetch(x action.Fetch) (action.Action, error) {
	x.Path = b.put(x.Path)
	host := b.put(x.System)
	if name, err := b.whose(host); err == nil && host != "" {
		if want := fetched[x.What]; want != "" && want != name {
			x.What = "http.get"
		}
		x.System = name
		return x, nil
	}
	name := fetched[x.What]
	if name == "" && b.AsWritten {
		x.System = host
		return x, nil
	}
	if name == "" {
		_, err := b.whose(host)
		return x, err
	}
	var err error
	x.System, err = b.system(name, host)
	return x, err
}

func (b binder) credentials(x action.Credentials) (action.Action, error) {
	on, err := b.system("vault", b.put(x.On))
	if err != nil {
		return x, err
	}
	c := b.Credentials
	if c.Connector == "" && b.AsWritten {
		return x, nil
	}
	if c.Connector == "" {
		return x, fmt.Errorf("%w: the connector of fresh credentials; set pipelines.<name>.vault.connector", ErrTarget)
	}
	c.On, c.Path, c.Cluster = on, b.put(x.Path), b.Default
	return c, nil
}

func (b binder) replay(x action.ReplayDLQ) (action.Action, error) {
	filter := make(map[string]string, len(x.Filter))
	for k, v := range x.Filter {
		filter[k] = b.put(v)
	}
	x.IDs, x.Filter, x.Notes = b.putAll(x.IDs), filter, b.put(x.Notes)
	var err error
	x.On, err = b.system("cdc-api", b.put(x.On))
	return x, err
}

func (b binder) configure(x action.Configure) (action.Action, error) {
	set := make(map[string]string, len(x.Set))
	for k, v := range x.Set {
		set[b.put(k)] = b.put(v)
	}
	x.Connector, x.Set, x.Unset, x.File = b.put(x.Connector), set, b.putAll(x.Unset), b.put(x.File)
	if x.Whole && !b.AsWritten {
		var err error
		if _, x.Set, err = b.config(x.File); err != nil {
			return x, err
		}
	}
	return b.onCluster(&x.Cluster, x, func() action.Action { return x })
}

// recreate takes the configuration from its file. The connector's own name counts where something was deleted; a file may
// write it in another case.
func (b binder) recreate(x action.Recreate) (action.Action, error) {
	x.Connector, x.File = b.put(x.Connector), b.put(x.File)
	if x.File != "" && !b.AsWritten {
		name, options, err := b.config(x.File)
		if err != nil {
			return x, err
		}
		if x.Connector == "" {
			x.Connector = name
		}
		x.Config = options
	}
	if x.Connector == "" && !b.AsWritten {
		return x, fmt.Errorf("%w: the file %s does not name its connector", ErrTarget, x.File)
	}
	return b.onCluster(&x.Cluster, x, func() action.Action { return x })
}
