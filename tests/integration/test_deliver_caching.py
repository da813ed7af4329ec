"""What caches are told: codings, parts, validators, how long, and by which keys to let go."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator, Mapping

import brotli
import httpx2
import pytest
from redis.asyncio import Redis

from services.deliver.core.caching import LIVE_SECONDS, SETTLED_SECONDS
from services.deliver.core.codings import coded
from shared.article.formats.dressing import ASSETS
from shared.runtime.engine import Engine
from tests.builders import SLUG, closed, corrected, killed, posted, published, revised
from tests.integration.newsstand import Newsstand, open_newsstand

ARTICLE = f"/articles/{SLUG}"
LISTS = ("/", "/latest.json", "/latest.atom", "/latest.feed.json", "/latest.rss")
FORMS = ("", ".html", ".json", ".txt", ".md", ".atom", ".feed.json", ".rss", ".ninjs.json")
CHANGES = f"{ARTICLE}/changes?since=1"
#: Everything that is compressed, asked about and kept.
PATHS = (*(ARTICLE + form for form in FORMS), f"{ARTICLE}/pages/1", f"{ARTICLE}/corrections",
         f"{ARTICLE}/corrections.json", CHANGES, *LISTS)  # fmt: skip
#: Too small for a coding here.
SMALL = ("/robots.txt", "/sitemap-news.xml")
LONG = "The tide has turned at the harbour mouth, and cars wait on both sides of the bridge. " * 5


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url, history="public") as stand:
        yield stand


async def raw(stand: Newsstand, path: str, **headers: str) -> tuple[httpx2.Response, bytes]:
    """Return an answer and its bytes as they were sent."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with stand.http.stream("GET", path, headers=named) as answer:
        return answer, b"".join([chunk async for chunk in answer.aiter_raw()])


async def opened(stand: Newsstand) -> None:
    """Publish an article that is long enough to be worth a coding, and have it listed."""
    noted = corrected("u1", text=LONG, note="The bridge is the other one. " * 4)
    await stand.publish(published(body=LONG), posted("u1", LONG), noted)

    async def listed() -> bool:
        return SLUG in (await stand.get("/latest.json")).text

    await stand.until(listed)


async def test_everything_comes_in_the_coding_that_was_asked_for_and_is_the_same_bytes(stand):
    await opened(stand)
    for path in PATHS:
        plain, body = await raw(stand, path, accept_encoding="identity")
        assert "content-encoding" not in plain.headers
        tags = {plain.headers["etag"]}
        for coding, decoded in (("br", brotli.decompress), ("gzip", gzip.decompress)):
            answer, sent = await raw(stand, path, accept_encoding=f"{coding}, identity;q=0.5")

            assert answer.headers.get("content-encoding") == coding, (path, len(body))
            assert decoded(sent) == body, path
            assert len(sent) == int(answer.headers["content-length"]) < len(body)
            assert answer.headers["vary"] == plain.headers["vary"]
            assert "Accept-Encoding" in answer.headers["vary"]
            tags.add(answer.headers["etag"])
        assert len(tags) == 3, "each coding has an ETag of its own"


async def test_who_has_it_in_one_coding_is_told_so_and_in_another_gets_that(stand):
    await opened(stand)
    for path in (*PATHS, *SMALL, f"/static/{next(iter(ASSETS))}"):
        first = await stand.get(path, accept_encoding="br")
        etag = first.headers["etag"]

        again = await stand.get(path, accept_encoding="br", if_none_match=etag)
        other = await stand.get(path, accept_encoding="identity", if_none_match=etag)

        assert (again.status_code, again.content) == (304, b""), path
        for name in ("etag", "vary", "cache-control", "cdn-cache-control", "surrogate-key"):
            assert again.headers.get(name) == first.headers.get(name), (path, name)
        assert "content-encoding" not in again.headers
        assert other.status_code == (304 if path in SMALL else 200), path
        head = await stand.http.head(path, headers={"accept-encoding": "br", "if-none-match": etag})
        assert head.status_code == 304


async def test_a_page_is_compressed_once_for_all_and_anew_when_it_changes(stand, monkeypatch):
    # given a count of what is compressed
    made: list[str] = []

    def counted(data: bytes, coding: str, *, for_good: bool) -> bytes:
        made.append(coding)
        return coded(data, coding, for_good=for_good)

    monkeypatch.setattr("services.deliver.codings.coded", counted)
    await opened(stand)
    made.clear()

    # when many read it in two codings
    for coding in ("br", "gzip") * 5:
        await stand.get(ARTICLE, accept_encoding=coding)
    assert made == ["br", "gzip"]

    # and after a change
    await stand.publish(revised("u1", text=LONG + "Ferries sail."))
    for coding in ("br", "br"):
        assert "Ferries sail." in (await stand.get(ARTICLE, accept_encoding=coding)).text
    assert made == ["br", "gzip", "br"]


async def test_what_is_small_is_sent_as_it_is(stand):
    answer = await stand.get("/robots.txt", accept_encoding="br")

    assert "content-encoding" not in answer.headers
    assert answer.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("coding", ["br", "identity"])
