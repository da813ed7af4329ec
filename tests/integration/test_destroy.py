"""What a redaction leaves to do: done in order, done again by the next, never half said to be."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from services.ingest.append import Appender
from services.ingest.masks import Masks
from services.render.destroy import Destroyer
from tests.builders import SLUG, corrected, posted, published, redacted, retracted
from tests.integration.newsroom import Newsroom, open_newsroom
from tests.integration.redactions import (
    SECRET,
    a_destroyer,
    an_appender,
    file,
    notes,
    render,
)

HELD_UNTIL = "2099-01-01T00:00:00Z"


@pytest.fixture
async def newsroom(redis: Redis) -> Newsroom:
    return await open_newsroom(redis)


@pytest.fixture
def destroyer(newsroom: Newsroom) -> Destroyer:
    return a_destroyer(newsroom)


@pytest.fixture
def appender(newsroom: Newsroom) -> Appender:
    return an_appender(newsroom)


async def holding(redis: Redis) -> list[str]:
    """Return the keys that hold the secret, dead bytes of streams included."""
    await redis.config_set("rdbcompression", "no")  # or it would be there in other letters
    dumps = {key.decode(): await redis.dump(key) async for key in redis.scan_iter()}
    return sorted(key for key, dump in dumps.items() if dump and SECRET.encode() in dump)


async def test_the_text_is_out_of_the_ledger_with_the_redaction_itself(newsroom, appender):
    await file(appender, published(), posted("u1", SECRET), corrected("u1", f"{SECRET}!"))

    await file(appender, redacted("u1"))

    assert newsroom.keys().ledger not in await holding(newsroom.redis)
    assert await notes(newsroom) == {f"{SLUG} 4".encode()}


async def test_nothing_is_done_before_the_page_is_rid_of_it_and_all_after(
    newsroom, appender, destroyer
):
    # given a text on a page, and its redaction, which no renderer has seen
    await file(appender, published(), posted("u1", SECRET))
    await render(newsroom)
    await file(appender, redacted("u1"))
    # when the text is to be destroyed, it is still on the page
    await destroyer.destroy()
    assert await notes(newsroom)
    # then it goes once the page is rendered
    await render(newsroom)
    await destroyer.destroy()
    assert await holding(newsroom.redis) == []
    assert await notes(newsroom) == set()


async def test_what_a_dead_renderer_wrote_ahead_goes_too(newsroom, appender, destroyer):
    # given bytes of the update that nobody ever made current
    await file(appender, published(), posted("u1", SECRET), redacted("u1"))
    keys = newsroom.keys()
    await newsroom.redis.hset(keys.updates, "u1@2.0123456789ab.r1", f'"{SECRET}"')
    await newsroom.redis.hset(keys.updates, "u10@2.0123456789ab.r1", "another's")
    await render(newsroom)

    await destroyer.destroy()

    assert await holding(newsroom.redis) == []
    assert await newsroom.redis.hexists(keys.updates, "u10@2.0123456789ab.r1")


async def test_a_file_that_could_not_be_written_anew_is_tried_again(
    newsroom, appender, destroyer, monkeypatch
):
    # given an engine that fails to write its file anew
    await file(appender, published(), posted("u1", SECRET), redacted("u1"))
    await render(newsroom)

    async def fail(_: Redis) -> str:
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr("services.render.destroy.rewrite_files", fail)
        await destroyer.destroy()
    # then it still stands to be done, and the next one does it
    assert await notes(newsroom)
    await destroyer.destroy()
    assert await notes(newsroom) == set()


async def test_an_event_that_comes_while_the_ledger_is_read_is_masked_as_well(
    newsroom, appender, monkeypatch
):
    # given a correction that is filed after the redaction has read the ledger
    await file(appender, published(), posted("u1", SECRET))
    read_on = Masks.read_on
    late = [corrected("u1", f"{SECRET}!")]

    async def read_and_be_overtaken(self: Masks) -> Any:
        words = await read_on(self)
        if late:
            await file(appender, late.pop())
        return words

    monkeypatch.setattr(Masks, "read_on", read_and_be_overtaken)
    # when the redaction is filed
    [receipt] = await file(appender, redacted("u1"))
    # then it has both
    assert receipt.seq == 4
    assert newsroom.keys().ledger not in await holding(newsroom.redis)


async def test_a_redaction_of_a_held_update_spikes_it_and_its_text_leaves_the_file(
    newsroom, appender, destroyer
):
    await file(appender, published(), posted("u1", SECRET, embargo_until=HELD_UNTIL))

    [receipt] = await file(appender, redacted("u1"))

    assert (receipt.status, receipt.seq) == ("held", None)
    assert await holding(newsroom.redis) == []
    assert len(await notes(newsroom)) == 1
    await destroyer.destroy()
    assert await notes(newsroom) == set()


async def test_redactions_of_held_updates_leave_a_note_each(newsroom, appender):
    # given two held updates of one article
    await file(appender, published())
    await file(appender, *[posted(name, SECRET, embargo_until=HELD_UNTIL) for name in ("u1", "u2")])
    # when both are redacted, the second while somebody may be at work on the first
    await file(appender, redacted("u1"))
    first = await notes(newsroom)
    await file(appender, redacted("u2"))
    # then there is more to do than before
    assert await notes(newsroom) > first


async def test_a_redaction_that_waits_with_its_article_has_the_file_written_anew_at_once(
    newsroom, appender
):
    # given an update taken back before its article is out
    await file(appender, published(embargo_until=HELD_UNTIL), posted("u1", SECRET))
    await file(appender, retracted("u1"))

    [receipt] = await file(appender, redacted("u1"))

    assert receipt.status == "held"
    assert await notes(newsroom)


async def test_in_a_batch_what_follows_a_redaction_is_judged_after_it(newsroom, appender):
    receipts = await file(
        appender, published(), posted("u1", SECRET), redacted("u1"), corrected("u1"), posted("u2")
    )

    problems = [receipt.problem and receipt.problem["code"] for receipt in receipts]
    assert problems == [None, None, None, "update-retracted", None]
    assert receipts[-1].seq == 4
