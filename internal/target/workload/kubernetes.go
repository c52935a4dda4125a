package workload

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Kubernetes is one namespace of a cluster.
type Kubernetes struct {
	api       clusterAPI
	namespace string
	now       func() time.Time
}

// KubernetesOptions say which cluster. Without a kubeconfig it is the one that the process runs in.
type KubernetesOptions struct {
	Kubeconfig string // a file
	Context    string // the file's current one when empty
	Namespace  string // "default" when empty
	// Wrap is put around the transport; nil for none.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// NewKubernetes makes a client; it does not connect.
func NewKubernetes(o KubernetesOptions) (*Kubernetes, error) {
	config, err := restConfig(o)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	config.UserAgent, config.WarningHandler = fieldManager, rest.NoWarnings{} // it would write them to stderr
	namespace := cmp.Or(o.Namespace, metav1.NamespaceDefault)
	api, err := dial(config, namespace)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	return &Kubernetes{api: api, namespace: namespace, now: time.Now}, nil
}

// fieldManager is who the cluster says has changed something.
const fieldManager = "cdcbot"

func restConfig(o KubernetesOptions) (*rest.Config, error) {
	config, err := whichCluster(o)
	if err == nil && o.Wrap != nil {
		config.Wrap(o.Wrap)
	}
	return config, err
}

func whichCluster(o KubernetesOptions) (*rest.Config, error) {
	if o.Kubeconfig == "" {
		return rest.InClusterConfig()
	}
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: o.Kubeconfig}
	chosen := &clientcmd.ConfigOverrides{CurrentContext: o.Context}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, chosen).ClientConfig()
}

// Workload is "deployment/x", "statefulset/x" or "daemonset/x". A bare name is a deployment.
func (k *Kubernetes) Workload(name string) (*Rollout, error) {
	kind, rest, ok := strings.Cut(name, "/")
	if !ok {
		kind, rest = "deployment", name
	}
	if _, known := resources[kind]; !known || rest == "" || strings.Contains(rest, "/") {
		return nil, fmt.Errorf("workload %q: expected deployment/NAME, statefulset/NAME or daemonset/NAME", name)
	}
	return &Rollout{k: k, kind: kind, name: rest}, nil
}

// status is what the kinds have in common.
type status struct {
	selector                                *metav1.LabelSelector
	generation, observed                    int64
	wanted, updated, ready, available, live int32
	failing                                 string // why the controller has given up
	stuck                                   string // why a restart would not reach the pods
}

// settled says that the controller has seen the newest generation and that as many as wanted are there.
func (s status) settled() bool {
	return s.observed >= s.generation && s.available >= s.wanted && s.live <= s.wanted
}

// done is kubectl's own rule for "rollout status": settled, and everything is updated.
func (s status) done() bool { return s.settled() && s.updated >= s.wanted }

// resources are the kinds that can be worked on: how one is read.
var resources = map[string]func(context.Context, *Kubernetes, string) (status, error){
	"deployment": func(ctx context.Context, k *Kubernetes, name string) (status, error) {
		var d appsv1.Deployment
		if err := k.api.get(ctx, "deployments", name, &d); err != nil {
			return status{}, err
		}
		return ofDeployment(&d), nil
	},
	"statefulset": func(ctx context.Context, k *Kubernetes, name string) (status, error) {
		var d appsv1.StatefulSet
		if err := k.api.get(ctx, "statefulsets", name, &d); err != nil {
			return status{}, err
		}
		return ofStatefulSet(&d), nil
	},
	"daemonset": func(ctx context.Context, k *Kubernetes, name string) (status, error) {
		var d appsv1.DaemonSet
		if err := k.api.get(ctx, "daemonsets", name, &d); err != nil {
			return status{}, err
		}
		return ofDaemonSet(&d), nil
	},
}

func ofDeployment(d *appsv1.Deployment) status {
	s := status{
		selector: d.Spec.Selector, generation: d.Generation, observed: d.Status.ObservedGeneration,
		wanted: one(d.Spec.Replicas), updated: d.Status.UpdatedReplicas, ready: d.Status.ReadyReplicas,
		available: d.Status.AvailableReplicas, live: d.Status.Replicas,
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Reason == "ProgressDeadlineExceeded" {
			s.failing = c.Message
		}
	}
	if d.Spec.Paused {
		s.stuck = "its rollout is paused"
	}
	return s
}

// ofStatefulSet counts ready pods as available ones, as kubectl does.
func ofStatefulSet(d *appsv1.StatefulSet) status {
	s := status{
		selector: d.Spec.Selector, generation: d.Generation, observed: d.Status.ObservedGeneration,
		wanted: one(d.Spec.Replicas), updated: d.Status.UpdatedReplicas, ready: d.Status.ReadyReplicas,
		available: d.Status.ReadyReplicas, live: d.Status.Replicas,
	}
	if d.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType {
		s.stuck = onDelete
	}
	if u := d.Spec.UpdateStrategy.RollingUpdate; u != nil && u.Partition != nil && *u.Partition > 0 {
		s.stuck = fmt.Sprintf("its update strategy keeps the pods below %d as they are", *u.Partition)
	}
	return s
}

const onDelete = "its update strategy is OnDelete: pods are made anew only when somebody deletes them"

func ofDaemonSet(d *appsv1.DaemonSet) status {
	s := status{
		selector: d.Spec.Selector, generation: d.Generation, observed: d.Status.ObservedGeneration,
		wanted: d.Status.DesiredNumberScheduled, updated: d.Status.UpdatedNumberScheduled, ready: d.Status.NumberReady,
		available: d.Status.NumberAvailable, live: d.Status.DesiredNumberScheduled,
	}
	if d.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType {
		s.stuck = onDelete
	}
	return s
}

func one(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}
