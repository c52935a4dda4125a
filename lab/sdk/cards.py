"""Reads cards as JSON lines from standard input and has slack_sdk's block models check them. Each line holds a name, what
it is ("message", "modal" or "home") and its blocks or view. A line "name: what is wrong" comes out for each that is not
right: a model that refuses it, a field that the models do not know, or one that they would send differently."""
import json
import logging
import sys

from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View


class Complaints(logging.Handler):
    """The models only log what they do not know."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage())


def plain(value):
    """What JSON makes of it: the models keep tuples and objects in places."""
    return json.loads(json.dumps(value, default=lambda x: x.to_dict()))


def check(card):
    if card["kind"] == "message":
        models = Block.parse_all(card["blocks"])
        if None in models:
            return
        yield plain([m.to_dict() for m in models]), card["blocks"]
    else:
        yield plain(View(**card["view"]).to_dict()), card["view"]


complaints = Complaints()
logging.basicConfig(handlers=[complaints])
for line in sys.stdin:
    card = json.loads(line)
    complaints.said.clear()
    try:
        for got, want in check(card):
            if got != want:
                complaints.said.append("the models would send it differently: " + json.dumps(got))
    except Exception as problem:
        complaints.said.append(f"{type(problem).__name__}: {problem}")
    for words in complaints.said:
        print(f"{card['name']}: {words}")
