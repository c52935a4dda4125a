package runbook

import (
	"strings"

	"cdcbot/internal/action"
)

var kubectlVerbs = map[string]verb{
	"rollout restart": kubeDeed("restart"), "rollout status": kubeState, "logs": kubeLogs, "get": kubeGet, "describe": kubeState, "scale": kubeScale,
}

func compileKubectl(c command) (action.Action, []Finding, bool) {
	return verbs(c, kubectlVerbs, c.words[0], globals(c.words[1:]))
}

// globals drops the options that may stand before kubectl's verb.
func globals(words []string) []string { return options1(words, kubectlValues) }

// named joins "deployment x" and "deployment/x" to the one spelling that services are configured with.
func named(rest []string) []string {
	words := operands(rest, kubectlValues...)
	if len(words) == 0 {
		return nil
	}
	if strings.Contains(words[0], "/") {
		return words
	}
	if kind, ok := kubeKinds[words[0]]; ok {
		var out []string
		for _, name := range words[1:] {
			out = append(out, kind+"/"+name)
		}
		return out
	}
	return words
}

var kubeKinds = map[string]string{
	"deployment": "deployment", "deployments": "deployment", "deploy": "deployment", "statefulset": "statefulset", "statefulsets": "statefulset", "sts": "statefulset",
	"daemonset": "daemonset", "daemonsets": "daemonset", "ds": "daemonset", "pod": "pod", "pods": "pod", "po": "pod",
}

// long spells a short kind: deploy/x is deployment/x.
func long(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		kind, name, ok := strings.Cut(n, "/")
		if full := kubeKinds[kind]; ok && full != "" {
			n = full + "/" + name
		}
		out[i] = n
	}
	return out
}

func kubeDeed(do string) verb {
	return func(_ command, rest []string) (action.Action, string) {
		names := long(named(rest))
		if len(names) == 0 {
			return nil, "it names no workload"
		}
		return action.Workload{Do: do, Services: names}, ""
	}
}

func kubeState(c command, rest []string) (action.Action, string) {
	names := long(named(rest))
	if len(names) == 0 {
		return nil, "it names no workload"
	}
	return action.Workloads{Services: names, Pipe: c.pipe}, ""
}

// kubeGet lists workloads and pods; other kubeKinds are for a person to look at.
func kubeGet(c command, rest []string) (action.Action, string) {
	words := operands(rest, kubectlValues...)
	if len(words) == 0 {
		return nil, "it names nothing to get"
	}
	kind, _, slash := strings.Cut(words[0], "/")
	if kubeKinds[kind] == "" && kind != "all" {
		return nil, "the bot does not read Kubernetes " + firstWord(kind)
	}
	if len(words) > 1 || slash {
		return kubeState(c, rest)
	}
	return action.Workloads{Pipe: c.pipe}, ""
}

func kubeLogs(c command, rest []string) (action.Action, string) {
	if _, ok := valueOf(rest, "-l", "--selector"); ok {
		return nil, "it reads the logs of what a selector finds; name the workload"
	}
	return logs(c, append(long(named(rest)), flagsOf(rest)...))
}

// flagsOf are the options of logs, without the names and the namespace.
func flagsOf(rest []string) []string {
	var out []string
	for _, name := range []string{"--tail", "--since"} {
		if v, ok := valueOf(rest, name); ok {
			out = append(out, name+"="+v)
		}
	}
	return out
}

func kubeScale(_ command, rest []string) (action.Action, string) {
	names := long(named(rest))
	count, _ := valueOf(rest, "--replicas")
	if len(names) != 1 {
		return nil, "it does not name one workload"
	}
	return scaled(names[0], count)
}
