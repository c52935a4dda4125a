package main

import (
	"cmp"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"unicode"
)

// part is something that the image holds and that somebody owns.
type part struct {
	path, version string
	dir           string   // where its source lies
	files         []string // names of its licence files
	licences      []string // their SPDX identifiers
}

// parts are the bot, Go and every module that is linked.
func (l layout) parts(binary *buildinfo.BuildInfo) ([]part, error) {
	list := []part{
		{path: binary.Main.Path, version: l.version, dir: l.own},
		{path: "std", version: strings.TrimPrefix(binary.GoVersion, "go"), dir: l.goroot},
	}
	for _, m := range binary.Deps {
		list = append(list, l.module(m))
	}
	for i := range list {
		if err := list[i].read(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (l layout) module(m *debug.Module) part {
	if m.Replace != nil {
		m = m.Replace
	}
	return part{path: m.Path, version: m.Version, dir: filepath.Join(l.modules, filepath.FromSlash(escaped(m.Path)+"@"+escaped(m.Version)))}
}

// escaped is how the module cache spells a path: file systems may not tell capitals apart.
func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsUpper(r) {
			b.WriteByte('!')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// licenceFile are the names under which licences and credits travel.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|authors\.licen[cs]e)([-._].*)?$`)

// read finds the licences of a part. A part without one may not be passed on.
func (p *part) read() error {
	entries, err := os.ReadDir(p.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s %s: its source is not in %s (go mod download)", p.path, p.version, p.dir)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", p.path, p.version, err)
	}
	for _, e := range entries {
		if e.IsDir() || !licenceFile.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(p.dir, e.Name()))
		if err != nil {
			return fmt.Errorf("%s %s: %w", p.path, p.version, err)
		}
		p.files = append(p.files, e.Name())
		if id := identify(string(text)); id != "" {
			p.licences = append(p.licences, id)
		}
	}
	slices.Sort(p.licences)
	if p.licences = slices.Compact(p.licences); len(p.licences) == 0 {
		return fmt.Errorf("%s %s: no licence that is known in %s; read it, and add a row to licenceTexts", p.path, p.version, cmp.Or(strings.Join(p.files, ", "), p.dir))
	}
	return nil
}

// licenceTexts are the licences that the bot's modules have, told by words that stand in no other: the first row whose
// words are all there counts.
var licenceTexts = []struct {
	id    string
	words []string
}{
	{"Apache-2.0", []string{"apache license", "version 2.0"}},
	{"MPL-2.0", []string{"mozilla public license", "2.0"}},
	{"FTL", []string{"freetype license"}},
	{"FTL", []string{"freetype project license"}},
	{"MIT", []string{"permission is hereby granted, free of charge", "the above copyright notice and this permission notice"}},
	{"ISC", []string{"permission to use, copy, modify, and or distribute this software"}},
	{"ISC", []string{"permission to use, copy, modify, and distribute this software"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "to endorse or promote products"}},
	{"BSD-2-Clause", []string{"redistribution and use in source and binary forms"}},
}

var blanks = regexp.MustCompile(`[\s*#/]+`)

// identify says which licence a text is, or "" when it is none that is known, such as a list of credits.
func identify(text string) string {
	text = blanks.ReplaceAllString(strings.ToLower(text), " ")
	for _, row := range licenceTexts {
		if !slices.ContainsFunc(row.words, func(w string) bool { return !strings.Contains(text, w) }) {
			return row.id
		}
	}
	return ""
}

// licences copies the licence files to licenses/<path of the module>/.
func (l layout) licences(parts []part) error {
	for _, p := range parts {
		for _, name := range p.files {
			text, err := os.ReadFile(filepath.Join(p.dir, name))
			if err != nil {
				return fmt.Errorf("%s %s: %w", p.path, p.version, err)
			}
			if err := l.file(path.Join("licenses", p.path, name), text); err != nil {
				return err
			}
		}
	}
	return nil
}
