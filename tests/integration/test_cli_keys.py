"""`writethru keys` on a real engine, and keys from end to end with real processes."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from shared.article.dates import parse_rfc3339
from shared.contract.errors import Refused
from shared.runtime.api_keys import create, parts
from shared.runtime.clock import now
from shared.runtime.door import Door
from shared.runtime.engine import Engine
from shared.runtime.keys import API_KEYS_USED
from shared.runtime.redis import connect
from tests.builders import posted, published
from tests.integration.test_cli_verify import writethru
from tests.stack import Stack
from tests.waiting import until

TOKEN = re.compile(r"wt_[0-9a-f]{10}_[A-Za-z0-9_-]{43}")
HERE = "192.0.2.7"


async def keys(*words: str, **where: Any) -> tuple[int | None, list[str], str]:
    return await writethru("keys", *words, **where)


async def listed(engine: Engine) -> list[dict[str, Any]]:
    _, lines, _ = await keys("list", "--json", "--redis-url", engine.url)
    return [orjson.loads(line) for line in lines]


async def made(engine: Engine, *words: str) -> str:
    status, lines, _ = await keys("create", "cms", *words, "--redis-url", engine.url)
    assert status == 0
    (token,) = lines
    return token


async def opens(redis: Redis, token: str) -> bool:
    try:
        return bool(await Door(redis).admit([f"Bearer {token}"], HERE))
    except Refused:
        return False


async def test_a_new_key_is_one_line_on_standard_output_and_words_on_the_other(
    redis: Redis, engine: Engine
) -> None:
    status, lines, said = await keys(
        *("create", "night desk", "--scope", "publish", "--scope", "correct"),
        *("--article", "election-*", "--article", "ferry", "--source", "/cms/*"),
        *("--redis-url", engine.url),
    )

    assert status == 0
    (token,) = lines
    assert TOKEN.fullmatch(token)
    assert token not in said
    assert parts(token)[1] not in said
    assert "for night desk: may publish, correct; articles election-*, ferry;" in said
    key = await Door(redis).admit([f"Bearer {token}"], HERE)
    assert (key.name, key.scopes) == ("night desk", ("publish", "correct"))
    assert (key.articles, key.sources) == (("election-*", "ferry"), ("/cms/*",))


async def test_a_key_with_a_rate_is_shown_with_it(redis: Redis, engine: Engine) -> None:
    made, (token,), said = await keys(
        *("create", "wire", "--scope", "publish", "--rate", "600", "--redis-url", engine.url)
    )
    _, lines, _ = await keys("list", "--redis-url", engine.url)

    assert made == 0
    assert "600 events a minute" in said
    assert lines[1].endswith("600 events a minute")
    key = await Door(redis).admit([f"Bearer {token}"], HERE)
    assert key.rate == 600


async def test_the_list_shows_what_keys_may_and_no_secret(redis: Redis, engine: Engine) -> None:
    token = await made(engine, "--scope", "read", "--article", "ferry")
    key_id, secret = parts(token)

    _, lines, _ = await keys("list", "--redis-url", engine.url)
    (facts,) = await listed(engine)

    heading, row = lines
    assert heading.split() == [
        "ID",
        "NAME",
        "MAY",
        "ARTICLES",
        "SOURCES",
        "CREATED",
        "LAST",
        "USED",
    ]
    assert row.split()[:5] == [key_id, "cms", "read", "ferry", "*"]
    assert row.split()[6:] == ["never"]
    assert facts | {"created": "", "tokens": []} == {
        "id": key_id,
        "name": "cms",
        "scopes": ["read"],
        "articles": ["ferry"],
        "sources": ["*"],
        "checks": {},
        "durability": None,
        "rate": None,
        "created": "",
        "expires": None,
        "revoked": None,
        "last_used": None,
        "tokens": [],
    }
    assert secret not in str(lines) + str(facts)
    assert "sha256" not in str(facts)


async def test_without_keys_the_list_says_how_to_make_one(redis: Redis, engine: Engine) -> None:
    status, lines, said = await keys("list", "--redis-url", engine.url)

    assert (status, lines) == (0, [])
    assert "writethru keys create NAME --scope publish" in said


async def test_a_rotated_key_has_two_tokens_for_the_time_of_grace(
    redis: Redis, engine: Engine
) -> None:
    old = await made(engine, "--scope", "publish")
    key_id = parts(old)[0]

    status, lines, said = await keys("rotate", key_id, "--redis-url", engine.url)

    assert status == 0
    (new,) = lines
    assert new != old
    assert "has another token; what it had before ends 20" in said
    assert await opens(redis, old)
    assert await opens(redis, new)
    _, lines, _ = await keys("rotate", key_id, "--grace", "0", "--redis-url", engine.url)
    assert [await opens(redis, each) for each in (old, new, *lines)] == [False, False, True]


async def test_a_key_is_listed_with_its_end_and_its_last_use(redis: Redis, engine: Engine) -> None:
    token = await made(engine, "--scope", "publish", "--expires", "90d")
    assert await opens(redis, token)
    await until(lambda: redis.exists(API_KEYS_USED))

    (facts,) = await listed(engine)
    _, (_, row), _ = await keys("list", "--redis-url", engine.url)

    assert facts["last_used"] >= facts["created"]
    end, created = (parse_rfc3339(facts[name]) for name in ("expires", "created"))
    assert timedelta(days=89, hours=23) < end - created <= timedelta(days=90)
    assert f" {facts['last_used']}  expires {facts['expires']}" in row


async def test_a_key_is_listed_with_the_levels_that_it_sets(redis: Redis, engine: Engine) -> None:
    await made(engine, "--scope", "publish", "--checks", "cut-short=hold,odd-time=off")

    (facts,) = await listed(engine)
    _, (_, row), _ = await keys("list", "--redis-url", engine.url)

    assert facts["checks"] == {"cut-short": "hold", "odd-time": "off"}
    assert row.endswith("  checks cut-short=hold, odd-time=off")


async def test_an_expired_key_is_listed_as_such_and_opens_with_another_token_and_end(
    redis: Redis, engine: Engine
) -> None:
    key, old = await create(redis, "cms", ("publish",), expires=now() - timedelta(days=1))

    _, (_, row), _ = await keys("list", "--redis-url", engine.url)
    status, _, said = await keys("rotate", key.key_id, "--redis-url", engine.url)
    _, (new,), _ = await keys(
        "rotate", key.key_id, "--expires", "2999-01-01T00:00:00Z", "--redis-url", engine.url
    )

    assert " expired 20" in row
    assert (status, said) == (
        1,
        f"writethru keys: key {key.key_id} has expired; say until when, as --expires 90d\n",
    )
    assert [await opens(redis, each) for each in (old, new)] == [False, True]
    assert (await listed(engine))[0]["expires"] == "2999-01-01T00:00:00Z"


async def test_a_revoked_key_is_listed_as_such_and_opens_nothing(
    redis: Redis, engine: Engine
) -> None:
    token = await made(engine, "--scope", "publish")
    key_id = parts(token)[0]

    status, lines, said = await keys("revoke", key_id, "--redis-url", engine.url)

    assert (status, lines) == (0, [])
    assert f"key {key_id} for cms opens nothing any more" in said
    assert not await opens(redis, token)
    _, (_, row), _ = await keys("list", "--redis-url", engine.url)
    assert " revoked 20" in row
    status, _, said = await keys("rotate", key_id, "--redis-url", engine.url)
    assert (status, said) == (
        1,
        f"writethru keys: key {key_id} is revoked, which is for good; make another\n",
    )


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["create", "cms"], 2, "Missing option '--scope'"),
        (["create", "cms", "--scope", "write"], 2, "Invalid value for '--scope'"),
        (["create", "two\nlines", "--scope", "read"], 2, "a key's NAME is one line"),
        (["create", "", "--scope", "read"], 2, "a key's NAME is one line"),
        (["create", "a", "--scope", "read", "--article", "Election"], 2, "'Election' fits no"),
        (
            ["create", "a", "--scope", "publish", "--durability", "disk"],
            2,
            "--durability: 'disk' is no level of durability; name memory, fsync, replica or",
        ),
        (["create", "a", "--scope", "publish", "--rate", "0"], 2, "Invalid value for '--rate'"),
        (["create", "a", "--scope", "read", "--expires", "soon"], 2, "--expires 'soon' is no time"),
        (["create", "a", "--scope", "read", "--expires", "0d"], 2, "--expires '0d' is not in the"),
        (
            ["create", "a", "--scope", "read", "--expires", "2020-01-01T00:00:00Z"],
            2,
            "--expires '2020-01-01T00:00:00Z' is not in the future",
        ),
        (["rotate", "1f", "--grace", "soon"], 2, "--grace 'soon' is no time"),
        (["rotate", "1f"], 1, "there is no key 1f; see writethru keys list"),
        (["revoke", "1f"], 1, "there is no key 1f; see writethru keys list"),
    ],
)
async def test_what_cannot_be_done_is_one_line(
    redis: Redis, engine: Engine, words: list[str], status: int, line: str
) -> None:
    found, lines, said = await keys(*words, "--redis-url", engine.url)

    assert (found, lines) == (status, [])
    assert said.startswith(f"writethru keys: {line}")
    assert said.count("\n") == 1


async def test_a_damaged_record_is_one_line(redis: Redis, engine: Engine) -> None:
    await redis.hset("writethru:keys", "1f", "{")

    status, _, said = await keys("list", "--redis-url", engine.url)

    assert status == 1
    assert "the record of a key is damaged" in said


async def test_keys_are_made_in_a_data_folder_that_nobody_uses(tmp_path: Path) -> None:
    with Engine(tmp_path / "data"):
        pass

    status, (token,), _ = await keys("create", "cms", "--scope", "publish", folder=tmp_path)

    assert status == 0
    with Engine(tmp_path / "data") as engine:
        async with connect(engine.url) as redis:
            assert await opens(redis, token)


async def test_keys_open_a_running_stack_end_to_end_and_their_secrets_stay_out_of_its_logs(
    tmp_path: Path,
) -> None:
    events = tmp_path / "events.ndjson"
    events.write_bytes(b"\n".join(map(orjson.dumps, [published(), posted("u1", "Canary.")])))
    # Given a stack without keys, which says how to make one
    stack = Stack(tmp_path, WRITETHRU_LOG_LEVEL="info")
    try:
        said = await asyncio.to_thread(lambda: stack.ready().said())
        assert "to make one: writethru keys create NAME --scope publish\n" in said
        publish = ("publish", str(events), "--to", stack.ingest)

        # When one is made while it runs
        _, (token,), _ = await keys("create", "cms", "--scope", "publish", folder=tmp_path)

        # Then it publishes, a wrong one and none do not
        status, lines, _ = await writethru(*publish, "--key", token)
        assert [orjson.loads(line)["status"] for line in lines] == ["accepted"] * 2
        assert status == 0
        for wrong in (["--key", token + "x"], []):
            status, lines, complaint = await writethru(*publish, *wrong)
            assert (status, lines) == (1, [])
            assert "(401)" in complaint
            assert token not in complaint
        # And revoked it does not either
        await keys("revoke", parts(token)[0], folder=tmp_path)
        assert (await writethru(*publish, "--key", token))[0] == 1
    finally:
        stack.end()
        stack.clear()
    logged = stack.said()
    assert parts(token)[0] in logged
    assert parts(token)[1] not in logged
    assert "Canary" not in logged
    assert "Traceback" not in logged

    # And with keys there, the stack has nothing to say about them
    again = Stack(tmp_path)
    try:
        said = await asyncio.to_thread(lambda: again.ready().said())
        assert "keys" not in said
    finally:
        again.end()
        again.clear()
