package workload

import (
	"context"
	"encoding/json"
	"fmt"
)

// right is something that the cluster must allow for a workload to be worked on.
type right struct {
	group, resource, part string // part is the subresource
	name                  string // of the one object; empty asks for all
	verb                  string
}

// String is the right as roles write it: "patch deployments.apps/cdc-api".
func (r right) String() string {
	text := r.verb + " " + r.resource
	if r.part != "" {
		text += "/" + r.part
	}
	if r.group != "" {
		text += "." + r.group
	}
	if r.name != "" {
		text += "/" + r.name
	}
	return text
}

// rights are what the chart's role grants for a workload.
func (r *Rollout) rights() []right {
	return []right{
		{"apps", r.kind + "s", "", r.name, "get"}, {"apps", r.kind + "s", "", r.name, "patch"},
		{"", "pods", "", "", "list"}, {"", "pods", "log", "", "get"},
	}
}

// Denied asks the cluster which of the rights that working on this workload takes the bot does not have
// (SelfSubjectAccessReview), such as "patch deployments.apps/cdc-api". Errors are *Error.
func (r *Rollout) Denied(ctx context.Context) ([]string, error) {
	var denied []string
	for _, one := range r.rights() {
		allowed, err := r.k.api.may(ctx, one)
		if err != nil {
			return nil, r.failed("rights", "create selfsubjectaccessreviews.authorization.k8s.io", err)
		}
		if !allowed {
			denied = append(denied, one.String())
		}
	}
	return denied, nil
}

// review is a SelfSubjectAccessReview of authorization.k8s.io/v1, as far as it is asked and answered here.
type review struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		Resource struct {
			Namespace   string `json:"namespace"`
			Verb        string `json:"verb"`
			Group       string `json:"group"`
			Resource    string `json:"resource"`
			Subresource string `json:"subresource,omitempty"`
			Name        string `json:"name,omitempty"`
		} `json:"resourceAttributes"`
	} `json:"spec"`
	Status struct {
		Allowed bool `json:"allowed"`
	} `json:"status"`
}

func (c *restAPI) may(ctx context.Context, r right) (bool, error) {
	question := review{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectAccessReview"}
	about := &question.Spec.Resource
	about.Namespace, about.Verb, about.Group, about.Resource, about.Subresource, about.Name = c.namespace, r.verb, r.group, r.resource, r.part, r.name
	body, err := json.Marshal(question)
	if err != nil {
		return false, err
	}
	raw, err := c.core.Post().AbsPath("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews").SetHeader("Content-Type", "application/json").SetHeader("Accept", "application/json").Body(body).DoRaw(ctx)
	if err != nil {
		return false, err
	}
	var answer review
	if err := json.Unmarshal(raw, &answer); err != nil {
		return false, fmt.Errorf("answer of selfsubjectaccessreviews: %w", err)
	}
	return answer.Status.Allowed, nil
}
