package commands

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cdcbot/internal/remediation"
)

// standingList says what people agreed to in advance.
func (r *Router) standingList(ctx context.Context, _ ask) Reply {
	list, err := r.Flow.Approvals.Standings(ctx)
	if err != nil {
		return r.fail(err)
	}
	if len(list) == 0 {
		return Reply{Text: "Nothing is agreed in advance: every restart waits for two people.", Suggest: []string{"/cdc standing allow <connector> for 24h times 3"}}
	}
	lines := make([]string, len(list))
	for i, st := range list {
		lines[i] = fmt.Sprintf("%s on %s: %s — used %d of %d, until %s", st.ID, st.Pipeline, st.Title, st.Used, st.Most, st.Until.UTC().Format("2006-01-02 15:04 UTC"))
	}
	return Reply{Text: strings.Join(lines, "\n"), Suggest: []string{"/cdc standing revoke " + list[0].ID}}
}

// standingAllow asks that the bot may restart a connector by itself; a second person approves it as any plan.
func (r *Router) standingAllow(ctx context.Context, a ask) Reply {
	if len(a.args) == 0 {
		return Reply{Error: true, Text: "Which connector? Say /cdc standing allow <connector> for 24h times 3.", Suggest: []string{"/cdc status"}}
	}
	within, most, reason, err := forAndTimes(a.args[1:])
	if err != nil {
		return Reply{Error: true, Text: err.Error()}
	}
	p, row, missing := r.find(ctx, a, a.args[0], "standing allow")
	if missing != nil {
		return *missing
	}
	inc, err := r.Flow.IncidentFor(ctx, p.Name, row.Status.Name, a.by())
	if err != nil {
		return r.fail(err)
	}
	return r.request(ctx, remediation.Wish{Incident: inc.ID, By: a.by(), Reason: reason, Recipe: remediation.RecipeToAllow([]string{row.Status.Name}, within, most)})
}

// forAndTimes reads what follows the connector: "for 24h", "times 3" in any order, then a reason in free words.
func forAndTimes(args []string) (within time.Duration, most int, reason string, err error) {
	within, most = 24*time.Hour, 3
	for len(args) >= 2 {
		switch strings.ToLower(args[0]) {
		case "for":
			if within, err = time.ParseDuration(args[1]); err != nil || within < time.Minute || within > 7*24*time.Hour {
				return 0, 0, "", fmt.Errorf("%q is not a time such as 90m or 24h; expected 1m to 168h", args[1])
			}
		case "times":
			if most, err = strconv.Atoi(args[1]); err != nil || most < 1 || most > 100 {
				return 0, 0, "", fmt.Errorf("%q is not a number of times; expected 1 to 100", args[1])
			}
		default:
			return within, most, strings.Join(args, " "), nil
		}
		args = args[2:]
	}
	return within, most, strings.Join(args, " "), nil
}

// standingRevoke ends one at once.
func (r *Router) standingRevoke(ctx context.Context, a ask) Reply {
	if len(a.args) != 1 {
		return Reply{Error: true, Text: "Which one? Say /cdc standing revoke <STA-n>.", Suggest: []string{"/cdc standing list"}}
	}
	return r.revoke(ctx, Command{User: a.User, Standing: strings.ToUpper(a.args[0])})
}

// revoke ends one at once; anybody may.
func (r *Router) revoke(ctx context.Context, c Command) Reply {
	st, err := r.Flow.Revoke(ctx, c.Standing, by(c))
	if err != nil {
		return r.fail(err)
	}
	return Reply{Text: fmt.Sprintf("%s is revoked: from now on I ask before I restart (%s).", st.ID, st.Title)}
}
