package redact

import (
	"encoding/base64"
	"strings"
)

// longestKey bounds how far back a name is looked for, which keeps the scan linear.
const longestKey = 128

// harmlessValues say that there is a secret, or none, without telling it.
var harmlessValues = []string{"yes", "no", "true", "false", "null", "none", "nil", "[hidden]", "[redacted]", "<redacted>", "<hidden>", "redacted"}

// pems masks private keys in PEM form (RFC 7468), also with escaped line ends. A truncated one is masked to the end.
func pems(s string) string {
	const begin, end, dashes = "-----BEGIN ", "-----END ", "-----"
	var out writer
	rest := 0
	for {
		i := strings.Index(s[rest:], begin)
		if i < 0 {
			return out.finish(s)
		}
		label := rest + i + len(begin)
		n := strings.Index(s[label:min(len(s), label+64)], dashes)
		if n < 0 || !strings.Contains(s[label:label+n], "PRIVATE KEY") {
			rest = label
			continue
		}
		body := label + n + len(dashes)
		stop := len(s)
		if j := strings.Index(s[body:], end); j >= 0 {
			stop = body + j
		}
		out.mask(s, body, stop)
		rest = stop
	}
}

// shape is a token that is known by how it begins.
type shape struct {
	prefix string
	least  int // bytes after the prefix
	tail   func(byte) bool
	digit  bool // the tail must hold a digit, a dot or a dash; otherwise it may be an ordinary word
}

var shapes = []shape{
	{"xoxb-", 6, isToken, false}, {"xoxp-", 6, isToken, false}, {"xoxa-", 6, isToken, false}, {"xoxs-", 6, isToken, false},
	{"xoxr-", 6, isToken, false}, {"xoxe-", 6, isToken, false}, {"xoxe.", 6, isToken, false}, {"xapp-", 6, isToken, false},
	{"hooks.slack.com/services/", 12, isPath, false},
	{"hvs.", 8, isToken, false}, {"hvb.", 8, isToken, false}, {"hvr.", 8, isToken, false}, // Vault 1.10 and later
	{"AKIA", 12, isUpper, true}, {"ASIA", 12, isUpper, true},
	{"ghp_", 20, isToken, false}, {"gho_", 20, isToken, false}, {"ghs_", 20, isToken, false}, {"github_pat_", 20, isToken, false}, {"glpat-", 16, isToken, false},
	{"eyJ", 24, isToken, true}, // JWT: base64 of {"…
	{"AIza", 30, isToken, false},
	{"Bearer ", 16, isBase64, true}, {"bearer ", 16, isBase64, true}, {"BEARER ", 16, isBase64, true},
}

// tokens masks credentials that are known by their shape, wherever they stand.
func tokens(s string) string {
	for _, sh := range shapes {
		s = sh.replace(s)
	}
	return basic(s)
}

func (sh shape) replace(s string) string {
	var out writer
	for rest := 0; ; {
		i := strings.Index(s[rest:], sh.prefix)
		if i < 0 {
			return out.finish(s)
		}
		from := rest + i
		tail := from + len(sh.prefix)
		stop := tail
		for stop < len(s) && sh.tail(s[stop]) {
			stop++
		}
		if stop-tail >= sh.least && boundary(s, from) && (!sh.digit || strings.ContainsAny(s[tail:stop], "0123456789")) {
			out.mask(s, tail, stop)
		}
		rest = max(stop, tail)
	}
}

// basic masks "Basic dXNlcjpwYXNz": only what decodes to user:password, so that "Basic authentication" stays.
func basic(s string) string {
	const prefix = "asic "
	var out writer
	for rest := 0; ; {
		i := strings.Index(s[rest:], prefix)
		if i < 0 {
			return out.finish(s)
		}
		from := rest + i + len(prefix)
		stop := from
		for stop < len(s) && isBase64(s[stop]) {
			stop++
		}
		if plain, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s[from:stop], "=")); err == nil && strings.Contains(string(plain), ":") {
			out.mask(s, from, stop)
		}
		rest = stop
	}
}

