package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"cdcbot/internal/alert"
	"cdcbot/internal/remediation"
	"cdcbot/internal/runbook"
	"cdcbot/runbooks"
)

// library holds the compiled runbooks by name.
type library map[string]*runbook.Book

// openLibrary compiles every Markdown file of dir, or the runbooks that ship when dir is "".
func openLibrary(dir string) (library, error) {
	sources, err := readBooks(dir)
	if err != nil {
		return nil, err
	}
	return compileBooks(sources)
}

// readBooks reads every Markdown file of dir, or the runbooks that ship when dir is "", by the books' names.
func readBooks(dir string) (map[string][]byte, error) {
	var files fs.FS = runbooks.FS
	if dir != "" {
		files = os.DirFS(dir)
	}
	names, err := fs.Glob(files, "*.md")
	if err != nil || len(names) == 0 {
		return nil, errors.Join(fmt.Errorf("runbooks.dir: %q; expected a folder with at least one .md file", dir), err)
	}
	sources := map[string][]byte{}
	for _, name := range names {
		if sources[strings.TrimSuffix(path.Base(name), ".md")], err = fs.ReadFile(files, name); err != nil {
			return nil, fmt.Errorf("reading runbook %s: %w", name, err)
		}
	}
	return sources, nil
}

// compileBooks compiles runbooks by name. A book that answers the same alert as another is an error: which one runs must
// never be a matter of luck.
func compileBooks(sources map[string][]byte) (library, error) {
	books := library{}
	for name, source := range sources {
		book, err := runbook.Compile(name, source)
		if err != nil {
			return nil, fmt.Errorf("compiling runbook %s: %w", name, err)
		}
		books[book.Name] = book
	}
	return books, books.unambiguous()
}

func (l library) unambiguous() error {
	owner := map[string]string{}
	for _, name := range l.names() {
		for _, alert := range l[name].Alerts {
			if other, taken := owner[alert]; taken {
				return fmt.Errorf("runbooks %s and %s both answer the alert %s; expected one runbook per alert", other, name, alert)
			}
			owner[alert] = name
		}
	}
	return nil
}

func (l library) names() []string {
	names := make([]string, 0, len(l))
	for name := range l {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// list is every book, sorted by name.
func (l library) list() []*runbook.Book {
	names := l.names()
	books := make([]*runbook.Book, len(names))
	for i, name := range names {
		books[i] = l[name]
	}
	return books
}

// Book implements remediation.Library.
func (l library) Book(name string) (*runbook.Book, bool) {
	b, ok := l[name]
	return b, ok
}

// Answers implements remediation.Library.
func (l library) Answers(alert string) (*runbook.Book, bool) {
	for _, name := range l.names() {
		if slices.Contains(l[name].Alerts, alert) {
			return l[name], true
		}
	}
	return nil, false
}

// watched is a library in which what the watcher sees by itself is answered by the runbook of the alert that it watches
// for: a worker that is away, or a stall, has the same causes.
type watched struct {
	remediation.Library
	alert string
}

// Answers implements remediation.Library.
func (w watched) Answers(name string) (*runbook.Book, bool) {
	if book, ok := w.Library.Answers(name); ok || !slices.Contains(alert.Own, name) {
		return book, ok
	}
	return w.Library.Answers(w.alert)
}

// sums are the digests of the runbooks' Markdown, by name.
func (l library) sums() map[string]string {
	sums := map[string]string{}
	for name, book := range l {
		sums[name] = book.SHA256
	}
	return sums
}
