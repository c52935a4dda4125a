"""The conversation of internal/slacksim/sdk_test.go on slack_bolt. conversation.js holds the same one: whoever changes
one changes the other. It ends when its standard input does."""
import json
import logging
import os
import pathlib
import sys

from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient

logging.basicConfig(level=logging.WARNING)
talk = json.loads((pathlib.Path(__file__).parent / "talk.json").read_text())
app = App(client=WebClient(token=os.environ["SLACKSIM_BOT_TOKEN"], base_url=os.environ["SLACKSIM_API_URL"]))


@app.command("/cdc")
def command(ack, command, client):
    ack(text=talk["acked"])
    client.chat_postMessage(channel=command["channel_id"], text=talk["question"], blocks=talk["message"])


@app.action("restart")
def restart(ack, body, client):
    ack()
    view = {**talk["modal"], "private_metadata": f"{body['channel']['id']} {body['message']['ts']}"}
    client.views_open(trigger_id=body["trigger_id"], view=view)


@app.action("more")
def more(ack, action, respond):
    ack()
    respond(text=f"{talk['chosen']} {action['selected_option']['value']}", replace_original=False)


@app.action("room")
def room(ack, action, body, client):
    ack()
    client.chat_postMessage(channel=body["channel"]["id"], thread_ts=body["message"]["ts"], text=f"{talk['moved']} {action['selected_channel']}")


@app.options("worker")
def workers(ack, payload):
    ack(options=[o for o in talk["workers"] if o["value"].startswith(payload["value"])])


@app.view("why")
def why(ack, view, body, client):
    reason = view["state"]["values"]["why"]["reason"]["value"]
    if len(reason) < 5:
        ack(response_action="errors", errors={"why": talk["short"]})
        return
    ack()
    channel, ts = view["private_metadata"].split(" ")
    worker = view["state"]["values"]["worker"]["worker"]["selected_option"]["value"]
    client.chat_update(channel=channel, ts=ts, text=talk["done"], blocks=talk["after"])
    client.chat_postMessage(channel=channel, thread_ts=ts, text=f"<@{body['user']['id']}>: {reason} ({worker})")
    file = talk["file"]
    client.files_upload_v2(channel=channel, thread_ts=ts, filename=file["name"], title=file["title"], content=file["content"])


@app.view_closed("why")
def closed(ack, body, client):
    ack()
    channel, _ = body["view"]["private_metadata"].split(" ")
    client.chat_postEphemeral(channel=channel, user=body["user"]["id"], text=talk["closed"])


@app.event("app_home_opened")
def home(event, client):
    client.views_publish(user_id=event["user"], view=talk["home"])


@app.action("refresh")
def refresh(ack, body, client):
    ack()
    client.views_update(view_id=body["view"]["id"], hash=body["view"]["hash"], view=talk["refreshed"])


@app.event("app_mention")
def mention(event, client):
    client.reactions_add(channel=event["channel"], timestamp=event["ts"], name="eyes")


@app.message("who is here")
def who(message, client):
    members = client.conversations_members(channel=message["channel"])["members"]
    user = client.users_info(user=message["user"])["user"]
    client.chat_postMessage(channel=message["channel"], thread_ts=message["ts"], text=f"{user['profile']['real_name']}: {len(members)}")


@app.event("message")
def other(event):
    """Messages that are not a question need no answer."""


@app.event("reaction_added")
def reaction(event, client):
    if event["reaction"] == "pushpin":
        client.pins_add(channel=event["item"]["channel"], timestamp=event["item"]["ts"])


@app.message_shortcut("timeline_add")
def keep(ack, shortcut, client):
    ack()
    client.chat_postMessage(channel=shortcut["channel"]["id"], thread_ts=shortcut["message"].get("thread_ts", shortcut["message"]["ts"]), text=f"{talk['kept']} {shortcut['message']['text']}")


@app.global_shortcut("report")
def report(ack, shortcut, client):
    ack()
    client.views_open(trigger_id=shortcut["trigger_id"], view=talk["report"])


SocketModeHandler(app, os.environ["SLACKSIM_APP_TOKEN"]).connect()
sys.stdin.read()
os._exit(0)  # the SDK's threads would hold the process
