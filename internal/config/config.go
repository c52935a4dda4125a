// Package config reads the bot's settings: one YAML file, every key overridable from the environment, every secret also
// from a file. Reading checks everything at once, and each complaint names the key, the value and what was expected.
package config

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Config is everything the bot can be told. Struct tags are the truth: key is the YAML key, default the value when the
// key is absent, expect what a complaint says was expected, and secret marks a key that also has a "<key>_file".
type Config struct {
	Listen     string              `key:"listen" default:"127.0.0.1:8080" check:"hostport"`
	Log        Log                 `key:"log"`
	Tracing    Tracing             `key:"tracing"`
	Redis      Redis               `key:"redis"`
	Seal       Seal                `key:"seal"`
	Slack      Slack               `key:"slack"`
	Alerts     Alerts              `key:"alerts"`
	Watch      Watch               `key:"watch"`
	Runbooks   Runbooks            `key:"runbooks"`
	Approval   Approval            `key:"approval"`
	Incident   Incident            `key:"incident"`
	Execution  Execution           `key:"execution"`
	Diagnosis  Diagnosis           `key:"diagnosis"`
	Breaker    Breaker             `key:"breaker"`
	Docker     Docker              `key:"docker"`
	Kubernetes Kubernetes          `key:"kubernetes"`
	Page       Page                `key:"page"`
	Archive    Archive             `key:"archive"`
	Silences   System              `key:"alertmanager"` // where alerts are silenced
	Vault      Source              `key:"vault"`        // where secrets are that are written vault:PATH#FIELD
	Pipelines  map[string]Pipeline `key:"pipelines" marker:"CONNECT_URL"`

	files      map[string]string    // that were read, by key
	references map[string]Reference // to values in Vault, by key
}

// Docker is the engine that runs services of kind docker. It is never asked unless a service is of that kind.
type Docker struct {
	Host string `key:"host" default:"unix:///var/run/docker.sock"`
}

// Kubernetes is the cluster that runs services of kind kubernetes. Without a kubeconfig it is the one the bot runs in.
type Kubernetes struct {
	Kubeconfig string `key:"kubeconfig" check:"file"`
	Context    string `key:"context"`
	Namespace  string `key:"namespace" default:"default"`
}

// Page is whom the bot calls: PagerDuty's Events API v2, or any webhook that takes JSON.
type Page struct {
	PagerDutyKey string `key:"pagerduty_key" secret:"true"`
	PagerDutyURL string `key:"pagerduty_url" default:"https://events.pagerduty.com/v2/enqueue" check:"url"`
	URL          string `key:"url" check:"url"`
	Token        string `key:"token" secret:"true"`
}

// Enabled reports whether anybody can be paged.
func (p Page) Enabled() bool { return p.PagerDutyKey != "" || p.URL != "" }

// Archive is the PostgreSQL database where the timelines of what is over are kept. Without a URL they stay in Redis alone.
type Archive struct {
	URL      string        `key:"url" check:"postgres"`
	Username string        `key:"username"` // instead of one in the URL
	Password string        `key:"password" secret:"true"`
	After    time.Duration `key:"after" default:"1h" min:"0s"`
}

// Log says how much is logged and in which form.
type Log struct {
	Level  string `key:"level" default:"info" oneof:"debug info warn error"`
	Format string `key:"format" default:"json" oneof:"json console"`
}

// Tracing says where traces go: an OTLP/HTTP receiver. Without an endpoint none are made.
type Tracing struct {
	Endpoint string `key:"endpoint" check:"url"`
	Token    string `key:"token" secret:"true"`
	Percent  int    `key:"percent" default:"100" min:"0" max:"100"` // of the traces that are kept
}

// Seal holds the keys that prove requests, decisions, runs and timelines to be the bot's own: "<id>:<hexadecimal secret>",
// several separated by blanks, commas or lines, the newest first. All replicas have the same.
type Seal struct {
	Keys string `key:"keys" secret:"true"`
}

