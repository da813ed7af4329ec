"""`writethru doctor` on a real engine: whatever is wrong is found, named, and has its remedy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis as Blocking
from redis.asyncio import Redis

from services.cli.doctor import look_over
from services.cli.finding import Finding
from services.render.consume import make_groups
from services.render.store import Store
from shared.runtime import clock, skew
from shared.runtime.api_keys import create, everyone, revoke
from shared.runtime.engine import Engine
from shared.runtime.keys import API_KEYS, INBOX, META, RENDER_GROUP
from tests.builders import SLUG, posted, published
from tests.integration.newsroom import Newsroom, open_newsroom, take_wakeups
from tests.integration.test_cli_verify import writethru
from tests.stack import running

LANES = 2


@pytest.fixture
async def newsroom(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Newsroom:
    """One article that is rendered, its group, a key, and a renderer that asks for work."""
    monkeypatch.setenv("WRITETHRU_LANES", str(LANES))
    newsroom = await open_newsroom(redis, LANES)
    await make_groups(redis, newsroom.lanes)
    await create(redis, "cms", ("publish",))
    await newsroom.file(published(), posted("u1"))
    wakeups = [await take_wakeups(redis, lane) for lane in newsroom.lanes]
    await Store(redis, newsroom.lanes).render(SLUG, [each for some in wakeups for each in some])
    return newsroom


@pytest.fixture
def config(engine: Engine) -> Iterator[Any]:
    """Set what the engine is to have; in the end it has again what it had."""
    client = Blocking.from_url(engine.url, protocol=2)
    before: dict[str, str] = {}

    def set_(name: str, value: str) -> None:
        found: Any = client.config_get(name)
        before.setdefault(name, {_text(k): _text(v) for k, v in found.items()}[name])
        client.config_set(name, value)

    yield set_
    for name, value in before.items():
        client.config_set(name, value)
    client.close()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


async def unwell(url: str) -> dict[str, Finding]:
    return {each.about: each for each in await look_over(url, None) if each.level != "ok"}


async def only(url: str) -> Finding:
    """Return the one thing that is wrong."""
    [finding] = (await unwell(url)).values()
    return finding


async def test_nothing_is_wrong_with_a_stack_that_runs_and_nothing_is_changed(tmp_path):
    with running(tmp_path) as stack:
        stack.file([published()])
        stack.page(SLUG, 1)
        made = await writethru("keys", "create", "cms", "--scope", "publish", folder=tmp_path)
        assert made[0] == 0

        status, lines, said = await writethru("doctor", "--strict", folder=tmp_path)

    assert (status, said) == (0, "")
    assert {line.split()[0] for line in lines[:-1]} == {"ok"}
    assert lines[-1] == f"{len(lines) - 1} checks: all is well"


@pytest.mark.parametrize(
    ("name", "value", "about", "remedy"),
    [
        ("maxmemory-policy", "allkeys-lru", "eviction", "noeviction"),
        ("appendfsync", "everysec", "persistence", "appendfsync always"),
        ("appendonly", "no", "persistence", "appendonly yes"),
    ],
)
async def test_an_engine_that_can_not_keep_its_promise_is_an_error(
    newsroom, engine, config, name, value, about, remedy
):
    config(name, value)

    finding = await only(engine.url)

    assert (finding.level, finding.about) == ("error", about)
    assert value in finding.detail
    assert remedy in finding.remedy


async def test_an_engine_that_is_nearly_full_is_an_error(newsroom, engine, redis, config):
    used = (await redis.info("memory"))["used_memory"]
    config("maxmemory", str(int(used * 1.05)))

    finding = await only(engine.url)

    assert (finding.level, finding.about) == ("error", "memory")


async def test_an_engine_that_forbids_config_is_unverified_and_not_an_error(
    newsroom, engine, redis
):
    rights = "+@all", "-config", "~*"
    await redis.execute_command("ACL", "SETUSER", "guest", "on", ">secret", *rights)
    try:
        found = await unwell(engine.url.replace("//", "//guest:secret@"))
    finally:
        await redis.execute_command("ACL", "DELUSER", "guest")

    # Who comes in without a password can't be told either: from this machine, or from anywhere.
    assert {about: each.level for about, each in found.items()} == {
        "persistence": "warning",
        "users": "warning",
    }
    finding = found["persistence"]
    assert finding.detail.startswith("unverified")
    assert "appendfsync always" in finding.remedy


@pytest.fixture
async def default_user(redis: Redis) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Change the user `default`, over a connection that is open already; in the end it's open."""

    async def change(*rules: str) -> None:
        await redis.execute_command("ACL", "SETUSER", "default", *rules)

    await redis.execute_command("ACL", "SETUSER", "boss", "on", ">secret", "+@all", "~*", "&*")
    yield change
    await change("reset", "on", "nopass", "~*", "&*", "+@all")
    await redis.execute_command("ACL", "DELUSER", "boss")


@pytest.mark.parametrize(
    ("rules", "protected", "bind", "level", "word"),
    [
        (("on", "nopass"), "no", "* -::*", "error", "has no password"),
        (("on", "resetpass", ">pass"), "no", "* -::*", "warning", "one password opens everything"),
        (("on", "nopass"), "yes", "* -::*", "ok", "this machine"),
        (("on", "nopass"), "no", "127.0.0.1", "ok", "this machine"),
        (("off", "resetpass"), "no", "* -::*", "ok", "nobody"),
    ],
)
async def test_an_engine_that_others_reach_has_nobody_who_may_do_everything(
    newsroom, engine, config, default_user, rules, protected, bind, level, word
):
    config("bind", bind)
    config("protected-mode", protected)
    await default_user(*rules)

    boss = engine.url.replace("//", "//boss:secret@")
    [finding] = [each for each in await look_over(boss, None) if each.about == "users"]

    assert (finding.level, word in finding.detail) == (level, True)
    assert ("ACL SETUSER default off resetpass ~* &* +@all" in finding.remedy) == (level != "ok")