// urls masks the password of scheme://user:password@host, and Oracle's jdbc:oracle:thin:user/password@host.
func urls(s string) string {
	var out writer
	for rest := 0; ; {
		i := strings.Index(s[rest:], "://")
		if i < 0 {
			break
		}
		from := rest + i + len("://")
		stop := from + endOf(s[from:], " \t\r\n\"'<>`")
		if pass, at, ok := userinfo(s[from:stop]); ok && !IsReference(s[from+pass:from+at]) {
			out.mask(s, from+pass, from+at)
			stop = from + at
		}
		rest = stop
	}
	return oracle(out.finish(s))
}

// userinfo finds the password in an authority: from after the colon up to the last @. A slash ends the authority, unless
// what stands between the colon and the slash is no port: then it is a password that nobody escaped.
func userinfo(s string) (pass, at int, ok bool) {
	authority := s[:endOf(s, "/?#")]
	at = strings.LastIndexByte(authority, '@')
	colon := strings.IndexByte(authority, ':')
	if colon < 0 {
		return 0, 0, false
	}
	if at < 0 {
		if isPort(authority[colon+1:]) || strings.HasPrefix(authority, "[") {
			return 0, 0, false
		}
		if at = strings.IndexByte(s, '@'); at >= 0 {
			at = strings.LastIndexByte(s[:at+endOf(s[at:], "/?#")], '@')
		}
	}
	if at <= colon+1 {
		return 0, 0, false
	}
	return colon + 1, at, true
}

func oracle(s string) string {
	const prefix = "jdbc:oracle:"
	var out writer
	for rest := 0; ; {
		i := strings.Index(s[rest:], prefix)
		if i < 0 {
			return out.finish(s)
		}
		from := rest + i + len(prefix)
		stop := from + endOf(s[from:], " \t\r\n\"'<>`")
		slash, at := strings.IndexByte(s[from:stop], '/'), strings.IndexByte(s[from:stop], '@')
		if slash > 0 && at > slash+1 {
			out.mask(s, from+slash+1, from+at)
		}
		rest = stop
	}
}

// keyed masks the value of name=value, name: value, "name": "value", <name>value and --name value where the name is a
// secret's.
func keyed(s string) string {
	var out writer
	for i := 0; i < len(s); {
		switch s[i] {
		case '$':
			i += max(1, reference(s[i:]))
		case '=', ':', '>', ' ':
			i = pair(s, i, &out)
		default:
			i++
		}
	}
	return out.finish(s)
}

// pair looks at the separator at i, masks the value behind it if its name is a secret's, and returns where to go on.
func pair(s string, i int, out *writer) int {
	sep := s[i]
	key, start := nameBefore(s, i, out.from)
	if key == "" || !IsSecretKey(key) || !fits(s, start, sep) {
		return i + 1
	}
	if sep == ':' && prose(s[:start], key) {
		return i + 1
	}
	from := i + 1
	if sep == '=' && from < len(s) && s[from] == '>' {
		from++
	}
	from += spaces(s[from:])
	from, stop, next := value(s, from, key, sep)
	if !harmless(s[from:stop], key) {
		out.mask(s, from, stop)
	}
	return max(next, i+1)
}

// fits says whether what stands before a name suits the separator: <name> and --name are only such with their marks.
func fits(s string, start int, sep byte) bool {
	switch sep {
	case '>':
		return start > 0 && s[start-1] == '<'
	case ' ':
		return strings.HasSuffix(s[:start], "--") && (start == 2 || s[start-3] <= ' ')
	}
	return !strings.HasSuffix(s[:start], "<")
}

// nameBefore returns the name that ends before the separator at i, and where it begins. It does not look behind floor.
func nameBefore(s string, i, floor int) (string, int) {
	low := max(floor, i-longestKey)
	end := i
	for s[i] != ' ' && end > low && (s[end-1] == ' ' || s[end-1] == '\t') {
		end--
	}
	for end > low && strings.IndexByte("\"'`\\]", s[end-1]) >= 0 {
		end--
	}
	start := end
	for start > low && isName(s[start-1]) {
		start--
	}
	for start < end && s[start] == '-' { // the dashes of --name are no part of it
		start++
	}
	return s[start:end], start
}

