"""`writethru export` and `import`: an installation moves, and everything of it is as it was."""

from __future__ import annotations

import gzip
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from services.ingest.append import Appender
from services.ingest.desk import Desk as Queue
from services.render.store import Store
from shared.contract.events import parse_event
from shared.runtime import api_keys
from shared.runtime.engine import Engine
from shared.runtime.installation import open_installation
from shared.runtime.keys import API_KEYS, RENDER_GROUP, SUBSCRIPTIONS
from shared.runtime.redis import connect
from shared.runtime.snapshots import Snapshots
from tests.builders import SLUG, closed, corrected, killed, posted, published
from tests.histories import Desk, some_acts
from tests.integration.newsroom import Newsroom, open_newsroom
from tests.integration.test_cli_verify import writethru

LANES = 12
STORIES = [
    [published(), posted("u1"), corrected("u1"), posted("u2"), closed()],
    [published(slug="old-pier"), posted("u1", slug="old-pier"), killed(slug="old-pier")],
    list(Desk("ferry").history(some_acts(Random(5), 1_200))),
]


#: What the engine holds of them, once they were filed and rendered: each key and its value.
_made: dict[bytes, bytes] = {}


@pytest.fixture
async def newsroom(redis: Redis) -> Newsroom:
    """Three articles, one of them killed and one long, and an API key."""
    for key, value in _made.items():
        await redis.restore(key, 0, value)
    newsroom = await open_newsroom(redis, LANES)
    if not _made:
        store = Store(redis, newsroom.lanes)
        for story in STORIES:
            await newsroom.file(*story)
            await store.render(story[0]["subject"])
        await api_keys.create(redis, "cms", ("publish",))
        _made.update({key: await redis.dump(key) async for key in redis.scan_iter()})
    return newsroom


@pytest.fixture
async def elsewhere(tmp_path: Path) -> AsyncIterator[Engine]:
    """An engine with nothing in it."""
    with Engine(tmp_path / "elsewhere") as engine:
        yield engine


async def exported(engine: Engine, path: Path) -> Path:
    assert (await writethru("export", str(path), "--redis-url", engine.url))[:2] == (0, [])
    return path


async def take_in(engine: Engine, path: Path, *words: str) -> str:
    """Import *path* where it must succeed, and return what is said of it."""
    status, lines, said = await writethru("import", str(path), "--redis-url", engine.url, *words)
    assert (status, lines) == (0, []), said
    return said


async def kept(redis: Redis, lanes: int) -> dict[str, list[Any]]:
    """Return all that is filed and shown of each article, wherever its lane is."""
    here = await open_installation(redis, lanes)
    found = {}
    for story in STORIES:
        slug = story[0]["subject"]
        keys = here.lanes.of(slug).article(slug)
        found[slug] = [
            await redis.lrange(keys.ledger, 0, -1),
            await redis.hgetall(keys.seen),
            await redis.hgetall(keys.posted),
            await redis.hgetall(keys.article),
            await Snapshots(redis, here.lanes).read_article(slug),
            await redis.zscore(keys.lane.latest, slug),
        ]
    return found


@pytest.mark.parametrize(("name", "lanes"), [("all.ndjson", LANES), ("all.ndjson.gz", 5)])
async def test_what_was_imported_is_what_was_exported(
    newsroom, engine, elsewhere, tmp_path, monkeypatch, name, lanes
):
    # given an export
    path = await exported(engine, tmp_path / name)
    # when another installation, of other lanes maybe, takes it in
    monkeypatch.setenv("WRITETHRU_LANES", str(lanes))
    assert await take_in(elsewhere, path) == "3 articles taken in, 0 known already\n"
    async with connect(elsewhere.url) as redis:
        there = await open_newsroom(redis, lanes)
        for story in STORIES:
            await Store(redis, there.lanes).render(story[0]["subject"])
        # then ledgers, what append remembers, and the articles are the same
        assert await kept(redis, lanes) == await kept(newsroom.redis, LANES)
        # and every event of before is a duplicate with its seq
        for story in STORIES:
            for seq, envelope in enumerate(story, start=1):
                code, its, _ = await there.append(envelope)
                assert (code, int(its)) == (b"duplicate", seq)
        # and so are keys, and all that is stored is as the ledgers give it
        assert await redis.hgetall(API_KEYS) == await newsroom.redis.hgetall(API_KEYS)
    assert (await writethru("verify", "--redis-url", elsewhere.url))[0] == 0


async def test_an_export_is_for_its_owner_only_and_has_no_key_in_it(newsroom, engine, tmp_path):
    path = await exported(engine, tmp_path / "all.ndjson.gz")

    secret = tmp_path / "all.ndjson.gz.key"
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, secret)] == [0o600, 0o600]
    assert newsroom.key.hex() == secret.read_text().strip()
    assert newsroom.key.hex().encode() not in gzip.decompress(path.read_bytes())


