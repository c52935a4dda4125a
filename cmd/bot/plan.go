package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cdcbot/internal/app"
	"cdcbot/internal/config"
	"cdcbot/internal/runbook"
)

// planning is what `bot plan` is called with.
type planning struct {
	path, pipeline string
	option         int
	inputs         map[string]string
	noTargets      bool
	offline        bool
}

func planCommand() *cobra.Command {
	var p planning
	c := &cobra.Command{
		Use: "plan RUNBOOK SECTION", Short: "Show what an approver would see of a section, without running anything", Args: cobra.ExactArgs(2),
		Long:    "Make the plan of a runbook's section and print it as an approver would see it. RUNBOOK is a file, or the name of a\nrunbook that ships; SECTION is its heading, its number, or words of it. Systems that are configured are asked what each\nstep would do now (--offline asks nobody); without a configuration targets stay as they are written. Nothing is changed.",
		Example: "  bot plan runbooks/kafka-connect-connector-failure.md \"cause 1\"\n  bot plan kafka-connect-connector-failure 2 --option 1 --input lease_id=AbC123",
		RunE: func(c *cobra.Command, args []string) error {
			return p.run(c.Context(), c.OutOrStdout(), args[0], args[1])
		},
	}
	configFlag(c, &p.path)
	c.Flags().StringVar(&p.pipeline, "pipeline", "", "the pipeline it would run on; the first by name when not given")
	c.Flags().IntVar(&p.option, "option", 0, "which option, when the section has several; all of them when not given")
	c.Flags().StringToStringVar(&p.inputs, "input", nil, "fill a blank of the runbook: --input lease_id=AbC123")
	c.Flags().BoolVar(&p.noTargets, "no-targets", false, "plan without a configuration; targets stay as they are written")
	c.Flags().BoolVar(&p.offline, "offline", false, "ask no system what a step would do now")
	return c
}

func (p planning) run(ctx context.Context, out io.Writer, file, words string) error {
	cfg, done, err := p.config(ctx)
	if err != nil {
		return err
	}
	defer done()
	book, err := app.OpenBook(file)
	if err != nil {
		return err
	}
	section, err := app.FindSection(book, words)
	if err != nil {
		return err
	}
	planner := app.Planner{Config: cfg, Pipeline: p.pipeline, Look: !p.offline}
	for i, option := range p.options(section) {
		if i > 0 {
			fmt.Fprintln(out)
		}
		seen, err := planner.Plan(ctx, book, section.ID, option, p.inputs)
		if err != nil {
			return err
		}
		printPlan(out, seen)
		if cfg == nil {
			fmt.Fprintln(out, "There is no configuration: targets are as the runbook writes them, and nothing was asked.")
		}
	}
	return nil
}

// config is nil when nothing is configured at all. Who asks no system needs no secrets.
func (p planning) config(ctx context.Context) (cfg *config.Config, done func(), err error) {
	if p.noTargets || p.path == "" && !slices.ContainsFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, config.EnvPrefix+"PIPELINES_") }) {
		return nil, func() {}, nil
	}
	if p.offline {
		cfg, err = config.Load(p.path, os.Environ())
		return cfg, func() {}, err
	}
	return configured(ctx, p.path)
}

// options are those to show: the one that was asked for, or all.
func (p planning) options(s runbook.Section) []int {
	if p.option > 0 || len(s.Options) == 0 {
		return []int{p.option}
	}
	var all []int
	for _, o := range s.Options {
		all = append(all, o.Number)
	}
	return all
}

func printPlan(out io.Writer, seen app.Preview) {
	p := seen.Plan
	fmt.Fprintf(out, "%s\n  runbook %s (sha256 %.12s), section %s", p.Title, p.Book, p.SHA256, p.Section)
	if p.Option > 0 {
		fmt.Fprintf(out, ", option %d", p.Option)
	}
	fmt.Fprintf(out, "\n  risk %s · digest %s\n", p.Risk, p.Digest())
	for _, name := range slices.Sorted(maps.Keys(p.Inputs)) {
		fmt.Fprintf(out, "  input %s = %s\n", name, p.Inputs[name])
	}
	fmt.Fprintln(out)
	for i, s := range p.Steps {
		printStep(out, i+1, s)
		for _, l := range seen.Looks {
			if l.Step == i+1 {
				fmt.Fprintf(out, "%s\n", indent(l.Text, "     | "))
			}
		}
	}
	if seen.Refuse != nil {
		fmt.Fprintf(out, "\n%v\n", seen.Refuse)
	}
}

func printStep(out io.Writer, n int, s runbook.Step) {
	if s.Action == nil {
		fmt.Fprintf(out, "%3d. By a person: %s\n", n, s.Effect())
	} else {
		fmt.Fprintf(out, "%3d. %s\n     %s · %s · %s · at most %s\n", n, s.Effect(), s.Action.Kind(), s.Action.Target(), s.Action.Risk(), s.Action.Deadline())
	}
	fmt.Fprintf(out, "     line %d: %s\n", s.Line, strings.Join(strings.Fields(s.Source), " "))
}

func indent(text, with string) string {
	return with + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+with)
}
