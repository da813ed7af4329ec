"""Pages that many ask for are answered from memory, with what is true now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from services.deliver import memory as memories
from services.deliver.hub import Hub
from services.deliver.reading import Reading
from shared.contract.errors import Busy
from shared.runtime.engine import Engine
from tests.builders import SLUG, killed, posted, published, writethru
from tests.integration.hot import Hot, memory_of
from tests.integration.newsstand import a_key, open_newsstand
from tests.waiting import until

ARTICLE = f"/articles/{SLUG}"
PATHS = (ARTICLE, f"{ARTICLE}.json", f"{ARTICLE}.txt", f"{ARTICLE}.atom", "/", "/latest.json")
POLLED = (f"{ARTICLE}/changes?since=1", f"{ARTICLE}/pages/1", f"{ARTICLE}/corrections")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The targets that went the long way."""
    found: list[str] = []
    real = memories.Memory.asked

    def noted(self: memories.Memory, scope: dict[str, object]) -> bool:
        found.append(str(scope["path"]))
        return real(self, scope)

    monkeypatch.setattr(memories.Memory, "asked", noted)
    monkeypatch.setattr(memories, "OFTEN", 1)
    return found


@pytest.fixture
async def hot(redis: Redis, engine: Engine, asked: list[str]) -> AsyncIterator[Hot]:
    async with open_newsstand(redis, engine.url) as stand:
        yield Hot(stand, asked)


async def test_memory_answers_to_the_byte_what_the_long_way_does(hot):
    await hot.stand.publish(published(), posted("u1"))
    for path in (*PATHS, *POLLED):
        for coding in ("br", "gzip", "identity"):
            async with hot.line() as line:
                lines = [
                    f"Accept-Encoding: {coding}",
                    "Accept: text/html",
                    "Connection: keep-alive",
                ]
                first = await line.get(path, *lines)

                again = await hot.remembered(line, path, *lines)

                assert again == first, path
                # who has it is told so, as the long way does
                known = f"If-None-Match: {first.headers['etag']}"
                short = await hot.remembered(line, path, *lines, known)
                long = await line.get(path, *lines, known, "Range: lines=1")
                assert (short.status, short) == (304, long)


async def test_where_all_have_the_page_they_are_told_so_from_memory(hot):
    await hot.stand.publish(published())
    path = f"{ARTICLE}.json"
    page = await hot.stand.get(path, accept_encoding="identity")
    memory_of(hot.stand)._at.clear()
    async with hot.line() as line:
        known = f"If-None-Match: {page.headers['etag']}"

        assert (await hot.remembered(line, path, known)).status == 304
        # who hasn't gets it whole, and from then on both do
        assert (await line.get(path)).body == page.content
        assert (await hot.remembered(line, path)).body == page.content
        assert (await hot.remembered(line, path, known)).status == 304


async def test_forms_and_codings_are_not_mixed_up(hot):
    await hot.stand.publish(published(body="It is open, and cars wait. " * 30))
    async with hot.line() as line:
        asked = [
            (("Accept: text/html", "Accept-Encoding: br"), "text/html; charset=utf-8", "br"),
            (("Accept: application/json", "Accept-Encoding: br"), "application/json", "br"),
            (("Accept: application/json",), "application/json", None),
            (("Accept-Encoding: gzip",), "text/html; charset=utf-8", "gzip"),
        ]
        for lines, _, _ in asked:
            await hot.remembered(line, ARTICLE, *lines)
        for lines, kind, coding in asked:
            answer = await hot.remembered(line, ARTICLE, *lines)
            assert answer.headers["content-type"] == kind
            assert answer.headers.get("content-encoding") == coding


async def test_what_asks_for_more_than_a_page_goes_the_long_way(hot):
    await hot.stand.publish(published(), posted("u1"))
    path = f"{ARTICLE}.json"
    async with hot.line() as line:
        page = await hot.remembered(line, path)
        for lines, status in (
            (["Range: bytes=0-9"], 206),
            (['If-None-Match: "other"'], 200),
            ([f"If-None-Match: W/{page.headers['etag']}"], 304),
            (["Authorization: Bearer wt_x"], 200),
        ):
            before = hot.long_ways
            assert (await line.get(path, *lines)).status == status
            assert hot.long_ways == before + 1
        head = await line.get(path, method="HEAD")
        assert head.headers["content-length"] == str(len(page.body))
        closing = await line.get(path, "Connection: close")
        assert closing.body == page.body
        assert await line.reader.read() == b""


