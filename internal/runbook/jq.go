package runbook

import (
	"fmt"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"cdcbot/internal/action"
)

// plainFlags are jq's flags that only change how the answer looks, as letters and as words.
const plainFlags = "rcSMCej"

var plainOptions = []string{"--raw-output", "--compact-output", "--sort-keys", "--monochrome-output", "--color-output", "--exit-status", "--tab", "--join-output"}

// printers are commands that show JSON as it is.
var printers = []string{"json_pp", "python -m json.tool", "python3 -m json.tool"}

// filters joins what a command is piped into to one jq program.
func filters(chain []*syntax.Stmt) (program, why string) {
	var programs []string
	for _, s := range chain {
		words, why := literal(s)
		if why != "" {
			return "", "behind its pipe, " + why
		}
		one, why := filter(words)
		if why != "" {
			return "", why
		}
		if one != "." {
			programs = append(programs, one)
		}
	}
	program = strings.Join(programs, " | ")
	if len(inputsIn(program)) > 0 {
		return "", "a jq program with a placeholder in it would run what somebody types"
	}
	return program, ""
}

func filter(words []string) (program, why string) {
	if slices.Contains(printers, strings.Join(words, " ")) {
		return ".", ""
	}
	if words[0] != "jq" {
		return "", "it pipes into " + firstWord(words[0])
	}
	var rest []string
	for _, w := range words[1:] {
		switch {
		case slices.Contains(plainOptions, w):
		case len(w) > 1 && w[0] == '-' && w[1] != '-' && strings.Trim(w[1:], plainFlags) == "":
		case strings.HasPrefix(w, "-"):
			return "", fmt.Sprintf("it uses jq's %s, which the bot does not know", w)
		default:
			rest = append(rest, w)
		}
	}
	switch len(rest) {
	case 0:
		return ".", ""
	case 1:
		return rest[0], ""
	}
	return "", "its jq reads a file"
}

// checkFilter finds a jq program that cannot run.
func checkFilter(c command) []Finding {
	if c.filter == "" {
		return nil
	}
	if err := action.CheckFilter(c.filter); err != nil {
		return []Finding{c.finding("error", "bad-jq", fmt.Sprintf("%v; mend the program, or leave the pipe out", err))}
	}
	return nil
}
