package runbook

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cdcbot/internal/action"
)

// verb is a subcommand of docker, docker compose, kubectl or systemctl. It gets the words behind it.
type verb func(c command, rest []string) (action.Action, string)

// dockerVerbs and composeVerbs differ where compose names services and docker containers; both resolve to services.
var (
	dockerVerbs = map[string]verb{
		"ps": ps, "container ls": ps, "container list": ps, "stats": ps, "inspect": inspect, "top": inspect,
		"logs": logs, "container logs": logs,
		"restart": deed("restart"), "container restart": deed("restart"), "start": deed("start"), "stop": deed("stop"), "kill": deed("stop"),
	}
	composeVerbs = map[string]verb{
		"ps": ps, "top": ps, "logs": logs, "restart": deed("restart"), "start": deed("start"), "stop": deed("stop"), "kill": deed("stop"),
		"up": up, "scale": scales,
	}
	systemVerbs = map[string]verb{"restart": deed("restart"), "start": deed("start"), "stop": deed("stop"), "status": inspect, "is-active": inspect}
)

func compileDocker(c command) (action.Action, []Finding, bool) {
	rest := options1(c.words[1:], []string{"-H", "--host", "--context", "-c", "--config"})
	if len(rest) > 0 && rest[0] == "compose" {
		return verbs(c, composeVerbs, "docker compose", options1(rest[1:], composeValues))
	}
	return verbs(c, dockerVerbs, "docker", rest)
}

func compileCompose(c command) (action.Action, []Finding, bool) {
	return verbs(c, composeVerbs, "docker-compose", options1(c.words[1:], composeValues))
}

// compileSystemctl reads systemctl VERB UNIT and service UNIT VERB.
func compileSystemctl(c command) (action.Action, []Finding, bool) {
	rest := options1(c.words[1:], nil)
	if c.words[0] == "service" && len(rest) == 2 {
		slices.Reverse(rest)
	}
	for i := range rest {
		rest[i] = strings.TrimSuffix(rest[i], ".service")
	}
	return verbs(c, systemVerbs, c.words[0], rest)
}

// verbs finds the longest verb that fits.
func verbs(c command, table map[string]verb, program string, rest []string) (action.Action, []Finding, bool) {
	for _, n := range []int{2, 1} {
		if len(rest) < n {
			continue
		}
		name := strings.Join(rest[:n], " ")
		if v, ok := table[name]; ok {
			act, why := v(c, rest[n:])
			if why != "" {
				return nil, []Finding{c.unknown(why)}, false
			}
			return act, nil, false
		}
	}
	what := program
	if len(rest) > 0 {
		what += " " + firstWord(rest[0])
	}
	return nil, []Finding{c.unknown("the bot has no action for " + what)}, false
}

// operands are the words that are no options.
func operands(words []string, valued ...string) []string {
	var out []string
	for i := 0; i < len(words); i++ {
		switch w := words[i]; {
		case slices.Contains(valued, w):
			i++
		case strings.HasPrefix(w, "-") && w != "-":
		default:
			out = append(out, w)
		}
	}
	return out
}

// valueOf is the value of an option, in one word or two.
func valueOf(words []string, names ...string) (string, bool) {
	for i, w := range words {
		for _, name := range names {
			if w == name && i+1 < len(words) {
				return words[i+1], true
			}
			if rest, ok := strings.CutPrefix(w, name+"="); ok {
				return rest, true
			}
			if rest, ok := strings.CutPrefix(w, name); ok && len(name) == 2 && rest != "" && name[1] != '-' {
				return rest, true
			}
		}
	}
	return "", false
}

// ps lists services. A filter by name keeps what docker itself would keep: names that contain it.
func ps(c command, rest []string) (action.Action, string) {
	var names []string
	if f, ok := valueOf(rest, "--filter", "-f"); ok {
		kind, name, _ := strings.Cut(f, "=")
		if kind != "name" {
			return action.Workloads{Pipe: c.pipe}, "" // such as status=running: the states are shown anyway
		}
		names = []string{strings.Trim(name, "^$/")}
	}
	return action.Workloads{Services: append(names, operands(rest, "--filter", "-f", "--format", "-n", "--last")...), Pipe: c.pipe}, ""
}

func inspect(c command, rest []string) (action.Action, string) {
	names := operands(rest, "-f", "--format", "--type")
	if len(names) == 0 {
		return nil, "it names no container"
	}
	return action.Workloads{Services: names, Pipe: c.pipe}, ""
}

func logs(c command, rest []string) (action.Action, string) {
	names := operands(rest, "-n", "--tail", "--since", "--until", "-c", "--container")
	if len(names) != 1 {
		return nil, fmt.Sprintf("it reads the logs of %d services; expected one", len(names))
	}
	a := action.Logs{Service: names[0], Pipe: c.pipe}
	if text, ok := valueOf(rest, "--tail", "-n"); ok && text != "all" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, "its --tail is no number"
		}
		a.Tail = n
	}
	if text, ok := valueOf(rest, "--since"); ok {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return nil, "its --since is no duration such as 10m"
		}
		a.Since = d
	}
	return a, ""
}

func deed(do string) verb {
	return func(_ command, rest []string) (action.Action, string) {
		names := operands(rest, "-t", "--time", "--timeout", "-s", "--signal")
		if len(names) == 0 {
			return nil, "it names no service; every one of them would " + do
		}
		return action.Workload{Do: do, Services: names}, ""
	}
}

// up starts what does not run. Making containers anew, building and pulling change what runs, which a person does.
func up(c command, rest []string) (action.Action, string) {
	for _, w := range rest {
		if slices.Contains([]string{"--build", "--force-recreate", "--pull", "-V", "--renew-anon-volumes", "--remove-orphans"}, w) {
			return nil, "docker compose up " + w + " changes what runs, not only whether"
		}
	}
	if text, ok := valueOf(rest, "--scale"); ok {
		return scales(c, []string{text})
	}
	names := operands(rest, "--scale", "-t", "--timeout")
	if len(names) == 0 {
		return nil, "it names no service; all of them would start"
	}
	return action.Workload{Do: "start", Services: names}, ""
}

func scales(_ command, rest []string) (action.Action, string) {
	names := operands(rest, "-t", "--timeout")
	if len(names) != 1 {
		return nil, "it scales several services; one command for each"
	}
	service, count, _ := strings.Cut(names[0], "=")
	return scaled(service, count)
}

func scaled(service, count string) (action.Action, string) {
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > 100 || service == "" {
		return nil, "it does not say to how many replicas it scales, as a number from 0 to 100"
	}
	return action.Workload{Do: "scale", Services: []string{service}, Replicas: n}, ""
}
