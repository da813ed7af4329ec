"""Renderers of two fold revisions side by side, up and back, and what older ones have stored."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from services.render.rendering import Rendering
from services.render.store import Store
from services.render.sweep import Sweeper
from services.render.verify import verify
from shared.article.fold import FOLD_REVISION
from shared.article.formats import json
from shared.article.stored import link_of
from shared.contract.notices import OVERDUE
from shared.runtime.engine import Engine
from shared.runtime.snapshots import Snapshots
from tests.builders import closed, corrected, posted, published, records
from tests.golden.stored import Kept, kept
from tests.integration.newsroom import Newsroom, open_newsroom
from tests.integration.test_cli_verify import writethru
from tests.waiting import until

NEWER = FOLD_REVISION + 1
SLUGS = [f"story-{n}" for n in range(6)]
LANES = 12
#: A renderer of another fold revision: the same code under another number.
OTHER = """
import sys
import shared.article.fold as fold
fold.FOLD_REVISION = {revision}
from services.render.__main__ import main
sys.exit(main())
"""


@contextmanager
def renderer(engine: Engine, revision: int, folder: Path) -> Iterator[None]:
    """Run a renderer of that fold revision."""
    environ = os.environ | {"WRITETHRU_REDIS_URL": engine.url}
    with (folder / f"render.{revision}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", OTHER.format(revision=revision)],
            env=environ,
            stdout=log,
            stderr=log,
        )
        try:
            yield
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


async def revisions(newsroom: Newsroom) -> set[Any]:
    return {await newsroom.redis.hget(newsroom.keys(slug).article, "rev") for slug in SLUGS}


async def all_rendered(newsroom: Newsroom) -> bool:
    for slug in SLUGS:
        facts: Any = await newsroom.redis.hmget(newsroom.keys(slug).article, "seq", "version")
        if facts[0] is None or facts[0] != facts[1]:
            return False
    return True


async def all_of(newsroom: Newsroom, revision: int) -> bool:
    rendered = await all_rendered(newsroom)
    return rendered and await revisions(newsroom) == {str(revision).encode()}


async def file_some(newsroom: Newsroom, part: str) -> None:
    for n in range(10):
        for slug in SLUGS:
            await newsroom.file(posted(f"{part}-{n}", slug=slug))
            if n % 3 == 2:
                await newsroom.file(corrected(f"{part}-{n - 1}", slug=slug))


async def outbox_joins(newsroom: Newsroom) -> bool:
    """Whether each article's intervals in the outbox join and cover all versions, once."""
    at = dict.fromkeys(SLUGS, 0)
    for lane in newsroom.lanes:
        entries: Any = await newsroom.redis.xrange(lane.changes)
        for _, fields in entries:
            slug = fields[b"article"].decode()
            if int(fields[b"from"]) != at[slug]:
                return False
            at[slug] = int(fields[b"to"])
    return all([at[slug] == await newsroom.version(slug) for slug in SLUGS])


async def test_two_fold_revisions_work_side_by_side_and_back_again(redis, engine, tmp_path):
    # given a renderer at work
    newsroom = await open_newsroom(redis, LANES)
    for slug in SLUGS:
        await newsroom.file(published(slug=slug))
    with renderer(engine, FOLD_REVISION, tmp_path):
        await file_some(newsroom, "before")
        await until(lambda: all_of(newsroom, FOLD_REVISION), 60)
        # when one of a newer fold comes beside it, while events are filed
        with renderer(engine, NEWER, tmp_path):
            await file_some(newsroom, "during")
            # then every article is folded by the newer one in the end, and told of once
            await until(lambda: all_of(newsroom, NEWER), 60)
            assert await outbox_joins(newsroom)
        # and the older one touches none of them
        await newsroom.file(posted("after", slug=SLUGS[0]))
        before = await revisions(newsroom)
        assert before == {str(NEWER).encode()}
        # when one goes back to the older and says so, then it takes all of them over
        status, _, said = await writethru("rebuild", "--redis-url", engine.url)
        assert (status, said) == (0, "")
        await until(lambda: all_of(newsroom, FOLD_REVISION), 60)
        await file_some(newsroom, "back")
        await until(lambda: all_of(newsroom, FOLD_REVISION), 60)
    assert await outbox_joins(newsroom)
    assert (await writethru("verify", "--redis-url", engine.url))[0] == 0


