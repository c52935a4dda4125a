package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cdcbot/internal/connect"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/redact"
)

// diagnosing is what `bot diagnose` is called with.
type diagnosing struct {
	json bool
	mask *redact.Redactor
	bad  bool // some line could not be read
}

func diagnoseCommand() *cobra.Command {
	d := diagnosing{mask: redact.New()}
	c := &cobra.Command{
		Use: "diagnose [FILE…|-]", Args: cobra.ArbitraryArgs, Short: "Say why connectors failed, from a saved status; nothing is asked and nothing is configured",
		Long: "Read the status of connectors from files or from standard input and rank what may have caused their failure, each cause\nwith what speaks for and against it. It understands what Connect answers to GET /connectors/NAME/status and to\nGET /connectors?expand=status&expand=info, and JSON lines:\n\n" +
			`  {"id":…, "connector_class":…, "connector_type":"source|sink", "state":…, "task_states":[…], "trace":…, "worker_log":…, "config":{…}}` +
			"\n\nA line that cannot be read is named on standard error, the rest goes on, and the exit code is 1.",
		Example: "  curl -s localhost:8083/connectors/warehouse/status | bot diagnose\n  curl -s 'localhost:8083/connectors?expand=status&expand=info' | bot diagnose --json\n  bot diagnose cases.jsonl",
		RunE: func(c *cobra.Command, files []string) error {
			return d.run(c.Context(), c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr(), files)
		},
	}
	c.Flags().BoolVar(&d.json, "json", false, "one line of JSON for each connector")
	return c
}

func (d *diagnosing) run(ctx context.Context, in io.Reader, out, errs io.Writer, files []string) error {
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, name := range files {
		if err := d.file(ctx, name, in, out, errs); err != nil {
			return err
		}
	}
	if d.bad {
		return errFindings
	}
	return nil
}

func (d *diagnosing) file(ctx context.Context, name string, in io.Reader, out, errs io.Writer) error {
	label := "standard input"
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // it was only read
		in, label = f, name
	}
	var failed error
	err := diagnosis.ReadCases(in, func(line int, c diagnosis.Case) {
		if failed == nil && ctx.Err() == nil {
			failed = d.print(out, c)
		}
	}, func(line int, err error) {
		d.bad = true
		fmt.Fprintf(errs, "bot: %s:%d: %s\n", label, line, d.mask.Text(err.Error()))
	})
	if err != nil {
		return fmt.Errorf("%s: %w", label, err)
	}
	if failed != nil {
		return failed
	}
	return ctx.Err()
}

func (d *diagnosing) print(out io.Writer, c diagnosis.Case) error {
	found := diagnosis.Diagnose(c.Evidence(d.mask))
	if d.json {
		return json.NewEncoder(out).Encode(verdictOf(c.ID, found))
	}
	_, err := io.WriteString(out, story(c, found))
	return err
}

// verdict is one line of bot diagnose --json.
type verdict struct {
	ID           string        `json:"id"`
	Cause        string        `json:"cause"`
	Confidence   float64       `json:"confidence"`
	Alternatives []alternative `json:"alternatives"`
	Retriable    *bool         `json:"retriable"` // null: nobody can say
	Why          string        `json:"why"`
	Evidence     []string      `json:"evidence"`
	Against      []string      `json:"against"`
	Headline     string        `json:"headline"`
}

type alternative struct {
	Cause      string  `json:"cause"`
	Confidence float64 `json:"confidence"`
}

func verdictOf(id string, d diagnosis.Diagnosis) verdict {
	top := d.Top()
	v := verdict{ID: id, Cause: string(top.Slug), Confidence: hundredths(top.Confidence), Alternatives: []alternative{}, Retriable: top.Restart(), Why: top.Why, Evidence: told(top.For), Against: told(top.Against), Headline: d.Headline}
	for _, c := range d.Causes[1:] {
		v.Alternatives = append(v.Alternatives, alternative{string(c.Slug), hundredths(c.Confidence)})
	}
	return v
}

func hundredths(x float64) float64 { return float64(int(x*100+0.5)) / 100 }

func told(list []diagnosis.Remark) []string {
	texts := make([]string, len(list))
	for i, r := range list {
		texts[i] = r.Text + " [" + r.Source + "]"
	}
	return texts
}

// story is a diagnosis for people.
func story(c diagnosis.Case, d diagnosis.Diagnosis) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n  %s\n", d.Headline, states(c))
	for i, cause := range d.Causes {
		fmt.Fprintf(&b, "  %d. %s (%s), %.0f %% sure\n", i+1, cause.Title, cause.Slug, 100*cause.Confidence)
		for _, line := range told(cause.For) {
			fmt.Fprintf(&b, "     + %s\n", line)
		}
		for _, line := range told(cause.Against) {
			fmt.Fprintf(&b, "     − %s\n", line)
		}
		if cause.Restart() != nil {
			fmt.Fprintf(&b, "     restart: %s\n", cause.Why)
		}
	}
	if d.Excerpt != "" {
		fmt.Fprintf(&b, "\n%s\n", indent(d.Excerpt, "  | "))
	}
	b.WriteString("\n")
	return b.String()
}

// states is what the case says of its connector and tasks, in one line.
func states(c diagnosis.Case) string {
	text := "connector " + string(c.State)
	count := map[connect.State]int{}
	var order []connect.State
	for _, t := range c.Tasks {
		if count[t.State]++; !slices.Contains(order, t.State) {
			order = append(order, t.State)
		}
	}
	for _, s := range order {
		text += fmt.Sprintf(", %d task(s) %s", count[s], s)
	}
	if len(c.Tasks) == 0 {
		text += ", no tasks"
	}
	return text
}
