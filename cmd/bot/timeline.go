package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"cdcbot/internal/app"
	"cdcbot/internal/config"
	"cdcbot/internal/timeline"
)

func exportCommand() *cobra.Command {
	var path, format, output string
	c := &cobra.Command{
		Use: "export INCIDENT", Short: "Write the timeline of an incident as Markdown, JSON or CSV", Args: cobra.ExactArgs(1),
		Example: "  bot export INC-7 --config cdcbot.yaml --format json --output INC-7.json",
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := config.Load(path, os.Environ())
			if err != nil {
				return err
			}
			file, err := app.ExportTimeline(c.Context(), cfg, args[0], format)
			if err != nil {
				return err
			}
			if output == "" || output == "-" {
				_, err = c.OutOrStdout().Write(file.Body)
				return err
			}
			return os.WriteFile(output, file.Body, 0o600)
		},
	}
	configFlag(c, &path)
	c.Flags().StringVarP(&format, "format", "f", "md", "md, json or csv")
	c.Flags().StringVarP(&output, "output", "o", "-", "file to write; - is standard output")
	return c
}

func verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "verify FILE", Short: "Prove that an exported timeline (JSON) is unaltered; needs no network", Args: cobra.ExactArgs(1),
		Long: "Recompute the hash chain of an exported timeline. Exit 0: every event is as it was written and none is missing.\nExit 1: it says which event does not fit. FILE - is standard input.",
		RunE: func(c *cobra.Command, args []string) error {
			in, done, err := open(c, args[0])
			if err != nil {
				return err
			}
			defer done()
			doc, err := timeline.ParseJSON(in)
			if err != nil {
				return fmt.Errorf("reading %s: %w", args[0], err)
			}
			if err := doc.Verify(); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "ok: %s, %d events, head %s\n", doc.Incident.ID, len(doc.Events), doc.Head)
			return err
		},
	}
}

func open(c *cobra.Command, name string) (io.Reader, func(), error) {
	if name == "-" {
		return c.InOrStdin(), func() {}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	return f, func() { _ = f.Close() }, nil
}
