package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/vault/api"
)

// The seal needs two of three keys, as it would with people.
const (
	shares    = 3
	threshold = 2
)

// keyring is what initialising gave. It lies in one file of mode 0600: the root token, then a key on each line.
type keyring struct {
	root string
	keys []string
}

// open initialises the server when it is new and unseals it when it is sealed.
func open(ctx context.Context, address, dir string) (*api.Client, keyring, error) {
	config := api.DefaultConfig()
	config.Address = address
	client, err := api.NewClient(config)
	if err != nil {
		return nil, keyring{}, err
	}
	file := filepath.Join(dir, "vault-keys")
	status, err := client.Sys().SealStatusWithContext(ctx)
	if err != nil {
		return nil, keyring{}, err
	}
	if !status.Initialized {
		if err := initialise(ctx, client, file); err != nil {
			return nil, keyring{}, fmt.Errorf("initialising: %w", err)
		}
	}
	keys, err := readKeys(file)
	if err != nil {
		return nil, keyring{}, err
	}
	for i := 0; i < threshold && (status.Sealed || !status.Initialized); i++ {
		if status, err = client.Sys().UnsealWithContext(ctx, keys.keys[i]); err != nil {
			return nil, keyring{}, fmt.Errorf("unsealing: %w", err)
		}
	}
	return client, keys, active(ctx, client)
}

// active waits until the server does its work: after the last key it loads its mounts.
func active(ctx context.Context, c *api.Client) error {
	return again(ctx, func() error {
		health, err := c.Sys().HealthWithContext(ctx)
		if err == nil && (health.Sealed || health.Standby) {
			err = fmt.Errorf("sealed %t, standby %t", health.Sealed, health.Standby)
		}
		return err
	})
}

func initialise(ctx context.Context, c *api.Client, file string) error {
	answer, err := c.Sys().InitWithContext(ctx, &api.InitRequest{SecretShares: shares, SecretThreshold: threshold})
	if err != nil {
		return err
	}
	return write(file, answer.RootToken+"\n"+strings.Join(answer.Keys, "\n")+"\n")
}

func readKeys(file string) (keyring, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return keyring{}, fmt.Errorf("%s is gone, and nothing else unseals this server: lab/down.sh --purge begins anew", file)
	}
	if err != nil {
		return keyring{}, err
	}
	lines := strings.Fields(string(text))
	if len(lines) != 1+shares {
		return keyring{}, fmt.Errorf("%s has %d lines, expected a token and %d keys", file, len(lines), shares)
	}
	return keyring{lines[0], lines[1:]}, nil
}

// write replaces a secret file whole.
func write(file, text string) error {
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
