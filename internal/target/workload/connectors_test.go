package workload

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	testing2 "k8s.io/client-go/testing"
)

// kinds are what the fake cluster could serve.
var kinds = map[schema.GroupVersionResource]string{
	{Group: "kafka.strimzi.io", Version: "v1", Resource: "kafkaconnectors"}:      "KafkaConnectorList",
	{Group: "kafka.strimzi.io", Version: "v1beta2", Resource: "kafkaconnectors"}: "KafkaConnectorList",
	{Group: "platform.confluent.io", Version: "v1beta1", Resource: "connectors"}: "ConnectorList",
}

// cluster is a fake that serves only some versions: it answers 404 to others, as a real one does.
func cluster(t *testing.T, served []string, manifests ...string) (*Connectors, *dynamicfake.FakeDynamicClient) {
	t.Helper()
	var objects []runtime.Object
	for _, text := range manifests {
		json, err := yaml.ToJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(json); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
	api := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, objects...)
	api.PrependReactor("list", "*", func(a testing2.Action) (bool, runtime.Object, error) {
		r := a.GetResource()
		if strings.Contains(strings.Join(served, " "), r.Group+"/"+r.Version+";") {
			return false, nil, nil
		}
		return true, nil, apierrors.NewNotFound(r.GroupResource(), "")
	})
	return &Connectors{api: api, namespace: "cdc"}, api
}

const (
	strimziNew = "kafka.strimzi.io/v1;"
	strimziOld = "kafka.strimzi.io/v1beta2;"
	confluent  = "platform.confluent.io/v1beta1;"
)

const warehouse = `
apiVersion: kafka.strimzi.io/VERSION
kind: KafkaConnector
metadata:
  name: warehouse
  namespace: cdc
  labels: {strimzi.io/cluster: connect}
spec:
  class: io.debezium.connector.jdbc.JdbcSinkConnector
  tasksMax: 2
  autoRestart: {enabled: true, maxRestarts: 7, maxBackoffMinutes: 30}
status:
  autoRestart: {count: 3, connectorName: warehouse, lastRestartTimestamp: "2026-11-23T09:10:11.123456789Z"}
`

