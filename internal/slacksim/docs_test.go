package slacksim

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// guide is docs/slacksim.md; cmd/demo runs the commands in it.
func guide(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "slacksim.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestTheDocsAreComplete holds the page against the tables: what is there is on the page, and nothing else.
func TestTheDocsAreComplete(t *testing.T) {
	page := guide(t)
	section := func(from, to string) string {
		_, rest, found := strings.Cut(page, from)
		text, _, ended := strings.Cut(rest, to)
		if !found || !ended {
			t.Fatalf("the page has no part from %q to %q", from, to)
		}
		return text
	}
	first := regexp.MustCompile("(?m)^\\| ((?:`[a-z]+`(?:, )?)+) \\|")
	var deedRows, faultRows []string
	for _, m := range first.FindAllStringSubmatch(section("| deed |", "| to look at |"), -1) {
		deedRows = append(deedRows, quoted(m[1])...)
	}
	for _, m := range first.FindAllStringSubmatch(section("| kind |", "`method` and"), -1) {
		faultRows = append(faultRows, quoted(m[1])...)
	}
	deedNames := slices.DeleteFunc(slices.Sorted(maps.Keys(deeds)), func(name string) bool { return name == "control" }) // the demo's own
	for _, row := range []struct {
		name      string
		got, want []string
	}{
		{"methods", quoted(section("Methods:", "Events:")), slices.Sorted(maps.Keys(methods))},
		{"events", quoted(section("Events:", "Interactions:")), slices.Sorted(maps.Keys(eventScopes))},
		{"deeds", deedRows, deedNames},
		{"faults", faultRows, slices.Sorted(maps.Keys(faultKinds))},
	} {
		slices.Sort(row.got)
		if !slices.Equal(row.got, row.want) {
			t.Errorf("%s: the page names %v, the code has %v", row.name, row.got, row.want)
		}
	}
}

var inBackticks = regexp.MustCompile("`([^`]+)`")

func quoted(text string) []string {
	var list []string
	for _, m := range inBackticks.FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	return list
}

// TestTheDocsExamplesRun runs the page's programs and types a command at each.
func TestTheDocsExamplesRun(t *testing.T) {
	for i, language := range []string{"js", "python"} {
		t.Run(language, func(t *testing.T) {
			_, rest, found := strings.Cut(guide(t), "```"+language+"\n")
			code, _, ended := strings.Cut(rest, "\n```")
			if !found || !ended {
				t.Fatalf("the page has no example in %s", language)
			}
			script := filepath.Join(t.TempDir(), "example."+language)
			if err := os.WriteFile(script, []byte(code), 0o600); err != nil {
				t.Fatal(err)
			}
			s, _ := start(t, Options{})
			cmd := sdks[i].command(t.Context(), t, script, "SLACK_API_URL="+s.APIURL(), "SLACK_BOT_TOKEN="+s.BotToken(), "SLACK_APP_TOKEN="+s.AppToken())
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = cmd.Process.Kill() // an example runs for ever
				_ = cmd.Wait()         // and says that it was killed
			}()
			c := talk{t, s}
			c.await("the example to connect", func() bool { return s.Connected() > 0 })
			c.must(s.As("oncall").Command(t.Context(), room, "/cdc hello"))
			if got := strings.TrimSpace(strings.Join(s.As("oncall").Ephemerals(), "|")); got != "you said hello" {
				t.Errorf("the example answers %q, want “you said hello”", got)
			}
		})
	}
}
