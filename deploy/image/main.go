// Command image lays out, beside a built bot, what else its container image holds: the certificates of public
// authorities, a user that is not root, the licence of every module that is linked, and a bill of materials. It reads the
// modules from the binary itself, so nothing can be listed that is not in it, or be in it and not be listed.
//
//	image -root DIR -version VERSION -modules DIR -goroot DIR    the root holds the binary as bot
package main

import (
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// user is who the bot runs as. The number is the one of distroless images.
const user = 65532

func main() {
	var l layout
	flag.StringVar(&l.root, "root", "", "folder of the image's root, with the binary bot in it")
	flag.StringVar(&l.certificates, "certificates", "/etc/ssl/certs/ca-certificates.crt", "authorities to trust, as PEM")
	flag.StringVar(&l.modules, "modules", "", "Go's module cache (go env GOMODCACHE)")
	flag.StringVar(&l.goroot, "goroot", "", "folder of Go (go env GOROOT)")
	flag.StringVar(&l.version, "version", "", "the bot's version")
	flag.StringVar(&l.own, "own", ".", "folder with the bot's own LICENSE and NOTICE")
	flag.Parse()
	if err := l.write(); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// layout is where things come from and where they go.
type layout struct{ root, certificates, modules, goroot, version, own string }

func (l layout) write() error {
	binary, err := buildinfo.ReadFile(filepath.Join(l.root, "bot"))
	if err != nil {
		return fmt.Errorf("reading what the bot is made of: %w", err)
	}
	parts, err := l.parts(binary)
	if err != nil {
		return err
	}
	if err := l.licences(parts); err != nil {
		return err
	}
	text, err := json.MarshalIndent(billOf(binary, parts), "", " ")
	if err != nil {
		return fmt.Errorf("bill of materials: %w", err)
	}
	certificates, err := os.ReadFile(l.certificates)
	if err != nil {
		return fmt.Errorf("certificates of public authorities (apt install ca-certificates): %w", err)
	}
	return errors.Join(
		l.file("sbom.cdx.json", append(text, '\n')),
		l.file("etc/passwd", fmt.Appendf(nil, "cdcbot:x:%d:%d:cdcbot:/:/none\n", user, user)),
		l.file("etc/group", fmt.Appendf(nil, "cdcbot:x:%d:\n", user)),
		l.file("etc/ssl/certs/ca-certificates.crt", certificates),
	)
}

// file writes one file of the image; everybody may read it and nobody may change it.
func (l layout) file(name string, body []byte) error {
	path := filepath.Join(l.root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, body, 0o644)
}
