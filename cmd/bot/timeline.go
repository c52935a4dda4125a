package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"cdcbot/internal/app"
	"cdcbot/internal/seal"
	"cdcbot/internal/timeline"
)

func exportCommand() *cobra.Command {
	var path, format, output string
	c := &cobra.Command{
		Use: "export INCIDENT", Short: "Write the timeline of an incident as Markdown, HTML, JSON or CSV", Args: cobra.ExactArgs(1),
		Example: "  bot export INC-7 --config cdcbot.yaml --format json --output INC-7.json",
		RunE: func(c *cobra.Command, args []string) error {
			cfg, done, err := configured(c.Context(), path)
			if err != nil {
				return err
			}
			defer done()
			if output == "" || output == "-" {
				return app.ExportTimeline(c.Context(), cfg, args[0], format, c.OutOrStdout())
			}
			file, err := os.OpenFile(output, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
			if err != nil {
				return err
			}
			return errors.Join(app.ExportTimeline(c.Context(), cfg, args[0], format, file), file.Close())
		},
	}
	configFlag(c, &path)
	c.Flags().StringVarP(&format, "format", "f", "md", "md, html, json or csv")
	c.Flags().StringVarP(&output, "output", "o", "-", "file to write; - is standard output")
	return c
}

func verifyCommand() *cobra.Command {
	var keys, head, record string
	c := &cobra.Command{
		Use: "verify FILE", Short: "Prove that an exported timeline is unaltered; needs no network", Args: cobra.ExactArgs(1),
		Long: "Recompute the hash chain of an exported timeline. Exit 0: every event is as it was written and none is missing.\nExit 1: it says which event does not fit. FILE - is standard input.\n\n" +
			"JSON, HTML and CSV hold the record and prove themselves: a page must be exactly the one that its record makes. Markdown is for\nreading: it is proved beside its record, with --record INC-7.json.\n\n" +
			"The chain alone does not show who wrote it: with --keys the bot's own seals are checked as well. It does not show either that\nevents were cut off at the end: with --head it must end where the thread or another export says.",
		Example: "  bot verify INC-7.json\n  bot verify INC-7.html\n  bot verify INC-7.md --record INC-7.json\n  bot verify INC-7.json --keys /secrets/seal-keys --head 3f9a…",
		RunE: func(c *cobra.Command, args []string) error {
			in, done, err := open(c, args[0])
			if err != nil {
				return err
			}
			defer done()
			doc, err := recordOf(in, record)
			if errors.Is(err, timeline.ErrNoRecord) {
				return fmt.Errorf("%s: %w; give the JSON export of the same incident with --record", args[0], err)
			}
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
	c.Flags().StringVar(&record, "record", "", "JSON export that a Markdown export is proved with")
	c.Flags().StringVar(&keys, "keys", "", "file with the bot's seal keys: prove that this bot wrote every event")
	c.Flags().StringVar(&head, "head", "", "head as the thread or another export tells it, or its beginning: prove that nothing is cut off")
	return c
}

func archiveCommand() *cobra.Command {
	var path string
	var read bool
	c := &cobra.Command{
		Use: "archive INCIDENT", Short: "Keep the timeline of an incident in PostgreSQL, or read it back", Args: cobra.ExactArgs(1),
		Long:    "Write the timeline to the archive (archive.url), read it back, verify it, and print its head. The bot does the same by itself\nafter an incident has ended. With --read the newest record is printed as it was written: give it to bot verify.",
		Example: "  bot archive INC-7 --config cdcbot.yaml\n  bot archive --read INC-7 --config cdcbot.yaml | bot verify -",
		RunE: func(c *cobra.Command, args []string) error {
			cfg, done, err := configured(c.Context(), path)
			if err != nil {
				return err
			}
			defer done()
			if read {
				export, _, err := app.ArchivedTimeline(c.Context(), cfg, args[0])
				if err != nil {
					return err
				}
				_, err = io.WriteString(c.OutOrStdout(), export)
				return err
			}
			head, events, err := app.ArchiveTimeline(c.Context(), cfg, args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "archived: %s, %d events, head %s\n", args[0], events, head)
			return err
		},
	}
	configFlag(c, &path)
	c.Flags().BoolVar(&read, "read", false, "print the newest record instead")
	return c
}

// recordOf reads an export that holds its record, or Markdown beside the file that does.
func recordOf(in io.Reader, record string) (timeline.Document, error) {
	if record == "" {
		return timeline.Parse(in)
	}
	page, err := io.ReadAll(in)
	if err != nil {
		return timeline.Document{}, err
	}
	file, err := os.Open(record)
	if err != nil {
		return timeline.Document{}, err
	}
	defer func() { _ = file.Close() }() // it was only read
	doc, err := timeline.Parse(file)
	if err != nil {
		return doc, fmt.Errorf("%s: %w", record, err)
	}
	return doc, doc.Writes(page, "md")
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
