package runbook

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// wrapper is a command that runs another one. read gives the words of the inner command and where it runs; why says that
// the wrapper itself is not understood. No words means that it is no wrapper after all.
type wrapper func(words []string) (inner []string, on, why string)

// wrappers are tried by first word, again and again: sudo docker exec db psql has three.
var wrappers = map[string]wrapper{
	"sudo":    flagged("-u", "-g", "--user", "--group"),
	"time":    flagged(),
	"nohup":   flagged(),
	"command": flagged(),
	"env":     environment,
	"timeout": limited("-k", "-s", "--kill-after", "--signal"),
	"watch":   watching,
	"docker":  dockerExec, "podman": dockerExec, "nerdctl": dockerExec,
	"docker-compose": func(words []string) ([]string, string, string) { return composeExec(words[1:]) },
	"kubectl":        kubectlExec, "oc": kubectlExec,
}

// unwrap takes the wrappers off a command. sh -c "…" is read like a line of the runbook.
func unwrap(c command) command {
	for range 8 {
		if len(c.words) == 0 {
			return c
		}
		if shell(c.words[0]) && len(c.words) == 3 && (c.words[1] == "-c" || c.words[1] == "-lc") {
			return c.line1(c.words[2])
		}
		w, ok := wrappers[c.words[0]]
		if !ok {
			return c
		}
		inner, on, why := w(c.words)
		if why != "" {
			c.opaque = why
			return c
		}
		if len(inner) == 0 {
			return c
		}
		c.words = inner
		if on != "" {
			c.on = on
		}
	}
	c.opaque = "it is wrapped too often"
	return c
}

func shell(word string) bool {
	return slices.Contains([]string{"sh", "bash", "/bin/sh", "/bin/bash"}, word)
}

// line1 reads the text of sh -c: one pipeline, no more.
func (c command) line1(text string) command {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil || len(file.Stmts) != 1 || !parsable(text) {
		c.opaque = "its shell runs more than one command"
		return c
	}
	inner := command{stdin: c.stdin}
	if why := (&variables{set: map[string]string{}}).read(file.Stmts[0], &inner); why != "" {
		c.opaque = why
		return c
	}
	c.words, c.stdin, c.pipe = inner.words, inner.stdin, append(inner.pipe, c.pipe...)
	return unwrap(c)
}

// flagged is a wrapper whose own options come first; those named take a value.
func flagged(valued ...string) wrapper {
	return func(words []string) ([]string, string, string) {
		return options1(words[1:], valued), "", ""
	}
}

// options1 drops options from the front.
func options1(words []string, valued []string) []string {
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		switch {
		case words[0] == "--":
			return words[1:]
		case slices.Contains(valued, words[0]) && len(words) > 1:
			words = words[2:]
		default:
			words = words[1:]
		}
	}
	return words
}

func environment(words []string) ([]string, string, string) {
	rest := options1(words[1:], nil)
	for len(rest) > 0 && strings.Contains(rest[0], "=") {
		rest = rest[1:]
	}
	return rest, "", ""
}

// limited is a wrapper whose first word after its options is a time.
func limited(valued ...string) wrapper {
	return func(words []string) ([]string, string, string) {
		rest := options1(words[1:], valued)
		if len(rest) < 2 {
			return nil, "", "its timeout has no command"
		}
		return rest[1:], "", ""
	}
}

// watching looks once: the card of an incident is drawn anew anyway. A command in quotes is one word.
func watching(words []string) ([]string, string, string) {
	rest := options1(words[1:], []string{"-n", "--interval"})
	if len(rest) == 1 && strings.Contains(rest[0], " ") {
		return []string{"sh", "-c", rest[0]}, "", ""
	}
	return rest, "", ""
}

// execValues are options of docker exec and docker compose exec with a value.
var execValues = []string{"-u", "--user", "-e", "--env", "-w", "--workdir", "--env-file", "--index", "--detach-keys"}

// dockerExec reads docker exec [options] CONTAINER COMMAND…, and docker compose exec.
func dockerExec(words []string) ([]string, string, string) {
	rest := options1(words[1:], []string{"-H", "--host", "--context", "-c", "--config"})
	if len(rest) > 0 && rest[0] == "compose" {
		return composeExec(rest[1:])
	}
	if len(rest) > 0 && rest[0] == "container" {
		rest = rest[1:]
	}
	if len(rest) == 0 || rest[0] != "exec" {
		return nil, "", ""
	}
	return inside(options1(rest[1:], execValues))
}

// composeValues are options of docker compose itself with a value.
var composeValues = []string{"-f", "--file", "-p", "--project-name", "--profile", "--env-file", "--project-directory", "--ansi", "--progress"}

func composeExec(words []string) ([]string, string, string) {
	rest := options1(words, composeValues)
	if len(rest) == 0 || rest[0] != "exec" && rest[0] != "run" {
		return nil, "", ""
	}
	if rest[0] == "run" {
		return nil, "", "it starts a new container"
	}
	return inside(options1(rest[1:], execValues))
}

func inside(rest []string) ([]string, string, string) {
	if len(rest) < 2 {
		return nil, "", "its exec has no command"
	}
	return rest[1:], rest[0], ""
}

// kubectlValues are options of kubectl with a value.
var kubectlValues = []string{"-n", "--namespace", "--context", "--kubeconfig", "-c", "--container", "--cluster", "-l", "--selector", "-o", "--output", "--tail", "--since", "--timeout", "--replicas"}

// kubectlExec reads kubectl exec [options] POD [-c CONTAINER] -- COMMAND…
func kubectlExec(words []string) ([]string, string, string) {
	rest := options1(words[1:], kubectlValues)
	if len(rest) == 0 || rest[0] != "exec" {
		return nil, "", ""
	}
	rest = options1(rest[1:], kubectlValues)
	if len(rest) == 0 {
		return nil, "", "its exec has no pod"
	}
	on := rest[0]
	if dash := slices.Index(rest, "--"); dash > 0 {
		return rest[dash+1:], on, ""
	}
	return inside(append([]string{on}, options1(rest[1:], kubectlValues)...))
}
