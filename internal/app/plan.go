package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"cdcbot/internal/config"
	"cdcbot/internal/redact"
	"cdcbot/internal/remediation"
	"cdcbot/internal/runbook"
	"cdcbot/runbooks"
)

// Preview is a plan as an approver would see it, made without asking anybody: `bot plan`.
type Preview struct {
	Plan   runbook.Plan
	Looks  []remediation.Look
	Refuse error // why nobody could be asked to approve it now
}

// Planner makes plans of a runbook. Config nil plans without a configuration: targets stay as they are written.
type Planner struct {
	Config   *config.Config
	Pipeline string // "" is the only one, or the first by name
	Look     bool   // ask the configured systems what each step would do now
}

// OpenBook compiles a runbook file, or one that ships by its name.
func OpenBook(name string) (*runbook.Book, error) {
	source, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		if shipped, e := runbooks.FS.ReadFile(strings.TrimSuffix(name, ".md") + ".md"); e == nil {
			source, err = shipped, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("runbook %s: no such file, and none that ships: %w", name, err)
	}
	return runbook.Compile(strings.TrimSuffix(filepath.Base(name), ".md"), source)
}

// FindSection finds a section by its ID, its number, the beginning of its title or words in it, in this order. Several
// that fit are an error that lists them.
func FindSection(b *runbook.Book, words string) (runbook.Section, error) {
	want := strings.ToLower(strings.TrimSpace(words))
	for _, fits := range []func(runbook.Section) bool{
		func(s runbook.Section) bool { return s.ID == want || strings.EqualFold(s.Title, want) },
		func(s runbook.Section) bool { return numbered(s, want) },
		func(s runbook.Section) bool {
			return strings.HasPrefix(strings.ToLower(s.Title), want) || strings.HasPrefix(s.ID, want)
		},
		func(s runbook.Section) bool { return strings.Contains(strings.ToLower(s.Title), want) },
	} {
		var found []runbook.Section
		for _, s := range b.Sections {
			if want != "" && fits(s) {
				found = append(found, s)
			}
		}
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return runbook.Section{}, fmt.Errorf("section %q of %s: expected one, and %d fit: %s", words, b.Name, len(found), titles(found))
		}
	}
	return runbook.Section{}, fmt.Errorf("section %q of %s: expected one of %s", words, b.Name, titles(b.Sections))
}

// numbered matches "4" and "cause 4" with "Cause 4: …".
func numbered(s runbook.Section, want string) bool {
	n := strings.TrimSpace(strings.TrimPrefix(want, "cause"))
	if _, err := strconv.Atoi(n); err != nil {
		return false
	}
	rest, ok := strings.CutPrefix(strings.ToLower(s.Title), "cause "+n)
	return ok && (rest == "" || rest[0] < '0' || rest[0] > '9')
}

func titles(list []runbook.Section) string {
	var names []string
	for _, s := range list {
		names = append(names, s.ID)
	}
	return strings.Join(names, ", ")
}

// Plan makes the plan of a section. Nothing is changed and nobody is asked.
func (p Planner) Plan(ctx context.Context, b *runbook.Book, section string, option int, inputs map[string]string) (Preview, error) {
	targets := runbook.Targets{AsWritten: true}
	name := p.Pipeline
	if p.Config != nil {
		if name == "" {
			name = p.Config.Names()[0]
		}
		if !slices.Contains(p.Config.Names(), name) {
			return Preview{}, fmt.Errorf("pipeline %q: expected one of %s", name, strings.Join(p.Config.Names(), ", "))
		}
		targets = Targets(p.Config, name)
	}
	plan, err := b.Plan(section, option, inputs, targets)
	if err != nil || p.Config == nil || !p.Look {
		return Preview{Plan: plan}, err
	}
	w, err := openWorld(p.Config, name, nil, nil, around{})
	if err != nil {
		return Preview{}, err
	}
	defer w.close()
	looks, refuse := remediation.Preview(ctx, plan, w, redact.New(p.Config.Secrets()...).Text)
	return Preview{Plan: plan, Looks: looks, Refuse: refuse}, nil
}
