"""A text that is being destroyed while others are at work on it, and while engines fail over."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from services.ingest.append import Appender
from services.ingest.masks import Masks
from services.render.destroy import Destroyer
from services.render.store import Store
from services.render.verify import verify
from shared.runtime.installation import Installation
from shared.runtime.keys import REDACTING
from shared.runtime.lease import Lease
from tests.builders import SLUG, corrected, posted, published, redacted
from tests.integration.contents import contents
from tests.integration.newsroom import Newsroom, open_newsroom
from tests.integration.redactions import (
    SECRET,
    a_destroyer,
    an_appender,
    file,
    notes,
    render,
)


class Died(Exception):
    """A process was killed here."""


@pytest.fixture
async def newsroom(redis: Redis) -> Newsroom:
    await redis.config_set("rdbcompression", "no")  # or it would be there in other letters
    return await open_newsroom(redis)


@pytest.fixture
def destroyer(newsroom: Newsroom) -> Destroyer:
    return a_destroyer(newsroom)


@pytest.fixture
def appender(newsroom: Newsroom) -> Appender:
    return an_appender(newsroom)


async def holding(redis: Redis) -> list[bytes]:
    return [key for key, dump in (await contents(redis)).items() if SECRET.encode() in dump]


async def differences(newsroom: Newsroom) -> list[str]:
    return (await verify(newsroom.redis, newsroom.lanes, newsroom.key, SLUG)).differences


async def fail_over(redis: Redis, replica: dict[bytes, bytes]) -> None:
    """Go on with what the replica has."""
    await redis.flushall()
    for key, value in replica.items():
        await redis.restore(key, 0, value)


async def test_a_renderer_that_was_overtaken_does_not_bring_a_destroyed_text_back(
    newsroom: Newsroom, appender: Appender, destroyer: Destroyer, monkeypatch: Any
) -> None:
    # given a renderer that has read a text, and stands still
    await file(appender, published(), posted("u1", SECRET))
    slow = Store(newsroom.redis, newsroom.lanes)
    write = slow._make_current

    async def stand_still(*arguments: Any) -> Any:
        await file(appender, redacted("u1"))
        await render(newsroom)
        await destroyer.destroy()
        assert not await notes(newsroom)
        return await write(*arguments)

    async def die(*_: Any) -> None:
        raise Died

    monkeypatch.setattr(slow, "_make_current", stand_still)
    monkeypatch.setattr(slow, "_take_back", die)
    # when it goes on after the text was destroyed, and dies
    with pytest.raises(Died):
        await slow.render(SLUG)
    # then the text is nowhere
    assert await holding(newsroom.redis) == []


async def test_the_form_that_another_redaction_makes_current_is_not_removed(
    newsroom: Newsroom, appender: Appender, destroyer: Destroyer, monkeypatch: Any
) -> None:
    # given an update that is redacted once more, by a renderer about to commit that
    await file(appender, published(), posted("u1", SECRET), redacted("u1"))
    await render(newsroom)
    await file(appender, redacted("u1", id="once-more"))
    store, ready, listed = Store(newsroom.redis, newsroom.lanes), asyncio.Event(), asyncio.Event()
    commit, execute = store._run_commit, newsroom.redis.execute_command

    async def commit_later(*arguments: Any) -> Any:
        ready.set()
        await listed.wait()
        return await commit(*arguments)

    async def be_overtaken(name: str, *words: Any, **options: Any) -> Any:
        if name in ("HDEL", "EVALSHA") and not listed.is_set():
            listed.set()
            await rendering
        return await execute(name, *words, **options)

    monkeypatch.setattr(store, "_run_commit", commit_later)
    rendering = asyncio.create_task(store.render(SLUG))
    await ready.wait()
    monkeypatch.setattr(newsroom.redis, "execute_command", be_overtaken)
    # when the text is destroyed between the two
    await destroyer.destroy()
    # then the page is whole
    assert await differences(newsroom) == []


async def test_masks_of_a_history_that_a_failover_has_lost_are_not_put_into_another(
    newsroom: Newsroom, appender: Appender, monkeypatch: Any
) -> None:
    # given a redaction that has read a ledger, and a replica that had not heard of its end
    await file(appender, published())
    replica = await contents(newsroom.redis)
    await file(appender, posted("u1", SECRET), corrected("u1", f"{SECRET}!"))
    read_on = Masks.read_on
    overtaken: list[Masks] = []

    async def read_and_be_overtaken(self: Masks) -> Any:
        masks = await read_on(self)
        if not overtaken:
            overtaken.append(self)
            await fail_over(newsroom.redis, replica)
            await file(appender, posted("u2", "Another."), posted("u1", SECRET))
        return masks

    monkeypatch.setattr(Masks, "read_on", read_and_be_overtaken)
    # when it is filed where the replica has taken over, with as many events as were read
    [receipt] = await file(appender, redacted("u1"))
    # then the history there is whole, and has no such text
    assert receipt.seq == 4
    assert newsroom.keys().ledger.encode() not in await holding(newsroom.redis)
    await render(newsroom)
    assert await differences(newsroom) == []


async def test_what_a_failover_undid_is_done_again_before_the_note_goes(
    newsroom: Newsroom, appender: Appender, destroyer: Destroyer, monkeypatch: Any
) -> None:
    # given a replica that has heard of a redaction, and not that it was rendered
    await file(appender, published(), posted("u1", SECRET))
    await render(newsroom)
    await file(appender, redacted("u1"))
    replica = await contents(newsroom.redis)
    await render(newsroom)

    async def take_over(redis: Redis) -> str:
        await fail_over(redis, replica)
        return "none"

    # when it takes over in the middle of the work
    with monkeypatch.context() as failing:
        failing.setattr("services.render.destroy.rewrite_files", take_over)
        await destroyer.destroy()
    # then the work is not taken to be done, and is done anew
    assert await notes(newsroom)
    await render(newsroom)
    await destroyer.destroy()
    assert await notes(newsroom) == set()
    assert await holding(newsroom.redis) == []


async def test_one_that_no_renderer_has_come_to_does_not_hold_up_the_others(
    redis: Redis,
) -> None:
    # given two redactions in a lane, of which the first is not rendered
    newsroom = await open_newsroom(redis, lanes=1)
    appender = Appender(redis, Installation(newsroom.lanes, newsroom.key), "fsync")
    for slug in ("a-story", "b-story"):
        await file(appender, published(slug=slug), posted("u1", SECRET, slug=slug))
        await file(appender, redacted("u1", slug=slug))
    await render(newsroom, "b-story")

    await Destroyer(redis, newsroom.lanes, Lease(redis, REDACTING, "one")).destroy()

    assert await notes(newsroom) == {b"a-story 3"}
