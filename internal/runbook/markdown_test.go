package runbook

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// shape is a book in a few lines: sections with their kinds, probes and solutions.
func shape(b *Book) string {
	var out []string
	for _, s := range b.Sections {
		line := fmt.Sprintf("%s %q", s.Kind, s.Title)
		if len(s.Symptoms) > 0 {
			line += fmt.Sprintf(" symptoms=%d", len(s.Symptoms))
		}
		if len(s.Probes) > 0 {
			line += " probes=" + strings.Join(kinds(s.Probes), ",")
		}
		if text := sketch(s); text != "" {
			line += " " + text
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// fenced writes ' for the backticks of fences and spans, so that tables stay readable.
func fenced(text string) string { return strings.ReplaceAll(text, "'", "`") }

func TestStructure(t *testing.T) {
	status, pause := "'''bash\n"+statusS+"\n'''\n", "'''bash\n"+pauseS+"\n'''\n"
	for _, row := range []struct{ name, src, want string }{
		{"cause", "## Root Causes\n### Cause 1: X\n**Symptom**:\n- 'boom!'\n\n**Diagnosis**:\n" + status + "**Solution**:\n" + pause, `cause "Cause 1: X" symptoms=1 probes=status pause`},
		{"without a diagnosis", "## Causes\n### Cause 1: X\n" + pause, `cause "Cause 1: X" pause`},
		{"symptom on the line of its label", "## Causes\n### X\n**Symptom**: Error 'boom!'\n\n" + pause, `cause "X" symptoms=1 pause`},
		{"symptom in quotes", "## Causes\n### X\n**Symptoms**:\n- It says \"boom boom\"\n", `cause "X" symptoms=1`},
		{"states are no symptoms", "## Causes\n### X\n**Symptoms**:\n- 'FAILED'\n- 'no'\n", `cause "X"`},
		{"parts as headings", "## Causes\n### X\n#### Symptoms\n- 'boom!'\n#### Diagnosis\n" + status + "#### Solution\n" + pause, `cause "X" symptoms=1 probes=status pause`},
		{"causes as chapters", "## Cause 1: X\n### Symptoms\n- 'boom!'\n### Diagnosis\n" + status + "### Resolution\n" + pause, `cause "Cause 1: X" symptoms=1 probes=status pause`},
		{"one chapter with the solution", "## Resolution\n" + pause, `cause "Resolution" pause`},
		{"a step that checks is not a diagnosis", "## Causes\n### X\n**Solution**:\n1. **Check the broker**:\n   '''bash\n   " + pauseS + "\n   '''\n", `cause "X" pause`},
		{"options as headings", "## Causes\n### X\n#### Option 1: A\n" + pause + "#### Option 2: B\n" + status, `cause "X" A: pause | B: status`},
		{"options as labels", "## Causes\n### X\n**Option 1: A**\n\n" + pause + "\n**Option 2: B**\n\n" + status, `cause "X" A: pause | B: status`},
		{"an option that is a heading owns what is below it", "## Causes\n### X\n#### Option 1: A\n" + pause + "#### Option 2: B\n'''bash\n# One\n" + statusS + "\n# Two\n" + pauseS + "\n'''\nText.\n" + pause, `cause "X" A: pause | B: status pause pause`},
		{"until the next heading", "## Causes\n### X\n" + status + "#### Option 1: A\n" + pause + "#### Option 2: B\n" + pause + pause + "#### Either way\n" + status, `cause "X" A: status pause status | B: status pause pause status`},
		{"diagnosis with steps", "## Diagnosis\n### Step 1: Look\n" + status + "### Step 2: Look again\n" + status, `diagnosis "Diagnosis" probes=status,status`},
		{"a change in a diagnosis", "## Diagnosis\n" + pause, `diagnosis "Diagnosis" probes=manual`},
		{"emergency", "## Emergency Procedures\n### Pause\n" + pause, `emergency "Pause" pause`},
		{"emergency without parts", "## Emergency\n" + pause, `emergency "Emergency" pause`},
		{"other chapters keep their commands", "## Background\nText.\n## Validation\n" + status + "## Storage\n### Disk\n'''\nkubectl get pvc\n'''\n", "other \"Validation\" status\nother \"Disk\" manual"},
		{"commands before any heading", status, `other "Commands" status`},
		{"commands under the title", "# My book\n" + status, `other "My book" status`},
		{"indented code in a list", "## Escalation\n1. Check:\n\n       helm status x\n", `escalation "Escalation" manual`},
		{"fence in a list in a list", "## Escalation\n- a\n  - b:\n    '''bash\n    " + statusS + "\n    '''\n", `escalation "Escalation" status`},
		{"quoted", "## Escalation\n> '''bash\n> " + statusS + "\n> '''\n", `escalation "Escalation" status`},
		{"tabs", "## Escalation\n1.\tCheck:\n\n\t'''bash\n\t" + statusS + "\n\t'''\n", `escalation "Escalation" status`},
		{"sql", "## Causes\n### X\n**Solution**:\n'''sql\nALTER TABLE x ADD y int;\n'''\n", `cause "X" manual`},
		{"json is no command", "## Causes\n### X\n'''json\n{\"a\": \"curl x\"}\n'''\n" + pause, `cause "X" pause`},
		{"output is no command", "## Causes\n### X\n'''\nState: FAILED\n'''\n" + pause, `cause "X" pause`},
		{"two of a name", "## Causes\n### X\n" + pause + "### X\n" + pause, "cause \"X\" pause\ncause \"X\" pause"},
		{"byte order mark", "\uFEFF## Emergency\n" + pause, `emergency "Emergency" pause`},
		{"windows", "## Emergency\r\n\r\n'''bash\r\n# Pause\r\n" + pauseS + " \\\r\n  -s\r\n'''\r\n", `emergency "Emergency" pause`},
		{"setext headings", "Emergency\n---------\n" + pause, `emergency "Emergency" pause`},
		{"unclosed fence", "## Emergency\n'''bash\n" + pauseS, `emergency "Emergency" pause`},
		{"empty", "", ""},
	} {
		b, err := Compile("x", []byte(fenced(row.src)))
		if err != nil {
			t.Fatal(err)
		}
		if got := shape(b); got != row.want {
			t.Errorf("%s:\n%s\ngot  %s\nwant %s", row.name, row.src, got, row.want)
		}
	}
}

func TestSectionIDsDiffer(t *testing.T) {
	b, err := Compile("x", []byte(fenced("## Causes\n### X!\n**Solution**:\n### X?\n**Solution**:\n### ÄÖ ü\n### ---\n### ***\n")))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, s := range b.Sections {
		ids = append(ids, s.ID)
	}
	if got, want := strings.Join(ids, " "), "x x-2 äö-ü section section-2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMeta(t *testing.T) {
	for _, row := range []struct {
		name, src, alerts string
		threshold         time.Duration
		states            string
	}{
		{"one", "**Alert**: 'A'\n**Threshold**: Connector state = FAILED or STOPPED for 2 minutes", "A", 2 * time.Minute, "FAILED STOPPED"},
		{"several", "**Alerts**: 'A', 'B'", "A B", 0, ""},
		{"without backticks", "**Alert:** A, B", "A B", 0, ""},
		{"list", "**Alerts**:\n- 'A'\n- 'B' (critical)\n\n**Severity**: Warning", "A B", 0, ""},
		{"list items", "- **Alert**: 'A'\n- **Threshold**: lag > 10,000 events for 5 min", "A", 5 * time.Minute, ""},
		{"table", "| Key | Value |\n|---|---|\n| **Alert** | 'A' |\n| Threshold | FAILED for 1h |", "A", time.Hour, "FAILED"},
		{"under a heading", "## Overview\n\n**Alert**: 'A'", "A", 0, ""},
		{"none", "**Owner**: me", "", 0, ""},
		{"not a number", "**Threshold**: for 99999999999999999999 minutes", "", 0, ""},
	} {
		b, err := Compile("x", []byte(fenced("# T\n\n"+row.src+"\n")))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(b.Alerts, " "); got != row.alerts || b.Threshold != row.threshold || strings.Join(b.States, " ") != row.states {
			t.Errorf("%s: got %q, %s, %v; want %q, %s, %s", row.name, got, b.Threshold, b.States, row.alerts, row.threshold, row.states)
		}
	}
	b, _ := Compile("x", []byte("**Alert**: `A`"))
	if !b.Answers("A") || b.Answers("B") || b.Answers("") {
		t.Error("answers the wrong alerts")
	}
}

func TestEscalationAfter(t *testing.T) {
	b, _ := Compile("x", []byte("## Escalation\nIf connector does not recover after 15 minutes:\n\n1. **Page** somebody for 3 hours\n"))
	if got := b.Sections[0].After; got != 15*time.Minute {
		t.Errorf("got %s, want 15m", got)
	}
}

// Findings name the place in the file, also for code in lists.
func TestPlaces(t *testing.T) {
	src := fenced("## Escalation\n\n1. Check:\n   '''bash\n   # Look\n   helm status x ; helm list\n   '''\n")
	b, err := Compile("x", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range b.Findings {
		if f.Code == unknownCode {
			got = append(got, fmt.Sprintf("%d:%d", f.Line, f.Column))
		}
	}
	if want := "6:4 6:20"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// What would take a parser down, or for ever, takes a moment.
func TestHugeAndDeep(t *testing.T) {
	const size = 1 << 18
	block := func(text string) string { return fenced("## Emergency\n'''bash\n" + text + "\n'''\n") }
	for _, text := range []string{
		strings.Repeat(">", size), strings.Repeat("> ", size/2), strings.Repeat("- ", size/2), strings.Repeat("[", size), strings.Repeat("[a](", size/4),
		strings.Repeat("*a_ ", size/4), strings.Repeat("`a``", size/4), strings.Repeat("<!--", size/4), strings.Repeat("[a]: b\n", size/7), strings.Repeat("### Cause 1\n", size/12),
		block(strings.Repeat("$(", size/2)), block(strings.Repeat("(", size)), block(strings.Repeat("(", maxNesting)), block(strings.Repeat("{ ", maxNesting)), block(strings.Repeat("${a:-", maxNesting)),
		block(strings.Repeat("\"$(", maxNesting)), block("echo $((" + strings.Repeat("(", maxNesting-4)), block("echo $((" + strings.Repeat("-", maxBlock-10)), block("[[ " + strings.Repeat("! ", maxBlock/2-10)), block(strings.Repeat("! ", maxBlock/2-10)),
		block(strings.Repeat("a && ", maxBlock/5-10)), block(strings.Repeat("a | ", maxBlock/4-10) + "a"), block(strings.Repeat("if ", maxNesting)), block("echo " + strings.Repeat("<a>", maxBlock/3-10)), block("echo " + strings.Repeat("<a", maxBlock/2-10)),
		block(strings.Repeat("cat <<A\n", maxBlock/8-10)), block(strings.Repeat("# Option 1: a\nx\n", 4000)), block(strings.Repeat("# Or a\nx\n", 5000)), strings.Repeat(block("# Option 1: a\nx\n"), 5000), block(strings.Repeat(statusS+"\n", size/40)),
	} {
		began := time.Now()
		b, err := Compile("x", []byte(text))
		if err != nil {
			t.Errorf("%.40q: %v", text, err)
			continue
		}
		b.Report("x")
		b.Resolve(targets)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%.60q took %s", text, took)
		}
	}
}
