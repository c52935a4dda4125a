package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"cdcbot/internal/app"
	"cdcbot/internal/config"
	"cdcbot/internal/seal"
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
	var keys, head string
	c := &cobra.Command{
		Use: "verify FILE", Short: "Prove that an exported timeline (JSON) is unaltered; needs no network", Args: cobra.ExactArgs(1),
		Long: "Recompute the hash chain of an exported timeline. Exit 0: every event is as it was written and none is missing.\nExit 1: it says which event does not fit. FILE - is standard input.\n\n" +
			"The chain alone does not show who wrote it: with --keys the bot's own seals are checked as well. It does not show either that\nevents were cut off at the end: with --head it must end where the thread or another export says.",
		Example: "  bot verify INC-7.json\n  bot verify INC-7.json --keys /secrets/seal-keys --head 3f9a…",
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
			proved, err := provedBy(doc, keys, head)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "ok: %s, %d events, head %s; %s\n", doc.Incident.ID, len(doc.Events), doc.Head, proved)
			return err
		},
	}
	c.Flags().StringVar(&keys, "keys", "", "file with the bot's seal keys: prove that this bot wrote every event")
	c.Flags().StringVar(&head, "head", "", "head as the thread or another export tells it, or its beginning: prove that nothing is cut off")
	return c
}

// shortestHead is how many characters of a head are proof enough.
const shortestHead = 8

// provedBy checks what was asked for besides the chain, and says what was proved.
func provedBy(doc timeline.Document, keys, head string) (string, error) {
	proved := []string{"the chain is whole"}
	if keys != "" {
		text, err := os.ReadFile(keys)
		if err != nil {
			return "", err
		}
		ring, err := seal.Parse(string(text))
		if err != nil {
			return "", fmt.Errorf("%s: %w", keys, err)
		}
		if err := doc.VerifySeals(ring); err != nil {
			return "", err
		}
		proved = append(proved, "every event has the bot's seal")
	}
	switch {
	case head == "":
	case len(head) < shortestHead || !strings.HasPrefix(doc.Head, strings.ToLower(head)):
		return "", fmt.Errorf("%w: it ends at %s, expected %s (at least %d characters): events are missing at the end, or it is another one", timeline.ErrBroken, doc.Head, head, shortestHead)
	default:
		proved = append(proved, "it ends at the head that was given")
	}
	return strings.Join(proved, ", "), nil
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
