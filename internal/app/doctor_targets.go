package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"cdcbot/internal/action"
	"cdcbot/internal/config"
	"cdcbot/internal/connect"
	"cdcbot/internal/doctor"
	"cdcbot/internal/target/cassandra"
	"cdcbot/internal/target/postgres"
	"cdcbot/internal/target/vault"
	workloads "cdcbot/internal/target/workload"
)

// prober says in one line what answered.
type prober interface {
	Probe(ctx context.Context) (string, error)
}

// mends are what to do about a target that does not answer as it should, by the reason that its client gives; %s is where
// it is configured.
var mends = map[string]string{
	"refused":        "start it, or mend %s and the network between",
	"timeout":        "see the network and its policies between, and whether %s is right",
	"authentication": "mend the user, the password or the token of %s, or grant what is missing",
	"missing":        "see whether names in %s are right, and what is there",
	"busy":           "wait, or give it more room; %s is right",
	"sealed":         "let the key holders unseal it; %s is right",
	"standby":        "see Vault's other nodes; %s is right",
	"broken":         "see what it says, and %s",
}

// sentinels are the reasons of errors that have no word for it.
var sentinels = []struct {
	is     error
	reason string
}{
	{connect.ErrUnauthorized, "authentication"}, {connect.ErrTimeout, "timeout"}, {connect.ErrUnreachable, "refused"}, {connect.ErrStarting, "busy"}, {connect.ErrRebalancing, "busy"},
	{workloads.ErrNotFound, "missing"}, {workloads.ErrUnreachable, "refused"}, {workloads.ErrDenied, "authentication"}, {context.DeadlineExceeded, "timeout"},
}

// away is the finding about a target that did not answer as it should; key is where it is configured.
func away(key string, err error) doctor.Finding {
	return doctor.Bad(fmt.Sprintf(mends[reasonOf(err)], key), "%v", err)
}

func reasonOf(err error) string {
	var told interface{ Reason() string }
	if errors.As(err, &told) && mends[told.Reason()] != "" {
		return told.Reason()
	}
	for _, s := range sentinels {
		if errors.Is(err, s.is) {
			return s.reason
		}
	}
	return "broken"
}

// pipelineChecks are those of every pipeline's systems, each asked with the bot's own credentials.
func (u *checkup) pipelineChecks() []doctor.Check {
	var checks []doctor.Check
	for _, name := range u.config.Names() {
		if w := u.worlds[name]; w != nil {
			t := targetChecks{u: u, name: name, config: u.config.Pipelines[name], world: w}
			checks = append(checks, t.all()...)
		}
	}
	return checks
}

// targetChecks are the checks of one pipeline.
type targetChecks struct {
	u      *checkup
	name   string
	config config.Pipeline
	world  *world
	list   []doctor.Check
}

func (t *targetChecks) all() []doctor.Check {
	t.add("connect", t.connect)
	t.system("postgres", t.config.Postgres.URL != "", t.world.postgres, t.postgres)
	t.system("cassandra", len(t.config.Cassandra.Hosts) > 0, t.world.cassandra, t.cassandra)
	t.system("vault", t.config.Vault.URL != "", t.world.vault, t.vault)
	t.system("kafka", len(t.config.Kafka.Brokers) > 0, t.world.kafka, nil)
	t.web("registry", t.config.Registry.URL != "")
	t.web("prometheus", t.config.Prometheus.URL != "")
	t.web("cdc-api", t.config.CDCAPI.URL != "")
	for _, name := range slices.Sorted(maps.Keys(t.config.HTTP)) {
		t.web(name, true)
	}
	if t.config.Failover.Connect.URL != "" {
		t.add("failover", t.failover)
	}
	for _, name := range slices.Sorted(maps.Keys(t.world.services)) {
		t.add(t.kind(name), func(ctx context.Context) []doctor.Finding { return t.service(ctx, name) }, name)
	}
	return t.list
}

// key is where a system of the pipeline is configured.
func (t *targetChecks) key(part string) string {
	if part == "cdc-api" {
		part = "cdc_api"
	}
	return "pipelines." + t.name + "." + part
}

