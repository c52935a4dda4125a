package slack

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

type manifest struct {
	Display struct {
		Name        string `yaml:"name"`
		Description string `yaml:"description"`
	} `yaml:"display_information"`
	Features struct {
		Bot struct {
			Name string `yaml:"display_name"`
		} `yaml:"bot_user"`
		Commands []struct {
			Command string `yaml:"command"`
			Hint    string `yaml:"usage_hint"`
			Escape  bool   `yaml:"should_escape"`
		} `yaml:"slash_commands"`
		Shortcuts []struct {
			Callback string `yaml:"callback_id"`
			Type     string `yaml:"type"`
		} `yaml:"shortcuts"`
	} `yaml:"features"`
	OAuth struct {
		Scopes struct {
			Bot []string `yaml:"bot"`
		} `yaml:"scopes"`
	} `yaml:"oauth_config"`
	Settings struct {
		Events struct {
			Bot []string `yaml:"bot_events"`
		} `yaml:"event_subscriptions"`
		Interactivity struct {
			Enabled bool `yaml:"is_enabled"`
		} `yaml:"interactivity"`
		Socket bool `yaml:"socket_mode_enabled"`
	} `yaml:"settings"`
}

// scopesOf says which scopes each method we call needs (docs.slack.dev/reference/methods).
var scopesOf = map[string][]string{
	"StartSocketMode":        {}, // connections:write of the app-level token, which no manifest grants
	"AuthTest":               {},
	"PostMessage":            {"chat:write"},
	"UpdateMessage":          {"chat:write"},
	"PostEphemeral":          {"chat:write"},
	"GetConversationHistory": {"channels:history", "groups:history", "metadata.message:read"},
	"GetConversationReplies": {"channels:history", "groups:history", "metadata.message:read"},
	"GetConversations":       {"channels:read", "groups:read"},
	"GetConversationInfo":    {"channels:read", "groups:read"},
	"JoinConversation":       {"channels:join"},
	"OpenConversation":       {"im:write"},
	"OpenView":               {},
	"PublishView":            {},
	"UploadFile":             {"files:write"},
	"GetUserInfo":            {"users:read"},
	"GetUserGroups":          {"usergroups:read"},
	"GetUserGroupMembers":    {"usergroups:read"},
}

// scopesOfEvents says the same of features and events.
var scopesOfEvents = map[string][]string{"pin_added": {"pins:read"}, "pin_removed": {"pins:read"}, "reaction_added": {"reactions:read"}, "app_home_opened": {}, "member_joined_channel": {"channels:read", "groups:read"}, "app_mention": {"app_mentions:read"}, "message.channels": {"channels:history"}, "message.groups": {"groups:history"}}

func TestManifestAsksForWhatTheCodeUsesAndNoMore(t *testing.T) {
	m := readManifest(t)
	want := []string{"commands"}
	for _, method := range methodsCalled(t) {
		scopes, known := scopesOf[method]
		if !known {
			t.Errorf("the code calls %s, whose scopes this test does not know", method)
		}
		want = append(want, scopes...)
	}
	for _, e := range m.Settings.Events.Bot {
		scopes, known := scopesOfEvents[e]
		if !known {
			t.Errorf("event %s is subscribed to but not used", e)
		}
		want = append(want, scopes...)
	}
	slices.Sort(want)
	got := slices.Sorted(slices.Values(m.OAuth.Scopes.Bot))
	if want = slices.Compact(want); !slices.Equal(got, want) {
		t.Errorf("scopes\n got %v\nwant %v", got, want)
	}
	if !slices.Equal(Scopes, want) {
		t.Errorf("scopes that a checkup asks for\n got %v\nwant %v", Scopes, want)
	}
	guide, err := os.ReadFile("../../docs/slack.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range got {
		if !strings.Contains(string(guide), "`"+scope+"`") {
			t.Errorf("docs/slack.md does not say what %s is for", scope)
		}
	}
}

func TestManifestIsValid(t *testing.T) {
	m := readManifest(t)
	if !m.Settings.Socket || !m.Settings.Interactivity.Enabled {
		t.Error("socket mode and interactivity must be on")
	}
	if n := utf8.RuneCountInString(m.Display.Name); n == 0 || n > 35 {
		t.Errorf("name of %d characters", n)
	}
	if n := utf8.RuneCountInString(m.Display.Description); n == 0 || n > 140 {
		t.Errorf("description of %d characters", n)
	}
	if !regexp.MustCompile(`^[a-z0-9._-]{1,80}$`).MatchString(m.Features.Bot.Name) {
		t.Errorf("bot name %q", m.Features.Bot.Name)
	}
	if len(m.Features.Commands) != 1 || m.Features.Commands[0].Command != "/cdc" || !m.Features.Commands[0].Escape {
		t.Errorf("commands %+v: plain() expects escaped words of /cdc", m.Features.Commands)
	}
	if len(m.Features.Shortcuts) != 1 || m.Features.Shortcuts[0].Callback != noteShortcut || m.Features.Shortcuts[0].Type != "message" {
		t.Errorf("shortcuts %+v", m.Features.Shortcuts)
	}
}

func readManifest(t *testing.T) manifest {
	t.Helper()
	text, err := os.ReadFile("../../deploy/slack/manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := yaml.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func methodsCalled(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	called := regexp.MustCompile(`\bapi\.([A-Z]\w+)Context\(`)
	var methods []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range called.FindAllStringSubmatch(string(source), -1) {
			methods = append(methods, m[1])
		}
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}
