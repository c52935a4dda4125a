// Command release reads a configuration of GoReleaser with GoReleaser's own types, strictly: a key that it does not know is an
// error. It prints what would be built.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/goreleaser/goreleaser/v2/pkg/config"
)

func main() {
	if err := check(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func check(args []string) error {
	if len(args) != 1 {
		return errors.New("expected the path of .goreleaser.yaml")
	}
	c, err := config.Load(args[0])
	if err != nil {
		return fmt.Errorf("reading %s: %w", args[0], err)
	}
	for _, b := range c.Builds {
		for _, system := range b.Goos {
			for _, arch := range b.Goarch {
				fmt.Println(c.ProjectName, b.ID, b.Main, system+"/"+arch, b.Ldflags, b.Flags, b.Env)
			}
		}
	}
	return nil
}
