"""Files events with nothing but the standard library, and sends again what has to be sent again.

    KEY=wt_… python3 publish.py

An event keeps its id, so sending it again is always safe: what is stored already is a `duplicate`.
"""

import json
import os
import time
import urllib.error
import urllib.request

INGEST = os.environ.get("INGEST", "http://127.0.0.1:8000")
TRIES = 10
AGAIN = {"busy", "durability-timeout"}


def event(kind, id_, **data):
    return {
        "specversion": "1.0",
        "id": id_,
        "source": "/examples/python",
        "type": f"writethru.{kind}",
        "subject": "night-train",
        "data": data,
    }


def file(events):
    """File *events* in their order and return a receipt for each."""
    for _ in range(TRIES):
        receipts, seconds = send(events)
        codes = {receipt.get("problem", {}).get("code") for receipt in receipts}
        if receipts and not codes & AGAIN:
            return receipts
        time.sleep(seconds)
    raise SystemExit("the events were not taken; try again later")


def send(events):
    """Send *events* once; return the receipts, none if the request has to be sent again."""
    request = urllib.request.Request(
        f"{INGEST}/v1/events",
        data=json.dumps(events).encode(),
        headers={
            "Authorization": f"Bearer {os.environ['KEY']}",
            "Content-Type": "application/cloudevents-batch+json",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["receipts"], float(answer.headers.get("Retry-After", 1))
    except urllib.error.HTTPError as refusal:
        problem = json.load(refusal)
        if problem["code"] not in AGAIN:
            raise SystemExit(f"{problem['title']}: {problem['detail']}") from None
        return [], float(refusal.headers.get("Retry-After", 1))
    except OSError:  # nobody knows whether it arrived
        return [], 1.0


def main():
    receipts = file(
        [
            event("article.published", "lead", headline="Night train is back", body="It is back."),
            event("update.posted", "update-1", text="The first one left at ten."),
            event("update.pinned", "pin-1", update_id="update-1"),
        ]
    )
    for receipt in receipts:
        print(json.dumps(receipt))


if __name__ == "__main__":
    main()
