package main

import (
	"debug/buildinfo"
	"fmt"
)

// bill is a bill of materials in CycloneDX's JSON, version 1.6: as much of it as a Go binary can tell.
type bill struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version,omitempty"`
	Licences   []licence  `json:"licenses"`
	URL        string     `json:"purl"`
	Properties []property `json:"properties,omitempty"`
}

type licence struct {
	License licenceID `json:"license"`
}

type licenceID struct {
	ID string `json:"id"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// shown are the settings of the build that somebody who reads the bill may want.
var shown = map[string]bool{"GOOS": true, "GOARCH": true, "CGO_ENABLED": true, "-trimpath": true, "vcs.revision": true}

func billOf(binary *buildinfo.BuildInfo, parts []part) bill {
	b := bill{Format: "CycloneDX", Spec: "1.6", Version: 1, Metadata: metadata{componentOf("application", parts[0])}}
	for _, s := range binary.Settings {
		if shown[s.Key] {
			b.Metadata.Component.Properties = append(b.Metadata.Component.Properties, property{"cdx:gomod:build:" + s.Key, s.Value})
		}
	}
	for _, p := range parts[1:] {
		b.Components = append(b.Components, componentOf("library", p))
	}
	return b
}

func componentOf(kind string, p part) component {
	url := fmt.Sprintf("pkg:golang/%s@%s", p.path, p.version)
	c := component{Type: kind, Ref: url, Name: p.path, Version: p.version, URL: url}
	for _, id := range p.licences {
		c.Licences = append(c.Licences, licence{licenceID{id}})
	}
	return c
}
