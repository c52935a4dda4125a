package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestIdentify(t *testing.T) {
	rows := []struct{ name, text, want string }{
		{"apache", "   Apache License\n   Version 2.0, January 2004", "Apache-2.0"},
		{"mozilla", "Mozilla Public License, version 2.0", "MPL-2.0"},
		{"mit", "Permission is hereby granted, free of charge, to any person …\nThe above copyright notice and this permission\n notice shall", "MIT"},
		{"isc", "// Permission to use, copy, modify, and/or\n// distribute this software for any\n// purpose", "ISC"},
		{"bsd with a name", "Redistribution and use in source and binary forms … may be used to endorse or promote products", "BSD-3-Clause"},
		{"bsd without", "Redistribution and use in source and binary forms", "BSD-2-Clause"},
		{"freetype", "the FreeType Project License", "FTL"},
		{"credits", "Thanks to all", ""},
	}
	for _, row := range rows {
		if got := identify(row.text); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

func TestEscaped(t *testing.T) {
	if got := escaped("github.com/Azure/go-ansiterm"); got != "github.com/!azure/go-ansiterm" {
		t.Errorf("got %s", got)
	}
}

func TestPartWithoutLicence(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"README": "Apache License Version 2.0", "NOTICE": "made by us", "license.go": "package x", "LICENSE.txt": "all rights reserved"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rows := []struct{ name, dir, want string }{
		{"unknown text", dir, "x v1: no licence that is known in LICENSE.txt, NOTICE"},
		{"no source", filepath.Join(dir, "gone"), "go mod download"},
		{"no folder", filepath.Join(dir, "README"), "not a directory"},
	}
	for _, row := range rows {
		p := part{path: "x", version: "v1", dir: row.dir}
		if err := p.read(); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "LICENCE"), []byte("Apache License, Version 2.0"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := part{path: "x", version: "v1", dir: dir}
	if err := p.read(); err != nil || !slices.Equal(p.licences, []string{"Apache-2.0"}) || len(p.files) != 3 {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestWriteWithoutBinary(t *testing.T) {
	if err := (layout{root: t.TempDir()}).write(); err == nil || !strings.Contains(err.Error(), "what the bot is made of") {
		t.Errorf("got %v", err)
	}
}
