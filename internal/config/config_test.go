package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const small = `
slack: {channel: C1}
pipelines:
  warehouse:
    connect: {url: "http://localhost:8083"}
`

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadTakesDefaultsFileAndEnvironment(t *testing.T) {
	path := write(t, "c.yaml", small+"approval: {ttl: 10m}\n")
	c, err := Load(path, []string{"CDCBOT_APPROVAL_TTL=15m", "CDCBOT_PIPELINES_WAREHOUSE_CONNECT_URL=http://connect:8083", "CDCBOT_APPROVAL_APPROVERS=U1, U2", "HOME=/root"})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name      string
		got, want any
	}{
		{"environment beats file", c.Approval.TTL, 15 * time.Minute},
		{"environment reaches a pipeline", c.Pipelines["warehouse"].Connect.URL, "http://connect:8083"},
		{"list from the environment", strings.Join(c.Approval.Approvers, "|"), "U1|U2"},
		{"default", c.Watch.Every, 10 * time.Second},
		{"default of a pipeline", c.Pipelines["warehouse"].Connect.Timeout, 10 * time.Second},
		{"default list label", c.Alerts.Labels.Connector, "connector"},
	} {
		if row.got != row.want {
			t.Errorf("%s: got %v, want %v", row.name, row.got, row.want)
		}
	}
}

func TestEnvironmentAloneIsEnough(t *testing.T) {
	c, err := Load("", []string{"CDCBOT_SLACK_CHANNEL=C1", "CDCBOT_PIPELINES_SHOP_CONNECT_URL=http://c:8083"})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Names(); !slices.Equal(got, []string{"shop"}) {
		t.Errorf("pipelines: got %v, want [shop]", got)
	}
}

