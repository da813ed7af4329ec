"""Follows every change of every article, with redis-py.

    REDIS_URL=redis://… python changes_redis.py

Prints a line for each. It begins with what the streams still have (24 hours at least). A program
that has to go on where it was keeps the last id of each stream, as `last` does here, with its data.
"""

import json
import os

from redis import Redis

CHANGES = "{{wt:{}}}:changes"


def main() -> None:
    url = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
    # A blocking read has to come back before the socket's patience ends.
    redis = Redis.from_url(url, decode_responses=True, protocol=2, socket_timeout=30)
    tags = redis.lrange("writethru:lanes", 0, -1)
    last = {CHANGES.format(tag): "0" for tag in tags}
    while True:
        for stream, entries in redis.xread(last, block=10_000) or ():
            for entry_id, change in entries:
                tell(change)
                last[stream] = entry_id


def tell(change: dict[str, str]) -> None:
    """An article went from one version to another; `head` has its facts as they are now."""
    head = json.loads(change["head"])
    versions = f"{change['from']}..{change['to']}"
    print(change["article"], versions, change["kinds"], head.get("headline", ""), flush=True)


if __name__ == "__main__":
    main()