async def test_a_part_is_of_the_bytes_as_they_are_sent(stand, coding):
    await opened(stand)
    path = f"{ARTICLE}.json"
    first, body = await raw(stand, path, accept_encoding=coding)
    etag, size = first.headers["etag"], len(body)
    assert first.headers["accept-ranges"] == "bytes"

    async def part(wanted: str, **more: str) -> tuple[httpx2.Response, bytes]:
        return await raw(stand, path, accept_encoding=coding, range=wanted, **more)

    for wanted, expected, said in (
        ("bytes=0-9", body[:10], f"bytes 0-9/{size}"),
        ("bytes=20-", body[20:], f"bytes 20-{size - 1}/{size}"),
        ("bytes=-5", body[-5:], f"bytes {size - 5}-{size - 1}/{size}"),
    ):
        for guard in ({}, {"if_range": etag}):
            answer, sent = await part(wanted, **guard)
            assert (answer.status_code, sent) == (206, expected)
            assert answer.headers["content-range"] == said
            assert answer.headers["etag"] == etag
    # what it has is of another time, or another coding: it gets all
    for guard in ({"if_range": '"other"'}, {"if_range": f"W/{etag}"},
                  {"if_range": "Sun, 01 Mar 2026 09:00:00 GMT"}):  # fmt: skip
        answer, sent = await part("bytes=0-9", **guard)
        assert (answer.status_code, sent) == (200, body)
    # several at once are not served; the whole is
    answer, sent = await part("bytes=0-1,3-4")
    assert (answer.status_code, sent) == (200, body)
    # who has it needs no part; what is beyond the end can't be had
    assert (await part("bytes=0-9", if_none_match=etag))[0].status_code == 304
    answer, _ = await part(f"bytes={size}-")
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{size}")
    head = await stand.http.head(path, headers={"accept-encoding": coding, "range": "bytes=0-9"})
    assert (head.status_code, head.headers["content-length"]) == (200, str(size))


def shown_at_most(headers: Mapping[str, str]) -> int:
    """Return for how many seconds a shared cache may show an answer without having asked."""
    rule = dict(re.findall(r"([a-z-]+)=(\d+)", headers.get("cdn-cache-control", "")))
    late = (rule.get("stale-while-revalidate", 0), rule.get("stale-if-error", 0))
    return int(rule.get("max-age", 0)) + max(int(each) for each in late)


async def test_nothing_is_shown_without_asking_for_longer_than_is_promised(stand):
    await opened(stand)
    elsewhere = ("/nowhere", "/articles/none", "/static/none", "/healthz", "/readyz")
    history = (f"{ARTICLE}/versions/1", f"{ARTICLE}/versions/1..2", f"{ARTICLE}/versions")
    for path in (*PATHS, *SMALL, f"{ARTICLE}/updates/u1", f"{CHANGES}&wait=1", *elsewhere):
        answer = await stand.get(path)
        assert shown_at_most(answer.headers) <= LIVE_SECONDS, path
        # browsers ask each time, and so do caches that know no rule of their own
        assert answer.headers["cache-control"] in (
            "public, max-age=0, must-revalidate", "no-store"
        ), path  # fmt: skip
    for path in history:
        assert shown_at_most((await stand.get(path)).headers) <= SETTLED_SECONDS

    await stand.publish(closed())
    settled = [(await stand.get(ARTICLE + form)).headers for form in FORMS]
    assert {shown_at_most(each) for each in settled} == {SETTLED_SECONDS}


async def test_who_polls_shares_the_answer_of_a_second_and_who_waits_in_vain_shares_none(stand):
    await opened(stand)

    for path in (CHANGES, f"{ARTICLE}/changes?since=3"):
        assert (await stand.get(path)).headers["cdn-cache-control"] == "max-age=1"
    waited = await stand.get(f"{ARTICLE}/changes?since=3&wait=1")
    assert waited.status_code == 204
    assert waited.headers["cache-control"] == "no-store"
    assert "cdn-cache-control" not in waited.headers


async def test_everything_of_an_article_has_its_key_and_lists_have_theirs(stand):
    await opened(stand)
    of_article = [*(ARTICLE + form for form in FORMS), f"{ARTICLE}/pages/1", CHANGES,
                  f"{ARTICLE}/changes?since=3", f"{ARTICLE}/corrections", f"{ARTICLE}/updates/u1",
                  f"{ARTICLE}/versions/1.json", f"{ARTICLE}/nothing"]  # fmt: skip
    for path in of_article:
        headers = (await stand.get(path)).headers
        assert f"wt-{SLUG}" in headers["surrogate-key"].split(" "), path
        assert headers["cache-tag"].split(",") == headers["surrogate-key"].split(" ")
    for path in (*LISTS, "/sitemap-news.xml"):
        assert (await stand.get(path)).headers["surrogate-key"] == "wt-latest"
    # what shows headlines of others can be let go of, too
    assert "wt-beside" in (await stand.get(ARTICLE)).headers["surrogate-key"]
    # what is not there yet may be in a moment
    assert (await stand.get("/articles/later")).headers["surrogate-key"] == "wt-later"

    await stand.publish(killed())
    for path in of_article:
        answer = await stand.get(path)
        assert answer.status_code == 410
        assert f"wt-{SLUG}" in answer.headers["surrogate-key"].split(" "), path


async def test_another_history_of_the_same_length_is_another_page_to_caches(stand, redis):
    # given a cache that has a page of a history which was then lost in a failover
    await opened(stand)
    lost = {path: (await stand.get(path)).headers["etag"] for path in PATHS}
    await redis.flushdb()
    await stand.publish(published(body=LONG), posted("u2"), posted("u3", LONG))

    # then it is told so, though the version is the same
    for form in FORMS:
        answer = await stand.get(ARTICLE + form, if_none_match=lost[ARTICLE + form])
        assert answer.status_code == 200, form
        assert answer.headers["etag"].startswith('"3.')
        assert lost[ARTICLE + form].startswith('"3.')
