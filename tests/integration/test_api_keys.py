"""API keys in a real engine: made, rotated, revoked, asked at the door, and never told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import redis as redis_sync
from redis.asyncio import Redis

from shared.contract.access import ApiKey
from shared.contract.errors import Busy, Refused, TooOften
from shared.runtime import api_keys
from shared.runtime.api_keys import (
    KeyExpired,
    KeyRevoked,
    NoSuchKey,
    create,
    dumped,
    everyone,
    note_use,
    parts,
    revoke,
    rotate,
    used,
)
from shared.runtime.clock import now
from shared.runtime.door import FAILURES, WINDOW_SECONDS, Door, network
from shared.runtime.engine import Engine
from shared.runtime.keys import API_KEYS, API_KEYS_USED, failures
from shared.runtime.redis import connect
from tests.integration.newsroom import dump

HERE = "192.0.2.7"
DAY = timedelta(days=1)


@pytest.fixture
def door(redis: Redis) -> Door:
    return Door(redis)


async def opened(door: Door, token: str, host: str = HERE) -> ApiKey | str:
    """Return the key that *token* opens, or the code with which it doesn't."""
    try:
        return await door.admit([f"Bearer {token}"], host)
    except (Refused, TooOften) as error:
        return error.code


async def test_a_new_key_opens_the_door_with_its_token(redis: Redis, door: Door) -> None:
    key, token = await create(redis, "cms", ("publish",), ("election-*",), ("/cms",))

    assert await opened(door, token) == key
    assert (key.name, key.scopes) == ("cms", ("publish",))
    assert (key.articles, key.sources) == (("election-*",), ("/cms",))


async def test_a_secret_is_nowhere_in_the_engine(redis: Redis) -> None:
    key, token = await create(redis, "cms", ("publish",))
    _, rotated = await rotate(redis, key.key_id, DAY)

    held = str(await dump(redis))

    for each in (token, rotated):
        assert parts(each)[1] not in held
    assert parts(token)[0] == key.key_id
    assert len(parts(token)[1]) == 43  # 256 bits


async def test_the_form_of_the_header_may_vary_as_http_lets_it(redis: Redis, door: Door) -> None:
    key, token = await create(redis, "cms", ("publish",))

    assert await door.admit([f"bearer  {token} "], HERE) == key


async def test_no_key_or_two_are_as_good_as_none_and_are_not_counted(
    redis: Redis, door: Door
) -> None:
    _, token = await create(redis, "cms", ("publish",))

    for headers in ([], ["Bearer"], [f"Basic {token}"], [token], [f"Bearer {token}"] * 2):
        for _ in range(FAILURES):
            with pytest.raises(Refused) as refusal:
                await door.admit(headers, HERE)
            assert refusal.value.code == "unauthenticated"
    assert isinstance(await opened(door, token), ApiKey)


@pytest.mark.parametrize(
    "token",
    [
        "wt_",
        "wt_1f_",
        "wt__x",
        "wt_1F_abc",
        "wx_1f_abc",
        "wt_1f_a b",
        "wt_é_é",
        "wt_1f_" + "a" * 129,
    ],
)
def test_what_is_no_token_has_no_parts(token: str) -> None:
    assert parts(token) == ("", "")


async def test_a_wrong_secret_or_id_opens_nothing(redis: Redis, door: Door) -> None:
    key, token = await create(redis, "cms", ("publish",))
    other, _ = await create(redis, "wire", ("publish",))

    for wrong in (f"{token}x", token[:-1], f"wt_{other.key_id}_{parts(token)[1]}", "wt_00_x", "x"):
        assert await opened(door, wrong) == "unauthenticated"
    assert await opened(door, token) == key


async def test_a_rotated_key_opens_with_both_secrets_until_the_old_one_ends(
    redis: Redis, door: Door
) -> None:
    key, old = await create(redis, "cms", ("publish",))
    rotated, new = await rotate(redis, key.key_id, DAY)

    assert await opened(door, old) == await opened(door, new) == rotated
    ends = rotated.secrets[0].expires
    assert ends is not None
    assert timedelta() < ends - now() <= DAY


async def test_without_grace_the_old_secret_ends_at_once(redis: Redis, door: Door) -> None:
    key, old = await create(redis, "cms", ("publish",))
    rotated, new = await rotate(redis, key.key_id, timedelta())

    assert await opened(door, old) == "unauthenticated"
    assert await opened(door, new) == rotated


async def test_an_expired_key_can_be_given_another_end_which_opens_for_the_new_token_only(
    redis: Redis, door: Door
) -> None:
    key, old = await create(redis, "cms", ("publish",), expires=now() - DAY)

    with pytest.raises(KeyExpired):
        await rotate(redis, key.key_id, DAY)
    renewed, new = await rotate(redis, key.key_id, DAY, now() + DAY)

    assert await opened(door, new) == renewed
    assert await opened(door, old) == "unauthenticated"


async def test_a_rotation_leaves_a_keys_end_as_it_is(redis: Redis) -> None:
    key, _ = await create(redis, "cms", ("publish",), expires=now() + DAY)

    rotated, _ = await rotate(redis, key.key_id, 2 * DAY)

    assert rotated.expires == key.expires


async def test_a_use_is_kept_to_the_second_and_what_is_no_time_is_left_out(redis: Redis) -> None:
    at = now().replace(microsecond=0)

    await note_use(redis, "1f", at)
    await redis.hset(API_KEYS_USED, "2f", "soon")

    assert await used(redis) == {"1f": at}