// Every complaint names key, value and expectation.
func TestLoadComplains(t *testing.T) {
	for _, row := range []struct {
		name, yaml string
		env        []string
		want       []string
	}{
		{"duration", small + "approval: {ttl: soon}", nil, []string{"approval.ttl", `"soon"`, "duration"}},
		{"too short", small + "approval: {ttl: 1s}", nil, []string{"approval.ttl", `"1s"`, "at least 1m"}},
		{"unknown key with a near one", small + "aproval: {ttl: 5m}", nil, []string{"aproval.ttl", "did you mean approval.ttl"}},
		{"unknown environment name", small, []string{"CDCBOT_APROVAL_TTL=5m"}, []string{"CDCBOT_APROVAL_TTL", "did you mean CDCBOT_APPROVAL_TTL"}},
		{"environment value", small, []string{"CDCBOT_WATCH_ENABLED=perhaps"}, []string{"watch.enabled", `"perhaps"`, "environment CDCBOT_WATCH_ENABLED", "true or false"}},
		{"one of", small + "log: {level: loud}", nil, []string{"log.level", `"loud"`, "one of debug, info, warn, error"}},
		{"url", strings.Replace(small, "http://localhost:8083", "localhost:8083", 1), nil, []string{"pipelines.warehouse.connect.url", `"localhost:8083"`, "http://localhost:8083"}},
		{"missing url", "slack: {channel: C1}\npipelines: {warehouse: {}}", nil, []string{"pipelines.warehouse.connect.url", "missing"}},
		{"no pipelines", "slack: {channel: C1}", nil, []string{"pipelines", "at least one pipeline"}},
		{"no channel", strings.Replace(small, "slack: {channel: C1}", "", 1), nil, []string{"pipelines.warehouse.channel", "slack.channel"}},
		{"number", small + "execution: {workers: many}", nil, []string{"execution.workers", `"many"`, "whole number"}},
		{"range", small + "execution: {workers: 0}", nil, []string{"execution.workers", `"0"`, "from 1 to 100"}},
		{"nested where text stands", small + "listen: {a: b}", nil, []string{"listen", "text"}},
		{"nested in a list", small + "approval: {approvers: [{a: b}]}", nil, []string{"approval.approvers", "list of texts"}},
		{"pipelines is a list", "slack: {channel: C1}\npipelines: [a]", nil, []string{"pipelines", "mapping"}},
		{"token shape hides the value", small, []string{"CDCBOT_SLACK_BOT_TOKEN=hunter2secret"}, []string{"slack.bot_token", "••••••", "xoxb-"}},
		{"hostport", small + "listen: nowhere", nil, []string{"listen", `"nowhere"`, "host:port"}},
		{"redis", small + "redis: {url: 'http://x'}", nil, []string{"redis.url", "redis://"}},
		{"sentinels without a master", small + "redis: {sentinel: {addresses: ['s:26379']}}", nil, []string{"redis.sentinel.master", "mymaster"}},
		{"a master without sentinels", small + "redis: {sentinel: {master: m}}", nil, []string{"redis.sentinel.addresses", "sentinel-0:26379"}},
		{"sentinel's address", small + "redis: {sentinel: {master: m, addresses: [nowhere]}}", nil, []string{"redis.sentinel.addresses", "nowhere", "host:port"}},
		{"sentinel and cluster", small + "redis: {sentinel: {master: m, addresses: ['s:1']}, cluster: {addresses: ['c:1']}}", nil, []string{"redis.cluster.addresses", "not both"}},
		{"url and cluster", small + "redis: {url: 'redis://:hunter2secret@x', cluster: {addresses: ['c:1']}}", nil, []string{"redis.url", "leave it out"}},
		{"certificate without its key", small + "redis: {tls: true, cert_file: /dev/null}", nil, []string{"redis.cert_file", "together"}},
		{"authority for a connection in the clear", small + "redis: {ca_file: /dev/null}", nil, []string{"redis.tls", "rediss://"}},
		{"accepts what is no risk", small + "redis: {accept: [everything]}", nil, []string{"redis.accept", "everything", "appendfsync, replicas"}},
		{"no such reference", small + "vault: {url: 'http://v', token: t}\nalerts: {token: 'vault:secret/cdc'}", nil, []string{"alerts.token", "vault:PATH#FIELD"}},
		{"reference without a Vault", small + "alerts: {token: 'vault:secret/cdc#token'}", nil, []string{"vault.url", "alerts.token is said to be in it"}},
		{"no way to log in", small + "vault: {url: 'http://v'}", nil, []string{"vault.token", "exactly one"}},
		{"two ways to log in", small + "vault: {url: 'http://v', token: hunter2secret, role_id: r, secret_id: s}", nil, []string{"vault.token", "exactly one"}},
		{"AppRole without its secret", small + "vault: {url: 'http://v', role_id: r}", nil, []string{"vault.secret_id"}},
		{"secret file missing", small + "alerts: {token_file: /nowhere/token}", nil, []string{"alerts.token_file", "/nowhere/token", "no such file"}},
		{"link without an address", strings.Replace(small, "{channel: C1}", "{channel: C1, links: [On-call schedule]}", 1), nil, []string{"slack.links", "https://example.com/oncall"}},
		{"secret twice", small + "alerts: {token: abc, token_file: /nowhere}", nil, []string{"alerts.token_file", "not both"}},
		{"password in a URL is not shown", small + "redis: {url: 'http://u:hunter2secret@x'}", nil, []string{"redis.url", "xxxxx"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := Load(write(t, "c.yaml", row.yaml), row.env)
			var problems *Error
			if !errors.As(err, &problems) {
				t.Fatalf("got error %v, want *Error for:\n%s", err, row.yaml)
			}
			for _, want := range row.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "hunter2secret") {
				t.Errorf("error shows a secret: %v", err)
			}
		})
	}
}

func TestBrokenFiles(t *testing.T) {
	for _, row := range []struct{ name, path, want string }{
		{"absent", filepath.Join(t.TempDir(), "none.yaml"), "no such file"},
		{"not YAML", write(t, "bad.yaml", "a: [1\nb: }"), "bad.yaml"},
	} {
		if _, err := Load(row.path, nil); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q in it", row.name, err, row.want)
		}
	}
}

