package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"cdcbot/internal/app"
	"cdcbot/internal/doctor"
)

// quietFor is how long an examination may take before it says how far it is.
const quietFor = time.Second

func doctorCommand() *cobra.Command {
	var path string
	var asJSON bool
	c := &cobra.Command{
		Use: "doctor", Short: "Examine whether the bot would work with this configuration", Args: cobra.NoArgs,
		Long: "Look, with the bot's own credentials, at Slack's tokens and scopes, the channels, Redis, every pipeline's systems, the\nrunbooks, the clocks and the permissions. Nothing is changed and nobody is called. Each finding that is not good says how\nto mend it. Exit 1 when something failed; warnings alone are exit 0.",
		RunE: func(c *cobra.Command, _ []string) error {
			var report doctor.Report
			if cfg, done, err := configured(c.Context(), path); err != nil {
				report = app.Complaints(err)
			} else {
				defer done()
				p := newProgress(c.ErrOrStderr())
				report = app.Doctor(c.Context(), cfg, p.step)
				p.end()
			}
			return printReport(c.OutOrStdout(), report, asJSON)
		},
	}
	configFlag(c, &path)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func printReport(out io.Writer, r doctor.Report, asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(out).Encode(r); err != nil {
			return err
		}
	} else if _, err := io.WriteString(out, r.Text()); err != nil {
		return err
	}
	if !r.Healthy() {
		return errFindings
	}
	return nil
}

// progress tells how far an examination is, once it takes longer than people like to wait in silence.
type progress struct {
	out   io.Writer
	timer *time.Timer

	mu       sync.Mutex
	late     bool
	done, of int
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out}
	p.timer = time.AfterFunc(quietFor, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.late = true
		p.tell()
	})
	return p
}

// step takes in how far it is.
func (p *progress) step(done, of int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done, p.of = done, of
	if p.late {
		p.tell()
	}
}

func (p *progress) tell() { fmt.Fprintf(p.out, "\r%d of %d checks", p.done, p.of) }

// end leaves the line of progress, if there is one.
func (p *progress) end() {
	p.timer.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.late {
		fmt.Fprintln(p.out)
	}
}