async def test_an_import_that_was_stopped_goes_on_where_it_stopped(
    newsroom, engine, elsewhere, tmp_path
):
    # given an import that was killed in the middle of an article
    path = await exported(engine, tmp_path / "all.ndjson")
    await take_in(elsewhere, path)
    async with connect(elsewhere.url) as redis:
        there = await open_newsroom(redis, LANES)
        keys = there.keys("ferry")
        await redis.ltrim(keys.ledger, 0, 99)
        await redis.delete(keys.article)
        # when it is run again
        said = await take_in(elsewhere, path)
        # then the rest is taken in
        assert said == "1 article taken in, 2 known already\n"
        assert await redis.lrange(keys.ledger, 0, -1) == await newsroom.redis.lrange(
            newsroom.keys("ferry").ledger, 0, -1
        )


async def test_what_has_gone_on_since_is_left_as_it_is(newsroom, engine, tmp_path):
    # given an installation that went on after the export
    path = await exported(engine, tmp_path / "all.ndjson")
    await newsroom.file(published(slug="new"))
    before = await kept(newsroom.redis, LANES)
    # when it is given the export
    said = await take_in(engine, path)
    # then nothing happens
    assert said == "0 articles taken in, 3 known already\n"
    assert await kept(newsroom.redis, LANES) == before


async def test_another_article_under_the_same_slug_is_refused_and_stays(
    newsroom, engine, elsewhere, tmp_path
):
    # given an installation of the same key in which the slug has another history
    path = await exported(engine, tmp_path / "all.ndjson")
    async with connect(elsewhere.url) as redis:
        await redis.hset("writethru:meta", "key", newsroom.key.hex())
        there = await open_newsroom(redis, LANES)
        await there.file(published("Another story"))
        # when it is given the export
        status, _, said = await writethru("import", str(path), "--redis-url", elsewhere.url)
        # then that is refused in a line, and the article is as it was
        assert status == 1
        assert said == (
            f"writethru import: {SLUG}: there is another article under this slug; "
            "nothing of it was taken in\n"
        )
        assert await redis.llen(there.keys().ledger) == 1


Lines = list[bytes]


def changed(lines: Lines, place: int, old: bytes, new: bytes) -> Lines:
    """Return *lines* with another word in one of them."""
    assert old in lines[place]
    return [*lines[:place], lines[place].replace(old, new, 1), *lines[place + 1 :]]


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda lines, _: lines[:-1], "the export breaks off after 3 whole articles"),
        (lambda lines, at: lines[: at + 3], "the export breaks off within the article"),
        (lambda lines, at: changed(lines, at + 3, b'"seq":3', b'"seq":4'), "breaks at event 3"),
        (lambda lines, at: changed(lines, at + 3, b'print":"', b'print":"g'), "can't be read"),
        (lambda lines, at: changed(lines, at + 3, SLUG.encode(), b"ferry"), "of another article"),
        (lambda lines, at: changed(lines, at, b'"chain":"', b'"chain":"0'), "its last event is"),
        (lambda lines, at: changed(lines, at, b'"seq":5,', b""), "not as it should be"),
        (lambda lines, _: changed(lines, 0, b'"format":1', b'"format":2'), "a newer writethru"),
        (lambda lines, _: changed(lines, 0, b'"schema":1', b'"schema":9'), "a newer writethru"),
        (lambda *_: [b"hello\n"], "not one of an export"),
        (lambda *_: [b"{}\n"], "this is no export of writethru"),
        (lambda *_: [], "not one of an export"),
    ],
)
async def test_a_damaged_export_is_refused_in_a_line(
    newsroom, engine, elsewhere, tmp_path, damage, complaint
):
    # given an export that lost something on its way
    path = await exported(engine, tmp_path / "all.ndjson")
    lines = path.read_bytes().splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if b'{"article":"harbour-bridge"' in line)
    path.write_bytes(b"".join(damage(lines, place)))
    # when it is taken in
    status, _, said = await writethru("import", str(path), "--redis-url", elsewhere.url)
    # then one line says what is wrong
    assert (status, said.count("\n")) == (1, 1)
    assert complaint in said


async def test_nothing_of_a_damaged_article_is_taken_in(newsroom, engine, elsewhere, tmp_path):
    # given an export in which the last event of an article was changed
    path = await exported(engine, tmp_path / "all.ndjson")
    lines = path.read_bytes().splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if b'{"article":"harbour-bridge"' in line)
    record = orjson.loads(lines[place + 5])
    lines[place + 5] = orjson.dumps({**record, "fingerprint": "0" * 64}) + b"\n"
    path.write_bytes(b"".join(lines))
    # when it is taken in
    status, _, said = await writethru("import", str(path), "--redis-url", elsewhere.url)
    # then there is nothing of that article
    assert status == 1
    assert f"the export's article {SLUG} is damaged: the chain breaks at event 5" in said
    async with connect(elsewhere.url) as redis:
        keys = (await open_newsroom(redis, LANES)).keys()
        assert not await redis.exists(keys.ledger, keys.seen, keys.posted, keys.article)


