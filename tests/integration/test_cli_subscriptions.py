"""`writethru subscriptions` on a real engine: what an operator sees of webhooks, and does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import orjson
import pytest
from redis.asyncio import Redis

from services.cli import __main__ as main
from services.deliver.webhooks.records import everyone
from shared.runtime.engine import Engine
from shared.runtime.installation import open_installation
from shared.runtime.redis import connect
from tests.builders import SLUG, posted, published
from tests.integration.hooks import LOOPBACK, QUICK, Subscriber, subscriber
from tests.integration.newsstand import LANES, Newsstand, open_newsstand
from tests.integration.test_cli_verify import writethru as command
from tests.waiting import until


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url, pace=QUICK, no_auth=True, **LOOPBACK) as stand:
        yield stand


@pytest.fixture
async def hook() -> AsyncIterator[Subscriber]:
    async with subscriber() as hook:
        yield hook


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "WRITETHRU_LANES", str(LANES))
    monkeypatch.setitem(os.environ, "WRITETHRU_OUTBOUND_ALLOW", "127.0.0.0/8")


async def run(engine: Engine, *words: str) -> tuple[int | None, list[str], str]:
    return await command("subscriptions", *words, "--redis-url", engine.url)


async def done(engine: Engine, *words: str) -> tuple[list[str], str]:
    status, lines, said = await run(engine, *words)
    assert status == 0, said
    return lines, said


async def test_an_operator_subscribes_somebody_tries_it_and_sees_what_was_sent(
    stand: Newsstand, hook: Subscriber, engine: Engine, redis: Redis
) -> None:
    lines, said = await done(
        engine, "add", hook.url, "--article", "harbour-*", "--name", "A partner"
    )
    (record,) = await everyone(redis)
    assert lines[0].startswith("whsec_")
    assert f"subscription {record.subscription_id}: harbour-* to {hook.url}" in said

    _, said = await done(engine, "test", record.subscription_id)
    assert "it took the test, with 204" in said
    await stand.publish(published(), published(slug="ferry-strike"))
    await hook.getting_all_but_silence(stand, 2)

    lines, _ = await done(engine, "list")
    assert lines[1].split()[:6] == [record.subscription_id, "A", "partner", "active", "0", "0"]
    lines, _ = await done(engine, "show", record.subscription_id)
    assert lines[0] == f"{record.subscription_id} of A partner: {hook.url}"
    assert "made" in " ".join(lines)
    first, test = lines[-2].split(), lines[-1].split()
    assert first[1:7] == [SLUG, "0", "1", "1", "delivered", "204"]
    assert test[1:3] == ["(a", "test)"]


async def test_it_pauses_resumes_replays_rotates_and_removes(
    stand: Newsstand, hook: Subscriber, engine: Engine, redis: Redis
) -> None:
    await done(engine, "add", hook.url)
    name = (await everyone(redis))[0].subscription_id
    await done(engine, "pause", name)
    await stand.publish(published(), posted("u1", "One."))
    (shown,) = [orjson.loads(line) for line in (await done(engine, "list", "--json"))[0]]
    assert shown["status"] == "paused"
    await done(engine, "resume", name)
    await hook.getting_all_but_silence(stand, 1)
    await done(engine, "replay", name, SLUG, "--since", "1")
    got = await hook.getting_all_but_silence(stand, 2)
    assert [each.steps[1:] for each in got] == [(0, 2), (1, 2)]
    lines, said = await done(engine, "rotate", name, "--grace", "7d")
    assert lines[0].startswith("whsec_")
    assert "the one before goes on for 7d" in said
    await done(engine, "remove", name)
    assert await everyone(redis) == []


async def test_what_was_given_up_is_listed_and_sent_again(
    stand: Newsstand, hook: Subscriber, engine: Engine, redis: Redis
) -> None:
    hook.answers = lambda _: 500
    await done(engine, "add", hook.url)
    name = (await everyone(redis))[0].subscription_id
    await stand.publish(published())
    await hook.getting_all_but_silence(stand, 10)
    lines, _ = await done(engine, "dead", "list", name)
    assert lines[1].split()[1:6] == [SLUG, "0", "1", "10", "500"]
    assert "active, failing" in (await done(engine, "list"))[0][1]
    hook.answers = lambda _: 204
    await done(engine, "dead", "replay", name, lines[1].split()[-1])
    await hook.getting_all_but_silence(stand, 11)
    _, said = await done(engine, "dead", "list", name)
    assert "no message was given up" in said
    await until(lambda: hook.got[-1].message_id == lines[1].split()[-1])


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("show", "nobody"), 1, "there is no subscription nobody; see writethru subscriptions"),
        (("pause", "nobody"), 1, "there is no subscription nobody"),
        (("add", "http://10.0.0.1/"), 1, "WRITETHRU_OUTBOUND_ALLOW"),
        (("add", "https://a.example/", "--kind", "posted"), 2, "--kind must be a type of event"),
        (("add", "https://a.example/", "--article", "A b"), 2, "--article must be a slug"),
        (("rotate", "nobody", "--grace", "soon"), 2, "--grace 'soon' is no time; write it as 30m"),
        (("rotate", "nobody", "--grace", "9d"), 2, "7d at most"),
    ],
)
def test_what_can_not_be_is_one_line_that_says_what_to_do(
    engine: Engine,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    status: int,
    said: str,
) -> None:
    async def install() -> None:
        async with connect(engine.url) as redis:
            await redis.flushall()
            await open_installation(redis, LANES)

    asyncio.run(install())
    code = main.run(["subscriptions", *words, "--redis-url", engine.url])
    printed, complaint = capsys.readouterr()
    assert (code, printed) == (status, "")
    assert said in complaint
    assert complaint.count("\n") == 1
