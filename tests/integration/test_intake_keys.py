"""Keys at ingest's door, over a real socket: who may do what, in which order it is judged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from redis.asyncio import Redis

from services.ingest.core.bodies import BATCH, LINES, ONE
from shared.contract.events import MAX_EVENT_BYTES
from shared.runtime import door
from shared.runtime.api_keys import parts, revoke, rotate, used
from shared.runtime.clock import now
from shared.runtime.door import FAILURES, NOTED_SECONDS
from shared.runtime.engine import Engine
from shared.runtime.keys import API_KEYS_USED
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
from tests.waiting import until

#: A whole second, as uses are kept.
NOW = now().replace(microsecond=0)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


class Clock:
    """What time the door thinks it is."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(door, "now", clock)
    return clock


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


async def test_who_may_redact_may_do_so_with_an_event_like_any_other(desk: Frontdesk) -> None:
    token = await desk.key("admin")
    acts = [published(), posted("u1"), redacted("u1"), redacted("u1"), corrected("u1")]

    assert await desk.statuses(*acts, token=token) == ["accepted"] * 4 + ["update-retracted"]


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


async def test_a_key_opens_until_the_moment_it_expires_and_then_says_so_with_the_remedy(
    desk: Frontdesk, clock: Clock
) -> None:
    token = await desk.key("publish", expires=NOW + DAY)
    key_id = parts(token)[0]

    clock.at = NOW + DAY - SECOND
    before = await desk.file(published(), token=token)
    clock.at = NOW + DAY
    after = await desk.file(posted("u1"), token=token)

    assert before.status_code == 202
    assert (after.status_code, after.json()["code"]) == (401, "unauthenticated")
    said = after.json()["detail"]
    assert f"Key {key_id} expired at {(NOW + DAY).isoformat().removesuffix('+00:00')}Z" in said
    assert f"writethru keys rotate {key_id} --expires 90d" in said


async def test_only_who_has_the_secret_hears_that_a_key_has_expired_and_is_not_held_to_guess(
    desk: Frontdesk, clock: Clock
) -> None:
    token = await desk.key("publish", expires=NOW - DAY)

    rightly = [await desk.file(published(), token=token) for _ in range(FAILURES + 1)]
    guessed = await desk.file(published(), token=f"{token}x")

    assert {answer.status_code for answer in rightly} == {401}
    assert all("expired" in answer.json()["detail"] for answer in rightly)
    assert guessed.status_code == 401
    assert "expired" not in guessed.json()["detail"]


async def test_of_two_tokens_the_older_ends_with_the_overlap_and_says_so(
    desk: Frontdesk, clock: Clock
) -> None:
    old = await desk.key("publish")
    _, new = await rotate(desk.redis, parts(old)[0], DAY)

    event = published()

    during = [await desk.file(event, token=token) for token in (old, new)]
    clock.at = now() + DAY + SECOND
    after = [await desk.file(event, token=token) for token in (old, new)]

    assert [answer.status_code for answer in during] == [202, 202]
    assert [answer.status_code for answer in after] == [401, 202]
    assert "This token was replaced" in after[0].json()["detail"]


async def test_a_revocation_holds_from_the_next_request_on_at_every_process(
    desk: Frontdesk, engine: Engine
) -> None:
    token, event = await desk.key("publish"), published()
    async with frontdesk(desk.redis, engine.url) as elsewhere:
        desks = (desk, elsewhere)
        before = [(await each.file(event, token=token)).status_code for each in desks]

        await revoke(desk.redis, parts(token)[0])

        after = [(await each.file(event, token=token)).status_code for each in desks]
    assert (before, after) == ([202, 202], [401, 401])


async def test_when_a_key_was_used_is_noted_once_a_minute_and_not_when_it_opened_nothing(
    desk: Frontdesk, clock: Clock
) -> None:
    one, other, over = [await desk.key("publish", expires=end) for end in (None, None, NOW - DAY)]

    async def noted(*tokens: str) -> bool:
        """Whether just the keys of *tokens*, at the time it is now, and *one* before are noted."""
        now_used = dict.fromkeys((parts(token)[0] for token in tokens), clock.at)
        return await used(desk.redis) == {parts(one)[0]: NOW} | now_used

    # Given a use, which is noted
    for token in (over, f"{other}x", one):
        await desk.file(published(), token=token)
    await until(lambda: noted(one))

    # When it is used within the minute, that isn't noted, though another's use then is
    clock.at = NOW + timedelta(seconds=NOTED_SECONDS - 1)
    await desk.file(published(), token=one)
    await desk.file(published(), token=other)
    await until(lambda: noted(other))

    # And after it, it is
    await desk.redis.delete(API_KEYS_USED)
    clock.at = NOW + timedelta(seconds=NOTED_SECONDS)
    await desk.file(published(), token=one)
    await until(lambda: noted(one))


async def test_a_use_that_cannot_be_noted_fails_no_request(desk: Frontdesk) -> None:
    token = await desk.key("publish")
    await desk.redis.set(API_KEYS_USED, "of another type")

    assert (await desk.file(published(), token=token)).status_code == 202
    assert (await desk.file(posted("u1"), token=token)).status_code == 202
