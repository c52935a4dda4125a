package commands

import (
	"fmt"
	"strings"
	"unicode"
)

// words splits what a person typed: blanks separate, quotes of any keyboard keep blanks, and --name value or
// --name=value are options. A quote that is never closed is an error that says so.
func words(text string) (list []string, options map[string]string, err error) {
	tokens, err := tokens(text)
	if err != nil {
		return nil, nil, err
	}
	options = map[string]string{}
	for i := 0; i < len(tokens); i++ {
		name, isOption := optionName(tokens[i])
		if !isOption {
			list = append(list, tokens[i].text)
			continue
		}
		name, value, has := strings.Cut(name, "=")
		if !has && i+1 < len(tokens) {
			i++
			value = tokens[i].text
		}
		options[name] = value
	}
	return list, options, nil
}

type token struct {
	text   string
	quoted bool
}

// optionName also takes the long dash that phones make of two short ones.
func optionName(t token) (string, bool) {
	if t.quoted {
		return "", false
	}
	for _, dash := range []string{"--", "—"} {
		if rest, ok := strings.CutPrefix(t.text, dash); ok && rest != "" {
			return rest, true
		}
	}
	return "", false
}

// closing are the quotes that may open a word, with those that end it. Keyboards of phones curl them.
var closing = map[rune]string{'"': `"”“`, '“': `”"“`, '”': `”"`, '\'': `'’`, '‘': `’'`, '«': `»`, '`': "`"}

func tokens(text string) ([]token, error) {
	var list []token
	rest := []rune(text)
	for len(rest) > 0 {
		if unicode.IsSpace(rest[0]) {
			rest = rest[1:]
			continue
		}
		end, quote := closing[rest[0]]
		if !quote {
			n := until(rest, unicode.IsSpace)
			list, rest = append(list, token{text: string(rest[:n])}), rest[n:]
			continue
		}
		n := until(rest[1:], func(r rune) bool { return strings.ContainsRune(end, r) })
		if n == len(rest)-1 {
			return nil, fmt.Errorf("the quote before %q is never closed", string(rest[1:min(len(rest), 20)]))
		}
		list, rest = append(list, token{text: string(rest[1 : 1+n]), quoted: true}), rest[n+2:]
	}
	return list, nil
}

func until(runes []rune, stop func(rune) bool) int {
	for i, r := range runes {
		if stop(r) {
			return i
		}
	}
	return len(runes)
}
