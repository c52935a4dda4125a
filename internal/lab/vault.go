package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// vaultThreshold is how many keys open the lab's Vault; lab/vault makes three.
const vaultThreshold = 2

// VaultBotToken is the token that the bot gets: fetch credentials of one role, list, look up and renew its leases.
func (s Services) VaultBotToken(tb testing.TB) string {
	tb.Helper()
	file := filepath.Join(home(), "run", "vault-bot-token")
	token := readToken(file)
	if token == "" {
		tb.Fatalf("%s holds no token: start the lab's Vault (lab/up.sh vault)", file)
	}
	return token
}

// SealVault seals Vault until UnsealVault or the end of the test. It needs Alone.
func (s Services) SealVault(tb testing.TB) {
	tb.Helper()
	s.mustBeAlone(tb)
	tb.Cleanup(func() { s.UnsealVault(tb) })
	s.askVault(tb, http.MethodPut, "sys/seal", nil)
}

// UnsealVault opens Vault with two of its keys and returns when it works. An open Vault stays open.
func (s Services) UnsealVault(tb testing.TB) {
	tb.Helper()
	s.mustBeAlone(tb)
	file := filepath.Join(home(), "run", "vault-keys")
	text, err := os.ReadFile(filepath.Clean(file))
	lines := strings.Fields(string(text)) // the root token, then a key on each line
	if err != nil || len(lines) < 1+vaultThreshold {
		tb.Fatalf("keys of Vault in %s: %d lines, %v", file, len(lines), err)
	}
	for _, key := range lines[1 : 1+vaultThreshold] {
		s.askVault(tb, http.MethodPut, "sys/unseal", map[string]string{"key": key})
	}
	s.awaitVault(tb)
}

// awaitVault waits until Vault has loaded what it keeps. In a cleanup the test's own context has ended already.
func (s Services) awaitVault(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := askHTTP(ctx, s.Vault+"/v1/sys/health")
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("Vault is not unsealed: %v", err)
		}
	}
}

// VaultAppRole gives the role ID and a fresh secret ID of the AppRole cdcbot, which has the bot's policy.
func (s Services) VaultAppRole(tb testing.TB) (roleID, secretID string) {
	tb.Helper()
	const role = "auth/approle/role/cdcbot/"
	return s.askVault(tb, http.MethodGet, role+"role-id", nil)["role_id"], s.askVault(tb, http.MethodPut, role+"secret-id", nil)["secret_id"]
}

// RevokeLease ends a lease, and with it the login that it stands for.
func (s Services) RevokeLease(tb testing.TB, lease string) {
	tb.Helper()
	s.askVault(tb, http.MethodPut, "sys/leases/revoke", map[string]any{"lease_id": lease, "sync": true})
}

// askVault asks with the tests' token, also in a cleanup, and returns the texts among the answer's data.
func (s Services) askVault(tb testing.TB, method, path string, body any) map[string]string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), 10*time.Second)
	defer cancel()
	answer, err := s.vault(ctx, method, path, body)
	if err != nil {
		tb.Fatalf("asking Vault: %v", err)
	}
	var parsed struct{ Data map[string]any }
	_ = json.Unmarshal(answer, &parsed) // 204 has no body
	texts := map[string]string{}
	for key, value := range parsed.Data {
		if text, ok := value.(string); ok {
			texts[key] = text
		}
	}
	return texts
}

func (s Services) vault(ctx context.Context, method, path string, body any) ([]byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.Vault+"/v1/"+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Vault-Token", s.VaultToken)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if res.StatusCode >= http.StatusBadRequest {
		return nil, fmt.Errorf("%s answered %s: %s", path, res.Status, answer)
	}
	return answer, err
}
