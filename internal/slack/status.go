package slack

import (
	"fmt"
	"slices"
	"strings"

	slackapi "github.com/slack-go/slack"

	"cdcbot/internal/commands"
	"cdcbot/internal/connect"
)

const (
	mostSick = 14 // unhealthy connectors shown in full, over all clusters
	mostWell = 40 // names of healthy connectors
)

// states is how a connector's or task's state is shown: a sign and the word, since colour alone tells nothing to some.
var states = map[connect.State]string{
	"RUNNING": "🟢", "FAILED": "🔴", "PAUSED": "⏸️", "STOPPED": "⏹️", "UNASSIGNED": "🟠", "RESTARTING": "🔄",
}

func sign(s connect.State) string {
	if e, known := states[s]; known {
		return e
	}
	return "⚪"
}

// statusParts draws the table for a phone: what needs somebody first, one connector below the other, the healthy ones
// by name only.
func statusParts(s commands.Status, headline string, link func(id string) string) []part {
	parts := []part{must(header(headline))}
	for _, c := range s.Clusters {
		parts = append(parts, clusterParts(c, s, link)...)
	}
	if len(s.Clusters) == 0 {
		parts = append(parts, must(paragraph(words("No pipeline is configured."))))
	}
	parts = append(parts, must(note("As of "+token(s.At))))
	return append(parts, must(row(statusButtons(s), nil)))
}

// statusButtons look again, and turn the pages of a table that is longer than a message.
func statusButtons(s commands.Status) []press {
	turn := func(label string, page int) press {
		c := commands.Command{Verb: commands.VerbStatus, Inputs: map[string]string{}}
		if page > 1 {
			c.Option = page
		}
		for key, value := range map[string]string{"filter": s.Filter, "pipeline": s.Pipeline} {
			if value != "" {
				c.Inputs[key] = cut(value, 200)
			}
		}
		return press{label: label, command: c}
	}
	list := []press{turn("Look again", s.Page)}
	if s.Page > 1 {
		list = append(list, turn("Page before", s.Page-1))
	}
	if more := pages(s); s.Page < more {
		list = append(list, turn(fmt.Sprintf("Page %d of %d", s.Page+1, more), s.Page+1))
	}
	return list
}

// pages is how many messages the whole table fills.
func pages(s commands.Status) int {
	most := 1
	for _, c := range s.Clusters {
		sick, well := split(c, s.Filter != "")
		n := max(ceil(len(sick), sickOf(s)), ceil(len(well), mostWell))
		most = max(most, n)
	}
	return most
}

func ceil(n, by int) int { return (n + by - 1) / by }

// sickOf is how many unhealthy connectors of each cluster one page shows in full.
func sickOf(s commands.Status) int { return max(3, mostSick/max(1, len(s.Clusters))) }

// split parts the rows that are shown in full from those that are only named.
func split(c commands.ClusterStatus, detailed bool) (sick, well []commands.ConnectorRow) {
	for _, r := range c.Rows {
		if r.Status.Unhealthy() || detailed {
			sick = append(sick, r)
		} else {
			well = append(well, r)
		}
	}
	return sick, well
}

// window is a page of rows.
func window(rows []commands.ConnectorRow, page, size int) []commands.ConnectorRow {
	from := min((page-1)*size, len(rows))
	return rows[from:min(from+size, len(rows))]
}

func clusterParts(c commands.ClusterStatus, s commands.Status, link func(id string) string) []part {
	parts := []part{must(paragraph(bold(line(c.Pipeline)), words(clusterFacts(c))))}
	if c.Err != "" {
		return append(parts, must(paragraph(words("⚠️ NO ANSWER "+cut(line(c.Err), 400)))))
	}
	sick, well := split(c, s.Filter != "")
	page := max(s.Page, 1)
	shown := window(sick, page, sickOf(s))
	for _, r := range shown {
		parts = append(parts, spare(connectorRow(r, link)))
	}
	if more := len(sick) - (page-1)*sickOf(s) - len(shown); more > 0 {
		parts = append(parts, must(paragraph(italic(fmt.Sprintf("%d more need attention on the next pages.", more)))))
	}
	if names := window(well, page, mostWell); len(names) > 0 {
		parts = append(parts, spare(healthyRow(names, len(well))))
	}
	if len(c.Rows) == 0 {
		parts = append(parts, must(paragraph(words("⚪ No connectors."))))
	}
	return parts
}

