"""Shares the changes out among the processes of one system, with FastStream.

    REDIS_URL=redis://… python changes_faststream.py [NAME]

Each process has a NAME of its own. A change goes to one of them, and to another run of the same
NAME if it was not finished, so what is done with it must be safe to do twice; `to` and `chain` say
which version it is about. The changes of one article may reach two processes at a time: do what
has to be done for the newest version, and leave older ones.
"""

import asyncio
import json
import os
import sys

from faststream.redis import RedisBroker, StreamSub
from redis.exceptions import ResponseError

GROUP = "examples"
CHANGES = "{{wt:{}}}:changes"


async def on_change(change: dict[str, str]) -> None:
    """Take one entry: plain fields, of which `head` is JSON."""
    head = json.loads(change["head"])
    versions = f"{change['from']}..{change['to']}"
    print(change["article"], versions, change["kinds"], head.get("headline", ""), flush=True)


async def main(name: str) -> None:
    broker = RedisBroker(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"), logger=None)
    client = await broker.connect()
    for tag in await client.lrange("writethru:lanes", 0, -1):
        stream = CHANGES.format(tag.decode())
        # FastStream would make the group at the stream's end, and skip what is there.
        try:
            await client.xgroup_create(stream, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        await finish(client, stream, name)
        # Unset, max_records would be the whole backlog in one reply.
        sub = StreamSub(
            stream,
            group=GROUP,
            consumer=name,
            max_records=100,
            polling_interval=1000,
            declare=False,
        )
        broker.subscriber(stream=sub)(on_change)
    await broker.start()
    await asyncio.Event().wait()


async def finish(client, stream: str, name: str) -> None:
    """Take what an earlier run of *name* had in hand; FastStream reads only what is new."""
    last = b"0"
    while entries := dict(await client.xreadgroup(GROUP, name, {stream: last}) or ()):
        (found,) = entries.values()
        if not found:
            return
        for last, fields in found:
            if fields:
                await on_change({key.decode(): value.decode() for key, value in fields.items()})
            await client.xack(stream, GROUP, last)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "one"))
