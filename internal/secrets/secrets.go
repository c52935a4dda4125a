// Package secrets takes the bot's own secrets from HashiCorp Vault and keeps them good: it logs in by a token, an AppRole
// or the service account of a pod, reads KV of both versions and dynamic credentials, renews leases and the login as long
// as Vault lets it, and fetches anew what cannot be renewed. When Vault is away what was read stays in use. It exists so
// that no file and no environment variable has to hold a password; package vault of the targets looks at the Vault of a
// pipeline, which may be another one.
package secrets

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
	"go.uber.org/zap"
)

// Options say where Vault is and how to log in: exactly one of Token, TokenFile, RoleID and Role is needed.
type Options struct {
	URL       string
	Namespace string        // of Vault Enterprise
	CAFile    string        // PEM; the system's authorities when empty
	Token     string        // of a narrow policy
	TokenFile string        // read anew at every login; wins over Token
	RoleID    string        // of an AppRole
	SecretID  string        // of the AppRole
	Role      string        // of Kubernetes: the pod's service account
	JWTFile   string        // of Kubernetes: the service account's token, read anew at every login
	Mount     string        // of the way to log in; approle or kubernetes when empty
	Refresh   time.Duration // how often values without a lease are read again; 5 min when zero
	Timeout   time.Duration // for one call; 10 s when zero
	Log       *zap.Logger   // nil logs nothing
}

// Vault is a login and what was read with it. It is safe for concurrent use.
type Vault struct {
	options Options
	api     *api.Client

	mu    sync.Mutex
	told  func(path string, value func(field string) string) // nil for nobody
	auth  *api.Secret                                        // of our login; nil for a token that somebody else gave
	paths map[string]*read
}

// read is what one path gave.
type read struct {
	secret *api.Secret
	values map[string]string
}

// ErrNoValue means that Vault has no such path, or no such field in it.
var ErrNoValue = errors.New("there is no such value")

// New checks the options. It does not connect.
func New(o Options) (*Vault, error) {
	o.Refresh, o.Timeout = cmp.Or(o.Refresh, 5*time.Minute), cmp.Or(o.Timeout, 10*time.Second)
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	transport, err := newTransport(o.CAFile)
	if err != nil {
		return nil, err
	}
	client, err := api.NewClient(&api.Config{
		Address: strings.TrimRight(o.URL, "/"), Timeout: o.Timeout, MaxRetries: 1,
		HttpClient: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	})
	if err != nil {
		return nil, fmt.Errorf("vault.url: %w", err)
	}
	client.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
	client.ClearToken() // VAULT_TOKEN of the environment is somebody else's
	if o.Namespace != "" {
		client.SetNamespace(o.Namespace)
	}
	return &Vault{options: o, api: client, paths: map[string]*read{}}, nil
}

func newTransport(authorities string) (*http.Transport, error) {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	if authorities == "" {
		return t, nil
	}
	pem, err := os.ReadFile(filepath.Clean(authorities))
	if err != nil {
		return nil, fmt.Errorf("vault.ca_file: %w", err)
	}
	t.TLSClientConfig.RootCAs = x509.NewCertPool()
	if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("vault.ca_file %s: no certificate in it; expected PEM", authorities)
	}
	return t, nil
}

// Login logs in. Errors name the key to mend and hold no secret.
func (v *Vault) Login(ctx context.Context) error {
	path, body, err := v.credentials()
	if err != nil {
		return err
	}
	if path == "" {
		return nil
	}
	answer, err := v.api.Logical().WriteWithContext(ctx, path, body)
	if err != nil {
		return fmt.Errorf("logging in to Vault at %s: %w", path, v.plain(err))
	}
	if answer == nil || answer.Auth == nil || answer.Auth.ClientToken == "" {
		return fmt.Errorf("logging in to Vault at %s: it gave no token", path)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.auth = answer
	v.api.SetToken(answer.Auth.ClientToken)
	return nil
}

// credentials are where and with what to log in; no path means that a token is there already.
func (v *Vault) credentials() (path string, body map[string]any, err error) {
	o := v.options
	switch {
	case o.RoleID != "":
		return "auth/" + cmp.Or(o.Mount, "approle") + "/login", map[string]any{"role_id": o.RoleID, "secret_id": o.SecretID}, nil
	case o.Role != "":
		jwt, err := line(o.JWTFile)
		if err != nil {
			return "", nil, fmt.Errorf("vault.kubernetes_token_file: %w", err)
		}
		return "auth/" + cmp.Or(o.Mount, "kubernetes") + "/login", map[string]any{"role": o.Role, "jwt": jwt}, nil
	}
	token := o.Token
	if o.TokenFile != "" {
		if token, err = line(o.TokenFile); err != nil {
			return "", nil, fmt.Errorf("vault.token_file: %w", err)
		}
	}
	if token == "" {
		return "", nil, errors.New("vault.token: missing; expected a token, an AppRole or a role of Kubernetes")
	}
	v.api.SetToken(token)
	return "", nil, nil
}

func line(file string) (string, error) {
	text, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(text)), nil
}