async def test_requests_in_one_piece_or_in_many_get_their_answers_in_order(hot):
    await hot.stand.publish(published(), posted("u1"))
    async with hot.line() as line:
        pages = {path: await hot.remembered(line, path) for path in PATHS}

        for path in PATHS:
            line.send(path)
        for path in PATHS:
            assert await line.answer() == pages[path]

        for byte in f"GET {ARTICLE} HTTP/1.1\r\nHost: a\r\n\r\n".encode():
            line.writer.write(bytes([byte]))
            await line.writer.drain()
            await asyncio.sleep(0)
        assert await line.answer() == pages[ARTICLE]
        # and a stream can follow
        line.send(f"{ARTICLE}/live")
        head = await line.reader.readuntil(b"\r\n\r\n")
        assert b"text/event-stream" in head


async def test_a_change_is_in_the_next_answer(hot):
    await hot.stand.publish(published(), posted("u1"))
    async with hot.line() as line:
        for number in range(2, 6):
            for path in PATHS:
                await hot.remembered(line, path)
            await hot.stand.publish(writethru(headline=f"Bridge {number}"))

            async def changed(text: bytes = f"Bridge {number}".encode()) -> bool:
                return all([text in (await line.get(path)).body for path in PATHS])

            await until(changed)
            for path in PATHS:
                # never back to an older one
                assert f"Bridge {number}".encode() in (await hot.remembered(line, path)).body


async def test_who_polls_is_told_from_memory_that_there_is_nothing_and_then_what_is_new(hot):
    await hot.stand.publish(published(), posted("u1"))
    path = f"{ARTICLE}/changes?since=2"
    async with hot.line() as line:
        first = await line.get(path)
        for _ in range(3):
            assert await hot.remembered(line, path) == first
        assert first.status == 204

        await hot.stand.publish(posted("u2", "The tide has turned."))

        async def told() -> bool:
            return b"The tide has turned." in (await line.get(path)).body

        await until(told)
        assert b"The tide has turned." in (await hot.remembered(line, path)).body


async def test_a_kill_ends_all_that_is_remembered_of_an_article(hot):
    await hot.stand.publish(published(), published("Ferries strike", slug="ferry-strike"))
    async with hot.line() as line:
        for path in (*PATHS, "/articles/ferry-strike"):
            await hot.remembered(line, path)

        await hot.stand.publish(killed("Legal advice."))

        async def gone() -> bool:
            return bool((await line.get(ARTICLE)).status == 410)

        await until(gone)
        for path in PATHS:
            answer = await line.get(path)
            assert (answer.status == 410) == path.startswith(ARTICLE), path
            assert SLUG.encode() not in answer.body or answer.status == 410
        # its headline beside another article goes as well
        assert b"Harbour" not in (await line.get("/articles/ferry-strike")).body


async def test_headlines_beside_are_made_anew_by_one_reader_for_all(hot, monkeypatch):
    # given a page whose foot has just become too old
    monkeypatch.setattr("services.deliver.standing.BESIDE_SECONDS", 0.0)
    monkeypatch.setattr(memories, "LONGEST_SECONDS", 60.0)
    await hot.stand.publish(published(), published("Ferries strike", slug="ferry-strike"))
    async with hot.line() as line, hot.line() as other:
        before = await hot.remembered(line, ARTICLE)
        hub = memory_of(hot.stand)._hub
        assert hub is not None
        heard = hub.changed
        await hot.stand.publish(writethru(headline="Ferries sail", slug="ferry-strike"))
        await until(lambda: _moved(hub, heard))

        # when the first and a second come at the same time
        count = hot.long_ways
        line.send(ARTICLE)
        await until(lambda: _moved_to(hot, count + 1))
        meanwhile = await other.get(ARTICLE)
        first = await line.answer()

        # then the first gets it new, the second at once, and the next new as well
        assert b"Ferries sail" in first.body
        assert meanwhile in (before, first)
        assert hot.long_ways == count + 1
        assert await other.get(ARTICLE) == first


async def _moved(hub: Hub, changed: int) -> bool:
    return hub.changed > changed