// Slack is the workspace. Tokens are the bot token (xoxb-…) and the app-level token (xapp-…) with connections:write.
type Slack struct {
	BotToken    string   `key:"bot_token" secret:"true" prefix:"xoxb-"`
	AppToken    string   `key:"app_token" secret:"true" prefix:"xapp-"`
	Channel     string   `key:"channel"`
	APIURL      string   `key:"api_url" check:"url"`
	Connections int      `key:"connections" default:"2" min:"1" max:"10"`
	Links       []string `key:"links" check:"link"`                                      // pages that the App Home leads to
	Record      []string `key:"record" default:"messages,pins,reactions" check:"record"` // what people do in threads that timelines keep
	Blocks      string   `key:"blocks" default:"auto" oneof:"auto plain"`                // tables, charts and plans where the workspace takes them, or never
}

// Link is a page with its title.
type Link struct{ Title, URL string }

// NamedLink reads "On-call schedule https://example.com/oncall". What does not end in a web address has no URL.
func NamedLink(text string) Link {
	i := strings.LastIndex(text, " ")
	if i < 0 || !schemeIn("http", "https")(text[i+1:]) {
		return Link{Title: text}
	}
	return Link{Title: strings.TrimSpace(text[:i]), URL: text[i+1:]}
}

// Alerts is the webhook that Alertmanager calls.
type Alerts struct {
	Token    string `key:"token" secret:"true"`
	Username string `key:"username"`
	Password string `key:"password" secret:"true"`
	Labels   Labels `key:"labels"`
}

// Labels are the names of the alert labels that say what an alert is about.
type Labels struct {
	Connector string `key:"connector" default:"connector"`
	Task      string `key:"task" default:"task"`
	Cluster   string `key:"cluster" default:"cluster"`
	Pipeline  string `key:"pipeline" default:"pipeline"`
}

// Watch is the bot's own poll of every Connect cluster. A threshold of 0 takes the runbook's own. Stalls need kafka.brokers,
// losses need prometheus.url.
type Watch struct {
	Enabled   bool          `key:"enabled" default:"true"`
	Every     time.Duration `key:"every" default:"10s" min:"1s"`
	Threshold time.Duration `key:"threshold" default:"0s" min:"0s"`
	Alert     string        `key:"alert" default:"KafkaConnectTaskFailure"`
	Stall     time.Duration `key:"stall" default:"3m" min:"0s"` // records wait and none moves for so long; 0 does not look
	Losses    bool          `key:"losses" default:"true"`       // records are skipped without a dead-letter queue
}

// Runbooks says where the Markdown is. Without a folder the runbooks that ship are used.
type Runbooks struct {
	Dir string `key:"dir"`
}

// Approval is the policy: who may decide, how many, how long.
type Approval struct {
	TTL       time.Duration `key:"ttl" default:"30m" min:"1m"`
	Approvers []string      `key:"approvers"`
	Group     string        `key:"group"`
	MemberFor time.Duration `key:"member_for" default:"0s" min:"0s"` // how long in the group; 0 does not ask
	High      int           `key:"high_risk_approvals" default:"2" min:"1" max:"5"`
	Remind    time.Duration `key:"remind_after" default:"5m" min:"0s"` // 0 never
	Page      time.Duration `key:"page_after" default:"10m" min:"0s"`  // 0 never; needs page
	StepUp    []string      `key:"step_up"`                            // risks for which who approves types a code
	TOTP      string        `key:"totp" secret:"true"`
	Glass     bool          `key:"break_glass" default:"false"` // whether a requester may act alone after page_after
}

// Incident says how long a mitigated incident is watched before it counts as resolved.
type Incident struct {
	QuietPeriod time.Duration `key:"quiet_period" default:"30m" min:"1s"`
}

// Execution bounds runs and their verification.
type Execution struct {
	Settle  time.Duration `key:"settle" default:"10s" min:"0s"`
	Verify  time.Duration `key:"verify_timeout" default:"2m" min:"1s"`
	Workers int           `key:"workers" default:"10" min:"1" max:"100"`
}

