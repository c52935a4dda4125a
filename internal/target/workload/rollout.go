package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Rollout is one workload of Kubernetes.
type Rollout struct {
	k    *Kubernetes
	kind string
	name string
}

// mostReplicas is a bound against slips of the keyboard.
const mostReplicas = 100

// Restart is kubectl's rollout restart: an annotation on the pods' template makes them anew, a few at a time. It waits
// until the new ones are available. ErrUnsupported where the rollout is paused or waits for somebody to delete pods.
func (r *Rollout) Restart(ctx context.Context) error {
	s, err := r.get(ctx, "restart")
	if err != nil {
		return err
	}
	if s.stuck != "" {
		return r.refuse("restart", s.stuck)
	}
	annotations := map[string]string{"kubectl.kubernetes.io/restartedAt": r.k.now().UTC().Format(time.RFC3339Nano)}
	template := map[string]any{"metadata": map[string]any{"annotations": annotations}}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": template}})
	if err != nil {
		return fmt.Errorf("restart of %s: %w", r, err)
	}
	if err := r.k.api.patch(ctx, r.kind+"s", r.name, patch); err != nil {
		return r.failed("restart", "patch on "+r.kind+"s", err)
	}
	return r.rolled(ctx, "restart", status.done)
}

// Start waits for a workload that runs anyway as long as it has replicas; one that has none is Scale's business.
func (r *Rollout) Start(ctx context.Context) error {
	s, err := r.get(ctx, "start")
	if err != nil {
		return err
	}
	if s.wanted == 0 {
		return r.refuse("start", "it is scaled to 0; scale it to what it should have")
	}
	return r.rolled(ctx, "start", status.settled)
}

// Stop is refused: Kubernetes would have to forget how many replicas there were.
func (r *Rollout) Stop(context.Context) error {
	return r.refuse("stop", "a workload of Kubernetes is scaled to 0, not stopped")
}

// Scale sets the number of replicas and waits until they are available.
func (r *Rollout) Scale(ctx context.Context, replicas int) error {
	if r.kind == "daemonset" {
		return r.refuse("scale", "a daemonset runs on every node; it has no number of replicas")
	}
	if replicas < 0 || replicas > mostReplicas {
		return r.refuse("scale", fmt.Sprintf("%d replicas; expected 0 to %d", replicas, mostReplicas))
	}
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	if err := r.k.api.patch(ctx, r.kind+"s", r.name, patch); err != nil {
		return r.failed("scale", "patch on "+r.kind+"s", err)
	}
	return r.rolled(ctx, "scale", status.settled)
}

// State is one line such as "2 of 3 ready, generation 5; pod x: CrashLoopBackOff (exit code 137)".
func (r *Rollout) State(ctx context.Context) (state string, up bool, err error) {
	s, err := r.get(ctx, "state")
	if err != nil {
		return "", false, err
	}
	state = fmt.Sprintf("%d of %d ready", s.ready, s.wanted)
	if s.updated < s.wanted {
		state += fmt.Sprintf(", %d updated", s.updated)
	}
	state += fmt.Sprintf(", generation %d", s.generation)
	if s.observed < s.generation {
		state += " (its controller has seen only " + fmt.Sprint(s.observed) + ")"
	}
	up = s.ready >= s.wanted && s.wanted > 0
	pods, err := r.pods(ctx, "state", s)
	if err != nil { // pods only explain
		return state + "; its pods cannot be listed: " + err.Error(), up, nil
	}
	for _, p := range pods {
		if a := ailing(p); a.why != "" {
			state += "; pod " + p.Name + ": " + a.why
		}
	}
	return state, up, nil
}

func (r *Rollout) get(ctx context.Context, op string) (status, error) {
	s, err := resources[r.kind](ctx, r.k, r.name)
	if err != nil {
		return status{}, r.failed(op, "get on "+r.kind+"s", err)
	}
	return s, nil
}

// rolled waits until the rollout is as it should be; when it does not come to an end, the pods say why.
func (r *Rollout) rolled(ctx context.Context, op string, should func(status) bool) error {
	err := await(ctx, func(ctx context.Context) (bool, error) {
		s, err := r.get(ctx, op)
		if err != nil {
			return false, err
		}
		if s.failing != "" && s.observed >= s.generation {
			return false, r.unhealthy(ctx, op, s.failing)
		}
		return should(s), nil
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return r.unhealthy(ctx, op, "the time is over")
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s of %s: %w", op, r, err)
	}
	return err
}

// unhealthy adds the state of now to why something did not come to an end, also when the time for that is over.
func (r *Rollout) unhealthy(ctx context.Context, op, why string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if state, _, err := r.State(ctx); err == nil {
		why += "; " + state
	}
	return &Error{r.String(), op, ErrUnhealthy, why}
}

// String is the workload as kubectl writes it.
func (r *Rollout) String() string { return r.kind + "/" + r.name }

func (r *Rollout) refuse(op, why string) error { return &Error{r.String(), op, ErrUnsupported, why} }

// failed says what an error of the API server means; right is what the request needed. The end of ctx stays what it is.
func (r *Rollout) failed(op, right string, err error) error {
	var answered apierrors.APIStatus
	var rests resting
	switch {
	case errors.As(err, &rests):
		return &Error{r.String(), op, ErrUnreachable, rests.Error()}
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s of %s: %w", op, r, err)
	case apierrors.IsNotFound(err):
		return &Error{r.String(), op, ErrNotFound, "namespace " + r.k.namespace}
	case apierrors.IsUnauthorized(err):
		return &Error{r.String(), op, ErrDenied, "it does not accept the bot's credentials"}
	case apierrors.IsForbidden(err):
		return &Error{r.String(), op, ErrDenied, "the bot's user needs " + right + " in the namespace " + r.k.namespace}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{r.String(), op, ErrUnreachable, "it gave no answer in time"}
	case apierrors.IsTimeout(err), apierrors.IsServerTimeout(err), apierrors.IsServiceUnavailable(err), !errors.As(err, &answered):
		return &Error{r.String(), op, ErrUnreachable, err.Error()}
	}
	return fmt.Errorf("%s of %s: %w", op, r, err)
}
