package runbook

import (
	"fmt"
	"slices"
	"strings"

	"cdcbot/internal/action"
)

// plainFlags are jq's flags that only change how the answer looks, as letters and as words.
const plainFlags = "rcSMCej"

var plainOptions = []string{"--raw-output", "--compact-output", "--sort-keys", "--monochrome-output", "--color-output", "--exit-status", "--tab", "--join-output"}

func jqStage(words []string) (action.Stage, string) {
	var rest []string
	for _, w := range words[1:] {
		switch {
		case slices.Contains(plainOptions, w):
		case len(w) > 1 && w[0] == '-' && w[1] != '-' && strings.Trim(w[1:], plainFlags) == "":
		case strings.HasPrefix(w, "-"):
			return action.Stage{}, fmt.Sprintf("it uses jq's %s, which the bot does not know", w)
		default:
			rest = append(rest, w)
		}
	}
	switch len(rest) {
	case 0:
		return action.Stage{JQ: "."}, ""
	case 1:
		return action.Stage{JQ: rest[0]}, ""
	}
	return action.Stage{}, "its jq reads a file"
}

// checkPipe finds a jq program that cannot run.
func checkPipe(c command) []Finding {
	if err := c.pipe.Check(); err != nil {
		return []Finding{c.finding("error", "bad-jq", fmt.Sprintf("%v; mend the program, or leave the pipe out", err))}
	}
	return nil
}
