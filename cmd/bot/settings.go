package main

import (
	"context"
	"os"

	"go.uber.org/zap"

	"cdcbot/internal/app"
	"cdcbot/internal/config"
)

// configured reads a configuration with the secrets that it says are in Vault. done gives back what Vault lent for it.
func configured(ctx context.Context, path string) (cfg *config.Config, done func(), err error) {
	if cfg, err = config.Load(path, os.Environ()); err != nil {
		return nil, nil, err
	}
	vault, err := app.Fill(ctx, cfg, zap.NewNop())
	if err != nil {
		return nil, nil, err
	}
	return cfg, func() { vault.Close(context.WithoutCancel(ctx)) }, nil
}