func clusterFacts(c commands.ClusterStatus) string {
	facts := []string{count(len(c.Rows), "connector", "connectors")}
	if c.Cluster != "" && c.Cluster != c.Pipeline {
		facts = append(facts, line(c.Cluster))
	}
	if c.Version != "" {
		facts = append(facts, "Kafka Connect "+line(c.Version))
	}
	return " · " + strings.Join(facts, " · ")
}

// connectorRow is one connector: sign, word, name; below it tasks, since when, and the incident.
func connectorRow(r commands.ConnectorRow, link func(id string) string) slackapi.Block {
	state := worst(r.Status)
	first := []piece{words(sign(state) + " "), bold(string(state)), words("  "), code(cut(line(r.Status.Name), 200))}
	facts := []piece{words(tasksOf(r.Status) + waits(r.Lag))}
	if !r.Since.IsZero() {
		facts = append(facts, words(" · since "), at(r.Since))
	}
	if r.Incident != "" {
		facts = append(facts, words(" · "), linked(r.Incident, link(r.Incident)))
	}
	if r.Owner != "" {
		facts = append(facts, words(" · "), user(r.Owner))
	}
	return lines(first, facts)
}

// worst is the state to show: that of the connector unless it claims to run while tasks do not.
func worst(s connect.Status) connect.State {
	if s.State != "RUNNING" {
		return s.State
	}
	if len(s.Failed()) > 0 {
		return "FAILED"
	}
	for _, t := range s.Tasks {
		if t.State != "RUNNING" {
			return t.State
		}
	}
	if len(s.Tasks) == 0 {
		return "NO TASKS"
	}
	return s.State
}

func tasksOf(s connect.Status) string {
	running := 0
	for _, t := range s.Tasks {
		if t.State == "RUNNING" {
			running++
		}
	}
	out := fmt.Sprintf("tasks %d/%d", running, len(s.Tasks))
	if failed := s.Failed(); len(failed) > 0 {
		out += " · failed: " + numbers(failed, 8)
	}
	return out
}

func waits(lag *int64) string {
	switch {
	case lag == nil:
		return ""
	case *lag == 0:
		return " · no lag"
	}
	return fmt.Sprintf(" · lag %d", *lag)
}

// numbers lists task numbers, the first most of them.
func numbers(list []int, most int) string {
	slices.Sort(list)
	var b strings.Builder
	for i, n := range list[:min(len(list), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, n)
	}
	if more := len(list) - most; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// healthyRow names healthy connectors, a page of them, of so many in all.
func healthyRow(rows []commands.ConnectorRow, all int) slackapi.Block {
	pieces := []piece{words("🟢 "), bold("RUNNING"), words("  " + count(all, "connector", "connectors") + ": ")}
	for i, r := range rows {
		if i > 0 {
			pieces = append(pieces, words(", "))
		}
		pieces = append(pieces, words(cut(line(r.Status.Name), 100)))
	}
	return paragraph(merged(pieces)...)
}

// merged joins neighbours without style; a long list of names costs a tenth of the room then.
func merged(pieces []piece) []piece {
	var out []piece
	for _, p := range pieces {
		t, ok := p.(*slackapi.RichTextSectionTextElement)
		if n := len(out); ok && t.Style == nil && n > 0 {
			if before, ok := out[n-1].(*slackapi.RichTextSectionTextElement); ok && before.Style == nil {
				out[n-1] = slackapi.NewRichTextSectionTextElement(before.Text+t.Text, nil)
				continue
			}
		}
		out = append(out, p)
	}
	return out
}
