package cassandra

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrNotRead is wrapped by errors about statements that this client does not send.
var ErrNotRead = errors.New("only one SELECT or DESCRIBE is allowed")

// mostStatement bounds a statement, in bytes.
const mostStatement = 64 << 10

// reads are the first words of statements that cannot write.
var reads = map[string]bool{"SELECT": true, "DESCRIBE": true, "DESC": true}

// readOnly returns cql without what stands before and after its one statement. The result starts with a word of reads,
// so that the server cannot read another kind of statement out of it.
func readOnly(cql string) (string, error) {
	if len(cql) > mostStatement {
		return "", fmt.Errorf("cql statement: %d bytes, expected at most %d: %w", len(cql), mostStatement, ErrNotRead)
	}
	if !utf8.ValidString(cql) || strings.ContainsRune(cql, 0) {
		return "", fmt.Errorf("cql statement: it holds bytes that are no text: %w", ErrNotRead)
	}
	begin, end, err := only(cql)
	if err != nil {
		return "", fmt.Errorf("cql statement: %w: %w", err, ErrNotRead)
	}
	statement := cql[begin:end]
	if word := firstWord(statement); !reads[strings.ToUpper(word)] {
		return "", fmt.Errorf("cql statement: it starts with %q: %w", word, ErrNotRead)
	}
	return statement, nil
}

// only finds the one statement in cql: from its first token to its last.
func only(cql string) (begin, end int, err error) {
	begin = -1
	for at, n, closed := 0, 0, false; at < len(cql); at += n {
		var kind byte
		if kind, n, err = token(cql[at:]); err != nil {
			return 0, 0, fmt.Errorf("%w at byte %d", err, at)
		}
		switch {
		case kind == blank, kind == semicolon && begin < 0:
		case kind == semicolon:
			closed = true
		case closed:
			return 0, 0, fmt.Errorf("a second statement follows at byte %d", at)
		default:
			if begin < 0 {
				begin = at
			}
			end = at + n
		}
	}
	if begin < 0 {
		return 0, 0, errors.New("it is empty")
	}
	return begin, end, nil
}

// The kinds of token that matter here.
const (
	blank     = ' ' // white space or a comment
	semicolon = ';'
	content   = 'x' // a word, a quoted piece or a sign
)

// quotes are the ways to quote: what opens, what closes, and what it is. A doubled quote inside closes and opens again,
// which comes to the same.
var quotes = []struct{ open, close, name string }{
	{"'", "'", "text"},
	{`"`, `"`, "name"},
	{"$$", "$$", "text"},
	{"/*", "*/", "comment"},
}

// token returns the kind and the length of the first token of s, which is not empty.
func token(s string) (kind byte, n int, err error) {
	for _, q := range quotes {
		if !strings.HasPrefix(s, q.open) {
			continue
		}
		end := strings.Index(s[len(q.open):], q.close)
		if end < 0 {
			return 0, 0, fmt.Errorf("a %s that begins with %s does not end", q.name, q.open)
		}
		kind = content
		if q.name == "comment" {
			kind = blank
		}
		return kind, len(q.open) + end + len(q.close), nil
	}
	if strings.HasPrefix(s, "--") || strings.HasPrefix(s, "//") {
		if end := strings.IndexAny(s, "\r\n"); end >= 0 {
			return blank, end + 1, nil
		}
		return blank, len(s), nil
	}
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == ';':
		return semicolon, size, nil
	case unicode.IsSpace(r):
		return blank, size, nil
	}
	return content, size, nil
}

// firstWord is what stands before the first rune that cannot be part of a word; that rune alone when there is nothing.
func firstWord(statement string) string {
	end := strings.IndexFunc(statement, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	switch {
	case end < 0:
		end = len(statement)
	case end == 0:
		_, end = utf8.DecodeRuneInString(statement)
	}
	return statement[:min(end, 40)]
}

// identifier folds a name as CQL does.
func identifier(what, name string) (string, error) {
	bad := fmt.Errorf("cassandra %s %q: expected a name, in double quotes where CQL needs them", what, name)
	if strings.HasPrefix(name, `"`) {
		inner := strings.TrimSuffix(name[1:], `"`)
		plain := strings.ReplaceAll(inner, `""`, "")
		if len(inner) != len(name)-2 || inner == "" || strings.Contains(plain, `"`) {
			return "", bad
		}
		return strings.ReplaceAll(inner, `""`, `"`), nil
	}
	if name == "" || firstWord(name) != name {
		return "", bad
	}
	return strings.ToLower(name), nil
}
