package diagnosis

import (
	"slices"
	"strings"
	"unicode"
)

// topics are the words by which runbooks name a class of causes in a heading: each group found counts its weight.
// Groups are tried in order, and the words of one group must all occur.
var topics = []struct {
	slug   Slug
	words  string
	weight int
}{
	{DatabaseConnection, "database connection", 5}, {DatabaseConnection, "database unavailable", 5}, {DatabaseConnection, "database down", 5},
	{DatabaseConnection, "database", 2}, {DatabaseConnection, "connectivity", 2}, {DatabaseConnection, "connection", 1}, {DatabaseConnection, "network", 1},
	{Authentication, "authentication", 5}, {Authentication, "authorization", 4}, {Authentication, "credential", 4}, {Authentication, "credentials", 4},
	{Authentication, "password", 3}, {Authentication, "permission", 3}, {Authentication, "login", 3}, {Authentication, "auth", 3},
	{SchemaRegistry, "schema registry", 6}, {SchemaRegistry, "registry", 4},
	{TableSchemaMismatch, "schema mismatch", 6}, {TableSchemaMismatch, "table schema", 5}, {TableSchemaMismatch, "schema drift", 5},
	{TableSchemaMismatch, "column", 3}, {TableSchemaMismatch, "ddl", 3}, {TableSchemaMismatch, "table", 2},
	{ToleranceExceeded, "tolerance", 5}, {ToleranceExceeded, "dlq", 4}, {ToleranceExceeded, "dead letter", 4}, {ToleranceExceeded, "bad record", 4},
	{ToleranceExceeded, "poison", 4}, {ToleranceExceeded, "deserialization", 4}, {ToleranceExceeded, "conversion", 3},
	{WorkerFailure, "worker", 5}, {WorkerFailure, "kafka connect", 1}, {WorkerFailure, "out of memory", 4}, {WorkerFailure, "rebalance", 3}, {WorkerFailure, "plugin", 3},
	{KafkaBroker, "broker", 5}, {KafkaBroker, "brokers", 5}, {KafkaBroker, "kafka unavailable", 4},
	{SourcePositionLost, "replication slot", 5}, {SourcePositionLost, "binlog", 5}, {SourcePositionLost, "position", 3}, {SourcePositionLost, "offset", 3}, {SourcePositionLost, "offsets", 3}, {SourcePositionLost, "oplog", 4},
	{ConfigError, "configuration", 4}, {ConfigError, "misconfiguration", 5}, {ConfigError, "config", 3},
}

// sectionFor finds the section of the runbook that answers a class of causes: the one whose title speaks most of it and
// of nothing else more. A section whose symptoms were seen wins a tie. "" means that the runbook has none.
func sectionFor(slug Slug, sections []Section, seen []Pattern) string {
	best, most := "", 0
	for _, s := range sections {
		if slugOf(s.Title) != slug {
			continue
		}
		score := 2 * speaks(s.Title, slug)
		if slices.ContainsFunc(seen, func(p Pattern) bool { return p.Section == s.ID }) {
			score++
		}
		if score > most {
			best, most = s.ID, score
		}
	}
	return best
}

// slugOf is the class of causes that a heading speaks of most; "" when it speaks of none.
func slugOf(title string) Slug {
	var best Slug
	most := 0
	for _, m := range manners {
		if n := speaks(title, m.slug); n > most {
			best, most = m.slug, n
		}
	}
	return best
}

func speaks(title string, slug Slug) int {
	words := " " + strings.Join(strings.FieldsFunc(strings.ToLower(title), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), " ") + " "
	sum := 0
	for _, t := range topics {
		if t.slug == slug && strings.Contains(words, " "+t.words+" ") {
			sum += t.weight
		}
	}
	return sum
}

// seenIn says whether the text that a runbook gives as a symptom occurs in a header. Case is folded; <placeholders> and
// quoted examples match anything. A symptom written "pkg.Class: message" is also seen when only the message is there:
// drivers differ in the class.
func (p Pattern) seenIn(header string) bool {
	glob := symptom(p.Text)
	if len(strings.ReplaceAll(glob, "*", "")) < 4 || slices.Contains(states, glob) {
		return false
	}
	if matchFolded(glob, header) {
		return true
	}
	class, message, ok := strings.Cut(glob, ": ")
	return ok && strings.Contains(class, ".") && !strings.Contains(class, " ") && len(message) >= 8 && matchFolded(message, header)
}

// states are words of the Connect API, which a runbook may list as a symptom and which prove nothing about the cause.
var states = []string{"failed", "running", "stopped", "paused", "unassigned", "restarting"}

// symptom turns the text of a runbook's symptom to a folded pattern.
func symptom(text string) string {
	text = strings.ToLower(plain(strings.Trim(text, " `")))
	for _, lead := range []string{"error:", "connector state:", "state:", "message:"} {
		text = strings.TrimSpace(strings.TrimPrefix(text, lead))
	}
	text = strings.Trim(text, " `")
	var b strings.Builder
	for text != "" {
		i := strings.IndexAny(text, "<'\"")
		if i < 0 {
			break
		}
		closer := map[byte]byte{'<': '>', '\'': '\'', '"': '"'}[text[i]]
		n := strings.IndexByte(text[i+1:], closer)
		if n < 0 {
			break
		}
		b.WriteString(text[:i] + "*")
		text = text[i+n+2:]
	}
	return b.String() + text
}
