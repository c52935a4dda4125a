package history

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documented is a row of docs/redis.md.
type documented struct {
	text, kind, ttl, owner string
	pattern                *regexp.Regexp
}

var blank = regexp.MustCompile(`<[^>]*>`)

func documentedKeys(t *testing.T) []documented {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "redis.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n## Keys\n")
	if !found {
		t.Fatal("docs/redis.md has no heading Keys")
	}
	section, _, _ := strings.Cut(after, "\n#")
	var list []documented
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 || !strings.Contains(cells[0], "`") {
			continue
		}
		for i, c := range cells {
			cells[i] = strings.TrimSpace(c)
		}
		text := strings.Trim(cells[0], "`")
		list = append(list, documented{text, cells[1], cells[2], cells[3], pattern(text)})
	}
	return list
}

// pattern matches the keys that a row stands for.
func pattern(text string) *regexp.Regexp {
	parts := blank.Split(text, -1)
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile("^" + strings.Join(parts, "(?s:.+)") + "$")
}

func TestKeysAreDocumented(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, _ *clock) {
		total := int64(1)
		saw(t, s, Sighting{Connector: "sink", State: "FAILED", Trace: "root", Config: map[string]string{"a": "b"}, Progress: &total})
		keys := s.Redis.Keys(t.Context(), "*").Val()
		for _, d := range documentedKeys(t) {
			if d.owner != "history" {
				continue
			}
			n := 0
			for i, key := range keys {
				if key == "" || !d.pattern.MatchString(key) {
					continue
				}
				n, keys[i] = n+1, ""
				if got := s.Redis.Type(t.Context(), key).Val(); got != d.kind {
					t.Errorf("%q is a %s; docs/redis.md says %s", key, got, d.kind)
				}
				if has := s.Redis.PTTL(t.Context(), key).Val() > 0; has != (d.ttl != "–") {
					t.Errorf("%q has a TTL: %t; docs/redis.md says %q", key, has, d.ttl)
				}
			}
			if n == 0 {
				t.Errorf("docs/redis.md has %s, which history does not write", d.text)
			}
		}
		for _, key := range keys {
			if key != "" {
				t.Errorf("docs/redis.md has no key of history like %q", key)
			}
		}
	})
}
