package workload

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	testing2 "k8s.io/client-go/testing"
)

func deployment(name string, replicas int32) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "cdc", Generation: 1}, Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}},
		Status: appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: replicas, UpdatedReplicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas}}
}

func pod(name, app string, waiting string, exit int32) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "cdc", Labels: map[string]string{"app": app}}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}}}}
	c := corev1.ContainerStatus{Name: "main"}
	if waiting != "" {
		c.State.Waiting = &corev1.ContainerStateWaiting{Reason: waiting}
		c.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: exit, Reason: "OOMKilled"}
	}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{c}
	return p
}

// controller does what the deployment controller would: it observes what was patched.
func controller(api *fake.Clientset, become func(*appsv1.Deployment)) {
	api.PrependReactor("patch", "deployments", func(a testing2.Action) (bool, runtime.Object, error) {
		p := a.(testing2.PatchAction)
		object, err := api.Tracker().Get(a.GetResource(), a.GetNamespace(), p.GetName())
		if err != nil {
			return true, nil, err
		}
		d := object.(*appsv1.Deployment).DeepCopy()
		d.Generation++
		if strings.Contains(string(p.GetPatch()), "restartedAt") {
			d.Annotations = map[string]string{"restarted": "yes"}
		}
		become(d)
		return true, d, api.Tracker().Update(a.GetResource(), d, a.GetNamespace())
	})
}

func TestRolloutRestart(t *testing.T) {
	api := fake.NewClientset(deployment("api", 2))
	controller(api, func(d *appsv1.Deployment) { d.Status.ObservedGeneration = d.Generation })
	r, err := over(api, "cdc").Workload("deployment/api")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	d, err := api.AppsV1().Deployments("cdc").Get(t.Context(), "api", metav1.GetOptions{})
	if err != nil || d.Annotations["restarted"] != "yes" {
		t.Errorf("got %v, %v: the pods' template was not touched", d.Annotations, err)
	}
	state, up, err := r.State(t.Context())
	if state != "2 of 2 ready, generation 2" || !up || err != nil {
		t.Errorf("state: got %q, %t, %v", state, up, err)
	}
}

func TestRolloutThatDoesNotEnd(t *testing.T) {
	api := fake.NewClientset(deployment("api", 2), pod("api-1", "api", "CrashLoopBackOff", 137))
	controller(api, func(d *appsv1.Deployment) {
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 3, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
	})
	r, _ := over(api, "cdc").Workload("api")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := r.Restart(ctx)
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, ErrUnhealthy) || !strings.Contains(err.Error(), "1 of 2 ready, 1 updated, generation 2; pod api-1: CrashLoopBackOff (exit code 137, OOMKilled)") {
		t.Errorf("got %v", err)
	}
	text, err := r.Logs(t.Context(), 10, time.Hour)
	if err != nil || text != "fake logs" {
		t.Errorf("logs: got %q, %v", text, err)
	}
}

func TestRolloutErrors(t *testing.T) {
	api := fake.NewClientset(deployment("api", 0))
	k := over(api, "cdc")
	gone, _ := k.Workload("statefulset/nope")
	if err := gone.Restart(t.Context()); !errors.Is(err, ErrNotFound) {
		t.Errorf("not there: got %v", err)
	}
	api.PrependReactor("patch", "*", func(a testing2.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: a.GetResource().Resource}, "api", errors.New("no"))
	})
	there, _ := k.Workload("deployment/api")
	if err := there.Scale(t.Context(), 3); !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "needs patch on deployments in the namespace cdc") {
		t.Errorf("forbidden: got %v", err)
	}
	for name, err := range map[string]error{"stop": there.Stop(t.Context()), "start": there.Start(t.Context()), "scale": there.Scale(t.Context(), -1)} {
		if !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, bad := range []string{"pod/x", "deployment/", "job/x"} {
		if _, err := k.Workload(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("Workload(%q): got %v", bad, err)
		}
	}
	if _, err := NewKubernetes(KubernetesOptions{Kubeconfig: "/nowhere"}); err == nil {
		t.Error("a kubeconfig that is not there: got no error")
	}
}
