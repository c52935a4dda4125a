// Package redact takes secrets out of text before it leaves the process. Traces, configurations and command output end
// in Slack threads and exported timelines, where a password lives for ever; so both exits pass through here. What is
// needed to understand a failure stays: hosts, users, ordinary words, and references to config providers (KIP-297).
package redact

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Mask replaces a secret.
const Mask = "••••••"

// shortest is the length in bytes below which an exact value is not masked: shorter ones occur in ordinary words.
const shortest = 4

// Text removes what looks like a secret from free text. It is idempotent and takes time linear in the length of s.
func Text(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = pems(s)
	s = tokens(s)
	s = urls(s)
	s = keyed(s)
	return said(s)
}

// Redactor also masks values that are known to be secret, wherever they stand. The zero value knows none.
type Redactor struct {
	exact atomic.Pointer[strings.Replacer]

	mu    sync.Mutex
	known []string
}

// New returns a Redactor for the values given, as they are and as URLs and JSON spell them. Values shorter than four
// bytes are left out: they would eat ordinary words.
func New(values ...string) *Redactor {
	r := &Redactor{}
	r.Learn(values...)
	return r
}

// Learn adds values, as when a password was changed. The old ones stay secret.
func (r *Redactor) Learn(values ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = append(r.known, values...)
	slices.Sort(r.known)
	r.known = slices.Compact(r.known)
	r.exact.Store(replacer(r.known))
}

func replacer(values []string) *strings.Replacer {
	var spelled []string
	for _, v := range values {
		spelled = append(spelled, spellings(v)...)
	}
	slices.SortFunc(spelled, longestFirst)
	spelled = slices.Compact(spelled)
	pairs := make([]string, 0, 2*len(spelled))
	for _, v := range spelled {
		pairs = append(pairs, v, Mask)
	}
	return strings.NewReplacer(pairs...)
}

// Text masks the known values and everything Text finds.
func (r *Redactor) Text(s string) string {
	if r == nil {
		return Text(s)
	}
	if exact := r.exact.Load(); exact != nil {
		s = exact.Replace(s)
	}
	return Text(s)
}

// Config returns a copy of a connector's configuration with secrets masked: those under passwordKeys (what the plugin's
// own ConfigDef types as PASSWORD), those under keys with a secret's name, and known values. A provider reference such
// as ${file:/secrets/postgres:password} names a secret without telling it, and stays.
func (r *Redactor) Config(config map[string]string, passwordKeys []string) map[string]string {
	masked := make(map[string]string, len(config))
	for key, value := range config {
		switch {
		case value == "" || IsReference(value):
			masked[key] = value
		case slices.Contains(passwordKeys, key) || IsSecretKey(key):
			masked[key] = Mask
		default:
			masked[key] = r.Text(value)
		}
	}
	return masked
}

// IsReference says whether value is nothing but references to config providers, ${provider:path:key} or ${NAME}.
func IsReference(value string) bool {
	if value == "" {
		return false
	}
	for value != "" {
		n := reference(value)
		if n == 0 {
			return false
		}
		value = value[n:]
	}
	return true
}

// reference returns the length of the reference that s begins with, or 0. One with a default (:-) may hold a secret
// and is none.
func reference(s string) int {
	const longest = 1024
	if !strings.HasPrefix(s, "${") {
		return 0
	}
	end := strings.IndexByte(s[:min(len(s), longest)], '}')
	if end < 3 {
		return 0
	}
	name := s[2:end]
	if strings.Contains(name, ":-") || strings.ContainsAny(name, " \t\r\n\"'=${") {
		return 0
	}
	return end + 1
}

// spellings are the forms in which a value appears in URLs, query strings and JSON.
func spellings(v string) []string {
	if len(v) < shortest || strings.Contains(v, "•") {
		return nil
	}
	quoted, _ := json.Marshal(v)
	return []string{v, url.QueryEscape(v), url.PathEscape(v), strings.Trim(string(quoted), `"`)}
}

func longestFirst(a, b string) int {
	if len(a) != len(b) {
		return len(b) - len(a)
	}
	return strings.Compare(a, b)
}
