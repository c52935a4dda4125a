package vault

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// stand is a Vault of recorded answers: what Vault 1.21.1 of the lab said, word by word, over leases in memory.
type stand struct {
	mutex  sync.Mutex
	sealed bool
	count  int
	leases map[string]held
	tokens map[string]bool // of the bot's policy, beside the two fixed ones
}

// held is one lease.
type held struct {
	username, password string
	born               time.Time
	ttl, longest       time.Duration
}

var ttls = map[string][2]time.Duration{
	writer: {24 * time.Hour, 72 * time.Hour}, brief: {10 * time.Second, 30 * time.Second}, fixed: {time.Minute, time.Minute},
}

const (
	botToken, testsToken = "hvs.CAESIbot", "hvs.CAESItests"
	roleID, secretID     = "1b38a6b8-cf67-134b-aa44-b1e1ed693fd8", "af9fd82c-8e49-5708-659b-0f2a71741c2f"
)

func recorded(t *testing.T) world {
	s := &stand{leases: map[string]held{}, tokens: map[string]bool{}}
	return world{
		url: serveAt(t, s), bot: botToken, tests: testsToken,
		revoke:  s.revoke,
		login:   s.login,
		appRole: func(*testing.T) (string, string) { return roleID, secretID },
		seal:    func() { s.mutex.Lock(); s.sealed = true; s.mutex.Unlock() },
	}
}

func (s *stand) revoke(lease string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.leases, lease)
}

func (s *stand) login(_ context.Context, username, password string) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, l := range s.leases {
		if l.username == username && l.password == password {
			return nil
		}
	}
	return errors.New("password authentication failed (SQLSTATE 28P01)")
}

// ServeHTTP implements http.Handler.
func (s *stand) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	w.Header().Set("Content-Type", "application/json")
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	if path == "sys/health" {
		fmt.Fprint(w, s.health(w, r))
		return
	}
	status, body := s.answer(r, path)
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

