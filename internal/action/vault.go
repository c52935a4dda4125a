package action

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// RenewLease extends a lease of dynamic credentials.
type RenewLease struct {
	On    string `json:"on,omitempty"`
	Lease string `json:"lease"` // whole: database/creds/postgresql-writer/AbC…
}

// Kind implements Action.
func (a RenewLease) Kind() string { return "vault.renew" }

// Effect implements Action.
func (a RenewLease) Effect() string { return "Renews the Vault lease " + a.Lease + "." }

// Risk implements Action.
func (a RenewLease) Risk() Risk { return Change }

// Target implements Action.
func (a RenewLease) Target() string { return "vault/" + a.Lease }

// Deadline implements Action.
func (a RenewLease) Deadline() time.Duration { return 30 * time.Second }

// Idempotent implements Action.
func (a RenewLease) Idempotent() bool { return true }

// Observe implements Action: a lease does not tell whether it was renewed just now.
func (a RenewLease) Observe(context.Context, World) (bool, error) { return false, nil }

// Run implements Action.
func (a RenewLease) Run(ctx context.Context, w World) (Output, error) {
	v, err := w.Vault()
	if err != nil {
		return Output{}, err
	}
	ttl, err := v.Renew(ctx, a.Lease)
	if err != nil {
		return Output{}, err
	}
	return Output{Text: "the lease lives for another " + rough(ttl)}, nil
}

// Preview implements Previewer: how long the lease lives, and that it can be renewed.
func (a RenewLease) Preview(ctx context.Context, w World) (Preview, error) {
	v, err := w.Vault()
	if err != nil {
		return Preview{}, err
	}
	ttl, renewable, err := v.Lookup(ctx, a.Lease)
	if err != nil {
		return Preview{}, err
	}
	if !renewable {
		return Preview{}, fmt.Errorf("the lease %s cannot be renewed and ends in %s; fetch fresh credentials instead", a.Lease, rough(ttl))
	}
	return Preview{Text: "the lease ends in " + rough(ttl)}, nil
}

// rough drops what nobody needs to know about a long time.
func rough(d time.Duration) string {
	if d > time.Minute {
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.Round(time.Second).String()
}

// Credentials fetches fresh dynamic credentials from Vault and puts them into a connector's configuration.
type Credentials struct {
	On             string `json:"on,omitempty"`
	Path           string `json:"path"` // database/creds/postgresql-writer
	Cluster        string `json:"cluster"`
	Connector      string `json:"connector"`
	UserOption     string `json:"user_option"` // connection.user, connection.username, …
	PasswordOption string `json:"password_option"`
}

// Kind implements Action.
func (a Credentials) Kind() string { return "vault.credentials" }

// Effect implements Action.
func (a Credentials) Effect() string {
	if a.Connector == "" {
		return "Fetches fresh credentials from Vault (" + a.Path + ") for the connector that uses them."
	}
	return fmt.Sprintf("Fetches fresh credentials from Vault (%s) and sets them as %s and %s of %s. Tasks restart.", a.Path, a.UserOption, a.PasswordOption, a.Connector)
}

// Risk implements Action.
func (a Credentials) Risk() Risk { return Change }

// Target implements Action.
func (a Credentials) Target() string { return target(a.Cluster, a.Connector) }

// Deadline implements Action.
func (a Credentials) Deadline() time.Duration { return 3 * time.Minute }

// Idempotent implements Action: a second run fetches another pair.
func (a Credentials) Idempotent() bool { return true }

// Observe implements Action: a configuration does not tell how old its credentials are.
func (a Credentials) Observe(context.Context, World) (bool, error) { return false, nil }

// Run implements Action. The password is never shown.
func (a Credentials) Run(ctx context.Context, w World) (Output, error) {
	if _, err := a.Preview(ctx, w); err != nil {
		return Output{}, err
	}
	v, err := w.Vault()
	if err != nil {
		return Output{}, err
	}
	user, password, lease, ttl, err := v.Credentials(ctx, a.Path)
	if err != nil {
		return Output{}, err
	}
	out := Output{Text: fmt.Sprintf("credentials of %s, lease %s, for %s", user, lease, rough(ttl))}
	_, err = a.configure(user, password).Run(ctx, w)
	return out, err
}

func (a Credentials) configure(user, password string) Configure {
	return Configure{Cluster: a.Cluster, Connector: a.Connector, Set: map[string]string{a.UserOption: user, a.PasswordOption: password}}
}

// Preview implements Previewer. Where the configuration only refers to a file or to Vault, new credentials belong there.
func (a Credentials) Preview(ctx context.Context, w World) (Preview, error) {
	if a.Connector == "" || a.UserOption == "" || a.PasswordOption == "" {
		return Preview{}, fmt.Errorf("no connector is configured for fresh credentials; set pipelines.<name>.vault.connector")
	}
	c, err := w.Connect(a.Cluster)
	if err != nil {
		return Preview{}, err
	}
	config, err := c.Config(ctx, a.Connector)
	if err != nil {
		return Preview{}, err
	}
	for _, option := range []string{a.UserOption, a.PasswordOption} {
		if value := config[option]; reference.MatchString(value) {
			return Preview{}, fmt.Errorf("%s of %s is the reference %s: the credentials change where it points to, not in the configuration; renew them there and restart the tasks", option, a.Connector, value)
		}
	}
	v, err := w.Vault()
	if err != nil {
		return Preview{}, err
	}
	health, err := v.Health(ctx)
	if err != nil {
		return Preview{}, err
	}
	if health["sealed"] == true {
		return Preview{}, fmt.Errorf("the Vault is sealed: its key holders must unseal it first; the bot never handles unseal keys")
	}
	return Preview{Text: fmt.Sprintf("%s of %s is replaced; Vault is unsealed", a.UserOption, a.Connector)}, nil
}
