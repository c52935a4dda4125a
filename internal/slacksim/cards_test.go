package slacksim

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// card is one message or view as lab/sdk/cards.py and cards.js read it.
type card struct {
	Name   string          `json:"name"`
	Kind   string          `json:"kind"` // message, modal, home
	Blocks json.RawMessage `json:"blocks,omitempty"`
	View   json.RawMessage `json:"view,omitempty"`
}

// goldenCards are all cards that the bot is known to draw: the golden files of package slack, each a message or a view.
func goldenCards(t *testing.T) []card { return cardsIn(t, "cards") }

// chartCards are those with a chart, which no published model knows yet.
func chartCards(t *testing.T) []card { return cardsIn(t, "charts") }

func cardsIn(t *testing.T, folder string) []card {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "slack", "testdata", folder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cards in internal/slack/testdata/%s: %v", folder, err)
	}
	cards := make([]card, len(files))
	for i, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cards[i] = golden(t, strings.TrimSuffix(filepath.Base(file), ".json"), raw)
	}
	return cards
}

func golden(t *testing.T, name string, raw json.RawMessage) card {
	t.Helper()
	var x struct {
		Type   string          `json:"type"`
		Blocks json.RawMessage `json:"blocks"`
	}
	if err := json.Unmarshal(raw, &x); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	switch {
	case len(x.Blocks) == 0 || string(x.Blocks) == "null":
		t.Fatalf("%s has no blocks", name)
	case x.Type != "":
		return card{Name: name, Kind: x.Type, View: raw}
	}
	return card{Name: name, Kind: "message", Blocks: x.Blocks}
}

// wrongCards show that the checks look: the workspace refuses them all, and each SDK those that its models can tell.
var wrongCards = []struct {
	card
	sdks string // extensions of the scripts whose models refuse it
}{
	{card{Name: "an unknown block", Kind: "message", Blocks: json.RawMessage(`[{"type":"hologram"}]`)}, ".js .py"},
	{card{Name: "a header in mrkdwn", Kind: "message", Blocks: json.RawMessage(`[{"type":"header","text":{"type":"mrkdwn","text":"x"}}]`)}, ".js"},
	{card{Name: "a header too long", Kind: "message", Blocks: json.RawMessage(`[{"type":"header","text":{"type":"plain_text","text":"` + text(151) + `"}}]`)}, ".py"},
	{card{Name: "a field that is not there", Kind: "message", Blocks: json.RawMessage(`[{"type":"section","text":{"type":"mrkdwn","text":"x"},"colour":"red"}]`)}, ".js .py"},
	{card{Name: "a button without words", Kind: "message", Blocks: json.RawMessage(`[{"type":"actions","elements":[{"type":"button","action_id":"a"}]}]`)}, ".js .py"},
	{card{Name: "an overflow menu of six", Kind: "message", Blocks: json.RawMessage(`[{"type":"actions","elements":[{"type":"overflow","action_id":"a","options":[` + many(6, `{"text":{"type":"plain_text","text":"x"},"value":"x"}`) + `]}]}]`)}, ".py"},
	{card{Name: "a modal without a title", Kind: "modal", View: json.RawMessage(`{"type":"modal","blocks":[{"type":"divider"}]}`)}, ".js"},
	{card{Name: "a modal with a long title", Kind: "modal", View: json.RawMessage(`{"type":"modal","title":{"type":"plain_text","text":"` + text(25) + `"},"blocks":[{"type":"divider"}]}`)}, ".py"},
}

// TestCardsFitTheOfficialModels has every card checked by the models that Slack publishes for Python and Node, and by
// the workspace itself.
func TestCardsFitTheOfficialModels(t *testing.T) {
	cards := goldenCards(t)
	for _, k := range sdks {
		t.Run(k.name, func(t *testing.T) {
			script := "cards" + filepath.Ext(k.program[1])
			for _, line := range k.check(t, script, cards) {
				t.Error(line)
			}
			var wrong []card
			for _, c := range wrongCards {
				wrong = append(wrong, c.card)
			}
			complaints := strings.Join(k.check(t, script, wrong), "\n")
			for _, c := range wrongCards {
				want := strings.Contains(c.sdks, filepath.Ext(script))
				if got := strings.Contains(complaints, c.Name+": "); got != want {
					t.Errorf("%s: refused is %v, want %v; said was %q", c.Name, got, want, complaints)
				}
			}
		})
	}
	for _, c := range append(cards, chartCards(t)...) {
		if err := c.taken(); err != nil {
			t.Errorf("%s: the workspace refuses it: %v", c.Name, err)
		}
	}
	for _, c := range wrongCards {
		if c.taken() == nil {
			t.Errorf("%s: the workspace takes it", c.Name)
		}
	}
	t.Logf("%d cards", len(cards))
}

// taken asks the workspace's own checks.
func (c card) taken() error {
	if c.Kind == "message" {
		var small bytes.Buffer // golden files are indented, what is sent is not
		if err := json.Compact(&small, c.Blocks); err != nil {
			return err
		}
		return checkBlocks(small.String(), c.Kind)
	}
	_, err := checkView(string(c.View))
	return err
}

// check runs a checking script over cards and returns what it complains about.
func (k sdk) check(t *testing.T, script string, cards []card) []string {
	t.Helper()
	var in bytes.Buffer
	for _, c := range cards {
		if err := json.NewEncoder(&in).Encode(c); err != nil {
			t.Fatal(err)
		}
	}
	cmd := k.command(t.Context(), t, script)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			t.Fatalf("%s: %v\n%s", script, err, failed.Stderr)
		}
		t.Fatal(err)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}
