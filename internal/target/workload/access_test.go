package workload

import (
	"errors"
	"slices"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"cdcbot/internal/lab"
)

// The real API server says which rights somebody has: its administrator all, a stranger none.
func TestDeniedReal(t *testing.T) {
	s := lab.Require(t, lab.Kubernetes)
	how, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	stranger := rest.CopyConfig(how)
	stranger.Impersonate.UserName = "cdcbot-stranger"
	all := []string{"get deployments.apps/api", "patch deployments.apps/api", "list pods", "get pods/log"}
	for _, row := range []struct {
		name   string
		config *rest.Config
		want   []string
	}{{"administrator", how, nil}, {"stranger", stranger, all}} {
		api, err := dial(row.config, "cdc")
		if err != nil {
			t.Fatal(err)
		}
		r, err := (&Kubernetes{api: api, namespace: "cdc"}).Workload("deployment/api")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Denied(t.Context()); err != nil || !slices.Equal(got, row.want) {
			t.Errorf("%s: got %v, %v, want %v", row.name, got, err, row.want)
		}
	}
}

func TestDeniedWithoutACluster(t *testing.T) {
	api, err := dial(&rest.Config{Host: "http://127.0.0.1:1"}, "cdc")
	if err != nil {
		t.Fatal(err)
	}
	r, err := (&Kubernetes{api: api, namespace: "cdc"}).Workload("api")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Denied(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}
