package remediation

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"cdcbot/internal/action"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/incident"
	"cdcbot/internal/runbook"
	"cdcbot/internal/timeline"
)

// The runbook's own diagnosis runs for every incident: its read-only steps, all at once, within a budget.
const (
	looksWithin = 10 * time.Second // for each step
	mostLooks   = 40
)

// Looked is what one step of the runbook's diagnosis showed.
type Looked struct {
	Section string `json:"section"`
	Line    int    `json:"line"`
	Title   string `json:"title"`
	Action  string `json:"action"`
	Output  string `json:"output,omitempty"`
	Error   string `json:"error,omitempty"`
}

// lookAround runs the diagnosis of the runbook and of the causes that the bot suspects, and tells what it showed: whole
// in the timeline, as a file in the thread.
func (f *Flow) lookAround(ctx context.Context, inc incident.Incident, d diagnosis.Diagnosis) error {
	book, ok := f.book(inc)
	p, known := f.Pipelines[inc.Pipeline]
	if !ok || !known {
		return nil
	}
	steps := suspected(book, d)
	if len(steps) == 0 {
		return nil
	}
	first, err := f.Journal.Once(ctx, inc.ID, "looked:"+string(d.Top().Slug))
	if err != nil || !first {
		return err
	}
	seen := f.runLooks(ctx, steps, p)
	failed := 0
	for _, l := range seen {
		if l.Error != "" {
			failed++
		}
	}
	text := fmt.Sprintf("the runbook's diagnosis ran: %d steps, %d could not look", len(seen), failed)
	if err := f.record(ctx, inc.ID, timeline.RunbookLooked, timeline.Bot, "", text, map[string]any{"runbook": book.Name, "sha256": book.SHA256, "steps": seen}); err != nil {
		return err
	}
	f.attach(ctx, inc.ID, File{Name: inc.ID + "-runbook-diagnosis.txt", Title: "What the runbook's diagnosis shows", Type: "text/plain", Body: []byte(transcript(seen))})
	return nil
}

// place is a step and the section it belongs to.
type place struct {
	section string
	step    runbook.Step
}

// suspected are the steps of the diagnosis chapters, and of the causes that the diagnosis leads to.
func suspected(book *runbook.Book, d diagnosis.Diagnosis) []place {
	var list []place
	causes := map[string]bool{}
	for _, c := range d.Causes {
		if c.Confidence >= 0.2 {
			causes[c.Section] = true
		}
	}
	for _, s := range book.Sections {
		if s.Kind != runbook.Diagnosis && !causes[s.ID] {
			continue
		}
		for _, step := range s.Probes {
			if step.Action != nil && step.Action.Risk() == action.Read && len(step.Inputs) == 0 && len(list) < mostLooks {
				list = append(list, place{s.Title, step})
			}
		}
	}
	return list
}

func (f *Flow) runLooks(ctx context.Context, steps []place, p Pipeline) []Looked {
	seen := make([]Looked, len(steps))
	var group sync.WaitGroup
	for i, s := range steps {
		group.Go(func() { seen[i] = f.lookOnce(ctx, s, p) })
	}
	group.Wait()
	return seen
}

func (f *Flow) lookOnce(ctx context.Context, s place, p Pipeline) Looked {
	ctx, cancel := context.WithTimeout(ctx, looksWithin)
	defer cancel()
	l := Looked{Section: s.section, Line: s.step.Line, Title: s.step.Title, Action: s.step.Action.Kind()}
	bound, err := s.step.Bind(p.Targets)
	if err == nil && bound.Action == nil {
		err = fmt.Errorf("nothing is configured for it")
	}
	var out action.Output
	if err == nil {
		out, err = bound.Action.Run(ctx, p.World)
	}
	if err != nil {
		l.Error = clip(f.Redact(err.Error()), 500)
	}
	l.Output = clip(f.Redact(out.Text), 4000)
	return l
}

// transcript is what was seen, as a file to read.
func transcript(seen []Looked) string {
	var b strings.Builder
	section := ""
	for _, l := range seen {
		if l.Section != section {
			section = l.Section
			fmt.Fprintf(&b, "== %s\n\n", section)
		}
		fmt.Fprintf(&b, "-- line %d · %s · %s\n", l.Line, l.Title, l.Action)
		if l.Output != "" {
			fmt.Fprintf(&b, "%s\n", l.Output)
		}
		if l.Error != "" {
			fmt.Fprintf(&b, "! %s\n", l.Error)
		}
		b.WriteString("\n")
	}
	return b.String()
}