// engine is where the engine of a service is configured, when that is what does not answer.
func (t *targetChecks) engine(service string, err error) string {
	switch {
	case !errors.Is(err, workloads.ErrUnreachable):
		return t.key("services." + service)
	case t.kind(service) == "kubernetes":
		return "kubernetes.kubeconfig"
	}
	return "docker.host"
}

func (t *targetChecks) add(check string, look func(context.Context) []doctor.Finding, about ...string) {
	t.list = append(t.list, doctor.Check{Name: check, Target: strings.Join(append([]string{t.name}, about...), "/"), Look: look})
}

func (t *targetChecks) skip(check string) {
	t.add(check, func(context.Context) []doctor.Finding {
		return []doctor.Finding{doctor.Skip("%s is not configured", t.key(check))}
	})
}

// system is a check by the client's own probe, or by the one that a simulated world has; more looks further when it answers.
func (t *targetChecks) system(name string, configured bool, client any, more func(context.Context) []doctor.Finding) {
	probe := t.world.probes[name]
	if p, ok := client.(prober); ok {
		probe = p.Probe
	}
	if !configured || probe == nil {
		t.skip(name)
		return
	}
	t.add(name, func(ctx context.Context) []doctor.Finding {
		text, err := probe(ctx)
		if err != nil {
			return []doctor.Finding{away(t.key(name), err)}
		}
		list := []doctor.Finding{doctor.Fine("%s", text)}
		if more == nil {
			return list
		}
		return append(list, more(ctx)...)
	})
}

// connect asks for all connectors, which needs the right credentials, and whether there are any of the pipeline's own.
func (t *targetChecks) connect(ctx context.Context) []doctor.Finding {
	client, key := t.world.clusters[""], t.key("connect")
	worker, err := client.Root(ctx)
	if err != nil {
		return []doctor.Finding{away(key, err)}
	}
	all, err := client.Connectors(ctx)
	if err != nil {
		return []doctor.Finding{away(key, err)}
	}
	owned, r := 0, newRouting(t.u.config)
	for name := range all {
		if r.owns(t.name, name, true) || r.owns(t.name, name, false) {
			owned++
		}
	}
	if owned == 0 {
		return []doctor.Finding{doctor.Poor("mend "+t.key("connectors")+", or create the connectors", "Kafka Connect %s answers, and none of its %d connectors belongs to the pipeline", worker.Version, len(all))}
	}
	return []doctor.Finding{doctor.Fine("Kafka Connect %s answers; %d of its %d connectors belong to the pipeline", worker.Version, owned, len(all))}
}

func (t *targetChecks) failover(ctx context.Context) []doctor.Finding {
	client, key := t.world.clusters[backup(t.name)], t.key("failover.connect")
	all, err := client.Connectors(ctx)
	if err != nil {
		return []doctor.Finding{away(key, err)}
	}
	var lost []string
	for _, pair := range t.config.Failover.Connectors {
		if _, there, _ := strings.Cut(pair, "="); all[there].Status.Name == "" {
			lost = append(lost, there)
		}
	}
	if len(lost) > 0 {
		return []doctor.Finding{doctor.Bad("create them there, or mend "+t.key("failover.connectors"), "the other region has no connectors %s", strings.Join(lost, ", "))}
	}
	return []doctor.Finding{doctor.Fine("the other region answers, with %d connectors", len(all))}
}

// postgres looks whether the role may read what probes and verifications need.
func (t *targetChecks) postgres(ctx context.Context) []doctor.Finding {
	client, ok := t.world.postgres.(*postgres.Client)
	if !ok {
		return nil
	}
	var list []doctor.Finding
	for _, table := range t.config.Postgres.Progress {
		f := t.mayRead(ctx, client, table)
		f.Check = "permissions"
		f.Target = t.name + "/postgres/" + table
		list = append(list, f)
	}
	f := doctor.Fine("the role may see who holds locks (pg_read_all_stats)")
	_, rows, err := client.Query(ctx, "SELECT current_user, pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')", 1)
	switch {
	case err != nil:
		f = away(t.key("postgres"), err)
	case rows[0][1] != "t":
		f = doctor.Poor("GRANT pg_read_all_stats TO "+quoted(rows[0][0]), "the role sees only its own sessions, so that a diagnosis cannot say who holds a lock")
	}
	f.Check, f.Target = "permissions", t.name+"/postgres"
	return append(list, f)
}