// Get is a value as it is now. A path is read once, so that a user name and its password are of one lease.
func (v *Vault) Get(ctx context.Context, path, field string) (string, error) {
	v.mu.Lock()
	r := v.paths[path]
	v.mu.Unlock()
	if r == nil {
		var err error
		if r, err = v.fetch(ctx, path); err != nil {
			return "", err
		}
	}
	value, ok := r.values[field]
	if !ok {
		return "", fmt.Errorf("vault:%s#%s: %w", path, field, ErrNoValue)
	}
	return value, nil
}

// Now is Get without asking: what was read last, "" when nothing was.
func (v *Vault) Now(path, field string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if r := v.paths[path]; r != nil {
		return r.values[field]
	}
	return ""
}

// Tell has somebody told what a path gives from now on, before anybody uses it: who masks secrets must know them first.
// Tell must not call v.
func (v *Vault) Tell(tell func(path string, value func(field string) string)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.told = tell
}

// fetch reads a path and keeps what it gave.
func (v *Vault) fetch(ctx context.Context, path string) (*read, error) {
	where, versioned := v.place(ctx, path)
	answer, err := v.api.Logical().ReadWithContext(ctx, where)
	if err != nil {
		return nil, fmt.Errorf("reading vault:%s: %w", path, v.plain(err))
	}
	if answer == nil || answer.Data == nil {
		return nil, fmt.Errorf("vault:%s: %w", path, ErrNoValue)
	}
	data := answer.Data
	if versioned {
		if data, _ = data["data"].(map[string]any); data == nil { // its newest version was deleted
			return nil, fmt.Errorf("vault:%s: %w", path, ErrNoValue)
		}
	}
	r := &read{secret: answer, values: map[string]string{}}
	for field, value := range data {
		if text, ok := value.(string); ok {
			r.values[field] = text
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.told != nil {
		v.told(path, func(field string) string { return r.values[field] })
	}
	v.paths[path] = r
	return r, nil
}

// place is where a path is read, and whether its values have versions: KV 2 keeps them below data/, which people leave
// out as the vault command does. What Vault does not tell is read as it is written.
func (v *Vault) place(ctx context.Context, path string) (where string, versioned bool) {
	about, err := v.api.Logical().ReadWithContext(ctx, "sys/internal/ui/mounts/"+path)
	if err != nil || about == nil {
		return path, strings.Contains(path, "/data/")
	}
	mount, _ := about.Data["path"].(string)
	options, _ := about.Data["options"].(map[string]any)
	if options["version"] != "2" || !strings.HasPrefix(path, mount) {
		return path, false
	}
	return mount + "data/" + strings.TrimPrefix(strings.TrimPrefix(path, mount), "data/"), true
}

// plain is an error of Vault without what the request carried.
func (v *Vault) plain(err error) error {
	var answer *api.ResponseError
	if !errors.As(err, &answer) {
		return err
	}
	said := strings.Join(strings.Fields(strings.Join(answer.Errors, "; ")), " ")
	for _, secret := range []string{v.options.Token, v.options.SecretID} {
		if secret != "" {
			said = strings.ReplaceAll(said, secret, "…")
		}
	}
	return fmt.Errorf("Vault answered %d: %s", answer.StatusCode, cmp.Or(said, "nothing more")) //nolint:staticcheck // a name
}
