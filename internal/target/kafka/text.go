package kafka

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What is shown of a record.
const (
	mostValue  = 2000 // characters of a value or key
	mostHeader = 300  // of a header
	mostHex    = 24   // bytes of what is not text
)

// shown is a key or value for people: text as it is, on one line; anything else as its first bytes and its length. Bytes
// that a schema registry's serializer wrote are told with the ID of their schema.
func shown(b []byte) string {
	if b == nil {
		return "NULL"
	}
	if readable(b) {
		text := cut(string(b), mostValue)
		if len(text) < len(b) {
			text += fmt.Sprintf(" (%d bytes)", len(b))
		}
		return text
	}
	text := "0x" + hex.EncodeToString(b[:min(len(b), mostHex)])
	if len(b) > mostHex {
		text += "…"
	}
	if len(b) > 5 && b[0] == 0 {
		return text + fmt.Sprintf(" (%d bytes, schema %d)", len(b), binary.BigEndian.Uint32(b[1:5]))
	}
	return text + fmt.Sprintf(" (%d bytes)", len(b))
}

// readable says whether bytes are text without control characters but blanks and line breaks.
func readable(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' || r == utf8.RuneError {
			return false
		}
	}
	return true
}

var oneLine = strings.NewReplacer("\r\n", `\n`, "\n", `\n`, "\r", `\r`, "\t", " ")

// cut keeps the first n characters, on one line.
func cut(text string, n int) string {
	text = oneLine.Replace(strings.ToValidUTF8(text, "\uFFFD"))
	if r := []rune(text); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return text
}

// errorHeaders begin the headers that Connect puts on dead letters (KIP-298).
const errorHeaders = "__connect.errors."

// headers are the headers of a record but those of a dead letter.
func headers(r *kgo.Record) string {
	var list []string
	for _, h := range r.Headers {
		if !strings.HasPrefix(h.Key, errorHeaders) {
			list = append(list, cut(h.Key, mostHeader)+"="+cut(shown(h.Value), mostHeader))
		}
	}
	return strings.Join(list, ", ")
}

// letter says why a record is a dead letter: where it came from, at which stage it failed, and the exception's own words.
// It is "" for other records.
func letter(r *kgo.Record) string {
	said := map[string]string{}
	for _, h := range r.Headers {
		if name, ok := strings.CutPrefix(h.Key, errorHeaders); ok && h.Value != nil {
			said[name] = cut(shown(h.Value), mostHeader)
		}
	}
	if len(said) == 0 {
		return ""
	}
	var parts []string
	if said["topic"] != "" {
		parts = append(parts, fmt.Sprintf("%s-%s@%s", said["topic"], said["partition"], said["offset"]))
	}
	if said["connector.name"] != "" {
		parts = append(parts, fmt.Sprintf("%s task %s", said["connector.name"], said["task.id"]))
	}
	parts = append(parts, said["stage"], strings.Trim(said["exception.class.name"]+": "+said["exception.message"], ": "))
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ", ")
}