async def test_a_second_rotation_lengthens_no_secret_and_drops_the_ended(redis: Redis) -> None:
    key, _ = await create(redis, "cms", ("publish",))
    once, _ = await rotate(redis, key.key_id, timedelta(hours=1))
    twice, _ = await rotate(redis, key.key_id, DAY)

    assert twice.secrets[0].expires == once.secrets[0].expires
    assert len(twice.secrets) == 3

    _, _ = await rotate(redis, key.key_id, timedelta())
    last, _ = await rotate(redis, key.key_id, timedelta())
    assert len(last.secrets) == 2


async def test_a_revoked_key_opens_nothing_for_good(redis: Redis, door: Door) -> None:
    key, token = await create(redis, "cms", ("publish",))
    await rotate(redis, key.key_id, DAY)

    revoked = await revoke(redis, key.key_id)

    assert await opened(door, token) == "unauthenticated"
    with pytest.raises(KeyRevoked):
        await rotate(redis, key.key_id, DAY)
    assert await revoke(redis, key.key_id) == revoked


async def test_a_rotation_at_the_same_time_does_not_undo_a_revocation(
    redis: Redis, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = await create(redis, "cms", ("publish",))

    def dumped_after_a_revocation(rotated: ApiKey) -> bytes:
        monkeypatch.undo()
        with redis_sync.from_url(engine.url) as other:
            other.hset(API_KEYS, key.key_id, dumped(replace(key, revoked=now())))
        return dumped(rotated)

    # Given a revocation between what a rotation reads and what it writes
    monkeypatch.setattr(api_keys, "dumped", dumped_after_a_revocation)

    with pytest.raises(KeyRevoked):
        await rotate(redis, key.key_id, DAY)

    (left,) = await everyone(redis)
    assert left.revoked is not None


async def test_keys_are_listed_in_the_order_they_were_made(redis: Redis) -> None:
    made = [(await create(redis, name, ("read",)))[0] for name in "cab"]

    assert await everyone(redis) == made


async def test_what_is_not_there_cannot_be_changed(redis: Redis) -> None:
    for change in (revoke(redis, "1f"), rotate(redis, "1f", DAY)):
        with pytest.raises(NoSuchKey):
            await change


async def test_a_damaged_record_opens_nothing_and_is_not_repeated(redis: Redis, door: Door) -> None:
    key, token = await create(redis, "cms", ("publish",))
    await redis.hset(API_KEYS, key.key_id, '{"name": "Minister resigns"}')

    assert await opened(door, token) == "unauthenticated"
    with pytest.raises(NoSuchKey) as error:
        await everyone(redis)
    assert "Minister" not in repr(error.value)
    assert error.value.__suppress_context__


async def test_after_ten_wrong_secrets_none_is_looked_at_for_a_while(
    redis: Redis, door: Door
) -> None:
    key, token = await create(redis, "cms", ("publish",))

    for _ in range(FAILURES):
        assert await opened(door, f"{token}x") == "unauthenticated"

    # Then the right one isn't looked at either
    with pytest.raises(TooOften) as refusal:
        await door.admit([f"Bearer {token}"], HERE)
    assert 0 < refusal.value.after <= WINDOW_SECONDS
    # Until the window has passed
    assert 0 < await redis.ttl(failures(HERE, key.key_id)) <= WINDOW_SECONDS
    await redis.delete(failures(HERE, key.key_id))
    assert await opened(door, token) == key


async def test_the_window_begins_with_the_first_failure_and_is_not_moved(
    redis: Redis, door: Door
) -> None:
    key, token = await create(redis, "cms", ("publish",))
    await opened(door, f"{token}x")
    await redis.expire(failures(HERE, key.key_id), 5)

    await opened(door, f"{token}x")

    assert await redis.ttl(failures(HERE, key.key_id)) <= 5


async def test_the_limit_holds_over_processes_and_for_one_address_and_key_only(
    redis: Redis, engine: Engine, door: Door
) -> None:
    key, token = await create(redis, "cms", ("publish",))
    other, other_token = await create(redis, "wire", ("publish",))
    async with connect(engine.url) as elsewhere:
        for n in range(FAILURES):
            await opened(Door(elsewhere) if n % 2 else door, f"{token}x")

        assert await opened(Door(elsewhere), token) == "busy"
    assert await opened(door, token, host="192.0.2.8") == key
    assert await opened(door, other_token) == other


async def test_guessing_ids_leaves_one_counter_and_is_limited_as_one(
    redis: Redis, door: Door
) -> None:
    _, token = await create(redis, "cms", ("publish",))

    said = [await opened(door, f"wt_{n:x}_x") for n in range(FAILURES + 3)]

    assert said == ["unauthenticated"] * FAILURES + ["busy"] * 3
    counters = [key async for key in redis.scan_iter("writethru:failures:*")]
    assert counters == [failures(HERE, "").encode()]
    assert isinstance(await opened(door, token), ApiKey)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:db8::1", "2001:db8::ffff:0:0:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.8", False),
        (None, "testclient", True),
    ],
)
def test_one_sender_is_one_address_or_one_network_of_ipv6(
    one: str | None, other: str, same: bool
) -> None:
    assert (network(one) == network(other)) is same


async def test_a_full_engine_still_tells_right_from_wrong(redis: Redis, door: Door) -> None:
    key, token = await create(redis, "cms", ("publish",))
    await redis.config_set("maxmemory", "1")
    try:
        assert await opened(door, f"{token}x") == "unauthenticated"
        assert await opened(door, token) == key
    finally:
        await redis.config_set("maxmemory", "0")


async def test_an_engine_that_does_not_answer_makes_the_door_busy() -> None:
    async with connect("redis://127.0.0.1:9/0", retries=0) as nobody:
        with pytest.raises(Busy) as refusal:
            await Door(nobody).admit(["Bearer wt_1f_x"], HERE)
    assert not isinstance(refusal.value, TooOften)
