package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"

	"cdcbot/internal/config"
	"cdcbot/internal/lab"
	"cdcbot/internal/runbook"
)

const (
	chart     = "deploy/helm/cdcbot"
	release   = "ops"
	namespace = "cdc-ops"
)

// helm runs the pinned Helm in the repository and gives what it wrote. Without it the test is left out, or fails where
// the lab is meant to be up.
func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	program := os.Getenv("CDCBOT_LAB_HELM")
	if program == "" {
		program = filepath.Join(top, ".lab", "kubernetes", "helm")
	}
	program, err := filepath.Abs(program)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		leaveOut(t, "there is no helm (lab/kubernetes/build.sh)")
	}
	c := exec.Command(program, args...)
	c.Dir = top
	home := t.TempDir() // nobody's own repositories and plugins
	c.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		return out.String(), fmt.Errorf("helm %s: %w\n%s%s", args[0], err, errs.String(), out.String())
	}
	return out.String(), nil
}

// leaveOut skips the test with the reason, or fails it where nothing may be missing.
func leaveOut(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CDCBOT_LAB") == "1" || os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip("left out: " + reason)
}

// matrix are the values that the chart is rendered with.
func matrix(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(top, chart, "ci", "*.yaml"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files of values (%v)", len(files), err)
	}
	for i := range files {
		files[i] = strings.TrimSuffix(filepath.Base(files[i]), ".yaml")
	}
	return files
}

// render gives what the chart makes of one of the matrix's values.
func render(t *testing.T, values string, args ...string) []runtime.Object {
	t.Helper()
	out, err := helm(t, append([]string{"template", release, chart, "-n", namespace, "-f", chart + "/ci/" + values + ".yaml"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, out)
}

// operatorKinds are those of the Prometheus Operator, as far as the chart uses them; k8s.io/api does not have them.
var operatorKinds = map[string]func() any{
	"ServiceMonitor": func() any {
		return &struct {
			APIVersion, Kind string
			Metadata         struct {
				Name   string
				Labels map[string]string
			}
			Spec struct {
				JobLabel  string
				Selector  struct{ MatchLabels map[string]string }
				Endpoints []struct {
					Port, Path, Interval string
					Relabelings          []struct{ TargetLabel, Replacement string }
				}
			}
		}{}
	},
	"PrometheusRule": func() any {
		return &struct {
			APIVersion, Kind string
			Metadata         struct {
				Name   string
				Labels map[string]string
			}
			Spec struct {
				Groups []struct {
					Name, Interval string
					Rules          []struct {
						Alert, Record, Expr, For, KeepFiringFor string
						Labels, Annotations                     map[string]string
					}
				}
			}
		}{}
	},
}

// decode reads manifests as the types that they say they are; a field that its type does not have is an error.
func decode(t *testing.T, manifests string) []runtime.Object {
	t.Helper()
	strict := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	var objects []runtime.Object
	for documents := yaml.NewDocumentDecoder(io.NopCloser(strings.NewReader(manifests))); ; {
		text := make([]byte, 1<<20)
		n, err := documents.Read(text)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := yaml.ToJSON(text[:n])
		if err != nil {
			t.Fatalf("%v\n%s", err, text[:n])
		}
		if string(body) == "null" {
			continue
		}
		var kind struct{ Kind string }
		if err := json.Unmarshal(body, &kind); err != nil {
			t.Fatal(err)
		}
		if foreign, ok := operatorKinds[kind.Kind]; ok {
			d := json.NewDecoder(bytes.NewReader(body))
			d.DisallowUnknownFields()
			if err := d.Decode(foreign()); err != nil {
				t.Errorf("%s: %v\n%s", kind.Kind, err, text[:n])
			}
			continue
		}
		object, _, err := strict.Decode(body, nil, nil)
		if err != nil {
			t.Errorf("%v\n%s", err, text[:n])
			continue
		}
		objects = append(objects, object)
	}
}

// only gives the objects of a type.
func only[T runtime.Object](objects []runtime.Object) []T {
	var found []T
	for _, o := range objects {
		if one, ok := o.(T); ok {
			found = append(found, one)
		}
	}
	return found
}

func TestChart(t *testing.T) {
	for _, values := range matrix(t) {
		t.Run(values, func(t *testing.T) {
			out, err := helm(t, "lint", "--strict", chart, "-f", chart+"/ci/"+values+".yaml")
			if err != nil || strings.Contains(out, "[WARNING]") || strings.Contains(out, "[ERROR]") {
				t.Fatalf("%v\n%s", err, out)
			}
			objects := render(t, values)
			names := map[string]bool{}
			for _, o := range objects {
				m, err := meta.Accessor(o)
				if err != nil {
					t.Fatal(err)
				}
				id := o.GetObjectKind().GroupVersionKind().Kind + "/" + m.GetName()
				if names[id] || m.GetName() == "" || m.GetLabels()["app.kubernetes.io/instance"] != release {
					t.Errorf("%s is there twice, or nameless, or without labels %v", id, m.GetLabels())
				}
				names[id] = true
			}
			for name, pod := range pods(objects) {
				checkPod(t, name, pod)
			}
			checkSettings(t, objects)
		})
	}
}

// pods are all that the objects would make, by what makes them.
func pods(objects []runtime.Object) map[string]corev1.PodSpec {
	all := map[string]corev1.PodSpec{}
	for _, o := range only[*appsv1.Deployment](objects) {
		all["deployment/"+o.Name] = o.Spec.Template.Spec
	}
	for _, o := range only[*appsv1.StatefulSet](objects) {
		all["statefulset/"+o.Name] = o.Spec.Template.Spec
	}
	for _, o := range only[*corev1.Pod](objects) {
		all["pod/"+o.Name] = o.Spec
	}
	return all
}

// checkPod demands what Kubernetes calls restricted, and more: nothing may be written but volumes, and the cluster sets no
// environment, which the bot would take for keys of its configuration.
func checkPod(t *testing.T, name string, p corev1.PodSpec) {
	t.Helper()
	s := p.SecurityContext
	if s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.RunAsUser == nil || *s.RunAsUser == 0 || s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("%s: its pods may run as root or without seccomp: %+v", name, s)
	}
	if p.EnableServiceLinks == nil || *p.EnableServiceLinks {
		t.Errorf("%s: the cluster sets environment", name)
	}
	if p.HostNetwork || p.HostPID || p.HostIPC {
		t.Errorf("%s: it shares the node", name)
	}
	for _, c := range p.Containers {
		s := c.SecurityContext
		if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
			t.Errorf("%s: container %s may too much: %+v", name, c.Name, s)
		}
		if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
			t.Errorf("%s: container %s has no limits: %+v", name, c.Name, c.Resources)
		}
	}
	for _, v := range p.Volumes {
		if v.HostPath != nil {
			t.Errorf("%s: volume %s is a folder of the node", name, v.Name)
		}
	}
}

