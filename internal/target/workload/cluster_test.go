package workload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"cdcbot/internal/lab"
)

// clientset is a cluster by client-go's own clientset, of which there is a fake.
type clientset struct {
	kubernetes.Interface
	namespace string
}

func over(api kubernetes.Interface, namespace string) *Kubernetes {
	return &Kubernetes{api: clientset{api, namespace}, namespace: namespace, now: time.Now}
}

func (c clientset) get(ctx context.Context, resource, name string, into runtime.Object) error {
	var got runtime.Object
	var err error
	switch resource {
	case "deployments":
		got, err = c.AppsV1().Deployments(c.namespace).Get(ctx, name, metav1.GetOptions{})
	case "statefulsets":
		got, err = c.AppsV1().StatefulSets(c.namespace).Get(ctx, name, metav1.GetOptions{})
	default:
		return fmt.Errorf("no %s here", resource)
	}
	if err == nil {
		reflect.ValueOf(into).Elem().Set(reflect.ValueOf(got).Elem())
	}
	return err
}

func (c clientset) patch(ctx context.Context, resource, name string, patch []byte) error {
	if resource != "deployments" {
		return fmt.Errorf("no %s here", resource)
	}
	_, err := c.AppsV1().Deployments(c.namespace).Patch(ctx, name, types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	return err
}

func (c clientset) pods(ctx context.Context, o metav1.ListOptions) (*corev1.PodList, error) {
	return c.CoreV1().Pods(c.namespace).List(ctx, o)
}

func (c clientset) log(ctx context.Context, pod string, o corev1.PodLogOptions) (io.ReadCloser, error) {
	return c.CoreV1().Pods(c.namespace).GetLogs(pod, &o).Stream(ctx)
}

// The bot's own client on a real API server, which has no controllers: the test plays those.
func TestRolloutReal(t *testing.T) {
	s := lab.Require(t, lab.Kubernetes)
	how, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	api, err := kubernetes.NewForConfig(how)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("rollout-%d", time.Now().UnixNano())
	made := deployment(name, 2)
	made.Namespace, made.Generation = "", 0
	made.Spec.Template = corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: made.Spec.Selector.MatchLabels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "x:1"}}}}
	deployments := api.AppsV1().Deployments(metav1.NamespaceDefault)
	if _, err := deployments.Create(t.Context(), made, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := deployments.Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	k, err := NewKubernetes(KubernetesOptions{Kubeconfig: s.Kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	r, err := k.Workload("deployment/" + name)
	if err != nil {
		t.Fatal(err)
	}
	// observe is the controller: it says that the newest generation has as many pods as it wants.
	observe := func() {
		d, err := deployments.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		n := *d.Spec.Replicas
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n}
		if _, err := deployments.UpdateStatus(t.Context(), d, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	observe()
	if state, up, err := r.State(t.Context()); err != nil || !up {
		t.Errorf("state: %q, %t, %v", state, up, err)
	}
	for step, do := range map[string]func(context.Context) error{"restart": r.Restart, "scale": func(ctx context.Context) error { return r.Scale(ctx, 3) }} {
		done := make(chan error, 1)
		before, err := deployments.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		go func() { done <- do(t.Context()) }()
		lab.Await(t, step+"'s patch", 30*time.Second, func(ctx context.Context) (bool, error) {
			now, err := deployments.Get(ctx, name, metav1.GetOptions{})
			return err == nil && now.Generation > before.Generation, err
		})
		observe()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", step, err)
		}
	}
	if d, err := deployments.Get(t.Context(), name, metav1.GetOptions{}); err != nil || *d.Spec.Replicas != 3 || d.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] == "" || d.ManagedFields[len(d.ManagedFields)-1].Manager == "" {
		t.Errorf("got %+v, %v", d, err)
	}
	if _, err := r.Logs(t.Context(), 10, time.Minute); !errors.Is(err, ErrNotFound) {
		t.Errorf("logs of no pod: %v", err)
	}
	none, _ := k.Workload("statefulset/none")
	if _, _, err := none.State(t.Context()); !errors.Is(err, ErrNotFound) {
		t.Errorf("what is not there: %v", err)
	}
}

// What a log is asked for reaches the API server, and its answer comes back as it is.
func TestLogIsAskedFor(t *testing.T) {
	asked := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		_, _ = io.WriteString(w, "ERROR boom\n")
	}))
	defer server.Close()
	api, err := dial(&rest.Config{Host: server.URL}, "cdc")
	if err != nil {
		t.Fatal(err)
	}
	lines, seconds := int64(20), int64(60)
	stream, err := api.log(t.Context(), "connect-1", corev1.PodLogOptions{Container: "main", Previous: true, TailLines: &lines, SinceSeconds: &seconds})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	text, err := io.ReadAll(stream)
	if want := "/api/v1/namespaces/cdc/pods/connect-1/log?container=main&previous=true&sinceSeconds=60&tailLines=20"; err != nil || string(text) != "ERROR boom\n" || asked != want {
		t.Errorf("asked %s, want %s; got %q, %v", asked, want, text, err)
	}
}

func (c clientset) may(context.Context, right) (bool, error) { return true, nil }
