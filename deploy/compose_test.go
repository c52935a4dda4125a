package deploy

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"cdcbot/internal/app"
	"cdcbot/internal/config"
	"cdcbot/internal/lab"
	"cdcbot/internal/runbook"
	"cdcbot/runbooks"
)

const world = "deploy/compose"

// project loads the compose world as docker compose would.
func project(t *testing.T, environ ...string) (*types.Project, error) {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(top, world, "compose.yaml")}, cli.WithEnv(environ), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(t.Context())
}

func loaded(t *testing.T) *types.Project {
	t.Helper()
	p, err := project(t, "SLACK_CHANNEL=C0123456789")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestComposeWantsAChannel(t *testing.T) {
	if _, err := project(t); err == nil || !strings.Contains(err.Error(), "the ID of the channel for incidents") {
		t.Errorf("got %v", err)
	}
}

// The services are those of the reference environment, under the names that its runbooks use.
func TestComposeWorld(t *testing.T) {
	p := loaded(t)
	ports := map[string]string{
		"kafka": "29092", "schema-registry": "8081", "kafka-connect": "8083", "cassandra": "9042", "postgres": "5432", "vault": "8200", "prometheus": "9090",
		"alertmanager": "9093", "grafana": "3000", "cdc-api": "8080", "redis": "", "docker": "", "bot": "8090",
	}
	if len(p.Services) != len(ports) {
		t.Errorf("%d services, want %d", len(p.Services), len(ports))
	}
	for name, port := range ports {
		s, ok := p.Services[name]
		if want := "cdc-" + strings.TrimPrefix(name, "cdc-"); !ok || s.ContainerName != want {
			t.Errorf("%s is the container %q, want %q", name, s.ContainerName, want)
		}
		if port == "" && len(s.Ports) > 0 || port != "" && (len(s.Ports) != 1 || s.Ports[0].Published != port || s.Ports[0].HostIP != "127.0.0.1") {
			t.Errorf("%s publishes %+v, want %q on loopback", name, s.Ports, port)
		}
		if s.Image == "" || strings.HasSuffix(s.Image, ":latest") && name != "bot" && name != "cdc-api" {
			t.Errorf("%s: image %q has no version", name, s.Image)
		}
	}
}

// What the bot demands of a Redis; the chart's has the same words, and runs with them in a test.
func TestComposeRedis(t *testing.T) {
	if c := strings.Join(loaded(t).Services["redis"].Command, " "); !strings.Contains(c, "--appendonly yes --appendfsync always --maxmemory-policy noeviction --requirepass") {
		t.Errorf("redis runs %q", c)
	}
}

// Everything that is mounted is there, except what secrets.sh makes.
func TestComposeFiles(t *testing.T) {
	p := loaded(t)
	made := secretsOf(t)
	there := func(path string) bool {
		if _, after, ok := strings.Cut(filepath.ToSlash(path), world+"/secrets"); ok {
			path = made + after
		}
		_, err := os.Stat(path)
		return err == nil
	}
	for name, s := range p.Services {
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind && v.Source != "/var/run/docker.sock" && !there(v.Source) {
				t.Errorf("%s mounts %s, which is not there", name, v.Source)
			}
		}
		for _, secret := range s.Secrets {
			if !there(p.Secrets[secret.Source].File) {
				t.Errorf("%s has the secret %s, which nobody makes", name, secret.Source)
			}
		}
	}
}

// secretsOf runs secrets.sh beside nothing, twice, and gives the folder it makes.
func secretsOf(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secrets.sh"), read(t, world+"/secrets.sh"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func() string {
		out, err := exec.Command("sh", filepath.Join(dir, "secrets.sh")).CombinedOutput()
		if err != nil {
			t.Fatalf("secrets.sh: %v\n%s", err, out)
		}
		return string(out)
	}
	if out := run(); !strings.Contains(out, "put Slack's token into") {
		t.Errorf("secrets.sh says %q", out)
	}
	secrets := filepath.Join(dir, "secrets")
	for name, text := range map[string]string{"slack-bot-token": "xoxb-1", "slack-app-token": "xapp-1"} {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.ReadFile(filepath.Join(secrets, "seal-keys"))
	if err != nil {
		t.Fatal(err)
	}
	if out := run(); out != "" {
		t.Errorf("secrets.sh says again %q", out)
	}
	if after, err := os.ReadFile(filepath.Join(secrets, "seal-keys")); err != nil || string(after) != string(before) || len(after) < 60 {
		t.Errorf("the key was %q and is %q (%v)", before, after, err)
	}
	if info, err := os.Stat(secrets); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others may enter %s (%v)", secrets, err)
	}
	return secrets
}

