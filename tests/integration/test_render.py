"""Rendering: what is stored is the fold of the ledger, whoever rendered it and in what steps."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.commands.core import HashCommands
from structlog.testing import capture_logs

from services.render.core.filed import LedgerError
from services.render.store import Store
from services.render.verify import every_article, verify
from shared.article.article import page_of
from shared.article.fold import FOLD_REVISION
from shared.runtime.engine import Engine
from shared.runtime.redis import connect
from shared.runtime.snapshots import Snapshots
from tests.builders import (
    SLUG,
    closed,
    corrected,
    killed,
    numbered,
    pinned,
    posted,
    published,
    redacted,
    reopened,
    retracted,
    revised,
    unpinned,
    writethru,
)
from tests.integration.newsroom import Newsroom, open_newsroom
from tests.waiting import until

STORY = (
    published(body="# One\n\nTwo.", timezone="Europe/London", locale="en-GB"),
    posted("a", "First."),
    posted("b", "Second.", key_event=True, authors=["A. Writer"]),
    pinned("a"),
    corrected("b", "Second, mended."),
    writethru(timezone="America/New_York", note="Moved."),
    revised("a", headline="A headline"),
    posted("c", "Third.", sources=[{"n": 8, "url": "https://example.org/8"}]),
    pinned("c"),
    writethru(locale="de-DE", update_order="newest-first"),
    retracted("b"),
    unpinned("c"),
    redacted("a"),
    closed(note="Good night."),
    reopened(),
    writethru(body="Three.", headline="Another", tags=["bridge"]),
)


@pytest.fixture
async def newsroom(redis: Redis) -> Newsroom:
    return await open_newsroom(redis)


@pytest.fixture
def store(newsroom: Newsroom) -> Store:
    return Store(newsroom.redis, newsroom.lanes)


async def differences(newsroom: Newsroom, slug: str = SLUG) -> list[str]:
    return (await verify(newsroom.redis, newsroom.lanes, newsroom.key, slug)).differences


# The same article, whatever the steps


@pytest.mark.parametrize("step", [1, 3, len(STORY)])
async def test_every_act_ends_in_what_the_ledger_gives(newsroom, store, step):
    # given every kind of act, rendered one, three, or all at a time
    for start in range(0, len(STORY), step):
        await newsroom.file(*STORY[start : start + step])
        await store.render(SLUG)
    # when the result is compared
    # then it is the fold of the ledger, and nothing else is stored
    assert await differences(newsroom) == []
    stored = await Snapshots(newsroom.redis, newsroom.lanes).read_article(SLUG)
    assert stored == await newsroom.replayed()


async def test_a_renderer_that_starts_cold_at_every_step_makes_the_same(newsroom):
    # given a new renderer for every event
    for envelope in STORY:
        await newsroom.file(envelope)
        await Store(newsroom.redis, newsroom.lanes).render(SLUG)
    # when the result is compared
    # then it is the fold of the ledger
    assert await differences(newsroom) == []


async def test_renderers_that_take_turns_make_the_same(newsroom, store):
    # given two renderers, each warm with what it rendered last
    stores = [store, Store(newsroom.redis, newsroom.lanes)]
    for place, envelope in enumerate(STORY):
        await newsroom.file(envelope)
        await stores[place % 2].render(SLUG)
    # when the result is compared
    # then it is the fold of the ledger, told to the outbox without a gap
    assert await differences(newsroom) == []
    outbox = await newsroom.redis.xrange(newsroom.keys().lane.changes)
    steps = [(int(entry[b"from"]), int(entry[b"to"])) for _, entry in outbox]
    assert steps == [(version, version + 1) for version in range(len(STORY))]


async def test_renderers_that_race_make_the_same(engine, newsroom):
    # given four renderers with connections of their own, woken for every event at once
    clients = [connect(engine.url) for _ in range(4)]
    stores = [Store(client, newsroom.lanes) for client in clients]
    for envelope in STORY:
        await newsroom.file(envelope)
        await asyncio.gather(*(store.render(SLUG) for store in stores))
    # when the result is compared
    # then it is the fold of the ledger, told to the outbox without a gap
    assert await differences(newsroom) == []
    outbox = await newsroom.redis.xrange(newsroom.keys().lane.changes)
    steps = [(int(entry[b"from"]), int(entry[b"to"])) for _, entry in outbox]
    assert steps == [(version, version + 1) for version in range(len(STORY))]
    for client in clients:
        await client.aclose()


async def test_only_the_articles_rendered_last_are_warm(newsroom):
    # given a renderer with room for one warm article, and two articles
    store = Store(newsroom.redis, newsroom.lanes, warm=1)
    for slug in ("bridge", "port"):
        await newsroom.file(published(slug=slug), posted("a", slug=slug))
        await store.render(slug)

    async def reads(slug: str) -> int:
        await newsroom.file(posted("b", slug=slug))
        before = await newsroom.redis.info("commandstats")
        await store.render(slug)
        after = await newsroom.redis.info("commandstats")
        return int(after["cmdstat_hmget"]["calls"] - before["cmdstat_hmget"]["calls"])

    # when the one rendered last changes, and then the other
    warm, cold = await reads("port"), await reads("bridge")
    # then the warm one needed neither state nor page, and both are right
    assert warm < cold
    assert await differences(newsroom, "bridge") == await differences(newsroom, "port") == []


async def test_a_backlog_is_rendered_in_rounds(newsroom, store, monkeypatch):
    # given more events than a round takes
    for module in ("ledger", "store"):
        monkeypatch.setattr(f"services.render.{module}.ENTRIES_A_ROUND", 50)
    await newsroom.file(published(), *numbered(120))
    # when they are rendered
    await store.render(SLUG)
    # then each round is a commit of its own
    assert await newsroom.redis.xlen(newsroom.keys().lane.changes) == 3
    assert await differences(newsroom) == []


async def test_an_update_corrected_among_ten_thousand_reads_and_writes_its_own_page_only(
    newsroom, monkeypatch
):
    # given an article of 10,000 updates, rendered by somebody else
    await newsroom.file_at_once(published(), *numbered(10_000))
    await Store(newsroom.redis, newsroom.lanes).render(SLUG)
    await newsroom.file(corrected("u4321"))
    asked: dict[str, list[str]] = {}
    hmget = HashCommands.hmget

    def listening(client: Any, key: str, fields: Any, *more: Any) -> Any:
        asked.setdefault(key, []).extend(fields)
        return hmget(client, key, fields, *more)

    monkeypatch.setattr(HashCommands, "hmget", listening)
    before = await newsroom.redis.hgetall(newsroom.keys().pages)
    # when one in the middle is corrected
    await Store(newsroom.redis, newsroom.lanes).render(SLUG)
    # then a cold renderer has read one page and one update
    keys = newsroom.keys()
    page = str(page_of(4321))
    assert asked[keys.pages] == [page]
    assert [name.partition("@")[0] for name in asked[keys.updates]] == ["u4321", "u4321"]
    after = await newsroom.redis.hgetall(keys.pages)
    assert {name for name in after if after[name] != before[name]} == {page.encode()}


# Trouble in the ledger


async def test_an_event_that_cannot_be_read_any_more_is_marked_and_stepped_over(newsroom, store):
    # given a ledger in which an event's type is unknown to us
    await newsroom.file(published(), posted("a"), posted("b"))
    keys = newsroom.keys()
    record = await newsroom.redis.lindex(keys.ledger, 1)
    await newsroom.redis.lset(keys.ledger, 1, record.replace(b"update.posted", b"update.sung"))
    # when it is rendered
    await store.render(SLUG)
    # then the rest stands, and the head says which event was skipped
    article: Any = await Snapshots(newsroom.redis, newsroom.lanes).read_article(SLUG)
    assert list(article.updates) == ["b"]
    assert article.head.quarantined == (2,)


@pytest.mark.parametrize("version", [0, 2])
async def test_a_ledger_that_lost_events_is_an_error_that_says_so(newsroom, store, version):
    # given an article of three events, of which the ledger has none or two
    await newsroom.file(published(), posted("a"), posted("b"))
    await newsroom.redis.ltrim(newsroom.keys().ledger, 0, version - 1 if version else -99)
    # when what is left of it is rendered, and the article is still behind
    with contextlib.suppress(LedgerError):
        await store.render(SLUG)
    # then nobody pretends
    with pytest.raises(LedgerError, match=f"3 events were accepted, {version} are there"):
        await store.render(SLUG)


@pytest.mark.parametrize("damage", ["page", "update", "pointer"])
async def test_what_does_not_fit_together_is_folded_anew_from_the_ledger(newsroom, store, damage):
    # given an article of which a page or an update is damaged
    await newsroom.file(published(), posted("a"), posted("b"))
    await store.render(SLUG)
    keys = newsroom.keys()
    if damage == "page":
        await newsroom.redis.hset(keys.pages, "1", "b@3.x.r1 a@2.x.r1")
    elif damage == "update":
        await newsroom.redis.hdel(keys.updates, await newsroom.redis.hget(keys.updates, "a"))
    else:
        await newsroom.redis.hset(keys.updates, "a", "a@9.x.r1")
    # when that update is corrected, and a renderer comes along that knows nothing
    await newsroom.file(corrected("a"))
    with capture_logs() as logs:
        await Store(newsroom.redis, newsroom.lanes).render(SLUG)
    # then all is well again, and the log has it
    assert await differences(newsroom) == []
    assert {line["event"] for line in logs} >= {"article.damaged", "article.rebuilt"}


# Verify and rebuild


async def test_every_article_is_found_in_every_lane(newsroom):
    # given articles in both lanes, one with a name that begins like another's
    slugs = {"bridge", "bridge-2", "port", "mayor", "storm"}
    for slug in slugs:
        await newsroom.file(published(slug=slug))
    # when they are looked for
    found = [slug async for slug in every_article(newsroom.redis, newsroom.lanes)]
    # then each is found once
    assert sorted(found) == sorted(slugs)


async def test_a_sound_article_has_no_differences(newsroom, store):
    # given sound articles, one with times of its own, one killed, one filed without any
    await newsroom.file(*STORY)
    await newsroom.file(published(slug="port", at="2026-03-01T09:00:00Z"))
    await newsroom.file(published(slug="mayor"), posted("a", slug="mayor"), killed(slug="mayor"))
    # when they are rendered and verified
    for slug in (SLUG, "port", "mayor"):
        await store.render(slug)
        # then there is nothing to tell
        assert await differences(newsroom, slug) == []


DAMAGES = {
    f"article: it is not at version 3, its chain and fold {FOLD_REVISION}": (
        "hset",
        "article",
        "version_chain",
        "0" * 40,
    ),
    "state: head differs": ("hset", "state", "head", "{}"),
    "state: body differs": ("hset", "state", "body", ":body@9"),
    "state: rev is missing": ("hdel", "state", "rev"),
    "updates: a differs": ("hset", "updates", "a", "a@9.x.r1"),
    "updates: x@1 should not be there": ("hset", "updates", "x@1", "orphan"),
    "pages: 1 is missing": ("hdel", "pages", "1"),
    "changed: a differs": ("zadd", "changed", {"a": 9}),
    "changed: x should not be there": ("zadd", "changed", {"x": 1}),
}


@pytest.mark.parametrize(("told", "damage"), DAMAGES.items(), ids=DAMAGES)
async def test_damage_to_what_is_stored_is_told_and_a_rebuild_repairs_it(
    newsroom, store, told, damage
):
    # given a rendered article with one thing wrong
    await newsroom.file(published(), posted("a"), posted("b"))
    await store.render(SLUG)
    command, name, *words = damage
    await getattr(newsroom.redis, command)(getattr(newsroom.keys(), name), *words)
    # when it is verified
    # then that is told, and a rebuild leaves nothing to tell
    assert await differences(newsroom) == [told]
    await store.rebuild(SLUG)
    assert await differences(newsroom) == []


async def test_an_article_that_is_missing_from_latest_news_is_told(newsroom, store):
    # given a rendered article that somebody took off the list
    await newsroom.file(published())
    await store.render(SLUG)
    await newsroom.redis.zrem(newsroom.keys().lane.latest, SLUG)
    # when it is verified
    # then that is told, and a rebuild repairs it
    assert await differences(newsroom) == ["latest: it stands at another time"]
    await store.rebuild(SLUG)
    assert await differences(newsroom) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"cars", b"cats", "ledger: the fingerprint of event 2 is not the event's"),
        (b'"clocked":true', b'"clocked":false', "ledger: the fingerprint of event 2"),
        (b'"seq":2', b'"seq":3', "ledger: place 2 holds seq 3"),
        (b'{"seq"', b'["seq"', "ledger: place 2 holds no entry"),
        (b'"id":"e2"', b'"id":"e9"', "seen: e2 /newsroom/cms should not be there"),
    ],
)
async def test_a_ledger_that_was_tampered_with_is_told(newsroom, store, old, new, told):
    # given a ledger of which one entry was rewritten
    await newsroom.file(published(id="e1"), posted("a", id="e2"), posted("b", id="e3"))
    await store.render(SLUG)
    keys = newsroom.keys()
    record = await newsroom.redis.lindex(keys.ledger, 1)
    assert old in record
    await newsroom.redis.lset(keys.ledger, 1, record.replace(old, new))
    # when it is verified
    # then that is told
    assert told in " ".join(await differences(newsroom))


async def test_a_chain_that_does_not_follow_is_told(newsroom, store):
    # given an entry, and then a hash, with a chain that nothing gives
    await newsroom.file(published(), posted("a"))
    await store.render(SLUG)
    keys = newsroom.keys()
    chain = await newsroom.redis.hget(keys.article, "chain")
    record = await newsroom.redis.lindex(keys.ledger, 1)
    await newsroom.redis.lset(keys.ledger, 1, record.replace(chain, b"0" * 40))
    entry_differs = await differences(newsroom)
    await newsroom.redis.lset(keys.ledger, 1, record)
    await newsroom.redis.hset(keys.article, "chain", "0" * 40)
    # when they are verified
    # then each is told
    assert "ledger: the chain breaks at event 2" in entry_differs
    assert await differences(newsroom) == ["article: its chain is not the ledger's"]


async def test_a_commit_in_the_middle_of_a_verification_is_no_difference(newsroom, store):
    # given a verification that has read half of what is stored
    await newsroom.file(published(), posted("a"))
    await store.render(SLUG)
    await newsroom.file(corrected("a"))
    hmget = newsroom.redis.hmget

    async def overtaken(key: str, fields: Any, *more: Any) -> Any:
        if key == newsroom.keys().updates:
            newsroom.redis.hmget = hmget
            await store.render(SLUG)
        return await hmget(key, fields, *more)

    newsroom.redis.hmget = overtaken
    # when a commit comes
    # then it starts over
    assert await differences(newsroom) == []


async def test_an_article_that_is_being_rendered_is_given_time(newsroom, store, monkeypatch):
    # given an article that a verification finds behind
    monkeypatch.setattr("services.render.verify.PAUSE_SECONDS", 0.001)
    await newsroom.file(published(), posted("a"))
    await store.render(SLUG)
    await newsroom.file(corrected("a"))
    lrange = newsroom.redis.lrange

    async def catch_up(*words: Any) -> Any:
        newsroom.redis.lrange = lrange
        await store.render(SLUG)
        return await lrange(*words)

    newsroom.redis.lrange = catch_up
    # when it catches up
    # then there is nothing to tell
    assert await differences(newsroom) == []


async def test_an_article_that_stays_behind_is_told(newsroom, store, monkeypatch):
    # given an event that nobody renders
    monkeypatch.setattr("services.render.verify.PAUSE_SECONDS", 0.001)
    await newsroom.file(published())
    await store.render(SLUG)
    await newsroom.file(posted("a"))
    # when the article is verified
    # then it has been given time, and is behind
    assert await differences(newsroom) == ["article: version 1 of 2"]


# The service


@asynccontextmanager
async def renderer(engine: Engine, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {
        **{name: value for name, value in os.environ.items() if "WRITETHRU" not in name},
        "WRITETHRU_REDIS_URL": engine.url,
        "WRITETHRU_LANES": "2",
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.render"),
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def words(process: asyncio.subprocess.Process) -> str:
    assert process.stderr
    return (await process.stderr.read()).decode()


async def is_at(newsroom: Newsroom, version: int) -> bool:
    return await newsroom.version() == version


async def test_the_service_renders_what_was_there_and_what_comes_and_ends_when_told(
    engine, newsroom
):
    # given events that were filed before any renderer was started
    await newsroom.file(published(), posted("a"))
    async with renderer(engine) as process:
        # when one is started, and another event comes
        await until(lambda: is_at(newsroom, 2))
        await newsroom.file(posted("b"))
        await until(lambda: is_at(newsroom, 3))
        process.send_signal(signal.SIGTERM)
        status = await asyncio.wait_for(process.wait(), 10)
        # then it has rendered them all, and ends with 0 and without a word of copy
        assert status == 0
        told = await words(process)
        assert '"event":"service.started"' in told
        assert "cars" not in told
    assert await differences(newsroom) == []


async def test_a_renderer_that_was_killed_leaves_nothing_that_the_next_one_does_not_mend(
    engine, newsroom
):
    # given a renderer that is killed while events come
    async with renderer(engine) as process:
        await newsroom.file(published())
        await until(lambda: is_at(newsroom, 1))
        filing = asyncio.create_task(newsroom.file(*numbered(200)))
        await until(newsroom.version)
        process.kill()
        await filing
    # when another one is started
    async with renderer(engine) as process:
        await until(lambda: is_at(newsroom, 201))
        process.terminate()
        await process.wait()
    # then nothing is missing
    assert await differences(newsroom) == []


async def test_a_renderer_whose_group_is_gone_ends_so_that_a_supervisor_starts_a_new_one(
    engine, newsroom
):
    # given a renderer at work
    async with renderer(engine) as process:
        await newsroom.file(published())
        await until(lambda: is_at(newsroom, 1))
        # when its group is destroyed
        await newsroom.redis.xgroup_destroy(newsroom.keys().lane.events, "render")
        status = await asyncio.wait_for(process.wait(), 20)
        # then it says so, and its status is not 0
        assert status == 75
        assert '"event":"service.failed"' in await words(process)


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("WRITETHRU_LANES", "3", "WRITETHRU_LANES is 3, but this installation has 2 lanes"),
        ("WRITETHRU_LANE", "2", "WRITETHRU_LANE is no setting; the nearest is WRITETHRU_LANES"),
    ],
)
async def test_a_wrong_setting_is_one_line_and_status_78(engine, newsroom, setting, value, told):
    # given a setting that does not fit
    async with renderer(engine, **{setting: value}) as process:
        # when a renderer is started
        status = await asyncio.wait_for(process.wait(), 20)
        # then it says which, in its last line
        assert status == 78
        lines = (await words(process)).splitlines()
        assert told in lines[-1]
        assert "Traceback" not in lines


async def test_a_renderer_waits_for_an_engine_that_is_not_there_yet_and_ends_when_told(tmp_path):
    # given an engine that is away
    with Engine(tmp_path / "engine") as engine:
        engine.kill()
        async with renderer(engine) as process:
            assert process.stderr
            # when a renderer is started
            async with asyncio.timeout(20):
                while b"engine.awaited" not in await process.stderr.readline():
                    pass
            process.terminate()
            # then it ends within seconds when it is told to
            assert await asyncio.wait_for(process.wait(), 10) == 0
