"""What verifying finds in streams, dirty marks and held events, and nothing where all is sound."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from services.ingest.append import Appender
from services.render import verify, verify_lanes
from services.render.consume import make_groups
from services.render.store import Store
from services.render.verify_lanes import uncovered, verify_lane
from shared.contract.events import parse_event
from shared.runtime.installation import Installation
from shared.runtime.keys import RENDER_GROUP
from tests.builders import SLUG, posted, published
from tests.integration.newsroom import Newsroom, open_newsroom, take_wakeups


@pytest.fixture
async def newsroom(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Newsroom:
    """An article in two commits, whose wake-ups are acknowledged."""
    monkeypatch.setattr(verify, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(verify_lanes, "PAUSE_SECONDS", 0.0)
    newsroom = await open_newsroom(redis, lanes=1)
    await make_groups(redis, newsroom.lanes)
    for events in ([published(), posted("u1")], [posted("u2")]):
        await newsroom.file(*events)
        wakeups = await take_wakeups(redis, newsroom.keys().lane)
        await Store(redis, newsroom.lanes).render(SLUG, wakeups)
    return newsroom


async def faults(newsroom: Newsroom) -> list[str]:
    found = await verify_lane(newsroom.redis, newsroom.keys().lane, [SLUG])
    assert {slug for slug, _ in found} <= {SLUG}
    one = await verify.verify(newsroom.redis, newsroom.lanes, newsroom.key, SLUG)
    return [*(fault for _, fault in found), *one.differences]


async def entries(newsroom: Newsroom) -> list[tuple[Any, Any]]:
    found: Any = await newsroom.redis.xrange(newsroom.keys().lane.changes)
    return list(found)


async def test_what_is_sound_has_no_faults(newsroom):
    assert await faults(newsroom) == []


async def test_an_outbox_that_was_trimmed_is_sound_as_far_as_it_goes(newsroom):
    await newsroom.redis.xtrim(newsroom.keys().lane.changes, maxlen=1, approximate=False)

    assert await faults(newsroom) == []


async def test_an_interval_that_is_missing_or_told_twice_is_found(newsroom):
    lane, (first, last) = newsroom.keys().lane, await entries(newsroom)
    await newsroom.redis.xadd(lane.changes, last[1])
    assert await faults(newsroom) == ["outbox: an entry begins at 2, not at 3"]

    await newsroom.redis.delete(lane.changes)
    await newsroom.redis.xadd(lane.changes, last[1])
    assert await faults(newsroom) == ["outbox: the first entry begins at 2"]

    await newsroom.redis.delete(lane.changes)
    await newsroom.redis.xadd(lane.changes, first[1])
    assert await faults(newsroom) == ["outbox: no entry ends at version 3 and its chain"]


async def test_a_version_that_nobody_was_told_of_is_found(newsroom):
    await newsroom.redis.delete(newsroom.keys().lane.changes)

    assert await faults(newsroom) == ["outbox: version 3 was never told of"]


async def test_a_wakeup_that_is_acked_before_its_event_is_rendered_is_found(newsroom):
    await newsroom.file(posted("u3"))
    lane = newsroom.keys().lane
    [(entry, _)] = await take_wakeups(newsroom.redis, lane)
    assert await uncovered(newsroom.redis, lane) == []

    await newsroom.redis.xack(lane.events, RENDER_GROUP, entry)

    said = "events: the wake-up of event 4 is acked, and not covered"
    assert await uncovered(newsroom.redis, lane) == [(SLUG, said)]
    assert said in await faults(newsroom)


async def test_a_wakeup_of_a_history_that_was_lost_is_nobodys(newsroom):
    lost = {"article": SLUG, "seq": 9, "chain": "0" * 40, "data": "{}"}
    lane = newsroom.keys().lane
    await newsroom.redis.xadd(lane.events, lost)
    [(entry, _)] = await take_wakeups(newsroom.redis, lane)
    await newsroom.redis.xack(lane.events, RENDER_GROUP, entry)

    assert await faults(newsroom) == []


async def test_an_article_that_is_behind_without_anybody_knowing_is_found(newsroom):
    await newsroom.file(posted("u3"))
    behind = await faults(newsroom)
    assert "article: version 3 of 4" in behind
    assert not any("dirty" in fault for fault in behind)

    await newsroom.redis.zrem(newsroom.keys().lane.dirty, SLUG)

    assert "dirty: it is behind, and nobody would look" in await faults(newsroom)


async def test_an_event_that_is_in_the_ledger_twice_is_named(newsroom):
    keys = newsroom.keys()
    again: Any = await newsroom.redis.lindex(keys.ledger, 1)
    await newsroom.redis.lset(keys.ledger, 2, again)

    assert "ledger: event 3 is event 2 once more" in await faults(newsroom)


async def test_a_held_event_that_is_gone_or_in_no_calendar_is_found(newsroom):
    event = posted("later", embargo_until="2030-01-01T00:00:00Z")
    here = Installation(newsroom.lanes, newsroom.key)
    [receipt] = await Appender(newsroom.redis, here, "fsync").append([parse_event(event)])
    assert receipt.status == "held"
    assert await faults(newsroom) == []

    keys = newsroom.keys()
    await newsroom.redis.zrem(keys.lane.held, SLUG)
    assert await faults(newsroom) == ["held: nobody would look when it is due"]
    await newsroom.redis.delete(keys.holds)
    named = f"{event['id']} {event['source']}"
    assert f"held: {named} is not there" in await faults(newsroom)
