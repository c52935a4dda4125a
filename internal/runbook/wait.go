package runbook

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"cdcbot/internal/action"
)

// sleeping reads "sleep 30", "sleep 1m" and "sleep 0.5". More than a day is not a wait that anybody means.
func sleeping(c command) (time.Duration, bool) {
	if c.opaque != "" || len(c.words) != 2 || c.words[0] != "sleep" {
		return 0, false
	}
	text := c.words[1]
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0 && d <= 24*time.Hour
}

// The shortest and the longest that a wait may be told to last.
const (
	shortest = 2 * time.Minute
	longest  = 30 * time.Minute
)

var usually = regexp.MustCompile(`(?i)\(\s*(?:about |approx\.? |up to |~)?(\d{1,6})(?:\s*(?:[-–]|to)\s*(\d{1,6}))?\s*(s|secs?|seconds?|m|mins?|minutes?)\s*\)`)

// wait makes the step that waits until what was touched before is healthy. The number is what is usual; the limit is
// four times its upper bound, at least two minutes.
func wait(title string, sleep time.Duration, source string, line int) Step {
	upper, expect := sleep, ""
	if sleep > 0 {
		expect = sleep.String()
	}
	if m := usually.FindStringSubmatch(title); m != nil {
		n, _ := strconv.Atoi(m[1]) // at most six digits
		if m[2] != "" {
			n, _ = strconv.Atoi(m[2])
		}
		upper = time.Duration(n) * time.Second
		if m[3][0]|0x20 == 'm' {
			upper = time.Duration(n) * time.Minute
		}
		expect = strings.TrimSpace(strings.Trim(m[0], "()"))
	}
	if title == "" {
		title = "Wait until healthy"
	}
	limit := max(4*min(upper, longest), shortest)
	return Step{Title: title, Line: line, Source: source, Phase: Wait, Action: action.WaitHealthy{Expect: expect, Limit: min(limit, longest)}}
}
