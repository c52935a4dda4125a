package incident

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cdcbot/internal/alert"
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
	rows := tableRows(t, "states.md", "## Incidents")
	if len(rows) != len(States) || len(rows) != len(Transitions) {
		t.Fatalf("docs/states.md has %d states, the code %d", len(rows), len(States))
	}
	for i, cells := range rows {
		var to []string
		for _, s := range Transitions[States[i]] {
			to = append(to, string(s))
		}
		want := strings.Join(to, ", ")
		if want == "" {
			want = "–"
		}
		if cells[0] != string(States[i]) || cells[2] != want {
			t.Errorf("docs/states.md says %s goes to %s; the code says %s goes to %s", cells[0], cells[2], States[i], want)
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
	a := alert.Alert{Source: "watcher", Name: "A", Status: alert.Firing, Connector: "x", StartsAt: s.now()}
	must[Incident](t)(first(s.Receive(t.Context(), a, Key{})))
	must[*Lease](t)(s.Lease(t.Context(), "pipeline:orders", "r1", time.Minute))
	checkKeys(t, client, "incident")
}

// Every key name that stands in the source of any package is in docs/redis.md.
func TestKeysInTheSourceAreDocumented(t *testing.T) {
	keys := documentedKeys(t)
	err := filepath.WalkDir("..", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		for _, key := range keyNames(parsed) {
			if !strings.HasPrefix(key, "cdcbot:") || strings.Count(key, ":") < 2 || strings.Contains(key, ": ") {
				continue // not a key: the name of a job, a sentence
			}
			if !names(key, keys) {
				t.Errorf("%s: docs/redis.md has no key like %s", file, strings.ReplaceAll(key, "\x00", "<…>"))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// keyNames lists the texts of a file; what is not written out in a concatenation is NUL.
func keyNames(file *ast.File) []string {
	var list []string
	ast.Inspect(file, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok {
			if text := spelled(e); strings.HasPrefix(text, "cdcbot:") {
				list = append(list, text)
				return false
			}
		}
		return true
	})
	return list
}

func spelled(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(x.Value); err == nil && x.Kind == token.STRING {
			return text
		}
	case *ast.BinaryExpr:
		return spelled(x.X) + spelled(x.Y)
	}
	return "\x00"
}

// names reports whether a documented key is one that the source may build.
func names(key string, keys []documented) bool {
	pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(key), "\x00", "(?s:.+)") + "$")
	for _, d := range keys {
		if pattern.MatchString(d.text) {
			return true
		}
	}
	return false
}
