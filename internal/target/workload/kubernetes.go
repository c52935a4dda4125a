package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Kubernetes is one namespace of a cluster.
type Kubernetes struct {
	api       kubernetes.Interface
	namespace string
	now       func() time.Time
}

// KubernetesOptions say which cluster. Without a kubeconfig it is the one that the process runs in.
type KubernetesOptions struct {
	Kubeconfig string
	Context    string
	Namespace  string // "default" when empty
}

// NewKubernetes makes a client; it does not connect.
func NewKubernetes(o KubernetesOptions) (*Kubernetes, error) {
	config, err := restConfig(o)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	api, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	return over(api, o.Namespace), nil
}

func over(api kubernetes.Interface, namespace string) *Kubernetes {
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	return &Kubernetes{api: api, namespace: namespace, now: time.Now}
}

func restConfig(o KubernetesOptions) (*rest.Config, error) {
	if o.Kubeconfig == "" {
		return rest.InClusterConfig()
	}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(&clientcmd.ClientConfigLoadingRules{ExplicitPath: o.Kubeconfig}, &clientcmd.ConfigOverrides{CurrentContext: o.Context}).ClientConfig()
}

// Workload is "deployment/x", "statefulset/x" or "daemonset/x". A bare name is a deployment.
func (k *Kubernetes) Workload(name string) (*Rollout, error) {
	kind, rest, ok := strings.Cut(name, "/")
	if !ok {
		kind, rest = "deployment", name
	}
	if _, known := resources[kind]; !known || rest == "" {
		return nil, fmt.Errorf("workload %q: expected deployment/NAME, statefulset/NAME or daemonset/NAME", name)
	}
	return &Rollout{k: k, kind: kind, name: rest}, nil
}

// Rollout is one workload.
type Rollout struct {
	k    *Kubernetes
	kind string
	name string
}

// status is what the kinds have in common.
type status struct {
	selector                                *metav1.LabelSelector
	generation, observed                    int64
	wanted, updated, ready, available, live int32
	failing                                 string // why the controller has given up
}

// done is kubectl's own rule for "rollout status": the newest generation is seen, everything is updated and available.
func (s status) done() bool {
	return s.observed >= s.generation && s.updated >= s.wanted && s.available >= s.wanted && s.live <= s.wanted
}

// resources are the kinds that can be worked on.
var resources = map[string]struct {
	get   func(context.Context, *Kubernetes, string) (status, error)
	patch func(context.Context, *Kubernetes, string, []byte) error
}{
	"deployment": {
		func(ctx context.Context, k *Kubernetes, name string) (status, error) {
			d, err := k.api.AppsV1().Deployments(k.namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return status{}, err
			}
			s := status{selector: d.Spec.Selector, generation: d.Generation, observed: d.Status.ObservedGeneration, wanted: one(d.Spec.Replicas), updated: d.Status.UpdatedReplicas, ready: d.Status.ReadyReplicas, available: d.Status.AvailableReplicas, live: d.Status.Replicas}
			for _, c := range d.Status.Conditions {
				if c.Type == appsv1.DeploymentProgressing && c.Reason == "ProgressDeadlineExceeded" {
					s.failing = c.Message
				}
			}
			return s, nil
		},
		func(ctx context.Context, k *Kubernetes, name string, patch []byte) error {
			_, err := k.api.AppsV1().Deployments(k.namespace).Patch(ctx, name, types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: "cdcbot"})
			return err
		},
	},
	"statefulset": {
		func(ctx context.Context, k *Kubernetes, name string) (status, error) {
			d, err := k.api.AppsV1().StatefulSets(k.namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return status{}, err
			}
			return status{selector: d.Spec.Selector, generation: d.Generation, observed: d.Status.ObservedGeneration, wanted: one(d.Spec.Replicas), updated: d.Status.UpdatedReplicas, ready: d.Status.ReadyReplicas, available: d.Status.ReadyReplicas, live: d.Status.Replicas}, nil
		},
		func(ctx context.Context, k *Kubernetes, name string, patch []byte) error {
			_, err := k.api.AppsV1().StatefulSets(k.namespace).Patch(ctx, name, types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: "cdcbot"})
			return err
		},
	},
	"daemonset": {
		func(ctx context.Context, k *Kubernetes, name string) (status, error) {
			d, err := k.api.AppsV1().DaemonSets(k.namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return status{}, err
			}
			n := d.Status
			return status{selector: d.Spec.Selector, generation: d.Generation, observed: n.ObservedGeneration, wanted: n.DesiredNumberScheduled, updated: n.UpdatedNumberScheduled, ready: n.NumberReady, available: n.NumberAvailable, live: n.DesiredNumberScheduled}, nil
		},
		func(ctx context.Context, k *Kubernetes, name string, patch []byte) error {
			_, err := k.api.AppsV1().DaemonSets(k.namespace).Patch(ctx, name, types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: "cdcbot"})
			return err
		},
	},
}

