package workload

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// mostPods bounds what is looked at of one workload.
const mostPods = 100

// Logs are the last lines of the pod that ails, or else of the newest; of a container that crashed and waits to be started
// again, what it said before. At most 1 MiB.
func (r *Rollout) Logs(ctx context.Context, tail int, since time.Duration) (string, error) {
	s, err := r.get(ctx, "logs")
	if err != nil {
		return "", err
	}
	pods, err := r.pods(ctx, "logs", s)
	if err != nil {
		return "", err
	}
	if len(pods) == 0 {
		return "", &Error{r.String(), "logs", ErrNotFound, "it has no pod"}
	}
	pod := pods[0]
	if i := slices.IndexFunc(pods, func(p corev1.Pod) bool { return ailing(p).why != "" }); i >= 0 {
		pod = pods[i]
	}
	ill := ailing(pod)
	o := corev1.PodLogOptions{Container: ill.container, Previous: ill.crashed}
	if o.Container == "" && len(pod.Spec.Containers) > 0 {
		o.Container = pod.Spec.Containers[0].Name
	}
	if lines := int64(tail); tail > 0 {
		o.TailLines = &lines
	}
	if seconds := int64(math.Ceil(since.Seconds())); seconds > 0 {
		o.SinceSeconds = &seconds
	}
	text, err := r.log(ctx, pod.Name, o)
	if err != nil && o.Previous { // the node may have thrown it away
		o.Previous = false
		text, err = r.log(ctx, pod.Name, o)
	}
	return text, err
}

func (r *Rollout) log(ctx context.Context, pod string, o corev1.PodLogOptions) (string, error) {
	stream, err := r.k.api.log(ctx, pod, o)
	if err != nil {
		return "", r.failed("logs", "get on pods/log", err)
	}
	defer func() { _ = stream.Close() }()
	var kept tailBuffer
	if _, err := io.Copy(&kept, stream); err != nil {
		return "", r.failed("logs", "get on pods/log", err)
	}
	lines := kept.lines(plain)
	return lines.text(), nil
}

// pods are those of a workload, the newest first.
func (r *Rollout) pods(ctx context.Context, op string, s status) ([]corev1.Pod, error) {
	o := metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(s.selector), Limit: mostPods}
	list, err := r.k.api.pods(ctx, o)
	if err != nil {
		return nil, r.failed(op, "list on pods", err)
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	return list.Items, nil
}

// ailment is why a pod is not well: the container, and whether it has crashed and waits to be started again, so that what
// it said stands in the log of the one before.
type ailment struct {
	why       string // "" for a pod that is well, or on its way
	container string
	crashed   bool
}

func ailing(p corev1.Pod) ailment {
	if p.DeletionTimestamp != nil {
		return ailment{}
	}
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if why := unwell(c); why != "" {
			crashed := c.State.Waiting != nil && c.LastTerminationState.Terminated != nil
			return ailment{why, c.Name, crashed}
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return ailment{why: strings.TrimSuffix("is on no node: "+c.Message, ": ")}
		}
	}
	if p.Status.Phase == corev1.PodFailed {
		return ailment{why: strings.TrimSuffix("failed: "+p.Status.Reason+" "+p.Status.Message, ":  ")}
	}
	for _, c := range p.Status.ContainerStatuses {
		if c.State.Running != nil && !c.Ready {
			return ailment{why: "runs, but is not ready", container: c.Name}
		}
	}
	return ailment{}
}

// starting are reasons to wait that every new container has.
var starting = []string{"ContainerCreating", "PodInitializing"}

func unwell(c corev1.ContainerStatus) string {
	switch w, t := c.State.Waiting, c.State.Terminated; {
	case w != nil && !slices.Contains(starting, w.Reason):
		if last := c.LastTerminationState.Terminated; last != nil {
			return w.Reason + " (" + ending(last) + ")"
		}
		return strings.TrimSuffix(w.Reason+": "+firstLine(w.Message), ": ")
	case t != nil && t.ExitCode != 0:
		return "ended (" + ending(t) + ")"
	}
	return ""
}

func ending(t *corev1.ContainerStateTerminated) string {
	if t.Reason == "" || t.Reason == "Error" {
		return fmt.Sprintf("exit code %d", t.ExitCode)
	}
	return fmt.Sprintf("exit code %d, %s", t.ExitCode, t.Reason)
}

func firstLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}