async def put(redis: Redis, newsroom: Newsroom, stored: Kept) -> str:
    """Put an article into the engine as a renderer of another day has stored it."""
    events = [orjson.loads(line) for line in stored.ledger.read_bytes().splitlines()]
    ledger, slug = list(records(*events)), str(events[0]["subject"])
    keys, found, last = newsroom.keys(slug), stored.hashes(), link_of(ledger[-1])
    state = found["state"]
    await redis.rpush(keys.ledger, *ledger)
    facts: Any = {
        "seq": last.seq, "chain": last.chain, "status": "live",
        "version": state["version"], "version_chain": state["chain"], "rev": state["rev"],
    }  # fmt: skip
    await redis.hset(keys.article, mapping=facts)
    for name in ("state", "updates", "pages"):
        if found[name]:
            fields: Any = found[name]
            await redis.hset(getattr(keys, name), mapping=fields)
    if found["changed"]:
        await redis.zadd(keys.changed, found["changed"])
    await redis.zadd(keys.lane.latest, {slug: found["latest"][slug] or 0})
    return slug


@pytest.mark.parametrize(
    "stored",
    [each for each in kept() if each.revision < FOLD_REVISION and each.ledger.stem != "killed"],
    ids=lambda each: f"r{each.revision}-{each.path.stem}",
)
async def test_what_an_older_revision_stored_is_served_and_folded_anew_when_idle(redis, stored):
    # given an article as an older revision stored it, which nobody touches
    newsroom = await open_newsroom(redis)
    slug = await put(redis, newsroom, stored)
    snapshots = Snapshots(redis, newsroom.lanes)
    # then it is served
    before = await snapshots.read_article(slug)
    assert before is not None
    assert json.article(before)["version"] == int(stored.hashes()["state"]["version"])
    # when the sweeper has gone round
    rendering = Rendering(redis, newsroom.lanes, Store(redis, newsroom.lanes))
    await Sweeper(redis, newsroom.lanes, rendering).sweep()
    # then it is as its ledger gives it, and no reader was told of anything
    assert await snapshots.read_article(slug) == await newsroom.replayed(slug)
    assert await redis.hget(newsroom.keys(slug).article, "rev") == str(FOLD_REVISION).encode()
    told: Any = await redis.xrange(newsroom.keys(slug).lane.changes)
    assert {fields[b"kinds"].decode() for _, fields in told} <= {OVERDUE}


async def test_a_round_folds_few_articles_and_goes_on_with_the_others(redis, monkeypatch):
    # given a dozen articles of an older fold in one lane
    newsroom = await open_newsroom(redis, 1)
    store = Store(redis, newsroom.lanes)
    slugs = [f"old-{n}" for n in range(12)]
    for slug in slugs:
        await newsroom.file(published(slug=slug), closed(slug=slug))
        await store.render(slug)
        await redis.hset(newsroom.keys(slug).article, "rev", FOLD_REVISION - 1)
    sweeper = Sweeper(
        redis, newsroom.lanes, Rendering(redis, newsroom.lanes, Store(redis, newsroom.lanes))
    )

    async def older() -> int:
        facts = [await redis.hget(newsroom.keys(slug).article, "rev") for slug in slugs]
        return sum(int(rev) < FOLD_REVISION for rev in facts)

    # when the sweeper goes round, then it does some each time
    await sweeper.sweep()
    assert await older() == 7
    await sweeper.sweep()
    assert await older() == 2
    await sweeper.sweep()
    assert await older() == 0
    found = await verify(redis, newsroom.lanes, newsroom.key, "old-3")
    assert found.differences == []