func one(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}

func (r *Rollout) failed(op, verb string, err error) error {
	name := r.kind + "/" + r.name
	switch {
	case err == nil:
		return nil
	case apierrors.IsNotFound(err):
		return &Error{name, op, ErrNotFound, "namespace " + r.k.namespace}
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return &Error{name, op, ErrDenied, fmt.Sprintf("the service account needs %s on %ss in the namespace %s", verb, r.kind, r.k.namespace)}
	case apierrors.IsTimeout(err), apierrors.IsServerTimeout(err), apierrors.IsServiceUnavailable(err), errors.Is(err, context.DeadlineExceeded):
		return &Error{name, op, ErrUnreachable, err.Error()}
	}
	var answered apierrors.APIStatus
	if !errors.As(err, &answered) {
		return &Error{name, op, ErrUnreachable, err.Error()}
	}
	return fmt.Errorf("%s of %s: %w", op, name, err)
}

// Restart is kubectl's rollout restart: an annotation on the pods' template makes them anew, a few at a time. It waits
// until the new ones are available.
func (r *Rollout) Restart(ctx context.Context) error {
	at := r.k.now().UTC().Format(time.RFC3339Nano)
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": map[string]string{"kubectl.kubernetes.io/restartedAt": at}}}}})
	if err != nil {
		return err
	}
	if err := resources[r.kind].patch(ctx, r.k, r.name, patch); err != nil {
		return r.failed("restart", "patch", err)
	}
	return r.rolled(ctx, "restart")
}

// Start is Scale's business: a workload runs as long as it has replicas.
func (r *Rollout) Start(ctx context.Context) error {
	s, err := resources[r.kind].get(ctx, r.k, r.name)
	if err != nil {
		return r.failed("start", "get", err)
	}
	if s.wanted == 0 {
		return &Error{r.kind + "/" + r.name, "start", ErrUnsupported, "it is scaled to 0; scale it to what it should have"}
	}
	return r.rolled(ctx, "start")
}

// Stop is refused: Kubernetes would have to forget how many replicas there were.
func (r *Rollout) Stop(context.Context) error {
	return &Error{r.kind + "/" + r.name, "stop", ErrUnsupported, "a workload of Kubernetes is scaled to 0, not stopped"}
}

// Scale sets the number of replicas and waits until they are available.
func (r *Rollout) Scale(ctx context.Context, replicas int) error {
	if r.kind == "daemonset" || replicas < 0 || replicas > 100 {
		return &Error{r.kind + "/" + r.name, "scale", ErrUnsupported, "a deployment or statefulset has 0 to 100 replicas"}
	}
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	if err := resources[r.kind].patch(ctx, r.k, r.name, patch); err != nil {
		return r.failed("scale", "patch", err)
	}
	return r.rolled(ctx, "scale")
}

// rolled waits for the rollout; when it does not come to an end, the pods say why.
func (r *Rollout) rolled(ctx context.Context, op string) error {
	err := await(ctx, func(ctx context.Context) (bool, error) {
		s, err := resources[r.kind].get(ctx, r.k, r.name)
		if err != nil {
			return false, r.failed(op, "get", err)
		}
		if s.failing != "" && s.observed >= s.generation {
			return false, &Error{r.kind + "/" + r.name, op, ErrUnhealthy, s.failing}
		}
		return s.done(), nil
	})
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		look, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		state, _, stateErr := r.State(look)
		return &Error{r.kind + "/" + r.name, op, ErrUnhealthy, errors.Join(errors.New("it is "+state), stateErr).Error()}
	}
	return err
}