// prose says whether "token:" or "password:" is part of a sentence about syntax, as parsers write them.
func prose(before, key string) bool {
	if !strings.EqualFold(key, "token") && !strings.EqualFold(key, "tokens") {
		return false
	}
	before = strings.ToLower(strings.TrimRight(before[max(0, len(before)-24):], " "))
	for _, w := range []string{"unexpected", "unrecognized", "unknown", "illegal", "invalid", "next", "current"} {
		if strings.HasSuffix(before, w) {
			return true
		}
	}
	return false
}

// value finds the value that begins at from: [from, stop) is masked, and the scan goes on at next.
func value(s string, from int, key string, sep byte) (_, stop, next int) {
	rest := s[from:]
	if quote, n := quoteAt(rest); n > 0 {
		from += n
		stop = from + closing(s[from:], quote)
		return from, stop, stop
	}
	switch {
	case sep == '>':
		stop = from + endOf(rest, "<\r\n")
	case hasAnySuffix(flatten(key), wholeLine):
		stop = from + endOf(rest, ";\r\n\"")
	default:
		if n := reference(rest); n > 0 {
			return from, from + n, from + n
		}
		stop = from + endOf(rest, " \t\r\n,;&)]}<>\"'")
	}
	return from, stop, stop
}

// quoteAt returns the quote that s begins with, escaped or not, and its length.
func quoteAt(s string) (string, int) {
	for _, q := range []string{`\\\"`, `\"`, `"`, `'`, "`"} {
		if strings.HasPrefix(s, q) {
			return q, len(q)
		}
	}
	return "", 0
}

// closing returns the length of a quoted value: up to the same quote, not escaped further, or else to the line's end.
func closing(s, quote string) int {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\r' || s[i] == '\n' || strings.HasPrefix(s[i:], quote):
			return i
		case s[i] == '\\':
			i++
		}
	}
	return len(s)
}

func harmless(v, key string) bool {
	if v == "" || IsReference(v) || strings.Trim(v, "*•") == "" {
		return true
	}
	for _, h := range harmlessValues {
		if strings.EqualFold(v, h) {
			return true
		}
	}
	return key == "PWD" && v[0] == '/' // the shell's working directory
}

// said masks the quoted secret of SQL such as ALTER ROLE x PASSWORD 'y' and IDENTIFIED BY 'y'.
func said(s string) string {
	var out writer
	for rest := 0; ; {
		i := strings.IndexByte(s[rest:], '\'')
		if i < 0 {
			return out.finish(s)
		}
		from := rest + i + 1
		before := strings.ToLower(strings.TrimRight(s[max(0, from-40):from-1], " "))
		if !strings.HasSuffix(before, " password") && !strings.HasSuffix(before, "identified by") {
			rest = from
			continue
		}
		n := closing(s[from:], "'")
		if !harmless(s[from:from+n], "") {
			out.mask(s, from, from+n)
		}
		rest = min(len(s), from+n+1)
	}
}

// writer copies a string while replacing parts of it. It allocates only when there is something to replace.
type writer struct {
	b    strings.Builder
	from int // what stands before it has been written
}

func (w *writer) mask(s string, from, to int) {
	w.b.WriteString(s[w.from:from])
	w.b.WriteString(Mask)
	w.from = to
}

func (w *writer) finish(s string) string {
	if w.from == 0 && w.b.Len() == 0 {
		return s
	}
	w.b.WriteString(s[w.from:])
	return w.b.String()
}

// endOf returns the index of the first byte of s that is in stops, or its length.
func endOf(s, stops string) int {
	if i := strings.IndexAny(s, stops); i >= 0 {
		return i
	}
	return len(s)
}

func spaces(s string) int {
	return len(s) - len(strings.TrimLeft(s, " \t"))
}

func boundary(s string, i int) bool {
	return i == 0 || !isAlnum(s[i-1]) && s[i-1] != '_'
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isUpper(c byte) bool  { return 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' }
func isName(c byte) bool   { return isAlnum(c) || c == '.' || c == '_' || c == '-' }
func isToken(c byte) bool  { return isName(c) }
func isPath(c byte) bool   { return isName(c) || c == '/' }
func isBase64(c byte) bool { return isName(c) || c == '+' || c == '/' || c == '=' || c == '~' }

func isPort(s string) bool {
	return len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}
