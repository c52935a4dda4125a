// The barest bot on @slack/bolt: it acknowledges every slash command with its words (see main.go).
const { App } = require("@slack/bolt");

const app = new App({
  token: process.env.SLACK_BOT_TOKEN,
  appToken: process.env.SLACK_APP_TOKEN,
  socketMode: true,
  clientOptions: { slackApiUrl: process.env.SLACK_API_URL },
});
app.command("/cdc", ({ ack, command }) => ack(command.text));
app.start();