// quoted is an identifier of SQL.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (t *targetChecks) mayRead(ctx context.Context, client *postgres.Client, table string) doctor.Finding {
	name := "'" + strings.ReplaceAll(table, "'", "''") + "'"
	_, rows, err := client.Query(ctx, "SELECT current_user, to_regclass("+name+") IS NOT NULL, coalesce(has_table_privilege(to_regclass("+name+"), 'SELECT'), false)", 1)
	switch {
	case err != nil:
		return away(t.key("postgres"), err)
	case rows[0][1] != "t":
		return doctor.Poor("mend "+t.key("postgres.progress_tables")+", or let the sink create it", "there is no table %s that the role sees, so that its growth proves nothing", table)
	case rows[0][2] != "t":
		return doctor.Bad(fmt.Sprintf("GRANT SELECT ON %s TO %s", table, quoted(rows[0][0])), "the role may not read %s, so that no verification can count it", table)
	}
	return doctor.Fine("the role may read %s", table)
}

// cassandra looks whether the role may read what the data-loss clock needs.
func (t *targetChecks) cassandra(ctx context.Context) []doctor.Finding {
	client, ok := t.world.cassandra.(*cassandra.Client)
	if !ok {
		return nil
	}
	f := doctor.Fine("the role may read the settings of CDC")
	_, err := client.CDC(ctx)
	var told *cassandra.Error
	switch {
	case errors.As(err, &told) && told.Reason() == cassandra.Missing:
		f = doctor.Skip("Cassandra before 4.0 does not tell the settings of CDC")
	case errors.As(err, &told) && told.Reason() == cassandra.Denied:
		f = doctor.Poor("GRANT SELECT ON system_views.settings TO the role", "the role may not read the settings of CDC, so that there is no data-loss clock for the source")
	case err != nil:
		f = away(t.key("cassandra"), err)
	}
	f.Check, f.Target = "permissions", t.name+"/cassandra"
	return []doctor.Finding{f}
}

// vault looks whether the token may do what a diagnosis does: list and look up leases.
func (t *targetChecks) vault(ctx context.Context) []doctor.Finding {
	client, ok := t.world.vault.(*vault.Client)
	if !ok {
		return nil
	}
	o := t.config.Vault
	f := doctor.Skip("neither a token nor an AppRole is configured: only Vault's health is asked")
	if o.Token != "" || o.RoleID != "" {
		found, err := client.Expiring(ctx, o.Leases)
		var told *vault.Error
		switch {
		case errors.As(err, &told) && told.Reason() == vault.Missing:
			f = doctor.Fine("there are no leases under %s", o.Leases)
		case err != nil:
			f = away(t.key("vault"), err)
		default:
			f = doctor.Fine("it may look at leases under %s: %s", o.Leases, found)
		}
	}
	f.Check, f.Target = "permissions", t.name+"/vault"
	return []doctor.Finding{f}
}

// web asks a system over HTTP, by the path of its health or by "/".
func (t *targetChecks) web(name string, configured bool) {
	client, there := t.world.http[name]
	if !configured || !there {
		t.skip(name)
		return
	}
	key := t.key(name)
	if _, own := t.config.HTTP[name]; own {
		key = t.key("http." + name)
	}
	t.add(name, func(ctx context.Context) []doctor.Finding { return []doctor.Finding{got(ctx, client, name, key)} })
}

func got(ctx context.Context, client action.HTTP, name, key string) doctor.Finding {
	path := healthPaths[name]
	if path == "" {
		path = "/"
	}
	status, _, err := client.Get(ctx, path)
	switch {
	case err != nil:
		return away(key, err)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return doctor.Bad(fmt.Sprintf(mends["authentication"], key), "GET %s answers %d: it does not accept the bot's credentials", path, status)
	case status >= http.StatusInternalServerError || status >= http.StatusBadRequest && path != "/":
		return doctor.Bad(fmt.Sprintf(mends["broken"], key), "GET %s answers %d", path, status)
	}
	return doctor.Fine("GET %s answers %d", path, status)
}