func TestSecretsComeFromFiles(t *testing.T) {
	token := write(t, "token", "s3cret-token\n")
	c, err := Load(write(t, "c.yaml", small+"alerts: {token_file: "+token+"}\nredis: {url: 'redis://:inurl@localhost/0'}"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Alerts.Token != "s3cret-token" {
		t.Errorf("alerts.token: got %q, want the file's line without its end", c.Alerts.Token)
	}
	if got := c.Secrets(); !slices.Equal(got, []string{"inurl", "s3cret-token"}) {
		t.Errorf("secrets: got %v", got)
	}
}

func TestFill(t *testing.T) {
	yaml := strings.Replace(small, "{channel: C1}", "{channel: C1, bot_token: 'vault:secret/slack#bot'}", 1)
	c, err := Load(write(t, "c.yaml", yaml+"vault: {url: 'http://v', kubernetes_role: cdcbot}\nalerts: {username: 'vault:secret/a#user', password: 'vault:/secret/a#b#c'}"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Fill(func(r Reference) (string, error) { return "xoxb-" + r.Path + "/" + r.Field, nil }); err != nil {
		t.Fatal(err)
	}
	if c.Alerts.Username != "xoxb-secret/a/user" || c.Alerts.Password != "xoxb-secret/a#b/c" || c.Slack.BotToken != "xoxb-secret/slack/bot" {
		t.Errorf("got %+v %+v", c.Alerts, c.Slack)
	}
	if len(c.References()) != 3 {
		t.Errorf("references: %v", c.References())
	}
	err = c.Fill(func(r Reference) (string, error) { return "hunter2secret", nil })
	if err == nil || !strings.Contains(err.Error(), "slack.bot_token") || strings.Contains(err.Error(), "hunter2secret") {
		t.Errorf("a value that does not fit: %v", err)
	}
}

// The example must load, must name every key, and must show the defaults it claims to show.
func TestExampleDocumentsEveryKey(t *testing.T) {
	path := filepath.Join("..", "..", "config.example.yaml")
	c, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	given, err := readFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := &decoder{given: given}
	var plain Config
	d.structure("", reflect.ValueOf(&plain).Elem())
	for _, key := range d.known {
		name := key[strings.LastIndex(key, ".")+1:]
		if !strings.Contains(string(text), name+":") {
			t.Errorf("config.example.yaml lacks %s", key)
		}
	}
	bare, err := Load(write(t, "c.yaml", small), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name      string
		got, want any
	}{
		{"listen", c.Listen, bare.Listen}, {"log", c.Log, bare.Log}, {"redis", c.Redis, bare.Redis}, {"watch", c.Watch, bare.Watch},
		{"alerts.labels", c.Alerts.Labels, bare.Alerts.Labels}, {"incident", c.Incident, bare.Incident}, {"execution", c.Execution, bare.Execution},
		{"diagnosis", c.Diagnosis, bare.Diagnosis}, {"approval.ttl", c.Approval.TTL, bare.Approval.TTL}, {"slack.connections", c.Slack.Connections, bare.Slack.Connections},
	} {
		if !reflect.DeepEqual(row.got, row.want) {
			t.Errorf("%s: the example says %v, the default is %v", row.name, row.got, row.want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(small)
	f.Add("pipelines: {a: {connect: {url: 3}}}")
	f.Add("? [1, 2]\n: {}")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := Load(path, nil); err == nil && len(c.Pipelines) == 0 {
			t.Errorf("accepted a configuration without pipelines: %q", text)
		}
	})
}

func TestRedisShapes(t *testing.T) {
	for _, row := range []struct {
		name, yaml string
		env        []string
		want       Redis
	}{
		{"one server", "", nil, Redis{URL: defaultRedis}},
		{"one server over TLS", "redis: {url: 'rediss://r:6380/2', username: cdcbot, ca_file: /dev/null}", nil, Redis{URL: "rediss://r:6380/2", Username: "cdcbot", CAFile: "/dev/null"}},
		{"sentinel", "redis: {sentinel: {master: m, addresses: ['a:1', 'b:2'], username: u, password: p, database: 3}}", nil,
			Redis{URL: defaultRedis, Sentinel: Sentinel{Master: "m", Addresses: []string{"a:1", "b:2"}, Username: "u", Password: "p", Database: 3}}},
		{"cluster from the environment", "", []string{"CDCBOT_REDIS_CLUSTER_ADDRESSES=a:1, b:2", "CDCBOT_REDIS_TLS=true", "CDCBOT_REDIS_ACCEPT=replicas"},
			Redis{URL: defaultRedis, TLS: true, Cluster: Cluster{Addresses: []string{"a:1", "b:2"}}, Accept: []string{RiskReplicas}}},
	} {
		c, err := Load(write(t, "c.yaml", small+row.yaml), row.env)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if !reflect.DeepEqual(c.Redis, row.want) {
			t.Errorf("%s: got %+v, want %+v", row.name, c.Redis, row.want)
		}
	}
}
