package history

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// version is a configuration as it was first seen.
type version struct {
	At      time.Time         `json:"at"`
	Config  map[string]string `json:"config"`
	Secrets map[string]string `json:"secrets,omitempty"` // marks of the values that Mask replaced, wholly or in part
	Kind    string            `json:"kind,omitempty"`    // of those marks; only marks of one kind are comparable
	Well    bool              `json:"well,omitempty"`    // the connector ran healthy with it
}

// print tells configurations apart.
type print struct {
	Masked string `json:"masked,omitempty"` // digest of what is kept of it, and of which values are secret
	Marks  string `json:"marks,omitempty"`  // digest of the marks
	Kind   string `json:"kind,omitempty"`   // of the marks
}

// version masks a configuration and marks what was masked.
func (s *Store) version(cluster, connector string, config map[string]string) version {
	v := version{Config: s.Mask(config), Kind: s.kind()}
	for k, value := range config {
		if v.Config[k] == value {
			continue
		}
		if v.Secrets == nil {
			v.Secrets = map[string]string{}
		}
		v.Secrets[k] = s.mark(cluster, connector, k, value)
	}
	return v
}

// shortMarks is the kind of marks that are made without a key.
const shortMarks = "8 bits"

// kind names the key that makes the marks, and tells nothing else of it.
func (s *Store) kind() string {
	if len(s.Key) == 0 {
		return shortMarks
	}
	return hex.EncodeToString(s.sign("kind")[:4])
}

// mark is what changes when a secret does; the package's comment says what it tells of it.
func (s *Store) mark(cluster, connector, key, value string) string {
	if len(s.Key) == 0 {
		sum := sha256.Sum256([]byte(value))
		return hex.EncodeToString(sum[:1])
	}
	return hex.EncodeToString(s.sign("mark", cluster, connector, key, value)[:16])
}

func (s *Store) sign(texts ...string) []byte {
	h := hmac.New(sha256.New, s.Key)
	for _, t := range texts {
		h.Write([]byte(strconv.Quote(t)))
	}
	return h.Sum(nil)
}

func (v version) print() print {
	return print{Masked: digest([]any{v.Config, slices.Sorted(maps.Keys(v.Secrets))}), Marks: digest(v.Secrets), Kind: v.Kind}
}

func digest(v any) string {
	sum := sha256.Sum256([]byte(encode(v)))
	return hex.EncodeToString(sum[:16])
}

// Kind is what became of an option.
type Kind string

// Kinds of a Change.
const (
	Added   Kind = "added"
	Changed Kind = "changed"
	Removed Kind = "removed"
)

// Change is one option that became another. Was and Now are masked; both are "" for a secret, unless what is left of the
// value beside the secret tells the change too.
type Change struct {
	At            time.Time // when it was first seen
	Key, Was, Now string
	Kind          Kind
}

// String says it in a few words: database.password changed (value hidden).
func (c Change) String() string {
	switch {
	case c.Was == "" && c.Now == "":
		return fmt.Sprintf("%s %s (value hidden)", c.Key, c.Kind)
	case c.Kind == Added:
		return fmt.Sprintf("%s added: %q", c.Key, c.Now)
	case c.Kind == Removed:
		return fmt.Sprintf("%s removed, it was %q", c.Key, c.Was)
	}
	return fmt.Sprintf("%s changed from %q to %q", c.Key, c.Was, c.Now)
}

// Changes are the options of a connector that changed since a moment, the newest first. The first version that was ever
// seen is no change. Errors: ErrUnavailable.
func (s *Store) Changes(ctx context.Context, cluster, connector string, since time.Time) ([]Change, error) {
	versions, err := s.all(ctx, cluster, connector)
	if err != nil {
		return nil, err
	}
	var list []Change
	for i := len(versions) - 1; i > 0 && !versions[i].At.Before(since); i-- {
		list = append(list, versions[i].changes(versions[i-1])...)
	}
	return list, nil
}

// LastHealthy is the newest configuration with which a connector was seen healthy, masked, and when that configuration
// was first seen; ok is false when none is known. Errors: ErrUnavailable.
func (s *Store) LastHealthy(ctx context.Context, cluster, connector string) (config map[string]string, at time.Time, ok bool, err error) {
	versions, err := s.all(ctx, cluster, connector)
	if err != nil {
		return nil, time.Time{}, false, err
	}
	for _, v := range slices.Backward(versions) {
		if v.Well {
			return v.Config, v.At, true, nil
		}
	}
	return nil, time.Time{}, false, nil
}

// all reads the versions of a configuration, the oldest first, without those that another release wrote in its own way.
func (s *Store) all(ctx context.Context, cluster, connector string) ([]version, error) {
	texts, err := s.Redis.LRange(ctx, configKey(cluster, connector), 0, -1).Result()
	if err != nil {
		return nil, away("reading the history of "+connector, err)
	}
	var list []version
	for _, text := range texts {
		var v version
		if json.Unmarshal([]byte(text), &v) == nil {
			list = append(list, v)
		}
	}
	return list, nil
}

// changes are the differences from the version before, by name.
func (v version) changes(before version) []Change {
	names := slices.Collect(maps.Keys(v.Config))
	for k := range before.Config {
		if _, still := v.Config[k]; !still {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	var list []Change
	for _, k := range names {
		if c, changed := v.option(before, k); changed {
			list = append(list, c)
		}
	}
	return list
}

func (v version) option(before version, k string) (Change, bool) {
	now, is := v.Config[k]
	was, had := before.Config[k]
	mark, secret := v.Secrets[k]
	oldMark, oldSecret := before.Secrets[k]
	c := Change{At: v.At, Key: k, Was: was, Now: now, Kind: Changed}
	switch {
	case !had:
		c.Kind = Added
	case !is:
		c.Kind = Removed
	case now == was && (mark == oldMark || v.Kind != before.Kind):
		return c, false
	}
	if (secret || oldSecret) && (!had || !is || now == was) {
		c.Was, c.Now = "", ""
	}
	return c, true
}
