package timeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	longestText = 256 << 10 // bytes of one text; the rest is cut, and the event says so
	longestKey  = 1 << 10   // bytes of an idempotency key
)

// clean makes an event that can be hashed, stored and exported: valid UTF-8, canonical data, no secrets.
func (l *Log) clean(e Event) (Event, error) {
	if !isID(e.Incident) {
		return e, fmt.Errorf("incident %q; expected an ID such as INC-7", e.Incident)
	}
	if e.Type == "" {
		return e, errors.New(`type is empty; expected one such as "note.added"`)
	}
	if len(e.Key) > longestKey {
		return e, fmt.Errorf("key of %d bytes; expected at most %d", len(e.Key), longestKey)
	}
	e.Type, e.Key = Type(valid(string(e.Type))), valid(e.Key)
	e.Actor = Actor{Kind: valid(e.Actor.Kind), ID: valid(e.Actor.ID), Name: l.text(e.Actor.Name)}
	e.Text = l.text(e.Text)
	data, err := l.data(e.Data)
	e.Data = data
	return e, err
}

// isID says whether an incident's ID is safe in a key: it is the hash tag.
func isID(s string) bool {
	strange := func(c rune) bool {
		return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-'
	}
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, strange)
}

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// text redacts, repairs and bounds one text.
func (l *Log) text(s string) string {
	if l.Redact != nil {
		s = l.Redact(s)
	}
	return clip(valid(s))
}

func clip(s string) string {
	if len(s) <= longestText {
		return s
	}
	end := longestText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes cut)", s[:end], len(s)-end)
}

// data is canonical JSON with every text redacted; nothing and null are nil.
func (l *Log) data(raw json.RawMessage) (json.RawMessage, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, nil
	}
	v, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	if v == nil {
		return nil, nil
	}
	return encode(l.walk("", v))
}

// walk redacts every text in parsed JSON. name is the key that a text stands under.
func (l *Log) walk(name string, v any) any {
	switch x := v.(type) {
	case string:
		return l.named(name, x)
	case []any:
		for i := range x {
			x[i] = l.walk(name, x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = l.walk(k, x[k])
		}
	}
	return v
}

// named redacts a text that stands under a name: "hunter2" is no secret by itself, under "password" it is.
func (l *Log) named(name, s string) string {
	s = l.text(s)
	if l.Redact == nil || name == "" || s == "" {
		return s
	}
	if rest, ok := strings.CutPrefix(l.Redact(name+"="+s), name+"="); ok {
		return clip(valid(rest))
	}
	return s
}

// parse reads one JSON value, numbers as they are written.
func parse(raw []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the value")
	}
	return v, nil
}