// kind is the engine of a service.
func (t *targetChecks) kind(service string) string {
	if t.config.Services[service].Kind == "kubernetes" {
		return "kubernetes"
	}
	return "docker"
}

// service looks whether a service is there, and in Kubernetes whether the bot may do with it what runbooks do.
func (t *targetChecks) service(ctx context.Context, name string) []doctor.Finding {
	client := t.world.services[name]
	state, up, err := client.State(ctx)
	var f doctor.Finding
	switch {
	case err != nil:
		f = away(t.engine(name, err), err)
	case !up:
		f = doctor.Poor("see why it does not run", "%s", state)
	default:
		f = doctor.Fine("%s", state)
	}
	list := []doctor.Finding{f}
	if r, ok := client.(interface {
		Denied(context.Context) ([]string, error)
	}); ok {
		list = append(list, t.rights(ctx, name, r.Denied))
	}
	return list
}

func (t *targetChecks) rights(ctx context.Context, name string, ask func(context.Context) ([]string, error)) doctor.Finding {
	denied, err := ask(ctx)
	f := doctor.Fine("the bot may restart it, scale it and read its logs")
	switch {
	case err != nil:
		f = away(t.engine(name, err), err)
	case len(denied) > 0:
		f = doctor.Bad("grant it by a role, as deploy/helm/cdcbot/templates/rbac.yaml does", "the bot may not: %s", strings.Join(denied, ", "))
	}
	f.Check, f.Target = "permissions", t.name+"/"+name
	return f
}

// commonChecks are those of what all pipelines share: the archive, Alertmanager, and whom the bot calls.
func (u *checkup) commonChecks() []doctor.Check {
	var checks []doctor.Check
	if u.config.Silences.URL != "" {
		checks = append(checks, doctor.Check{Name: "alertmanager", Target: "alertmanager.url", Look: func(ctx context.Context) []doctor.Finding { return []doctor.Finding{u.alertmanager(ctx)} }})
	}
	if u.config.Archive.URL != "" {
		checks = append(checks, doctor.Check{Name: "archive", Target: "archive.url", Look: func(ctx context.Context) []doctor.Finding { return []doctor.Finding{u.archive(ctx)} }})
	}
	if u.config.Page.Enabled() {
		checks = append(checks, doctor.Check{Name: "page", Look: func(context.Context) []doctor.Finding {
			return []doctor.Finding{doctor.Skip("nobody is called for a check; a test call is yours to make")}
		}})
	}
	return checks
}

func (u *checkup) alertmanager(ctx context.Context) doctor.Finding {
	client, err := openAlertmanager(u.config, u.breakers)
	if err != nil {
		return doctor.Bad("mend alertmanager.url", "%v", err)
	}
	text, err := client.Probe(ctx)
	if err != nil {
		return away("alertmanager", err)
	}
	return doctor.Fine("%s", text)
}

// archiveQuery asks whether the role may keep timelines: in the table, or by making it.
const archiveQuery = `SELECT current_user, CASE WHEN to_regclass('cdcbot_timelines') IS NULL THEN coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
ELSE has_table_privilege(to_regclass('cdcbot_timelines'), 'INSERT') AND has_table_privilege(to_regclass('cdcbot_timelines'), 'SELECT') END`

func (u *checkup) archive(ctx context.Context) doctor.Finding {
	client, err := postgres.New(postgres.Options{URL: u.config.Archive.URL, Username: u.config.Archive.Username, Password: u.config.Archive.Password, Timeout: checkDeadline})
	if err != nil {
		return doctor.Bad("mend archive.url", "%v", err)
	}
	_, rows, err := client.Query(ctx, archiveQuery, 1)
	switch {
	case err != nil:
		return away("archive.url", err)
	case rows[0][1] != "t":
		return doctor.Bad("GRANT INSERT, SELECT ON cdcbot_timelines TO "+quoted(rows[0][0])+", or CREATE on its schema", "the role may not keep timelines")
	}
	return doctor.Fine("%s takes timelines", client.Address())
}