// State is one line such as "2 of 3 ready; pod x: CrashLoopBackOff (exit code 137)".
func (r *Rollout) State(ctx context.Context) (state string, up bool, err error) {
	s, err := resources[r.kind].get(ctx, r.k, r.name)
	if err != nil {
		return "", false, r.failed("state", "get", err)
	}
	state = fmt.Sprintf("%d of %d ready", s.ready, s.wanted)
	if s.observed < s.generation || s.updated < s.wanted {
		state += fmt.Sprintf(", %d updated", s.updated)
	}
	pods, err := r.pods(ctx, s)
	if err != nil {
		return state, s.ready >= s.wanted && s.wanted > 0, nil //nolint:nilerr // pods only explain
	}
	for _, p := range pods {
		if why := ailing(p); why != "" {
			state += "; pod " + p.Name + ": " + why
		}
	}
	return state, s.ready >= s.wanted && s.wanted > 0, nil
}

// ailing is why a pod is not well.
func ailing(p corev1.Pod) string {
	for _, c := range p.Status.ContainerStatuses {
		switch {
		case c.State.Waiting != nil && c.State.Waiting.Reason != "ContainerCreating":
			text := c.State.Waiting.Reason
			if t := c.LastTerminationState.Terminated; t != nil {
				text += fmt.Sprintf(" (exit code %d, %s)", t.ExitCode, t.Reason)
			}
			return text
		case c.State.Terminated != nil && c.State.Terminated.ExitCode != 0:
			return fmt.Sprintf("ended with exit code %d (%s)", c.State.Terminated.ExitCode, c.State.Terminated.Reason)
		}
	}
	if p.Status.Phase == corev1.PodPending || p.Status.Phase == corev1.PodFailed {
		return strings.ToLower(string(p.Status.Phase)) + " " + p.Status.Message
	}
	return ""
}

func (r *Rollout) pods(ctx context.Context, s status) ([]corev1.Pod, error) {
	list, err := r.k.api.CoreV1().Pods(r.k.namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(s.selector), Limit: 50})
	if err != nil {
		return nil, r.failed("pods", "list pods", err)
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	return list.Items, nil
}

// Logs are the last lines of the pod that ails, or else of the newest; of a container that crashed, what it said before.
func (r *Rollout) Logs(ctx context.Context, tail int, since time.Duration) (string, error) {
	s, err := resources[r.kind].get(ctx, r.k, r.name)
	if err != nil {
		return "", r.failed("logs", "get", err)
	}
	pods, err := r.pods(ctx, s)
	if err != nil {
		return "", err
	}
	if len(pods) == 0 {
		return "", &Error{r.kind + "/" + r.name, "logs", ErrNotFound, "it has no pod"}
	}
	pod := pods[0]
	if i := slices.IndexFunc(pods, func(p corev1.Pod) bool { return ailing(p) != "" }); i >= 0 {
		pod = pods[i]
	}
	text, err := r.log(ctx, pod, tail, since, crashed(pod))
	if err != nil && crashed(pod) {
		text, err = r.log(ctx, pod, tail, since, false)
	}
	return text, err
}

// crashed reports whether a container waits to be started again: what it said stands in the log of the one before.
func crashed(p corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
		return c.State.Waiting != nil && c.LastTerminationState.Terminated != nil
	})
}

func (r *Rollout) log(ctx context.Context, pod corev1.Pod, tail int, since time.Duration, previous bool) (string, error) {
	o := &corev1.PodLogOptions{Previous: previous}
	lines, limit := int64(tail), int64(maxLog)
	o.TailLines, o.LimitBytes = &lines, &limit
	if since > 0 {
		seconds := int64(since.Seconds())
		o.SinceSeconds = &seconds
	}
	if len(pod.Spec.Containers) > 1 {
		o.Container = pod.Spec.Containers[0].Name
	}
	stream, err := r.k.api.CoreV1().Pods(r.k.namespace).GetLogs(pod.Name, o).Stream(ctx)
	if err != nil {
		return "", r.failed("logs", "get pods/log", err)
	}
	defer func() { _ = stream.Close() }()
	body, err := io.ReadAll(io.LimitReader(stream, maxLog))
	return strings.TrimRight(string(body), "\n"), err
}
