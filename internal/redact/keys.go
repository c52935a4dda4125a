package redact

import "strings"

// secretEnds are the ends of names that hold secrets, written without separators.
var secretEnds = []string{
	"password", "passwd", "passphrase", "passcode", "secret", "token", "apikey", "accesskey", "secretkey", "secretaccesskey",
	"privatekey", "sharedkey", "signingkey", "encryptionkey", "accountkey", "masterkey", "storagekey", "credential", "credentials",
	"jaasconfig", "userinfo", "authorization", "cookie", "sessionid", "licensekey",
	// These are of type PASSWORD in Kafka's own SslConfigs.
	"keystorekey", "keystorecertificatechain", "truststorecertificates",
}

// secretWords hold secrets only as a whole segment of a name: "pass" is also the end of "bypass".
var secretWords = []string{"pass", "pwd", "pw", "creds"}

// harmlessEnds are ends of names that speak of a secret without holding it.
var harmlessEnds = []string{
	"file", "path", "location", "length", "policy", "encoder", "provider", "enabled", "required", "type", "algorithm",
	"iterations", "timeout", "ms", "seconds", "url", "uri", "name", "ref", "class", "alias", "expiry", "source", "count", "encryption",
}

// wholeLine are names whose value contains spaces.
var wholeLine = []string{"jaasconfig", "authorization", "cookie"}

// IsSecretKey says whether a configuration key, header or parameter of this name holds a secret.
func IsSecretKey(key string) bool {
	flat := flatten(key)
	flat = strings.TrimRight(flat, "0123456789")
	if flat == "" {
		return false
	}
	if hasAnySuffix(flat, secretEnds) {
		return true
	}
	if hasAnySuffix(flat, harmlessEnds) {
		return false
	}
	return strings.Contains(flat, "password") || endsInWord(key)
}

func endsInWord(key string) bool {
	last := key
	if i := strings.LastIndexAny(key, "._-"); i >= 0 {
		last = key[i+1:]
	}
	for _, w := range secretWords {
		if strings.EqualFold(last, w) || strings.HasSuffix(last, strings.ToUpper(w[:1])+w[1:]) {
			return true
		}
	}
	return false
}

// flatten folds case and drops the separators of a name: "API-Key", "api.key" and "apiKey" are one.
func flatten(key string) string {
	var b strings.Builder
	b.Grow(len(key))
	for i := range len(key) {
		switch c := key[i]; {
		case c == '.' || c == '_' || c == '-':
		case 'A' <= c && c <= 'Z':
			b.WriteByte(c + 'a' - 'A')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func hasAnySuffix(s string, ends []string) bool {
	for _, e := range ends {
		if strings.HasSuffix(s, e) {
			return true
		}
	}
	return false
}