async def test_a_replica_is_an_error(newsroom, engine, redis):
    await redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        found = await unwell(engine.url)
    finally:
        await redis.execute_command("REPLICAOF", "NO", "ONE")

    assert found["role"].level == "error"


async def test_a_clock_that_is_off_is_told_with_its_direction(newsroom, engine, monkeypatch):
    monkeypatch.setattr(skew, "now", lambda: clock.now() + timedelta(seconds=90))

    finding = await only(engine.url)

    assert (finding.level, finding.about) == ("error", "clock")
    assert "behind" in finding.detail


async def test_another_number_of_lanes_is_an_error(newsroom, engine, monkeypatch):
    monkeypatch.setenv("WRITETHRU_LANES", "12")

    finding = await only(engine.url)

    assert (finding.level, finding.about) == ("error", "lanes")
    assert "WRITETHRU_LANES=2" in finding.remedy


async def lose_group(newsroom: Newsroom) -> None:
    await newsroom.redis.xgroup_destroy(newsroom.keys().lane.events, RENDER_GROUP)


async def fall_behind(newsroom: Newsroom) -> None:
    await newsroom.redis.zadd(newsroom.keys().lane.dirty, {SLUG: 1_000})


async def damage_a_key(newsroom: Newsroom) -> None:
    await newsroom.redis.hset(API_KEYS, "0a", "{}")


async def lose_the_key(newsroom: Newsroom) -> None:
    await newsroom.redis.hdel(META, "key")


async def fill_the_inbox(newsroom: Newsroom) -> None:
    await newsroom.redis.xadd(INBOX, {"data": "{}"})


async def revoke_all(newsroom: Newsroom) -> None:
    for key in await everyone(newsroom.redis):
        await revoke(newsroom.redis, key.key_id)


async def forget_all(newsroom: Newsroom) -> None:
    await newsroom.redis.delete(API_KEYS)


async def leave_a_group(newsroom: Newsroom) -> None:
    [quiet] = [
        lane.changes for lane in newsroom.lanes if not await newsroom.redis.xlen(lane.changes)
    ]
    await newsroom.redis.xadd(quiet, {"article": "old-pier"}, id="1-1")
    await newsroom.redis.xgroup_create(quiet, "archive", id="0")


async def quarantine(newsroom: Newsroom) -> None:
    keys = newsroom.keys()
    record: Any = await newsroom.redis.lindex(keys.ledger, 1)
    await newsroom.redis.lset(keys.ledger, 1, record.replace(b"update.posted", b"update.sung"))
    await Store(newsroom.redis, newsroom.lanes).rebuild(SLUG)


@pytest.mark.parametrize(
    ("harm", "level", "about", "word"),
    [
        (lose_group, "error", "renderers", "start render"),
        (fall_behind, "error", "lag", "render"),
        (damage_a_key, "error", "keys", "backup"),
        (lose_the_key, "error", "installation", "backup"),
        (fill_the_inbox, "error", "inbox", "start ingest"),
        (revoke_all, "warning", "keys", "writethru keys create"),
        (forget_all, "warning", "keys", "writethru keys create"),
        (leave_a_group, "warning", "retention", "XGROUP DESTROY"),
        (quarantine, "warning", "quarantine", "file what they meant"),
    ],
)
async def test_what_is_wrong_in_an_installation_is_found_with_its_remedy(
    newsroom: Newsroom,
    engine: Engine,
    harm: Callable[[Newsroom], Awaitable[None]],
    level: str,
    about: str,
    word: str,
) -> None:
    await harm(newsroom)

    finding = await only(engine.url)

    assert (finding.level, finding.about) == (level, about)
    assert word in finding.remedy


async def test_a_warning_is_no_failure_unless_one_is_strict(newsroom, engine):
    await forget_all(newsroom)

    easy = await writethru("doctor", "--redis-url", engine.url)
    strict = await writethru("doctor", "--strict", "--redis-url", engine.url)

    assert (easy[0], easy[2]) == (0, "")
    assert easy[1][-1].startswith("1 warning in ")
    assert strict[0] == 1
    assert strict[2].startswith("writethru doctor: 1 warning in ")
    assert strict[1] == easy[1][:-1]


async def test_an_error_is_a_failure(newsroom, engine):
    await lose_the_key(newsroom)

    status, lines, said = await writethru("doctor", "--redis-url", engine.url)

    assert status == 1
    assert any(line.startswith("error   installation") for line in lines)
    assert said.count("\n") == 1


async def test_an_engine_without_an_installation_is_told_so_and_stays_without(redis, engine):
    finding = await only(engine.url)

    assert (finding.level, finding.about) == ("warning", "installation")
    assert await redis.dbsize() == 0


@pytest.mark.parametrize(
    ("environ", "words", "about", "word"),
    [
        ({"WRITETHRU_LANSE": "2"}, [], "settings", "WRITETHRU_LANES"),
        ({}, ["--redis-url", "redis://127.0.0.1:9/0"], "engine", "127.0.0.1:9"),
        ({}, ["--data-dir", "nowhere"], "engine", "nowhere"),
    ],
)
async def test_what_keeps_it_from_looking_is_a_finding(
    tmp_path: Path, monkeypatch: Any, environ: Any, words: Any, about: str, word: str
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    status, lines, said = await writethru("doctor", *words, folder=tmp_path)

    assert status == 1
    assert lines[0].split()[:2] == ["error", about]
    assert word in lines[0]
    assert lines[1].strip().startswith("→ ")
    assert said.startswith("writethru doctor: 1 error in 1 check")