// The bot has nothing that it does not need, least of all the engine's socket.
func TestComposeBot(t *testing.T) {
	p := loaded(t)
	s := p.Services["bot"]
	if !s.ReadOnly || s.User != "65532:65532" || !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0 || s.Privileged || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
		t.Errorf("the bot may too much: %+v", s)
	}
	for name, s := range p.Services {
		for _, v := range s.Volumes {
			if strings.Contains(v.Source, "docker.sock") && (name != "docker" || !v.ReadOnly) {
				t.Errorf("%s has the engine's socket", name)
			}
		}
	}
	proxy := p.Services["docker"]
	if _, outside := proxy.Networks["cdc"]; outside || len(proxy.Ports) > 0 || !p.Networks["engine"].Internal {
		t.Error("others than the bot reach the engine")
	}
	for name, s := range p.Services {
		if _, in := s.Networks["engine"]; in && name != "docker" && name != "bot" {
			t.Errorf("%s reaches the engine", name)
		}
	}
	if post := proxy.Environment["POST"]; post == nil || *post != "0" {
		t.Error("the proxy lets everything through")
	}
}

// The bot reads its settings in this world, and every command of the runbooks that ship resolves to something in it.
func TestComposeSettings(t *testing.T) {
	p := loaded(t)
	bot := p.Services["bot"]
	var environ []string
	for key, value := range bot.Environment {
		environ = append(environ, key+"="+*value)
	}
	dir := secretsOf(t)
	text := strings.NewReplacer("/run/secrets/", dir+"/", "files: /connectors", "files: "+mustAbs(t, world+"/connectors")).Replace(string(read(t, world+"/cdcbot.yaml")))
	file := filepath.Join(t.TempDir(), "cdcbot.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file, environ)
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]bool{}
	for _, secret := range bot.Secrets {
		given[secret.Source] = true
	}
	for _, m := range regexp.MustCompile(`/run/secrets/(\S+)`).FindAllStringSubmatch(string(read(t, world+"/cdcbot.yaml")), -1) {
		if !given[m[1]] {
			t.Errorf("the bot reads %s and is not given it", m[0])
		}
	}
	for name := range c.Pipelines["warehouse"].Services {
		if _, ok := p.Services[name]; !ok {
			t.Errorf("the bot may restart %s, which is not there", name)
		}
	}
	targets := app.Targets(c, "warehouse")
	names, err := runbooks.FS.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		source, err := runbooks.FS.ReadFile(name.Name())
		if err != nil {
			t.Fatal(err)
		}
		book, err := runbook.Compile(strings.TrimSuffix(name.Name(), ".md"), source)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range book.Resolve(targets) {
			if f.Level == "error" {
				t.Errorf("%s:%d: %s [%s]", name.Name(), f.Line, f.Text, f.Code)
			}
		}
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(filepath.Join(top, path))
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// Connectors' files are what runbooks name: an envelope with the connector's real name, and no secret in it.
func TestComposeConnectors(t *testing.T) {
	for file, name := range map[string]string{"cassandra-source": "cassandra-source-connector", "postgres-sink": "postgres-sink-connector"} {
		var envelope struct {
			Name   string            `json:"name"`
			Config map[string]string `json:"config"`
		}
		if err := json.Unmarshal(read(t, world+"/connectors/"+file+".json"), &envelope); err != nil {
			t.Fatal(err)
		}
		if envelope.Name != name || envelope.Config["connector.class"] == "" {
			t.Errorf("%s: got %+v", file, envelope)
		}
		for key, value := range envelope.Config {
			if strings.Contains(key, "password") && !strings.HasPrefix(value, "${file:/secrets/") {
				t.Errorf("%s: %s is a secret", file, key)
			}
		}
	}
}

// Prometheus and Alertmanager take their settings, and send alerts where the bot listens.
func TestComposeMonitoring(t *testing.T) {
	dir := secretsOf(t)
	replaced := func(name, old, new string) string {
		file := filepath.Join(t.TempDir(), name)
		text := string(read(t, world+"/"+name))
		if !strings.Contains(text, old) {
			t.Fatalf("%s has no %q", name, old)
		}
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, old, new)), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	out := promtool(t, "check", "config", replaced("prometheus.yml", "/etc/prometheus/rules/*.yml", mustAbs(t, "deploy/prometheus")+"/*.rules.yml"))
	if !strings.Contains(out, "2 rule files found") {
		t.Errorf("promtool says %s", out)
	}
	file := replaced("alertmanager.yml", "/run/secrets/", dir+"/")
	amtool := exec.Command(lab.Program(t, "amtool", "prometheus-alertmanager"), "check-config", file)
	if out, err := amtool.CombinedOutput(); err != nil {
		t.Errorf("amtool: %v\n%s", err, out)
	}
}
