package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"cdcbot/internal/slacksim"
)

// runWorkspace serves the simulated Slack workspace alone, for any app: docs/slacksim.md tells how to use it.
func runWorkspace(ctx context.Context, args []string, out io.Writer) error {
	var o slacksim.Options
	flags := flag.NewFlagSet("demo workspace", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:4000", "where it is served; port 0 takes a free one")
	manifest := flags.String("manifest", "", "the app's manifest (YAML or JSON): its commands, shortcuts, scopes and events, and no others")
	people := flags.String("people", "", "JSON file with users, channels and usergroups instead of the built-in ones")
	flags.StringVar(&o.BotToken, "bot-token", "", "the bot token that is taken; default: a random one")
	flags.StringVar(&o.AppToken, "app-token", "", "the app-level token that is taken; default: a random one")
	flags.BoolVar(&o.Unlimited, "unlimited", false, "no rate limits")
	flags.DurationVar(&o.AckTimeout, "ack", 0, "how long an envelope waits for its ack; default 3s")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("argument %q: expected only flags; see demo workspace -help", flags.Arg(0))
	}
	if err := readManifest(&o, *manifest); err != nil {
		return err
	}
	if err := readPeople(&o, *people); err != nil {
		return err
	}
	s := slacksim.New(o)
	url, err := s.Start(*listen)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // the process ends
	fmt.Fprintf(out, "# A Slack workspace: %s (Ctrl-C ends it; nothing is kept)\nexport SLACK_API_URL=%s\nexport SLACK_BOT_TOKEN=%s\nexport SLACK_APP_TOKEN=%s\n", url, s.APIURL(), s.BotToken(), s.AppToken())
	<-ctx.Done()
	return nil
}

func readManifest(o *slacksim.Options, file string) error {
	if file == "" {
		return nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("-manifest: %w", err)
	}
	return o.Install(raw)
}

// readPeople takes who and what is in the workspace. A field that is not known is a mistake of the file.
func readPeople(o *slacksim.Options, file string) error {
	if file == "" {
		return nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("-people: %w", err)
	}
	var in struct {
		Users      []slacksim.User      `json:"users"`
		Channels   []slacksim.Channel   `json:"channels"`
		Usergroups []slacksim.Usergroup `json:"usergroups"`
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return fmt.Errorf("-people %s: %w", file, err)
	}
	for _, u := range in.Users {
		if !strings.HasPrefix(u.ID, "U") || u.Name == "" {
			return fmt.Errorf("-people %s: user %q needs a name and an ID that begins with U", file, u.ID+u.Name)
		}
	}
	o.Users, o.Channels, o.Usergroups = in.Users, in.Channels, in.Usergroups
	return nil
}
