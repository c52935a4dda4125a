// Package seal proves that what is read from Redis is what this bot once wrote. Redis is shared and keeps what it is given;
// whoever can write to it could otherwise forge an approval or rewrite the record of an incident. Every such record carries
// an HMAC-SHA256 (RFC 2104) under a key that Redis never holds. The package has its own reason to exist: approval,
// remediation and timeline seal records and must not import each other.
package seal

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Errors of Check. Neither is mended by trying again: somebody has to look.
var (
	ErrForged     = errors.New("seal does not fit the record: it was not written by this bot, or it was changed since")
	ErrUnsealed   = errors.New("record has no seal: it was not written by this bot, or was written before records were sealed")
	ErrUnknownKey = errors.New("record is sealed with a key that is not configured")
)

// minSecret is the least length of a secret in bytes: that of the hash (RFC 2104 §3).
const minSecret = sha256.Size

// Ring holds the keys: the first one seals, every one checks. To rotate, put a new key in front and drop the old one when
// nothing sealed with it is needed any more. Records name their key, never its secret. A nil Ring seals nothing and takes
// everything: only the demo and tests go without keys.
type Ring struct {
	first   string
	secrets map[string][]byte
}

// Parse reads keys as they stand in a file: one per line or separated by commas, each "<id>:<secret in hexadecimal>", the
// newest first. Errors name the key, never its secret.
func Parse(text string) (*Ring, error) {
	r := &Ring{secrets: map[string][]byte{}}
	for _, entry := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(", \t\r\n", c) }) {
		id, digits, found := strings.Cut(entry, ":")
		if !found || id == "" || len(id) > 32 {
			return nil, fmt.Errorf("key %d: want <id>:<secret>, where the id has 1 to 32 characters", len(r.secrets)+1)
		}
		secret, err := hex.DecodeString(digits)
		if err != nil || len(secret) < minSecret {
			return nil, fmt.Errorf("key %q: want at least %d hexadecimal digits after the colon (openssl rand -hex %d), got %d characters", id, 2*minSecret, minSecret, len(digits))
		}
		if _, twice := r.secrets[id]; twice {
			return nil, fmt.Errorf("key %q stands there twice", id)
		}
		if r.first == "" {
			r.first = id
		}
		r.secrets[id] = secret
	}
	if r.first == "" {
		return nil, errors.New("no key: want <id>:<secret in hexadecimal> (openssl rand -hex 32)")
	}
	return r, nil
}

// Sum seals a record: "<key id>:<HMAC in base64>". The domain says what kind of record it is and which one, so that a
// seal of one record is never good for another.
func (r *Ring) Sum(domain string, record []byte) string {
	if r == nil {
		return ""
	}
	return r.first + ":" + base64.RawURLEncoding.EncodeToString(sum(r.secrets[r.first], domain, record))
}

// Check compares a record with its seal. Errors: ErrForged, ErrUnsealed, ErrUnknownKey.
func (r *Ring) Check(domain string, record []byte, sealed string) error {
	if r == nil {
		return nil
	}
	if sealed == "" {
		return ErrUnsealed
	}
	id, code, _ := strings.Cut(sealed, ":")
	secret, known := r.secrets[id]
	if !known {
		return fmt.Errorf("%w: %.32q", ErrUnknownKey, id)
	}
	mac, err := base64.RawURLEncoding.DecodeString(code)
	if err != nil || !hmac.Equal(mac, sum(secret, domain, record)) {
		return ErrForged
	}
	return nil
}

// Close puts a record's seal before it, with a blank between, as records are kept that are one value.
func (r *Ring) Close(domain string, record []byte) []byte {
	if r == nil {
		return record
	}
	return append([]byte(r.Sum(domain, record)+" "), record...)
}

// Open returns what Close was given. Errors: those of Check.
func (r *Ring) Open(domain string, closed []byte) ([]byte, error) {
	if r == nil {
		return closed, nil
	}
	sealed, record, found := bytes.Cut(closed, []byte(" "))
	if !found {
		return nil, ErrUnsealed
	}
	return record, r.Check(domain, record, string(sealed))
}

// sum puts the domain's length before it, so that no domain and record read like another pair.
func sum(secret []byte, domain string, record []byte) []byte {
	h := hmac.New(sha256.New, secret)
	_, _ = h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(domain)))) // a hash never fails
	_, _ = h.Write([]byte(domain))
	_, _ = h.Write(record)
	return h.Sum(nil)
}