// Diagnosis bounds how long evidence is gathered.
type Diagnosis struct {
	Probe  time.Duration `key:"probe_timeout" default:"2s" min:"100ms"`
	Budget time.Duration `key:"budget" default:"5s" min:"100ms"`
}

// Breaker says when a target is left alone for a while. Failures 0 switches it off.
type Breaker struct {
	Failures int           `key:"failures" default:"5" min:"0" max:"100"` // in a row
	Pause    time.Duration `key:"pause" default:"5s" min:"1s"`
}

// Pipeline is one CDC pipeline: a Connect cluster, the connectors on it that belong together, and the databases around them.
type Pipeline struct {
	Channel    string             `key:"channel"`
	Connectors []string           `key:"connectors"`
	Connect    Connect            `key:"connect"`
	Postgres   Postgres           `key:"postgres"`
	Cassandra  Cassandra          `key:"cassandra"`
	Vault      Vault              `key:"vault"`
	Kafka      Kafka              `key:"kafka"`
	Registry   System             `key:"registry"`
	Prometheus System             `key:"prometheus"`
	CDCAPI     CDCAPI             `key:"cdc_api"`
	HTTP       map[string]System  `key:"http"`
	Services   map[string]Service `key:"services"`
	Failover   Failover           `key:"failover"`
}

// System is a server that is asked over HTTP. Aliases are other spellings of it in runbooks.
type System struct {
	URL      string   `key:"url" check:"url"`
	Aliases  []string `key:"aliases"`
	Username string   `key:"username"`
	Password string   `key:"password" secret:"true"`
	Token    string   `key:"token" secret:"true"`
	CAFile   string   `key:"ca_file" check:"file"`
}

// CDCAPI is the API of the dead-letter queue. Some deployments serve it under a prefix such as /api/v1, where a replay is
// answered later.
type CDCAPI struct {
	URL      string   `key:"url" check:"url"`
	Prefix   string   `key:"prefix"`
	Aliases  []string `key:"aliases"`
	Username string   `key:"username"`
	Password string   `key:"password" secret:"true"`
	Token    string   `key:"token" secret:"true"`
	CAFile   string   `key:"ca_file" check:"file"`
}

// Cassandra is the source database.
type Cassandra struct {
	Hosts      []string `key:"hosts"` // host or host:port
	Username   string   `key:"username"`
	Password   string   `key:"password" secret:"true"`
	CAFile     string   `key:"ca_file" check:"file"`
	Datacenter string   `key:"datacenter"`
	Aliases    []string `key:"aliases"`
}

// Vault holds the credentials of the sink. Connector and options say where fresh ones go.
type Vault struct {
	URL            string   `key:"url" check:"url"`
	Token          string   `key:"token" secret:"true"`
	RoleID         string   `key:"role_id"`
	SecretID       string   `key:"secret_id" secret:"true"`
	Namespace      string   `key:"namespace"`
	CAFile         string   `key:"ca_file" check:"file"`
	Aliases        []string `key:"aliases"`
	Leases         string   `key:"leases" default:"database/creds/"` // where the leases are that a diagnosis looks at
	Connector      string   `key:"connector"`
	UserOption     string   `key:"user_option" default:"connection.user"`
	PasswordOption string   `key:"password_option" default:"connection.password"`
}

// Kafka is the brokers behind the Connect cluster.
type Kafka struct {
	Brokers   []string `key:"brokers"`
	Aliases   []string `key:"aliases"`
	TLS       bool     `key:"tls"`
	CAFile    string   `key:"ca_file" check:"file"`
	Mechanism string   `key:"sasl_mechanism" oneof:"plain scram-sha-256 scram-sha-512"`
	Username  string   `key:"username"`
	Password  string   `key:"password" secret:"true"`
}

