package slacksim

import (
	"fmt"

	"github.com/goccy/go-yaml"
)

// manifest is what a workspace takes from an app's manifest (docs.slack.dev/reference/app-manifest).
type manifest struct {
	Display struct {
		Name string `yaml:"name"`
	} `yaml:"display_information"`
	Features struct {
		Bot struct {
			Name string `yaml:"display_name"`
		} `yaml:"bot_user"`
		Commands []struct {
			Command     string `yaml:"command"`
			Description string `yaml:"description"`
			UsageHint   string `yaml:"usage_hint"`
		} `yaml:"slash_commands"`
		Shortcuts []struct {
			Name       string `yaml:"name"`
			Type       string `yaml:"type"`
			CallbackID string `yaml:"callback_id"`
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
		SocketMode bool `yaml:"socket_mode_enabled"`
	} `yaml:"settings"`
}

// Install makes the workspace one where the app of a manifest (YAML or JSON) is installed: it has the manifest's name,
// commands, shortcuts, scopes and events, and nothing else.
func (o *Options) Install(raw []byte) error {
	var m manifest
	if err := yaml.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("reading the app's manifest: %w", err)
	}
	switch {
	case len(m.OAuth.Scopes.Bot) == 0:
		return fmt.Errorf("the app's manifest grants no scopes: set oauth_config.scopes.bot")
	case !m.Settings.SocketMode:
		return fmt.Errorf("the app's manifest does not use Socket Mode, and this workspace knows no other way: set settings.socket_mode_enabled")
	}
	o.BotName = first(m.Features.Bot.Name, first(m.Display.Name, o.BotName))
	o.Scopes, o.Events = m.OAuth.Scopes.Bot, append([]string{}, m.Settings.Events.Bot...)
	o.Commands, o.Shortcuts = []Command{}, []Shortcut{}
	for _, c := range m.Features.Commands {
		o.Commands = append(o.Commands, Command{Command: c.Command, Description: c.Description, UsageHint: c.UsageHint})
	}
	for _, x := range m.Features.Shortcuts {
		o.Shortcuts = append(o.Shortcuts, Shortcut{Name: x.Name, CallbackID: x.CallbackID, Global: x.Type == "global"})
	}
	return nil
}
