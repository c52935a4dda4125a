package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
)

// tokens gives the token for a request: a fixed one, one from a file, or one that AppRole gave and that is kept until two
// thirds of its life are over.
type tokens struct {
	o     Options
	mount string
	now   func() time.Time

	mutex  sync.Mutex // held while logging in, so that one login serves all
	token  string
	renews time.Time
}

// newTokens checks what New was given.
func newTokens(o Options) (*tokens, error) {
	if o.RoleID != "" && (o.Token != "" || o.TokenFile != "") {
		return nil, errors.New("vault token and vault role_id: expected one of them, not both")
	}
	if o.RoleID != "" && o.SecretID == "" && o.SecretIDFile == "" {
		return nil, errors.New("vault secret_id: missing, though a role_id is given")
	}
	mount, err := clean("mount", cmp.Or(o.Mount, "approle"))
	if err != nil {
		return nil, err
	}
	t := &tokens{o: o, mount: mount, now: o.Now}
	if t.now == nil {
		t.now = time.Now
	}
	return t, nil
}

// get returns a token. fresh asks for another one than the one that was refused.
func (t *tokens) get(ctx context.Context, c *Client, refused string) (string, error) {
	switch {
	case t.o.RoleID != "":
		return t.session(ctx, c, refused)
	case t.o.TokenFile != "":
		return secret("token file", t.o.TokenFile, "")
	case t.o.Token != "":
		return secret("token", "", t.o.Token)
	}
	return "", errors.New("no Vault token is configured; set one of a narrow policy, or a file that holds one")
}

// session logs in when there is no token, it is old, or it was refused.
func (t *tokens) session(ctx context.Context, c *Client, refused string) (string, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.token != "" && t.token != refused && t.now().Before(t.renews) {
		return t.token, nil
	}
	id, err := secret("secret_id file", t.o.SecretIDFile, t.o.SecretID)
	if err != nil {
		return "", err
	}
	at := "auth/" + t.mount + "/login"
	answer, err := c.api.Logical().WriteWithContext(ctx, at, map[string]any{"role_id": t.o.RoleID, "secret_id": id})
	if err != nil {
		return "", c.failed(ctx, "logging in by AppRole", http.MethodPut, at, err, id)
	}
	if answer == nil || answer.Auth == nil || answer.Auth.ClientToken == "" {
		return "", c.strange(ctx, "logging in by AppRole", http.StatusOK, errors.New("no token"))
	}
	life := time.Duration(answer.Auth.LeaseDuration) * time.Second
	if life == 0 { // a token without an end
		life = 24 * time.Hour
	}
	t.token, t.renews = answer.Auth.ClientToken, t.now().Add(life*2/3)
	return t.token, nil
}

// secret reads a file anew, or takes the value.
func secret(what, file, value string) (string, error) {
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("vault %s: %w", what, err)
		}
		value = string(data)
	}
	value = strings.TrimSpace(value)
	if value == "" {
		return "", fmt.Errorf("vault %s %s: empty", what, file)
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("vault %s %s: holds a character that no token has; expected one line", what, file)
	}
	return value, nil
}

// ask makes one request with a token. When the token of an AppRole is refused, it logs in once more: the token may have
// been revoked, or Vault restored from a backup.
func (c *Client) ask(ctx context.Context, what, method, path string, request func(*api.Client) (*api.Secret, error)) (*api.Secret, error) {
	token := ""
	for again := c.tokens.o.RoleID != ""; ; again = false {
		var err error
		if token, err = c.tokens.get(ctx, c, token); err != nil {
			return nil, err
		}
		use := token
		answer, err := request(c.api.WithRequestCallbacks(func(r *api.Request) { r.ClientToken = use }))
		if err == nil {
			return answer, nil
		}
		var e *Error
		if err = c.failed(ctx, what, method, path, err, token); again && errors.As(err, &e) && e.Status == http.StatusForbidden {
			continue
		}
		return nil, err
	}
}
