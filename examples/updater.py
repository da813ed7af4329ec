#!/usr/bin/env python3
"""An updater: asked at each tick, it says in one update what a feed has brought since the last.

    export FEED=http://127.0.0.1:9100/feed.json
    export SECRET=$(./writethru sources add harbour-bridge http://127.0.0.1:9200/ --kind http)
    python3 examples/updater.py

Python's standard library is all it takes, and no model: it counts and quotes. ingest calls this
machine only where WRITETHRU_OUTBOUND_ALLOW=127.0.0.0/8 lets it.
"""

import base64
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen

SECRET = base64.b64decode(os.environ["SECRET"].removeprefix("whsec_"))
FEED = os.environ["FEED"]
TOLERANCE_SECONDS = 5 * 60


def is_ours(headers, body):
    """Whether the question is signed with our secret, not long ago."""
    message_id, sent = headers["webhook-id"], headers["webhook-timestamp"]
    if not (message_id and sent and sent.isdigit()):
        return False
    if abs(time.time() - int(sent)) > TOLERANCE_SECONDS:
        return False
    signed = f"{message_id}.{sent}.".encode() + body
    right = "v1," + base64.b64encode(hmac.digest(SECRET, signed, "sha256")).decode()
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(right.encode(), each.encode()) for each in given)


def answer(question):
    """Return what is new since the cursor, which is the ids that we have told of; None: nothing."""
    with urlopen(FEED) as feed:
        items = json.load(feed)["items"]
    told = question["cursor"] or []
    new = [item for item in items if item["id"] not in told]
    if not new:
        return None
    titles = "; ".join(item["title"] for item in reversed(new))
    many = "One report" if len(new) == 1 else f"{len(new)} reports"
    text = f"{many} since the last update: {titles}."
    update = {"type": "writethru.update.posted", "data": {"text": text}}
    # What we return as the cursor comes back with the next question.
    return {"events": [update], "cursor": [item["id"] for item in items]}


class Updater(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if not is_ours(self.headers, body):
            self.answer(401)
            return
        question = json.loads(body)
        news = answer(question)
        print(question["article"], question["tick"], "news" if news else "nothing new", flush=True)
        self.answer(200 if news else 204, json.dumps(news).encode() if news else b"")

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        if status != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "9200"))
    ThreadingHTTPServer(("127.0.0.1", port), Updater).serve_forever()
