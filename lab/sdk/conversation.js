// The conversation of internal/slacksim/sdk_test.go on @slack/bolt. conversation.py holds the same one: whoever changes
// one changes the other. It ends when its standard input does.
const { App, LogLevel } = require("@slack/bolt");
const talk = require("./talk.json");

const app = new App({
  token: process.env.SLACKSIM_BOT_TOKEN,
  appToken: process.env.SLACKSIM_APP_TOKEN,
  socketMode: true,
  logLevel: LogLevel.WARN,
  clientOptions: { slackApiUrl: process.env.SLACKSIM_API_URL },
});

app.command("/cdc", async ({ ack, command, client }) => {
  await ack({ text: talk.acked });
  await client.chat.postMessage({ channel: command.channel_id, text: talk.question, blocks: talk.message });
});

app.action("restart", async ({ ack, body, client }) => {
  await ack();
  const view = { ...talk.modal, private_metadata: `${body.channel.id} ${body.message.ts}` };
  await client.views.open({ trigger_id: body.trigger_id, view });
});

app.action("more", async ({ ack, action, respond }) => {
  await ack();
  await respond({ text: `${talk.chosen} ${action.selected_option.value}`, replace_original: false });
});

app.action("room", async ({ ack, action, body, client }) => {
  await ack();
  await client.chat.postMessage({ channel: body.channel.id, thread_ts: body.message.ts, text: `${talk.moved} ${action.selected_channel}` });
});

app.options("worker", async ({ ack, payload }) => {
  await ack({ options: talk.workers.filter((o) => o.value.startsWith(payload.value)) });
});

app.view("why", async ({ ack, view, body, client }) => {
  const why = view.state.values.why.reason.value;
  if (why.length < 5) {
    await ack({ response_action: "errors", errors: { why: talk.short } });
    return;
  }
  await ack();
  const [channel, ts] = view.private_metadata.split(" ");
  const worker = view.state.values.worker.worker.selected_option.value;
  await client.chat.update({ channel, ts, text: talk.done, blocks: talk.after });
  await client.chat.postMessage({ channel, thread_ts: ts, text: `<@${body.user.id}>: ${why} (${worker})` });
  await client.filesUploadV2({ channel_id: channel, thread_ts: ts, filename: talk.file.name, title: talk.file.title, content: talk.file.content });
});

app.view({ callback_id: "why", type: "view_closed" }, async ({ ack, body, client }) => {
  await ack();
  const [channel] = body.view.private_metadata.split(" ");
  await client.chat.postEphemeral({ channel, user: body.user.id, text: talk.closed });
});

app.event("app_home_opened", async ({ event, client }) => {
  await client.views.publish({ user_id: event.user, view: talk.home });
});

app.action("refresh", async ({ ack, body, client }) => {
  await ack();
  await client.views.update({ view_id: body.view.id, hash: body.view.hash, view: talk.refreshed });
});

app.event("app_mention", async ({ event, client }) => {
  await client.reactions.add({ channel: event.channel, timestamp: event.ts, name: "eyes" });
});

app.message("who is here", async ({ message, client }) => {
  const { members } = await client.conversations.members({ channel: message.channel });
  const { user } = await client.users.info({ user: message.user });
  await client.chat.postMessage({ channel: message.channel, thread_ts: message.ts, text: `${user.profile.real_name}: ${members.length}` });
});

app.event("reaction_added", async ({ event, client }) => {
  if (event.reaction === "pushpin") await client.pins.add({ channel: event.item.channel, timestamp: event.item.ts });
});

app.shortcut({ callback_id: "timeline_add", type: "message_action" }, async ({ ack, shortcut, client }) => {
  await ack();
  await client.chat.postMessage({ channel: shortcut.channel.id, thread_ts: shortcut.message.thread_ts || shortcut.message.ts, text: `${talk.kept} ${shortcut.message.text}` });
});

app.shortcut("report", async ({ ack, shortcut, client }) => {
  await ack();
  await client.views.open({ trigger_id: shortcut.trigger_id, view: talk.report });
});

app.error(async (error) => {
  console.error(error);
  process.exitCode = 1;
});

app.start();
process.stdin.on("end", () => process.exit()).resume();
