"""Articles without news: found once a spell, told to the newsroom, and none of it to readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from services.render.overdue import Overdue
from services.render.patrol import Patrol
from services.render.rendering import Rendering
from services.render.verify import verify
from services.render.verify_lanes import verify_lane
from shared.article.dates import rfc3339
from shared.contract.notices import OVERDUE
from shared.runtime.clock import now
from shared.runtime.engine import Engine
from shared.runtime.punctuality import Punctual, read_punctual
from tests.builders import SLUG, closed, killed, posted, published, reopened, revised, writethru
from tests.integration.hooks import LOOPBACK, QUICK, subscribe, subscriber
from tests.integration.newsstand import Newsstand, open_newsstand
from tests.waiting import until

FERRY = "ferry-strike"


def ago(minutes: float) -> str:
    return rfc3339(now() - timedelta(minutes=minutes))


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url, pace=QUICK, no_auth=True, **LOOPBACK) as stand:
        yield stand


async def look(stand: Newsstand) -> None:
    """Look at all lanes, as a renderer does each second."""
    for lane in stand.newsroom.lanes:
        await Overdue(stand.newsroom.redis).look(lane)


async def outbox(stand: Newsstand, slug: str = SLUG) -> list[tuple[str, int, int]]:
    """Return kinds and versions of what the newsroom was told of an article."""
    lane = stand.newsroom.keys(slug).lane
    found: Any = await stand.newsroom.redis.xrange(lane.changes)
    return [
        (fields[b"kinds"].decode(), int(fields[b"from"]), int(fields[b"to"]))
        for _, fields in found
        if fields[b"article"].decode() == slug
    ]


async def kept(stand: Newsstand) -> Punctual:
    return await read_punctual(stand.newsroom.redis, stand.newsroom.lanes, 10)


async def test_a_spell_without_news_is_told_once_by_one_of_many(stand):
    # given an article whose last news is older than its page promises
    await stand.publish(published(at=ago(60)), posted("u1", at=ago(25)))
    # when many look, again and again
    await asyncio.gather(*(look(stand) for _ in range(8)))
    await look(stand)
    # then it was told of once, at the version that it has
    assert (await outbox(stand))[2:] == [(OVERDUE, 2, 2)]
    entry: Any = (await stand.newsroom.redis.xrevrange(stand.newsroom.keys().lane.changes))[0][1]
    assert orjson.loads(entry[b"head"])["update_count"] == 1


async def test_news_ends_the_spell_and_silence_begins_another(stand):
    await stand.publish(published(at=ago(60)))
    await look(stand)
    assert (await kept(stand)).overdue == 1
    # when there is news
    await stand.publish(posted("u1", at=ago(0)))
    assert await kept(stand) == Punctual(on_time=1)
    # and when there is some, but old
    await stand.publish(posted("u2", at=ago(1)), writethru(cadence_seconds=1, at=ago(0.5)))
    await stand.newsroom.redis.zadd(stand.newsroom.keys().lane.promised, {SLUG: 1})
    await look(stand)
    # then that is another one
    assert [kinds for kinds, *_ in await outbox(stand)].count(OVERDUE) == 2


async def test_a_silent_edit_is_no_news(stand):
    await stand.publish(published(at=ago(60)), posted("u1", at=ago(40)))
    await look(stand)
    since = (await kept(stand)).late
    await stand.publish(revised("u1", text="The first cars have crossed.", at=ago(0)))
    await look(stand)
    assert (await kept(stand)).late == since
    assert [kinds for kinds, *_ in await outbox(stand)].count(OVERDUE) == 1


@pytest.mark.parametrize(
    "act",
    [closed(), killed(), writethru(cadence_seconds=None)],
    ids=["close", "kill", "no cadence"],
)
@pytest.mark.parametrize("told", [True, False])
async def test_an_article_that_promises_nothing_any_more_is_not_overdue(stand, act, told):
    await stand.publish(published(at=ago(60)))
    if told:
        await look(stand)
    await stand.publish(act)
    await look(stand)
    assert await kept(stand) == Punctual()
    assert [kinds for kinds, *_ in await outbox(stand)].count(OVERDUE) == told


async def test_a_reopened_article_promises_again(stand):
    await stand.publish(published(at=ago(60)), closed(), reopened())
    assert (await kept(stand)).overdue == 1


async def test_nothing_of_it_is_in_what_readers_get(stand):
    # given readers of an article and of everything, and pages in a cache
    await stand.publish(published(at=ago(60)), published(slug=FERRY, at=ago(1)))
    one, every = await stand.live(), await stand.live("/live")
    before = await stand.get(f"/articles/{SLUG}")
    await stand.publish(posted("u1", slug=FERRY, at=ago(0)))
    start = (await every.event()).id
    # when it is found overdue
    await look(stand)
    # then the pages are as they were, to the byte, and the next that readers hear is the next news
    after = await stand.get(f"/articles/{SLUG}")
    assert (after.headers["etag"], after.text) == (before.headers["etag"], before.text)
    await stand.publish(posted("u1", at=ago(0)))
    event, thin = await one.event(), await every.event()
    assert (event.data["from"], event.data["to"]) == (1, 2)
    assert (thin.data["article"], thin.data["from"], thin.data["to"]) == (SLUG, 1, 2)
    # and who comes back from before hears of that news alone
    places = await stand.live("/live", last=start)
    missed = await places.event()
    assert (missed.data["from"], missed.data["to"]) == (1, 2)
    # and what is stored is what the ledger gives
    newsroom = stand.newsroom
    assert (await verify(newsroom.redis, newsroom.lanes, newsroom.key, SLUG)).differences == []
    assert await verify_lane(newsroom.redis, newsroom.keys().lane, [SLUG]) == []


async def test_only_a_subscription_that_asks_for_it_is_told(stand):
    async with subscriber() as asking, subscriber() as other:
        await subscribe(stand, asking.url, kinds=["overdue", "update.posted"])
        await subscribe(stand, other.url)
        await stand.publish(published(at=ago(60)), posted("u1", at=ago(30)))
        await look(stand)
        first, second = await asking.getting_all_but_silence(stand, 2)
        assert first.data["kinds"][-1] == "writethru.update.posted"
        assert (second.said["type"], second.steps) == (OVERDUE, (SLUG, 2, 2))
        assert second.said["timestamp"] == rfc3339((await kept(stand)).late[0].since)
        assert (second.data["kinds"], second.data["head"]["cadence_seconds"]) == ([OVERDUE], 600)
        await stand.publish(posted("u2", at=ago(0)))
        last = (await asking.getting_all_but_silence(stand, 3))[-1]
        assert last.steps == (SLUG, 2, 3)
        assert OVERDUE not in {each.said["type"] for each in other.got}


async def test_who_asks_for_nothing_else_is_told_of_each_spell_once_whatever_fails(stand):
    async with subscriber(lambda n: 500 if n == 1 else 204) as hook:
        await subscribe(stand, hook.url, kinds=["overdue"], payload="full")
        await stand.publish(published(at=ago(60)))
        await look(stand)
        first, again = await hook.getting_all_but_silence(stand, 2)
        assert first.message_id == again.message_id
        assert again.data["url"].endswith(f"/articles/{SLUG}")
        await stand.publish(posted("u1", at=ago(30)))
        await look(stand)
        third = (await hook.getting_all_but_silence(stand, 3))[-1]
        assert (third.said["type"], third.steps) == (OVERDUE, (SLUG, 2, 2))
        assert third.message_id != first.message_id


async def test_what_is_not_so_any_more_is_not_told(stand):
    async with subscriber() as hook:
        made = await subscribe(stand, hook.url, kinds=["overdue"])
        await stand.http.post(f"/v1/subscriptions/{made['id']}/pause")
        await stand.publish(published(at=ago(60)))
        await look(stand)
        await stand.publish(posted("u1", at=ago(0)), published(slug=FERRY, at=ago(60)))
        await look(stand)
        await stand.http.post(f"/v1/subscriptions/{made['id']}/resume")
        (only,) = await hook.getting_all_but_silence(stand, 1)
        assert only.steps == (FERRY, 1, 1)


async def test_silent_articles_of_an_older_version_are_found_by_the_patrol(stand):
    # given an article that was committed before promises were noted
    await stand.publish(published(at=ago(60)))
    redis, lane = stand.newsroom.redis, stand.newsroom.keys().lane
    await redis.delete(*lane.promises)
    # when a renderer of this version goes its round
    patrol = Patrol(redis, Rendering(redis, stand.newsroom.lanes, stand.store))
    await patrol.look(lane)
    await look(stand)
    # then it is told of
    assert (await kept(stand)).overdue == 1
    await until(lambda: told_of_one(stand))


async def told_of_one(stand: Newsstand) -> bool:
    return (await outbox(stand))[-1] == (OVERDUE, 1, 1)
