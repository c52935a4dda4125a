package runbook

import (
	"slices"
	"strings"

	"cdcbot/internal/action"
)

// families maps the first word of a command to its compiler; a new family is a file and a row. The action is nil when
// the command stays manual, and note is true when it becomes no step at all.
var families = map[string]func(command) (act action.Action, findings []Finding, note bool){
	"curl": compileCurl,
}

// compile gives a command its action, or says why there is none.
func compile(c command) (action.Action, []Finding, bool) {
	findings := habits(c)
	if rootLogin(c.words) {
		return nil, append(findings, c.finding("note", rootToken, "a root token does not belong in a shell; the bot has its own identity, so this is left out")), true
	}
	if c.opaque != "" {
		return nil, append(findings, c.unknown(c.opaque)), false
	}
	family, ok := families[c.words[0]]
	if !ok {
		return nil, append(findings, c.unknown("the bot does not run "+firstWord(c.words[0]))), false
	}
	act, more, note := family(c)
	return act, append(findings, more...), note
}

const rootToken = "root-token"

// rootLogin recognizes "vault login root" and "vault login <token>", also inside docker exec.
func rootLogin(words []string) bool {
	i := slices.Index(words, "vault")
	if i < 0 || !slices.Contains(words[i:], "login") {
		return false
	}
	last := words[len(words)-1]
	return last == "root" || strings.HasPrefix(last, openMark) || strings.HasPrefix(last, "hvs.") || strings.HasPrefix(last, "s.")
}

// habits are remarks about how a command is written, whatever becomes of it.
func habits(c command) []Finding {
	if len(c.words) > 2 && (c.words[0] == "docker" || strings.HasPrefix(c.words[0], "docker-compose")) {
		exec := slices.Index(c.words, "exec")
		for _, w := range c.words[max(exec, 0):] {
			if exec > 0 && (w == "-it" || w == "-ti" || w == "-t" || w == "--tty") {
				return []Finding{c.finding("note", "docker-exec-it", "docker exec -it needs a terminal; leave out -it")}
			}
		}
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
