"""What a reader of some version lacks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from shared.article.fold import replay
from shared.article.formats import json
from shared.article.stored import load_entry
from shared.runtime.engine import Engine
from shared.runtime.snapshots import MAX_CHANGES
from tests.builders import (
    SLUG,
    corrected,
    killed,
    pinned,
    posted,
    published,
    reopened,
    retracted,
    revised,
    unpinned,
    writethru,
)
from tests.histories import ACTS, Desk
from tests.integration.follower import Follower
from tests.integration.newsstand import Newsstand, open_newsstand

CHANGES = f"/articles/{SLUG}/changes"

_serial = count(1)


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url) as stand:
        yield stand


async def told(stand: Newsstand, since: object) -> list[tuple[str, str | None, str]]:
    news = await stand.json(f"{CHANGES}?since={since}")
    return [
        (change["kind"], change["after"], change["update"]["update_id"])
        for change in news["changes"]
    ]


# Turning the page makes every earlier reader load it anew, so it is drawn apart.
acts = st.lists(
    st.tuples(st.sampled_from([name for name in ACTS if name != "turn"]), st.integers(0, 5)),
    max_size=14,
)


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(acts=acts, order=st.sampled_from(["oldest-first", "newest-first"]))
@example(acts=[("post", 0)] * 3 + [("pin", 1), ("pin", 0), ("unpin", 0)], order="oldest-first")
@example(acts=[("post", 0)] * 3 + [("pin", 0), ("post", 0), ("retract", 0)], order="newest-first")
async def test_a_reader_of_any_version_who_is_told_what_it_lacks_has_the_article(
    stand, acts, order
):
    # given an article, rendered at every version of a history
    slug = f"story-{next(_serial)}"
    await stand.publish(*Desk(slug, update_order=order).history(acts))
    records = [
        load_entry(record)
        for record in await stand.newsroom.redis.lrange(stand.newsroom.keys(slug).ledger, 0, -1)
    ]
    now = await stand.json(f"/articles/{slug}.json")

    for version in range(1, len(records)):
        # when a reader who has it as it was at some version applies what it lacks
        reader = Follower(json.article(replay(slug, records[:version])))
        reader.apply(await stand.json(f"/articles/{slug}/changes?since={reader.since}"))

        # then it has the article as it is
        assert reader.document == now


async def test_who_has_nothing_is_told_everything(stand):
    await stand.publish(published(), posted("u1"), posted("u2"), retracted("u1"))

    for path in (CHANGES, f"{CHANGES}?since=0"):
        news = await stand.json(path)

        assert news["from"] == 0
        assert news["to"] == 4
        assert [each["text"] for each in news["body"]] == ["It is open."]
        kinds = [(each["kind"], each["after"]) for each in news["changes"]]
        assert kinds == [("retracted", None), ("added", "u1")]


async def test_each_update_that_differs_is_told_once_as_it_is_now(stand):
    await stand.publish(published(), posted("u1"), posted("u2"), posted("u3"))
    await stand.publish(revised("u2", text="Two."), corrected("u2", "Two!"), retracted("u3"))
    await stand.publish(posted("u4"))

    news = await stand.json(f"{CHANGES}?since=4")

    assert await told(stand, 4) == [
        ("changed", "u1", "u2"),
        ("retracted", "u2", "u3"),
        ("added", "u3", "u4"),
    ]
    assert news["changes"][0]["update"]["text"] == "Two!"
    assert "text" not in news["changes"][1]["update"]
    assert "body" not in news


async def test_both_updates_are_told_of_when_another_is_pinned(stand):
    await stand.publish(published(), posted("u1"), posted("u2"), posted("u3"), pinned("u1"))

    await stand.publish(pinned("u3"))

    assert await told(stand, 5) == [("changed", None, "u3"), ("changed", "u3", "u1")]


async def test_what_is_unpinned_goes_back_to_its_place(stand):
    await stand.publish(published(), posted("u1"), posted("u2"), posted("u3"), pinned("u3"))

    await stand.publish(unpinned("u3"))

    assert await told(stand, 5) == [("changed", "u2", "u3")]


async def test_the_body_is_told_only_to_who_has_not_seen_it_change(stand):
    await stand.publish(published(), writethru(body="It is shut."), writethru(headline="Shut"))

    before, after = [await stand.json(f"{CHANGES}?since={version}") for version in (1, 2)]

    assert before["body"][0]["text"] == "It is shut."
    assert "body" not in after
    assert after["head"]["headline"] == "Shut"
    assert after["changes"] == []


async def test_who_has_everything_is_told_nothing(stand):
    await stand.publish(published(), posted("u1"))
    chain12 = (await stand.json())["chain"][:12]

    for since in ("2", f"2.{chain12}"):
        answer = await stand.get(f"{CHANGES}?since={since}")

        assert (answer.status_code, answer.content) == (204, b"")


async def test_a_chain_that_is_ours_is_known_at_every_version(stand):
    await stand.publish(published(), posted("u1"))
    chain12 = (await stand.json())["chain"][:12]
    await stand.publish(posted("u2"))

    assert await told(stand, f"2.{chain12}") == [("added", "u1", "u2")]


@pytest.mark.parametrize("since", ["4", "99", "3.000000000000", "1.000000000000"])
async def test_a_place_that_is_not_in_our_history_is_reset(stand, since):
    await stand.publish(published(), posted("u1"), posted("u2"))

    news = await stand.json(f"{CHANGES}?since={since}")

    assert news["reset"] is True
    assert "changes" not in news
    assert "body" not in news
    assert (news["to"], news["head"]["version"]) == (3, 3)


@pytest.mark.parametrize(
    "facts",
    [{"update_order": "newest-first"}, {"timezone": "Asia/Tokyo"}, {"locale": "de-DE"}],
)
async def test_a_reader_from_before_every_line_changed_is_reset(stand, facts):
    await stand.publish(published(), posted("u1"), writethru(**facts), posted("u2"))

    resets = [(await stand.json(f"{CHANGES}?since={version}"))["reset"] for version in range(4)]

    assert resets == [False, True, True, False]


async def test_more_than_two_hundred_changed_updates_are_too_many(stand):
    await stand.newsroom.file(published())
    await stand.newsroom.file(*(posted(f"u{n}") for n in range(1, MAX_CHANGES + 2)))
    await stand.store.render(SLUG)

    assert len(await told(stand, 2)) == MAX_CHANGES == 200
    for since in (0, 1):
        assert (await stand.json(f"{CHANGES}?since={since}"))["reset"] is True


async def test_many_versions_of_few_updates_are_not_too_many(stand):
    await stand.newsroom.file(published(), posted("u1"))
    await stand.newsroom.file(*(reopened() for _ in range(300)))
    await stand.newsroom.file(posted("u2"))
    await stand.store.render(SLUG)

    assert await told(stand, 2) == [("added", "u1", "u2")]


async def test_the_answer_may_be_asked_about_again(stand):
    await stand.publish(published(), posted("u1"))
    first = await stand.get(f"{CHANGES}?since=1")

    again = await stand.get(f"{CHANGES}?since=1", if_none_match=first.headers["etag"])
    await stand.publish(posted("u2"))
    later = await stand.get(f"{CHANGES}?since=1", if_none_match=first.headers["etag"])

    assert (again.status_code, later.status_code) == (304, 200)


async def test_who_would_wait_is_answered_as_soon_as_there_is_something(stand):
    await stand.publish(published())
    asking = asyncio.create_task(stand.get(f"{CHANGES}?since=1&wait=25"))
    await stand.until(lambda: _waits(stand))

    await stand.publish(posted("u1"))

    assert (await asking).json()["to"] == 2


async def test_who_has_waited_long_enough_is_told_nothing(stand):
    await stand.publish(published())

    answer = await stand.get(f"{CHANGES}?since=1&wait=1")

    assert answer.status_code == 204


async def test_who_waits_while_the_article_is_killed_is_told_so(stand):
    await stand.publish(published())
    asking = asyncio.create_task(stand.get(f"{CHANGES}?since=1&wait=25"))
    await stand.until(lambda: _waits(stand))

    await stand.publish(killed())

    assert (await asking).status_code == 410


async def _waits(stand: Newsstand) -> bool:
    return bool(stand.server.server_state.tasks)
