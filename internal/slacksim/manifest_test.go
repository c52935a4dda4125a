package slacksim

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestOurManifestIsInstalled puts the bot's own app into a workspace: it gets what its manifest says, and no more.
func TestOurManifestIsInstalled(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "deploy", "slack", "manifest.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var o Options
	if err := o.Install(raw); err != nil {
		t.Fatal(err)
	}
	if o.Commands[0].Command != "/cdc" || !slices.Contains(o.Events, "app_mention") || o.BotName == "" {
		t.Errorf("installed: %+v", o)
	}
	s, _ := start(t, o)
	for method, want := range map[string]string{"chat.postMessage": "", "bookmarks.list": "missing_scope"} {
		if got := ask(t, s, method, "channel", room, "text", "x").code(); got != want {
			t.Errorf("%s: got %q, want %q", method, got, want)
		}
	}
}

func TestManifestsAreChecked(t *testing.T) {
	for _, row := range []struct{ name, manifest, want string }{
		{"no YAML", "{", "reading the app's manifest"},
		{"no scopes", "settings: {socket_mode_enabled: true}", "oauth_config.scopes.bot"},
		{"no Socket Mode", "oauth_config: {scopes: {bot: [commands]}}", "socket_mode_enabled"},
		{"JSON", `{"oauth_config":{"scopes":{"bot":["commands"]}},"settings":{"socket_mode_enabled":true}}`, ""},
	} {
		var o Options
		err := o.Install([]byte(row.manifest))
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		}
	}
}
