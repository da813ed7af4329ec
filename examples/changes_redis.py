"""Follows every change of every article, with redis-py, and goes on where it was.

    REDIS_URL=redis://… python changes_redis.py [FILE]

Prints a line for each. It begins with what the streams still have (24 hours at least). With a FILE
it keeps its place there, so that another run loses nothing; a run that died between doing something
and keeping its place finds the same entry once more, and knows it by the article's chain.
"""

import json
import os
import sys
from pathlib import Path

from redis import Redis

CHANGES = "{{wt:{}}}:changes"


def main(kept: Path | None) -> None:
    url = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
    # A blocking read has to come back before the socket's patience ends.
    redis = Redis.from_url(url, decode_responses=True, protocol=2, socket_timeout=30)
    state = read(kept)
    last, done = state["last"], state["done"]
    for tag in redis.lrange("writethru:lanes", 0, -1):
        last.setdefault(CHANGES.format(tag), "0")
    while True:
        for stream, entries in redis.xread(last, block=10_000) or ():
            for entry_id, change in entries:
                # The chain names the version and all that led to it.
                if done.get(change["article"]) != change["chain"]:
                    tell(change)
                done[change["article"]] = change["chain"]
                last[stream] = entry_id
                write(kept, state)


def tell(change: dict[str, str]) -> None:
    """An article went from one version to another; `head` has its facts as they are now."""
    head = json.loads(change["head"])
    versions = f"{change['from']}..{change['to']}"
    print(change["article"], versions, change["kinds"], head.get("headline", ""), flush=True)


def read(kept: Path | None) -> dict[str, dict[str, str]]:
    """Return the last id of each stream, and the last chain of each article."""
    if kept is None or not kept.exists():
        return {"last": {}, "done": {}}
    return json.loads(kept.read_text())


def write(kept: Path | None, state: dict[str, dict[str, str]]) -> None:
    """Keep it in one step: who dies in the middle has the state before."""
    if kept is not None:
        beside = kept.with_suffix(".new")
        beside.write_text(json.dumps(state))
        beside.replace(kept)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
