package diagnosis

import (
	"cmp"
	"slices"
	"strings"
)

// A connector may say RUNNING and fail all the same: it tries again for ever, skips records, or cannot commit. Only its
// worker's log tells then. A log is full of noise, so that it is believed only when it complains of what a healthy task
// never meets, or of the same thing again and again, and nothing says that it passed.

// grave are words of failures that a task lives through. A task that was killed is not among them: it would be FAILED, and
// RUNNING says that somebody has restarted it since.
var grave = []string{
	"commit of offsets threw an unexpected exception", "offset commit failed, rewinding", "failed to send record to", "error encountered in task",
	"failed to run query for table", "out of memory", "outofmemoryerror", "exception encountered processing", "producer failure", "engine's record processing has failed",
}

// passed are words by which a worker or task says that it is well again.
var passed = []string{
	"finished commitoffsets successfully", "successfully joined group", "kafka connect started", "finished initialization and start",
	"reconnected", "successfully re", "resumed", "is back", "recovered",
}

// sameAgain is how often a complaint has to come before it counts without grave words.
const sameAgain = 3

// silently lets the log of a connector whose states show nothing argue that it fails all the same.
func (x *examination) silently(s Subject) {
	var list []entry
	times := map[string]int{}
	for _, e := range readLog(s.Log) {
		text := fold(e.text)
		within := func(w string) bool { return strings.Contains(text, w) }
		switch {
		case slices.ContainsFunc(passed, within):
			list, times = nil, map[string]int{}
		case e.complains() && slices.ContainsFunc(grave, within):
			list = append(list, e)
		case e.complains():
			if times[shapeOf(e)]++; times[shapeOf(e)] == sameAgain {
				list = append(list, e)
			}
		}
	}
	x.entries(s, list, logWarning)
	x.leftover(s)
}

// leftover reads a trace that stands beside RUNNING. Connect shows none there; who saved the case saw the part fail.
func (x *examination) leftover(s Subject) {
	traces := []string{s.Status.Trace}
	for _, t := range s.Status.Tasks {
		traces = append(traces, t.Trace)
	}
	for _, trace := range slices.Compact(traces) {
		if trace != "" {
			x.file(s, "trace beside RUNNING of "+s.Connector, trace, x.read(trace, s).claims, logAlone)
		}
	}
}

func (e entry) complains() bool {
	return e.bad() || e.level == "WARN" || e.level == "WARNING" || e.level == ""
}

// shapeOf is the first line of an entry without its digits: what it says whenever and to whomever it says it.
func shapeOf(e entry) string {
	text, words := e.body()
	line, _, _ := strings.Cut(cmp.Or(words, text), "\n")
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, line)
}
