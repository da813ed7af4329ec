"""Webhooks end to end: a real deliver, and subscribers on real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from standardwebhooks import Webhook

from shared.runtime.engine import Engine
from tests.builders import (
    SLUG,
    corrected,
    killed,
    posted,
    published,
    retracted,
    writethru,
)
from tests.integration.hooks import LOOPBACK, QUICK, ask, shown, subscribe, subscriber
from tests.integration.newsstand import Newsstand, open_newsstand
from tests.waiting import until

FERRY = "ferry-strike"


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url, pace=QUICK, no_auth=True, **LOOPBACK) as stand:
        yield stand


async def test_a_subscriber_is_told_of_each_change_in_order_and_can_tell_it_is_from_us(
    stand: Newsstand,
) -> None:
    async with subscriber() as hook:
        made = await subscribe(stand, hook.url)
        await stand.publish(published())
        await hook.getting(1)
        await stand.publish(posted("u1", "It happened."))
        first, second = await hook.getting_all_but_silence(stand, 2)
        assert [each.steps for each in hook.got] == [(SLUG, 0, 1), (SLUG, 1, 2)]
        assert first.message_id != second.message_id
        assert second.data["kinds"] == ["writethru.update.posted"]
        assert second.data["head"]["update_count"] == 1
        assert second.data["url"].endswith(f"/articles/{SLUG}")
        assert "It happened." not in second.body.decode()
        Webhook(made["secret"]).verify(second.body, dict(second.headers))
        recent = (await shown(stand, made))["recent"]
        assert [(each["webhook_id"], each["status"]) for each in recent] == [
            (second.message_id, 204), (first.message_id, 204),
        ]  # fmt: skip


async def test_what_waits_is_told_in_one_but_never_a_correction_a_retraction_or_a_kill(
    stand: Newsstand,
) -> None:
    async with subscriber() as hook:
        made = await subscribe(stand, hook.url)
        await ask(stand, f"/{made['id']}/pause")
        await stand.publish(
            published(), posted("u1", "One."), posted("u2", "Two."),
            corrected("u1", "One!", "It was one."), corrected("u1", "One?", "It was one, maybe."),
            writethru(headline="Bridge shut"), posted("u3", "Three."), retracted("u2", "No."),
            posted("u4", "Four."), killed("Not ours."),
        )  # fmt: skip
        assert not hook.got
        await ask(stand, f"/{made['id']}/resume")
        got = await hook.getting_all_but_silence(stand, 7)
        told = [(each.said["type"].removeprefix("writethru."), *each.steps[1:]) for each in got]
        assert told == [
            ("article.changed", 0, 3), ("update.corrected", 3, 4), ("update.corrected", 4, 5),
            ("article.changed", 5, 7), ("update.retracted", 7, 8), ("article.changed", 8, 9),
            ("article.killed", 9, 10),
        ]  # fmt: skip
        assert "One" not in b"".join(each.body for each in got).decode()
        assert {each.data["head"]["status"] for each in got} == {"killed"}


async def test_a_full_payload_is_what_the_article_lacks_as_it_is_when_it_is_sent(
    stand: Newsstand,
) -> None:
    async with subscriber(lambda n: 500 if n == 1 else 204) as hook:
        await stand.publish(published(), posted("u1", "A secret."))
        await subscribe(stand, hook.url, payload="full")
        await stand.publish(posted("u2", "It happened."))
        first, again = await hook.getting_all_but_silence(stand, 2)
        assert again.message_id == first.message_id
        assert again.data == await stand.json(f"/articles/{SLUG}/changes?since=2")


async def test_an_endpoint_that_fails_ten_times_leaves_a_dead_letter_that_can_be_sent_again(
    stand: Newsstand,
) -> None:
    async with subscriber(500) as hook:
        made = await subscribe(stand, hook.url)
        await stand.publish(published())
        got = await hook.getting_all_but_silence(stand, 10)
        assert {each.message_id for each in got} == {got[0].message_id}
        assert len(got) == 10
        (letter,) = (await shown(stand, made, "/dead"))["dead"]
        assert (letter["article"], letter["attempts"], letter["status"]) == (SLUG, 10, 500)
        hook.answers = lambda _: 200
        assert (await ask(stand, f"/{made['id']}/dead/replay")).status_code == 202
        got = await hook.getting_all_but_silence(stand, 11)
        assert got[10].message_id == letter["webhook_id"]
        assert (await shown(stand, made))["dead"] == 0


async def test_an_endpoint_that_is_gone_is_told_nothing_more_until_it_is_resumed(
    stand: Newsstand,
) -> None:
    async with subscriber(410) as hook:
        made = await subscribe(stand, hook.url)
        await stand.publish(published())
        await until(lambda: _status(stand, made, "disabled"))
        await stand.publish(posted("u1", "One."))
        assert len(hook.got) == 1
        hook.answers = lambda _: 200
        await ask(stand, f"/{made['id']}/resume")
        got = await hook.getting_all_but_silence(stand, 3)
        assert [each.steps for each in got] == [(SLUG, 0, 1), (SLUG, 0, 1), (SLUG, 1, 2)]


async def _status(stand: Newsstand, made: dict[str, object], status: str) -> bool:
    return bool((await shown(stand, made))["status"] == status)
