// Command vault is HashiCorp Vault for the lab: the real core, HTTP API, Shamir seal, file storage, KV, AppRole, userpass
// and PostgreSQL database engine of the version in go.mod, and nothing of the other 900 packages that the full program
// links. The lab cannot download Vault, so it builds it; half the packages is half the time.
//
//	vault serve -listen 127.0.0.1:18200 -data DIR
//	vault provision -vault http://127.0.0.1:18200 -postgres 127.0.0.1:18432 -out DIR
//	vault unseal -vault http://127.0.0.1:18200 -out DIR
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// jobs are the first argument.
var jobs = map[string]func(ctx context.Context, args []string) error{
	"serve":     serve,
	"provision": provision,
	"unseal":    unseal,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || jobs[args[0]] == nil {
		return fmt.Errorf("expected serve, provision or unseal, not %q", strings.Join(args, " "))
	}
	if err := jobs[args[0]](ctx, args[1:]); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return nil
}

// parse reads flags of which every one is needed: the lab's script passes them all.
func parse(name string, args []string, names ...string) (map[string]string, error) {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	values := map[string]*string{}
	for _, n := range names {
		values[n] = set.String(n, "", "needed")
	}
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for n, v := range values {
		if *v == "" {
			return nil, fmt.Errorf("-%s is missing", n)
		}
		out[n] = *v
	}
	return out, nil
}
