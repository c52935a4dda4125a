package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version, the commit and the Go release", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), versionLine())
			return err
		},
	}
}

// versionLine prefers what the linker set and falls back to what Go recorded in the binary.
func versionLine() string {
	v, sha := version, commit
	if info, ok := debug.ReadBuildInfo(); ok {
		if v == "" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && sha == "" {
				sha = s.Value
			}
		}
	}
	if v == "" {
		v = "(devel)"
	}
	if sha == "" {
		sha = "unknown"
	}
	return fmt.Sprintf("cdcbot %s commit %s %s %s/%s", v, sha, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