async def _moved_to(hot: Hot, long_ways: int) -> bool:
    return hot.long_ways >= long_ways


async def test_memory_is_not_trusted_for_long_when_nobody_tells_of_changes(hot, redis):
    # given a change that the outbox lost
    await hot.stand.publish(published(), posted("u1", "Ferries sail."))
    async with hot.line() as line:
        await hot.remembered(line, f"{ARTICLE}.txt")
        hub = memory_of(hot.stand)._hub
        assert hub is not None
        kept, hub._listeners[:] = hub._listeners[:], []

        await hot.stand.publish(posted("u2", "The tide has turned."))

        async def told() -> bool:
            return b"The tide has turned." in (await line.get(f"{ARTICLE}.txt")).body

        await until(told)
        hub._listeners[:] = kept


async def test_without_an_engine_memory_says_what_the_long_way_says(hot, monkeypatch):
    await hot.stand.publish(published())
    async with hot.line() as line:
        await hot.remembered(line, ARTICLE)

        async def silent(self: Reading, slugs: object) -> None:
            raise Busy("The articles can't be read at the moment.")

        monkeypatch.setattr(Reading, "stands", silent)

        async def refused() -> bool:
            return bool((await line.get(ARTICLE)).status == 503)

        await until(refused)


async def test_memory_is_bounded_whatever_is_asked_for(hot, monkeypatch):
    monkeypatch.setattr(memories, "MOST_BYTES", 200_000)
    await hot.stand.publish(published(), posted("u1"))
    memory = memory_of(hot.stand)
    async with hot.line() as line:
        for number in range(150):
            await line.get(f"{ARTICLE}?{number}")
            for _ in range(3):
                await line.get(ARTICLE, f"Accept-Encoding: gzip;q=0.{number}")
        assert 0 < memory._size <= 200_000
        assert memory._size == sum(
            page.size for found in memory._at.values() for page in found.pages.values()
        )
        assert all(len(found.pages) <= memories.MOST_VARIANTS for found in memory._at.values())


async def test_seldom_asked_pages_are_read_each_time(redis, engine):
    async with open_newsstand(redis, engine.url) as stand:
        await stand.publish(published())
        for _ in range(10):
            await stand.get(ARTICLE)

        assert not memory_of(stand)._at


async def test_what_a_key_opened_is_remembered_for_nobody(redis, engine, asked):
    async with open_newsstand(redis, engine.url, readers="keyed") as stand:
        await stand.publish(published())
        key = await a_key(stand)

        for _ in range(5):
            assert (await stand.get(f"{ARTICLE}.json", **key)).status_code == 200
            assert (await stand.get(f"{ARTICLE}.json")).status_code == 401

        assert not memory_of(stand)._at


async def test_another_origin_is_answered_for_itself(redis, engine, asked):
    origins = ("https://a.example", "https://b.example")
    async with open_newsstand(redis, engine.url, cors_origins=origins) as stand:
        await stand.publish(published())
        hot = Hot(stand, asked)
        async with hot.line() as line:
            for origin in (*origins, "https://c.example", *origins):
                answer = await hot.remembered(line, f"{ARTICLE}.json", f"Origin: {origin}")

                said = answer.headers.get("access-control-allow-origin")
                assert said == (origin if origin in origins else None)


async def test_a_process_that_is_behind_hands_no_cache_an_older_page(redis, engine, asked):
    # given two processes, of which one hears of nothing and has a page in memory
    async with (
        open_newsstand(redis, engine.url) as first,
        open_newsstand(redis, engine.url) as behind,
    ):
        await first.publish(published(), posted("u1"))
        hub = memory_of(behind)._hub
        assert hub is not None
        hub._listeners.clear()
        hot = Hot(behind, asked)
        path = f"{ARTICLE}.json"
        async with hot.line() as line:
            older = await hot.remembered(line, path)

            # when a cache that was answered by the other asks it about the newer page
            await first.publish(posted("u2"))
            newer = (await first.get(path, accept_encoding="identity")).headers["etag"]
            assert newer != older.headers["etag"]
            answer = await line.get(path, f"If-None-Match: {newer}")

            # then that is still the page
            assert (answer.status, answer.headers["etag"]) == (304, newer)
            # and it is from now on to who asks without one
            assert (await line.get(path)).headers["etag"] == newer
