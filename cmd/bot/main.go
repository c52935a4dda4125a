// Command bot is cdcbot: it serves (`bot serve`), and it has the tools around it: diagnose for saved statuses, lint and plan for
// runbooks, export and verify for timelines, doctor for what it needs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version and commit are set by the linker; `go install` leaves them to the build information.
var (
	version = ""
	commit  = ""
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// errFindings says that the work was done and found something: exit 1 without another message.
var errFindings = errors.New("findings")

// run is main with its edges as arguments, so that tests call it. It returns the exit code: 0 done, 1 failed or found
// something, 2 wrong usage.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	root := command()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFindings):
		return 1
	case errors.As(err, &usage):
		fmt.Fprintf(errs, "bot: %v\n", err)
		return 2
	}
	fmt.Fprintf(errs, "bot: %v\n", err)
	return 1
}

// usageError is a mistake in how the command was called.
type usageError struct{ error }

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "bot",
		Short:         "cdcbot: Kafka Connect incidents in one Slack thread, healed by two people",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(serveCommand(), diagnoseCommand(), lintCommand(), planCommand(), exportCommand(), verifyCommand(), archiveCommand(), doctorCommand(), healthCommand(), versionCommand())
	for _, c := range root.Commands() {
		c.Args = asUsage(c.Args)
	}
	return root
}

func asUsage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError{fmt.Errorf("%w; see bot %s --help", err, c.Name())}
		}
		return nil
	}
}
