package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// Leases lists the IDs of the leases under a prefix such as "database/creds/postgresql-writer", whole and sorted as Vault
// sorts them. None is no error; more than 10,000 are. The policy must allow list and sudo on sys/leases/lookup/PREFIX/.
// Errors are *Error, or say what is wrong with the prefix.
func (c *Client) Leases(ctx context.Context, prefix string) ([]string, error) {
	prefix, err := clean("prefix", prefix)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.leases(ctx, prefix, 0, nil)
}

// leases adds those under a prefix. A key that ends with a slash is a folder of further leases.
func (c *Client) leases(ctx context.Context, prefix string, depth int, list []string) ([]string, error) {
	what, at := "leases of "+prefix, "sys/leases/lookup/"+prefix
	secret, err := c.ask(ctx, what, "LIST", at, func(v *api.Client) (*api.Secret, error) {
		return v.Logical().ListWithContext(ctx, at)
	})
	if err != nil || secret == nil { // Vault answers 404 when there is none
		return list, err
	}
	keys, ok := secret.Data["keys"].([]any)
	if !ok {
		return nil, c.strange(ctx, what, http.StatusOK, errors.New("no list of keys"))
	}
	for _, key := range keys {
		name, _ := key.(string)
		folder, isFolder := strings.CutSuffix(name, "/")
		switch {
		case isFolder && depth < deepest:
			if list, err = c.leases(ctx, prefix+"/"+folder, depth+1, list); err != nil {
				return nil, err
			}
		case !isFolder && name != "":
			list = append(list, prefix+"/"+name)
		}
		if len(list) > mostLeases {
			return nil, fmt.Errorf("%s: there are more than %d; name a longer prefix", what, mostLeases)
		}
	}
	return list, nil
}

// Lookup tells how long a lease still lives, in whole seconds, and whether it can be renewed. A lease that has ended is an
// *Error with reason Missing.
func (c *Client) Lookup(ctx context.Context, lease string) (ttl time.Duration, renewable bool, err error) {
	lease, err = clean("lease", lease)
	if err != nil {
		return 0, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	what := "lease " + lease
	secret, err := c.ask(ctx, what, http.MethodPut, "sys/leases/lookup", func(v *api.Client) (*api.Secret, error) {
		return v.Sys().LookupWithContext(ctx, lease)
	})
	if err != nil {
		return 0, false, err
	}
	if secret == nil {
		return 0, false, c.strange(ctx, what, http.StatusOK, errors.New("nothing in it"))
	}
	number, ok := secret.Data["ttl"].(json.Number)
	seconds, err := number.Int64()
	if !ok || err != nil {
		return 0, false, c.strange(ctx, what, http.StatusOK, errors.New("no number ttl"))
	}
	renewable, _ = secret.Data["renewable"].(bool)
	return time.Duration(seconds) * time.Second, renewable, nil
}

// Renew extends a lease by what its role gives and returns how long it lives now: less than before the role's TTL when
// the lease nears its longest life. A lease that has ended is an *Error with reason Missing.
func (c *Client) Renew(ctx context.Context, lease string) (time.Duration, error) {
	lease, err := clean("lease", lease)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	what := "renewing lease " + lease
	secret, err := c.ask(ctx, what, http.MethodPut, "sys/leases/renew", func(v *api.Client) (*api.Secret, error) {
		return v.Sys().RenewWithContext(ctx, lease, 0)
	})
	if err != nil {
		return 0, err
	}
	if secret == nil || secret.LeaseID != lease {
		return 0, c.strange(ctx, what, http.StatusOK, errors.New("another lease, or none"))
	}
	return time.Duration(secret.LeaseDuration) * time.Second, nil
}

// Credentials fetches fresh dynamic credentials from a path such as "database/creds/postgresql-writer". Every call makes a
// login and a lease of its own. Errors never hold the password.
func (c *Client) Credentials(ctx context.Context, at string) (username, password, lease string, ttl time.Duration, err error) {
	at, err = clean("path", at)
	if err != nil {
		return "", "", "", 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	what := "credentials of " + at
	secret, err := c.ask(ctx, what, http.MethodGet, at, func(v *api.Client) (*api.Secret, error) {
		return v.Logical().ReadWithContext(ctx, at)
	})
	if err != nil {
		return "", "", "", 0, err
	}
	if secret == nil {
		return "", "", "", 0, &Error{Address: c.host, What: what, Status: http.StatusNotFound, reason: Missing, text: "has nothing there"}
	}
	username, _ = secret.Data["username"].(string)
	password, _ = secret.Data["password"].(string)
	if username == "" || password == "" || secret.LeaseID == "" {
		return "", "", "", 0, &Error{Address: c.host, What: what, Status: http.StatusOK, reason: Missing,
			text: "gives no login with a lease there; expected a path of dynamic credentials such as database/creds/postgresql-writer"}
	}
	return username, password, secret.LeaseID, time.Duration(secret.LeaseDuration) * time.Second, nil
}

// Expiry is when leases end.
type Expiry struct {
	Lease  string        // the one that ends first; "" when there is none
	In     time.Duration // until then, in whole seconds; negative when its end is overdue
	Leases int           // how many there are
	Looked int           // how many were looked up; fewer than Leases when there are more than 200
}

// String is the expiry for people.
func (e Expiry) String() string {
	count := fmt.Sprintf("%d leases", e.Leases)
	switch {
	case e.Leases == 0:
		return "no leases"
	case e.Lease == "":
		return count + ", which have just ended"
	case e.Leases == 1:
		return fmt.Sprintf("one lease, %s, which ends in %s", e.Lease, e.In)
	case e.Looked < e.Leases:
		count += fmt.Sprintf(" (%d looked up)", e.Looked)
	}
	return fmt.Sprintf("%s, of which %s ends first, in %s", count, e.Lease, e.In)
}

// Expiring tells which lease under a prefix ends first. A lease that ends while we look is left out. Errors as those of
// Leases and Lookup.
func (c *Client) Expiring(ctx context.Context, prefix string) (Expiry, error) {
	leases, err := c.Leases(ctx, prefix)
	if err != nil {
		return Expiry{}, err
	}
	soonest := Expiry{Leases: len(leases), Looked: min(len(leases), mostLooks)}
	for _, lease := range leases[:soonest.Looked] {
		ttl, _, err := c.Lookup(ctx, lease)
		var e *Error
		if errors.As(err, &e) && e.Reason() == Missing {
			continue
		}
		if err != nil {
			return Expiry{}, err
		}
		if soonest.Lease == "" || ttl < soonest.In {
			soonest.Lease, soonest.In = lease, ttl
		}
	}
	return soonest, nil
}

// clean checks a path within Vault: it becomes part of a URL, where dots would lead elsewhere.
func clean(field, value string) (string, error) {
	at := strings.Trim(value, "/")
	bad := strings.ContainsFunc(at, func(r rune) bool {
		return r <= ' ' || r == 0x7f || r == '?' || r == '#' || r == '%' || r == '*' || r == '\uFFFD'
	})
	if at == "" || bad || path.Clean(at) != at || at == ".." || strings.HasPrefix(at, "../") {
		return "", fmt.Errorf("vault %s %q: expected a path such as database/creds/postgresql-writer", field, value)
	}
	return at, nil
}
