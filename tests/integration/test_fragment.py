"""An article for other sites' pages, and the script that shows it there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from shared.runtime.engine import Engine
from tests.builders import SLUG, killed, posted, published
from tests.integration.newsstand import Newsstand, open_newsstand

FRAGMENT = f"/articles/{SLUG}.fragment.html"
LIVE = "https://live.example"


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url, public_url=LIVE) as stand:
        yield stand


async def test_a_fragment_has_the_article_and_nothing_of_a_page(stand: Newsstand) -> None:
    text = 'It opened. See `<a href="/x">` and <script>alert(1)</script>.'
    await stand.publish(published("A <b>bridge</b>"), posted("u1", text))

    answer = await stand.get(FRAGMENT)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert f"wt-{SLUG}" in answer.headers["surrogate-key"]
    assert "A &lt;b&gt;bridge&lt;/b&gt;" in answer.text
    assert answer.text.startswith('<section id="article"')
    for part in ("<html", "<head>", "<script", "<link", "<main", "<h1", "Latest News"):
        assert part not in answer.text, part
    # Links of ours stand on another site; what only looks like one is copy.
    assert f'href="{LIVE}/articles/{SLUG}/updates/u1"' in answer.text
    assert 'href="/articles' not in answer.text
    assert "&lt;a href=&quot;/x&quot;&gt;" in answer.text.replace('"', "&quot;")


async def test_a_fragment_is_kept_and_changes_as_the_article_does(stand: Newsstand) -> None:
    await stand.publish(published(), posted("u1", "It opened."))
    etag = (await stand.get(FRAGMENT)).headers["etag"]
    assert (await stand.get(f"{FRAGMENT}?v=2.abc", if_none_match=etag)).status_code == 304

    await stand.publish(posted("u2", "It is busy."))

    after = await stand.get(FRAGMENT, if_none_match=etag)
    assert (after.status_code, "It is busy." in after.text) == (200, True)


async def test_a_killed_articles_fragment_says_so_and_keeps_no_word_of_it(
    stand: Newsstand,
) -> None:
    await stand.publish(published("A bridge"), killed("A court has ordered it."))

    answer = await stand.get(FRAGMENT)

    assert answer.status_code == 410
    assert "A court has ordered it." in answer.text
    assert "A bridge" not in answer.text
    assert answer.text.startswith('<section id="article" class="message"')


async def test_a_fragment_is_there_by_its_name_only(stand: Newsstand) -> None:
    await stand.publish(published())

    assert "<html" in (await stand.get(f"/articles/{SLUG}", accept="text/html")).text
    assert (await stand.get(f"/articles/{SLUG}/versions/1.fragment.html")).status_code in (401, 404)
    assert (await stand.get("/articles/nowhere.fragment.html")).status_code == 404


async def test_the_script_may_be_used_by_any_page_and_its_style_is_there(stand: Newsstand) -> None:
    await stand.publish(published())
    script = await stand.get("/embed.js")

    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["cross-origin-resource-policy"] == "cross-origin"
    assert script.headers["cache-control"] == "public, max-age=300"
    assert len(script.content) < 6_000
    fragment = (await stand.get(FRAGMENT)).text
    style = fragment.partition('data-style="')[2].partition('"')[0]
    sheet = await stand.get(style)
    assert sheet.status_code == 200
    for rule in (":root", "\nbody", "\nhtml", "rem;", "60em"):
        assert rule not in sheet.text, rule
