package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cdcbot/internal/config"
)

// healthTimeout is less than an engine waits for a health check.
const healthTimeout = 2 * time.Second

func healthCommand() *cobra.Command {
	var path string
	var ready bool
	c := &cobra.Command{
		Use: "health", Short: "Ask the bot that runs with this configuration whether it is well", Args: cobra.NoArgs,
		Long: "Ask GET /healthz, or /readyz with --ready, where the configuration says that the bot listens. Exit 1 when it does not\nanswer, or says what is missing. For health checks where no other program is at hand, as in the container image.",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.Load(path, os.Environ())
			if err != nil {
				return err
			}
			at := "http://" + local(cfg.Listen) + "/healthz"
			if ready {
				at = strings.TrimSuffix(at, "/healthz") + "/readyz"
			}
			return health(c.Context(), c.OutOrStdout(), at)
		},
	}
	configFlag(c, &path)
	c.Flags().BoolVar(&ready, "ready", false, "ask whether it is ready to work")
	return c
}

// local is where a listener is reached from the machine itself.
func local(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return listen
}

func health(ctx context.Context, out io.Writer, at string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	text := strings.TrimSpace(string(body))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("health: %s: %s", response.Status, text)
	}
	_, err = fmt.Fprintln(out, text)
	return err
}