// settings are the bot's, as its pod would read them. Secrets are made up.
func settings(t *testing.T, objects []runtime.Object) (*config.Config, error) {
	t.Helper()
	maps := only[*corev1.ConfigMap](objects)
	at := slices.IndexFunc(maps, func(m *corev1.ConfigMap) bool { return m.Data["config.yaml"] != "" })
	if at < 0 {
		t.Fatal("there is no configuration")
	}
	dir, text := t.TempDir(), maps[at].Data["config.yaml"]
	for _, m := range regexp.MustCompile(`/secrets/(\S+)`).FindAllStringSubmatch(text, -1) {
		if err := os.WriteFile(filepath.Join(dir, m[1]), []byte(madeUp(m[1])), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "/secrets/", dir+"/")), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(file, nil)
}

func madeUp(name string) string {
	switch name {
	case "slack-bot-token":
		return "xoxb-1"
	case "slack-app-token":
		return "xapp-1"
	case "seal-keys":
		return "k1:" + sealKey()
	}
	return "secret of " + name
}

// checkSettings has the bot itself read what the chart has written for it.
func checkSettings(t *testing.T, objects []runtime.Object) {
	t.Helper()
	c, err := settings(t, objects)
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != ":8080" || c.Slack.BotToken != "xoxb-1" || c.Alerts.Token == "" || c.Redis.URL == "" || len(c.Pipelines) != 1 {
		t.Errorf("got %+v", c)
	}
	for _, m := range only[*corev1.ConfigMap](objects) {
		for name, text := range m.Data {
			if strings.HasSuffix(name, ".md") {
				if _, err := runbook.Compile(strings.TrimSuffix(name, ".md"), []byte(text)); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// What the bot may do in the cluster is what its configuration names, and nothing else.
func TestChartRights(t *testing.T) {
	workload := func(resource string, names ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{resource}, ResourceNames: names, Verbs: []string{"get", "patch"}}
	}
	read := func(group, resource, verb string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{verb}}
	}
	pods := []rbacv1.PolicyRule{read("", "pods", "list"), read("", "pods/log", "get")}
	rows := []struct {
		values, namespace, account string
		token                      bool
		want                       []rbacv1.PolicyRule
	}{
		{"least", "", "ops-cdcbot", false, nil},
		{"vault", "", "ops-cdcbot", true, nil}, // the agent logs in with it
		{"csi", namespace, "ops", true, append([]rbacv1.PolicyRule{workload("deployments", "kafka-connect")}, pods...)},
		{"full", "cdc", "ops-cdcbot", true, slices.Concat([]rbacv1.PolicyRule{
			workload("deployments", "cdc-api", "kafka-connect", "schema-registry"), workload("statefulsets", "kafka"), workload("daemonsets", "node-agent"),
		}, pods, []rbacv1.PolicyRule{read("kafka.strimzi.io", "kafkaconnectors", "list"), read("platform.confluent.io", "connectors", "list")})},
	}
	for _, row := range rows {
		t.Run(row.values, func(t *testing.T) {
			objects := render(t, row.values)
			spec := only[*appsv1.Deployment](objects)[0].Spec.Template.Spec
			if *spec.AutomountServiceAccountToken != row.token || spec.ServiceAccountName != row.account {
				t.Errorf("token %t of %s", *spec.AutomountServiceAccountToken, spec.ServiceAccountName)
			}
			if len(only[*rbacv1.ClusterRole](objects))+len(only[*rbacv1.ClusterRoleBinding](objects)) > 0 {
				t.Error("there are rights in the whole cluster")
			}
			var got []rbacv1.PolicyRule
			for _, r := range only[*rbacv1.Role](objects) {
				got = append(got, r.Rules...)
				if r.Namespace != row.namespace {
					t.Errorf("a role in %s", r.Namespace)
				}
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
			for _, b := range only[*rbacv1.RoleBinding](objects) {
				if b.Namespace != row.namespace || len(b.Subjects) != 1 || b.Subjects[0].Name != row.account || b.Subjects[0].Namespace != namespace {
					t.Errorf("bound to %+v in %s", b.Subjects, b.Namespace)
				}
			}
		})
	}
}

func TestChartNetwork(t *testing.T) {
	rows := []struct {
		values string
		from   []string
		ports  []int
	}{
		{"least", []string{"", "monitoring"}, []int{53, 53, 443, 6443, 6379, 8083}},
		{"full", []string{"", "monitoring", "alerting"}, []int{53, 53, 443, 6443, 3000, 5433, 6380, 8081, 8083, 8085, 8183, 8200, 9042, 9090, 9094, 9142, 3128}},
	}
	for _, row := range rows {
		t.Run(row.values, func(t *testing.T) {
			p := only[*networkingv1.NetworkPolicy](render(t, row.values))[0]
			var from []string
			for _, peer := range p.Spec.Ingress[0].From {
				name := ""
				if peer.NamespaceSelector != nil {
					name = peer.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"]
				}
				from = append(from, name)
			}
			var ports []int
			for _, rule := range p.Spec.Egress {
				for _, port := range rule.Ports {
					ports = append(ports, port.Port.IntValue())
				}
			}
			if diff := cmp.Diff(row.from, from); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(row.ports, ports); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What a row of values changes, told by one thing of what is rendered.
func TestChartValues(t *testing.T) {
	bot := func(objects []runtime.Object) appsv1.DeploymentSpec { return only[*appsv1.Deployment](objects)[0].Spec }
	rows := []struct {
		values string
		args   []string
		what   func([]runtime.Object) any
		want   any
	}{
		{"least", nil, func(o []runtime.Object) any { return *bot(o).Replicas }, int32(2)},
		{"least", nil, func(o []runtime.Object) any { return len(only[*policyv1.PodDisruptionBudget](o)) }, 1},
		{"least", []string{"--set", "replicaCount=1"}, func(o []runtime.Object) any { return len(only[*policyv1.PodDisruptionBudget](o)) }, 0},
		{"least", nil, func(o []runtime.Object) any {
			return len(bot(o).Template.Spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
		}, 1},
		{"full", nil, func(o []runtime.Object) any {
			return len(bot(o).Template.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
		}, 1},
		{"csi", nil, func(o []runtime.Object) any { return bot(o).Template.Spec.Affinity == nil }, true},
		{"least", nil, func(o []runtime.Object) any { return bot(o).Template.Spec.Containers[0].Image }, "cdcbot:0.1.0"},
		{"full", nil, func(o []runtime.Object) any { return bot(o).Template.Spec.Containers[0].Image }, "registry.example.com/cdcbot@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
		{"least", nil, func(o []runtime.Object) any {
			return bot(o).Template.Spec.Containers[0].LivenessProbe.HTTPGet.Path + bot(o).Template.Spec.Containers[0].ReadinessProbe.HTTPGet.Path
		}, "/healthz/readyz"},
		{"vault", nil, func(o []runtime.Object) any {
			return bot(o).Template.Annotations["vault.hashicorp.com/agent-inject-template-redis-password"]
		}, `{{- with secret "secret/data/cdc/bot" -}}{{ index .Data.data "redis-password" }}{{- end -}}`},
		{"csi", nil, func(o []runtime.Object) any {
			return bot(o).Template.Spec.Volumes[1].CSI.VolumeAttributes["secretProviderClass"]
		}, "cdcbot"},
		{"csi", nil, func(o []runtime.Object) any { return bot(o).Template.Spec.Volumes[2].ConfigMap.Name }, "our-runbooks"},
		{"least", []string{"--set", "secrets.files.alerts\\.token=null"}, func(o []runtime.Object) any { return len(bot(o).Template.Spec.Volumes[1].Secret.Items) }, 3},
		{"redis", nil, func(o []runtime.Object) any {
			return strings.Join(only[*appsv1.StatefulSet](o)[0].Spec.Template.Spec.Containers[0].Args, " ")
		}, "redis-server --dir /data --appendonly yes --appendfsync always --maxmemory-policy noeviction --requirepass $(REDIS_PASSWORD)"},
		{"redis", nil, func(o []runtime.Object) any { c, err := settings(t, o); return fmt.Sprint(c.Redis.URL, err) }, "redis://ops-redis:6379/0<nil>"},
	}
	for _, row := range rows {
		if got := row.what(render(t, row.values, row.args...)); got != row.want {
			t.Errorf("%s %v: got %v, want %v", row.values, row.args, got, row.want)
		}
	}
}

// The release's own Redis keeps what it acknowledges, which is what the bot demands: a real one is started as the chart
// would start it.
func TestChartRedis(t *testing.T) {
	dir, address := t.TempDir(), free(t)
	_, port, _ := strings.Cut(address, ":")
	args := only[*appsv1.StatefulSet](render(t, "redis"))[0].Spec.Template.Spec.Containers[0].Args
	for i, a := range args {
		args[i] = strings.NewReplacer("/data", dir, "$(REDIS_PASSWORD)", "of the test").Replace(a)
	}
	server := exec.Command(lab.Program(t, "redis-server", "redis-server"), append(args[1:], "--port", port, "--bind", "127.0.0.1")...)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	stranger := redis.NewClient(&redis.Options{Addr: address})
	client := redis.NewClient(&redis.Options{Addr: address, Password: "of the test"})
	defer func() { _ = stranger.Close(); _ = client.Close() }()
	lab.Await(t, "redis", patient, func(ctx context.Context) (bool, error) { err := client.Ping(ctx).Err(); return err == nil, err })
	for key, want := range map[string]string{"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "dir": dir} {
		if got, err := client.ConfigGet(t.Context(), key).Result(); err != nil || got[key] != want {
			t.Errorf("%s is %v (%v), want %s", key, got, err, want)
		}
	}
	if err := stranger.Ping(t.Context()).Err(); err == nil {
		t.Error("anybody may write")
	}
}

func TestChartRefuses(t *testing.T) {
	rows := []struct{ name, set, want string }{
		{"no secret", "secrets.existingSecret=", "secrets.existingSecret: missing"},
		{"no class", "secrets.source=csi", "secrets.secretProviderClass: missing"},
		{"no role", "secrets.source=vault", "secrets.vault.role and secrets.vault.path: missing"},
		{"a source that is none", "secrets.source=env", "secrets/source"},
		{"no pipeline", "config.pipelines=null", "config.pipelines: missing"},
		{"no redis", "config.redis.url=", "config.redis.url: missing"},
		{"a mistyped key", "replicas=3", "replicas"},
		{"no replica", "replicaCount=0", "replicaCount"},
		{"a key that the chart sets", "config.listen=:9090", "config"},
		{"a runbook that is none", "runbooks.files.a\\.txt=x", "a.txt"},
		{"runbooks twice", "runbooks.files.a\\.md=x,runbooks.existingConfigMap=b", "not both"},
		{"a secret's value", "secrets.files.slack\\.bot_token=xoxb-1/2", "secrets/files"},
		{"a password in a URL", "config.pipelines.warehouse.postgres.url=postgres://admin:hunter2@db/warehouse", "a URL with a password"},
		{"a digest that is none", "image.digest=latest", "image/digest"},
		{"a redis that forgets", "redis.enabled=true,redis.persistence=false", "persistence"},
	}
	for _, row := range rows {
		_, err := helm(t, "template", release, chart, "-f", chart+"/ci/least.yaml", "--set", row.set)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		}
	}
}

// No secret can get into the ConfigMap, whichever key of the configuration it is.
func TestChartRefusesSecrets(t *testing.T) {
	keys := secretKeys(reflect.TypeFor[config.Config]())
	if len(keys) < 7 {
		t.Fatalf("only %v are secrets", keys)
	}
	for key := range keys {
		for _, value := range []string{"hunter2", "123", "hunter: 2"} {
			_, err := helm(t, "template", release, chart, "-f", chart+"/ci/least.yaml", "--set-string", "config.somewhere."+key+"="+value)
			if err == nil || !strings.Contains(err.Error(), "config: "+key+"…: a secret") || strings.Contains(err.Error(), value) {
				t.Errorf("%s=%s: got %v (cdcbot.check in _helpers.tpl lists the keys)", key, value, err)
			}
		}
		if _, err := helm(t, "template", release, chart, "-f", chart+"/ci/least.yaml", "--set", "config.somewhere."+key+"="); err != nil {
			t.Errorf("%s without a value: %v", key, err)
		}
		if _, err := helm(t, "template", release, chart, "-f", chart+"/ci/least.yaml", "--set-string", "config.somewhere."+key+"=vault:secret/cdc/slack#"+key); err != nil {
			t.Errorf("%s in Vault: %v", key, err)
		}
		if _, err := helm(t, "template", release, chart, "-f", chart+"/ci/least.yaml", "--set-string", "config.somewhere."+key+"=vault:hunter2"); err == nil {
			t.Errorf("%s is written like a reference and is none, and was taken", key)
		}
	}
}

// A bot that logs in to Vault as its service account gets that account's token, and is let out to Vault.
func TestChartWithSecretsInVault(t *testing.T) {
	text, err := helm(t, "template", release, chart, "-f", chart+"/ci/least.yaml", "--set", "config.vault.url=https://vault.security:8201,config.vault.kubernetes_role=cdcbot")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"automountServiceAccountToken: true", "port: 8201"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("nothing says %s", want)
		}
	}
}

// secretKeys are the names of keys that the configuration calls secret.
func secretKeys(of reflect.Type) map[string]bool {
	keys := map[string]bool{}
	switch of.Kind() {
	case reflect.Map:
		return secretKeys(of.Elem())
	case reflect.Struct:
		for field := range of.Fields() {
			if field.Tag.Get("secret") != "" {
				keys[field.Tag.Get("key")] = true
			}
			maps.Copy(keys, secretKeys(field.Type))
		}
	}
	return keys
}

// A package of the chart has everything in it, and its notes tell what there is to do.
func TestChartPackage(t *testing.T) {
	dir := t.TempDir()
	if _, err := helm(t, "package", chart, "-d", dir); err != nil {
		t.Fatal(err)
	}
	out, err := helm(t, "install", release, filepath.Join(dir, "cdcbot-0.1.0.tgz"), "-n", namespace, "-f", chart+"/ci/full.yaml", "--dry-run=client")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"http://ops-cdcbot.cdc-ops:8080/alerts", "helm -n cdc-ops test ops", "deployment/kafka-connect", "statefulset/kafka\n", "monitoring, alerting",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

// The chart cannot reach files outside itself, so it has copies of what Prometheus and Grafana take elsewhere too.
func TestChartCopies(t *testing.T) {
	for original, copied := range map[string]string{
		"deploy/prometheus/cdcbot.rules.yml":   chart + "/files/cdcbot.rules.yml",
		"deploy/grafana/cdcbot.dashboard.json": chart + "/files/cdcbot.dashboard.json",
	} {
		if !bytes.Equal(read(t, original), read(t, copied)) {
			t.Errorf("%s is not what %s is: cp %[2]s %[1]s", copied, original)
		}
	}
}
