"""The inbox read by real ingest processes, which are killed while entries come."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
from redis import Redis

from shared.runtime.engine import Engine
from shared.runtime.keys import INBOX, INBOX_GROUP, INBOX_READER, REFUSED
from shared.runtime.lanes import Lanes
from tests.builders import SLUG, Envelope, posted, published
from tests.stack import free_ports
from tests.waiting import until_sync

COUNT = 3_000
START_SECONDS = 30


@pytest.fixture
def engine_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("inbox")) as engine:
        yield engine


@contextmanager
def ingest(engine: Engine) -> Iterator[subprocess.Popen[bytes]]:
    (port,) = free_ports(1)
    environ = {
        "WRITETHRU_REDIS_URL": engine.url,
        "WRITETHRU_INGEST_LISTEN": f"127.0.0.1:{port}",
        "WRITETHRU_LOG_LEVEL": "error",
    }
    process = subprocess.Popen([sys.executable, "-m", "services.ingest"], env=os.environ | environ)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def put(redis: Any, *envelopes: Envelope) -> None:
    for envelope in envelopes:
        redis.xadd(INBOX, {"data": orjson.dumps(envelope)})


def filed(redis: Any) -> list[str]:
    tags = tuple(tag.decode() for tag in redis.lrange("writethru:lanes", 0, -1))
    if not tags:
        return []
    ledger = redis.lrange(Lanes(tags).of(SLUG).article(SLUG).ledger, 0, -1)
    return [orjson.loads(record)["event"]["id"] for record in ledger]


def test_killed_readers_lose_double_and_reorder_nothing(engine_: Engine) -> None:
    # Given entries that one of two processes reads
    ids = [f"e{n}" for n in range(COUNT)]
    with Redis.from_url(engine_.url) as redis:
        with ingest(engine_) as one, ingest(engine_) as other:
            until_sync(lambda: redis.get(INBOX_READER), START_SECONDS)
            put(redis, published(id="first"), *(posted(id_, id=id_) for id_ in ids))

            # When one is killed, and when another has come the other, so that one was the reader
            until_sync(lambda: len(filed(redis)) > 50, START_SECONDS)
            one.kill()
            until_sync(lambda: len(filed(redis)) > COUNT // 3, START_SECONDS)
            with ingest(engine_):
                other.kill()

                # Then whoever is left files the rest: all of it, once, and in its order
                until_sync(lambda: not redis.xlen(INBOX), START_SECONDS)
        assert filed(redis) == ["first", *ids]
        assert not redis.exists(REFUSED)
        (group,) = redis.xinfo_groups(INBOX)
        assert (group["name"], group["pending"]) == (INBOX_GROUP.encode(), 0)
