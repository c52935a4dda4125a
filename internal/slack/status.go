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
	mostSick = 10 // unhealthy connectors shown in full, over all clusters
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

// statusParts draws the table for a phone: what needs somebody first, the healthy ones by name only. Where Slack shows no
// tables, one connector stands below the other.
func statusParts(s commands.Status, headline string, link func(id string) string) []part {
	parts := []part{must(header(headline))}
	if table := statusTable(s, link); table != nil {
		parts = append(parts, tabled(s, table, link)...)
	} else {
		parts = append(parts, listed(s, link)...)
	}
	if len(s.Clusters) == 0 {
		parts = append(parts, must(paragraph(words("No pipeline is configured."))))
	}
	parts = append(parts, must(note("As of "+token(s.At))))
	return append(parts, must(row(statusButtons(s), nil)))
}

// listed is every cluster with its connectors below.
func listed(s commands.Status, link func(id string) string) []part {
	var parts []part
	for _, c := range s.Clusters {
		parts = append(parts, must(clusterHead(c)))
		for _, r := range sickPage(c, s) {
			parts = append(parts, spare(connectorRow(r, link)))
		}
		parts = append(parts, clusterRest(c, s)...)
	}
	return parts
}

// tabled is a line for each cluster, and one table of what needs somebody: Slack shows one table in a message.
func tabled(s commands.Status, table slackapi.Block, link func(id string) string) []part {
	var above, below []part
	for _, c := range s.Clusters {
		above = append(above, newer(clusterHead(c)))
		for _, p := range clusterRest(c, s) {
			below = append(below, newer(p.blocks[0]))
		}
	}
	parts := append(above, newer(table, listed(s, link)...))
	return append(parts, below...)
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
	page := max(s.Page, 1)
	list := []press{turn("Look again", page)}
	if page > 1 {
		list = append(list, turn("Page before", page-1))
	}
	if more := pages(s); page < more {
		list = append(list, turn(fmt.Sprintf("Page %d of %d", page+1, more), page+1))
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

// clusterHead names a cluster and what is known of it, or why nothing is.
func clusterHead(c commands.ClusterStatus) slackapi.Block {
	head := []piece{bold(line(c.Pipeline)), words(clusterFacts(c))}
	switch {
	case c.Err != "":
		return lines(head, []piece{words("⚠️ NO ANSWER " + cut(line(c.Err), 400))})
	case len(c.Rows) == 0:
		return lines(head, []piece{words("⚪ No connectors.")})
	}
	return paragraph(head...)
}

// sickPage are the connectors of a cluster that this page shows in full.
func sickPage(c commands.ClusterStatus, s commands.Status) []commands.ConnectorRow {
	sick, _ := split(c, s.Filter != "")
	return window(sick, max(s.Page, 1), sickOf(s))
}

// clusterRest is what follows: how many more there are, and the healthy ones.
func clusterRest(c commands.ClusterStatus, s commands.Status) []part {
	var parts []part
	sick, well := split(c, s.Filter != "")
	page := max(s.Page, 1)
	if more := len(sick) - (page-1)*sickOf(s) - len(sickPage(c, s)); more > 0 {
		parts = append(parts, must(paragraph(italic(fmt.Sprintf("%d more need attention on the next pages.", more)))))
	}
	if names := window(well, page, mostWell); len(names) > 0 {
		parts = append(parts, spare(healthyRow(names, len(well))))
	}
	return parts
}

// statusTable is a row for each connector that needs somebody; nil when none does. Three columns are what a phone shows
// without scrolling.
func statusTable(s commands.Status, link func(id string) string) slackapi.Block {
	table := slackapi.NewTableBlock("").WithColumnSettings(slackapi.ColumnSetting{Align: slackapi.ColumnAlignmentLeft, IsWrapped: true})
	table.AddRow(cell(bold("Connector")), cell(bold("Tasks")), cell(bold("Since"))) // raw_text cells made Slack stumble (soxtoby/SlackNet#246)
	for _, c := range s.Clusters {
		of := ""
		if len(s.Clusters) > 1 {
			of = c.Pipeline
		}
		for _, r := range sickPage(c, s) {
			table.AddRow(connectorCells(r, of, link)...)
		}
	}
	if len(table.Rows) == 1 {
		return nil
	}
	return table
}

// connectorCells is which connector in which state, what runs and waits, and since when who is on it; of names the
// pipeline where several are shown.
func connectorCells(r commands.ConnectorRow, of string, link func(id string) string) []slackapi.TableCell {
	state := worst(r.Status)
	name := []piece{bold(sign(state) + " " + string(state)), words("\n" + cut(line(r.Status.Name), 200))}
	if of != "" {
		name = append(name, italic("\n"+cut(line(of), 60)))
	}
	return []slackapi.TableCell{cell(name...), cell(words(strings.ReplaceAll(strings.TrimPrefix(tasksOf(r.Status), "tasks ")+waits(r.Lag), " · ", "\n"))), cell(attention(r, link)...)}
}

// attention is since when, and who is on it where, one below the other.
func attention(r commands.ConnectorRow, link func(id string) string) []piece {
	var facts []piece
	add := func(p piece) {
		if len(facts) > 0 {
			facts = append(facts, words("\n"))
		}
		facts = append(facts, p)
	}
	if !r.Since.IsZero() {
		add(at(r.Since))
	}
	if r.Incident != "" {
		add(linked(r.Incident, link(r.Incident)))
	}
	if r.Owner != "" {
		add(user(r.Owner))
	}
	return facts
}

// cell is a field of a table; an empty one is a dash.
func cell(pieces ...piece) slackapi.TableCell {
	return slackapi.NewTableRichTextCell(section(pieces))
}

func clusterFacts(c commands.ClusterStatus) string {
	var facts []string
	if c.Err == "" {
		facts = append(facts, count(len(c.Rows), "connector", "connectors"))
	}
	if c.Cluster != "" && c.Cluster != c.Pipeline {
		facts = append(facts, line(c.Cluster))
	}
	if c.Version != "" {
		facts = append(facts, "Kafka Connect "+line(c.Version))
	}
	if len(facts) == 0 {
		return ""
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
	if failed := s.Failed(); len(failed) == 1 {
		out += fmt.Sprintf(" · task %d failed", failed[0])
	} else if len(failed) > 1 {
		out += " · tasks " + numbers(failed, 8) + " failed"
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
	return " · lag " + lagOf(lag)
}

// lagOf is how many records wait, "" when nobody knows.
func lagOf(lag *int64) string {
	if lag == nil {
		return ""
	}
	return fmt.Sprint(*lag)
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
