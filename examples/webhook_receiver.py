#!/usr/bin/env python3
"""Receives webhooks: checks that they are ours, takes each once, and prints what changed.

    export SECRET=$(./writethru subscriptions add http://127.0.0.1:9000/)
    python3 examples/webhook_receiver.py

Python's standard library is all it takes. deliver calls this machine only where
WRITETHRU_OUTBOUND_ALLOW=127.0.0.0/8 lets it.
"""

import base64
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = base64.b64decode(os.environ["SECRET"].removeprefix("whsec_"))
TOLERANCE_SECONDS = 5 * 60

#: The ids of messages that were taken. Keep them where a restart finds them, for some days.
seen = set()


def is_ours(headers, body):
    """Whether one of the signatures is made with our secret, not long ago."""
    message_id, sent = headers["webhook-id"], headers["webhook-timestamp"]
    if not (message_id and sent and sent.isdigit()):
        return False
    if abs(time.time() - int(sent)) > TOLERANCE_SECONDS:
        return False
    signed = f"{message_id}.{sent}.".encode() + body
    right = "v1," + base64.b64encode(hmac.digest(SECRET, signed, "sha256")).decode()
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(right.encode(), each.encode()) for each in given)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if not is_ours(self.headers, body):
            self.answer(401)
            return
        message_id = self.headers["webhook-id"]
        if message_id not in seen:
            message = json.loads(body)
            print(message["type"], json.dumps(message["data"]), flush=True)
            seen.add(message_id)
        # Within ten seconds; what takes longer is done afterwards.
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "9000"))
    ThreadingHTTPServer(("127.0.0.1", port), Receiver).serve_forever()
