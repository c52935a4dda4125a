package timeline

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// sum is the hash of an event: SHA-256 over the canonical JSON of every field but Hash. Canonical means: struct fields in
// the order below, object keys in Data sorted, no blanks, no HTML escaping, time in RFC 3339 UTC, absent data as null.
func sum(e Event) (string, error) {
	data, err := canonical(e.Data)
	if err != nil {
		return "", fmt.Errorf("hashing event %d: data: %w", e.Seq, err)
	}
	body := struct {
		Seq      int64           `json:"seq"`
		Time     string          `json:"time"`
		Incident string          `json:"incident"`
		Type     Type            `json:"type"`
		Actor    Actor           `json:"actor"`
		Text     string          `json:"text"`
		Data     json.RawMessage `json:"data"`
		Key      string          `json:"key"`
		Prev     string          `json:"prev"`
	}{e.Seq, e.Time.UTC().Format(time.RFC3339Nano), e.Incident, e.Type, e.Actor, e.Text, data, e.Key, e.Prev}
	b, err := encode(body)
	if err != nil {
		return "", fmt.Errorf("hashing event %d: %w", e.Seq, err)
	}
	digest := sha256.Sum256(b)
	return hex.EncodeToString(digest[:]), nil
}

// canonical sorts object keys and drops blanks; numbers stay as they are written.
func canonical(data json.RawMessage) (json.RawMessage, error) {
	if len(data) == 0 {
		return json.RawMessage("null"), nil
	}
	v, err := parse(data)
	if err != nil {
		return nil, err
	}
	return encode(v)
}

// isCanonical tells data that says one thing from data that says two: of a key that is there twice readers choose
// differently, and the hash covers only one.
func isCanonical(data json.RawMessage) bool {
	if len(data) == 0 {
		return true
	}
	want, err := canonical(data)
	var got bytes.Buffer
	return err == nil && json.Compact(&got, data) == nil && bytes.Equal(got.Bytes(), want) && string(want) != "null"
}

// encode is json.Marshal without HTML escaping: what people read is what is hashed.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// Verify recomputes the chain. The error wraps ErrBroken and names the first event that does not fit and why. It cannot
// see events cut off at the end: compare the head with what was posted in the thread for that.
func Verify(events []Event) error {
	var c link
	for _, e := range events {
		if err := c.follow(e); err != nil {
			return err
		}
	}
	return nil
}

// link is the end of a chain that is being followed.
type link struct {
	seq            int64
	incident, hash string
}

// follow proves that an event is the next one, and as it was written.
func (c *link) follow(e Event) error {
	if want := c.seq + 1; e.Seq != want {
		return fmt.Errorf("%w: event %d stands where %d should", ErrBroken, e.Seq, want)
	}
	if c.seq > 0 && e.Incident != c.incident {
		return fmt.Errorf("%w: event %d is of %q, not of %q", ErrBroken, e.Seq, e.Incident, c.incident)
	}
	if e.Prev != c.hash {
		return fmt.Errorf("%w: event %d does not follow the one before it", ErrBroken, e.Seq)
	}
	hash, err := sum(e)
	if err != nil {
		return fmt.Errorf("%w: event %d: %w", ErrBroken, e.Seq, err)
	}
	if !isCanonical(e.Data) {
		return fmt.Errorf("%w: data of event %d is not as it was written; a key may be there twice", ErrBroken, e.Seq)
	}
	if hash != e.Hash {
		return fmt.Errorf("%w: event %d was altered", ErrBroken, e.Seq)
	}
	*c = link{e.Seq, e.Incident, hash}
	return nil
}
