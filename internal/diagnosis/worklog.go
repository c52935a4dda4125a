package diagnosis

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// longestLog bounds what is read of a worker's log, in bytes: its end tells most.
const longestLog = 256 << 10

// entry is one entry of a worker's log, with the lines of the trace that belong to it.
type entry struct {
	level string // "ERROR", "WARN", …; "" when the log has none
	text  string
}

// levels are the words by which logs tell how bad it is.
var levels = []string{"TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "SEVERE", "FATAL"}

// composed is what docker compose puts before each line: "connect_1  | ".
var composed = regexp.MustCompile(`^[A-Za-z0-9_.-]+ +\| ?`)

// readLog takes a worker's log apart. An entry begins with a line that names a level near its beginning; lines without
// one (traces, messages of several lines) belong to the entry before.
func readLog(log string) []entry {
	var all []entry
	for line := range strings.Lines(log) {
		line = composed.ReplaceAllString(strings.TrimRight(line, "\r\n"), "")
		if strings.TrimSpace(line) == "" {
			continue
		}
		if e, ok := structured(line); ok {
			all = append(all, e)
			continue
		}
		level := levelOf(line)
		if level != "" && !ofTrace(line) || len(all) == 0 {
			all = append(all, entry{level, line})
			continue
		}
		last := &all[len(all)-1]
		last.text += "\n" + line
	}
	return all
}

// ofTrace says whether a line belongs to a trace, whose messages may hold a level too: "PSQLException: ERROR: …".
func ofTrace(line string) bool {
	trimmed := strings.TrimLeft(line, " \t")
	kind, header := introduced(trimmed)
	class, _, _ := strings.Cut(header, ": ")
	return kind != first || isFrame(trimmed) || isMore(trimmed) || isClass(class)
}

// structured reads a line of a JSON log, as log4j's JSON layouts and log shippers write it.
func structured(line string) (entry, bool) {
	if line[0] != '{' {
		return entry{}, false
	}
	var fields map[string]any
	if json.Unmarshal([]byte(line), &fields) != nil {
		return entry{}, false
	}
	pick := func(names ...string) string {
		for _, n := range names {
			if text, ok := fields[n].(string); ok {
				return text
			}
		}
		return ""
	}
	e := entry{level: strings.ToUpper(pick("level", "severity", "log.level")), text: pick("message", "msg", "log")}
	if trace := pick("stack_trace", "stackTrace", "exception", "thrown", "error.stack_trace"); trace != "" {
		e.text += "\n" + trace
	}
	return e, e.text != ""
}

// nearBeginning is how far into a line a level is looked for: behind the time, the thread and the logger's name.
const nearBeginning = 96

// levelOf finds the level that stands by itself near the beginning of a line.
func levelOf(line string) string {
	words := strings.FieldsFunc(head(line, nearBeginning), func(r rune) bool { return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '_' })
	for _, w := range words {
		if slices.Contains(levels, w) {
			return w
		}
	}
	return ""
}

func (e entry) bad() bool { return e.level == "ERROR" || e.level == "SEVERE" || e.level == "FATAL" }

// body is the entry without what stands before its message, and what was logged with an exception: it tells what the
// program was doing, and to whom.
func (e entry) body() (text, words string) {
	text = e.text
	if i := strings.Index(head(text, nearBeginning), e.level); e.level != "" && i >= 0 {
		text = strings.TrimLeft(text[i+len(e.level):], " \t:]-|")
	}
	said, rest, more := strings.Cut(text, "\n")
	class, _, _ := strings.Cut(rest, ": ")
	if first, _, _ := strings.Cut(class, "\n"); more && isClass(first) && !isClass(strings.SplitN(said, ": ", 2)[0]) {
		return rest, said
	}
	return text, ""
}

// tail returns at most max bytes of the end of s, from the beginning of a line.
func tail(s string, max int) string {
	if len(s) <= max {
		return s
	}
	_, rest, _ := strings.Cut(s[len(s)-max:], "\n")
	return strings.ToValidUTF8(rest, "")
}

// Shares of what a log says: it holds the failures of other connectors too, and those that were retried.
const (
	logAlone   = 0.85 // nothing else says why
	logWarning = 0.6  // only a warning does
	logBeside  = 0.35 // the trace gives a reason of its own
	beneath    = 0.8  // of an exception, when the words that it was logged with tell more: to whom the connection was refused
)

// log lets the worker's log argue about a part that failed; told says that its trace gave a reason already.
func (x *examination) log(s Subject, told bool) bool {
	if s.Log == "" {
		return false
	}
	errs, warnings := x.complaints(s)
	share := logAlone
	if told {
		share = logBeside
	}
	if x.entries(s, errs, share) {
		return true
	}
	return !told && x.entries(s, warnings, logWarning)
}

// complaints are the entries that may say why, those that name the connector if there are any.
func (x *examination) complaints(s Subject) (errs, warnings []entry) {
	all := readLog(s.Log)
	named := slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return !e.bad() || !strings.Contains(head(e.text, 400), s.Connector) })
	for _, e := range all {
		switch {
		case e.bad() || e.level == "" && len(ParseTrace(e.text).Links) > 0:
			errs = append(errs, e)
		case e.level == "WARN" || e.level == "WARNING" || e.level == "":
			warnings = append(warnings, e)
		}
	}
	if len(named) > 0 && s.Connector != "" {
		errs = named
	}
	return errs, warnings
}

// mostEntries bounds how many entries of a log are weighed: the last ones.
const mostEntries = 40

// entries files what the entries claim, and says whether they claimed anything. Later ones count more: what was tried
// again and went well is followed by silence, what ended the task stands last.
func (x *examination) entries(s Subject, list []entry, share float64) bool {
	if len(list) > mostEntries {
		list = list[len(list)-mostEntries:]
	}
	told := false
	for i := len(list) - 1; i >= 0; i-- {
		body, words := list[i].body()
		of := share
		if words != "" && x.file(s, "worker log", words, x.read(words, s).claims, share) {
			of *= beneath
		}
		if x.file(s, "worker log", body, x.read(body, s).claims, of) || of < share {
			told = true
			share *= 0.8
		}
	}
	return told
}

// fatal are words of a log after which the worker is not what it was, whatever its connectors' states say.
var fatal = []struct{ words, said string }{
	{"uncaught exception in herder work thread, exiting", "the worker's herder has ended"},
	{"java.lang.outofmemoryerror", "the worker is out of memory"},
	{"terminating due to java.lang.outofmemoryerror", "the worker is out of memory"},
}

// begun are words by which a worker says that it has started anew.
var begun = []string{"kafka connect started", "kafka connect worker initialization took"}

// worker looks for what ended the worker in the log of a connector whose state shows nothing.
func (x *examination) worker(s Subject) {
	if s.Log == "" {
		return
	}
	said := ""
	for _, e := range readLog(s.Log) {
		text := fold(e.text)
		if slices.ContainsFunc(begun, func(w string) bool { return strings.Contains(text, w) }) {
			said = ""
		}
		for _, f := range fatal {
			if e.bad() && strings.Contains(text, f.words) {
				said = f.said
			}
		}
	}
	if said == "" {
		return
	}
	c := x.candidate(WorkerFailure, "")
	c.meet(s, spot{connector: s.Connector})
	c.said = said
	c.believe(0.7)
	c.add(x.remark(said, "worker log"))
}
