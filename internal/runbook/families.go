package runbook

import (
	"regexp"
	"slices"
	"strings"

	"cdcbot/internal/action"
)

// family compiles the commands of one program. The action is nil when the command stays manual, and note is true when it
// becomes no step at all.
type family func(command) (act action.Action, findings []Finding, note bool)

// families maps the first word of a command to its compiler; a new family is a file and a row.
var families = map[string]family{
	"curl": compileCurl, "wget": compileWget,
	"docker": compileDocker, "podman": compileDocker, "nerdctl": compileDocker, "docker-compose": compileCompose,
	"kubectl": compileKubectl, "oc": compileKubectl,
	"systemctl": compileSystemctl, "service": compileSystemctl,
	"psql": compilePsql, "cqlsh": compileCqlsh, "vault": compileVault,
	"cd": nothing, "pushd": nothing, "popd": nothing, "set": nothing, "clear": nothing, "true": nothing, "echo": nothing, "exit": nothing,
}

// nothing is for commands that only prepare a shell or talk to its user.
func nothing(c command) (action.Action, []Finding, bool) {
	return nil, []Finding{c.finding("note", shellOnly, c.words[0]+" only concerns a shell; the bot leaves it out")}, true
}

// compile gives a command its action, or says why there is none.
func compile(c command) (action.Action, []Finding, bool) {
	findings := habits(c)
	if c.opaque == "" && login(c.words) {
		return nil, append(findings, c.finding("note", rootToken, "a token does not belong in a shell; the bot has its own identity, so this is left out")), true
	}
	if c.opaque != "" {
		return nil, append(findings, c.unknown(c.opaque)), false
	}
	compileOne, ok := families[c.words[0]]
	if _, tool := kafkaTool(c.words[0]); !ok && tool {
		compileOne, ok = compileKafka, true
	}
	if !ok {
		return nil, append(findings, c.unknown("the bot does not run "+firstWord(c.words[0]))), false
	}
	act, more, note := compileOne(c)
	return act, append(findings, more...), note
}

// Codes of the findings that make a command a note: it is left out of every plan.
const (
	rootToken = "root-token"
	shellOnly = "shell-only"
)

// login recognizes "vault login …" of any kind: who the bot is, is its configuration.
func login(words []string) bool {
	return len(words) > 1 && words[0] == "vault" && words[1] == "login"
}

// terminal matches docker exec -it and its like.
var terminal = regexp.MustCompile(`\b(docker|podman|docker-compose|compose|kubectl|oc)\b.*\bexec\b\s+(-\S+\s+)*(-it|-ti|-t|--tty)\b`)

// habits are remarks about how a command is written, whatever becomes of it.
func habits(c command) []Finding {
	if strings.Contains(c.source, "exec") && terminal.MatchString(c.source) {
		return []Finding{c.finding("note", "docker-exec-it", "exec -it needs a terminal; leave out -it")}
	}
	return nil
}

func firstWord(w string) string { return strings.TrimSpace(show(w)) }

func (c command) finding(level, code, text string) Finding {
	return Finding{Level: level, Code: code, Line: c.line, Column: c.column, Text: text}
}

// unknown is the finding of a command that a person runs.
func (c command) unknown(why string) Finding {
	return c.finding("warning", unknownCode, "stays a manual step: "+why)
}

// noted reports whether a finding counts a command that was left out.
func noted(code string) bool { return slices.Contains([]string{rootToken, shellOnly}, code) }
