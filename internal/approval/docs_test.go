package approval

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/redis/go-redis/v9"
)

// tableRows reads the cells of the Markdown table rows that stand between two headings.
func tableRows(t *testing.T, file, heading string) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", file))
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n"+heading+"\n")
	if !found {
		t.Fatalf("docs/%s has no heading %q", file, heading)
	}
	section, _, _ := strings.Cut(after, "\n#")
	var rows [][]string
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") {
			continue
		}
		var cells []string
		for _, c := range strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			cells = append(cells, strings.TrimSpace(c))
		}
		rows = append(rows, cells)
	}
	return rows[1:]
}

func TestStatesAreDocumented(t *testing.T) {
	rows := tableRows(t, "states.md", "## Requests")
	if len(rows) != len(Transitions) {
		t.Fatalf("docs/states.md has %d states, the code %d", len(rows), len(Transitions))
	}
	for _, cells := range rows {
		list, known := Transitions[State(cells[0])]
		var to []string
		for _, s := range list {
			to = append(to, string(s))
		}
		want := strings.Join(to, ", ")
		if want == "" {
			want = "–"
		}
		if !known || cells[2] != want {
			t.Errorf("docs/states.md says %s goes to %s; the code says %s", cells[0], cells[2], want)
		}
	}
}

// documented is a row of docs/redis.md.
type documented struct {
	text, kind, ttl, owner string
	pattern                *regexp.Regexp
}

var blank = regexp.MustCompile(`<[^>]*>`)

func documentedKeys(t *testing.T) []documented {
	t.Helper()
	var list []documented
	for _, cells := range tableRows(t, "redis.md", "## Keys") {
		text := strings.Trim(cells[0], "`")
		var pattern strings.Builder
		at := 0
		for _, b := range blank.FindAllStringIndex(text, -1) {
			pattern.WriteString(regexp.QuoteMeta(text[at:b[0]]) + "(?s:.+)")
			at = b[1]
		}
		pattern.WriteString(regexp.QuoteMeta(text[at:]))
		list = append(list, documented{text, cells[1], cells[2], cells[3], regexp.MustCompile("^" + pattern.String() + "$")})
	}
	return list
}

// checkKeys compares every key that is in Redis with the documentation.
func checkKeys(t *testing.T, client redis.UniversalClient, owner string) {
	t.Helper()
	used := map[string]bool{}
	for _, key := range client.Keys(context.Background(), "*").Val() {
		var row documented
		for _, d := range documentedKeys(t) {
			if d.owner == owner && d.pattern.MatchString(key) {
				row = d
				break
			}
		}
		if row.text == "" {
			t.Errorf("docs/redis.md has no key of %s like %q", owner, key)
			continue
		}
		used[row.text] = true
		if got := client.Type(context.Background(), key).Val(); got != row.kind {
			t.Errorf("%q is a %s; docs/redis.md says %s", key, got, row.kind)
		}
		if has := client.PTTL(context.Background(), key).Val() > 0; has != (row.ttl != "–") {
			t.Errorf("%q has a TTL: %t; docs/redis.md says %q", key, has, row.ttl)
		}
	}
	for _, d := range documentedKeys(t) {
		if d.owner == owner && !used[d.text] {
			t.Errorf("docs/redis.md has %s, which %s does not write", d.text, owner)
		}
	}
}

func TestKeysAreDocumented(t *testing.T) {
	client, _ := mini(t)
	s := newStore(client, newClock())
	must[Request](t)(s.Ask(t.Context(), request("U1", 1)))
	c := newClock()
	s.Now = c.now
	other := request("U1", 1)
	other.Incident = "INC-2"
	r := must[Request](t)(s.Ask(t.Context(), other))
	must[Request](t)(s.answer(t.Context(), r.ID, "U2", Approve, digest))
	g := must[Grant](t)(s.Claim(t.Context(), r.ID, digest, "RUN-1"))
	must[Standing](t)(s.Stand(t.Context(), g, Standing{Pipeline: "p", Title: "t", Digest: "d", Until: c.at.Add(time.Hour), Most: 1}))
	codes := NewCodes(client, s.Now, map[string]string{"U1": factor})
	right, err := totp.GenerateCode(factor, s.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"wrong", right} {
		_ = codes.Verify(t.Context(), "U1", code) // both leave a key
	}
	must[map[string]time.Time](t)((&Members{Redis: client, Now: s.Now}).See(t.Context(), "S1", []string{"U1"}))
	checkKeys(t, client, "approval")
}
