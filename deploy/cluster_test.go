package deploy

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"cdcbot/internal/lab"
)

// onCluster gives a client for the lab's API server, and two new namespaces in which every pod must be what Kubernetes
// calls restricted: the bot's and the pipeline's.
func onCluster(t *testing.T) (s lab.Services, api kubernetes.Interface, ops, cdc string) {
	t.Helper()
	s = lab.Require(t, lab.Kubernetes)
	how, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	how.WarningHandler = rest.NoWarnings{}
	if api, err = kubernetes.NewForConfig(how); err != nil {
		t.Fatal(err)
	}
	unique := strings.ToLower(rand.Text()[:8])
	for _, name := range []string{"ops-" + unique, "cdc-" + unique} {
		makeNamespace(t, api, name)
	}
	return s, api, "ops-" + unique, "cdc-" + unique
}

func makeNamespace(t *testing.T, api kubernetes.Interface, name string) {
	t.Helper()
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
	if _, err := api.CoreV1().Namespaces().Create(t.Context(), n, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// The lab has no controllers: what they would make and remove is made and removed here.
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	if _, err := api.CoreV1().ServiceAccounts(name).Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := api.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
		n, err := api.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if err == nil {
			n.Spec.Finalizers = nil
			_, err = api.CoreV1().Namespaces().Finalize(ctx, n, metav1.UpdateOptions{})
		}
		if err != nil {
			t.Error(err)
		}
	})
}

// A real API server takes the chart, and its upgrade to other values; it would admit every pod of it where only restricted
// pods may run; and the bot's account may do what it must, and nothing else.
func TestChartOnCluster(t *testing.T) {
	s, api, ops, cdc := onCluster(t)
	common := []string{"--kubeconfig", s.Kubeconfig, "-n", ops}
	install := func(values string, more ...string) {
		t.Helper()
		args := append([]string{"upgrade", "--install", release, chart, "-f", chart + "/ci/" + values + ".yaml", "--set", "config.kubernetes.namespace=" + cdc}, common...)
		if _, err := helm(t, append(args, more...)...); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if _, err := helm(t, append([]string{"uninstall", release}, common...)...); err != nil {
			t.Error(err)
		}
	})
	// The Prometheus Operator's kinds are not there.
	install("full", "--set", "serviceMonitor.enabled=false,prometheusRule.enabled=false")
	t.Run("pods", func(t *testing.T) { admit(t, api, ops, render(t, "full"), 2) })
	t.Run("rights", func(t *testing.T) { checkRights(t, api, ops, cdc) })
	for _, values := range []string{"vault", "redis", "least"} {
		t.Run(values, func(t *testing.T) {
			if values == "redis" {
				install(values, "--set", "fullnameOverride=") // a selector cannot be changed
			} else {
				install(values)
			}
		})
	}
	t.Run("redis's pod", func(t *testing.T) { admit(t, api, ops, render(t, "redis", "--set", "fullnameOverride="), 3) })
}

// admit asks whether pods as the objects would make them may run in the namespace; none is made.
func admit(t *testing.T, api kubernetes.Interface, in string, objects []runtime.Object, want int) {
	t.Helper()
	all := pods(objects)
	if len(all) != want {
		t.Errorf("%d pods, want %d: %v", len(all), want, slices.Sorted(maps.Keys(all)))
	}
	for name, spec := range all {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "pod-"}, Spec: spec}
		for i := range pod.Spec.Volumes { // a claim's volume, as the StatefulSet's controller adds it
			if pod.Spec.Volumes[i].Name == "data" {
				t.Fatalf("%s has a volume named data already", name)
			}
		}
		if strings.HasPrefix(name, "statefulset/") {
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}})
		}
		dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
		if _, err := api.CoreV1().Pods(in).Create(t.Context(), pod, dry); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		pod.Spec.SecurityContext = nil // the server does look
		if _, err := api.CoreV1().Pods(in).Create(t.Context(), pod, dry); err == nil || !strings.Contains(err.Error(), "restricted") {
			t.Errorf("%s without its security: %v", name, err)
		}
	}
}

// checkRights asks the API server itself what the bot's account may do.
func checkRights(t *testing.T, api kubernetes.Interface, ops, cdc string) {
	rows := []struct {
		may                                     bool
		verb, group, resource, sub, name, where string
	}{
		{true, "get", "apps", "deployments", "", "kafka-connect", cdc},
		{true, "patch", "apps", "deployments", "", "kafka-connect", cdc},
		{true, "patch", "apps", "statefulsets", "", "kafka", cdc},
		{true, "patch", "apps", "daemonsets", "", "node-agent", cdc},
		{true, "list", "", "pods", "", "", cdc},
		{true, "get", "", "pods", "log", "kafka-connect-1", cdc},
		{true, "list", "kafka.strimzi.io", "kafkaconnectors", "", "", cdc},
		{false, "patch", "apps", "deployments", "", "billing", cdc},
		{false, "patch", "apps", "statefulsets", "", "kafka-connect", cdc}, // the name is another kind's
		{false, "list", "apps", "deployments", "", "", cdc},
		{false, "delete", "apps", "deployments", "", "kafka-connect", cdc},
		{false, "create", "apps", "deployments", "", "kafka-connect", cdc},
		{false, "update", "apps", "deployments", "scale", "kafka-connect", cdc},
		{false, "create", "", "pods", "exec", "kafka-connect-1", cdc},
		{false, "delete", "", "pods", "", "kafka-connect-1", cdc},
		{false, "get", "", "secrets", "", "", cdc},
		{false, "list", "", "configmaps", "", "", cdc},
		{false, "get", "", "secrets", "", "cdcbot", ops},
		{false, "patch", "apps", "deployments", "", "ops-cdcbot", ops},
		{false, "list", "", "pods", "", "", ops},
		{false, "get", "", "pods", "log", "x", "kube-system"},
		{false, "list", "", "namespaces", "", "", ""},
		{false, "update", "kafka.strimzi.io", "kafkaconnectors", "", "warehouse", cdc},
	}
	for _, row := range rows {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               "system:serviceaccount:" + ops + ":ops-cdcbot",
			Groups:             []string{"system:serviceaccounts", "system:serviceaccounts:" + ops, "system:authenticated"},
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: row.where, Verb: row.verb, Group: row.group, Resource: row.resource, Subresource: row.sub, Name: row.name},
		}}
		got, err := api.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got.Status.Allowed != row.may {
			t.Errorf("%s %s/%s %q in %q: allowed %t, want %t (%s)", row.verb, row.resource, row.sub, row.name, row.where, got.Status.Allowed, row.may, got.Status.Reason)
		}
	}
}
