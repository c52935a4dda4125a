package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/logical/database"
	"github.com/hashicorp/vault/builtin/plugin"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/vault"
)

// patience is how long requests may still run when the server is told to end.
const patience = 5 * time.Second

// serve runs the server until it is told to end. It starts sealed.
func serve(ctx context.Context, args []string) error {
	flags, err := parse("serve", args, "listen", "data")
	if err != nil {
		return err
	}
	logger := hclog.New(&hclog.LoggerOptions{Name: "vault", Level: hclog.Info, Output: os.Stderr})
	core, err := newCore(flags["data"], "http://"+flags["listen"], logger)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", flags["listen"])
	if err != nil {
		return errors.Join(err, core.ShutdownWait())
	}
	server := &http.Server{
		Handler: vaulthttp.Handler.Handler(&vault.HandlerProperties{
			Core:           core,
			ListenerConfig: &configutil.Listener{Type: "tcp", Address: flags["listen"], TLSDisable: true},
		}),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		ErrorLog:          logger.StandardLogger(nil),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	logger.Info("listening", "address", flags["listen"])
	select {
	case err = <-ended:
		return errors.Join(err, core.ShutdownWait())
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return errors.Join(server.Shutdown(ctx), core.ShutdownWait())
}

// newCore puts together what Vault's own server command puts together for file storage and a Shamir seal.
func newCore(data, address string, logger hclog.Logger) (*vault.Core, error) {
	storage, err := file.NewFileBackend(map[string]string{"path": data}, logger.Named("storage.file"))
	if err != nil {
		return nil, fmt.Errorf("storage in %s: %w", data, err)
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		StorageType:        "file",
		RedirectAddr:       address,
		ClusterName:        "cdcbot-lab",
		LogicalBackends:    map[string]logical.Factory{"plugin": plugin.Factory, "database": database.Factory, "kv": kv.Factory},
		CredentialBackends: map[string]logical.Factory{"plugin": plugin.Factory},
		BuiltinRegistry:    registry{},
		DisableMlock:       true, // throw-away secrets
		Logger:             logger,
	})
	if err != nil {
		return nil, fmt.Errorf("core: %w", err)
	}
	return core, nil
}
