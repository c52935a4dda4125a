package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"cdcbot/internal/app"
	"cdcbot/internal/config"
	"cdcbot/internal/runbook"
)

func lintCommand() *cobra.Command {
	var path string
	var asJSON, noTargets bool
	c := &cobra.Command{
		Use: "lint FILE...", Short: "Say what the bot would do with a runbook, and what is wrong with it", Args: cobra.MinimumNArgs(1),
		Long: "Compile runbooks and list their sections, steps, actions, risks and inputs. Exit 1 when a command names a target\nthat the configuration does not know; --no-targets lints without a configuration.",
		RunE: func(c *cobra.Command, args []string) error {
			targets, err := lintTargets(path, noTargets)
			if err != nil {
				return err
			}
			return lintFiles(c.OutOrStdout(), args, targets, asJSON)
		},
	}
	configFlag(c, &path)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per file")
	c.Flags().BoolVar(&noTargets, "no-targets", false, "do not resolve targets")
	return c
}

func lintTargets(path string, none bool) (*runbook.Targets, error) {
	if none {
		return nil, nil
	}
	cfg, err := config.Load(path, os.Environ())
	if err != nil {
		return nil, fmt.Errorf("%w\n(lint resolves targets with a configuration: give --config FILE, or --no-targets)", err)
	}
	targets := app.Targets(cfg, cfg.Names()[0])
	return &targets, nil
}

func lintFiles(out io.Writer, files []string, targets *runbook.Targets, asJSON bool) error {
	bad := false
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		book, err := runbook.Compile(strings.TrimSuffix(filepath.Base(name), ".md"), source)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if targets != nil {
			book.Findings = append(book.Resolve(*targets), book.Findings...)
		}
		bad = bad || hasError(book.Findings)
		if err := printBook(out, name, book, asJSON); err != nil {
			return err
		}
	}
	if bad {
		return errFindings
	}
	return nil
}

func hasError(findings []runbook.Finding) bool {
	for _, f := range findings {
		if f.Level == "error" {
			return true
		}
	}
	return false
}

func printBook(out io.Writer, name string, book *runbook.Book, asJSON bool) error {
	report := book.Report(name)
	if asJSON {
		return json.NewEncoder(out).Encode(report)
	}
	fmt.Fprintf(out, "%s: %s\n  alert %s · %d commands, %d compiled, %d manual, %d notes\n", name, book.Title, report.Alert, report.Commands, report.Compiled, report.Manual, report.Notes)
	t := table.NewWriter()
	t.SetOutputMirror(out)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"line", "section", "step", "action", "target", "risk", "inputs"})
	for _, s := range report.Sections {
		for _, step := range s.Steps {
			t.AppendRow(table.Row{step.Line, shorten(s.Title), shorten(step.Title), step.Action, shorten(step.Target), step.Risk, strings.Join(step.Inputs, " ")})
		}
	}
	t.Render()
	for _, f := range book.Findings {
		fmt.Fprintf(out, "%s:%d:%d: %s: %s [%s]\n", name, f.Line, f.Column, f.Level, f.Text, f.Code)
	}
	return nil
}

func shorten(s string) string {
	r := []rune(s)
	if len(r) <= 44 {
		return s
	}
	return string(r[:43]) + "…"
}
