// Command peers is the barest bot on slack-go: it acknowledges every slash command with its words. `make bench-peers`
// measures cdcbot against it and against echo.js, which does the same on @slack/bolt.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"

	slackapi "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	api := slackapi.New(os.Getenv("SLACK_BOT_TOKEN"), slackapi.OptionAppLevelToken(os.Getenv("SLACK_APP_TOKEN")), slackapi.OptionAPIURL(os.Getenv("SLACK_API_URL")))
	client := socketmode.New(api)
	go echo(ctx, client)
	if err := client.RunContext(ctx); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

func echo(ctx context.Context, client *socketmode.Client) {
	for e := range client.Events {
		command, ok := e.Data.(slackapi.SlashCommand)
		if !ok {
			continue
		}
		if err := client.AckCtx(ctx, e.Request.EnvelopeID, map[string]any{"text": command.Text}); err != nil {
			log.Print(err)
		}
	}
}
