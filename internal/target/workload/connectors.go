package workload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// Connectors are the connectors of one namespace that operators keep as resources: KafkaConnector of Strimzi and Connector
// of Confluent for Kubernetes. It only reads.
type Connectors struct {
	api       dynamic.Interface
	namespace string
}

// Connector is a connector as an operator keeps it.
type Connector struct {
	Kind      string // "KafkaConnector" or "Connector"
	Namespace string
	Name      string        // of the resource
	Connector string        // as Connect calls it
	Cluster   string        // the resource of the Connect cluster; "" when none is named
	Restarts  bool          // the operator restarts what has failed
	Most      int           // restarts in a row; -1 when there is no limit
	Done      int           // restarts in a row until now
	Last      time.Time     // the last of them; zero when there was none, or the operator does not tell
	Backoff   time.Duration // the longest pause between restarts; 0 when it is the operator's own
	Paused    bool          // the operator leaves it alone for now
}

// NewConnectors makes a client; it does not connect.
func NewConnectors(o KubernetesOptions) (*Connectors, error) {
	config, err := restConfig(o)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	config.UserAgent, config.WarningHandler = fieldManager, rest.NoWarnings{}
	api, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	return &Connectors{api: api, namespace: cmp.Or(o.Namespace, metav1.NamespaceDefault)}, nil
}

// operators are the kinds of resources, with the versions of their API, the newest first. A cluster serves some of them.
var operators = []struct {
	group, resource, kind string
	versions              []string
	read                  func(*Connector, unstructured.Unstructured)
}{
	{"kafka.strimzi.io", "kafkaconnectors", "KafkaConnector", []string{"v1", "v1beta2"}, readStrimzi},
	{"platform.confluent.io", "connectors", "Connector", []string{"v1beta1"}, readConfluent},
}

// List reads the resources of all operators, ordered by the connectors' names. Absent says for each kind that could not
// be read why not: the operator is not installed, or the bot may not look. Neither is an error: most clusters have at most
// one of them. Errors are *Error, or the end of ctx.
func (c *Connectors) List(ctx context.Context) (found []Connector, absent []string, err error) {
	for _, o := range operators {
		list, why, err := c.list(ctx, schema.GroupResource{Group: o.group, Resource: o.resource}, o.versions)
		if err != nil {
			return nil, nil, err
		}
		if why != "" {
			absent = append(absent, why)
		}
		for _, item := range list {
			one := Connector{Kind: o.kind, Namespace: item.GetNamespace(), Name: item.GetName(), Connector: item.GetName(), Most: -1}
			o.read(&one, item)
			found = append(found, one)
		}
	}
	slices.SortStableFunc(found, func(a, b Connector) int {
		return cmp.Or(cmp.Compare(a.Connector, b.Connector), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return found, absent, nil
}

// mostListed is how many resources are read at once.
const mostListed = 500

// list reads a kind in the newest version that the cluster serves.
func (c *Connectors) list(ctx context.Context, kind schema.GroupResource, versions []string) (all []unstructured.Unstructured, absent string, err error) {
	for _, version := range versions {
		all, err = c.pages(ctx, kind.WithVersion(version))
		if !apierrors.IsNotFound(err) {
			break
		}
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Sprintf("%s: the cluster has no such resources", kind), nil
	case apierrors.IsForbidden(err):
		return nil, fmt.Sprintf("%s: the bot's user needs list on %s in the namespace %s", kind, kind.Resource, c.namespace), nil
	case err != nil:
		return nil, "", c.failed(kind, err)
	}
	return all, "", nil
}

// pages reads a list to its end.
func (c *Connectors) pages(ctx context.Context, kind schema.GroupVersionResource) (all []unstructured.Unstructured, err error) {
	for next := ""; ; {
		page, err := c.api.Resource(kind).Namespace(c.namespace).List(ctx, metav1.ListOptions{Limit: mostListed, Continue: next})
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if next = page.GetContinue(); next == "" {
			return all, nil
		}
	}
}

func (c *Connectors) failed(kind schema.GroupResource, err error) error {
	e := &Error{Service: fmt.Sprintf("%s in the namespace %s", kind, c.namespace), Op: "list", Kind: ErrUnreachable, Text: err.Error()}
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("list of %s: %w", e.Service, err)
	case apierrors.IsUnauthorized(err):
		e.Kind, e.Text = ErrDenied, "it does not accept the bot's credentials"
	case errors.Is(err, context.DeadlineExceeded):
		e.Text = "it gave no answer in time"
	}
	return e
}

// pausedBy is the annotation that makes Strimzi leave a resource alone.
const pausedBy = "strimzi.io/pause-reconciliation"

// readStrimzi: automatic restarts are off unless spec.autoRestart is there, and on when it is there and does not say otherwise.
func readStrimzi(c *Connector, from unstructured.Unstructured) {
	c.Cluster = from.GetLabels()["strimzi.io/cluster"]
	c.Paused = from.GetAnnotations()[pausedBy] == "true"
	policy, there, _ := unstructured.NestedMap(from.Object, "spec", "autoRestart")
	enabled, said := policy["enabled"].(bool)
	c.Restarts = there && (enabled || !said)
	if most, ok := policy["maxRestarts"].(int64); ok {
		c.Most = int(most)
	}
	if minutes, ok := policy["maxBackoffMinutes"].(int64); ok {
		c.Backoff = time.Duration(min(max(0, minutes), 365*24*60)) * time.Minute
	}
	done, _, _ := unstructured.NestedInt64(from.Object, "status", "autoRestart", "count")
	c.Done = int(done)
	last, _, _ := unstructured.NestedString(from.Object, "status", "autoRestart", "lastRestartTimestamp")
	c.Last = moment(last)
}

// moment reads Strimzi's times, which have had fractions of a second and have had none.
func moment(text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// confluentMost is how often the operator of Confluent restarts what has failed when nothing else is said.
const confluentMost = 10

// readConfluent: automatic restarts are on unless the policy says Never. The task that was restarted most often counts.
func readConfluent(c *Connector, from unstructured.Unstructured) {
	if name, _, _ := unstructured.NestedString(from.Object, "spec", "name"); name != "" {
		c.Connector = name
	}
	c.Cluster, _, _ = unstructured.NestedString(from.Object, "spec", "connectClusterRef", "name")
	policy, _, _ := unstructured.NestedString(from.Object, "spec", "restartPolicy", "type")
	c.Restarts = !strings.EqualFold(policy, "Never")
	c.Most = confluentMost
	if most, ok, _ := unstructured.NestedInt64(from.Object, "spec", "restartPolicy", "maxRetry"); ok {
		c.Most = int(most)
	}
	tasks, _, _ := unstructured.NestedMap(from.Object, "status", "failedTasks")
	for _, task := range tasks {
		if of, ok := task.(map[string]any); ok {
			n, _ := of["retryCount"].(int64)
			c.Done = max(c.Done, int(n))
		}
	}
}