async def test_without_the_key_it_says_how_to_name_it(newsroom, engine, elsewhere, tmp_path):
    path = await exported(engine, tmp_path / "all.ndjson")
    (tmp_path / "all.ndjson.key").rename(tmp_path / "elsewhere.key")

    status, _, said = await writethru("import", str(path), "--redis-url", elsewhere.url)

    assert (status, said.count("\n")) == (1, 1)
    assert "name it with --key-file" in said
    await take_in(elsewhere, path, "--key-file", str(tmp_path / "elsewhere.key"))


async def test_an_installation_with_articles_of_its_own_key_is_refused(
    newsroom, engine, elsewhere, tmp_path
):
    path = await exported(engine, tmp_path / "all.ndjson")
    async with connect(elsewhere.url) as redis:
        await (await open_newsroom(redis, LANES)).file(published(slug="ours"))

    status, _, said = await writethru("import", str(path), "--redis-url", elsewhere.url)

    assert (status, said.count("\n")) == (1, 1)
    assert "articles filed under it, such as ours; import into an empty one" in said


async def test_an_installation_that_runs_keeps_its_key(newsroom, engine, elsewhere, tmp_path):
    # given an empty installation with a renderer at work
    path = await exported(engine, tmp_path / "all.ndjson")
    async with connect(elsewhere.url) as redis:
        there = await open_newsroom(redis, LANES)
        lane = next(iter(there.lanes))
        await redis.xgroup_create(lane.events, RENDER_GROUP, id="0", mkstream=True)
        await redis.xreadgroup(RENDER_GROUP, "one", {lane.events: ">"})
        # when it is given the export of another one
        status, _, said = await writethru("import", str(path), "--redis-url", elsewhere.url)
        # then it is asked to be stopped first
        assert status == 1
        assert "stop the stack that runs here first" in said
        assert (await open_newsroom(redis, LANES)).key == there.key


async def test_an_export_that_has_the_key_in_it_is_enough(newsroom, engine, elsewhere, tmp_path):
    # given an export to standard output that was asked to hold the key
    status, lines, said = await writethru("export", "--with-key", "--redis-url", engine.url)
    assert (status, said.count("\n")) == (0, 1)
    assert newsroom.key.hex() in lines[1]
    path = tmp_path / "all.ndjson"
    path.write_text("\n".join(lines) + "\n")
    # when it is taken in
    await take_in(elsewhere, path)
    # then the installation has that key
    async with connect(elsewhere.url) as redis:
        assert (await open_newsroom(redis, LANES)).key == newsroom.key


async def test_an_export_says_that_it_leaves_subscriptions_out(newsroom, engine, tmp_path):
    await newsroom.redis.hset(SUBSCRIPTIONS, mapping={"a": "{}", "b": "{}"})

    path = tmp_path / "out.ndjson"
    status, _, said = await writethru("export", str(path), "--redis-url", engine.url)

    assert status == 0
    assert "not in it: 2 subscriptions to webhooks" in said.splitlines()[1]


async def test_a_data_folder_is_made_for_an_import(newsroom, engine, tmp_path):
    path = await exported(engine, tmp_path / "all.ndjson")

    status, _, said = await writethru("import", str(path), "--data-dir", str(tmp_path / "new"))

    assert (status, said) == (0, "3 articles taken in, 0 known already\n")
    with Engine(tmp_path / "new") as own:
        async with connect(own.url) as redis:
            assert (await open_newsroom(redis, LANES)).key == newsroom.key


async def test_a_place_that_cannot_be_written_is_named(newsroom, engine, tmp_path):
    path = tmp_path / "missing" / "all.ndjson"

    status, _, said = await writethru("export", str(path), "--redis-url", engine.url)

    assert status == 1
    assert said == f"writethru export: {path} can't be written: No such file or directory\n"


async def test_what_is_held_moves_and_is_released_there(newsroom, engine, elsewhere, tmp_path):
    # given an article with a held update and its correction, and one that is held as a whole
    here = await open_installation(newsroom.redis, LANES)
    far = "2099-01-01T00:00:00Z"
    update = posted("secret", "Held text: 🌉", slug="ferry", id="held", embargo_until=far)
    opening = published(slug="budget", id="opening", embargo_until=far)
    held = [update, corrected("secret", slug="ferry"), opening, posted("b1", slug="budget")]
    filed = await Appender(newsroom.redis, here, "fsync").append([parse_event(e) for e in held])
    assert [receipt.status for receipt in filed] == ["held"] * 4
    # when all moves, twice
    path = await exported(engine, tmp_path / "all.ndjson")
    assert (await take_in(elsewhere, path)).endswith("; 4 events held\n")
    assert "held" not in await take_in(elsewhere, path)
    # then it is held there as it was, known again, and released with what builds on it
    async with connect(elsewhere.url) as redis:
        there = await open_installation(redis, LANES)
        desk = Queue(redis, there.lanes)
        assert sorted(await desk.records()) == sorted(
            await Queue(newsroom.redis, here.lanes).records()
        )
        again = await Appender(redis, there, "fsync").append([parse_event(e) for e in held])
        assert [(receipt.status, receipt.held) for receipt in again] == [("duplicate", True)] * 4
        for each in await desk.held():
            if each.behind is None:
                assert [outcome.result for outcome in await desk.release(each)] == ["released"] * 2
        assert await desk.held() == []
