package app

import (
	"context"
	"strings"

	"go.uber.org/zap"

	"cdcbot/internal/config"
	"cdcbot/internal/redact"
	"cdcbot/internal/secrets"
)

// Fill sets every key whose value is in Vault. The result is nil when none is; it keeps what it gave good while an App
// runs with it, and must be closed. The error lists every key that could not be set.
func Fill(ctx context.Context, c *config.Config, log *zap.Logger) (*secrets.Vault, error) {
	if len(c.References()) == 0 {
		return nil, nil
	}
	o := c.Vault
	v, err := secrets.New(secrets.Options{URL: o.URL, Namespace: o.Namespace, CAFile: o.CAFile, Token: o.Token, TokenFile: c.Files()["vault.token"], RoleID: o.RoleID, SecretID: o.SecretID,
		Role: o.Role, JWTFile: o.JWTFile, Mount: o.Mount, Refresh: o.Refresh, Log: log.Named("secrets")})
	if err != nil {
		return nil, err
	}
	if err := v.Login(ctx); err != nil {
		return nil, err
	}
	if err := c.Fill(func(r config.Reference) (string, error) { return v.Get(ctx, r.Path, r.Field) }); err != nil {
		v.Close(ctx)
		return nil, err
	}
	return v, nil
}

// learn masks what Vault gives for secrets. User names are none, and would eat ordinary words.
func learn(c *config.Config, mask *redact.Redactor) func(path string, value func(field string) string) {
	return func(path string, value func(field string) string) {
		for key, r := range c.References() {
			if r.Path == path && !strings.HasSuffix(key, ".username") {
				mask.Learn(value(r.Field))
			}
		}
	}
}

// login is who the bot is to a system now; nil when neither its user name nor its password is in Vault.
func (a around) login(c *config.Config, key, username, password string) func() (string, string) {
	references := c.References()
	user, userThere := references[key+".username"]
	pass, passThere := references[key+".password"]
	if a.secrets == nil || !userThere && !passThere {
		return nil
	}
	return func() (string, string) {
		u, p := username, password
		if userThere {
			u = a.secrets.Now(user.Path, user.Field)
		}
		if passThere {
			p = a.secrets.Now(pass.Path, pass.Field)
		}
		return u, p
	}
}