// Service is one workload that a runbook may restart, scale or read the logs of. Its name is the compose service.
type Service struct {
	Kind    string   `key:"kind" default:"docker" oneof:"docker kubernetes"`
	Name    string   `key:"name"` // the container ("cdc-" and the service's name when empty), or deployment/x, statefulset/x
	Aliases []string `key:"aliases"`
}

// Failover is the cluster in the other region and the connectors that stand in, written "here=there".
type Failover struct {
	Connect    Backup   `key:"connect"`
	Connectors []string `key:"connectors"`
}

// Backup is a Connect cluster that need not be there.
type Backup struct {
	URL      string `key:"url" check:"url"`
	Username string `key:"username"`
	Password string `key:"password" secret:"true"`
	Token    string `key:"token" secret:"true"`
	CAFile   string `key:"ca_file" check:"file"`
}

// Connect is one Kafka Connect cluster. Aliases are other host:port spellings that runbooks use for it.
type Connect struct {
	URL      string        `key:"url" check:"url" required:"true"`
	Aliases  []string      `key:"aliases"`
	Username string        `key:"username"`
	Password string        `key:"password" secret:"true"`
	Token    string        `key:"token" secret:"true"`
	CAFile   string        `key:"ca_file" check:"file"`
	Timeout  time.Duration `key:"timeout" default:"10s" min:"100ms"`
	// Files is the folder of connector configurations that runbooks name by path (-d @docker/connectors/sink.json).
	Files string `key:"files" check:"folder"`
	// Service is the one of the pipeline's services that is the worker: its log is read when a connector fails.
	Service string `key:"service" default:"kafka-connect"`
}

// Postgres is the sink database. Progress tables are counted to prove that records arrive again.
type Postgres struct {
	URL      string   `key:"url" check:"postgres"`
	Username string   `key:"username"` // instead of one in the URL
	Password string   `key:"password" secret:"true"`
	Progress []string `key:"progress_tables"`
	Aliases  []string `key:"aliases"` // containers and addresses that runbooks use for it
}

// Secrets lists every secret value that was loaded, for redaction: all fields that are tagged so, and passwords in URLs.
func (c *Config) Secrets() []string {
	values := secrets(reflect.ValueOf(*c))
	values = slices.DeleteFunc(values, func(s string) bool { return s == "" })
	slices.Sort(values)
	return slices.Compact(values)
}

func secrets(v reflect.Value) []string {
	var values []string
	switch v.Kind() {
	case reflect.Map:
		for _, key := range v.MapKeys() {
			values = append(values, secrets(v.MapIndex(key))...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field, tag := v.Field(i), v.Type().Field(i).Tag
			switch {
			case field.Kind() != reflect.String:
				values = append(values, secrets(field)...)
			case tag.Get("secret") != "":
				values = append(values, field.String())
			case tag.Get("check") == "url" || tag.Get("check") == "postgres" || tag.Get("check") == "redis":
				values = append(values, urlPassword(field.String()))
			}
		}
	}
	return values
}

// Names lists the pipelines, sorted.
func (c *Config) Names() []string {
	names := make([]string, 0, len(c.Pipelines))
	for name := range c.Pipelines {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func urlPassword(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.User == nil {
		return ""
	}
	password, _ := u.User.Password()
	return password
}

// Problem is one complaint about one key.
type Problem struct {
	Key    string // "approval.ttl"
	Value  string // as given; "••••••" for a secret
	Expect string
	From   string // "file", "environment" or "default"
}

// String is the complaint as people read it: key, value, where it came from, what was expected.
func (p Problem) String() string {
	if p.Value == "" {
		return fmt.Sprintf("%s: missing; expected %s", p.Key, p.Expect)
	}
	return fmt.Sprintf("%s: %q (from %s); expected %s", p.Key, p.Value, p.From, p.Expect)
}

// Error lists every problem of a configuration at once.
type Error struct {
	Problems []Problem
}

// Error implements error: one line for each problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return "configuration: " + strings.Join(lines, "\nconfiguration: ")
}
