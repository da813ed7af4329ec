"""Feeds, Latest News as feeds, and the sitemap, over HTTP."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import feedparser
import pytest
from redis.asyncio import Redis

from shared.article.formats import whole
from shared.runtime.engine import Engine
from tests.builders import SLUG, closed, killed, pinned, posted, published, retracted
from tests.integration.newsstand import Newsstand, open_newsstand

ARTICLE = f"/articles/{SLUG}"
SITE = "http://127.0.0.1:8080"
FEEDS = ("atom", "feed.json", "rss")


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url, history="public") as stand:
        yield stand


def ago(**age: float) -> str:
    return (datetime.now(UTC) - timedelta(**age)).isoformat()


async def read(stand: Newsstand, path: str) -> Any:
    answer = await stand.get(path)
    assert answer.status_code == 200
    found = feedparser.parse(answer.content)
    assert not found.bozo
    return found


async def test_each_format_is_what_the_ledger_gives(stand):
    # given an article of more updates than a feed has, with an old one pinned
    await stand.publish(published(), posted("u0"))
    await stand.newsroom.file(*(posted(f"u{number}") for number in range(1, 70)))
    await stand.publish(retracted("u65"), pinned("u3"), closed())
    article = await stand.newsroom.replayed()

    for form in ("md", *FEEDS):
        answer = await stand.get(f"{ARTICLE}.{form}")

        assert answer.content == whole.written(article, form, SITE)


async def test_a_page_names_its_feeds_and_they_are_there(stand):
    await stand.publish(published(), posted("u1"))

    for path in (ARTICLE, "/"):
        page = (await stand.get(path)).text
        found = re.findall(r'<link rel="alternate" type="([^"]+)" title="[^"]+" href="(.+)">', page)
        assert len(found) == len(FEEDS)
        for kind, href in found:
            answer = await stand.get(href)
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith(kind)


async def test_links_of_updates_lead_to_them(stand):
    await stand.publish(published(), posted("u1"))

    (entry,) = (await read(stand, f"{ARTICLE}.atom")).entries

    answer = await stand.get(entry.link.removeprefix(SITE))
    assert answer.headers["location"] == f"{ARTICLE}#u-u1"


async def test_an_article_as_it_stood_comes_as_a_feed_with_what_was_taken_back_masked(stand):
    await stand.publish(published(), posted("u1", "A secret."), posted("u2"), retracted("u1"))

    found = await read(stand, f"{ARTICLE}/versions/2.atom")

    (entry,) = found.entries
    assert "secret" not in entry.content[0].value
    links = {link.rel: link.href for link in found.feed.links}
    assert links["self"] == f"{SITE}{ARTICLE}/versions/2.atom"
    assert "secret" not in (await stand.get(f"{ARTICLE}/versions/2.md")).text


async def test_latest_news_as_a_feed_is_last_updated_first_in_pages_of_fifty(stand):
    for number in range(51):
        minute = f"2026-03-01T09:{number:02}:00Z"
        await stand.publish(published(f"Story {number}", slug=f"story-{number}", at=minute))

    async def all_there() -> bool:
        return bool((await stand.json("/latest.json"))["pages"] == 2)

    await stand.until(all_there)
    first, second = [await read(stand, f"/latest.atom{query}") for query in ("", "?page=2")]
    found = [entry.title for entry in (*first.entries, *second.entries)]
    assert found == [f"Story {number}" for number in range(50, -1, -1)]
    assert first.feed.updated == "2026-03-01T09:50:00Z"
    assert {link.rel: link.href for link in first.feed.links}[
        "next"
    ] == f"{SITE}/latest.atom?page=2"
    assert "next" not in {link.rel for link in second.feed.links}


async def test_the_sitemap_has_the_last_two_days_and_robots_are_told_of_it(stand):
    await stand.publish(
        published(slug="new", at=ago(hours=47)), published(slug="old", at=ago(hours=49))
    )

    sitemap = f"{SITE}/sitemap-news.xml"
    assert f"Sitemap: {sitemap}\n" in (await stand.get("/robots.txt")).text

    async def listed() -> bool:
        answer = await stand.get("/sitemap-news.xml")
        assert answer.headers["content-type"] == "application/xml; charset=utf-8"
        return "/articles/new<" in answer.text and "/articles/old<" not in answer.text

    await stand.until(listed)
    etag = (await stand.get("/sitemap-news.xml")).headers["etag"]
    assert (await stand.get("/sitemap-news.xml", if_none_match=etag)).status_code == 304


async def test_a_killed_article_leaves_latest_feeds_and_the_sitemap(stand):
    # given two articles that were read everywhere
    paths = ["/sitemap-news.xml", *(f"/latest.{form}" for form in FEEDS)]
    await stand.publish(published("Bridge falls", at=ago(hours=1)))
    await stand.publish(published("Ferries sail", slug="ferries", at=ago(hours=1)))

    async def listed(*, killed: bool) -> bool:
        pages = [(await stand.get(path)).text for path in paths]
        return all(("Bridge falls" in page) != killed and "Ferries sail" in page for page in pages)

    await stand.until(lambda: listed(killed=False))

    # when one is killed
    await stand.publish(killed())

    # then it is in none of them
    await stand.until(lambda: listed(killed=True))
