"""`writethru verify` and `rebuild` on what a real engine stores."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from services.render.store import Store
from services.render.verify import verify
from shared.runtime.engine import Engine
from shared.runtime.redis import connect
from tests.builders import SLUG, corrected, killed, posted, published
from tests.integration.newsroom import Newsroom, dump, open_newsroom

FERRY = "ferry-strike"


async def writethru(*words: str, folder: Path | None = None) -> tuple[int | None, list[str], str]:
    """Run the command, and return its status, the lines it printed, and what it complained of."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", *words),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode().splitlines(), err.decode()


@pytest.fixture
async def newsroom(redis: Redis) -> Newsroom:
    """Three articles, one of them killed, all rendered."""
    newsroom = await open_newsroom(redis, lanes=12)
    await newsroom.file(
        published(), posted("u1"), corrected("u1"), posted("u2"),
        published(slug=FERRY), posted("u1", slug=FERRY),
        published(slug="old-pier"), killed(slug="old-pier"),
    )  # fmt: skip
    store = Store(redis, newsroom.lanes)
    for slug in (SLUG, FERRY, "old-pier"):
        await store.render(slug)
    return newsroom


async def damage(newsroom: Newsroom) -> None:
    """Change a word on the page, behind the ledger's back."""
    keys = newsroom.keys()
    ref: Any = await newsroom.redis.hget(keys.updates, "u2")
    said: Any = await newsroom.redis.hget(keys.updates, ref)
    await newsroom.redis.hset(keys.updates, ref, said.replace(b"first cars", b"first buses"))


async def test_what_is_stored_as_the_ledgers_give_it_verifies(newsroom, engine):
    assert await writethru("verify", "--redis-url", engine.url) == (
        0,
        ["3 articles checked: all as the ledgers give them"],
        "",
    )


async def test_a_difference_is_a_line_and_makes_the_status_1(newsroom, engine):
    await damage(newsroom)

    status, lines, said = await writethru("verify", "--redis-url", engine.url)

    assert status == 1
    assert [line.partition(":")[0] for line in lines] == [SLUG]
    assert said.startswith("writethru verify: 1 of 3 articles not as the ledger gives it")
    assert "first buses" not in "".join(lines)


async def test_only_the_articles_that_are_named_are_looked_at(newsroom, engine):
    await damage(newsroom)

    assert (await writethru("verify", FERRY, "--redis-url", engine.url))[0] == 0
    assert (await writethru("verify", FERRY, SLUG, "--redis-url", engine.url))[0] == 1


async def test_a_rebuild_mends_and_says_so(newsroom, engine):
    before = await dump(newsroom.redis)
    await damage(newsroom)

    status, lines, said = await writethru("rebuild", "--redis-url", engine.url)

    assert (status, said) == (0, "")
    assert lines[0].startswith(f"{SLUG}: ")
    assert lines[0].endswith("mended")
    assert lines[1:] == ["3 articles rebuilt"]
    assert await dump(newsroom.redis) == before


async def test_a_ledger_that_is_damaged_itself_is_beyond_a_rebuild(newsroom, engine):
    await newsroom.redis.rpop(newsroom.keys().ledger)

    status, lines, said = await writethru("rebuild", "--redis-url", engine.url)

    assert status == 1
    assert lines
    assert all(line.startswith(f"{SLUG}: ") for line in lines)
    assert said.startswith("writethru rebuild: 1 of 3 ledgers damaged beyond a rebuild")


@pytest.mark.parametrize("command", ["verify", "rebuild"])
@pytest.mark.parametrize(
    ("slug", "complaint"),
    [("no-such-ferry", "there is no article no-such-ferry"), ("Ferry", "'Ferry' is no slug")],
)
async def test_an_article_that_is_not_there_is_named(newsroom, engine, command, slug, complaint):
    status, lines, said = await writethru(command, slug, "--redis-url", engine.url)

    assert status != 0
    assert lines == []
    assert said.startswith(f"writethru {command}: {complaint}")


async def test_the_environment_may_name_the_engine(newsroom, engine, monkeypatch):
    monkeypatch.setenv("WRITETHRU_REDIS_URL", engine.url)

    assert (await writethru("verify"))[0] == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--redis-url", "redis://127.0.0.1:9/0"], "the engine does not answer"),
        ([], "there is no data folder data; name it with --data-dir"),
        (["--data-dir", "a", "--redis-url", "redis://b"], "name the engine with --redis-url or"),
    ],
)
async def test_without_an_engine_it_says_how_to_name_one(tmp_path, words, complaint):
    status, lines, said = await writethru("verify", *words, folder=tmp_path)

    assert status
    assert lines == []
    assert said.startswith(f"writethru verify: {complaint}")
    assert said.count("\n") == 1


async def test_an_engine_without_an_installation_stays_without_one(redis, engine):
    status, _, said = await writethru("verify", "--redis-url", engine.url)

    assert status == 1
    assert "nothing was ever published to this engine" in said
    assert await redis.dbsize() == 0


async def test_another_number_of_lanes_is_a_wrong_setting(newsroom, engine, monkeypatch):
    monkeypatch.setenv("WRITETHRU_LANES", "4")

    status, _, said = await writethru("verify", "--redis-url", engine.url)

    assert status == 78
    assert said.startswith("writethru verify: WRITETHRU_LANES is 4, but")


async def test_a_data_folder_that_nobody_uses_gets_an_engine_for_the_while(tmp_path):
    with Engine(tmp_path / "data") as engine:
        async with connect(engine.url) as redis:
            newsroom = await open_newsroom(redis, lanes=12)
            await newsroom.file(published())
            await Store(redis, newsroom.lanes).render(SLUG)

    assert (await writethru("verify", folder=tmp_path))[0] == 0
    with Engine(tmp_path / "data") as engine:
        assert engine.alive


async def test_much_is_rebuilt_by_several_processes_as_by_one(newsroom, engine):
    # given more events than one process rebuilds alone, and damage in one of the articles
    slugs = [f"story-{number}" for number in range(6)]
    for slug in slugs:
        posts = (posted(f"u{number}", slug=slug) for number in range(1_900))
        await newsroom.file_at_once(published(slug=slug), *posts)
    await damage(newsroom)
    # when all are rebuilt
    status, lines, said = await writethru("rebuild", "--redis-url", engine.url)
    # then each is what its ledger gives
    assert (status, said) == (0, "")
    assert lines[-1] == "9 articles rebuilt"
    assert [line for line in lines if line.startswith(f"{SLUG}: 1 difference")]
    assert [await newsroom.version(slug) for slug in slugs] == [1_901] * 6
    assert (await verify(newsroom.redis, newsroom.lanes, newsroom.key, slugs[0])).differences == []
