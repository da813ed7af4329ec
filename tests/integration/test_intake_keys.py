"""Keys at ingest's door, over a real socket: who may do what, in which order it is judged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from services.ingest.core.bodies import BATCH, LINES, ONE
from shared.contract.events import MAX_EVENT_BYTES
from shared.runtime.api_keys import parts, revoke, rotate
from shared.runtime.door import FAILURES
from shared.runtime.engine import Engine
from tests.builders import (
    SLUG,
    corrected,
    event,
    killed,
    posted,
    published,
    redacted,
    retracted,
    revised,
)
from tests.integration.frontdesk import Frontdesk, frontdesk


@pytest.fixture
async def desk(redis: Redis, engine: Engine) -> AsyncIterator[Frontdesk]:
    async with frontdesk(redis, engine.url) as desk:
        yield desk


async def test_a_key_with_the_scope_files_and_reads_nothing_else(desk: Frontdesk) -> None:
    token = await desk.key("publish")

    answer = await desk.file(published(), token=token)

    assert answer.status_code == 202
    assert answer.json()["receipts"][0]["status"] == "accepted"
    assert (await desk.events(SLUG, token=token)).status_code == 403


async def test_without_a_valid_key_the_answer_is_401_and_says_how_to_bring_one(
    desk: Frontdesk,
) -> None:
    token = await desk.key("publish")
    for wrong in (None, f"{token}x", "wt_00_x", "x"):
        answer = await desk.file(published(), token=wrong)

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "unauthenticated"


async def test_each_act_is_forbidden_to_a_key_without_its_scope(desk: Frontdesk) -> None:
    every = await desk.key("publish", "correct", "kill")
    await desk.statuses(published(), posted("u1"), posted("u2"), token=every)
    publish, correct, kill = [await desk.key(scope) for scope in ("publish", "correct", "kill")]
    acts = [
        posted("u3"),
        revised("u1", text="Anew."),
        corrected("u1"),
        retracted("u2"),
        redacted("u1"),
        killed(),
    ]

    assert await desk.statuses(*acts, token=publish) == [
        "accepted", "accepted", "forbidden", "forbidden", "forbidden", "forbidden",
    ]  # fmt: skip
    assert await desk.statuses(*acts, token=correct) == [
        "forbidden", "forbidden", "accepted", "accepted", "forbidden", "forbidden",
    ]  # fmt: skip
    assert await desk.statuses(*acts, token=kill) == ["forbidden"] * 5 + ["accepted"]


async def test_nobody_may_redact_yet_and_is_told_so(desk: Frontdesk) -> None:
    token = await desk.key("admin")
    await desk.statuses(published(), posted("u1"), token=token)

    answer = await desk.file(redacted("u1"), token=token)

    assert answer.status_code == 403
    assert "can't destroy text yet" in answer.json()["detail"]


async def test_a_key_files_for_its_own_articles_and_sources_only(desk: Frontdesk) -> None:
    token = await desk.key("publish", articles=("ferry-*", "pier"), sources=("/cms/*",))

    assert await desk.statuses(
        published(slug="ferry-strike", source="/cms/1"),
        published(slug="pier", source="/cms/2"),
        published(slug="bridge", source="/cms/1"),
        published(slug="ferry-2", source="/wire"),
        token=token,
    ) == ["accepted", "accepted", "forbidden", "forbidden"]


async def test_one_event_that_is_forbidden_is_a_403_by_itself_and_a_receipt_among_others(
    desk: Frontdesk,
) -> None:
    token = await desk.key("publish", articles=("ferry-*",))

    alone = await desk.file(published(), token=token)
    among = await desk.file(published(slug="ferry-strike"), published(), token=token)

    assert (alone.status_code, alone.json()["code"]) == (403, "forbidden")
    assert among.status_code == 207
    good, bad = among.json()["receipts"]
    assert good["status"] == "accepted"
    assert (bad["status"], bad["problem"]["status"]) == ("rejected", 403)


@pytest.mark.parametrize(
    ("body", "media_type", "code"),
    [
        (b"{}", "text/plain", "unsupported"),
        (b"{", ONE, "malformed"),
        (b"[]", ONE, "malformed"),
        (b"{}", BATCH, "malformed"),
        (b"a" * (MAX_EVENT_BYTES + 1), ONE, "too-large"),
        (b"[" + b"{}," * 500 + b"{}]", BATCH, "too-large"),
        (b"{}", ONE, "unauthenticated"),
        (b"[]", BATCH, "unauthenticated"),
        (b"", LINES, "unauthenticated"),
        (b"{\n", LINES, "unauthenticated"),
    ],
)
async def test_the_form_of_the_request_is_judged_before_the_key_and_the_events_after(
    desk: Frontdesk, body: bytes, media_type: str, code: str
) -> None:
    assert (await desk.post(body, media_type)).json()["code"] == code


async def test_the_key_is_judged_before_the_event_and_that_before_the_ledger(
    desk: Frontdesk,
) -> None:
    every, own = await desk.key("publish"), await desk.key("publish", articles=("ferry-*",))
    first = published(id="first")
    await desk.file(first, token=every)

    # A duplicate, an event out of form, an illegal one: forbidden all the same
    for envelope in (first, posted("u1", ""), event("update.pinned", update_id="u9")):
        assert await desk.statuses(envelope, token=own) == ["forbidden"]
    # What doesn't say whose article it is can only be out of form
    assert await desk.statuses(posted("u1", slug="No Slug"), token=own) == ["invalid"]


async def test_a_rotated_key_files_with_both_tokens_and_a_revoked_one_with_neither(
    desk: Frontdesk,
) -> None:
    old = await desk.key("publish")
    key, new = await rotate(desk.redis, parts(old)[0], timedelta(hours=1))

    assert (await desk.file(published(), token=old)).status_code == 202
    assert (await desk.file(posted("u1"), token=new)).status_code == 202

    await revoke(desk.redis, key.key_id)
    for token in (old, new):
        assert (await desk.file(posted("u2"), token=token)).status_code == 401


async def test_after_ten_wrong_keys_the_right_one_waits_too(desk: Frontdesk) -> None:
    token = await desk.key("publish")

    answers = [await desk.file(published(), token=f"{token}x") for _ in range(FAILURES + 1)]
    right = await desk.file(published(), token=token)

    assert [answer.status_code for answer in answers] == [401] * FAILURES + [429]
    assert right.status_code == 429
    assert right.json()["code"] == "busy"
    assert right.json()["status"] == 429
    assert 0 < int(right.headers["retry-after"]) <= 60
    assert (await desk.file(published(), token=await desk.key("publish"))).status_code == 202


async def test_a_full_engine_refuses_events_but_knows_keys(desk: Frontdesk) -> None:
    token = await desk.key("publish")
    await desk.redis.config_set("maxmemory", "1")
    try:
        wrong = await desk.file(published(), token=f"{token}x")
        right = await desk.file(published(), token=token)
    finally:
        await desk.redis.config_set("maxmemory", "0")

    assert wrong.status_code == 401
    assert (right.status_code, right.json()["code"]) == (503, "busy")
    assert "retry-after" in right.headers


async def test_without_keys_anybody_files_and_reads_but_does_not_redact(
    redis: Redis, engine: Engine
) -> None:
    async with frontdesk(redis, engine.url, no_auth=True) as desk:
        acts = [published(), posted("u1"), corrected("u1"), redacted("u1"), killed()]

        assert await desk.statuses(*acts) == ["accepted"] * 3 + ["forbidden", "accepted"]
        assert (await desk.events(SLUG)).status_code == 200
        assert (await desk.file(published(slug="pier"), token="nonsense")).status_code == 202
