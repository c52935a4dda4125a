package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"cdcbot/internal/app"
	"cdcbot/internal/config"
)

func serveCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use: "serve", Short: "Run the bot", Args: cobra.NoArgs,
		Long: "Run the bot until SIGTERM. Changed runbooks, and what changed under approval, are taken over while it runs, at the latest\nafter ten seconds or at once on SIGHUP; requests that wait are void then. Every key of the configuration file may come from the environment instead:\n" +
			"approval.ttl is CDCBOT_APPROVAL_TTL. config.example.yaml documents every key.",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.Load(path, os.Environ())
			if err != nil {
				return err
			}
			log, err := app.Logger(cfg.Log)
			if err != nil {
				return err
			}
			defer func() { _ = log.Sync() }() // stderr cannot always be synced
			vault, err := app.Fill(c.Context(), cfg, log)
			if err != nil {
				return err
			}
			defer func() { vault.Close(context.WithoutCancel(c.Context())) }() // what was lent to it ends with it
			wake := make(chan os.Signal, 1)
			signal.Notify(wake, syscall.SIGHUP)
			defer signal.Stop(wake)
			bot, err := app.New(c.Context(), app.Options{Config: cfg, Log: log, Version: versionLine(), Secrets: vault, Wake: wake,
				Reload: func() (*config.Config, error) { return config.Load(path, os.Environ()) }})
			if err != nil {
				return err
			}
			return bot.Run(c.Context())
		},
	}
	configFlag(c, &path)
	return c
}

func configFlag(c *cobra.Command, path *string) {
	c.Flags().StringVarP(path, "config", "c", os.Getenv("CDCBOT_CONFIG"), "configuration file (also CDCBOT_CONFIG)")
}