// health answers 503 while sealed, unless the query asks for another status.
func (s *stand) health(w http.ResponseWriter, r *http.Request) string {
	if s.sealed && r.URL.Query().Get("sealedcode") != "200" {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	return fmt.Sprintf(`{"initialized":true,"sealed":%t,"standby":%t,"performance_standby":false,"replication_performance_mode":"disabled","replication_dr_mode":"disabled","server_time_utc":1795396109,"version":"1.21.1","enterprise":false,"cluster_name":"vault-cluster-41281127","cluster_id":"1b1e1d2f-e2fa-e0b8-2c76-0e3e1afa6c4c","echo_duration_ms":0,"clock_skew_ms":0,"replication_primary_canary_age_ms":0}`, s.sealed, s.sealed)
}

func (s *stand) answer(r *http.Request, path string) (int, string) {
	token := r.Header.Get("X-Vault-Token")
	switch {
	case s.sealed:
		return 503, `{"errors":["Vault is sealed"]}`
	case path == "auth/approle/login":
		return s.appRoleLogin(r)
	case token != testsToken && token != botToken && !s.tokens[token]:
		return 403, `{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}`
	case token != testsToken && !botMay(r, path):
		return 403, `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`
	case path == "sys/leases/lookup" || path == "sys/leases/renew":
		return s.lease(r, path)
	case strings.HasPrefix(path, "sys/leases/lookup/"):
		return s.list(strings.TrimPrefix(path, "sys/leases/lookup/"))
	case strings.HasPrefix(path, "database/creds/"):
		return s.credentials(path)
	case path == "secret/data/cdc/postgres":
		return 200, `{"request_id":"92988252-5276-9037-b95b-0430308215f6","lease_id":"","renewable":false,"lease_duration":0,"data":{"data":{"database":"warehouse","password":"sink","username":"sink"},"metadata":{"created_time":"2026-11-23T07:36:39.164295168Z","custom_metadata":null,"deletion_time":"","destroyed":false,"version":4}},"wrap_info":null,"warnings":null,"auth":null,"mount_type":"kv"}`
	}
	return 404, fmt.Sprintf(`{"errors":["no handler for route \"%s\". route entry not found."]}`, path)
}

// botMay is the bot's policy in the lab.
func botMay(r *http.Request, path string) bool {
	list := r.URL.Query().Get("list") == "true"
	return r.Method == http.MethodGet && !list && path == writer || list && path == "sys/leases/lookup/"+writer ||
		r.Method == http.MethodPut && (path == "sys/leases/lookup" || path == "sys/leases/renew")
}

func (s *stand) appRoleLogin(r *http.Request) (int, string) {
	var body struct {
		Role   string `json:"role_id"`
		Secret string `json:"secret_id"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.Role != roleID || body.Secret != secretID {
		return 400, `{"errors":["invalid role or secret ID"]}`
	}
	s.count++
	token := fmt.Sprintf("hvs.CAESIlogin%d", s.count)
	s.tokens[token] = true
	return 200, fmt.Sprintf(`{"request_id":"5c8d","lease_id":"","renewable":false,"lease_duration":0,"data":null,"wrap_info":null,"warnings":null,"auth":{"client_token":%q,"accessor":"UfC9H38Ia3TL9H0zpZpCkS3r","policies":["cdcbot","default"],"token_policies":["cdcbot","default"],"metadata":{"role_name":"cdcbot"},"lease_duration":3600,"renewable":true,"entity_id":"","token_type":"service","orphan":true},"mount_type":"approle"}`, token)
}

func (s *stand) credentials(path string) (int, string) {
	life, known := ttls[path]
	if !known {
		return 400, fmt.Sprintf(`{"errors":["unknown role: %s"]}`, strings.TrimPrefix(path, "database/creds/"))
	}
	s.count++
	id := fmt.Sprintf("%s/hEzKsOnDenNHeNYVG3VS%04d", path, s.count)
	l := held{fmt.Sprintf("v-token-cd-postgres-%d", s.count), fmt.Sprintf("pass-%d", s.count), time.Now(), life[0], life[1]}
	s.leases[id] = l
	return 200, fmt.Sprintf(`{"request_id":"ddd2c1b1-f4be-ae42-86d5-1b9be468d6c2","lease_id":%q,"renewable":true,"lease_duration":%d,"data":{"password":%q,"username":%q},"wrap_info":null,"warnings":null,"auth":null,"mount_type":"database"}`, id, int(l.ttl.Seconds()), l.password, l.username)
}

func (s *stand) lease(r *http.Request, path string) (int, string) {
	var body struct {
		Lease     string `json:"lease_id"`
		Increment int    `json:"increment"`
	}
	text, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(text, &body); err != nil {
		return 400, `{"errors":["failed to parse JSON input"]}`
	}
	l, ok := s.leases[body.Lease]
	if path == "sys/leases/lookup" {
		if !ok {
			return 400, `{"errors":["invalid lease"]}`
		}
		left := l.ttl - time.Since(l.born)
		return 200, fmt.Sprintf(`{"request_id":"eaf0d0ed-45d7-4898-183a-d89f529c02c2","lease_id":"","renewable":false,"lease_duration":0,"data":{"expire_time":"2026-11-23T07:40:19.507702255Z","id":%q,"issue_time":"2026-11-23T07:40:09.507701824Z","last_renewal":null,"renewable":true,"ttl":%d},"wrap_info":null,"warnings":null,"auth":null,"mount_type":"system"}`, body.Lease, int(left.Seconds()))
	}
	if !ok {
		return 400, `{"errors":["lease not found"]}`
	}
	left := min(l.ttl, l.longest-time.Since(l.born)).Round(time.Second)
	return 200, fmt.Sprintf(`{"request_id":"a8fe80f7-43d9-d8bf-83f7-c07dcc775053","lease_id":%q,"renewable":true,"lease_duration":%d,"data":null,"wrap_info":null,"warnings":null,"auth":null,"mount_type":"system"}`, body.Lease, int(left.Seconds()))
}

// list answers the names right below a prefix, folders with a slash at the end.
func (s *stand) list(prefix string) (int, string) {
	names := map[string]bool{}
	for id := range s.leases {
		if rest, below := strings.CutPrefix(id, strings.TrimSuffix(prefix, "/")+"/"); below {
			name, _, deeper := strings.Cut(rest, "/")
			names[name+map[bool]string{true: "/"}[deeper]] = true
		}
	}
	if len(names) == 0 {
		return 404, `{"errors":[]}`
	}
	keys, err := json.Marshal(slices.SortedFunc(maps.Keys(names), cmp.Compare))
	if err != nil {
		return 500, err.Error()
	}
	return 200, fmt.Sprintf(`{"request_id":"aa6580fa-f9c0-2b4d-c357-7838a479e744","lease_id":"","renewable":false,"lease_duration":0,"data":{"keys":%s},"wrap_info":null,"warnings":null,"auth":null,"mount_type":"system"}`, keys)
}
