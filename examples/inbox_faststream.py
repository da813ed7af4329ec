"""Appends events to the inbox from a FastStream application.

    REDIS_URL=redis://… python inbox_faststream.py

FastStream's `publish` would wrap the event in a binary envelope; the inbox takes plain entries,
which any client can write, so they are appended with the broker's own client. Ingest files them in
the order of the entries; what it refuses it puts into `writethru:refused`, with the reason.
"""

import asyncio
import json
import os

from faststream.redis import RedisBroker

INBOX = "writethru:inbox"

broker = RedisBroker(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"))


def event(kind: str, id_: str, **data: str) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": id_,
        "source": "/examples/inbox",
        "type": f"writethru.{kind}",
        "subject": "harbour-swim",
        "data": data,
    }


async def file(envelope: dict[str, object]) -> None:
    """Append one event. Appending it again, after an error, is safe: its id is the same."""
    client = await broker.connect()
    entry = await client.xadd(INBOX, {"data": json.dumps(envelope)})
    print(envelope["id"], entry.decode())


async def main() -> None:
    await file(event("article.published", "lead", headline="Harbour swim", body="They swim."))
    await file(event("update.posted", "update-1", text="The first swimmer is back."))
    await broker.stop()


if __name__ == "__main__":
    asyncio.run(main())
