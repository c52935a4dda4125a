package workload

import (
	"context"
	"fmt"
	"io"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// clusterAPI is what workloads need of one namespace.
type clusterAPI interface {
	// get reads an object of a resource such as "deployments" into one of its kind.
	get(ctx context.Context, resource, name string, into runtime.Object) error
	// patch is a strategic merge.
	patch(ctx context.Context, resource, name string, patch []byte) error
	pods(ctx context.Context, o metav1.ListOptions) (*corev1.PodList, error)
	log(ctx context.Context, pod string, o corev1.PodLogOptions) (io.ReadCloser, error)
	// may asks whether the caller has a right in the namespace.
	may(ctx context.Context, r right) (bool, error)
}

// restAPI knows the kinds of two groups. client-go's own clientset knows every kind there is, and they would be a
// sixth of the bot's binary.
type restAPI struct {
	apps, core *rest.RESTClient
	parameters runtime.ParameterCodec
	namespace  string
}

func dial(config *rest.Config, namespace string) (*restAPI, error) {
	kinds := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme} {
		if err := add(kinds); err != nil {
			return nil, fmt.Errorf("kinds of kubernetes: %w", err)
		}
	}
	metav1.AddToGroupVersion(kinds, schema.GroupVersion{Version: "v1"})
	client := func(path string, group schema.GroupVersion) (*rest.RESTClient, error) {
		c := rest.CopyConfig(config)
		c.APIPath, c.GroupVersion, c.NegotiatedSerializer = path, &group, serializer.NewCodecFactory(kinds).WithoutConversion()
		return rest.RESTClientFor(c)
	}
	apps, err := client("/apis", appsv1.SchemeGroupVersion)
	if err != nil {
		return nil, err
	}
	core, err := client("/api", corev1.SchemeGroupVersion)
	if err != nil {
		return nil, err
	}
	return &restAPI{apps: apps, core: core, parameters: runtime.NewParameterCodec(kinds), namespace: namespace}, nil
}

func (c *restAPI) get(ctx context.Context, resource, name string, into runtime.Object) error {
	return c.apps.Get().Namespace(c.namespace).Resource(resource).Name(name).Do(ctx).Into(into)
}

func (c *restAPI) patch(ctx context.Context, resource, name string, patch []byte) error {
	o := metav1.PatchOptions{FieldManager: fieldManager}
	return c.apps.Patch(types.StrategicMergePatchType).Namespace(c.namespace).Resource(resource).Name(name).VersionedParams(&o, c.parameters).Body(patch).Do(ctx).Error()
}

func (c *restAPI) pods(ctx context.Context, o metav1.ListOptions) (*corev1.PodList, error) {
	var list corev1.PodList
	err := c.core.Get().Namespace(c.namespace).Resource("pods").VersionedParams(&o, c.parameters).Do(ctx).Into(&list)
	return &list, err
}

func (c *restAPI) log(ctx context.Context, pod string, o corev1.PodLogOptions) (io.ReadCloser, error) {
	return c.core.Get().Namespace(c.namespace).Resource("pods").Name(pod).SubResource("log").VersionedParams(&o, c.parameters).Stream(ctx)
}
