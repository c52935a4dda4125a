// Command demo plays an incident with nothing installed but Go: the same app as cmd/bot, with a simulated Slack
// workspace, a simulated Connect worker and an embedded Redis in one process. It prints the address of a page where one
// can be several people, type /cdc, press buttons, and break the pipeline. `demo drill RUNBOOK --fault NAME` plays one
// incident by itself and tells whether the runbook recovers. `demo workspace` serves the simulated workspace alone, for
// any other app.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); errors.Is(err, flag.ErrHelp) {
		return
	} else if err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == "drill" {
		return runDrill(ctx, args[1:], out)
	}
	if len(args) > 0 && args[0] == "workspace" {
		return runWorkspace(ctx, args[1:], out)
	}
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:4000", "where the page is served; port 0 takes a free one")
	quiet := flags.Bool("quiet", false, "do not break anything by itself")
	verbose := flags.Bool("verbose", false, "show the bot's log")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("argument %q: expected only flags; see demo -help", flags.Arg(0))
	}
	world, err := newWorld(ctx, *listen, *verbose)
	if err != nil {
		return err
	}
	defer world.close()
	fmt.Fprintf(out, "\n  cdcbot demo: open  %s\n\n"+
		"  1. In about fifteen seconds an alert opens a thread in #cdc-incidents (or press “Break it”).\n"+
		"  2. As oncall, press the recommended fix.\n"+
		"  3. Switch to approver (top right) and approve. Watch it heal.\n\n"+
		"  Embedded Redis: nothing is kept when this ends. Ctrl-C ends it.\n\n", world.url)
	return world.run(ctx, !*quiet)
}