func TestConnectors(t *testing.T) {
	strimzi := func(change func(*Connector)) Connector {
		c := Connector{Kind: "KafkaConnector", Namespace: "cdc", Name: "warehouse", Connector: "warehouse", Cluster: "connect", Restarts: true, Most: 7, Done: 3,
			Last: time.Date(2026, 11, 23, 9, 10, 11, 123456789, time.UTC), Backoff: 30 * time.Minute}
		if change != nil {
			change(&c)
		}
		return c
	}
	version := func(v, text string) string { return strings.Replace(text, "VERSION", v, 1) }
	edited := func(old, now string) string { return strings.Replace(version("v1", warehouse), old, now, 1) }
	const noConfluent = "connectors.platform.confluent.io: the cluster has no such resources"
	rows := []struct {
		name      string
		served    []string
		manifests []string
		want      []Connector
		absent    []string
	}{
		{"no operator", nil, nil, nil, []string{"kafkaconnectors.kafka.strimzi.io: the cluster has no such resources", noConfluent}},
		{"Strimzi", []string{strimziNew, strimziOld}, []string{version("v1", warehouse)}, []Connector{strimzi(nil)}, []string{noConfluent}},
		{"an older Strimzi", []string{strimziOld}, []string{version("v1beta2", warehouse)}, []Connector{strimzi(nil)}, []string{noConfluent}},
		{"no connectors", []string{strimziNew, confluent}, nil, nil, nil},
		{"of another namespace", []string{strimziNew, confluent}, []string{edited("namespace: cdc", "namespace: other")}, nil, nil},
		{"off", []string{strimziNew, confluent}, []string{edited("enabled: true", "enabled: false")}, []Connector{strimzi(func(c *Connector) { c.Restarts = false })}, nil},
		{"on by being there", []string{strimziNew, confluent}, []string{edited("{enabled: true, maxRestarts: 7, maxBackoffMinutes: 30}", "{}")},
			[]Connector{strimzi(func(c *Connector) { c.Most, c.Backoff = -1, 0 })}, nil},
		{"nothing said", []string{strimziNew, confluent}, []string{edited("autoRestart: {enabled", "other: {enabled")},
			[]Connector{strimzi(func(c *Connector) { c.Restarts, c.Most, c.Backoff = false, -1, 0 })}, nil},
		{"never restarted", []string{strimziNew, confluent}, []string{edited("status:", "was:")},
			[]Connector{strimzi(func(c *Connector) { c.Done, c.Last = 0, time.Time{} })}, nil},
		{"a time that is none", []string{strimziNew, confluent}, []string{edited("2026-11-23T09:10:11.123456789Z", "yesterday")},
			[]Connector{strimzi(func(c *Connector) { c.Last = time.Time{} })}, nil},
		{"values of another kind", []string{strimziNew, confluent}, []string{edited("count: 3", "count: three")},
			[]Connector{strimzi(func(c *Connector) { c.Done = 0 })}, nil},
		{"told to leave it", []string{strimziNew, confluent}, []string{edited("  labels:", "  annotations: {strimzi.io/pause-reconciliation: \"true\"}\n  labels:")},
			[]Connector{strimzi(func(c *Connector) { c.Paused = true })}, nil},
		{"Confluent", []string{confluent}, []string{`
apiVersion: platform.confluent.io/v1beta1
kind: Connector
metadata: {name: sink-resource, namespace: cdc}
spec: {name: sink, class: x, taskMax: 3, connectClusterRef: {name: connect}, restartPolicy: {type: OnFailure, maxRetry: 4}}
status: {failedTasksCount: 2, failedTasks: {task-0: {id: 0, retryCount: 1}, task-2: {id: 2, retryCount: 3}, odd: 7}}
`, `
apiVersion: platform.confluent.io/v1beta1
kind: Connector
metadata: {name: another, namespace: cdc}
spec: {class: x, taskMax: 1}
`, `
apiVersion: platform.confluent.io/v1beta1
kind: Connector
metadata: {name: by-hand, namespace: cdc}
spec: {class: x, restartPolicy: {type: Never}}
`}, []Connector{
			{Kind: "Connector", Namespace: "cdc", Name: "another", Connector: "another", Restarts: true, Most: 10},
			{Kind: "Connector", Namespace: "cdc", Name: "by-hand", Connector: "by-hand", Most: 10},
			{Kind: "Connector", Namespace: "cdc", Name: "sink-resource", Connector: "sink", Cluster: "connect", Restarts: true, Most: 4, Done: 3},
		}, []string{"kafkaconnectors.kafka.strimzi.io: the cluster has no such resources"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c, _ := cluster(t, row.served, row.manifests...)
			got, absent, err := c.List(t.Context())
			if diff := cmp.Diff(row.want, got); err != nil || diff != "" {
				t.Errorf("%v: %s", err, diff)
			}
			if diff := cmp.Diff(row.absent, absent); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What a cluster refuses is absent with its reason; what fails otherwise is an error.
func TestConnectorsRefused(t *testing.T) {
	resource := schema.GroupResource{Group: "kafka.strimzi.io", Resource: "kafkaconnectors"}
	for _, row := range []struct {
		name   string
		answer error
		kind   error
		want   string
	}{
		{"forbidden", apierrors.NewForbidden(resource, "", errors.New("no")), nil, "the bot's user needs list on kafkaconnectors in the namespace cdc"},
		{"unknown user", apierrors.NewUnauthorized("who?"), ErrDenied, "it does not accept the bot's credentials"},
		{"away", errors.New("dial tcp: connection refused"), ErrUnreachable, "connection refused"},
		{"slow", context.DeadlineExceeded, ErrUnreachable, "it gave no answer in time"},
		{"cancelled", context.Canceled, context.Canceled, "list of kafkaconnectors.kafka.strimzi.io in the namespace cdc: context canceled"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, api := cluster(t, []string{strimziNew, confluent})
			api.PrependReactor("list", "kafkaconnectors", func(testing2.Action) (bool, runtime.Object, error) { return true, nil, row.answer })
			_, absent, err := c.List(t.Context())
			if row.kind == nil && (err != nil || len(absent) != 1 || !strings.Contains(absent[0], row.want)) {
				t.Errorf("got %q, %v; want %q", absent, err, row.want)
			}
			if row.kind != nil && (!errors.Is(err, row.kind) || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("got %v; want %q", err, row.want)
			}
		})
	}
}

// A long list comes in pages.
func TestConnectorsInPages(t *testing.T) {
	c, api := cluster(t, []string{strimziNew, confluent})
	asked := 0
	api.PrependReactor("list", "kafkaconnectors", func(a testing2.Action) (bool, runtime.Object, error) {
		list := &unstructured.UnstructuredList{Object: map[string]any{"kind": "KafkaConnectorList", "apiVersion": "kafka.strimzi.io/v1"}}
		one := unstructured.Unstructured{Object: map[string]any{"kind": "KafkaConnector", "apiVersion": "kafka.strimzi.io/v1"}}
		one.SetName([]string{"b", "a"}[asked])
		if list.Items = append(list.Items, one); asked == 0 {
			list.SetContinue("more")
		}
		asked++
		return true, list, nil
	})
	got, _, err := c.List(t.Context())
	if err != nil || len(got) != 2 || got[0].Name != "a" || got[1].Name != "b" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestNewConnectors(t *testing.T) {
	if _, err := NewConnectors(KubernetesOptions{Kubeconfig: "/nowhere"}); err == nil {
		t.Error("a kubeconfig that is not there: got no error")
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte(`{"clusters":[{"name":"c","cluster":{"server":"http://127.0.0.1:1"}}],"contexts":[{"name":"x","context":{"cluster":"c"}}],"current-context":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := NewConnectors(KubernetesOptions{Kubeconfig: file})
	if err != nil || c.namespace != metav1.NamespaceDefault {
		t.Fatalf("got %+v, %v", c, err)
	}
	if _, _, err := c.List(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}
