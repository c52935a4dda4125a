package runbook

import (
	"strings"

	"cdcbot/internal/action"
)

// compileVault knows what people do with leases; everything about keys, tokens and secrets stays with people.
func compileVault(c command) (action.Action, []Finding, bool) {
	words := operands(c.words[1:], "-address", "-namespace", "-format", "-field", "-increment")
	verb := strings.Join(words[:min(2, len(words))], " ")
	switch {
	case verb == "status" || strings.HasPrefix(verb, "status "):
		return action.Fetch{What: "vault.health", System: c.on, Path: "/v1/sys/health", Pipe: c.pipe}, checkPipe(c), false
	case verb == "lease renew" && len(words) == 3:
		return action.RenewLease{On: c.on, Lease: words[2]}, nil, false
	case len(words) == 2 && words[0] == "read" && strings.Contains(words[1], "/creds/"):
		return action.Credentials{On: c.on, Path: words[1]}, []Finding{c.finding("note", "credentials-shown", "vault read prints the password; the bot fetches credentials and puts them into the connector's configuration without showing them")}, false
	case words != nil && words[0] == "operator" && len(words) > 1 && words[1] == "unseal":
		return nil, []Finding{c.finding("note", "unseal-keys", "stays a manual step: unseal keys belong to their holders; the bot never handles them")}, false
	}
	return nil, []Finding{c.unknown("the bot only renews leases, fetches database credentials and reads the health of Vault")}, false
}

// leaseInput is the blank at the end of a lease: database/creds/postgresql-writer/<lease_id>. Vault can be asked for it.
func leaseInput(a action.Action) (name, prefix string, ok bool) {
	renew, is := a.(action.RenewLease)
	if !is {
		return "", "", false
	}
	m := hidden.FindAllStringSubmatchIndex(renew.Lease, -1)
	if len(m) != 1 || m[0][1] != len(renew.Lease) {
		return "", "", false
	}
	return renew.Lease[m[0][2]:m[0][3]], strings.TrimSuffix(renew.Lease[:m[0][0]], "/"), true
}
